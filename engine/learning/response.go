package learning

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"gonum.org/v1/gonum/mat"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
)

// response is how pictures change along each of the leading axes: finite differences of a
// few pictures, averaged over blocks. With it a direction can be made quiet: of all
// directions that make a statistic grow, the one that changes the least outside a region.
//
// To first order a step x in whitened coordinates changes the outside by xᵀQx, where Q sums
// the products of the axes' responses there, and the statistic by g·x. The most effect for a
// given change is along (Q + μ·I)⁻¹·g; μ says how far natural latents are preferred to quiet ones.
type response struct {
	before []engine.Frame
	axes   int
	side   int // blocks are side pixels wide
	// differences[p][a] is the response of picture p along axis a, [blocks·3], in levels per
	// standard deviation.
	differences [][][]float32
}

// The pictures that are looked at, the step in standard deviations, and the number of
// blocks across a picture.
const (
	responsePictures = 5
	responseStep     = 0.7
	responseBlocks   = 64
)

func newResponse(ctx context.Context, m Model, p *Probe, prior *edit.Prior, axes int, progress func(done, total int) error) (*response, error) {
	r := &response{before: p.Frames[:min(responsePictures, len(p.Frames))], axes: axes, side: max(1, m.Info().Width/responseBlocks)}
	for i, f := range r.before {
		base := blocks(f.Picture, r.side)
		var all [][]float32
		for a := range axes {
			after, err := m.Render(ctx, f.Code.AddScaled(responseStep, latent.Broadcast(prior.Axes[a], f.Code.Rows)), engine.RenderOptions{})
			if err != nil {
				return nil, err
			}
			b := blocks(after.Picture, r.side)
			for k := range b {
				b[k] = (b[k] - base[k]) / responseStep
			}
			all = append(all, b)
			if err := progress(i*axes+a+1, len(r.before)*axes); err != nil {
				return nil, err
			}
		}
		r.differences = append(r.differences, all)
	}
	return r, nil
}

// blocks are the mean colours of blocks of side × side pixels; a rest at the right and
// below is left out.
func blocks(p *image.RGBA, side int) []float32 {
	w, h := p.Rect.Dx()/side, p.Rect.Dy()/side
	out := make([]float32, 3*w*h)
	for y := range h * side {
		row := p.Pix[y*p.Stride:]
		for x := range w * side {
			at := 3 * (y/side*w + x/side)
			for k := range 3 {
				out[at+k] += float32(row[4*x+k])
			}
		}
	}
	for i := range out {
		out[i] /= float32(side * side)
	}
	return out
}

// noise is Q for the outside of the classes' region in the pictures before and after,
// divided by its mean diagonal, and the inside with a weight.
func (r *response) noise(after []engine.Frame, classes []uint8, inside float64) (*mat.SymDense, error) {
	q := mat.NewSymDense(r.axes, nil)
	within := mat.NewSymDense(r.axes, nil)
	for i, f := range r.before {
		region, err := edit.ClassRegion(f.Labels, after[i].Labels, classes, -1)
		if err != nil {
			region = image.NewAlpha(f.Picture.Rect)
		}
		r.add(q, i, region, false)
		if inside > 0 {
			r.add(within, i, region, true)
		}
	}
	within.ScaleSym(inside, within)
	q.AddSym(q, within)
	if !normalise(q) {
		return nil, errors.New("learning: nothing changes outside the region along any axis")
	}
	return q, nil
}

// add adds to q the products of the responses of a picture in the blocks that have a
// pixel of the region, or in those that have none.
func (r *response) add(q *mat.SymDense, picture int, region *image.Alpha, inside bool) {
	w, h := region.Rect.Dx()/r.side, region.Rect.Dy()/r.side
	var rows []int
	for y := range h {
		for x := range w {
			if outside(region, x*r.side, y*r.side, r.side) != inside {
				at := 3 * (y*w + x)
				rows = append(rows, at, at+1, at+2)
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	d := mat.NewDense(r.axes, len(rows), nil)
	for a := range r.axes {
		raw := d.RawRowView(a)
		for k, at := range rows {
			raw[k] = float64(r.differences[picture][a][at])
		}
	}
	q.SymRankK(q, 1, d)
}

// normalise divides by the mean diagonal; false when there is nothing.
func normalise(q *mat.SymDense) bool {
	n := q.SymmetricDim()
	trace := 0.0
	for k := range n {
		trace += q.At(k, k)
	}
	if trace <= 0 {
		return false
	}
	q.ScaleSym(float64(n)/trace, q)
	return true
}

func outside(region *image.Alpha, x0, y0, side int) bool {
	for y := y0; y < y0+side; y++ {
		for x := x0; x < x0+side; x++ {
			if region.Pix[y*region.Stride+x] != 0 {
				return false
			}
		}
	}
	return true
}

// quiet is (Q + μ·I)⁻¹·g, less what it does along the directions to hold (Lagrange's
// multipliers of Hᵀx = 0), scaled so that its product with g is that of g with itself: the
// same effect to first order.
func quiet(q *mat.SymDense, g []float64, hold [][]float64, mu float64) ([]float64, error) {
	n := len(g)
	a := mat.NewSymDense(n, nil)
	a.CopySym(q)
	for k := range n {
		a.SetSym(k, k, a.At(k, k)+mu)
	}
	var factor mat.Cholesky
	if !factor.Factorize(a) {
		return nil, fmt.Errorf("learning: the response cannot be inverted with μ = %g", mu)
	}
	solve := func(v []float64) (*mat.VecDense, error) {
		x := mat.NewVecDense(n, nil)
		return x, factor.SolveVecTo(x, mat.NewVecDense(n, slices.Clone(v)))
	}
	x, err := solve(g)
	if err != nil {
		return nil, fmt.Errorf("learning: %w", err)
	}
	if len(hold) > 0 {
		h, ah := mat.NewDense(n, len(hold), nil), mat.NewDense(n, len(hold), nil)
		for i, v := range hold {
			y, err := solve(v)
			if err != nil {
				return nil, fmt.Errorf("learning: %w", err)
			}
			h.SetCol(i, v)
			ah.SetCol(i, y.RawVector().Data)
		}
		var m mat.Dense
		m.Mul(h.T(), ah)
		var hx, c, along mat.VecDense
		hx.MulVec(h.T(), x)
		if err := c.SolveVec(&m, &hx); err != nil {
			return nil, fmt.Errorf("learning: the statistics to hold depend on each other: %w", err)
		}
		along.MulVec(ah, &c)
		x.SubVec(x, &along)
	}
	out := x.RawVector().Data
	gg, gx := 0.0, 0.0
	for k := range g {
		gg += g[k] * g[k]
		gx += g[k] * out[k]
	}
	if gx <= 1e-9*gg {
		return nil, errors.New("learning: nothing of the direction is left beside what is held")
	}
	for k := range out {
		out[k] *= gg / gx
	}
	return out, nil
}

// quietChoices are the values of μ that are tried.
var quietChoices = []float64{1, 0.3, 0.1, 0.03, 0.01}

// A quiet direction may be as long as [longestUnit] allows anyway, or so many times as long as the
// plain one.
const quietLonger = 1.15

// quieten chooses among the direction and its quiet versions the one with the least leak at
// the effect that is wanted, and returns it at that strength. Quiet versions that are too
// long to be safe at strength 1 are left out.
func (l *lab) quieten(ctx context.Context, p parsed, g []float64, target float64) (delta latent.Code, before, after float64, err error) {
	rows := l.m.Info().Rows
	n := len(l.response.before)
	try := func(x []float64) (latent.Code, *Trial, error) {
		d := unwhiten(l.survey.prior, x, rows)
		s, err := l.learn.solve(ctx, l.m, d, 1, target, &p.statistic, n)
		if err != nil {
			return d, nil, err
		}
		d = d.Scale(float32(s))
		t, err := l.learn.Try(ctx, l.m, d, 1, p.classes, &p.statistic, n)
		return d, t, err
	}
	delta, plain, err := try(g)
	if err != nil {
		return delta, 0, 0, err
	}
	before, after = plain.Leak, plain.Leak
	cost := func(t *Trial) float64 { return t.Leak*t.Outside + p.Inside*t.Inside*(1-t.Outside) }
	lowest := cost(plain)
	q, err := l.response.noise(plain.After, p.classes, p.Inside)
	if err != nil {
		return delta, before, after, nil
	}
	var hold [][]float64
	for _, t := range p.hold {
		h, _, err := l.survey.Slope(t)
		if err != nil {
			return delta, before, after, err
		}
		hold = append(hold, h)
	}
	most := max(longestUnit, quietLonger*l.survey.length(delta))
	for _, mu := range quietChoices {
		x, err := quiet(q, g, hold, mu)
		if err != nil {
			continue
		}
		d, t, err := try(x)
		if err != nil {
			return delta, before, after, err
		}
		if cost(t) < lowest && t.Effect >= 0.9*plain.Effect && l.survey.length(d) <= most {
			delta, after, lowest = d, t.Leak, cost(t)
		}
	}
	return delta, before, after, nil
}
