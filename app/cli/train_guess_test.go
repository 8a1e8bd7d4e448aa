package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTrainGuess(t *testing.T) {
	model, dir := bundle(t), t.TempDir()
	out := filepath.Join(dir, "guess.safetensors")
	status, _, errs := runCommand(t, "-model", model, "-device", "cpu", "train", "guess", "-pictures", "20", "-out", out)
	if status != 0 || !strings.Contains(errs, "picture 20 of 20") {
		t.Fatalf("status %d, %s", status, errs)
	}
	// Two runs give the same bytes.
	again := filepath.Join(dir, "again.safetensors")
	if status, _, errs := runCommand(t, "-model", model, "-device", "cpu", "train", "guess", "-pictures", "20", "-out", again); status != 0 {
		t.Fatal(errs)
	}
	a, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Error("one model gave two guesses")
	}
	for _, args := range [][]string{{"train", "guess"}, {"train", "guess", "-out", out, "-pictures", "1"}} {
		if status, _, errs := runCommand(t, append([]string{"-model", model, "-device", "cpu"}, args...)...); status != 2 {
			t.Errorf("%v: status %d, %s", args, status, errs)
		}
	}
}
