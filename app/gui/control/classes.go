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

// ClassNames are the accessible names of a row's switches and of its mark.
type ClassNames struct{ Lock, Hide, Solo, Status string }

// ClassList shows the classes in as many columns as fit. The current one is
// marked. Each row begins with two narrow columns, for hiding and locking, whose
// switches appear under the pointer and stay while they are on; everywhere else a
// click selects. A click with Alt shows one class alone. Filter leaves only rows
// whose name contains the text.
type ClassList struct {
	widget.BaseWidget
	Names    ClassNames
	OnSelect func(id int)
	OnLock   func(id int)
	OnHide   func(id int)
	OnSolo   func(id int)
	// OnMenu is a click with the secondary button; at is absolute.
	OnMenu func(id int, at fyne.Position)

	all     []ClassRow
	rows    []*classRow
	current int
	filter  string
	columns int
}

var _ fyne.Widget = (*ClassList)(nil)

const (
	classRowHeight float32 = 21
	// classSwitch is the width of each of the two columns of switches.
	classSwitch float32 = 14
)

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
			if modifiers()&fyne.KeyModifierAlt != 0 {
				call(l.OnSolo, row.data.ID)
				return
			}
			f(row.data.ID)
		})
		b.IconSize, b.Least = 12, fyne.NewSize(classSwitch, classRowHeight-1)
		b.OnHover = func(on bool) { row.hover = on; row.Refresh() }
		return b
	}
	row.lock = toggle("unlock", l.Names.Lock, func(id int) { call(l.OnLock, id) })
	row.hide = toggle("eye", l.Names.Hide, func(id int) { call(l.OnHide, id) })
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

// Tapped selects the class; with Alt it shows it alone.
func (r *classRow) Tapped(*fyne.PointEvent) {
	if modifiers()&fyne.KeyModifierAlt != 0 {
		call(r.list.OnSolo, r.data.ID)
		return
	}
	call(r.list.OnSelect, r.data.ID)
}

// TappedSecondary opens the menu of the class.
func (r *classRow) TappedSecondary(e *fyne.PointEvent) {
	if r.list.OnMenu != nil {
		r.list.OnMenu(r.data.ID, e.AbsolutePosition)
	}
}

func (r *classRow) MouseIn(*desktop.MouseEvent)    { r.hover = true; r.Refresh() }
func (r *classRow) MouseMoved(*desktop.MouseEvent) {}
func (r *classRow) MouseOut()                      { r.hover = false; r.Refresh() }

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
	status := icon(statusIcons[StatusNone], look.TextSoft, 12)
	q := &simple{objects: []fyne.CanvasObject{bg, swatch, name, area, status, r.hide, r.lock}}
	q.min = func() fyne.Size { return fyne.NewSize(120, classRowHeight) }
	q.layout = func(z fyne.Size) {
		bg.Resize(fyne.NewSize(z.Width-2, z.Height-1))
		x := float32(1)
		for _, b := range []*Button{r.hide, r.lock} {
			b.Resize(fyne.NewSize(classSwitch, z.Height-1))
			b.Move(fyne.NewPos(x, 0))
			x += classSwitch
		}
		swatch.Resize(fyne.NewSquareSize(12))
		swatch.Move(fyne.NewPos(x+1, (z.Height-12)/2))
		x += 17
		end := z.Width - 5
		s := area.MinSize()
		area.Resize(s)
		area.Move(fyne.NewPos(end-s.Width, (z.Height-s.Height)/2))
		if area.Text != "" {
			end -= s.Width + 2
		}
		if status.Visible() {
			status.Resize(fyne.NewSquareSize(12))
			status.Move(fyne.NewPos(end-12, (z.Height-12)/2))
			end -= 14
		}
		setText(name, fitText(r.data.Name, look.TextBody, false, end-x))
		place(name, x, z.Height)
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
		area.Text = strings.TrimSuffix(FormatArea(r.data.Area), " %")
		show := func(b *Button, on bool, set, unset string) {
			b.Icon, b.Hidden = unset, !(on || r.hover)
			if on {
				b.Icon = set
			}
			b.Refresh()
		}
		show(r.lock, r.data.Locked, "lock", "unlock")
		// A class shown alone says so where the eye is.
		eye := "eye-off"
		if r.data.Solo {
			eye = "solo"
		}
		show(r.hide, r.data.Hidden || r.data.Solo, eye, "eye")
		r.hide.Active = r.data.Solo
		tone := []fyne.ThemeColorName{look.TextSoft, look.Warn, look.Good, look.Bad}
		k := min(max(0, int(r.data.Status)), len(tone)-1)
		setIcon(status, statusIcons[k], tone[k])
		status.Hidden = r.data.Status == StatusNone
		q.layout(r.BaseWidget.Size())
		for _, o := range q.objects {
			o.Refresh()
		}
	}
	q.refresh()
	return q
}
