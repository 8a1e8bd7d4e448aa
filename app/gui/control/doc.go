// Package control holds the window's own widgets: buttons, sliders, docks, class
// rows, thumbnail grids, the loss chart, tips, toasts and sheets.
//
// Two rules hold for all of them. A control never takes the keyboard because it
// was clicked: letters belong to the canvas, and only text entries ask for focus.
// And every control that can be used has an accessible name, given as text from
// the catalogue by whoever makes it.
//
// A control shows what it was told and reports what the user did; it holds no
// state of the document. All of them belong to the window's goroutine.
package control
