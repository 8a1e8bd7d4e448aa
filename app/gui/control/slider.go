package control

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Scale maps a slider's travel, 0 to 1, to a value and back.
type Scale struct {
	Value  func(travel float64) float64
	Travel func(value float64) float64
}

// Linear is the scale from lo to hi.
func Linear(lo, hi float64) Scale {
	return Scale{
		Value:  func(t float64) float64 { return lo + t*(hi-lo) },
		Travel: func(v float64) float64 { return (v - lo) / (hi - lo) },
	}
}

// BrushScale gives small sizes most of the travel: 40 % for 1 to 50 px, 30 % to
// 200 px, the rest to most.
func BrushScale(most float64) Scale {
	x := []float64{0, 0.4, 0.7, 1}
	y := []float64{1, 50, 200, max(most, 201)}
	at := func(v float64, from, to []float64) float64 {
		for i := 1; i < len(from); i++ {
			if v <= from[i] || i == len(from)-1 {
				return to[i-1] + (v-from[i-1])/(from[i]-from[i-1])*(to[i]-to[i-1])
			}
		}
		return to[0]
	}
	return Scale{
		Value:  func(t float64) float64 { return math.Round(at(t, x, y)) },
		Travel: func(v float64) float64 { return at(v, y, x) },
	}
}

// Slider is a thin horizontal slider for view and tool settings. Shift while
// dragging moves ten times slower. It never takes the keyboard.
type Slider struct {
	widget.BaseWidget

	Name      string
	Scale     Scale
	Value     float64
	Default   float64
	Width     float32
	OnChanged func(float64)

	hover, dragging bool
	travel          float64
}

var (
	_ fyne.Widget         = (*Slider)(nil)
	_ fyne.Draggable      = (*Slider)(nil)
	_ fyne.DoubleTappable = (*Slider)(nil)
	_ desktop.Hoverable   = (*Slider)(nil)
	_ desktop.Mouseable   = (*Slider)(nil)
	_ fyne.Accessible     = (*Slider)(nil)
)

// NewSlider returns a slider; a double click sets it to value, its default.
func NewSlider(name string, scale Scale, value float64, width float32, onChanged func(float64)) *Slider {
	s := &Slider{Name: name, Scale: scale, Value: value, Default: value, Width: width, OnChanged: onChanged}
	s.ExtendBaseWidget(s)
	return s
}

// AccessibilityLabel returns the slider's name and value.
func (s *Slider) AccessibilityLabel() string {
	return s.Name + " " + strconv.FormatFloat(s.Value, 'f', -1, 64)
}

// AccessibilityRole returns that it is read as text.
func (s *Slider) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// Set shows a value without reporting it.
func (s *Slider) Set(v float64) {
	if s.Value != v {
		s.Value = v
		s.Refresh()
	}
}

func (s *Slider) report(v float64) {
	if v == s.Value {
		return
	}
	s.Value = v
	s.Refresh()
	if s.OnChanged != nil {
		s.OnChanged(v)
	}
}

const knob = 12

func (s *Slider) travelAt(x float32) float64 {
	w := s.BaseWidget.Size().Width - knob
	if w <= 0 {
		return 0
	}
	return min(1, max(0, float64((x-knob/2)/w)))
}

// MouseDown jumps to the pointer.
func (s *Slider) MouseDown(e *desktop.MouseEvent) {
	if e.Button != desktop.MouseButtonPrimary {
		return
	}
	s.dragging = true
	s.travel = s.Scale.Travel(s.Value)
	if e.Modifier&fyne.KeyModifierShift == 0 {
		s.travel = s.travelAt(e.Position.X)
		s.report(s.Scale.Value(s.travel))
	}
}

// MouseUp ends the drag.
func (s *Slider) MouseUp(*desktop.MouseEvent) { s.dragging = false }

// Dragged follows the pointer.
func (s *Slider) Dragged(e *fyne.DragEvent) {
	w := s.BaseWidget.Size().Width - knob
	if w <= 0 {
		return
	}
	if modifiers()&fyne.KeyModifierShift != 0 {
		s.travel += float64(e.Dragged.DX/w) * 0.1
	} else {
		s.travel = s.travelAt(e.Position.X)
	}
	s.travel = min(1, max(0, s.travel))
	s.report(s.Scale.Value(s.travel))
}

// DragEnd ends the drag.
func (s *Slider) DragEnd() { s.dragging = false }

// DoubleTapped sets the default.
func (s *Slider) DoubleTapped(*fyne.PointEvent) { s.report(s.Default) }

// MouseIn shows the tip.
func (s *Slider) MouseIn(*desktop.MouseEvent) {
	s.hover = true
	ShowTip(s, s.Name, "")
	s.Refresh()
}

// MouseMoved does nothing.
func (s *Slider) MouseMoved(*desktop.MouseEvent) {}

// MouseOut hides the tip.
func (s *Slider) MouseOut() {
	s.hover = false
	HideTip()
	s.Refresh()
}

// CreateRenderer draws the slider.
func (s *Slider) CreateRenderer() fyne.WidgetRenderer {
	track, done, dot := box(color.Transparent, 1.5), box(color.Transparent, 1.5), canvas.NewCircle(color.Transparent)
	r := &simple{objects: []fyne.CanvasObject{track, done, dot}}
	r.min = func() fyne.Size { return fyne.NewSize(s.Width, 20) }
	r.layout = func(z fyne.Size) {
		mid := z.Height / 2
		track.Resize(fyne.NewSize(z.Width-knob, 3))
		track.Move(fyne.NewPos(knob/2, mid-1.5))
		t := float32(min(1, max(0, s.Scale.Travel(s.Value))))
		x := knob/2 + t*(z.Width-knob)
		done.Resize(fyne.NewSize(x-knob/2, 3))
		done.Move(fyne.NewPos(knob/2, mid-1.5))
		dot.Resize(fyne.NewSquareSize(knob))
		dot.Move(fyne.NewPos(x-knob/2, mid-knob/2))
	}
	r.refresh = func() {
		track.FillColor, done.FillColor = look.C(look.Track), look.C(look.TextSoft)
		dot.FillColor = look.C(look.Knob)
		dot.StrokeWidth, dot.StrokeColor = 1, look.C(look.Line)
		if s.hover {
			done.FillColor = look.C(look.Accent)
		}
		r.layout(s.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
	}
	r.refresh()
	return r
}

// ParseNumber reads what a user types for a strength: a decimal point or comma,
// a leading +, the true minus sign, full-width digits, an optional %.
func ParseNumber(text string) (float64, bool) {
	t := strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '−' || r == 'ー' || r == '－':
			return '-'
		case r == ',' || r == '．':
			return '.'
		case r == ' ' || r == '+':
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	div := 1.0
	if strings.HasSuffix(t, "%") {
		t, div = strings.TrimSuffix(t, "%"), 100
	}
	v, err := strconv.ParseFloat(t, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false
	}
	return v / div, true
}
