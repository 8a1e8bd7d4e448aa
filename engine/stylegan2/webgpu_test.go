package stylegan2_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"latentbrush/engine/ort"
)

// TestAgainstPyTorchOnWebGPU compares picture, labels, loss and gradients computed by the
// WebGPU provider, on a Vulkan driver in software. The Vulkan loader reads its
// variables when a process starts to use it, so this runs in a process of its own.
func TestAgainstPyTorchOnWebGPU(t *testing.T) {
	if os.Getenv("LATENTBRUSH_TEST_WEBGPU") != "" {
		rt, err := ort.Open(t.Context(), ort.Options{Device: ort.WebGPU})
		if err != nil {
			t.Fatal(err)
		}
		againstPyTorch(t, rt, openFixture(t, "ada32.safetensors"), false)
		return
	}
	driver := os.Getenv("LATENTBRUSH_SWIFTSHADER")
	if driver == "" {
		found, err := filepath.Glob("/usr/lib/chromium/vk_swiftshader_icd.json")
		if err != nil || len(found) == 0 {
			t.Skip("skipped: no SwiftShader on this machine (Debian's package chromium-common)")
		}
		driver = found[0]
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAgainstPyTorchOnWebGPU$", "-test.v")
	command.Env = append(os.Environ(), "LATENTBRUSH_TEST_WEBGPU=1", "VK_DRIVER_FILES="+driver, "VK_ICD_FILENAMES="+driver)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
