package ort_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"latentbrush/engine/ort"
)

// cpu opens the runtime on the CPU.
func cpu(t *testing.T) *ort.Runtime {
	t.Helper()
	rt, err := ort.Open(t.Context(), ort.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func axpy(t *testing.T, rt *ort.Runtime, n int, opts ort.SessionOptions) *ort.Session {
	t.Helper()
	s, err := rt.NewSession(ort.AxpyModel(n), nil, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func set(s *ort.Session, a float32) {
	s.Input("a")[0] = a
	for i := range s.Input("x") {
		s.Input("x")[i] = float32(i)
		s.Input("b")[i] = 1
	}
}

// right says whether y = a·i + 1 and the sum are as they should be.
func right(s *ort.Session, a float32) error {
	sum := 0.0
	for i, y := range s.Output("y") {
		if want := a*float32(i) + 1; y != want {
			return fmt.Errorf("y[%d] = %g, want %g", i, y, want)
		}
		sum += float64(y)
	}
	if got := float64(s.Output("sum")[0]); math.Abs(got-sum) > 1e-3*math.Abs(sum) {
		return fmt.Errorf("sum = %g, want %g", got, sum)
	}
	return nil
}

func TestRun(t *testing.T) {
	s := axpy(t, cpu(t), 10, ort.SessionOptions{})
	for _, a := range []float32{2, -3, 0.5} {
		set(s, a)
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := right(s, a); err != nil {
			t.Error(err)
		}
	}
	stats := s.Stats()
	if stats.Runs != 3 || stats.Build <= 0 || stats.First <= 0 || stats.Last <= 0 || stats.Total < stats.First+stats.Last {
		t.Errorf("stats do not add up: %+v", stats)
	}
}

func TestTwoSessions(t *testing.T) {
	rt := cpu(t)
	one, two := axpy(t, rt, 8, ort.SessionOptions{}), axpy(t, rt, 20, ort.SessionOptions{Frugal: true, Threads: 1})
	set(one, 2)
	set(two, 5)
	if err := errors.Join(one.Run(t.Context()), two.Run(t.Context()), right(one, 2), right(two, 5)); err != nil {
		t.Error(err)
	}
}

func TestCallFromSeveralGoroutines(t *testing.T) {
	s := axpy(t, cpu(t), 64, ort.SessionOptions{})
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 25 {
				a := float32(worker*100 + i)
				var wrong error
				err := s.Call(t.Context(), func() { set(s, a) }, func() { wrong = right(s, a) })
				if err := errors.Join(err, wrong); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if runs := s.Stats().Runs; runs != 100 {
		t.Errorf("%d runs, want 100", runs)
	}
}

func TestCancel(t *testing.T) {
	// Each node takes some milliseconds, the whole graph about half a second.
	s, err := cpu(t).NewSession(ort.ConvModel(100, 64, 96), nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("the artist let go")
	asked := make(chan time.Time, 1)
	time.AfterFunc(10*time.Millisecond, func() {
		asked <- time.Now()
		cancel(because)
	})
	err = s.Run(ctx)
	late := time.Since(<-asked)
	if !errors.Is(err, because) {
		t.Fatalf("a stopped run returned %v", err)
	}
	if late > 2*time.Second {
		t.Errorf("the run went on for %v after it was stopped", late)
	}
	if err := s.Run(ctx); !errors.Is(err, because) {
		t.Errorf("a run with an ended context returned %v", err)
	}
	if s.Stats().Runs != 0 {
		t.Errorf("%d stopped runs were counted", s.Stats().Runs)
	}
	copy(s.Input("x"), make([]float32, len(s.Input("x"))))
	if err := s.Run(t.Context()); err != nil {
		t.Errorf("after a stopped run: %v", err)
	}
	if s.Output("y")[0] != 0 {
		t.Errorf("zeros in gave %g", s.Output("y")[0])
	}
}

func TestClose(t *testing.T) {
	s, err := cpu(t).NewSession(ort.AxpyModel(3), nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || err.Error() != "ort: session is closed" {
		t.Errorf("running a closed session: %v", err)
	}
}

func TestWrongTensors(t *testing.T) {
	rt := cpu(t)
	scalar, seven := []int{}, []int{7}
	all := []ort.TensorSpec{{Name: "a", Shape: scalar}, {Name: "x", Shape: seven}, {Name: "b", Shape: seven}}
	out := []ort.TensorSpec{{Name: "y", Shape: seven}}
	for _, c := range []struct {
		name    string
		in, out []ort.TensorSpec
		want    string
	}{
		{"shape", []ort.TensorSpec{all[0], {Name: "x", Shape: []int{1, 7}}, all[2]}, out, `input "x": shape [1 7] was asked for, the model has [7]`},
		{"name", []ort.TensorSpec{all[0], {Name: "w", Shape: seven}, all[2]}, out, `no input "w"; it has ["a" "x" "b"]`},
		{"missing", all[:2], out, `input "b" is not given`},
		{"twice", append(all[:3:3], all[0]), out, `input "a" is given twice`},
		{"output", all, []ort.TensorSpec{{Name: "y", Shape: []int{8}}}, `output "y": shape [8]`},
		{"no output", all, []ort.TensorSpec{}, "needs an input and an output"},
	} {
		s, err := rt.NewSession(ort.AxpyModel(7), c.in, c.out, ort.SessionOptions{})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for name, spec := range map[string]ort.TensorSpec{
		"negative": {Name: "t", Shape: []int{3, -1}}, "zero": {Name: "t", Shape: []int{0}}, "huge": {Name: "t", Shape: []int{1 << 20, 1 << 20, 1 << 40}},
	} {
		if _, err := spec.Size(); err == nil {
			t.Errorf("%s: %v has a size", name, spec.Shape)
		}
	}
	for _, model := range [][]byte{nil, []byte("GIF89a"), ort.AxpyModel(7)[:60]} {
		if _, err := rt.NewSession(model, nil, nil, ort.SessionOptions{}); err == nil {
			t.Errorf("%d bytes that are no model gave a session", len(model))
		}
	}
}

func TestSignature(t *testing.T) {
	in, out, err := ort.Signature(ort.ProofModel())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(in, out); got != "[{x [1 32 32 32]}] [{picture [1 32 32 32]} {features [32 8]}]" {
		t.Error(got)
	}
}

func FuzzSignature(f *testing.F) {
	f.Add(ort.ProofModel()[:400])
	f.Add(ort.AxpyModel(3))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, model []byte) {
		in, out, err := ort.Signature(model)
		if err != nil {
			return
		}
		for _, spec := range append(in, out...) {
			for _, d := range spec.Shape {
				if d <= 0 {
					t.Errorf("tensor %q has shape %v", spec.Name, spec.Shape)
				}
			}
		}
	})
}

func TestParseDevice(t *testing.T) {
	for name, want := range map[string]ort.Device{"": ort.Auto, "auto": ort.Auto, "WebGPU": ort.WebGPU, " cpu ": ort.CPU} {
		if got, err := ort.ParseDevice(name); got != want || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := ort.ParseDevice("gpu"); err == nil || !strings.Contains(err.Error(), "auto, cuda, webgpu") {
		t.Errorf("gpu: %v", err)
	}
}

func TestRefusalsHaveReasons(t *testing.T) {
	trials, err := ort.Devices(t.Context(), ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(trials) != len(ort.Order()) {
		t.Errorf("%d devices were tried, want %v", len(trials), ort.Order())
	}
	chosen := 0
	for _, d := range trials {
		t.Logf("%+v", d)
		if d.Chosen {
			chosen++
		} else if d.Device != ort.CPU && d.Reason == "" && !d.Usable {
			t.Errorf("%s was refused without a reason", d.Device)
		}
		if strings.Contains(d.Reason, "\n") || len(d.Reason) > 200 {
			t.Errorf("%s: the reason is not one short sentence: %q", d.Device, d.Reason)
		}
	}
	if chosen != 1 {
		t.Errorf("%d devices are chosen", chosen)
	}
}

func TestDifference(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		got, want []float32
		is        float64
	}{
		{[]float32{1, 2}, []float32{1, 2}, 0},
		{[]float32{1, 3}, []float32{1, 4}, 0.25},
		{[]float32{0}, []float32{0}, 0},
		{[]float32{1}, []float32{0}, math.Inf(1)},
		{[]float32{nan, 1}, []float32{1, 1}, math.Inf(1)},
	} {
		if got := ort.Difference([][]float32{c.got}, [][]float32{c.want}); got != c.is {
			t.Errorf("%v and %v differ by %g, want %g", c.got, c.want, got, c.is)
		}
	}
}

func TestLostDevice(t *testing.T) {
	gone := errors.New("device removed")
	lose := func(rt *ort.Runtime, s *ort.Session) {
		rt.SetTrials(ort.WebGPU, ort.Trial{Device: ort.WebGPU, Usable: true, Chosen: true}, ort.Trial{Device: ort.CPU, Usable: true})
		s.SetDevice(ort.WebGPU)
		s.FailRuns(func() error { return gone })
	}
	t.Run("with the model kept the run goes on", func(t *testing.T) {
		rt := cpu(t)
		s := axpy(t, rt, 6, ort.SessionOptions{KeepModel: true})
		lose(rt, s)
		set(s, 4)
		if err := errors.Join(s.Run(t.Context()), right(s, 4)); err != nil {
			t.Fatal(err)
		}
		if s.Device() != ort.CPU || rt.Device() != ort.CPU {
			t.Errorf("session on %s, runtime on %s", s.Device(), rt.Device())
		}
		if d := rt.Devices()[0]; d.Usable || d.Chosen || !strings.Contains(d.Reason, "device removed") {
			t.Errorf("what is kept: %+v", d)
		}
		if !rt.Devices()[1].Chosen {
			t.Error("the CPU is not marked as chosen")
		}
	})
	t.Run("without it the caller is told", func(t *testing.T) {
		// No Vulkan driver: the second proof of the device fails, so it is lost and not only unable to run this model.
		t.Setenv("VK_DRIVER_FILES", "/nowhere.json")
		t.Setenv("VK_ICD_FILENAMES", "/nowhere.json")
		rt := cpu(t)
		s := axpy(t, rt, 6, ort.SessionOptions{})
		lose(rt, s)
		if err := s.Run(t.Context()); !errors.Is(err, ort.ErrDeviceLost) || !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		if rt.Device() != ort.CPU {
			t.Errorf("runtime on %s", rt.Device())
		}
	})
}

func TestCandidates(t *testing.T) {
	folder := t.TempDir()
	if _, _, err := ort.Candidates(folder); !errors.Is(err, ort.ErrNoLibrary) || !strings.Contains(err.Error(), folder) {
		t.Errorf("an empty folder: %v", err)
	}
	name := filepath.Join(folder, ort.LibraryNames("linux")[0])
	if filepath.Separator == '/' && ort.Order()[0] == ort.CUDA {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		paths, _, err := ort.Candidates(folder)
		if err != nil || len(paths) != 1 || paths[0] != name {
			t.Errorf("a folder with the library: %v, %v", paths, err)
		}
	}
	t.Setenv(ort.LibraryEnv, filepath.Join(folder, "absent.so"))
	_, _, err := ort.Candidates("")
	if !errors.Is(err, ort.ErrNoLibrary) || !strings.Contains(err.Error(), ort.LibraryEnv) || !strings.Contains(err.Error(), "absent.so") {
		t.Errorf("an absent file: %v", err)
	}
}

// A process holds one library, so what happens without one is seen in another process: this test, run again.
func TestLibraryTrouble(t *testing.T) {
	if os.Getenv("LATENTBRUSH_TEST_OPEN") != "" {
		_, err := ort.Open(t.Context(), ort.Options{Device: ort.CPU})
		fmt.Printf("OPEN %v %v\n", errors.Is(err, ort.ErrNoLibrary), err)
		return
	}
	folder := t.TempDir()
	text := filepath.Join(folder, "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, env, want string }{
		{"nowhere", "XDG_CACHE_HOME=" + folder, "OPEN true ort: ONNX Runtime was not found: run `make setup`, or set LATENTBRUSH_ONNXRUNTIME"},
		{"absent", ort.LibraryEnv + "=" + folder + "/absent.so", "OPEN true ort: ONNX Runtime was not found: LATENTBRUSH_ONNXRUNTIME names"},
		{"damaged", ort.LibraryEnv + "=" + text, "OPEN false ort: " + text + " cannot be loaded"},
	} {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLibraryTrouble$")
		command.Env = append(os.Environ(), "LATENTBRUSH_TEST_OPEN=1", ort.LibraryEnv+"=", c.env)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
		if !strings.Contains(string(out), c.want) {
			t.Errorf("%s: said %q, want %q", c.name, out, c.want)
		}
	}
}

func TestSecondLibrary(t *testing.T) {
	rt := cpu(t)
	if _, err := ort.Open(t.Context(), ort.Options{Library: "/another.so"}); err == nil || !strings.Contains(err.Error(), rt.Library()) {
		t.Errorf("a second library: %v", err)
	}
	if _, err := ort.Open(t.Context(), ort.Options{Threads: -1}); err == nil {
		t.Error("-1 threads were accepted")
	}
}

func TestOpenStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ort.Open(ctx, ort.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestVulkanDrivers(t *testing.T) {
	folder := t.TempDir()
	icd := filepath.Join(folder, "vulkan", "icd.d")
	if err := os.MkdirAll(icd, 0o700); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"XDG_DATA_DIRS": folder, "XDG_CONFIG_DIRS": folder + "/none", "HOME": folder + "/home"}
	get := func(name string) string { return env[name] }
	before := len(ort.VulkanDrivers(get))
	if err := os.WriteFile(filepath.Join(icd, "some.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := len(ort.VulkanDrivers(get)) - before; got != 1 {
		t.Errorf("%d drivers more, want 1", got)
	}
	env["VK_DRIVER_FILES"] = "/a.json:/b.json"
	if got := ort.VulkanDrivers(get); len(got) != 2 {
		t.Errorf("named drivers: %v", got)
	}
}

func TestMemory(t *testing.T) {
	cpu(t)
	if m := ort.Memory(); m.Resident > 0 && (m.Peak < m.Resident/2 || m.Resident < 5<<20) {
		t.Errorf("%+v", m)
	}
}

func TestResetPeak(t *testing.T) {
	block := make([]byte, 128<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1 // Memory counts from the first write to its page.
	}
	before := ort.Memory().Peak
	block = nil
	debug.FreeOSMemory()
	if !ort.ResetPeak() {
		t.Skip("skipped: this system cannot reset the peak")
	}
	if after := ort.Memory().Peak; len(block) != 0 || after+100<<20 > before {
		t.Errorf("the peak is %d MB, was %d MB", after>>20, before>>20)
	}
}

func BenchmarkProof(b *testing.B) {
	rt, err := ort.Open(b.Context(), ort.Options{Device: ort.CPU})
	if err != nil {
		b.Fatal(err)
	}
	s, err := rt.NewSession(ort.ProofModel(), nil, nil, ort.SessionOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if err := s.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
