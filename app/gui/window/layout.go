package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
)

// Heights and widths of the window's fixed parts, in units.
const (
	topHeight     float32 = 38
	optionsHeight float32 = 36
	toolsWidth    float32 = 46
	runHeight     float32 = 60
	stripHeight   float32 = 78
	statusHeight  float32 = 24
	dockLeast     float32 = 230
	dockMost      float32 = 520
	paneHead      float32 = 26
)

// frame is the window's outer layout. Its objects, in order: top bar, option bar,
// tool column, stage (panes and run panel), strip, dock, dock handle, status bar.
type frame struct {
	dockWidth float32
	dockOpen  bool
	stripOpen bool
}

func (f *frame) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(960, 560) }

func (f *frame) Layout(os []fyne.CanvasObject, z fyne.Size) {
	place := func(o fyne.CanvasObject, x, y, w, h float32) {
		o.Move(fyne.NewPos(x, y))
		o.Resize(fyne.NewSize(w, h))
	}
	top, options, tools, stage, strip, dock, handle, status := os[0], os[1], os[2], os[3], os[4], os[5], os[6], os[7]
	place(top, 0, 0, z.Width, topHeight)
	place(options, 0, topHeight, z.Width, optionsHeight)
	place(status, 0, z.Height-statusHeight, z.Width, statusHeight)
	y := topHeight + optionsHeight
	h := z.Height - y - statusHeight
	dw := float32(0)
	if f.dockOpen {
		dw = min(max(f.dockWidth, dockLeast), min(dockMost, z.Width*0.45))
		dock.Show()
		handle.Show()
		place(dock, z.Width-dw, y, dw, h)
		place(handle, z.Width-dw-3, y, 6, h)
	} else {
		dock.Hide()
		handle.Hide()
	}
	sh := float32(0)
	if f.stripOpen {
		sh = stripHeight
		strip.Show()
		place(strip, 0, y+h-sh, z.Width-dw, sh)
	} else {
		strip.Hide()
	}
	place(tools, 0, y, toolsWidth, h-sh)
	place(stage, toolsWidth, y, z.Width-dw-toolsWidth, h-sh)
}

// column places objects below each other at a fixed width, with a gap; a nil-size
// spacer opens a larger one.
type column struct{ pad, gap float32 }

func (c column) MinSize(os []fyne.CanvasObject) fyne.Size {
	h := 2 * c.pad
	for _, o := range os {
		h += o.MinSize().Height + c.gap
	}
	return fyne.NewSize(toolsWidth, h)
}

func (c column) Layout(os []fyne.CanvasObject, z fyne.Size) {
	y := c.pad
	gap := c.gap
	need := c.MinSize(os).Height
	if need > z.Height && len(os) > 1 {
		gap -= (need - z.Height) / float32(len(os)-1)
	}
	for _, o := range os {
		m := o.MinSize()
		o.Resize(m)
		o.Move(fyne.NewPos((z.Width-m.Width)/2, y))
		y += m.Height + gap
	}
}

// row is a bar's content: objects in a line.
func row(gap, pad float32, os ...fyne.CanvasObject) *fyne.Container {
	return container.New(control.Row{Gap: gap, Pad: pad}, os...)
}

func soft(text string) *control.Caption {
	return control.NewCaption(text, look.TextSoft, look.TextBody, false)
}

func small(text string) *control.Caption {
	return control.NewCaption(text, look.TextSoft, look.TextCaption, false)
}
