package window

import (
	"image"
	"image/draw"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
)

// Dress shows the window in another variant and language.
func (w *Window) Dress(v look.Variant, lang string) {
	w.settings.Variant, w.settings.Language = v, lang
	w.appearanceChanged()
}

// Still reports whether everything that is made in idle time is there.
func (w *Window) Still() bool {
	return len(w.sampleThumb) >= stripCount && w.doc != nil && (len(w.strips) > 0 || len(w.doc.Scene().Stack) == 0) && !w.doc.LabelsStale() && w.SameAsDocument()
}

// Calm takes away what differs from run to run: times, memory, messages.
func (w *Window) Calm() {
	w.toasts.Hide()
	w.setJobNote("")
	w.lastMS = 12
	w.showDevice()
	w.showMemory(256)
	w.canvas().Unfocus()
}

// CaptureSheet draws an open sheet of the window.
func (w *Window) CaptureSheet(sheet *control.Sheet) image.Image {
	img := w.canvas().Capture()
	at, size := sheet.Place()
	s := w.canvas().Scale()
	r := image.Rect(int(at.X*s), int(at.Y*s), int((at.X+size.Width)*s), int((at.Y+size.Height)*s))
	out := image.NewRGBA(image.Rectangle{Max: r.Size()})
	draw.Draw(out, out.Rect, img, r.Min, draw.Src)
	return out
}
