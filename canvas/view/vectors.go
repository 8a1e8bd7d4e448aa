package view

import (
	"image"
	"image/color"
	"math"
	"strconv"

	"fyne.io/fyne/v2"
	fynecanvas "fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"

	"latentbrush/canvas"
)

// bars is a pool of filled rectangles. Between begin and end it is filled anew;
// end reports whether there are more objects than before, which then have to be
// put on the stack.
type bars struct {
	all   []*fynecanvas.Rectangle
	used  int
	known int
}

func (b *bars) begin() { b.used = 0 }

// add shows a rectangle, given in screen pixels.
func (b *bars) add(u units, x0, y0, x1, y1 float64, tone color.Color) {
	if b.used == len(b.all) {
		b.all = append(b.all, &fynecanvas.Rectangle{})
	}
	r := b.all[b.used]
	b.used++
	r.Move(u.pos(x0, y0))
	r.Resize(u.size(x1-x0, y1-y0))
	if r.FillColor != tone {
		r.FillColor = tone
		r.Refresh()
	}
	if r.Hidden {
		r.Show()
	}
}

func (b *bars) end() bool {
	for _, r := range b.all[b.used:] {
		if !r.Hidden {
			r.Hide()
		}
	}
	grown := len(b.all) > b.known
	b.known = len(b.all)
	return grown
}

func (b *bars) appendTo(objects []fyne.CanvasObject) []fyne.CanvasObject {
	for _, r := range b.all {
		objects = append(objects, r)
	}
	return objects
}

// fills is a pool of filled rectangles like bars, for large areas: they are drawn
// as a stretched pixel. The toolkit's own rectangle takes a software driver nearly
// twice as long for each pixel covered.
type fills struct {
	all   []*fynecanvas.Image
	tone  []color.Color
	used  int
	known int
}

func (f *fills) begin() { f.used = 0 }

// add fills a rectangle, given in screen pixels.
func (f *fills) add(u units, x0, y0, x1, y1 float64, tone color.Color) {
	if f.used == len(f.all) {
		f.all = append(f.all, &fynecanvas.Image{FillMode: fynecanvas.ImageFillStretch, ScaleMode: fynecanvas.ImageScalePixels})
		f.tone = append(f.tone, nil)
	}
	m := f.all[f.used]
	fresh := f.tone[f.used] != tone
	if fresh {
		pixel := image.NewRGBA(image.Rect(0, 0, 1, 1))
		pixel.Set(0, 0, tone)
		m.Image, f.tone[f.used] = pixel, tone
	}
	f.used++
	m.Move(u.pos(x0, y0))
	if want := u.size(x1-x0, y1-y0); fresh || m.Size() != want {
		m.Resize(want)
		m.Refresh()
	}
	if m.Hidden {
		m.Show()
	}
}

func (f *fills) end() bool {
	for _, m := range f.all[f.used:] {
		if !m.Hidden {
			m.Hide()
		}
	}
	grown := len(f.all) > f.known
	f.known = len(f.all)
	return grown
}

func (f *fills) appendTo(objects []fyne.CanvasObject) []fyne.CanvasObject {
	for _, m := range f.all {
		objects = append(objects, m)
	}
	return objects
}

// polylines is a pool of lines in two tones, dark below light, that can be seen
// on any picture.
type polylines struct {
	dark, light []*fynecanvas.Line
	used, known int
	handles     bars
}

func (l *polylines) begin() {
	l.used = 0
	l.handles.begin()
}

// leastSegment is the length in screen pixels below which points of a path are
// left out: a long lasso would have thousands.
const leastSegment = 4

func (l *polylines) path(path canvas.Path, place func(canvas.Point) canvas.Point, u units) {
	if len(path.Points) == 0 {
		return
	}
	first := place(path.Points[0])
	last := first
	for i, q := range path.Points[1:] {
		at := place(q)
		if math.Hypot(at.X-last.X, at.Y-last.Y) < leastSegment && i < len(path.Points)-2 {
			continue
		}
		l.segment(last, at, u)
		last = at
	}
	if path.Closed && len(path.Points) > 2 {
		l.segment(last, first, u)
	}
	if path.Handles {
		for _, q := range path.Points {
			at := place(q)
			x, y := math.Round(at.X), math.Round(at.Y)
			l.handles.add(u, x-4, y-4, x+4, y+4, color.Black)
			l.handles.add(u, x-3, y-3, x+3, y+3, color.White)
		}
	}
}

func (l *polylines) segment(a, b canvas.Point, u units) {
	if l.used == len(l.dark) {
		l.dark = append(l.dark, &fynecanvas.Line{StrokeColor: color.Black, StrokeWidth: 3})
		l.light = append(l.light, &fynecanvas.Line{StrokeColor: color.White, StrokeWidth: 1})
	}
	from, to := u.pos(a.X, a.Y), u.pos(b.X, b.Y)
	for _, line := range []*fynecanvas.Line{l.dark[l.used], l.light[l.used]} {
		if line.Position1 != from || line.Position2 != to || line.Hidden {
			line.Position1, line.Position2, line.Hidden = from, to, false
			line.Refresh()
		}
	}
	l.used++
}

func (l *polylines) end() bool {
	for i := l.used; i < len(l.dark); i++ {
		if !l.dark[i].Hidden {
			l.dark[i].Hide()
			l.light[i].Hide()
		}
	}
	grown := len(l.dark) > l.known
	l.known = len(l.dark)
	return l.handles.end() || grown
}

func (l *polylines) appendTo(objects []fyne.CanvasObject) []fyne.CanvasObject {
	for _, line := range l.dark {
		objects = append(objects, line)
	}
	for _, line := range l.light {
		objects = append(objects, line)
	}
	return l.handles.appendTo(objects)
}

// ring is the outline of the brush, a light line in a dark one.
type ring struct {
	circles [2]*fynecanvas.Circle
	squares [2]*fynecanvas.Rectangle
	diamond polylines
	note    *fynecanvas.Text
	stacked bool
	shown   bool
}

// show draws the ring about a place with a radius, both in screen pixels, and a
// number beside it unless that is zero. It reports whether objects are new.
func (r *ring) show(shape canvas.Shape, mid canvas.Point, radius float64, u units, note int) bool {
	if r.note == nil {
		for i, tone := range []color.Color{color.Black, color.White} {
			r.circles[i] = &fynecanvas.Circle{StrokeColor: tone, StrokeWidth: 1}
			r.squares[i] = &fynecanvas.Rectangle{StrokeColor: tone, StrokeWidth: 1}
		}
		r.note = fynecanvas.NewText("", color.White)
		r.note.TextSize = theme.TextSize()
		r.note.TextStyle.Bold = true
	}
	r.diamond.begin()
	for i := range 2 {
		// The dark line lies on the outside of the ring, the light one
		// inside, each one unit wide.
		d := radius + (1-float64(i))*u.scale
		pos, size := u.pos(mid.X-d, mid.Y-d), u.size(2*d, 2*d)
		visible(r.circles[i], shape == canvas.Round)
		visible(r.squares[i], shape == canvas.Square)
		switch shape {
		case canvas.Round:
			r.circles[i].Resize(size)
			r.circles[i].Move(pos)
		case canvas.Square:
			r.squares[i].Resize(size)
			r.squares[i].Move(pos)
		}
	}
	if shape == canvas.Diamond {
		r.diamond.path(canvas.Path{Closed: true, Points: []canvas.Point{
			{X: mid.X, Y: mid.Y - radius},
			{X: mid.X + radius, Y: mid.Y},
			{X: mid.X, Y: mid.Y + radius},
			{X: mid.X - radius, Y: mid.Y},
		}}, func(q canvas.Point) canvas.Point { return q }, u)
	}
	grown := r.diamond.end()
	visible(r.note, note > 0)
	if note > 0 {
		if text := strconv.Itoa(note) + " px"; r.note.Text != text {
			r.note.Text = text
			r.note.Refresh()
		}
		r.note.Move(u.pos(mid.X+radius+6*u.scale, mid.Y-8*u.scale))
	}
	grown = grown || !r.stacked
	r.stacked, r.shown = true, true
	return grown
}

func visible(o fyne.CanvasObject, on bool) {
	switch {
	case on && !o.Visible():
		o.Show()
	case !on && o.Visible():
		o.Hide()
	}
}

func (r *ring) hide() {
	if r.note == nil {
		return
	}
	for i := range 2 {
		visible(r.circles[i], false)
		visible(r.squares[i], false)
	}
	r.diamond.begin()
	r.diamond.end()
	visible(r.note, false)
	r.shown = false
}

func (r *ring) appendTo(objects []fyne.CanvasObject) []fyne.CanvasObject {
	if r.note == nil {
		return objects
	}
	for i := range 2 {
		objects = append(objects, r.circles[i], r.squares[i])
	}
	return append(r.diamond.appendTo(objects), r.note)
}
