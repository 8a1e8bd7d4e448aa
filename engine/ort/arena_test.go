package ort_test

import (
	"testing"

	"latentbrush/engine/ort"
)

// workingMemory of a chain of convolutions of 16 channels at 512²: one value is 16 MB.
const workingMemory = 16 << 20

func chain(t *testing.T, rt *ort.Runtime, n int) *ort.Session {
	t.Helper()
	s, err := rt.NewSession(ort.ConvModel(n, 16, 512), nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, data := range [][]float32{s.Input("x"), s.Output("y")} {
		for i := range data { // So that this memory is there before the run.
			data[i] = 1
		}
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWorkingMemoryIsShared: a second session of the same size takes next to no memory of its own, and what both used
// can be given back while they live.
func TestWorkingMemoryIsShared(t *testing.T) {
	rt := cpu(t)
	if err := rt.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ort.Memory().Resident == 0 {
		t.Skip("skipped: this system does not tell a process's memory")
	}
	first := chain(t, rt, 3)
	if got := first.Stats().FirstBytes; got < workingMemory/2 {
		t.Fatalf("the first session's run took %d MB: the test measures nothing", got>>20)
	}
	if got := chain(t, rt, 3).Stats().FirstBytes; got > workingMemory/2 {
		t.Errorf("the second session's run took %d MB more", got>>20)
	}
	before := ort.Memory().Resident
	if err := rt.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := int64(before) - int64(ort.Memory().Resident); got < workingMemory/2 {
		t.Errorf("%d MB were given back, want at least %d", got>>20, workingMemory>>21)
	}
	if err := first.Run(t.Context()); err != nil {
		t.Errorf("a run after giving back: %v", err)
	}
}
