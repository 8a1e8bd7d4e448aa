package window

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"golang.org/x/image/draw"

	"latentbrush/app/document"
	"latentbrush/app/document/perform"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas"
	"latentbrush/canvas/view"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// studio is the window's working state: the open engine, the document, the panes,
// and what is going on between them.
type studio struct {
	ctx  context.Context
	quit context.CancelFunc

	eng     Engine
	info    engine.Info
	model   string // path of the open model, empty for the default
	opening int    // counts model openings; older ones are dropped

	doc     *document.Document
	unsub   func()
	painter *canvas.Painter
	stage   *view.Stage
	watcher Watcher

	picturePane, maskPane *view.Pane

	shown   *image.RGBA // the picture in the panes
	wanted  latent.Code // the code that the panes should show
	before  *image.RGBA // the picture at the code before the edits
	beforeK *float32    // of which code it is
	lastMS  float64
	jobNote string

	photos darkroom
	shelf  shelf

	lib     *vectors.Library
	starred bool
	thumbs  map[string]image.Image

	job       *job
	recording document.NodeID // at which a recording began, 0 for none
	live      bool
	liveSeq   int

	sampleSeeds []uint64
	sampleThumb map[uint64]image.Image
	sampleSeq   int
	stripSeq    int
	strips      map[document.EditID][]image.Image

	path      string
	savedAt   time.Time
	selected  document.EditID
	areaStale bool
	nodeThumb map[document.NodeID]nodeThumb

	copied                  *copiedPart
	sight                   toolSight
	filterFocus, showFilter func()
	leakOn                  bool
	sights                  sights
	dragging                bool // a slider moves, and pictures wait for its end
	lastTouch               time.Time
	lastDir                 string
	handOn, contour         bool
	journalOf               *document.Document
	recentImages            map[string]image.Image
	stopExport              context.CancelFunc // ends the film or contact sheet that is being made
}

type nodeThumb struct {
	of  *byte
	img image.Image
}

// later runs f on the window's goroutine unless the window was closed.
func (w *Window) later(f func()) {
	control.Do(func() {
		if w.ctx.Err() == nil {
			f()
		}
	})
}

// openModel opens a model in the background; then the file, or a sample.
func (w *Window) openModel(path, file string) {
	w.opening++
	seq := w.opening
	if w.options.Open == nil {
		w.welcome.show(words.T("welcome.no-engine"), false)
		return
	}
	w.setJobNote(words.T("status.opening"))
	w.top.model.Text = words.T("model.loading")
	w.top.model.Refresh()
	go func() {
		eng, err := w.options.Open(w.ctx, path)
		w.later(func() {
			if seq != w.opening {
				if err == nil {
					go eng.Close()
				}
				return
			}
			w.setJobNote("")
			if err != nil {
				w.log(err.Error())
				w.top.model.Text = words.T("model.none")
				w.top.model.Refresh()
				switch {
				case w.eng != nil:
					w.fail(err)
				case path != "": // the one that comes with the program is always there
					w.fail(errors.New(words.T("model.fallback", sentence(err))))
					w.openModel("", file)
				default:
					w.welcome.show(words.T("welcome.failed", sentence(err)), false)
				}
				w.showDevice()
				return
			}
			w.settings.Model = path
			w.saveSettings()
			w.closeDocument()
			w.useEngine(eng, path)
			w.offerRecovery()
			if file != "" {
				w.openPath(file)
			} else {
				seed := w.options.Seed
				if seed == 0 {
					seed = 7
				}
				w.openSeed(seed)
			}
		})
	}()
}

// useEngine makes eng the open engine, with an empty document.
func (w *Window) useEngine(eng Engine, path string) {
	w.closeEngine()
	w.eng, w.info, w.model = eng, eng.Info(), path
	if err := w.openLibrary(); err != nil {
		w.fail(err)
	}
	doc, err := document.New(perform.Space(w.info))
	if err != nil {
		w.fail(err)
		return
	}
	w.useDocument(doc, "")
	w.watcher = eng.Watch(func(f engine.Frame, err error) { w.later(func() { w.delivered(f, err) }) })
	w.top.model.Text = w.info.Manifest.Name
	w.top.model.Refresh()
	w.showDevice()
	w.welcome.show("", true)
	w.fillStrip(w.sampleStart())
}

func (w *Window) sampleStart() uint64 {
	if w.options.Seed != 0 {
		return w.options.Seed
	}
	return 7
}

// closeEngine ends what hangs on the open engine and closes it.
func (w *Window) closeEngine() {
	w.endJob()
	w.sampleSeq++
	w.stripSeq++
	if w.watcher != nil {
		wa := w.watcher
		w.watcher = nil
		go wa.Close()
	}
	if w.eng != nil {
		e := w.eng
		w.eng = nil
		go e.Close()
	}
}

// useDocument shows a document.
func (w *Window) useDocument(doc *document.Document, path string) {
	w.endJob()
	if w.unsub != nil {
		w.unsub()
	}
	w.doc, w.path, w.recording = doc, path, 0
	doc.SetHistoryLimits(0, w.settings.Memory<<20)
	w.strips = map[document.EditID][]image.Image{}
	w.nodeThumb = map[document.NodeID]nodeThumb{}
	w.before, w.beforeK, w.shown = nil, nil, nil
	w.wanted = latent.Code{}
	w.newStage(doc)
	w.newSights()
	w.unsub = doc.Subscribe(w.changed)
	w.buildPanesInto()
	w.restoreView()
	w.showThumb()
	w.showAll()
	if doc.HasPicture() {
		w.wantCode(doc.Code())
	}
}

// buildPanesInto puts the panes of the present stage into the window.
func (w *Window) buildPanesInto() {
	w.panes.picture.body, w.panes.mask.body = w.picturePane, w.maskPane
	w.panes.object.Objects[2], w.panes.object.Objects[4] = w.picturePane, w.maskPane
	w.panes.object.Refresh()
}

// wantCode asks for the picture of a code; the newest wins.
func (w *Window) wantCode(c latent.Code) {
	w.wanted = c
	if w.watcher != nil && !c.Empty() {
		w.watcher.Show(c)
	}
}

func sameCode(a, b latent.Code) bool {
	if len(a.Data) != len(b.Data) {
		return false
	}
	return len(a.Data) == 0 || &a.Data[0] == &b.Data[0] || slices.Equal(a.Data, b.Data)
}

// delivered shows a frame that the engine made.
func (w *Window) delivered(f engine.Frame, err error) {
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			w.fail(err)
		}
		return
	}
	if w.doc == nil || w.stage == nil {
		return
	}
	w.lastMS = float64(f.Elapsed.Microseconds()) / 1000
	w.showDevice()
	w.photos.now = f.Labels
	if !sameCode(f.Code, w.sights.of) {
		w.dropGuess()
	}
	if !sameCode(f.Code, w.wanted) {
		w.showPicture(f.Picture)
		return
	}
	w.showPicture(f.Picture)
	if f.Preview || w.job != nil || !sameCode(f.Code, w.doc.Code()) {
		return
	}
	if f.Labels != nil && w.doc.LabelsStale() {
		if err := w.doc.SyncLabels(f.Code, f.Labels); err != nil {
			w.fail(err)
		}
	}
	if err := w.doc.SetThumb(f.Picture); err != nil {
		w.log(err.Error())
	}
	w.showHistory()
	w.updateBefore()
	w.scheduleStrips()
	w.askGuess()
}

// showPicture puts a picture into the panes, at the document's size.
func (w *Window) showPicture(m *image.RGBA) {
	if m == nil || w.stage == nil {
		return
	}
	size := w.doc.Canvas().Bounds()
	if m.Rect != size {
		big := image.NewRGBA(size)
		draw.BiLinear.Scale(big, size, m, m.Rect, draw.Src, nil)
		m = big
	}
	w.shown = w.developed(m)
	if err := w.stage.SetPicture(w.seen(w.shown)); err != nil {
		w.log(err.Error())
	}
	w.showLeak()
}

// showThumb shows the present step's thumbnail until the picture is made.
func (w *Window) showThumb() {
	n, ok := w.doc.Node(w.doc.Current())
	if !ok || len(n.Thumb) == 0 {
		return
	}
	small, err := jpeg.Decode(bytes.NewReader(n.Thumb))
	if err != nil {
		return
	}
	m := image.NewRGBA(w.doc.Canvas().Bounds())
	draw.BiLinear.Scale(m, m.Rect, small, small.Bounds(), draw.Src, nil)
	if err := w.stage.SetPicture(m); err != nil {
		w.log(err.Error())
	}
}

// updateBefore renders the picture before all edits, for comparing.
func (w *Window) updateBefore() {
	s := w.doc.Scene()
	if s.Start.Empty() || w.eng == nil {
		return
	}
	k := &s.Start.Data[0]
	if w.beforeK == k {
		return
	}
	start := w.firstCode()
	w.beforeK = k
	eng := w.eng
	go func() {
		f, err := eng.Render(w.ctx, start, engine.RenderOptions{})
		if err != nil {
			return
		}
		w.later(func() {
			if w.hasPhoto() && w.photos.cut != nil { // the photo itself is what was before
				return
			}
			if w.beforeK == k && w.stage != nil && f.Picture.Rect == w.doc.Canvas().Bounds() {
				w.before = f.Picture
				if err := w.stage.SetBefore(f.Picture); err != nil {
					w.log(err.Error())
				}
			}
		})
	}()
}

// firstCode is the code before all edits, those accepted into the picture included.
func (w *Window) firstCode() latent.Code {
	s := w.doc.Scene()
	for _, c := range s.Choices {
		if c.Run != nil && c.Edit == 0 {
			return c.Run.Start
		}
	}
	return s.Start
}

// openSeed opens the random picture of a seed.
func (w *Window) openSeed(seed uint64) {
	if w.eng == nil {
		w.say(words.T("no-model"))
		return
	}
	eng, doc := w.eng, w.doc
	psi := w.truncation()
	code := eng.Sample(seed, psi)
	w.setJobNote(words.T("status.sampling", seed))
	go func() {
		f, err := eng.Render(w.ctx, code, engine.RenderOptions{})
		w.later(func() {
			w.setJobNote("")
			if err != nil {
				w.fail(err)
				return
			}
			if doc != w.doc {
				return
			}
			w.setPicture(document.Source{Kind: document.SeedSource, Name: strconv.FormatUint(seed, 10), Seed: seed, Truncation: psi}, f)
		})
	}()
}

// truncation is the model's own for random pictures.
func (w *Window) truncation() float64 {
	if psi := w.info.Manifest.Truncation.Psi; psi != 0 {
		return psi
	}
	return 0.7
}

// setPicture makes a frame the document's picture.
func (w *Window) setPicture(src document.Source, f engine.Frame) {
	w.endJob()
	if f.Labels == nil {
		f.Labels = image.NewPaletted(f.Picture.Rect, w.doc.Space().Palette())
	}
	w.wanted = f.Code
	w.photos.now = f.Labels
	w.showPicture(f.Picture)
	if err := w.doc.SetPicture(src, f.Code, f.Labels); err != nil {
		w.fail(err)
		return
	}
	if err := w.doc.SetThumb(f.Picture); err != nil {
		w.log(err.Error())
	}
	w.lastMS = float64(f.Elapsed.Microseconds()) / 1000
	w.before, w.beforeK = f.Picture, &f.Code.Data[0]
	if err := w.stage.SetBefore(f.Picture); err != nil {
		w.log(err.Error())
	}
	w.newSights()
	w.askGuess()
	w.welcome.hide()
	w.showAll()
	w.trace("picture %s", src.Name)
	w.traceMask()
}

// traceMask notes where the picture lies in the mask pane.
func (w *Window) traceMask() {
	w.traceAt("mask", func() (fyne.CanvasObject, fyne.Position, fyne.Size) {
		p, b := w.maskPane, w.doc.Canvas().Bounds()
		from := p.PositionOf(canvas.Point{})
		to := p.PositionOf(canvas.Point{X: float64(b.Dx()), Y: float64(b.Dy())})
		return p, from, fyne.NewSize(to.X-from.X, to.Y-from.Y)
	})
}

// changed is the document's notification.
func (w *Window) changed(a document.Aspect) {
	if a&(document.Code|document.Picture) != 0 {
		w.touch()
		if w.job != nil && !w.job.own {
			w.endJob()
		}
		if code := w.doc.Code(); !code.Empty() && !w.dragging && !sameCode(code, w.wanted) {
			w.wantCode(code)
		}
		w.strips = map[document.EditID][]image.Image{}
		w.stripSeq++
	}
	if a&document.Picture != 0 {
		w.showSeed()
		w.showPhoto()
	}
	if a&(document.Stack|document.Code|document.Picture) != 0 {
		w.showEdits()
	}
	if a&(document.Protection|document.Notes) != 0 {
		w.stage.Restyle()
		w.showClasses()
	}
	if a&document.Options != 0 {
		w.run.setLive(w.doc.Scene().Settings.Live)
	}
	if a&(document.Choices|document.Code|document.Picture) != 0 {
		w.showLastRun()
	}
	if a&document.History != 0 {
		w.showHistory()
		w.areasDirty()
	}
	if a&(document.File|document.Picture|document.History) != 0 {
		w.showTitle()
	}
}

// painted takes a finished stroke into the document.
func (w *Window) painted(ch *canvas.Change) {
	w.doc.Painted(ch)
	w.showLeak()
	if ch != nil {
		w.trace("painted %s", ch.Name())
	}
	w.journal()
	w.strokeDone()
}

// showAll shows the whole state in the window's parts.
func (w *Window) showAll() {
	w.showTitle()
	w.showDevice()
	w.showClasses()
	w.showEdits()
	w.showLibrary()
	w.showHistory()
	w.showTool()
	w.showSeed()
	w.showPhoto()
	w.showView()
	w.showStrip()
	w.run.setLive(w.live)
	if w.job == nil {
		w.run.set(idle)
	}
	w.run.setGuess(w.guesses())
	if w.eng != nil {
		w.top.model.Text = w.info.Manifest.Name
		w.top.model.Refresh()
	}
	if w.doc != nil && w.doc.HasPicture() {
		w.welcome.hide()
	} else if w.eng != nil {
		w.welcome.show("", true)
	} else if w.opening > 0 {
		w.welcome.object.Show()
	}
}

func (w *Window) setJobNote(s string) {
	w.jobNote = s
	w.status.job.Set(s)
	w.status.object.Refresh()
}

// showDevice writes device and time per picture into the pill and the status bar.
func (w *Window) showDevice() {
	b := w.top.device
	if w.eng == nil {
		b.Swatch = look.C(look.TextFaint)
		b.Text, b.Name = words.T("device.none"), words.T("device.none")
		w.status.frame.Set("")
	} else {
		w.info = w.eng.Info()
		b.Swatch = look.C(look.Good)
		ms := ""
		if w.lastMS > 0 {
			ms = fmt.Sprintf(" · %.0f ms", w.lastMS)
			w.status.frame.Set(words.T("status.frame", fmt.Sprintf("%.0f", w.lastMS)))
		}
		b.Text = w.info.Device.String() + ms
		why := ""
		for _, t := range w.info.Trials {
			if !t.Usable && t.Reason != "" {
				why += "  " + t.Device.String() + ": " + t.Reason + "."
			}
		}
		b.Name = words.T("device.on", w.info.Device.String(), w.info.Version) + why
	}
	b.Refresh()
	w.top.object.Refresh()
	w.status.object.Refresh()
}

// showSeed shows the seed of the present picture.
func (w *Window) showSeed() {
	text := words.T("strip.seed")
	key := ""
	if w.doc != nil {
		if s := w.doc.Scene().Source; s.Kind == document.SeedSource {
			text = words.T("strip.seed-is", s.Seed)
			key = seedKey(s.Seed)
		}
	}
	w.seed.Text = text
	w.seed.Refresh()
	w.strip.Select(key)
	w.root.Refresh()
}

// randomSeed opens a picture nobody has seen.
func (w *Window) randomSeed() {
	seed := rand.Uint64N(1_000_000)
	w.openSeed(seed)
	w.fillStrip(seed)
}

func seedKey(s uint64) string { return "seed:" + strconv.FormatUint(s, 10) }

// stripCount is how many samples the strip holds.
const stripCount = 24

// fillStrip makes the samples of the strip, one after the other and only while
// nothing else runs.
func (w *Window) fillStrip(first uint64) {
	if w.eng == nil {
		return
	}
	w.sampleSeq++
	seq := w.sampleSeq
	w.sampleSeeds = w.sampleSeeds[:0]
	for i := range uint64(stripCount) {
		w.sampleSeeds = append(w.sampleSeeds, first+i)
	}
	if w.sampleThumb == nil {
		w.sampleThumb = map[uint64]image.Image{}
	}
	if len(w.sampleThumb) > 400 {
		w.sampleThumb = map[uint64]image.Image{}
	}
	w.showStrip()
	eng := w.eng
	psi := w.truncation()
	todo := slices.DeleteFunc(slices.Clone(w.sampleSeeds), func(s uint64) bool { return w.sampleThumb[s] != nil })
	go func() {
		for _, s := range todo {
			if !w.waitIdle(func() bool { return seq == w.sampleSeq }) {
				return
			}
			f, err := eng.Render(w.ctx, eng.Sample(s, psi), engine.RenderOptions{})
			if err != nil {
				return
			}
			t := thumb(f.Picture, 96)
			w.later(func() {
				if seq == w.sampleSeq {
					w.sampleThumb[s] = t
					w.showStrip()
					if f.Elapsed > 0 { // the first picture took the time that preparing takes, too
						w.lastMS = float64(f.Elapsed.Microseconds()) / 1000
						w.showDevice()
					}
				}
			})
		}
	}()
}

// waitIdle waits, on a goroutine of its own, until no job and no gesture is going
// on. It is false when there is nothing to wait for any more.
func (w *Window) waitIdle(still func() bool) bool {
	for {
		ok, free := true, false
		control.DoAndWait(func() {
			if w.ctx.Err() != nil || !still() {
				ok = false
				return
			}
			free = control.TopSheet() == nil && (w.job == nil || w.job.phase != running) && (w.painter == nil || !w.painter.Busy()) &&
				time.Since(w.touched()) > 150*time.Millisecond
		})
		if !ok || free {
			return ok
		}
		select {
		case <-w.ctx.Done():
			return false
		case <-time.After(60 * time.Millisecond):
		}
	}
}

// touched is when the user last moved a slider.
func (w *Window) touched() time.Time { return w.lastTouch }

// thumb scales a picture to a square of the given side.
func thumb(m image.Image, side int) *image.RGBA {
	t := image.NewRGBA(image.Rect(0, 0, side, side))
	b := m.Bounds()
	if d := b.Dx() - b.Dy(); d > 0 {
		b.Min.X += d / 2
		b.Max.X = b.Min.X + b.Dy()
	} else if d < 0 {
		b.Max.Y = b.Min.Y + b.Dx()
	}
	draw.ApproxBiLinear.Scale(t, t.Rect, m, b, draw.Src, nil)
	if b.Dx() > 2*side {
		draw.CatmullRom.Scale(t, t.Rect, m, b, draw.Src, nil)
	}
	return t
}

// showStrip shows the samples and, before them, the recent files.
func (w *Window) showStrip() {
	var items []control.Thumb
	for _, s := range w.sampleSeeds {
		items = append(items, control.Thumb{
			Key: seedKey(s), Name: words.T("strip.seed-is", s), Image: w.sampleThumb[s], Detail: words.T("strip.seed-is", s),
		})
	}
	items = append(items, w.recentThumbs()...)
	w.strip.SetItems(items)
}

func (w *Window) openStrip(key string) {
	if len(key) > 5 && key[:5] == "seed:" {
		if s, err := strconv.ParseUint(key[5:], 10, 64); err == nil {
			w.openSeed(s)
			w.strip.Select(key)
		}
		return
	}
	w.openPath(key)
}

// showClasses shows the rows of the class list.
func (w *Window) showClasses() {
	if w.doc == nil {
		w.classes.SetRows(nil)
		return
	}
	sc := w.doc.Scene()
	c := w.doc.Canvas()
	total := float64(c.Bounds().Dx() * c.Bounds().Dy())
	var rows []control.ClassRow
	for _, k := range w.doc.Space().Classes {
		rows = append(rows, control.ClassRow{
			ID: int(k.ID), Name: className(k.Name), Color: k.Colour, Area: float64(c.Count(k.ID)) / total,
			Locked: sc.Protection.Locked[k.ID], Hidden: sc.Protection.Hidden[k.ID], Solo: sc.Protection.Solo == int(k.ID),
			Status: control.Status(sc.Status[k.ID]),
		})
	}
	w.classes.SetRows(rows)
	w.classes.SetCurrent(int(w.painter.Class()))
	w.areaStale = false
}

// className translates the names of the classes that come with the program.
func className(name string) string { return words.Or("classname."+name, name) }

// areasDirty has the class list's areas counted anew soon, at most ten times a
// second.
func (w *Window) areasDirty() {
	if w.areaStale {
		return
	}
	w.areaStale = true
	time.AfterFunc(100*time.Millisecond, func() {
		w.later(func() {
			if w.areaStale {
				w.showClasses()
			}
		})
	})
}

// showHistory shows the nodes of the document's history, branches indented.
func (w *Window) showHistory() {
	if w.doc == nil {
		w.history.SetItems(nil)
		return
	}
	nodes := w.doc.Nodes()
	by := map[document.NodeID]document.Node{}
	for _, n := range nodes {
		by[n.ID] = n
	}
	now := w.doc.Current()
	line := map[document.NodeID]bool{}
	for id := now; id != 0; id = by[id].Parent {
		line[id] = true
	}
	branches := 0
	var items []control.HistoryItem
	var walk func(id document.NodeID, depth int, above image.Image)
	walk = func(id document.NodeID, depth int, above image.Image) {
		for {
			n := by[id]
			if t := w.thumbOf(n); t != nil {
				above = t
			}
			items = append(items, control.HistoryItem{
				Key: int(n.ID), Name: labelText(n.Label), Thumb: above, Depth: depth, Now: n.ID == now, Undone: !line[n.ID],
			})
			if len(n.Children) == 0 {
				return
			}
			main := n.Children[len(n.Children)-1]
			for _, c := range n.Children {
				if line[c] {
					main = c
				}
			}
			for _, c := range n.Children {
				if c != main {
					branches++
					walk(c, min(depth+1, 4), above)
				}
			}
			id = main
		}
	}
	if len(nodes) > 0 {
		walk(nodes[0].ID, 0, nil)
		if len(items) > 1 && nodes[0].Parent == 0 && nodes[0].Label.Key == "new" {
			items = items[1:]
		}
	}
	w.history.SetItems(items)
	note := strconv.Itoa(len(items))
	if branches > 0 {
		note = words.T("history.branches", branches+1)
	}
	if s := w.sect["history"]; s.Note != note {
		s.Note = note
		w.dock.Refresh()
	}
}

// thumbOf decodes a node's thumbnail once.
func (w *Window) thumbOf(n document.Node) image.Image {
	if len(n.Thumb) == 0 {
		return nil
	}
	if t, ok := w.nodeThumb[n.ID]; ok && t.of == &n.Thumb[0] {
		return t.img
	}
	img, err := jpeg.Decode(bytes.NewReader(n.Thumb))
	if err != nil {
		return nil
	}
	small := thumb(img, 48)
	w.nodeThumb[n.ID] = nodeThumb{&n.Thumb[0], small}
	return small
}

// labelText writes what a node of the history did.
func labelText(l document.Label) string {
	args := make([]any, len(l.Args))
	for i, a := range l.Args {
		args[i] = a
	}
	if l.Key == "status" && len(args) > 0 {
		args[0] = className(l.Args[0])
	}
	if words.Has("history." + l.Key) {
		return words.T("history."+l.Key, args...)
	}
	if words.Has("action.tool." + l.Key) {
		return words.T("action.tool." + l.Key)
	}
	return l.Key
}

func (w *Window) jump(id document.NodeID) {
	if w.painter != nil && w.painter.Busy() {
		w.painter.Cancel()
	}
	w.endJob()
	if err := w.doc.Jump(id); err != nil {
		w.fail(err)
	}
}

// undo goes one step back; a stroke in progress is given up first.
func (w *Window) undo() {
	if w.painter.Cancel() {
		return
	}
	w.endJob()
	label, _ := w.doc.UndoLabel()
	if err := w.doc.Undo(); err != nil {
		if !errors.Is(err, document.ErrNoStep) {
			w.fail(err)
		}
		return
	}
	w.setJobNote(words.T("status.undone", labelText(label)))
}

func (w *Window) redo() {
	if w.painter.Busy() {
		return
	}
	w.endJob()
	label, _ := w.doc.RedoLabel()
	if err := w.doc.Redo(); err != nil {
		if !errors.Is(err, document.ErrNoStep) {
			w.fail(err)
		}
		return
	}
	w.setJobNote(words.T("status.redone", labelText(label)))
}

// openLibrary opens the user's vectors together with those of the model.
func (w *Window) openLibrary() error {
	dir, err := w.libraryDir()
	if err != nil {
		return err
	}
	var bundled fs.FS
	if m := w.eng.Model(); m != nil {
		if sub, err := fs.Sub(m.FS(), "vectors"); err == nil {
			if _, err := fs.Stat(sub, "."); err == nil {
				bundled = sub
			}
		}
	}
	w.thumbs = map[string]image.Image{}
	lib, err := vectors.OpenLibrary(dir, bundled)
	if err != nil {
		return err
	}
	w.lib = lib
	return nil
}
