package cli

import (
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
)

// labelledFolder draws latents of a model and its own labels of them.
func labelledFolder(t *testing.T, bundle string, from, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := from; i < from+n; i++ {
		base := filepath.Join(dir, fmt.Sprintf("face %d", i))
		status, _, errs := runCommand(t, "sample", "-model", bundle, "-device", "cpu", "-seed", fmt.Sprint(i),
			"-truncation", "1", "-labels", base+".png", "-code", base+".safetensors")
		if status != 0 {
			t.Fatal(errs)
		}
	}
	return dir
}

func taughtModel(t *testing.T, spec modeltest.Spec) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.zip")
	c := modeltest.Contents(spec)
	c.Files = map[string][]byte{"card.md": []byte("# Random\n"), "vectors/a.txt": []byte("a")}
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTeach(t *testing.T) {
	bundle := taughtModel(t, modeltest.Spec{Seed: 3, Classes: 3, Members: 1, Hidden: []int{}})
	pairs, held := labelledFolder(t, bundle, 0, 6), labelledFolder(t, bundle, 50, 2)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	classes := `[{"id":0,"name":"sky","colour":"#102030"},{"id":1,"name":"left","colour":"#ff0000","pair":2},{"id":2,"name":"right","colour":"#00ff00","pair":1},{"id":3,"name":"unused","colour":"#0000ff"}]`
	if err := os.WriteFile(in("classes.json"), []byte(classes), 0o644); err != nil {
		t.Fatal(err)
	}
	status, out, errs := runCommand(t, "teach", "-model", bundle, "-device", "cpu", "-threads", "1", "-pairs", pairs, "-holdout", held, "-members", "2", "-hidden", "8",
		"-steps", "200", "-classes", in("classes.json"), "-o", in("new"), "-report", in("report.json"))
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	if !strings.Contains(out, "6 pairs, 2 members of [8]") || !strings.Contains(out, "new head: mIoU") {
		t.Errorf("said %q", out)
	}
	m, err := model.OpenPath(in("new"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, info := m.Head()
	if info == nil || info.Members != 2 || info.Classes != 4 || !info.Norm[0] || len(m.Manifest.Classes) != 4 || m.Manifest.Classes[1].Name != "left" {
		t.Errorf("head %+v, classes %+v", info, m.Manifest.Classes)
	}
	if card, _ := m.Card(); card != "# Random\n" {
		t.Errorf("card %q", card)
	}
	old, err := model.OpenPath(bundle)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	a, _ := m.Fingerprint()
	if b, _ := old.Fingerprint(); a != b {
		t.Error("teaching labels changed the generator")
	}
	var r struct {
		Pairs, Steps int
		Score        struct {
			MeanIoU  float64 `json:"mean_iou"`
			Pictures int
			Classes  []struct {
				Name string
				IoU  *float64
			}
		}
	}
	data, err := os.ReadFile(in("report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if r.Pairs != 6 || r.Steps < 1 || r.Score.Pictures != 2 || len(r.Score.Classes) != 4 || r.Score.Classes[0].Name != "sky" || r.Score.MeanIoU < 0.3 {
		t.Errorf("report %s", data)
	}
	// The new bundle is a model like any other.
	if status, _, errs := runCommand(t, "sample", "-model", in("new"), "-device", "cpu", "-seed", "1", "-labels", in("l.png")); status != 0 {
		t.Error(errs)
	}
	// Only the head.
	status, _, errs = runCommand(t, "teach", "-model", bundle, "-device", "cpu", "-threads", "1", "-pairs", pairs, "-members", "1", "-hidden", "none", "-steps", "3", "-o", in("head.safetensors"))
	if status != 0 {
		t.Fatal(errs)
	}
	f, err := safetensors.Open(os.DirFS(dir), "head.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := old.Manifest.ReadHead(f); err != nil || len(info.Hidden) != 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestTeachRefuses(t *testing.T) {
	bundle := taughtModel(t, modeltest.Spec{Seed: 3, Classes: 3, Members: 1, Hidden: []int{}})
	dir := labelledFolder(t, bundle, 0, 4)
	base := func(i int) string { return filepath.Join(dir, fmt.Sprintf("face %d", i)) }
	// One pair without labels, one of another size, one with an unknown class.
	if err := os.Remove(base(0) + ".png"); err != nil {
		t.Fatal(err)
	}
	small := image.NewPaletted(image.Rect(0, 0, 16, 16), readPNG(t, base(1)+".png").(*image.Paletted).Palette)
	write := func(path string, img image.Image) {
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
	write(base(1)+".png", small)
	many := readPNG(t, base(2)+".png").(*image.Paletted)
	many.Palette = append(many.Palette, many.Palette...)
	many.Pix[5] = 4
	write(base(2)+".png", many)

	empty := t.TempDir()
	for _, c := range []struct {
		args   []string
		status int
		says   []string
	}{
		{[]string{"-pairs", dir, "-o", "x.zip"}, 1, []string{"pair face 0: there is no face 0.png\n", "pair face 1: ", "16×16, want 32×32", "pair face 2: ", "pixel (5, 0) has class 4"}},
		{[]string{"-pairs", empty, "-o", "x.zip"}, 1, []string{"holds no pairs"}},
		{[]string{"-procedural", "4", "-o", "x.zip"}, 1, []string{`for the model "faces" only`, `this one is "random"`}},
		{[]string{"-o", "x.zip"}, 2, []string{"needs -pairs"}},
		{[]string{"-pairs", dir}, 2, []string{"nothing to do"}},
		{[]string{"-pairs", dir, "-procedural", "4", "-o", "x.zip"}, 2, []string{"give one"}},
		{[]string{"-pairs", dir, "-hidden", "a", "-o", "x.zip"}, 2, []string{`-hidden is "a"`}},
		{[]string{"-pairs", dir, "-o", empty}, 2, []string{"exists already"}},
		{[]string{"-pairs", dir, "-classes", base(3) + ".png", "-o", "x.zip"}, 1, []string{"not a JSON list of classes"}},
	} {
		status, _, errs := runCommand(t, append([]string{"teach", "-model", bundle, "-device", "cpu"}, c.args...)...)
		for _, want := range c.says {
			if status != c.status || !strings.Contains(errs, want) {
				t.Errorf("%v: status %d, %q; want %d, %q", c.args, status, errs, c.status, want)
			}
		}
	}
}
