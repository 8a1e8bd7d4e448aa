package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/model/safetensors"
)

const someScript = `latentbrush-script 1
open seed 1 truncation=1
begin
grow 1 2
run r1 steps=3 search=shared flat=-1 agreement=-1
accept r1 step=2 name="More" as=e1
strength e1 1.5
labels
`

func TestReplayTwiceIsTheSame(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.lbscript"), []byte(someScript), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"1", "2"} {
		status, out, errs := runCommand(t, "-model", model, "-device", "cpu", "replay", at("a.lbscript"),
			"-o", at("p"+n+".png"), "-labels", at("l"+n+".png"), "-code", at("c"+n+".safetensors"), "-project", at("p"+n+".lbproj"))
		if status != 0 || !strings.Contains(out, "7 actions") {
			t.Fatalf("status %d, %s%s", status, out, errs)
		}
	}
	for _, name := range []string{"p%.png", "l%.png", "c%.safetensors"} {
		a, err1 := os.ReadFile(at(strings.Replace(name, "%", "1", 1)))
		b, err2 := os.ReadFile(at(strings.Replace(name, "%", "2", 1)))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from one time to the next (%v, %v)", name, err1, err2)
		}
	}
	status, _, errs := runCommand(t, "-model", model, "-device", "cpu", "replay", at("p1.png"), "-o", at("x.png"))
	if status != 1 || !strings.Contains(errs, "it is no script") {
		t.Errorf("a picture as a script: status %d, %s", status, errs)
	}
}

func TestBatch(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	in := at("in")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("a.lbscript"), []byte(someScript), 0o644); err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) (int, string, string) {
		t.Helper()
		return runCommand(t, append([]string{"-model", model, "-device", "cpu"}, args...)...)
	}
	if status, _, errs := call("sample", "-seed", "5", "-code", filepath.Join(in, "five.safetensors")); status != 0 {
		t.Fatal(errs)
	}
	if err := os.WriteFile(filepath.Join(in, "bad.png"), []byte("junk"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (int, string, string, batchManifest) {
		t.Helper()
		status, out, errs := call(append([]string{"batch", at("a.lbscript"), in, "-seeds", "3-4", "-out", at("out")}, args...)...)
		var m batchManifest
		raw, err := os.ReadFile(filepath.Join(at("out"), "manifest.json"))
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			t.Fatal(err, errs)
		}
		return status, out, errs, m
	}
	status, out, errs, m := run("-labels", "-code")
	if status != 1 || !strings.Contains(out, "3 made, 0 were there already, 1 failed") || !strings.Contains(errs, "bad.png: skipped") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if len(m.Items) != 4 || m.Items[0].Error == "" || m.Items[1].Labels != "five-labels.png" || m.Items[3].Picture != "seed-4.png" {
		t.Fatalf("the manifest is %+v", m)
	}
	for _, item := range m.Items[1:] {
		for _, f := range item.files() {
			if st, err := os.Stat(filepath.Join(at("out"), f)); err != nil || st.Size() == 0 {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
	// Only what is missing or has changed is done again.
	if err := os.Remove(filepath.Join(at("out"), "seed-3.png")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(in, "bad.png")); err != nil {
		t.Fatal(err)
	}
	if status, out, _, _ := run("-labels", "-code"); status != 0 || !strings.Contains(out, "1 made, 2 were there already, 0 failed") {
		t.Errorf("status %d\n%s", status, out)
	}
	// Another recipe does not mix with what is there.
	if status, _, errs, _ := run("-labels"); status != 1 || !strings.Contains(errs, "another script, model or flags") {
		t.Errorf("status %d\n%s", status, errs)
	}
	if status, out, _, _ := run("-labels", "-again"); status != 0 || !strings.Contains(out, "3 made") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// readTestCode reads the numbers of a latent file.
func readTestCode(t *testing.T, path string) []float32 {
	t.Helper()
	f, err := safetensors.Open(splitPath(path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := f.Float32s("code", -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBatchAppliesVectors(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("a.lbscript"), []byte(someScript+"save e1 \"More of it\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) (int, string, string) {
		t.Helper()
		return runCommand(t, append([]string{"-model", model, "-device", "cpu"}, args...)...)
	}
	if status, _, errs := call("replay", at("a.lbscript"), "-vectors", dir); status != 0 {
		t.Fatal(errs)
	}
	vector := at("More of it.safetensors")
	if status, out, errs := call("batch", "-vector", vector+"=0.5", "-seeds", "2", "-code", "-out", at("out")); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := call("apply", "-seed", "2", "-vector", vector+"=0.5", "-code", at("want.safetensors")); status != 0 {
		t.Fatal(errs)
	}
	a, b := readTestCode(t, filepath.Join(at("out"), "seed-2.safetensors")), readTestCode(t, at("want.safetensors"))
	for i := range b {
		if d := a[i] - b[i]; d > 1e-5 || d < -1e-5 {
			t.Fatalf("number %d is %v, apply gives %v", i, a[i], b[i])
		}
	}
	for _, args := range [][]string{{"batch"}, {"batch", "-out", at("o")}, {"batch", "-out", at("o"), "-vector", vector}, {"batch", "-out", at("o"), "-seeds", "9-1"}} {
		if status, _, errs := call(args...); status != 2 {
			t.Errorf("%v: status %d, %s", args, status, errs)
		}
	}
}
