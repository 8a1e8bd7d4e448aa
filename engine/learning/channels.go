package learning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
)

// Channels says what limiting a vector to some of its style channels brought.
type Channels struct {
	// Tried of the channels were looked at one by one, and Dropped were left out.
	Tried, Dropped int
	// Before and After are the leaks in grey levels at the same effect.
	Before, After float64
}

// The search of [LocaliseChannels]: the channels with most of the change of style, the
// pictures each is tried on, the factor that makes a small change seen, and the shares of a
// channel's change outside the region from which it goes that are tried.
const (
	channelsTried    = 96
	channelsEnergy   = 0.98
	channelsPictures = 2
	channelsStep     = 2
)

var channelsOutside = []float64{0.5, 0.7, 0.85}

// styleRow is what one row of W+ steers: the styles of one or two layers, which are affine
// in it.
type styleRow struct {
	a *mat.Dense // [channels, w_dim]
	// factor is of A·Aᵀ with a little added to the diagonal: Aᵀ·(A·Aᵀ)⁻¹·y is the shortest
	// step of the row that changes the styles by y.
	factor mat.Cholesky
}

// styleRows reads the affine maps of a bundle's generator, row by row.
func styleRows(b *model.Model) ([]styleRow, error) {
	f, man := b.Generator(), b.Manifest
	weights := make([][]float64, man.Rows)
	add := func(row, r int, name string) error {
		if row >= man.Rows {
			return fmt.Errorf("learning: the generator has more layers than the %d rows of its codes", man.Rows)
		}
		tensor := fmt.Sprintf("synthesis.b%d.%s.affine.weight", r, name)
		info, ok := f.Info(tensor)
		if !ok || len(info.Shape) != 2 || info.Shape[1] != man.WDim {
			return fmt.Errorf("learning: %s is %v, want [channels, %d]", tensor, info.Shape, man.WDim)
		}
		w, err := f.Float32s(tensor, info.Shape...)
		for _, v := range w {
			weights[row] = append(weights[row], float64(v))
		}
		return err
	}
	row := 0
	for r := 4; r <= man.Resolution; r *= 2 {
		if r > 4 {
			if err := add(row, r, "conv0"); err != nil {
				return nil, err
			}
			row++
		}
		if err := add(row, r, "conv1"); err != nil {
			return nil, err
		}
		row++
		if err := add(row, r, "torgb"); err != nil {
			return nil, err
		}
	}
	rows := make([]styleRow, man.Rows)
	for i, w := range weights {
		n := len(w) / man.WDim
		if n == 0 {
			return nil, fmt.Errorf("learning: row %d of the codes steers nothing", i)
		}
		rows[i].a = mat.NewDense(n, man.WDim, w)
		if !rows[i].factorise() {
			return nil, fmt.Errorf("learning: the styles of row %d cannot be inverted", i)
		}
	}
	return rows, nil
}

func (s *styleRow) factorise() bool {
	n, _ := s.a.Dims()
	g := mat.NewSymDense(n, nil)
	g.SymOuterK(1, s.a)
	trace := 0.0
	for k := range n {
		trace += g.At(k, k)
	}
	for k := range n {
		g.SetSym(k, k, g.At(k, k)+1e-4*trace/float64(n)+1e-12)
	}
	return s.factor.Factorize(g)
}

// styles are the changes of style that a change of the row makes.
func (s *styleRow) styles(row []float32) []float64 {
	x := mat.NewVecDense(len(row), nil)
	for k, v := range row {
		x.SetVec(k, float64(v))
	}
	n, _ := s.a.Dims()
	y := mat.NewVecDense(n, nil)
	y.MulVec(s.a, x)
	return y.RawVector().Data
}

// step writes the shortest change of the row that changes the styles by y, by least
// squares where there are more styles than numbers in a row.
func (s *styleRow) step(row []float32, y []float64) error {
	z := mat.NewVecDense(len(y), nil)
	if err := s.factor.SolveVecTo(z, mat.NewVecDense(len(y), y)); err != nil {
		return fmt.Errorf("learning: %w", err)
	}
	x := mat.NewVecDense(len(row), nil)
	x.MulVec(s.a.T(), z)
	for k := range row {
		row[k] = float32(x.AtVec(k))
	}
	return nil
}

// LocaliseChannels leaves out the style channels of a vector whose effect lies outside its
// region, as in StyleSpace (Wu et al., CVPR 2021). Each row of W+ steers the channels of
// the one or two layers it feeds by an affine map; the channels that change most are tried one by
// one, those whose change is for the most part outside the region are zeroed, and the shortest change
// of the row that makes the remaining change of style takes the row's place. So the result
// is a vector like any other. It is scaled to the old effect; when the leak is not smaller after
// all, the vector stays as it was.
func LocaliseChannels(ctx context.Context, m Model, b *model.Model, p *Probe, delta latent.Code, classes []uint8, t *Statistic, progress func(done, total int)) (latent.Code, Channels, error) {
	if b == nil {
		return delta, Channels{}, errors.New("learning: the model has no bundle to read styles from")
	}
	if err := delta.Check(m.Info().Rows, m.Info().Dim); err != nil {
		return delta, Channels{}, fmt.Errorf("learning: %w", err)
	}
	rows, err := styleRows(b)
	if err != nil {
		return delta, Channels{}, err
	}
	return localiseChannels(ctx, m, rows, p, delta, classes, t, progress)
}

func localiseChannels(ctx context.Context, m Model, rows []styleRow, p *Probe, delta latent.Code, classes []uint8, t *Statistic, progress func(done, total int)) (latent.Code, Channels, error) {
	var out Channels
	n := min(channelsPictures, len(p.Frames))
	whole, err := p.Try(ctx, m, delta, 1, classes, t, n)
	if err != nil {
		return delta, out, err
	}
	out.Before, out.After = whole.Leak, whole.Leak
	type channel struct {
		row, k  int
		change  float64
		outside float64 // the share of what it changes that is outside the region
	}
	var all []channel
	styles := make([][]float64, len(rows))
	total := 0.0
	for r := range rows {
		styles[r] = rows[r].styles(delta.Row(r))
		for k, v := range styles[r] {
			all = append(all, channel{row: r, k: k, change: v * v})
			total += v * v
		}
	}
	slices.SortFunc(all, func(x, y channel) int {
		return cmp.Or(cmp.Compare(y.change, x.change), cmp.Compare(x.row, y.row), cmp.Compare(x.k, y.k))
	})
	sum := 0.0
	for i, c := range all {
		if sum += c.change; i+1 >= channelsTried || sum >= channelsEnergy*total {
			all = all[:i+1]
			break
		}
	}
	out.Tried = len(all)
	for i, c := range all {
		alone := latent.New(delta.Rows, delta.Dim)
		y := make([]float64, len(styles[c.row]))
		y[c.k] = channelsStep * styles[c.row][c.k]
		if err := rows[c.row].step(alone.Row(c.row), y); err != nil {
			return delta, out, err
		}
		inside, outside := 0.0, 0.0
		for k, before := range p.Frames[:n] {
			after, err := m.Render(ctx, before.Code.Add(alone), engine.RenderOptions{})
			if err != nil {
				return delta, out, err
			}
			in, rest := split(before, after, whole.After[k], classes)
			inside, outside = inside+in, outside+rest
		}
		if all[i].outside = 0; inside+outside > 0 {
			all[i].outside = outside / (inside + outside)
		}
		if progress != nil {
			progress(i+1, len(all))
		}
	}
	best := delta
	for _, limit := range channelsOutside {
		kept := make([][]float64, len(rows))
		for r := range rows {
			kept[r] = slices.Clone(styles[r])
		}
		dropped := 0
		for _, c := range all {
			if c.outside > limit {
				kept[c.row][c.k] = 0
				dropped++
			}
		}
		if dropped == 0 || dropped == len(all) {
			continue
		}
		local := latent.New(delta.Rows, delta.Dim)
		for r := range rows {
			if slices.Equal(kept[r], styles[r]) {
				copy(local.Row(r), delta.Row(r))
				continue
			}
			if err := rows[r].step(local.Row(r), kept[r]); err != nil {
				return delta, out, err
			}
		}
		s, err := p.solve(ctx, m, local, 1, whole.Effect, t, n)
		if err != nil {
			return delta, out, err
		}
		if math.IsNaN(s) || s <= 0 {
			continue
		}
		local = local.Scale(float32(s))
		trial, err := p.Try(ctx, m, local, 1, classes, t, n)
		if err != nil {
			return delta, out, err
		}
		if trial.Leak < out.After && trial.Effect >= 0.9*whole.Effect {
			best, out.After, out.Dropped = local, trial.Leak, dropped
		}
	}
	return best, out, nil
}

// split is the sum of the absolute changes from before to after inside the region that the
// whole vector works in, and outside.
func split(before, after, whole engine.Frame, classes []uint8) (inside, outside float64) {
	region, err := edit.ClassRegion(before.Labels, whole.Labels, classes, -1)
	if err != nil {
		return 0, 0
	}
	w := before.Picture.Rect.Dx()
	for i, v := range region.Pix {
		y, x := i/w, i%w
		a, b := before.Picture.Pix[y*before.Picture.Stride+4*x:], after.Picture.Pix[y*after.Picture.Stride+4*x:]
		d := 0.0
		for c := range 3 {
			d += math.Abs(float64(a[c]) - float64(b[c]))
		}
		if v != 0 {
			inside += d
		} else {
			outside += d
		}
	}
	return inside, outside
}
