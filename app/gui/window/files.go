package window

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// ownPicker asks with Fyne's file dialogs, inside the window.
type ownPicker struct{ w *Window }

// Ask opens the dialog.
func (p ownPicker) Ask(r dialogs.Request, done func(string, error)) {
	control.Do(func() {
		var exts []string
		for _, f := range r.Filters {
			for _, e := range f.Exts {
				exts = append(exts, "."+e)
			}
		}
		answer := func(u fyne.URI, err error) {
			switch {
			case err != nil:
				done("", err)
			case u == nil:
				done("", dialogs.ErrCancelled)
			default:
				done(r.Complete(u.Path()), nil)
			}
		}
		size := fyne.NewSize(820, 560).Min(p.w.canvas().Size().SubtractWidthHeight(40, 40))
		var start fyne.ListableURI
		if r.Dir != "" {
			if l, err := storage.ListerForURI(storage.NewFileURI(r.Dir)); err == nil {
				start = l
			}
		}
		switch r.Kind {
		case dialogs.Folder:
			d := dialog.NewFolderOpen(func(l fyne.ListableURI, err error) {
				if l == nil {
					answer(nil, err)
					return
				}
				answer(l, err)
			}, p.w.win)
			d.Resize(size)
			d.Show()
		case dialogs.Save:
			d := dialog.NewFileSave(func(f fyne.URIWriteCloser, err error) {
				if f == nil {
					answer(nil, err)
					return
				}
				f.Close()
				answer(f.URI(), err)
			}, p.w.win)
			d.SetFileName(r.Name)
			if start != nil {
				d.SetLocation(start)
			}
			d.Resize(size)
			d.Show()
		default:
			d := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
				if f == nil {
					answer(nil, err)
					return
				}
				f.Close()
				answer(f.URI(), err)
			}, p.w.win)
			if len(exts) > 0 {
				d.SetFilter(storage.NewExtensionFileFilter(exts))
			}
			if start != nil {
				d.SetLocation(start)
			}
			d.Resize(size)
			d.Show()
		}
	})
}

// askFile asks for a file. The system's dialogs wait behind a veil; where there
// are none, or the settings say so, the window asks itself.
func (w *Window) askFile(r dialogs.Request, then func(path string)) {
	w.journal()
	if r.Dir == "" {
		r.Dir = w.lastDir
	}
	own := ownPicker{w}
	picker := w.picker
	if w.settings.Plain {
		picker = own
	}
	var veil *control.Veil
	if _, plain := picker.(ownPicker); !plain {
		veil = control.ShowVeil(w.canvas(), words.T("dialog.waiting"))
	}
	picker.Ask(r, func(path string, err error) {
		w.later(func() {
			if veil != nil {
				veil.Hide()
			}
			switch {
			case errors.Is(err, dialogs.ErrCancelled), errors.Is(err, dialogs.ErrBusy):
			case errors.Is(err, dialogs.ErrNone) && veil != nil:
				w.log(err.Error())
				own.Ask(r, func(path string, err error) {
					w.later(func() {
						if err == nil {
							w.lastDir = filepath.Dir(path)
							then(path)
						}
					})
				})
			case err != nil:
				w.fail(err)
			default:
				w.lastDir = filepath.Dir(path)
				then(path)
			}
		})
	})
}

var pictureExts = []string{"png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp"}

// askOpen asks for anything that can be opened.
func (w *Window) askOpen() {
	all := append([]string{"lbproj", scriptExt, "safetensors", "npy", "zip"}, pictureExts...)
	w.askFile(dialogs.Request{Kind: dialogs.Open, Title: words.T("action.file.open"), Filters: []dialogs.Filter{
		{Name: words.T("filter.all"), Exts: all},
		{Name: words.T("filter.project"), Exts: []string{"lbproj"}},
		{Name: words.T("filter.scripts"), Exts: []string{scriptExt}},
		{Name: words.T("filter.pictures"), Exts: pictureExts},
		{Name: words.T("filter.vectors"), Exts: []string{"safetensors", "npy"}},
	}}, w.openPath)
}

// openPath opens a file by what it is.
func (w *Window) openPath(path string) {
	if u, err := url.Parse(path); err == nil && u.Scheme == "file" {
		path = u.Path
	}
	st, err := os.Stat(path)
	if err != nil {
		w.fail(fmt.Errorf("%s cannot be opened: %w", filepath.Base(path), errors.Unwrap(err)))
		return
	}
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case ext == ".zip" && isPack(path):
		w.importPack(path)
	case st.IsDir(), ext == ".zip":
		w.guard(func() { w.chooseModel(path) })
	case ext == ".lbproj":
		w.guard(func() { w.openProject(path) })
	case ext == document.ScriptExt:
		w.guard(func() { w.openScript(path) })
	case ext == vectors.Ext, ext == ".npy", ext == ".pickle", ext == ".pkl":
		w.importVector(path)
	case slices.Contains(pictureExts, strings.TrimPrefix(ext, ".")):
		w.openPicture(path)
	default:
		w.fail(fmt.Errorf("%s", words.T("open.unknown", filepath.Base(path))))
	}
}

// openProject opens a project file.
func (w *Window) openProject(path string) {
	doc, err := document.Open(path)
	if err != nil {
		w.fail(err)
		return
	}
	if err := w.fits(doc); err != nil {
		w.fail(err)
		return
	}
	w.closeDocument()
	w.useDocument(doc, path)
	w.savedAt = fileTime(path)
	w.remember(path)
	w.startJournal()
}

func fileTime(path string) time.Time {
	if st, err := os.Stat(path); err == nil {
		return st.ModTime()
	}
	return time.Now()
}

// fits refuses a document of another model with a sentence naming both.
func (w *Window) fits(doc *document.Document) error {
	if w.eng == nil {
		return errors.New(words.T("no-model"))
	}
	have, want := w.doc.Space(), doc.Space()
	if !have.Model.Fits(want.Model) || have.Rows != want.Rows || have.Dim != want.Dim || have.Width != want.Width || have.Height != want.Height {
		return errors.New(words.T("open.other-model", want.Model.String(), have.Model.String()))
	}
	return nil
}

// openPicture opens a PNG or JPEG: an exported picture brings its state back, an
// indexed PNG is a mask, anything else a photo.
func (w *Window) openPicture(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		w.fail(err)
		return
	}
	if p, err := document.ReadProvenance(bytes.NewReader(data)); err == nil {
		w.reproduce(p) // a step of the history, so nothing is lost
		return
	} else if !errors.Is(err, document.ErrNoProvenance) && strings.EqualFold(filepath.Ext(path), ".png") {
		w.log(err.Error())
	}
	if cfg, err := png.DecodeConfig(bytes.NewReader(data)); err == nil && isPaletted(cfg) && w.doc != nil {
		w.openMask(path, data)
		return
	}
	w.openData(path, data)
}

func isPaletted(c image.Config) bool {
	_, ok := c.ColorModel.(color.Palette)
	return ok
}

// openMask paints a mask file onto the picture.
func (w *Window) openMask(path string, data []byte) {
	m, err := document.ReadMask(bytes.NewReader(data), w.doc.Space())
	if err != nil {
		w.fail(err)
		return
	}
	if !w.doc.HasPicture() {
		w.fail(errors.New(words.T("no-picture")))
		return
	}
	ch, err := w.paintMask(m)
	if err != nil {
		w.fail(err)
		return
	}
	w.painted(ch)
	w.say(words.T("open.mask", filepath.Base(path)))
}

// reproduce brings back the state that an exported picture describes.
func (w *Window) reproduce(p document.Provenance) {
	if w.eng == nil {
		w.fail(errors.New(words.T("no-model")))
		return
	}
	code, err := p.Code()
	if err == nil {
		err = code.Check(w.info.Rows, w.info.Dim)
	}
	if err != nil {
		w.fail(err)
		return
	}
	eng, doc := w.eng, w.doc
	go func() {
		f, err := eng.Render(w.ctx, code, engine.RenderOptions{})
		w.later(func() {
			if err == nil && doc == w.doc {
				w.endJob()
				w.showPicture(f.Picture)
				w.wanted = f.Code
				err = w.doc.SetProvenance(p, f.Labels)
			}
			if err != nil {
				w.fail(err)
				return
			}
			w.check(w.doc.SetThumb(f.Picture))
			w.welcome.hide()
			w.updateBefore()
			w.showAll()
			w.say(words.T("open.reproduced"))
		})
	}()
}

// guard runs f after asking what to do with unsaved work.
func (w *Window) guard(f func()) {
	if w.doc == nil || !w.doc.Dirty() || !w.worthSaving() {
		f()
		return
	}
	w.ask(words.T("unsaved.title"), words.T("unsaved.text"),
		[]string{words.T("unsaved.save"), words.T("unsaved.discard"), words.T("cancel")}, func(i int) {
			switch i {
			case 0:
				w.save(w.path, f)
			case 1:
				f()
			}
		})
}

// worthSaving reports whether the artist did anything: looking at random pictures
// is nothing to ask about.
func (w *Window) worthSaving() bool {
	for _, n := range w.doc.Nodes() {
		if n.Label.Key != "new" && n.Label.Key != "labels" && !strings.HasPrefix(n.Label.Key, "open.") {
			return true
		}
	}
	return false
}

// save writes the project, asking for a file when path is empty, and then runs
// then, which may be nil.
func (w *Window) save(path string, then func()) {
	if w.doc == nil || !w.doc.HasPicture() {
		w.say(words.T("no-picture"))
		return
	}
	if path == "" {
		name := "latentbrush"
		if t := w.doc.Title(); t != "" {
			name = t
		}
		w.askFile(dialogs.Request{
			Kind: dialogs.Save, Title: words.T("action.file.save-as"), Name: name + ".lbproj",
			Filters: []dialogs.Filter{{Name: words.T("filter.project"), Exts: []string{"lbproj"}}},
		}, func(p string) { w.save(p, then) })
		return
	}
	w.keepView()
	if err := w.doc.Save(path); err != nil {
		w.fail(err)
		return
	}
	w.path, w.savedAt = path, time.Now()
	w.trace("saved %s", path)
	w.remember(path)
	w.showTitle()
	w.showMemory(resident())
	w.say(words.T("saved-as", filepath.Base(path)))
	if then != nil {
		then()
	}
}

// keepView writes how the window shows the document into it.
func (w *Window) keepView() {
	v := w.doc.View()
	v.Layout, v.Overlay = w.settings.View, w.settings.Overlay
	v.Contour, v.Mirrored = w.picturePane.Look().Contour, w.stage.Mirrored()
	v.Tool, v.Class, v.Brush = w.painter.Chosen().ID(), w.painter.Class(), w.painter.Brush.Size
	v.Zoom = 0
	if p := w.stage.Viewport(); !p.Fitting() {
		v.Zoom = p.Zoom()
		v.X, v.Y = p.Centre().X, p.Centre().Y
	}
	w.doc.SetView(v)
}

// restoreView shows the document as it was saved; a new one, as the settings say.
func (w *Window) restoreView() {
	v := w.doc.View()
	classes := len(w.doc.Space().Classes)
	if v.Tool == "" {
		w.setOverlay(w.settings.Overlay)
		if classes > 2 {
			w.painter.SetClass(2)
		}
		return
	}
	if v.Layout != "" {
		w.settings.View = v.Layout
		w.panes.arrange(v.Layout != "one", v.Layout == "swapped")
	}
	w.setOverlay(min(1, max(0, v.Overlay)))
	if int(v.Class) < classes {
		w.painter.SetClass(v.Class)
	}
	if v.Brush > 0 {
		w.setBrush(float64(v.Brush))
	}
	if err := w.painter.Use(v.Tool); err != nil {
		w.log(err.Error())
	}
	w.setContour(v.Contour)
	w.stage.SetMirror(v.Mirrored)
	if v.Zoom > 0 {
		w.stage.ZoomTo(v.Zoom)
		w.stage.Viewport().CentreOn(canvas.Point{X: v.X, Y: v.Y})
	}
}

// remember puts a file at the top of the recents with a small picture.
func (w *Window) remember(path string) {
	r := Recent{Path: path, When: time.Now()}
	if w.shown != nil {
		var b bytes.Buffer
		if err := png.Encode(&b, thumb(w.shown, 64)); err == nil {
			r.Thumb = b.Bytes()
		}
	}
	w.settings.Remember(r)
	w.saveSettings()
	w.showStrip()
}

// recentThumbs lists the recent files as cells, missing ones faded.
func (w *Window) recentThumbs() []control.Thumb {
	var out []control.Thumb
	for _, r := range w.settings.Recents {
		t := control.Thumb{Key: r.Path, Name: filepath.Base(r.Path), Badge: "lb", Detail: r.Path}
		if img, err := png.Decode(bytes.NewReader(r.Thumb)); err == nil {
			t.Image = w.recentImage(r.Path, img)
		}
		if _, err := os.Stat(r.Path); err != nil {
			t.Faded = true
			t.Detail = words.T("recent.gone", r.Path)
		}
		out = append(out, t)
	}
	return out
}

// recentImage keeps one image object per recent file, so that cells do not change
// for nothing.
func (w *Window) recentImage(path string, img image.Image) image.Image {
	if w.recentImages == nil {
		w.recentImages = map[string]image.Image{}
	}
	if old, ok := w.recentImages[path]; ok {
		return old
	}
	small := thumb(img, 64)
	w.recentImages[path] = small
	return small
}

// recentItems are the entries of the menu of recent files.
func (w *Window) recentItems() []*fyne.MenuItem {
	var out []*fyne.MenuItem
	for _, r := range w.settings.Recents {
		path := r.Path
		it := fyne.NewMenuItem(filepath.Base(path), func() { w.openPath(path) })
		if _, err := os.Stat(path); err != nil {
			it.Disabled = true
		}
		out = append(out, it)
	}
	return out
}

// exportKinds are what the export sheet offers.
var exportKinds = []string{"picture", "mask", "both", "side"}

// showExport asks what to write and where.
func (w *Window) showExport() {
	if w.doc == nil || w.shown == nil {
		w.say(words.T("no-picture"))
		return
	}
	kind := "picture"
	names := map[string]string{}
	var labels []string
	kinds := exportKinds
	if w.hasPhoto() {
		kinds = append([]string{"photo"}, kinds...)
		kind = "photo"
	}
	for _, k := range kinds {
		n := words.T("export." + k)
		names[n] = k
		labels = append(labels, n)
	}
	choose := widget.NewRadioGroup(labels, func(s string) { kind = names[s] })
	choose.SetSelected(labels[0])
	facts := widget.NewCheck(words.T("export.provenance"), nil)
	facts.SetChecked(!w.settings.Strip)
	var sheet *control.Sheet
	sheet = control.NewSheet(w.canvas(), words.T("action.file.export"), container.NewVBox(choose, widget.NewSeparator(), facts), fyne.NewSize(420, 180), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }),
		control.NewButton(control.Primary, "export", words.T("export.go"), func() {
			sheet.Close()
			w.settings.Strip = !facts.Checked
			w.saveSettings()
			if kind == "photo" {
				w.exportPhoto()
				return
			}
			name := w.doc.Title()
			if name == "" {
				name = "latentbrush"
			}
			w.askFile(dialogs.Request{
				Kind: dialogs.Save, Title: words.T("action.file.export"), Name: name + ".png",
				Filters: []dialogs.Filter{{Name: words.T("filter.png"), Exts: []string{"png"}}},
			}, func(path string) { w.check(w.export(path, kind, facts.Checked)) })
		}))
	sheet.Show()
}

// export writes the picture, the mask, or both.
func (w *Window) export(path, kind string, facts bool) error {
	var p *document.Provenance
	if facts {
		if got, err := w.doc.Provenance(); err == nil {
			p = &got
		}
	}
	picture := func(path string) error {
		return vectors.WriteAtomic(path, func(out io.Writer) error { return document.WritePNG(out, w.shown, p) })
	}
	mask := func(path string) error {
		return vectors.WriteAtomic(path, func(out io.Writer) error { return document.WriteMask(out, w.doc.Canvas().Labels()) })
	}
	var err error
	switch kind {
	case "mask":
		err = mask(path)
	case "both":
		ext := filepath.Ext(path)
		if err = picture(path); err == nil {
			err = mask(strings.TrimSuffix(path, ext) + "-mask" + ext)
		}
	case "side":
		err = vectors.WriteAtomic(path, func(out io.Writer) error {
			before := image.Image(w.shown)
			if w.before != nil {
				before = w.before
			}
			return document.WritePNG(out, document.SideBySide(8, before, w.shown, w.doc.Canvas().Labels()), p)
		})
	default:
		err = picture(path)
	}
	if err == nil {
		w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
	}
	return err
}

func writeNPY(path string, c latent.Code) error {
	return vectors.WriteAtomic(path, func(out io.Writer) error { return vectors.WriteNPY(out, c) })
}

// paste opens a picture from the clipboard.
func (w *Window) paste() {
	if w.options.PastePicture == nil {
		if !w.table.Run("mask.paste") {
			w.say(words.T("paste.none"))
		}
		return
	}
	go func() {
		data := w.options.PastePicture()
		w.later(func() {
			// A part of a mask that was copied after the picture comes first.
			if w.copied != nil && w.copied.seen == string(data) {
				w.table.Run("mask.paste")
				return
			}
			w.pasted(data)
		})
	}()
}

// pasted opens what was on the clipboard.
func (w *Window) pasted(data []byte) {
	if len(data) == 0 {
		w.say(words.T("paste.none"))
		return
	}
	f, err := os.CreateTemp("", "latentbrush-paste-*.png")
	if err == nil {
		_, err = f.Write(data)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		w.fail(err)
		return
	}
	defer os.Remove(f.Name())
	w.openPicture(f.Name())
}

// startJournal begins to keep what is done, so that nothing is lost in a crash.
func (w *Window) startJournal() {
	if w.options.Journals == "" || w.doc == nil {
		return
	}
	err := w.doc.StartJournal(w.options.Journals, func(err error) {
		w.later(func() { w.toasts.Show(words.T("journal.failed", sentence(err)), look.Bad, "", nil) })
	})
	if err != nil {
		w.log(err.Error())
		w.toasts.Show(words.T("journal.failed", sentence(err)), look.Warn, "", nil)
	}
}

// journal makes sure that a journal is kept once there is something to keep.
func (w *Window) journal() {
	if w.doc != nil && w.journalOf != w.doc && w.doc.HasPicture() {
		w.journalOf = w.doc
		w.startJournal()
	}
}

// closeDocument ends the present document in order.
func (w *Window) closeDocument() {
	if w.doc != nil && w.journalOf == w.doc {
		if err := w.doc.CloseJournal(); err != nil {
			w.log(err.Error())
		}
	}
	w.journalOf = nil
}

// offerRecovery asks whether to bring back what a crash left.
func (w *Window) offerRecovery() {
	if w.options.Journals == "" {
		return
	}
	lost, err := document.Recoverable(w.options.Journals)
	if err != nil {
		w.log(err.Error())
		return
	}
	if len(lost) == 0 {
		return
	}
	l := lost[0]
	w.trace("recoverable %d", len(lost))
	title := l.Title
	if title == "" {
		title = words.T("title.untitled")
	}
	w.ask(words.T("recover.title"), words.T("recover.text", title, l.Time.Local().Format("2006-01-02 15:04")),
		[]string{words.T("recover.yes"), words.T("recover.later"), words.T("recover.no")}, func(i int) {
			switch i {
			case 0:
				doc, err := l.Open()
				if err == nil {
					err = w.fits(doc)
				}
				if err != nil {
					w.fail(err)
					return
				}
				w.closeDocument()
				w.useDocument(doc, l.Path)
				w.journal()
				w.trace("recovered %d", len(doc.Nodes()))
				w.traceMask()
				if err := w.doc.FlushJournal(); err == nil {
					err = l.Discard()
					if err != nil {
						w.log(err.Error())
					}
				}
				w.welcome.hide()
			case 2:
				if err := l.Discard(); err != nil {
					w.log(err.Error())
				}
			}
		})
}

// quitWindow asks about unsaved work and closes.
func (w *Window) quitWindow() {
	if control.TopSheet() != nil {
		return
	}
	w.guard(func() {
		size := w.canvas().Size()
		w.settings.Width, w.settings.Height = size.Width, size.Height
		w.saveSettings()
		w.Close()
	})
}

// Close closes the window without asking.
func (w *Window) Close() {
	w.Shut()
	w.win.SetCloseIntercept(nil)
	w.win.Close()
}

// Shut ends everything that runs for the window, which is of no use afterwards.
func (w *Window) Shut() {
	w.closeDocument()
	w.closeEngine()
	w.quit()
}

// chooseModel opens another model. The present one stays until that has worked.
func (w *Window) chooseModel(path string) { w.openModel(path, "") }

// showModels is the model chooser: the default, one from a folder or zip, and the
// card of the present one.
func (w *Window) showModels() {
	card := widget.NewRichTextFromMarkdown(w.cardText())
	card.Wrapping = fyne.TextWrapWord
	var sheet *control.Sheet
	pick := func(f func()) func() { return func() { sheet.Close(); w.guard(f) } }
	name := words.T("model.none")
	if w.eng != nil {
		name = w.info.Manifest.Name
	}
	sheet = control.NewSheet(w.canvas(), name, container.NewVScroll(card), fyne.NewSize(620, 480), false,
		control.NewButton(control.Filled, "model", words.T("model.default"), pick(func() { w.chooseModel("") })),
		control.NewButton(control.Filled, "open", words.T("model.folder"), pick(func() {
			w.askFile(dialogs.Request{Kind: dialogs.Folder, Title: words.T("model.folder")}, w.chooseModel)
		})),
		control.NewButton(control.Filled, "open", words.T("model.file"), pick(func() {
			w.askFile(dialogs.Request{Kind: dialogs.Open, Title: words.T("model.file"), Filters: []dialogs.Filter{{Name: words.T("filter.models"), Exts: []string{"zip"}}}}, w.chooseModel)
		})),
		control.NewButton(control.Primary, "", words.T("close"), func() { sheet.Close() }))
	sheet.Show()
}

// cardText is the model's card in Markdown.
func (w *Window) cardText() string {
	if w.eng == nil {
		return words.T("welcome.no-engine")
	}
	m := w.info.Manifest
	var b strings.Builder
	architecture := m.Architecture
	if architecture == "stylegan2" {
		architecture = "StyleGAN2"
	}
	fmt.Fprintf(&b, "%s\n\n", words.T("model.facts", architecture, m.Resolution, m.WDim, m.Rows, m.Licence))
	if mod := w.eng.Model(); mod != nil {
		if card, err := mod.Card(); err == nil && card != "" {
			// The sheet has the name above it already.
			b.WriteString(strings.TrimPrefix(strings.TrimSpace(card), "# "+m.Name+"\n") + "\n\n")
		} else if m.Description != "" {
			b.WriteString(m.Description + "\n\n")
		}
	}
	var names []string
	for _, c := range m.Classes {
		names = append(names, className(c.Name))
	}
	fmt.Fprintf(&b, "**%s** %s\n", words.T("model.classes", len(names)), strings.Join(names, ", "))
	return b.String()
}
