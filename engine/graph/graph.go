package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxElements bounds the size of one tensor; beyond it the byte size of a model or of an activation makes no sense.
const maxElements = 1 << 32

// A Graph is a network under construction. Its methods are not safe for concurrent use.
type Graph struct {
	name    string
	err     error
	values  []*Value
	seen    map[string]*Value // equal operation on equal inputs, by key
	named   map[string]*Value // inputs
	outputs []output
	invalid *Value
}

type output struct {
	name  string
	value *Value
}

// A Value is one tensor of a Graph.
type Value struct {
	g     *Graph
	id    int
	name  string
	op    op
	in    []*Value
	shape []int
}

// op is one kind of operation with its attributes. Its fields are plain data: two ops that print alike and have the
// same inputs are the same computation.
type op interface {
	// name is the word for the operation in error texts and value names.
	name() string
	// infer returns the shape of the result, or an error that says what is wrong with the inputs' shapes.
	infer(in []*Value) ([]int, error)
	// write adds the ONNX nodes that compute v.
	write(w *writer, v *Value)
	// vjp returns, for each input i with need[i], the gradient of a scalar with respect to that input, given dy, the
	// gradient with respect to v. A nil entry is a zero gradient.
	vjp(g *Graph, v, dy *Value, need []bool) []*Value
}

// folder is an op that can be computed while building when all its inputs are constants.
type folder interface {
	fold(v *Value) []float32
}

// New returns an empty graph. The name is written into the model and has no other meaning.
func New(name string) *Graph {
	g := &Graph{name: name, seen: map[string]*Value{}, named: map[string]*Value{}}
	g.invalid = &Value{g: g, id: -1, name: "invalid"}
	return g
}

// Err returns the first error met while building, or nil.
func (g *Graph) Err() error { return g.err }

// Shape returns a copy of the value's dimensions, outermost first; nil for the value of a failed operation.
func (v *Value) Shape() []int { return slices.Clone(v.shape) }

// Dim returns dimension i, counted from the end when i is negative; 0 when there is no such dimension.
func (v *Value) Dim(i int) int {
	if i < 0 {
		i += len(v.shape)
	}
	if i < 0 || i >= len(v.shape) {
		return 0
	}
	return v.shape[i]
}

// Rank returns the number of dimensions.
func (v *Value) Rank() int { return len(v.shape) }

// Size returns the number of elements, 1 for a scalar.
func (v *Value) Size() int { return size(v.shape) }

// Name returns the name of the value in the model.
func (v *Value) Name() string { return v.name }

// Input declares a tensor that is given at each run. Names are unique among inputs and outputs.
func (g *Graph) Input(name string, shape ...int) *Value {
	if g.err != nil {
		return g.invalid
	}
	if name == "" || g.named[name] != nil {
		return g.fail("Input", "name %q is empty or already taken", name)
	}
	if err := checkShape(shape); err != nil {
		return g.fail("Input", "%q: %v", name, err)
	}
	v := g.push(inputOp{}, nil, slices.Clone(shape))
	v.name = name
	g.named[name] = v
	return v
}

// Output declares a tensor that a run returns, under the given name. One value may have several names.
func (g *Graph) Output(name string, v *Value) {
	if g.err != nil || !g.owns("Output", v) {
		return
	}
	taken := g.named[name] != nil || slices.ContainsFunc(g.outputs, func(o output) bool { return o.name == name })
	if name == "" || taken {
		g.fail("Output", "name %q is empty or already taken", name)
		return
	}
	g.outputs = append(g.outputs, output{name, v})
}

// push appends a value without looking for an equal one.
func (g *Graph) push(o op, in []*Value, shape []int) *Value {
	v := &Value{g: g, id: len(g.values), op: o, in: in, shape: shape}
	v.name = o.name() + "/" + strconv.Itoa(v.id)
	g.values = append(g.values, v)
	return v
}

// apply adds the operation: it checks the inputs, infers the shape, reuses an equal value and folds constants.
func (g *Graph) apply(o op, in ...*Value) *Value {
	if g.err != nil {
		return g.invalid
	}
	if !g.owns(o.name(), in...) {
		return g.invalid
	}
	shape, err := o.infer(in)
	if err == nil {
		err = checkShape(shape)
	}
	if err != nil {
		return g.fail(o.name(), "%v", err)
	}
	key := opKey(o, in)
	if v := g.seen[key]; v != nil {
		return v
	}
	v := g.fold(o, in, shape)
	if v == nil {
		v = g.push(o, in, shape)
	}
	g.seen[key] = v
	return v
}

func opKey(o op, in []*Value) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%T%+v", o, o)
	for _, v := range in {
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(v.id))
	}
	return b.String()
}

// fold returns a constant for an operation on constants, computed when it is first needed; nil when the operation stays.
func (g *Graph) fold(o op, in []*Value, shape []int) *Value {
	f, ok := o.(folder)
	if !ok || len(in) == 0 {
		return nil
	}
	largest := 1
	for _, v := range in {
		if !v.isConst() {
			return nil
		}
		largest = max(largest, v.Size())
	}
	if size(shape) > largest {
		return nil // an outer sum of two vectors is cheaper to compute than to store
	}
	pending := &Value{g: g, id: -1, op: o, in: in, shape: shape}
	return g.push(&constOp{eval: func() []float32 { return f.fold(pending) }}, nil, shape)
}

// owns reports whether every value is a proper value of this graph, and fails the graph when not.
func (g *Graph) owns(name string, in ...*Value) bool {
	for i, v := range in {
		switch {
		case v == nil:
			g.fail(name, "argument %d is nil", i+1)
			return false
		case v.g != g:
			g.fail(name, "argument %d belongs to another graph", i+1)
			return false
		case v == g.invalid:
			g.fail(name, "argument %d is the result of a failed operation", i+1)
			return false
		}
	}
	return true
}

func (g *Graph) fail(name, format string, args ...any) *Value {
	if g.err == nil {
		g.err = fmt.Errorf("graph: "+name+": "+format, args...)
	}
	return g.invalid
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func checkShape(shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 1 {
			return fmt.Errorf("shape %v has a dimension below 1", shape)
		}
		if n > maxElements/d {
			return fmt.Errorf("shape %v has more than %d elements", shape, maxElements)
		}
		n *= d
	}
	return nil
}

var errBroadcast = errors.New("shapes do not broadcast")

// broadcast returns the shape that a and b stretch to: dimensions align at the end, and 1 stretches to anything.
func broadcast(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		j := len(a) - len(b) + i
		switch {
		case out[j] == d || d == 1:
		case out[j] == 1:
			out[j] = d
		default:
			return nil, errBroadcast
		}
	}
	return out, nil
}

// axis resolves an axis that may be counted from the end.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of rank %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// inputOp marks a value that a run is given.
type inputOp struct{}

func (inputOp) name() string                                { return "Input" }
func (inputOp) infer([]*Value) ([]int, error)               { return nil, nil }
func (inputOp) write(*writer, *Value)                       {}
func (inputOp) vjp(*Graph, *Value, *Value, []bool) []*Value { return nil }

// constOp holds a tensor: given data, a single number repeated, or a computation put off until the data is read.
type constOp struct {
	data    []float32
	eval    func() []float32
	uniform bool
	number  float32
}

func (*constOp) name() string                                { return "Const" }
func (*constOp) infer([]*Value) ([]int, error)               { return nil, nil }
func (*constOp) write(*writer, *Value)                       {}
func (*constOp) vjp(*Graph, *Value, *Value, []bool) []*Value { return nil }

func (v *Value) isConst() bool {
	_, ok := v.op.(*constOp)
	return ok
}

// number returns the value's only number if it is a constant of equal elements.
func (v *Value) number() (float32, bool) {
	c, ok := v.op.(*constOp)
	if !ok || !c.uniform {
		return 0, false
	}
	return c.number, true
}

// floats returns the data of a constant.
func (v *Value) floats() []float32 {
	c := v.op.(*constOp)
	if c.data == nil {
		switch {
		case c.eval != nil:
			c.data = c.eval()
		default:
			c.data = make([]float32, v.Size())
			for i := range c.data {
				c.data[i] = c.number
			}
		}
	}
	return c.data
}

// releasedFrom is the number of elements from which a constant that can be computed again is not kept.
const releasedFrom = 1 << 16

// release lets the data of a large constant go if it can be computed again.
func (v *Value) release() {
	if c := v.op.(*constOp); c.eval != nil && v.Size() >= releasedFrom {
		c.data = nil
	}
}

// Const makes a tensor of fixed values, such as a weight. The data is row-major, is kept by reference and must not
// change before the last call of Model. Its name is the name of the initialiser in the model; an empty or already taken
// name is replaced.
func (g *Graph) Const(name string, data []float32, shape ...int) *Value {
	if g.err != nil {
		return g.invalid
	}
	if err := checkShape(shape); err != nil {
		return g.fail("Const", "%q: %v", name, err)
	}
	if len(data) != size(shape) {
		return g.fail("Const", "%q: %d numbers for shape %v, which holds %d", name, len(data), shape, size(shape))
	}
	key := fmt.Sprintf("Const %p %v", data, shape)
	if v := g.seen[key]; v != nil {
		return v
	}
	if uniform(data) {
		v := g.fill(data[0], shape)
		g.seen[key] = v
		return v
	}
	v := g.push(&constOp{data: data}, nil, slices.Clone(shape))
	if name != "" {
		v.name = "const:" + name + "/" + strconv.Itoa(v.id)
	}
	g.seen[key] = v
	return v
}

// Deferred makes a constant whose numbers are read when Model writes them, so that weights need not be held in memory
// between graphs; they may be read more than once. The source is a pointer to whatever the numbers belong to: equal
// sources and names mean the same numbers. An error of read is Model's error, and so is a wrong number of elements.
func (g *Graph) Deferred(source any, name string, read func() ([]float32, error), shape ...int) *Value {
	if g.err != nil {
		return g.invalid
	}
	if err := checkShape(shape); err != nil {
		return g.fail("Deferred", "%q: %v", name, err)
	}
	key := fmt.Sprintf("Deferred %p %s", source, name)
	if v := g.seen[key]; v != nil {
		if !equal(v.shape, shape) {
			return g.fail("Deferred", "%q has shape %v and %v", name, v.shape, shape)
		}
		return v
	}
	n := size(shape)
	v := g.push(&constOp{eval: func() []float32 {
		data, err := read()
		if err == nil && len(data) != n {
			err = fmt.Errorf("%d numbers for shape %v, which holds %d", len(data), shape, n)
		}
		if err != nil {
			g.fail("Deferred", "%q: %w", name, err)
			return make([]float32, n)
		}
		return data
	}}, nil, slices.Clone(shape))
	if name != "" {
		v.name = "const:" + name + "/" + strconv.Itoa(v.id)
	}
	g.seen[key] = v
	return v
}

// uniform reports whether all numbers are equal; it gives up at the first that is not.
func uniform(data []float32) bool {
	for _, f := range data {
		if f != data[0] {
			return false
		}
	}
	return len(data) > 0
}

// Scalar makes a constant of rank 0.
func (g *Graph) Scalar(x float32) *Value { return g.fill(x, nil) }

// Fill makes a constant whose elements all equal x.
func (g *Graph) Fill(x float32, shape ...int) *Value {
	if g.err != nil {
		return g.invalid
	}
	if err := checkShape(shape); err != nil {
		return g.fail("Fill", "%v", err)
	}
	return g.fill(x, shape)
}

func (g *Graph) fill(x float32, shape []int) *Value {
	key := fmt.Sprintf("Fill %x %v", math.Float32bits(x), shape)
	if v := g.seen[key]; v != nil {
		return v
	}
	v := g.push(&constOp{uniform: true, number: x}, nil, slices.Clone(shape))
	g.seen[key] = v
	return v
}

// derived returns the constant that eval computes from other constants; equal keys give the same value.
func (g *Graph) derived(key string, shape []int, eval func() []float32) *Value {
	if v := g.seen[key]; v != nil {
		return v
	}
	v := g.push(&constOp{eval: eval}, nil, shape)
	g.seen[key] = v
	return v
}
