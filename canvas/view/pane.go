package view

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	fynecanvas "fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/canvas"
)

// GridFrom is the zoom from which the pixel grid is shown.
const GridFrom = 8

// NearestFrom is the zoom from which picture pixels are drawn as sharp squares.
const NearestFrom = 2

// Pane shows a stage and paints on it.
type Pane struct {
	widget.BaseWidget

	stage *Stage
	comp  *canvas.Compositor
	tiles *canvas.Tiles
	look  canvas.Look // as chosen; what is held comes on top
	input input
	// offset is where the first whole screen pixel lies.
	offset canvas.Point

	clip   *container.Clip
	inner  *fyne.Container
	images []*fynecanvas.Image
	margin fills
	grid   bars
	cross  bars
	split  bars
	lines  polylines
	ring   ring
}

var (
	_ fyne.Widget        = (*Pane)(nil)
	_ fyne.Focusable     = (*Pane)(nil)
	_ fyne.Draggable     = (*Pane)(nil)
	_ fyne.Tabbable      = (*Pane)(nil)
	_ fyne.Scrollable    = (*Pane)(nil)
	_ desktop.Mouseable  = (*Pane)(nil)
	_ desktop.Hoverable  = (*Pane)(nil)
	_ desktop.Keyable    = (*Pane)(nil)
	_ desktop.Cursorable = (*Pane)(nil)
)

// NewPane returns a further pane of the stage.
func (s *Stage) NewPane(look canvas.Look) *Pane {
	comp := canvas.NewCompositor(s.painter.Canvas())
	p := &Pane{stage: s, comp: comp, look: look}
	// The pictures fit: they were checked when they were set.
	_ = comp.SetPicture(s.picture)
	_ = comp.SetBefore(s.before)
	_ = comp.SetDoubt(s.doubt)
	_ = comp.SetHeat(s.heat)
	p.tiles = canvas.NewTiles(comp)
	p.inner = container.NewWithoutLayout()
	p.clip = container.NewClip(p.inner)
	p.ExtendBaseWidget(p)
	s.panes = append(s.panes, p)
	p.relook()
	return p
}

// Pair is two linked panes beside each other.
type Pair struct {
	// Picture shows the picture with the classes over it, Labels the classes.
	Picture, Labels *Pane
	// Object is what to put into a window.
	Object *container.Split
}

// NewPair returns two linked panes: the picture with the overlay at half
// opacity, and the labels.
func NewPair(s *Stage) *Pair {
	p := &Pair{
		Picture: s.NewPane(canvas.Look{Overlay: 0.5, Region: true}),
		Labels:  s.NewPane(canvas.Look{Overlay: 1, Region: true}),
	}
	p.Object = container.NewHSplit(p.Picture, p.Labels)
	return p
}

// Stage returns the stage that the pane shows.
func (p *Pane) Stage() *Stage { return p.stage }

// Look returns how the pane shows the stage, without what is only held.
func (p *Pane) Look() canvas.Look { return p.look }

// SetLook changes how the pane shows the stage. Mirror and Compare are the
// stage's and are ignored here.
func (p *Pane) SetLook(l canvas.Look) {
	l.Overlay = min(max(l.Overlay, 0), 1)
	p.look = l
	p.relook()
	p.stage.tell(p.stage.OnView)
}

// StepOverlay makes the overlay n tenths more opaque, to the next full tenth.
func (p *Pane) StepOverlay(n int) {
	l := p.look
	l.Overlay = math.Round(l.Overlay*10+float64(n)) / 10
	p.SetLook(l)
}

func (p *Pane) isFirst() bool { return len(p.stage.panes) > 0 && p.stage.panes[0] == p }

// relook works out what is shown now.
func (p *Pane) relook() {
	s := p.stage
	l := p.look
	l.Mirror = s.viewport.Mirrored()
	l.Compare = canvas.CompareOff
	l.Divider = int(math.Round(s.divider * float64(p.comp.Canvas().Bounds().Dx())))
	if s.peek {
		l.Overlay = 0
	}
	// Pictures are compared as they are: classes over one of them would be what
	// differs most.
	switch {
	case s.holdBefore:
		l.Compare = canvas.CompareBefore
	case s.compare == CompareSplit && p.isFirst():
		l.Compare, l.Overlay, l.Region = canvas.CompareSplit, 0, false
	case s.compare == CompareSideBySide && p.isFirst():
		l.Compare = canvas.CompareBefore
	case s.compare == CompareSideBySide && len(s.panes) > 1 && s.panes[1] == p:
		l.Overlay, l.Region = 0, false
	}
	if p.input.gesture == painting && l.Overlay == 0 {
		l.Region = true // or the stroke would not be seen
	}
	p.tiles.Spoil(p.comp.SetLook(l))
	p.drawTiles()
	p.updateVectors()
}

// scale returns the screen pixels per unit of the toolkit.
func (p *Pane) scale() float64 {
	if app := fyne.CurrentApp(); app != nil {
		if c := app.Driver().CanvasForObject(p); c != nil && c.Scale() > 0 {
			return float64(c.Scale())
		}
	}
	return 1
}

// pixelSize returns the size of the pane in screen pixels.
func (p *Pane) pixelSize() canvas.Point {
	k := p.scale()
	s := p.Size()
	return canvas.Point{X: math.Round(float64(s.Width) * k), Y: math.Round(float64(s.Height) * k)}
}

// align works out how far the pane's corner lies from the next whole screen
// pixel. The toolkit gives panes fractions of pixels, but what is drawn and what
// the pointer reports are whole ones. It reports whether that changed.
func (p *Pane) align() bool {
	app := fyne.CurrentApp()
	if app == nil {
		return false
	}
	k := p.scale()
	corner := app.Driver().AbsolutePositionForObject(p)
	x, y := float64(corner.X)*k, float64(corner.Y)*k
	now := canvas.Point{X: math.Round(x) - x, Y: math.Round(y) - y}
	changed := now != p.offset
	p.offset = now
	return changed
}

// pixels converts a position of the toolkit to screen pixels from the pane's
// first whole one.
func (p *Pane) pixels(pos fyne.Position) canvas.Point {
	k := p.scale()
	return canvas.Point{X: float64(pos.X)*k - p.offset.X, Y: float64(pos.Y)*k - p.offset.Y}
}

func (p *Pane) units() units { return units{p.scale(), p.offset} }

// units converts screen pixels of a pane to units of the toolkit.
type units struct {
	scale  float64
	offset canvas.Point
}

func (u units) pos(x, y float64) fyne.Position {
	return fyne.NewPos(float32((x+u.offset.X)/u.scale), float32((y+u.offset.Y)/u.scale))
}

func (u units) size(w, h float64) fyne.Size {
	return fyne.NewSize(float32(w/u.scale), float32(h/u.scale))
}

// toPicture returns the place of the picture under the screen pixel at pos. The
// toolkit reports the top left corner of that pixel; its middle is what the
// user points at.
func (p *Pane) toPicture(pos fyne.Position) canvas.Point {
	return p.stage.viewport.ToPicture(p.pixelAt(pos), p.pixelSize())
}

// pixelAt returns the middle of the screen pixel at a position.
func (p *Pane) pixelAt(pos fyne.Position) canvas.Point {
	at := p.pixels(pos)
	return canvas.Point{X: math.Floor(at.X+1e-3) + 0.5, Y: math.Floor(at.Y+1e-3) + 0.5}
}

// PositionOf returns the position, relative to the pane, of a place of the
// picture.
func (p *Pane) PositionOf(at canvas.Point) fyne.Position {
	q := p.stage.viewport.ToPane(at, p.pixelSize())
	return p.units().pos(q.X, q.Y)
}

func (p *Pane) zoomCentre() canvas.Point {
	if p.stage.pointer == p && p.input.inside {
		return p.pixelAt(p.input.pos)
	}
	size := p.pixelSize()
	return canvas.Point{X: size.X / 2, Y: size.Y / 2}
}

func pixelOf(at canvas.Point) (x, y int) { return int(math.Floor(at.X)), int(math.Floor(at.Y)) }

// visible returns the part of the shown picture, at the level of the tiles, that
// the pane shows.
func (p *Pane) visible() image.Rectangle {
	size := p.pixelSize()
	if size.X <= 0 || size.Y <= 0 {
		return image.Rectangle{}
	}
	r := p.stage.viewport.Visible(size)
	level := p.tiles.Level()
	up := 1<<level - 1
	return image.Rect(r.Min.X>>level, r.Min.Y>>level, (r.Max.X+up)>>level, (r.Max.Y+up)>>level)
}

// drawTiles draws what is stale and visible, and has those tiles uploaded.
func (p *Pane) drawTiles() {
	if len(p.images) != p.tiles.Len() {
		return // not laid out yet: place draws
	}
	p.tiles.Draw(p.visible(), func(i int) {
		p.images[i].Image = p.tiles.At(i).Image
		p.images[i].Refresh()
	})
}

// place puts the tiles where the viewport wants them.
func (p *Pane) place() {
	size := p.pixelSize()
	if size.X <= 0 || size.Y <= 0 {
		return
	}
	v := p.stage.viewport
	if p.tiles.SetLevel(v.Level()) || len(p.images) != p.tiles.Len() {
		p.images = p.images[:0]
		for range p.tiles.Len() {
			m := &fynecanvas.Image{FillMode: fynecanvas.ImageFillStretch, ScaleMode: fynecanvas.ImageScalePixels}
			m.Hide()
			p.images = append(p.images, m)
		}
		p.restack()
	}
	p.drawTiles()

	mode := fynecanvas.ImageScaleFastest
	if zoom := v.Zoom(); zoom >= NearestFrom || zoom == 1 {
		mode = fynecanvas.ImageScalePixels
	}
	u := p.units()
	origin, step := v.Origin(size), v.Zoom()*float64(int(1)<<p.tiles.Level())
	visible := p.visible()
	for i, m := range p.images {
		b := p.tiles.At(i).Bounds
		if !b.Overlaps(visible) {
			m.Hide()
			continue
		}
		// Neighbours share rounded edges, so that no seam can open.
		x0, y0 := math.Round(origin.X+float64(b.Min.X)*step), math.Round(origin.Y+float64(b.Min.Y)*step)
		x1, y1 := math.Round(origin.X+float64(b.Max.X)*step), math.Round(origin.Y+float64(b.Max.Y)*step)
		m.Move(u.pos(x0, y0))
		if want := u.size(x1-x0, y1-y0); m.Size() != want || m.ScaleMode != mode {
			m.ScaleMode = mode
			m.Resize(want)
			m.Refresh()
		}
		m.Show()
	}
	p.placeMargin()
	p.placeGrid()
	p.updateVectors()
	p.updatePointer()
}

// Surround is the colour around the picture. A window sets it to suit its theme before panes are shown.
var Surround color.Color = color.Gray{0x2b}

// placeMargin fills what the picture leaves free. A background below the whole
// picture would cost as much to draw as the picture.
func (p *Pane) placeMargin() {
	v, u := p.stage.viewport, p.units()
	size := p.pixelSize()
	picture := p.stage.painter.Canvas().Bounds()
	o := v.Origin(size)
	x0, y0 := min(max(o.X, 0), size.X), min(max(o.Y, 0), size.Y)
	x1 := min(max(math.Round(o.X+float64(picture.Dx())*v.Zoom()), 0), size.X)
	y1 := min(max(math.Round(o.Y+float64(picture.Dy())*v.Zoom()), 0), size.Y)
	p.margin.begin()
	for _, b := range [][4]float64{{-1, -1, size.X + 1, y0}, {-1, y1, size.X + 1, size.Y + 1}, {-1, y0, x0, y1}, {x1, y0, size.X + 1, y1}} {
		if b[0] < b[2] && b[1] < b[3] {
			p.margin.add(u, b[0], b[1], b[2], b[3], Surround)
		}
	}
	if p.margin.end() {
		p.restack()
	}
}

// restack rebuilds the stack of drawn objects, tiles at the bottom.
func (p *Pane) restack() {
	objects := make([]fyne.CanvasObject, 0, len(p.images)+64)
	for _, m := range p.images {
		objects = append(objects, m)
	}
	objects = p.margin.appendTo(objects)
	objects = p.grid.appendTo(objects)
	objects = p.split.appendTo(objects)
	objects = p.cross.appendTo(objects)
	objects = p.lines.appendTo(objects)
	objects = p.ring.appendTo(objects)
	p.inner.Objects = objects
}

// placeGrid draws lines between the pixels when they are large.
func (p *Pane) placeGrid() {
	v := p.stage.viewport
	p.grid.begin()
	if v.Zoom() >= GridFrom {
		size := p.pixelSize()
		origin := v.Origin(size)
		r := v.Visible(size)
		x0, x1 := origin.X+float64(r.Min.X)*v.Zoom(), origin.X+float64(r.Max.X)*v.Zoom()
		y0, y1 := origin.Y+float64(r.Min.Y)*v.Zoom(), origin.Y+float64(r.Max.Y)*v.Zoom()
		tone := color.NRGBA{128, 128, 128, 110}
		for x := r.Min.X; x <= r.Max.X; x++ {
			at := math.Round(origin.X + float64(x)*v.Zoom())
			p.grid.add(p.units(), at, y0, at+1, y1, tone)
		}
		for y := r.Min.Y; y <= r.Max.Y; y++ {
			at := math.Round(origin.Y + float64(y)*v.Zoom())
			p.grid.add(p.units(), x0, at, x1, at+1, tone)
		}
	}
	if p.grid.end() {
		p.restack()
	}
}

// updatePointer moves the ring of the brush, or the cross that marks the pixel
// under the pointer of another pane.
func (p *Pane) updatePointer() {
	if p.scale() <= 0 || p.Size().IsZero() {
		return
	}
	s := p.stage
	v := s.viewport
	size := p.pixelSize()
	k := p.units()
	p.cross.begin()
	if s.pointer != nil && s.pointer != p {
		x, y := pixelOf(s.at)
		if image.Pt(x, y).In(s.painter.Canvas().Bounds()) {
			mid := v.ToPane(canvas.Point{X: float64(x) + 0.5, Y: float64(y) + 0.5}, size)
			gap, arm := max(v.Zoom()/2, 2)+1, 14.0
			at := canvas.Point{X: math.Round(mid.X), Y: math.Round(mid.Y)}
			for i, tone := range []color.Color{color.Black, color.White} {
				w := 1.5 - float64(i) // half the width: the white line in a black one
				d := float64(1 - i)
				p.cross.add(k, at.X-gap-arm-d, at.Y-w, at.X-gap+d, at.Y+w, tone)
				p.cross.add(k, at.X+gap-d, at.Y-w, at.X+gap+arm+d, at.Y+w, tone)
				p.cross.add(k, at.X-w, at.Y-gap-arm-d, at.X+w, at.Y-gap+d, tone)
				p.cross.add(k, at.X-w, at.Y+gap-d, at.X+w, at.Y+gap+arm+d, tone)
			}
		}
	}
	if p.cross.end() {
		p.restack()
	}
	p.updateRing()
}

// RingRadius returns the radius of the brush's ring in screen pixels.
func (p *Pane) RingRadius() float64 {
	return float64(p.stage.painter.Brush.Size) * p.stage.viewport.Zoom() / 2
}

// RingShown reports whether the ring of the brush is shown.
func (p *Pane) RingShown() bool { return p.ring.shown }

func (p *Pane) updateRing() {
	s := p.stage
	_, ringed := s.painter.Tool().(canvas.Ringed)
	show := s.pointer == p && p.input.inside && ringed && !p.input.panning && !s.panKey
	if !show {
		p.ring.hide()
		return
	}
	b := s.painter.Brush
	at := s.at
	if p.input.resizing {
		at = p.input.resizeAt
	}
	// The ring lies around the pixels that a press would paint.
	if b.Size%2 == 1 {
		at = canvas.Point{X: math.Floor(at.X) + 0.5, Y: math.Floor(at.Y) + 0.5}
	} else {
		at = canvas.Point{X: math.Floor(at.X + 0.5), Y: math.Floor(at.Y + 0.5)}
	}
	mid := s.viewport.ToPane(at, p.pixelSize())
	note := 0
	if p.input.resizing {
		note = b.Size
	}
	if p.ring.show(b.Shape, mid, p.RingRadius(), p.units(), note) {
		p.restack()
	}
}

// updateVectors draws the shape in progress, the axis of symmetry and the
// divider.
func (p *Pane) updateVectors() {
	if p.Size().IsZero() {
		return
	}
	s := p.stage
	v := s.viewport
	size := p.pixelSize()
	k := p.units()
	p.lines.begin()
	place := func(q canvas.Point) canvas.Point { return v.ToPane(q, size) }
	for _, path := range s.painter.Outline() {
		p.lines.path(path, place, k)
	}
	for _, path := range s.suggest.paths {
		p.lines.path(path, place, k)
	}
	c := s.painter.Canvas()
	if c.Symmetry.On {
		x := float64(c.Symmetry.Sum+1) / 2
		p.lines.path(canvas.Path{Points: []canvas.Point{{X: x, Y: 0}, {X: x, Y: float64(c.Bounds().Dy())}}}, place, k)
	}
	stack := p.lines.end()

	p.split.begin()
	if x, ok := p.dividerX(); ok {
		p.split.add(k, x-2, 0, x+2, size.Y, color.Black)
		p.split.add(k, x-1, 0, x+1, size.Y, color.White)
		p.split.add(k, x-6, size.Y/2-14, x+6, size.Y/2+14, color.Black)
		p.split.add(k, x-5, size.Y/2-13, x+5, size.Y/2+13, color.White)
	}
	if p.split.end() || stack {
		p.restack()
	}
	p.updateRing()
}

// dividerX returns where the divider is in screen pixels, if it is shown.
func (p *Pane) dividerX() (float64, bool) {
	s := p.stage
	if s.compare != CompareSplit || s.holdBefore || s.before == nil || !p.isFirst() {
		return 0, false
	}
	l := p.comp.Look()
	return math.Round(s.viewport.Origin(p.pixelSize()).X + float64(l.Divider)*s.viewport.Zoom()), true
}

// Move moves the pane in its parent.
func (p *Pane) Move(pos fyne.Position) {
	p.BaseWidget.Move(pos)
	if p.align() {
		p.place()
	}
}

// CreateRenderer returns the renderer of the widget.
func (p *Pane) CreateRenderer() fyne.WidgetRenderer {
	p.ExtendBaseWidget(p)
	return &paneRenderer{p}
}

type paneRenderer struct{ pane *Pane }

func (r *paneRenderer) Layout(size fyne.Size) {
	r.pane.clip.Resize(size)
	r.pane.inner.Resize(size)
	r.pane.align()
	v := r.pane.stage.viewport
	if v.Fitting() && r.pane.isFirst() {
		v.Fit(r.pane.pixelSize())
	}
	r.pane.place()
}

func (r *paneRenderer) MinSize() fyne.Size { return fyne.NewSize(64, 64) }

func (r *paneRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.pane.clip}
}

// Refresh places everything: the scale of the window may have changed.
func (r *paneRenderer) Refresh() { r.Layout(r.pane.Size()) }

func (r *paneRenderer) Destroy() {}
