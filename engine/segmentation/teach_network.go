package segmentation

import (
	"fmt"
	"math"

	"latentbrush/engine/graph"
	"latentbrush/engine/model"
	"latentbrush/engine/optim"
)

// network is the head in training: a graph that takes the features of a grid of pixels and the
// weights, and gives the loss and its gradient in the weights.
type network struct {
	info           *model.HeadInfo
	pictures, grid int
	session        Session
	cache          *cache

	// The first stages, whose maps are smaller than the grid, are projected before they are enlarged; the
	// fine ones are enlarged or picked at the pixels of the grid first, which is less work.
	coarse    int
	fine      int         // channels of all fine stages together
	taps      [][][]tap   // by stage
	sum       int         // rows of all coarse maps together
	first     []*variable // the first layer's weights by stage
	bias      []*variable // of each layer
	weight    []*variable // of each layer but the first
	gain      []*variable // of each normalisation
	shift     []*variable
	mean      [][]float64 // running statistics of each normalisation
	variance  [][]float64
	steps     int
	variables []*variable
}

// variable is a tensor that is learnt. Its data is the memory of the session's input.
type variable struct {
	name  string
	shape []int
	init  []float32
	data  []float32
	adam  *optim.Adam
	decay bool
}

func (n *network) variable(name string, shape ...int) *variable {
	size := 1
	for _, d := range shape {
		size *= d
	}
	v := &variable{name: name, shape: shape, init: make([]float32, size)}
	n.variables = append(n.variables, v)
	return v
}

func newNetwork(t *teacher) (*network, error) {
	n := &network{info: t.info, pictures: t.o.Pictures, grid: t.o.Grid, cache: t.cache}
	n.plan()
	n.initialise(t.rng.NormFloat64)
	g := graph.New("teach")
	if err := n.build(g); err != nil {
		return nil, fmt.Errorf("segmentation: %w", err)
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, fmt.Errorf("segmentation: %w", err)
	}
	if n.session, err = t.open(bytes); err != nil {
		return nil, err
	}
	for _, v := range n.variables {
		v.data = n.session.Input(v.name)
		copy(v.data, v.init)
		v.init = nil
		v.adam = newAdam(len(v.data), t.o.Rate)
	}
	return n, nil
}

// plan divides the maps and makes the variables.
func (n *network) plan() {
	m, sizes := n.info.Members, sizes(n.info)
	resolution := n.cache.stages[len(n.cache.stages)-1].resolution
	for _, s := range n.cache.stages {
		n.taps = append(n.taps, taps(s.resolution, resolution, n.info.Upsample == model.UpsampleProgressive))
		v := n.variable(fmt.Sprintf("layers.0.weight.%d", s.resolution), m*sizes[0], s.channels)
		v.decay = true
		n.first = append(n.first, v)
		if s.resolution < n.grid {
			n.coarse++
			n.sum += s.resolution
		} else {
			n.fine += s.channels
		}
	}
	for l, size := range sizes {
		p := fmt.Sprintf("layers.%d.", l)
		if l > 0 {
			n.weight = append(n.weight, n.variable(p+"weight", m, size, sizes[l-1]))
		}
		n.bias = append(n.bias, n.variable(p+"bias", m, size))
		if l < len(n.info.Hidden) {
			n.gain = append(n.gain, n.variable(p+"norm.weight", m, size))
			n.shift = append(n.shift, n.variable(p+"norm.bias", m, size))
			n.mean = append(n.mean, make([]float64, m*size))
			n.variance = append(n.variance, make([]float64, m*size))
		}
	}
}

// initialise draws the first weights: variance 2 over the inputs before a ReLU (He et al., "Delving Deep
// into Rectifiers", ICCV 2015), a tenth of that deviation in the layer that gives logits.
func (n *network) initialise(normal func() float64) {
	set := func(v *variable, in int, last bool) {
		scale := math.Sqrt(2 / float64(in))
		if last {
			scale /= 10
		}
		for i := range v.init {
			v.init[i] = float32(scale * normal())
		}
	}
	for _, v := range n.first {
		set(v, n.info.Inputs(), len(n.info.Hidden) == 0)
	}
	for l, v := range n.weight {
		set(v, n.info.Hidden[l], l == len(n.weight)-1)
	}
	for _, v := range n.gain {
		for i := range v.init {
			v.init[i] = 1
		}
	}
}

// build writes the graph. Tensors are [members·channels, pictures·grid·grid].
func (n *network) build(g *graph.Graph) error {
	m, l, pixels := n.info.Members, n.grid, n.pictures*n.grid*n.grid
	in := map[*variable]*graph.Value{}
	var wrt []*graph.Value
	for _, v := range n.variables {
		in[v] = g.Input(v.name, v.shape...)
		wrt = append(wrt, in[v])
	}
	outs := sizes(n.info)
	rows := m * outs[0]

	var fine []*graph.Value
	for _, v := range n.first[n.coarse:] {
		fine = append(fine, in[v])
	}
	x := g.Gemm(g.Concat(1, fine...), g.Input("x fine", n.fine, pixels), nil, graph.GemmOptions{})
	bias := g.Reshape(in[n.bias[0]], rows, 1)
	if n.coarse == 0 {
		x = g.Add(x, bias)
	} else {
		var parts []*graph.Value
		for i, s := range n.cache.stages[:n.coarse] {
			r := s.resolution
			y := g.Gemm(in[n.first[i]], g.Input(fmt.Sprintf("x %d", r), s.channels, n.pictures*r*r), nil, graph.GemmOptions{})
			if i == 0 {
				// Enlarging keeps constants, so the bias is added to the smallest map.
				y = g.Add(y, bias)
			}
			y = g.Reshape(y, rows, n.pictures, r, r)
			parts = append(parts, g.MatMul(y, g.Input(fmt.Sprintf("columns %d", r), 1, n.pictures, r, l)))
		}
		// One product enlarges the rows of all maps and adds them up.
		up := g.MatMul(g.Input("rows", 1, n.pictures, l, n.sum), g.Concat(2, parts...))
		x = g.Add(x, g.Reshape(up, rows, pixels))
	}
	x = g.Reshape(x, m, outs[0], pixels)

	b := builder{g: g}
	below := Params{}
	for k := range n.info.Hidden {
		x = g.Relu(x)
		// Normalisation with the statistics of this step's pixels, folded into the next layer as in a
		// finished head; the gradient goes through the statistics.
		mean := g.ReduceMean(x, []int{2}, false)
		variance := g.Relu(g.Sub(g.ReduceMean(g.Square(x), []int{2}, false), g.Square(mean)))
		g.Output(fmt.Sprintf("mean %d", k), mean)
		g.Output(fmt.Sprintf("variance %d", k), variance)
		below = Params{Gain: in[n.gain[k]], Shift: in[n.shift[k]], Mean: mean, Variance: variance}
		p := b.foldNorm(below, Params{Weight: in[n.weight[k]], Bias: in[n.bias[k+1]]})
		x = g.Add(g.MatMul(p.Weight, x), g.Reshape(p.Bias, m, outs[k+1], 1))
	}

	target := g.Input("target", 1, n.info.Classes, pixels)
	weight := g.Input("weight", 1, 1, pixels)
	// The members learn from the same pixels, each for itself: the sum of their losses has each one's
	// gradient in its own weights.
	loss := g.Sub(g.Sum(g.Mul(weight, g.LogSumExp(x, 1))), g.Sum(g.Mul(target, x)))
	gradients, err := graph.Gradient(loss, wrt...)
	if err != nil {
		return err
	}
	for i, v := range n.variables {
		g.Output("d "+v.name, gradients[i])
	}
	g.Output("loss", g.Scale(loss, 1/float32(m)))
	return g.Err()
}

// fillPicture writes the features at rows and columns of picture p of the cache as picture i of the step.
func (n *network) fillPicture(c *cache, p, i int, rows, cols []int) {
	l := n.grid
	fine := n.session.Input("x fine")
	at := 0
	offset := 0
	for k, s := range c.stages {
		r, tp := s.resolution, n.taps[k]
		if r >= l {
			gather(fine[at*n.pictures*l*l:], s.maps[p], s.channels, r, n.pictures, i, tp, rows, cols)
			at += s.channels
			continue
		}
		x := n.session.Input(fmt.Sprintf("x %d", r))
		for ch := range s.channels {
			copy(x[(ch*n.pictures+i)*r*r:], s.maps[p][ch*r*r:][:r*r])
		}
		columns := n.session.Input(fmt.Sprintf("columns %d", r))[i*r*l:][:r*l]
		clear(columns)
		for j, x := range cols {
			for _, t := range tp[x] {
				columns[t.from*l+j] = t.weight
			}
		}
		all := n.session.Input("rows")[i*l*n.sum:][:l*n.sum]
		for j, y := range rows {
			row := all[j*n.sum+offset:][:r]
			clear(row)
			for _, t := range tp[y] {
				row[t.from] = t.weight
			}
		}
		offset += r
	}
}

// gather enlarges maps [channels, r, r] at some rows and columns: dst[(ch·pictures + i)·l² + …].
func gather(dst, src []float32, channels, r, pictures, i int, tp [][]tap, rows, cols []int) {
	l := len(rows)
	parallel(channels, func(from, to int) {
		line := make([]float32, r)
		for ch := from; ch < to; ch++ {
			plane := src[ch*r*r:][:r*r]
			for a, y := range rows {
				out := dst[((ch*pictures+i)*l+a)*l:][:l]
				row := line
				if t := tp[y]; len(t) == 1 {
					row = plane[t[0].from*r:][:r]
				} else {
					first := plane[t[0].from*r:][:r]
					for x, v := range first {
						line[x] = t[0].weight * v
					}
					for _, t := range t[1:] {
						for x, v := range plane[t.from*r:][:r] {
							line[x] += t.weight * v
						}
					}
				}
				for b, x := range cols {
					v := float32(0)
					for _, t := range tp[x] {
						v += t.weight * row[t.from]
					}
					out[b] = v
				}
			}
		}
	})
}

// updateStatistics moves the running statistics towards those of the last step.
func (n *network) updateStatistics() {
	n.steps++
	// The first steps count in full, so that the start does not pull the average to 0.
	f := max(momentum, 1/float64(n.steps))
	for k := range n.mean {
		mean, variance := n.session.Output(fmt.Sprintf("mean %d", k)), n.session.Output(fmt.Sprintf("variance %d", k))
		for i := range n.mean[k] {
			n.mean[k][i] += f * (float64(mean[i]) - n.mean[k][i])
			n.variance[k][i] += f * (float64(variance[i]) - n.variance[k][i])
		}
	}
}

// head returns the weights as they are now as a head for the generator's own features.
func (n *network) head() *Head {
	m, outs := n.info.Members, sizes(n.info)
	h := &Head{info: n.info, layers: make([]weights, len(outs))}
	total := n.info.Inputs()
	first := make([]float32, m*outs[0]*total)
	bias := make([]float32, m*outs[0])
	for o := range bias {
		b := float64(n.bias[0].data[o])
		for i, s := range n.cache.stages {
			for ch, v := range n.first[i].data[o*s.channels:][:s.channels] {
				w := float64(v) * n.cache.inverse[s.at+ch]
				first[o*total+s.at+ch] = float32(w)
				b -= w * n.cache.mean[s.at+ch]
			}
		}
		bias[o] = float32(b)
	}
	h.layers[0].weight, h.layers[0].bias = first, bias
	clone := func(x []float32) []float32 { return append([]float32(nil), x...) }
	single := func(x []float64) []float32 {
		out := make([]float32, len(x))
		for i, v := range x {
			out[i] = float32(v)
		}
		return out
	}
	for l := range outs {
		w := &h.layers[l]
		if l > 0 {
			w.weight, w.bias = clone(n.weight[l-1].data), clone(n.bias[l].data)
		}
		if l < len(n.info.Hidden) {
			w.gain, w.shift = clone(n.gain[l].data), clone(n.shift[l].data)
			w.mean, w.variance = single(n.mean[l]), single(n.variance[l])
		}
	}
	return h
}
