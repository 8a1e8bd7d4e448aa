package graph_test

import (
	"strings"
	"testing"

	"latentbrush/engine/graph"
)

// TestShapeErrors gives every operation what it cannot take. The text names the operation and the shapes.
func TestShapeErrors(t *testing.T) {
	type g = graph.Graph
	cases := []struct {
		name   string
		build  func(g *g, in func(shape ...int) *graph.Value)
		expect []string
	}{
		{"Input", func(g *g, in func(...int) *graph.Value) { in(1, 0) }, []string{"Input", "[1 0]"}},
		{"Input/huge", func(g *g, in func(...int) *graph.Value) { in(1<<40, 1<<40) }, []string{"Input", "elements"}},
		{"Input/name", func(g *g, in func(...int) *graph.Value) { g.Input("a", 1); g.Input("a", 2) }, []string{"Input", `"a"`}},
		{"Const", func(g *g, in func(...int) *graph.Value) { g.Const("w", make([]float32, 5), 2, 3) }, []string{"Const", `"w"`, "5", "[2 3]"}},
		{"Deferred", func(g *g, in func(...int) *graph.Value) {
			g.Output("y", g.Add(in(2, 3), g.Deferred(g, "w", func() ([]float32, error) { return make([]float32, 5), nil }, 2, 3)))
			g.Model()
		}, []string{"Deferred", `"w"`, "5", "[2 3]"}},
		{"Fill", func(g *g, in func(...int) *graph.Value) { g.Fill(1, -1) }, []string{"Fill", "[-1]"}},
		{"Output", func(g *g, in func(...int) *graph.Value) { x := in(1); g.Output("y", x); g.Output("y", x) }, []string{"Output", `"y"`}},
		{"Add", func(g *g, in func(...int) *graph.Value) { g.Add(in(2, 3), in(2)) }, []string{"Add", "[2 3]", "[2]"}},
		{"Sub", func(g *g, in func(...int) *graph.Value) { g.Sub(in(2, 3), in(3, 2)) }, []string{"Sub", "[2 3]", "[3 2]"}},
		{"Mul", func(g *g, in func(...int) *graph.Value) { g.Mul(in(4), in(3)) }, []string{"Mul", "[4]", "[3]"}},
		{"Div", func(g *g, in func(...int) *graph.Value) { g.Div(in(4), in(3)) }, []string{"Div", "[4]", "[3]"}},
		{"LeakyRelu", func(g *g, in func(...int) *graph.Value) { g.LeakyRelu(in(2), 1.5) }, []string{"LeakyRelu", "1.5"}},
		{"ScaledLeakyRelu", func(g *g, in func(...int) *graph.Value) { g.ScaledLeakyRelu(in(1, 3, 4, 4), in(1, 2, 1, 1), 0.2) }, []string{"ScaledLeakyRelu", "[1 2 1 1]", "[1 3 4 4]"}},
		{"ScaledLeakyRelu/slope", func(g *g, in func(...int) *graph.Value) { g.ScaledLeakyRelu(in(1, 3, 4, 4), in(1, 3, 1, 1), 2) }, []string{"ScaledLeakyRelu", "2"}},
		{"ScaledLeakyRelu/offset", func(g *g, in func(...int) *graph.Value) {
			g.ScaledLeakyRelu(in(1, 3, 4, 4), in(1, 3, 1, 1), 0.2, in(1, 3, 4, 5))
		}, []string{"ScaledLeakyRelu", "[1 3 4 5]", "[1 3 4 4]"}},
		{"After", func(g *g, in func(...int) *graph.Value) { g.After(in(2), in(3)) }, []string{"After", "[2]", "[3]"}},
		{"Clip", func(g *g, in func(...int) *graph.Value) { g.Clip(in(2), 1, 0) }, []string{"Clip", "[1, 0]"}},
		{"Step", func(g *g, in func(...int) *graph.Value) { g.Step(in(2), 1, 1) }, []string{"Step", "1"}},
		{"ReduceSum", func(g *g, in func(...int) *graph.Value) { g.ReduceSum(in(2, 3), []int{2}, true) }, []string{"ReduceSum", "axis 2", "[2 3]"}},
		{"ReduceMean", func(g *g, in func(...int) *graph.Value) { g.ReduceMean(in(2, 3), []int{0, -2}, true) }, []string{"ReduceMean", "twice", "[2 3]"}},
		{"ReduceMax", func(g *g, in func(...int) *graph.Value) { g.ReduceMax(in(2, 3), []int{-3}, true) }, []string{"ReduceMax", "axis -3", "[2 3]"}},
		{"Softmax", func(g *g, in func(...int) *graph.Value) { g.Softmax(in(2, 3), 2) }, []string{"Softmax", "axis 2", "[2 3]"}},
		{"LogSumExp", func(g *g, in func(...int) *graph.Value) { g.LogSumExp(in(2, 3), 2) }, []string{"LogSumExp", "axis 2", "[2 3]"}},
		{"Reshape", func(g *g, in func(...int) *graph.Value) { g.Reshape(in(2, 3), 4, -1) }, []string{"Reshape", "[2 3]", "[4 1]"}},
		{"Expand", func(g *g, in func(...int) *graph.Value) { g.Expand(in(2, 3), 2, 4) }, []string{"Expand", "[2 3]", "[2 4]"}},
		{"Transpose", func(g *g, in func(...int) *graph.Value) { g.Transpose(in(2, 3), 0, 0) }, []string{"Transpose", "[0 0]", "[2 3]"}},
		{"Transpose/short", func(g *g, in func(...int) *graph.Value) { g.Transpose(in(2, 3)) }, []string{"Transpose", "[2 3]"}},
		{"Concat", func(g *g, in func(...int) *graph.Value) { g.Concat(0, in(2, 3), in(2, 4)) }, []string{"Concat", "[2 3]", "[2 4]"}},
		{"Concat/rank", func(g *g, in func(...int) *graph.Value) { g.Concat(0, in(2, 3), in(2)) }, []string{"Concat", "[2 3]", "[2]"}},
		{"Concat/none", func(g *g, in func(...int) *graph.Value) { g.Concat(0) }, []string{"Concat", "no tensors"}},
		{"Slice", func(g *g, in func(...int) *graph.Value) {
			g.Slice(in(2, 3), graph.Range{Axis: 1, Start: 1, End: 4})
		}, []string{"Slice", "[1, 4)", "[2 3]"}},
		{"Pad", func(g *g, in func(...int) *graph.Value) {
			g.Pad(in(2, 3), 0, graph.Margin{Axis: 1, Before: -1})
		}, []string{"Pad", "-1", "axis 1"}},
		{"Gather", func(g *g, in func(...int) *graph.Value) { g.Gather(in(2, 3), 1, []int{3}) }, []string{"Gather", "index 3", "[2 3]"}},
		{"MatMul", func(g *g, in func(...int) *graph.Value) { g.MatMul(in(2, 3), in(2, 3)) }, []string{"MatMul", "[2 3]"}},
		{"MatMul/batch", func(g *g, in func(...int) *graph.Value) { g.MatMul(in(2, 2, 3), in(3, 3, 3)) }, []string{"MatMul", "[2 2 3]", "[3 3 3]"}},
		{"MatMul/vector", func(g *g, in func(...int) *graph.Value) { g.MatMul(in(3), in(3, 3)) }, []string{"MatMul", "[3]", "[3 3]"}},
		{"Gemm", func(g *g, in func(...int) *graph.Value) {
			g.Gemm(in(2, 3), in(3, 4), nil, graph.GemmOptions{TransB: true})
		}, []string{"Gemm", "[2 3]", "[3 4]"}},
		{"Gemm/added", func(g *g, in func(...int) *graph.Value) { g.Gemm(in(2, 3), in(3, 4), in(3), graph.GemmOptions{}) }, []string{"Gemm", "[3]", "[2 4]"}},
		{"Gemm/rank", func(g *g, in func(...int) *graph.Value) { g.Gemm(in(2, 3), in(3), nil, graph.GemmOptions{}) }, []string{"Gemm", "[2 3]", "[3]"}},
		{"Conv", func(g *g, in func(...int) *graph.Value) {
			g.Conv(in(1, 3, 8, 8), in(4, 2, 3, 3), nil, graph.ConvOptions{})
		}, []string{"Conv", "[1 3 8 8]", "[4 2 3 3]"}},
		{"Conv/groups", func(g *g, in func(...int) *graph.Value) {
			g.Conv(in(1, 4, 8, 8), in(3, 2, 3, 3), nil, graph.ConvOptions{Groups: 2})
		}, []string{"Conv", "[1 4 8 8]", "[3 2 3 3]", "2 groups"}},
		{"Conv/bias", func(g *g, in func(...int) *graph.Value) {
			g.Conv(in(1, 3, 8, 8), in(4, 3, 3, 3), in(3), graph.ConvOptions{})
		}, []string{"Conv", "[3]", "[4]", "[4 3 3 3]"}},
		{"Conv/small", func(g *g, in func(...int) *graph.Value) {
			g.Conv(in(1, 3, 2, 2), in(4, 3, 3, 3), nil, graph.ConvOptions{})
		}, []string{"Conv", "[1 3 2 2]", "[4 3 3 3]"}},
		{"Conv/padding", func(g *g, in func(...int) *graph.Value) {
			g.Conv(in(1, 3, 4, 4), in(4, 3, 3, 3), nil, graph.ConvOptions{Pad: graph.AllSides(-1)})
		}, []string{"Conv", "negative"}},
		{"Conv/rank", func(g *g, in func(...int) *graph.Value) {
			g.Conv(in(3, 4, 4), in(4, 3, 3, 3), nil, graph.ConvOptions{})
		}, []string{"Conv", "[3 4 4]", "rank 4"}},
		{"ConvTranspose", func(g *g, in func(...int) *graph.Value) {
			g.ConvTranspose(in(1, 3, 8, 8), in(4, 3, 3, 3), nil, graph.ConvTransposeOptions{Stride: 2})
		}, []string{"ConvTranspose", "[1 3 8 8]", "[4 3 3 3]"}},
		{"ConvTranspose/output padding", func(g *g, in func(...int) *graph.Value) {
			g.ConvTranspose(in(1, 3, 8, 8), in(3, 4, 3, 3), nil, graph.ConvTransposeOptions{Stride: 2, OutputPad: [2]int{2, 0}})
		}, []string{"ConvTranspose", "[2 0]", "stride 2"}},
		{"ConvTranspose/nothing left", func(g *g, in func(...int) *graph.Value) {
			g.ConvTranspose(in(1, 3, 1, 1), in(3, 4, 2, 2), nil, graph.ConvTransposeOptions{Pad: graph.AllSides(1)})
		}, []string{"ConvTranspose", "[1 3 1 1]", "[3 4 2 2]"}},
		{"BatchNorm", func(g *g, in func(...int) *graph.Value) {
			c := in(3)
			g.BatchNorm(in(1, 4, 2, 2), c, c, c, c, 1e-5)
		}, []string{"BatchNorm", "[3]", "[1 4 2 2]"}},
		{"UpsampleNearest", func(g *g, in func(...int) *graph.Value) { g.UpsampleNearest(in(3, 4, 4), 2) }, []string{"UpsampleNearest", "[3 4 4]", "2"}},
		{"UpsampleLinear", func(g *g, in func(...int) *graph.Value) { g.UpsampleLinear(in(1, 3, 4, 4), 0) }, []string{"UpsampleLinear", "[1 3 4 4]", "0"}},
		{"UpsampleZeroBorder", func(g *g, in func(...int) *graph.Value) { g.UpsampleZeroBorder(in(3, 4)) }, []string{"UpsampleZeroBorder", "[3 4]"}},
		{"ResizeLinear", func(g *g, in func(...int) *graph.Value) { g.ResizeLinear(in(1, 3, 4, 4), 0, 4) }, []string{"ResizeLinear", "[1 3 4 4]", "0×4"}},
		{"AveragePool", func(g *g, in func(...int) *graph.Value) { g.AveragePool(in(1, 3, 5, 4), 2) }, []string{"AveragePool", "[1 3 5 4]", "2×2"}},
		{"nil", func(g *g, in func(...int) *graph.Value) { g.Add(in(1), nil) }, []string{"Add", "argument 2", "nil"}},
		{"another graph", func(g *g, in func(...int) *graph.Value) { g.Add(in(1), graph.New("b").Input("x", 1)) }, []string{"Add", "argument 2", "another graph"}},
		{"Gradient", func(g *g, in func(...int) *graph.Value) { x := in(2, 3); graph.Gradient(x, x) }, []string{"Gradient", "[2 3]"}},
		{"Gradient/constant", func(g *g, in func(...int) *graph.Value) {
			w := g.Const("w", []float32{1, 2}, 2)
			graph.Gradient(g.Sum(g.Mul(in(2), w)), w)
		}, []string{"Gradient", "constant", "[2]"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New("wrong")
			count := 0
			c.build(g, func(shape ...int) *graph.Value {
				count++
				return g.Input(strings.Repeat("x", count), shape...)
			})
			err := g.Err()
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range c.expect {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if !strings.HasPrefix(err.Error(), "graph: ") {
				t.Errorf("%q does not begin with the package", err)
			}
		})
	}
}

// TestErrorSticks builds on after an error: nothing panics, and the first error is what is reported.
func TestErrorSticks(t *testing.T) {
	g := graph.New("wrong")
	x := g.Input("x", 1, 2, 4, 4)
	bad := g.Conv(x, g.Input("w", 3, 3, 3, 3), nil, graph.ConvOptions{})
	y := g.Relu(g.Add(g.UpsampleLinear(g.Softmax(bad, 1), 2), x))
	y = g.MatMul(g.Transpose(g.Reshape(y, 4, -1), 1, 0), g.Slice(bad, graph.Range{End: 1}))
	if y.Dim(0) != 0 || y.Shape() != nil {
		t.Errorf("the value of a failed operation has shape %v", y.Shape())
	}
	g.Output("y", g.Sum(y))
	if _, err := graph.Gradient(y, x); err == nil || !strings.Contains(err.Error(), "Conv") {
		t.Errorf("Gradient: %v", err)
	}
	if _, err := g.Model(); err == nil || !strings.Contains(err.Error(), "Conv") {
		t.Errorf("Model: %v", err)
	}
}
