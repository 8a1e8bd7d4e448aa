package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// runVectors runs "vectors" on the library in dir and returns both streams and the exit status.
func runVectors(t *testing.T, dir string, args ...string) (out, errs string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = ExecuteContext(context.Background(), &Env{Out: &o, Err: &e}, append([]string{"vectors", "-library", dir}, args...))
	return o.String(), e.String(), status
}

func TestVectorsCommand(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "library"), t.TempDir()
	l, err := vectors.OpenLibrary(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"Smile", "Grin", "Other"} {
		c := latent.New(2, 3)
		c.Data[i], c.Data[5] = 1, 1
		if _, err := l.Add(vectors.New(name, vectors.Model{ID: "m"}, c)); err != nil {
			t.Fatal(err)
		}
	}
	npy, zip := filepath.Join(out, "grin.npy"), filepath.Join(out, "pack.zip")
	fresh := filepath.Join(t.TempDir(), "fresh")
	for _, step := range []struct {
		dir    string
		args   []string
		status int
		want   string
	}{
		{dir, []string{"rename", "smile", "Broad smile"}, 0, ""},
		{dir, []string{"tag", "smile", "mouth", "happy"}, 0, ""},
		{dir, []string{"rate", "Broad smile", "5"}, 0, ""},
		{dir, []string{"rate", "smile", "6"}, 2, "0 to 5 expected"},
		{dir, []string{"rename", "smile"}, 2, "accepts 2 arg(s)"},
		{dir, []string{"list", "rating:4", "tag:MOUTH"}, 0, "Broad smile"},
		{dir, []string{"show", "smile"}, 0, "5 of 5"},
		{dir, []string{"show", "nothing"}, 1, "no such vector"},
		{dir, []string{"export", "grin", "-o", npy}, 0, ""},
		{dir, []string{"export", "grin", "-o", "x.txt"}, 2, ".safetensors, .npy or .png expected"},
		{dir, []string{"import", npy, "-name", "Back"}, 0, "added back"},
		{dir, []string{"duplicates", "-cosine", "0.99"}, 0, "1.0000  back  grin"},
		{dir, []string{"delete", "back"}, 0, ""},
		{dir, []string{"trash"}, 0, "back  Back"},
		{dir, []string{"restore", "back"}, 0, "added back"},
		{dir, []string{"restore", "back"}, 1, "not in the trash"},
		{dir, []string{"delete", "back"}, 0, ""},
		{dir, []string{"trash", "-empty"}, 0, ""},
		{dir, []string{"restore", "back"}, 1, "not in the trash"},
		{dir, []string{"diff", "smile", "grin"}, 0, "cosine 0.5000"},
		{dir, []string{"diff", "smile", "grin"}, 0, "mouth, happy"},
		{dir, []string{"diff", "smile", "grin", "-json"}, 0, `"facts"`},
		{dir, []string{"diff", "smile"}, 2, "accepts 2 arg(s)"},
		{dir, []string{"sum", "smile", "grin=-0.5", "-o", "Sum"}, 0, "combine(1 × Broad smile, -0.5 × Grin)"},
		{dir, []string{"sum", "smile", "grin=x", "-o", "Sum"}, 2, "not a number"},
		{dir, []string{"delete", "sum"}, 0, ""},
		{dir, []string{"local", "smile", "-o", "Local"}, 1, "has no classes"},
		{dir, []string{"average", "smile", "grin", "-o", "Mean"}, 0, "added mean: average(0.5 × Broad smile, 0.5 × Grin)"},
		{dir, []string{"subtract", "smile", "grin", "-o", "Difference"}, 0, "added difference"},
		{dir, []string{"orthogonalise", "smile", "grin", "-o", "Pure"}, 0, "added pure"},
		{dir, []string{"restrict", "smile", "-rows", "1", "-o", "Late"}, 0, "rows [1]"},
		{dir, []string{"restrict", "smile", "-rows", "2", "-o", "Late"}, 1, "0 to 1 expected"},
		{dir, []string{"scale", "smile", "-by", "-2", "-o", "Frown"}, 0, "added frown"},
		{dir, []string{"average", "smile"}, 2, "give one with -o"},
		{dir, []string{"pack", zip, "smile", "grin"}, 1, "needs a licence"},
		{dir, []string{"pack", zip, "smile", "grin", "-licence", "CC0-1.0"}, 0, ""},
		{fresh, []string{"unpack", zip}, 0, "added grin"},
		{fresh, []string{"import", zip}, 0, "in the library already"},
	} {
		out, errs, status := runVectors(t, step.dir, step.args...)
		if status != step.status || !strings.Contains(out+errs, step.want) {
			t.Errorf("%v: status %d, %q %q; status %d with %q expected", step.args, status, out, errs, step.status, step.want)
		}
	}
	text, _, _ := runVectors(t, fresh, "list", "-json")
	var rows []struct{ ID, Name, Licence string }
	err = json.Unmarshal([]byte(text), &rows)
	// The default model's own come with every library.
	shipped := len(rows)
	rows = slices.DeleteFunc(rows, func(r struct{ ID, Name, Licence string }) bool { return strings.HasPrefix(r.ID, "model/") })
	if shipped -= len(rows); shipped == 0 {
		t.Error("the default model's vectors are not listed")
	}
	if err != nil || len(rows) != 2 || rows[0].Name != "Broad smile" || rows[1].Licence != "CC0-1.0" {
		t.Errorf("list -json: %v, %s", err, text)
	}
	if err := os.WriteFile(filepath.Join(fresh, "bad.safetensors"), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, _, status := runVectors(t, fresh, "list"); status != 0 || !strings.Contains(text, "(broken)") {
		t.Errorf("a broken file: status %d, %q", status, text)
	}
}
