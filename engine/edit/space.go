package edit

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"latentbrush/engine/latent"
	"latentbrush/engine/optim"
)

// Prior is the distribution of a model's own w vectors as a Gaussian: a mean and
// principal axes, each axis one standard deviation long.
type Prior struct {
	// Mean of w, [dim].
	Mean []float32
	// Axes are the principal axes by falling standard deviation, each [dim] and as
	// long as the deviation along it.
	Axes [][]float32
	// Deviations are the lengths of the axes.
	Deviations []float64
}

// NewPrior fits a Prior to samples of w, all of one length. Axes with less than
// 1e-3 of the largest deviation are left out: no natural latent moves along them.
func NewPrior(samples [][]float32) (*Prior, error) {
	if len(samples) < 2 {
		return nil, fmt.Errorf("edit: a prior needs at least 2 samples of w, got %d", len(samples))
	}
	dim := len(samples[0])
	mean := make([]float64, dim)
	for i, s := range samples {
		if len(s) != dim {
			return nil, fmt.Errorf("edit: sample %d of w has %d numbers, want %d", i, len(s), dim)
		}
		for k, v := range s {
			mean[k] += float64(v)
		}
	}
	for k := range mean {
		mean[k] /= float64(len(samples))
	}
	centred := mat.NewDense(len(samples), dim, nil)
	for i, s := range samples {
		for k, v := range s {
			centred.Set(i, k, float64(v)-mean[k])
		}
	}
	var cov mat.SymDense
	cov.SymOuterK(1/float64(len(samples)-1), centred.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(&cov, true) {
		return nil, errors.New("edit: covariance of w has no eigenvectors")
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	p := &Prior{Mean: make([]float32, dim)}
	for k, v := range mean {
		p.Mean[k] = float32(v)
	}
	largest := values[len(values)-1]
	if !(largest > 0) {
		return nil, errors.New("edit: all samples of w are equal")
	}
	for j := len(values) - 1; j >= 0; j-- {
		if values[j] < 1e-6*largest {
			break
		}
		d := math.Sqrt(values[j])
		axis := make([]float32, dim)
		for k := range axis {
			axis[k] = float32(d * vectors.At(k, j))
		}
		p.Axes = append(p.Axes, axis)
		p.Deviations = append(p.Deviations, d)
	}
	return p, nil
}

// Leading is the prior with its first n axes only; 0 means all.
func (p *Prior) Leading(n int) *Prior {
	if n <= 0 || n >= len(p.Axes) {
		return p
	}
	return &Prior{Mean: p.Mean, Axes: p.Axes[:n], Deviations: p.Deviations[:n]}
}

// Whiten gives the coordinates of a difference of w vectors in units of standard
// deviations along the axes.
func (p *Prior) Whiten(difference []float32) []float64 {
	out := make([]float64, len(p.Axes))
	for j, axis := range p.Axes {
		s := 0.0
		for k, v := range difference {
			s += float64(v) * float64(axis[k])
		}
		out[j] = s / (p.Deviations[j] * p.Deviations[j])
	}
	return out
}

// Distance is the root mean square of the whitened coordinates of w − mean over all
// rows of code: about 1 for the model's own latents, more the further outside its
// range a code lies.
func (p *Prior) Distance(code latent.Code) float64 {
	sum := 0.0
	difference := make([]float32, code.Dim)
	for r := range code.Rows {
		for k, v := range code.Row(r) {
			difference[k] = v - p.Mean[k]
		}
		for _, v := range p.Whiten(difference) {
			sum += v * v
		}
	}
	return math.Sqrt(sum / float64(code.Rows*len(p.Axes)))
}

// Space is a linear family of differences in W+; see [optim.Space].
type Space = optim.Space

// Shared is the space in which all rows move together, as W does, along the axes of
// a prior: the safest one.
func Shared(p *Prior, rows int) Space { return sharedSpace{p, rows} }

type sharedSpace struct {
	prior *Prior
	rows  int
}

func (s sharedSpace) Size() int { return len(s.prior.Axes) }

func (s sharedSpace) Delta(x []float32) latent.Code {
	w := make([]float32, len(s.prior.Mean))
	for j, axis := range s.prior.Axes {
		for k, v := range axis {
			w[k] += x[j] * v
		}
	}
	return latent.Broadcast(w, s.rows)
}

func (s sharedSpace) Pull(g latent.Code) []float32 {
	sum := make([]float32, g.Dim)
	for r := range g.Rows {
		for k, v := range g.Row(r) {
			sum[k] += v
		}
	}
	out := make([]float32, len(s.prior.Axes))
	for j, axis := range s.prior.Axes {
		out[j] = dot(axis, sum)
	}
	return out
}

// PerRow is the space in which each of the chosen rows moves by itself along the axes
// of a prior: W+ with a Mahalanobis metric. A nil choice is every row.
func PerRow(p *Prior, rows int, chosen []int) (Space, error) {
	if chosen == nil {
		for r := range rows {
			chosen = append(chosen, r)
		}
	}
	for _, r := range chosen {
		if r < 0 || r >= rows {
			return nil, fmt.Errorf("edit: row %d is chosen, the code has rows 0 to %d", r, rows-1)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("edit: no row of the code is chosen")
	}
	return rowSpace{p, rows, chosen}, nil
}

type rowSpace struct {
	prior  *Prior
	rows   int
	chosen []int
}

func (s rowSpace) Size() int { return len(s.chosen) * len(s.prior.Axes) }

func (s rowSpace) Delta(x []float32) latent.Code {
	out := latent.New(s.rows, len(s.prior.Mean))
	n := len(s.prior.Axes)
	for i, r := range s.chosen {
		row := out.Row(r)
		for j, axis := range s.prior.Axes {
			f := x[i*n+j]
			for k, v := range axis {
				row[k] += f * v
			}
		}
	}
	return out
}

func (s rowSpace) Pull(g latent.Code) []float32 {
	n := len(s.prior.Axes)
	out := make([]float32, s.Size())
	for i, r := range s.chosen {
		for j, axis := range s.prior.Axes {
			out[i*n+j] = dot(axis, g.Row(r))
		}
	}
	return out
}

// Free is W+ without a prior, in the official formulation's coordinates: every number
// of every row by itself.
func Free(rows, dim int) Space { return freeSpace{rows, dim} }

type freeSpace struct{ rows, dim int }

func (s freeSpace) Size() int { return s.rows * s.dim }

func (s freeSpace) Delta(x []float32) latent.Code {
	out := latent.New(s.rows, s.dim)
	copy(out.Data, x)
	return out
}

func (s freeSpace) Pull(g latent.Code) []float32 { return append([]float32(nil), g.Data...) }

// Spanned is the space of combinations of given differences, such as the vectors of
// a library: coordinate i is the strength of direction i.
func Spanned(directions []latent.Code) (Space, error) {
	if len(directions) == 0 {
		return nil, errors.New("edit: a subspace needs at least one direction")
	}
	for i, d := range directions {
		if !d.SameSize(directions[0]) {
			return nil, fmt.Errorf("edit: direction %d is %d×%d, want %d×%d as the first", i, d.Rows, d.Dim, directions[0].Rows, directions[0].Dim)
		}
	}
	return spannedSpace(directions), nil
}

type spannedSpace []latent.Code

func (s spannedSpace) Size() int { return len(s) }

func (s spannedSpace) Delta(x []float32) latent.Code {
	out := latent.New(s[0].Rows, s[0].Dim)
	for i, d := range s {
		for k, v := range d.Data {
			out.Data[k] += x[i] * v
		}
	}
	return out
}

func (s spannedSpace) Pull(g latent.Code) []float32 {
	out := make([]float32, len(s))
	for i, d := range s {
		out[i] = dot(d.Data, g.Data)
	}
	return out
}

func dot(a, b []float32) float32 {
	s := float32(0)
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
