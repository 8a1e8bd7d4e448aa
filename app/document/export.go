package document

import (
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
)

// decodePNG reads a PNG whose size is the space's, which is checked before the pixels are read.
func decodePNG(r io.ReadSeeker, space Space) (image.Image, error) {
	config, err := png.DecodeConfig(r)
	if err != nil {
		return nil, err
	}
	if config.Width != space.Width || config.Height != space.Height {
		return nil, fmt.Errorf("it is %d × %d pixels, %d × %d expected", config.Width, config.Height, space.Width, space.Height)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return png.Decode(r)
}

// ReadMask reads a label map from an indexed PNG, whose indices are the class ids. Classes are never guessed from
// colours: any other kind of picture is refused.
func ReadMask(r io.ReadSeeker, space Space) (*image.Paletted, error) {
	m, err := readMask(r, space)
	if err != nil {
		return nil, fmt.Errorf("document: not a mask: %w", err)
	}
	return m, nil
}

func readMask(r io.ReadSeeker, space Space) (*image.Paletted, error) {
	decoded, err := decodePNG(r, space)
	if err != nil {
		return nil, err
	}
	m, ok := decoded.(*image.Paletted)
	if !ok {
		return nil, errors.New("it is no indexed PNG, whose palette indices would be the classes")
	}
	for i, v := range m.Pix {
		if int(v) >= len(space.Classes) {
			return nil, fmt.Errorf("class %d at pixel (%d, %d), but the model has %d classes", v, i%m.Stride, i/m.Stride, len(space.Classes))
		}
	}
	m.Palette = space.Palette()
	return m, nil
}

// WriteMask writes a label map as an indexed PNG.
func WriteMask(w io.Writer, labels *image.Paletted) error {
	if err := png.Encode(w, labels); err != nil {
		return fmt.Errorf("document: the mask was not written: %w", err)
	}
	return nil
}

// SideBySide returns the pictures beside each other, gap pixels apart on black, aligned at the top.
func SideBySide(gap int, pictures ...image.Image) *image.RGBA {
	w, h := 0, 0
	for i, p := range pictures {
		if i > 0 {
			w += gap
		}
		w += p.Bounds().Dx()
		h = max(h, p.Bounds().Dy())
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Rect, image.Black, image.Point{}, draw.Src)
	x := 0
	for _, p := range pictures {
		b := p.Bounds()
		draw.Draw(out, image.Rect(x, 0, x+b.Dx(), b.Dy()), p, b.Min, draw.Over)
		x += b.Dx() + gap
	}
	return out
}
