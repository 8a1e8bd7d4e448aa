package window_test

import (
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/window"
	"latentbrush/app/gui/window/windowtest"
)

// rig is a window on the puppet engine, in memory.
type rig struct {
	*window.Window
	t      *testing.T
	picker *dialogs.Script
	dir    string
}

func newRig(t *testing.T, change func(*window.Options)) *rig {
	t.Helper()
	test.NewTempApp(t)
	r := &rig{t: t, picker: &dialogs.Script{}, dir: t.TempDir()}
	settings, err := window.LoadSettings(filepath.Join(r.dir, "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	settings.Language, settings.Variant = "en", look.Dark
	o := window.Options{
		Version: "test", Settings: settings, Picker: r.picker, Seed: 7,
		Library: filepath.Join(r.dir, "vectors"), Journals: filepath.Join(r.dir, "journals"),
		Open: func(context.Context, string) (window.Engine, error) {
			return &windowtest.Puppet{Size: 256, Steps: 40}, nil
		},
		Log: func(s string) { t.Log(s) },
	}
	if change != nil {
		change(&o)
	}
	win := test.NewTempWindow(t, nil)
	r.Window = window.New(win, o)
	win.Resize(fyne.NewSize(1280, 720))
	r.Start()
	t.Cleanup(func() { fyne.DoAndWait(r.Shut) })
	return r
}

// wait runs until ok, or fails the test.
func (r *rig) wait(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		var is bool
		fyne.DoAndWait(func() { is = ok() })
		if is {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	r.t.Fatalf("waited in vain for %s", what)
}

func (r *rig) shot(name string) image.Image {
	r.t.Helper()
	var img image.Image
	fyne.DoAndWait(func() { img = r.Fyne().Canvas().Capture() })
	if dir := os.Getenv("LATENTBRUSH_SHOTS"); dir != "" {
		f, err := os.Create(filepath.Join(dir, name+".png"))
		if err != nil {
			r.t.Fatal(err)
		}
		defer f.Close()
		if err := png.Encode(f, img); err != nil {
			r.t.Fatal(err)
		}
	}
	return img
}

func TestOpensOnASample(t *testing.T) {
	r := newRig(t, nil)
	r.wait("the first picture", func() bool { return r.Document() != nil && r.Document().HasPicture() })
	r.wait("the strip", func() bool { return r.StripFilled() >= 8 })
	r.shot("start")
}
