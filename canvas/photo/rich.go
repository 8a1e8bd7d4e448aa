package photo

import (
	"bytes"
	"errors"
	"image"
	"image/color"
)

// rich reports whether a decoded picture has more than a Photo's Picture: transparency,
// or 16 bits a channel.
func rich(img image.Image) bool {
	switch img.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		return true
	}
	o, ok := img.(interface{ Opaque() bool })
	return ok && !o.Opaque()
}

// enrich decodes the photo's file again and puts what changed from one stored picture to
// another into it, so that all other pixels keep their transparency and all their bits.
// Changed pixels keep their transparency, too: their colour becomes the one that looks
// like the edit on white, as far as there is one.
func (p *Photo) enrich(from, to *image.RGBA) (image.Image, error) {
	img, err := coders[p.Format].decode(bytes.NewReader(p.data))
	if err != nil {
		return nil, err
	}
	if img.Bounds() != from.Rect || to.Rect != from.Rect {
		return nil, errors.New("the file has another size now")
	}
	var read func(x, y int) color.NRGBA64
	var write func(x, y int, c color.NRGBA64)
	switch i := img.(type) {
	case *image.NRGBA64:
		read, write = i.NRGBA64At, i.SetNRGBA64
	case *image.RGBA64, *image.Gray16:
		deep := image.NewNRGBA64(from.Rect)
		for y := range from.Rect.Dy() {
			for x := range from.Rect.Dx() {
				deep.Set(x, y, img.At(x, y))
			}
		}
		img, read, write = deep, deep.NRGBA64At, deep.SetNRGBA64
	default:
		plain, ok := img.(*image.NRGBA)
		if !ok {
			plain = image.NewNRGBA(from.Rect)
			for y := range from.Rect.Dy() {
				for x := range from.Rect.Dx() {
					plain.Set(x, y, img.At(x, y))
				}
			}
		}
		img = plain
		read = func(x, y int) color.NRGBA64 {
			c := plain.NRGBAAt(x, y)
			return color.NRGBA64{R: uint16(c.R) * 257, G: uint16(c.G) * 257, B: uint16(c.B) * 257, A: uint16(c.A) * 257}
		}
		write = func(x, y int, c color.NRGBA64) {
			round := func(v uint16) uint8 { return uint8((uint32(v) + 128) / 257) }
			plain.SetNRGBA(x, y, color.NRGBA{R: round(c.R), G: round(c.G), B: round(c.B), A: round(c.A)})
		}
	}
	for y := range from.Rect.Dy() {
		a, b := from.Pix[y*from.Stride:][:4*from.Rect.Dx()], to.Pix[y*to.Stride:][:4*from.Rect.Dx()]
		if bytes.Equal(a, b) {
			continue
		}
		for x := range from.Rect.Dx() {
			o, n := a[4*x:][:3], b[4*x:][:3]
			c := read(x, y)
			if bytes.Equal(o, n) || c.A == 0 {
				continue
			}
			for k, v := range [3]*uint16{&c.R, &c.G, &c.B} {
				change := (int64(n[k]) - int64(o[k])) * 257 * 0xffff / int64(c.A)
				*v = uint16(min(max(int64(*v)+change, 0), 0xffff))
			}
			write(x, y, c)
		}
	}
	return img, nil
}
