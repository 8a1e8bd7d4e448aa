package graph_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"latentbrush/engine/graph"
)

// TestDeferred: a weight that is read when the model is written gives the same model as one that is held.
func TestDeferred(t *testing.T) {
	const c = 256 // large enough not to be kept
	weight := random(rand.New(rand.NewPCG(1, 1)), -1, 1, c, c, 1, 1).floats()
	reads := 0
	build := func(deferred bool) []byte {
		g := graph.New("deferred")
		x := g.Input("x", 1, c, 4, 4)
		w := func() *graph.Value {
			if !deferred {
				return g.Const("w", weight, c, c, 1, 1)
			}
			return g.Deferred(&weight, "w", func() ([]float32, error) { reads++; return weight, nil }, c, c, 1, 1)
		}
		y := g.Conv(g.Conv(x, w(), nil, graph.ConvOptions{}), w(), nil, graph.ConvOptions{})
		d, err := graph.Gradient(g.Sum(y), x)
		if err != nil {
			t.Fatal(err)
		}
		g.Output("y", y)
		g.Output("d", d[0])
		if deferred && reads != 0 {
			t.Errorf("read %d times while building", reads)
		}
		if _, err := g.Model("y"); err != nil {
			t.Fatal(err)
		}
		model, err := g.Model()
		if err != nil {
			t.Fatal(err)
		}
		return model
	}
	if !bytes.Equal(build(false), build(true)) {
		t.Error("the models differ")
	}
	if reads < 2 {
		t.Errorf("read %d times for two models: the weight was kept", reads)
	}
}

func TestDeferredError(t *testing.T) {
	gone := errors.New("the file is gone")
	g := graph.New("deferred")
	g.Output("y", g.Add(g.Input("x", 2, 3), g.Deferred(g, "w", func() ([]float32, error) { return nil, gone }, 2, 3)))
	if _, err := g.Model(); !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
}
