package learning

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// mixing are style rows whose channels are mixtures of the components: a rotation of the
// first two by 30°, so that no component is a channel.
func mixing(t *testing.T) []styleRow {
	t.Helper()
	rows := make([]styleRow, 3)
	for r := range rows {
		a := mat.NewDense(toyDim, toyDim, nil)
		for k := range toyDim {
			a.Set(k, k, 1)
		}
		if r == 2 { // the ground's row keeps its own channel
			a.Set(0, 0, 2)
		} else {
			s, c := math.Sincos(math.Pi / 6)
			a.Set(4, 4, c)
			a.Set(4, 5, -s)
			a.Set(5, 4, s)
			a.Set(5, 5, c)
		}
		rows[r].a = a
		if !rows[r].factorise() {
			t.Fatal("not invertible")
		}
	}
	return rows
}

// A vector that widens the block and lightens the ground loses the ground's channel and
// keeps the block's.
func TestLocaliseChannels(t *testing.T) {
	m := &toy{}
	p, err := NewProbe(t.Context(), m, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	delta := latent.New(3, toyDim)
	delta.Row(0)[0], delta.Row(1)[0] = 1.5, 1.5
	delta.Row(2)[0] = 1.2
	delta.Row(1)[4] = 0.4 // does nothing
	width := stat(t, "width(block)")
	steps := 0
	local, c, err := localiseChannels(t.Context(), m, mixing(t), p, delta, []uint8{1}, &width, func(done, total int) { steps = done })
	if err != nil {
		t.Fatal(err)
	}
	if c.Dropped < 1 || c.Before < 5 || c.After > 0.1 || steps != c.Tried {
		t.Errorf("dropped %d of %d after %d steps, leak %.2f → %.2f", c.Dropped, c.Tried, steps, c.Before, c.After)
	}
	if g := local.Row(2)[0]; math.Abs(float64(g)) > 1e-3 {
		t.Errorf("the ground still grows lighter by %g", g)
	}
	if w := local.Row(0)[0]; w < 1.2 || w > 1.8 {
		t.Errorf("the block grows by %g, want about 1.5", w)
	}
	// What is local already stays as it is.
	again, c, err := localiseChannels(t.Context(), m, mixing(t), p, local, []uint8{1}, &width, nil)
	if err != nil || c.Dropped != 0 || again.Sub(local).Norm() != 0 {
		t.Errorf("a second time: %+v, %v", c, err)
	}
}

func TestExplain(t *testing.T) {
	m := &toy{}
	p, err := NewProbe(t.Context(), m, 3, 8)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		row, k int
		by     float32
		want   []string
	}{
		{0, 0, 2, []string{"width(block)", "area(block)"}},
		{1, 0, -2, []string{"-width(block)", "-area(block)"}},
		{0, 1, 1.5, []string{"x(block)"}},
	} {
		delta := latent.New(3, toyDim)
		delta.Row(c.row)[c.k] = c.by
		v := vectors.New("x", modelOf(m), delta)
		v.Classes = classesOf(m, []uint8{1})
		s, err := Explain(t.Context(), m, p, v)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, w := range c.want {
			found = found || s.String() == w
		}
		if !found {
			t.Errorf("component %d of row %d: %q, want one of %q", c.k, c.row, s, c.want)
		}
	}
	nothing := latent.New(3, toyDim)
	nothing.Row(0)[5] = 1
	v := vectors.New("x", modelOf(m), nothing)
	v.Classes = classesOf(m, []uint8{1})
	if s, err := Explain(t.Context(), m, p, v); err == nil {
		t.Errorf("a vector that does nothing is about %q", s)
	}
	v.Learnt.Detail = map[string]string{"statistic": "height(block)"}
	if s, err := Explain(t.Context(), m, p, v); err != nil || s.String() != "height(block)" {
		t.Errorf("the vector's own statistic became %q, %v", s, err)
	}
}
