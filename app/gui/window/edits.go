package window

import (
	"image"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/vectors"
)

func strconvID(id document.EditID) string { return strconv.FormatInt(int64(id), 10) }

func editID(s string) document.EditID {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return document.EditID(n)
}

// showEdits shows the rows of the edit stack.
func (w *Window) showEdits() {
	if w.doc == nil {
		w.edits.SetRows(nil)
		return
	}
	sc := w.doc.Scene()
	warn := map[int]string{}
	for _, c := range sc.Conflicts() {
		key := "edit.conflict"
		if c.Cosine < 0 {
			key = "edit.opposed"
		}
		warn[c.A] = words.T(key, sc.Stack[c.B].Name)
		warn[c.B] = words.T(key, sc.Stack[c.A].Name)
	}
	var rows []control.EditRowData
	for i, e := range sc.Stack {
		d := control.EditRowData{
			ID: strconvID(e.ID), Name: e.Name, Strength: e.Strength, On: e.On, Warning: warn[i],
			Selected: e.ID == w.selected, Strip: w.strips[e.ID],
		}
		if now, _ := w.current(); now.ID == e.ID && d.Strip == nil {
			d.Strip = make([]image.Image, len(stripValues)) // its room, so that nothing moves when it comes
		}
		if e.RefinedNow() {
			d.Badge = words.T("edit.refined")
		} else if e.Library == "" {
			d.Badge = words.T("edit.unsaved")
		}
		if lo, hi, ok := w.calibrationOf(e).Safe(); ok {
			d.SafeLo, d.SafeHi = lo, hi
		}
		rows = append(rows, d)
	}
	high := w.edits.MinSize().Height
	w.edits.SetRows(rows)
	note := ""
	if len(rows) > 0 {
		note = strconv.Itoa(len(rows))
	}
	if s := w.sect["edits"]; s.Note != note || w.edits.MinSize().Height != high {
		s.Note = note
		w.dock.Refresh()
	}
}

func (w *Window) selectEdit(id string) {
	w.selected = editID(id)
	w.showEdits()
	w.scheduleStrips()
}

// setStrength follows a slider.
func (w *Window) setStrength(id string, v float64, final bool) {
	w.lastTouch = time.Now()
	w.endJob()
	w.selected = editID(id)
	w.dragging = w.settings.Still && !final
	if err := w.doc.SetStrength(editID(id), v, final); err != nil {
		w.fail(err)
	}
	if w.dragging = false; final && w.settings.Still {
		if code := w.doc.Code(); !sameCode(code, w.wanted) {
			w.wantCode(code)
		}
	}
	if final {
		w.trace("strength %.2f", v)
		w.journal()
	}
}

func (w *Window) toggleEdit(id string) {
	e, ok := w.doc.Scene().Edit(editID(id))
	if ok {
		w.check(w.doc.SetOn(e.ID, !e.On))
	}
}

func (w *Window) resetEdit(id string)        { w.check(w.doc.ResetEdit(editID(id))) }
func (w *Window) removeEdit(id string)       { w.check(w.doc.RemoveEdit(editID(id))) }
func (w *Window) moveEdit(id string, by int) { w.moveEditBy(editID(id), by) }

func (w *Window) moveEditBy(id document.EditID, by int) {
	for i, e := range w.doc.Scene().Stack {
		if e.ID == id {
			w.check(w.doc.MoveEdit(id, i+by))
			return
		}
	}
}

// check shows an error, and keeps the journal going when there is none.
func (w *Window) check(err error) {
	if err != nil {
		w.fail(err)
		return
	}
	w.journal()
}

// editMenu is the menu of a row.
func (w *Window) editMenu(id string, at fyne.Position) {
	eid := editID(id)
	e, ok := w.doc.Scene().Edit(eid)
	if !ok {
		return
	}
	w.selectEdit(id)
	item := fyne.NewMenuItem
	toggle := words.T("edit.off")
	if !e.On {
		toggle = words.T("edit.on")
	}
	control.PopUpMenu(w.canvas(), at,
		item(toggle, func() { w.toggleEdit(id) }),
		item(words.T("edit.refine"), func() { w.refineEdit(id) }),
		item(words.T("edit.reset"), func() { w.resetEdit(id) }),
		item(words.T("edit.type"), func() {
			if s := w.edits.Slider(id); s != nil {
				s.Type()
			}
		}),
		item(words.T("edit.rename"), func() {
			w.prompt(words.T("edit.rename"), words.T("vector.name"), e.Name, words.T("ok"), func(n string) { w.check(w.doc.RenameEdit(eid, n)) })
		}),
		item(words.T("run.keep"), func() { w.keepEdit(eid) }),
		item(words.T("edit.rows"), func() { w.limitEdit(eid, "restrict") }),
		item(words.T("edit.local"), func() { w.limitEdit(eid, "local") }),
		item(words.T("edit.up"), func() { w.moveEditBy(eid, -1) }),
		item(words.T("edit.down"), func() { w.moveEditBy(eid, 1) }),
		fyne.NewMenuItemSeparator(),
		item(words.T("edit.remove"), func() { w.removeEdit(id) }),
	)
}

// current returns the selected edit of the stack, else the last one.
func (w *Window) current() (document.Edit, bool) {
	if w.doc == nil {
		return document.Edit{}, false
	}
	sc := w.doc.Scene()
	if e, ok := sc.Edit(w.selected); ok {
		return e, true
	}
	if n := len(sc.Stack); n > 0 {
		return sc.Stack[n-1], true
	}
	return document.Edit{}, false
}

// keepVector saves the selected edit as a vector; a finished run is first taken as
// an edit.
func (w *Window) keepVector() {
	if w.job != nil && w.job.phase != running && len(w.job.run.Steps) > 0 {
		w.accept(true)
		return
	}
	e, ok := w.current()
	if !ok {
		w.say(words.T("vector.none"))
		return
	}
	w.keepEdit(e.ID)
}

// keepEdit asks for a name and saves an edit of the stack into the library.
func (w *Window) keepEdit(id document.EditID) {
	e, ok := w.doc.Scene().Edit(id)
	if !ok || w.lib == nil {
		return
	}
	w.endJob()
	w.prompt(words.T("vector.keep-title"), words.T("vector.keep-text"), e.Name, words.T("vector.save"), func(text string) {
		name, tags := splitTags(text)
		w.keepAs(id, name, tags)
	})
}

// keepAs saves an edit of the stack into the library.
func (w *Window) keepAs(id document.EditID, name string, tags []string) {
	v, err := w.doc.VectorOf(id, name)
	if err != nil {
		w.fail(err)
		return
	}
	v.Tags = tags
	if e, ok := w.doc.Scene().Edit(id); ok {
		w.inherit(v, e)
	}
	w.portray(id, v, func() {
		entry, err := w.lib.Add(v)
		if err != nil {
			w.fail(err)
			return
		}
		w.check(w.doc.LinkEdit(id, entry.ID, v))
		w.added(entry)
		w.trace("vector %s", name)
		w.toasts.Show(words.T("vector.saved", name), look.Good, "", nil)
	})
}

// inherit gives a vector that is kept from an edit the facts of the library's vector that the edit was
// made from: all of them when it is that vector, where it came from when its strength was changed.
func (w *Window) inherit(v *vectors.Vector, e document.Edit) {
	if e.Library == "" || e.RefinedNow() {
		return
	}
	of, err := w.lib.Load(e.Library)
	if err != nil || of.Content != e.Content {
		return
	}
	if of.Content == v.Content {
		v.Author, v.Licence, v.Notes = of.Author, of.Licence, of.Notes
		v.Learnt, v.Calibration, v.Generalisation, v.Recipe, v.Sheet = of.Learnt, of.Calibration, of.Generalisation, of.Recipe, of.Sheet
		return
	}
	if scaled, err := vectors.Scale(v.Name, of, e.Strength); err == nil && scaled.Content == v.Content {
		v.Author, v.Licence, v.Learnt, v.Calibration, v.Recipe = scaled.Author, scaled.Licence, scaled.Learnt, scaled.Calibration, scaled.Recipe
	}
}

// portray gives a vector made of an edit its pictures, without the edit and with it, and then calls
// done. The panes have them when it is the only edit in use; beside others both are rendered.
func (w *Window) portray(id document.EditID, v *vectors.Vector, done func()) {
	alone, on := true, false
	for _, e := range w.doc.Scene().Stack {
		switch {
		case e.ID == id:
			on = e.On
		case e.On && e.Strength != 0:
			alone = false
		}
	}
	if alone && on && w.before != nil && w.shown != nil {
		v.Before, v.After = thumb(w.before, 128), thumb(w.shown, 128)
		done()
		return
	}
	eng, doc, without := w.eng, w.doc, w.doc.Code()
	if on {
		without = without.Sub(v.Delta)
	}
	go func() {
		before, err := eng.Render(w.ctx, without, engine.RenderOptions{})
		var after engine.Frame
		if err == nil {
			after, err = eng.Render(w.ctx, without.Add(v.Delta), engine.RenderOptions{})
		}
		w.later(func() {
			if w.doc != doc {
				return
			}
			if err != nil { // it is kept all the same
				w.log(err.Error())
			} else {
				v.Before, v.After = thumb(before.Picture, 128), thumb(after.Picture, 128)
			}
			done()
		})
	}()
}

// splitTags takes #words out of a name.
func splitTags(text string) (name string, tags []string) {
	var rest []string
	for _, f := range strings.Fields(text) {
		if strings.HasPrefix(f, "#") && len(f) > 1 {
			tags = append(tags, f[1:])
		} else {
			rest = append(rest, f)
		}
	}
	return strings.Join(rest, " "), tags
}

// showLibrary shows the vectors that pass the search.
func (w *Window) showLibrary() {
	if w.lib == nil {
		w.library.SetItems(nil)
		return
	}
	q, err := vectors.ParseQuery(strings.ReplaceAll(w.search.Text, "#", "tag:"))
	if err != nil {
		q = vectors.Query{Words: strings.Fields(w.search.Text)}
	}
	q.Model = w.doc.Space().Model
	if w.starred {
		q.MinRating = 1
	}
	var items []control.Thumb
	for _, e := range w.found(q) {
		t := control.Thumb{Key: e.ID, Name: vectorName(e), Image: w.thumbs[thumbKey(e)], Star: e.Rating > 0, Stars: strconv.Itoa(e.Rating), Detail: w.vectorDetail(e)}
		switch {
		case e.Err != nil:
			t.Faded, t.Broken, t.Image, t.Detail = true, true, nil, words.T("library.broken", e.Name, sentence(e.Err))
		case w.shelf.measuring[e.ID]:
			t.Badge = "…"
		case w.shelf.twins[e.ID] != "":
			t.Badge = "≈"
		}
		items = append(items, t)
	}
	w.library.SetItems(items)
	w.watchLibrary()
	w.loadThumbs()
	if s := w.sect["library"]; s.Note != strconv.Itoa(len(items)) {
		s.Note = strconv.Itoa(len(items))
		w.dock.Refresh()
	}
}

// found are the entries that a query selects; words are also looked for in the names as
// they are shown.
func (w *Window) found(q vectors.Query) []vectors.Entry {
	out := w.lib.Search(q)
	if len(q.Words) == 0 {
		return out
	}
	words := q.Words
	q.Words = nil
	for _, e := range w.lib.Search(q) {
		name := strings.ToLower(vectorName(e))
		missing := slices.ContainsFunc(words, func(s string) bool { return !strings.Contains(name, strings.ToLower(s)) })
		if !missing && !slices.ContainsFunc(out, func(o vectors.Entry) bool { return o.ID == e.ID }) {
			out = append(out, e)
		}
	}
	return out
}

// vectorName translates the names of the vectors that come with the model.
func vectorName(e vectors.Entry) string {
	if e.Bundled {
		return words.Or("vectorname."+strings.ToLower(strings.ReplaceAll(e.Name, " ", "-")), e.Name)
	}
	return e.Name
}

func (w *Window) vectorDetail(e vectors.Entry) string {
	parts := []string{vectorName(e)}
	if w.shelf.measuring[e.ID] {
		parts = append(parts, words.T("fact.measuring"))
	}
	if t := w.shelf.twins[e.ID]; t != "" {
		parts = append(parts, words.T("library.twin", t))
	}
	if e.Generalisation.Seeds > 0 {
		parts = append(parts, words.T("vector.works", percent(e.Generalisation.Success)))
	}
	if len(e.Tags) > 0 {
		parts = append(parts, "#"+strings.Join(e.Tags, " #"))
	}
	return strings.Join(parts, " · ")
}

// thumbKey tells a vector from another that later has its id.
func thumbKey(e vectors.Entry) string {
	return e.ID + " " + e.Content + " " + strconv.FormatInt(e.Created.Unix(), 36)
}

// percent writes a share as whole percents, without the sign.
func percent(share float64) string { return strconv.Itoa(int(math.Round(100 * share))) }

// loadThumbs reads the preview pictures that are missing, in the background.
func (w *Window) loadThumbs() {
	lib := w.lib
	todo := map[string]string{} // ids by key
	for _, e := range lib.Search(vectors.Query{}) {
		if _, ok := w.thumbs[thumbKey(e)]; !ok && e.Err == nil {
			todo[thumbKey(e)] = e.ID
			w.thumbs[thumbKey(e)] = nil
		}
	}
	if len(todo) == 0 {
		return
	}
	go func() {
		for key, id := range todo {
			v, err := lib.Load(id)
			if err != nil || v.After == nil {
				continue
			}
			t := thumb(v.After, 96)
			w.later(func() {
				if w.lib == lib {
					w.thumbs[key] = t
				}
			})
		}
		w.later(func() {
			if w.lib == lib {
				w.showLibrary()
			}
		})
	}()
}

func (w *Window) toggleStarred() {
	w.starred = !w.starred
	if b, ok := w.sect["library"].Actions[0].(*control.Button); ok {
		b.Active = w.starred
		b.Icon = "star"
		if w.starred {
			b.Icon = "star-full"
		}
		b.Refresh()
	}
	w.showLibrary()
}

// applyVector puts a vector of the library on the edit stack.
func (w *Window) applyVector(id string) {
	if w.doc == nil || !w.doc.HasPicture() || w.lib == nil {
		w.say(words.T("no-picture"))
		return
	}
	w.library.Select(id)
	v, err := w.lib.Load(id)
	if err != nil {
		w.fail(err)
		return
	}
	w.endJob()
	if e, err := w.lib.Entry(id); err == nil {
		v.Name = vectorName(e)
	}
	eid, err := w.doc.AddVector(id, v, 1)
	if err != nil {
		w.fail(err)
		return
	}
	w.selected = eid
	w.dock.Open("edits")
	w.showEdits()
	w.journal()
}

func (w *Window) importVector(path string) {
	if w.lib == nil {
		w.say(words.T("no-model"))
		return
	}
	v, err := vectors.Import(path, w.doc.Space().Model)
	if err == nil {
		err = v.FitsModel(w.doc.Space().Model, w.doc.Space().Rows, w.doc.Space().Dim)
	}
	if err != nil {
		w.fail(err)
		return
	}
	if w.lib.Has(v.Content) {
		w.say(words.T("vector.known", v.Name))
		return
	}
	e, err := w.lib.Add(v)
	if err != nil {
		w.fail(err)
		return
	}
	w.added(e)
	w.toasts.Show(words.T("vector.imported", v.Name), look.Good, "", nil)
}

func (w *Window) exportVector(id string) {
	v, err := w.lib.Load(id)
	if err != nil {
		w.fail(err)
		return
	}
	w.askFile(dialogs.Request{
		Kind: dialogs.Save, Title: words.T("action.vector.export"), Name: v.Name + vectors.Ext,
		Filters: []dialogs.Filter{{Name: words.T("filter.vectors"), Exts: []string{"safetensors", "npy"}}},
	}, func(path string) {
		write := func() error { return vectors.WriteFile(path, v) }
		if strings.HasSuffix(path, ".npy") {
			write = func() error { return writeNPY(path, v.Delta) }
		}
		if err := write(); err != nil {
			w.fail(err)
			return
		}
		w.say(words.T("saved-as", path))
	})
}
