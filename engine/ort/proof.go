package ort

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// proofTolerance is the largest difference from the CPU's answer, relative to its largest value. GPUs that
	// multiply in TF32 keep ten bits; an operation that is wrong is wrong by far more.
	proofTolerance = 5e-3
	// proofSlower is how many times slower than the CPU a device may be that nobody asked for by name. The proof is
	// small, so a real GPU may lose by a little; a software driver loses by far.
	proofSlower = 4
)

// The proof's sizes.
const (
	proofChannels = 32
	proofSide     = 32
)

// noise returns n numbers in [-1, 1) that depend on seed only.
func noise(seed uint32, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		x := seed*0x9e3779b9 + uint32(i)
		x ^= x >> 16
		x *= 0x7feb352d
		x ^= x >> 15
		x *= 0x846ca68b
		x ^= x >> 16
		out[i] = float32(int32(x)) / (1 << 31)
	}
	return out
}

// proofWriter writes the few parts of the ONNX format that the proof needs.
type proofWriter struct{ graph []byte }

func bytesField(to []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), value)
}

func stringField(to []byte, number protowire.Number, value string) []byte {
	return bytesField(to, number, []byte(value))
}

func varintField(to []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, number, protowire.VarintType), value)
}

func attribute(name string, value any) []byte {
	a := stringField(nil, 1, name)
	switch v := value.(type) {
	case float32:
		a = protowire.AppendFixed32(protowire.AppendTag(a, 2, protowire.Fixed32Type), math.Float32bits(v))
		return varintField(a, 20, 1) // FLOAT
	case int:
		a = varintField(a, 3, uint64(v))
		return varintField(a, 20, 2) // INT
	case string:
		a = stringField(a, 4, v)
		return varintField(a, 20, 3) // STRING
	case []int:
		for _, i := range v {
			a = varintField(a, 8, uint64(i))
		}
		return varintField(a, 20, 7) // INTS
	}
	panic(fmt.Sprintf("ort: attribute %s has type %T", name, value))
}

// node adds an operation; its output is called like the operation's first argument, name.
func (w *proofWriter) node(name, op string, inputs []string, attributes ...[]byte) {
	var n []byte
	for _, in := range inputs {
		n = stringField(n, 1, in)
	}
	n = stringField(n, 2, name)
	n = stringField(n, 3, name)
	n = stringField(n, 4, op)
	for _, a := range attributes {
		n = bytesField(n, 5, a)
	}
	w.graph = bytesField(w.graph, 1, n)
}

func (w *proofWriter) raw(name string, elem uint64, shape []int, data []byte) {
	var t []byte
	for _, d := range shape {
		t = varintField(t, 1, uint64(d))
	}
	t = varintField(t, 2, elem)
	t = stringField(t, 8, name)
	t = bytesField(t, 9, data)
	w.graph = bytesField(w.graph, graphInitializer, t)
}

func (w *proofWriter) floats(name string, values []float32, shape ...int) {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	w.raw(name, elemFloat, shape, data)
}

func (w *proofWriter) ints(name string, values ...int64) {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	w.raw(name, 7, []int{len(values)}, data) // INT64
}

func (w *proofWriter) value(field protowire.Number, name string, shape ...int) {
	var s []byte
	for _, d := range shape {
		s = bytesField(s, shapeDim, varintField(nil, dimValue, uint64(d)))
	}
	t := varintField(nil, tensorElem, elemFloat)
	t = bytesField(t, tensorShape, s)
	v := stringField(nil, valueName, name)
	v = bytesField(v, valueType, bytesField(nil, typeTensor, t))
	w.graph = bytesField(w.graph, field, v)
}

func (w *proofWriter) model() []byte {
	m := varintField(nil, 1, 8) // ir_version
	m = stringField(m, 2, "latentbrush")
	m = bytesField(m, modelGraph, stringField(w.graph, 2, "graph"))
	return bytesField(m, 8, varintField(nil, 2, 17)) // opset_import: 17
}

// proofModel is a small graph of the operations that a generator and its gradient live on: convolutions forward,
// transposed and depthwise, both resizes' adjoint pair, a matrix product, reductions and a softmax.
func proofModel() []byte {
	const c, n = proofChannels, proofSide
	w := &proofWriter{}
	w.value(graphInput, "x", 1, c, n, n)
	w.value(graphOutput, "picture", 1, c, n, n)
	w.value(graphOutput, "features", c, 8)

	w.floats("w1", noise(1, c*c*9), c, c, 3, 3)
	w.floats("b1", noise(2, c), c)
	w.node("conv", "Conv", []string{"x", "w1", "b1"}, attribute("pads", []int{1, 1, 1, 1}))
	w.node("leaky", "LeakyRelu", []string{"conv"}, attribute("alpha", float32(0.2)))
	w.floats("w2", noise(3, c*c*9), c, c, 3, 3)
	w.node("up", "ConvTranspose", []string{"leaky", "w2"},
		attribute("strides", []int{2, 2}), attribute("pads", []int{0, 0, 1, 1}), attribute("output_padding", []int{1, 1}))
	w.floats("fir", noise(4, c*16), c, 1, 4, 4)
	w.node("blur", "Conv", []string{"up", "fir"}, attribute("group", c), attribute("pads", []int{1, 1, 2, 2}))
	w.node("pool", "AveragePool", []string{"blur"}, attribute("kernel_shape", []int{2, 2}), attribute("strides", []int{2, 2}))
	w.node("square", "Mul", []string{"pool", "pool"})
	w.node("mean", "ReduceMean", []string{"square"}, attribute("axes", []int{1, 2, 3}), attribute("keepdims", 1))
	w.node("root", "Sqrt", []string{"mean"})
	w.node("scaled", "Div", []string{"pool", "root"})
	w.floats("scales", []float32{1, 1, 2, 2}, 4)
	w.node("large", "Resize", []string{"scaled", "", "scales"}, attribute("mode", "linear"),
		attribute("coordinate_transformation_mode", "half_pixel"))
	w.node("small", "AveragePool", []string{"large"}, attribute("kernel_shape", []int{2, 2}), attribute("strides", []int{2, 2}))
	w.node("picture", "Softmax", []string{"small"}, attribute("axis", 1))
	w.ints("flat", c, n*n)
	w.node("rows", "Reshape", []string{"small", "flat"})
	w.floats("w3", noise(5, n*n*8), n*n, 8)
	w.node("features", "MatMul", []string{"rows", "w3"})
	return w.model()
}

// proofRun runs the proof on one device and returns its outputs; the second run is timed.
func (rt *Runtime) proofRun(ctx context.Context, device Device) (out [][]float32, build, run time.Duration, err error) {
	start := time.Now()
	session, err := rt.NewSession(proofModel(), nil, nil, SessionOptions{Device: device, Frugal: true})
	if err != nil {
		return nil, 0, 0, err
	}
	defer session.Close()
	build = time.Since(start)
	copy(session.Input("x"), noise(6, proofChannels*proofSide*proofSide))
	for range 2 {
		if err := session.runBare(ctx); err != nil {
			return nil, build, 0, err
		}
	}
	for _, t := range session.outputs {
		out = append(out, append([]float32(nil), t.data...))
	}
	return out, build, session.stats.Last, nil
}

// runBare runs without the recovery from a lost device, which itself makes proof runs.
func (s *Session) runBare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.runOnce(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("ort: run stopped: %w", context.Cause(ctx))
	}
	return err
}

// difference is the largest difference relative to the largest value, infinite when anything is not a number.
func difference(got, want [][]float32) float64 {
	worst := 0.0
	for i := range want {
		largest, apart := 0.0, 0.0
		for j := range want[i] {
			g, w := float64(got[i][j]), float64(want[i][j])
			d := math.Abs(g - w)
			if math.IsNaN(d) {
				return math.Inf(1)
			}
			largest, apart = max(largest, math.Abs(w)), max(apart, d)
		}
		if apart > 0 {
			worst = max(worst, apart/largest)
		}
	}
	return worst
}

// reason shortens an error of the library to what a person can use.
func reason(err error) string {
	text := err.Error()
	for _, prefix := range []string{"ort: ", "CUDA: ", "WebGPU: ", "Core ML: ", "DirectML: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	for _, known := range []struct{ has, say string }{
		{"CUDA execution provider is not enabled", "this ONNX Runtime library was built without it"},
		{"is not supported in this build", "this ONNX Runtime library was built without it"},
		{"Failed to load library", "its provider library or driver is not installed"},
		{"No supported adapters", "no graphics driver that it can use was found"},
		{"Failed to get a WebGPU adapter", "no graphics driver that it can use was found"},
	} {
		if strings.Contains(text, known.has) {
			return known.say
		}
	}
	if i := strings.IndexAny(text, "\n"); i >= 0 {
		text = text[:i]
	}
	return text
}

// prove makes the proof run of one device and compares it with the CPU's.
func (rt *Runtime) prove(ctx context.Context, device Device) Trial {
	trial := Trial{Device: device}
	want, build, run, err := rt.proofRun(ctx, CPU)
	if err != nil {
		trial.Reason = "the CPU's own proof run failed: " + reason(err)
		return trial
	}
	got := want
	if device != CPU {
		got, build, run, err = rt.proofRun(ctx, device)
	}
	trial.Build, trial.Run = build, run
	if err != nil {
		trial.Reason = reason(err)
		return trial
	}
	if trial.Difference = difference(got, want); !(trial.Difference <= proofTolerance) {
		trial.Reason = fmt.Sprintf("its answer differs from the CPU's by %.2g of the largest value, more than %g",
			trial.Difference, proofTolerance)
		trial.Difference = min(trial.Difference, math.MaxFloat64) // JSON has no infinity.
		return trial
	}
	trial.Usable = true
	return trial
}

// choose tries the devices and keeps the first one that is usable.
func (rt *Runtime) choose(ctx context.Context, wanted Device) error {
	cpu := rt.prove(ctx, CPU)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ort: open stopped: %w", context.Cause(ctx))
	}
	if !cpu.Usable {
		return errors.New("ort: " + cpu.Reason)
	}
	order := []Device{wanted}
	if wanted == Auto {
		order = Order()
	}
	for _, device := range order {
		trial := cpu
		if device != CPU {
			trial = rt.prove(ctx, device)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("ort: open stopped: %w", context.Cause(ctx))
		}
		if trial.Usable && wanted == Auto && device != CPU && trial.Run > proofSlower*cpu.Run {
			trial.Reason = fmt.Sprintf("its answers are right, but it is %.0f times slower than the CPU",
				float64(trial.Run)/float64(cpu.Run))
		} else if trial.Usable {
			trial.Chosen = true
		}
		rt.trials = append(rt.trials, trial)
		if trial.Chosen {
			rt.device = device
			break
		}
	}
	switch last := rt.trials[len(rt.trials)-1]; {
	case !last.Chosen:
		return fmt.Errorf("ort: %s cannot be used: %s", wanted, last.Reason)
	case last.Device != CPU:
		rt.trials = append(rt.trials, cpu)
	}
	return nil
}

// TryAll tries every device of this platform, also those after the chosen one, so that a person sees what each of them
// says.
func (rt *Runtime) TryAll(ctx context.Context) ([]Trial, error) {
	trials := rt.Devices()
	for _, device := range Order() {
		if !slices.ContainsFunc(trials, func(t Trial) bool { return t.Device == device }) {
			trials = append(trials, rt.prove(ctx, device))
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("ort: trial stopped: %w", context.Cause(ctx))
	}
	slices.SortStableFunc(trials, func(a, b Trial) int {
		return slices.Index(Order(), a.Device) - slices.Index(Order(), b.Device)
	})
	return trials, nil
}

// Devices loads the library, tries every device of this platform and marks the one that would be used.
func Devices(ctx context.Context, opts Options) ([]Trial, error) {
	rt, err := Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	return rt.TryAll(ctx)
}
