package window

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/document"
	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// shelf is what the window knows about the library's vectors beside their files.
type shelf struct {
	measuring map[string]bool // vectors that are being calibrated
	twins     map[string]string

	// The study of the open model, shared by all calibrations; each has the lock while it runs.
	study struct {
		sync.Mutex
		eng    Engine
		survey *learning.Survey
		probe  *learning.Probe
	}
	// idle has the renders that give way to the user.
	idle struct {
		sync.Mutex
		cancel map[*context.CancelFunc]bool
	}
	watching *vectors.Library

	// opened are the dialogs opened last.
	opened struct {
		algebra  *algebra
		examples *examples
		part     *partSheet
		crop     *cropSheet
		paste    *control.Framed
	}
}

// studyPictures say what is usual; a vector is tried on [learning.KnownPictures] others.
const studyPictures = 160

// touch notes that the user did something: renders made in idle time give way.
func (w *Window) touch() {
	w.lastTouch = time.Now()
	s := &w.shelf.idle
	s.Lock()
	defer s.Unlock()
	for c := range s.cancel {
		(*c)()
	}
}

// teacher is an engine that vectors can be learnt with.
type teacher interface {
	Engine
	Prior(ctx context.Context) (*edit.Prior, error)
}

// idleModel renders only while the user does nothing, and gives a render up when the
// user comes back; it is then made again.
type idleModel struct {
	teacher
	w *Window
}

func (m idleModel) Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error) {
	return m.w.renderIdle(ctx, m.teacher, code, o)
}

// renderIdle renders in idle time, on a goroutine of its own.
func (w *Window) renderIdle(ctx context.Context, eng Engine, code latent.Code, o engine.RenderOptions) (engine.Frame, error) {
	s := &w.shelf.idle
	for {
		if !w.waitIdle(func() bool { return ctx.Err() == nil && w.eng == eng }) {
			if err := ctx.Err(); err != nil {
				return engine.Frame{}, err
			}
			return engine.Frame{}, context.Canceled
		}
		c, cancel := context.WithCancel(ctx)
		s.Lock()
		if s.cancel == nil {
			s.cancel = map[*context.CancelFunc]bool{}
		}
		s.cancel[&cancel] = true
		s.Unlock()
		f, err := eng.Render(c, code, o)
		gaveWay := c.Err() != nil
		s.Lock()
		delete(s.cancel, &cancel)
		s.Unlock()
		cancel()
		if err == nil || !gaveWay || ctx.Err() != nil {
			return f, err
		}
	}
}

// studied returns the survey and the probe of the open model, made once and in idle
// time. The caller holds the study's lock.
func (w *Window) studied(ctx context.Context, m learning.Model, eng Engine) (*learning.Survey, *learning.Probe, error) {
	s := &w.shelf.study
	if s.eng != eng {
		s.eng, s.survey, s.probe = eng, nil, nil
	}
	var err error
	if s.survey == nil {
		if s.survey, err = learning.NewSurvey(ctx, m, studyPictures, nil, nil); err != nil {
			return nil, nil, err
		}
	}
	if s.probe == nil {
		if s.probe, err = learning.NewProbe(ctx, m, learning.KnownSeed, learning.KnownPictures); err != nil {
			return nil, nil, err
		}
	}
	return s.survey, s.probe, nil
}

// calibrate measures a vector of the library in idle time: what strength 1 does, and the
// range that is safe, which tints its slider.
func (w *Window) calibrate(id string) {
	t, ok := w.eng.(teacher)
	if !ok || w.lib == nil || w.shelf.measuring[id] {
		return
	}
	if w.shelf.measuring == nil {
		w.shelf.measuring = map[string]bool{}
	}
	w.shelf.measuring[id] = true
	lib, eng := w.lib, w.eng
	m := idleModel{t, w}
	go func() {
		w.shelf.study.Lock()
		defer w.shelf.study.Unlock()
		err := func() error {
			survey, probe, err := w.studied(w.ctx, m, eng)
			if err != nil {
				return err
			}
			v, err := lib.Load(id)
			if err != nil {
				return err
			}
			t, err := learning.Explain(w.ctx, m, probe, v)
			if err != nil {
				return err
			}
			if err := learning.Calibrate(w.ctx, m, survey, probe, v, &t); err != nil {
				return err
			}
			_, err = lib.Update(id, func(x *vectors.Vector) error {
				x.Calibration = v.Calibration
				if x.Learnt.Detail == nil {
					x.Learnt.Detail = map[string]string{}
				}
				x.Learnt.Detail["statistic"] = t.String()
				return nil
			})
			return err
		}()
		w.later(func() {
			delete(w.shelf.measuring, id)
			if w.lib != lib {
				return
			}
			switch {
			case errors.Is(err, context.Canceled), errors.Is(err, vectors.ErrNotFound), errors.Is(err, engine.ErrClosed):
			case err != nil:
				w.log(err.Error())
			default:
				w.trace("calibrated %s", id)
			}
			w.showLibrary()
			w.showEdits()
		})
	}()
}

// calibrationOf is what is known of an edit's vector now, which may be more than when it
// was put on the stack.
func (w *Window) calibrationOf(e document.Edit) vectors.Calibration {
	if w.lib != nil && e.Library != "" {
		if v, err := w.lib.Entry(e.Library); err == nil && v.Err == nil && v.Content == e.Content {
			return v.Calibration
		}
	}
	return e.Calibration
}

// watchLibrary follows changes of the library's folder by others.
func (w *Window) watchLibrary() {
	lib := w.lib
	if lib == nil || w.shelf.watching == lib {
		return
	}
	w.shelf.watching = lib
	ctx, cancel := context.WithCancel(w.ctx)
	go lib.Watch(ctx, 2*time.Second, func() {
		w.later(func() {
			if w.lib != lib {
				cancel()
				return
			}
			w.showLibrary()
			w.findTwins()
		})
	})
	w.findTwins()
}

// twinCosine is how alike two vectors are that do nearly the same.
const twinCosine = 0.98

// findTwins looks for vectors that do nearly the same, in the background.
func (w *Window) findTwins() {
	lib := w.lib
	if lib == nil {
		return
	}
	go func() {
		found, err := lib.Duplicates(w.ctx, twinCosine)
		if err != nil {
			return
		}
		twins := map[string]string{}
		for _, t := range found {
			for _, p := range [][2]vectors.Entry{{t.A, t.B}, {t.B, t.A}} {
				if twins[p[0].ID] == "" {
					twins[p[0].ID] = vectorName(p[1])
				}
			}
		}
		w.later(func() {
			if w.lib == lib {
				w.shelf.twins = twins
				w.showLibrary()
			}
		})
	}()
}

// added shows a vector that was just put into the library, and has it measured if it was not.
func (w *Window) added(e vectors.Entry) {
	w.dock.Open("library")
	w.showLibrary()
	w.library.Pick()
	w.library.Select(e.ID)
	if _, _, known := e.Calibration.Safe(); !known {
		w.calibrate(e.ID)
	}
	w.findTwins()
}

// picked returns the entries that are picked in the library.
func (w *Window) picked() []vectors.Entry {
	var out []vectors.Entry
	if w.lib == nil {
		return nil
	}
	for _, id := range w.library.Picked() {
		if e, err := w.lib.Entry(id); err == nil {
			out = append(out, e)
		}
	}
	return out
}

// pickedOwn are the picked entries that may be changed.
func (w *Window) pickedOwn() []vectors.Entry {
	return slices.DeleteFunc(w.picked(), func(e vectors.Entry) bool { return e.Bundled })
}

// pickedGood are the picked entries that can be read.
func (w *Window) pickedGood() []vectors.Entry {
	return slices.DeleteFunc(w.picked(), func(e vectors.Entry) bool { return e.Err != nil })
}

func (w *Window) changedVector(_ vectors.Entry, err error) {
	if err != nil {
		w.fail(err)
	}
	w.showLibrary()
	w.showEdits()
}

// changeVectors changes vectors of the library, says so, and can be undone.
func (w *Window) changeVectors(es []vectors.Entry, text string, change func(id string) (vectors.Entry, error)) {
	lib := w.lib
	var done []vectors.Entry // as they were
	for _, e := range es {
		_, err := change(e.ID)
		w.changedVector(e, err)
		if err == nil {
			done = append(done, e)
		}
	}
	if len(done) == 0 {
		return
	}
	w.toasts.Show(text, look.Accent, words.T("action.edit.undo"), func() {
		for _, e := range done {
			w.changedVector(lib.Update(e.ID, func(v *vectors.Vector) error {
				v.Name, v.Tags, v.Rating = e.Name, e.Tags, e.Rating
				return nil
			}))
		}
	})
}

// pickedChangeable are the picked vectors that can be read and changed.
func (w *Window) pickedChangeable() []vectors.Entry {
	return slices.DeleteFunc(w.pickedOwn(), func(e vectors.Entry) bool { return e.Err != nil })
}

func (w *Window) renameVector() {
	own := w.pickedChangeable()
	if len(own) != 1 {
		w.say(words.T("library.one-own"))
		return
	}
	e := own[0]
	w.prompt(words.T("action.vector.rename"), words.T("vector.name"), e.Name, words.T("ok"), func(n string) {
		if n != e.Name {
			w.changeVectors(own, words.T("library.renamed", e.Name, n), func(id string) (vectors.Entry, error) { return w.lib.Rename(id, n) })
		}
	})
}

func (w *Window) tagVectors() {
	own := w.pickedChangeable()
	if len(own) == 0 {
		w.say(words.T("library.one-own"))
		return
	}
	w.prompt(words.T("action.vector.tags"), words.T("library.tags-text"), strings.Join(own[0].Tags, " "), words.T("ok"), func(n string) {
		tags := strings.Fields(strings.ReplaceAll(n, "#", ""))
		text := words.T("library.tagged", own[0].Name)
		if len(own) > 1 {
			text = words.T("library.tagged-many", len(own))
		}
		w.changeVectors(own, text, func(id string) (vectors.Entry, error) { return w.lib.SetTags(id, tags...) })
	})
}

// rateVectors gives the picked vectors stars.
func (w *Window) rateVectors(stars int) {
	own := w.pickedChangeable()
	if len(own) == 0 {
		return
	}
	text := words.T("library.rated", own[0].Name, stars)
	if len(own) > 1 {
		text = words.T("library.rated-many", len(own), stars)
	}
	w.changeVectors(own, text, func(id string) (vectors.Entry, error) { return w.lib.Rate(id, stars) })
}

func (w *Window) duplicateVectors() {
	for _, e := range w.pickedGood() {
		d, err := w.lib.Duplicate(e.ID, words.T("library.copy-of", vectorName(e)))
		w.changedVector(d, err)
		if err == nil {
			w.library.Pick()
			w.library.Select(d.ID)
		}
	}
	w.findTwins()
}

// deleteVectors moves the picked vectors to the trash, from where a click brings them back.
func (w *Window) deleteVectors() {
	var gone []vectors.Entry
	for _, e := range w.pickedOwn() {
		if err := w.lib.Delete(e.ID); err != nil {
			w.fail(err)
			continue
		}
		gone = append(gone, e)
	}
	if len(gone) == 0 {
		w.say(words.T("library.own-only"))
		return
	}
	w.library.Pick()
	w.library.Select("")
	w.showLibrary()
	w.findTwins()
	text := words.T("library.deleted", gone[0].Name)
	if len(gone) > 1 {
		text = words.T("library.deleted-many", len(gone))
	}
	lib := w.lib
	w.toasts.Show(text, look.Accent, words.T("action.edit.undo"), func() {
		for _, e := range gone {
			w.changedVector(lib.Undelete(e.ID))
		}
	})
}

func (w *Window) showTrash() { w.listTrash() }

// listTrash lists the deleted vectors; a click brings one back. It is nil when there are none.
func (w *Window) listTrash() *control.Finder {
	gone, err := w.lib.Trash()
	if err != nil {
		w.fail(err)
		return nil
	}
	if len(gone) == 0 {
		w.say(words.T("library.trash-empty"))
		return nil
	}
	const forGood = "/" // no id has a slash
	lib := w.lib
	return control.ShowFinder(w.canvas(), words.T("library.trash-hint"), words.T("finder.none"), func(q string) []control.FinderRow {
		var rows []control.FinderRow
		for _, e := range gone {
			if _, ok := action.Fuzzy(q, e.Name); ok {
				rows = append(rows, control.FinderRow{Key: e.ID, Text: e.Name, Note: strings.Join(e.Tags, " "), Icon: "undo"})
			}
		}
		return append(rows, control.FinderRow{Key: forGood, Text: words.T("library.trash-clear", len(gone)), Icon: "trash"})
	}, func(id string) {
		if id == forGood {
			w.ask(words.T("library.trash-title"), words.T("library.trash-ask", len(gone)), []string{words.T("library.trash-keep"), words.T("library.trash-go")}, func(i int) {
				if i == 1 && w.lib == lib {
					w.check(lib.EmptyTrash())
				}
			})
			return
		}
		e, err := lib.Undelete(id)
		w.changedVector(e, err)
		if err == nil {
			w.dock.Open("library")
			w.library.Pick()
			w.library.Select(e.ID)
			w.findTwins()
			w.trace("restored %s", e.ID)
		}
	})
}

// vectorMenu is the menu of the picked vectors of the library.
func (w *Window) vectorMenu(id string, at fyne.Position) {
	if _, err := w.lib.Entry(id); err != nil {
		return
	}
	if !slices.Contains(w.library.Picked(), id) {
		w.library.Pick()
		w.library.Select(id)
	}
	picked, own, good := w.picked(), w.pickedOwn(), w.pickedGood()
	item := func(key string, ok bool, f func()) *fyne.MenuItem {
		m := fyne.NewMenuItem(words.T(key), f)
		m.Disabled = !ok
		return m
	}
	rate := fyne.NewMenuItem(words.T("library.rate"), nil)
	rate.Disabled = len(own) == 0
	var stars []*fyne.MenuItem
	for n := range vectors.MaxRating + 1 {
		stars = append(stars, fyne.NewMenuItem(words.T("library.rate-"+strconv.Itoa(n)), func() { w.rateVectors(n) }))
	}
	rate.ChildMenu = fyne.NewMenu("", stars...)
	one := len(picked) == 1
	control.PopUpMenu(w.canvas(), at,
		item("library.apply", len(good) > 0, func() {
			for _, e := range good {
				w.applyVector(e.ID)
			}
		}),
		item("action.vector.about", one && len(good) == 1, func() { w.aboutVector(picked[0].ID) }),
		item("action.vector.compare", len(good) == 2, w.compareVectors),
		item("action.vector.combine", len(good) > 0, w.combineVectors),
		fyne.NewMenuItemSeparator(),
		item("action.vector.rename", len(own) == 1 && one && len(good) == 1, w.renameVector),
		item("action.vector.tags", len(own) > 0 && len(good) > 0, w.tagVectors),
		rate,
		item("action.vector.duplicate", len(good) > 0, w.duplicateVectors),
		fyne.NewMenuItemSeparator(),
		item("action.vector.export", one && len(good) == 1, func() { w.exportVector(picked[0].ID) }),
		item("action.vector.pack", len(good) > 0, w.exportPack),
		fyne.NewMenuItemSeparator(),
		item("action.vector.delete", len(own) > 0, w.deleteVectors),
	)
}

// exportPack asks for licence and author and writes the picked vectors as a share pack.
func (w *Window) exportPack() {
	good := w.pickedGood()
	if len(good) == 0 {
		w.say(words.T("library.pick"))
		return
	}
	name, author, licence := newLine(words.T("pack.default")), newLine(w.settings.Author), newLine("CC0-1.0")
	author.SetPlaceHolder(words.T("pack.author-hint"))
	if len(good) == 1 {
		name.SetText(vectorName(good[0]))
	}
	var sheet *control.Sheet
	go_ := func() {
		if strings.TrimSpace(licence.Text) == "" {
			w.fail(errors.New(words.T("pack.no-licence")))
			w.canvas().Focus(licence)
			return
		}
		sheet.Close()
		w.settings.Author = strings.TrimSpace(author.Text)
		w.saveSettings()
		info := vectors.PackInfo{Name: strings.TrimSpace(name.Text), Author: w.settings.Author, Licence: strings.TrimSpace(licence.Text)}
		w.askFile(dialogs.Request{
			Kind: dialogs.Save, Title: words.T("action.vector.pack"), Name: fileName(info.Name) + ".zip",
			Filters: []dialogs.Filter{{Name: words.T("filter.pack"), Exts: []string{"zip"}}},
		}, func(path string) {
			var ids []string
			for _, e := range good {
				ids = append(ids, e.ID)
			}
			if err := vectors.WriteAtomic(path, func(out io.Writer) error { return w.lib.Pack(out, info, ids...) }); err != nil {
				w.fail(err)
				return
			}
			w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
		})
	}
	for _, e := range []*line{name, author, licence} {
		e.OnSubmitted = func(string) { go_() }
		e.escape = func() { sheet.Close() }
	}
	form := container.New(layout.NewFormLayout(),
		soft(words.T("vector.name")), name, soft(words.T("vector.author")), author, soft(words.T("vector.licence")), licence)
	sheet = control.NewSheet(w.canvas(), words.T("pack.title", len(good)), container.NewVBox(form, small(words.T("pack.licence-note"))), fyne.NewSize(460, 160), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }),
		control.NewButton(control.Primary, "export", words.T("export.go"), go_))
	sheet.Show()
	w.canvas().Focus(name)
}

// fileName makes a name fit for a file.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < 32 {
			return '-'
		}
		return r
	}, s)
	if s = strings.Trim(s, " ."); s == "" {
		return "vectors"
	}
	return s
}

// isPack reports whether a file is a share pack of vectors.
func isPack(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false
	}
	_, _, err = vectors.ReadPack(f, st.Size())
	return err == nil
}

// importPack adds the vectors of a share pack that the library does not have.
func (w *Window) importPack(path string) {
	if w.lib == nil {
		w.say(words.T("no-model"))
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		w.fail(err)
		return
	}
	lib := w.lib
	go func() {
		done, err := lib.AddPack(bytes.NewReader(data), int64(len(data)))
		w.later(func() {
			if err != nil {
				w.fail(err)
				return
			}
			for _, e := range done.Failed {
				w.log(e.Error())
			}
			w.dock.Open("library")
			w.showLibrary()
			w.findTwins()
			var ids []string
			var foreign []vectors.Entry
			for _, e := range done.Added {
				if ids = append(ids, e.ID); !e.Model.Fits(w.doc.Space().Model) {
					foreign = append(foreign, e)
				}
			}
			w.library.Pick(ids...)
			text, hue := words.T("pack.added", len(done.Added), done.Pack.Name, done.Pack.Licence), look.Good
			if len(done.Known) > 0 {
				text += " " + words.T("pack.known", len(done.Known))
			}
			if len(foreign) > 0 {
				text, hue = text+" "+words.T("pack.foreign", len(foreign), foreign[0].Model.String()), look.Warn
			}
			if len(done.Failed) > 0 {
				text, hue = text+" "+words.T("pack.failed", len(done.Failed), sentence(done.Failed[0])), look.Warn
			}
			w.toasts.Show(text, hue, "", nil)
			w.trace("pack %d %d %d", len(done.Added), len(done.Known), len(done.Failed))
		})
	}()
}

// resolveConflict makes the edit of a row orthogonal to the active vectors that it pushes
// with or against.
func (w *Window) resolveConflict(id string) {
	sc := w.doc.Scene()
	at := slices.IndexFunc(sc.Stack, func(e document.Edit) bool { return strconvID(e.ID) == id })
	if at < 0 {
		return
	}
	of := func(e document.Edit) *vectors.Vector {
		v := vectors.New(e.Name, w.doc.Space().Model, e.Delta)
		v.Classes = w.classesOf(e.Classes)
		return v
	}
	var others []*vectors.Vector
	var names []string
	for _, c := range sc.Conflicts() {
		other := -1
		switch at {
		case c.A:
			other = c.B
		case c.B:
			other = c.A
		}
		if other >= 0 {
			others = append(others, of(sc.Stack[other]))
			names = append(names, sc.Stack[other].Name)
		}
	}
	if len(others) == 0 {
		return
	}
	e := sc.Stack[at]
	w.endJob()
	v, err := vectors.Orthogonalise(words.T("algebra.name-without", e.Name, strings.Join(names, ", ")), of(e), others...)
	if err != nil {
		w.fail(err)
		return
	}
	if err := w.doc.ReplaceEdit(e.ID, "", v); err != nil {
		w.fail(err)
		return
	}
	w.journal()
	w.showEdits()
	w.toasts.Show(words.T("edit.resolved", e.Name, strings.Join(names, ", ")), look.Good, words.T("action.edit.undo"), w.undo)
}

// classesOf names class ids.
func (w *Window) classesOf(ids []uint8) []vectors.Class {
	var out []vectors.Class
	for _, id := range ids {
		for _, c := range w.doc.Space().Classes {
			if c.ID == id {
				out = append(out, vectors.Class{ID: id, Name: c.Name})
			}
		}
	}
	return out
}
