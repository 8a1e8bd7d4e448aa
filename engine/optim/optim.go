// Package optim holds the first-order optimisers of the method.
//
// Everything that Latentbrush optimises is small (a latent code has a few
// thousand numbers) or already flat (the weights of a head), and the costly part,
// loss and gradient, is one run of an ONNX graph. So an optimiser here is plain
// arithmetic on a slice between two runs: it owns its moments, never the
// variables, and can be dropped, copied or restarted at any step. [Descent] is the loop
// around it that edits and embeddings share.
package optim

import (
	"fmt"
	"math"
)

// Adam is the optimiser of Kingma and Ba, "Adam: A Method for Stochastic
// Optimization" (ICLR 2015), algorithm 1, with bias-corrected moments. Moments are
// kept in float64 so that long runs do not lose the small updates.
type Adam struct {
	// Rate is the step size α in the units of the variables.
	Rate float64
	// Beta1 and Beta2 are the decay rates of the moments, in [0,1).
	Beta1, Beta2 float64
	// Epsilon is added to the root of the second moment.
	Epsilon float64

	first, second []float64
	steps         int
}

// NewAdam returns an Adam for n variables with the usual decay rates (0.9, 0.999)
// and epsilon 1e-8.
func NewAdam(n int, rate float64) *Adam {
	return &Adam{
		Rate: rate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8,
		first: make([]float64, n), second: make([]float64, n),
	}
}

// Step moves x against gradient in place, with the rate multiplied by factor
// (a schedule's value; 1 for a constant rate). A gradient with a NaN or an
// infinity leaves x and the moments untouched and is an error.
//
// It panics when the lengths differ from the optimiser's.
func (a *Adam) Step(x, gradient []float32, factor float64) error {
	if len(x) != len(a.first) || len(gradient) != len(a.first) {
		panic(fmt.Sprintf("optim: Adam for %d variables got %d variables and %d gradients", len(a.first), len(x), len(gradient)))
	}
	for i, g := range gradient {
		if g != g || math.IsInf(float64(g), 0) {
			return fmt.Errorf("optim: gradient of variable %d is %v", i, g)
		}
	}
	a.steps++
	c1 := 1 - math.Pow(a.Beta1, float64(a.steps))
	c2 := 1 - math.Pow(a.Beta2, float64(a.steps))
	rate := a.Rate * factor
	for i, g32 := range gradient {
		g := float64(g32)
		a.first[i] = a.Beta1*a.first[i] + (1-a.Beta1)*g
		a.second[i] = a.Beta2*a.second[i] + (1-a.Beta2)*g*g
		x[i] -= float32(rate * (a.first[i] / c1) / (math.Sqrt(a.second[i]/c2) + a.Epsilon))
	}
	return nil
}

// CosineRamps is the rate factor of StyleGAN2's projector (Karras et al., 2020,
// appendix D) at t in [0,1]: a linear rise over the first 5 % and a cosine fall over
// the last 25 %.
func CosineRamps(t float64) float64 {
	down := math.Min(1, (1-t)/0.25)
	up := math.Min(1, t/0.05)
	return (0.5 - 0.5*math.Cos(down*math.Pi)) * up
}

// CosineFall is the rate factor (1+cos πt)/2 at t in [0,1], falling from 1 to 0.
func CosineFall(t float64) float64 {
	return 0.5 + 0.5*math.Cos(math.Pi*math.Max(0, math.Min(1, t)))
}
