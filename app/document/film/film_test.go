package film_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latentbrush/app/document/film"
)

// frames is a square that moves over a gradient; two frames are equal.
func frames(n, w, h int) []*image.RGBA {
	out := make([]*image.RGBA, n)
	for i := range out {
		m := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				m.Set(x, y, color.RGBA{uint8(x * 3), uint8(y * 3), 90, 255})
			}
		}
		at := image.Pt(3*min(i, n-2), 2*min(i, n-2))
		draw.Draw(m, image.Rectangle{at, at.Add(image.Pt(9, 7))}, image.White, image.Point{}, draw.Src)
		out[i] = m
	}
	return out
}

func TestPositions(t *testing.T) {
	for _, e := range film.Eases {
		at := film.Positions(25, e)
		if len(at) != 25 || at[0] != 0 || at[24] != 1 || !slices.IsSorted(at) || at[12] < 0.499 || at[12] > 0.501 {
			t.Errorf("%s: %v", e, at)
		}
	}
	if s, e := film.Positions(25, film.Smooth), film.Positions(25, film.Even); s[1] >= e[1]/2 {
		t.Errorf("smooth begins with %v, even with %v", s[1], e[1])
	}
	if n := len(film.Positions(1<<40, film.Even)); n != film.MaxFrames {
		t.Errorf("%d frames", n)
	}
}

// playAPNG is a reader of animated PNG, from the specification: it returns the frames as they are shown.
func playAPNG(t *testing.T, data []byte) (shown []*image.RGBA, plays uint32) {
	t.Helper()
	if string(data[:8]) != "\x89PNG\r\n\x1a\n" {
		t.Fatal("no signature")
	}
	type chunk struct {
		kind string
		body []byte
	}
	var chunks []chunk
	for raw := data[8:]; len(raw) > 0; {
		n := int(binary.BigEndian.Uint32(raw))
		if crc32.ChecksumIEEE(raw[4:8+n]) != binary.BigEndian.Uint32(raw[8+n:]) {
			t.Fatalf("chunk %q has a wrong checksum", raw[4:8])
		}
		chunks = append(chunks, chunk{string(raw[4:8]), raw[8 : 8+n]})
		raw = raw[12+n:]
	}
	header := chunks[0].body
	screen := image.NewRGBA(image.Rect(0, 0, int(binary.BigEndian.Uint32(header)), int(binary.BigEndian.Uint32(header[4:]))))
	var want, sequence uint32
	var fc []byte
	var idat []byte
	flush := func() {
		if fc == nil {
			return
		}
		word := func(i int) int { return int(binary.BigEndian.Uint32(fc[4*i:])) }
		w, h, x, y := word(1), word(2), word(3), word(4)
		h2 := slices.Concat(fc[4:12], header[8:])
		var b bytes.Buffer
		b.WriteString("\x89PNG\r\n\x1a\n")
		for _, c := range []chunk{{"IHDR", h2}, {"IDAT", idat}, {"IEND", nil}} {
			part := binary.BigEndian.AppendUint32(nil, uint32(len(c.body)))
			part = append(append(part, c.kind...), c.body...)
			b.Write(binary.BigEndian.AppendUint32(part, crc32.ChecksumIEEE(part[4:])))
		}
		m, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		draw.Draw(screen, image.Rect(x, y, x+w, y+h), m, image.Point{}, draw.Src)
		c := image.NewRGBA(screen.Rect)
		copy(c.Pix, screen.Pix)
		shown = append(shown, c)
		idat = nil
	}
	number := func(body []byte) {
		if got := binary.BigEndian.Uint32(body); got != sequence {
			t.Fatalf("sequence number %d, want %d", got, sequence)
		}
		sequence++
	}
	for _, c := range chunks[1:] {
		switch c.kind {
		case "acTL":
			want, plays = binary.BigEndian.Uint32(c.body), binary.BigEndian.Uint32(c.body[4:])
		case "fcTL":
			flush()
			number(c.body)
			fc = c.body
		case "IDAT":
			idat = append(idat, c.body...)
		case "fdAT":
			number(c.body)
			idat = append(idat, c.body[4:]...)
		case "IEND":
			flush()
		}
	}
	if int(want) != len(shown) {
		t.Fatalf("%d frames, acTL says %d", len(shown), want)
	}
	return shown, plays
}

func TestAPNG(t *testing.T) {
	for _, loop := range film.Loops {
		f := film.Film{Frames: frames(6, 71, 43), Delay: 50 * time.Millisecond, Loop: loop}
		var b bytes.Buffer
		if err := f.Write(&b, ".png"); err != nil {
			t.Fatal(err)
		}
		// Programs that know no films show the first frame.
		still, err := png.Decode(bytes.NewReader(b.Bytes()))
		if err != nil || still.At(1, 1) != (color.RGBA{255, 255, 255, 255}) {
			t.Fatalf("%v", err)
		}
		shown, plays := playAPNG(t, b.Bytes())
		order := []int{0, 1, 2, 3, 4, 5}
		if loop == film.Bounce {
			order = append(order, 4, 3, 2, 1)
		}
		if len(shown) != len(order) || (plays == 1) != (loop == film.Once) {
			t.Fatalf("%s: %d frames, played %d times", loop, len(shown), plays)
		}
		for k, i := range order {
			if !bytes.Equal(shown[k].Pix, f.Frames[i].Pix) {
				t.Errorf("%s: frame %d is not the one given", loop, k)
			}
		}
	}
}

func TestGIF(t *testing.T) {
	f := film.Film{Frames: frames(5, 40, 30), Delay: 40 * time.Millisecond, Loop: film.Once}
	var b bytes.Buffer
	if err := f.Write(&b, "gif"); err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(&b)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Image) != 5 || g.Delay[0] != 4 || g.LoopCount != -1 {
		t.Errorf("%d frames, delay %d, loop %d", len(g.Image), g.Delay[0], g.LoopCount)
	}
	// Colours are near those given: the mean error is small.
	sum := 0.0
	for i := range 40 * 30 {
		x, y := i%40, i/40
		r, gr, bl, _ := g.Image[2].At(x, y).RGBA()
		c := f.Frames[2].RGBAAt(x, y)
		for _, d := range []int{int(r>>8) - int(c.R), int(gr>>8) - int(c.G), int(bl>>8) - int(c.B)} {
			sum += float64(max(d, -d))
		}
	}
	if mean := sum / (40 * 30 * 3); mean > 6 {
		t.Errorf("colours differ by %.1f levels on average, want at most 6", mean)
	}
}

func TestFilmsThatCannotBe(t *testing.T) {
	good := frames(3, 8, 8)
	for what, f := range map[string]film.Film{
		"no pictures":        {Delay: time.Second, Loop: film.Once},
		"is not known":       {Frames: good, Delay: time.Second},
		"20 ms to 10 s":      {Frames: good, Loop: film.Once},
		"frame 2 is (9,8)":   {Frames: []*image.RGBA{good[0], image.NewRGBA(image.Rect(0, 0, 9, 8))}, Delay: time.Second, Loop: film.Once},
		"the first (0,0)":    {Frames: []*image.RGBA{image.NewRGBA(image.Rectangle{})}, Delay: time.Second, Loop: film.Once},
		"format \"mov\" is ": {Frames: good, Delay: time.Second, Loop: film.Once},
	} {
		ext := "png"
		if strings.HasPrefix(what, "format") {
			ext = "mov"
		}
		if err := f.Write(&bytes.Buffer{}, ext); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A program in ffmpeg's place gets the frames as PNGs and the file's name.
func TestMP4(t *testing.T) {
	dir := t.TempDir()
	f := film.Film{Frames: frames(3, 16, 16), Delay: 40 * time.Millisecond, Loop: film.Repeat}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+"/usr/bin"+string(os.PathListSeparator)+"/bin")
	path := filepath.Join(dir, "-out.mp4")
	script := "#!/bin/sh\nfor last; do :; done\necho \"$@\" > " + dir + "/args\ncat > \"$last\"\n"
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(film.Formats(), "mp4") {
		t.Fatal("the encoder was not found")
	}
	if err := f.WriteMP4(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || bytes.Count(data, []byte("\x89PNG")) != 3 {
		t.Errorf("the encoder got %d pictures: %v", bytes.Count(data, []byte("\x89PNG")), err)
	}
	if args, _ := os.ReadFile(filepath.Join(dir, "args")); !strings.Contains(string(args), "-framerate 1000/40 ") {
		t.Errorf("it was called with %s", args)
	}
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\necho no codec >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteMP4(context.Background(), path); err == nil || !strings.Contains(err.Error(), "ffmpeg: no codec") {
		t.Errorf("the error is %v", err)
	}
}

func ExamplePositions() {
	fmt.Println(film.Positions(3, film.Smooth))
	// Output: [0 0.49999999999999994 1]
}
