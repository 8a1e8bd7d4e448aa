package cli

import (
	"context"
	"testing"

	"latentbrush/assets"
	"latentbrush/engine"
	"latentbrush/engine/ort"
)

// A few steps of refinement of the default model improve on where they begin, and leave less
// of what the vector changed in passing.
func TestRefinementTakesBackLeak(t *testing.T) {
	bundle, err := assets.DefaultModel()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	e, err := engine.Open(ctx, bundle, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	smile, err := smileVector(e)
	if err != nil {
		t.Fatal(err)
	}
	without := e.Sample(3, 0.7)
	var first, final engine.Step
	for s, err := range e.Refine(ctx, engine.RefineRequest{Without: without, With: without.Add(smile), Steps: 8}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Index == 0 {
			first = s
		}
		final = s
	}
	if final.Best < 6 {
		t.Errorf("the best of 8 steps is number %d, want one of the last", final.Best)
	}
	if final.Leak.Mean > 0.98*first.Leak.Mean || final.Agreement < 0.97 {
		t.Errorf("leak %.3f → %.3f levels and agreement %.3f, want less leak and nearly the same labels", first.Leak.Mean, final.Leak.Mean, final.Agreement)
	}
}
