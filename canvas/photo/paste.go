package photo

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// PasteOptions say how an edit goes back into its photo.
type PasteOptions struct {
	// Replace puts the edited picture itself into the region, in place of adding its
	// change to the photo. The change keeps the photo's detail; the picture itself is
	// better where the reconstruction was far from the photo, and is softer.
	Replace bool
}

// maxCells bounds the memory of blending: 25 bytes a cell of the membrane's grid and a
// third more. Boxes that are larger get a coarser grid.
const maxCells = 24 << 20

// Paste puts an edit into a photo at full size. Crop is where before and after, the
// pictures of the model's size without and with the edit, lie in the photo; region, of
// the same size, is what the edit may change.
//
// Inside the enlarged region the result has the gradients of the photo plus those of
// the enlarged change, or those of the enlarged edited picture, and at the region's
// border it meets the photo. All other pixels are the photo's, byte for byte. The
// rectangle holds the pixels that may differ.
func Paste(photo *image.RGBA, crop Crop, before, after *image.RGBA, region *image.Alpha, o PasteOptions) (*image.RGBA, image.Rectangle, error) {
	w, h := before.Rect.Dx(), before.Rect.Dy()
	if err := crop.check(photo, w, h); err != nil {
		return nil, image.Rectangle{}, err
	}
	if after.Rect.Size() != before.Rect.Size() || region.Rect.Size() != before.Rect.Size() {
		return nil, image.Rectangle{}, fmt.Errorf("photo: pictures of %v and %v and a region of %v, want one size", before.Rect.Size(), after.Rect.Size(), region.Rect.Size())
	}
	out := image.NewRGBA(photo.Rect)
	copy(out.Pix, photo.Pix)
	used := regionBounds(region)
	if used.Empty() {
		return out, image.Rectangle{}, nil
	}
	a := crop.Align(w, h)
	inv, ok := inverse(a)
	if !ok {
		return nil, image.Rectangle{}, errors.New("photo: the box has no area")
	}
	// The region's box in the photo, with a pixel of border for the given values.
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range [4]image.Point{used.Min, used.Max, {X: used.Min.X, Y: used.Max.Y}, {X: used.Max.X, Y: used.Min.Y}} {
		x, y := a[0]*float64(p.X)+a[1]*float64(p.Y)+a[2], a[3]*float64(p.X)+a[4]*float64(p.Y)+a[5]
		x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
	}
	box := image.Rect(int(math.Floor(x0))-1, int(math.Floor(y0))-1, int(math.Ceil(x1))+1, int(math.Ceil(y1))+1).Intersect(photo.Rect)
	if box.Empty() {
		return out, image.Rectangle{}, nil
	}
	p := paster{photo: photo, out: out, before: before, after: after, region: region, inv: inv, box: box, replace: o.Replace}
	// The change has no detail finer than the model's pixels, so nor has its membrane.
	p.k = 1
	if !o.Replace {
		p.k = max(1, int(crop.Width/float64(w)/3))
	}
	for box.Dx()/p.k*(box.Dy()/p.k) > maxCells {
		p.k++
	}
	p.blend()
	return out, box, nil
}

type paster struct {
	photo, out, before, after *image.RGBA
	region                    *image.Alpha
	inv                       [6]float64
	box                       image.Rectangle
	replace                   bool
	k                         int // pixels on the side of a cell of the membrane
}

func inverse(a [6]float64) ([6]float64, bool) {
	det := a[0]*a[4] - a[1]*a[3]
	if det == 0 || math.IsNaN(det) || math.IsInf(1/det, 0) {
		return a, false
	}
	b := [6]float64{a[4] / det, -a[1] / det, 0, -a[3] / det, a[0] / det, 0}
	b[2] = -(b[0]*a[2] + b[1]*a[5])
	b[5] = -(b[3]*a[2] + b[4]*a[5])
	return b, true
}

func regionBounds(region *image.Alpha) image.Rectangle {
	var out image.Rectangle
	for y := range region.Rect.Dy() {
		for x := range region.Rect.Dx() {
			if region.Pix[y*region.Stride+x] != 0 {
				out = out.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return out
}

// sample is where a pixel of the photo lies between four pixels of the model's
// picture, which repeats its edge.
type sample struct {
	at     [4]int // y·w + x
	weight [4]float32
	inside bool // the picture
}

func (p *paster) at(x, y float64) sample {
	w, h := p.before.Rect.Dx(), p.before.Rect.Dy()
	u, v := p.inv[0]*x+p.inv[1]*y+p.inv[2], p.inv[3]*x+p.inv[4]*y+p.inv[5]
	s := sample{inside: u >= 0 && v >= 0 && u <= float64(w) && v <= float64(h)}
	fx, fy := math.Floor(u-0.5), math.Floor(v-0.5)
	tx, ty := float32(u-0.5-fx), float32(v-0.5-fy)
	xa, xb := min(max(int(fx), 0), w-1), min(max(int(fx)+1, 0), w-1)
	ya, yb := min(max(int(fy), 0), h-1), min(max(int(fy)+1, 0), h-1)
	s.at = [4]int{ya*w + xa, ya*w + xb, yb*w + xa, yb*w + xb}
	s.weight = [4]float32{(1 - tx) * (1 - ty), tx * (1 - ty), (1 - tx) * ty, tx * ty}
	return s
}

// free reports whether a pixel of the photo may change: more than half of the region
// covers it.
func (p *paster) free(s sample) bool {
	if !s.inside {
		return false
	}
	w := p.region.Rect.Dx()
	sum := float32(0)
	for i, k := range s.at {
		if p.region.Pix[k/w*p.region.Stride+k%w] != 0 {
			sum += s.weight[i]
		}
	}
	return sum > 0.5
}

// offset is what is to be added to a pixel of the photo before the membrane: the
// enlarged change, or the difference to the enlarged edited picture.
func (p *paster) offset(s sample, x, y int) (d [3]float32) {
	w := p.after.Rect.Dx()
	for i, k := range s.at {
		q := k / w
		a, b := p.after.Pix[q*p.after.Stride+4*(k%w):], p.before.Pix[q*p.before.Stride+4*(k%w):]
		for c := range d {
			if p.replace {
				d[c] += s.weight[i] * float32(a[c])
			} else {
				d[c] += s.weight[i] * (float32(a[c]) - float32(b[c]))
			}
		}
	}
	if p.replace {
		from := p.photo.Pix[y*p.photo.Stride+4*x:]
		for c := range d {
			d[c] -= float32(from[c])
		}
	}
	return d
}

// seen is the change of a level below which the membrane counts as solved.
const seen = 0.05

// blend adds to each free pixel its offset and a membrane that cancels the offset at
// the region's border.
func (p *paster) blend() {
	k := p.k
	w, h := (p.box.Dx()+k-1)/k, (p.box.Dy()+k-1)/k
	free, v := make([]bool, w*h), make([]float32, 3*w*h)
	rows(h, w, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			for x := range w {
				px, py := p.box.Min.X+min(x*k+k/2, p.box.Dx()-1), p.box.Min.Y+min(y*k+k/2, p.box.Dy()-1)
				s := p.at(float64(px)+0.5, float64(py)+0.5)
				if free[y*w+x] = p.free(s); free[y*w+x] {
					continue
				}
				for c, d := range p.offset(s, px, py) {
					v[3*(y*w+x)+c] = -d
				}
			}
		}
	})
	if !borders(free, w, h) {
		clear(v) // the region is the whole photo: nothing to meet
	} else {
		newMembrane(w, h, free, v).solve(seen, 12)
	}
	rows(p.box.Dy(), p.box.Dx(), func(y0, y1 int) {
		for y := p.box.Min.Y + y0; y < p.box.Min.Y+y1; y++ {
			for x := p.box.Min.X; x < p.box.Max.X; x++ {
				cell := (y-p.box.Min.Y)/k*w + (x-p.box.Min.X)/k
				if k == 1 && !free[cell] {
					continue
				}
				s := p.at(float64(x)+0.5, float64(y)+0.5)
				if !p.free(s) {
					continue
				}
				var m [3]float32
				if k == 1 {
					m = [3]float32(v[3*cell:])
				} else {
					m = p.membraneAt(v, w, h, x-p.box.Min.X, y-p.box.Min.Y)
				}
				d := p.offset(s, x, y)
				to := p.out.Pix[y*p.out.Stride+4*x:]
				for c := range 3 {
					to[c] = uint8(min(max(float32(to[c])+d[c]+m[c]+0.5, 0), 255))
				}
			}
		}
	})
}

// membraneAt reads a membrane of larger cells between its cells.
func (p *paster) membraneAt(v []float32, w, h, x, y int) (out [3]float32) {
	fx, fy := (float64(x)+0.5)/float64(p.k)-0.5, (float64(y)+0.5)/float64(p.k)-0.5
	bx, by := math.Floor(fx), math.Floor(fy)
	tx, ty := float32(fx-bx), float32(fy-by)
	xa, xb := min(max(int(bx), 0), w-1), min(max(int(bx)+1, 0), w-1)
	ya, yb := min(max(int(by), 0), h-1), min(max(int(by)+1, 0), h-1)
	for c := range out {
		out[c] = (v[3*(ya*w+xa)+c]*(1-tx)+v[3*(ya*w+xb)+c]*tx)*(1-ty) + (v[3*(yb*w+xa)+c]*(1-tx)+v[3*(yb*w+xb)+c]*tx)*ty
	}
	return out
}

// borders reports whether any cell is given.
func borders(free []bool, w, h int) bool {
	for i := range w * h {
		if !free[i] {
			return true
		}
	}
	return false
}
