package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// EnergyBars shows how much a vector has in each row of W+, as bars from coarse rows to
// fine ones, with two ends that are dragged to keep a range of rows. With the keyboard, left
// and right move the upper end, with Shift the lower one.
type EnergyBars struct {
	widget.BaseWidget

	Energy   []float64
	Lo, Hi   int // the rows kept, both included
	Coarse   string
	Fine     string
	OnChange func(lo, hi int)
	Name     string

	held    int // 0 nothing, 1 the lower end, 2 the upper
	focused bool
}

var (
	_ fyne.Widget       = (*EnergyBars)(nil)
	_ fyne.Draggable    = (*EnergyBars)(nil)
	_ fyne.Focusable    = (*EnergyBars)(nil)
	_ desktop.Mouseable = (*EnergyBars)(nil)
	_ fyne.Accessible   = (*EnergyBars)(nil)
)

// NewEnergyBars returns bars with all rows kept.
func NewEnergyBars(energy []float64, onChange func(lo, hi int)) *EnergyBars {
	b := &EnergyBars{Energy: energy, Hi: len(energy) - 1, OnChange: onChange}
	b.ExtendBaseWidget(b)
	return b
}

// SetEnergy shows another vector and keeps all its rows.
func (b *EnergyBars) SetEnergy(energy []float64) {
	b.Energy, b.Lo, b.Hi = energy, 0, len(energy)-1
	b.Refresh()
}

// AccessibilityLabel returns the name.
func (b *EnergyBars) AccessibilityLabel() string { return b.Name }

// AccessibilityRole returns that it is read as text.
func (b *EnergyBars) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

const energyPad = 10

func (b *EnergyBars) step() float32 {
	return (b.BaseWidget.Size().Width - 2*energyPad) / float32(max(1, len(b.Energy)))
}

func (b *EnergyBars) set(lo, hi int) {
	n := len(b.Energy)
	lo, hi = min(max(0, lo), n-1), min(max(0, hi), n-1)
	if lo > hi || lo == b.Lo && hi == b.Hi {
		return
	}
	b.Lo, b.Hi = lo, hi
	b.Refresh()
	if b.OnChange != nil {
		b.OnChange(lo, hi)
	}
}

// MouseDown takes the nearer end.
func (b *EnergyBars) MouseDown(e *desktop.MouseEvent) {
	if c := canvasOf(b); c != nil {
		c.Focus(b)
	}
	x := (e.Position.X - energyPad) / b.step()
	b.held = 1
	if abs32(x-float32(b.Hi+1)) < abs32(x-float32(b.Lo)) {
		b.held = 2
	}
	b.move(e.Position.X)
}

// MouseUp lets go.
func (b *EnergyBars) MouseUp(*desktop.MouseEvent) { b.held = 0 }

// DragEnd lets go.
func (b *EnergyBars) DragEnd() { b.held = 0 }

// Dragged moves the end that is held.
func (b *EnergyBars) Dragged(e *fyne.DragEvent) { b.move(e.Position.X) }

func (b *EnergyBars) move(x float32) {
	edge := int((x-energyPad)/b.step() + 0.5)
	switch b.held {
	case 1:
		b.set(min(edge, b.Hi), b.Hi)
	case 2:
		b.set(b.Lo, max(edge-1, b.Lo))
	}
}

// FocusGained shows that keys go to the bars.
func (b *EnergyBars) FocusGained() { b.focused = true; b.Refresh() }

// FocusLost ends that.
func (b *EnergyBars) FocusLost() { b.focused = false; b.Refresh() }

// TypedRune does nothing.
func (b *EnergyBars) TypedRune(rune) {}

// TypedKey moves the ends.
func (b *EnergyBars) TypedKey(e *fyne.KeyEvent) {
	by := map[fyne.KeyName]int{fyne.KeyLeft: -1, fyne.KeyRight: 1}[e.Name]
	if by == 0 {
		return
	}
	if modifiers()&fyne.KeyModifierShift != 0 {
		b.set(b.Lo+by, b.Hi)
	} else {
		b.set(b.Lo, b.Hi+by)
	}
}

// Cursor shows that the ends move sideways.
func (b *EnergyBars) Cursor() desktop.Cursor { return desktop.HResizeCursor }

// CreateRenderer draws the bars.
func (b *EnergyBars) CreateRenderer() fyne.WidgetRenderer {
	back := box(color.Transparent, look.Radius)
	coarse, fine := label("", look.TextCaption, false), label("", look.TextCaption, false)
	ends := [2]*canvas.Rectangle{box(color.Transparent, 2), box(color.Transparent, 2)}
	var bars []*canvas.Rectangle
	r := &simple{}
	const high = 76
	r.min = func() fyne.Size { return fyne.NewSize(240, high+20) }
	r.layout = func(z fyne.Size) {
		back.Resize(fyne.NewSize(z.Width, high))
		most := 1e-9
		for _, e := range b.Energy {
			most = max(most, e)
		}
		w := b.step()
		for i, bar := range bars {
			h := max(2, float32(b.Energy[i]/most)*(high-16))
			bar.Resize(fyne.NewSize(max(1, w-4), h))
			bar.Move(fyne.NewPos(energyPad+float32(i)*w+2, high-8-h))
		}
		for i, at := range []int{b.Lo, b.Hi + 1} {
			ends[i].Resize(fyne.NewSize(4, high-8))
			ends[i].Move(fyne.NewPos(energyPad+float32(at)*w-2, 4))
		}
		place(coarse, 2, 2*high+18)
		m := fine.MinSize()
		place(fine, z.Width-m.Width-2, 2*high+18)
	}
	r.refresh = func() {
		for len(bars) < len(b.Energy) {
			bars = append(bars, box(color.Transparent, 2))
		}
		bars = bars[:len(b.Energy)]
		r.objects = append(r.objects[:0], back)
		for i, bar := range bars {
			bar.FillColor = look.C(look.Accent)
			if i < b.Lo || i > b.Hi {
				bar.FillColor = look.C(look.Track)
			}
			r.objects = append(r.objects, bar)
		}
		back.FillColor = look.C(look.SurfaceLow)
		back.StrokeColor, back.StrokeWidth = look.C(look.Line), 1
		if b.focused {
			back.StrokeColor = look.C(look.Accent)
		}
		for _, e := range ends {
			e.FillColor = look.C(look.Text)
			r.objects = append(r.objects, e)
		}
		coarse.Text, fine.Text = b.Coarse, b.Fine
		coarse.Color, fine.Color = look.C(look.TextSoft), look.C(look.TextSoft)
		r.objects = append(r.objects, coarse, fine)
		r.layout(b.BaseWidget.Size())
		canvas.Refresh(b)
	}
	r.refresh()
	return r
}
