package engine

import (
	"image"

	"golang.org/x/image/draw"
)

// halfMask is a mask of half the size: set where any of four pixels is. Nil stays nil.
func halfMask(m *image.Alpha) *image.Alpha {
	if m == nil {
		return nil
	}
	w, h := m.Rect.Dx()/2, m.Rect.Dy()/2
	out := image.NewAlpha(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			i := 2*y*m.Stride + 2*x
			if m.Pix[i]|m.Pix[i+1]|m.Pix[i+m.Stride]|m.Pix[i+m.Stride+1] != 0 {
				out.Pix[y*out.Stride+x] = 255
			}
		}
	}
	return out
}

// halfLabels is a label map of half the size: the label that most of four pixels have.
func halfLabels(m *image.Paletted) *image.Paletted {
	w, h := m.Rect.Dx()/2, m.Rect.Dy()/2
	out := image.NewPaletted(image.Rect(0, 0, w, h), m.Palette)
	for y := range h {
		for x := range w {
			i := 2*y*m.Stride + 2*x
			a, b, c, d := m.Pix[i], m.Pix[i+1], m.Pix[i+m.Stride], m.Pix[i+m.Stride+1]
			best := a
			if a != b && a != c && a != d && (b == c || b == d) {
				best = b
			} else if a != b && a != c && a != d && c == d {
				best = c
			}
			out.Pix[y*out.Stride+x] = best
		}
	}
	return out
}

// addEnlarged is base plus the enlarged difference of two pictures of half its size.
func addEnlarged(base, before, after *image.RGBA) *image.RGBA {
	small := image.NewRGBA(before.Rect)
	for i := range small.Pix {
		// Half the difference about a middle grey keeps its sign.
		small.Pix[i] = uint8((int(after.Pix[i]) - int(before.Pix[i]) + 256) / 2)
		if i&3 == 3 {
			small.Pix[i] = 255
		}
	}
	out := image.NewRGBA(image.Rectangle{Max: base.Rect.Size()})
	draw.BiLinear.Scale(out, out.Rect, small, small.Rect, draw.Src, nil)
	for y := range out.Rect.Dy() {
		from, to := base.Pix[y*base.Stride:], out.Pix[y*out.Stride:]
		for i := range 4 * out.Rect.Dx() {
			if i&3 == 3 {
				to[i] = 255
				continue
			}
			to[i] = uint8(min(max(int(from[i])+2*(int(to[i])-128), 0), 255))
		}
	}
	return out
}

// addDoubled is base with the labels of after where they differ from before, both of half
// its size.
func addDoubled(base, before, after *image.Paletted) *image.Paletted {
	out := image.NewPaletted(image.Rectangle{Max: base.Rect.Size()}, base.Palette)
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			i := y/2*after.Stride + x/2
			out.Pix[y*out.Stride+x] = base.Pix[y*base.Stride+x]
			if after.Pix[i] != before.Pix[i] {
				out.Pix[y*out.Stride+x] = after.Pix[i]
			}
		}
	}
	return out
}
