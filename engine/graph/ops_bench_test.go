package graph_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/ort"
)

// bench times a graph on the CPU and reports GFLOP/s when it is told the multiplications of one run.
func bench(b *testing.B, g *graph.Graph, multiplications int) {
	b.Helper()
	model, err := g.Model()
	if err != nil {
		b.Fatal(err)
	}
	s, err := runtime.NewSession(model, nil, nil, ort.SessionOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	for _, spec := range s.Inputs() {
		in := s.Input(spec.Name)
		for i := range in {
			in[i] = rng.Float32() - 0.5
		}
	}
	for b.Loop() {
		if err := s.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	if multiplications > 0 {
		b.ReportMetric(2*float64(multiplications)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
}

func constant(g *graph.Graph, seed uint64, shape ...int) *graph.Value {
	t := weight(seed, shape...)
	return g.Const("w", t.floats(), shape...)
}

// BenchmarkCeiling is a large plain convolution: what the machine can do at best.
func BenchmarkCeiling(b *testing.B) {
	g := graph.New("ceiling")
	x := g.Input("x", 1, 256, 64, 64)
	g.Output("y", g.Conv(x, constant(g, 1, 256, 256, 3, 3), nil, graph.ConvOptions{Pad: graph.AllSides(1)}))
	bench(b, g, 256*256*9*64*64)
}

// BenchmarkUpConv is the doubling convolution of StyleGAN2 with its filter, 128² to 256² at a quarter of the width.
func BenchmarkUpConv(b *testing.B) {
	for _, phased := range []bool{true, false} {
		name := map[bool]string{true: "phases", false: "operator"}[phased]
		b.Run(name, func(b *testing.B) {
			g := graph.New("up")
			w := constant(g, 1, 64, 32, 3, 3)
			if !phased {
				w = g.Input("w", 64, 32, 3, 3)
			}
			y := g.ConvTranspose(g.Input("x", 1, 64, 128, 128), w, nil, graph.ConvTransposeOptions{Stride: 2})
			fir := constant(g, 2, 32, 1, 4, 4)
			g.Output("y", g.Conv(y, fir, nil, graph.ConvOptions{Pad: graph.AllSides(1), Groups: 32}))
			bench(b, g, 64*32*9*128*128)
		})
	}
}

// BenchmarkCrossEntropy is the loss of a label map and its gradient, 22 classes at 256².
func BenchmarkCrossEntropy(b *testing.B) {
	g := graph.New("entropy")
	x, target := g.Input("x", 1, 22, 256, 256), g.Input("target", 1, 22, 256, 256)
	loss := g.Neg(g.Sum(g.Mul(g.LogSoftmax(x, 1), target)))
	d, err := graph.Gradient(loss, x)
	if err != nil {
		b.Fatal(err)
	}
	g.Output("loss", loss)
	g.Output("dx", d[0])
	bench(b, g, 0)
}

// BenchmarkUpsampleGradient is the adjoint of the bilinear enlargement to 256² of 64 channels.
func BenchmarkUpsampleGradient(b *testing.B) {
	for name, factor := range map[string]int{"2": 2, "8": 8, "64": 64} {
		b.Run(name, func(b *testing.B) {
			g := graph.New("adjoint")
			x := g.Input("x", 1, 64, 256/factor, 256/factor)
			d, err := graph.Gradient(g.Sum(g.Mul(g.UpsampleLinear(x, factor), g.Input("dy", 1, 64, 256, 256))), x)
			if err != nil {
				b.Fatal(err)
			}
			g.Output("dx", d[0])
			bench(b, g, 0)
		})
	}
}
