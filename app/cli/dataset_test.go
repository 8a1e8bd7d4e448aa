package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDatasetCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	call := func(args ...string) (int, string, string) {
		var out, err bytes.Buffer
		env := &Env{In: strings.NewReader(""), Out: &out, Err: &err, Now: time.Now}
		code := ExecuteContext(t.Context(), env, append([]string{"dataset"}, args...))
		return code, out.String(), err.String()
	}
	if code, out, err := call("-n", "3", "-size", "32", "-seed", "7", "-workers", "1", "-out", dir); code != 0 || !strings.Contains(out, "3 pictures of seed 7") {
		t.Fatalf("status %d, %q, %q", code, out, err)
	}
	if s, err := os.Stat(filepath.Join(dir, "images-32.u8")); err != nil || s.Size() != 3*32*32*3 {
		t.Errorf("images-32.u8: %v, %v, expected 9216 bytes", s, err)
	}
	for want, args := range map[string][]string{
		"needs -out":             {"-n", "3"},
		"expected a power":       {"-size", "33", "-out", dir},
		"expected 1 to":          {"-n", "0", "-out", dir},
		"-workers is 0":          {"-workers", "0", "-out", dir},
		`no argument "faces"`:    {"faces"},
		"holds another data set": {"-n", "3", "-size", "32", "-seed", "8", "-out", dir},
	} {
		if code, _, err := call(args...); code == 0 || !strings.Contains(err, want) || strings.Count(err, "dataset: ") > 1 {
			t.Errorf("%v: status %d, %q, expected %q", args, code, err, want)
		}
	}
}
