package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
)

func TestExportThenImport(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	contents := modeltest.Contents(modeltest.Spec{})
	if err := contents.Write(in("a.zip")); err != nil {
		t.Fatal(err)
	}
	if status, out, errs := runCommand(t, "export", "-model", in("a.zip"), "-format", "rosinality", "-o", in("a.pt")); status != 0 || !strings.Contains(out, "tensors") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	status, out, errs := runCommand(t, "import", in("a.pt"), "-o", in("My Faces.zip"), "-crop", "0,4,32,28", "-licence", "CC0-1.0")
	if status != 0 || !strings.Contains(out, "32 × 32, 8 rows of 16") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	m, err := model.OpenPath(in("My Faces.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Manifest.ID != "my-faces" || m.Manifest.Name != "My Faces" || m.Manifest.Size().Y != 24 || m.Manifest.Licence != "CC0-1.0" {
		t.Errorf("manifest %+v", m.Manifest)
	}
	if status, _, errs := runCommand(t, "import", in("a.pt"), "-o", in("My Faces.zip")); status != 1 || !strings.Contains(errs, "exists") {
		t.Errorf("over an existing file: status %d, %s", status, errs)
	}
}

func TestImportWithClassifiers(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join("..", "..", "engine", "checkpoint", "testdata")
	classes := filepath.Join(dir, "classes.json")
	list := `[{"id":0,"name":"background","colour":"#ffffff"},{"id":1,"name":"cat","colour":"#000000"},{"id":2,"name":"ear","colour":"#ff0000"}]`
	if err := os.WriteFile(classes, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "cats")
	status, out, errs := runCommand(t, "import", filepath.Join(data, "ada.pkl"), "-o", bundle, "-classes", classes,
		"-classifier", filepath.Join(data, "classifier-0.pth"), "-classifier", filepath.Join(data, "classifier-1.pth"))
	if status != 0 || !strings.Contains(out, "3 classes") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	picture, labels := filepath.Join(dir, "p.png"), filepath.Join(dir, "l.png")
	if status, _, errs := runCommand(t, "sample", "-model", bundle, "-device", "cpu", "-o", picture, "-labels", labels); status != 0 {
		t.Fatal(errs)
	}
	if size := readPNG(t, labels).Bounds().Size(); size.X != 32 || size.Y != 32 {
		t.Errorf("size %v", size)
	}
}

func TestCheckpointUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"export", "-format", "tensorflow", "-o", "x"}, 2, `format "tensorflow"`},
		{[]string{"export"}, 2, "-o"},
		{[]string{"import", "x.pt"}, 2, "-o"},
		{[]string{"import", "x.pt", "-o", "y", "-crop", "1,2"}, 2, "crop has 2"},
		{[]string{"import", filepath.Join(t.TempDir(), "none.pt"), "-o", "y"}, 1, "no such file"},
	} {
		if status, _, errs := runCommand(t, c.args...); status != c.status || !strings.Contains(errs, c.want) {
			t.Errorf("%v: status %d, %s", c.args, status, errs)
		}
	}
}
