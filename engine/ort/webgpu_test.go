package ort_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/ort"
)

// swiftShader is the manifest of a Vulkan driver in software, "" when there is none.
func swiftShader() string {
	if file := os.Getenv("LATENTBRUSH_SWIFTSHADER"); file != "" {
		return file
	}
	found, _ := filepath.Glob("/usr/lib/chromium/vk_swiftshader_icd.json")
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// The Vulkan loader reads its variables when the process starts to use it, so WebGPU runs in a process of its own: this
// test, run again.
func TestWebGPU(t *testing.T) {
	if os.Getenv("LATENTBRUSH_TEST_WEBGPU") != "" {
		webGPU(t)
		return
	}
	driver := swiftShader()
	if driver == "" {
		t.Skip("skipped: no SwiftShader on this machine (Debian's package chromium-common)")
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWebGPU$", "-test.v")
	command.Env = append(os.Environ(), "LATENTBRUSH_TEST_WEBGPU=1", "VK_DRIVER_FILES="+driver, "VK_ICD_FILENAMES="+driver)
	out, err := command.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "PASS") {
		t.Fatal(err)
	}
}

func webGPU(t *testing.T) {
	rt, err := ort.Open(t.Context(), ort.Options{Device: ort.WebGPU})
	if err != nil {
		t.Fatal(err)
	}
	d := rt.Devices()[0]
	t.Logf("%+v", d)
	if rt.Device() != ort.WebGPU || !d.Usable || !d.Chosen || d.Difference == 0 || d.Difference > 1e-4 {
		t.Errorf("WebGPU asked for by name: %+v", d)
	}
	s, err := rt.NewSession(ort.AxpyModel(33), nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Device() != ort.WebGPU {
		t.Errorf("the session is on %s", s.Device())
	}
	set(s, 3)
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := right(s, 3); err != nil {
		t.Error(err)
	}

	automatic, err := ort.Open(t.Context(), ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range automatic.Devices() {
		if d.Device == ort.WebGPU && (d.Chosen || !strings.Contains(d.Reason, "times slower than the CPU")) {
			t.Errorf("a driver in software was taken, or refused without its reason: %+v", d)
		}
	}
}
