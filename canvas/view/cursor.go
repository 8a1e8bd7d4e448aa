package view

import (
	"image"

	"fyne.io/fyne/v2/driver/desktop"
)

// noCursor is a cursor without a visible pixel.
//
// The toolkit's own hidden cursor must not be used: going to it and back changes
// the window system's cursor mode, and under X11 that ends the grab that a held
// button has on the pointer. A stroke that left the window would get neither the
// motions outside nor the release.
var noCursor desktop.Cursor = &clearCursor{image.NewNRGBA(image.Rect(0, 0, 16, 16))}

// clearCursor is kept as a pointer: the toolkit compares cursors to see whether
// one changed.
type clearCursor struct{ pix *image.NRGBA }

var _ desktop.Cursor = (*clearCursor)(nil)

// Image returns the picture of the cursor and its hot spot.
func (c *clearCursor) Image() (image.Image, int, int) { return c.pix, 8, 8 }
