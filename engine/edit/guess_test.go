package edit_test

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"latentbrush/engine/edit"
)

// A box whose left edge and top are two coordinates: the guess finds both from the
// change of the labels, shrunk a little as a ridge does, and no change gives none.
func TestGuessFindsWhatMoves(t *testing.T) {
	draw := func(a, b float64) *image.Paletted {
		x0, y0 := 16+int(math.Round(6*a)), 16+int(math.Round(6*b))
		return labels(48, 48, func(x, y int) uint8 {
			if x >= x0 && x < x0+12 && y >= y0 && y < y0+12 {
				return 1
			}
			return 0
		})
	}
	r := rand.New(rand.NewPCG(4, 5))
	var maps []*image.Paletted
	var at [][]float64
	for range 800 {
		a, b, idle := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
		a, b = max(-2, min(2, a)), max(-2, min(2, b))
		maps, at = append(maps, draw(a, b)), append(at, []float64{a, b, idle})
	}
	g, err := edit.LearnGuess(maps, at, 2)
	if err != nil {
		t.Fatal(err)
	}
	if g.Axes() != 3 {
		t.Fatalf("%d coordinates, want 3", g.Axes())
	}
	got := g.Coordinates(draw(-0.5, 0.2), draw(0.7, 0.2))
	if got[0] < 0.7 || got[0] > 1.4 || math.Abs(float64(got[1])) > 0.3 || math.Abs(float64(got[2])) > 0.4 {
		t.Errorf("a box moved by 1.2 to the right is guessed as %v, want about (1.2, 0, 0)", got)
	}
	for _, v := range g.Coordinates(draw(0, 0), draw(0, 0)) {
		if v != 0 {
			t.Errorf("no change is guessed as %v", v)
		}
	}
	if _, err := edit.LearnGuess(maps[:1], at[:1], 2); err == nil {
		t.Error("one sample was enough")
	}
	same := []*image.Paletted{draw(0, 0), draw(0, 0)}
	if _, err := edit.LearnGuess(same, at[:2], 2); err == nil {
		t.Error("samples with the same labels were enough")
	}
}

func TestPriorLeading(t *testing.T) {
	p, err := edit.NewPrior(samples(500))
	if err != nil {
		t.Fatal(err)
	}
	if l := p.Leading(1); len(l.Axes) != 1 || l.Deviations[0] != p.Deviations[0] || len(p.Axes) != 2 {
		t.Errorf("%d leading axes with deviation %v, want 1 with %v", len(l.Axes), l.Deviations, p.Deviations[0])
	}
	if p.Leading(0) != p || p.Leading(9) != p {
		t.Error("all axes are not the prior itself")
	}
}
