package optim_test

import (
	"math"
	"testing"

	"latentbrush/engine/optim"
)

// The first three iterates of Adam on f(x) = x², worked out from the published
// algorithm in exact arithmetic: the first step always has length rate.
func TestAdamIterates(t *testing.T) {
	a := optim.NewAdam(1, 0.1)
	x := []float32{1}
	m, v, want := 0.0, 0.0, 1.0
	for k := 1; k <= 3; k++ {
		g := 2 * want
		m = 0.9*m + 0.1*g
		v = 0.999*v + 0.001*g*g
		want -= 0.1 * (m / (1 - math.Pow(0.9, float64(k)))) / (math.Sqrt(v/(1-math.Pow(0.999, float64(k)))) + 1e-8)
		if err := a.Step(x, []float32{2 * x[0]}, 1); err != nil {
			t.Fatal(err)
		}
		if math.Abs(float64(x[0])-want) > 1e-6 {
			t.Errorf("iterate %d is %v, want %v", k, x[0], want)
		}
	}
}

func TestAdamConvergesOnBadlyScaledBowl(t *testing.T) {
	scale := []float64{1e-2, 1, 1e3}
	x := []float32{3, -2, 1}
	a := optim.NewAdam(3, 0.05)
	for k := range 600 {
		g := make([]float32, 3)
		for i := range g {
			g[i] = float32(2 * scale[i] * float64(x[i]))
		}
		if err := a.Step(x, g, optim.CosineFall(float64(k)/600)); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range x {
		if math.Abs(float64(v)) > 1e-2 {
			t.Errorf("variable %d ended at %v, want 0 ± 0.01", i, v)
		}
	}
}

func TestAdamRefusesBrokenGradient(t *testing.T) {
	a := optim.NewAdam(2, 0.1)
	x := []float32{1, 2}
	if err := a.Step(x, []float32{1, float32(math.NaN())}, 1); err == nil {
		t.Error("NaN gradient accepted")
	}
	if x[0] != 1 || x[1] != 2 {
		t.Errorf("a refused gradient moved the variables to %v", x)
	}
	// What comes next is still the first step, which has the length of the rate.
	if err := a.Step(x, []float32{5, -5}, 1); err != nil || math.Abs(float64(x[0])-0.9) > 1e-6 || math.Abs(float64(x[1])-2.1) > 1e-6 {
		t.Errorf("the step after a refused gradient went to %v, %v, want [0.9 2.1]", x, err)
	}
}

func TestCosineRamps(t *testing.T) {
	for _, c := range []struct{ at, want float64 }{{0, 0}, {0.025, 0.5}, {0.05, 1}, {0.5, 1}, {0.75, 1}, {0.875, 0.5}, {1, 0}} {
		if got := optim.CosineRamps(c.at); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("CosineRamps(%v) = %v, want %v", c.at, got, c.want)
		}
	}
}
