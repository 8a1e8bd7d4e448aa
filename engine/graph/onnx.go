package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// Versions of the format that Model writes. Operator set 17 is old enough for every execution provider and has all the
// operations used here.
const (
	irVersion = 8
	opset     = 17
)

// maxModel is the largest model that protobuf can carry.
const maxModel = math.MaxInt32

// Element types of ONNX tensors.
const (
	elemFloat = 1
	elemInt64 = 7
)

// Model returns the bytes of an ONNX model that computes the named outputs, or all outputs when none is named. Values,
// weights and inputs that they do not need are not written, so that several models (one that only renders, one that
// also steps) can come from one graph. The error is the first that building met, or says that the model is too large.
func (g *Graph) Model(outputs ...string) ([]byte, error) {
	chosen, err := g.choose(outputs)
	if err != nil {
		return nil, err
	}
	w := &writer{
		names: map[*Value]string{}, ints: map[string]string{}, written: map[*Value]bool{},
		users: map[*Value][]*Value{}, uncropped: map[*Value]bool{},
	}
	var outInfo []byte
	for _, o := range chosen {
		outInfo = appendMessage(outInfo, 12, valueInfo(o.name, o.value.shape))
		v := o.value
		if _, ok := w.names[v]; ok || !v.computed() {
			continue
		}
		w.names[v] = o.name
	}
	live := g.live(chosen)
	for _, v := range live {
		for _, in := range v.in {
			w.users[in] = append(w.users[in], v)
		}
	}
	for _, o := range chosen {
		w.users[o.value] = append(w.users[o.value], nil)
	}
	var inInfo []byte
	for _, v := range deepestLast(live) {
		switch v.op.(type) {
		case inputOp:
			inInfo = appendMessage(inInfo, 11, valueInfo(v.name, v.shape))
		case *constOp:
		default:
			v.op.write(w, v)
		}
	}
	for _, o := range chosen {
		if name := w.ref(o.value); name != o.name {
			w.node("Identity", []string{name}, o.name)
		}
	}

	// The weights are most of the model: sizes are summed first and the bytes written once.
	graphSize := len(w.nodes) + protowire.SizeTag(2) + protowire.SizeBytes(len(g.name)) + len(w.initialisers) + len(inInfo) + len(outInfo)
	for _, v := range w.constants {
		graphSize += protowire.SizeTag(5) + protowire.SizeBytes(floatTensorSize(v))
	}
	if graphSize > maxModel-1024 {
		return nil, fmt.Errorf("graph: model of %d bytes is over the 2 GB that ONNX allows", graphSize)
	}
	b := make([]byte, 0, graphSize+256)
	b = appendInt(b, 1, irVersion)
	b = appendString(b, 2, "latentbrush")
	b = appendMessage(b, 8, appendInt(appendString(nil, 1, ""), 2, opset))
	b = protowire.AppendTag(b, 7, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(graphSize))
	start := len(b)
	b = append(b, w.nodes...)
	b = appendString(b, 2, g.name)
	b = append(b, w.initialisers...)
	for _, v := range w.constants {
		b = protowire.AppendTag(b, 5, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(floatTensorSize(v)))
		b = appendFloatTensor(b, v)
		v.release()
	}
	if g.err != nil {
		return nil, g.err
	}
	b = append(b, inInfo...)
	b = append(b, outInfo...)
	if len(b)-start != graphSize {
		panic("graph: size of the model was summed wrongly")
	}
	return b, nil
}

// Inputs returns the inputs that the named outputs need (all outputs when none is named), in the order of declaration:
// these are the inputs of the model that Model writes for the same outputs.
func (g *Graph) Inputs(outputs ...string) ([]*Value, error) {
	chosen, err := g.choose(outputs)
	if err != nil {
		return nil, err
	}
	var in []*Value
	for _, v := range g.live(chosen) {
		if _, ok := v.op.(inputOp); ok {
			in = append(in, v)
		}
	}
	return in, nil
}

func (g *Graph) choose(names []string) ([]output, error) {
	if g.err != nil {
		return nil, g.err
	}
	if len(names) == 0 {
		if len(g.outputs) == 0 {
			return nil, fmt.Errorf("graph: %q has no outputs", g.name)
		}
		return g.outputs, nil
	}
	var chosen []output
	for _, name := range names {
		i := slices.IndexFunc(g.outputs, func(o output) bool { return o.name == name })
		if i < 0 {
			return nil, fmt.Errorf("graph: %q has no output %q", g.name, name)
		}
		chosen = append(chosen, g.outputs[i])
	}
	return chosen, nil
}

// live returns the values that the outputs depend on, in the order of computation.
func (g *Graph) live(outputs []output) []*Value {
	mark := make([]bool, len(g.values))
	for _, o := range outputs {
		mark[o.value.id] = true
	}
	var live []*Value
	for i := len(g.values) - 1; i >= 0; i-- {
		if !mark[i] {
			continue
		}
		live = append(live, g.values[i])
		for _, v := range g.values[i].in {
			mark[v.id] = true
		}
	}
	slices.Reverse(live)
	return live
}

// computed reports whether the value is the result of nodes of its own.
func (v *Value) computed() bool {
	switch v.op.(type) {
	case inputOp, *constOp, detachOp:
		return false
	}
	return true
}

// writer collects the parts of a GraphProto.
type writer struct {
	nodes        []byte
	initialisers []byte   // integer tensors
	constants    []*Value // those that a node reads
	written      map[*Value]bool
	users        map[*Value][]*Value // values that read a value, nil for an output
	uncropped    map[*Value]bool     // values written with a last row and column of zeros too many
	names        map[*Value]string   // values that an output renames
	ints         map[string]string   // integer tensors by content
	count        int
}

// ref returns the name under which a value is read.
func (w *writer) ref(v *Value) string {
	if _, ok := v.op.(detachOp); ok {
		return w.ref(v.in[0])
	}
	if v.isConst() && !w.written[v] {
		w.written[v] = true
		w.constants = append(w.constants, v)
	}
	if name, ok := w.names[v]; ok {
		return name
	}
	return v.name
}

func (w *writer) refs(vs []*Value) []string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = w.ref(v)
	}
	return names
}

// simple writes v as one node on v's inputs.
func (w *writer) simple(kind string, v *Value, attrs ...[]byte) {
	w.node(kind, w.refs(v.in), w.ref(v), attrs...)
}

// temp returns a name for a result between the nodes of one value.
func (w *writer) temp(v *Value) string {
	w.count++
	return v.name + "." + strconv.Itoa(w.count)
}

func (w *writer) node(kind string, in []string, out string, attrs ...[]byte) {
	var n []byte
	for _, name := range in {
		n = appendString(n, 1, name)
	}
	n = appendString(n, 2, out)
	n = appendString(n, 3, kind+":"+out)
	n = appendString(n, 4, kind)
	for _, a := range attrs {
		n = appendMessage(n, 5, a)
	}
	w.nodes = appendMessage(w.nodes, 1, n)
}

// int64s returns the name of an initialiser with these numbers.
func (w *writer) int64s(xs []int) string {
	key := fmt.Sprint(xs)
	if name, ok := w.ints[key]; ok {
		return name
	}
	name := "ints/" + strconv.Itoa(len(w.ints))
	w.ints[key] = name
	raw := make([]byte, 0, 8*len(xs))
	for _, x := range xs {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	t := appendInt(nil, 1, len(xs))
	t = appendInt(t, 2, elemInt64)
	t = appendString(t, 8, name)
	t = appendMessage(t, 9, raw)
	w.initialisers = appendMessage(w.initialisers, 5, t)
	return name
}

// floats returns the name of an initialiser with this shape and data, for numbers that an operation brings along.
func (w *writer) floats(shape []int, data ...float32) string {
	key := fmt.Sprint("f", shape, data)
	if name, ok := w.ints[key]; ok {
		return name
	}
	name := "floats/" + strconv.Itoa(len(w.ints))
	w.ints[key] = name
	raw := make([]byte, 0, 4*len(data))
	for _, x := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	var t []byte
	for _, d := range shape {
		t = appendInt(t, 1, d)
	}
	t = appendInt(t, 2, elemFloat)
	t = appendString(t, 8, name)
	t = appendMessage(t, 9, raw)
	w.initialisers = appendMessage(w.initialisers, 5, t)
	return name
}

func floatTensorSize(v *Value) int {
	n := protowire.SizeTag(2) + protowire.SizeVarint(elemFloat)
	for _, d := range v.shape {
		n += protowire.SizeTag(1) + protowire.SizeVarint(uint64(d))
	}
	n += protowire.SizeTag(8) + protowire.SizeBytes(len(v.name))
	return n + protowire.SizeTag(9) + protowire.SizeBytes(4*v.Size())
}

func appendFloatTensor(b []byte, v *Value) []byte {
	for _, d := range v.shape {
		b = appendInt(b, 1, d)
	}
	b = appendInt(b, 2, elemFloat)
	b = appendString(b, 8, v.name)
	b = protowire.AppendTag(b, 9, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(4*v.Size()))
	if x, ok := v.number(); ok {
		for range v.Size() {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	for _, x := range v.floats() {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func valueInfo(name string, shape []int) []byte {
	var dims []byte
	for _, d := range shape {
		dims = appendMessage(dims, 1, appendInt(nil, 1, d))
	}
	tensor := appendMessage(appendInt(nil, 1, elemFloat), 2, dims)
	return appendMessage(appendString(nil, 1, name), 2, appendMessage(nil, 1, tensor))
}

// Attributes of a node.

func attrInt(name string, x int) []byte {
	return appendInt(appendInt(appendString(nil, 1, name), 3, x), 20, 2)
}

func attrFloat(name string, x float32) []byte {
	b := protowire.AppendTag(appendString(nil, 1, name), 2, protowire.Fixed32Type)
	return appendInt(protowire.AppendFixed32(b, math.Float32bits(x)), 20, 1)
}

func attrString(name, s string) []byte {
	return appendInt(appendString(appendString(nil, 1, name), 4, s), 20, 3)
}

func attrInts(name string, xs ...int) []byte {
	b := appendString(nil, 1, name)
	for _, x := range xs {
		b = appendInt(b, 8, x)
	}
	return appendInt(b, 20, 7)
}

func appendInt(b []byte, field protowire.Number, x int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(x))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}
