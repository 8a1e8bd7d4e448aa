package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// inSight is the content of a scroller of which only the cells in sight exist: it is as large as all of them together, and
// its owner says which it shows.
type inSight struct {
	widget.BaseWidget
	size  func() fyne.Size // of all cells together
	fill  func()           // puts the cells in sight into shown
	shown []fyne.CanvasObject
}

func newInSight(size func() fyne.Size, fill func()) *inSight {
	s := &inSight{size: size, fill: fill}
	s.ExtendBaseWidget(s)
	return s
}

// MinSize is what the scroller scrolls.
func (s *inSight) MinSize() fyne.Size {
	s.ExtendBaseWidget(s)
	return s.size()
}

// CreateRenderer draws the cells in sight.
func (s *inSight) CreateRenderer() fyne.WidgetRenderer { return inSightRenderer{s} }

type inSightRenderer struct{ s *inSight }

func (r inSightRenderer) Destroy()                     {}
func (r inSightRenderer) Layout(fyne.Size)             { r.s.fill() }
func (r inSightRenderer) MinSize() fyne.Size           { return r.s.size() }
func (r inSightRenderer) Objects() []fyne.CanvasObject { return r.s.shown }
func (r inSightRenderer) Refresh()                     {}
