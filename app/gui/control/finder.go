package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// FinderRow is one line of a Finder.
type FinderRow struct {
	Key      string
	Text     string
	Note     string // at the right end, such as a key
	Icon     string
	Disabled bool
}

// Finder is a search field over a list, as the command palette is: typing
// filters, the arrow keys choose, Return runs.
type Finder struct {
	empty  string
	sheet  *Sheet
	field  *finderField
	list   *finderList
	source func(query string) []FinderRow
	choose func(key string)
}

// ShowFinder opens a finder; empty is what its list says when nothing is found.
func ShowFinder(c fyne.Canvas, hint, empty string, source func(string) []FinderRow, choose func(string)) *Finder {
	f := &Finder{empty: empty, source: source, choose: choose}
	f.field = newFinderField(f)
	f.field.SetPlaceHolder(hint)
	f.field.OnChanged = func(string) { f.update() }
	f.list = &finderList{finder: f}
	f.list.ExtendBaseWidget(f.list)
	f.sheet = NewSheet(c, "", container.NewBorder(f.field, nil, nil, nil, f.list), fyne.NewSize(460, 396), true)
	f.update()
	f.sheet.Show()
	c.Focus(f.field)
	return f
}

func (f *Finder) update() {
	f.list.rows = f.source(f.field.Text)
	f.list.at = 0
	f.list.Refresh()
}

// Rows returns what is listed now.
func (f *Finder) Rows() []FinderRow { return f.list.rows }

// Type enters a query.
func (f *Finder) Type(q string) { f.field.SetText(q) }

// Accept runs the chosen row.
func (f *Finder) Accept() { f.accept(f.list.at) }

func (f *Finder) accept(i int) {
	if i < 0 || i >= len(f.list.rows) || f.list.rows[i].Disabled {
		return
	}
	key := f.list.rows[i].Key
	f.sheet.Close()
	f.choose(key)
}

type finderField struct {
	widget.Entry
	f *Finder
}

func newFinderField(f *Finder) *finderField {
	e := &finderField{f: f}
	e.ExtendBaseWidget(e)
	return e
}

func (e *finderField) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeyDown:
		e.f.list.step(1)
	case fyne.KeyUp:
		e.f.list.step(-1)
	case fyne.KeyReturn, fyne.KeyEnter:
		e.f.Accept()
	case fyne.KeyEscape:
		e.f.sheet.Close()
	default:
		e.Entry.TypedKey(k)
	}
}

const finderRowHeight float32 = 28

type finderList struct {
	widget.BaseWidget
	finder *Finder
	rows   []FinderRow
	at     int
	first  int
}

var (
	_ fyne.Tappable     = (*finderList)(nil)
	_ desktop.Hoverable = (*finderList)(nil)
	_ fyne.Scrollable   = (*finderList)(nil)
)

func (l *finderList) fits() int { return max(1, int((l.BaseWidget.Size().Height-6)/finderRowHeight)) }

func (l *finderList) step(d int) {
	if len(l.rows) == 0 {
		return
	}
	l.at = (l.at + d + len(l.rows)) % len(l.rows)
	l.first = min(l.first, l.at)
	l.first = max(l.first, l.at-l.fits()+1)
	l.Refresh()
}

func (l *finderList) row(y float32) int { return l.first + int((y-6)/finderRowHeight) }

func (l *finderList) Tapped(e *fyne.PointEvent) { l.finder.accept(l.row(e.Position.Y)) }

func (l *finderList) MouseIn(*desktop.MouseEvent) {}
func (l *finderList) MouseOut()                   {}
func (l *finderList) MouseMoved(e *desktop.MouseEvent) {
	if i := l.row(e.Position.Y); i >= 0 && i < len(l.rows) && i != l.at {
		l.at = i
		l.Refresh()
	}
}

func (l *finderList) Scrolled(e *fyne.ScrollEvent) {
	d := 2
	if e.Scrolled.DY > 0 {
		d = -2
	}
	l.first = max(0, min(l.first+d, len(l.rows)-l.fits()))
	l.Refresh()
}

func (l *finderList) CreateRenderer() fyne.WidgetRenderer {
	back := box(color.Transparent, look.Radius)
	r := &simple{}
	type line struct {
		img        *canvas.Image
		text, note *canvas.Text
	}
	var lines []line
	empty := label("", look.TextBody, false)
	r.min = func() fyne.Size { return fyne.NewSize(300, finderRowHeight*4) }
	r.layout = func(z fyne.Size) {
		if l.first >= len(l.rows) {
			l.first = 0
		}
		n := min(l.fits(), len(l.rows)-l.first)
		for len(lines) < n {
			lines = append(lines, line{icon("menu", look.TextSoft, 16), label("", look.TextBody, false), label("", look.TextCaption, false)})
		}
		r.objects = []fyne.CanvasObject{back}
		back.Hidden = true
		if len(l.rows) == 0 {
			empty.Color = look.C(look.TextFaint)
			setText(empty, l.finder.empty)
			m := empty.MinSize()
			empty.Resize(m)
			empty.Move(fyne.NewPos(10, 6+(finderRowHeight-m.Height)/2))
			r.objects = append(r.objects, empty)
		}
		for i := 0; i < n; i++ {
			row, ln := l.rows[l.first+i], lines[i]
			y := 6 + float32(i)*finderRowHeight
			if l.first+i == l.at {
				back.Hidden = false
				back.FillColor = look.C(look.AccentSoft)
				back.Resize(fyne.NewSize(z.Width, finderRowHeight))
				back.Move(fyne.NewPos(0, y))
			}
			fore := look.Text
			if row.Disabled {
				fore = look.TextFaint
			}
			if row.Icon != "" {
				setIcon(ln.img, row.Icon, look.TextSoft)
				ln.img.Resize(fyne.NewSquareSize(16))
				ln.img.Move(fyne.NewPos(8, y+6))
				r.objects = append(r.objects, ln.img)
			}
			ln.note.Color = look.C(look.TextFaint)
			setText(ln.note, row.Note)
			m := ln.note.MinSize()
			ln.note.Resize(m)
			ln.note.Move(fyne.NewPos(z.Width-m.Width-10, y+(finderRowHeight-m.Height)/2))
			ln.text.Color = look.C(fore)
			setText(ln.text, fitText(row.Text, look.TextBody, false, z.Width-m.Width-54))
			t := ln.text.MinSize()
			ln.text.Resize(t)
			ln.text.Move(fyne.NewPos(34, y+(finderRowHeight-t.Height)/2))
			r.objects = append(r.objects, ln.text, ln.note)
		}
	}
	r.refresh = func() {
		r.layout(l.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
		canvas.Refresh(l)
	}
	return r
}
