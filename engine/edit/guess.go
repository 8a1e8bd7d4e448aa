package edit

import (
	"errors"
	"fmt"
	"image"

	"gonum.org/v1/gonum/mat"
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
	weights *mat.Dense // [axes, features]
}

// guessGrid is the number of cells across and down.
const guessGrid = 16

// guessRidge is the ridge as a share of the mean diagonal of the samples' products.
const guessRidge = 0.3

// LearnGuess fits a Guess to label maps of one size and the whitened coordinates of
// their latents. Classes is the number of class ids.
func LearnGuess(labels []*image.Paletted, coordinates [][]float64, classes int) (*Guess, error) {
	n := len(labels)
	if n < 2 || len(coordinates) != n {
		return nil, fmt.Errorf("edit: a guess needs at least 2 samples with as many coordinates, got %d and %d", n, len(coordinates))
	}
	features := classes * guessGrid * guessGrid
	x, y := mat.NewDense(n, features, nil), mat.NewDense(n, len(coordinates[0]), nil)
	mean := make([]float64, features)
	for i, m := range labels {
		row := x.RawRowView(i)
		describe(row, m, classes)
		for k, v := range row {
			mean[k] += v / float64(n)
		}
		if len(coordinates[i]) != len(coordinates[0]) {
			return nil, fmt.Errorf("edit: sample %d has %d coordinates, want %d", i, len(coordinates[i]), len(coordinates[0]))
		}
		y.SetRow(i, coordinates[i])
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
	g := &Guess{classes: classes, weights: &mat.Dense{}}
	g.weights.Mul(solved.T(), x)
	return g, nil
}

// Axes is the number of coordinates of an answer.
func (g *Guess) Axes() int { return g.weights.RawMatrix().Rows }

// Coordinates are the whitened coordinates of the change of w that the change of labels
// asks for. The maps have one size.
func (g *Guess) Coordinates(base, painted *image.Paletted) []float32 {
	a, b := make([]float64, g.weights.RawMatrix().Cols), make([]float64, g.weights.RawMatrix().Cols)
	describe(a, base, g.classes)
	describe(b, painted, g.classes)
	for k, v := range a {
		b[k] -= v
	}
	var x mat.VecDense
	x.MulVec(g.weights, mat.NewVecDense(len(b), b))
	out := make([]float32, x.Len())
	for j := range out {
		out[j] = float32(x.AtVec(j))
	}
	return out
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
