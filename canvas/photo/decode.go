package photo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Format is a file format of pictures.
type Format string

// The formats.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
	TIFF Format = "tiff"
	BMP  Format = "bmp"
)

// Limits say what is refused before anything is allocated for it.
type Limits struct {
	// Pixels of a picture that is opened at its full size, 0 for [DefaultPixels].
	Pixels int
	// Reducible is the number of pixels up to which a picture is opened at a fraction of
	// its size, 0 for [DefaultReducible].
	Reducible int
	// Bytes of a file, 0 for [DefaultBytes].
	Bytes int64
	// Memory that decoding at a fraction may take, in bytes, 0 for [DefaultMemory].
	Memory int64
}

// The default limits. The largest cameras have 61 megapixels in a shot; a picture of
// that limit takes 256 MB, and at most three times as much while it is decoded. Phones
// and stitched shots have more, and are averaged down while they are read.
const (
	DefaultPixels    = 64_000_000
	DefaultReducible = 400_000_000
	DefaultBytes     = 512 << 20
	DefaultMemory    = 1 << 30
)

func (l Limits) filled() Limits {
	if l.Pixels == 0 {
		l.Pixels = DefaultPixels
	}
	if l.Reducible == 0 {
		l.Reducible = max(l.Pixels, DefaultReducible)
	}
	if l.Bytes == 0 {
		l.Bytes = DefaultBytes
	}
	if l.Memory == 0 {
		l.Memory = DefaultMemory
	}
	return l
}

var (
	// ErrTooLarge is wrapped by errors about pictures beyond the limits.
	ErrTooLarge = errors.New("picture is too large")
	// ErrFormat is wrapped by errors about files that are no picture in a known format.
	ErrFormat = errors.New("not a JPEG, PNG, WebP, TIFF or BMP picture")
)

// Photo is a decoded file.
type Photo struct {
	// Picture is upright and opaque; transparent pixels lie on white.
	Picture *image.RGBA
	// Format of the file and its EXIF orientation, 1 to 8, which Picture has been turned
	// by.
	Format      Format
	Orientation int
	// Reduction is how many times smaller than the file's picture Picture is, and Size
	// that of the file's picture, upright. Where Reduction is more than 1, edits cannot be
	// put back: the error is [ErrReduced].
	Reduction int
	Size      image.Point
	// Notes are sentences about what the file had and Picture has not.
	Notes []string

	meta metadata
	data []byte // the file
	rich bool   // it has transparency or 16 bits a channel
}

// DetectFormat tells the format by the first bytes of a file, or is empty.
func DetectFormat(data []byte) Format {
	for _, m := range []struct {
		format Format
		magic  string
	}{{JPEG, "\xff\xd8\xff"}, {PNG, "\x89PNG\r\n\x1a\n"}, {WebP, "RIFF????WEBP"}, {TIFF, "II*\x00"}, {TIFF, "MM\x00*"}, {BMP, "BM"}} {
		if len(data) < len(m.magic) {
			continue
		}
		equal := true
		for i, c := range []byte(m.magic) {
			equal = equal && (c == '?' || c == data[i])
		}
		if equal {
			return m.format
		}
	}
	return ""
}

// Read decodes what r holds. Name is used in errors.
func Read(name string, r io.Reader, l Limits) (*Photo, error) {
	data, err := io.ReadAll(io.LimitReader(r, l.filled().Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("photo: %s: %w", name, err)
	}
	return Decode(name, data, l)
}

// Decode decodes a file. Name is used in errors. Data must not change while the photo
// is in use.
func Decode(name string, data []byte, l Limits) (*Photo, error) {
	l = l.filled()
	if int64(len(data)) > l.Bytes {
		return nil, fmt.Errorf("photo: %s: the file has more than %d MB: %w", name, l.Bytes>>20, ErrTooLarge)
	}
	p := &Photo{Format: DetectFormat(data), Orientation: 1, Reduction: 1, data: data}
	coder, ok := coders[p.Format]
	if !ok {
		if kind := foreign(data); kind != "" {
			return nil, fmt.Errorf("photo: %s is %s, which cannot be opened; save it as JPEG or PNG: %w", name, kind, ErrFormat)
		}
		return nil, fmt.Errorf("photo: %s: %w", name, ErrFormat)
	}
	config, err := guarded(func() (image.Config, error) { return coder.config(bytes.NewReader(data)) })
	if err != nil {
		return nil, fmt.Errorf("photo: %s: %w", name, told(err))
	}
	switch {
	case config.Width <= 0 || config.Height <= 0:
		return nil, fmt.Errorf("photo: %s: the picture is %d×%d pixels", name, config.Width, config.Height)
	case config.Width > l.Reducible/config.Height:
		return nil, fmt.Errorf("photo: %s: the picture is %d×%d, %.1f megapixels; up to %.1f are opened, and edits can be put back into up to %.1f: make it smaller first: %w", name,
			config.Width, config.Height, megapixels(config.Width, config.Height), float64(l.Reducible)/1e6, float64(l.Pixels)/1e6, ErrTooLarge)
	}
	p.Reduction = reduction(config.Width, config.Height, l.Pixels)
	var picture *image.RGBA
	if p.Reduction > 1 {
		picture, err = guarded(func() (*image.RGBA, error) {
			img, notes, err := decodeReduced(data, p.Format, config, p.Reduction, l)
			p.Notes = notes
			return img, err
		})
	} else {
		picture, err = guarded(func() (*image.RGBA, error) {
			img, err := coder.decode(bytes.NewReader(data))
			if err != nil {
				return nil, err
			}
			if size := img.Bounds().Size(); size.X != config.Width || size.Y != config.Height {
				return nil, fmt.Errorf("the picture is %d×%d, its head says %d×%d", size.X, size.Y, config.Width, config.Height)
			}
			p.rich = rich(img)
			out, notes := opaque(img, nil)
			p.Notes = notes
			return out, nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("photo: %s: %w", name, told(err))
	}
	p.meta = readMetadata(p.Format, data)
	if o := p.meta.orientation(); o != 0 {
		p.Orientation = o
	}
	p.Picture = upright(picture, p.Orientation)
	p.Size = image.Pt(config.Width, config.Height)
	if p.Orientation > 4 {
		p.Size = image.Pt(config.Height, config.Width)
	}
	if p.Reduction > 1 {
		p.Notes = append(p.Notes, fmt.Sprintf("the photo has %.1f megapixels and is used at 1/%d of its size, %d×%d pixels; edits cannot be put back into photos of more than %.0f megapixels",
			megapixels(config.Width, config.Height), p.Reduction, p.Picture.Rect.Dx(), p.Picture.Rect.Dy(), float64(l.Pixels)/1e6))
	}
	return p, nil
}

func megapixels(w, h int) float64 { return float64(w) * float64(h) / 1e6 }

var coders = map[Format]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	JPEG: {jpeg.DecodeConfig, jpeg.Decode},
	PNG:  {png.DecodeConfig, png.Decode},
	WebP: {webp.DecodeConfig, webp.Decode},
	TIFF: {tiff.DecodeConfig, tiff.Decode},
	BMP:  {bmp.DecodeConfig, bmp.Decode},
}

// foreign names a known kind of picture that is not read, by the first bytes.
func foreign(data []byte) string {
	for _, m := range []struct {
		at          int
		magic, kind string
	}{
		{0, "GIF8", "a GIF"},
		{4, "ftypheic", "an HEIC photo"},
		{4, "ftypheix", "an HEIC photo"},
		{4, "ftypmif1", "an HEIF photo"},
		{4, "ftypavif", "an AVIF picture"},
		{0, "8BPS", "a Photoshop document"},
		{0, "\xff\x0a", "a JPEG XL picture"},
		{4, "JXL \r\n", "a JPEG XL picture"},
		{4, "jP  \r\n", "a JPEG 2000 picture"},
		{0, "%PDF", "a PDF"},
		{0, "gimp xcf", "a GIMP document"},
	} {
		if len(data) >= m.at+len(m.magic) && string(data[m.at:][:len(m.magic)]) == m.magic {
			return m.kind
		}
	}
	return ""
}

// told makes a sentence of what a decoder says.
func told(err error) error {
	var unknownTIFF tiff.UnsupportedError
	var unknownJPEG jpeg.UnsupportedError
	var unknownPNG png.UnsupportedError
	var brokenTIFF tiff.FormatError
	var brokenJPEG jpeg.FormatError
	var brokenPNG png.FormatError
	switch {
	case errors.As(err, &unknownTIFF):
		return fmt.Errorf("this kind of TIFF is not read; save it as RGB with 8 or 16 bits, uncompressed or with LZW or ZIP: %w", err)
	case errors.As(err, &unknownJPEG), errors.As(err, &unknownPNG), errors.Is(err, bmp.ErrUnsupported):
		return fmt.Errorf("this kind of picture is not read; save it as PNG: %w", err)
	case errors.As(err, &brokenTIFF), errors.As(err, &brokenJPEG), errors.As(err, &brokenPNG), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), strings.HasPrefix(err.Error(), "riff: "), strings.HasPrefix(err.Error(), "vp8"), strings.HasPrefix(err.Error(), "webp: "):
		return fmt.Errorf("the file is broken or cut off: %w", err)
	}
	return err
}

// guarded turns a panic of a decoder on a broken file into an error.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is broken: %v", r)
		}
	}()
	return f()
}

// opaque converts any picture to opaque RGBA, transparent pixels on white. The place of
// another picture that is not needed any more may be given for it, or nil.
func opaque(img image.Image, place *image.RGBA) (*image.RGBA, []string) {
	b := img.Bounds()
	out := &image.RGBA{Stride: 4 * b.Dx(), Rect: image.Rect(0, 0, b.Dx(), b.Dy())}
	if place != nil && cap(place.Pix) >= out.Stride*b.Dy() {
		out.Pix = place.Pix[:out.Stride*b.Dy()]
	} else {
		out.Pix = make([]uint8, out.Stride*b.Dy())
	}
	var notes []string
	clear := false
	switch i := img.(type) {
	case interface{ Opaque() bool }:
		clear = !i.Opaque()
	}
	switch img.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		notes = append(notes, "the file has 16 bits a channel; the model sees 8")
	case *image.CMYK:
		notes = append(notes, "the file has CMYK colours; they were converted to RGB without their profile")
	}
	if clear {
		notes = append(notes, "transparent pixels lie on white")
		draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(out, out.Rect, img, b.Min, draw.Over)
	} else {
		draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	}
	for i := 3; i < len(out.Pix); i += 4 {
		out.Pix[i] = 255
	}
	return out, notes
}
