package cli

import (
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/model/modeltest"
	"latentbrush/vectors"
)

// bundle writes a small model with random weights and returns its path.
func bundle(t *testing.T) string {
	t.Helper()
	c := modeltest.Contents(modeltest.Spec{})
	path := filepath.Join(t.TempDir(), "tiny.zip")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEditAndApply(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) string {
		t.Helper()
		status, out, errs := runCommand(t, append([]string{"-model", model, "-device", "cpu"}, args...)...)
		if status != 0 {
			t.Fatalf("%v: status %d, %s", args, status, errs)
		}
		return out
	}
	must("sample", "-seed", "1", "-truncation", "1", "-o", at("before.png"), "-labels", at("mask.png"))
	must("sample", "-seed", "2", "-truncation", "1", "-labels", at("other.png"))
	mask := readPNG(t, at("mask.png")).(*image.Paletted)
	other := readPNG(t, at("other.png")).(*image.Paletted)
	for y := 8; y < 24; y++ {
		copy(mask.Pix[y*mask.Stride+8:y*mask.Stride+24], other.Pix[y*other.Stride+8:y*other.Stride+24])
	}
	f, err := os.Create(at("painted.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, mask); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out := must("edit", "-seed", "1", "-truncation", "1", "-mask", at("painted.png"), "-o", at("after.png"), "-labels", at("after-labels.png"),
		"-vector", at("change.safetensors"), "-code", at("code.safetensors"), "-report", at("report.json"), "-steps", "12", "-flat", "-1", "-composite", "-picture-weight", "0.05", "-perceptual-weight", "-1", "-prior", "0.01", "-rate", "0.1")
	if !strings.Contains(out, "12 steps") {
		t.Errorf("edit says %q, want 12 steps", out)
	}
	var report struct {
		Steps    int
		Loss     float64
		Curve    []struct{ Loss float64 }
		Leak     struct{ Mean float64 } `json:"leak"`
		Seam     *float64               `json:"seam_composited_levels"`
		Composit *struct {
			Mean float64 `json:"mean_levels"`
		} `json:"leak_composited"`
	}
	data, err := os.ReadFile(at("report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if report.Steps != 12 || len(report.Curve) != 13 || report.Loss >= report.Curve[0].Loss {
		t.Errorf("report has %d steps, %d points and a loss of %v from %v", report.Steps, len(report.Curve), report.Loss, report.Curve[0].Loss)
	}
	if report.Composit == nil || report.Composit.Mean != 0 {
		t.Errorf("leak after compositing is %v, want 0", report.Composit)
	}
	if report.Seam == nil {
		t.Error("the report does not measure the seam of the composite")
	}
	v, err := vectors.ReadFile(at("change.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != "change" || len(v.Classes) == 0 || v.Before == nil || v.After == nil {
		t.Errorf("vector %q has classes %v and previews %v, %v", v.Name, v.Classes, v.Before != nil, v.After != nil)
	}
	// Strength 1 on the same seed is the edit itself; strength 0 is the start.
	must("apply", "-seed", "1", "-truncation", "1", "-vector", at("change.safetensors"), "-labels", at("again.png"), "-o", at("again-picture.png"))
	again, after := readPNG(t, at("again.png")).(*image.Paletted), readPNG(t, at("after-labels.png")).(*image.Paletted)
	differ := 0
	for i := range after.Pix {
		if after.Pix[i] != again.Pix[i] {
			differ++
		}
	}
	// The vector's difference and the sum round once each, so a pixel on a border may flip.
	if differ > len(after.Pix)/200 {
		t.Errorf("applying the vector at strength 1 gives other labels on %d of %d pixels", differ, len(after.Pix))
	}
	must("apply", "-seed", "1", "-truncation", "1", "-vector", at("change.safetensors")+"=0", "-o", at("zero.png"))
	a, b := readPNG(t, at("zero.png")), readPNG(t, at("before.png"))
	for y := range 32 {
		for x := range 32 {
			if a.At(x, y) != b.At(x, y) {
				t.Fatalf("strength 0 changed pixel (%d, %d)", x, y)
			}
		}
	}
	// Along the vector alone, with a corner that must stay and one that is free.
	keep := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range 8 * 32 {
		keep.Pix[i] = 255
	}
	if err := writePNG(at("keep.png"), keep); err != nil {
		t.Fatal(err)
	}
	must("edit", "-seed", "1", "-truncation", "1", "-mask", at("painted.png"), "-along", at("change.safetensors"), "-keep", at("keep.png"), "-free", at("keep.png"),
		"-dilation", "2", "-steps", "4", "-vector", at("along.safetensors"))
	along, err := vectors.ReadFile(at("along.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	dot, length, size := 0.0, 0.0, 0.0
	for i, d := range along.Delta.Data {
		w := float64(v.Delta.Data[i])
		dot, length, size = dot+float64(d)*w, length+float64(d)*float64(d), size+w*w
	}
	if cosine := dot / math.Sqrt(length*size); math.Abs(cosine) < 0.999 {
		t.Errorf("a search along one vector gives a change with cosine %v to it, want 1 or -1", cosine)
	}
	must("apply", "-latent", at("code.safetensors"), "-vector", at("change.safetensors")+"=-1", "-refine", "3", "-o", at("refined.png"), "-report", at("refine.json"))
}

func TestEditRefuses(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	mask, colours := filepath.Join(dir, "mask.png"), filepath.Join(dir, "colours.png")
	if status, _, errs := runCommand(t, "-model", model, "-device", "cpu", "sample", "-seed", "1", "-labels", mask, "-o", colours); status != 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"edit", "-seed", "1", "-o", "x.png"}, 2, "-mask"},
		{[]string{"edit", "-mask", mask, "-o", "x.png"}, 2, "-seed"},
		{[]string{"edit", "-seed", "1", "-mask", mask}, 2, "nothing to write"},
		{[]string{"edit", "-seed", "1", "-mask", mask, "-o", filepath.Join(dir, "x.png")}, 1, "region is empty"},
		{[]string{"edit", "-seed", "1", "-mask", colours, "-o", "x.png"}, 1, "indexed PNG"},
		{[]string{"edit", "-seed", "1", "-mask", mask, "-keep", model, "-o", "x.png"}, 1, "not a PNG"},
		{[]string{"edit", "-seed", "1", "-mask", mask, "-along", mask, "-o", "x.png"}, 1, "mask.png"},
		{[]string{"edit", "-seed", "1", "-mask", model, "-o", "x.png"}, 1, "not a PNG"},
		{[]string{"edit", "-seed", "1", "-latent", "x", "-mask", mask, "-o", "x.png"}, 2, "-latent"},
		{[]string{"apply", "-seed", "1", "-o", "x.png"}, 2, "-vector"},
		{[]string{"apply", "-seed", "1", "-vector", "a=b", "-o", "x.png"}, 2, "not a number"},
		{[]string{"apply", "-seed", "1", "-vector", mask, "-o", "x.png"}, 1, "mask.png"},
	} {
		status, _, errs := runCommand(t, append([]string{"-model", model, "-device", "cpu"}, c.args...)...)
		if status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("%v: status %d, %q; want %d and %q", c.args, status, errs, c.status, c.want)
		}
	}
}
