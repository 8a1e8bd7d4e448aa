package window

import (
	"context"
	"errors"
	"image"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// The sizes of the dialog of examples; discoverTile is also that of [axesSheet].
const (
	exampleBatch = 32
	exampleSeed  = 9_000_000
	discoverTile = 96
)

// examples is the dialog in which pictures are marked as having a property or not, and a
// direction is learnt from the marks.
type examples struct {
	w      *Window
	t      teacher
	grid   *control.Thumbs
	frames []engine.Frame
	thumbs []image.Image
	marks  []int
	next   uint64
	class  *widget.Select
	what   *widget.Select
	told   *control.Caption
	name   *line
	strip  [5]*control.Framed
	keep   *control.Button
	result *vectors.Vector
	sheet  *control.Sheet
	ctx    context.Context
	stop   context.CancelFunc
}

// measures are the statistics that pictures can be marked by.
var measures = []string{"area", "width", "height", "x", "y"}

// learnFromExamples opens the dialog.
func (w *Window) learnFromExamples() {
	t, ok := w.eng.(teacher)
	if !ok {
		w.say(words.T("no-model"))
		return
	}
	w.endJob()
	e := &examples{w: w, t: t, next: exampleSeed}
	w.shelf.opened.examples = e
	var cancel context.CancelFunc
	e.ctx, cancel = context.WithCancel(w.ctx)
	e.grid = control.NewThumbs(discoverTile, false, false)
	e.grid.OnTap = func(key string) { e.mark(key, 1) }
	e.grid.OnMenu = func(key string, _ fyne.Position) { e.mark(key, -1) }
	more := control.NewButton(control.Filled, "plus", words.T("examples.more"), e.more)
	clear := control.NewButton(control.Filled, "reset", words.T("examples.clear"), func() {
		clear(e.marks)
		e.show()
	})
	var names []string
	ids := map[string]string{}
	for _, c := range w.info.Manifest.Classes {
		n := className(c.Name)
		names = append(names, n)
		ids[n] = c.Name
	}
	e.class = widget.NewSelect(names, nil)
	e.class.PlaceHolder = words.T("examples.class")
	var whats []string
	for _, m := range measures {
		whats = append(whats, words.T("examples."+m))
	}
	e.what = widget.NewSelect(whats, nil)
	e.what.SetSelectedIndex(0)
	byLabel := control.NewButton(control.Filled, "tag", words.T("examples.mark"), func() {
		if e.class.Selected != "" {
			e.markBy(measures[max(0, e.what.SelectedIndex())] + "(" + ids[e.class.Selected] + ")")
		}
	})
	byLabel.Name = words.T("examples.mark-tip")
	e.told = soft("")
	e.name = newLine("")
	e.name.SetPlaceHolder(words.T("examples.name"))
	e.name.OnSubmitted = func(string) { e.accept() }
	e.name.escape = func() { e.sheet.Close() }
	learn := control.NewButton(control.Filled, "search", words.T("examples.learn"), e.learn)
	strip := container.NewHBox()
	for i, s := range learning.StripStrengths {
		e.strip[i] = control.NewFramed(96, control.FormatStrength(s))
		strip.Add(e.strip[i])
	}
	e.keep = control.NewButton(control.Primary, "vector", words.T("algebra.keep"), e.accept)
	e.keep.Disabled = true
	top := row(6, 0, small(words.T("examples.text")), layout.NewSpacer(), clear, more)
	bottom := container.NewVBox(
		row(6, 0, e.class, e.what, byLabel, layout.NewSpacer(), learn),
		strip, e.told, e.name)
	body := container.NewBorder(top, bottom, nil, nil, e.grid)
	e.sheet = control.NewSheet(w.canvas(), titled("vector.examples"), body, w.canvas().Size().SubtractWidthHeight(80, 40).Min(fyne.NewSize(880, 760)), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { e.sheet.Close() }), e.keep)
	e.sheet.OnClose = cancel
	e.sheet.Show()
	w.trace("examples")
	e.more()
	e.show()
}

// more makes another batch of pictures.
func (e *examples) more() {
	first := e.next
	e.next += exampleBatch
	w := e.w
	psi := w.info.Manifest.Truncation.Psi
	if psi == 0 {
		psi = 0.7
	}
	go func() {
		for i := range uint64(exampleBatch) {
			f, err := e.t.Render(e.ctx, e.t.Sample(first+i, psi), engine.RenderOptions{})
			if err != nil {
				return
			}
			t := thumb(f.Picture, 2*discoverTile)
			f.Picture = nil
			w.later(func() {
				if e.ctx.Err() == nil {
					e.frames, e.thumbs, e.marks = append(e.frames, f), append(e.thumbs, t), append(e.marks, 0)
					e.show()
				}
			})
		}
	}()
}

func (e *examples) mark(key string, as int) {
	i, err := strconv.Atoi(key)
	if err != nil || i >= len(e.marks) {
		return
	}
	if e.marks[i] == as {
		as = 0
	}
	e.marks[i] = as
	e.show()
}

// markBy marks the outer thirds by a statistic of their labels.
func (e *examples) markBy(text string) {
	t, err := learning.ParseStatistic(text, learning.Names(e.t))
	if err != nil {
		e.w.fail(err)
		return
	}
	var order []int
	values := make([]float64, len(e.frames))
	for i, f := range e.frames {
		values[i] = t.Of(f.Labels)
		if !math.IsNaN(values[i]) {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return values[order[a]] < values[order[b]] })
	clear(e.marks)
	third := len(order) / 3
	for k, i := range order {
		switch {
		case k < third && values[i] < values[order[len(order)-1]]:
			e.marks[i] = -1
		case k >= len(order)-third && values[i] > values[order[0]]:
			e.marks[i] = 1
		}
	}
	e.show()
}

func (e *examples) show() {
	var items []control.Thumb
	has, not := 0, 0
	for i := range e.frames {
		items = append(items, control.Thumb{Key: strconv.Itoa(i), Image: e.thumbs[i], Mark: e.marks[i], Name: words.T("examples.picture", i+1)})
		switch e.marks[i] {
		case 1:
			has++
		case -1:
			not++
		}
	}
	e.grid.SetItems(items)
	if e.result == nil {
		e.told.Set(words.T("examples.count", has, not))
	}
}

// learn looks for the direction and shows it on the present picture.
func (e *examples) learn() {
	w := e.w
	var codes []latent.Code
	var has []bool
	for i, m := range e.marks {
		if m != 0 {
			codes, has = append(codes, e.frames[i].Code), append(has, m > 0)
		}
	}
	if e.stop != nil {
		e.stop()
	}
	var ctx context.Context
	ctx, e.stop = context.WithCancel(e.ctx)
	e.told.Set(words.T("examples.learning"))
	code := w.doc.Code()
	go func() {
		v, err := learning.FromExamples(ctx, e.t, "x", codes, has)
		w.later(func() {
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				e.result = nil
				e.keep.Disabled = true
				e.keep.Refresh()
				e.told.Set(sentence(errors.New(strings.TrimPrefix(err.Error(), "learning: "))))
				return
			}
			e.result = v
			e.keep.Disabled = false
			e.keep.Refresh()
			e.told.Set(words.T("examples.done", percent(v.Learnt.Accuracy), len(codes)))
			w.trace("examples %.3f", v.Learnt.Accuracy)
			w.canvas().Focus(e.name)
		})
		if err != nil || code.Empty() {
			return
		}
		for th, err := range learning.Strip(ctx, e.t, code, v.Delta) {
			if err != nil {
				return
			}
			p := thumb(th.Frame.Picture, 192)
			w.later(func() {
				if ctx.Err() == nil {
					e.strip[slices.Index(learning.StripStrengths, th.Strength)].SetPicture(p)
				}
			})
		}
	}()
}

func (e *examples) accept() {
	w := e.w
	name, tags := splitTags(e.name.Text)
	if e.result == nil {
		return
	}
	if err := vectors.CheckName(name); err != nil {
		w.fail(err)
		w.canvas().Focus(e.name)
		return
	}
	v := e.result.Clone()
	v.Name, v.Tags = name, tags
	if b, a := e.strip[2].Picture(), e.strip[3].Picture(); b != nil && a != nil {
		v.Before, v.After = thumb(b, 128), thumb(a, 128)
	}
	e.sheet.Close()
	w.keepFound(v)
}

// keepFound puts a vector that was found into the library.
func (w *Window) keepFound(v *vectors.Vector) {
	e, err := w.lib.Add(v)
	if err != nil {
		w.fail(err)
		return
	}
	w.added(e)
	w.trace("found %s", e.ID)
	w.toasts.Show(words.T("vector.saved", v.Name), look.Good, words.T("library.apply"), func() { w.applyVector(e.ID) })
}

// titled is an action's name as the title of its dialog.
func titled(id string) string { return strings.TrimSuffix(words.T("action."+id), "…") }
