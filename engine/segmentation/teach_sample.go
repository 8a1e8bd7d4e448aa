package segmentation

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/stylegan2"
)

// stageMaps are all maps of one resolution of all pictures, [pictures][channels, r, r], in the order of the head's
// columns from column at.
type stageMaps struct {
	resolution, channels, at int
	maps                     [][]float32
}

// cache holds the features of the pairs at their own resolutions.
type cache struct {
	stages []*stageMaps
	// mean and inverse deviation of each column, by which the maps were standardised.
	mean, inverse []float64
}

// newCache allocates nothing until it has found that it may.
func newCache(man *model.Manifest, pictures int, limit int64) (*cache, error) {
	c := &cache{}
	at := 0
	for _, f := range man.Features() {
		if n := len(c.stages); n == 0 || c.stages[n-1].resolution != f.Resolution {
			c.stages = append(c.stages, &stageMaps{resolution: f.Resolution, at: at})
		}
		c.stages[len(c.stages)-1].channels += f.Channels
		at += f.Channels
	}
	one := int64(0)
	for _, s := range c.stages {
		one += 4 * int64(s.channels) * int64(s.resolution) * int64(s.resolution)
	}
	if one*int64(pictures) > limit {
		return nil, fmt.Errorf("segmentation: the features of %d pairs take %d MB, %d MB are allowed: teach with at most %d pairs or allow more memory",
			pictures, one*int64(pictures)>>20, limit>>20, limit/one)
	}
	for _, s := range c.stages {
		for range pictures {
			s.maps = append(s.maps, make([]float32, s.channels*s.resolution*s.resolution))
		}
	}
	return c, nil
}

func (c *cache) bytes() int64 {
	n := int64(0)
	for _, s := range c.stages {
		for _, m := range s.maps {
			n += 4 * int64(len(m))
		}
	}
	return n
}

// standardise gives every channel mean 0 and deviation 1 over all pictures. The head's weights
// undo it in the end, so it changes how fast they are learnt and nothing else.
func (c *cache) standardise() {
	last := c.stages[len(c.stages)-1]
	c.mean = make([]float64, last.at+last.channels)
	c.inverse = make([]float64, last.at+last.channels)
	for _, s := range c.stages {
		n := s.resolution * s.resolution
		parallel(s.channels, func(from, to int) {
			for ch := from; ch < to; ch++ {
				sum, squares := 0.0, 0.0
				for _, m := range s.maps {
					for _, v := range m[ch*n:][:n] {
						sum += float64(v)
						squares += float64(v) * float64(v)
					}
				}
				count := float64(n * len(s.maps))
				mean := sum / count
				deviation := math.Sqrt(max(0, squares/count-mean*mean))
				inverse := 0.0
				if deviation > 1e-6*math.Abs(mean) && deviation > 1e-12 {
					inverse = 1 / deviation
				}
				for _, m := range s.maps {
					plane := m[ch*n:][:n]
					for i, v := range plane {
						plane[i] = float32((float64(v) - mean) * inverse)
					}
				}
				c.mean[s.at+ch], c.inverse[s.at+ch] = mean, inverse
			}
		})
	}
}

// featurizer computes the feature maps of a latent.
type featurizer struct {
	man     *model.Manifest
	session Session
}

func newFeaturizer(gen *stylegan2.Generator, open NewSession) (*featurizer, error) {
	man := gen.Manifest()
	g := graph.New("features")
	s, err := gen.Synthesis(g, g.Input("code", man.Rows, man.WDim), 0)
	if err != nil {
		return nil, err
	}
	for _, f := range man.Features() {
		x := s.Features[f.Name]
		if f.Name == "b4.const" {
			// The runtime wants outputs that are computed, and a constant is not; the input stays 0.
			x = g.Add(x, g.Input("zero", 1))
		}
		g.Output(f.Name, x)
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	session, err := open(bytes)
	if err != nil {
		return nil, err
	}
	return &featurizer{man: man, session: session}, nil
}

// run stores the features of a code as picture i of the cache.
func (f *featurizer) run(ctx context.Context, code latent.Code, c *cache, i int) error {
	copy(f.session.Input("code"), code.Data)
	if err := f.session.Run(ctx); err != nil {
		return err
	}
	at, stage := 0, 0
	for _, x := range f.man.Features() {
		if c.stages[stage].resolution != x.Resolution {
			stage, at = stage+1, 0
		}
		at += copy(c.stages[stage].maps[i][at:], f.session.Output(x.Name))
	}
	return nil
}

// tap is a pixel of a small row that a pixel of the enlarged row is a sum of.
type tap struct {
	from   int
	weight float32
}

// taps returns for every pixel of a row of size to what it is made of when a row of
// size from is enlarged, at once or by steps of two.
func taps(from, to int, progressive bool) [][]tap {
	if from == to {
		out := make([][]tap, to)
		for i := range out {
			out[i] = []tap{{i, 1}}
		}
		return out
	}
	if !progressive || to == 2*from {
		out := make([][]tap, to)
		for i := range out {
			at := min(max((float64(i)+0.5)*float64(from)/float64(to)-0.5, 0), float64(from-1))
			j := min(int(at), max(from-2, 0))
			w := float32(at - float64(j))
			if w < 1 {
				out[i] = append(out[i], tap{j, 1 - w})
			}
			if w > 0 {
				out[i] = append(out[i], tap{j + 1, w})
			}
		}
		return out
	}
	half, last := taps(from, to/2, true), taps(to/2, to, true)
	out := make([][]tap, to)
	for i, t := range last {
		sum := map[int]float32{}
		for _, a := range t {
			for _, b := range half[a.from] {
				sum[b.from] += a.weight * b.weight
			}
		}
		for j, w := range sum {
			out[i] = append(out[i], tap{j, w})
		}
		slices.SortFunc(out[i], func(a, b tap) int { return a.from - b.from })
	}
	return out
}

// sampler draws rows and columns of one picture, more densely where the weighted classes are.
type sampler struct {
	labels     *image.Paletted
	rows, cols axisSampler
}

// axisSampler holds the share of draws of each row and their running sum.
type axisSampler struct{ share, sum []float64 }

// even is the part of the draws that is spread evenly.
const even = 0.5

func newAxisSampler(weight []float64) axisSampler {
	total := 0.0
	for _, w := range weight {
		total += w
	}
	a := axisSampler{share: make([]float64, len(weight)), sum: make([]float64, len(weight))}
	sum := 0.0
	for i, w := range weight {
		a.share[i] = 1 / float64(len(weight))
		if total > 0 {
			a.share[i] = even*a.share[i] + (1-even)*w/total
		}
		sum += a.share[i]
		a.sum[i] = sum
	}
	return a
}

// draw fills out with rows in rising order, one from each of equal parts of the probability.
func (a axisSampler) draw(rng *rand.Rand, out []int) {
	for j := range out {
		u := (float64(j) + rng.Float64()) / float64(len(out)) * a.sum[len(a.sum)-1]
		out[j] = min(sort.SearchFloat64s(a.sum, u), len(a.sum)-1)
	}
}

func newSampler(labels *image.Paletted, weights []float64) sampler {
	size := labels.Rect.Size()
	rows, cols := make([]float64, size.Y), make([]float64, size.X)
	for y := range size.Y {
		for x, c := range labels.Pix[y*labels.Stride:][:size.X] {
			if int(c) < len(weights) {
				rows[y] += weights[c]
				cols[x] += weights[c]
			}
		}
	}
	return sampler{labels: labels, rows: newAxisSampler(rows), cols: newAxisSampler(cols)}
}

// fill draws the pixels of a step and writes the inputs of the network.
func (t *teacher) fill() {
	net := t.net
	n, l, k := net.pictures, net.grid, t.classes
	crop := t.gen.Manifest().CropRect()
	target, weight := net.session.Input("target"), net.session.Input("weight")
	clear(target)
	clear(weight)
	for i, p := range t.choose(n) {
		s := t.samples[p]
		rows, cols := make([]int, l), make([]int, l)
		s.rows.draw(t.rng, rows)
		s.cols.draw(t.rng, cols)
		for a, y := range rows {
			for b, x := range cols {
				c := int(s.labels.Pix[y*s.labels.Stride+x])
				if c >= k {
					continue
				}
				density := s.rows.share[y] * float64(len(s.rows.share)) * s.cols.share[x] * float64(len(s.cols.share))
				v := float32(t.weights[c] / (density * float64(n*l*l)))
				at := (i*l+a)*l + b
				weight[at] = v
				target[c*n*l*l+at] = v
			}
		}
		for j := range l {
			rows[j] += crop.Min.Y
			cols[j] += crop.Min.X
		}
		net.fillPicture(t.cache, p, i, rows, cols)
	}
}

// choose draws n pictures: every picture once before any twice, as far as n goes.
func (t *teacher) choose(n int) []int {
	var out []int
	for len(out) < n {
		out = append(out, t.rng.Perm(len(t.pairs))...)
	}
	return out[:n]
}
