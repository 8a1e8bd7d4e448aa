package window_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"latentbrush/app/gui/window"
	"latentbrush/app/gui/window/windowtest"
	"latentbrush/assets/portrait"
	"latentbrush/canvas"
)

// What was done in the window is done again from its script: masks to the byte, latents within 1e-5.
func TestSessionAsScript(t *testing.T) {
	r := newRig(t, func(o *window.Options) {
		o.Open = func(context.Context, string) (window.Engine, error) {
			return &windowtest.Puppet{Size: 64, Steps: 300, Pause: time.Millisecond}, nil
		}
	})
	r.do(func() { r.Painter().SetClass(portrait.MouthIn) })
	r.stroke(canvas.Point{X: 27, Y: 43}, canvas.Point{X: 37, Y: 45})
	r.press("Ctrl+G", fyne.KeyG) // grow the class
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("some steps", func() bool { return r.RunSteps() > 8 })
	r.press("Ctrl+P", fyne.KeyP)
	r.stroke(canvas.Point{X: 27, Y: 47}, canvas.Point{X: 37, Y: 49})
	n := r.RunSteps()
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("more steps", func() bool { return r.RunSteps() > n+8 })
	r.press("Ctrl+P", fyne.KeyP)
	r.do(r.AcceptEdit)
	r.wait("the edit", func() bool { return len(r.Document().Scene().Stack) == 1 })
	r.do(func() { r.Document().SetStrength(r.Document().Scene().Stack[0].ID, 1.25, true) })
	r.stroke(canvas.Point{X: 10, Y: 10}, canvas.Point{X: 20, Y: 12})
	r.wait("the labels", func() bool { return !r.Document().LabelsStale() })

	path := filepath.Join(r.dir, "session.lbscript")
	r.picker.Paths = []string{path}
	r.do(func() { r.Table().Run("file.script") })
	r.wait("the script", func() bool { _, err := os.Stat(path); return err == nil })
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"open seed 7", "\ngrow ", "\nrun r1 ", "\nrun r1 from=", "\naccept r1 ", "\nstrength e1 1.25\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in the script\n%s", want, text)
		}
	}
	old := r.Document()
	r.do(func() { r.PlayScript(path) })
	r.wait("the session again", func() bool { return r.Document() != old })
	again := r.Document()
	if !slices.Equal(again.Canvas().Labels().Pix, old.Canvas().Labels().Pix) {
		t.Errorf("the masks differ\n%s", text)
	}
	for i, v := range old.Code().Data {
		if d := math.Abs(float64(v - again.Code().Data[i])); d > 1e-5 {
			t.Fatalf("number %d of the latent differs by %v\n%s", i, d, text)
		}
	}
}

func TestRecording(t *testing.T) {
	r := newRig(t, nil)
	r.do(func() { r.Painter().SetClass(portrait.MouthIn) })
	r.stroke(canvas.Point{X: 54, Y: 86}, canvas.Point{X: 64, Y: 90})
	r.do(func() { r.Table().Run("file.record") })
	r.press("Ctrl+G", fyne.KeyG)
	path := filepath.Join(r.dir, "part.lbscript")
	r.picker.Paths = []string{path}
	r.do(func() { r.Table().Run("file.record") })
	r.wait("the script", func() bool { _, err := os.Stat(path); return err == nil })
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(text), "\nbegin\n")
	if !ok || !strings.Contains(head, "paint") || !strings.HasPrefix(tail, "grow") || strings.Contains(tail, "paint") {
		t.Errorf("the recording is\n%s", text)
	}
}

// An accepted run stays open to another choice, after other edits too.
func TestReopenedRun(t *testing.T) {
	r := newRig(t, nil)
	r.paintMouth()
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("the run", func() bool { return r.Phase() == "done" })
	r.do(r.AcceptEdit)
	r.wait("the edit", func() bool { return len(r.Document().Scene().Stack) == 1 })
	was := r.Document().Code()
	r.do(func() { r.Document().SetStrength(r.Document().Scene().Stack[0].ID, 0.5, true) })
	r.do(func() { r.Scrub(2) }) // the curve of the accepted run is still there
	if r.Phase() != "done" || r.RunSteps() < 20 {
		t.Fatalf("phase %s with %d steps", r.Phase(), r.RunSteps())
	}
	nodes := len(r.Document().Nodes())
	r.do(r.AcceptEdit)
	if r.Phase() != "idle" || len(r.Document().Nodes()) != nodes+1 || r.Document().Scene().Choices[0].Step != 2 {
		t.Fatalf("phase %s, %d steps more, choice %d", r.Phase(), len(r.Document().Nodes())-nodes, r.Document().Scene().Choices[0].Step)
	}
	if r.Document().Scene().Stack[0].Strength != 0.5 {
		t.Error("the slider moved")
	}
	r.wait("its labels", func() bool { return !r.Document().LabelsStale() })
	r.press("Ctrl+Z", fyne.KeyZ)
	r.press("Ctrl+Z", fyne.KeyZ)
	if !slices.Equal(r.Document().Code().Data, was.Data) {
		t.Error("undo did not bring the choice back")
	}
}
