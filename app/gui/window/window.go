package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/document"
	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas"
	"latentbrush/canvas/view"
	"latentbrush/vectors"
)

// Options says how a window starts.
type Options struct {
	Version  string
	Settings *Settings
	// Open opens a model; an empty path is the default one. It runs on a goroutine.
	Open func(ctx context.Context, path string) (Engine, error)
	// Picker asks for files; nil is the window's own dialogs.
	Picker dialogs.Picker
	// Library is the folder of the vectors; empty is the user's.
	Library string
	// Journals is the folder where unfinished sessions are kept; empty keeps none.
	Journals string
	// File is opened at the start, when not empty.
	File string
	// Seed of the first picture when no file is opened.
	Seed uint64
	// PastePicture returns a PNG from the clipboard; nil where there is none.
	PastePicture func() []byte
	// Scaled is called when the user chose another scale.
	Scaled func(float64)
	// Trace gets one line for each thing that was done; nil traces nothing.
	Trace func(string)
	// Log gets one line for what goes wrong; nil is the error stream.
	Log func(string)
}

// Window is the main window.
type Window struct {
	win      fyne.Window
	options  Options
	version  string
	settings *Settings
	table    *action.Table
	keys     *keyboard
	picker   dialogs.Picker

	frame    *frame
	root     *fyne.Container
	top      *topBar
	bar      *optionBar
	tools    *toolColumn
	panes    *panes
	run      *runPanel
	photoBar *photoBar
	strip    *control.Thumbs
	seed     *control.Button
	status   *statusBar
	welcome  *welcome
	dock     *control.Dock
	classes  *control.ClassList
	filter   *widget.Entry
	edits    *control.EditStack
	library  *control.Thumbs
	search   *widget.Entry
	history  *control.HistoryList
	tips     *control.Tips
	toasts   *control.Toasts
	sect     map[string]*control.Section

	studio
}

// New builds the window's content and puts it into win. Nothing is opened until
// Start.
func New(win fyne.Window, o Options) *Window {
	if o.Settings == nil {
		o.Settings = &Settings{Overlay: -1}
		o.Settings.defaults()
	}
	w := &Window{win: win, options: o, version: o.Version, settings: o.Settings, picker: o.Picker}
	if w.picker == nil {
		w.picker = ownPicker{w}
	}
	w.ctx, w.quit = context.WithCancel(context.Background())
	w.table = action.NewTable(w.settings.Keys)
	w.bind()
	w.applyLook()
	w.build()
	w.keys = newKeyboard(w)
	win.SetCloseIntercept(func() { w.table.Run("file.quit") })
	win.SetOnDropped(func(_ fyne.Position, uris []fyne.URI) {
		if len(uris) > 0 {
			w.openPath(uris[0].Path())
		}
	})
	return w
}

func (w *Window) canvas() fyne.Canvas { return w.win.Canvas() }

// Fyne returns the toolkit's window.
func (w *Window) Fyne() fyne.Window { return w.win }

// Table returns the window's actions.
func (w *Window) Table() *action.Table { return w.table }

// applyLook sets language and theme from the settings.
func (w *Window) applyLook() {
	lang := w.settings.Language
	if lang == "" {
		lang = words.SystemLanguage()
	}
	if err := words.SetLanguage(lang); err != nil {
		_ = words.SetLanguage("en")
	}
	if a := fyne.CurrentApp(); a != nil {
		a.Settings().SetTheme(look.New(w.settings.Variant, words.Language()))
		view.Surround = look.C(look.SurfaceLow)
	}
}

// appearanceChanged takes over another language, theme or scale at once.
func (w *Window) appearanceChanged() {
	if w.options.Scaled != nil {
		w.options.Scaled(w.settings.Scale)
	}
	w.saveSettings()
	w.applyLook()
	w.rebuild()
}

func (w *Window) keysChanged() {
	w.keys.register()
	w.saveSettings()
	w.rebuild()
}

func (w *Window) saveSettings() {
	if err := w.settings.Save(); err != nil {
		w.log(err.Error())
	}
}

func (w *Window) log(s string) {
	if w.options.Log != nil {
		w.options.Log(s)
		return
	}
	fmt.Fprintln(os.Stderr, "latentbrush: "+s)
}

// trace notes that something was done.
func (w *Window) trace(format string, args ...any) {
	if w.options.Trace != nil {
		w.options.Trace(fmt.Sprintf(format, args...))
	}
}

// traceAt notes where an object is, in pixels of the window, once it has its place.
func (w *Window) traceAt(what string, of func() (fyne.CanvasObject, fyne.Position, fyne.Size)) {
	if w.options.Trace == nil {
		return
	}
	time.AfterFunc(400*time.Millisecond, func() {
		w.later(func() {
			o, at, size := of()
			if o == nil {
				return
			}
			base := fyne.CurrentApp().Driver().AbsolutePositionForObject(o)
			s := w.canvas().Scale()
			w.trace("at %s %.0f %.0f %.0f %.0f", what, (base.X+at.X)*s, (base.Y+at.Y)*s, size.Width*s, size.Height*s)
		})
	})
}

// fail tells the user about an error in one sentence.
func (w *Window) fail(err error) {
	if err == nil {
		return
	}
	w.log(err.Error())
	w.toasts.Show(sentence(err), look.Bad, "", nil)
}

// rooms are the names of packages in front of errors, which say where in the program something was noticed.
var rooms = regexp.MustCompile(`(^|: )(?:(?:ort|document|model|vectors|engine|photo|canvas|edit|inversion|segmentation|latent|safetensors|film|window|gui|zip): )+`)

// unfinished are the files that a save begins with, which the user never sees.
var unfinished = regexp.MustCompile(`(?:write|open|sync|close|rename) \S+\.tmp: `)

// sentence writes an error as one sentence, with a capital and a full stop, and without the names of packages. The
// log has the whole of it.
func sentence(err error) string {
	if errors.Is(err, canvas.ErrBusy) {
		return words.T("busy")
	}
	s := strings.TrimSpace(unfinished.ReplaceAllString(rooms.ReplaceAllString(strings.ReplaceAll(err.Error(), "\n", "; "), "$1"), ""))
	if s == "" {
		return s
	}
	if first, _, _ := strings.Cut(s, " "); !strings.ContainsAny(strings.TrimRight(first, ":,"), "./\\_") { // a file keeps its name
		r := []rune(s)
		s = strings.ToUpper(string(r[0])) + string(r[1:])
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// say shows a short message.
func (w *Window) say(text string) { w.toasts.Show(text, look.Accent, "", nil) }

// build makes every part of the window and lays them out.
func (w *Window) build() {
	s := w.settings
	w.frame = &frame{dockWidth: s.DockWidth, dockOpen: !s.DockOff, stripOpen: !s.StripOff}
	w.top = newTopBar(w.table, map[string]func() []*fyne.MenuItem{"file.recent": w.recentItems})
	w.bar = newOptionBar(w.table, newToolOptions(w), w.setBrush, w.setOverlay, w.setShape)
	w.tools = newToolColumn(w.table)
	w.run = newRunPanel(w.table, w.scrub)
	w.status = newStatusBar()
	w.tips, w.toasts = control.NewTips(), control.NewToasts()
	w.welcome = newWelcome(w)
	w.photoBar = newPhotoBar(w)
	w.buildDock()
	w.buildStrip()
	w.buildPanes()

	stage := container.NewBorder(nil, container.NewVBox(w.photoBar.object, w.run.object), nil, nil, container.NewStack(w.panes.object, w.welcome.object))
	handle := control.NewHandle(true, func(d float32) {
		w.frame.dockWidth = min(dockMost, max(dockLeast, w.frame.dockWidth-d))
		w.root.Refresh()
	}, func() {
		s.DockWidth = w.frame.dockWidth
		w.saveSettings()
	})
	w.root = container.New(w.frame, w.top.object, w.bar.object, w.tools.object, stage,
		w.stripObject(), control.NewPanel(look.Surface, "left", w.dock), handle, w.status.object)
	w.win.SetPadded(false)
	w.win.SetContent(container.NewStack(w.root, w.toasts.Object(), w.tips.Object()))
	w.showAll()
}

// rebuild makes the parts anew, as after a change of language, and shows the
// present state in them.
func (w *Window) rebuild() {
	w.build()
	if w.stage != nil {
		w.stage.Restyle()
	}
	w.keys.register()
}

// buildDock makes the panels at the right.
func (w *Window) buildDock() {
	w.classes = control.NewClassList(control.ClassNames{
		Lock: words.T("class.lock"), Hide: words.T("class.hide"), Solo: words.T("class.solo"), Status: words.T("class.status"),
	})
	w.classes.OnSelect = func(id int) { w.chooseClass(uint8(id)) }
	w.classes.OnLock = func(id int) { w.toggleLock(uint8(id)) }
	w.classes.OnHide = func(id int) { w.toggleHide(uint8(id)) }
	w.classes.OnSolo = func(id int) { w.toggleSolo(uint8(id)) }
	w.classes.OnMenu = func(id int, at fyne.Position) { w.classMenu(uint8(id), at) }
	filter := newLine("")
	filter.SetPlaceHolder(words.T("class.filter"))
	filter.OnChanged = w.classes.SetFilter
	filter.escape = func() { filter.SetText(""); w.canvas().Unfocus() }
	filter.OnSubmitted = func(string) {
		if ids := w.classes.Shown(); len(ids) > 0 {
			w.chooseClass(uint8(ids[0]))
		}
		filter.SetText("")
		w.canvas().Unfocus()
	}
	w.filter = &filter.Entry
	w.filterFocus = func() { w.canvas().Focus(filter) }
	filterBox := container.New(&inset{6, 4}, filter)
	filterBox.Hide()
	classBody := container.NewBorder(filterBox, nil, nil, nil, container.NewVScroll(w.classes))
	showFilter := func() {
		w.dock.Open("classes")
		if filterBox.Visible() {
			filterBox.Hide()
			filter.SetText("")
		} else {
			filterBox.Show()
			w.filterFocus()
		}
		classBody.Refresh()
	}
	w.showFilter = func() {
		if !filterBox.Visible() {
			showFilter()
		} else {
			w.filterFocus()
		}
	}

	w.edits = control.NewEditStack(control.EditNames{
		On: words.T("edit.on"), Off: words.T("edit.off"), Refine: words.T("edit.refine"), Reset: words.T("edit.reset"),
		Up: words.T("edit.up"), Down: words.T("edit.down"), Remove: words.T("edit.remove"),
	}, control.EditEvents{
		Select: w.selectEdit, Strength: w.setStrength, Toggle: w.toggleEdit, Refine: w.refineEdit, Reset: w.resetEdit,
		Move: w.moveEdit, Remove: w.removeEdit, Menu: w.editMenu, Resolve: w.resolveConflict, Key: func(e *fyne.KeyEvent) { w.keys.typed(e) },
	}, words.T("edit.empty"))

	w.library = control.NewThumbs(66, false, true)
	w.library.Empty = words.T("library.empty")
	w.library.OnTap = w.applyVector
	w.library.OnMenu = w.vectorMenu
	w.library.Many = true
	search := newLine("")
	search.SetPlaceHolder(words.T("library.search"))
	search.OnChanged = func(string) { w.showLibrary() }
	search.escape = func() { search.SetText(""); w.canvas().Unfocus() }
	search.OnSubmitted = func(string) { w.canvas().Unfocus() }
	w.search = &search.Entry

	w.history = control.NewHistoryList()
	w.history.OnTap = func(key int) { w.jump(document.NodeID(key)) }

	run := func(id string) func() { return func() { w.table.Run(id) } }
	w.sect = map[string]*control.Section{
		"classes": {
			ID: "classes", Title: words.T("panel.classes"), Content: classBody, Least: 150, Weight: 220,
			Most:    func() float32 { return w.classes.MinSize().Height + filterBox.MinSize().Height*visible(filterBox) },
			Actions: []fyne.CanvasObject{control.NewSmallButton("search", words.T("class.filter"), showFilter)},
		},
		"edits": {
			ID: "edits", Title: words.T("panel.edits"), Content: container.NewVScroll(w.edits), Least: 70, Weight: 150,
			Most:    func() float32 { return w.edits.MinSize().Height + 4 },
			Actions: []fyne.CanvasObject{control.NewSmallButton("reset", words.T("action.vector.reset"), run("vector.reset"))},
		},
		"library": {
			ID: "library", Title: words.T("panel.library"), Least: 90, Weight: 90,
			Content: container.NewBorder(container.New(&inset{8, 2}, search), nil, nil, nil, container.New(&inset{0, 4}, w.library)),
			Actions: []fyne.CanvasObject{
				control.NewSmallButton("star", words.T("library.starred"), w.toggleStarred),
				control.NewSmallButton("import", words.T("action.vector.import"), run("vector.import")),
			},
		},
		"history": {
			ID: "history", Title: words.T("panel.history"), Content: w.history, Least: 40, Weight: 40,
			Actions: []fyne.CanvasObject{
				control.NewSmallButton("undo", words.T("action.edit.undo"), run("edit.undo")),
				control.NewSmallButton("redo", words.T("action.edit.redo"), run("edit.redo")),
			},
		},
	}
	w.dock = control.NewDock(w.sect["classes"], w.sect["edits"], w.sect["library"], w.sect["history"])
	w.dock.Restore(w.settings.Dock)
	w.dock.OnLayout = func() {
		w.settings.Dock = w.dock.State()
		w.saveSettings()
	}
}

// buildStrip makes the strip of samples and recent files.
func (w *Window) buildStrip() {
	w.strip = control.NewThumbs(statStripSide, true, false)
	w.strip.OnTap = w.openStrip
	w.seed = control.NewButton(control.Flat, "dice", words.T("strip.seed"), func() { w.table.Run("latent.random") })
	w.seed.Name = words.T("action.latent.random")
	w.seed.OnMenu = func(fyne.Position) { w.table.Run("latent.seed") }
}

// visible is 1 for an object that is shown, else 0.
func visible(o fyne.CanvasObject) float32 {
	if o.Visible() {
		return 1
	}
	return 0
}

const statStripSide = stripHeight - 22

func (w *Window) stripObject() fyne.CanvasObject {
	edit := control.NewSmallButton("more", words.T("action.latent.seed"), func() { w.table.Run("latent.seed") })
	return control.NewPanel(look.Surface, "top", container.NewBorder(nil, nil, nil,
		row(2, 6, w.seed, edit), container.New(&inset{8, 6}, w.strip)))
}

// inset keeps a margin around its one object.
type inset struct{ x, y float32 }

func (i *inset) MinSize(os []fyne.CanvasObject) fyne.Size {
	m := os[0].MinSize()
	return m.AddWidthHeight(2*i.x, 2*i.y)
}

func (i *inset) Layout(os []fyne.CanvasObject, z fyne.Size) {
	os[0].Move(fyne.NewPos(i.x, i.y))
	os[0].Resize(z.SubtractWidthHeight(2*i.x, 2*i.y))
}

// buildPanes makes the two views of the present document, or empty ones.
func (w *Window) buildPanes() {
	var picture, mask fyne.CanvasObject = control.NewPanel(look.SurfaceLow, "", container.NewWithoutLayout()), control.NewPanel(look.SurfaceLow, "", container.NewWithoutLayout())
	if w.stage != nil {
		picture, mask = w.picturePane, w.maskPane
	}
	w.panes = newPanes(picture, mask)
	w.panes.arrange(w.settings.View != "one", w.settings.View == "swapped")
}

// Stage is the stage that is painted on now; nil before the first picture. It must be
// called on the toolkit's goroutine.
func (w *Window) Stage() *view.Stage { return w.stage }

// newStage makes the stage and panes of a document.
func (w *Window) newStage(doc *document.Document) {
	if w.stage != nil {
		w.stage.Close()
	}
	w.painter = canvas.NewPainter(doc.Canvas())
	w.painter.OnCommit = w.painted
	w.painter.OnState = w.painterChanged
	width := doc.Space().Width
	w.painter.SetSize(max(1, int(w.settings.Brush*float64(width)+0.5)))
	w.painter.Brush.Shape = canvas.Shape(w.settings.Shape)
	w.painter.MoveWith = w.moveWith
	w.stage = view.NewStage(w.painter)
	w.stage.OnReadout = w.readout
	w.stage.OnPress = w.pressed
	w.stage.OnView = w.viewChanged
	w.stage.OnKey = w.paneKey
	w.stage.OnKeyDown = func(e *fyne.KeyEvent) {
		if e.Name != fyne.KeySpace && e.Name != desktop.KeyAltLeft && e.Name != desktop.KeyAltRight {
			w.keys.down(e)
		}
	}
	w.stage.OnKeyUp = func(e *fyne.KeyEvent) { w.keys.up(e) }
	w.picturePane = w.stage.NewPane(canvas.Look{Overlay: 0})
	w.maskPane = w.stage.NewPane(canvas.Look{Overlay: 1, Region: true})
	doc.Canvas().Subscribe(func(image.Rectangle) { w.areasDirty() })
}

// Start opens the model in the background and then the file, or a sample.
func (w *Window) Start() {
	w.welcome.show(words.T("welcome.loading"), false)
	w.openModel(w.settings.Model, w.options.File)
	w.tick()
}

// tick refreshes what depends on time.
func (w *Window) tick() {
	t := time.NewTicker(2 * time.Second)
	go func() {
		defer t.Stop()
		for {
			select {
			case <-w.ctx.Done():
				return
			case <-t.C:
				mb := resident()
				control.Do(func() { w.showMemory(mb) })
			}
		}
	}()
}

// resident returns the memory the process uses, in megabytes.
func resident() int {
	data, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		var total, res int
		if _, err := fmt.Sscan(string(data), &total, &res); err == nil {
			return res * os.Getpagesize() >> 20
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.Sys >> 20)
}

// showMemory shows the memory in use and when the document was saved. The window is drawn again only when a text
// changes, which is why the memory is told in steps.
func (w *Window) showMemory(mb int) {
	const step = 5 // MB
	memory, saved := fmt.Sprintf("%d MB", (mb+step/2)/step*step), ""
	switch {
	case w.doc == nil || !w.doc.HasPicture():
	case w.savedAt.IsZero():
		saved = words.T("status.unsaved")
	default:
		saved = words.T("status.saved", ago(w.savedAt))
	}
	if w.status.memory.Text == memory && w.status.saved.Text == saved {
		return
	}
	w.status.memory.Set(memory)
	w.status.saved.Set(saved)
	w.status.object.Refresh()
}

// libraryDir is where the vectors are kept.
func (w *Window) libraryDir() (string, error) {
	if w.options.Library != "" {
		return w.options.Library, nil
	}
	return vectors.DefaultDir()
}

// showTitle writes the document's name into the bar and the window's frame.
func (w *Window) showTitle() {
	name := words.T("title.untitled")
	if w.doc != nil {
		if w.path != "" {
			name = filepath.Base(w.path)
		} else if s := w.doc.Scene().Source; s.Kind == document.SeedSource {
			name = words.T("title.seed", s.Seed)
		} else if s.Name != "" {
			name = s.Name
		}
		if w.doc.Dirty() {
			name += " •"
		}
		if w.recording != 0 {
			name += "  ● " + words.T("title.recording")
		}
	}
	w.top.title.Set(name)
	w.top.object.Refresh()
	w.win.SetTitle(name + " – " + words.T("app.name"))
}
