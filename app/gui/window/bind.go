package window

import (
	"errors"
	"image"
	"math"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"

	"latentbrush/app/document"
	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/words"
	"latentbrush/canvas"
	"latentbrush/canvas/view"
)

var confirmEvent = canvas.Event{Kind: canvas.Confirm}

// bind gives every action of the table what it does in this window.
func (w *Window) bind() {
	open := func() bool { return w.doc != nil && w.stage != nil }
	picture := func() bool { return open() && w.doc.HasPicture() }
	ready := func() bool { return w.eng != nil }
	free := func() bool { return picture() && (w.job == nil || w.job.phase != running) }
	finished := func() bool {
		return w.job != nil && (w.job.phase == done || w.job.phase == paused) && len(w.job.run.Steps) > 0
	}
	set := func(id string, enabled func() bool, run func()) {
		w.table.Bind(id, action.Handler{Run: run, Enabled: enabled})
	}
	check := func(id string, enabled, checked func() bool, run func()) {
		w.table.Bind(id, action.Handler{Run: run, Enabled: enabled, Checked: checked})
	}

	set("file.open", nil, w.askOpen)
	set("file.recent", nil, w.findRecent)
	set("file.paste", nil, w.paste)
	set("file.model", nil, w.showModels)
	set("file.card", ready, w.showModels)
	set("file.save", picture, func() { w.save(w.path, nil) })
	set("file.save-as", picture, func() { w.save("", nil) })
	set("file.export", picture, w.showExport)
	set("file.sweep", func() bool { _, ok := w.current(); return picture() && ok }, w.exportSweep)
	set("file.timelapse", picture, w.exportTimelapse)
	set("file.sheet", picture, w.showContactSheet)
	check("file.record", picture, func() bool { return w.recording != 0 }, w.toggleRecording)
	set("file.script", picture, w.saveScript)
	set("file.settings", nil, w.showSettings)
	set("file.quit", nil, w.quitWindow)

	set("edit.undo", func() bool { return open() && (w.painter.Busy() || canUndo(w.doc)) }, w.undo)
	set("edit.redo", func() bool { return open() && canRedo(w.doc) }, w.redo)
	set("edit.cancel", nil, w.cancel)
	set("edit.keys", nil, w.showKeymap)

	set("class.previous", open, func() { w.painter.StepClass(-1); w.showTool() })
	set("class.next", open, func() { w.painter.StepClass(1); w.showTool() })
	set("class.swap", open, func() { w.painter.SwapClass(); w.showTool() })
	set("class.filter", open, func() { w.showFilter() })
	set("class.lock", open, func() { w.toggleLock(w.painter.Class()) })
	set("class.hide", open, func() { w.toggleHide(w.painter.Class()) })
	set("class.solo", open, func() { w.toggleSolo(w.painter.Class()) })
	check("class.protect", open, func() bool { return open() && w.doc.Scene().Protection.PreserveOthers }, w.toggleProtect)

	for _, id := range toolIDs {
		id := id
		check("tool."+id, open, func() bool { return open() && w.toolID() == id }, func() { w.useTool(id) })
	}
	set("tool.last", open, func() { w.painter.UsePrevious(); w.showTool() })
	for id, o := range map[string]struct {
		op string
		n  int
	}{"mask.grow": {"grow", 1}, "mask.shrink": {"shrink", 1}, "mask.smooth": {"smooth-class", 2}, "mask.islands": {"islands", 0}, "mask.holes": {"holes", 64}} {
		set(id, picture, func() { w.classOp(o.op, o.n) })
	}
	check("mask.symmetry", open, func() bool { return open() && w.doc.Scene().Symmetry.On }, w.toggleSymmetry)
	set("mask.copy", picture, w.copyPart)
	set("mask.paste", func() bool { return picture() && w.copied != nil }, w.pastePart)
	set("mask.reset", picture, func() { w.change(w.doc.Canvas().ResetLabels("reset")) })
	set("region.clear", picture, func() { w.change(w.doc.Canvas().ResetRegion("clear-region")) })
	set("region.leak", func() bool { return picture() && w.before != nil && w.shown != nil }, w.keepLeak)
	check("region.show", open, func() bool { return open() && w.maskPane.Look().Region }, func() {
		l := w.maskPane.Look()
		l.Region = !l.Region
		w.maskPane.SetLook(l)
	})

	set("run.start", free, w.startEdit)
	set("run.pause", func() bool { return w.job != nil && w.job.phase == running }, w.pauseJob)
	set("run.edit", finished, func() { w.accept(true) })
	set("run.accept", finished, func() { w.accept(false) })
	set("run.discard", finished, w.endJob)
	set("run.reopen", func() bool { return picture() && w.job == nil && len(w.doc.Scene().Choices) > 0 }, w.reopenRun)
	check("run.live", picture, func() bool { return w.live }, w.toggleLive)
	set("latent.random", ready, w.randomSeed)
	set("latent.seed", ready, w.askSeed)
	set("latent.embed", ready, w.askPhoto)
	set("photo.crop", w.hasPhoto, w.cropAgain)
	check("photo.difference", w.hasPhoto, func() bool { return w.photos.showing }, w.toggleDifference)
	check("photo.leftover", w.hasPhoto, func() bool { return !w.photos.keep }, w.toggleLeftover)
	set("photo.paste", w.hasPhoto, w.exportPhoto)

	set("vector.keep", func() bool { _, ok := w.current(); return picture() && (ok || finished()) }, w.keepVector)
	set("vector.import", ready, func() {
		w.askFile(dialogs.Request{Kind: dialogs.Open, Title: words.T("action.vector.import"), Filters: []dialogs.Filter{
			{Name: words.T("filter.vectors"), Exts: []string{"safetensors", "npy", "pickle", "pkl", "zip"}},
		}}, w.openPath)
	})
	any := func() bool { return w.lib != nil && len(w.library.Picked()) > 0 }
	one := func() bool { return w.lib != nil && len(w.library.Picked()) == 1 }
	set("vector.pack", any, w.exportPack)
	set("vector.examples", ready, w.learnFromExamples)
	set("vector.axes", picture, w.browseAxes)
	set("vector.part", picture, w.takePart)
	set("vector.about", one, func() { w.aboutVector(w.library.Picked()[0]) })
	set("vector.compare", func() bool { return w.lib != nil && len(w.library.Picked()) == 2 }, w.compareVectors)
	set("vector.combine", any, w.combineVectors)
	set("vector.rename", one, w.renameVector)
	set("vector.tags", any, w.tagVectors)
	set("vector.duplicate", any, w.duplicateVectors)
	set("vector.delete", any, w.deleteVectors)
	set("vector.trash", func() bool { return w.lib != nil }, w.showTrash)
	set("vector.export", func() bool { return w.lib != nil && w.library.Selected() != "" }, func() { w.exportVector(w.library.Selected()) })
	onEdit := func(f func(id string)) func() {
		return func() {
			if e, ok := w.current(); ok {
				f(strconvID(e.ID))
			}
		}
	}
	hasEdit := func() bool { _, ok := w.current(); return ok }
	set("vector.refine", hasEdit, onEdit(w.refineEdit))
	set("vector.toggle", hasEdit, onEdit(w.toggleEdit))
	set("vector.reset", hasEdit, func() { w.endJob(); w.doc.ResetStack(); w.journal() })
	set("vector.remove", hasEdit, onEdit(w.removeEdit))

	set("view.in", open, func() { w.stage.ZoomBy(1) })
	set("view.out", open, func() { w.stage.ZoomBy(-1) })
	set("view.fit", open, func() { w.stage.Fit() })
	for id, z := range map[string]float64{"view.100": 1, "view.200": 2, "view.400": 4, "view.800": 8} {
		set(id, open, func() { w.stage.ZoomTo(z) })
	}
	check("view.mirror", open, func() bool { return open() && w.stage.Mirrored() }, func() { w.stage.SetMirror(!w.stage.Mirrored()) })
	arrange := func(v string) func() {
		return func() {
			w.settings.View = v
			w.saveSettings()
			w.panes.arrange(v != "one", v == "swapped")
		}
	}
	check("view.two", nil, func() bool { return w.settings.View != "one" }, arrange("two"))
	check("view.one", nil, func() bool { return w.settings.View == "one" }, func() {
		arrange("one")()
		if w.settings.Overlay == 0 { // one view has to show the classes, too
			w.setOverlay(0.5)
		}
	})
	set("view.swap", nil, func() {
		if w.settings.View == "swapped" {
			arrange("two")()
		} else {
			arrange("swapped")()
		}
	})
	set("view.compare", picture, func() { w.stage.CycleCompare(); w.showView() })
	set("view.overlay-down", open, func() { w.setOverlay(step10(w.settings.Overlay, -1)) })
	set("view.overlay-up", open, func() { w.setOverlay(step10(w.settings.Overlay, 1)) })
	check("view.contour", open, func() bool { return open() && w.picturePane.Look().Contour }, func() {
		w.setContour(!w.contour)
	})
	check("view.doubt", picture, func() bool { return w.sights.doubt }, w.toggleDoubt)
	check("view.suggest", picture, func() bool { return open() && w.stage.Suggesting() }, w.toggleSuggest)
	set("mask.suggest", func() bool {
		if !picture() {
			return false
		}
		_, ok := w.stage.Suggestion()
		return ok
	}, w.acceptSuggestion)
	check("mask.snap", open, func() bool { return open() && w.painter.Snap > 0 }, w.toggleSnap)
	check("view.leak", picture, func() bool { return w.leakOn }, w.toggleLeak)
	check("view.dock", nil, func() bool { return w.frame.dockOpen }, func() {
		w.frame.dockOpen = !w.frame.dockOpen
		w.settings.DockOff = !w.frame.dockOpen
		w.saveSettings()
		w.root.Refresh()
	})
	check("view.strip", nil, func() bool { return w.frame.stripOpen }, func() {
		w.frame.stripOpen = !w.frame.stripOpen
		w.settings.StripOff = !w.frame.stripOpen
		w.saveSettings()
		w.root.Refresh()
	})

	set("help.palette", nil, func() { w.showPalette() })
	set("help.keys", nil, w.showKeys)
	set("help.about", nil, w.showAbout)

	size := func(f func(int) int) func() {
		return func() { w.setBrush(float64(f(w.painter.Brush.Size))) }
	}
	set("brush.smaller", open, size(canvas.SmallerSize))
	set("brush.larger", open, size(canvas.LargerSize))
	set("brush.half", open, size(func(n int) int { return n / 2 }))
	set("brush.double", open, size(func(n int) int { return n * 2 }))
	set("brush.shape", open, func() { w.setShape((w.settings.Shape + 1) % 3) })

	hold := func(id string, enabled func() bool, on, off func()) {
		w.table.Bind(id, action.Handler{Run: on, End: off, Enabled: enabled})
	}
	// While the pane has the keyboard it pans and picks by itself.
	hold("hold.pan", open, func() { w.holdPan(true) }, func() { w.holdPan(false) })
	hold("hold.pick", open, func() { w.painter.Hold(w.painter.AltTool()) }, func() { w.painter.LetGo() })
	hold("hold.before", picture, func() { w.stage.HoldBefore(true) }, func() { w.stage.HoldBefore(false) })
	hold("hold.overlay", open, func() { w.stage.Peek(true) }, func() { w.stage.Peek(false) })
}

// canUndo reports whether there is a step to take back; the empty document before
// the first picture is not gone back to.
func canUndo(d *document.Document) bool {
	if _, ok := d.UndoLabel(); !ok {
		return false
	}
	n, _ := d.Node(d.Current())
	p, ok := d.Node(n.Parent)
	return ok && p.Parent != 0
}

func canRedo(d *document.Document) bool { _, ok := d.RedoLabel(); return ok }

func step10(v float64, n int) float64 { return min(1, max(0, (math.Round(v*10)+float64(n))/10)) }

// cancel gives up what is in progress, the innermost first: a sheet, a menu, a
// stroke, a run, an export, a comparison.
func (w *Window) cancel() {
	switch {
	case control.TopSheet() != nil:
		control.TopSheet().Dismiss()
	case w.top.menu.IsOpen():
		w.top.menu.Close()
	case w.stage != nil && w.stage.Cancel():
	case w.job != nil && (w.job.phase == running || w.job.phase == paused):
		w.endJob()
		w.setJobNote(words.T("status.cancelled"))
	case w.stopExport != nil:
		w.stopExport()
		w.stopExport = nil
		w.setJobNote(words.T("status.cancelled"))
	case w.stage != nil && w.stage.Compare() != view.CompareOff:
		w.stage.SetCompare(view.CompareOff)
		w.showView()
	default:
		w.toasts.Hide()
	}
}

// paneKey gets keys typed into a pane; false leaves them to it.
func (w *Window) paneKey(e *fyne.KeyEvent) bool {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		if w.painter.Busy() || len(w.painter.Outline()) > 0 {
			return false
		}
	case fyne.KeyEscape:
		if w.painter.Busy() || len(w.painter.Outline()) > 0 {
			return false
		}
	case fyne.KeyBackspace, fyne.KeyLeft, fyne.KeyRight, fyne.KeyUp, fyne.KeyDown:
		return false
	}
	w.keys.typed(e)
	return true
}

// toolID is the tool in use, "region" and "keep" for painting the free and the
// keep layer and "hand" for panning.
func (w *Window) toolID() string {
	switch {
	case w.handOn:
		return "hand"
	case w.painter.Layer == canvas.MarkFree:
		return "region"
	case w.painter.Layer == canvas.MarkKeep:
		return "keep"
	}
	return w.painter.Chosen().ID()
}

func (w *Window) useTool(id string) {
	w.handOn = id == "hand"
	w.holdPan(w.handOn)
	switch id {
	case "hand":
	case "region":
		w.useMarks(canvas.MarkFree)
	case "keep":
		w.useMarks(canvas.MarkKeep)
	case "erase":
		// On a layer the eraser takes marks away; the second time it is the
		// ordinary one.
		if w.painter.Chosen().ID() == id {
			w.painter.Layer = canvas.Paint
		}
		w.check(w.painter.Use(id))
	default:
		w.painter.Layer = canvas.Paint
		if err := w.painter.Use(id); err != nil {
			w.fail(err)
		}
	}
	w.showTool()
}

// showTool shows tool, class and brush.
func (w *Window) showTool() {
	if w.painter == nil {
		w.tools.set("brush")
		w.showMarks()
		return
	}
	w.tools.set(w.toolID())
	w.showMarks()
	w.bar.setSize(w.painter.Brush.Size)
	w.bar.setShape(int(w.painter.Brush.Shape))
	_, ringed := w.painter.Chosen().(canvas.Ringed)
	w.bar.setBrush(ringed && !w.handOn)
	w.bar.tool.show(w)
	k := w.painter.Class()
	if cs := w.doc.Space().Classes; int(k) < len(cs) {
		w.bar.setClass(className(cs[k].Name), cs[k].Colour)
	}
	switch w.painter.Layer {
	case canvas.MarkKeep:
		w.bar.setClass(words.T("action.tool.keep"), canvas.KeepTone)
	case canvas.MarkFree:
		w.bar.setClass(words.T("action.tool.region"), canvas.FreeTone)
	}
	w.classes.SetCurrent(int(k))
	sc := w.doc.Scene()
	w.bar.setSwitch(w.bar.protect, sc.Protection.PreserveOthers)
	w.bar.setSwitch(w.bar.symmetry, sc.Symmetry.On)
	w.bar.object.Refresh()
}

// toolSight is what the option bar shows of the painter.
type toolSight struct {
	id, with            string
	class               uint8
	brush               canvas.Brush
	everywhere, outline bool
	reach, hole, snap   int
}

// painterChanged is called at every event of the pointer; the option bar is drawn
// anew only when it shows something else.
func (w *Window) painterChanged() {
	if w.painter.Brush.Size != int(w.bar.size.Value) {
		w.settings.Brush = float64(w.painter.Brush.Size) / float64(max(1, w.doc.Space().Width))
	}
	p := w.painter
	now := toolSight{w.toolID(), p.Chosen().ID(), p.Class(), p.Brush, p.FillEverywhere, len(p.Outline()) > 0, p.SmoothRadius, p.HoleClass, p.Snap}
	if now != w.sight {
		w.sight = now
		w.showTool()
	}
}

func (w *Window) chooseClass(id uint8) {
	w.painter.SetClass(id)
	w.showTool()
}

func (w *Window) protection(f func(*canvas.Protection)) {
	p := w.doc.Scene().Protection
	f(&p)
	w.doc.SetProtection(p)
	w.journal()
	w.showTool()
}

func (w *Window) toggleLock(id uint8) {
	w.protection(func(p *canvas.Protection) { p.Locked[id] = !p.Locked[id] })
}

func (w *Window) toggleHide(id uint8) {
	w.protection(func(p *canvas.Protection) { p.Hidden[id] = !p.Hidden[id] })
}

func (w *Window) toggleSolo(id uint8) {
	w.protection(func(p *canvas.Protection) {
		if p.Solo == int(id) {
			p.Solo = canvas.NoClass
		} else {
			p.Solo = int(id)
		}
	})
}

func (w *Window) toggleProtect() {
	w.protection(func(p *canvas.Protection) { p.PreserveOthers = !p.PreserveOthers })
}

func (w *Window) toggleSymmetry() {
	s := w.doc.Scene().Symmetry
	s.On = !s.On
	w.doc.SetSymmetry(s)
	w.showTool()
}

// moveWith takes the parts of an eye along with it.
func (w *Window) moveWith(class uint8) []uint8 {
	cs := w.doc.Space().Classes
	name := cs[class].Name
	side, ok := strings.CutPrefix(name, "eye_")
	if !ok {
		return nil
	}
	var out []uint8
	for _, c := range cs {
		if c.Name == "iris_"+side || c.Name == "pupil_"+side {
			out = append(out, c.ID)
		}
	}
	return out
}

// classOp runs an operation on the class being painted, by n pixels.
func (w *Window) classOp(op string, n int) {
	if w.painter.Busy() {
		return
	}
	class := w.painter.Class()
	ch, err := document.ClassOp(w.doc.Canvas(), op, class, n)
	if ch == nil || err != nil {
		w.change(nil, err)
		return
	}
	w.check(w.doc.As(w.doc.OpLine(op, class, n), func() error { w.painted(ch); return nil }))
}

func (w *Window) change(ch *canvas.Change, err error) {
	if err != nil {
		w.fail(err)
		return
	}
	if ch != nil {
		w.painted(ch)
	}
}

// paintMask paints a whole label map, pixel by pixel where it differs.
func (w *Window) paintMask(m *image.Paletted) (*canvas.Change, error) {
	c := w.doc.Canvas()
	e, err := c.Begin(canvas.Ink{Kind: canvas.Paint})
	if err != nil {
		return nil, err
	}
	now := c.LabelsCopy()
	b := c.Bounds()
	if m.Rect != b {
		e.Cancel()
		return nil, errors.New(words.T("open.mask-size", m.Rect.Dx(), m.Rect.Dy(), b.Dx(), b.Dy()))
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			i := y*b.Dx() + x
			if m.Pix[i] != now.Pix[i] {
				e.Put(x, y, m.Pix[i])
			}
		}
	}
	e.Flush()
	return e.Commit("mask"), nil
}

func (w *Window) setBrush(px float64) {
	if w.painter == nil {
		return
	}
	w.painter.SetSize(int(px))
	w.settings.Brush = float64(w.painter.Brush.Size) / float64(w.doc.Space().Width)
	w.bar.setSize(w.painter.Brush.Size)
}

func (w *Window) setShape(i int) {
	w.settings.Shape = i
	if w.painter != nil {
		w.painter.Brush.Shape = canvas.Shape(i)
	}
	w.bar.setShape(i)
}

// setOverlay sets how much the class colours cover the picture.
func (w *Window) setOverlay(v float64) {
	w.settings.Overlay = v
	w.bar.setOverlay(v)
	if w.picturePane != nil {
		l := w.picturePane.Look()
		l.Overlay = v
		w.picturePane.SetLook(l)
	}
}

// setContour draws the classes' outlines alone, in both views.
func (w *Window) setContour(on bool) {
	w.contour = on
	for _, p := range []*view.Pane{w.picturePane, w.maskPane} {
		l := p.Look()
		l.Contour = on
		p.SetLook(l)
	}
}

// viewChanged shows zoom and comparison after the panes changed them.
func (w *Window) viewChanged() { w.showView() }

func (w *Window) showView() {
	w.bar.setOverlay(w.settings.Overlay)
	if w.stage == nil {
		w.bar.compare.Text = words.T("compare.off")
		w.bar.compare.Refresh()
		return
	}
	v := w.stage.Viewport()
	w.bar.setZoom(v.Zoom(), v.Fitting())
	mode := []string{"off", "split", "side"}[int(w.stage.Compare())%3]
	w.bar.compare.Text = words.T("compare." + mode)
	w.bar.compare.Active = mode != "off"
	w.bar.compare.Refresh()
	note := ""
	if mode != "off" {
		note = words.T("pane.compare")
	}
	w.panes.picture.note.Set(note)
	w.bar.object.Refresh()
}

// readout shows what is under the pointer above the mask.
func (w *Window) readout(r view.Readout, ok bool) {
	if !ok || !r.Inside {
		w.panes.mask.note.Set("")
		return
	}
	t := className(w.doc.Space().Classes[r.Class].Name)
	if r.Known {
		t += " · " + strconv.FormatFloat(r.Confidence, 'f', 2, 64)
	}
	t += " · (" + strconv.Itoa(r.X) + ", " + strconv.Itoa(r.Y) + ")"
	w.panes.mask.note.Set(t)
}

// toggleLive switches live mode: optimisation by itself after a stroke.
func (w *Window) toggleLive() {
	w.live = !w.live
	s := w.doc.Scene().Settings
	s.Live = w.live
	w.doc.SetSettings(s)
	w.run.setLive(w.live)
	if w.live {
		if t, err := w.doc.Task(); err == nil && (anySet(t.Touched) || anySet(t.Free)) {
			w.strokeDone()
		}
	}
}

// askSeed asks for a seed by number.
func (w *Window) askSeed() {
	now := ""
	if w.doc != nil && w.doc.Scene().Source.Kind == document.SeedSource {
		now = strconv.FormatUint(w.doc.Scene().Source.Seed, 10)
	}
	w.prompt(words.T("action.latent.seed"), words.T("seed.text"), now, words.T("ok"), func(t string) {
		seed, err := strconv.ParseUint(t, 10, 64)
		if err != nil {
			w.fail(errors.New(words.T("seed.wrong", t)))
			return
		}
		w.openSeed(seed)
		w.fillStrip(seed)
	})
}

// findRecent lists the recent files to choose from.
func (w *Window) findRecent() {
	if len(w.settings.Recents) == 0 {
		w.say(words.T("recent.none"))
		return
	}
	control.ShowFinder(w.canvas(), words.T("recent.hint"), words.T("finder.none"), func(q string) []control.FinderRow {
		var rows []control.FinderRow
		for _, t := range w.recentThumbs() {
			if _, ok := action.Fuzzy(q, t.Name); ok {
				rows = append(rows, control.FinderRow{Key: t.Key, Text: t.Name, Note: t.Key, Icon: "panel-history", Disabled: t.Faded})
			}
		}
		return rows
	}, w.openPath)
}

// holdPan makes dragging pan, as holding the space bar on a pane does.
func (w *Window) holdPan(on bool) {
	e := &fyne.KeyEvent{Name: fyne.KeySpace}
	if on || w.handOn {
		w.maskPane.KeyDown(e)
	} else {
		w.maskPane.KeyUp(e)
	}
}
