package photo_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"latentbrush/canvas/photo"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t testing.TB, name string, data []byte) *photo.Photo {
	t.Helper()
	p, err := photo.Decode(name, data, photo.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pattern is what testdata/make.py draws.
func pattern(x, y int) color.RGBA {
	b := uint8(60)
	if x < 8 && y < 4 {
		b = 255
	}
	return color.RGBA{uint8(10 * x), uint8(15 * y), b, 255}
}

func near(a, b color.RGBA, tolerance int) bool {
	for _, d := range [3]int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
		if d > tolerance || d < -tolerance {
			return false
		}
	}
	return true
}

// Every format gives the same pixels, upright.
func TestDecodeFormats(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{"turned.jpg", "plain.webp", "cmyk.jpg", "profile.tif", "profile.png"} {
		files[name] = read(t, name)
	}
	rgba := image.NewRGBA(image.Rect(0, 0, 24, 16))
	deep := image.NewNRGBA64(rgba.Rect)
	for y := range 16 {
		for x := range 24 {
			c := pattern(x, y)
			rgba.SetRGBA(x, y, c)
			deep.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := bmp.Encode(&b, rgba); err != nil {
		t.Fatal(err)
	}
	files["plain.bmp"] = bytes.Clone(b.Bytes())
	b.Reset()
	if err := png.Encode(&b, deep); err != nil {
		t.Fatal(err)
	}
	files["deep.png"] = bytes.Clone(b.Bytes())
	b.Reset()
	if err := tiff.Encode(&b, deep, nil); err != nil {
		t.Fatal(err)
	}
	files["deep.tif"] = bytes.Clone(b.Bytes())

	for name, data := range files {
		p := decode(t, name, data)
		turned := strings.Contains(name, "turned") || strings.HasSuffix(name, "webp")
		tolerance := 0
		switch name {
		case "turned.jpg":
			tolerance = 6
		case "cmyk.jpg":
			tolerance = 12
		}
		size := image.Pt(24, 16)
		if turned {
			size = image.Pt(16, 24)
		}
		if p.Picture.Rect.Size() != size {
			t.Errorf("%s is %v, want %v", name, p.Picture.Rect.Size(), size)
			continue
		}
		wrong := 0
		for y := range 16 {
			for x := range 24 {
				got := p.Picture.RGBAAt(x, y)
				if turned { // 6: the stored picture is turned clockwise
					got = p.Picture.RGBAAt(15-y, x)
				}
				if !near(got, pattern(x, y), tolerance) || got.A != 255 {
					wrong++
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d pixels are wrong", name, wrong)
		}
		if told := len(p.Notes) > 0; told != (strings.HasPrefix(name, "deep") || name == "cmyk.jpg") {
			t.Errorf("%s: notes %q", name, p.Notes)
		}
	}
}

func TestAlphaAndGrey(t *testing.T) {
	see := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	see.SetNRGBA(0, 0, color.NRGBA{200, 0, 0, 255})
	see.SetNRGBA(1, 0, color.NRGBA{200, 0, 0, 0})
	see.SetNRGBA(2, 0, color.NRGBA{0, 0, 0, 128})
	grey := image.NewGray(image.Rect(0, 0, 1, 1))
	grey.Pix[0] = 77
	for _, c := range []struct {
		img   image.Image
		want  []color.RGBA
		notes int
	}{
		{see, []color.RGBA{{200, 0, 0, 255}, {255, 255, 255, 255}, {127, 127, 127, 255}}, 1},
		{grey, []color.RGBA{{77, 77, 77, 255}}, 0},
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, c.img); err != nil {
			t.Fatal(err)
		}
		p := decode(t, "x.png", b.Bytes())
		for i, want := range c.want {
			if got := p.Picture.RGBAAt(i, 0); !near(got, want, 1) || got.A != 255 {
				t.Errorf("pixel %d is %v, want %v", i, got, want)
			}
		}
		if len(p.Notes) != c.notes {
			t.Errorf("notes %q", p.Notes)
		}
	}
}

// head is a PNG that claims a size and has no pixels.
func head(w, h uint32) []byte {
	body := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	body = append(body, 8, 2, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
}

// Sizes are judged before anything is allocated for them.
func TestTooLarge(t *testing.T) {
	for _, size := range [][2]uint32{{20000, 10000}, {30000, 20000}, {1 << 30, 1 << 30}, {0x7fffffff, 2}} {
		data := head(size[0], size[1])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := photo.Decode("large.png", data, photo.Limits{})
		runtime.ReadMemStats(&after)
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; err == nil || allocated > 16 {
			t.Errorf("%v: error %v after %d MB", size, err, allocated)
		}
		if size[0] == 30000 && (!errors.Is(err, photo.ErrTooLarge) || !strings.Contains(err.Error(), "600.0 megapixels")) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := photo.Decode("x.png", head(100, 100), photo.Limits{Pixels: 9999, Reducible: 9999}); !errors.Is(err, photo.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	if _, err := photo.Read("x.png", bytes.NewReader(make([]byte, 100)), photo.Limits{Bytes: 99}); !errors.Is(err, photo.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	if _, err := photo.Decode("x.txt", []byte("hello"), photo.Limits{}); !errors.Is(err, photo.ErrFormat) {
		t.Errorf("error %v", err)
	}
	if _, err := photo.Decode("half.jpg", read(t, "turned.jpg")[:900], photo.Limits{}); err == nil {
		t.Error("a file that ends early gave no error")
	}
}

// What cannot be opened is one sentence that says what it is, or what to do.
func TestRefusals(t *testing.T) {
	var grey bytes.Buffer
	if err := tiff.Encode(&grey, image.NewGray(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	cmyk := bytes.Clone(grey.Bytes())
	at := bytes.Index(cmyk, []byte{6, 1, 3, 0}) // how the samples are to be seen
	cmyk[at+8] = 5
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a.gif":     {[]byte("GIF89a\x01\x00\x01\x00"), "a.gif is a GIF, which cannot be opened; save it as JPEG or PNG"},
		"b.heic":    {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1"), "b.heic is an HEIC photo"},
		"c.psd":     {[]byte("8BPS\x00\x01"), "c.psd is a Photoshop document"},
		"d.png":     {nil, "not a JPEG, PNG, WebP, TIFF or BMP picture"},
		"cmyk.tif":  {cmyk, "save it as RGB with 8 or 16 bits"},
		"half.jpg":  {read(t, "turned.jpg")[:900], "the file is broken or cut off"},
		"half.png":  {read(t, "profile.png")[:400], "the file is broken or cut off"},
		"half.webp": {read(t, "plain.webp")[:300], "the file is broken or cut off"},
		"half.tif":  {grey.Bytes()[:20], "the file is broken or cut off"},
	} {
		_, err := photo.Decode(name, c.data, photo.Limits{})
		if err == nil || !strings.HasPrefix(err.Error(), "photo: "+name) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// exif is an EXIF structure with an orientation.
func exif(o uint16) []byte {
	b := append([]byte("MM\x00*\x00\x00\x00\x08\x00\x01"), 0x01, 0x12, 0, 3, 0, 0, 0, 1)
	return append(binary.BigEndian.AppendUint16(b, o), 0, 0, 0, 0, 0, 0)
}

// withExif puts it into a JPEG file.
func withExif(jpg []byte, o uint16) []byte {
	body := append([]byte("Exif\x00\x00"), exif(o)...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))...)
	return append(append(out, body...), jpg[2:]...)
}

// All eight orientations give one upright picture, and what is written back has the
// same orientation and the same upright picture.
func TestOrientations(t *testing.T) {
	upright := image.NewRGBA(image.Rect(0, 0, 40, 24))
	for y := range 24 {
		for x := range 40 {
			upright.SetRGBA(x, y, color.RGBA{uint8(6 * x), uint8(10 * y), 90, 255})
		}
	}
	for o := 1; o <= 8; o++ {
		w, h := 40, 24
		if o > 4 {
			w, h = h, w
		}
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range 24 {
			for x := range 40 {
				// Where the upright pixel is stored, by the EXIF specification's table of what
				// the 0th row and column are.
				var sx, sy int
				switch o {
				case 1:
					sx, sy = x, y
				case 2: // row top, column right
					sx, sy = 39-x, y
				case 3: // bottom, right
					sx, sy = 39-x, 23-y
				case 4: // bottom, left
					sx, sy = x, 23-y
				case 5: // row left, column top
					sx, sy = y, x
				case 6: // row right, column top: stored row j is the upright column 39−j
					sx, sy = y, 39-x
				case 7: // row right, column bottom
					sx, sy = 23-y, 39-x
				case 8: // row left, column bottom
					sx, sy = 23-y, x
				}
				img.SetRGBA(sx, sy, upright.RGBAAt(x, y))
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
			t.Fatal(err)
		}
		p := decode(t, "o.jpg", withExif(b.Bytes(), uint16(o)))
		again := func(p *photo.Photo, what string) {
			if p.Orientation != o || p.Picture.Rect != upright.Rect {
				t.Fatalf("orientation %d %s: got %d, size %v", o, what, p.Orientation, p.Picture.Rect)
			}
			for _, at := range []image.Point{{1, 1}, {38, 1}, {1, 22}, {38, 22}, {20, 7}} {
				if got := p.Picture.RGBAAt(at.X, at.Y); !near(got, upright.RGBAAt(at.X, at.Y), 8) {
					t.Errorf("orientation %d %s: pixel %v is %v, want %v", o, what, at, got, upright.RGBAAt(at.X, at.Y))
				}
			}
		}
		again(p, "decoded")
		b.Reset()
		if err := p.Encode(&b, p.Picture); err != nil {
			t.Fatal(err)
		}
		again(decode(t, "again.jpg", b.Bytes()), "written")
	}
}

// Format, orientation and profile come back; lossless formats keep every pixel.
func TestEncodeKeeps(t *testing.T) {
	for name, want := range map[string]photo.Format{
		"turned.jpg": photo.JPEG, "plain.webp": photo.PNG, "profile.tif": photo.TIFF, "profile.png": photo.PNG, "cmyk.jpg": photo.JPEG,
	} {
		p := decode(t, name, read(t, name))
		var b bytes.Buffer
		if err := p.Encode(&b, p.Picture); err != nil {
			t.Fatal(err)
		}
		q := decode(t, name, b.Bytes())
		orientation := p.Orientation
		if want != p.Format { // another format is written upright
			orientation = 1
		}
		if q.Format != want || q.Orientation != orientation {
			t.Errorf("%s: format %s and orientation %d, want %s and %d", name, q.Format, q.Orientation, want, orientation)
		}
		if want != photo.JPEG && !bytes.Equal(p.Picture.Pix, q.Picture.Pix) {
			t.Errorf("%s: pixels changed", name)
		}
		if profile := photo.Profile(q); (len(profile) > 100) != (name != "cmyk.jpg") || !bytes.Equal(profile, photo.Profile(p)) {
			t.Errorf("%s: profile of %d bytes, was %d", name, len(profile), len(photo.Profile(p)))
		}
		if strings.HasPrefix(name, "turned") && !bytes.Contains(b.Bytes(), []byte("Latentbrush")) {
			t.Errorf("%s: the camera's name is lost", name)
		}
	}
	p := decode(t, "profile.png", read(t, "profile.png"))
	if err := p.Encode(&bytes.Buffer{}, image.NewRGBA(image.Rect(0, 0, 2, 2))); err == nil {
		t.Error("a picture of another size was written")
	}
}

// Another format has the same upright pixels, the profile and the camera's name.
func TestEncodeAs(t *testing.T) {
	for _, name := range []string{"turned.jpg", "plain.webp", "profile.tif", "profile.png"} {
		p := decode(t, name, read(t, name))
		for _, f := range []photo.Format{photo.JPEG, photo.PNG, photo.TIFF, photo.BMP} {
			var b bytes.Buffer
			if err := p.EncodeAs(&b, p.Picture, f); err != nil {
				t.Fatalf("%s as %s: %v", name, f, err)
			}
			q := decode(t, name, b.Bytes())
			if q.Format != f || q.Picture.Rect != p.Picture.Rect {
				t.Fatalf("%s as %s: got %s of %v", name, f, q.Format, q.Picture.Rect)
			}
			if f != photo.JPEG && !bytes.Equal(p.Picture.Pix, q.Picture.Pix) {
				t.Errorf("%s as %s: pixels changed", name, f)
			}
			if f != p.Format && q.Orientation != 1 {
				t.Errorf("%s as %s: orientation %d", name, f, q.Orientation)
			}
			if f != photo.BMP && !bytes.Equal(photo.Profile(q), photo.Profile(p)) {
				t.Errorf("%s as %s: profile of %d bytes, was %d", name, f, len(photo.Profile(q)), len(photo.Profile(p)))
			}
			if name == "turned.jpg" && f == photo.PNG && !bytes.Contains(b.Bytes(), []byte("Latentbrush")) {
				t.Errorf("%s as %s: the camera's name is lost", name, f)
			}
		}
		if err := p.EncodeAs(&bytes.Buffer{}, p.Picture, photo.WebP); err == nil {
			t.Error("WebP was written")
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"turned.jpg", "plain.webp", "cmyk.jpg", "profile.tif", "profile.png", "progressive.jpg", "progressive444.jpg", "halved.jpg", "grey.jpg", "grey-progressive.jpg"} {
		f.Add(read(f, name))
	}
	f.Add(head(3, 3))
	f.Add(exif(3))
	for _, img := range kinds(130, 120) {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add(tiles(f, noisy(150, 100, 1), 16, 16, 8, true, binary.BigEndian))
	f.Add(tiles(f, noisy(150, 100, 1), 0, 9, 16, false, binary.LittleEndian))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := photo.Decode("x", data, photo.Limits{Pixels: 10000, Reducible: 100_000, Bytes: 1 << 20})
		if err != nil {
			return
		}
		if p.Picture.Rect.Empty() || p.Orientation < 1 || p.Orientation > 8 {
			t.Errorf("picture %v, orientation %d", p.Picture.Rect, p.Orientation)
		}
		if p.Reduction > 1 {
			if p.Picture.Rect.Dx()*p.Picture.Rect.Dy() > 10000 {
				t.Errorf("1/%d of %v is %v", p.Reduction, p.Size, p.Picture.Rect)
			}
			return
		}
		var b bytes.Buffer
		if err := p.Encode(&b, p.Picture); err != nil {
			t.Fatal(err)
		}
		q, err := photo.Decode("again", b.Bytes(), photo.Limits{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if (p.Format != photo.JPEG || photo.Copies(p)) && !bytes.Equal(p.Picture.Pix, q.Picture.Pix) {
			t.Errorf("pixels of the %s changed", p.Format)
		}
	})
}

func ExampleDecode() {
	data, err := os.ReadFile("testdata/turned.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := photo.Decode("turned.jpg", data, photo.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Format, p.Picture.Rect.Dx(), p.Picture.Rect.Dy(), p.Orientation)
	// Output: jpeg 16 24 6
}
