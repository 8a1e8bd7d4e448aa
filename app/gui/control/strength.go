package control

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Strength limits. The ends are soft: a typed value may lie beyond SoftEnd, up to
// HardEnd, and the slider then shows its outer part hatched.
const (
	SoftEnd = 2.0
	HardEnd = 10.0
)

// Strength is the slider of an editing vector: how much of it is applied, 1 being
// as learnt, 0 none.
//
// Drag moves it; Shift drags ten times finer, Ctrl snaps to quarters; a double
// click sets 0; a secondary click opens a field to type any number; the wheel
// does nothing, so that the panel scrolls. With keyboard focus, which it gets
// from Tab and never from the mouse, left and right step by 0.05, with Shift by
// 0.01, with Ctrl by 0.25; 0 and Home set 0. Every other key is passed to Pass.
type Strength struct {
	widget.BaseWidget

	Name    string
	Value   float64
	SafeLo  float64 // the range in which the picture stays in the model's domain
	SafeHi  float64
	Dim     bool // its vector is switched off
	Strip   []image.Image
	OnInput func(v float64, final bool) // final when the gesture ends
	Pass    func(*fyne.KeyEvent)        // keys that are not the slider's
	OnHover func(bool)                  // the pointer came or went

	hover, focused, moved bool
	raw                   float64
	entry                 *numberEntry
}

var (
	_ fyne.Widget            = (*Strength)(nil)
	_ fyne.Draggable         = (*Strength)(nil)
	_ fyne.DoubleTappable    = (*Strength)(nil)
	_ fyne.SecondaryTappable = (*Strength)(nil)
	_ fyne.Focusable         = (*Strength)(nil)
	_ desktop.Hoverable      = (*Strength)(nil)
	_ desktop.Mouseable      = (*Strength)(nil)
	_ desktop.Cursorable     = (*Strength)(nil)
	_ fyne.Accessible        = (*Strength)(nil)
)

// NewStrength returns a strength slider with the safe range −1 … +1.
func NewStrength(name string, value float64, onInput func(float64, bool)) *Strength {
	s := &Strength{Name: name, Value: value, SafeLo: -1, SafeHi: 1, OnInput: onInput}
	s.ExtendBaseWidget(s)
	return s
}

// FormatStrength writes a strength as the window shows it: a sign, two digits, the
// true minus.
func FormatStrength(v float64) string {
	t := fmt.Sprintf("%+.2f", v)
	if t == "-0.00" || t == "+0.00" {
		return "0.00"
	}
	return strings.Replace(t, "-", "−", 1)
}

// AccessibilityLabel returns the vector's name and strength.
func (s *Strength) AccessibilityLabel() string { return s.Name + " " + FormatStrength(s.Value) }

// AccessibilityRole returns that it is read as text.
func (s *Strength) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// Set shows a value without reporting it.
func (s *Strength) Set(v float64) {
	if s.Value != v {
		s.Value = v
		s.Refresh()
	}
}

func clampStrength(v float64) float64 { return min(HardEnd, max(-HardEnd, v)) }

func (s *Strength) report(v float64, final bool) {
	v = clampStrength(v)
	changed := v != s.Value
	s.Value = v
	if changed {
		s.Refresh()
	}
	if s.OnInput != nil && (changed || final) {
		s.OnInput(v, final)
	}
}

// end is the value at the slider's right end.
func (s *Strength) end() float64 { return max(SoftEnd, math.Abs(s.Value)) }

func (s *Strength) x(v float64) float32 {
	w := s.BaseWidget.Size().Width - knob
	return knob/2 + float32((v/s.end()+1)/2)*w
}

func (s *Strength) at(x float32) float64 {
	w := s.BaseWidget.Size().Width - knob
	if w <= 0 {
		return s.Value
	}
	v := (float64((x-knob/2)/w)*2 - 1) * SoftEnd
	return min(SoftEnd, max(-SoftEnd, v))
}

// detent pulls a dragged value to 0 and ±1 when it is close.
func detent(v float64) float64 {
	for _, d := range []float64{-1, 0, 1} {
		if math.Abs(v-d) < 0.03 {
			return d
		}
	}
	return math.Round(v*100) / 100
}

func snap(v float64) float64 { return math.Round(v*4) / 4 }

// MouseDown jumps to the pointer, unless Shift asks for a fine move from here.
func (s *Strength) MouseDown(e *desktop.MouseEvent) {
	if e.Button != desktop.MouseButtonPrimary {
		return
	}
	s.moved = false
	s.raw = s.Value
	if e.Modifier&fyne.KeyModifierShift != 0 {
		return
	}
	if abs32(e.Position.X-s.x(s.Value)) <= knob { // took hold of the knob
		return
	}
	s.raw = s.at(e.Position.X)
	s.moved = true
	v := detent(s.raw)
	if e.Modifier&fyne.KeyModifierControl != 0 {
		v = snap(s.raw)
	}
	s.report(v, false)
}

// MouseUp ends a click.
func (s *Strength) MouseUp(e *desktop.MouseEvent) {
	if e.Button == desktop.MouseButtonPrimary && s.moved {
		s.moved = false
		s.report(s.Value, true)
	}
}

// Dragged follows the pointer.
func (s *Strength) Dragged(e *fyne.DragEvent) {
	w := s.BaseWidget.Size().Width - knob
	if w <= 0 {
		return
	}
	mods := modifiers()
	s.moved = true
	switch {
	case mods&fyne.KeyModifierShift != 0:
		s.raw += float64(e.Dragged.DX/w) * 2 * SoftEnd * 0.1
		s.report(math.Round(s.raw*1000)/1000, false)
	case mods&fyne.KeyModifierControl != 0:
		s.raw = s.at(e.Position.X)
		s.report(snap(s.raw), false)
	default:
		s.raw = s.at(e.Position.X)
		s.report(detent(s.raw), false)
	}
}

// DragEnd ends the drag. A release off the slider gives no MouseUp, only this.
func (s *Strength) DragEnd() {
	if s.moved {
		s.moved = false
		s.report(s.Value, true)
	}
}

// Tapped does nothing; it makes a click end here.
func (s *Strength) Tapped(*fyne.PointEvent) {}

// DoubleTapped sets 0.
func (s *Strength) DoubleTapped(*fyne.PointEvent) { s.report(0, true) }

// TappedSecondary opens the field to type a number.
func (s *Strength) TappedSecondary(*fyne.PointEvent) { s.Type() }

// Type opens the field to type a number. Return takes it, Escape and leaving the
// field close it.
func (s *Strength) Type() {
	if s.entry != nil {
		return
	}
	HideTip()
	e := newNumberEntry(FormatStrength(s.Value), func(text string, ok bool) {
		if s.entry == nil {
			return
		}
		s.entry = nil
		s.Refresh()
		if c := canvasOf(s); c != nil {
			c.Unfocus()
		}
		if v, good := ParseNumber(text); ok && good {
			s.report(v, true)
		}
	})
	s.entry = e
	s.Refresh()
	if c := canvasOf(s); c != nil {
		c.Focus(e)
	}
}

// Typing reports whether the number field is open.
func (s *Strength) Typing() bool { return s.entry != nil }

func canvasOf(o fyne.CanvasObject) fyne.Canvas {
	if a := fyne.CurrentApp(); a != nil {
		return a.Driver().CanvasForObject(o)
	}
	return nil
}

// FocusGained shows the focus ring.
func (s *Strength) FocusGained() { s.focused = true; s.Refresh() }

// FocusLost hides it.
func (s *Strength) FocusLost() { s.focused = false; s.Refresh() }

// TypedRune sets 0 for the digit.
func (s *Strength) TypedRune(r rune) {
	if r == '0' {
		s.report(0, true)
	}
}

// TypedKey steps the value, or passes the key on.
func (s *Strength) TypedKey(e *fyne.KeyEvent) {
	step := 0.05
	switch mods := modifiers(); {
	case mods&fyne.KeyModifierShift != 0:
		step = 0.01
	case mods&fyne.KeyModifierControl != 0:
		step = 0.25
	}
	round := func(v float64) float64 { return math.Round(v*100) / 100 }
	switch e.Name {
	case fyne.KeyLeft:
		s.report(round(s.Value-step), true)
	case fyne.KeyRight:
		s.report(round(s.Value+step), true)
	case fyne.KeyHome:
		s.report(0, true)
	case fyne.KeyReturn, fyne.KeyEnter:
		s.Type()
	default:
		if s.Pass != nil {
			s.Pass(e)
		}
	}
}

// MouseIn, MouseMoved and MouseOut follow the pointer.
func (s *Strength) MouseIn(*desktop.MouseEvent) { s.setHover(true) }

func (s *Strength) setHover(on bool) {
	s.hover = on
	s.Refresh()
	if s.OnHover != nil {
		s.OnHover(on)
	}
}

// MouseMoved does nothing.
func (s *Strength) MouseMoved(*desktop.MouseEvent) {}

// MouseOut ends the hover look.
func (s *Strength) MouseOut() { s.setHover(false) }

// Cursor shows that it moves sideways.
func (s *Strength) Cursor() desktop.Cursor { return desktop.HResizeCursor }

func abs32(v float32) float32 { return max(v, -v) }

// StripHeight is the height of the response strip's pictures.
const StripHeight float32 = 50

// CreateRenderer draws the slider.
func (s *Strength) CreateRenderer() fyne.WidgetRenderer {
	track := box(color.Transparent, 1.5)
	lowTint, highTint, done := box(color.Transparent, 1.5), box(color.Transparent, 1.5), box(color.Transparent, 1.5)
	zero := box(color.Transparent, 0.5)
	ring, dot := canvas.NewCircle(color.Transparent), canvas.NewCircle(color.Transparent)
	hatch := make([]*canvas.Line, 6)
	strip := make([]*canvas.Image, 5)
	r := &simple{objects: []fyne.CanvasObject{track, lowTint, highTint, done, zero}}
	for i := range hatch {
		hatch[i] = canvas.NewLine(color.Transparent)
		r.objects = append(r.objects, hatch[i])
	}
	for i := range strip {
		strip[i] = picture()
		strip[i].CornerRadius = 3
		r.objects = append(r.objects, strip[i])
	}
	r.objects = append(r.objects, ring, dot)
	fixed := len(r.objects)
	high := float32(20)
	r.min = func() fyne.Size {
		h := high
		if len(s.Strip) > 0 {
			h += StripHeight + look.Grid
		}
		return fyne.NewSize(120, h)
	}
	bar := func(b *canvas.Rectangle, from, to float64) {
		x0, x1 := s.x(from), s.x(to)
		if x1 < x0 {
			x0, x1 = x1, x0
		}
		b.Resize(fyne.NewSize(x1-x0, 3))
		b.Move(fyne.NewPos(x0, high/2-1.5))
	}
	r.layout = func(z fyne.Size) {
		if s.entry != nil {
			s.entry.Resize(fyne.NewSize(min(90, z.Width), 24))
			s.entry.Move(fyne.NewPos(min(max(0, s.x(s.Value)-45), max(0, z.Width-90)), -2))
		}
		end := s.end()
		bar(track, -end, end)
		bar(lowTint, -end, max(-end, s.SafeLo))
		bar(highTint, min(end, s.SafeHi), end)
		bar(done, 0, s.Value)
		zero.Resize(fyne.NewSize(1, 9))
		zero.Move(fyne.NewPos(s.x(0)-0.5, high/2-4.5))
		x := s.x(s.Value)
		dot.Resize(fyne.NewSquareSize(knob))
		dot.Move(fyne.NewPos(x-knob/2, (high-knob)/2))
		ring.Resize(fyne.NewSquareSize(knob + 8))
		ring.Move(fyne.NewPos(x-knob/2-4, (high-knob)/2-4))
		for i, l := range hatch {
			l.Hidden = math.Abs(s.Value) <= SoftEnd
			side := float32(1)
			if s.Value < 0 {
				side = -1
			}
			px := s.x(math.Copysign(SoftEnd, s.Value)) + side*float32(i)*5
			l.Position1, l.Position2 = fyne.NewPos(px-2, high/2+4), fyne.NewPos(px+2, high/2-4)
			if (side > 0 && px > x-knob/2) || (side < 0 && px < x+knob/2) {
				l.Hidden = true
			}
		}
		gap := float32(3)
		w := (z.Width - gap*4) / 5
		for i, img := range strip {
			img.Hidden = i >= len(s.Strip) || s.Strip[i] == nil
			side := min(w, StripHeight)
			img.Resize(fyne.NewSquareSize(side))
			img.Move(fyne.NewPos(float32(i)*(w+gap)+(w-side)/2, high+look.Grid/2))
		}
	}
	r.refresh = func() {
		r.objects = r.objects[:fixed]
		if s.entry != nil {
			r.objects = append(r.objects[:fixed:fixed], s.entry)
		}
		accent := look.C(look.Accent)
		if s.Dim {
			accent = look.C(look.TextFaint)
		}
		track.FillColor, done.FillColor, zero.FillColor = look.C(look.Track), accent, look.C(look.TextSoft)
		lowTint.FillColor, highTint.FillColor = look.C(look.Unsafe), look.C(look.Unsafe)
		dot.FillColor = look.C(look.Knob)
		if s.Dim {
			dot.FillColor = look.C(look.TextSoft)
		}
		dot.StrokeColor, dot.StrokeWidth = look.C(look.Line), 1
		ring.FillColor = color.Transparent
		if s.hover || s.focused {
			ring.FillColor = look.C("focus")
		}
		for _, l := range hatch {
			l.StrokeColor, l.StrokeWidth = look.C(look.Warn), 1.2
		}
		for i, img := range strip {
			if i < len(s.Strip) && s.Strip[i] != nil {
				img.Image = s.Strip[i]
			}
		}
		dot.Hidden = s.entry != nil
		r.layout(s.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
	}
	r.refresh()
	return r
}

// numberEntry is a one-line field that reports once, on Return, Escape or loss of
// focus.
type numberEntry struct {
	widget.Entry
	done func(text string, ok bool)
}

func newNumberEntry(text string, done func(string, bool)) *numberEntry {
	e := &numberEntry{done: done}
	e.ExtendBaseWidget(e)
	e.SetText(text)
	e.OnSubmitted = func(t string) { e.finish(t, true) }
	return e
}

func (e *numberEntry) finish(t string, ok bool) {
	if d := e.done; d != nil {
		e.done = nil
		d(t, ok)
	}
}

// FocusGained selects the text, so that typing replaces it.
func (e *numberEntry) FocusGained() {
	e.Entry.FocusGained()
	e.TypedShortcut(&fyne.ShortcutSelectAll{})
}

// FocusLost closes the field without taking the text.
func (e *numberEntry) FocusLost() {
	e.Entry.FocusLost()
	e.finish("", false)
}

// TypedKey closes on Escape.
func (e *numberEntry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape {
		e.finish("", false)
		return
	}
	e.Entry.TypedKey(k)
}
