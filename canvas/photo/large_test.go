package photo_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	"golang.org/x/image/tiff"

	"latentbrush/canvas/photo"
)

// kinds are pictures of all kinds of pixels that PNG knows.
func kinds(w, h int) map[string]image.Image {
	from := noisy(w, h, 11)
	rect := image.Rect(0, 0, w, h)
	colours := make(color.Palette, 0, 216)
	for i := range 216 {
		colours = append(colours, color.NRGBA{uint8(i / 36 * 51), uint8(i / 6 % 6 * 51), uint8(i % 6 * 51), 255})
	}
	clear := append(color.Palette{color.NRGBA{10, 20, 30, 0}}, colours...)
	out := map[string]image.Image{"rgb": from}
	for name, to := range map[string]draw.Image{
		"grey": image.NewGray(rect), "grey16": image.NewGray16(rect), "rgb16": image.NewRGBA64(rect),
		"palette": image.NewPaletted(rect, colours), "clear palette": image.NewPaletted(rect, clear),
		"bits": image.NewPaletted(rect, color.Palette{color.Black, color.White}), "4 colours": image.NewPaletted(rect, colours[30:34]),
	} {
		draw.Draw(to, rect, from, image.Point{}, draw.Src)
		out[name] = to
	}
	soft, soft16 := image.NewNRGBA(rect), image.NewNRGBA64(rect)
	r := rand.New(rand.NewPCG(2, 3))
	for y := range h {
		for x := range w {
			c := from.RGBAAt(x, y)
			soft.SetNRGBA(x, y, color.NRGBA{c.R, c.G, c.B, uint8(r.Uint32())})
			soft16.SetNRGBA64(x, y, color.NRGBA64{uint16(c.R) * 257, uint16(c.G) * 257, uint16(c.B) * 257, uint16(r.Uint32())})
		}
	}
	out["alpha"], out["alpha16"] = soft, soft16
	return out
}

// meanOf is a picture averaged over squares of side k.
func meanOf(p *image.RGBA, k int) *image.RGBA {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, (w+k-1)/k, (h+k-1)/k))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			var sum [4]int
			for j := y * k; j < min(h, y*k+k); j++ {
				for i := x * k; i < min(w, x*k+k); i++ {
					c := p.RGBAAt(i, j)
					sum[0] += int(c.R)
					sum[1] += int(c.G)
					sum[2] += int(c.B)
					sum[3]++
				}
			}
			n := sum[3]
			out.SetRGBA(x, y, color.RGBA{uint8((sum[0] + n/2) / n), uint8((sum[1] + n/2) / n), uint8((sum[2] + n/2) / n), 255})
		}
	}
	return out
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// tiles is a TIFF of RGB tiles or strips, 8 or 16 bits, plain or deflated.
func tiles(t testing.TB, p *image.RGBA, tw, th, bits int, deflate bool, order byteOrder) []byte {
	t.Helper()
	w, h := p.Rect.Dx(), p.Rect.Dy()
	striped := tw == 0
	if striped {
		tw = w
	}
	out := []byte("II*\x00\x00\x00\x00\x00")
	if order == byteOrder(binary.BigEndian) {
		out = []byte("MM\x00*\x00\x00\x00\x00")
	}
	var offsets, counts []uint32
	for ty := 0; ty < h; ty += th {
		for tx := 0; tx < w; tx += tw {
			var block []byte
			for y := ty; y < ty+th; y++ {
				if striped && y >= h {
					break
				}
				for x := tx; x < tx+tw; x++ {
					c := p.RGBAAt(min(x, w-1), min(y, h-1))
					for _, v := range []uint8{c.R, c.G, c.B} {
						if bits == 16 {
							block = order.AppendUint16(block, uint16(v)*257)
						} else {
							block = append(block, v)
						}
					}
				}
			}
			if deflate {
				var b bytes.Buffer
				z := zlib.NewWriter(&b)
				if _, err := z.Write(block); err != nil {
					t.Fatal(err)
				}
				if err := z.Close(); err != nil {
					t.Fatal(err)
				}
				block = b.Bytes()
			}
			offsets, counts = append(offsets, uint32(len(out))), append(counts, uint32(len(block)))
			out = append(out, block...)
		}
	}
	list := func(kind uint16, v []uint32) (count, at uint32) {
		if kind == 4 && len(v) == 1 {
			return 1, v[0]
		}
		at = uint32(len(out))
		for _, n := range v {
			if kind == 3 {
				out = order.AppendUint16(out, uint16(n))
			} else {
				out = order.AppendUint32(out, n)
			}
		}
		return uint32(len(v)), at
	}
	type entry struct {
		tag, kind   uint16
		count, at   uint32
		shortInline bool
	}
	n, at := list(3, []uint32{uint32(bits), uint32(bits), uint32(bits)})
	compression := uint32(1)
	if deflate {
		compression = 8
	}
	entries := []entry{{256, 4, 1, uint32(w), false}, {257, 4, 1, uint32(h), false}, {258, 3, n, at, false}, {259, 3, 1, compression, true}, {262, 3, 1, 2, true}}
	on, oat := list(4, offsets)
	cn, cat := list(4, counts)
	if striped {
		entries = append(entries, entry{273, 4, on, oat, false}, entry{277, 3, 1, 3, true}, entry{278, 4, 1, uint32(th), false}, entry{279, 4, cn, cat, false})
	} else {
		entries = append(entries, entry{277, 3, 1, 3, true}, entry{322, 4, 1, uint32(tw), false}, entry{323, 4, 1, uint32(th), false}, entry{324, 4, on, oat, false}, entry{325, 4, cn, cat, false})
	}
	order.PutUint32(out[4:], uint32(len(out)))
	out = order.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = order.AppendUint16(order.AppendUint16(out, e.tag), e.kind)
		out = order.AppendUint32(out, e.count)
		if e.shortInline {
			out = append(order.AppendUint16(out, uint16(e.at)), 0, 0)
		} else {
			out = order.AppendUint32(out, e.at)
		}
	}
	return append(out, 0, 0, 0, 0)
}

// A large picture is the average of the whole, whatever its format and however it is
// cut into bands.
func TestReduced(t *testing.T) {
	const w, h = 67, 45
	files := map[string][]byte{}
	for kind, img := range kinds(w, h) {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		files[kind+".png"] = b.Bytes()
	}
	plain := noisy(w, h, 4)
	for name, encode := range map[string]func(*bytes.Buffer) error{
		"x.jpg": func(b *bytes.Buffer) error { return jpeg.Encode(b, plain, nil) },
		"x.bmp": func(b *bytes.Buffer) error { return bmp.Encode(b, plain) },
		"x.tif": func(b *bytes.Buffer) error { return tiff.Encode(b, plain, nil) },
		"predictor.tif": func(b *bytes.Buffer) error {
			return tiff.Encode(b, plain, &tiff.Options{Compression: tiff.Deflate, Predictor: true})
		},
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	for _, name := range []string{"turned.jpg", "plain.webp", "cmyk.jpg", "profile.tif", "profile.png"} {
		files[name] = read(t, name)
	}
	files["strips.tif"] = tiles(t, plain, 0, 3, 8, false, binary.LittleEndian)
	files["deflated strips.tif"] = tiles(t, plain, 0, 7, 16, true, binary.BigEndian)
	files["rows.tif"] = tiles(t, plain, 0, 1, 8, true, binary.LittleEndian)
	files["tiles.tif"] = tiles(t, plain, 16, 16, 8, true, binary.LittleEndian)
	files["big-endian tiles.tif"] = tiles(t, plain, 32, 16, 16, false, binary.BigEndian)
	for name, data := range files {
		whole := decode(t, name, data)
		if whole.Reduction != 1 || whole.Size != whole.Picture.Rect.Size() || whole.Whole() != nil {
			t.Errorf("%s: reduction %d of %v", name, whole.Reduction, whole.Size)
		}
		pixels := whole.Size.X * whole.Size.Y
		for _, c := range []struct{ band, limit, k int }{{1 << 20, pixels / 3, 2}, {300, pixels / 3, 2}, {1, pixels / 7, 3}, {500, 40, 0}} {
			restore := photo.SetBandPixels(c.band)
			p, err := photo.Decode(name, data, photo.Limits{Pixels: c.limit})
			restore()
			if err != nil {
				t.Errorf("%s in bands of %d: %v", name, c.band, err)
				continue
			}
			if c.k != 0 && p.Reduction != c.k || p.Picture.Rect.Dx()*p.Picture.Rect.Dy() > c.limit || p.Size != whole.Size {
				t.Errorf("%s: 1/%d of %v is %v for a limit of %d", name, p.Reduction, p.Size, p.Picture.Rect.Size(), c.limit)
			}
			want := meanOf(whole.Picture, p.Reduction)
			if p.Orientation == 1 && !bytes.Equal(want.Pix, p.Picture.Pix) {
				t.Errorf("%s in bands of %d at 1/%d: not the average", name, c.band, p.Reduction)
			}
			if err := p.Encode(&bytes.Buffer{}, p.Picture); !errors.Is(err, photo.ErrReduced) {
				t.Errorf("%s was written at 1/%d: %v", name, p.Reduction, err)
			}
			if n := len(p.Notes); n != len(whole.Notes)+1 || !strings.Contains(p.Notes[n-1], "edits cannot be put back") {
				t.Errorf("%s: notes %q", name, p.Notes)
			}
			// A file that ends early is one sentence, too.
			restore = photo.SetBandPixels(c.band)
			if _, err := photo.Decode(name, data[:len(data)*2/3], photo.Limits{Pixels: c.limit}); err == nil && name != "profile.tif" { // whose profile comes last
				t.Errorf("two thirds of %s gave no error", name)
			}
			restore()
		}
	}
}

// A kind of file whose decoder needs the whole picture is refused when that takes too
// much memory.
func TestReducedMemory(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, noisy(200, 100, 4), nil); err != nil {
		t.Fatal(err)
	}
	l := photo.Limits{Pixels: 5000, Memory: 60_000}
	if _, err := photo.Decode("x.jpg", b.Bytes(), l); err != nil {
		t.Errorf("20000 pixels of 1.5 bytes and 5000 of 4: %v", err)
	}
	l.Memory = 49_000
	if _, err := photo.Decode("x.jpg", b.Bytes(), l); !errors.Is(err, photo.ErrTooLarge) {
		t.Errorf("within 49,000 bytes: %v", err)
	}
	l = photo.Limits{Pixels: 5000, Reducible: 19_999}
	if _, err := photo.Decode("x.jpg", b.Bytes(), l); !errors.Is(err, photo.ErrTooLarge) {
		t.Errorf("beyond what is reduced: %v", err)
	}
}

// The picture of the tests with 200 megapixels: rows of squares of 16 pixels.
const (
	largeWidth  = 16320
	largeHeight = 12240
)

func largeAt(x, y int) color.RGBA {
	return color.RGBA{uint8(x / 16), uint8(y / 16 * 5), uint8(x/16 + y/16), 255}
}

// largeJPEG encodes a few rows of blocks and repeats them between restart markers.
func largeJPEG(t testing.TB, w, h int) []byte {
	t.Helper()
	var out []byte
	var scans [][]byte
	for k := range 51 { // the pattern's period: 5·51 ≡ −1 is as good as any
		strip := image.NewYCbCr(image.Rect(0, 0, w, 16), image.YCbCrSubsampleRatio420)
		for y := range 16 {
			for x := range w {
				c := largeAt(x, 16*k)
				yy, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
				strip.Y[strip.YOffset(x, y)], strip.Cb[strip.COffset(x, y)], strip.Cr[strip.COffset(x, y)] = yy, cb, cr
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, strip, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		sof, sos := bytes.Index(data, []byte{0xff, 0xc0}), bytes.Index(data, []byte{0xff, 0xda})
		if k == 0 {
			binary.BigEndian.PutUint16(data[sof+5:], uint16(h))
			out = append(out, data[:sos]...)
			out = append(out, 0xff, 0xdd, 0, 4)
			out = binary.BigEndian.AppendUint16(out, uint16((w+15)/16))
			out = append(out, data[sos:sos+2+int(binary.BigEndian.Uint16(data[sos+2:]))]...)
		}
		sos += 2 + int(binary.BigEndian.Uint16(data[sos+2:]))
		scans = append(scans, data[sos:len(data)-2])
	}
	for k := range (h + 15) / 16 {
		if k > 0 {
			out = append(out, 0xff, 0xd0+byte((k-1)%8))
		}
		out = append(out, scans[k%len(scans)]...)
	}
	return append(out, 0xff, 0xd9)
}

// largePNG writes a PNG row by row.
func largePNG(t testing.TB, w, h int) []byte {
	t.Helper()
	var z bytes.Buffer
	zw, err := zlib.NewWriterLevel(&z, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	row, same := make([]byte, 1+3*w), make([]byte, 1+3*w)
	same[0] = 2 // as above
	for y := range h {
		line := same
		if y%16 == 0 {
			line = row
			for x := range w {
				c := largeAt(x, y/16%51*16)
				row[1+3*x], row[2+3*x], row[3+3*x] = c.R, c.G, c.B
			}
		}
		if _, err := zw.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	out := head(uint32(w), uint32(h))
	for _, c := range []struct {
		kind string
		body []byte
	}{{"IDAT", z.Bytes()}, {"IEND", nil}} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(c.body)))
		out = append(append(out, c.kind...), c.body...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[len(out)-len(c.body)-4:]))
	}
	return out
}

// peak is the most memory that objects took while f ran, beyond what there was.
func peak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() int64 {
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	debug.FreeOSMemory()
	before, most := read(), int64(0)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, read())
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return most - before
}

// Real files of 200 megapixels are opened at half their size, in little memory.
func TestLarge(t *testing.T) {
	w, h, l := largeWidth, largeHeight, photo.Limits{}
	if raced { // the race detector makes decoding ten times as slow
		w, h, l = 1632, 1232, photo.Limits{Pixels: 640_000}
	}
	for _, c := range []struct {
		name      string
		data      []byte
		tolerance int
		bytes     float64 // a pixel of the file
	}{
		// A quarter of the pixels at four bytes; a JPEG's samples beside them.
		{"large.jpg", largeJPEG(t, w, h), 6, 1.5 + 1},
		{"large.png", largePNG(t, w, h), 0, 1},
	} {
		var p *photo.Photo
		var err error
		begun := time.Now()
		took := peak(func() { p, err = photo.Decode(c.name, c.data, l) })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		t.Logf("%s: %d MB in the file, %d MB of memory, %.1f s; %q", c.name, len(c.data)>>20, took>>20, time.Since(begun).Seconds(), p.Notes)
		if p.Reduction != 2 || p.Size != image.Pt(w, h) || p.Picture.Rect.Size() != image.Pt(w/2, h/2) {
			t.Errorf("%s: 1/%d of %v is %v", c.name, p.Reduction, p.Size, p.Picture.Rect.Size())
			continue
		}
		if limit := int64(1.2*c.bytes*float64(w)*float64(h)) + 64<<20; took > limit {
			t.Errorf("%s: %d MB of memory, want at most %d", c.name, took>>20, limit>>20)
		}
		for _, at := range []image.Point{{3, 3}, {w/2 - 3, 5}, {4, h/2 - 4}, {w/4 + 4, h/4 + 4}} {
			want := largeAt(2*at.X, 2*at.Y/16%51*16)
			if got := p.Picture.RGBAAt(at.X, at.Y); !near(got, want, c.tolerance) {
				t.Errorf("%s: pixel %v is %v, want %v", c.name, at, got, want)
			}
		}
	}
}
