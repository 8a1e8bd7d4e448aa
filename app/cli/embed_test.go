package cli

import (
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// savePNG writes a picture for a command to read.
func savePNG(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

// A folder with two photos and a broken file: both are embedded, the broken one is
// reported, and the edit of one goes back into its photo.
func TestEmbedAndPaste(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	base := []string{"-model", model, "-device", "cpu"}
	must := func(args ...string) string {
		t.Helper()
		status, out, errs := runCommand(t, append(base, args...)...)
		if status != 0 {
			t.Fatalf("%v: status %d, %s", args, status, errs)
		}
		return out
	}
	photos := at("photos")
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	must("sample", "-seed", "4", "-o", filepath.Join(photos, "a.png"))
	large := image.NewRGBA(image.Rect(0, 0, 96, 64))
	sample := readPNG(t, filepath.Join(photos, "a.png"))
	for y := range 64 {
		for x := range 96 {
			large.Set(x, y, sample.At(max(0, min(31, (x-16)/2)), y/2))
		}
	}
	f, err := os.Create(filepath.Join(photos, "b.jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(f, large, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for name, text := range map[string]string{"c.jpg": "not a picture", "notes.txt": "hello"} {
		if err := os.WriteFile(filepath.Join(photos, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := at("out")
	status, said, errs := runCommand(t, append(base, "embed", photos, "-out", out, "-steps", "30", "-prior", "-1")...)
	if status != 1 || strings.Count(said, " dB") != 2 || !strings.Contains(errs, "c.jpg: skipped") || !strings.Contains(errs, "1 of 3 files") {
		t.Errorf("embed says %d, %q, %q", status, said, errs)
	}
	data, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest []embedEntry
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest) != 3 || manifest[2].Error == "" || manifest[0].Error != "" || manifest[0].PSNR < manifest[0].EncoderPSNR+3 || manifest[0].Steps != 30 {
		t.Fatalf("manifest %s", data)
	}
	if c := *manifest[1].Crop; c != [4]float64{48, 32, 64, 0} {
		t.Errorf("box %v, want the middle", c)
	}
	for _, name := range []string{"a.safetensors", "b-picture.png", "b-photo.png", "a-difference.png"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}

	// An edit in the middle of b, put back.
	after := image.NewRGBA(image.Rect(0, 0, 32, 32))
	region := image.NewGray(after.Rect)
	before := readPNG(t, filepath.Join(out, "b-picture.png"))
	for y := range 32 {
		for x := range 32 {
			after.Set(x, y, before.At(x, y))
			if x >= 10 && x < 22 && y >= 10 && y < 22 {
				region.SetGray(x, y, color.Gray{255})
				if x >= 13 && x < 19 && y >= 13 && y < 19 {
					after.Set(x, y, color.RGBA{255, 0, 0, 255})
				}
			}
		}
	}
	savePNG(t, at("after.png"), after)
	savePNG(t, at("region.png"), region)
	args := []string{"paste", "-photo", filepath.Join(photos, "b.jpeg"), "-crop", "48,32,64", "-before", filepath.Join(out, "b.safetensors"), "-after", at("after.png")}
	for _, more := range [][]string{{"-region", at("region.png")}, nil} {
		must(append(append(args, more...), "-o", at("result.png"))...)
		photo, err := readPhoto(filepath.Join(photos, "b.jpeg"))
		if err != nil {
			t.Fatal(err)
		}
		result := readPNG(t, at("result.png"))
		changed, outside := 0, 0
		for y := range 64 {
			for x := range 96 {
				if color.RGBAModel.Convert(result.At(x, y)) == photo.Picture.At(x, y) {
					continue
				}
				changed++
				if x < 16+16 || x >= 16+48 || y < 16 || y >= 48 {
					outside++
				}
			}
		}
		if changed < 100 || outside > 0 {
			t.Errorf("%v: %d pixels changed, %d outside the region", more, changed, outside)
		}
	}
	must(append(args, "-o", at("result.jpg"))...)
	if p, err := readPhoto(at("result.jpg")); err != nil || p.Format != "jpeg" {
		t.Errorf("a JPEG came back as %v, %v", p, err)
	}

	savePNG(t, at("wrong.png"), image.NewGray(image.Rect(0, 0, 3, 3)))
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"embed", photos}, 2, "-out"},
		{[]string{"embed", "-out", out}, 2, "photo"},
		{[]string{"embed", photos, "-out", out, "-crop", "1,2"}, 2, "box"},
		{[]string{"embed", filepath.Join(photos, "c.jpg"), "-out", out}, 1, "not a JPEG"},
		{[]string{"embed", at("none.jpg"), "-out", out}, 1, "none.jpg"},
		{[]string{"paste", "-photo", "x"}, 2, "-crop"},
		{append(slices.Clone(args), "-region", filepath.Join(photos, "b.jpeg"), "-o", at("r.png")), 1, "b.jpeg"},
		{append(slices.Clone(args), "-region", at("wrong.png"), "-o", at("r.png")), 1, "32×32"},
	} {
		status, _, errs := runCommand(t, append(base, c.args...)...)
		if status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("%v: status %d, %q, want %d and %q", c.args, status, errs, c.status, c.want)
		}
	}
}

// A training that is stopped and resumed ends with the encoder of an uninterrupted
// one, and a data set serves as well as the model's own pictures.
func TestTrainEncoder(t *testing.T) {
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
	must("train", "encoder", "-steps", "4", "-batch", "2", "-out", at("e.safetensors"), "-curve", at("curve.png"), "-range-psnr", "20")
	if img := readPNG(t, at("curve.png")); img.Bounds().Dx() != 720 {
		t.Errorf("curve of %v", img.Bounds())
	}
	first, err := os.ReadFile(at("e.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	must("train", "encoder", "-steps", "4", "-batch", "2", "-out", at("f.safetensors"), "-resume", "-range-psnr", "20")
	second, err := os.ReadFile(at("f.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Error("the same training gave two encoders")
	}
	must("train", "encoder", "-steps", "3", "-batch", "2", "-from", at("e.safetensors"), "-out", at("g.safetensors"))
	// A finished training only writes its encoder.
	must("train", "encoder", "-out", at("e.safetensors"), "-resume", "-range-psnr", "21")
	if third, err := os.ReadFile(at("e.safetensors")); err != nil || len(third) != len(first) || string(third) == string(first) {
		t.Errorf("another range did not come into the file: %v", err)
	}
	status, _, errs := runCommand(t, "-model", model, "train", "encoder", "-out", at("f.safetensors"), "-data", dir)
	if status != 1 || !strings.Contains(errs, "dataset") {
		t.Errorf("a folder without a data set: status %d, %q", status, errs)
	}
}

// What nineteen of twenty photos reach leaves one of twenty out on either side.
func TestReach(t *testing.T) {
	var manifest []embedEntry
	for k := range 40 {
		manifest = append(manifest, embedEntry{PSNR: 30 + float64(k), Distance: 1 + float64(k)/100}, embedEntry{Error: "broken"})
	}
	if got := reach(manifest); !strings.Contains(got, "Of 40 photos") || !strings.Contains(got, "reach 32.0 dB") || !strings.Contains(got, "distance of 1.37") {
		t.Errorf("reach says %q", got)
	}
	if got := reach(manifest[:30]); got != "" {
		t.Errorf("of 15 photos: %q", got)
	}
}
