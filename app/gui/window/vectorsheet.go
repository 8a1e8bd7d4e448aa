package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"

	"fyne.io/fyne/v2"
	fcanvas "fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// The test of a vector: the pictures it is tried on, the first seed, the width of a picture
// on the contact sheet, and the goals that are shown in green.
const (
	testPictures = 24
	testSeed     = 5_000_000
	testTile     = 72
	testSuccess  = 0.9
	testLeak     = 3
)

// aboutVector shows what is known of a vector, and tests it on other pictures.
func (w *Window) aboutVector(id string) {
	v, err := w.lib.Load(id)
	if err != nil {
		w.fail(err)
		return
	}
	entry, err := w.lib.Entry(id)
	if err != nil {
		w.fail(err)
		return
	}
	ctx, cancel := context.WithCancel(w.ctx)
	bars := control.NewEnergyBars(v.Energy(), nil)
	bars.Coarse, bars.Fine, bars.Name = words.T("algebra.coarse"), words.T("algebra.fine"), words.T("vector.rows-name")
	facts := container.New(layout.NewFormLayout())
	fill := func() {
		facts.Objects = nil
		for _, f := range w.factsOf(entry, v) {
			l := widget.NewLabel(f[1])
			l.Wrapping = fyne.TextWrapWord
			facts.Add(container.NewVBox(container.New(layout.NewCustomPaddedLayout(7, 0, 0, 0), soft(f[0]))))
			facts.Add(l)
		}
		facts.Refresh()
	}
	fill()
	picture := &fcanvas.Image{FillMode: fcanvas.ImageFillContain, ScaleMode: fcanvas.ImageScaleFastest}
	success, leak := control.NewCaption("–", look.TextSoft, look.TextTitle, true), control.NewCaption("–", look.TextSoft, look.TextTitle, true)
	said := widget.NewLabel("")
	said.Wrapping = fyne.TextWrapWord
	said.Importance = widget.LowImportance
	bar := widget.NewProgressBar()
	bar.TextFormatter = func() string { return "" }
	bar.Hide()
	show := func() {
		g := v.Generalisation
		switch {
		case v.Sheet != nil:
			picture.Image = v.Sheet
			picture.Refresh()
		case v.Before != nil && v.After != nil:
			picture.Image = document.SideBySide(2, v.Before, v.After)
			picture.Refresh()
		}
		if g.Seeds == 0 {
			said.SetText(words.T("test.untried"))
			return
		}
		success.Hue, leak.Hue = look.Good, look.Good
		if g.Success < testSuccess {
			success.Hue = look.Warn
		}
		if g.Leak > testLeak {
			leak.Hue = look.Warn
		}
		success.Set(percent(g.Success) + " %")
		leak.Set(fmt.Sprintf("%.2f", g.Leak))
		text := words.T("test.tried", g.Seeds, g.FirstSeed)
		if v.Sheet != nil {
			text = words.T("test.of", g.Seeds, g.FirstSeed)
		}
		if t := v.Learnt.Detail["statistic"]; t != "" {
			text += " " + words.T("test.by", t)
		}
		said.SetText(text)
	}
	show()
	var sheet *control.Sheet
	var button *control.Button
	running := false
	var stop context.CancelFunc
	button = control.NewButton(control.Primary, "play", words.T("test.run"), func() {
		if running {
			stop()
			return
		}
		t, ok := w.eng.(teacher)
		if !ok {
			w.say(words.T("no-model"))
			return
		}
		running = true
		var run context.Context
		run, stop = context.WithCancel(ctx)
		button.Text, button.Icon = words.T("run.stop"), "stop"
		button.Refresh()
		bar.Show()
		bar.SetValue(0)
		seed := uint64(testSeed)
		if v.Generalisation.Seeds > 0 { // other pictures each time
			seed = uint64(max(0, v.Generalisation.FirstSeed)) + uint64(v.Generalisation.Seeds)
		}
		work := v.Clone()
		go func() {
			err := w.test(run, t, work, seed, func(done float64, sheet *image.RGBA) {
				w.later(func() {
					if run.Err() == nil {
						bar.SetValue(done)
						picture.Image = sheet
						picture.Refresh()
					}
				})
			})
			w.later(func() {
				running = false
				button.Text, button.Icon = words.T("test.again"), "play"
				button.Refresh()
				bar.Hide()
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						w.fail(err)
					}
					show()
					return
				}
				v = work
				if !entry.Bundled {
					w.changedVector(w.lib.Update(id, func(x *vectors.Vector) error {
						x.Generalisation, x.Sheet, x.Learnt, x.Calibration = v.Generalisation, v.Sheet, v.Learnt, v.Calibration
						return nil
					}))
				}
				w.trace("tested %.3f %.3f", v.Generalisation.Success, v.Generalisation.Leak)
				show()
				fill()
			})
		}()
	})
	number := func(name string, c *control.Caption) fyne.CanvasObject { return container.NewVBox(small(name), c) }
	right := container.NewBorder(container.NewVBox(row(28, 0, number(words.T("test.success"), success), number(words.T("test.leak"), leak)), said, bar),
		nil, nil, nil, picture)
	left := container.NewBorder(nil, bars, nil, nil, container.NewVScroll(facts))
	body := container.New(&sideBySide{320, 20}, left, right)
	sheet = control.NewSheet(w.canvas(), vectorName(entry), body, w.canvas().Size().SubtractWidthHeight(80, 60).Min(fyne.NewSize(1000, 620)), false,
		control.NewButton(control.Filled, "", words.T("close"), func() { sheet.Close() }), button)
	sheet.OnClose = cancel
	sheet.Show()
	w.trace("about %s", id)
}

// sideBySide gives its first object a fixed width and the second the rest.
type sideBySide struct{ left, gap float32 }

func (s *sideBySide) MinSize(os []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(s.left+s.gap+200, max(os[0].MinSize().Height, os[1].MinSize().Height))
}

func (s *sideBySide) Layout(os []fyne.CanvasObject, z fyne.Size) {
	os[0].Resize(fyne.NewSize(s.left, z.Height))
	os[0].Move(fyne.NewPos(0, 0))
	os[1].Resize(fyne.NewSize(z.Width-s.left-s.gap, z.Height))
	os[1].Move(fyne.NewPos(s.left+s.gap, 0))
}

// factsOf are the lines about a vector: name and value.
func (w *Window) factsOf(e vectors.Entry, v *vectors.Vector) [][2]string {
	var out [][2]string
	put := func(key, value string) {
		if value != "" {
			out = append(out, [2]string{words.T(key), value})
		}
	}
	if len(v.Tags) > 0 {
		put("fact.tags", "#"+strings.Join(v.Tags, " #"))
	}
	var names []string
	for _, c := range v.Classes {
		names = append(names, className(c.Name))
	}
	put("fact.region", strings.Join(names, ", "))
	how := v.Learnt.How
	if how != "" {
		how = words.Or("fact.how-"+strings.ReplaceAll(how, " ", "-"), how)
	}
	if v.Learnt.Edits > 1 {
		how += words.T("fact.edits", v.Learnt.Edits)
	}
	if v.Learnt.Accuracy > 0 {
		how += words.T("fact.accuracy", percent(v.Learnt.Accuracy))
	}
	if v.Learnt.Agreement != 0 {
		how += words.T("fact.agreement", fmt.Sprintf("%.2f", v.Learnt.Agreement))
	}
	put("fact.how", how)
	put("fact.recipe", v.Recipe.String())
	switch lo, hi, ok := v.Calibration.Safe(); {
	case w.shelf.measuring[e.ID]:
		put("fact.safe", words.T("fact.measuring"))
	case ok:
		put("fact.safe", words.T("fact.range", control.FormatStrength(lo), control.FormatStrength(hi)))
	}
	if g := v.Generalisation; len(g.Readings) > 0 {
		var changes []string
		for _, r := range g.Readings[:min(len(g.Readings), 5)] {
			name := words.Or("reading."+r.Name, strings.ReplaceAll(r.Name, "_", " "))
			changes = append(changes, fmt.Sprintf("%s %+.1f σ", name, r.Change))
		}
		put("fact.changes", strings.Join(changes, ", "))
	}
	if p := v.Generalisation.SamePerson; p > 0 {
		put("fact.same", fmt.Sprintf("%.2f", p))
	}
	put("fact.rows", words.T("fact.rows-of", len(v.RowsUsed), v.Rows))
	put("fact.model", v.Model.String())
	put("fact.author", v.Author)
	put("fact.licence", v.Licence)
	put("fact.twin", w.shelf.twins[e.ID])
	put("fact.notes", v.Notes)
	if !v.Created.IsZero() {
		put("fact.created", v.Created.Local().Format("2006-01-02 15:04"))
	}
	return out
}

// counted is a model that reports each picture.
type counted struct {
	teacher
	each func(engine.Frame)
}

func (c counted) Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error) {
	f, err := c.teacher.Render(ctx, code, o)
	if err == nil {
		c.each(f)
	}
	return f, err
}

// Readings are those of the model behind it.
func (c counted) Readings(ctx context.Context, picture *image.RGBA) ([]engine.Reading, error) {
	if r, ok := c.teacher.(learning.Reader); ok {
		return r.Readings(ctx, picture)
	}
	return nil, engine.ErrNoReadings
}

// SamePerson is that of the model behind it; 0 without readings.
func (c counted) SamePerson(a, b []engine.Reading) float64 {
	if r, ok := c.teacher.(learning.Reader); ok {
		return r.SamePerson(a, b)
	}
	return 0
}

// test tries a vector on random pictures that it was not learnt on and stores the result
// in it. What counts as a success is chosen on other pictures, unless the vector says it.
// Progress gets the share that is done and the contact sheet so far.
func (w *Window) test(ctx context.Context, t teacher, v *vectors.Vector, seed uint64, progress func(float64, *image.RGBA)) error {
	done, total := 0, 2*testPictures
	explain := v.Learnt.Detail["statistic"] == ""
	if explain || v.Calibration.UnitEffect == 0 {
		total += 3 * learning.KnownPictures
	}
	var before, after []engine.Frame
	into := (*[]engine.Frame)(nil)
	m := counted{t, func(f engine.Frame) {
		done++
		if into != nil {
			*into = append(*into, f)
		}
		progress(float64(done)/float64(total), learning.Sheet(before, after, nil, testTile))
	}}
	var statistic learning.Statistic
	var err error
	if explain || v.Calibration.UnitEffect == 0 {
		probe, err := learning.NewProbe(ctx, m, learning.KnownSeed, learning.KnownPictures)
		if err != nil {
			return err
		}
		if statistic, err = learning.Explain(ctx, m, probe, v); err != nil {
			return err
		}
		trial, err := probe.Try(ctx, m, v.Delta, 1, v.ClassIDs(), &statistic, learning.KnownPictures)
		if err != nil {
			return err
		}
		v.Calibration.UnitEffect, v.Calibration.Measure = trial.Effect, statistic.String()
		if v.Learnt.Detail == nil {
			v.Learnt.Detail = map[string]string{}
		}
		v.Learnt.Detail["statistic"] = statistic.String()
	} else if statistic, err = learning.ParseStatistic(v.Learnt.Detail["statistic"], learning.Names(t)); err != nil {
		return err
	}
	into = &before
	probe, err := learning.NewProbe(ctx, m, seed, testPictures)
	if err != nil {
		return err
	}
	into = &after
	_, err = learning.Generalise(ctx, m, probe, v, &statistic, testTile)
	return err
}
