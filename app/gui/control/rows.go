package control

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Row lays objects out from left to right, each at its least width and centred on
// the height, with Gap between them. Spacers share what is left. When there is
// too little room, objects that can Shrink give way first.
type Row struct {
	Gap, Pad float32
}

// Shrinker is an object that can do with less than its least width.
type Shrinker interface{ LeastWidth() float32 }

type spacing interface{ ExpandHorizontal() bool }

func expands(o fyne.CanvasObject) bool {
	s, ok := o.(spacing)
	return ok && s.ExpandHorizontal()
}

// MinSize is the sum of the widths.
func (r Row) MinSize(os []fyne.CanvasObject) fyne.Size {
	w, h := 2*r.Pad, float32(0)
	first := true
	for _, o := range os {
		if !o.Visible() || expands(o) {
			continue
		}
		m := o.MinSize()
		if s, ok := o.(Shrinker); ok {
			m.Width = s.LeastWidth()
		}
		if !first {
			w += r.Gap
		}
		first = false
		w += m.Width
		h = max(h, m.Height)
	}
	return fyne.NewSize(w, h)
}

// Layout places the objects.
func (r Row) Layout(os []fyne.CanvasObject, z fyne.Size) {
	spare := z.Width - 2*r.Pad
	spacers, shrink, n := 0, float32(0), 0
	for _, o := range os {
		if !o.Visible() {
			continue
		}
		if expands(o) {
			spacers++
			continue
		}
		n++
		m := o.MinSize()
		spare -= m.Width
		if s, ok := o.(Shrinker); ok {
			shrink += m.Width - s.LeastWidth()
		}
	}
	if n > 1 {
		spare -= r.Gap * float32(n-1)
	}
	cut := float32(0)
	if spare < 0 && shrink > 0 {
		cut = min(1, -spare/shrink)
		spare = 0
	}
	x := r.Pad
	for _, o := range os {
		if !o.Visible() {
			continue
		}
		if expands(o) {
			if spare > 0 {
				x += spare / float32(spacers)
			}
			continue
		}
		m := o.MinSize()
		if s, ok := o.(Shrinker); ok {
			m.Width -= (m.Width - s.LeastWidth()) * cut
		}
		m.Height = min(m.Height, z.Height)
		o.Resize(m)
		o.Move(fyne.NewPos(x, (z.Height-m.Height)/2))
		x += m.Width + r.Gap
	}
}

// Caption is one line of text that is shortened with an ellipsis where it has too
// little room.
type Caption struct {
	widget.BaseWidget
	Text  string
	Hue   fyne.ThemeColorName
	Px    float32
	Bold  bool
	Least float32 // least width; 0 for the whole text
	Right bool    // aligned to the right
}

// NewCaption returns a line of text.
func NewCaption(text string, hue fyne.ThemeColorName, size float32, bold bool) *Caption {
	c := &Caption{Text: text, Hue: hue, Px: size, Bold: bold}
	c.ExtendBaseWidget(c)
	return c
}

// Set shows another text.
func (c *Caption) Set(text string) {
	if c.Text != text {
		c.Text = text
		c.Refresh()
	}
}

// SetHue shows the text in another colour.
func (c *Caption) SetHue(h fyne.ThemeColorName) {
	if c.Hue != h {
		c.Hue = h
		c.Refresh()
	}
}

// LeastWidth lets a Row shorten the text.
func (c *Caption) LeastWidth() float32 {
	if c.Least > 0 {
		return min(c.Least, c.MinSize().Width)
	}
	return c.MinSize().Width
}

// CreateRenderer draws the line.
func (c *Caption) CreateRenderer() fyne.WidgetRenderer {
	t := label("", c.Px, c.Bold)
	r := &simple{objects: []fyne.CanvasObject{t}}
	r.min = func() fyne.Size { return textSize(c.Text, c.Px, c.Bold) }
	r.layout = func(z fyne.Size) {
		setText(t, c.Text)
		if textSize(c.Text, c.Px, c.Bold).Width > z.Width+0.5 {
			setText(t, fitText(c.Text, c.Px, c.Bold, z.Width))
		}
		m := t.MinSize()
		t.Resize(m)
		x := float32(0)
		if c.Right {
			x = z.Width - m.Width
		}
		t.Move(fyne.NewPos(x, (z.Height-m.Height)/2))
	}
	r.refresh = func() {
		t.Color = look.C(c.Hue)
		r.layout(c.BaseWidget.Size())
		t.Refresh()
	}
	r.refresh()
	return r
}

// Panel is a plain surface of a theme colour, with an optional line at one edge.
// One of the window's own background colour is not painted, because the window is
// cleared to it: such a panel must not lie above anything.
type Panel struct {
	widget.BaseWidget
	Hue  fyne.ThemeColorName
	Edge string // "top", "bottom", "left", "right" or none
	Body fyne.CanvasObject
}

// NewPanel returns a surface under body.
func NewPanel(hue fyne.ThemeColorName, edge string, body fyne.CanvasObject) *Panel {
	p := &Panel{Hue: hue, Edge: edge, Body: body}
	p.ExtendBaseWidget(p)
	return p
}

// CreateRenderer draws the surface.
func (p *Panel) CreateRenderer() fyne.WidgetRenderer {
	back, line := box(color.Transparent, 0), box(color.Transparent, 0)
	r := &simple{objects: []fyne.CanvasObject{back, p.Body, line}}
	r.min = func() fyne.Size { return p.Body.MinSize() }
	r.layout = func(z fyne.Size) {
		back.Resize(z)
		p.Body.Resize(z)
		line.Hidden = p.Edge == ""
		switch p.Edge {
		case "top":
			line.Resize(fyne.NewSize(z.Width, 1))
		case "bottom":
			line.Resize(fyne.NewSize(z.Width, 1))
			line.Move(fyne.NewPos(0, z.Height-1))
		case "left":
			line.Resize(fyne.NewSize(1, z.Height))
		case "right":
			line.Resize(fyne.NewSize(1, z.Height))
			line.Move(fyne.NewPos(z.Width-1, 0))
		}
	}
	r.refresh = func() {
		back.FillColor, line.FillColor = look.C(p.Hue), look.C(look.Line)
		back.Hidden = back.FillColor == look.C(theme.ColorNameBackground)
		r.layout(p.BaseWidget.Size())
		back.Refresh()
		line.Refresh()
		p.Body.Refresh()
	}
	r.refresh()
	return r
}

// HistoryItem is one line of a HistoryList.
type HistoryItem struct {
	Key    int
	Name   string
	Note   string
	Thumb  image.Image
	Depth  int  // which branch, 0 for the first
	Now    bool // the present state
	Undone bool // lies after the present state, or on another branch
}

// HistoryList shows the steps, the present one marked. Only lines in sight exist.
type HistoryList struct {
	widget.BaseWidget
	OnTap func(key int)

	items  []HistoryItem
	scroll *container.Scroll
	inner  *inSight
	rows   []*historyRow
}

const historyRowHeight float32 = 30

// NewHistoryList returns an empty list.
func NewHistoryList() *HistoryList {
	h := &HistoryList{}
	h.inner = newInSight(func() fyne.Size { return fyne.NewSize(100, float32(len(h.items))*historyRowHeight) }, h.fill)
	h.scroll = container.NewVScroll(h.inner)
	h.scroll.OnScrolled = func(fyne.Position) { h.fill() }
	h.ExtendBaseWidget(h)
	return h
}

// SetItems shows the steps and scrolls to the present one.
func (h *HistoryList) SetItems(items []HistoryItem) {
	h.items = append(h.items[:0], items...)
	h.inner.Refresh()
	h.scroll.Refresh()
	for i, it := range items {
		if it.Now {
			y := float32(i) * historyRowHeight
			view := h.scroll.Size().Height
			if view > 0 && (y < h.scroll.Offset.Y || y+historyRowHeight > h.scroll.Offset.Y+view) {
				h.scroll.ScrollToOffset(fyne.NewPos(0, max(0, y-view/2)))
			}
		}
	}
	h.fill()
}

// Items returns what is shown.
func (h *HistoryList) Items() []HistoryItem { return h.items }

func (h *HistoryList) fill() {
	view := h.scroll.Size()
	if view.Height <= 0 {
		return
	}
	first := max(0, int(h.scroll.Offset.Y/historyRowHeight))
	last := min(len(h.items), int((h.scroll.Offset.Y+view.Height)/historyRowHeight)+1)
	h.inner.shown = h.inner.shown[:0]
	for i := first; i < last; i++ {
		k := i - first
		if k == len(h.rows) {
			r := &historyRow{owner: h}
			r.ExtendBaseWidget(r)
			h.rows = append(h.rows, r)
		}
		r := h.rows[k]
		r.set(h.items[i])
		r.Move(fyne.NewPos(6, float32(i)*historyRowHeight))
		r.Resize(fyne.NewSize(view.Width-12, historyRowHeight-2))
		h.inner.shown = append(h.inner.shown, r)
	}
	canvas.Refresh(h.inner)
}

// CreateRenderer draws the list.
func (h *HistoryList) CreateRenderer() fyne.WidgetRenderer {
	r := &simple{objects: []fyne.CanvasObject{h.scroll}}
	r.min = func() fyne.Size { return fyne.NewSize(120, historyRowHeight) }
	r.layout = func(z fyne.Size) { h.scroll.Resize(z); h.fill() }
	r.refresh = func() {
		h.fill()
		for _, o := range h.inner.shown {
			o.Refresh()
		}
	}
	return r
}

type historyRow struct {
	widget.BaseWidget
	owner *HistoryList
	data  HistoryItem
	hover bool
}

var (
	_ fyne.Tappable     = (*historyRow)(nil)
	_ desktop.Hoverable = (*historyRow)(nil)
	_ fyne.Accessible   = (*historyRow)(nil)
)

func (r *historyRow) set(d HistoryItem) {
	if r.data != d {
		r.data = d
		r.Refresh()
	}
}

func (r *historyRow) AccessibilityLabel() string             { return r.data.Name }
func (r *historyRow) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
func (r *historyRow) MouseIn(*desktop.MouseEvent)            { r.hover = true; r.Refresh() }
func (r *historyRow) MouseMoved(*desktop.MouseEvent)         {}
func (r *historyRow) MouseOut()                              { r.hover = false; r.Refresh() }
func (r *historyRow) Tapped(*fyne.PointEvent) {
	if r.owner.OnTap != nil {
		r.owner.OnTap(r.data.Key)
	}
}

func (r *historyRow) CreateRenderer() fyne.WidgetRenderer {
	back := box(color.Transparent, look.Radius-1)
	img := picture()
	img.CornerRadius = 3
	name, note := label("", look.TextBody, false), label("", look.TextCaption, false)
	branch := icon("branch", look.TextFaint, 13)
	q := &simple{objects: []fyne.CanvasObject{back, img, branch, name, note}}
	q.min = func() fyne.Size { return fyne.NewSize(80, historyRowHeight-2) }
	q.layout = func(z fyne.Size) {
		back.Resize(z)
		x := 4 + float32(r.data.Depth)*14
		if r.data.Depth > 0 {
			branch.Resize(fyne.NewSquareSize(13))
			branch.Move(fyne.NewPos(x-12, (z.Height-13)/2))
		}
		img.Resize(fyne.NewSquareSize(24))
		img.Move(fyne.NewPos(x, (z.Height-24)/2))
		m := note.MinSize()
		note.Resize(m)
		note.Move(fyne.NewPos(z.Width-m.Width-6, (z.Height-m.Height)/2))
		setText(name, fitText(r.data.Name, look.TextBody, false, z.Width-m.Width-x-44))
		place(name, x+32, z.Height)
	}
	q.refresh = func() {
		back.FillColor = color.Transparent
		if r.data.Now {
			back.FillColor = look.C(look.AccentSoft)
		} else if r.hover {
			back.FillColor = hoverColor()
		}
		img.Hidden = r.data.Thumb == nil
		if r.data.Thumb != nil {
			img.Image = r.data.Thumb
		}
		img.Translucency = 0
		name.Color, note.Color = look.C(look.Text), look.C(look.TextFaint)
		if r.data.Undone {
			name.Color = look.C(look.TextFaint)
			img.Translucency = 0.5
		}
		setText(note, r.data.Note)
		branch.Hidden = r.data.Depth == 0
		q.layout(r.BaseWidget.Size())
		for _, o := range q.objects {
			o.Refresh()
		}
	}
	q.refresh()
	return q
}
