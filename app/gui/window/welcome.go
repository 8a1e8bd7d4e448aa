package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

// welcome is what lies over the panes while there is no picture: what is going on
// or what went wrong, and what can be done.
type welcome struct {
	w       *Window
	note    *widget.Label
	buttons *fyne.Container
	first   *control.Button // a random picture, or opening the model again
	recents *control.Thumbs
	object  *fyne.Container
}

func newWelcome(w *Window) *welcome {
	v := &welcome{w: w, note: widget.NewLabel("")}
	v.note.Wrapping = fyne.TextWrapWord
	v.note.Alignment = fyne.TextAlignCenter
	title := control.NewCaption(words.T("app.name"), look.Text, 26, true)
	line := control.NewCaption(words.T("welcome.line"), look.TextSoft, look.TextBody+1, false)
	offline := small(words.T("welcome.offline"))
	run := func(id string) func() { return func() { w.table.Run(id) } }
	v.first = control.NewButton(control.Primary, "dice", words.T("welcome.random"), run("latent.random"))
	v.buttons = row(8, 0,
		v.first,
		control.NewButton(control.Filled, "open", words.T("welcome.open"), run("file.open")),
		control.NewButton(control.Filled, "model", words.T("welcome.model"), run("file.model")))
	v.recents = control.NewThumbs(64, true, false)
	v.recents.OnTap = w.openPath
	centre := func(o fyne.CanvasObject) fyne.CanvasObject {
		return container.NewHBox(layout.NewSpacer(), o, layout.NewSpacer())
	}
	body := container.NewVBox(centre(title), centre(line), container.New(&inset{0, 6}, v.note), centre(v.buttons),
		container.New(&inset{0, 6}, v.recents), centre(row(6, 0, iconCaption("offline"), offline)))
	v.object = container.NewStack(control.NewPanel(look.SurfaceLow, "", container.NewWithoutLayout()), container.New(&cardLayout{560}, body))
	v.object.Hide()
	return v
}

func iconCaption(name string) fyne.CanvasObject {
	i := widget.NewIcon(look.Icon(name, look.C(look.TextSoft)))
	return container.NewGridWrap(fyne.NewSquareSize(16), i)
}

// cardLayout centres its object at a width.
type cardLayout struct{ width float32 }

func (c *cardLayout) MinSize(os []fyne.CanvasObject) fyne.Size { return fyne.NewSize(200, 100) }
func (c *cardLayout) Layout(os []fyne.CanvasObject, z fyne.Size) {
	w := min(c.width, z.Width-20)
	os[0].Resize(fyne.NewSize(w, os[0].MinSize().Height))
	h := os[0].MinSize().Height
	os[0].Resize(fyne.NewSize(w, h))
	os[0].Move(fyne.NewPos((z.Width-w)/2, max(8, (z.Height-h)/2)))
}

// show puts the page on the panes with a note; ready says that a model is open, so
// that a random picture can be made. Without one, and when none is being opened, it is offered to try again.
func (v *welcome) show(note string, ready bool) {
	v.note.SetText(note)
	v.note.Hidden = note == ""
	v.first.Text, v.first.Icon = words.T("welcome.random"), "dice"
	v.first.OnTap = func() { v.w.table.Run("latent.random") }
	v.first.Disabled = !ready && note == words.T("welcome.loading")
	if !ready && !v.first.Disabled {
		v.first.Text, v.first.Icon = words.T("welcome.again"), "reset"
		v.first.OnTap = func() {
			v.show(words.T("welcome.loading"), false)
			v.w.openModel(v.w.settings.Model, v.w.options.File)
		}
	}
	v.first.Refresh()
	v.buttons.Refresh()
	v.recents.SetItems(v.w.recentThumbs())
	v.recents.Hidden = v.recents.Len() == 0
	v.object.Show()
	v.object.Refresh()
}

func (v *welcome) hide() { v.object.Hide() }
