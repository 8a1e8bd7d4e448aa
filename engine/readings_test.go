package engine_test

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/ort"
)

// looking is the small test model with a network of readings, which is its identity
// network, too.
func looking(t *testing.T) *engine.Engine {
	t.Helper()
	file, err := os.ReadFile("loss/testdata/readings.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	c := modeltest.Contents(modeltest.Spec{})
	if c.Files == nil {
		c.Files = map[string][]byte{}
	}
	c.Files["readings.safetensors"], c.Files["identity.safetensors"] = file, file
	m, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenModel(context.Background(), m, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestReadings(t *testing.T) {
	ctx := context.Background()
	e := looking(t)
	var all [2][]engine.Reading
	for i := range all {
		f, err := e.Render(ctx, e.Sample(uint64(i), 1), engine.RenderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if all[i], err = e.Readings(ctx, f.Picture); err != nil {
			t.Fatal(err)
		}
	}
	if len(all[0]) != 6 || all[0][0].Name != "r0" || all[0][0].R2 != 0.9 || all[0][0].Value == all[1][0].Value {
		t.Errorf("readings are %+v and %+v", all[0], all[1])
	}
	if same, other := e.SamePerson(all[0], all[0]), e.SamePerson(all[0], all[1]); math.Abs(same-1) > 1e-6 || other >= same {
		t.Errorf("one picture is itself by %v and another by %v", same, other)
	}
	none := open(t, modeltest.Spec{})
	f, err := none.Render(ctx, none.Sample(1, 1), engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Readings(ctx, f.Picture); !errors.Is(err, engine.ErrNoReadings) {
		t.Errorf("a model without readings gives %v", err)
	}
}

// The identity term of the step graph: zero at the origin, and its gradient is the slope
// of the loss.
func TestIdentityTerm(t *testing.T) {
	ctx := context.Background()
	e := looking(t)
	if e.Info().IdentityTerm != "small" {
		t.Errorf("identity term is called %q", e.Info().IdentityTerm)
	}
	start := e.Sample(1, 1)
	want := painted(t, e, start, e.Sample(2, 1))
	evaluate := func(weight float64) func(latent.Code) (float64, float64, latent.Code) {
		ev, err := engine.NewEvaluator(ctx, e, start, want, 0, 0, weight)
		if err != nil {
			t.Fatal(err)
		}
		return func(c latent.Code) (float64, float64, latent.Code) {
			v, err := ev.Evaluate(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			return v.Loss, v.Terms.Identity, v.Gradient.Clone()
		}
	}
	at := start.AddScaled(0.5, e.Sample(4, 1).Sub(start))
	// At weight 0 there is no such term, and asking for it brings it.
	plain := evaluate(0)
	without, none, g0 := plain(at)
	if none != 0 {
		t.Errorf("without a weight the identity changes by %v", none)
	}
	heavy := evaluate(20)
	if _, id, _ := heavy(start); math.Abs(id) > 1e-6 {
		t.Errorf("the identity changes by %v at the origin", id)
	}
	with, id, g1 := heavy(at)
	if id <= 1e-4 || math.Abs(with-without-20*id) > 1e-4*with {
		t.Errorf("loss %v with the term of %v at weight 20, %v without", with, id, without)
	}
	direction := g1.Sub(g0) // the term's own gradient
	direction = direction.Scale(float32(1 / direction.Norm()))
	const h = 0.002 // small, as the networks are made of straight pieces
	_, up, _ := heavy(at.AddScaled(h, direction))
	_, down, _ := heavy(at.AddScaled(-h, direction))
	slope := 0.0
	for i, v := range g1.Sub(g0).Data {
		slope += float64(v) * float64(direction.Data[i])
	}
	if got := 20 * (up - down) / (2 * h); math.Abs(got-slope) > 0.03*slope {
		t.Errorf("the term's slope is %v, its gradient says %v", got, slope)
	}
}
