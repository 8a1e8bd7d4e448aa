package learning

import (
	"context"

	"latentbrush/engine/latent"
)

// Localised says what limiting a vector to some of its rows brought.
type Localised struct {
	Rows []int
	// Before and After are the leaks in grey levels at the same effect.
	Before, After float64
}

// The shares of the effect and of the leak by which rows are chosen: a row goes when the
// leak falls by at least leakShare without it and the effect by less than half as much.
const leakShare = 0.02

// Localise leaves out the rows of a vector that act outside its region more than inside:
// it tries the vector without each row on the first n pictures of the probe, drops those
// without which the leak falls more than the effect, and scales the rest to the old effect. When
// the leak at equal effect is not smaller after all, the vector stays as it was.
func Localise(ctx context.Context, m Model, p *Probe, delta latent.Code, classes []uint8, t *Statistic, n int) (latent.Code, Localised, error) {
	whole, err := p.Try(ctx, m, delta, 1, classes, t, n)
	if err != nil {
		return delta, Localised{}, err
	}
	out := Localised{Before: whole.Leak, After: whole.Leak}
	local := delta.Clone()
	dropped := map[int]bool{}
	for r := range delta.Rows {
		out.Rows = append(out.Rows, r)
		without := delta.Clone()
		clear(without.Row(r))
		trial, err := p.Try(ctx, m, without, 1, classes, t, n)
		if err != nil {
			return delta, out, err
		}
		leak := 1 - trial.Leak/max(whole.Leak, 1e-9)
		effect := 1 - trial.Effect/whole.Effect
		if leak > leakShare && effect < leak/2 {
			dropped[r] = true
			clear(local.Row(r))
		}
	}
	if len(dropped) == 0 || len(dropped) == delta.Rows {
		return delta, out, nil
	}
	s, err := p.solve(ctx, m, local, 1, whole.Effect, t, n)
	if err != nil {
		return delta, out, err
	}
	local = local.Scale(float32(s))
	trial, err := p.Try(ctx, m, local, 1, classes, t, n)
	if err != nil || trial.Leak >= whole.Leak || trial.Effect < 0.9*whole.Effect {
		return delta, out, err
	}
	out.After, out.Rows = trial.Leak, nil
	for r := range delta.Rows {
		if !dropped[r] {
			out.Rows = append(out.Rows, r)
		}
	}
	return local, out, nil
}
