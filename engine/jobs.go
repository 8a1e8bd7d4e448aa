package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/optim"
)

// DefaultSettings are the settings that zero values stand for. They are what won on
// the fixed set of edits; docs/performance.md has the figures.
func DefaultSettings() Settings {
	return Settings{
		Search: SearchShared, Steps: 100, Rate: 0.08,
		PictureWeight: 30, PerceptualWeight: 1, Prior: 0.5,
		Agreement: -1, Flat: 20, PreviewEvery: 100 * time.Millisecond,
	}
}

// DefaultRefinement are the settings that zero values of a [RefineRequest] stand for. A
// refinement begins where its labels agree already, so it takes steps an eighth as long as
// an edit's, which a longer one would only leave; and it holds the picture five times as
// firmly, because to bring it back is what it is for.
func DefaultRefinement() Settings {
	s := DefaultSettings()
	s.Search, s.Steps, s.Rate, s.PictureWeight = SearchPerRow, 30, 0.01, 150
	return s
}

// flatShare is the fall of the loss, as a share of it, that counts as progress.
const flatShare = 2e-3

// filled puts the numbers of d in the place of zero values.
func (s Settings) filled(d Settings) Settings {
	if s.Search == SearchDefault {
		s.Search = d.Search
	}
	if s.Steps == 0 {
		s.Steps = d.Steps
	}
	if s.PreviewEvery == 0 {
		s.PreviewEvery = d.PreviewEvery
	}
	if s.Flat == 0 {
		s.Flat = d.Flat
	}
	for _, f := range []struct {
		value    *float64
		standard float64
	}{{&s.Rate, d.Rate}, {&s.PictureWeight, d.PictureWeight}, {&s.PerceptualWeight, d.PerceptualWeight}, {&s.Prior, d.Prior}, {&s.IdentityWeight, d.IdentityWeight}, {&s.Agreement, d.Agreement}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
		*f.value = max(0, *f.value)
	}
	s.Flat, s.Coarse = max(0, s.Flat), max(0, s.Coarse)
	return s
}

// stages are the spaces and steps of filled settings. The guess is a change of w to begin
// at, or nil.
func (e *Engine) stages(ctx context.Context, s Settings, guess []float32) ([]edit.Stage, error) {
	if s.Search == SearchFree {
		return s.arranged(edit.Stage{Space: edit.Free(e.info.Rows, e.info.Dim), Steps: s.Steps}), nil
	}
	if s.Search == SearchSubspace {
		space, err := edit.Spanned(s.Directions)
		if err != nil {
			return nil, err
		}
		if d := s.Directions[0]; d.Rows != e.info.Rows || d.Dim != e.info.Dim {
			return nil, fmt.Errorf("edit: directions are %d×%d, want %d×%d as the model's codes", d.Rows, d.Dim, e.info.Rows, e.info.Dim)
		}
		return s.arranged(edit.Stage{Space: space, Steps: s.Steps}), nil
	}
	p, err := e.Prior(ctx)
	if err != nil {
		return nil, err
	}
	p = p.Leading(s.Axes)
	shared := edit.Stage{Space: edit.Shared(p, e.info.Rows), Steps: s.Steps}
	if guess != nil {
		for _, v := range p.Whiten(guess) {
			shared.Begin = append(shared.Begin, float32(v))
		}
	}
	switch s.Search {
	case SearchShared:
		return s.arranged(shared), nil
	case SearchPerRow:
		space, err := edit.PerRow(p, e.info.Rows, s.Rows)
		if err != nil {
			return nil, err
		}
		stage := edit.Stage{Space: space, Steps: s.Steps}
		if shared.Begin != nil {
			for range space.Size() / len(p.Axes) {
				stage.Begin = append(stage.Begin, shared.Begin...)
			}
		}
		return s.arranged(stage), nil
	case SearchTwoStage:
		rows := s.Rows
		if rows == nil {
			rows = e.ShapeRows()
		}
		space, err := edit.PerRow(p, e.info.Rows, rows)
		shared.Steps = s.Steps * 3 / 5
		return s.arranged(shared, edit.Stage{Space: space, Steps: s.Steps - shared.Steps}), err
	}
	return nil, fmt.Errorf("edit: there is no search called %q", s.Search)
}

// arranged gives the stages their rate, and makes the first steps of the first one
// coarse.
func (s Settings) arranged(stages ...edit.Stage) []edit.Stage {
	if n := min(s.Coarse, stages[0].Steps); n > 0 {
		rest := stages[0]
		stages[0].Steps, stages[0].Coarse = n, true
		rest.Steps, rest.Begin, rest.Continue = rest.Steps-n, nil, true
		stages = slices.Insert(stages, 1, rest)
	}
	total, before := 0, 0
	for _, g := range stages {
		total += g.Steps
	}
	for i := range stages {
		stages[i].Rate = s.Rate
		if s.Fall {
			from, share := float64(before)/float64(total), float64(stages[i].Steps)/float64(total)
			stages[i].Schedule = func(t float64) float64 { return optim.CosineFall(from + share*t) }
		}
		before += stages[i].Steps
	}
	return stages
}

// ShapeRows are the rows that carry shape more than colour: those of the layers up to
// 16².
func (e *Engine) ShapeRows() []int {
	rows := make([]int, min(5, e.info.Rows))
	for r := range rows {
		rows[r] = r
	}
	return rows
}

// Warm builds what the first edit needs, so that it begins at once. The device does it
// between other requests.
func (e *Engine) Warm(ctx context.Context) error {
	if e.head == nil {
		return nil
	}
	release, err := e.begun(ctx)
	if err != nil {
		return err
	}
	defer release()
	mean := latent.Broadcast(e.generator.Mean(), e.info.Rows)
	j, err := e.begin(ctx, mean, Settings{})
	if err != nil {
		return err
	}
	if _, err := j.Evaluate(ctx, mean); err != nil {
		return err
	}
	_, err = e.Prior(ctx)
	return err
}

// begun takes the job token; the release gives it back.
func (e *Engine) begun(ctx context.Context) (release func(), err error) {
	select {
	case e.job <- struct{}{}:
		return func() { <-e.job }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.queue.quit:
		return nil, ErrClosed
	}
}

// Edit optimises a code until its labels are the painted ones. Cancel with ctx or by
// ending the loop; to pause, end the loop and ask again with Start at the last step's
// code and Origin at the first.
func (e *Engine) Edit(ctx context.Context, r EditRequest) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		e.run(ctx, yield, func() (*job, edit.Problem, Settings, error) {
			if r.Painted == nil {
				return nil, edit.Problem{}, r.Settings, errors.New("edit: painted labels are missing")
			}
			origin := r.Origin
			if origin.Empty() {
				origin = r.Start
			}
			s := r.Settings.filled(DefaultSettings())
			return e.prepare(ctx, r, origin, s)
		})
	}
}

func (e *Engine) prepare(ctx context.Context, r EditRequest, origin latent.Code, s Settings) (*job, edit.Problem, Settings, error) {
	var p edit.Problem
	if err := r.Start.Check(e.info.Rows, e.info.Dim); err != nil {
		return nil, p, s, fmt.Errorf("edit: start: %w", err)
	}
	if err := origin.Check(e.info.Rows, e.info.Dim); err != nil {
		return nil, p, s, fmt.Errorf("edit: origin: %w", err)
	}
	if size := r.Painted.Rect.Size(); size.X != e.info.Width || size.Y != e.info.Height {
		return nil, p, s, fmt.Errorf("edit: painted labels are %d×%d, want %d×%d as the model's pictures", size.X, size.Y, e.info.Width, e.info.Height)
	}
	j, err := e.begin(ctx, origin, s)
	if err != nil {
		return nil, p, s, err
	}
	region, err := edit.Region(j.origin.Labels, r.Painted, r.Region)
	if err != nil {
		return nil, p, s, err
	}
	p = edit.Problem{
		Start: r.Start, Base: j.origin.Labels,
		Painted: r.Painted, Region: region, Classes: len(e.info.Manifest.Classes),
	}
	if !s.NoGuess && slices.Equal(origin.Data, r.Start.Data) {
		j.guess = e.guessed(j.origin.Labels, r.Painted)
	}
	if s.Coarse > 0 || !slices.Equal(origin.Data, r.Start.Data) {
		p.Before = j.origin.Picture
	}
	return j, p, s, j.aim(ctx, r.Painted, region, r.Free, s)
}

// Refine makes the self-supervised steps of EditGAN after vectors were added.
func (e *Engine) Refine(ctx context.Context, r RefineRequest) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		e.run(ctx, yield, func() (*job, edit.Problem, Settings, error) {
			var p edit.Problem
			s := r.Settings
			s.Steps = r.Steps
			s = s.filled(DefaultRefinement())
			if err := r.Without.Check(e.info.Rows, e.info.Dim); err != nil {
				return nil, p, s, fmt.Errorf("refine: code without the vectors: %w", err)
			}
			if err := r.With.Check(e.info.Rows, e.info.Dim); err != nil {
				return nil, p, s, fmt.Errorf("refine: code with the vectors: %w", err)
			}
			j, err := e.begin(ctx, r.Without, s)
			if err != nil {
				return nil, p, s, err
			}
			after, err := e.Render(ctx, r.With, RenderOptions{})
			if err != nil {
				return nil, p, s, err
			}
			target := after.Labels
			region, err := edit.ClassRegion(j.origin.Labels, target, r.Classes, -1)
			if len(r.Classes) == 0 {
				region, err = edit.Region(j.origin.Labels, target, edit.RegionOptions{Dilation: -1})
			}
			if err != nil {
				return nil, p, s, fmt.Errorf("refine: %w", err)
			}
			p = edit.Problem{
				Start: r.With, Before: j.origin.Picture, Base: j.origin.Labels,
				Painted: target, Region: region, Classes: len(e.info.Manifest.Classes),
			}
			return j, p, s, j.aim(ctx, target, region, nil, s)
		})
	}
}

// run holds the job token over a whole optimisation.
func (e *Engine) run(ctx context.Context, yield func(Step, error) bool, prepare func() (*job, edit.Problem, Settings, error)) {
	release, err := e.begun(ctx)
	if err != nil {
		yield(Step{}, err)
		return
	}
	defer release()
	j, problem, s, err := prepare()
	var stages []edit.Stage
	if err == nil {
		stages, err = e.stages(ctx, s, j.guess)
	}
	if err != nil {
		yield(Step{}, err)
		return
	}
	for step, err := range edit.Run(ctx, j, problem, edit.Options{
		Stages: stages, Prior: s.Prior, Agreement: s.Agreement, Flat: s.Flat, FlatShare: flatShare, PreviewEvery: s.PreviewEvery,
	}) {
		if !yield(step, err) || err != nil {
			return
		}
	}
}
