package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Section is one panel of a Dock.
type Section struct {
	ID      string
	Title   string
	Note    string              // small text at the right of the title
	Actions []fyne.CanvasObject // small buttons at the right end
	Content fyne.CanvasObject
	Least   float32        // least height of the content
	Weight  float32        // share of the free height
	Most    func() float32 // greatest useful height, nil for any
	Closed  bool
}

const headHeight float32 = 30

// Dock is a column of panels. A click on a title closes or opens its panel; the
// line between two open panels can be dragged. OnLayout is called after the user
// changed either, so that it can be remembered.
type Dock struct {
	widget.BaseWidget
	Sections []*Section
	OnLayout func()

	heads []*head
	lines []*Handle
}

var _ fyne.Widget = (*Dock)(nil)

// NewDock returns a dock of the given panels.
func NewDock(sections ...*Section) *Dock {
	d := &Dock{Sections: sections}
	for i, s := range sections {
		h := &head{dock: d, section: s}
		h.ExtendBaseWidget(h)
		d.heads = append(d.heads, h)
		i := i
		l := NewHandle(false, func(delta float32) { d.drag(i, delta) }, func() { d.changed() })
		d.lines = append(d.lines, l)
	}
	d.ExtendBaseWidget(d)
	return d
}

// State returns which panels are closed and their weights, to be remembered.
func (d *Dock) State() map[string]float32 {
	out := map[string]float32{}
	for _, s := range d.Sections {
		out[s.ID] = s.Weight
		if s.Closed {
			out[s.ID] = -s.Weight
		}
	}
	return out
}

// Restore sets what State returned; unknown and senseless entries are left out.
func (d *Dock) Restore(state map[string]float32) {
	for _, s := range d.Sections {
		w, ok := state[s.ID]
		if !ok || w == 0 || w != w || abs32(w) > 1e4 {
			continue
		}
		s.Closed = w < 0
		s.Weight = abs32(w)
	}
	d.Refresh()
}

// Toggle opens or closes a panel.
func (d *Dock) Toggle(id string) {
	for _, s := range d.Sections {
		if s.ID == id {
			s.Closed = !s.Closed
		}
	}
	d.Refresh()
	d.changed()
}

// Open opens a panel.
func (d *Dock) Open(id string) {
	for _, s := range d.Sections {
		if s.ID == id && s.Closed {
			d.Toggle(id)
		}
	}
}

func (d *Dock) changed() {
	if d.OnLayout != nil {
		d.OnLayout()
	}
}

// heights shares the height among the open panels: each gets its least height and
// its weight's share of the rest.
func (d *Dock) heights(total float32) []float32 {
	out := make([]float32, len(d.Sections))
	free := total - headHeight*float32(len(d.Sections))
	var weight float32
	for _, s := range d.Sections {
		if !s.Closed {
			free -= s.Least
			weight += s.Weight
		}
	}
	full := map[int]bool{}
	for again := true; again; { // what one panel leaves may fill another
		again = false
		for i, s := range d.Sections {
			if s.Closed || s.Most == nil || full[i] {
				continue
			}
			if most := max(s.Most(), s.Least); weight > s.Weight && s.Least+free*s.Weight/weight > most {
				out[i] = most
				free -= most - s.Least
				weight -= s.Weight
				full[i], again = true, true
			}
		}
	}
	for i, s := range d.Sections {
		if s.Closed || full[i] {
			continue
		}
		out[i] = s.Least
		if weight > 0 {
			out[i] += max(free*s.Weight/weight, -s.Least*0.5)
		}
	}
	return out
}

// drag moves the line above section i by delta: height goes from the next open
// panel below to the nearest open panel above, or back.
func (d *Dock) drag(i int, delta float32) {
	above, below := -1, -1
	for j := 0; j < i; j++ {
		if !d.Sections[j].Closed {
			above = j
		}
	}
	for j := len(d.Sections) - 1; j >= i; j-- {
		if !d.Sections[j].Closed {
			below = j
		}
	}
	if above < 0 || below < 0 {
		return
	}
	total := d.BaseWidget.Size().Height
	h := d.heights(total)
	delta = max(d.Sections[above].Least-h[above], min(delta, h[below]-d.Sections[below].Least))
	h[above] += delta
	h[below] -= delta
	for j, s := range d.Sections {
		if !s.Closed {
			s.Weight = max(1, h[j]-s.Least)
		}
	}
	d.Refresh()
}

// CreateRenderer draws the dock.
func (d *Dock) CreateRenderer() fyne.WidgetRenderer {
	r := &simple{}
	for i, s := range d.Sections {
		r.objects = append(r.objects, s.Content, d.heads[i])
	}
	for _, l := range d.lines {
		r.objects = append(r.objects, l)
	}
	r.min = func() fyne.Size {
		w := float32(200)
		return fyne.NewSize(w, headHeight*float32(len(d.Sections)))
	}
	r.layout = func(z fyne.Size) {
		var y float32
		hs := d.heights(z.Height)
		for i, s := range d.Sections {
			d.heads[i].Move(fyne.NewPos(0, y))
			d.heads[i].Resize(fyne.NewSize(z.Width, headHeight))
			d.lines[i].Hidden = i == 0
			d.lines[i].Move(fyne.NewPos(0, y-3))
			d.lines[i].Resize(fyne.NewSize(z.Width, 6))
			y += headHeight
			s.Content.Move(fyne.NewPos(0, y))
			if s.Closed {
				s.Content.Hide()
			} else {
				s.Content.Show()
				s.Content.Resize(fyne.NewSize(z.Width, max(0, hs[i])))
			}
			y += hs[i]
		}
	}
	r.refresh = func() {
		r.layout(d.BaseWidget.Size())
		for _, h := range d.heads {
			h.Refresh()
		}
		for _, l := range d.lines {
			l.Refresh()
		}
		canvas.Refresh(d)
	}
	return r
}

// head is a panel's title row.
type head struct {
	widget.BaseWidget
	dock    *Dock
	section *Section
	hover   bool
}

var (
	_ fyne.Tappable     = (*head)(nil)
	_ desktop.Hoverable = (*head)(nil)
	_ fyne.Accessible   = (*head)(nil)
)

func (h *head) AccessibilityLabel() string             { return h.section.Title }
func (h *head) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
func (h *head) Tapped(*fyne.PointEvent)                { h.dock.Toggle(h.section.ID) }
func (h *head) MouseIn(*desktop.MouseEvent)            { h.hover = true; h.Refresh() }
func (h *head) MouseMoved(*desktop.MouseEvent)         {}
func (h *head) MouseOut()                              { h.hover = false; h.Refresh() }

func (h *head) CreateRenderer() fyne.WidgetRenderer {
	line := box(color.Transparent, 0)
	arrow := icon("chevron-down", look.TextFaint, 14)
	title, note := label("", look.TextHeading, true), label("", look.TextCaption, false)
	r := &simple{objects: append([]fyne.CanvasObject{line, arrow, title, note}, h.section.Actions...)}
	r.min = func() fyne.Size { return fyne.NewSize(100, headHeight) }
	r.layout = func(z fyne.Size) {
		line.Resize(fyne.NewSize(z.Width, 1))
		arrow.Resize(fyne.NewSquareSize(14))
		arrow.Move(fyne.NewPos(6, (z.Height-14)/2))
		place(title, 24, z.Height)
		x := z.Width - 8
		for i := len(h.section.Actions) - 1; i >= 0; i-- {
			a := h.section.Actions[i]
			if !a.Visible() {
				continue
			}
			s := a.MinSize()
			x -= s.Width
			a.Resize(s)
			a.Move(fyne.NewPos(x, (z.Height-s.Height)/2))
			x -= 2
		}
		n := note.MinSize()
		note.Resize(n)
		note.Move(fyne.NewPos(x-n.Width-4, (z.Height-n.Height)/2))
	}
	r.refresh = func() {
		line.FillColor = look.C(look.Line)
		name := "chevron-down"
		if h.section.Closed {
			name = "chevron-right"
		}
		fore := look.TextSoft
		if h.hover {
			fore = look.Text
		}
		setIcon(arrow, name, fore)
		title.Text, title.Color = spaced(h.section.Title), look.C(fore)
		note.Text, note.Color = h.section.Note, look.C(look.TextFaint)
		for _, a := range h.section.Actions {
			if h.section.Closed {
				a.Hide()
			} else {
				a.Show()
			}
		}
		r.layout(h.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
	}
	r.refresh()
	return r
}

// spaced writes a heading in capitals with a little air between them.
func spaced(s string) string {
	out := make([]rune, 0, len(s)*2)
	for i, r := range upper(s) {
		if i > 0 && r < 0x2000 {
			out = append(out, '\u200a')
		}
		out = append(out, r)
	}
	return string(out)
}

// Handle is a thin bar between two areas that can be dragged.
type Handle struct {
	widget.BaseWidget
	vertical bool // it stands upright and moves sideways
	onDrag   func(delta float32)
	onEnd    func()
	hover    bool
}

var (
	_ fyne.Draggable     = (*Handle)(nil)
	_ desktop.Hoverable  = (*Handle)(nil)
	_ desktop.Cursorable = (*Handle)(nil)
)

// NewHandle returns a handle; onDrag gets the movement since the last call.
func NewHandle(vertical bool, onDrag func(float32), onEnd func()) *Handle {
	h := &Handle{vertical: vertical, onDrag: onDrag, onEnd: onEnd}
	h.ExtendBaseWidget(h)
	return h
}

// Dragged reports the movement.
func (h *Handle) Dragged(e *fyne.DragEvent) {
	if h.vertical {
		h.onDrag(e.Dragged.DX)
	} else {
		h.onDrag(e.Dragged.DY)
	}
}

// DragEnd reports that the drag is over.
func (h *Handle) DragEnd() {
	if h.onEnd != nil {
		h.onEnd()
	}
}

// MouseIn shows the bar.
func (h *Handle) MouseIn(*desktop.MouseEvent) { h.hover = true; h.Refresh() }

// MouseMoved does nothing.
func (h *Handle) MouseMoved(*desktop.MouseEvent) {}

// MouseOut hides the bar.
func (h *Handle) MouseOut() { h.hover = false; h.Refresh() }

// Cursor shows which way it moves.
func (h *Handle) Cursor() desktop.Cursor {
	if h.vertical {
		return desktop.HResizeCursor
	}
	return desktop.VResizeCursor
}

// CreateRenderer draws the handle.
func (h *Handle) CreateRenderer() fyne.WidgetRenderer {
	bar := box(color.Transparent, 1)
	r := &simple{objects: []fyne.CanvasObject{bar}}
	r.min = func() fyne.Size { return fyne.NewSquareSize(6) }
	r.layout = func(z fyne.Size) {
		if h.vertical {
			bar.Resize(fyne.NewSize(2, z.Height))
			bar.Move(fyne.NewPos(z.Width/2-1, 0))
		} else {
			bar.Resize(fyne.NewSize(z.Width, 2))
			bar.Move(fyne.NewPos(0, z.Height/2-1))
		}
	}
	r.refresh = func() {
		bar.FillColor = color.Transparent
		if h.hover {
			bar.FillColor = look.C(look.Accent)
		}
		r.layout(h.BaseWidget.Size())
		bar.Refresh()
	}
	return r
}
