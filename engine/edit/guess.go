package edit

import (
	"errors"
	"fmt"
	"image"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"latentbrush/engine/model/safetensors"
)

// Guess is a linear map from a change of labels to a change of w: the best answer that
// one look at the mask gives, before any optimisation. It is learnt by ridge regression
// from a model's own pictures, whose labels and latents are known, and stands in the place
// of a network that answers feed-forward, such as MaskGAN's (Lee et al., CVPR 2020).
//
// Labels are described by the share of each class in each cell of a coarse grid, so the
// map sees where parts are and how large, and little noise.
type Guess struct {
	classes int
	// basis holds the directions of w that the answer is made of, [n][dim], and weights how
	// much of each a change of a feature asks for, [n, features].
	basis   [][]float32
	weights *mat.Dense
}

// guessGrid is the number of cells across and down.
const guessGrid = 16

// guessAxes is how many of the leading axes an answer is made of; further ones hardly show
// in the labels.
const guessAxes = 64

// guessRidge is the ridge as a share of the mean diagonal of the samples' products.
const guessRidge = 0.3

// LearnGuess fits a Guess to label maps of one size and the w, each [dim], whose labels they
// are. Classes is the number of class ids.
func LearnGuess(p *Prior, labels []*image.Paletted, w [][]float32, classes int) (*Guess, error) {
	n := len(labels)
	if n < 2 || len(w) != n {
		return nil, fmt.Errorf("edit: a guess needs at least 2 samples and the w of each, got %d and %d", n, len(w))
	}
	p = p.Leading(guessAxes)
	features := classes * guessGrid * guessGrid
	x, y := mat.NewDense(n, features, nil), mat.NewDense(n, len(p.Axes), nil)
	difference := make([]float32, len(p.Mean))
	mean := make([]float64, features)
	for i, m := range labels {
		row := x.RawRowView(i)
		describe(row, m, classes)
		for k, v := range row {
			mean[k] += v / float64(n)
		}
		if len(w[i]) != len(difference) {
			return nil, fmt.Errorf("edit: sample %d of w has %d numbers, want %d", i, len(w[i]), len(difference))
		}
		for k, v := range w[i] {
			difference[k] = v - p.Mean[k]
		}
		y.SetRow(i, p.Whiten(difference))
	}
	for i := range n {
		row := x.RawRowView(i)
		for k, v := range mean {
			row[k] -= v
		}
	}
	// There are fewer samples than features, so the products of samples are inverted:
	// A = Yᵀ (X·Xᵀ + λ)⁻¹ X.
	var products mat.SymDense
	products.SymOuterK(1, x)
	ridge := guessRidge * mat.Trace(&products) / float64(n)
	if !(ridge > 0) {
		return nil, errors.New("edit: all samples of a guess have the same labels")
	}
	for i := range n {
		products.SetSym(i, i, products.At(i, i)+ridge)
	}
	var factor mat.Cholesky
	if !factor.Factorize(&products) {
		return nil, errors.New("edit: the samples of a guess cannot be inverted")
	}
	var solved mat.Dense
	if err := factor.SolveTo(&solved, y); err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	g := &Guess{classes: classes, basis: p.Axes, weights: &mat.Dense{}}
	g.weights.Mul(solved.T(), x)
	return g, nil
}

// Delta is the change of w, [dim], that the change of labels asks for. The maps have one
// size.
func (g *Guess) Delta(base, painted *image.Paletted) []float32 {
	_, features := g.weights.Dims()
	a, b := make([]float64, features), make([]float64, features)
	describe(a, base, g.classes)
	describe(b, painted, g.classes)
	for k, v := range a {
		b[k] -= v
	}
	var x mat.VecDense
	x.MulVec(g.weights, mat.NewVecDense(len(b), b))
	out := make([]float32, len(g.basis[0]))
	for j, axis := range g.basis {
		f := float32(x.AtVec(j))
		for k, v := range axis {
			out[k] += f * v
		}
	}
	return out
}

// Limits of a guess's file.
const (
	maxGuessAxes = 4096
	maxGuessDim  = 4096
)

// Tensors are the guess's file: metadata and tensors, in the format that the package
// comment of latentbrush/engine/model describes.
func (g *Guess) Tensors() (map[string]string, []safetensors.Tensor) {
	n, features := g.weights.Dims()
	dim := len(g.basis[0])
	basis, weights := make([]float32, 0, n*dim), make([]float32, 0, n*features)
	for j, axis := range g.basis {
		basis = append(basis, axis...)
		for _, v := range g.weights.RawRowView(j) {
			weights = append(weights, float32(v))
		}
	}
	return map[string]string{"format": "latentbrush-guess", "version": "1", "grid": strconv.Itoa(guessGrid)},
		[]safetensors.Tensor{safetensors.Float32("basis", basis, n, dim), safetensors.Float16("weights", weights, n, features)}
}

// ReadGuess reads a guess for a model with the given number of classes and length of w.
func ReadGuess(f *safetensors.File, classes, dim int) (*Guess, error) {
	fail := func(format string, args ...any) (*Guess, error) {
		return nil, fmt.Errorf("edit: %s: "+format, append([]any{f.Name()}, args...)...)
	}
	m := f.Metadata()
	if m["format"] != "latentbrush-guess" || m["version"] != "1" {
		return fail("format is %.40q version %.40q, want \"latentbrush-guess\" version \"1\"", m["format"], m["version"])
	}
	if m["grid"] != strconv.Itoa(guessGrid) {
		return fail("grid is %.40q, want \"%d\"", m["grid"], guessGrid)
	}
	info, ok := f.Info("basis")
	if !ok || len(info.Shape) != 2 || info.Shape[0] < 1 || info.Shape[0] > maxGuessAxes || info.Shape[1] != dim || dim > maxGuessDim {
		return fail("tensor basis: want a shape [1 to %d, %d]", maxGuessAxes, dim)
	}
	n, features := info.Shape[0], classes*guessGrid*guessGrid
	basis, err := f.Float32s("basis", n, dim)
	if err != nil {
		return nil, err
	}
	weights, err := f.Float32s("weights", n, features)
	if err != nil {
		return nil, err
	}
	g := &Guess{classes: classes, weights: mat.NewDense(n, features, nil)}
	for j := range n {
		g.basis = append(g.basis, basis[j*dim:(j+1)*dim])
		for k, v := range weights[j*features : (j+1)*features] {
			g.weights.Set(j, k, float64(v))
		}
	}
	return g, nil
}

// describe fills out with the share of every class in every cell, in units of a cell.
func describe(out []float64, m *image.Paletted, classes int) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	unit := float64(guessGrid*guessGrid) / float64(w*h)
	for y := range h {
		row := y * guessGrid / h * guessGrid
		for x := range w {
			if c := int(m.Pix[y*m.Stride+x]); c < classes {
				out[c*guessGrid*guessGrid+row+x*guessGrid/w] += unit
			}
		}
	}
}
