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
)

// Chart shows a run: the loss falling, the mask match rising, and a cursor that
// can be dragged back to any step when the run is over.
type Chart struct {
	widget.BaseWidget
	Name    string
	Loss    []float64 // per step; scaled to its own maximum
	Match   []float64 // per step, 0 to 1
	Total   int       // planned steps; 0 for as many as there are
	At      int       // step shown, −1 for none
	OnScrub func(step int)
	Hint    string // shown while there is nothing to plot
}

var (
	_ fyne.Draggable     = (*Chart)(nil)
	_ desktop.Mouseable  = (*Chart)(nil)
	_ desktop.Cursorable = (*Chart)(nil)
	_ fyne.Accessible    = (*Chart)(nil)
)

// NewChart returns an empty chart.
func NewChart(name string, onScrub func(int)) *Chart {
	c := &Chart{Name: name, At: -1, OnScrub: onScrub}
	c.ExtendBaseWidget(c)
	return c
}

// AccessibilityLabel returns the chart's name.
func (c *Chart) AccessibilityLabel() string { return c.Name }

// AccessibilityRole returns that it is read as text.
func (c *Chart) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

func (c *Chart) steps() int { return max(c.Total, len(c.Loss), len(c.Match), 2) }

// StepAt returns the step under x, within those that were run.
func (c *Chart) StepAt(x float32) int {
	w := c.BaseWidget.Size().Width
	if w <= 0 || len(c.Loss) == 0 {
		return -1
	}
	s := int(math.Round(float64(x/w) * float64(c.steps()-1)))
	return min(len(c.Loss)-1, max(0, s))
}

func (c *Chart) scrub(x float32) {
	if c.OnScrub == nil || len(c.Loss) == 0 {
		return
	}
	if s := c.StepAt(x); s != c.At {
		c.At = s
		c.Refresh()
		c.OnScrub(s)
	}
}

// MouseDown moves the cursor to the pointer.
func (c *Chart) MouseDown(e *desktop.MouseEvent) {
	if e.Button == desktop.MouseButtonPrimary {
		c.scrub(e.Position.X)
	}
}

// MouseUp does nothing.
func (c *Chart) MouseUp(*desktop.MouseEvent) {}

// Dragged moves the cursor with the pointer.
func (c *Chart) Dragged(e *fyne.DragEvent) { c.scrub(e.Position.X) }

// DragEnd does nothing.
func (c *Chart) DragEnd() {}

// Cursor shows that it can be scrubbed.
func (c *Chart) Cursor() desktop.Cursor {
	if c.OnScrub != nil && len(c.Loss) > 0 {
		return desktop.HResizeCursor
	}
	return desktop.DefaultCursor
}

// CreateRenderer draws the chart.
func (c *Chart) CreateRenderer() fyne.WidgetRenderer {
	base := canvas.NewLine(color.Transparent)
	plot := canvas.NewRaster(func(w, h int) image.Image { return c.plot(w, h) })
	plot.ScaleMode = canvas.ImageScaleFastest
	bar := box(color.Transparent, 1)
	hint := label("", look.TextBody, false)
	r := &simple{objects: []fyne.CanvasObject{base, plot, bar, hint}}
	r.min = func() fyne.Size { return fyne.NewSize(80, 34) }
	r.layout = func(z fyne.Size) {
		base.Position1, base.Position2 = fyne.NewPos(0, z.Height-1), fyne.NewPos(z.Width, z.Height-1)
		plot.Resize(z)
		setText(hint, fitText(c.Hint, look.TextBody, false, z.Width))
		m := hint.MinSize()
		hint.Resize(m)
		hint.Move(fyne.NewPos(0, (z.Height-m.Height)/2))
		if c.At >= 0 {
			x := float32(c.At) / float32(c.steps()-1) * z.Width
			bar.Resize(fyne.NewSize(2, z.Height))
			bar.Move(fyne.NewPos(x-1, 0))
		}
	}
	r.refresh = func() {
		base.StrokeColor, base.StrokeWidth = look.C(look.Line), 1
		bar.FillColor = look.C(look.Text)
		bar.Hidden = c.At < 0
		hint.Color, hint.Hidden = look.C(look.TextFaint), len(c.Loss) > 0
		base.Hidden = len(c.Loss) == 0
		r.layout(c.BaseWidget.Size())
		plot.Refresh()
		bar.Refresh()
		base.Refresh()
		hint.Refresh()
	}
	r.refresh()
	return r
}

func (c *Chart) plot(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	if len(c.Loss) == 0 {
		return img
	}
	top := 0.0
	for _, v := range c.Loss {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			top = max(top, v)
		}
	}
	if top > 0 {
		norm := make([]float64, len(c.Loss))
		for i, v := range c.Loss {
			norm[i] = v / top
		}
		curve(img, norm, c.steps(), look.C(look.Accent))
	}
	curve(img, c.Match, c.steps(), look.C(look.Good))
	return img
}

// curve draws values in 0…1 as an antialiased line, step 0 at the left edge and
// step n−1 at the right one.
func curve(img *image.RGBA, v []float64, n int, col color.Color) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if len(v) < 2 || w < 2 || h < 6 {
		return
	}
	r16, g16, b16, _ := col.RGBA()
	thick := max(0.9, float64(h)/34)
	at := func(px float64) (float64, bool) {
		s := px / float64(w-1) * float64(n-1)
		i := int(s)
		if i >= len(v)-1 {
			if s > float64(len(v)-1)+0.01 {
				return 0, false
			}
			i = len(v) - 2
		}
		f := s - float64(i)
		y := v[i]*(1-f) + v[i+1]*f
		if math.IsNaN(y) {
			return 0, false
		}
		return 2 + (1-min(1, max(0, y)))*float64(h-5), true
	}
	for x := 0; x < w; x++ {
		y, ok := at(float64(x))
		if !ok {
			continue
		}
		lo, hi := y, y
		if y2, ok := at(float64(x) + 0.5); ok {
			lo, hi = min(lo, y2), max(hi, y2)
		}
		if y2, ok := at(float64(x) - 0.5); ok && x > 0 {
			lo, hi = min(lo, y2), max(hi, y2)
		}
		for p := int(lo - thick - 1); p <= int(hi+thick+1); p++ {
			if p < 0 || p >= h {
				continue
			}
			d := max(lo-float64(p), float64(p)-hi, 0)
			a := min(1, max(0, thick+0.5-d))
			if a == 0 {
				continue
			}
			i := img.PixOffset(x, p)
			blend := func(k int, s uint32) {
				img.Pix[i+k] = uint8(float64(img.Pix[i+k])*(1-a) + float64(s>>8)*a)
			}
			blend(0, r16)
			blend(1, g16)
			blend(2, b16)
			img.Pix[i+3] = uint8(float64(img.Pix[i+3])*(1-a) + 255*a)
		}
	}
}
