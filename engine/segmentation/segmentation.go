// Package segmentation reads part labels from a generator's features.
//
// The feature maps of a trained generator already know the parts of what it
// draws. A small network that classifies each pixel from the features above it,
// taught with a few painted examples, labels every picture the generator can make
// (Zhang et al., "DatasetGAN", CVPR 2021; Ling et al., "EditGAN", NeurIPS 2021).
//
// Taken literally, all maps are enlarged to the picture's size and stacked, several
// gigabytes at 512 × 512. But the first layer is linear and enlarging is linear, so
// they commute: each map is projected to the hidden size at its own resolution,
// and only the sums are enlarged. This is the same function with a tenth of the work.
// An ensemble is one network: first layers stacked, hidden layers in groups, and
// the mean of the logits taken inside the last layer.
package segmentation

import (
	"errors"
	"fmt"
	"image"
	"math"
	"runtime"
	"sync"

	"latentbrush/engine/graph"
	"latentbrush/engine/model"
)

// ErrNoHead reports a model without a label head.
var ErrNoHead = errors.New("segmentation: the model has no label head")

// normEpsilon is added to the variance of batch normalisation.
const normEpsilon = 1e-5

// Head holds the weights of a label head, ready to be put in graphs, which refer
// to them. It may be used from several goroutines.
type Head struct {
	info   *model.HeadInfo
	layers []weights
}

type weights struct {
	weight, bias                []float32
	gain, shift, mean, variance []float32 // nil without normalisation
}

// New reads a model's label head. The error is [ErrNoHead] if it has none.
func New(m *model.Model) (*Head, error) {
	f, info := m.Head()
	if f == nil {
		return nil, ErrNoHead
	}
	h := &Head{info: info}
	in := info.Inputs()
	for l, out := range sizes(info) {
		var w weights
		for _, t := range []struct {
			data  *[]float32
			name  string
			shape []int
		}{
			{&w.weight, "weight", []int{info.Members, out, in}},
			{&w.bias, "bias", []int{info.Members, out}},
			{&w.gain, "norm.weight", []int{info.Members, out}},
			{&w.shift, "norm.bias", []int{info.Members, out}},
			{&w.mean, "norm.running_mean", []int{info.Members, out}},
			{&w.variance, "norm.running_var", []int{info.Members, out}},
		} {
			if t.name[0] == 'n' && (l >= len(info.Norm) || !info.Norm[l]) {
				continue
			}
			var err error
			if *t.data, err = f.Float32s(fmt.Sprintf("layers.%d.%s", l, t.name), t.shape...); err != nil {
				return nil, fmt.Errorf("segmentation: %w", err)
			}
		}
		h.layers = append(h.layers, w)
		in = out
	}
	return h, nil
}

// sizes lists the outputs of all layers.
func sizes(info *model.HeadInfo) []int {
	return append(append([]int(nil), info.Hidden...), info.Classes)
}

// Info describes the head. It must not be changed.
func (h *Head) Info() *model.HeadInfo { return h.info }

// Params are the weights of one layer in a graph: Weight [members, out, in], Bias
// [members, out], and the batch normalisation after its ReLU, each [members, out]
// or all nil.
type Params struct {
	Weight, Bias                *graph.Value
	Gain, Shift, Mean, Variance *graph.Value
}

// Params returns the head's weights as constants of a graph.
func (h *Head) Params(g *graph.Graph) []Params {
	out := make([]Params, len(h.layers))
	in := h.info.Inputs()
	for l, n := range sizes(h.info) {
		w, m := h.layers[l], h.info.Members
		p := fmt.Sprintf("layers.%d.", l)
		out[l].Weight = g.Const(p+"weight", w.weight, m, n, in)
		out[l].Bias = g.Const(p+"bias", w.bias, m, n)
		if w.gain != nil {
			out[l].Gain = g.Const(p+"norm.weight", w.gain, m, n)
			out[l].Shift = g.Const(p+"norm.bias", w.shift, m, n)
			out[l].Mean = g.Const(p+"norm.running_mean", w.mean, m, n)
			out[l].Variance = g.Const(p+"norm.running_var", w.variance, m, n)
		}
		in = n
	}
	return out
}

// Output is a head in a graph.
type Output struct {
	// Logits are the mean logits of the members, [1, classes, h, w].
	Logits *graph.Value
	// Members are each member's logits, [members, classes, h, w].
	Members *graph.Value
}

// Apply adds the head to a graph that has the generator's features, by name. The
// logits have the generator's resolution, cropped like its pictures.
func (h *Head) Apply(g *graph.Graph, man *model.Manifest, features map[string]*graph.Value) (*Output, error) {
	return Apply(g, h.info, h.Params(g), features, man.Resolution, man.CropRect())
}

// Apply adds a head with the given weights, which may be inputs of the graph so that
// they can be trained. Feature maps are enlarged to resolution × resolution, a multiple of
// each map's size, and the result is cropped.
func Apply(g *graph.Graph, info *model.HeadInfo, params []Params, features map[string]*graph.Value, resolution int, crop image.Rectangle) (*Output, error) {
	if len(params) != len(info.Hidden)+1 {
		return nil, fmt.Errorf("segmentation: weights of %d layers, want %d", len(params), len(info.Hidden)+1)
	}
	for _, f := range info.Features {
		x := features[f.Name]
		if x == nil {
			return nil, fmt.Errorf("segmentation: feature map %s is missing", f.Name)
		}
		if g.Err() == nil && (x.Rank() != 4 || x.Dim(1) != f.Channels || x.Dim(2) != f.Resolution || x.Dim(3) != f.Resolution || resolution%f.Resolution != 0) {
			return nil, fmt.Errorf("segmentation: feature map %s is %v, want [1, %d, %d, %d] and a divisor of %d",
				f.Name, x.Shape(), f.Channels, f.Resolution, f.Resolution, resolution)
		}
	}
	b := builder{g: g, info: info, resolution: resolution, crop: crop}
	layers := make([]Params, len(params))
	copy(layers, params)
	for l := range layers[1:] {
		layers[l+1] = b.foldNorm(layers[l], layers[l+1])
	}
	x := b.first(layers[0], features)
	for l := 1; l < len(layers); l++ {
		x = g.Relu(x)
		if l < len(layers)-1 {
			x = b.hidden(layers[l], x)
		}
	}
	out := b.last(layers[len(layers)-1], x, len(layers) == 1)
	if err := g.Err(); err != nil {
		return nil, fmt.Errorf("segmentation: %w", err)
	}
	return out, nil
}

type builder struct {
	g          *graph.Graph
	info       *model.HeadInfo
	resolution int
	crop       image.Rectangle
}

// foldNorm returns the weights of a layer that takes the values before the
// normalisation of the layer below.
func (b *builder) foldNorm(below, layer Params) Params {
	if below.Gain == nil {
		return layer
	}
	g := b.g
	m, in := below.Gain.Dim(0), below.Gain.Dim(1)
	scale := g.Div(below.Gain, g.Sqrt(g.AddScalar(below.Variance, normEpsilon)))
	offset := g.Sub(below.Shift, g.Mul(below.Mean, scale))
	moved := g.MatMul(layer.Weight, g.Reshape(offset, m, in, 1))
	layer.Bias = g.Add(layer.Bias, g.Reshape(moved, m, layer.Bias.Dim(1)))
	layer.Weight = g.Mul(layer.Weight, g.Reshape(scale, m, 1, in))
	return layer
}

// stage is the part of the first layer that reads the maps of one resolution.
type stage struct {
	resolution int
	maps       []*graph.Value
	columns    []int // of the first layer's weight
}

// first is the first layer: [1, members·out, h, w].
func (b *builder) first(p Params, features map[string]*graph.Value) *graph.Value {
	g := b.g
	bias := g.Reshape(p.Bias, max(p.Bias.Size(), 1))
	stages := map[int]*stage{}
	at := 0
	for _, f := range b.info.Features {
		s := stages[f.Resolution]
		if s == nil {
			s = &stage{resolution: f.Resolution}
			stages[f.Resolution] = s
		}
		for range f.Channels {
			s.columns = append(s.columns, at)
			at++
		}
		s.maps = append(s.maps, features[f.Name])
	}
	var sum *graph.Value
	var parts []*graph.Value // of maps that are each enlarged at once
	for r := 1; r <= b.resolution; r *= 2 {
		progressive := b.info.Upsample == model.UpsampleProgressive
		if sum != nil {
			sum = g.UpsampleLinear(sum, 2)
		}
		s := stages[r]
		if s == nil {
			continue
		}
		// Enlarging keeps constants, so the bias can be added to the smallest map.
		x := b.project(s, p.Weight, bias, sum)
		bias = nil
		if progressive {
			sum = x
		} else {
			parts = append(parts, g.UpsampleLinear(x, b.resolution/r))
		}
	}
	if sum == nil {
		sum = b.sum(parts)
	}
	x0, y0, x1, y1 := b.crop.Min.X, b.crop.Min.Y, b.crop.Max.X, b.crop.Max.Y
	return g.Slice(sum, graph.Range{Axis: 2, Start: y0, End: y1}, graph.Range{Axis: 3, Start: x0, End: x1})
}

// sum adds in pairs, pairs of pairs and so on. In a row, the runtime would enlarge all maps before it adds the first two,
// and hold eight where now it holds four.
func (b *builder) sum(parts []*graph.Value) *graph.Value {
	switch n := len(parts); n {
	case 0:
		return nil
	case 1:
		return parts[0]
	default:
		return b.g.Add(b.sum(parts[:n/2]), b.sum(parts[n/2:]))
	}
}

// joinedUpTo is the resolution up to which the maps of one resolution are joined for one product. Larger ones have a
// product each: joined, they would be copied, and so would their gradient, which is cut up again. Small copies cost
// nothing, and keep the generator's constant out of a sum of its own, which would leave the runtime's blocked layout.
const joinedUpTo = 32

// project adds up what the maps of one resolution contribute, and sum if it is not nil. Each convolution adds to what
// there is before the next one, which the runtime does within the convolution, the last together with the ReLU after it.
func (b *builder) project(s *stage, weight, bias, sum *graph.Value) *graph.Value {
	g := b.g
	rows := max(weight.Dim(0)*weight.Dim(1), 1)
	maps := s.maps
	if s.resolution <= joinedUpTo {
		maps = []*graph.Value{g.Concat(1, maps...)}
	}
	at := 0
	for _, x := range maps {
		columns := s.columns[at : at+x.Dim(1)]
		at += len(columns)
		w := g.Reshape(g.Gather(weight, 2, columns), rows, len(columns), 1, 1)
		y := g.Conv(x, w, bias, graph.ConvOptions{})
		bias = nil
		if sum == nil {
			sum = y
		} else {
			sum = g.Add(y, sum)
		}
	}
	return sum
}

// hidden is a layer inside the ensemble, each member on its own channels.
func (b *builder) hidden(p Params, x *graph.Value) *graph.Value {
	g := b.g
	m, out, in := p.Weight.Dim(0), p.Weight.Dim(1), p.Weight.Dim(2)
	w := g.Reshape(p.Weight, max(m*out, 1), max(in, 1), 1, 1)
	return g.Conv(x, w, g.Reshape(p.Bias, max(m*out, 1)), graph.ConvOptions{Groups: m})
}

// last is the layer that gives logits. If it is also the first one, x has
// them already.
func (b *builder) last(p Params, x *graph.Value, linear bool) *Output {
	g := b.g
	m, k := p.Weight.Dim(0), p.Weight.Dim(1)
	h, w := x.Dim(2), x.Dim(3)
	if linear {
		members := g.Reshape(x, max(m, 1), max(k, 1), max(h, 1), max(w, 1))
		return &Output{Logits: g.ReduceMean(members, []int{0}, true), Members: members}
	}
	in := p.Weight.Dim(2)
	each := b.hidden(p, x)
	// The mean of the members' logits is one layer over all their channels.
	weight := g.Scale(g.Transpose(p.Weight, 1, 0, 2), 1/float32(max(m, 1)))
	bias := g.ReduceMean(p.Bias, []int{0}, false)
	return &Output{
		Logits:  g.Conv(x, g.Reshape(weight, max(k, 1), max(m*in, 1), 1, 1), bias, graph.ConvOptions{}),
		Members: g.Reshape(each, max(m, 1), max(k, 1), max(h, 1), max(w, 1)),
	}
}

// Divergence adds the Jensen–Shannon divergence of the members' answers,
// [1, 1, h, w] in nats: the entropy of the mean probabilities minus the mean of the
// entropies. It is 0 where all members agree and at most the logarithm of their number.
func Divergence(g *graph.Graph, members *graph.Value) *graph.Value {
	logs := g.LogSoftmax(members, 1)
	probs := g.Exp(logs)
	mean := g.ReduceMean(probs, []int{0}, true)
	// p·log p is 0 at p = 0; the tiny number keeps the logarithm finite.
	ofMean := g.ReduceSum(g.Mul(mean, g.Log(g.AddScalar(mean, 1e-30))), []int{1}, true)
	ofEach := g.ReduceSum(g.Mul(probs, logs), []int{1}, true)
	return g.Sub(g.ReduceMean(ofEach, []int{0}, true), ofMean)
}

// Labels writes the most likely class of every pixel of logits [classes, h, w] to dst,
// the lowest id if several are equal. Dst nil or of another size is replaced; its palette becomes the
// manifest's. Confidence, which may be nil, receives the probability of that class as
// 0 … 255; it must have the same size.
func Labels(dst *image.Paletted, confidence *image.Gray, logits []float32, man *model.Manifest) *image.Paletted {
	size := man.Size()
	w, h, k := size.X, size.Y, len(man.Classes)
	if len(logits) != k*w*h {
		panic(fmt.Sprintf("segmentation: %d logits for %d classes of %d × %d", len(logits), k, w, h))
	}
	if dst == nil || dst.Rect != image.Rect(0, 0, w, h) {
		dst = image.NewPaletted(image.Rect(0, 0, w, h), nil)
	}
	dst.Palette = man.Palette()
	if confidence != nil && confidence.Rect != dst.Rect {
		panic("segmentation: confidence has another size than the labels")
	}
	rows := func(y0, y1 int) {
		best := make([]float32, w)
		total := make([]float32, w)
		for y := y0; y < y1; y++ {
			ids := dst.Pix[y*dst.Stride:][:w]
			copy(best, logits[y*w:])
			clear(ids)
			for c := 1; c < k; c++ {
				row := logits[c*w*h+y*w:][:w]
				for x, v := range row {
					if v > best[x] {
						best[x], ids[x] = v, uint8(c)
					}
				}
			}
			if confidence == nil {
				continue
			}
			clear(total)
			for c := range k {
				row := logits[c*w*h+y*w:][:w]
				for x, v := range row {
					total[x] += float32(math.Exp(float64(v - best[x])))
				}
			}
			out := confidence.Pix[y*confidence.Stride:][:w]
			for x, t := range total {
				out[x] = uint8(255/t + 0.5)
			}
		}
	}
	parallel(h, rows)
	return dst
}

// Second returns the second most likely class of every pixel of logits [classes, h, w],
// given the most likely ones, and its probability divided by theirs as 0 … 255: 255 for
// as likely. With one class only, it is that class, at odds of 0.
func Second(labels *image.Paletted, logits []float32, man *model.Manifest) (*image.Paletted, *image.Gray) {
	size := man.Size()
	w, h, k := size.X, size.Y, len(man.Classes)
	if len(logits) != k*w*h || labels.Rect != image.Rect(0, 0, w, h) {
		panic(fmt.Sprintf("segmentation: %d logits for %d classes of %d × %d, labels of %v", len(logits), k, w, h, labels.Rect))
	}
	second := image.NewPaletted(labels.Rect, labels.Palette)
	odds := image.NewGray(labels.Rect)
	parallel(h, func(y0, y1 int) {
		best := make([]float32, w)
		for y := y0; y < y1; y++ {
			first, ids := labels.Pix[y*labels.Stride:][:w], second.Pix[y*second.Stride:][:w]
			copy(ids, first)
			for x := range best {
				best[x] = float32(math.Inf(-1))
			}
			for c := range k {
				for x, v := range logits[c*w*h+y*w:][:w] {
					if v > best[x] && uint8(c) != first[x] {
						best[x], ids[x] = v, uint8(c)
					}
				}
			}
			out := odds.Pix[y*odds.Stride:][:w]
			for x, v := range best {
				most := logits[int(first[x])*w*h+y*w+x]
				out[x] = uint8(255*math.Exp(float64(v-most)) + 0.5)
			}
		}
	})
	return second, odds
}

// parallel splits 0 … n among the processors.
func parallel(n int, do func(from, to int)) {
	parts := min(runtime.GOMAXPROCS(0), (n+31)/32)
	if parts <= 1 {
		do(0, n)
		return
	}
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() { do(n*i/parts, n*(i+1)/parts) })
	}
	wg.Wait()
}
