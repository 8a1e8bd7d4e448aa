package window

import (
	"image"

	"latentbrush/app/gui/words"
	"latentbrush/canvas"
)

// leakFrom is the change in grey levels, times eight, from which a pixel counts as
// leaked when the keep region is made from it.
const leakFrom = 8 * 8

// keepLeak adds what changed outside of the region, with a margin of two pixels, to
// the keep region, so that the next run leaves it as it was.
func (w *Window) keepLeak() {
	if w.painter.Busy() || w.before == nil || w.shown == nil {
		return
	}
	c := w.doc.Canvas()
	m := difference(w.before, w.shown)
	if m.Rect != c.Bounds() {
		return
	}
	e, err := c.Begin(canvas.Ink{Kind: canvas.MarkKeep})
	if err != nil {
		w.fail(err)
		return
	}
	n := 0
	near := image.NewGray(m.Rect) // leaked, or close to it
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			if m.Pix[y*m.Stride+x] < leakFrom || c.MarkAt(x, y) != 0 {
				continue
			}
			n++
			for _, q := range []image.Point{{0, 0}, {1, 0}, {-1, 0}, {0, 1}, {0, -1}, {2, 0}, {-2, 0}, {0, 2}, {0, -2}, {1, 1}, {1, -1}, {-1, 1}, {-1, -1}} {
				if p := image.Pt(x, y).Add(q); p.In(m.Rect) {
					near.Pix[p.Y*near.Stride+p.X] = 1
				}
			}
		}
	}
	for y := range m.Rect.Dy() {
		for x := 0; x < m.Rect.Dx(); x++ {
			from := x
			for x < m.Rect.Dx() && near.Pix[y*near.Stride+x] == 1 && c.MarkAt(x, y) == 0 {
				x++
			}
			if x > from {
				e.Mark(y, from, x)
			}
		}
	}
	ch := e.Commit("keep")
	if n == 0 || ch == nil {
		w.say(words.T("leak.none"))
		return
	}
	w.painted(ch)
	w.say(words.T("leak.kept", n))
}
