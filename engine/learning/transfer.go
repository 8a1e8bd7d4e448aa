package learning

import (
	"context"
	"errors"
	"fmt"
	"image"

	"gonum.org/v1/gonum/mat"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
)

// Transfer is a part taken from another picture.
type Transfer struct {
	// Delta is the change of the code that takes the part over.
	Delta latent.Code
	// Before and After are the pictures without and with it.
	Before, After engine.Frame
	// Left is the mean difference from the reference inside the part's region as a share of what
	// it was, and Leak the mean change outside it in grey levels.
	Left, Leak float64
}

// The weights of the terms of [TransferPart] beside the match inside: the change outside
// and the length of the step.
const (
	transferOutside = 4
	transferLength  = 0.02
)

// TransferPart takes the classes' part of the reference over into the picture of a code
// ("Editing in Style", Collins et al., CVPR 2020, asks for the same). It knows how the
// picture responds to each leading axis of W, one render each, inside the part's region and
// outside. With the whole difference x₀ of both latents in whitened coordinates, the step x
// minimises
//
//	‖J_in (x − x₀)‖² + λ‖J_out x‖² + μ‖x‖²,
//
// a Wiener filter: of what tells the pictures apart, what shows in the part is kept and
// what shows elsewhere is dropped. Progress, which may be nil, is called after each render.
func TransferPart(ctx context.Context, m Model, code, reference latent.Code, classes []uint8, progress func(done, total int)) (*Transfer, error) {
	i := m.Info()
	for what, c := range map[string]latent.Code{"code": code, "reference": reference} {
		if err := c.Check(i.Rows, i.Dim); err != nil {
			return nil, fmt.Errorf("learning: %s: %w", what, err)
		}
	}
	prior, err := m.Prior(ctx)
	if err != nil {
		return nil, err
	}
	out := &Transfer{}
	if out.Before, err = m.Render(ctx, code, engine.RenderOptions{}); err != nil {
		return nil, err
	}
	wanted, err := m.Render(ctx, reference, engine.RenderOptions{})
	if err != nil {
		return nil, err
	}
	region, err := edit.ClassRegion(out.Before.Labels, wanted.Labels, classes, -1)
	if err != nil {
		return nil, fmt.Errorf("learning: neither picture has the part: %w", err)
	}
	axes := leadingAxes(prior)
	r, err := newResponse(ctx, m, &Probe{Frames: []engine.Frame{out.Before}}, prior, axes, func(done, total int) error {
		if progress != nil {
			progress(done, total)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	middle := latent.New(1, i.Dim)
	difference := reference.Sub(code)
	for k := range i.Rows {
		middle = middle.AddScaled(1/float32(i.Rows), latent.Code{Rows: 1, Dim: i.Dim, Data: difference.Row(k)})
	}
	x, err := r.filter(region, prior.Whiten(middle.Data)[:axes])
	if err != nil {
		return nil, err
	}
	out.Delta = unwhiten(prior, x, i.Rows)
	if out.After, err = m.Render(ctx, code.Add(out.Delta), engine.RenderOptions{}); err != nil {
		return nil, err
	}
	rest := inverse(region)
	was := metrics.LeakOutside(out.Before.Picture, wanted.Picture, rest).Mean
	out.Left = metrics.LeakOutside(out.After.Picture, wanted.Picture, rest).Mean / max(was, 1e-9)
	out.Leak = metrics.LeakOutside(out.Before.Picture, out.After.Picture, region).Mean
	return out, nil
}

// filter solves for the step on the first picture of the response.
func (r *response) filter(region *image.Alpha, x0 []float64) ([]float64, error) {
	in, rest := mat.NewSymDense(r.axes, nil), mat.NewSymDense(r.axes, nil)
	r.add(in, 0, region, true)
	r.add(rest, 0, region, false)
	if !normalise(in) {
		return nil, errors.New("learning: nothing changes in the part along any axis")
	}
	if !normalise(rest) {
		return append([]float64(nil), x0...), nil
	}
	a := mat.NewSymDense(r.axes, nil)
	rest.ScaleSym(transferOutside, rest)
	a.AddSym(in, rest)
	for k := range r.axes {
		a.SetSym(k, k, a.At(k, k)+transferLength)
	}
	right, x := mat.NewVecDense(r.axes, nil), mat.NewVecDense(r.axes, nil)
	right.MulVec(in, mat.NewVecDense(r.axes, append([]float64(nil), x0...)))
	var factor mat.Cholesky
	if !factor.Factorize(a) {
		return nil, errors.New("learning: the response cannot be inverted")
	}
	if err := factor.SolveVecTo(x, right); err != nil {
		return nil, fmt.Errorf("learning: %w", err)
	}
	return x.RawVector().Data, nil
}

func inverse(region *image.Alpha) *image.Alpha {
	out := image.NewAlpha(region.Rect)
	for i, v := range region.Pix {
		if v == 0 {
			out.Pix[i] = 255
		}
	}
	return out
}
