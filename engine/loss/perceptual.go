package loss

import (
	"encoding/json"
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

	shift, scale [3]float32
	layers       []layer
}

type layer struct {
	conv       string
	stride     int
	pool       int
	max        bool // the pool takes the largest value, not the mean
	weight     []float32
	bias       []float32
	out, in, k int
	tap        []float32 // weight of each channel, nil when the layer is not compared
}

// Limits of a perceptual network's file.
const (
	maxLayers   = 64
	maxChannels = 4096
)

// ReadPerceptual reads a network in the format that the package comment of
// latentbrush/engine/model describes.
func ReadPerceptual(f *safetensors.File) (*Perceptual, error) {
	fail := func(format string, args ...any) (*Perceptual, error) {
		return nil, fmt.Errorf("loss: %s: "+format, append([]any{f.Name()}, args...)...)
	}
	m := f.Metadata()
	if m["format"] != "latentbrush-perceptual" {
		return fail("format is %q, want \"latentbrush-perceptual\"", m["format"])
	}
	if m["version"] != "1" {
		return fail("version is %q, this program reads \"1\"", m["version"])
	}
	p := &Perceptual{Name: m["name"]}
	for name, dst := range map[string]*[3]float32{"shift": &p.shift, "scale": &p.scale} {
		var v []float32
		if err := json.Unmarshal([]byte(m[name]), &v); err != nil || len(v) != 3 {
			return fail("%s is %.40q, want a list of three numbers", name, m[name])
		}
		copy(dst[:], v)
	}
	for _, v := range p.scale {
		if v == 0 {
			return fail("scale has a zero")
		}
	}
	var described []struct {
		Conv   string `json:"conv"`
		Stride int    `json:"stride"`
		Tap    string `json:"tap"`
		Pool   int    `json:"pool"`
		Max    bool   `json:"max"`
	}
	if err := json.Unmarshal([]byte(m["layers"]), &described); err != nil {
		return fail("layers: %w", err)
	}
	if len(described) == 0 || len(described) > maxLayers {
		return fail("%d layers, want 1 to %d", len(described), maxLayers)
	}
	channels, taps := 3, 0
	for i, d := range described {
		if d.Pool != 0 {
			if d.Pool != 2 && d.Pool != 4 || d.Max && d.Pool != 2 || d.Conv != "" {
				return fail("layer %d: a pool is over 2 or 4 pixels, of the largest value over 2, and nothing else", i)
			}
			p.layers = append(p.layers, layer{pool: d.Pool, max: d.Max})
			continue
		}
		if d.Stride == 0 {
			d.Stride = 1
		}
		if d.Conv == "" || d.Stride < 1 || d.Stride > 2 {
			return fail("layer %d: want a convolution with stride 1 or 2, or a pool", i)
		}
		info, ok := f.Info(d.Conv + ".weight")
		if !ok || len(info.Shape) != 4 || info.Shape[1] != channels || info.Shape[2] != info.Shape[3] || info.Shape[2]%2 == 0 || info.Shape[0] < 1 || info.Shape[0] > maxChannels || info.Shape[2] > 11 {
			return fail("tensor %s.weight: want a shape [out, %d, k, k] with odd k", d.Conv, channels)
		}
		l := layer{conv: d.Conv, stride: d.Stride, out: info.Shape[0], in: channels, k: info.Shape[2]}
		var err error
		if l.weight, err = f.Float32s(d.Conv+".weight", info.Shape...); err != nil {
			return nil, err
		}
		if l.bias, err = f.Float32s(d.Conv+".bias", l.out); err != nil {
			return nil, err
		}
		if d.Tap != "" {
			taps++
			l.tap = make([]float32, l.out)
			for c := range l.tap {
				l.tap[c] = 1
			}
			if _, ok := f.Info(d.Tap + ".weight"); ok {
				if l.tap, err = f.Float32s(d.Tap+".weight", l.out); err != nil {
					return nil, err
				}
			}
			for c, v := range l.tap {
				if !(v >= 0) {
					return fail("tensor %s.weight: channel %d has weight %v, want 0 or more", d.Tap, c, v)
				}
			}
		}
		channels = l.out
		p.layers = append(p.layers, l)
	}
	if taps == 0 {
		return fail("no layer is compared: none has a tap")
	}
	return p, nil
}

// Features adds the network on a picture [1,3,H,W] with values in [−1,1] to the graph
// and returns the compared features, each of unit length over channels and with the
// root of the channel weights multiplied in, so that the distance is a plain sum of
// squares.
func (p *Perceptual) Features(g *graph.Graph, picture *graph.Value) []*graph.Value {
	gain, shift := make([]float32, 3), make([]float32, 3)
	for c := range 3 {
		gain[c], shift[c] = 1/p.scale[c], -p.shift[c]/p.scale[c]
	}
	x := g.Add(g.Mul(picture, g.Const("perceptual.gain", gain, 1, 3, 1, 1)), g.Const("perceptual.shift", shift, 1, 3, 1, 1))
	var out []*graph.Value
	for _, l := range p.layers {
		if l.max {
			x = largest(g, x)
			continue
		}
		if l.pool > 0 {
			x = g.AveragePool(x, l.pool)
			continue
		}
		w := g.Const("perceptual."+l.conv+".weight", l.weight, l.out, l.in, l.k, l.k)
		b := g.Const("perceptual."+l.conv+".bias", l.bias, l.out)
		x = g.Relu(g.Conv(x, w, b, graph.ConvOptions{Stride: l.stride, Pad: graph.AllSides(l.k / 2)}))
		if l.tap == nil {
			continue
		}
		// The epsilon is inside the root: at a pixel with no feature at all the root's
		// slope would be infinite.
		length := g.Sqrt(g.AddScalar(g.ReduceSum(g.Square(x), []int{1}, true), 1e-10))
		roots := make([]float32, l.out)
		for c, v := range l.tap {
			roots[c] = sqrt(v)
		}
		out = append(out, g.Mul(g.Mul(x, g.Reciprocal(length)), g.Const("perceptual."+l.conv+".tap", roots, 1, l.out, 1, 1)))
	}
	return out
}

// largest is the largest value of each square of two pixels, an odd last row or column
// left out. The inference library has no gradient of its own max-pooling; this one is
// made of operations that have.
func largest(g *graph.Graph, x *graph.Value) *graph.Value {
	h, w := x.Dim(2)/2*2, x.Dim(3)/2*2
	at := func(dy, dx int) *graph.Value {
		return g.Slice(x, graph.Range{Axis: 2, Start: dy, End: h, Step: 2}, graph.Range{Axis: 3, Start: dx, End: w, Step: 2})
	}
	larger := func(a, b *graph.Value) *graph.Value { return g.Add(a, g.Relu(g.Sub(b, a))) }
	return larger(larger(at(0, 0), at(0, 1)), larger(at(1, 0), at(1, 1)))
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
