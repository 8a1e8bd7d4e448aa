package control

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// EditRowData is what one row of the edit stack shows.
type EditRowData struct {
	ID             string
	Name           string
	Strength       float64
	On             bool
	Badge          string // such as "refined"
	Warning        string // such as a conflict with another row
	SafeLo, SafeHi float64
	Strip          []image.Image
	Selected       bool
}

// EditNames are the accessible names of a row's buttons.
type EditNames struct{ On, Off, Refine, Reset, Up, Down, Remove string }

// EditEvents are what a user does with the rows.
type EditEvents struct {
	Select   func(id string)
	Strength func(id string, v float64, final bool)
	Toggle   func(id string)
	Refine   func(id string)
	Reset    func(id string)
	Move     func(id string, by int)
	Remove   func(id string)
	Menu     func(id string, at fyne.Position)
	Resolve  func(id string) // the warning was clicked
	Key      func(*fyne.KeyEvent)
}

// EditStack shows the rows of the edit stack, the first applied at the top.
type EditStack struct {
	widget.BaseWidget
	names  EditNames
	events EditEvents
	rows   []*editRow
	empty  *widget.Label
}

// NewEditStack returns an empty stack; empty is the text shown while it is.
func NewEditStack(names EditNames, events EditEvents, empty string) *EditStack {
	s := &EditStack{names: names, events: events, empty: widget.NewLabel(empty)}
	s.empty.Wrapping = fyne.TextWrapWord
	s.empty.Importance = widget.LowImportance
	s.ExtendBaseWidget(s)
	return s
}

// SetRows shows the rows. A slider under the pointer keeps its drag.
func (s *EditStack) SetRows(data []EditRowData) {
	for len(s.rows) < len(data) {
		s.rows = append(s.rows, newEditRow(s))
	}
	s.rows = s.rows[:len(data)]
	for i, d := range data {
		s.rows[i].set(d)
	}
	s.Refresh()
}

// SetStrip gives one row its response strip.
func (s *EditStack) SetStrip(id string, strip []image.Image) {
	for _, r := range s.rows {
		if r.data.ID == id {
			tall := len(r.slider.Strip) > 0
			r.slider.Strip = strip
			r.slider.Refresh()
			if tall != (len(strip) > 0) {
				r.Refresh()
				s.Refresh()
			}
		}
	}
}

// Slider returns the slider of the row with the given id, or nil.
func (s *EditStack) Slider(id string) *Strength {
	for _, r := range s.rows {
		if r.data.ID == id {
			return r.slider
		}
	}
	return nil
}

// CreateRenderer draws the stack.
func (s *EditStack) CreateRenderer() fyne.WidgetRenderer {
	r := &simple{}
	r.min = func() fyne.Size {
		h := float32(4)
		if len(s.rows) == 0 {
			return fyne.NewSize(120, 60)
		}
		for _, row := range s.rows {
			h += row.MinSize().Height
		}
		return fyne.NewSize(160, h)
	}
	r.layout = func(z fyne.Size) {
		if len(s.rows) == 0 {
			s.empty.Resize(fyne.NewSize(z.Width-12, 60))
			s.empty.Move(fyne.NewPos(6, 0))
			return
		}
		y := float32(0)
		for _, row := range s.rows {
			h := row.MinSize().Height
			row.Resize(fyne.NewSize(z.Width, h))
			row.Move(fyne.NewPos(0, y))
			y += h
		}
	}
	r.refresh = func() {
		r.objects = r.objects[:0]
		if len(s.rows) == 0 {
			r.objects = append(r.objects, s.empty)
		}
		for _, row := range s.rows {
			r.objects = append(r.objects, row)
			row.Refresh()
		}
		r.layout(s.BaseWidget.Size())
		canvas.Refresh(s)
	}
	r.refresh()
	return r
}

type editRow struct {
	widget.BaseWidget
	stack  *EditStack
	data   EditRowData
	hover  bool
	on     *Button
	slider *Strength
	tools  []*Button
	reset  *Button
	warn   *Button
}

var (
	_ fyne.Tappable          = (*editRow)(nil)
	_ fyne.SecondaryTappable = (*editRow)(nil)
	_ desktop.Hoverable      = (*editRow)(nil)
)

func newEditRow(s *EditStack) *editRow {
	r := &editRow{stack: s}
	ev := &s.events
	id := func(f func(string)) func() {
		return func() {
			if f != nil {
				f(r.data.ID)
			}
		}
	}
	r.on = NewSmallButton("solo", s.names.Off, id(ev.Toggle))
	r.slider = NewStrength("", 0, func(v float64, final bool) {
		r.data.Strength = v
		r.Refresh()
		if ev.Strength != nil {
			ev.Strength(r.data.ID, v, final)
		}
	})
	r.slider.Pass = func(e *fyne.KeyEvent) {
		if ev.Key != nil {
			ev.Key(e)
		}
	}
	move := func(by int) func() {
		return func() {
			if ev.Move != nil {
				ev.Move(r.data.ID, by)
			}
		}
	}
	r.reset = NewSmallButton("reset", s.names.Reset, id(ev.Reset))
	r.warn = NewSmallButton("warning", "", id(ev.Resolve))
	r.tools = []*Button{
		NewSmallButton("refine", s.names.Refine, id(ev.Refine)),
		NewSmallButton("chevron-up", s.names.Up, move(-1)),
		NewSmallButton("chevron-down", s.names.Down, move(1)),
		NewSmallButton("trash", s.names.Remove, id(ev.Remove)),
	}
	keep := func(on bool) { r.hover = on; r.Refresh() }
	r.slider.OnHover, r.on.OnHover, r.reset.OnHover, r.warn.OnHover = keep, keep, keep, keep
	for _, b := range r.tools {
		b.OnHover = keep
	}
	r.ExtendBaseWidget(r)
	return r
}

func (r *editRow) set(d EditRowData) {
	r.data = d
	r.slider.Name, r.slider.Dim = d.Name, !d.On
	r.slider.SafeLo, r.slider.SafeHi = d.SafeLo, d.SafeHi
	if d.SafeLo == 0 && d.SafeHi == 0 {
		r.slider.SafeLo, r.slider.SafeHi = -SoftEnd, SoftEnd
	}
	r.slider.Value = d.Strength
	r.slider.Strip = d.Strip
	r.slider.Refresh()
	r.Refresh()
}

func (r *editRow) Tapped(*fyne.PointEvent) {
	if f := r.stack.events.Select; f != nil {
		f(r.data.ID)
	}
}

func (r *editRow) TappedSecondary(e *fyne.PointEvent) {
	if f := r.stack.events.Menu; f != nil {
		f(r.data.ID, e.AbsolutePosition)
	}
}

func (r *editRow) MouseIn(*desktop.MouseEvent)    { r.hover = true; r.Refresh() }
func (r *editRow) MouseMoved(*desktop.MouseEvent) {}
func (r *editRow) MouseOut()                      { r.hover = false; r.Refresh() }

func (r *editRow) CreateRenderer() fyne.WidgetRenderer {
	back, line := box(color.Transparent, 0), box(color.Transparent, 0)
	name := label("", look.TextBody, false)
	value := label("", look.TextBody, true)
	badgeBack, badge := box(color.Transparent, 7), label("", 9.5, false)
	warn := r.warn
	q := &simple{objects: []fyne.CanvasObject{back, line, r.on, name, badgeBack, badge, warn, value, r.reset}}
	for _, b := range r.tools {
		q.objects = append(q.objects, b)
	}
	q.objects = append(q.objects, r.slider)
	head := float32(28)
	q.min = func() fyne.Size { return fyne.NewSize(160, head+r.slider.MinSize().Height+8) }
	q.layout = func(z fyne.Size) {
		back.Resize(z)
		line.Resize(fyne.NewSize(z.Width, 1))
		line.Move(fyne.NewPos(0, z.Height-1))
		r.on.Resize(fyne.NewSquareSize(22))
		r.on.Move(fyne.NewPos(6, 4))
		right := z.Width - 10
		v := value.MinSize()
		value.Resize(v)
		value.Move(fyne.NewPos(right-v.Width, (head-v.Height)/2+1))
		right -= max(v.Width, 40) + 4
		put := func(b *Button) {
			if b.Visible() {
				b.Resize(fyne.NewSquareSize(22))
				b.Move(fyne.NewPos(right-22, 4))
				right -= 22
			}
		}
		put(r.reset)
		for i := len(r.tools) - 1; i >= 0; i-- {
			put(r.tools[i])
		}
		put(warn)
		b := badge.MinSize()
		room := right - 34
		if !badge.Hidden {
			room -= b.Width + 18
		}
		setText(name, fitText(r.data.Name, look.TextBody, false, room))
		x := place(name, 32, head+2)
		badgeBack.Resize(fyne.NewSize(b.Width+12, 15))
		badgeBack.Move(fyne.NewPos(x+6, (head-15)/2+1))
		badge.Resize(b)
		badge.Move(fyne.NewPos(x+12, (head-b.Height)/2+1))
		r.slider.Resize(fyne.NewSize(z.Width-16, r.slider.MinSize().Height))
		r.slider.Move(fyne.NewPos(8, head))
	}
	q.refresh = func() {
		back.FillColor = color.Transparent
		if r.data.Selected {
			back.FillColor = hoverColor()
		}
		line.FillColor = look.C(look.Line)
		name.Color, value.Color = look.C(look.Text), look.C(look.Text)
		if !r.data.On {
			name.Color, value.Color = look.C(look.TextFaint), look.C(look.TextFaint)
		}
		value.Text = FormatStrength(r.data.Strength)
		badge.Text, badge.Color = r.data.Badge, look.C(look.TextSoft)
		badge.Hidden = r.data.Badge == "" || r.hover
		badgeBack.Hidden = badge.Hidden
		badgeBack.StrokeColor, badgeBack.StrokeWidth = look.C(look.TextFaint), 1
		warn.Hidden, warn.Name = r.data.Warning == "", r.data.Warning
		r.on.Icon, r.on.Name = "status-none", r.stack.names.On
		if r.data.On {
			r.on.Icon, r.on.Name = "solo", r.stack.names.Off
		}
		r.on.Refresh()
		r.reset.Hidden = r.data.Strength == 0 || !r.hover
		for _, b := range r.tools {
			b.Hidden = !r.hover
		}
		q.layout(r.BaseWidget.Size())
		for _, o := range q.objects {
			if o != fyne.CanvasObject(r.slider) {
				o.Refresh()
			}
		}
	}
	q.refresh()
	return q
}
