package ort

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"
	"unsafe"

	onnx "github.com/yalue/onnxruntime_go"
)

// ErrDeviceLost is returned, wrapped, by [Session.Run] when the device failed and the session did not keep its model.
// The runtime uses the CPU from then on: build the session again.
var ErrDeviceLost = errors.New("the device was lost")

// TensorSpec names a float32 tensor and gives its shape. An empty shape is a scalar.
type TensorSpec struct {
	Name  string
	Shape []int
}

// maxElements bounds one tensor, so that a wrong shape is an error and not a huge allocation: 2³⁰ numbers are 4 GiB.
const maxElements = 1 << 30

// Size is the number of elements, an error when a dimension is not positive or the tensor is absurdly large.
func (t TensorSpec) Size() (int, error) {
	size := 1
	for _, d := range t.Shape {
		if d <= 0 {
			return 0, fmt.Errorf("tensor %q has shape %v: every dimension must be positive", t.Name, t.Shape)
		}
		if d > maxElements/size {
			return 0, fmt.Errorf("tensor %q has shape %v: more than %d elements", t.Name, t.Shape, maxElements)
		}
		size *= d
	}
	return size, nil
}

// SessionOptions are the choices of one session. The zero value is right for a graph that runs often.
type SessionOptions struct {
	// Frugal keeps no working memory between runs: it is taken from the system and given back value by value, which
	// makes runs about 30 % slower. For graphs that run rarely.
	Frugal bool
	// KeepModel keeps the model's bytes, so that a session on a device that fails goes on with the CPU.
	KeepModel bool
	// Threads overrides [Options.Threads] when it is positive.
	Threads int
	// Profile is the prefix of the profile that ONNX Runtime writes when the session is closed; empty for none.
	Profile string
	// Device overrides the runtime's device when it is not [Auto]. No proof run is made.
	Device Device
}

// Stats are a session's figures.
type Stats struct {
	Runs  int           // completed runs
	Build time.Duration // time to build the session
	First time.Duration // time of the first run, which allocates
	Last  time.Duration // time of the last run
	Total time.Duration // time of all runs
	// BuildBytes and FirstBytes are the growth of the process's memory while building and during the first run.
	// Other goroutines count, too; 0 where the system does not tell.
	BuildBytes, FirstBytes int64
}

type tensor struct {
	spec   TensorSpec
	data   []float32
	value  onnx.Value
	scalar bool
}

// Session is a model with its memory: fixed inputs and outputs.
//
// Run may be called from several goroutines and runs one after the other; the tensors are shared, so goroutines that
// share a session use [Session.Call], which holds the session from filling the inputs to reading the outputs.
type Session struct {
	rt      *Runtime
	opts    SessionOptions
	inputs  []tensor
	outputs []tensor
	model   []byte

	mu      sync.Mutex
	device  Device
	session *onnx.DynamicAdvancedSession
	stats   Stats
	closed  bool

	huge bool
	// shrink makes runs give the arena's free memory back.
	shrink bool
	// failRun, set by tests only, stands in for a device's failure.
	failRun func() error
}

// NewSession builds a session of a model's bytes. The tensors that the caller wants are named with their shapes; they
// are checked against the model, so that a wrong one is an error here and not in the first run. Nil inputs or outputs
// mean all those of the model, in its order.
func (rt *Runtime) NewSession(model []byte, inputs, outputs []TensorSpec, opts SessionOptions) (*Session, error) {
	declaredIn, declaredOut, err := Signature(model)
	if err != nil {
		return nil, err
	}
	if inputs == nil {
		inputs = declaredIn
	}
	if outputs == nil {
		outputs = declaredOut
	}
	if err := matches("input", inputs, declaredIn); err != nil {
		return nil, err
	}
	if err := matches("output", outputs, declaredOut); err != nil {
		return nil, err
	}
	for _, d := range declaredIn {
		if !slices.ContainsFunc(inputs, func(s TensorSpec) bool { return s.Name == d.Name }) {
			return nil, fmt.Errorf("ort: the model's input %q is not given", d.Name)
		}
	}
	if len(inputs) == 0 || len(outputs) == 0 {
		return nil, errors.New("ort: a model needs an input and an output")
	}

	s := &Session{rt: rt, opts: opts, device: opts.Device}
	if s.device == Auto {
		s.device = rt.Device()
	}
	if opts.KeepModel {
		s.model = model
	}
	for _, spec := range inputs {
		t, err := newTensor(spec)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.inputs = append(s.inputs, t)
	}
	for _, spec := range outputs {
		t, err := newTensor(spec)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.outputs = append(s.outputs, t)
	}
	if err := s.build(model); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func matches(kind string, wanted, declared []TensorSpec) error {
	for i, w := range wanted {
		at := slices.IndexFunc(declared, func(d TensorSpec) bool { return d.Name == w.Name })
		if at < 0 {
			var names []string
			for _, d := range declared {
				names = append(names, d.Name)
			}
			return fmt.Errorf("ort: the model has no %s %q; it has %q", kind, w.Name, names)
		}
		if !slices.Equal(declared[at].Shape, w.Shape) {
			return fmt.Errorf("ort: %s %q: shape %v was asked for, the model has %v", kind, w.Name, w.Shape, declared[at].Shape)
		}
		if slices.ContainsFunc(wanted[:i], func(s TensorSpec) bool { return s.Name == w.Name }) {
			return fmt.Errorf("ort: %s %q is given twice", kind, w.Name)
		}
	}
	return nil
}

// aligned returns zeros that start at a multiple of 64 bytes, as the library's vector code likes them.
func aligned(n int) []float32 {
	const line = 64 / 4
	buffer := make([]float32, n+line)
	skip := 0
	if off := uintptr(unsafe.Pointer(&buffer[0])) % 64; off != 0 {
		skip = int(64-off) / 4
	}
	return buffer[skip : skip+n : skip+n]
}

func newTensor(spec TensorSpec) (tensor, error) {
	size, err := spec.Size()
	if err != nil {
		return tensor{}, fmt.Errorf("ort: %w", err)
	}
	t := tensor{spec: TensorSpec{spec.Name, slices.Clone(spec.Shape)}, data: aligned(size), scalar: len(spec.Shape) == 0}
	if t.scalar {
		// The binding's scalars own their memory; the value is copied around each run.
		value, err := onnx.NewScalar(float32(0))
		if err != nil {
			return tensor{}, fmt.Errorf("ort: tensor %q: %w", spec.Name, err)
		}
		t.value = value
		return t, nil
	}
	shape := make(onnx.Shape, len(spec.Shape))
	for i, d := range spec.Shape {
		shape[i] = int64(d)
	}
	value, err := onnx.NewTensor(shape, t.data)
	if err != nil {
		return tensor{}, fmt.Errorf("ort: tensor %q: %w", spec.Name, err)
	}
	t.value = value
	return t, nil
}

func names(tensors []tensor) []string {
	out := make([]string, len(tensors))
	for i, t := range tensors {
		out[i] = t.spec.Name
	}
	return out
}

func values(tensors []tensor) []onnx.Value {
	out := make([]onnx.Value, len(tensors))
	for i, t := range tensors {
		out[i] = t.value
	}
	return out
}

// A model from largeModel on leaves enough free memory behind when it has been prepared to be worth giving back. From
// hugeModel on, what others left is given back before, because the library then holds the weights several times over.
const (
	largeModel = 8 << 20
	hugeModel  = 64 << 20
)

// build makes the library's session on s.device.
func (s *Session) build(model []byte) error {
	if len(model) >= hugeModel {
		if err := s.rt.Trim(context.Background()); err != nil {
			return err
		}
	}
	start, before := time.Now(), Memory().Resident
	options, err := onnx.NewSessionOptions()
	if err != nil {
		return fmt.Errorf("ort: session options: %w", err)
	}
	defer options.Destroy()
	threads := s.rt.threads
	if s.opts.Threads > 0 {
		threads = s.opts.Threads
	}
	err = errors.Join(
		options.SetIntraOpNumThreads(threads),
		options.SetInterOpNumThreads(1),
		options.SetExecutionMode(onnx.ExecutionModeSequential),
		options.SetGraphOptimizationLevel(onnx.GraphOptimizationLevelEnableAll),
		options.SetLogSeverityLevel(onnx.LoggingLevelError),
		// Threads that wait actively make a run some 5 % faster on free cores, and several times slower where other work wants
		// them.
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
		options.SetCpuMemArena(!s.opts.Frugal),
		options.SetMemPattern(false),
	)
	if s.device == CPU && !s.opts.Frugal && sharedArena() {
		err = errors.Join(err,
			options.AddSessionConfigEntry("session.use_env_allocators", "1"),
			options.AddSessionConfigEntry("session.use_device_allocator_for_initializers", "1"))
	}
	if err != nil {
		return fmt.Errorf("ort: session options: %w", err)
	}
	if s.opts.Profile != "" {
		if err := options.EnableProfiling(s.opts.Profile); err != nil {
			return fmt.Errorf("ort: profile %s: %w", s.opts.Profile, err)
		}
	}
	if err := appendProvider(options, s.device); err != nil {
		return fmt.Errorf("ort: %s: %w", s.device, err)
	}
	session, err := onnx.NewDynamicAdvancedSessionWithONNXData(model, names(s.inputs), names(s.outputs), options)
	if err != nil {
		return fmt.Errorf("ort: the model cannot be prepared for %s: %w", s.device, err)
	}
	s.session, s.huge = session, len(model) >= hugeModel
	if len(model) >= largeModel {
		releaseHeap()
	}
	s.stats.Build = time.Since(start)
	s.stats.BuildBytes = int64(Memory().Resident) - int64(before)
	return nil
}

func find(tensors []tensor, kind, name string) []float32 {
	for _, t := range tensors {
		if t.spec.Name == name {
			return t.data
		}
	}
	panic("ort: session has no " + kind + " " + strconv.Quote(name))
}

// Input is the memory of a named input, to be written before Run, row-major. It panics on an unknown name.
func (s *Session) Input(name string) []float32 { return find(s.inputs, "input", name) }

// Output is the memory of a named output, valid after Run until the next one, row-major. It panics on an unknown name.
func (s *Session) Output(name string) []float32 { return find(s.outputs, "output", name) }

// Inputs describes the inputs.
func (s *Session) Inputs() []TensorSpec { return specs(s.inputs) }

// Outputs describes the outputs.
func (s *Session) Outputs() []TensorSpec { return specs(s.outputs) }

func specs(tensors []tensor) []TensorSpec {
	out := make([]TensorSpec, len(tensors))
	for i, t := range tensors {
		out[i] = TensorSpec{t.spec.Name, slices.Clone(t.spec.Shape)}
	}
	return out
}

// Device is the device that computes this session.
func (s *Session) Device() Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.device
}

// Stats are the figures so far.
func (s *Session) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run computes the outputs of the inputs. When ctx ends first the run is stopped between two operations of the graph,
// the outputs are undefined, and the error wraps ctx's; the session can be used again.
func (s *Session) Run(ctx context.Context) error { return s.Call(ctx, nil, nil) }

// Call runs with the session held: fill writes the inputs, read takes the outputs; either may be nil. read is not
// called after an error.
func (s *Session) Call(ctx context.Context, fill, read func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("ort: session is closed")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ort: run stopped: %w", context.Cause(ctx))
	}
	if fill != nil {
		fill()
	}
	err := s.runOnce(ctx)
	if err != nil && s.device != CPU && ctx.Err() == nil {
		err = s.recover(ctx, err)
	}
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("ort: run stopped: %w", context.Cause(ctx))
		}
		return err
	}
	if read != nil {
		read()
	}
	return nil
}

// recover is called after a run failed on a device other than the CPU. It runs the model on the CPU when it was kept;
// otherwise it asks the device for another proof to tell a lost device from a model that it cannot run.
func (s *Session) recover(ctx context.Context, failure error) error {
	device := s.device
	if s.model != nil {
		old := s.session
		s.device = CPU
		if err := s.build(s.model); err != nil {
			s.device, s.session = device, old
			return failure
		}
		if err := s.runOnce(ctx); err != nil {
			s.session.Destroy()
			s.device, s.session = device, old
			if ctx.Err() != nil {
				return err
			}
			return failure
		}
		old.Destroy()
		if s.rt.Device() == device {
			s.rt.giveUp(device, "a run failed: "+reason(failure))
		}
		return nil
	}
	if trial := s.rt.prove(ctx, device); !trial.Usable && ctx.Err() == nil {
		s.rt.giveUp(device, "a run failed: "+reason(failure))
		return fmt.Errorf("ort: %s: %w: %w", device, ErrDeviceLost, failure)
	}
	return failure
}

func (s *Session) runOnce(ctx context.Context) error {
	if s.failRun != nil && s.device != CPU {
		if err := s.failRun(); err != nil {
			return fmt.Errorf("ort: run on %s: %w", s.device, err)
		}
	}
	options, err := onnx.NewRunOptions()
	if err != nil {
		return fmt.Errorf("ort: run options: %w", err)
	}
	defer options.Destroy()
	if s.shrink {
		if err := options.AddRunConfigEntry(shrinkKey, "cpu:0"); err != nil {
			return fmt.Errorf("ort: run options: %w", err)
		}
	}
	for i := range s.inputs {
		if t := &s.inputs[i]; t.scalar {
			value, err := onnx.NewScalar(t.data[0])
			if err != nil {
				return fmt.Errorf("ort: tensor %q: %w", t.spec.Name, err)
			}
			t.value.Destroy()
			t.value = value
		}
	}

	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		options.Terminate()
	})
	before := uint64(0)
	if s.stats.Runs == 0 {
		if s.huge {
			debug.FreeOSMemory() // The model's bytes, which the caller held while the session was built.
		}
		before = Memory().Resident
	}
	start := time.Now()
	err = s.session.RunWithOptions(values(s.inputs), values(s.outputs), options)
	took := time.Since(start)
	if !stop() {
		<-terminated // The options must outlive Terminate.
	}
	if err != nil {
		return fmt.Errorf("ort: run on %s: %w", s.device, err)
	}
	for _, t := range s.outputs {
		if t.scalar {
			t.data[0] = t.value.(*onnx.Scalar[float32]).GetData()
		}
	}
	if s.stats.Runs == 0 {
		s.stats.First = took
		s.stats.FirstBytes = int64(Memory().Resident) - int64(before)
	}
	s.stats.Runs++
	s.stats.Last = took
	s.stats.Total += took
	return nil
}

// Close frees the session. It waits for a run in progress; closing twice is allowed.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.session != nil {
		err = s.session.Destroy()
		s.session = nil
	}
	for _, list := range [][]tensor{s.inputs, s.outputs} {
		for _, t := range list {
			err = errors.Join(err, t.value.Destroy())
		}
	}
	s.model = nil
	if err != nil {
		return fmt.Errorf("ort: close: %w", err)
	}
	return nil
}
