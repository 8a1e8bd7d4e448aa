package photo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
)

// Crop is a turned box in a photo. Coordinates are continuous: pixel (i, j) covers the
// square from (i, j) to (i+1, j+1).
type Crop struct {
	// X and Y are the centre and Width the width of the box in pixels of the photo; its
	// height follows from the picture that is cut out.
	X, Y, Width float64
	// Angle turns the box about its centre, in radians, clockwise as seen.
	Angle float64
}

// Middle is the largest upright box of the aspect w:h in the middle of a photo.
func Middle(photo *image.RGBA, w, h int) Crop {
	pw, ph := float64(photo.Rect.Dx()), float64(photo.Rect.Dy())
	return Crop{X: pw / 2, Y: ph / 2, Width: min(pw, ph*float64(w)/float64(h))}
}

// Align maps points of the cut-out picture of w×h to points of the photo:
// x' = a·x + b·y + c, y' = d·x + e·y + f.
func (c Crop) Align(w, h int) [6]float64 {
	s := c.Width / float64(w)
	sin, cos := math.Sincos(c.Angle)
	x0, y0 := float64(w)/2, float64(h)/2
	return [6]float64{
		s * cos, -s * sin, c.X - s*(cos*x0-sin*y0),
		s * sin, s * cos, c.Y - s*(sin*x0+cos*y0),
	}
}

// AlignedCrop is the inverse of [Crop.Align].
func AlignedCrop(a [6]float64, w, h int) Crop {
	x0, y0 := float64(w)/2, float64(h)/2
	return Crop{
		X: a[0]*x0 + a[1]*y0 + a[2], Y: a[3]*x0 + a[4]*y0 + a[5],
		Width: math.Hypot(a[0], a[3]) * float64(w), Angle: math.Atan2(a[3], a[0]),
	}
}

func (c Crop) check(photo *image.RGBA, w, h int) error {
	if w < 1 || h < 1 || photo == nil || photo.Rect.Empty() {
		return errors.New("photo: nothing to cut out")
	}
	limit := 16 * float64(max(photo.Rect.Dx(), photo.Rect.Dy()))
	for _, v := range []float64{c.X, c.Y, c.Width, c.Angle} {
		if math.IsNaN(v) || math.Abs(v) > limit+16 {
			return fmt.Errorf("photo: box at (%g, %g), %g wide, turned by %g is not one in a photo of %v", c.X, c.Y, c.Width, c.Angle, photo.Rect.Size())
		}
	}
	if c.Width <= 0 {
		return fmt.Errorf("photo: a box %g pixels wide", c.Width)
	}
	return nil
}

// bounds of the turned box in the photo, with a margin; not clipped.
func (c Crop) bounds(w, h int, margin float64) image.Rectangle {
	a := c.Align(w, h)
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range [4][2]float64{{0, 0}, {float64(w), 0}, {0, float64(h)}, {float64(w), float64(h)}} {
		x, y := a[0]*p[0]+a[1]*p[1]+a[2], a[3]*p[0]+a[4]*p[1]+a[5]
		x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
	}
	return image.Rect(int(math.Floor(x0-margin)), int(math.Floor(y0-margin)), int(math.Ceil(x1+margin)), int(math.Ceil(y1+margin)))
}

// Cut takes the box out of a photo as a picture of w×h. Large boxes are averaged down
// before they are resampled with the Catmull-Rom cubic; what lies beyond the photo's
// edge repeats the edge.
func (c Crop) Cut(photo *image.RGBA, w, h int) (*image.RGBA, error) {
	if err := c.check(photo, w, h); err != nil {
		return nil, err
	}
	scale := c.Width / float64(w)
	k := max(1, int(scale))
	area := c.bounds(w, h, 3*scale+2).Intersect(photo.Rect)
	if area.Empty() {
		area = image.Rect(0, 0, 1, 1) // a box beside the photo repeats its edge
		area = area.Add(image.Pt(min(max(int(c.X), 0), photo.Rect.Dx()-1), min(max(int(c.Y), 0), photo.Rect.Dy()-1)))
	}
	small := averaged(photo, area, k)
	a := c.Align(w, h)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	stretch := max(1, scale/float64(k))
	radius := int(math.Ceil(2 * stretch))
	sw, sh := small.w, small.h
	wx, wy := make([]float64, 2*radius+2), make([]float64, 2*radius+2)
	for y := range h {
		for x := range w {
			px, py := float64(x)+0.5, float64(y)+0.5
			sx := (a[0]*px+a[1]*py+a[2]-float64(area.Min.X))/float64(k) - 0.5
			sy := (a[3]*px+a[4]*py+a[5]-float64(area.Min.Y))/float64(k) - 0.5
			bx, by := int(math.Floor(sx))-radius+1, int(math.Floor(sy))-radius+1
			sumX, sumY := 0.0, 0.0
			for i := range 2 * radius {
				wx[i] = cubic((float64(bx+i) - sx) / stretch)
				wy[i] = cubic((float64(by+i) - sy) / stretch)
				sumX += wx[i]
				sumY += wy[i]
			}
			var v [3]float64
			for j := range 2 * radius {
				if wy[j] == 0 {
					continue
				}
				row := min(max(by+j, 0), sh-1) * sw
				var line [3]float64
				for i := range 2 * radius {
					if wx[i] == 0 {
						continue
					}
					p := small.rgb[3*(row+min(max(bx+i, 0), sw-1)):][:3]
					line[0] += wx[i] * float64(p[0])
					line[1] += wx[i] * float64(p[1])
					line[2] += wx[i] * float64(p[2])
				}
				for ch := range v {
					v[ch] += wy[j] * line[ch]
				}
			}
			to := out.Pix[y*out.Stride+4*x:][:4]
			for ch := range v {
				to[ch] = uint8(min(max(v[ch]/(sumX*sumY)+0.5, 0), 255))
			}
			to[3] = 255
		}
	}
	return out, nil
}

// cubic is the Catmull-Rom kernel.
func cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// plane is a picture with fractions of levels.
type plane struct {
	w, h int
	rgb  []float32
}

// averaged is an area of a picture, averaged over squares of side k; the squares at
// the right and the bottom may be partial.
func averaged(img *image.RGBA, area image.Rectangle, k int) plane {
	w, h := (area.Dx()+k-1)/k, (area.Dy()+k-1)/k
	out := plane{w, h, make([]float32, 3*w*h)}
	for y := range h {
		for x := range w {
			r := image.Rect(area.Min.X+x*k, area.Min.Y+y*k, min(area.Min.X+x*k+k, area.Max.X), min(area.Min.Y+y*k+k, area.Max.Y))
			var sum [3]int
			for j := r.Min.Y; j < r.Max.Y; j++ {
				row := img.Pix[j*img.Stride+4*r.Min.X : j*img.Stride+4*r.Max.X]
				for i := 0; i+3 < len(row); i += 4 {
					sum[0] += int(row[i])
					sum[1] += int(row[i+1])
					sum[2] += int(row[i+2])
				}
			}
			n := float32(r.Dx() * r.Dy())
			for c, v := range sum {
				out.rgb[3*(y*w+x)+c] = float32(v) / n
			}
		}
	}
	return out
}

// Search says how [Propose] looks for a box.
type Search struct {
	// Scales are the widths of the grid's boxes, as shares of the largest box; nil for
	// those of a portrait.
	Scales []float64
	// Step is the distance of the grid's boxes as a share of their width, 0 for 0.25.
	Step float64
	// Evaluations is the largest number of boxes that are scored, 0 for 180.
	Evaluations int
	// Found is a score at which a box is so good that it is only made better; 0 for 0.25.
	Found float64
	// Progress, if not nil, is called after each box with the best so far and its score.
	Progress func(best Crop, score float64)
}

// The first moves away from a box, as shares of its width and as an angle, and how
// many times they are halved.
const (
	firstMove  = 0.1
	firstScale = 0.12
	firstTurn  = 6 * math.Pi / 180
	halvings   = 4
)

// Propose looks for the box whose picture of w×h has the lowest score: the largest one,
// then upright boxes on a grid, then moved, scaled and turned ones around the three
// best, and on around the best of those by ever smaller moves (Hooke and Jeeves, "Direct
// Search", 1961). The score is the model's: for a portrait the error of the encoder's
// answer.
func Propose(ctx context.Context, photo *image.RGBA, w, h int, s Search, score func(context.Context, *image.RGBA) (float64, error)) (Crop, float64, error) {
	whole := Middle(photo, w, h)
	if err := whole.check(photo, w, h); err != nil {
		return Crop{}, 0, err
	}
	if s.Scales == nil {
		s.Scales = []float64{1, 0.75, 0.55, 0.4}
	}
	if s.Step <= 0 {
		s.Step = 0.25
	}
	if s.Evaluations <= 0 {
		s.Evaluations = 180
	}
	if s.Found <= 0 {
		s.Found = 0.25
	}
	p := proposal{ctx: ctx, photo: photo, w: w, h: h, search: s, score: score, best: scoredCrop{whole, math.Inf(1)}}
	err := p.run(whole)
	return p.best.Crop, p.best.score, err
}

type scoredCrop struct {
	Crop
	score float64
}

// proposal is one search.
type proposal struct {
	ctx    context.Context
	photo  *image.RGBA
	w, h   int
	search Search
	score  func(context.Context, *image.RGBA) (float64, error)
	best   scoredCrop
	scored int
}

// left is how many boxes may still be scored.
func (p *proposal) left() int { return p.search.Evaluations - p.scored }

func (p *proposal) try(c Crop) (scoredCrop, error) {
	p.scored++
	if err := p.ctx.Err(); err != nil {
		return scoredCrop{}, err
	}
	picture, err := c.Cut(p.photo, p.w, p.h)
	if err != nil {
		return scoredCrop{}, err
	}
	v, err := p.score(p.ctx, picture)
	if err != nil {
		return scoredCrop{}, err
	}
	if v < p.best.score {
		p.best = scoredCrop{c, v}
	}
	if p.search.Progress != nil {
		p.search.Progress(p.best.Crop, p.best.score)
	}
	return scoredCrop{c, v}, nil
}

func (p *proposal) run(whole Crop) error {
	first, err := p.try(whole)
	if err != nil {
		return err
	}
	candidates := []scoredCrop{first}
	if p.best.score > p.search.Found {
		if candidates, err = p.grid(whole, candidates); err != nil {
			return err
		}
	}
	slices.SortStableFunc(candidates, func(a, b scoredCrop) int { return cmp.Compare(a.score, b.score) })
	var starts []scoredCrop
	for _, c := range candidates {
		if len(starts) < 3 && !slices.ContainsFunc(starts, func(s scoredCrop) bool {
			return math.Hypot(s.X-c.X, s.Y-c.Y) < 0.3*s.Width && math.Abs(math.Log(s.Width/c.Width)) < 0.2
		}) {
			starts = append(starts, c)
		}
	}
	best := starts[0]
	if len(starts) > 1 {
		for _, c := range starts {
			if c, _, err = p.around(c, 1); err != nil {
				return err
			}
			if c.score < best.score {
				best = c
			}
		}
	}
	step := 1.0
	for range halvings + 1 {
		for better := true; better && p.left() > 0; {
			if best, better, err = p.around(best, step); err != nil {
				return err
			}
		}
		step /= 2
	}
	return nil
}

// grid scores upright boxes all over the photo, the larger ones first.
func (p *proposal) grid(whole Crop, out []scoredCrop) ([]scoredCrop, error) {
	pw, ph := float64(p.photo.Rect.Dx()), float64(p.photo.Rect.Dy())
	for _, scale := range p.search.Scales {
		width := whole.Width * scale
		height := width * float64(p.h) / float64(p.w)
		nx := int(math.Ceil((pw - width) / (p.search.Step * width)))
		ny := int(math.Ceil((ph - height) / (p.search.Step * height)))
		for k := range (nx + 1) * (ny + 1) {
			c := Crop{X: pw / 2, Y: ph / 2, Width: width}
			if nx > 0 {
				c.X = width/2 + (pw-width)*float64(k%(nx+1))/float64(nx)
			}
			if ny > 0 {
				c.Y = height/2 + (ph-height)*float64(k/(nx+1))/float64(ny)
			}
			if c == whole {
				continue
			}
			if p.left() <= p.search.Evaluations*2/5 { // the rest is for the moves
				return out, nil
			}
			s, err := p.try(c)
			if err != nil {
				return out, err
			}
			if out = append(out, s); s.score <= p.search.Found {
				return out, nil
			}
		}
	}
	return out, nil
}

// around tries the moves of a size in turn, going on from each that makes the box
// better, and reports whether one did.
func (p *proposal) around(c scoredCrop, step float64) (scoredCrop, bool, error) {
	better := false
	for _, d := range [4][4]float64{{firstMove, 0, 0, 0}, {0, firstMove, 0, 0}, {0, 0, firstScale, 0}, {0, 0, 0, firstTurn}} {
		for _, sign := range [2]float64{step, -step} {
			if p.left() <= 0 {
				return c, better, nil
			}
			m := c.Crop
			m.X += sign * d[0] * m.Width
			m.Y += sign * d[1] * m.Width
			m.Width *= math.Exp(sign * d[2])
			m.Angle += sign * d[3]
			s, err := p.try(m)
			if err != nil {
				return c, better, err
			}
			if s.score < c.score {
				c, better = s, true
				break
			}
		}
	}
	return c, better, nil
}
