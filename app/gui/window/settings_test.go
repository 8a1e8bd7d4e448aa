package window_test

import (
	"context"
	"iter"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/window"
	"latentbrush/app/gui/window/windowtest"
	"latentbrush/engine"
)

// listening is a puppet that remembers what it was asked for.
type listening struct {
	*windowtest.Puppet
	asked []engine.Settings
}

// Info is that of a model with a guess and an identity network.
func (l *listening) Info() engine.Info {
	i := l.Puppet.Info()
	i.Guess, i.IdentityTerm = true, "identity"
	return i
}

func (l *listening) Edit(ctx context.Context, q engine.EditRequest) iter.Seq2[engine.Step, error] {
	l.asked = append(l.asked, q.Settings)
	return l.Puppet.Edit(ctx, q)
}

// What is typed into the sheet of settings takes effect at the next run, and is there at the next start.
func TestSettingsTakeEffect(t *testing.T) {
	eng := &listening{Puppet: &windowtest.Puppet{Size: 128, Steps: 25}}
	var opened atomic.Int32
	r := newRig(t, func(o *window.Options) {
		o.Open = func(context.Context, string) (window.Engine, error) { opened.Add(1); return eng, nil }
	})
	entry := func(n int) *widget.Entry {
		var found []*widget.Entry
		walk(control.TopSheet(), func(o fyne.CanvasObject) {
			if e, ok := o.(interface{ AsEntry() *widget.Entry }); ok {
				found = append(found, e.AsEntry())
			}
		})
		if len(found) < 7 {
			t.Fatalf("the sheet has %d fields, at least 7 expected", len(found))
		}
		return found[n]
	}
	r.do(func() { r.Table().Run("file.settings") })
	for i, v := range []string{"12", "0.25", "25", "5", "0", "2", "0.5"} { // steps, rate, those of a refinement and the four weights
		entry(i).SetText(v)
	}
	tapText(t, control.TopSheet(), "off") // the first is the best guess
	entry(0).SetText("lots")              // is not a number, so that 12 stays
	tapText(t, control.TopSheet(), "Rows")
	r.do(control.TopSheet().Close)
	r.paintMouth()
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("the run", func() bool { return r.Phase() == "done" })
	got := eng.asked[len(eng.asked)-1]
	want := engine.Settings{Search: engine.SearchPerRow, Steps: 12, Rate: 0.25, PictureWeight: 5, PerceptualWeight: -1, Prior: 2, IdentityWeight: 0.5, NoGuess: true}
	if got.Search != want.Search || got.Steps != want.Steps || got.Rate != want.Rate || got.PictureWeight != want.PictureWeight ||
		got.PerceptualWeight != want.PerceptualWeight || got.Prior != want.Prior || got.IdentityWeight != want.IdentityWeight || got.NoGuess != want.NoGuess {
		t.Errorf("the run was asked for with %+v, want %+v", got, want)
	}
	kept, err := window.LoadSettings(filepath.Join(r.dir, "settings.json"))
	if err != nil || kept.Run.Steps != 12 || kept.Run.Search != "rows" || kept.Run.Perceptual != -1 || kept.Run.Refine != 25 || !kept.Run.NoGuess {
		t.Errorf("kept are %+v, %v", kept.Run, err)
	}
	// Another device opens the model again and leaves the document alone.
	doc := r.Document()
	before := opened.Load()
	r.do(func() { r.Table().Run("file.settings") })
	tapText(t, control.TopSheet(), engine.CPU.String())
	r.wait("the model again", func() bool { return opened.Load() == before+1 })
	if r.Document() != doc {
		t.Error("the document is another one")
	}
	tapText(t, control.TopSheet(), "Reset all")
	r.do(control.TopSheet().Close)
	kept, err = window.LoadSettings(filepath.Join(r.dir, "settings.json"))
	if d := engine.DefaultSettings(); err != nil || kept.Run.Steps != d.Steps || kept.Run.Search != string(d.Search) || kept.Run.NoGuess || kept.Run.Identity != 0 || kept.Device != "" {
		t.Errorf("after the reset %+v, device %q, %v", kept.Run, kept.Device, err)
	}
}

// Every setting says in a line what it is for, in every language.
func TestSettingsExplain(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		r := newRig(t, func(o *window.Options) { o.Settings.Language = lang })
		r.do(func() { r.Table().Run("file.settings") })
		lines := 0
		walk(control.TopSheet(), func(o fyne.CanvasObject) {
			if c, ok := o.(*control.Caption); ok && strings.HasSuffix(strings.TrimSpace(c.Text), map[string]string{"en": ".", "ja": "。"}[lang]) {
				lines++
			}
		})
		if lines < 15 {
			t.Errorf("%s: %d lines of explanation, want at least 15", lang, lines)
		}
		r.shot("settings-" + lang)
		r.do(control.TopSheet().Close)
		r.Shut()
	}
}
