package photo_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"latentbrush/canvas/photo"
)

// blockFiles are JPEG files of the kinds whose blocks are copied, and the side of what
// is compressed together.
func blockFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"progressive.jpg", "progressive444.jpg", "halved.jpg", "grey.jpg", "grey-progressive.jpg", "turned.jpg"} {
		files[name] = read(t, name)
	}
	for _, quality := range []int{75, 100} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, noisy(75, 50, 8), &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		files["plain"+string(rune('0'+quality/50))+".jpg"] = bytes.Clone(b.Bytes())
		for _, o := range []uint16{3, 5, 8} {
			files["plain"+string(rune('0'+quality/50))+"-"+string(rune('0'+o))+".jpg"] = withExif(b.Bytes(), o)
		}
	}
	files["restarts.jpg"] = largeJPEG(t, 144, 100)
	return files
}

// A JPEG photo that did not change is written with all its pixels, whatever its
// sampling and its order of coefficients; and its file does not grow.
func TestBlocksAreCopied(t *testing.T) {
	for name, data := range blockFiles(t) {
		p := decode(t, name, data)
		if !photo.Copies(p) || p.Preserves(photo.JPEG) != photo.Blocks || p.Preserves(photo.PNG) != photo.Exact {
			t.Errorf("%s: preserves %v", name, p.Preserves(photo.JPEG))
		}
		var b bytes.Buffer
		if err := p.Encode(&b, p.Picture); err != nil {
			t.Fatal(err)
		}
		q := decode(t, name, b.Bytes())
		if !bytes.Equal(p.Picture.Pix, q.Picture.Pix) || q.Orientation != p.Orientation {
			t.Errorf("%s: pixels changed", name)
		}
		if b.Len() > len(data)*21/20 && name != "grey-progressive.jpg" {
			t.Errorf("%s: %d bytes became %d", name, len(data), b.Len())
		}
		// Again and again: nothing is lost with the generations.
		var again bytes.Buffer
		if err := q.Encode(&again, q.Picture); err != nil || !bytes.Equal(again.Bytes(), b.Bytes()) {
			t.Errorf("%s: the second copy differs, error %v", name, err)
		}
	}
}

// An edit changes the blocks that it touches, and there as far as the file's own
// quality goes.
func TestBlocksOfAnEdit(t *testing.T) {
	for name, data := range blockFiles(t) {
		p := decode(t, name, data)
		grey := len(name) > 4 && name[:4] == "grey"
		edited := image.NewRGBA(p.Picture.Rect)
		copy(edited.Pix, p.Picture.Pix)
		w, h := p.Picture.Rect.Dx(), p.Picture.Rect.Dy()
		box := image.Rect(w/3, h/3, w/3+w/4, h/3+h/4)
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				c := p.Picture.RGBAAt(x, y)
				c.R = c.R/2 + 60
				if grey {
					c.G, c.B = c.R, c.R
				}
				edited.SetRGBA(x, y, c)
			}
		}
		var b bytes.Buffer
		if err := p.Encode(&b, edited); err != nil {
			t.Fatal(err)
		}
		q := decode(t, name, b.Bytes())
		// The file's grid lies at the stored picture's corner; upright that may be any.
		reach := box.Inset(-16)
		outside, sum, before := 0, 0.0, 0.0
		for y := range h {
			for x := range w {
				old, got, want := p.Picture.RGBAAt(x, y), q.Picture.RGBAAt(x, y), edited.RGBAAt(x, y)
				if !(image.Point{x, y}).In(reach) && got != old {
					outside++
				}
				if (image.Point{x, y}).In(box) {
					sum += math.Abs(float64(got.R) - float64(want.R))
					before += math.Abs(float64(old.R) - float64(want.R))
				}
			}
		}
		if outside > 0 {
			t.Errorf("%s: %d pixels changed beyond the blocks of the edit", name, outside)
		}
		if sum > before/3 {
			t.Errorf("%s: the edit is %.1f levels off, without it %.1f", name, sum/float64(box.Dx()*box.Dy()), before/float64(box.Dx()*box.Dy()))
		}
	}
}

// What has no blocks to copy, or an edit that they cannot say, is compressed anew.
func TestBlocksThatCannotSay(t *testing.T) {
	p := decode(t, "grey.jpg", read(t, "grey.jpg"))
	edited := image.NewRGBA(p.Picture.Rect)
	copy(edited.Pix, p.Picture.Pix)
	for y := range 16 {
		for x := range 16 {
			edited.SetRGBA(x, y, color.RGBA{200, 30, 30, 255})
		}
	}
	var b bytes.Buffer
	if err := p.Encode(&b, edited); err != nil {
		t.Fatal(err)
	}
	if got := decode(t, "x.jpg", b.Bytes()).Picture.RGBAAt(6, 6); !near(got, color.RGBA{200, 30, 30, 255}, 12) {
		t.Errorf("a red edit of a grey file is %v", got)
	}
	if p := decode(t, "cmyk.jpg", read(t, "cmyk.jpg")); p.Preserves(photo.JPEG) != photo.Recompressed {
		t.Errorf("CMYK preserves %v", p.Preserves(photo.JPEG))
	}
	if p := decode(t, "profile.png", read(t, "profile.png")); p.Preserves(photo.JPEG) != photo.Recompressed {
		t.Errorf("PNG as JPEG preserves %v", p.Preserves(photo.JPEG))
	}
}

// A photo of 12 megapixels with an edit of a tenth of it.
func BenchmarkEncodeBlocks(b *testing.B) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, noisy(4000, 3000, 3), &jpeg.Options{Quality: 92}); err != nil {
		b.Fatal(err)
	}
	p := decode(b, "x.jpg", file.Bytes())
	edited := image.NewRGBA(p.Picture.Rect)
	copy(edited.Pix, p.Picture.Pix)
	for y := 1000; y < 2000; y++ {
		for x := 4 * 1000; x < 4*2200; x += 4 {
			edited.Pix[y*edited.Stride+x] /= 2
		}
	}
	b.SetBytes(int64(len(edited.Pix)))
	for b.Loop() {
		var out bytes.Buffer
		if err := p.Encode(&out, edited); err != nil {
			b.Fatal(err)
		}
	}
}
