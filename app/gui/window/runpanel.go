package window

import (
	"fmt"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

// phase is where the run panel stands.
type phase int

const (
	idle    phase = iota // nothing is running
	running              // an optimisation is running
	paused               // it waits for the artist to repaint
	done                 // it is over and can be scrubbed, accepted or thrown away
)

// runPanel is the strip under the panes: what starts an optimisation, how it goes,
// and what to do with its result.
type runPanel struct {
	start, pause, stop, accept, acceptEdit, discard *control.Button
	live, keep                                      *control.Button
	chart                                           *control.Chart
	match, leak, step                               *control.Caption
	matchName, leakName, left                       *control.Caption
	phase                                           phase
	idleNote                                        string // in the place of the step while nothing runs
	buttons                                         *fyne.Container
	object                                          fyne.CanvasObject
}

func newRunPanel(table *action.Table, onScrub func(int)) *runPanel {
	p := &runPanel{}
	run := func(id string) func() { return func() { table.Run(id) } }
	named := func(b *control.Button, id string) *control.Button {
		b.Name = words.T("action." + id)
		if k := table.Keymap().Keys(id); len(k) > 0 {
			b.Key = keyText(k[0])
		}
		return b
	}
	p.start = named(control.NewButton(control.Primary, "play", words.T("run.start"), run("run.start")), "run.start")
	p.pause = named(control.NewButton(control.Filled, "pause", words.T("run.pause"), run("run.pause")), "run.pause")
	p.stop = named(control.NewButton(control.Filled, "stop", words.T("run.stop"), run("edit.cancel")), "edit.cancel")
	p.accept = named(control.NewButton(control.Filled, "accept", words.T("run.accept"), run("run.accept")), "run.accept")
	p.acceptEdit = named(control.NewButton(control.Primary, "vector", words.T("run.accept-edit"), run("run.edit")), "run.edit")
	p.discard = named(control.NewButton(control.Filled, "discard", words.T("run.discard"), run("run.discard")), "run.discard")
	p.live = named(control.NewButton(control.Filled, "live", words.T("run.live"), run("run.live")), "run.live")
	p.keep = named(control.NewButton(control.Filled, "", words.T("run.keep"), run("vector.keep")), "vector.keep")
	p.chart = control.NewChart(words.T("run.chart"), onScrub)
	p.chart.Hint = words.T("run.hint")
	p.buttons = row(6, 0, p.start, p.pause, p.stop, p.acceptEdit, p.accept, p.discard, p.live, p.keep)
	value := func(h fyne.ThemeColorName) *control.Caption {
		c := control.NewCaption("–", h, look.TextBody, true)
		c.Right = true
		return c
	}
	p.match, p.leak = value(look.Good), value(look.Good)
	p.matchName, p.leakName = soft(words.T("run.match")), soft(words.T("run.leak"))
	p.step, p.left = small(""), small("")
	p.left.Right = true
	meters := container.New(&meterLayout{}, p.matchName, p.match, p.leakName, p.leak, p.step, p.left)
	p.object = control.NewPanel(look.Surface, "top", container.New(&runLayout{}, p.buttons, p.chart, meters))
	p.set(idle)
	p.setMeters(-1, -1)
	return p
}

// set shows the buttons of a phase.
func (p *runPanel) set(ph phase) {
	p.phase = ph
	p.chart.Hint = ""
	if ph == idle {
		p.chart.Hint = words.T("run.hint")
	}
	p.chart.Refresh()
	show := func(b *control.Button, on bool) { b.Hidden = !on }
	show(p.start, ph == idle || ph == paused)
	show(p.pause, ph == running)
	show(p.stop, ph == running || ph == paused)
	show(p.accept, ph == done)
	show(p.acceptEdit, ph == done || ph == paused)
	p.accept.Text, p.accept.Style = words.T("run.accept"), control.Filled
	p.acceptEdit.Style = control.Primary
	if ph == paused {
		p.acceptEdit.Style = control.Filled
	}
	show(p.discard, ph == done)
	show(p.live, ph == idle || ph == running)
	show(p.keep, ph == idle)
	p.start.Text = words.T("run.start")
	if ph == paused {
		p.start.Text = words.T("run.resume")
	}
	p.buttons.Refresh()
	p.object.Refresh()
}

// reopened shows what can be done with a run that was accepted before.
func (p *runPanel) reopened() {
	p.accept.Text = words.T("run.choose")
	p.accept.Style = control.Primary
	p.acceptEdit.Hidden = true
	p.buttons.Refresh()
	p.object.Refresh()
}

// name says what the meters measure: an edit, or a photo being embedded, which can
// be stopped but not paused.
func (p *runPanel) name(photo bool) {
	p.matchName.Text, p.leakName.Text = words.T("run.match"), words.T("run.leak")
	if photo {
		p.matchName.Text, p.leakName.Text = words.T("photo.match"), words.T("photo.difference")
		p.pause.Hidden, p.live.Hidden = true, true
	}
	p.matchName.Refresh()
	p.leakName.Refresh()
	p.buttons.Refresh()
	p.object.Refresh()
}

func (p *runPanel) setLive(on bool) {
	p.live.Suffix, p.live.SuffixHue = words.T("off"), look.TextFaint
	if on {
		p.live.Suffix, p.live.SuffixHue = words.T("on"), look.Good
	}
	p.live.Refresh()
	p.buttons.Refresh()
}

// setMeters shows how well the labels follow and how much changed outside the
// region, in grey levels; negative values show nothing.
func (p *runPanel) setMeters(match, leak float64) {
	p.match.Text, p.leak.Text = "–", "–"
	if match >= 0 {
		p.match.Text = fmt.Sprintf("%.0f %%", match*100)
	}
	if leak >= 0 {
		p.leak.Text = fmt.Sprintf("%.1f / 255", leak)
	}
	hue := func(good, fair bool) fyne.ThemeColorName {
		switch {
		case good:
			return look.Good
		case fair:
			return look.Warn
		}
		return look.Bad
	}
	p.match.Hue = hue(match >= 0.9, match >= 0.7)
	p.leak.Hue = hue(leak < 2, leak < 5)
	if match < 0 {
		p.match.Hue = look.TextFaint
	}
	if leak < 0 {
		p.leak.Hue = look.TextFaint
	}
	p.match.Refresh()
	p.leak.Refresh()
}

func (p *runPanel) setStep(step, total int, left time.Duration) {
	if total == 0 {
		p.step.Set(p.idleNote)
		p.left.Set("")
		return
	}
	p.step.Set(words.T("run.step", step, total))
	p.left.Set("")
	if left > 0 {
		p.left.Set(words.T("run.left", seconds(left)))
	}
}

// setGuess says, while nothing runs, whether the next edit begins at the model's best guess.
func (p *runPanel) setGuess(on bool) {
	before := p.idleNote
	if p.idleNote = ""; on {
		p.idleNote = words.T("run.guess")
	}
	if p.step.Text == "" || p.step.Text == before {
		p.step.Set(p.idleNote)
	}
}

func seconds(d time.Duration) string {
	if d >= time.Minute {
		return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// runLayout puts the buttons at the left, the meters at the right, and gives the
// chart what is between them.
type runLayout struct{}

func (runLayout) MinSize(os []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(os[0].MinSize().Width+os[2].MinSize().Width+90, runHeight)
}

func (runLayout) Layout(os []fyne.CanvasObject, z fyne.Size) {
	b, m := os[0].MinSize(), os[2].MinSize()
	os[0].Resize(fyne.NewSize(b.Width, z.Height))
	os[0].Move(fyne.NewPos(10, 0))
	os[2].Resize(m)
	os[2].Move(fyne.NewPos(z.Width-m.Width-12, (z.Height-m.Height)/2))
	x := b.Width + 24
	w := z.Width - m.Width - 28 - x
	os[1].Move(fyne.NewPos(x, 10))
	if w < 40 {
		os[1].Hide()
		return
	}
	os[1].Show()
	os[1].Resize(fyne.NewSize(w, z.Height-20))
}

// meterLayout is three lines of name and value.
type meterLayout struct{}

const meterWidth float32 = 172

func (meterLayout) MinSize(os []fyne.CanvasObject) fyne.Size {
	var h float32
	for i := 0; i < len(os); i += 2 {
		h += max(os[i].MinSize().Height, os[i+1].MinSize().Height, 14)
	}
	return fyne.NewSize(meterWidth, h)
}

func (meterLayout) Layout(os []fyne.CanvasObject, z fyne.Size) {
	y := float32(0)
	for i := 0; i < len(os); i += 2 {
		h := max(os[i].MinSize().Height, os[i+1].MinSize().Height, 14)
		v := os[i+1].MinSize().Width
		os[i].Move(fyne.NewPos(0, y))
		os[i].Resize(fyne.NewSize(z.Width-v-6, h))
		os[i+1].Move(fyne.NewPos(z.Width-v, y))
		os[i+1].Resize(fyne.NewSize(v, h))
		y += h
	}
}
