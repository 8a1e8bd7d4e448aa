// Package view is the Fyne widget that shows a canvas and paints on it.
//
// A [Stage] is one picture on the screen: its painter, its viewport, and how it
// is shown. A [Pane] is a widget that shows the stage; panes of one stage are
// linked: they show the same place at the same zoom, painting works in each, and
// the pointer in one is marked at the same pixel in the others. [NewPair] puts
// two side by side, the picture and its labels.
//
// # How it is drawn
//
// A pane draws one opaque layer of tiles that package canvas has composited, and
// above it only vectors: the ring of the brush, outlines, the pixel grid. The
// toolkit uploads whole textures, so that a change redraws and uploads the
// tiles it touches and no others. Panning only moves the tiles.
//
// # Input
//
// The toolkit reports no pen pressure, tilt or eraser end; a pen is a mouse. The
// brush can get thinner with speed instead ([canvas.Brush] BySpeed).
//
// A pane takes the keyboard focus when the pointer enters it, unless a text
// field has it. It handles the keys that are held (Space pans, Alt picks) and,
// unless [Stage.OnKey] takes them, Enter, Backspace, Escape and the arrows.
// Every other key is left to OnKey; what a key does is decided where actions
// are.
//
// All methods belong to the toolkit's goroutine. The package needs neither a
// window nor a graphics driver, so that its tests run without either.
package view
