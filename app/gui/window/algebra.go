package window

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/document"
	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// algebraOps are the operations of the dialog, and how many vectors each takes.
var algebraOps = []struct {
	id          string
	least, most int
}{
	{"average", 2, 64}, {"combine", 2, 64}, {"subtract", 2, 2}, {"orthogonalise", 2, 64}, {"scale", 1, 1}, {"restrict", 1, 1}, {"local", 1, 1},
}

// algebra is the dialog that makes a vector from others.
type algebra struct {
	w     *Window
	op    string
	of    []*vectors.Vector
	edit  document.EditID // an edit of the stack that the result replaces, or 0
	local *vectors.Vector // the result of the search for what acts outside

	ops     []*control.Button
	chosen  *control.Thumbs
	bars    *control.EnergyBars
	factor  *control.Strength
	name    *line
	named   bool
	strip   [5]*control.Framed
	told    *control.Caption
	keep    *control.Button
	find    *control.Button
	options *fyne.Container
	sheet   *control.Sheet

	ctx    context.Context
	cancel context.CancelFunc
	stop   context.CancelFunc // of the pictures that are being made
	search context.CancelFunc
}

// loadVectors reads vectors of the library under the names that the window shows; one
// that does not fit the open model is an error.
func (w *Window) loadVectors(entries []vectors.Entry) ([]*vectors.Vector, error) {
	var out []*vectors.Vector
	for _, e := range entries {
		v, err := w.lib.Load(e.ID)
		if err == nil {
			err = v.FitsModel(w.doc.Space().Model, w.doc.Space().Rows, w.doc.Space().Dim)
		}
		if err != nil {
			return nil, err
		}
		v.Name = vectorName(e)
		out = append(out, v)
	}
	return out, nil
}

// combineVectors opens the dialog with the picked vectors.
func (w *Window) combineVectors() {
	of, err := w.loadVectors(w.pickedGood())
	if err != nil {
		w.fail(err)
		return
	}
	if len(of) == 0 {
		w.say(words.T("library.pick"))
		return
	}
	op := "average"
	if len(of) == 1 {
		op = "restrict"
	}
	w.openAlgebra(op, of, 0)
}

// limitEdit opens the dialog for an edit of the stack.
func (w *Window) limitEdit(id document.EditID, op string) {
	e, ok := w.doc.Scene().Edit(id)
	if !ok {
		return
	}
	v := vectors.New(e.Name, w.doc.Space().Model, e.Delta)
	v.Classes = w.classesOf(e.Classes)
	w.openAlgebra(op, []*vectors.Vector{v}, id)
}

func (w *Window) openAlgebra(op string, of []*vectors.Vector, id document.EditID) {
	w.endJob()
	a := &algebra{w: w, op: op, of: of, edit: id}
	w.shelf.opened.algebra = a
	a.ctx, a.cancel = context.WithCancel(w.ctx)
	for _, o := range algebraOps {
		b := control.NewButton(control.Flat, "", words.T("algebra."+o.id), func() { a.use(o.id) })
		b.Name = words.T("algebra." + o.id + "-tip")
		a.ops = append(a.ops, b)
	}
	a.chosen = control.NewThumbs(64, true, true)
	a.chosen.OnTap = func(key string) { a.drop(key) }
	a.bars = control.NewEnergyBars(nil, func(int, int) { a.show() })
	a.bars.Coarse, a.bars.Fine, a.bars.Name = words.T("algebra.coarse"), words.T("algebra.fine"), words.T("vector.rows-name")
	a.factor = control.NewStrength(words.T("algebra.factor"), 1, func(float64, bool) { a.show() })
	a.name = newLine("")
	a.name.OnChanged = func(s string) { a.named = s != "" && s != a.suggest() }
	a.name.OnSubmitted = func(string) { a.accept() }
	a.name.escape = func() { a.sheet.Close() }
	strip := container.NewHBox()
	for i, s := range learning.StripStrengths {
		a.strip[i] = control.NewFramed(122, control.FormatStrength(s))
		strip.Add(a.strip[i])
	}
	a.told = soft("")
	a.find = control.NewButton(control.Filled, "search", words.T("algebra.find"), a.localise)
	add := control.NewButton(control.Filled, "plus", words.T("algebra.add"), a.add)
	swap := control.NewButton(control.Filled, "view-swap", words.T("algebra.swap"), func() {
		if len(a.of) > 1 {
			a.of = append(a.of[1:len(a.of):len(a.of)], a.of[0])
			a.show()
		}
	})
	var ops []fyne.CanvasObject
	for _, b := range a.ops {
		ops = append(ops, b)
	}
	a.options = container.NewStack()
	form := container.New(layout.NewFormLayout(), soft(words.T("vector.name")), a.name)
	body := container.NewVBox(row(2, 0, ops...),
		container.New(&fixedHigh{88}, container.NewBorder(nil, nil, nil, container.NewVBox(add, swap), a.chosen)),
		container.New(&fixedHigh{100}, a.options), strip, a.told, form)
	a.keep = control.NewButton(control.Primary, "vector", words.T("algebra.keep"), a.accept)
	if id != 0 {
		a.keep.Text = words.T("algebra.use")
	}
	a.sheet = control.NewSheet(w.canvas(), titled("vector.combine"), body, fyne.NewSize(680, 480), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { a.sheet.Close() }), a.keep)
	a.sheet.OnReturn = a.accept
	a.sheet.OnClose = a.cancel
	a.sheet.Show()
	a.use(op)
	w.trace("algebra")
}

// fixedHigh gives its one object a height.
type fixedHigh struct{ height float32 }

func (f *fixedHigh) MinSize(os []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(os[0].MinSize().Width, f.height)
}

func (f *fixedHigh) Layout(os []fyne.CanvasObject, z fyne.Size) { os[0].Resize(z) }

// use chooses the operation.
func (a *algebra) use(op string) {
	a.op = op
	for i, o := range algebraOps {
		a.ops[i].Active = o.id == op
		a.ops[i].Refresh()
	}
	// The other operations have no options, so there is room to say what they do.
	var what fyne.CanvasObject = container.NewVBox(layout.NewSpacer(), soft(words.T("algebra."+op+"-tip")), layout.NewSpacer())
	switch op {
	case "restrict":
		a.bars.SetEnergy(a.of[0].Energy())
		what = a.bars
	case "scale":
		what = container.NewVBox(layout.NewSpacer(), a.factor, layout.NewSpacer())
	case "local":
		what = container.NewVBox(layout.NewSpacer(), row(10, 0, a.find, small(words.T("algebra.find-text"))), layout.NewSpacer())
	}
	a.options.Objects = []fyne.CanvasObject{what}
	a.options.Refresh()
	a.show()
}

// drop takes a vector out, or puts it first.
func (a *algebra) drop(key string) {
	for i, v := range a.of {
		if v.Content == key && len(a.of) > 1 {
			a.of = append(a.of[:i:i], a.of[i+1:]...)
			a.local = nil
			a.use(a.op)
			return
		}
	}
}

// add asks for one more vector of the library.
func (a *algebra) add() {
	w := a.w
	control.ShowFinder(w.canvas(), words.T("library.search"), words.T("finder.none"), func(q string) []control.FinderRow {
		var rows []control.FinderRow
		for _, e := range w.lib.Search(vectors.Query{Model: w.doc.Space().Model}) {
			if _, ok := action.Fuzzy(q, vectorName(e)); ok && e.Err == nil {
				rows = append(rows, control.FinderRow{Key: e.ID, Text: vectorName(e), Note: strings.Join(e.Tags, " "), Icon: "vector"})
			}
		}
		return rows
	}, func(id string) {
		v, err := w.lib.Load(id)
		if err != nil {
			w.fail(err)
			return
		}
		if e, err := w.lib.Entry(id); err == nil {
			v.Name = vectorName(e)
		}
		a.of = append(a.of, v)
		if a.op == "restrict" || a.op == "scale" || a.op == "local" {
			a.op = "average"
		}
		a.use(a.op)
	})
}

// suggest is a name for the result.
func (a *algebra) suggest() string {
	first := a.of[0].Name
	var rest []string
	for _, v := range a.of[1:] {
		rest = append(rest, v.Name)
	}
	others := strings.Join(rest, ", ")
	s := ""
	switch a.op {
	case "average":
		s = words.T("algebra.name-average", strings.Join(append([]string{first}, rest...), ", "))
	case "combine":
		s = strings.Join(append([]string{first}, rest...), " + ")
	case "subtract":
		s = first + " − " + others
	case "orthogonalise":
		s = words.T("algebra.name-without", first, others)
	case "scale":
		s = fmt.Sprintf("%s × %.2g", first, a.factor.Value)
	case "restrict":
		s = words.T("algebra.name-rows", first, a.bars.Lo, a.bars.Hi)
	case "local":
		s = words.T("algebra.name-local", first)
	}
	if r := []rune(s); len(r) > vectors.MaxName {
		s = string(r[:vectors.MaxName-1]) + "…"
	}
	return s
}

// result makes the vector.
func (a *algebra) result(name string) (*vectors.Vector, error) {
	for _, o := range algebraOps {
		if o.id != a.op {
			continue
		}
		if len(a.of) < o.least {
			return nil, errors.New(words.T("algebra.more", o.least))
		}
		if len(a.of) > o.most {
			return nil, errors.New(words.T("algebra.fewer", o.most))
		}
	}
	switch a.op {
	case "average":
		return vectors.Average(name, a.of...)
	case "combine":
		ones := make([]float64, len(a.of))
		for i := range ones {
			ones[i] = 1
		}
		return vectors.Combine(name, a.of, ones)
	case "subtract":
		return vectors.Subtract(name, a.of[0], a.of[1])
	case "orthogonalise":
		return vectors.Orthogonalise(name, a.of[0], a.of[1:]...)
	case "scale":
		return vectors.Scale(name, a.of[0], a.factor.Value)
	case "restrict":
		var rows []int
		for r := a.bars.Lo; r <= a.bars.Hi; r++ {
			rows = append(rows, r)
		}
		return vectors.Restrict(name, a.of[0], rows...)
	}
	if a.local == nil {
		return nil, errors.New(words.T("algebra.search-first"))
	}
	return vectors.Local(name, a.of[0], a.local.Delta)
}

// show brings everything up to date: the chosen vectors, what would come out, and how it
// looks on the present picture.
func (a *algebra) show() {
	w := a.w
	var items []control.Thumb
	for i, v := range a.of {
		t := control.Thumb{Key: v.Content, Name: v.Name, Detail: words.T("algebra.drop")}
		if v.After != nil {
			t.Image = v.After
		}
		if a.op == "subtract" || a.op == "orthogonalise" {
			t.Badge = "+"
			if i > 0 {
				t.Badge = "−"
				if a.op == "orthogonalise" {
					t.Badge = "⊥"
				}
			}
		}
		items = append(items, t)
	}
	a.chosen.SetItems(items)
	if !a.named {
		a.name.SetText(a.suggest())
	}
	v, err := a.result("x")
	a.keep.Disabled = err != nil
	a.keep.Refresh()
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
	if err != nil {
		a.told.Hue = look.TextSoft
		text := err.Error()
		if own, ok := strings.CutPrefix(text, "vectors: "); ok {
			text = sentence(errors.New(own))
		}
		a.told.Set(text)
		for _, f := range a.strip {
			f.SetPicture(nil)
		}
		return
	}
	a.told.Set(a.tell(v))
	t, ok := w.eng.(learning.Model)
	if !ok || !w.doc.HasPicture() {
		return
	}
	ctx, stop := context.WithCancel(a.ctx)
	a.stop = stop
	code, delta := w.doc.Code(), v.Delta
	if e, ok := w.doc.Scene().Edit(a.edit); ok && e.On { // the edit itself is to be seen through
		code = code.AddScaled(float32(-e.Strength), e.Delta)
	}
	go func() {
		for th, err := range learning.Strip(ctx, t, code, delta) {
			if err != nil {
				return
			}
			picture := thumb(th.Frame.Picture, 224)
			w.later(func() {
				if ctx.Err() != nil {
					return
				}
				for i, s := range learning.StripStrengths {
					if s == th.Strength {
						a.strip[i].SetPicture(picture)
					}
				}
			})
		}
	}()
}

// tell says in a line what came out.
func (a *algebra) tell(v *vectors.Vector) string {
	switch a.op {
	case "average":
		out := 0
		for _, in := range v.Recipe.Of {
			if in.Outlier {
				out++
			}
		}
		return words.T("algebra.told-average", fmt.Sprintf("%.2f", v.Learnt.Agreement), out)
	case "subtract", "orthogonalise", "combine":
		if len(a.of) > 1 {
			return words.T("algebra.told-cosine", a.of[0].Name, a.of[1].Name, fmt.Sprintf("%.2f", a.of[0].Delta.Cosine(a.of[1].Delta)))
		}
	case "local":
		return a.local.Notes
	case "restrict":
		whole, kept := a.of[0].Delta.Norm(), v.Delta.Norm()
		return words.T("algebra.told-rows", fmt.Sprintf("%.0f", 100*kept*kept/max(1e-12, whole*whole)))
	}
	return ""
}

// localise looks for the style channels that act outside the region.
func (a *algebra) localise() {
	w := a.w
	if a.search != nil {
		a.search()
		return
	}
	t, ok := w.eng.(teacher)
	if !ok || w.eng.Model() == nil {
		w.say(words.T("no-model"))
		return
	}
	v := a.of[0]
	if len(v.Classes) == 0 {
		w.say(words.T("algebra.no-region"))
		return
	}
	ctx, stop := context.WithCancel(a.ctx)
	a.search = stop
	a.find.Text, a.find.Icon = words.T("run.stop"), "stop"
	a.find.Refresh()
	bundle := w.eng.Model()
	go func() {
		var delta latent.Code
		var c learning.Channels
		probe, err := learning.NewProbe(ctx, t, learning.KnownSeed, learning.KnownPictures)
		var statistic learning.Statistic
		if err == nil {
			statistic, err = learning.Explain(ctx, t, probe, v)
		}
		if err == nil {
			delta, c, err = learning.LocaliseChannels(ctx, t, bundle, probe, v.Delta, v.ClassIDs(), &statistic, func(done, total int) {
				w.later(func() {
					if ctx.Err() == nil {
						a.told.Set(words.T("algebra.finding", done, total))
					}
				})
			})
		}
		w.later(func() {
			stop()
			a.search = nil
			a.find.Text, a.find.Icon = words.T("algebra.find"), "search"
			a.find.Refresh()
			switch {
			case a.ctx.Err() != nil:
				return
			case errors.Is(err, context.Canceled):
			case err != nil:
				w.fail(err)
			case c.Dropped == 0:
				a.told.Set(words.T("algebra.nothing-found", c.Tried, fmt.Sprintf("%.2f", c.Before)))
				return
			default:
				a.local = vectors.New(v.Name, v.Model, delta)
				a.local.Notes = words.T("algebra.told-local", c.Dropped, c.Tried, fmt.Sprintf("%.2f", c.Before), fmt.Sprintf("%.2f", c.After))
				w.trace("local %d %d %.3f %.3f", c.Dropped, c.Tried, c.Before, c.After)
			}
			a.show()
		})
	}()
}

// accept keeps the result in the library, or puts it in the edit's place.
func (a *algebra) accept() {
	w := a.w
	name := strings.TrimSpace(a.name.Text)
	v, err := a.result(name)
	if err == nil {
		err = vectors.CheckName(name)
	}
	if err != nil {
		w.fail(err)
		return
	}
	if a.edit != 0 {
		a.sheet.Close()
		w.check(w.doc.ReplaceEdit(a.edit, "", v))
		w.showEdits()
		return
	}
	if b, p := a.strip[2].Picture(), a.strip[3].Picture(); b != nil && p != nil {
		v.Before, v.After = thumb(b, 128), thumb(p, 128)
	}
	a.sheet.Close()
	e, err := w.lib.Add(v)
	if err != nil {
		w.fail(err)
		return
	}
	w.added(e)
	w.trace("made %s", v.Recipe.Op)
	w.toasts.Show(words.T("vector.saved", name), look.Good, words.T("library.apply"), func() { w.applyVector(e.ID) })
}
