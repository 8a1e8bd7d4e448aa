package directions

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// planted draws examples whose property is the side of a plane through offset, and
// returns the plane's unit normal.
func planted(n, dim int, offset float64) (x [][]float64, has []bool, normal []float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	normal = make([]float64, dim)
	for k := range normal {
		normal[k] = rng.NormFloat64()
	}
	length := math.Sqrt(dot(normal, normal))
	for k := range normal {
		normal[k] /= length
	}
	for range n {
		e := make([]float64, dim)
		for k := range e {
			e[k] = rng.NormFloat64()
		}
		x, has = append(x, e), append(has, dot(e, normal) > offset)
	}
	return x, has, normal
}

func TestSeparateFindsAPlane(t *testing.T) {
	x, has, normal := planted(2000, 20, 0.3)
	n, err := Separate(x, has, Options{C: 1})
	if err != nil {
		t.Fatal(err)
	}
	if c := dot(n.Direction, normal); c < 0.995 {
		t.Errorf("cosine with the planted normal is %.4f", c)
	}
	if math.Abs(n.Bias+0.3) > 0.05 {
		t.Errorf("bias is %.3f, want -0.3", n.Bias)
	}
	if n.Accuracy < 0.97 || n.Tested != 600 && n.Tested != 599 {
		t.Errorf("accuracy %.3f on %d examples", n.Accuracy, n.Tested)
	}
	again, err := Separate(x, has, Options{C: 1})
	if err != nil || again.Bias != n.Bias {
		t.Errorf("the same seed gave bias %v and %v (%v)", n.Bias, again.Bias, err)
	}
}

// Two points have a closed form: the plane in the middle, the normal between them.
func TestSeparateTwoPoints(t *testing.T) {
	n, err := Separate([][]float64{{3, 4}, {-3, -4}}, []bool{true, false}, Options{C: 1e6, Tolerance: 1e-9, Passes: 10000})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(n.Direction[0]-0.6) > 1e-6 || math.Abs(n.Direction[1]-0.8) > 1e-6 || math.Abs(n.Bias) > 1e-6 {
		t.Errorf("normal %v, bias %v; want (0.6, 0.8) and 0", n.Direction, n.Bias)
	}
}

func TestSeparateRefuses(t *testing.T) {
	if _, err := Separate([][]float64{{1}, {2}}, []bool{true, true}, Options{}); !errors.Is(err, ErrOneSided) {
		t.Errorf("error %v", err)
	}
	for _, x := range [][][]float64{{{1}, {1, 2}}, {{1}, {math.NaN()}}, {{}, {}}, {{1}}} {
		if n, err := Separate(x, []bool{true, false}, Options{}); err == nil {
			t.Errorf("%v gave %v", x, n)
		}
	}
}

func TestConditionLeavesTheOthersAlone(t *testing.T) {
	x, _, d := planted(4, 9, 0)
	x = append(x, x[0]) // dependent conditions are no trouble
	got, err := Condition(d, x...)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range x {
		if s := dot(got, o); math.Abs(s) > 1e-12 {
			t.Errorf("%g along condition %d", s, i)
		}
	}
	if l := dot(got, got); math.Abs(l-1) > 1e-12 {
		t.Errorf("length² %g", l)
	}
	if _, err := Condition(x[0], x[1], x[0]); !errors.Is(err, ErrNothingLeft) {
		t.Errorf("error %v", err)
	}
}

func TestFactorise(t *testing.T) {
	// Rows 3·e₁, 4·e₁ and 2·e₀ have singular values 5 and 2.
	axes, err := Factorise([][]float32{{0, 3, 0}, {0, -4, 0}, {2, 0, 0}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(axes[0].Gain-5) > 1e-12 || math.Abs(axes[0].Direction[1]-1) > 1e-12 || math.Abs(axes[1].Gain-2) > 1e-12 || math.Abs(axes[1].Direction[0]-1) > 1e-12 {
		t.Errorf("axes %v", axes)
	}
}

func TestExtremes(t *testing.T) {
	low, high := Extremes([]float64{5, math.NaN(), 1, 4, 2, 3}, 0.4)
	if len(low) != 2 || low[0] != 2 || low[1] != 4 || len(high) != 2 || high[0] != 3 || high[1] != 0 {
		t.Errorf("low %v, high %v", low, high)
	}
}

// Two properties add up in the value; the regression tells one from the other exactly.
func TestRegressOnALinearValue(t *testing.T) {
	x, _, normal := planted(400, 8, 0)
	values := make([]float64, len(x))
	for i := range x {
		values[i] = 7 + 3*dot(x[i], normal)
	}
	values[5] = math.NaN()
	got, explained, err := Regress(x, values, 1e-9)
	if err != nil {
		t.Fatal(err)
	}
	if c := dot(got, normal); c < 0.999 || explained < 0.98 {
		t.Errorf("cosine %.4f, explained %.4f", c, explained)
	}
	for _, bad := range [][]float64{nil, {1}, {math.NaN(), math.NaN()}, {2, 2}} {
		if _, _, err := Regress([][]float64{{1}, {2}}, bad, 0.1); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
