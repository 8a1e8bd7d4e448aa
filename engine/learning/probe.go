package learning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/vectors"
)

// Probe is pictures that vectors are tried on: random ones, rendered once.
type Probe struct {
	First  uint64
	Frames []engine.Frame
}

// The seeds of the pictures that vectors are chosen and measured on, how many there are, and the
// first seed of those that they are tested on, which nothing else may look at.
const (
	KnownSeed     = 1 << 42
	KnownPictures = 8
	UnseenSeed    = 1 << 43
)

// NewProbe renders n pictures of successive seeds with the model's own truncation.
func NewProbe(ctx context.Context, m Model, first uint64, n int) (*Probe, error) {
	p := &Probe{First: first}
	for i := range n {
		f, err := m.Render(ctx, m.Sample(first+uint64(i), m.Info().Manifest.Truncation.Psi), engine.RenderOptions{})
		if err != nil {
			return nil, err
		}
		p.Frames = append(p.Frames, f)
	}
	return p, nil
}

// Trial is a vector tried on the pictures of a probe.
type Trial struct {
	// After are the pictures with the vector.
	After []engine.Frame
	// Effects are the changes of the statistic; NaN where it has no value.
	Effects []float64
	// Effect is their mean, Leak and Inside the mean change outside and inside the region in
	// grey levels, and Outside the mean share of the picture that is outside.
	Effect, Leak, Inside, Outside float64
}

// Try adds s·delta to the first n pictures of the probe. The region is the pixels that
// have one of the classes before or after, dilated as for an edit. Without a statistic
// the effect is the share of the pixels whose label changes.
func (p *Probe) Try(ctx context.Context, m Model, delta latent.Code, s float64, classes []uint8, t *Statistic, n int) (*Trial, error) {
	r := &Trial{}
	for _, before := range p.Frames[:min(n, len(p.Frames))] {
		after, err := m.Render(ctx, before.Code.AddScaled(float32(s), delta), engine.RenderOptions{})
		if err != nil {
			return nil, err
		}
		r.After = append(r.After, after)
		effect := 0.0
		if t == nil {
			effect = changedLabels(before.Labels, after.Labels)
		} else {
			effect = t.Of(after.Labels) - t.Of(before.Labels)
		}
		r.Effects = append(r.Effects, effect)
		leak, inside, outside := changes(before, after, classes)
		r.Leak += leak
		r.Inside += inside
		r.Outside += outside
	}
	r.Inside /= float64(len(r.After))
	r.Leak /= float64(len(r.After))
	r.Outside /= float64(len(r.After))
	r.Effect = mean(r.Effects)
	return r, nil
}

// changes are the mean absolute changes outside the classes' region and inside it in grey
// levels, and the share of the picture that is outside.
func changes(before, after engine.Frame, classes []uint8) (leak, inside, outside float64) {
	region, err := edit.ClassRegion(before.Labels, after.Labels, classes, -1)
	if err != nil {
		region = image.NewAlpha(before.Picture.Rect)
	}
	n := 0
	for _, v := range region.Pix {
		if v == 0 {
			n++
		}
	}
	return metrics.LeakOutside(before.Picture, after.Picture, region).Mean,
		metrics.LeakOutside(before.Picture, after.Picture, inverse(region)).Mean, float64(n) / float64(len(region.Pix))
}

// SuccessShare is the part of a vector's unit effect that a picture must change by to
// count as a success.
const SuccessShare = 0.25

// Generalise tries a vector at strength 1 on all pictures of a probe and stores the
// result in it, with a contact sheet (see [Sheet]) if tile is not 0. A picture counts as a success when the statistic grew by
// at least [SuccessShare] of the calibrated effect; where it has no value it does not.
// Without a statistic, that of the calibration, every change of labels counts.
func Generalise(ctx context.Context, m Model, p *Probe, v *vectors.Vector, t *Statistic, tile int) (*Trial, error) {
	r, err := p.Try(ctx, m, v.Delta, 1, v.ClassIDs(), t, len(p.Frames))
	if err != nil {
		return nil, err
	}
	need := SuccessShare * v.Calibration.UnitEffect
	success := 0
	worked := make([]bool, len(r.Effects))
	for i, e := range r.Effects {
		if worked[i] = e > 0 && e >= need; worked[i] {
			success++
		}
	}
	v.Generalisation = vectors.Generalisation{
		Seeds: len(p.Frames), FirstSeed: int64(p.First), Strength: 1,
		Criterion: fmt.Sprintf("%s grows by at least %.3g, a quarter of the usual effect", measureOf(t), need),
		Success:   float64(success) / float64(len(p.Frames)), Leak: r.Leak,
	}
	if err := p.read(ctx, m, r, &v.Generalisation); err != nil {
		return nil, err
	}
	if tile > 0 {
		v.Sheet = Sheet(p.Frames, r.After, worked, tile)
	}
	return r, nil
}

// Reader is a model that reads attributes off pictures.
type Reader interface {
	Readings(ctx context.Context, picture *image.RGBA) ([]engine.Reading, error)
	SamePerson(a, b []engine.Reading) float64
}

var _ Reader = (*engine.Engine)(nil)

// A reading counts when it explains so much of its attribute's variance, and is named when
// its mean change is so many standard deviations.
const (
	readingTrust  = 0.5
	readingChange = 0.15
)

// read tells which attributes a trial changed, when the model can read them.
func (p *Probe) read(ctx context.Context, m Model, t *Trial, g *vectors.Generalisation) error {
	reader, ok := m.(Reader)
	if !ok {
		return nil
	}
	var changes []vectors.Reading
	same := 0.0
	n := float64(len(t.After))
	for i, after := range t.After {
		a, err := reader.Readings(ctx, p.Frames[i].Picture)
		if errors.Is(err, engine.ErrNoReadings) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := reader.Readings(ctx, after.Picture)
		if err != nil {
			return err
		}
		same += reader.SamePerson(a, b) / n
		if changes == nil {
			changes = make([]vectors.Reading, len(a))
		}
		for k := range a {
			changes[k].Name = a[k].Name
			if a[k].R2 >= readingTrust {
				changes[k].Change += (b[k].Value - a[k].Value) / n
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b vectors.Reading) int { return cmp.Compare(math.Abs(b.Change), math.Abs(a.Change)) })
	g.SamePerson = same
	g.Readings = nil
	for _, c := range changes {
		if math.Abs(c.Change) >= readingChange {
			g.Readings = append(g.Readings, c)
		}
	}
	return nil
}

func measureOf(t *Statistic) string {
	if t == nil {
		return "share of the pixels that change class"
	}
	return t.text
}

// solve finds the strength at which the mean effect on the first n pictures is target, by
// secants within [1/4, 4] of the guess. It gives the best strength that it saw.
func (p *Probe) solve(ctx context.Context, m Model, delta latent.Code, guess, target float64, t *Statistic, n int) (float64, error) {
	s, best, miss := guess, guess, math.Inf(1)
	s0, e0 := 0.0, 0.0
	for range 4 {
		r, err := p.Try(ctx, m, delta, s, nil, t, n)
		if err != nil {
			return 0, err
		}
		if d := math.Abs(r.Effect - target); d < miss {
			best, miss = s, d
		}
		if math.IsNaN(r.Effect) || miss < 0.05*math.Abs(target) {
			break
		}
		slope := (r.Effect - e0) / (s - s0)
		if !(slope*target > 0) {
			break
		}
		s0, e0 = s, r.Effect
		next := min(max(s+(target-e0)/slope, guess/4), guess*4)
		if math.Abs(next-s) < 1e-3*guess {
			break
		}
		s = next
	}
	return best, nil
}
