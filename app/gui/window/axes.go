package window

import (
	"context"
	"image"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// axesShown is how many directions are shown, axesKinds the ways to find them, and axesStrengths
// the strengths they are shown at, in standard deviations; one that is kept has strength 1 at axesUnit.
const (
	axesShown = 12
	axesUnit  = 1.5
)

var (
	axesKinds     = []string{"pca", "sefa"}
	axesStrengths = []float64{-2 * axesUnit, -axesUnit, 0, axesUnit, 2 * axesUnit}
)

// axesSheet is the dialog that shows the directions along which the model varies the most, on the
// present picture, to name and keep.
type axesSheet struct {
	w    *Window
	t    teacher
	code latent.Code
	now  image.Image // the picture as it is

	list    *fyne.Container
	buttons []*control.Button
	sheet   *control.Sheet

	ctx  context.Context
	stop context.CancelFunc // of the kind that is shown
}

// browseAxes opens the dialog.
func (w *Window) browseAxes() {
	t, ok := w.eng.(teacher)
	if !ok || !w.doc.HasPicture() {
		w.say(words.T("no-picture"))
		return
	}
	w.endJob()
	a := &axesSheet{w: w, t: t, code: w.doc.Code(), list: container.NewVBox(), stop: func() {}}
	var cancel context.CancelFunc
	a.ctx, cancel = context.WithCancel(w.ctx)
	if w.shown != nil {
		a.now = thumb(w.shown, 2*discoverTile)
	}
	for _, kind := range axesKinds {
		b := control.NewButton(control.Flat, "", words.T("axes."+kind), func() { a.show(kind) })
		b.Name = words.T("axes." + kind + "-tip")
		b.Disabled = kind == "sefa" && t.Model() == nil
		a.buttons = append(a.buttons, b)
	}
	top := row(4, 0, a.buttons[0], a.buttons[1], layout.NewSpacer(), small(words.T("axes.text")))
	size := w.canvas().Size().SubtractWidthHeight(80, 40).Min(fyne.NewSize(760, 760))
	a.sheet = control.NewSheet(w.canvas(), titled("vector.axes"), container.NewBorder(top, nil, nil, nil, container.NewVScroll(a.list)), size, false,
		control.NewButton(control.Primary, "", words.T("close"), func() { a.sheet.Close() }))
	a.sheet.OnClose = cancel
	a.sheet.Show()
	a.show(axesKinds[0])
}

// show lists the directions of a kind.
func (a *axesSheet) show(kind string) {
	w := a.w
	for i, b := range a.buttons {
		b.Active = axesKinds[i] == kind
		b.Refresh()
	}
	a.stop()
	var run context.Context
	run, a.stop = context.WithCancel(a.ctx)
	a.list.Objects = nil
	a.list.Refresh()
	go func() {
		axes, err := a.find(run, kind)
		if err != nil {
			w.later(func() {
				if run.Err() == nil {
					w.fail(err)
				}
			})
			return
		}
		var frames [][]*control.Framed
		control.DoAndWait(func() {
			if run.Err() == nil {
				for i, axis := range axes {
					frames = append(frames, a.add(kind, i, axis))
				}
				a.list.Refresh()
			}
		})
		for i := range frames {
			if a.fill(run, frames[i], axes[i]) != nil {
				return
			}
		}
		w.trace("axes %s %d", kind, len(axes))
	}()
}

func (a *axesSheet) find(ctx context.Context, kind string) ([]latent.Code, error) {
	if kind != "sefa" {
		return learning.PrincipalAxes(ctx, a.t, axesShown)
	}
	prior, err := a.t.Prior(ctx)
	if err != nil {
		return nil, err
	}
	return learning.StyleAxes(a.t.Model(), prior, axesShown)
}

// add puts a direction into the list: its pictures, empty at first, and a button that keeps it.
func (a *axesSheet) add(kind string, i int, axis latent.Code) []*control.Framed {
	pictures := container.NewHBox()
	var frames []*control.Framed
	for _, s := range axesStrengths {
		f := control.NewFramed(discoverTile, control.FormatStrength(s))
		frames = append(frames, f)
		pictures.Add(f)
	}
	title := words.T("axes.title", strings.ToUpper(kind), i+1)
	keep := control.NewButton(control.Filled, "vector", words.T("run.keep"), func() { a.keep(kind, i, axis, title, frames) })
	a.list.Add(container.NewHBox(pictures, container.NewCenter(container.NewVBox(soft(title), keep))))
	return frames
}

// fill renders the pictures of a direction.
func (a *axesSheet) fill(ctx context.Context, frames []*control.Framed, axis latent.Code) error {
	for k, s := range axesStrengths {
		p := a.now
		if s != 0 {
			f, err := a.t.Render(ctx, a.code.AddScaled(float32(s), axis), engine.RenderOptions{})
			if err != nil {
				return err
			}
			p = thumb(f.Picture, 2*discoverTile)
		}
		a.w.later(func() {
			if ctx.Err() == nil {
				frames[k].SetPicture(p)
			}
		})
	}
	return nil
}

// keep asks for a name and puts a direction into the library.
func (a *axesSheet) keep(kind string, i int, axis latent.Code, title string, frames []*control.Framed) {
	w := a.w
	w.prompt(words.T("vector.keep-title"), words.T("vector.keep-text"), title, words.T("vector.save"), func(text string) {
		name, tags := splitTags(text)
		if err := vectors.CheckName(name); err != nil {
			w.fail(err)
			return
		}
		v := vectors.New(name, w.doc.Space().Model, axis.Scale(axesUnit))
		v.Tags = tags
		v.Learnt = vectors.Learnt{How: "unsupervised", Detail: map[string]string{"kind": kind, "axis": strconv.Itoa(i + 1)}}
		if before, after := frames[2].Picture(), frames[3].Picture(); before != nil && after != nil {
			v.Before, v.After = thumb(before, 128), thumb(after, 128)
		}
		w.keepFound(v)
	})
}
