package window

import "latentbrush/app/document"

// Document is the open document.
func (w *Window) Document() *document.Document { return w.doc }

// StripFilled is the number of samples in the strip that have their picture.
func (w *Window) StripFilled() int { return len(w.sampleThumb) }
