package control

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Thumb is one cell of a grid or strip.
type Thumb struct {
	Key    string // identifies it to the callbacks
	Name   string
	Image  image.Image // nil while it is made
	Star   bool
	Faded  bool   // a file that is gone
	Badge  string // small text over the picture's corner
	Detail string // tip
}

// Thumbs shows pictures with names, either as a grid that scrolls down or, with
// Strip, as one row that scrolls sideways. Only the cells in sight exist, so ten
// thousand entries cost as much as twenty.
type Thumbs struct {
	widget.BaseWidget
	Side      float32 // of a picture
	Strip     bool
	ShowNames bool
	OnTap     func(key string)
	OnMenu    func(key string, at fyne.Position)
	Empty     string // shown when there is nothing

	items    []Thumb
	selected string
	scroll   *container.Scroll
	inner    *thumbSheet
	cells    []*thumbCell
}

var _ fyne.Widget = (*Thumbs)(nil)

// NewThumbs returns an empty grid, or strip.
func NewThumbs(side float32, strip, names bool) *Thumbs {
	t := &Thumbs{Side: side, Strip: strip, ShowNames: names}
	t.inner = &thumbSheet{owner: t}
	t.inner.ExtendBaseWidget(t.inner)
	if strip {
		t.scroll = container.NewHScroll(t.inner)
	} else {
		t.scroll = container.NewVScroll(t.inner)
	}
	t.scroll.OnScrolled = func(fyne.Position) { t.fill() }
	t.ExtendBaseWidget(t)
	return t
}

// SetItems shows the given cells.
func (t *Thumbs) SetItems(items []Thumb) {
	t.items = append([]Thumb(nil), items...)
	t.inner.Refresh()
	t.scroll.Refresh()
	t.Refresh()
}

// Len returns the number of cells.
func (t *Thumbs) Len() int { return len(t.items) }

// Select marks a cell; "" marks none.
func (t *Thumbs) Select(key string) {
	if t.selected != key {
		t.selected = key
		t.fill()
	}
}

// Selected returns the marked cell's key.
func (t *Thumbs) Selected() string { return t.selected }

func (t *Thumbs) cellSize(width float32) (cols int, cell fyne.Size) {
	nameHigh := float32(0)
	if t.ShowNames {
		nameHigh = 18
	}
	gap := float32(8)
	if t.Strip {
		gap = 6
		side := t.Side
		return max(1, len(t.items)), fyne.NewSize(side+gap, side+nameHigh)
	}
	cols = max(1, int((width-12+gap)/(t.Side+gap)))
	return cols, fyne.NewSize((width-12)/float32(cols), (width-12)/float32(cols)-gap+nameHigh+4)
}

// fill gives the cells in sight their contents.
func (t *Thumbs) fill() {
	view := t.scroll.Size()
	if view.Width <= 0 || view.Height <= 0 {
		return
	}
	cols, cell := t.cellSize(view.Width)
	off := t.scroll.Offset
	first, last := 0, 0
	if t.Strip {
		first = max(0, int(off.X/cell.Width))
		last = min(len(t.items), int((off.X+view.Width)/cell.Width)+1)
	} else {
		first = max(0, int(off.Y/cell.Height)) * cols
		last = min(len(t.items), (int((off.Y+view.Height)/cell.Height)+1)*cols)
	}
	n := max(0, last-first)
	for len(t.cells) < n {
		c := &thumbCell{owner: t}
		c.ExtendBaseWidget(c)
		t.cells = append(t.cells, c)
	}
	t.inner.shown = t.inner.shown[:0]
	for i := 0; i < n; i++ {
		c := t.cells[i]
		k := first + i
		pos := fyne.NewPos(8+float32(k%cols)*cell.Width, float32(k/cols)*cell.Height+2)
		if t.Strip {
			pos = fyne.NewPos(float32(k)*cell.Width+1, 1)
		}
		c.set(t.items[k], t.items[k].Key == t.selected && t.selected != "")
		c.Move(pos)
		c.Resize(fyne.NewSize(cell.Width-6, cell.Height-4))
		t.inner.shown = append(t.inner.shown, c)
	}
	canvas.Refresh(t.inner)
}

// CreateRenderer draws the grid.
func (t *Thumbs) CreateRenderer() fyne.WidgetRenderer {
	empty := widget.NewLabel("")
	empty.Wrapping = fyne.TextWrapWord
	empty.Alignment = fyne.TextAlignCenter
	empty.Importance = widget.LowImportance
	r := &simple{objects: []fyne.CanvasObject{t.scroll, empty}}
	r.min = func() fyne.Size {
		if t.Strip {
			return fyne.NewSize(100, t.Side+10)
		}
		return fyne.NewSize(t.Side+12, 60)
	}
	r.layout = func(z fyne.Size) {
		t.scroll.Resize(z)
		empty.Resize(fyne.NewSize(z.Width, min(z.Height, 80)))
		t.fill()
	}
	r.refresh = func() {
		empty.SetText(t.Empty)
		empty.Hidden = len(t.items) > 0 || t.Empty == ""
		t.fill()
		for _, c := range t.inner.shown {
			c.Refresh()
		}
	}
	r.refresh()
	return r
}

// thumbSheet is the scrolled area; its renderer lists only the cells in sight.
type thumbSheet struct {
	widget.BaseWidget
	owner *Thumbs
	shown []fyne.CanvasObject
}

func (s *thumbSheet) MinSize() fyne.Size {
	s.ExtendBaseWidget(s)
	t := s.owner
	cols, cell := t.cellSize(t.scroll.Size().Width)
	if t.Strip {
		return fyne.NewSize(float32(len(t.items))*cell.Width, cell.Height+4)
	}
	return fyne.NewSize(t.Side+12, float32((len(t.items)+cols-1)/cols)*cell.Height+4)
}

func (s *thumbSheet) CreateRenderer() fyne.WidgetRenderer { return &sheetRenderer{s} }

type sheetRenderer struct{ s *thumbSheet }

func (r *sheetRenderer) Destroy()                     {}
func (r *sheetRenderer) Layout(fyne.Size)             { r.s.owner.fill() }
func (r *sheetRenderer) MinSize() fyne.Size           { return r.s.MinSize() }
func (r *sheetRenderer) Objects() []fyne.CanvasObject { return r.s.shown }
func (r *sheetRenderer) Refresh()                     {}

type thumbCell struct {
	widget.BaseWidget
	owner    *Thumbs
	data     Thumb
	selected bool
	hover    bool
}

var (
	_ fyne.Tappable          = (*thumbCell)(nil)
	_ fyne.SecondaryTappable = (*thumbCell)(nil)
	_ desktop.Hoverable      = (*thumbCell)(nil)
	_ fyne.Accessible        = (*thumbCell)(nil)
)

func (c *thumbCell) set(t Thumb, selected bool) {
	if c.data == t && c.selected == selected {
		return
	}
	c.data, c.selected = t, selected
	c.Refresh()
}

func (c *thumbCell) AccessibilityLabel() string             { return c.data.Name }
func (c *thumbCell) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

func (c *thumbCell) Tapped(*fyne.PointEvent) {
	if c.owner.OnTap != nil {
		c.owner.OnTap(c.data.Key)
	}
}

func (c *thumbCell) TappedSecondary(e *fyne.PointEvent) {
	if c.owner.OnMenu != nil {
		c.owner.OnMenu(c.data.Key, e.AbsolutePosition)
	}
}

func (c *thumbCell) MouseIn(*desktop.MouseEvent) {
	c.hover = true
	if c.data.Detail != "" {
		ShowTip(c, c.data.Detail, "")
	}
	c.Refresh()
}
func (c *thumbCell) MouseMoved(*desktop.MouseEvent) {}
func (c *thumbCell) MouseOut() {
	c.hover = false
	HideTip()
	c.Refresh()
}

func (c *thumbCell) CreateRenderer() fyne.WidgetRenderer {
	back, ring := box(color.Transparent, look.Radius), box(color.Transparent, look.Radius+1)
	img := picture()
	img.CornerRadius = look.Radius
	star := icon("star-full", look.Warn, 13)
	name := label("", look.TextCaption, false)
	badgeBack, badge := box(color.Transparent, 3), label("", 9.5, true)
	r := &simple{objects: []fyne.CanvasObject{back, img, ring, star, badgeBack, badge, name}}
	r.min = func() fyne.Size { return fyne.NewSquareSize(24) }
	r.layout = func(z fyne.Size) {
		side := z.Width
		if c.owner.Strip {
			side = min(z.Width, z.Height)
		}
		pic := fyne.NewSquareSize(side)
		back.Resize(pic)
		img.Resize(pic)
		ring.Resize(fyne.NewSquareSize(side))
		star.Resize(fyne.NewSquareSize(13))
		star.Move(fyne.NewPos(side-16, 3))
		b := badge.MinSize()
		badge.Resize(b)
		badge.Move(fyne.NewPos(6, side-b.Height-4))
		badgeBack.Resize(fyne.NewSize(b.Width+6, b.Height+1))
		badgeBack.Move(fyne.NewPos(3, side-b.Height-4.5))
		if c.owner.ShowNames {
			name.Text = fitText(c.data.Name, look.TextCaption, false, side)
			s := name.MinSize()
			name.Resize(s)
			name.Move(fyne.NewPos((side-s.Width)/2, side+2))
		}
	}
	r.refresh = func() {
		back.FillColor = look.C(look.SurfaceHigh)
		img.Hidden = c.data.Image == nil
		if c.data.Image != nil {
			img.Image = c.data.Image
		}
		img.Translucency = 0
		if c.data.Faded {
			img.Translucency = 0.65
		}
		ring.FillColor = color.Transparent
		ring.StrokeWidth, ring.StrokeColor = 0, color.Transparent
		switch {
		case c.selected:
			ring.StrokeWidth, ring.StrokeColor = 2, look.C(look.Accent)
		case c.hover:
			ring.StrokeWidth, ring.StrokeColor = 1, look.C(look.TextSoft)
		}
		star.Hidden = !c.data.Star
		name.Hidden = !c.owner.ShowNames
		name.Color = look.C(look.TextSoft)
		if c.hover || c.selected {
			name.Color = look.C(look.Text)
		}
		badge.Text, badge.Color = c.data.Badge, look.C(look.OnAccent)
		badge.Hidden, badgeBack.Hidden = c.data.Badge == "", c.data.Badge == ""
		badgeBack.FillColor = color.NRGBA{A: 150}
		r.layout(c.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
	}
	r.refresh()
	return r
}
