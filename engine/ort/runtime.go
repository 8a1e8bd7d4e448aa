// Package ort runs ONNX models on the best device of this machine.
//
// Everything that Latentbrush computes is one kind of thing: a graph with named inputs and outputs of fixed shapes.
// This package takes the bytes of such a graph and gives a [Session], a function with its own memory: write the
// input slices, call [Session.Run], read the output slices. What computes it, CPU or GPU, is decided once, in
// [Open], and no caller needs to know.
//
// A device is believed only after it has computed a small graph and agreed with the CPU; otherwise the next one is
// taken and the reason is kept ([Runtime.Devices]). A device that fails later is given up the same way: the session
// goes on with the CPU when it kept its model ([SessionOptions.KeepModel]), and [Runtime.Device] says so.
//
// The ONNX Runtime library is loaded while the program runs, from the place that [LibraryEnv] names, from beside the
// executable, from the user's cache folder, or by the system's loader. Without it Open returns [ErrNoLibrary] and
// nothing else of the program is harmed.
package ort

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	onnx "github.com/yalue/onnxruntime_go"
)

// Options says how to open a runtime. The zero value is right for most programs.
type Options struct {
	// Library is the path of the ONNX Runtime library or of its folder; empty means to look for it.
	Library string
	// Device is the device to use; [Auto] takes the first usable one. A device named here is taken even when it is
	// slower than the CPU, and Open fails when it is not usable.
	Device Device
	// Threads is the number of CPU threads of each session, [DefaultThreads] when 0.
	Threads int
}

// DefaultThreads is how many threads a session uses unless told otherwise: one core is left to the window where
// there are more than two. With two cores both compute, because the second one nearly halves the time and sleeping
// threads give way to the window at once.
func DefaultThreads() int {
	cores := min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	if cores <= 2 {
		return max(cores, 1)
	}
	return cores - 1
}

// Runtime is a loaded library and a chosen device. It may be used from several goroutines.
type Runtime struct {
	library string
	threads int

	mu     sync.Mutex
	device Device
	trials []Trial
}

// Open loads the library and chooses the device.
func Open(ctx context.Context, opts Options) (*Runtime, error) {
	if opts.Threads < 0 {
		return nil, fmt.Errorf("ort: %d threads: the number must not be negative", opts.Threads)
	}
	path, err := load(opts.Library)
	if err != nil {
		return nil, err
	}
	rt := &Runtime{library: path, threads: opts.Threads, device: CPU}
	if rt.threads == 0 {
		rt.threads = DefaultThreads()
	}
	if err := rt.choose(ctx, opts.Device); err != nil {
		return nil, err
	}
	return rt, nil
}

// Library is the path of the loaded library.
func (rt *Runtime) Library() string { return rt.library }

// Version is the loaded library's release, such as "1.30.0".
func (rt *Runtime) Version() string { return onnx.GetVersion() }

// Threads is the number of CPU threads of each session.
func (rt *Runtime) Threads() int { return rt.threads }

// Device is the device on which new sessions are built.
func (rt *Runtime) Device() Device {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.device
}

// Devices lists the devices in the order in which they were tried, with the reason of each refusal.
func (rt *Runtime) Devices() []Trial {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return append([]Trial(nil), rt.trials...)
}

// giveUp makes the CPU the device of all later sessions and keeps the reason.
func (rt *Runtime) giveUp(device Device, reason string) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for i := range rt.trials {
		switch rt.trials[i].Device {
		case device:
			rt.trials[i].Usable, rt.trials[i].Chosen, rt.trials[i].Reason = false, false, reason
		case CPU:
			rt.trials[i].Chosen = true
		}
	}
	rt.device = CPU
}
