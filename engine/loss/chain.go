package loss

import (
	"encoding/json"
	"fmt"

	"latentbrush/engine/graph"
	"latentbrush/engine/model/safetensors"
)

// chain is what the networks that look at pictures have in common: convolutions with
// ReLU and poolings, one after the other.
type chain struct {
	shift, scale [3]float32
	layers       []layer
	channels     int // of the last layer
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

// Limits of a network's file.
const (
	maxLayers   = 64
	maxChannels = 4096
)

// readChain reads the layers of a file of the given format.
func readChain(f *safetensors.File, format string) (chain, error) {
	fail := func(format string, args ...any) (chain, error) {
		return chain{}, fmt.Errorf("loss: %s: "+format, append([]any{f.Name()}, args...)...)
	}
	m := f.Metadata()
	if m["format"] != format {
		return fail("format is %q, want %q", m["format"], format)
	}
	if m["version"] != "1" {
		return fail("version is %q, this program reads \"1\"", m["version"])
	}
	var p chain
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
	channels := 3
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
			return chain{}, err
		}
		if l.bias, err = f.Float32s(d.Conv+".bias", l.out); err != nil {
			return chain{}, err
		}
		if d.Tap != "" {
			l.tap = make([]float32, l.out)
			for c := range l.tap {
				l.tap[c] = 1
			}
			if _, ok := f.Info(d.Tap + ".weight"); ok {
				if l.tap, err = f.Float32s(d.Tap+".weight", l.out); err != nil {
					return chain{}, err
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
	p.channels = channels
	return p, nil
}

// walk adds the network on a picture [1,3,H,W] with values in [−1,1] to the graph, shows
// the output of every convolution and returns the last map. Prefix names the constants.
func (p *chain) walk(g *graph.Graph, prefix string, picture *graph.Value, show func(l layer, x *graph.Value)) *graph.Value {
	gain, shift := make([]float32, 3), make([]float32, 3)
	for c := range 3 {
		gain[c], shift[c] = 1/p.scale[c], -p.shift[c]/p.scale[c]
	}
	x := g.Add(g.Mul(picture, g.Const(prefix+".gain", gain, 1, 3, 1, 1)), g.Const(prefix+".shift", shift, 1, 3, 1, 1))
	for _, l := range p.layers {
		if l.max {
			x = largest(g, x)
			continue
		}
		if l.pool > 0 {
			x = g.AveragePool(x, l.pool)
			continue
		}
		w := g.Const(prefix+"."+l.conv+".weight", l.weight, l.out, l.in, l.k, l.k)
		b := g.Const(prefix+"."+l.conv+".bias", l.bias, l.out)
		x = g.Relu(g.Conv(x, w, b, graph.ConvOptions{Stride: l.stride, Pad: graph.AllSides(l.k / 2)}))
		show(l, x)
	}
	return x
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
