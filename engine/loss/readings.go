package loss

import (
	"encoding/json"
	"fmt"
	"image"
	"math"
	"strconv"

	"latentbrush/engine/graph"
	"latentbrush/engine/model/safetensors"
)

// Reading is one attribute that a network reads off a picture.
type Reading struct {
	// Name of the attribute, such as "smile".
	Name string `json:"name"`
	// Identity says that it belongs to the person, and not to the moment: the shape of
	// the face does, the direction of the gaze does not.
	Identity bool `json:"identity"`
	// R2 is the share of the attribute's variance that the reading explains on pictures
	// it was not trained on: 1 is exact, 0 or less says nothing.
	R2 float64 `json:"r2"`
	// Mean and Deviation turn a reading r into the attribute's own units: Mean + Deviation·r.
	// A Deviation of 0 means that the units are not known.
	Mean      float64 `json:"mean,omitempty"`
	Deviation float64 `json:"deviation,omitempty"`
}

// Readings is a network that reads attributes off a picture: a chain of convolutions
// and one linear layer. What an edit changes that nobody asked for shows in numbers with
// names; and the attributes that belong to the person, taken together, are an identity
// in the sense of a face recogniser's embedding (Deng et al., "ArcFace", CVPR 2019), so that
// the cosine between two pictures says whether they show one person.
type Readings struct {
	// Name is shown to people.
	Name string
	// Outputs in the order of the values.
	Outputs []Reading

	chain
	size         int // of the picture that it looks at
	weight, bias []float32
	in           int // of the linear layer
}

// Limits of a file of readings.
const (
	maxOutputs = 4096
	maxSize    = 1024
)

// ReadReadings reads a network in the format that the package comment of
// latentbrush/engine/model describes.
func ReadReadings(f *safetensors.File) (*Readings, error) {
	c, err := readChain(f, "latentbrush-readings")
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*Readings, error) {
		return nil, fmt.Errorf("loss: %s: "+format, append([]any{f.Name()}, args...)...)
	}
	m := f.Metadata()
	r := &Readings{Name: m["name"], chain: c}
	if r.size, err = strconv.Atoi(m["size"]); err != nil || r.size < 1 || r.size > maxSize {
		return fail("size is %.40q, want 1 to %d pixels", m["size"], maxSize)
	}
	if err := json.Unmarshal([]byte(m["outputs"]), &r.Outputs); err != nil {
		return fail("outputs: %w", err)
	}
	if len(r.Outputs) == 0 || len(r.Outputs) > maxOutputs {
		return fail("%d outputs, want 1 to %d", len(r.Outputs), maxOutputs)
	}
	last := r.size
	for i, l := range c.layers {
		switch {
		case l.pool > 0:
			last /= l.pool
		case l.stride > 1:
			last = (last + l.stride - 1) / l.stride
		}
		if last < 1 {
			return fail("layer %d: nothing is left of a picture of %d pixels", i, r.size)
		}
	}
	r.in = c.channels * last * last
	if r.weight, err = f.Float32s("fc.weight", len(r.Outputs), r.in); err != nil {
		return nil, err
	}
	if r.bias, err = f.Float32s("fc.bias", len(r.Outputs)); err != nil {
		return nil, err
	}
	return r, nil
}

// Fits reports whether the network can look at pictures of the given size: squares of
// its own size or a power of two larger.
func (r *Readings) Fits(size image.Point) bool {
	factor := size.X / r.size
	return size.X == size.Y && factor*r.size == size.X && factor&(factor-1) == 0 && factor > 0
}

// Values adds the network on a picture [1,3,H,W] with values in [−1,1], of a size that
// [Readings.Fits], to the graph and returns the readings [1,n].
func (r *Readings) Values(g *graph.Graph, picture *graph.Value) *graph.Value {
	for picture.Dim(3) > r.size && g.Err() == nil {
		picture = g.AveragePool(picture, 2)
	}
	x := r.walk(g, "readings", picture, func(layer, *graph.Value) {})
	x = g.Reshape(x, 1, r.in)
	turned := make([]float32, len(r.weight))
	n := len(r.Outputs)
	for o := range n {
		for i := range r.in {
			turned[i*n+o] = r.weight[o*r.in+i]
		}
	}
	return g.Add(g.MatMul(x, g.Const("readings.fc.weight", turned, r.in, n)), g.Const("readings.fc.bias", r.bias, 1, n))
}

// identityWeights are the factors by which the readings make up the identity: each by
// what it explains, those that do not belong to the person not at all.
func (r *Readings) identityWeights() []float32 {
	w := make([]float32, len(r.Outputs))
	for i, o := range r.Outputs {
		if o.Identity && o.R2 > 0 {
			w[i] = float32(o.R2)
		}
	}
	return w
}

// HasIdentity reports whether any reading belongs to the person.
func (r *Readings) HasIdentity() bool {
	for _, w := range r.identityWeights() {
		if w > 0 {
			return true
		}
	}
	return false
}

// Identity makes of readings [1,n] the identity: a vector [1,n] of unit length.
func (r *Readings) Identity(g *graph.Graph, values *graph.Value) *graph.Value {
	v := g.Mul(values, g.Const("readings.identity", r.identityWeights(), 1, len(r.Outputs)))
	return g.Mul(v, g.Reciprocal(g.Sqrt(g.AddScalar(g.ReduceSum(g.Square(v), []int{1}, true), 1e-10))))
}

// Same is the cosine between the identities of two pictures by their readings: 1 for one
// person, about 0 for two that have nothing to do with each other.
func (r *Readings) Same(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, w := range r.identityWeights() {
		x, y := float64(w*a[i]), float64(w*b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// Cosine is one minus the cosine of two vectors of unit length [1,n].
func Cosine(g *graph.Graph, a, b *graph.Value) *graph.Value {
	return g.Sub(g.Scalar(1), g.Sum(g.Mul(a, b)))
}
