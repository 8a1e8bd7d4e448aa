// Package metrics measures pictures and label maps: how well an edit did what the
// mask asked, and what it changed that nobody asked for.
//
// An edit is judged twice. Inside its region of interest the labels of the new
// picture should be the painted ones: target IoU, pixel agreement and boundary F1.
// Outside nothing should have moved: the leak, in 8-bit levels, and PSNR. A mask
// score alone is not enough, because a latent can satisfy the segmentation head
// without changing the picture properly; so the scores are meant to be read together
// and, where possible, with a head that was not used in the loop.
//
// Regions are *image.Alpha of the picture's size; a pixel belongs to the region when
// its value is not zero. A nil region means every pixel.
package metrics

import (
	"image"
	"math"
)

func inside(region *image.Alpha, x, y int) bool {
	return region == nil || region.Pix[y*region.Stride+x] != 0
}

// Overlap counts one class in two label maps.
type Overlap struct {
	Intersection, Union int
}

// IoU is intersection over union, and NaN when the class is in neither map: an
// absent class has no score.
func (o Overlap) IoU() float64 {
	if o.Union == 0 {
		return math.NaN()
	}
	return float64(o.Intersection) / float64(o.Union)
}

// Overlaps counts, for every class id below n, the pixels that both maps give it and
// the pixels that at least one does, inside region.
func Overlaps(got, want *image.Paletted, region *image.Alpha, n int) []Overlap {
	counts := make([]Overlap, n)
	b := want.Rect
	for y := range b.Dy() {
		g, w := got.Pix[y*got.Stride:], want.Pix[y*want.Stride:]
		for x := range b.Dx() {
			if !inside(region, x, y) {
				continue
			}
			if g[x] == w[x] {
				if int(g[x]) < n {
					counts[g[x]].Intersection++
					counts[g[x]].Union++
				}
				continue
			}
			if int(g[x]) < n {
				counts[g[x]].Union++
			}
			if int(w[x]) < n {
				counts[w[x]].Union++
			}
		}
	}
	return counts
}

// MeanIoU is the mean over all n classes of the IoU of counts summed over a whole
// test set, a class absent from both sides counting 0 and not skipped: the
// definition of DatasetGAN's evaluation (Zhang et al., CVPR 2021).
func MeanIoU(counts []Overlap) float64 {
	if len(counts) == 0 {
		return 0
	}
	sum := 0.0
	for _, c := range counts {
		sum += float64(c.Intersection) / (1e-8 + float64(c.Union))
	}
	return sum / float64(len(counts))
}

// Agreement is the share of the region's pixels whose labels are equal, and 1 for an
// empty region.
func Agreement(got, want *image.Paletted, region *image.Alpha) float64 {
	same, all := 0, 0
	b := want.Rect
	for y := range b.Dy() {
		for x := range b.Dx() {
			if inside(region, x, y) {
				all++
				if got.Pix[y*got.Stride+x] == want.Pix[y*want.Stride+x] {
					same++
				}
			}
		}
	}
	if all == 0 {
		return 1
	}
	return float64(same) / float64(all)
}

// BoundaryF1 is the harmonic mean of precision and recall of a class's boundary
// pixels inside region, two boundary pixels matching within tolerance pixels
// (Chebyshev distance). A boundary pixel is one of the class with a 4-neighbour that
// is not. It is NaN when the class has a boundary in neither map.
func BoundaryF1(got, want *image.Paletted, region *image.Alpha, class uint8, tolerance int) float64 {
	a, na := boundary(got, region, class)
	b, nb := boundary(want, region, class)
	if na == 0 && nb == 0 {
		return math.NaN()
	}
	if na == 0 || nb == 0 {
		return 0
	}
	size := want.Rect.Size()
	precision := float64(matches(a, b, size, tolerance)) / float64(na)
	recall := float64(matches(b, a, size, tolerance)) / float64(nb)
	if precision+recall == 0 {
		return 0
	}
	return 2 * precision * recall / (precision + recall)
}

func boundary(m *image.Paletted, region *image.Alpha, class uint8) ([]bool, int) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := make([]bool, w*h)
	n := 0
	is := func(x, y int) bool {
		return x < 0 || y < 0 || x >= w || y >= h || m.Pix[y*m.Stride+x] == class
	}
	for y := range h {
		for x := range w {
			if m.Pix[y*m.Stride+x] != class || !inside(region, x, y) {
				continue
			}
			if !is(x-1, y) || !is(x+1, y) || !is(x, y-1) || !is(x, y+1) {
				out[y*w+x] = true
				n++
			}
		}
	}
	return out, n
}

func matches(from, to []bool, size image.Point, tolerance int) int {
	n := 0
	for i, set := range from {
		if !set {
			continue
		}
		x, y := i%size.X, i/size.X
	search:
		for v := max(0, y-tolerance); v <= min(size.Y-1, y+tolerance); v++ {
			for u := max(0, x-tolerance); u <= min(size.X-1, x+tolerance); u++ {
				if to[v*size.X+u] {
					n++
					break search
				}
			}
		}
	}
	return n
}

// Leak is what an edit changed outside its region.
type Leak struct {
	// Mean is the mean absolute difference over outside pixels and channels, in
	// 8-bit levels.
	Mean float64
	// PSNR of the outside pixels in dB, +Inf when nothing changed.
	PSNR float64
	// Share of outside pixels in which some channel differs by more than 8 levels.
	Share float64
}

// LeakOutside compares two pictures on the pixels outside region. With every pixel
// inside, nothing can leak and the result is zero change.
func LeakOutside(before, after *image.RGBA, region *image.Alpha) Leak {
	var abs, square, n, moved int64
	b := before.Rect
	for y := range b.Dy() {
		p, q := before.Pix[y*before.Stride:], after.Pix[y*after.Stride:]
		for x := range b.Dx() {
			if inside(region, x, y) {
				continue
			}
			n++
			largest := int64(0)
			for c := range 3 {
				d := int64(p[4*x+c]) - int64(q[4*x+c])
				if d < 0 {
					d = -d
				}
				abs += d
				square += d * d
				largest = max(largest, d)
			}
			if largest > 8 {
				moved++
			}
		}
	}
	if n == 0 {
		return Leak{PSNR: math.Inf(1)}
	}
	return Leak{
		Mean:  float64(abs) / float64(3*n),
		PSNR:  decibel(float64(square) / float64(3*n)),
		Share: float64(moved) / float64(n),
	}
}

// PSNR is 10·log₁₀(255²/MSE) over the RGB values of the region's pixels, +Inf for
// equal ones.
func PSNR(a, b *image.RGBA, region *image.Alpha) float64 {
	var square, n int64
	for y := range a.Rect.Dy() {
		p, q := a.Pix[y*a.Stride:], b.Pix[y*b.Stride:]
		for x := range a.Rect.Dx() {
			if !inside(region, x, y) {
				continue
			}
			n += 3
			for c := range 3 {
				d := int64(p[4*x+c]) - int64(q[4*x+c])
				square += d * d
			}
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return decibel(float64(square) / float64(n))
}

func decibel(mse float64) float64 {
	if mse == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(255*255/mse)
}

// Seam is the mean change of gradient magnitude (central differences of luma, 8-bit
// levels per pixel) on the ring between region and its dilation by three pixels. A
// composite with a visible edge scores high.
func Seam(before, after *image.RGBA, region *image.Alpha) float64 {
	w, h := before.Rect.Dx(), before.Rect.Dy()
	luma := func(m *image.RGBA, x, y int) float64 {
		x, y = min(max(x, 0), w-1), min(max(y, 0), h-1)
		p := m.Pix[y*m.Stride+4*x:]
		return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
	}
	slope := func(m *image.RGBA, x, y int) float64 {
		return math.Hypot(luma(m, x+1, y)-luma(m, x-1, y), luma(m, x, y+1)-luma(m, x, y-1)) / 2
	}
	sum, n := 0.0, 0
	for y := range h {
		for x := range w {
			if inside(region, x, y) {
				continue
			}
			near := false
			for v := max(0, y-3); v <= min(h-1, y+3) && !near; v++ {
				for u := max(0, x-3); u <= min(w-1, x+3); u++ {
					if region.Pix[v*region.Stride+u] != 0 {
						near = true
						break
					}
				}
			}
			if near {
				sum += math.Abs(slope(after, x, y) - slope(before, x, y))
				n++
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}
