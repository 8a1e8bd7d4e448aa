package cli

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latentbrush/engine/model/modeltest"
)

func runCommand(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	env := &Env{In: strings.NewReader(""), Out: &o, Err: &e, Now: time.Now}
	status = ExecuteContext(t.Context(), env, args)
	return status, o.String(), e.String()
}

func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestSample(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	contents := modeltest.Contents(modeltest.Spec{Resolution: 32, Crop: []int{0, 4, 32, 28}})
	if err := contents.Write(in("model.zip")); err != nil {
		t.Fatal(err)
	}
	sample := func(seed, picture, labels string) {
		t.Helper()
		status, _, errs := runCommand(t, "sample", "-model", in("model.zip"), "-device", "cpu", "-seed", seed, "-o", in(picture), "-labels", in(labels))
		if status != 0 {
			t.Fatalf("status %d: %s", status, errs)
		}
	}
	sample("7", "a.png", "a-labels.png")
	sample("7", "b.png", "b-labels.png")
	sample("8", "c.png", "c-labels.png")
	read := func(name string) string {
		b, err := os.ReadFile(in(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if read("a.png") != read("b.png") || read("a-labels.png") != read("b-labels.png") {
		t.Error("the same seed gave two pictures")
	}
	if read("a.png") == read("c.png") {
		t.Error("seeds 7 and 8 gave one picture")
	}
	if size := readPNG(t, in("a.png")).Bounds().Size(); size != image.Pt(32, 24) {
		t.Errorf("size %v, want 32 × 24", size)
	}
	labels, ok := readPNG(t, in("a-labels.png")).(*image.Paletted)
	if !ok {
		t.Fatal("the labels have no palette")
	}
	if len(labels.Palette) != 5 {
		t.Errorf("%d colours, want the 5 classes'", len(labels.Palette))
	}
	for i, c := range contents.Manifest.Palette() {
		if color.RGBAModel.Convert(labels.Palette[i]) != c {
			t.Errorf("class %d is %v, want %v", i, labels.Palette[i], c)
		}
	}
	used := map[uint8]bool{}
	for _, id := range labels.Pix {
		used[id] = true
	}
	if len(used) < 2 {
		t.Errorf("classes %v, want several", used)
	}
}

func TestSampleUsage(t *testing.T) {
	if status, _, errs := runCommand(t, "sample", "-seed", "7"); status != 2 || !strings.Contains(errs, "nothing to write") {
		t.Errorf("without files: status %d, %s", status, errs)
	}
	if status, _, errs := runCommand(t, "sample", "-seed", "-1", "-o", "x.png"); status != 2 || !strings.Contains(errs, "seed") {
		t.Errorf("seed −1: status %d, %s", status, errs)
	}
	if status, _, errs := runCommand(t, "sample", "-model", t.TempDir(), "-o", filepath.Join(t.TempDir(), "x.png")); status != 1 || !strings.Contains(errs, "not a model bundle") {
		t.Errorf("empty model: status %d, %s", status, errs)
	}
}
