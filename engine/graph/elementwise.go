package graph

import (
	"fmt"
	"math"
)

// Binary operations broadcast: dimensions align at the end and 1 stretches to anything.

// Add returns a + b.
func (g *Graph) Add(a, b *Value) *Value { return g.binary("Add", a, b) }

// Sub returns a − b.
func (g *Graph) Sub(a, b *Value) *Value { return g.binary("Sub", a, b) }

// Mul returns a · b, element by element.
func (g *Graph) Mul(a, b *Value) *Value { return g.binary("Mul", a, b) }

// Div returns a / b, element by element.
func (g *Graph) Div(a, b *Value) *Value { return g.binary("Div", a, b) }

// Scale returns k · x.
func (g *Graph) Scale(x *Value, k float32) *Value {
	if g.err != nil || !g.owns("Scale", x) {
		return g.invalid
	}
	// A scale of a scale is one scale.
	if b, ok := x.op.(binaryOp); ok && b.Kind == "Mul" {
		for i, f := range x.in {
			if n, ok := f.number(); ok && len(f.shape) == 0 {
				return g.Mul(x.in[1-i], g.Scalar(n*k))
			}
		}
	}
	return g.Mul(x, g.Scalar(k))
}

// AddScalar returns x + k.
func (g *Graph) AddScalar(x *Value, k float32) *Value { return g.Add(x, g.Scalar(k)) }

// Square returns x².
func (g *Graph) Square(x *Value) *Value { return g.Mul(x, x) }

// Neg returns −x.
func (g *Graph) Neg(x *Value) *Value { return g.unary(unaryOp{Kind: "Neg"}, x) }

// Sqrt returns √x, for x ≥ 0. Its derivative at 0 is infinite; add an epsilon below the root.
func (g *Graph) Sqrt(x *Value) *Value { return g.unary(unaryOp{Kind: "Sqrt"}, x) }

// Reciprocal returns 1/x.
func (g *Graph) Reciprocal(x *Value) *Value { return g.unary(unaryOp{Kind: "Reciprocal"}, x) }

// Exp returns eˣ.
func (g *Graph) Exp(x *Value) *Value { return g.unary(unaryOp{Kind: "Exp"}, x) }

// Log returns the natural logarithm of x, for x > 0.
func (g *Graph) Log(x *Value) *Value { return g.unary(unaryOp{Kind: "Log"}, x) }

// Abs returns |x|, with the derivative 0 at 0.
func (g *Graph) Abs(x *Value) *Value { return g.unary(unaryOp{Kind: "Abs"}, x) }

// Relu returns max(x, 0), with the derivative 0 at 0.
func (g *Graph) Relu(x *Value) *Value { return g.unary(unaryOp{Kind: "Relu"}, x) }

// LeakyRelu returns x where x ≥ 0 and slope·x elsewhere, for a slope in (0, 1); the derivative at 0 is the slope.
func (g *Graph) LeakyRelu(x *Value, slope float32) *Value {
	if g.err == nil && !(slope > 0 && slope < 1) {
		return g.fail("LeakyRelu", "slope %v is outside (0, 1)", slope)
	}
	return g.unary(unaryOp{Kind: "LeakyRelu", A: slope}, x)
}

// Sigmoid returns 1 / (1 + e⁻ˣ).
func (g *Graph) Sigmoid(x *Value) *Value { return g.unary(unaryOp{Kind: "Sigmoid"}, x) }

// Tanh returns the hyperbolic tangent of x.
func (g *Graph) Tanh(x *Value) *Value { return g.unary(unaryOp{Kind: "Tanh"}, x) }

// Softplus returns log(1 + eˣ).
func (g *Graph) Softplus(x *Value) *Value { return g.unary(unaryOp{Kind: "Softplus"}, x) }

// Pow returns xᵉ for a constant exponent; for an exponent that is not a whole number, x > 0.
func (g *Graph) Pow(x *Value, exponent float32) *Value {
	switch exponent {
	case 1:
		return x
	case 2:
		return g.Square(x)
	case -1:
		return g.Reciprocal(x)
	case 0.5:
		return g.Sqrt(x)
	}
	return g.unary(unaryOp{Kind: "Pow", A: exponent}, x)
}

// Clip returns x limited to [lo, hi], with the derivative 0 at and beyond the limits.
func (g *Graph) Clip(x *Value, lo, hi float32) *Value {
	if g.err == nil && !(lo < hi) {
		return g.fail("Clip", "limits [%v, %v] are not in order", lo, hi)
	}
	return g.unary(unaryOp{Kind: "Clip", A: lo, B: hi}, x)
}

// Step returns lo where x ≤ 0 and hi where x > 0, for lo ≤ 0 ≤ hi or 0 ≤ lo < hi. Its derivative is 0. It is the
// derivative of Relu (0, 1) and, with the slope for lo, of LeakyRelu, and a comparison when x is a difference. Numbers
// within 1e-30 of 0 give something between. At 0 itself it returns 0 limited to [lo, hi].
func (g *Graph) Step(x *Value, lo, hi float32) *Value {
	if g.err == nil && !(lo < hi) {
		return g.fail("Step", "levels %v and %v are not in order", lo, hi)
	}
	return g.unary(unaryOp{Kind: "Step", A: lo, B: hi}, x)
}

// stepGain turns every number that is not nearly zero into one beyond any level: Clip(x·stepGain, lo, hi) is a step and
// takes the runtime half the time of a comparison with a selection.
const stepGain = 1e30

func (g *Graph) binary(kind string, a, b *Value) *Value {
	if g.err != nil || !g.owns(kind, a, b) {
		return g.invalid
	}
	out, err := broadcast(a.shape, b.shape)
	if err != nil {
		return g.fail(kind, "shapes %v and %v do not broadcast", a.shape, b.shape)
	}
	a = g.slim(a, b, out)
	b = g.slim(b, a, out)
	if v := g.identity(kind, a, b, out); v != nil {
		return v
	}
	return g.apply(binaryOp{Kind: kind}, a, b)
}

// slim replaces an operand that is stretched, or a number repeated, by what it was made from, when the other operand
// already has the shape of the result.
func (g *Graph) slim(v, other *Value, out []int) *Value {
	if n, ok := v.number(); ok && equal(other.shape, out) {
		return g.Scalar(n)
	}
	if _, ok := v.op.(expandOp); ok {
		if s, err := broadcast(v.in[0].shape, other.shape); err == nil && equal(s, out) {
			return v.in[0]
		}
	}
	return v
}

// identity returns the result of an operation with 0 or 1 that needs no node; nil when it needs one.
func (g *Graph) identity(kind string, a, b *Value, out []int) *Value {
	na, ca := a.number()
	nb, cb := b.number()
	switch {
	case ca && cb:
		return g.fill(combine(kind, na, nb), out)
	case cb && equal(a.shape, out):
		switch {
		case nb == 0 && (kind == "Add" || kind == "Sub"), nb == 1 && (kind == "Mul" || kind == "Div"):
			return a
		case nb == 0 && kind == "Mul":
			return g.fill(0, out)
		case nb == -1 && kind == "Mul":
			return g.Neg(a)
		}
	case ca && equal(b.shape, out):
		switch {
		case na == 0 && kind == "Add", na == 1 && kind == "Mul":
			return b
		case na == 0 && (kind == "Mul" || kind == "Div"):
			return g.fill(0, out)
		case na == 0 && kind == "Sub", na == -1 && kind == "Mul":
			return g.Neg(b)
		}
	}
	return nil
}

func combine(kind string, a, b float32) float32 {
	switch kind {
	case "Add":
		return a + b
	case "Sub":
		return a - b
	case "Mul":
		return a * b
	default:
		return a / b
	}
}

type binaryOp struct{ Kind string }

func (o binaryOp) name() string { return o.Kind }

func (o binaryOp) infer(in []*Value) ([]int, error) { return broadcast(in[0].shape, in[1].shape) }

func (o binaryOp) write(w *writer, v *Value) { w.simple(o.Kind, v) }

func (o binaryOp) vjp(g *Graph, v, dy *Value, need []bool) []*Value {
	a, b := v.in[0], v.in[1]
	d := make([]*Value, 2)
	switch o.Kind {
	case "Add":
		d[0], d[1] = dy, dy
	case "Sub":
		d[0] = dy
		if need[1] {
			d[1] = g.Neg(g.unbroadcast(dy, b.shape))
			need = []bool{need[0], false}
			return []*Value{g.narrow(d[0], a, need[0]), d[1]}
		}
	case "Mul":
		if a == b {
			d[0] = g.Scale(g.Mul(dy, a), 2)
			return d
		}
		// The gradient of a scale comes first: it is small and lets the factor that was scaled go.
		if size(a.shape) < size(b.shape) {
			d[0] = g.productGradient(dy, b, a, need[0])
			d[1] = g.productGradient(dy, g.ordered(a, b, d[0]), b, need[1])
			return d
		}
		d[1] = g.productGradient(dy, a, b, need[1])
		d[0] = g.productGradient(dy, g.ordered(b, a, d[1]), a, need[0])
		return d
	case "Div":
		if need[0] {
			d[0] = g.Div(dy, b)
		}
		if need[1] {
			d[1] = g.Neg(g.unbroadcast(g.Mul(dy, g.Div(v, b)), b.shape))
			return []*Value{g.narrow(d[0], a, need[0]), d[1]}
		}
	}
	return []*Value{g.narrow(d[0], a, need[0]), g.narrow(d[1], b, need[1])}
}

func (g *Graph) narrow(d, to *Value, need bool) *Value {
	if !need {
		return nil
	}
	return g.unbroadcast(d, to.shape)
}

// productGradient returns the gradient with respect to x of a product with other, which is dy·other summed over what x
// was stretched along.
func (g *Graph) productGradient(dy, other, x *Value, need bool) *Value {
	if !need {
		return nil
	}
	return g.unbroadcast(g.Mul(dy, other), x.shape)
}

func (o binaryOp) fold(v *Value) []float32 {
	a, b := v.in[0].floats(), v.in[1].floats()
	out := make([]float32, v.Size())
	ia, ib := newCursor(v.in[0].shape, v.shape), newCursor(v.in[1].shape, v.shape)
	for i := range out {
		out[i] = combine(o.Kind, a[ia.next()], b[ib.next()])
	}
	return out
}

// A cursor walks a tensor in the order of a wider shape that it is broadcast to.
type cursor struct {
	shape, step, at []int
	offset          int
	started         bool
}

func newCursor(narrow, wide []int) *cursor {
	c := &cursor{shape: wide, step: make([]int, len(wide)), at: make([]int, len(wide))}
	n := 1
	for i := len(narrow) - 1; i >= 0; i-- {
		if narrow[i] > 1 {
			c.step[len(wide)-len(narrow)+i] = n
		}
		n *= narrow[i]
	}
	return c
}

func (c *cursor) next() int {
	if !c.started {
		c.started = true
		return 0
	}
	for i := len(c.shape) - 1; i >= 0; i-- {
		c.at[i]++
		c.offset += c.step[i]
		if c.at[i] < c.shape[i] {
			break
		}
		c.offset -= c.at[i] * c.step[i]
		c.at[i] = 0
	}
	return c.offset
}

func (g *Graph) unary(o unaryOp, x *Value) *Value {
	if g.err != nil || !g.owns(o.Kind, x) {
		return g.invalid
	}
	if n, ok := x.number(); ok {
		return g.fill(o.at(n), x.shape)
	}
	return g.apply(o, x)
}

type unaryOp struct {
	Kind string
	A, B float32
	// Blocked writes a Step in a form that keeps the runtime's blocked layout.
	Blocked bool
}

func (o unaryOp) name() string { return o.Kind }

func (o unaryOp) infer(in []*Value) ([]int, error) { return in[0].shape, nil }

func (o unaryOp) write(w *writer, v *Value) {
	x, y := w.ref(v.in[0]), w.ref(v)
	switch o.Kind {
	case "LeakyRelu":
		w.node("LeakyRelu", []string{x}, y, attrFloat("alpha", o.A))
	case "Pow":
		w.node("Pow", []string{x, w.floats(nil, o.A)}, y)
	case "Clip":
		w.node("Clip", []string{x, w.floats(nil, o.A), w.floats(nil, o.B)}, y)
	case "Step":
		big := w.temp(v)
		if o.Blocked {
			c := v.shape[1]
			gains := make([]float32, c)
			for i := range gains {
				gains[i] = stepGain
			}
			w.node("Conv", []string{x, w.floats([]int{c, 1, 1, 1}, gains...)}, big, attrInts("kernel_shape", 1, 1), attrInt("group", c))
			w.node("Clip", []string{big, w.floats(nil, o.A), w.floats(nil, o.B)}, y)
			return
		}
		w.node("Mul", []string{x, w.floats(nil, stepGain)}, big)
		w.node("Clip", []string{big, w.floats(nil, o.A), w.floats(nil, o.B)}, y)
	default:
		w.node(o.Kind, []string{x}, y)
	}
}

func (o unaryOp) vjp(g *Graph, y, dy *Value, _ []bool) []*Value {
	x := y.in[0]
	var d *Value
	switch o.Kind {
	case "Neg":
		d = g.Neg(dy)
	case "Sqrt":
		d = g.Scale(g.Div(dy, y), 0.5)
	case "Reciprocal":
		d = g.Neg(g.Mul(dy, g.Square(y)))
	case "Exp":
		d = g.Mul(dy, y)
	case "Log":
		d = g.Div(dy, x)
	case "Abs":
		d = g.Mul(dy, g.Step(x, -1, 1))
	case "Relu":
		// The result has the sign of the argument, and asking only the result lets a runtime fuse it into a convolution.
		const depth = 32 // of an enlarged pyramid of maps
		step := unaryOp{Kind: "Step", A: 0, B: 1, Blocked: blocked(y, depth) && blocked(dy, depth)}
		d = g.Mul(dy, g.unary(step, y))
	case "LeakyRelu":
		d = g.Mul(dy, g.Step(y, o.A, 1))
	case "Sigmoid":
		d = g.Mul(dy, g.Mul(y, g.Sub(g.Scalar(1), y)))
	case "Tanh":
		d = g.Mul(dy, g.Sub(g.Scalar(1), g.Square(y)))
	case "Softplus":
		d = g.Mul(dy, g.Sigmoid(x))
	case "Pow":
		d = g.Mul(dy, g.Scale(g.Pow(x, o.A-1), o.A))
	case "Clip":
		inside := g.Mul(g.Step(g.AddScalar(y, -o.A), 0, 1), g.Step(g.Sub(g.Scalar(o.B), y), 0, 1))
		d = g.Mul(dy, inside)
	}
	return []*Value{d}
}

func (o unaryOp) fold(v *Value) []float32 {
	in := v.in[0].floats()
	out := make([]float32, len(in))
	for i, x := range in {
		out[i] = o.at(x)
	}
	return out
}

// at returns the function at one number.
func (o unaryOp) at(x32 float32) float32 {
	x, a, b := float64(x32), float64(o.A), float64(o.B)
	switch o.Kind {
	case "Neg":
		x = -x
	case "Sqrt":
		x = math.Sqrt(x)
	case "Reciprocal":
		x = 1 / x
	case "Exp":
		x = math.Exp(x)
	case "Log":
		x = math.Log(x)
	case "Abs":
		x = math.Abs(x)
	case "Relu":
		x = max(x, 0)
	case "LeakyRelu":
		x = max(x, a*x)
	case "Sigmoid":
		x = 1 / (1 + math.Exp(-x))
	case "Tanh":
		x = math.Tanh(x)
	case "Softplus":
		x = max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
	case "Pow":
		x = math.Pow(x, a)
	case "Clip":
		x = min(max(x, a), b)
	case "Step":
		x = min(max(x*stepGain, a), b)
	default:
		panic(fmt.Sprintf("graph: no value of %s", o.Kind))
	}
	return float32(x)
}
