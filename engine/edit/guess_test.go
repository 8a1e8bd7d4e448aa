package edit_test

import (
	"bytes"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"latentbrush/engine/edit"
	"latentbrush/engine/model/safetensors"
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
	var at [][]float32
	for range 800 {
		a, b, idle := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
		a, b = max(-2, min(2, a)), max(-2, min(2, b))
		maps, at = append(maps, draw(a, b)), append(at, []float32{float32(a), float32(b), float32(idle)})
	}
	p, err := edit.NewPrior(at)
	if err != nil {
		t.Fatal(err)
	}
	g, err := edit.LearnGuess(p, maps, at, 2)
	if err != nil {
		t.Fatal(err)
	}
	got := g.Delta(draw(-0.5, 0.2), draw(0.7, 0.2))
	if got[0] < 0.7 || got[0] > 1.4 || math.Abs(float64(got[1])) > 0.3 || math.Abs(float64(got[2])) > 0.4 {
		t.Errorf("a box moved by 1.2 to the right is guessed as %v, want about (1.2, 0, 0)", got)
	}
	for _, v := range g.Delta(draw(0, 0), draw(0, 0)) {
		if v != 0 {
			t.Errorf("no change is guessed as %v", v)
		}
	}
	// Through its file it says the same, but for the rounding of half precision.
	file := func(change func(map[string]string)) *safetensors.File {
		t.Helper()
		meta, tensors := g.Tensors()
		change(meta)
		var b bytes.Buffer
		if err := safetensors.Write(&b, meta, tensors...); err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.NewFile("guess.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	read, err := edit.ReadGuess(file(func(map[string]string) {}), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range read.Delta(draw(-0.5, 0.2), draw(0.7, 0.2)) {
		if math.Abs(float64(v-got[k])) > 2e-3 {
			t.Errorf("read again, component %d is %v, want %v", k, v, got[k])
		}
	}
	for name, c := range map[string]struct {
		change       func(map[string]string)
		classes, dim int
	}{
		"format":  {func(m map[string]string) { m["format"] = "x" }, 2, 3},
		"version": {func(m map[string]string) { m["version"] = "2" }, 2, 3},
		"grid":    {func(m map[string]string) { m["grid"] = "8" }, 2, 3},
		"classes": {func(map[string]string) {}, 3, 3},
		"dim":     {func(map[string]string) {}, 2, 4},
	} {
		if _, err := edit.ReadGuess(file(c.change), c.classes, c.dim); err == nil || !strings.Contains(err.Error(), "guess.safetensors") {
			t.Errorf("another %s: error %v, want one that names the file", name, err)
		}
	}
	if _, err := edit.LearnGuess(p, maps[:1], at[:1], 2); err == nil {
		t.Error("one sample was enough")
	}
	same := []*image.Paletted{draw(0, 0), draw(0, 0)}
	if _, err := edit.LearnGuess(p, same, at[:2], 2); err == nil {
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

func FuzzReadGuess(f *testing.F) {
	f.Add("latentbrush-guess", "16", 3, 2, 3)
	f.Fuzz(func(t *testing.T, format, grid string, rows, classes, dim int) {
		rows, classes, dim = rows&7+1, classes&3+1, dim&7+1
		var b bytes.Buffer
		if err := safetensors.Write(&b, map[string]string{"format": format, "version": "1", "grid": grid},
			safetensors.Float32("basis", make([]float32, rows*dim), rows, dim),
			safetensors.Float32("weights", make([]float32, rows*2*256), rows, 2*256)); err != nil {
			return
		}
		file, err := safetensors.NewFile("guess.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			return
		}
		_, _ = edit.ReadGuess(file, classes, 3)
	})
}
