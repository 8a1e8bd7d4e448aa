package window

import (
	"fyne.io/fyne/v2"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/canvas"
	"latentbrush/canvas/view"
	"latentbrush/vectors"
)

// Document is the open document.
func (w *Window) Document() *document.Document { return w.doc }

// StripFilled is the number of samples in the strip that have their picture.
func (w *Window) StripFilled() int { return len(w.sampleThumb) }

// PicturePane is the pane of the picture.
func (w *Window) PicturePane() *view.Pane { return w.picturePane }

// MaskPane is the pane of the labels.
func (w *Window) MaskPane() *view.Pane { return w.maskPane }

// Painter is the painter of the open document.
func (w *Window) Painter() *canvas.Painter { return w.painter }

// Phase of the run panel: "idle", "running", "paused" or "done".
func (w *Window) Phase() string { return []string{"idle", "running", "paused", "done"}[w.run.phase] }

// RunSteps is the number of steps of the job.
func (w *Window) RunSteps() int {
	if w.job == nil {
		return 0
	}
	return len(w.job.run.Steps)
}

// RowSlider is the slider of the n-th row of the edit stack.
func (w *Window) RowSlider(n int) *control.Strength {
	return w.edits.Slider(strconvID(w.doc.Scene().Stack[n].ID))
}

// AcceptEdit takes the finished run as an edit.
func (w *Window) AcceptEdit() { w.accept(true) }

// Scrub shows a step of the finished run.
func (w *Window) Scrub(i int) { w.scrub(i) }

// Library is the open library.
func (w *Window) Library() *vectors.Library { return w.lib }

// ApplyVector puts a vector of the library on the stack.
func (w *Window) ApplyVector(id string) { w.applyVector(id) }

// Shown is the picture in the panes, as a checksum.
func (w *Window) Shown() (sum uint64) {
	if w.shown == nil {
		return 0
	}
	for _, p := range w.shown.Pix {
		sum = sum*31 + uint64(p)
	}
	return sum
}

// SameAsDocument reports whether the panes show the document's present code.
func (w *Window) SameAsDocument() bool { return sameCode(w.wanted, w.doc.Code()) }

// Toast is the message shown now.
func (w *Window) Toast() string { return w.toasts.Text() }

// OpenPath opens a file as a drop does.
func (w *Window) OpenPath(p string) { w.openPath(p) }

// Export writes the picture.
func (w *Window) Export(p, kind string, facts bool) error { return w.export(p, kind, facts) }

// Root is the window's content.
func (w *Window) Root() fyne.CanvasObject { return w.win.Canvas().Content() }

// Bars are the rows that must fit into the window.
func (w *Window) Bars() map[string]fyne.CanvasObject {
	return map[string]fyne.CanvasObject{
		"top bar": w.top.object, "option bar": w.bar.object, "status bar": w.status.object, "run panel": w.run.object, "tools": w.tools.object,
	}
}

// Strips is the number of rows with a response strip.
func (w *Window) Strips() int { return len(w.strips) }

// Chord is what pressing a key does.
func (w *Window) Chord(chord string, key fyne.KeyName) {
	w.keys.fresh[key] = true
	w.keys.chord(chord, key)
}

// ToggleLive switches live mode.
func (w *Window) ToggleLive() { w.toggleLive() }

// PlayScript does a script again without asking about unsaved work.
func (w *Window) PlayScript(path string) { w.openScript(path) }

// Rebuild makes all widgets anew, as another language does.
func (w *Window) Rebuild() { w.rebuild() }

// Copied is the number of pixels of the copied part.
func (w *Window) Copied() int {
	if w.copied == nil {
		return 0
	}
	return w.copied.part.Area()
}

// Options are the parts of the option bar that belong to the tool in use.
func (w *Window) Options() (names []string) {
	for _, b := range w.bar.tool.objects() {
		if b.Visible() {
			names = append(names, b.(*control.Button).Name)
		}
	}
	return names
}

// Sentence is what the user reads of an error.
func Sentence(err error) string { return sentence(err) }
