package ort

import (
	"context"
	"fmt"
	"runtime/debug"

	onnx "github.com/yalue/onnxruntime_go"
)

// Working memory of the CPU's sessions comes from one arena of the process, because sessions of one program seldom run
// at the same time: what a picture needed serves the next step of an optimisation. Three choices keep it small, and
// docs/performance.md has their figures:
//
//   - the arena is registered with the environment and shared, so its size is that of the largest session and not the
//     sum of all;
//   - weights are allocated beside it, so that it can be given back while sessions live;
//   - memory patterns are off: a pattern is one block for everything, asked for in the second run, while the arena still
//     holds what the first run used.

// deadBytes is how much larger than asked for a block may be before the arena splits it; its own choice of 128 MB would
// give a small value the place of a large one.
const deadBytes = 1 << 20

// registerArena makes the shared arena; without it every session has its own.
func registerArena() bool {
	info, err := onnx.GetMemoryInfo()
	if err != nil {
		return false
	}
	config, err := onnx.NewArenaCfg(0, -1, -1, deadBytes)
	if err != nil {
		return false
	}
	defer config.Destroy()
	return onnx.CreateAndRegisterAllocator(info, config) == nil
}

// shrinkKey asks a run to give the arena's free blocks back when it ends.
const shrinkKey = "memory.enable_memory_arena_shrinkage"

// Trim gives working memory that no run is using back to the system. Sessions stay as they are; the next run takes
// what it needs again, which costs it a few milliseconds per 100 MB.
func (rt *Runtime) Trim(ctx context.Context) error {
	if sharedArena() {
		w := &proofWriter{}
		w.value(graphInput, "x", 1)
		w.value(graphOutput, "y", 1)
		w.node("y", "Neg", []string{"x"})
		s, err := rt.NewSession(w.model(), nil, nil, SessionOptions{Device: CPU, Threads: 1})
		if err != nil {
			return fmt.Errorf("ort: trim: %w", err)
		}
		defer s.Close()
		s.shrink = true
		if err := s.Run(ctx); err != nil {
			return fmt.Errorf("ort: trim: %w", err)
		}
	}
	debug.FreeOSMemory()
	releaseHeap()
	return nil
}
