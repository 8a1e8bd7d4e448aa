// Package film writes moving pictures: GIF, animated PNG, and MP4 where the machine has an encoder.
//
// A film is frames of one size, a time for each, and what happens at its end. GIF has 256 colours and is shown
// everywhere; animated PNG (APNG, PNG specification third edition, 11.3.5) has all colours; MP4 is made by the
// program ffmpeg, which is used when it is there and never asked for.
package film

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	xdraw "golang.org/x/image/draw"
)

// Loop says what happens at the end of a film.
type Loop string

// The ends of a film.
const (
	Bounce Loop = "bounce" // it runs back, and again
	Repeat Loop = "repeat" // it begins again
	Once   Loop = "once"   // it stops at the last frame
)

// Loops lists all ends.
var Loops = []Loop{Bounce, Repeat, Once}

// Ease says how a film moves from its beginning to its end.
type Ease string

// The ways to move.
const (
	Smooth Ease = "smooth" // slow at both ends: half a period of a cosine
	Even   Ease = "even"   // the same step between all frames
)

// Eases lists all ways to move.
var Eases = []Ease{Smooth, Even}

// MaxFrames is the most frames of one way.
const MaxFrames = 600

// Positions are the places of n frames, 1 to [MaxFrames], on the way from 0 to 1, both included.
func Positions(n int, e Ease) []float64 {
	n = min(max(n, 1), MaxFrames)
	at := make([]float64, n)
	for i := range at {
		t := float64(i) / float64(max(1, n-1))
		if e == Smooth {
			t = (1 - math.Cos(math.Pi*t)) / 2
		}
		at[i] = t
	}
	return at
}

// Film is frames of one size to be shown one after the other.
type Film struct {
	Frames []*image.RGBA
	Delay  time.Duration // of each frame, 20 ms to 10 s
	Loop   Loop
}

// check refuses what cannot be written.
func (f Film) check() error {
	switch {
	case len(f.Frames) == 0:
		return errors.New("film: no pictures")
	case f.Delay < 20*time.Millisecond || f.Delay > 10*time.Second:
		return fmt.Errorf("film: %v for a frame, 20 ms to 10 s expected", f.Delay)
	case !slices.Contains(Loops, f.Loop):
		return fmt.Errorf("film: end %q is not known", f.Loop)
	}
	size := f.Frames[0].Rect.Size()
	for i, m := range f.Frames {
		if m.Rect.Size() != size || size.X < 1 || size.Y < 1 {
			return fmt.Errorf("film: frame %d is %v pixels, the first %v", i+1, m.Rect.Size(), size)
		}
	}
	return nil
}

// order lists the frames as they are shown, each way of a bounce without its ends twice.
func (f Film) order() []int {
	var at []int
	for i := range f.Frames {
		at = append(at, i)
	}
	if f.Loop == Bounce {
		for i := len(f.Frames) - 2; i > 0; i-- {
			at = append(at, i)
		}
	}
	return at
}

// Formats lists the extensions of the formats that can be written on this machine.
func Formats() []string {
	out := []string{"gif", "png"}
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		out = append(out, "mp4")
	}
	return out
}

// Write writes the film to w in the format of an extension. MP4 is refused: it needs [WriteMP4].
func (f Film) Write(w io.Writer, ext string) error {
	switch strings.ToLower(strings.TrimPrefix(ext, ".")) {
	case "gif":
		return f.WriteGIF(w)
	case "png", "apng":
		return f.WriteAPNG(w)
	}
	return fmt.Errorf("film: format %q is not known: gif or png expected", ext)
}

// WriteGIF writes a GIF. Its colours are chosen from all frames by median cut, and dithered.
func (f Film) WriteGIF(w io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	pal := medianCut(f.Frames, 256)
	g := &gif.GIF{}
	if f.Loop == Once {
		g.LoopCount = -1
	}
	paletted := make([]*image.Paletted, len(f.Frames))
	for i, m := range f.Frames {
		p := image.NewPaletted(image.Rectangle{Max: m.Rect.Size()}, pal)
		xdraw.FloydSteinberg.Draw(p, p.Rect, m, m.Rect.Min)
		paletted[i] = p
	}
	for _, i := range f.order() {
		g.Image = append(g.Image, paletted[i])
		g.Delay = append(g.Delay, int(f.Delay/(10*time.Millisecond)))
	}
	return gif.EncodeAll(w, g)
}

// WriteAPNG writes an animated PNG. Programs that know none show the first frame. Each frame has only the
// rectangle that differs from the one before.
func (f Film) WriteAPNG(w io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	order := f.order()
	plays := uint32(0) // for ever
	if f.Loop == Once {
		plays = 1
	}
	first, err := chunksOf(f.Frames[order[0]], f.Frames[order[0]].Rect)
	if err != nil {
		return err
	}
	out := chunkWriter{w: w}
	out.raw([]byte("\x89PNG\r\n\x1a\n"))
	out.chunk("IHDR", first.header)
	out.chunk("acTL", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(len(order))), plays))
	sequence := uint32(0)
	for k, i := range order {
		m := f.Frames[i]
		part, c := m.Rect, first
		if k > 0 {
			if part = differing(f.Frames[order[k-1]], m); part.Empty() {
				part = image.Rectangle{Min: m.Rect.Min, Max: m.Rect.Min.Add(image.Pt(1, 1))}
			}
			if c, err = chunksOf(m, part); err != nil {
				return err
			}
		}
		var fc []byte
		for _, v := range []int{int(sequence), part.Dx(), part.Dy(), part.Min.X - m.Rect.Min.X, part.Min.Y - m.Rect.Min.Y} {
			fc = binary.BigEndian.AppendUint32(fc, uint32(v))
		}
		fc = binary.BigEndian.AppendUint16(fc, uint16(f.Delay/time.Millisecond))
		fc = binary.BigEndian.AppendUint16(fc, 1000)
		fc = append(fc, 0, 0) // the frame stays; the next one replaces what it covers
		out.chunk("fcTL", fc)
		sequence++
		for _, data := range c.data {
			if k == 0 {
				out.chunk("IDAT", data)
				continue
			}
			out.chunk("fdAT", append(binary.BigEndian.AppendUint32(nil, sequence), data...))
			sequence++
		}
	}
	out.chunk("IEND", nil)
	return out.err
}

// pngChunks is what a PNG has beside its frame.
type pngChunks struct {
	header []byte
	data   [][]byte
}

// chunksOf encodes a part of a picture, always opaque, so that all frames have one colour type.
func chunksOf(m *image.RGBA, part image.Rectangle) (pngChunks, error) {
	opaque := image.NewRGBA(image.Rectangle{Max: part.Size()})
	draw.Draw(opaque, opaque.Rect, m, part.Min, draw.Src)
	for i := 3; i < len(opaque.Pix); i += 4 {
		opaque.Pix[i] = 0xff
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, opaque); err != nil {
		return pngChunks{}, fmt.Errorf("film: %w", err)
	}
	var c pngChunks
	for raw := b.Bytes()[8:]; len(raw) >= 12; {
		n := int(binary.BigEndian.Uint32(raw))
		switch body := raw[8 : 8+n]; string(raw[4:8]) {
		case "IHDR":
			c.header = body
		case "IDAT":
			c.data = append(c.data, body)
		}
		raw = raw[12+n:]
	}
	return c, nil
}

// chunkWriter writes chunks and keeps the first error.
type chunkWriter struct {
	w   io.Writer
	err error
}

func (c *chunkWriter) raw(b []byte) {
	if c.err == nil {
		if _, err := c.w.Write(b); err != nil {
			c.err = fmt.Errorf("film: %w", err)
		}
	}
}

func (c *chunkWriter) chunk(kind string, body []byte) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+12), uint32(len(body)))
	b = append(append(b, kind...), body...)
	c.raw(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}

// differing is the smallest rectangle of b, in its own coordinates, outside of which a and b are equal.
func differing(a, b *image.RGBA) image.Rectangle {
	r := image.Rectangle{}
	for y := range b.Rect.Dy() {
		p, q := a.Pix[y*a.Stride:][:4*b.Rect.Dx()], b.Pix[y*b.Stride:][:4*b.Rect.Dx()]
		if bytes.Equal(p, q) {
			continue
		}
		x0, x1 := 0, b.Rect.Dx()
		for [4]byte(p[4*x0:]) == [4]byte(q[4*x0:]) {
			x0++
		}
		for [4]byte(p[4*x1-4:]) == [4]byte(q[4*x1-4:]) {
			x1--
		}
		r = r.Union(image.Rect(x0, y, x1, y+1))
	}
	if r.Empty() {
		return r
	}
	return r.Add(b.Rect.Min)
}

// WriteMP4 writes an H.264 film to a file with the program ffmpeg.
func (f Film) WriteMP4(ctx context.Context, path string) error {
	if err := f.check(); err != nil {
		return err
	}
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		return errors.New("film: MP4 needs the program ffmpeg, which is not on this machine")
	}
	path, err = filepath.Abs(path) // a name may begin with a hyphen
	if err != nil {
		return fmt.Errorf("film: %w", err)
	}
	rate := fmt.Sprintf("1000/%d", f.Delay/time.Millisecond)
	command := exec.CommandContext(ctx, program, "-loglevel", "error", "-y", "-f", "image2pipe", "-c:v", "png", "-framerate", rate, "-i", "-",
		"-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-movflags", "+faststart", path)
	in, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("film: %w", err)
	}
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Start(); err != nil {
		return fmt.Errorf("film: %w", err)
	}
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	var failed error
	for _, i := range f.order() {
		if failed = encoder.Encode(in, f.Frames[i]); failed != nil {
			break // the program has ended; what it said is the reason
		}
	}
	in.Close()
	if err := command.Wait(); err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			return fmt.Errorf("film: ffmpeg: %.300s", text)
		}
		return fmt.Errorf("film: ffmpeg: %w", err)
	}
	return failed
}

// medianCut chooses at most n colours for the pictures (Heckbert 1982): the box of
// colours with the largest side times count is split at its median until there
// are n.
func medianCut(frames []*image.RGBA, n int) color.Palette {
	var px [][3]uint8
	total := 0
	for _, f := range frames {
		total += len(f.Pix) / 4
	}
	step := max(1, total/60000)
	k := 0
	for _, f := range frames {
		for i := 0; i+3 < len(f.Pix); i += 4 {
			if k++; k%step == 0 {
				px = append(px, [3]uint8{f.Pix[i], f.Pix[i+1], f.Pix[i+2]})
			}
		}
	}
	if len(px) == 0 {
		return palette.Plan9
	}
	boxes := [][][3]uint8{px}
	widest := func(b [][3]uint8) (axis, span int) {
		lo, hi := [3]uint8{255, 255, 255}, [3]uint8{}
		for _, p := range b {
			for c := range 3 {
				lo[c], hi[c] = min(lo[c], p[c]), max(hi[c], p[c])
			}
		}
		for c := range 3 {
			if s := int(hi[c]) - int(lo[c]); s > span {
				axis, span = c, s
			}
		}
		return axis, span
	}
	for len(boxes) < n {
		best, score, axis := -1, 0, 0
		for i, b := range boxes {
			if len(b) < 2 {
				continue
			}
			if a, s := widest(b); s > 0 && s*int(math.Sqrt(float64(len(b)))) > score {
				best, score, axis = i, s*int(math.Sqrt(float64(len(b)))), a
			}
		}
		if best < 0 {
			break
		}
		b := boxes[best]
		var count [256]int
		for _, p := range b {
			count[p[axis]]++
		}
		half, cut := 0, 0
		for v := range 256 {
			if half += count[v]; half*2 >= len(b) {
				cut = v
				break
			}
		}
		var lo, hi [][3]uint8
		for _, p := range b {
			if int(p[axis]) <= cut {
				lo = append(lo, p)
			} else {
				hi = append(hi, p)
			}
		}
		if len(lo) == 0 || len(hi) == 0 {
			lo, hi = nil, nil
			for _, p := range b {
				if int(p[axis]) < cut {
					lo = append(lo, p)
				} else {
					hi = append(hi, p)
				}
			}
		}
		boxes[best] = lo
		boxes = append(boxes, hi)
	}
	var pal color.Palette
	for _, b := range boxes {
		if len(b) == 0 {
			continue
		}
		var sum [3]int
		for _, p := range b {
			for c := range 3 {
				sum[c] += int(p[c])
			}
		}
		pal = append(pal, color.RGBA{uint8(sum[0] / len(b)), uint8(sum[1] / len(b)), uint8(sum[2] / len(b)), 255})
	}
	return pal
}
