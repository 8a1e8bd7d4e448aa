package latent

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawCode(t *rapid.T, label string, rows, dim int) Code {
	c := New(rows, dim)
	for i := range c.Data {
		c.Data[i] = float32(rapid.IntRange(-64, 64).Draw(t, label)) / 16
	}
	return c
}

func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, dim := rapid.IntRange(1, 4).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "dim")
		a, b := drawCode(t, "a", rows, dim), drawCode(t, "b", rows, dim)
		// Sixteenths below 2⁸ add without rounding, so equality is exact.
		if d := a.Add(b).Sub(b).Distance(a); d != 0 {
			t.Fatalf("a + b − b is %g from a", d)
		}
		if d := a.AddScaled(2, b).Distance(a.Add(b.Scale(2))); d != 0 {
			t.Fatalf("a + 2b differs by %g", d)
		}
		if d := a.Lerp(b, 1).Distance(b); d != 0 {
			t.Fatalf("lerp at 1 is %g from b", d)
		}
		if got, want := a.Distance(b), a.Sub(b).Norm(); math.Abs(got-want) > 1e-9 {
			t.Fatalf("distance %g, norm of the difference %g", got, want)
		}
		if c := a.Cosine(b); c < -1-1e-9 || c > 1+1e-9 {
			t.Fatalf("cosine %g", c)
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	a := Broadcast([]float32{1, 2}, 3)
	b := a.Clone()
	b.Row(1)[0] = 9
	if a.Data[2] != 1 || b.Data[2] != 9 {
		t.Fatalf("after writing the clone: a %v, b %v", a.Data, b.Data)
	}
	if a.Norm() != math.Sqrt(15) {
		t.Errorf("norm %g, want √15", a.Norm())
	}
}

func TestCheck(t *testing.T) {
	c := New(2, 3)
	if err := c.Check(2, 3); err != nil {
		t.Error(err)
	}
	if err := c.Check(3, 2); !errors.Is(err, ErrSize) {
		t.Errorf("3 × 2: %v", err)
	}
	c.Data[4] = float32(math.NaN())
	if err := c.Check(2, 3); err == nil {
		t.Error("NaN accepted")
	}
	if _, err := FromSlice(2, 3, make([]float32, 5)); !errors.Is(err, ErrSize) {
		t.Errorf("short data: %v", err)
	}
}

// TestZIsFixed pins the numbers behind saved seeds; they agree with the formula
// evaluated in Python.
func TestZIsFixed(t *testing.T) {
	want := []float32{-0.117917664, -0.16215838, 0.21280307, -1.2488827, -1.4427198}
	got := Z(7, 5)
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Fatalf("Z(7, 5) = %v, want %v", got, want)
		}
	}
	long := Z(7, 6)
	for i := range got {
		if long[i] != got[i] {
			t.Fatalf("a longer z begins differently: %v, %v", long, got)
		}
	}
}

func TestZIsNormal(t *testing.T) {
	const n = 200000
	var sum, squares, fourth float64
	for _, v := range Z(1, n) {
		x := float64(v)
		sum += x
		squares += x * x
		fourth += x * x * x * x
	}
	if m := sum / n; math.Abs(m) > 0.01 {
		t.Errorf("mean %g", m)
	}
	if v := squares / n; math.Abs(v-1) > 0.02 {
		t.Errorf("variance %g", v)
	}
	if k := fourth / n; math.Abs(k-3) > 0.1 {
		t.Errorf("fourth moment %g, want 3", k)
	}
}
