package view

import (
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"latentbrush/canvas"
)

// input is the state of a pane's pointer and keys.
type input struct {
	pos    fyne.Position
	inside bool

	// One press lasts from a button going down to the same going up. The
	// toolkit forgets button and modifiers in between.
	down    desktop.MouseButton
	mods    fyne.KeyModifier
	gesture gesture
	from    fyne.Position

	panning  bool
	resizing bool
	resizeAt canvas.Point
	size     int // of the brush when resizing began

	lastClick time.Time
	lastPos   fyne.Position
	wheel     float32 // part of a click not used yet

	missed []fyne.Position // relative to the window
}

type gesture uint8

const (
	idle gesture = iota
	painting
	panningView
	maybeResize // Shift is down: a click draws a line, a drag resizes
	resizingBrush
	draggingDivider
)

const (
	// wheelClick is the distance that the toolkit reports for one click.
	wheelClick = 25
	// resizeFrom is how far a press with Shift moves, in units, before it
	// resizes the brush instead of drawing a line.
	resizeFrom = 3
	// doubleClick is the longest pause between the two presses.
	doubleClick = 350 * time.Millisecond
	// reach is how far, in screen pixels, a pointer may miss a handle.
	reach = 7
)

// modifiers returns the keys held now; moves and wheels do not carry them.
func (p *Pane) modifiers() (fyne.KeyModifier, bool) {
	if app := fyne.CurrentApp(); app != nil {
		if d, ok := app.Driver().(desktop.Driver); ok {
			return d.CurrentKeyModifiers(), true
		}
	}
	return p.input.mods, false
}

// send passes a pointer event on to the painter.
func (p *Pane) send(kind canvas.EventKind, pos fyne.Position) {
	mods := p.input.mods
	if kind != canvas.Press {
		if now, ok := p.modifiers(); ok {
			mods = now
		}
	}
	e := canvas.Event{
		Kind:  kind,
		At:    p.toPicture(pos),
		Shift: mods&fyne.KeyModifierShift != 0,
		Ctrl:  mods&(fyne.KeyModifierControl|fyne.KeyModifierSuper) != 0,
		Alt:   mods&fyne.KeyModifierAlt != 0,
		Time:  time.Since(p.stage.started),
		Slack: reach * p.scale() / p.stage.viewport.Zoom(),
	}
	if p.input.down == desktop.MouseButtonSecondary {
		e.Button = canvas.Secondary
	}
	p.stage.painter.Handle(e)
}

// MouseDown begins a stroke, a pan or another gesture.
func (p *Pane) MouseDown(e *desktop.MouseEvent) {
	p.focus(true)
	p.moved(e.Position)
	if p.input.gesture != idle {
		return // a second button during a gesture
	}
	p.input.down, p.input.mods, p.input.from = e.Button, e.Modifier, e.Position
	s := p.stage
	_, ringed := s.painter.Tool().(canvas.Ringed)
	switch {
	case e.Button == desktop.MouseButtonTertiary || s.panKey:
		p.input.gesture, p.input.panning = panningView, true
		p.updateRing()
	case e.Button == desktop.MouseButtonPrimary && p.onDivider(e.Position):
		p.input.gesture = draggingDivider
	case e.Button == desktop.MouseButtonPrimary && s.OnPress != nil && s.OnPress(p, p.toPicture(e.Position)):
		p.input.down = 0
	case e.Button == desktop.MouseButtonPrimary && e.Modifier == fyne.KeyModifierShift && ringed:
		p.input.gesture = maybeResize
	default:
		now := time.Now()
		double := e.Button == desktop.MouseButtonPrimary && now.Sub(p.input.lastClick) < doubleClick &&
			distance(p.input.lastPos, e.Position) < resizeFrom
		p.input.lastClick, p.input.lastPos = now, e.Position
		p.input.gesture, p.input.missed = painting, p.input.missed[:0]
		if p.comp.Look().Overlay == 0 {
			p.relook()
		}
		p.send(canvas.Press, e.Position)
		if double {
			p.input.lastClick = time.Time{}
			p.send(canvas.Confirm, e.Position)
		}
	}
}

func distance(a, b fyne.Position) float64 {
	return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y))
}

func (p *Pane) onDivider(pos fyne.Position) bool {
	x, ok := p.dividerX()
	return ok && math.Abs(p.pixels(pos).X-x) <= reach*p.scale()
}

// drag continues the gesture to a position, inside the pane or not.
func (p *Pane) drag(pos fyne.Position) {
	before := p.input.pos
	p.moved(pos)
	s := p.stage
	switch p.input.gesture {
	case painting:
		p.strokeTo(pos)
	case panningView:
		k := p.scale()
		s.viewport.Pan(math.Round(float64(pos.X-before.X)*k), math.Round(float64(pos.Y-before.Y)*k), p.pixelSize())
	case maybeResize, resizingBrush:
		if p.input.gesture == maybeResize {
			if distance(pos, p.input.from) < resizeFrom {
				return
			}
			p.input.gesture, p.input.resizing = resizingBrush, true
			p.input.resizeAt, p.input.size = p.toPicture(p.input.from), s.painter.Brush.Size
		}
		// The rim of the ring follows the pointer.
		d := float64(pos.X-p.input.from.X) * p.scale() / s.viewport.Zoom()
		s.painter.SetSize(p.input.size + int(math.Round(2*d)))
		p.updateRing()
	case draggingDivider:
		origin := s.viewport.Origin(p.pixelSize())
		w := float64(s.painter.Canvas().Bounds().Dx())
		s.SetDivider((p.pixels(pos).X - origin.X) / s.viewport.Zoom() / w)
	}
}

// strokeTo goes on painting through the positions missed, drawing once.
func (p *Pane) strokeTo(pos fyne.Position) {
	s := p.stage
	s.batch = true
	corner := fyne.Position{}
	_, brush := s.painter.Tool().(canvas.Ringed)
	_, line := s.painter.Tool().(canvas.Snapping)
	if !brush && !line {
		// A part being moved or a box being drawn is where the pointer is now;
		// to place it at every motion in between would only take time.
		p.input.missed = p.input.missed[:0]
	}
	if len(p.input.missed) > 0 {
		corner = fyne.CurrentApp().Driver().AbsolutePositionForObject(p)
	}
	for _, at := range p.input.missed {
		if at := at.Subtract(corner); at != pos {
			p.send(canvas.Drag, at)
		}
	}
	p.input.missed = p.input.missed[:0]
	p.send(canvas.Drag, pos)
	s.batch = false
	s.drawChanged()
}

// finish ends the gesture where the pointer was last seen.
func (p *Pane) finish(pos fyne.Position) {
	g := p.input.gesture
	p.input.gesture, p.input.panning, p.input.resizing = idle, false, false
	p.input.missed = p.input.missed[:0]
	switch g {
	case painting:
		p.send(canvas.Release, pos)
	case maybeResize:
		p.send(canvas.Press, p.input.from)
		p.send(canvas.Release, p.input.from)
	}
	p.input.down = 0
	if g == painting && p.comp.Look().Overlay == 0 {
		p.relook()
	}
	// The toolkit takes the focus away when a button goes up outside.
	p.focus(false)
	p.updateRing()
}

// moved notes where the pointer is.
func (p *Pane) moved(pos fyne.Position) {
	p.input.pos, p.input.inside = pos, true
	p.stage.pointerAt(p, p.toPicture(pos))
}

// MouseUp ends the gesture that the same button began.
func (p *Pane) MouseUp(e *desktop.MouseEvent) {
	if p.input.gesture != idle && e.Button == p.input.down {
		p.moved(e.Position)
		p.finish(e.Position)
	}
}

// Dragged continues the gesture. It arrives from outside the pane, too.
func (p *Pane) Dragged(e *fyne.DragEvent) {
	if p.input.gesture != idle {
		p.drag(e.Position)
	}
}

// DragEnd ends the gesture: when the button is released outside of the pane
// there is no MouseUp.
func (p *Pane) DragEnd() {
	if p.input.gesture != idle {
		p.finish(p.input.pos)
	}
}

// MouseIn takes the focus, so that single keys work without a click.
func (p *Pane) MouseIn(e *desktop.MouseEvent) {
	p.focus(false)
	if p.align() {
		p.place()
	}
	p.MouseMoved(e)
}

// MouseMoved shows where the pointer is, and continues a gesture of a button
// that the toolkit does not drag with.
func (p *Pane) MouseMoved(e *desktop.MouseEvent) {
	if p.input.gesture != idle {
		if e.Button&p.input.down != 0 {
			p.drag(e.Position)
			return
		}
		// The release was not reported.
		p.finish(p.input.pos)
	}
	p.moved(e.Position)
	p.send(canvas.Hover, e.Position)
}

// MouseOut hides the ring.
func (p *Pane) MouseOut() {
	if p.input.gesture != idle {
		return // a drag goes on outside
	}
	p.input.inside = false
	p.stage.pointerGone(p)
}

// Scrolled zooms about the pointer; with Shift it sizes the brush. The toolkit
// turns the wheel's direction to the side while Shift is held.
func (p *Pane) Scrolled(e *fyne.ScrollEvent) {
	p.moved(e.Position)
	mods, known := p.modifiers()
	d := e.Scrolled.DY
	size := false
	if d == 0 && e.Scrolled.DX != 0 {
		d = e.Scrolled.DX
		size = !known || mods&fyne.KeyModifierShift != 0
		if !size {
			p.stage.viewport.Pan(float64(d)*p.scale(), 0, p.pixelSize())
			return
		}
	} else if known && mods&fyne.KeyModifierShift != 0 {
		size = true
	}
	p.input.wheel += d
	n := int(p.input.wheel / wheelClick)
	p.input.wheel -= float32(n) * wheelClick
	if n == 0 {
		return
	}
	if !size {
		p.stage.viewport.Step(n, p.pixelAt(e.Position), p.pixelSize())
		p.stage.pointerAt(p, p.toPicture(e.Position))
		return
	}
	b := p.stage.painter.Brush.Size
	for ; n > 0; n-- {
		b = canvas.LargerSize(b)
	}
	for ; n < 0; n++ {
		b = canvas.SmallerSize(b)
	}
	p.stage.painter.SetSize(b)
}

// Cursor hides the pointer where the ring stands for it.
func (p *Pane) Cursor() desktop.Cursor {
	s := p.stage
	switch _, ringed := s.painter.Tool().(canvas.Ringed); {
	case s.panKey || p.input.panning:
		return desktop.PointerCursor
	case p.input.gesture == draggingDivider, p.input.gesture == idle && p.onDivider(p.input.pos):
		return desktop.HResizeCursor
	case ringed && p.RingRadius() >= 3:
		return noCursor
	}
	return desktop.CrosshairCursor
}

// focus takes the keyboard; unless forced, not while text is being typed
// somewhere.
func (p *Pane) focus(force bool) {
	app := fyne.CurrentApp()
	if app == nil {
		return
	}
	c := app.Driver().CanvasForObject(p)
	if c == nil || c.Focused() == fyne.Focusable(p) {
		return
	}
	if _, typing := c.Focused().(interface{ SelectedText() string }); typing && !force {
		return
	}
	c.Focus(p)
}

// AcceptsTab reports whether the Tab key belongs to the pane: while something is
// suggested. Otherwise it goes to the next control.
func (p *Pane) AcceptsTab() bool { return p.stage.suggest.part != nil }

// FocusGained does nothing: the pane shows no focus of its own.
func (p *Pane) FocusGained() {}

// FocusLost lets go of the keys that are held, since their release will not be
// reported.
func (p *Pane) FocusLost() {
	p.stage.panKey = false
	p.stage.painter.LetGo()
	p.updateRing()
}

// TypedRune passes characters on.
func (p *Pane) TypedRune(r rune) {
	if p.stage.OnRune != nil {
		p.stage.OnRune(r)
	}
}

// TypedKey handles the keys of a shape in progress, unless OnKey took them.
func (p *Pane) TypedKey(e *fyne.KeyEvent) {
	s := p.stage
	if s.OnKey != nil && s.OnKey(e) {
		return
	}
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		s.Confirm()
	case fyne.KeyBackspace:
		s.Back()
	case fyne.KeyEscape:
		s.Cancel()
		p.input.gesture = idle
		p.relook()
	case fyne.KeyLeft, fyne.KeyRight, fyne.KeyUp, fyne.KeyDown:
		p.arrow(e.Name)
	}
}

// arrow moves the part in hand by a pixel of the picture, or the view.
func (p *Pane) arrow(key fyne.KeyName) {
	dx, dy := 0, 0
	switch key {
	case fyne.KeyLeft:
		dx = -1
	case fyne.KeyRight:
		dx = 1
	case fyne.KeyUp:
		dy = -1
	case fyne.KeyDown:
		dy = 1
	}
	sx := dx
	if p.stage.Mirrored() {
		sx = -dx
	}
	if p.stage.painter.Nudge(sx, dy) {
		return
	}
	step := 40 * p.scale()
	p.stage.viewport.Pan(-float64(dx)*step, -float64(dy)*step, p.pixelSize())
}

// KeyDown begins panning and picking.
func (p *Pane) KeyDown(e *fyne.KeyEvent) {
	s := p.stage
	switch e.Name {
	case fyne.KeySpace:
		s.panKey = true
		p.updateRing()
	case desktop.KeyAltLeft, desktop.KeyAltRight:
		s.painter.Hold(s.painter.AltTool())
	}
	if s.OnKeyDown != nil {
		s.OnKeyDown(e)
	}
}

// KeyUp ends them.
func (p *Pane) KeyUp(e *fyne.KeyEvent) {
	s := p.stage
	switch e.Name {
	case fyne.KeySpace:
		s.panKey = false
		p.updateRing()
	case desktop.KeyAltLeft, desktop.KeyAltRight:
		s.painter.LetGo()
	}
	if s.OnKeyUp != nil {
		s.OnKeyUp(e)
	}
}
