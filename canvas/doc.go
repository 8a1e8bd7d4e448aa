// Package canvas is painting on label maps.
//
// A picture of W×H pixels has, beside its colours, a label map: one class id
// per pixel, held in an [image.Paletted] whose palette is the class palette.
// The model says one label map (the base labels); the artist paints another
// (the painted labels). What differs, plus what the artist marks as free and
// minus what is marked as keep, is the region of interest of an edit.
//
// # The parts
//
// A [Canvas] owns the pixels: base labels, painted labels and one byte of
// [Mark] bits per pixel. It is changed only through an [Edit], an open
// transaction that respects [Protection] and [Symmetry]. Committing an Edit
// gives a [Change]: a named, compact difference that can be applied and
// reverted in any stack that keeps the order. [History] is such a stack;
// a document with other kinds of commands embeds Changes in its own.
//
// A [Painter] drives one [Tool] with pointer events in picture coordinates,
// where pixel (i, j) covers the square from (i, j) to (i+1, j+1). A new tool is
// one file with one small interface.
//
// A [Compositor] blends picture, labels, contours and hatching into opaque
// pixels, and [Tiles] keeps those pixels in tiles that are redrawn only where
// something changed. A [Viewport] maps picture coordinates to a pane.
//
// # Rules
//
// Every change of pixels is announced as a dirty rectangle to the functions
// given to [Canvas.Subscribe]; nothing scans the whole picture for a small
// change. Rectangles are half open. A Canvas and everything that hangs on it
// belongs to one goroutine.
package canvas
