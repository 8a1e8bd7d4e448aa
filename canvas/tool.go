package canvas

import (
	"fmt"
	"image"
	"time"
)

// EventKind says what happened.
type EventKind uint8

const (
	// Press is a button going down.
	Press EventKind = iota
	// Drag is a move with the button of the last Press held.
	Drag
	// Release is that button going up, wherever the pointer is.
	Release
	// Hover is a move without a button.
	Hover
	// Confirm ends a shape in progress: Enter or a double click.
	Confirm
	// Back takes the last step of a shape in progress back: Backspace or a
	// right click.
	Back
	// Cancel gives the shape or stroke in progress up: Esc.
	Cancel
	// Leave says that another tool takes over.
	Leave
)

// Button is a pointer button.
type Button uint8

const (
	// Primary is the button that paints.
	Primary Button = iota
	// Secondary is the other one.
	Secondary
)

// Event is one pointer or key event in picture coordinates.
type Event struct {
	Kind EventKind
	// At is the place of the pointer. Confirm, Back, Cancel and Leave have none.
	At               Point
	Button           Button
	Shift, Ctrl, Alt bool
	// Time is the time since any fixed moment; only differences count.
	Time time.Duration
	// Slack is how far, in picture pixels, a pointer may miss a handle.
	Slack float64
}

// Tool turns events into edits of the canvas. The Painter gives the canvas, the
// ink and the options; a tool keeps only the shape in progress.
type Tool interface {
	// ID names the tool for good: in settings, scripts and as the name of
	// its changes.
	ID() string
	// Handle takes the next event.
	Handle(p *Painter, e Event)
	// Outline returns the shape in progress, to be drawn above the picture.
	Outline() []Path
}

// Ringed is implemented by tools that paint with the brush, so that the ring
// of its size is shown and the size can be dragged.
type Ringed interface{ Ring() }

// Path is a line through points in picture coordinates.
type Path struct {
	Points []Point
	Closed bool
	// Handles says that each point is drawn as a handle, too.
	Handles bool
}

// Brush is the options of the tools that paint with a brush.
type Brush struct {
	Shape Shape
	// Size is the width in pixels, 1 to MaxBrush.
	Size int
	// BySpeed makes the brush thinner the faster it moves. It stands in for
	// pen pressure, which the toolkit does not report.
	BySpeed bool
}

// Painter drives one tool at a time on a canvas. It holds the class being
// painted and the options of the tools, so that two views of one picture share
// one Painter and a stroke may begin in either.
type Painter struct {
	Brush Brush
	// FillEverywhere makes the fill tool ignore connection.
	FillEverywhere bool
	// Snap is the reach in pixels within which strokes are drawn onto the edges
	// of the picture, 0 for none. Ctrl lets go of them.
	Snap int
	// SmoothRadius is the reach in pixels of the smooth brush, 1 to 16.
	SmoothRadius int
	// Layer is what tools leave: Paint, MarkKeep, MarkFree or Unmark.
	Layer InkKind
	// MoveWith lists classes that the move tool takes along when it picks up
	// a class: iris and pupil with the eye.
	MoveWith func(class uint8) []uint8
	// HoleClass is what the move tool leaves behind, or NoClass for the
	// nearest class.
	HoleClass int

	// OnCommit receives every finished change.
	OnCommit func(*Change)
	// OnState is called when the tool, the class or an outline changed.
	OnState func()

	canvas    *Canvas
	picture   *image.RGBA // whose edges are snapped to
	loose     Point       // where the pointer was, before snapping
	onEdge    Point       // where it was snapped to
	tools     []Tool
	tool      Tool
	previous  Tool
	held      Tool
	gesture   Tool // got the last Press
	edit      *Edit
	class     uint8
	lastClass uint8
	end       Point // of the last stroke
	hasEnd    bool
	pressed   bool
	stamps    map[stampKey]*stamp
	sweep     sweep
}

type stampKey struct {
	shape Shape
	size  int
}

// NewPainter returns a painter with all tools of this package, the brush chosen
// at about 5 % of the picture's width.
func NewPainter(c *Canvas) *Painter {
	p := &Painter{
		Brush:        Brush{Size: min(max(c.w*24/512, 1), MaxBrush)},
		SmoothRadius: 3,
		HoleClass:    NoClass,
		canvas:       c,
		class:        1,
		stamps:       make(map[stampKey]*stamp),
	}
	if len(c.Palette()) < 2 {
		p.class = 0
	}
	for _, t := range Tools() {
		p.AddTool(t)
	}
	p.tool, p.previous = p.tools[0], p.tools[0]
	return p
}

// Tools returns a new instance of every tool of this package, in the order of a
// tool bar.
func Tools() []Tool {
	return []Tool{
		&BrushTool{}, &EraserTool{}, &FillTool{}, &PickTool{},
		&PolygonTool{}, &LassoTool{}, &RectangleTool{}, &EllipseTool{},
		&OutlineTool{}, &SmoothTool{}, &MoveTool{},
	}
}

// AddTool makes a further tool available. One with the same ID is replaced.
func (p *Painter) AddTool(t Tool) {
	for i, old := range p.tools {
		if old.ID() == t.ID() {
			p.tools[i] = t
			return
		}
	}
	p.tools = append(p.tools, t)
}

// Canvas returns the canvas painted on.
func (p *Painter) Canvas() *Canvas { return p.canvas }

// Use chooses the tool with this ID.
func (p *Painter) Use(id string) error {
	t := p.find(id)
	if t == nil {
		return fmt.Errorf("canvas: no tool is called %q", id)
	}
	if t == p.tool {
		return nil
	}
	p.stop(p.tool, Leave)
	p.previous, p.tool = p.tool, t
	p.stateChanged()
	return nil
}

func (p *Painter) find(id string) Tool {
	for _, t := range p.tools {
		if t.ID() == id {
			return t
		}
	}
	return nil
}

// UsePrevious goes back to the tool used before.
func (p *Painter) UsePrevious() { _ = p.Use(p.previous.ID()) }

// Tool returns the tool that gets the next event: the held one, or else the
// chosen one.
func (p *Painter) Tool() Tool {
	if p.held != nil {
		return p.held
	}
	return p.tool
}

// Chosen returns the chosen tool, even while another is held.
func (p *Painter) Chosen() Tool { return p.tool }

// Hold uses another tool until LetGo, as while a key is held down. A shape in
// progress of the chosen tool stays. In the middle of a stroke nothing happens.
func (p *Painter) Hold(id string) {
	t := p.find(id)
	if t == nil || p.pressed || p.held == t {
		return
	}
	p.held = t
	p.stateChanged()
}

// LetGo ends Hold.
func (p *Painter) LetGo() {
	if p.held == nil {
		return
	}
	if p.pressed && p.gesture == p.held {
		p.pressed = false
		p.held.Handle(p, Event{Kind: Cancel})
	}
	p.held = nil
	p.stateChanged()
}

// Class returns the class being painted.
func (p *Painter) Class() uint8 { return p.class }

// SetClass chooses the class to paint. A stroke in progress keeps its own.
func (p *Painter) SetClass(class uint8) {
	if int(class) >= len(p.canvas.Palette()) || class == p.class {
		return
	}
	p.lastClass, p.class = p.class, class
	p.stateChanged()
}

// SwapClass goes back to the class used before.
func (p *Painter) SwapClass() { p.SetClass(p.lastClass) }

// StepClass goes n classes on, around the end of the palette.
func (p *Painter) StepClass(n int) {
	k := len(p.canvas.Palette())
	p.SetClass(uint8(((int(p.class)+n)%k + k) % k))
}

// SetSize sets the brush size, held to 1 to MaxBrush.
func (p *Painter) SetSize(size int) {
	size = min(max(size, 1), MaxBrush)
	if size == p.Brush.Size {
		return
	}
	p.Brush.Size = size
	p.stateChanged()
}

// Marking reports whether tools leave marks of the keep or free layer instead of
// a class.
func (p *Painter) Marking() bool {
	return p.Layer == MarkKeep || p.Layer == MarkFree || p.Layer == Unmark
}

// AltTool is the ID of the tool that Alt gives while it is held: the one that
// picks a class or, on the keep and free layers, where there is no class, the
// eraser.
func (p *Painter) AltTool() string {
	if p.Marking() {
		return (&EraserTool{}).ID()
	}
	return (&PickTool{}).ID()
}

// Handle gives an event to the tool in use. A Press with Alt held goes to
// AltTool instead. The tool that got the Press gets the Drags and the Release
// too.
func (p *Painter) Handle(e Event) {
	t := p.Tool()
	switch e.Kind {
	case Press:
		if p.pressed {
			return // a second button during a stroke
		}
		if e.Alt {
			t = p.find(p.AltTool())
		}
		p.pressed, p.gesture = true, t
	case Drag, Release:
		if !p.pressed {
			return
		}
		t = p.gesture
		if e.Kind == Release {
			p.pressed = false
		}
	case Cancel, Leave:
		p.stop(p.tool, e.Kind)
		p.stateChanged()
		return
	}
	switch e.Kind {
	case Press, Drag, Release, Hover:
		p.snapped(t, e)
	default:
		t.Handle(p, e)
	}
	p.stateChanged()
}

// Cancel gives up whatever is in progress. It reports whether anything was.
func (p *Painter) Cancel() bool {
	busy := p.Busy()
	p.stop(p.tool, Cancel)
	p.stateChanged()
	return busy
}

// Busy reports whether a stroke or shape is in progress.
func (p *Painter) Busy() bool {
	return p.pressed || p.edit != nil || len(p.tool.Outline()) > 0
}

func (p *Painter) stop(t Tool, kind EventKind) {
	p.pressed = false
	t.Handle(p, Event{Kind: kind})
	if p.edit != nil && p.edit.c.open == p.edit {
		p.edit.Cancel()
	}
	p.edit = nil
}

// Outline returns the shape in progress.
func (p *Painter) Outline() []Path { return p.tool.Outline() }

// Ink returns what the tools leave now.
func (p *Painter) Ink() Ink { return Ink{Kind: p.Layer, Class: p.class} }

// Begin opens an edit for a tool. It returns nil when the canvas is busy; the
// tool then does nothing.
func (p *Painter) Begin(ink Ink) *Edit {
	if p.edit != nil {
		return nil
	}
	e, err := p.canvas.Begin(ink)
	if err != nil {
		return nil
	}
	p.edit = e
	return e
}

// Edit returns the open edit of the tool, or nil.
func (p *Painter) Edit() *Edit { return p.edit }

// Commit ends the open edit and hands its change on.
func (p *Painter) Commit(name string) {
	if p.edit == nil {
		return
	}
	ch := p.edit.Commit(p.stepName(name))
	p.edit = nil
	p.Deliver(ch)
}

// stepName is what a change of a tool is called: by its tool or, when it left
// marks, by the layer.
func (p *Painter) stepName(tool string) string {
	switch {
	case !p.Marking():
		return tool
	case p.Layer == Unmark || tool == (&EraserTool{}).ID():
		return "unmark"
	case p.Layer == MarkKeep:
		return "keep"
	}
	return "free"
}

// Abandon cancels the open edit.
func (p *Painter) Abandon() {
	if p.edit != nil {
		p.edit.Cancel()
		p.edit = nil
	}
}

// Deliver hands a change made outside a tool on to OnCommit; nil is ignored.
func (p *Painter) Deliver(ch *Change) {
	if ch != nil && p.OnCommit != nil {
		p.OnCommit(ch)
	}
}

func (p *Painter) stateChanged() {
	if p.OnState != nil {
		p.OnState()
	}
}

func (p *Painter) stamp(size int) *stamp {
	k := stampKey{p.Brush.Shape, min(max(size, 1), MaxBrush)}
	s := p.stamps[k]
	if s == nil {
		s = newStamp(k.shape, k.size)
		p.stamps[k] = s
	}
	return s
}

// Nudge moves the part in hand of the move tool by whole pixels. It reports
// whether there is one.
func (p *Painter) Nudge(dx, dy int) bool {
	t, ok := p.tool.(*MoveTool)
	if !ok || !t.Nudge(p, dx, dy) {
		return false
	}
	p.stateChanged()
	return true
}
