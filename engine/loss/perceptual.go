package loss

import (
	"fmt"

	"latentbrush/engine/graph"
	"latentbrush/engine/model/safetensors"
)

// Perceptual is a network whose features compare pictures, in the manner of LPIPS
// (Zhang et al., CVPR 2018): the features of chosen layers are scaled to unit length
// over channels, and their squared differences, weighted by channel, are averaged
// over pixels and summed over layers.
type Perceptual struct {
	// Name is shown to people.
	Name string

	chain
}

// ReadPerceptual reads a network in the format that the package comment of
// latentbrush/engine/model describes.
func ReadPerceptual(f *safetensors.File) (*Perceptual, error) {
	c, err := readChain(f, "latentbrush-perceptual")
	if err != nil {
		return nil, err
	}
	for _, l := range c.layers {
		if l.tap != nil {
			return &Perceptual{Name: f.Metadata()["name"], chain: c}, nil
		}
	}
	return nil, fmt.Errorf("loss: %s: no layer is compared: none has a tap", f.Name())
}

// Features adds the network on a picture [1,3,H,W] with values in [−1,1] to the graph
// and returns the compared features, each of unit length over channels and with the
// root of the channel weights multiplied in, so that the distance is a plain sum of
// squares.
func (p *Perceptual) Features(g *graph.Graph, picture *graph.Value) []*graph.Value {
	var out []*graph.Value
	p.walk(g, "perceptual", picture, func(l layer, x *graph.Value) {
		if l.tap == nil {
			return
		}
		// The epsilon is inside the root: at a pixel with no feature at all the root's
		// slope would be infinite.
		length := g.Sqrt(g.AddScalar(g.ReduceSum(g.Square(x), []int{1}, true), 1e-10))
		roots := make([]float32, l.out)
		for c, v := range l.tap {
			roots[c] = sqrt(v)
		}
		out = append(out, g.Mul(g.Mul(x, g.Reciprocal(length)), g.Const("perceptual."+l.conv+".tap", roots, 1, l.out, 1, 1)))
	})
	return out
}

// Distance is the sum over layers of the mean over pixels of the squared feature
// difference, as LPIPS defines it.
func Distance(g *graph.Graph, a, b []*graph.Value) *graph.Value {
	sum := g.Scalar(0)
	for i := range a {
		pixels := max(1, a[i].Dim(2)*a[i].Dim(3))
		sum = g.Add(sum, g.Scale(g.Sum(g.Square(g.Sub(a[i], b[i]))), 1/float32(pixels)))
	}
	return sum
}
