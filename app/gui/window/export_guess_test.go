package window

import "image"

// Readout is what the heading of the mask says of the pixel under the pointer.
func (w *Window) Readout() string { return w.panes.mask.note.Text }

// Leak is how much each pixel of the picture changed outside of the region.
func (w *Window) Leak() *image.Gray { return w.leak() }

// GuessShown reports whether the model's confidence is shown.
func (w *Window) GuessShown() bool { return !w.sights.of.Empty() }
