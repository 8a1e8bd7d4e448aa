package inversion

import (
	"fmt"
	"image"
)

// MeanDifference is the mean absolute difference of two pictures of one size over
// pixels and RGB, in levels of 255.
func MeanDifference(a, b *image.RGBA) float64 {
	w, h := a.Rect.Dx(), a.Rect.Dy()
	sum := 0
	for y := range h {
		p, q := a.Pix[y*a.Stride:][:4*w], b.Pix[y*b.Stride:][:4*w]
		for i := 0; i < 4*w; i += 4 {
			for c := i; c < i+3; c++ {
				sum += max(int(p[c]), int(q[c])) - min(int(p[c]), int(q[c]))
			}
		}
	}
	return float64(sum) / float64(max(1, 3*w*h))
}

// DifferencePicture shows where two pictures of one size differ: black where they are
// equal, through blue, magenta and orange to white where the largest difference of a
// channel is 64 levels or more.
func DifferencePicture(a, b *image.RGBA) *image.RGBA {
	stops := [5][3]int{{0, 0, 0}, {40, 30, 140}, {190, 40, 120}, {250, 150, 40}, {255, 255, 255}}
	w, h := a.Rect.Dx(), a.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		p, q, to := a.Pix[y*a.Stride:][:4*w], b.Pix[y*b.Stride:][:4*w], out.Pix[y*out.Stride:][:4*w]
		for i := 0; i < 4*w; i += 4 {
			d := 0
			for c := i; c < i+3; c++ {
				d = max(d, max(int(p[c]), int(q[c]))-min(int(p[c]), int(q[c])))
			}
			d = min(d, 63)
			k, f := d/16, d%16
			for c := range 3 {
				to[i+c] = uint8((stops[k][c]*(16-f) + stops[k+1][c]*f) / 16)
			}
			if d == 63 {
				to[i], to[i+1], to[i+2] = 255, 255, 255
			}
			to[i+3] = 255
		}
	}
	return out
}

// Leftover is what the model could not say of a photo: photo − reconstruction, pixel
// by pixel. Added back outside the region of an edit, it makes what was not edited the
// photo again.
type Leftover struct {
	size image.Point
	rgb  []int16
}

// NewLeftover returns photo − reconstruction; the two have one size.
func NewLeftover(photo, reconstruction *image.RGBA) (*Leftover, error) {
	size := photo.Rect.Size()
	if reconstruction.Rect.Size() != size {
		return nil, fmt.Errorf("inversion: photo of %v and reconstruction of %v, want one size", size, reconstruction.Rect.Size())
	}
	l := &Leftover{size, make([]int16, 3*size.X*size.Y)}
	for y := range size.Y {
		p, q := photo.Pix[y*photo.Stride:], reconstruction.Pix[y*reconstruction.Stride:]
		for x := range size.X {
			for c := range 3 {
				l.rgb[3*(y*size.X+x)+c] = int16(p[4*x+c]) - int16(q[4*x+c])
			}
		}
	}
	return l, nil
}

// Add returns picture with the leftover added; where picture is the reconstruction the
// result is the photo exactly.
func (l *Leftover) Add(picture *image.RGBA) (*image.RGBA, error) {
	if picture.Rect.Size() != l.size {
		return nil, fmt.Errorf("inversion: the leftover is of %v, the picture of %v; want one size", l.size, picture.Rect.Size())
	}
	out := image.NewRGBA(image.Rectangle{Max: l.size})
	for y := range l.size.Y {
		from, to := picture.Pix[y*picture.Stride:], out.Pix[y*out.Stride:]
		for x := range l.size.X {
			for c := range 3 {
				to[4*x+c] = uint8(min(max(int(from[4*x+c])+int(l.rgb[3*(y*l.size.X+x)+c]), 0), 255))
			}
			to[4*x+3] = 255
		}
	}
	return out, nil
}
