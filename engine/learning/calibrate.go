package learning

import (
	"context"
	"iter"
	"math"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// The search for a safe range: strengths from stride to reach in either direction, on
// so many pictures; and how far along a vector natural latents go, in standard deviations
// (one in 370 goes further).
const (
	safeStride   = 0.25
	safeReach    = 4
	safePictures = 4
	safeAlong    = 3
)

// Calibrate measures what strength 1 of a vector does on a probe, and how far the
// vector can be pushed: the safe range ends before the first strength at which more than
// a quarter of the pictures leave what is usual. A picture does when its latent lies
// further along the vector than 3 standard deviations of the model's own latents, or
// further from the mean than 99 in 100 of the survey's, or when a class has less or more
// area than in any of the survey's pictures. It is nothing that a person waits for: about
// 50 renders. A nil statistic measures the share of pixels that change class.
func Calibrate(ctx context.Context, m Model, s *Survey, p *Probe, v *vectors.Vector, t *Statistic) error {
	r, err := p.Try(ctx, m, v.Delta, 1, v.ClassIDs(), t, len(p.Frames))
	if err != nil {
		return err
	}
	c := vectors.Calibration{UnitEffect: r.Effect, Measure: measureOf(t)}
	if math.IsNaN(c.UnitEffect) {
		c.UnitEffect = 0
	}
	if c.SafeLo, err = s.safe(ctx, m, p, v.Delta, -safeStride); err != nil {
		return err
	}
	if c.SafeHi, err = s.safe(ctx, m, p, v.Delta, safeStride); err != nil {
		return err
	}
	v.Calibration = c
	return nil
}

// safe is the last strength in the stride's direction at which pictures are usual.
func (s *Survey) safe(ctx context.Context, m Model, p *Probe, delta latent.Code, stride float64) (float64, error) {
	along := s.coordinates(delta, false)
	length := math.Sqrt(dot(along, along))
	classes := len(s.Lowest)
	far := func(code latent.Code) bool {
		return s.prior.Distance(code) > s.Distance || length > 0 && math.Abs(dot(along, s.coordinates(code, true))) > safeAlong*length
	}
	var usual []engine.Frame
	for _, f := range p.Frames {
		if len(usual) < safePictures && !far(f.Code) && !s.unusual(areas(f.Labels, classes)) {
			usual = append(usual, f)
		}
	}
	last := 0.0
	for k := 1; float64(k)*math.Abs(stride) <= safeReach; k++ {
		strength := float64(k) * stride
		left := 0
		for _, f := range usual {
			code := f.Code.AddScaled(float32(strength), delta)
			if far(code) {
				left++
				continue
			}
			// Areas change slowly: every second strength is rendered.
			if k%2 == 1 {
				continue
			}
			after, err := m.Render(ctx, code, engine.RenderOptions{})
			if err != nil {
				return 0, err
			}
			if s.unusual(areas(after.Labels, classes)) {
				left++
			}
		}
		if 4*left > len(usual) {
			break
		}
		last = strength
	}
	return last, nil
}

// coordinates are the whitened leading coordinates of the mean of a code's rows, about the
// mean of W if the code is a point and not a difference.
func (s *Survey) coordinates(c latent.Code, point bool) []float64 {
	middle := make([]float32, c.Dim)
	for r := range c.Rows {
		for k, v := range c.Row(r) {
			middle[k] += v / float32(c.Rows)
		}
	}
	if point {
		for k := range middle {
			middle[k] -= s.prior.Mean[k]
		}
	}
	return s.prior.Whiten(middle)[:len(s.Whitened[0])]
}

// length of a difference in standard deviations of the model's latents along it.
func (s *Survey) length(delta latent.Code) float64 {
	x := s.coordinates(delta, false)
	return math.Sqrt(dot(x, x))
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// Thumbnail is one picture of a response strip.
type Thumbnail struct {
	Strength float64
	Frame    engine.Frame
}

// StripStrengths are the strengths of a response strip.
var StripStrengths = []float64{-2, -1, 0, 1, 2}

// Strip renders a code with a vector at the strengths of [StripStrengths], the nearest
// to 0 first, for the pictures under a slider. It stops when ctx ends or the loop does:
// cancel it at any input.
func Strip(ctx context.Context, m Model, code, delta latent.Code) iter.Seq2[Thumbnail, error] {
	return func(yield func(Thumbnail, error) bool) {
		for _, i := range []int{2, 3, 1, 4, 0} {
			s := StripStrengths[i]
			f, err := m.Render(ctx, code.AddScaled(float32(s), delta), engine.RenderOptions{})
			if !yield(Thumbnail{s, f}, err) || err != nil {
				return
			}
		}
	}
}
