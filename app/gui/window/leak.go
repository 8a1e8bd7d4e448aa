package window

import (
	"image"

	"latentbrush/app/gui/words"
	"latentbrush/canvas"
	"latentbrush/canvas/view"
	"latentbrush/engine"
	"latentbrush/engine/edit"
)

// leakFrom is the change in grey levels, times eight, from which a pixel counts as
// leaked when the keep region is made from it.
const leakFrom = 8 * 8

// asked is what the last optimisation was to change, and what from: the measure of
// where it leaked.
type asked struct {
	region *image.Alpha
	before *image.RGBA
}

// noteAsked keeps the region of an optimisation that begins, and the picture it
// begins at unless it goes on with a paused one.
func (w *Window) noteAsked(base *image.Paletted, r engine.EditRequest, resumed bool) {
	region, err := edit.Region(base, r.Painted, r.Region)
	if err != nil {
		return // the engine says the same, and is heard
	}
	if r.Free != nil && r.Free.Rect == region.Rect {
		for i, v := range r.Free.Pix {
			region.Pix[i] |= v
		}
	}
	w.sights.asked.region = region
	if !resumed || w.sights.asked.before == nil {
		w.sights.asked.before = w.shown
	}
	w.showLeak()
}

// leak returns how much each pixel changed outside of the region, 255 from a change
// of 32 grey levels: since the last optimisation began, or without one since the
// first of the edits. It is nil when there is nothing to compare.
func (w *Window) leak() *image.Gray {
	before, region := w.before, (*image.Alpha)(nil)
	if a := w.sights.asked; a.before != nil {
		before, region = a.before, a.region
	}
	if before == nil || w.shown == nil || before.Rect != w.shown.Rect {
		return nil
	}
	m := difference(before, w.shown)
	c := w.doc.Canvas()
	if m.Rect != c.Bounds() {
		return nil
	}
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			if c.MarkAt(x, y).InRegion() || region != nil && region.Pix[y*region.Stride+x] != 0 {
				m.Pix[y*m.Stride+x] = 0
			}
		}
	}
	return m
}

// toggleLeak colours the picture where it changed outside of the region.
func (w *Window) toggleLeak() {
	w.leakOn = !w.leakOn
	l := w.picturePane.Look()
	l.Heat = w.leakOn
	w.picturePane.SetLook(l)
	w.showLeak()
	if w.leakOn {
		w.say(words.T("leak.hint"))
	}
}

// showLeak brings the colours up to date with picture and region.
func (w *Window) showLeak() {
	if w.stage == nil || !w.leakOn {
		return
	}
	if err := w.stage.SetHeat(w.leak()); err != nil {
		w.log(err.Error())
	}
}

// pressed takes a press on a coloured spot of the picture: the spot is kept from
// now on.
func (w *Window) pressed(p *view.Pane, at canvas.Point) bool {
	if !w.leakOn || p != w.picturePane {
		return false
	}
	m := w.leak()
	from := image.Pt(int(at.X), int(at.Y))
	if m == nil || !from.In(m.Rect) || m.GrayAt(from.X, from.Y).Y < leakFrom {
		return false
	}
	spot := image.NewGray(m.Rect)
	queue := []image.Point{from}
	spot.Pix[from.Y*spot.Stride+from.X] = 255
	for i := 0; i < len(queue); i++ {
		// Spots with a gap of a pixel are one to the eye.
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				q := queue[i].Add(image.Pt(dx, dy))
				if q.In(m.Rect) && spot.Pix[q.Y*spot.Stride+q.X] == 0 && m.Pix[q.Y*m.Stride+q.X] >= leakFrom {
					spot.Pix[q.Y*spot.Stride+q.X] = 255
					queue = append(queue, q)
				}
			}
		}
	}
	return w.keepWhere(spot)
}

// keepLeak adds everything that changed outside of the region to the keep region, so
// that the next run leaves it as it was.
func (w *Window) keepLeak() {
	if w.painter.Busy() {
		return
	}
	if m := w.leak(); m != nil {
		w.keepWhere(m)
	}
}

// leakMargin is how far around what leaked the keep region reaches, in pixels.
const leakMargin = 2

// keepWhere adds the pixels of a map that are leakFrom or more, with a margin, to the
// keep region. What is marked already, and what the last optimisation was asked to
// change, stays out. It reports whether anything was added.
func (w *Window) keepWhere(m *image.Gray) bool {
	c := w.doc.Canvas()
	e, err := c.Begin(canvas.Ink{Kind: canvas.MarkKeep})
	if err != nil {
		w.fail(err)
		return false
	}
	region := w.sights.asked.region
	open := func(x, y int) bool {
		return c.MarkAt(x, y) == 0 && (region == nil || region.Pix[y*region.Stride+x] == 0)
	}
	n := 0
	near := image.NewGray(m.Rect) // leaked, or close to it
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			if m.Pix[y*m.Stride+x] < leakFrom || !open(x, y) {
				continue
			}
			n++
			for dy := -leakMargin; dy <= leakMargin; dy++ {
				for dx := -leakMargin; dx <= leakMargin; dx++ {
					if q := image.Pt(x+dx, y+dy); dx*dx+dy*dy <= leakMargin*leakMargin && q.In(m.Rect) && open(q.X, q.Y) {
						near.Pix[q.Y*near.Stride+q.X] = 1
					}
				}
			}
		}
	}
	for y := range m.Rect.Dy() {
		for x := 0; x < m.Rect.Dx(); x++ {
			from := x
			for x < m.Rect.Dx() && near.Pix[y*near.Stride+x] == 1 {
				x++
			}
			if x > from {
				e.Mark(y, from, x)
			}
		}
	}
	ch := e.Commit("keep")
	if ch == nil {
		w.say(words.T("leak.none"))
		return false
	}
	w.painted(ch)
	w.say(words.T("leak.kept", n))
	return true
}

// difference is the change between two pictures of one size, 255 from a change of
// 32 grey levels.
func difference(a, b *image.RGBA) *image.Gray {
	m := image.NewGray(a.Rect)
	if a.Rect != b.Rect {
		return m
	}
	for i := range m.Pix {
		d := 0
		for k := range 3 {
			v := int(a.Pix[4*i+k]) - int(b.Pix[4*i+k])
			d = max(d, v, -v)
		}
		m.Pix[i] = uint8(min(255, d*8))
	}
	return m
}
