package window

import (
	"image"

	"fyne.io/fyne/v2"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/canvas/photo"
	"latentbrush/engine/latent"
)

// Calibrate measures a vector in idle time.
func (w *Window) Calibrate(id string) { w.calibrate(id) }

// RefreshLibrary shows what is in the library now.
func (w *Window) RefreshLibrary() { w.showLibrary() }

// Touch is what any input does.
func (w *Window) Touch() { w.touch() }

// AboutVector opens the sheet of a vector.
func (w *Window) AboutVector(id string) { w.aboutVector(id) }

// ResolveConflict is a click on the warning of a row.
func (w *Window) ResolveConflict(id document.EditID) { w.resolveConflict(strconvID(id)) }

// PickVectors picks vectors of the library.
func (w *Window) PickVectors(ids ...string) { w.library.Pick(ids...) }

// RateVectors gives the picked vectors stars.
func (w *Window) RateVectors(n int) { w.rateVectors(n) }

// BrokenCells is the number of the library's cells that are shown as broken.
func (w *Window) BrokenCells() (n int) {
	for _, t := range w.library.Items() {
		if t.Broken {
			n++
		}
	}
	return n
}

// AlgebraShown reports whether the open algebra dialog shows its result.
func (w *Window) AlgebraShown() bool {
	return w.shelf.opened.algebra != nil && w.shelf.opened.algebra.strip[0].Picture() != nil
}

// ExampleCount is the number of pictures in the dialog of examples.
func (w *Window) ExampleCount() int { return len(w.shelf.opened.examples.frames) }

// MarkExamples marks by a statistic.
func (w *Window) MarkExamples(text string) { w.shelf.opened.examples.markBy(text) }

// ExampleLearnt reports whether a direction was learnt.
func (w *Window) ExampleLearnt() bool { return w.shelf.opened.examples.result != nil }

// NameExample names and keeps it.
func (w *Window) NameExample(s string) {
	w.shelf.opened.examples.name.SetText(s)
	w.shelf.opened.examples.accept()
}

// OpenPart takes the other picture of the dialog of parts from a file.
func (w *Window) OpenPart(path string) { w.shelf.opened.part.open(path) }

// PartReference is the other picture's code and name.
func (w *Window) PartReference() (latent.Code, string) {
	return w.shelf.opened.part.reference, w.shelf.opened.part.name
}

// Messages is the layer of messages.
func (w *Window) Messages() fyne.CanvasObject { return w.toasts.Object() }

// ShowTrash opens the list of deleted vectors.
func (w *Window) ShowTrash() *control.Finder { return w.listTrash() }

// KeepEdit keeps an edit of the stack as a vector with a name.
func (w *Window) KeepEdit(id document.EditID, name string) { w.keepAs(id, name, nil) }

// CropBox is the box of the open crop dialog, or nil.
func (w *Window) CropBox() *control.CropBox {
	if w.shelf.opened.crop == nil || w.shelf.opened.crop.ctx.Err() != nil {
		return nil
	}
	return w.shelf.opened.crop.box
}

// CropAt is an upright box.
func CropAt(x, y, width float64) photo.Crop { return photo.Crop{X: x, Y: y, Width: width} }

// PhotoKnown reports whether the photo's fit is known.
func (w *Window) PhotoKnown() bool { return w.photos.known && w.hasPhoto() }

// PhotoPictures are the photo in its box and the model's picture of it.
func (w *Window) PhotoPictures() (cut, drawn *image.RGBA) { return w.photos.cut, w.photos.drawn }

// ShownPicture is the picture in the panes.
func (w *Window) ShownPicture() *image.RGBA { return w.shown }

// PasteReady reports whether the dialog for pasting shows its result.
func (w *Window) PasteReady() bool {
	return w.shelf.opened.paste != nil && w.shelf.opened.paste.Picture() != nil
}
