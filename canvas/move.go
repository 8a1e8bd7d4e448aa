package canvas

import "math"

// MoveTool moves, scales and turns a part as an object. A press on a part picks
// it up (with Shift the whole class, not only what is connected); then dragging
// inside its frame moves it, a corner scales it (Shift: both sides alike), the
// handle above turns it (Shift: in steps of 15°). Confirm or a press outside
// sets it down, Cancel puts it back. The hole is filled by
// [Painter.HoleClass].
type MoveTool struct {
	part   *Part
	hole   *Part // nil for a pasted part: nothing was taken away
	t      Transform
	start  Transform // at the press
	press  Point
	action moveAction
}

type moveAction uint8

const (
	moveNone moveAction = iota
	moveShift
	moveScale
	moveTurn
)

var _ Tool = (*MoveTool)(nil)

// ID returns "move".
func (*MoveTool) ID() string { return "move" }

// Transform returns the placement of the part in hand; false if there is none.
func (t *MoveTool) Transform() (Transform, bool) { return t.t, t.part != nil }

// Part returns the part in hand, or nil.
func (t *MoveTool) Part() *Part { return t.part }

// Outline returns the frame, its corners, and the handle that turns it.
func (t *MoveTool) Outline() []Path {
	if t.part == nil {
		return nil
	}
	mid := t.part.mid()
	frame := rectPath(t.part.Bounds)
	for i, q := range frame.Points {
		frame.Points[i] = t.t.point(mid, q)
	}
	frame.Handles = true
	a, b := frame.Points[0], frame.Points[1]
	top := Point{(a.X + b.X) / 2, (a.Y + b.Y) / 2}
	return []Path{frame, {Points: []Point{top, t.turnHandle()}, Handles: true}}
}

// turnHandle lies a quarter of the frame's height above it.
func (t *MoveTool) turnHandle() Point {
	mid, b := t.part.mid(), t.part.Bounds
	up := math.Max(float64(b.Dy())/4, 4/math.Abs(t.t.ScaleY))
	return t.t.point(mid, Point{mid.X, float64(b.Min.Y) - up})
}

// Handle picks up, moves and sets down.
func (t *MoveTool) Handle(p *Painter, e Event) {
	switch e.Kind {
	case Press:
		t.pressed(p, e)
	case Drag:
		t.dragged(p, e)
	case Release:
		t.dragged(p, e)
		t.action = moveNone
	case Back:
		if t.part != nil {
			t.t = Identity
			t.redraw(p)
		}
	case Confirm, Leave:
		t.set(p)
	case Cancel:
		p.Abandon()
		*t = MoveTool{}
	}
}

func (t *MoveTool) pressed(p *Painter, e Event) {
	if t.part != nil {
		t.press, t.start = e.At, t.t
		t.action = t.hit(e)
		if t.action != moveNone {
			return
		}
		t.set(p)
	}
	x, y := int(math.Floor(e.At.X)), int(math.Floor(e.At.Y))
	class, ok := p.canvas.ClassAt(x, y)
	if !ok || p.canvas.Protection.Locked[class] {
		return
	}
	var with []uint8
	if p.MoveWith != nil {
		with = p.MoveWith(class)
	}
	var part *Part
	var err error
	if e.Shift {
		part, err = p.canvas.Copy(append([]uint8{class}, with...)...)
	} else {
		part, err = p.canvas.CopyAt(x, y, with...)
	}
	if err != nil || p.Begin(Ink{}) == nil {
		return
	}
	*t = MoveTool{part: part, hole: p.canvas.behind(part, p.HoleClass), t: Identity, start: Identity, press: e.At, action: moveShift}
}

// hit tells what a press does to the part in hand.
func (t *MoveTool) hit(e Event) moveAction {
	slack := max(e.Slack, 0.75)
	if near(e.At, t.turnHandle(), slack) {
		return moveTurn
	}
	mid := t.part.mid()
	for _, q := range rectPath(t.part.Bounds).Points {
		if near(e.At, t.t.point(mid, q), slack) {
			return moveScale
		}
	}
	q := t.t.inverse(mid, e.At)
	b := t.part.Bounds
	if q.X >= float64(b.Min.X) && q.X < float64(b.Max.X) && q.Y >= float64(b.Min.Y) && q.Y < float64(b.Max.Y) {
		return moveShift
	}
	return moveNone
}

func (t *MoveTool) dragged(p *Painter, e Event) {
	if t.part == nil || t.action == moveNone {
		return
	}
	now := t.start
	mid := t.part.mid()
	centre := Point{mid.X + now.DX, mid.Y + now.DY}
	switch t.action {
	case moveShift:
		// Whole pixels, so that an unscaled part keeps its exact shape.
		now.DX += math.Round(e.At.X - t.press.X)
		now.DY += math.Round(e.At.Y - t.press.Y)
	case moveScale:
		turned := Transform{ScaleX: 1, ScaleY: 1, Angle: now.Angle}
		from := turned.inverse(Point{}, Point{t.press.X - centre.X, t.press.Y - centre.Y})
		to := turned.inverse(Point{}, Point{e.At.X - centre.X, e.At.Y - centre.Y})
		fx, fy := ratio(to.X, from.X), ratio(to.Y, from.Y)
		if e.Shift {
			fx = ratio(math.Hypot(to.X, to.Y), math.Hypot(from.X, from.Y))
			fy = fx
		}
		now.ScaleX, now.ScaleY = leastScale(now.ScaleX*fx), leastScale(now.ScaleY*fy)
	case moveTurn:
		now.Angle += math.Atan2(e.At.Y-centre.Y, e.At.X-centre.X) - math.Atan2(t.press.Y-centre.Y, t.press.X-centre.X)
		if e.Shift {
			const step = math.Pi / 12
			now.Angle = math.Round(now.Angle/step) * step
		}
	}
	if now != t.t {
		t.t = now
		t.redraw(p)
	}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 1
	}
	return a / b
}

// leastScale keeps a scale away from zero and from nonsense.
func leastScale(v float64) float64 {
	return math.Copysign(min(max(math.Abs(v), 0.02), 50), v)
}

// redraw places the part anew from the state before it was picked up.
func (t *MoveTool) redraw(p *Painter) {
	e := p.Edit()
	if e == nil {
		return
	}
	e.Rewind()
	if t.t != Identity || t.hole == nil {
		if t.hole != nil {
			e.fillHole(t.hole)
		}
		e.place(t.part, t.t)
	}
	e.Flush()
}

// set puts the part down for good.
func (t *MoveTool) set(p *Painter) {
	if t.part != nil {
		p.Commit(t.ID())
	}
	*t = MoveTool{}
}

// Nudge moves the part in hand by whole pixels, as the arrow keys do. It reports
// whether there is one.
func (t *MoveTool) Nudge(p *Painter, dx, dy int) bool {
	if t.part == nil {
		return false
	}
	t.t.DX += float64(dx)
	t.t.DY += float64(dy)
	t.redraw(p)
	return true
}

// Float gives the move tool a part, as from a clipboard, and chooses the tool.
// The part lies where it was taken, held into the picture, until it is set down.
func (p *Painter) Float(part *Part) {
	p.stop(p.tool, Leave)
	if err := p.Use("move"); err != nil {
		return
	}
	t, ok := p.tool.(*MoveTool)
	if !ok || p.Begin(Ink{}) == nil {
		return
	}
	*t = MoveTool{part: part, t: Identity}
	inside := part.Bounds
	if inside.Intersect(p.canvas.Bounds()).Empty() {
		t.t.DX, t.t.DY = -float64(inside.Min.X), -float64(inside.Min.Y)
	}
	t.redraw(p)
	p.stateChanged()
}
