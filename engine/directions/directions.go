package directions

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Extremes marks the share of the values at each end: the positions of the lowest and
// of the highest. Values that are not numbers take no part. InterFaceGAN trains on
// these alone, because what lies between is neither one nor the other.
func Extremes(values []float64, share float64) (low, high []int) {
	var order []int
	for i, v := range values {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	n := min(int(share*float64(len(order))), len(order)/2)
	return order[:n], order[len(order)-n:]
}

// Condition projects direction on the complement of the span of others and gives it
// unit length: moving along the result leaves what the others stand for as it is, to
// first order. It is [ErrNothingLeft] when less than 1e-6 of it remains.
func Condition(direction []float64, others ...[]float64) ([]float64, error) {
	var basis [][]float64
	for i, o := range others {
		if len(o) != len(direction) {
			return nil, fmt.Errorf("directions: condition %d has %d numbers, want %d", i, len(o), len(direction))
		}
		q := slices.Clone(o)
		before := math.Sqrt(dot(q, q))
		reduce(q, basis)
		if length := math.Sqrt(dot(q, q)); length > 1e-9*before && length > 0 {
			for k := range q {
				q[k] /= length
			}
			basis = append(basis, q)
		}
	}
	out := slices.Clone(direction)
	before := math.Sqrt(dot(out, out))
	reduce(out, basis)
	length := math.Sqrt(dot(out, out))
	if !(length > 1e-6*before) {
		return nil, fmt.Errorf("directions: %w", ErrNothingLeft)
	}
	for k := range out {
		out[k] /= length
	}
	return out, nil
}

// reduce subtracts from x its parts along an orthonormal basis, twice, so that rounding
// leaves nothing (Kahan's "twice is enough").
func reduce(x []float64, basis [][]float64) {
	for range 2 {
		for _, q := range basis {
			s := dot(x, q)
			for k, v := range q {
				x[k] -= s * v
			}
		}
	}
}

// Axis is a direction of unit length and how much happens along it.
type Axis struct {
	Direction []float64
	// Gain is the singular value.
	Gain float64
}

// Factorise returns the k strongest right singular vectors of a matrix given by its
// rows: the directions of the input along which a linear map reacts most. For SeFa the
// rows are those of all affine maps from w to styles, one below the other. Each axis
// points so that its largest component is positive.
func Factorise(rows [][]float32, k int) ([]Axis, error) {
	if len(rows) == 0 || len(rows[0]) == 0 {
		return nil, errors.New("directions: the matrix is empty")
	}
	dim := len(rows[0])
	flat := make([]float64, 0, len(rows)*dim)
	for i, r := range rows {
		if len(r) != dim {
			return nil, fmt.Errorf("directions: row %d has %d numbers, want %d", i, len(r), dim)
		}
		for _, v := range r {
			flat = append(flat, float64(v))
		}
	}
	var gram mat.SymDense
	gram.SymOuterK(1, mat.NewDense(len(rows), dim, flat).T())
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, true) {
		return nil, errors.New("directions: the matrix has no eigenvectors")
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	var axes []Axis
	for j := dim - 1; j >= 0 && len(axes) < k; j-- {
		a := Axis{Direction: make([]float64, dim), Gain: math.Sqrt(max(0, values[j]))}
		largest := 0.0
		for c := range a.Direction {
			a.Direction[c] = vectors.At(c, j)
			if math.Abs(a.Direction[c]) > math.Abs(largest) {
				largest = a.Direction[c]
			}
		}
		if largest < 0 {
			for c := range a.Direction {
				a.Direction[c] = -a.Direction[c]
			}
		}
		axes = append(axes, a)
	}
	return axes, nil
}

// Regress is the direction along which a value grows, by ridge regression of the values
// on the examples: the coefficients, of unit length, and the share of the values' variance
// that they explain. The ridge is added to every example's mean square. Values that
// are not numbers take no part. Where a support vector machine uses the examples at the ends,
// this uses all, and what other properties do to the value is told apart.
func Regress(examples [][]float64, values []float64, ridge float64) (direction []float64, explained float64, err error) {
	if len(examples) != len(values) {
		return nil, 0, fmt.Errorf("directions: %d examples and %d values", len(examples), len(values))
	}
	var used []int
	mean := 0.0
	for i, v := range values {
		if !math.IsNaN(v) {
			used = append(used, i)
			mean += v
		}
	}
	if len(used) < 2 {
		return nil, 0, fmt.Errorf("directions: %d values, at least 2 expected", len(used))
	}
	mean /= float64(len(used))
	dim := len(examples[used[0]])
	flat := make([]float64, 0, len(used)*dim)
	right := make([]float64, dim)
	variance := 0.0
	for _, i := range used {
		if len(examples[i]) != dim {
			return nil, 0, fmt.Errorf("directions: example %d has %d numbers, want %d", i, len(examples[i]), dim)
		}
		flat = append(flat, examples[i]...)
		v := values[i] - mean
		variance += v * v
		for k, x := range examples[i] {
			right[k] += v * x
		}
	}
	var gram mat.SymDense
	gram.SymOuterK(1, mat.NewDense(len(used), dim, flat).T())
	for k := range dim {
		gram.SetSym(k, k, gram.At(k, k)+ridge*float64(len(used)))
	}
	var factor mat.Cholesky
	if !factor.Factorize(&gram) {
		return nil, 0, errors.New("directions: the examples are dependent; a ridge is needed")
	}
	out := mat.NewVecDense(dim, nil)
	if err := factor.SolveVecTo(out, mat.NewVecDense(dim, right)); err != nil {
		return nil, 0, fmt.Errorf("directions: %w", err)
	}
	direction = out.RawVector().Data
	residual := 0.0
	for _, i := range used {
		r := values[i] - mean - dot(direction, examples[i])
		residual += r * r
	}
	length := math.Sqrt(dot(direction, direction))
	if length == 0 || variance == 0 {
		return nil, 0, errors.New("directions: all values are equal")
	}
	for k := range direction {
		direction[k] /= length
	}
	return direction, 1 - residual/variance, nil
}
