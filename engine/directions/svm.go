package directions

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Errors that callers tell apart.
var (
	// ErrOneSided says that the examples are all of one kind.
	ErrOneSided = errors.New("examples of both kinds are needed")
	// ErrNothingLeft says that a direction lies in the span of its conditions.
	ErrNothingLeft = errors.New("nothing of the direction is left beside its conditions")
)

// Options of a support vector machine.
type Options struct {
	// C is the cost of an example on the wrong side; 0 means 1 divided by the mean
	// squared length of the examples.
	C float64
	// Passes over the examples at most, 200 when 0.
	Passes int
	// Tolerance is the spread of the projected gradient that ends the training, 0.01
	// when 0.
	Tolerance float64
	// Validation is the share of the examples that is only tested, 0.3 when 0 as in
	// InterFaceGAN.
	Validation float64
	// Seed of the split and of the order.
	Seed uint64
}

// Normal is the plane that a support vector machine found: an example x is taken to
// have the property when Direction·x + Bias > 0.
type Normal struct {
	// Direction is of unit length; Bias is in its units.
	Direction []float64
	Bias      float64
	// Accuracy on the examples that were held back, and how many those were.
	Accuracy float64
	Tested   int
}

// Separate trains a linear support vector machine on examples, all of one length, that
// have a property or have it not. The method is dual coordinate descent for the L2-loss
// machine (Hsieh et al., ICML 2008): the bias is one more component that is always 1.
func Separate(examples [][]float64, has []bool, o Options) (Normal, error) {
	if len(examples) != len(has) {
		return Normal{}, fmt.Errorf("directions: %d examples and %d marks", len(examples), len(has))
	}
	var sides [2][]int
	total := 0.0
	for i, x := range examples {
		if len(x) == 0 || len(x) != len(examples[0]) {
			return Normal{}, fmt.Errorf("directions: example %d has %d numbers, want %d", i, len(x), len(examples[0]))
		}
		for _, v := range x {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return Normal{}, fmt.Errorf("directions: example %d has a number that is not finite", i)
			}
			total += v * v
		}
		side := 0
		if has[i] {
			side = 1
		}
		sides[side] = append(sides[side], i)
	}
	if len(sides[0]) == 0 || len(sides[1]) == 0 {
		return Normal{}, fmt.Errorf("directions: %w", ErrOneSided)
	}
	if o.C == 0 {
		o.C = float64(len(examples)) / max(total, 1e-12)
	}
	if o.Passes == 0 {
		o.Passes = 200
	}
	if o.Tolerance == 0 {
		o.Tolerance = 0.01
	}
	if o.Validation == 0 {
		o.Validation = 0.3
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x73766d))
	var train, test []int
	for _, side := range sides {
		side = slices.Clone(side)
		rng.Shuffle(len(side), func(i, j int) { side[i], side[j] = side[j], side[i] })
		n := min(int(o.Validation*float64(len(side))), len(side)-1)
		test = append(test, side[:n]...)
		train = append(train, side[n:]...)
	}
	w, bias := descend(examples, has, train, o, rng)
	length := math.Sqrt(dot(w, w))
	if length == 0 {
		return Normal{}, errors.New("directions: the examples of both kinds are the same")
	}
	n := Normal{Direction: w, Bias: bias / length, Tested: len(test)}
	for k := range w {
		w[k] /= length
	}
	right := 0
	for _, i := range test {
		if n.Score(examples[i]) > 0 == has[i] {
			right++
		}
	}
	if len(test) > 0 {
		n.Accuracy = float64(right) / float64(len(test))
	}
	return n, nil
}

// Score is the signed distance of x from the plane.
func (n Normal) Score(x []float64) float64 { return dot(n.Direction, x) + n.Bias }

// descend solves min_α ½αᵀQα − Σα, α ≥ 0, with Q = yᵢyⱼxᵢ·xⱼ + δᵢⱼ/2C.
func descend(examples [][]float64, has []bool, train []int, o Options, rng *rand.Rand) (w []float64, bias float64) {
	w = make([]float64, len(examples[0]))
	alpha := make([]float64, len(examples))
	diagonal := make([]float64, len(examples))
	ridge := 1 / (2 * o.C)
	for _, i := range train {
		diagonal[i] = dot(examples[i], examples[i]) + 1 + ridge
	}
	order := slices.Clone(train)
	for range o.Passes {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		lowest, highest := math.Inf(1), math.Inf(-1)
		for _, i := range order {
			y := -1.0
			if has[i] {
				y = 1
			}
			g := y*(dot(w, examples[i])+bias) - 1 + alpha[i]*ridge
			if alpha[i] == 0 {
				g = min(g, 0)
			}
			lowest, highest = min(lowest, g), max(highest, g)
			if g == 0 {
				continue
			}
			next := max(0, alpha[i]-g/diagonal[i])
			step := (next - alpha[i]) * y
			alpha[i] = next
			for k, v := range examples[i] {
				w[k] += step * v
			}
			bias += step
		}
		if highest-lowest < o.Tolerance {
			break
		}
	}
	return w, bias
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
