package control

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Sheet is a card over the veiled window: a title, a body and a row of buttons.
// Escape and a click beside the card close it, unless Firm.
type Sheet struct {
	widget.BaseWidget
	Firm     bool
	OnClose  func()
	OnReturn func() // what Return does, in place of pressing the primary button

	c     fyne.Canvas
	title string
	body  fyne.CanvasObject
	row   []fyne.CanvasObject
	size  fyne.Size
	card  *fyne.Container
	top   bool
}

var (
	_ fyne.Tappable     = (*Sheet)(nil)
	_ desktop.Hoverable = (*Sheet)(nil)
)

var sheets []*Sheet

// TopSheet returns the sheet that is on top, or nil.
func TopSheet() *Sheet {
	if len(sheets) == 0 {
		return nil
	}
	return sheets[len(sheets)-1]
}

// NewSheet returns a sheet of at least the given size. High puts it in the upper
// part of the window, as a search field is.
func NewSheet(c fyne.Canvas, title string, body fyne.CanvasObject, size fyne.Size, high bool, buttons ...*Button) *Sheet {
	s := &Sheet{c: c, title: title, body: body, size: size, top: high}
	for _, b := range buttons {
		s.row = append(s.row, b)
	}
	s.ExtendBaseWidget(s)
	return s
}

// Show puts the sheet on the window.
func (s *Sheet) Show() {
	HideTip()
	sheets = append(sheets, s)
	s.c.Overlays().Add(s)
	s.Resize(s.c.Size())
}

// Close takes the sheet off.
func (s *Sheet) Close() {
	for i, o := range sheets {
		if o == s {
			sheets = append(sheets[:i:i], sheets[i+1:]...)
			s.c.Overlays().Remove(s)
			if s.OnClose != nil {
				s.OnClose()
			}
			return
		}
	}
}

// Dismiss closes the sheet as Escape does.
func (s *Sheet) Dismiss() {
	if !s.Firm {
		s.Close()
	}
}

// Return does what the Return key does: what OnReturn says, or else the row's primary button.
func (s *Sheet) Return() {
	if s.OnReturn != nil {
		s.OnReturn()
		return
	}
	for _, o := range s.row {
		if b, ok := o.(*Button); ok && b.Style == Primary {
			b.Tapped(nil)
			return
		}
	}
}

// Place is where the card lies in the window.
func (s *Sheet) Place() (fyne.Position, fyne.Size) { return s.card.Position(), s.card.Size() }

// Tapped closes when the click is beside the card.
func (s *Sheet) Tapped(e *fyne.PointEvent) {
	p, z := s.card.Position(), s.card.Size()
	if e.Position.X < p.X || e.Position.Y < p.Y || e.Position.X > p.X+z.Width || e.Position.Y > p.Y+z.Height {
		s.Dismiss()
	}
}

// TappedSecondary keeps the click from what lies below.
func (s *Sheet) TappedSecondary(*fyne.PointEvent) {}

// MouseIn, MouseMoved and MouseOut keep the pointer from what lies below.
func (s *Sheet) MouseIn(*desktop.MouseEvent) {}

// MouseMoved does nothing.
func (s *Sheet) MouseMoved(*desktop.MouseEvent) {}

// MouseOut does nothing.
func (s *Sheet) MouseOut() {}

// CreateRenderer draws the sheet.
func (s *Sheet) CreateRenderer() fyne.WidgetRenderer {
	veil := box(look.C(look.Veil), 0)
	back := box(look.C("overlayBackground"), 9)
	back.StrokeColor, back.StrokeWidth = look.C(look.Line), 1
	back.Shadow = canvas.Shadow{Color: color.NRGBA{A: 120}, BlurRadius: 24, Offset: fyne.NewPos(0, 6)}
	parts := container.NewBorder(nil, nil, nil, nil, s.body)
	if s.title != "" {
		t := label(s.title, look.TextTitle, true)
		parts = container.NewBorder(container.New(layout.NewCustomPaddedLayout(0, 10, 0, 0), t), nil, nil, nil, s.body)
	}
	if len(s.row) > 0 {
		row := container.New(layout.NewCustomPaddedLayout(12, 0, 0, 0), container.NewHBox(append([]fyne.CanvasObject{layout.NewSpacer()}, s.row...)...))
		parts = container.NewBorder(nil, row, nil, nil, parts)
	}
	s.card = container.NewStack(back, container.New(layout.NewCustomPaddedLayout(16, 16, 20, 20), parts))
	r := &simple{objects: []fyne.CanvasObject{veil, s.card}}
	r.min = func() fyne.Size { return fyne.NewSize(100, 100) }
	r.layout = func(z fyne.Size) {
		veil.Resize(z)
		m := s.card.MinSize().Max(s.size).Min(z.SubtractWidthHeight(32, 32))
		s.card.Resize(m)
		y := (z.Height - m.Height) / 2
		if s.top {
			y = min(y, z.Height*0.14)
		}
		s.card.Move(fyne.NewPos((z.Width-m.Width)/2, max(8, y)))
	}
	r.refresh = func() {
		veil.FillColor, back.FillColor = look.C(look.Veil), look.C("overlayBackground")
		r.layout(s.BaseWidget.Size())
		canvas.Refresh(s.card)
	}
	return r
}

// Veil covers a window with a message while a system dialog is open, so that
// nobody paints behind it.
type Veil struct {
	sheet *Sheet
}

// ShowVeil covers the window.
func ShowVeil(c fyne.Canvas, text string) *Veil {
	l := label(text, look.TextBody, false)
	v := &Veil{NewSheet(c, "", container.NewCenter(l), fyne.NewSize(240, 60), false)}
	v.sheet.Firm = true
	v.sheet.Show()
	return v
}

// Hide uncovers it.
func (v *Veil) Hide() { v.sheet.Close() }

// Toasts is the layer for short messages; it goes on top of a window's content
// and takes no input but on a message's own button.
type Toasts struct {
	layer *fyne.Container
	seq   int
	Time  time.Duration // how long a message stays
}

// NewToasts returns the layer.
func NewToasts() *Toasts {
	t := &Toasts{Time: 5 * time.Second}
	t.layer = container.New(&toastLayout{})
	return t
}

// Object returns the layer.
func (t *Toasts) Object() fyne.CanvasObject { return t.layer }

// Text returns the message shown now.
func (t *Toasts) Text() string {
	if len(t.layer.Objects) == 0 {
		return ""
	}
	return t.layer.Objects[0].(*toast).text
}

// Show shows a message, with a mark in the colour hue; action, when not empty, is
// a button that runs f.
func (t *Toasts) Show(text string, hue fyne.ThemeColorName, action string, f func()) {
	t.seq++
	seq := t.seq
	m := &toast{text: text, hue: hue}
	if action != "" {
		m.button = NewButton(Flat, "", action, func() {
			t.Hide()
			f()
		})
	}
	m.ExtendBaseWidget(m)
	t.layer.Objects = []fyne.CanvasObject{m}
	t.layer.Refresh()
	stay := t.Time + time.Duration(len([]rune(text)))*40*time.Millisecond
	time.AfterFunc(stay, func() {
		Do(func() {
			if t.seq == seq {
				t.Hide()
			}
		})
	})
}

// Hide takes the message away.
func (t *Toasts) Hide() {
	t.seq++
	if len(t.layer.Objects) > 0 {
		t.layer.Objects = nil
		t.layer.Refresh()
	}
}

type toastLayout struct{}

func (toastLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }
func (toastLayout) Layout(os []fyne.CanvasObject, z fyne.Size) {
	for _, o := range os {
		m := o.MinSize()
		m.Width = min(m.Width, z.Width-32)
		o.Resize(m)
		o.Move(fyne.NewPos((z.Width-m.Width)/2, 84))
	}
}

type toast struct {
	widget.BaseWidget
	text   string
	hue    fyne.ThemeColorName
	button *Button
}

func (t *toast) CreateRenderer() fyne.WidgetRenderer {
	back := box(look.C(look.SurfaceHigh), 8)
	back.StrokeColor, back.StrokeWidth = look.C(look.Line), 1
	back.Shadow = canvas.Shadow{Color: color.NRGBA{A: 90}, BlurRadius: 14, Offset: fyne.NewPos(0, 4)}
	mark := box(look.C(t.hue), 2)
	l := widget.NewLabel(t.text)
	l.Wrapping = fyne.TextWrapWord
	width := min(560, textSize(t.text, look.TextBody, false).Width+24)
	r := &simple{objects: []fyne.CanvasObject{back, mark, l}}
	extra := float32(0)
	if t.button != nil {
		r.objects = append(r.objects, t.button)
		extra = t.button.MinSize().Width + 8
	}
	r.min = func() fyne.Size {
		l.Resize(fyne.NewSize(width, 20))
		return fyne.NewSize(width+24+extra, max(38, l.MinSize().Height+6))
	}
	r.layout = func(z fyne.Size) {
		back.Resize(z)
		mark.Resize(fyne.NewSize(4, z.Height-16))
		mark.Move(fyne.NewPos(10, 8))
		l.Resize(fyne.NewSize(z.Width-24-extra, z.Height))
		l.Move(fyne.NewPos(18, (z.Height-l.MinSize().Height)/2))
		if t.button != nil {
			m := t.button.MinSize()
			t.button.Resize(m)
			t.button.Move(fyne.NewPos(z.Width-m.Width-6, (z.Height-m.Height)/2))
		}
	}
	r.refresh = func() {
		back.FillColor, mark.FillColor = look.C(look.SurfaceHigh), look.C(t.hue)
		back.Refresh()
		mark.Refresh()
		l.Refresh()
	}
	return r
}
