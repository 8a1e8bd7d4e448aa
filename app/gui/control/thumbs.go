package control

import (
	"image"
	"image/color"
	"slices"

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
	Broken bool   // a file that cannot be read
	Stars  string // beside the star
	Mark   int    // 1 marked as yes, -1 as no
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
	// Many lets the user pick several cells: Ctrl and a click adds or removes one, Shift and
	// a click takes all from the last one. OnPick is called after each change.
	Many   bool
	OnPick func()
	Empty  string // shown when there is nothing

	items    []Thumb
	selected string
	picked   map[string]bool
	last     string // where a row of picks begins
	scroll   *container.Scroll
	inner    *inSight
	cells    []*thumbCell
}

var _ fyne.Widget = (*Thumbs)(nil)

// NewThumbs returns an empty grid, or strip.
func NewThumbs(side float32, strip, names bool) *Thumbs {
	t := &Thumbs{Side: side, Strip: strip, ShowNames: names}
	t.inner = newInSight(t.size, t.fill)
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

// Items returns the cells.
func (t *Thumbs) Items() []Thumb { return slices.Clone(t.items) }

// Len returns the number of cells.
func (t *Thumbs) Len() int { return len(t.items) }

// Select marks a cell; "" marks none.
func (t *Thumbs) Select(key string) {
	if t.selected != key {
		t.selected = key
		t.fill()
	}
}

// Picked returns the keys of the picked cells in their order; the selected one when none is.
func (t *Thumbs) Picked() []string {
	var out []string
	for _, i := range t.items {
		if t.picked[i.Key] {
			out = append(out, i.Key)
		}
	}
	if len(out) == 0 && t.selected != "" && slices.ContainsFunc(t.items, func(i Thumb) bool { return i.Key == t.selected }) {
		out = append(out, t.selected)
	}
	return out
}

// Pick picks exactly these cells.
func (t *Thumbs) Pick(keys ...string) {
	t.picked = map[string]bool{}
	for _, k := range keys {
		t.picked[k] = true
	}
	t.fill()
	if t.OnPick != nil {
		t.OnPick()
	}
}

// pick follows a click with Ctrl, or with Shift.
func (t *Thumbs) pick(key string, through bool) {
	if t.picked == nil {
		t.picked = map[string]bool{}
	}
	if len(t.picked) == 0 && t.selected != "" {
		t.picked[t.selected], t.last = true, t.selected
	}
	at := func(k string) int { return slices.IndexFunc(t.items, func(i Thumb) bool { return i.Key == k }) }
	from, to := at(t.last), at(key)
	if through && from >= 0 && to >= 0 {
		for i := min(from, to); i <= max(from, to); i++ {
			t.picked[t.items[i].Key] = true
		}
	} else {
		if t.picked[key] {
			delete(t.picked, key)
		} else {
			t.picked[key] = true
		}
		t.last = key
	}
	t.fill()
	if t.OnPick != nil {
		t.OnPick()
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
		c.set(t.items[k], t.items[k].Key == t.selected && t.selected != "", t.picked[t.items[k].Key])
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

// size is the size of all cells together.
func (t *Thumbs) size() fyne.Size {
	cols, cell := t.cellSize(t.scroll.Size().Width)
	if t.Strip {
		return fyne.NewSize(float32(len(t.items))*cell.Width, cell.Height+4)
	}
	return fyne.NewSize(t.Side+12, float32((len(t.items)+cols-1)/cols)*cell.Height+4)
}

type thumbCell struct {
	widget.BaseWidget
	owner    *Thumbs
	data     Thumb
	selected bool
	picked   bool
	hover    bool
}

var (
	_ fyne.Tappable          = (*thumbCell)(nil)
	_ fyne.SecondaryTappable = (*thumbCell)(nil)
	_ desktop.Hoverable      = (*thumbCell)(nil)
	_ fyne.Accessible        = (*thumbCell)(nil)
)

func (c *thumbCell) set(t Thumb, selected, picked bool) {
	if c.data == t && c.selected == selected && c.picked == picked {
		return
	}
	c.data, c.selected, c.picked = t, selected, picked
	c.Refresh()
}

func (c *thumbCell) AccessibilityLabel() string             { return c.data.Name }
func (c *thumbCell) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

func (c *thumbCell) Tapped(*fyne.PointEvent) {
	if mods := modifiers(); c.owner.Many && mods&(fyne.KeyModifierControl|fyne.KeyModifierShift) != 0 {
		c.owner.pick(c.data.Key, mods&fyne.KeyModifierShift != 0)
		return
	}
	if len(c.owner.picked) > 0 {
		c.owner.Pick()
	}
	c.owner.last = c.data.Key
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
	star, stars := icon("star-full", look.Warn, 13), label("", 9.5, true)
	starBack := box(color.Transparent, 3)
	mark := icon("check", look.OnAccent, 13)
	markBack := box(color.Transparent, 9)
	name := label("", look.TextCaption, false)
	badgeBack, badge := box(color.Transparent, 3), label("", 9.5, true)
	r := &simple{objects: []fyne.CanvasObject{back, img, ring, starBack, star, stars, markBack, mark, badgeBack, badge, name}}
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
		n := stars.MinSize()
		stars.Resize(n)
		stars.Move(fyne.NewPos(side-17-n.Width, 3.5))
		starBack.Resize(fyne.NewSize(n.Width+19, 15))
		starBack.Move(fyne.NewPos(side-20-n.Width, 2))
		markBack.Resize(fyne.NewSquareSize(18))
		markBack.Move(fyne.NewPos(4, 4))
		mark.Resize(fyne.NewSquareSize(13))
		mark.Move(fyne.NewPos(6.5, 6.5))
		b := badge.MinSize()
		badge.Resize(b)
		badge.Move(fyne.NewPos(6, side-b.Height-4))
		badgeBack.Resize(fyne.NewSize(b.Width+6, b.Height+1))
		badgeBack.Move(fyne.NewPos(3, side-b.Height-4.5))
		if c.owner.ShowNames {
			setText(name, fitText(c.data.Name, look.TextCaption, false, side))
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
		case c.selected, c.picked:
			ring.StrokeWidth, ring.StrokeColor = 2, look.C(look.Accent)
		case c.hover:
			ring.StrokeWidth, ring.StrokeColor = 1, look.C(look.TextSoft)
		}
		star.Hidden = !c.data.Star
		stars.Text, stars.Color, stars.Hidden = c.data.Stars, look.C(look.Warn), !c.data.Star || c.data.Stars == ""
		starBack.FillColor, starBack.Hidden = color.NRGBA{A: 120}, stars.Hidden
		sign, hue := "check", look.Accent
		switch {
		case c.data.Mark > 0:
			hue = look.Good
		case c.data.Mark < 0:
			sign, hue = "close", look.Bad
		case c.data.Broken:
			sign, hue = "warning", look.Bad
		}
		if !c.picked && c.data.Mark == 0 && !c.data.Broken {
			sign = ""
		}
		mark.Hidden, markBack.Hidden = sign == "", sign == ""
		if sign != "" {
			setIcon(mark, sign, look.OnAccent)
			markBack.FillColor = look.C(hue)
			if c.data.Mark != 0 {
				ring.StrokeWidth, ring.StrokeColor = 2, look.C(hue)
			}
		}
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
