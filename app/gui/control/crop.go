package control

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
	"latentbrush/canvas/photo"
)

// The parts of a crop box that the pointer can take hold of.
const (
	cropNothing = iota
	cropMove
	cropTurn
	cropCorner // and the three corners after it, clockwise from the upper left
)

const (
	cropMargin = 30 // around the photo, for a box that reaches over its edge
	cropArm    = 24 // from the box's upper side to the knob that turns it
	cropReach  = 13 // how near the pointer has to be
)

// CropBox shows a photo with a box on it that is moved, scaled and turned by hand:
// drag inside to move it, a corner to scale it about the opposite one (with Ctrl about
// its middle), the knob above it or beside it to turn it (with Shift in steps of 5°), the
// wheel to scale it. With the keyboard: arrows move it by a two-hundredth of the photo, with
// Shift five times as far, with Ctrl by one pixel; + and − scale, [ and ] turn by a
// degree, { and } by five, 0 sets it upright, Return accepts and Escape cancels.
//
// The box is in pixels of the photo, of which a smaller picture may be shown.
type CropBox struct {
	widget.BaseWidget

	// Aspect is the box's height over its width.
	Aspect float64
	// OnChange is called when the user changed the box, with final at the end of a gesture.
	OnChange           func(c photo.Crop, final bool)
	OnAccept, OnCancel func()
	// Name is read out to people who cannot see it.
	Name string

	box     photo.Crop
	size    image.Point // of the photo
	shown   *image.RGBA // the picture of it
	dimmed  *image.RGBA // and with what is outside darkened
	held    int
	from    photo.Crop // when the gesture began
	grip    fyne.Position
	moved   bool
	cursor  desktop.Cursor
	focused bool
}

var (
	_ fyne.Widget        = (*CropBox)(nil)
	_ fyne.Draggable     = (*CropBox)(nil)
	_ fyne.Scrollable    = (*CropBox)(nil)
	_ fyne.Focusable     = (*CropBox)(nil)
	_ desktop.Mouseable  = (*CropBox)(nil)
	_ desktop.Hoverable  = (*CropBox)(nil)
	_ desktop.Cursorable = (*CropBox)(nil)
	_ fyne.Accessible    = (*CropBox)(nil)
)

// NewCropBox returns a box on a photo of the given size, which small shows.
func NewCropBox(small *image.RGBA, size image.Point, aspect float64, box photo.Crop) *CropBox {
	c := &CropBox{Aspect: aspect, box: box, size: size, shown: small, dimmed: image.NewRGBA(small.Rect), cursor: desktop.DefaultCursor}
	c.ExtendBaseWidget(c)
	return c
}

// AccessibilityLabel returns the name.
func (c *CropBox) AccessibilityLabel() string { return c.Name }

// AccessibilityRole returns that it is read as text.
func (c *CropBox) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// Box returns the box.
func (c *CropBox) Box() photo.Crop { return c.box }

// Set shows another box without reporting it.
func (c *CropBox) Set(b photo.Crop) {
	c.box = b
	c.Refresh()
}

// Busy reports whether a gesture is going on.
func (c *CropBox) Busy() bool { return c.held != cropNothing }

// fit is the scale from the photo to the widget and the place of its corner.
func (c *CropBox) fit() (scale float64, x0, y0 float64) {
	z := c.BaseWidget.Size()
	w, h := float64(z.Width)-2*cropMargin, float64(z.Height)-2*cropMargin
	scale = max(1e-6, min(w/float64(c.size.X), h/float64(c.size.Y)))
	return scale, (float64(z.Width) - scale*float64(c.size.X)) / 2, (float64(z.Height) - scale*float64(c.size.Y)) / 2
}

func (c *CropBox) toScreen(x, y float64) fyne.Position {
	s, x0, y0 := c.fit()
	return fyne.NewPos(float32(x0+s*x), float32(y0+s*y))
}

func (c *CropBox) toPhoto(p fyne.Position) (x, y float64) {
	s, x0, y0 := c.fit()
	return (float64(p.X) - x0) / s, (float64(p.Y) - y0) / s
}

// corner is a corner of a box in the photo; u and v are −1 or 1.
func (c *CropBox) corner(b photo.Crop, u, v float64) (x, y float64) {
	sin, cos := math.Sincos(b.Angle)
	w, h := b.Width/2*u, b.Width*c.Aspect/2*v
	return b.X + cos*w - sin*h, b.Y + sin*w + cos*h
}

var cropCorners = [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}

// knob is where the box is turned.
func (c *CropBox) knob() fyne.Position {
	x, y := c.corner(c.box, 0, -1)
	sin, cos := math.Sincos(c.box.Angle)
	p := c.toScreen(x, y)
	return p.AddXY(float32(sin*cropArm), float32(-cos*cropArm))
}

func near(a, b fyne.Position) bool {
	return math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)) <= cropReach
}

// at is the part under a point of the widget.
func (c *CropBox) at(p fyne.Position) int {
	for i, k := range cropCorners {
		if near(p, c.toScreen(c.corner(c.box, k[0], k[1]))) {
			return cropCorner + i
		}
	}
	if near(p, c.knob()) {
		return cropTurn
	}
	x, y := c.toPhoto(p)
	sin, cos := math.Sincos(c.box.Angle)
	dx, dy := x-c.box.X, y-c.box.Y
	if math.Abs(cos*dx+sin*dy) <= c.box.Width/2 && math.Abs(cos*dy-sin*dx) <= c.box.Width*c.Aspect/2 {
		return cropMove
	}
	return cropTurn
}

// MouseDown takes hold of a part.
func (c *CropBox) MouseDown(e *desktop.MouseEvent) {
	if cv := canvasOf(c); cv != nil {
		cv.Focus(c)
	}
	if e.Button != desktop.MouseButtonPrimary {
		return
	}
	c.held, c.from, c.grip, c.moved = c.at(e.Position), c.box, e.Position, false
}

// MouseUp lets go.
func (c *CropBox) MouseUp(*desktop.MouseEvent) { c.let() }

// DragEnd lets go; a release elsewhere gives only this.
func (c *CropBox) DragEnd() { c.let() }

func (c *CropBox) let() {
	if c.held == cropNothing {
		return
	}
	c.held = cropNothing
	if c.moved {
		c.changed(c.box, true)
	}
}

// Dragged follows the pointer.
func (c *CropBox) Dragged(e *fyne.DragEvent) {
	if c.held == cropNothing {
		return
	}
	c.moved = true
	mods := modifiers()
	x, y := c.toPhoto(e.Position)
	gx, gy := c.toPhoto(c.grip)
	b := c.from
	switch c.held {
	case cropMove:
		b.X, b.Y = b.X+x-gx, b.Y+y-gy
		if mods&fyne.KeyModifierShift != 0 { // along one axis
			if math.Abs(x-gx) > math.Abs(y-gy) {
				b.Y = c.from.Y
			} else {
				b.X = c.from.X
			}
		}
	case cropTurn:
		b.Angle += math.Atan2(y-b.Y, x-b.X) - math.Atan2(gy-b.Y, gx-b.X)
		if mods&fyne.KeyModifierShift != 0 {
			const step = 5 * math.Pi / 180
			b.Angle = math.Round(b.Angle/step) * step
		}
		b.Angle = math.Remainder(b.Angle, 2*math.Pi)
	default:
		k := cropCorners[c.held-cropCorner]
		fx, fy := b.X, b.Y
		if mods&fyne.KeyModifierControl == 0 {
			fx, fy = c.corner(b, -k[0], -k[1])
		}
		hx, hy := c.corner(b, k[0], k[1])
		// The pointer's way along the diagonal says by how much the box grows.
		length := math.Hypot(hx-fx, hy-fy)
		grown := ((x-gx+hx-fx)*(hx-fx) + (y-gy+hy-fy)*(hy-fy)) / length
		f := c.bounded(b.Width*grown/length) / b.Width
		b.Width *= f
		b.X, b.Y = fx+(c.from.X-fx)*f, fy+(c.from.Y-fy)*f
	}
	c.changed(b, false)
}

// bounded keeps a width between a few pixels and one and a half times the photo.
func (c *CropBox) bounded(width float64) float64 {
	most := 1.5 * max(float64(c.size.X), float64(c.size.Y)/c.Aspect)
	return min(most, max(min(8, most), width))
}

func (c *CropBox) changed(b photo.Crop, final bool) {
	b.Width = c.bounded(b.Width)
	b.X = min(float64(c.size.X), max(0, b.X))
	b.Y = min(float64(c.size.Y), max(0, b.Y))
	c.box = b
	c.Refresh()
	if c.OnChange != nil {
		c.OnChange(b, final)
	}
}

// Scrolled scales the box about the pointer.
func (c *CropBox) Scrolled(e *fyne.ScrollEvent) {
	d := float64(e.Scrolled.DY)
	if d == 0 {
		d = float64(e.Scrolled.DX)
	}
	b := c.box
	x, y := c.toPhoto(e.Position)
	if c.at(e.Position) == cropTurn {
		x, y = b.X, b.Y
	}
	f := c.bounded(b.Width*math.Exp(-d/400)) / b.Width
	b.Width *= f
	b.X, b.Y = x+(b.X-x)*f, y+(b.Y-y)*f
	c.changed(b, true)
}

// MouseIn and MouseMoved choose the pointer's shape.
func (c *CropBox) MouseIn(e *desktop.MouseEvent) { c.MouseMoved(e) }

// MouseMoved chooses the pointer's shape.
func (c *CropBox) MouseMoved(e *desktop.MouseEvent) {
	if c.held != cropNothing {
		return
	}
	switch part := c.at(e.Position); part {
	case cropMove:
		c.cursor = desktop.DefaultCursor
	case cropTurn:
		c.cursor = desktop.CrosshairCursor
	default:
		// A box that is turned by a quarter has its corners changed over.
		quarter := int(math.Round(c.box.Angle / (math.Pi / 2)))
		c.cursor = desktop.NWSEResizeCursor
		if (part-cropCorner+quarter)&1 == 1 {
			c.cursor = desktop.NESWResizeCursor
		}
	}
}

// MouseOut does nothing.
func (c *CropBox) MouseOut() {}

// Cursor is the pointer's shape over the part below it.
func (c *CropBox) Cursor() desktop.Cursor { return c.cursor }

// FocusGained shows that keys go to the box.
func (c *CropBox) FocusGained() { c.focused = true; c.Refresh() }

// FocusLost ends that.
func (c *CropBox) FocusLost() { c.focused = false; c.Refresh() }

// TypedRune scales and turns.
func (c *CropBox) TypedRune(r rune) {
	b := c.box
	const degree = math.Pi / 180
	switch r {
	case '+', '=':
		b.Width *= 1.02
	case '-', '_', '−':
		b.Width /= 1.02
	case '[':
		b.Angle -= degree
	case ']':
		b.Angle += degree
	case '{':
		b.Angle -= 5 * degree
	case '}':
		b.Angle += 5 * degree
	case '0':
		b.Angle = 0
	default:
		return
	}
	c.changed(b, true)
}

// TypedKey moves, accepts and cancels.
func (c *CropBox) TypedKey(e *fyne.KeyEvent) {
	step := max(1, float64(max(c.size.X, c.size.Y))/200)
	switch mods := modifiers(); {
	case mods&fyne.KeyModifierControl != 0:
		step = 1
	case mods&fyne.KeyModifierShift != 0:
		step *= 5
	}
	b := c.box
	switch e.Name {
	case fyne.KeyLeft:
		b.X -= step
	case fyne.KeyRight:
		b.X += step
	case fyne.KeyUp:
		b.Y -= step
	case fyne.KeyDown:
		b.Y += step
	case fyne.KeyReturn, fyne.KeyEnter:
		if c.OnAccept != nil {
			c.OnAccept()
		}
		return
	case fyne.KeyEscape:
		if c.OnCancel != nil {
			c.OnCancel()
		}
		return
	default:
		return
	}
	c.changed(b, true)
}

// dim darkens what is outside the box.
func (c *CropBox) dim() {
	from, to := c.shown, c.dimmed
	w, h := from.Rect.Dx(), from.Rect.Dy()
	k := float64(c.size.X) / float64(w)
	sin, cos := math.Sincos(c.box.Angle)
	hw, hh := c.box.Width/2, c.box.Width*c.Aspect/2
	for y := range h {
		a, b := from.Pix[y*from.Stride:][:4*w], to.Pix[y*to.Stride:][:4*w]
		dy := (float64(y)+0.5)*k - c.box.Y
		u, v := -c.box.X*cos+sin*dy+0.5*k*cos, c.box.X*sin+cos*dy-0.5*k*sin
		for x := 0; x < 4*w; x += 4 {
			if u < -hw || u > hw || v < -hh || v > hh {
				b[x], b[x+1], b[x+2] = a[x]/4+a[x]/16, a[x+1]/4+a[x+1]/16, a[x+2]/4+a[x+2]/16
			} else {
				b[x], b[x+1], b[x+2] = a[x], a[x+1], a[x+2]
			}
			b[x+3] = 255
			u += k * cos
			v -= k * sin
		}
	}
}

// CreateRenderer draws photo, box and handles.
func (c *CropBox) CreateRenderer() fyne.WidgetRenderer {
	back := box(color.Transparent, 6)
	img := picture()
	img.Image = c.dimmed
	r := &simple{objects: []fyne.CanvasObject{back, img}}
	line := func(width float32) *canvas.Line {
		l := canvas.NewLine(color.Transparent)
		l.StrokeWidth = width
		r.objects = append(r.objects, l)
		return l
	}
	var thirds [4]*canvas.Line
	for i := range thirds {
		thirds[i] = line(1)
	}
	var under, sides [5]*canvas.Line // the last is the arm of the knob
	for i := range sides {
		under[i] = line(3)
	}
	for i := range sides {
		sides[i] = line(1.5)
	}
	var knobs [5]*canvas.Circle
	for i := range knobs {
		knobs[i] = canvas.NewCircle(color.Transparent)
		knobs[i].StrokeWidth = 1.5
		r.objects = append(r.objects, knobs[i])
	}
	r.min = func() fyne.Size { return fyne.NewSize(240, 200) }
	r.layout = func(z fyne.Size) {
		back.Resize(z)
		s, x0, y0 := c.fit()
		img.Move(fyne.NewPos(float32(x0), float32(y0)))
		img.Resize(fyne.NewSize(float32(s*float64(c.size.X)), float32(s*float64(c.size.Y))))
		at := func(u, v float64) fyne.Position { return c.toScreen(c.corner(c.box, u, v)) }
		for i, t := range []float64{-1. / 3, 1. / 3} {
			thirds[i].Position1, thirds[i].Position2 = at(t, -1), at(t, 1)
			thirds[i+2].Position1, thirds[i+2].Position2 = at(-1, t), at(1, t)
		}
		for i, k := range cropCorners {
			n := cropCorners[(i+1)%4]
			p, q := at(k[0], k[1]), at(n[0], n[1])
			under[i].Position1, under[i].Position2 = p, q
			sides[i].Position1, sides[i].Position2 = p, q
			knobs[i].Move(p.AddXY(-5.5, -5.5))
			knobs[i].Resize(fyne.NewSquareSize(11))
		}
		p, q := at(0, -1), c.knob()
		under[4].Position1, under[4].Position2 = p, q
		sides[4].Position1, sides[4].Position2 = p, q
		knobs[4].Move(q.AddXY(-5.5, -5.5))
		knobs[4].Resize(fyne.NewSquareSize(11))
	}
	r.refresh = func() {
		c.dim()
		back.FillColor = look.C(look.SurfaceLow)
		edge := color.Color(color.White)
		if c.focused {
			edge = look.C(look.Accent)
		}
		for _, l := range thirds {
			l.StrokeColor = color.NRGBA{255, 255, 255, 80}
		}
		for i := range sides {
			under[i].StrokeColor = color.NRGBA{A: 110}
			sides[i].StrokeColor = edge
		}
		for _, k := range knobs {
			k.FillColor, k.StrokeColor = color.White, color.NRGBA{A: 150}
		}
		knobs[4].FillColor = look.C(look.Accent)
		r.layout(c.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
	}
	r.refresh()
	return r
}
