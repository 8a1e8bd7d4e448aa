package control

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"latentbrush/app/gui/look"
)

// TipDelay is how long the pointer rests before a tip is shown.
const TipDelay = 550 * time.Millisecond

// Tips is the layer that tips are drawn on; a window puts it on top of its
// content. It takes no input.
type Tips struct {
	layer *fyne.Container
}

var tip struct {
	host  *Tips
	timer *time.Timer
	seq   int
}

// NewTips returns a layer and makes it the one that ShowTip uses.
func NewTips() *Tips {
	t := &Tips{layer: container.NewWithoutLayout()}
	tip.host = t
	return t
}

// Object returns the layer to put on top of a window's content.
func (t *Tips) Object() fyne.CanvasObject { return t.layer }

// ShowTip shows text, and the key that does the same, under an object after a
// short rest.
func ShowTip(o fyne.CanvasObject, text, key string) {
	HideTip()
	if tip.host == nil || text == "" {
		return
	}
	seq := tip.seq
	tip.timer = time.AfterFunc(TipDelay, func() {
		Do(func() {
			if seq == tip.seq {
				tip.host.show(o, text, key)
			}
		})
	})
}

// HideTip removes the tip, shown or waiting.
func HideTip() {
	tip.seq++
	if tip.timer != nil {
		tip.timer.Stop()
	}
	if tip.host != nil && len(tip.host.layer.Objects) > 0 {
		tip.host.layer.Objects = nil
		tip.host.layer.Refresh()
	}
}

func (t *Tips) show(o fyne.CanvasObject, text, key string) {
	bg := box(look.C(look.SurfaceHigh), look.Radius)
	bg.StrokeWidth, bg.StrokeColor = 1, look.C(look.Line)
	l, k := label(text, look.TextCaption, false), label(key, look.TextCaption, true)
	k.Color = look.C(look.TextSoft)
	w := l.MinSize().Width + 16
	if key != "" {
		w += k.MinSize().Width + 10
	}
	size := fyne.NewSize(w, l.MinSize().Height+8)
	d := fyne.CurrentApp().Driver()
	at := d.AbsolutePositionForObject(o)
	base := d.AbsolutePositionForObject(t.layer)
	at = at.Subtract(base)
	room := t.layer.Size()
	pos := fyne.NewPos(at.X+o.Size().Width/2-w/2, at.Y+o.Size().Height+6)
	if o.Size().Width <= 40 && at.X < 60 { // the tool column: beside, not below
		pos = fyne.NewPos(at.X+o.Size().Width+8, at.Y+(o.Size().Height-size.Height)/2)
	}
	pos.X = max(4, min(pos.X, room.Width-w-4))
	if pos.Y+size.Height > room.Height-4 {
		pos.Y = at.Y - size.Height - 6
	}
	bg.Resize(size)
	bg.Move(pos)
	place(l, pos.X+8, 0)
	l.Move(fyne.NewPos(pos.X+8, pos.Y+4))
	k.Resize(k.MinSize())
	k.Move(fyne.NewPos(pos.X+size.Width-k.MinSize().Width-8, pos.Y+4))
	t.layer.Objects = []fyne.CanvasObject{bg, l, k}
	t.layer.Refresh()
}
