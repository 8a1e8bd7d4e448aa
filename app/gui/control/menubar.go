package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// MenuTitle is one menu of a MenuBar; Items is asked each time it opens.
type MenuTitle struct {
	Text  string
	Items func() []*fyne.MenuItem
}

// MenuBar is a row of menus that sits inside the window's own top bar. While one
// is open the pointer opens its neighbours by passing over their titles, and the
// arrow keys, Return and Escape work.
type MenuBar struct {
	widget.BaseWidget
	Menus []MenuTitle

	open  *menuOverlay
	hover int
}

var (
	_ fyne.Tappable     = (*MenuBar)(nil)
	_ desktop.Hoverable = (*MenuBar)(nil)
)

// NewMenuBar returns a bar of the given menus.
func NewMenuBar(menus ...MenuTitle) *MenuBar {
	m := &MenuBar{Menus: menus, hover: -1}
	m.ExtendBaseWidget(m)
	return m
}

const menuPad float32 = 9

func (m *MenuBar) titleX(i int) (x, w float32) {
	for k := 0; k <= i; k++ {
		x += w
		w = textSize(m.Menus[k].Text, look.TextBody, false).Width + 2*menuPad
	}
	return x, w
}

func (m *MenuBar) at(x float32) int {
	for i := range m.Menus {
		if l, w := m.titleX(i); x >= l && x < l+w {
			return i
		}
	}
	return -1
}

// Tapped opens the menu under the pointer.
func (m *MenuBar) Tapped(e *fyne.PointEvent) {
	if i := m.at(e.Position.X); i >= 0 {
		m.Open(i)
	}
}

// Open shows the i-th menu, counted around.
func (m *MenuBar) Open(i int) {
	c := canvasOf(m)
	if c == nil || len(m.Menus) == 0 {
		return
	}
	m.Close()
	i = (i + len(m.Menus)) % len(m.Menus)
	x, _ := m.titleX(i)
	base := fyne.CurrentApp().Driver().AbsolutePositionForObject(m)
	o := &menuOverlay{bar: m, index: i, base: base, c: c, at: fyne.NewPos(base.X+x, base.Y+m.BaseWidget.Size().Height)}
	o.menu = widget.NewMenu(fyne.NewMenu("", m.Menus[i].Items()...))
	o.menu.OnDismiss = m.Close
	o.ExtendBaseWidget(o)
	m.open = o
	c.Overlays().Add(o)
	o.Resize(c.Size())
	c.Focus(o)
	m.Refresh()
}

// Close hides the open menu.
func (m *MenuBar) Close() {
	if m.open != nil {
		m.open.c.Overlays().Remove(m.open)
		m.open = nil
		m.Refresh()
	}
}

// IsOpen reports whether a menu is open.
func (m *MenuBar) IsOpen() bool { return m.open != nil }

// MouseIn and MouseMoved mark the title under the pointer.
func (m *MenuBar) MouseIn(e *desktop.MouseEvent) { m.MouseMoved(e) }

// MouseMoved marks the title under the pointer.
func (m *MenuBar) MouseMoved(e *desktop.MouseEvent) {
	if i := m.at(e.Position.X); i != m.hover {
		m.hover = i
		m.Refresh()
	}
}

// MouseOut unmarks it.
func (m *MenuBar) MouseOut() { m.hover = -1; m.Refresh() }

// CreateRenderer draws the bar.
func (m *MenuBar) CreateRenderer() fyne.WidgetRenderer {
	back := box(color.Transparent, look.Radius)
	r := &simple{objects: []fyne.CanvasObject{back}}
	var texts []*canvas.Text
	for range m.Menus {
		t := label("", look.TextBody, false)
		texts = append(texts, t)
		r.objects = append(r.objects, t)
	}
	r.min = func() fyne.Size {
		x, w := m.titleX(len(m.Menus) - 1)
		return fyne.NewSize(x+w, 26)
	}
	r.layout = func(z fyne.Size) {
		for i, t := range texts {
			x, _ := m.titleX(i)
			place(t, x+menuPad, z.Height)
		}
		mark := m.hover
		if m.open != nil {
			mark = m.open.index
		}
		back.Hidden = mark < 0
		if mark >= 0 {
			x, w := m.titleX(mark)
			back.Resize(fyne.NewSize(w, z.Height))
			back.Move(fyne.NewPos(x, 0))
		}
	}
	r.refresh = func() {
		back.FillColor = hoverColor()
		for i, t := range texts {
			t.Text, t.Color = m.Menus[i].Text, look.C(look.Text)
			t.Refresh()
		}
		r.layout(m.BaseWidget.Size())
		back.Refresh()
	}
	r.refresh()
	return r
}

// menuOverlay catches the pointer and the keys while a menu is open.
type menuOverlay struct {
	widget.BaseWidget
	bar   *MenuBar
	index int
	base  fyne.Position
	at    fyne.Position
	c     fyne.Canvas
	menu  *widget.Menu
}

var (
	_ fyne.Tappable     = (*menuOverlay)(nil)
	_ desktop.Hoverable = (*menuOverlay)(nil)
	_ fyne.Focusable    = (*menuOverlay)(nil)
)

func (o *menuOverlay) Tapped(*fyne.PointEvent)          { o.bar.Close() }
func (o *menuOverlay) TappedSecondary(*fyne.PointEvent) { o.bar.Close() }
func (o *menuOverlay) MouseIn(*desktop.MouseEvent)      {}
func (o *menuOverlay) MouseOut()                        {}

func (o *menuOverlay) MouseMoved(e *desktop.MouseEvent) {
	p := e.AbsolutePosition.Subtract(o.base)
	if p.Y < 0 || p.Y > o.bar.BaseWidget.Size().Height {
		return
	}
	if i := o.bar.at(p.X); i >= 0 && i != o.index {
		o.bar.Open(i)
	}
}

func (o *menuOverlay) FocusGained()   {}
func (o *menuOverlay) FocusLost()     {}
func (o *menuOverlay) TypedRune(rune) {}

func (o *menuOverlay) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyDown:
		o.menu.ActivateNext()
	case fyne.KeyUp:
		o.menu.ActivatePrevious()
	case fyne.KeyLeft:
		if !o.menu.DeactivateLastSubmenu() {
			o.bar.Open(o.index - 1)
		}
	case fyne.KeyRight:
		if !o.menu.ActivateLastSubmenu() {
			o.bar.Open(o.index + 1)
		}
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		o.menu.TriggerLast()
	case fyne.KeyEscape:
		o.bar.Close()
	}
}

func (o *menuOverlay) CreateRenderer() fyne.WidgetRenderer {
	r := &simple{objects: []fyne.CanvasObject{o.menu}}
	r.min = func() fyne.Size { return fyne.Size{} }
	r.layout = func(z fyne.Size) {
		m := o.menu.MinSize().Min(z.SubtractWidthHeight(8, o.at.Y+8))
		o.menu.Resize(m)
		o.menu.Move(fyne.NewPos(min(o.at.X, z.Width-m.Width-4), o.at.Y))
	}
	r.refresh = func() { o.menu.Refresh() }
	return r
}

// PopUpMenu shows a menu at an absolute position.
func PopUpMenu(c fyne.Canvas, at fyne.Position, items ...*fyne.MenuItem) {
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), c, at)
}
