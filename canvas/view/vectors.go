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

// pool keeps objects of one kind from one drawing to the next. Between begin and
// end it is filled anew; end hides what was not used and reports whether there are
// more objects than before, which then have to be put on the stack.
type pool[T fyne.CanvasObject] struct {
	all         []T
	used, known int
}

func (p *pool[T]) begin() { p.used = 0 }

// next returns the next object, made if there is none left, and its number.
func (p *pool[T]) next(make func() T) (object T, i int) {
	i = p.used
	if i == len(p.all) {
		p.all = append(p.all, make())
	}
	p.used++
	return p.all[i], i
}

func (p *pool[T]) end() bool {
	for _, o := range p.all[p.used:] {
		visible(o, false)
	}
	grown := len(p.all) > p.known
	p.known = len(p.all)
	return grown
}

func (p *pool[T]) appendTo(objects []fyne.CanvasObject) []fyne.CanvasObject {
	for _, o := range p.all {
		objects = append(objects, o)
	}
	return objects
}

// bars is a pool of filled rectangles.
type bars struct{ pool[*fynecanvas.Rectangle] }

// add shows a rectangle, given in screen pixels.
func (b *bars) add(u units, x0, y0, x1, y1 float64, tone color.Color) {
	r, _ := b.next(func() *fynecanvas.Rectangle { return &fynecanvas.Rectangle{} })
	r.Move(u.pos(x0, y0))
	r.Resize(u.size(x1-x0, y1-y0))
	if r.FillColor != tone {
		r.FillColor = tone
		r.Refresh()
	}
	visible(r, true)
}

// fills is a pool of filled rectangles like bars, for large areas: they are drawn
// as a stretched pixel. The toolkit's own rectangle takes a software driver nearly
// twice as long for each pixel covered.
type fills struct {
	pool[*fynecanvas.Image]
	tone []color.Color // of each
}

// add fills a rectangle, given in screen pixels.
func (f *fills) add(u units, x0, y0, x1, y1 float64, tone color.Color) {
	m, i := f.next(func() *fynecanvas.Image {
		f.tone = append(f.tone, nil)
		return &fynecanvas.Image{FillMode: fynecanvas.ImageFillStretch, ScaleMode: fynecanvas.ImageScalePixels}
	})
	fresh := f.tone[i] != tone
	if fresh {
		pixel := image.NewRGBA(image.Rect(0, 0, 1, 1))
		pixel.Set(0, 0, tone)
		m.Image, f.tone[i] = pixel, tone
	}
	m.Move(u.pos(x0, y0))
	if want := u.size(x1-x0, y1-y0); fresh || m.Size() != want {
		m.Resize(want)
		m.Refresh()
	}
	visible(m, true)
}

// polylines is a pool of lines in two tones, dark below light, that can be seen
// on any picture.
type polylines struct {
	dark, light pool[*fynecanvas.Line]
	handles     bars
}

func (l *polylines) begin() {
	l.dark.begin()
	l.light.begin()
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
	dark, _ := l.dark.next(func() *fynecanvas.Line { return &fynecanvas.Line{StrokeColor: color.Black, StrokeWidth: 3} })
	light, _ := l.light.next(func() *fynecanvas.Line { return &fynecanvas.Line{StrokeColor: color.White, StrokeWidth: 1} })
	from, to := u.pos(a.X, a.Y), u.pos(b.X, b.Y)
	for _, line := range []*fynecanvas.Line{dark, light} {
		if line.Position1 != from || line.Position2 != to || line.Hidden {
			line.Position1, line.Position2, line.Hidden = from, to, false
			line.Refresh()
		}
	}
}

func (l *polylines) end() bool {
	dark, light, handles := l.dark.end(), l.light.end(), l.handles.end()
	return dark || light || handles
}

func (l *polylines) appendTo(objects []fyne.CanvasObject) []fyne.CanvasObject {
	return l.handles.appendTo(l.light.appendTo(l.dark.appendTo(objects)))
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
