package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/modeltest"
)

// refining runs a long refinement in a goroutine and counts its steps. Done gives its
// error.
func refining(ctx context.Context, e *engine.Engine, without, with latent.Code) (steps *atomic.Int64, begun <-chan struct{}, done <-chan error) {
	steps = new(atomic.Int64)
	first, end := make(chan struct{}), make(chan error, 1)
	go func() {
		var once sync.Once
		for s, err := range e.Refine(ctx, engine.RefineRequest{Without: without, With: with, Steps: 100_000, Settings: engine.Settings{Flat: -1}}) {
			if err != nil {
				end <- err
				return
			}
			if steps.Add(1); s.Index >= 3 {
				once.Do(func() { close(first) })
			}
		}
		end <- nil
	}()
	return steps, first, end
}

// Whatever a person asks for during a refinement is answered before its next step, the one
// in hand at most coming first.
func TestRefinementGivesWay(t *testing.T) {
	e := open(t, modeltest.Spec{})
	without := e.Sample(1, 1)
	with := without.AddScaled(0.4, e.Sample(2, 1).Sub(without))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	steps, begun, done := refining(ctx, e, without, with)
	select {
	case <-begun:
	case err := <-done:
		t.Fatalf("the refinement ended with %v", err)
	}
	shown := make(chan latent.Code, 1)
	live := e.Live(func(f engine.Frame, err error) {
		if err != nil {
			t.Error(err)
		}
		if !f.Preview {
			shown <- f.Code
		}
	})
	defer live.Close()
	ask := map[string]func(i int){
		"a slider": func(i int) {
			want := without.AddScaled(float32(i)/20, with)
			live.Show(want)
			for got := range shown {
				if got.Distance(want) == 0 {
					return
				}
			}
		},
		"a picture": func(i int) {
			if _, err := e.Render(context.Background(), e.Sample(uint64(i), 1), engine.RenderOptions{Confidence: i%2 == 1}); err != nil {
				t.Error(err)
			}
		},
	}
	for name, input := range ask {
		var waited []int64
		for i := range 15 {
			before := steps.Load()
			input(i)
			waited = append(waited, steps.Load()-before)
		}
		// A goroutine that is held up between counting and asking sees more steps go by, so
		// the median counts. A slider waits by itself until its value stands still.
		slices.Sort(waited)
		if median := waited[len(waited)/2]; name == "a picture" && median > 2 {
			t.Errorf("%s waited for %d steps in the median of %v", name, median, waited)
		}
	}
	if before := steps.Load(); before == 0 || len(done) > 0 {
		t.Fatal("the refinement did not go on")
	}

	// Another edit takes the device as soon as the refinement is called off.
	time.Sleep(time.Millisecond) // somewhere in a step
	runs := engine.StepRuns(e)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a refinement that was called off ended with %v", err)
	}
	if more := engine.StepRuns(e) - runs; more > 2 {
		t.Errorf("%d steps were made after the cancel, want the one in hand and one before the cancel at most", more)
	}
	for _, err := range e.Edit(context.Background(), engine.EditRequest{Start: without, Painted: painted(t, e, without, with), Settings: engine.Settings{Steps: 2}}) {
		if err != nil {
			t.Error(err)
		}
	}
}
