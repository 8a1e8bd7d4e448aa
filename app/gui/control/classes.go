package control

import (
	"fmt"
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Status is how far the artist is with a class.
type Status int

// The statuses, in the order a click goes through them.
const (
	StatusNone Status = iota
	StatusDoing
	StatusDone
	StatusFlag
)

var statusIcons = []string{"status-none", "status-doing", "status-done", "status-flag"}

// ClassRow is what one row shows.
type ClassRow struct {
	ID     int
	Name   string
	Color  color.Color
	Area   float64 // share of the picture, 0 to 1
	Locked bool
	Hidden bool
	Solo   bool
	Status Status
}

// ClassNames are the accessible names of a row's switches.
type ClassNames struct{ Lock, Hide, Solo, Status string }

// ClassList shows the classes in as many columns as fit. The current one is
// marked. The switches of a row appear under the pointer, and stay while they are
// on. Filter leaves only rows whose name contains the text.
type ClassList struct {
	widget.BaseWidget
	Names    ClassNames
	OnSelect func(id int)
	OnLock   func(id int)
	OnHide   func(id int)
	OnSolo   func(id int)
	OnStatus func(id int)

	all     []ClassRow
	rows    []*classRow
	current int
	filter  string
	columns int
}

var _ fyne.Widget = (*ClassList)(nil)

const classRowHeight float32 = 21

// NewClassList returns an empty list.
func NewClassList(names ClassNames) *ClassList {
	l := &ClassList{Names: names, columns: 1}
	l.ExtendBaseWidget(l)
	return l
}

// SetRows shows the classes.
func (l *ClassList) SetRows(rows []ClassRow) {
	l.all = append(l.all[:0], rows...)
	l.Refresh()
}

// SetCurrent marks a class.
func (l *ClassList) SetCurrent(id int) {
	if l.current != id {
		l.current = id
		l.Refresh()
	}
}

// SetFilter leaves only the rows whose name contains text.
func (l *ClassList) SetFilter(text string) {
	l.filter = strings.ToLower(strings.TrimSpace(text))
	l.Refresh()
}

// Shown returns the ids of the rows that pass the filter.
func (l *ClassList) Shown() []int {
	var out []int
	for _, c := range l.all {
		if l.filter == "" || strings.Contains(strings.ToLower(c.Name), l.filter) {
			out = append(out, c.ID)
		}
	}
	return out
}

// Rows returns the number of lines the list needs at its width.
func (l *ClassList) lines(n int) int { return (n + l.columns - 1) / l.columns }

// MinSize is the height of all lines.
func (l *ClassList) MinSize() fyne.Size {
	l.ExtendBaseWidget(l)
	return fyne.NewSize(150, float32(l.lines(len(l.Shown())))*classRowHeight+6)
}

// CreateRenderer draws the list.
func (l *ClassList) CreateRenderer() fyne.WidgetRenderer {
	r := &simple{}
	r.min = func() fyne.Size { return l.MinSize() }
	r.layout = func(z fyne.Size) {
		cols := max(1, int(z.Width/140))
		if cols != l.columns {
			l.columns = cols
		}
		n := len(r.objects)
		lines := l.lines(n)
		w := (z.Width - 12) / float32(l.columns)
		for i, o := range r.objects {
			c, line := 0, i
			if lines > 0 {
				c, line = i/lines, i%lines
			}
			o.Resize(fyne.NewSize(w, classRowHeight))
			o.Move(fyne.NewPos(6+float32(c)*w, float32(line)*classRowHeight))
		}
	}
	r.refresh = func() {
		shown := r.objects[:0]
		i := 0
		for _, c := range l.all {
			if l.filter != "" && !strings.Contains(strings.ToLower(c.Name), l.filter) {
				continue
			}
			if i == len(l.rows) {
				row := newClassRow(l)
				l.rows = append(l.rows, row)
			}
			row := l.rows[i]
			row.set(c, c.ID == l.current)
			shown = append(shown, row)
			i++
		}
		r.objects = shown
		r.layout(l.BaseWidget.Size())
		canvas.Refresh(l)
	}
	r.refresh()
	return r
}

type classRow struct {
	widget.BaseWidget
	list    *ClassList
	data    ClassRow
	current bool
	hover   bool
	lock    *Button
	hide    *Button
	solo    *Button
	status  *Button
}

var (
	_ fyne.Tappable          = (*classRow)(nil)
	_ fyne.SecondaryTappable = (*classRow)(nil)
	_ desktop.Hoverable      = (*classRow)(nil)
	_ fyne.Accessible        = (*classRow)(nil)
)

func newClassRow(l *ClassList) *classRow {
	row := &classRow{list: l}
	toggle := func(icon, name string, f func(int)) *Button {
		b := NewSmallButton(icon, name, func() {
			if f != nil {
				f(row.data.ID)
			}
		})
		b.IconSize, b.Least = 13, fyne.NewSquareSize(18)
		b.OnHover = func(on bool) { row.hover = on; row.Refresh() }
		return b
	}
	row.lock = toggle("unlock", l.Names.Lock, func(id int) { call(l.OnLock, id) })
	row.hide = toggle("eye", l.Names.Hide, func(id int) { call(l.OnHide, id) })
	row.solo = toggle("solo", l.Names.Solo, func(id int) { call(l.OnSolo, id) })
	row.status = toggle("status-none", l.Names.Status, func(id int) { call(l.OnStatus, id) })
	row.ExtendBaseWidget(row)
	return row
}

func call(f func(int), id int) {
	if f != nil {
		f(id)
	}
}

func (r *classRow) set(c ClassRow, current bool) {
	if r.data == c && r.current == current {
		return
	}
	r.data, r.current = c, current
	r.Refresh()
}

func (r *classRow) AccessibilityLabel() string             { return r.data.Name }
func (r *classRow) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
func (r *classRow) Tapped(*fyne.PointEvent)                { call(r.list.OnSelect, r.data.ID) }
func (r *classRow) TappedSecondary(*fyne.PointEvent)       { call(r.list.OnStatus, r.data.ID) }
func (r *classRow) MouseIn(*desktop.MouseEvent)            { r.hover = true; r.Refresh() }
func (r *classRow) MouseMoved(*desktop.MouseEvent)         {}
func (r *classRow) MouseOut()                              { r.hover = false; r.Refresh() }

// FormatArea writes a share of the picture: whole per cent from ten, one digit
// below, nothing for an empty class.
func FormatArea(a float64) string {
	switch p := a * 100; {
	case p <= 0:
		return ""
	case p >= 9.95:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.05:
		return "<0.1"
	default:
		return fmt.Sprintf("%.1f", p)
	}
}

func (r *classRow) CreateRenderer() fyne.WidgetRenderer {
	bg := box(color.Transparent, look.Radius-1)
	swatch := box(color.Transparent, 3)
	name, area := label("", look.TextBody, false), label("", look.TextCaption, false)
	q := &simple{objects: []fyne.CanvasObject{bg, swatch, name, area, r.status, r.lock, r.hide, r.solo}}
	q.min = func() fyne.Size { return fyne.NewSize(120, classRowHeight) }
	q.layout = func(z fyne.Size) {
		bg.Resize(fyne.NewSize(z.Width-2, z.Height-1))
		swatch.Resize(fyne.NewSquareSize(12))
		swatch.Move(fyne.NewPos(7, (z.Height-12)/2))
		x := z.Width - 7
		if !r.hover {
			s := area.MinSize()
			area.Resize(s)
			area.Move(fyne.NewPos(x-s.Width, (z.Height-s.Height)/2))
			if area.Text != "" {
				x -= s.Width + 3
			}
		}
		for _, b := range []*Button{r.solo, r.hide, r.lock, r.status} {
			if b.Visible() {
				b.Resize(fyne.NewSquareSize(18))
				b.Move(fyne.NewPos(x-17, (z.Height-18)/2))
				x -= 18
			}
		}
		name.Text = fitText(r.data.Name, look.TextBody, false, x-28)
		place(name, 26, z.Height)
	}
	q.refresh = func() {
		bg.FillColor = color.Transparent
		if r.current {
			bg.FillColor = look.C(look.AccentSoft)
		} else if r.hover {
			bg.FillColor = hoverColor()
		}
		swatch.FillColor, swatch.StrokeWidth, swatch.StrokeColor = r.data.Color, 1, look.C(look.Line)
		if r.data.Color == nil {
			swatch.FillColor = color.Transparent
		}
		name.Color, area.Color = look.C(look.Text), look.C(look.TextFaint)
		if r.data.Hidden || r.data.Area == 0 {
			name.Color = look.C(look.TextFaint)
		}
		area.Text = FormatArea(r.data.Area)
		area.Hidden = r.hover
		show := func(b *Button, on bool, icon string) {
			b.Icon, b.Hidden = icon, !(on || r.hover)
			b.Refresh()
		}
		pick := func(on bool, a, b string) string {
			if on {
				return a
			}
			return b
		}
		show(r.lock, r.data.Locked, pick(r.data.Locked, "lock", "unlock"))
		show(r.hide, r.data.Hidden, pick(r.data.Hidden, "eye-off", "eye"))
		show(r.solo, r.data.Solo, "solo")
		show(r.status, r.data.Status != StatusNone, statusIcons[min(max(0, int(r.data.Status)), 3)])
		r.solo.Active = r.data.Solo
		q.layout(r.BaseWidget.Size())
		for _, o := range q.objects {
			o.Refresh()
		}
	}
	q.refresh()
	return q
}
