package ort_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latentbrush/engine/ort"
)

// TestNothingIsReported loads the library and runs a graph in a process with an empty home folder. Official builds
// that report their use leave an identifier and a file of events there.
func TestNothingIsReported(t *testing.T) {
	if os.Getenv("LATENTBRUSH_TEST_HOME") != "" {
		if _, err := ort.Open(t.Context(), ort.Options{Device: ort.CPU}); err != nil {
			t.Fatal(err)
		}
		return
	}
	library := cpu(t).Library()
	home := t.TempDir()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsReported$", "-test.v")
	// On machines that build and test, the library is quiet by itself.
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "CI" || strings.HasPrefix(name, "ORT_") || strings.HasPrefix(name, "XDG_") || name == "HOME"
	})
	c.Env = append(c.Env, "HOME="+home, "LATENTBRUSH_TEST_HOME="+home, ort.LibraryEnv+"="+library)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var left []string
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, path)
		}
		return err
	})
	if err != nil || len(left) > 0 {
		t.Errorf("the library left %v, %v", left, err)
	}
}
