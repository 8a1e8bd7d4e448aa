package cli

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine"
	"latentbrush/engine/learning"
	"latentbrush/engine/model/modeltest"
	"latentbrush/vectors"
)

func TestLearn(t *testing.T) {
	bundle := taughtModel(t, modeltest.Spec{Seed: 3, Classes: 3, Members: 1, Hidden: []int{}})
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	names := bundleClasses(t, bundle)
	status, out, errs := runCommand(t, "learn", "-model", bundle, "-device", "cpu", "-threads", "1", "-name", "More of it!", "-statistic", "area("+names[1]+")",
		"-classes", names[1], "-method", "regression", "-survey", "40", "-test", "6", "-local", "-tags", "a,b",
		"-o", in("out"), "-report", in("report.json"), "-page", in("page.md"), "-sheets", in("sheets"))
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	if !strings.Contains(out, "More of it!") || !strings.Contains(out, "regression") {
		t.Errorf("said %q", out)
	}
	v, err := vectors.ReadFile(in("out/more-of-it.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if v.Generalisation.Seeds != 6 || v.Calibration.UnitEffect <= 0 || v.Learnt.How != "statistic" || len(v.Tags) != 2 || v.Before == nil || v.Sheet != nil {
		t.Errorf("facts %+v", v.Facts)
	}
	var rows []learntRow
	data, err := os.ReadFile(in("report.json"))
	if err == nil {
		err = json.Unmarshal(data, &rows)
	}
	if err != nil || len(rows) != 1 || rows[0].Success != v.Generalisation.Success || rows[0].File != "more-of-it.safetensors" {
		t.Errorf("report %v: %s", err, data)
	}
	page, err := os.ReadFile(in("page.md"))
	if err != nil || !strings.Contains(string(page), "| More of it! |") {
		t.Errorf("page %v: %s", err, page)
	}
	if _, err := os.Stat(in("sheets/more-of-it.png")); err != nil {
		t.Error(err)
	}

	// Figures are replaced in the page, and what somebody wrote around them stays.
	if err := os.WriteFile(in("page.md"), []byte("# Mine\n\nAbove.\n"+strings.TrimPrefix(string(page), "# Editing vectors\n\n")+"\n## Below\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := openVectorsPage(in("page.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows[0].Name = "Changed"
	if err := again.write(engine.Info{}, rows); err != nil {
		t.Fatal(err)
	}
	page, err = os.ReadFile(in("page.md"))
	if text := string(page); err != nil || !strings.HasPrefix(text, "# Mine\n\nAbove.\n<!--") || !strings.HasSuffix(text, "-->\n\n## Below\n") || !strings.Contains(text, "| Changed |") || strings.Contains(text, "More of it") {
		t.Errorf("page %v: %s", err, page)
	}
	if err := os.WriteFile(in("other.md"), []byte("no figures here"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openVectorsPage(in("other.md")); err == nil || !strings.Contains(err.Error(), "end of figures") {
		t.Errorf("a page without markers: %v", err)
	}

	before := v.Calibration
	status, out, errs = runCommand(t, "learn", "test", "-model", bundle, "-device", "cpu", "-threads", "1", "-survey", "20", "-test", "4", "-tile", "8", "-failures",
		"-report", in("report.json"), in("out/more-of-it.safetensors"))
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	if v, err = vectors.ReadFile(in("out/more-of-it.safetensors")); err != nil || v.Generalisation.Seeds != 4 || v.Sheet == nil || v.Calibration.UnitEffect != before.UnitEffect {
		t.Errorf("tested: %+v (%v); said %q", v, err, out)
	}
	if n, bad := strings.Count(out, ": seed "), int(4*(1-v.Generalisation.Success)+0.5); n != bad {
		t.Errorf("%d failures are listed, want %d: %s", n, bad, out)
	}
	status, _, errs = runCommand(t, "learn", "axes", "-model", bundle, "-device", "cpu", "-threads", "1", "-count", "2", "-o", in("axes"), "-sheet", in("axes.png"))
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	if v, err = vectors.ReadFile(in("axes/sefa-2.safetensors")); err != nil || v.Learnt.How != "unsupervised" {
		t.Errorf("axis: %v", err)
	}
	f, err := os.Open(in("axes.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := png.DecodeConfig(f)
	if err != nil || c.Width*2 != c.Height*5 {
		t.Errorf("sheet is %d×%d (%v), want five columns and two rows", c.Width, c.Height, err)
	}
}

func TestLearnPart(t *testing.T) {
	bundle := taughtModel(t, modeltest.Spec{Seed: 3, Classes: 3, Members: 1, Hidden: []int{}})
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	names := bundleClasses(t, bundle)
	args := []string{"learn", "part", "-model", bundle, "-device", "cpu", "-threads", "1", "-seed", "1", "-o", in("part.safetensors"), "-sheet", in("part.png")}
	status, out, errs := runCommand(t, append(args, "-reference", "2", "-classes", names[1])...)
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	if !strings.Contains(out, "is left, leak") {
		t.Errorf("said %q", out)
	}
	v, err := vectors.ReadFile(in("part.safetensors"))
	if err != nil || len(v.Classes) != 1 || v.Classes[0].Name != names[1] {
		t.Errorf("vector %+v (%v)", v, err)
	}
	if _, err := os.Stat(in("part.png")); err != nil {
		t.Error(err)
	}
	for _, more := range [][]string{{"-classes", names[1]}, {"-reference", "2"}, {"-reference", "2", "-classes", "nothing"}} {
		if status, _, errs := runCommand(t, append(args, more...)...); status != 2 {
			t.Errorf("%v: status %d, %q", more, status, errs)
		}
	}
}

// bundleClasses are the names in a bundle's manifest, in the order of their ids.
func bundleClasses(t *testing.T, bundle string) []string {
	t.Helper()
	m, err := openModel(&Env{Model: bundle})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var names []string
	for _, c := range m.Manifest.Classes {
		names = append(names, c.Name)
	}
	return names
}

func TestLearnRefuses(t *testing.T) {
	bundle := taughtModel(t, modeltest.Spec{Seed: 3, Classes: 3, Members: 1, Hidden: []int{}})
	out := t.TempDir()
	recipe := filepath.Join(out, "recipe.json")
	if err := os.WriteFile(recipe, []byte(`{"vectors":[{"name":"a","statistic":"area(nose)","classes":["nose"]}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-o", nil},
		{"exclude", []string{"-o", out, "-name", "a", "-recipe", recipe}},
		{`no class "nose"`, []string{"-o", out, "-recipe", recipe}},
		{"statistic is empty", []string{"-o", out, "-name", "a"}},
		{"sefa or pca", []string{"axes", "-o", out, "-kind", "ica"}},
		{"nothing to write", []string{"axes"}},
		{"1 to 256", []string{"axes", "-o", out, "-count", "0"}},
	} {
		args := []string{"learn"}
		if len(c.args) > 0 && c.args[0] == "axes" {
			args, c.args = []string{"learn", "axes"}, c.args[1:]
		}
		args = append(append(args, "-model", bundle, "-device", "cpu"), c.args...)
		if status, _, errs := runCommand(t, args...); status != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: status %d, %q; want 2 and %q", c.args, status, errs, c.want)
		}
	}
}

func TestMergeLearntKeepsTheOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	recipe := learning.Recipe{Vectors: []learning.Spec{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	fresh := []learntRow{{Name: "b", Leak: 2}}
	if got := mergeLearnt(path, recipe, fresh); len(got) != 1 {
		t.Errorf("without a report: %v", got)
	}
	data, err := json.Marshal([]learntRow{{Name: "gone"}, {Name: "b", Leak: 1}, {Name: "a"}})
	if err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := mergeLearnt(path, recipe, fresh); len(got) != 2 || got[0].Name != "a" || got[1].Leak != 2 {
		t.Errorf("merged %v", got)
	}
}

func TestVectorFileName(t *testing.T) {
	for name, want := range map[string]string{"Look right": "look-right.safetensors", "../Ümlaut !": "mlaut.safetensors", "眼": "vector.safetensors"} {
		if got := vectorFileName(name); got != want {
			t.Errorf("%q is written to %q, want %q", name, got, want)
		}
	}
}
