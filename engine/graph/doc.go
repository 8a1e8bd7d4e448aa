// Package graph builds networks as ONNX models and differentiates them.
//
// A [Graph] is a list of values. Each [Value] is an input, a constant (a weight) or the result of one operation on
// earlier values, and its shape is known the moment it is made: a wrong shape is an error of the builder, with the
// operation and the shapes in its text, never of the runtime. Values are float32 tensors in row-major order; pictures
// and feature maps are [N, C, H, W].
//
// [Gradient] is reverse-mode differentiation. Every operation knows its vector-Jacobian product, written in operations
// of the same set; so the gradient of a loss is more graph, one model computes the loss, its gradient and whatever else
// is asked of it in a single run, and the gradient can be differentiated again (a gradient penalty needs that). No
// training runtime and no tape is involved, only inference operations, and so any ONNX runtime on any device will do.
//
//	g := graph.New("square")
//	x := g.Input("x", 1, 8)
//	loss := g.Sum(g.Square(x))
//	dx, err := graph.Gradient(loss, x)
//	g.Output("loss", loss)
//	g.Output("dx", dx[0])
//	model, err := g.Model()
//
// Operations are methods of *Graph and return a *Value. The first error sticks: later operations return a value without
// a shape and do nothing, and [Graph.Err], [Gradient] and [Graph.Model] report it. Code that builds a network therefore
// reads like the formula and checks one error at its end. To read sizes while building, use [Value.Dim], which is 0 on
// such a value.
//
// Constants are referenced, not copied, until Model writes them; do not change their data in between. What depends on
// constants alone is computed while building, equal operations on equal values are one node, and what no output needs
// is not written.
package graph
