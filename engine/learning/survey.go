package learning

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"latentbrush/engine"
	"latentbrush/engine/directions"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
)

// surveySeed is the first seed of a survey, far from those that people type.
const surveySeed = 1 << 44

// Survey is what a model's own pictures are like: the latents of a sample, statistics of
// their labels, and the bounds within which they lie.
type Survey struct {
	// Whitened coordinates of each sample's w along the leading axes, those that together
	// have all but half a percent of the variance; see [edit.Prior.Whiten]. What varies along the
	// others is hardly seen, and they would be most of what a direction is fitted to.
	Whitened [][]float64
	// Distance is the 99th percentile of [edit.Prior.Distance].
	Distance float64
	// Lowest and Highest area of each class.
	Lowest, Highest []float64

	prior  *edit.Prior
	seeds  []uint64
	values map[string][]float64
}

// NewSurvey renders n samples and measures the statistics of their labels. Progress,
// which may be nil, is called after each.
func NewSurvey(ctx context.Context, m Model, n int, statistics []Statistic, progress func(done, total int)) (*Survey, error) {
	if n < 16 {
		return nil, fmt.Errorf("learning: a survey of %d pictures says nothing, at least 16 expected", n)
	}
	prior, err := m.Prior(ctx)
	if err != nil {
		return nil, err
	}
	classes, leading := len(m.Info().Manifest.Classes), leadingAxes(prior)
	s := &Survey{prior: prior, values: map[string][]float64{}, Lowest: make([]float64, classes), Highest: make([]float64, classes)}
	for c := range s.Lowest {
		s.Lowest[c] = math.Inf(1)
	}
	var distances []float64
	for i := range n {
		seed := uint64(surveySeed + i)
		code := m.Sample(seed, 1)
		f, err := m.Render(ctx, code, engine.RenderOptions{})
		if err != nil {
			return nil, err
		}
		if f.Labels == nil {
			return nil, errors.New("learning: the model has no labels")
		}
		s.seeds = append(s.seeds, seed)
		s.Whitened = append(s.Whitened, whiten(prior, code)[:leading])
		distances = append(distances, prior.Distance(code))
		for c, a := range areas(f.Labels, classes) {
			s.Lowest[c], s.Highest[c] = min(s.Lowest[c], a), max(s.Highest[c], a)
		}
		for _, t := range statistics {
			if len(s.values[t.text]) == i {
				s.values[t.text] = append(s.values[t.text], t.Of(f.Labels))
			}
		}
		if progress != nil {
			progress(i+1, n)
		}
	}
	slices.Sort(distances)
	s.Distance = distances[(len(distances)-1)*99/100]
	return s, nil
}

// varianceKept is the share of w's variance along the leading axes.
const varianceKept = 0.995

// leadingAxes is the number of axes that have [varianceKept].
func leadingAxes(p *edit.Prior) int {
	total, sum := 0.0, 0.0
	for _, d := range p.Deviations {
		total += d * d
	}
	for i, d := range p.Deviations {
		if sum += d * d; sum >= varianceKept*total {
			return i + 1
		}
	}
	return len(p.Deviations)
}

// whiten gives the coordinates of the first row's w about the mean.
func whiten(p *edit.Prior, code latent.Code) []float64 {
	d := slices.Clone(code.Row(0))
	for k := range d {
		d[k] -= p.Mean[k]
	}
	return p.Whiten(d)
}

// unwhiten is the difference of w that has the coordinates x along the first axes, in
// every row.
func unwhiten(p *edit.Prior, x []float64, rows int) latent.Code {
	w := make([]float32, len(p.Mean))
	for j, s := range x {
		for k, v := range p.Axes[j] {
			w[k] += float32(s) * v
		}
	}
	return latent.Broadcast(w, rows)
}

// Values are the statistic's values over the samples; NaN where it has none.
func (s *Survey) Values(t Statistic) ([]float64, error) {
	v, ok := s.values[t.text]
	if !ok {
		return nil, fmt.Errorf("learning: the survey did not measure %q", t.text)
	}
	return v, nil
}

// Extreme is the seed of the sample with the highest value of a statistic, or the
// lowest.
func (s *Survey) Extreme(t Statistic, lowest bool) (uint64, error) {
	values, err := s.Values(t)
	if err != nil {
		return 0, err
	}
	best := -1
	for i, v := range values {
		if !math.IsNaN(v) && (best < 0 || v != values[best] && v < values[best] == lowest) {
			best = i
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("learning: %q has a value in no picture of the survey", t.text)
	}
	return s.seeds[best], nil
}

// Normal is the plane between the samples with the most and the least of a statistic, in
// whitened coordinates. Each side has a fiftieth of the samples, as in InterFaceGAN, or
// 200 of them, if there are so many in the outer thirds.
func (s *Survey) Normal(t Statistic) (directions.Normal, error) {
	x, has, err := s.extremes(t)
	if err != nil {
		return directions.Normal{}, err
	}
	n, err := directions.Separate(x, has, directions.Options{})
	if err != nil {
		return n, fmt.Errorf("learning: %q: %w", t.text, err)
	}
	return n, nil
}

func (s *Survey) extremes(t Statistic) (x [][]float64, has []bool, err error) {
	values, err := s.Values(t)
	if err != nil {
		return nil, nil, err
	}
	low, high := directions.Extremes(values, min(1./3, max(0.02, 200/float64(len(values)))))
	for _, i := range low {
		x, has = append(x, s.Whitened[i]), append(has, false)
	}
	for _, i := range high {
		x, has = append(x, s.Whitened[i]), append(has, true)
	}
	return x, has, nil
}

// ridge of regressions on whitened coordinates, whose mean square is 1.
const ridge = 0.05

// Slope is the direction along which a statistic grows, by regression on all samples but
// the last three tenths, of which the outer thirds are the test: the accuracy with which
// the direction tells much from little.
func (s *Survey) Slope(t Statistic) (direction []float64, accuracy float64, err error) {
	values, err := s.Values(t)
	if err != nil {
		return nil, 0, err
	}
	n := len(values) * 7 / 10
	learnt, _, err := directions.Regress(s.Whitened[:n], values[:n], ridge)
	if err != nil {
		return nil, 0, fmt.Errorf("learning: %q: %w", t.text, err)
	}
	low, high := directions.Extremes(values[n:], 1./3)
	scores := make([]float64, 0, len(low)+len(high))
	for _, side := range [][]int{low, high} {
		for _, i := range side {
			x := 0.0
			for k, v := range s.Whitened[n+i] {
				x += v * learnt[k]
			}
			scores = append(scores, x)
		}
	}
	middle, right := mean(scores), 0
	for i, x := range scores {
		if x > middle == (i >= len(low)) {
			right++
		}
	}
	accuracy = float64(right) / float64(max(1, len(scores)))
	direction, _, err = directions.Regress(s.Whitened, values, ridge)
	return direction, accuracy, err
}

// unusual reports whether a class has an area that the survey did not see, give or take a
// tenth of its range.
func (s *Survey) unusual(areas []float64) bool {
	for c, a := range areas {
		slack := 0.1*(s.Highest[c]-s.Lowest[c]) + 0.002
		if a < s.Lowest[c]-slack || a > s.Highest[c]+slack {
			return true
		}
	}
	return false
}
