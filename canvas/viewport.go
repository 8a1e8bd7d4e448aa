package canvas

import (
	"image"
	"math"
)

// The zoom range: screen pixels per picture pixel.
const (
	MinZoom = 0.1
	MaxZoom = 32
)

// Viewport says which part of a picture a pane shows, and how large. Linked
// panes share one Viewport: the same place of the picture is in the middle of
// each, at the same zoom, whatever their sizes.
//
// Places in a pane are in screen pixels from its top left corner. The shown
// picture is the picture, mirrored when Mirror is set.
type Viewport struct {
	size   image.Point // of the picture
	zoom   float64
	centre Point // of the shown picture, in the middle of the pane
	mirror bool
	fit    bool
	subs   subscribers[func()]
	grip   grip
}

// grip is the place of the shown picture that zooming holds under a place of
// the pane, valid while centre and zoom are those it left.
type grip struct {
	at, place, centre Point
	zoom              float64
}

// NewViewport returns the view of a picture of the given size, to be fitted.
func NewViewport(size image.Point) *Viewport {
	return &Viewport{size: size, zoom: 1, fit: true, centre: Point{float64(size.X) / 2, float64(size.Y) / 2}}
}

// Subscribe has fn called after every change, and returns the function that
// ends it.
func (v *Viewport) Subscribe(fn func()) (cancel func()) {
	return v.subs.add(fn)
}

func (v *Viewport) changed() {
	for _, s := range v.subs {
		s.fn()
	}
}

// Zoom returns the screen pixels per picture pixel.
func (v *Viewport) Zoom() float64 { return v.zoom }

// Mirrored reports whether the picture is shown mirrored.
func (v *Viewport) Mirrored() bool { return v.mirror }

// Fitting reports whether the view follows the size of the pane.
func (v *Viewport) Fitting() bool { return v.fit }

// Centre returns the place of the picture in the middle of the pane.
func (v *Viewport) Centre() Point {
	c := v.centre
	if v.mirror {
		c.X = float64(v.size.X) - c.X
	}
	return c
}

// SetMirror shows the picture mirrored or not. The same place of the picture
// stays in the middle.
func (v *Viewport) SetMirror(on bool) {
	if on == v.mirror {
		return
	}
	v.mirror = on
	v.grip = grip{}
	v.centre.X = float64(v.size.X) - v.centre.X
	v.changed()
}

// Level returns the level of [Tiles] to draw at the present zoom: below one half
// each screen pixel would skip picture pixels.
func (v *Viewport) Level() int {
	level := 0
	for z := v.zoom; z < 0.5 && level < MaxLevel; z *= 2 {
		level++
	}
	return level
}

// Origin returns where the shown picture's top left corner lies in a pane, on a
// whole screen pixel so that picture pixels have even edges.
func (v *Viewport) Origin(pane Point) Point {
	return Point{math.Round(pane.X/2 - v.centre.X*v.zoom), math.Round(pane.Y/2 - v.centre.Y*v.zoom)}
}

// ToShown maps a place in a pane to the shown picture.
func (v *Viewport) ToShown(at, pane Point) Point {
	o := v.Origin(pane)
	return Point{(at.X - o.X) / v.zoom, (at.Y - o.Y) / v.zoom}
}

// ToPicture maps a place in a pane to the picture.
func (v *Viewport) ToPicture(at, pane Point) Point {
	p := v.ToShown(at, pane)
	if v.mirror {
		// A pixel covers [i, i+1); mirrored it must not cover (i, i+1].
		p.X = math.Nextafter(float64(v.size.X)-p.X, math.Inf(-1))
	}
	return p
}

// ToPane maps a place of the picture to the pane.
func (v *Viewport) ToPane(p, pane Point) Point {
	if v.mirror {
		p.X = float64(v.size.X) - p.X
	}
	o := v.Origin(pane)
	return Point{o.X + p.X*v.zoom, o.Y + p.Y*v.zoom}
}

// Visible returns the rectangle of the shown picture, at level 0, that a pane
// shows.
func (v *Viewport) Visible(pane Point) image.Rectangle {
	a, b := v.ToShown(Point{}, pane), v.ToShown(pane, pane)
	r := image.Rect(floorClamp(a.X), floorClamp(a.Y), floorClamp(b.X)+1, floorClamp(b.Y)+1)
	return r.Intersect(image.Rectangle{Max: v.size})
}

// ZoomTo sets the zoom and keeps the picture under a place of the pane there.
func (v *Viewport) ZoomTo(zoom float64, at, pane Point) {
	zoom = min(max(zoom, MinZoom), MaxZoom)
	v.fit = false
	if zoom == v.zoom {
		return
	}
	// What is seen lies up to half a screen pixel beside the exact place.
	// Several steps about one place keep what was seen at the first, or
	// the difference would grow with the zoom.
	if v.grip.at != at || v.grip.centre != v.centre || v.grip.zoom != v.zoom {
		v.grip.at, v.grip.place = at, v.ToShown(at, pane)
	}
	v.zoom = zoom
	v.centre = Point{v.grip.place.X - (at.X-pane.X/2)/zoom, v.grip.place.Y - (at.Y-pane.Y/2)/zoom}
	v.hold(pane, 1)
	v.grip.centre, v.grip.zoom = v.centre, v.zoom
	v.changed()
}

// stepsPerOctave is how many wheel clicks double the zoom. 100 %, 200 %, 400 %
// … are on the ladder.
const stepsPerOctave = 4

// Step zooms in by n clicks (out if negative) about a place of the pane.
func (v *Viewport) Step(n int, at, pane Point) {
	rung := math.Log2(v.zoom) * stepsPerOctave
	// From between two rungs the first click goes to the next one.
	if n > 0 {
		rung = math.Floor(rung+1e-6) + float64(n)
	} else {
		rung = math.Ceil(rung-1e-6) + float64(n)
	}
	v.ZoomTo(math.Exp2(rung/stepsPerOctave), at, pane)
}

// Pan moves the picture by screen pixels.
func (v *Viewport) Pan(dx, dy float64, pane Point) {
	v.fit = false
	v.centre.X -= dx / v.zoom
	v.centre.Y -= dy / v.zoom
	v.hold(pane, 8)
	v.changed()
}

// CentreOn brings a place of the picture to the middle.
func (v *Viewport) CentreOn(p Point) {
	v.fit = false
	if v.mirror {
		p.X = float64(v.size.X) - p.X
	}
	v.centre = p
	v.changed()
}

// hold keeps a corner of the picture, a number of screen pixels wide, in the
// pane, so that it cannot get lost.
func (v *Viewport) hold(pane Point, least float64) {
	hold := func(c, size, pane float64) float64 {
		reach := max(pane/2-least, 0) / v.zoom
		return min(max(c, -reach), size+reach)
	}
	v.centre.X = hold(v.centre.X, float64(v.size.X), pane.X)
	v.centre.Y = hold(v.centre.Y, float64(v.size.Y), pane.Y)
}

// Fit shows the whole picture in the middle, and keeps it so when the pane
// changes its size.
func (v *Viewport) Fit(pane Point) {
	zoom := min(pane.X/float64(v.size.X), pane.Y/float64(v.size.Y))
	if pane.X <= 0 || pane.Y <= 0 {
		zoom = v.zoom
	}
	zoom = min(max(zoom, MinZoom), MaxZoom)
	centre := Point{float64(v.size.X) / 2, float64(v.size.Y) / 2}
	if v.fit && zoom == v.zoom && centre == v.centre {
		return
	}
	v.fit, v.zoom, v.centre = true, zoom, centre
	v.changed()
}
