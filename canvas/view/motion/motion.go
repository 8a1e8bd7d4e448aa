// Package motion gives a stage every motion of the pointer.
//
// The toolkit handles the pointer's position once a frame: of what a mouse
// reports in between, only the last is passed on, so that a quick curve would be
// painted as a chain of straight lines. This package listens at the window
// system and hands all positions to [view.Stage.Motion], and tells when the
// pointer leaves the window, which the toolkit does not. A stage works without
// it, with coarser strokes.
//
// It is apart from package view because it needs the graphics driver, and so C.
package motion

import (
	"errors"

	"fyne.io/fyne/v2"
	"github.com/go-gl/glfw/v3.4/glfw"

	"latentbrush/canvas/view"
)

// ErrNoWindow says that the window is not one of the system: a test window, or
// one that is not shown yet.
var ErrNoWindow = errors.New("motion: not a window of the system; its strokes follow the pointer once a frame")

// Attach gives the pointer's motions in a shown window to the stage that stage
// returns at that moment, or to none for nil. It must be called on the
// toolkit's goroutine. detach ends it.
func Attach(w fyne.Window, stage func() *view.Stage) (detach func(), err error) {
	native, ok := w.(interface{ RunWithContext(func()) })
	if !ok {
		return nil, ErrNoWindow
	}
	var window *glfw.Window
	native.RunWithContext(func() { window = glfw.GetCurrentContext() })
	if window == nil {
		return nil, ErrNoWindow
	}
	var before glfw.CursorPosCallback
	on := true
	before = window.SetCursorPosCallback(func(win *glfw.Window, x, y float64) {
		if s := stage(); on && s != nil {
			// The toolkit cuts fractions off, too, so that its own report
			// of the last position is no further motion.
			k := w.Canvas().Scale()
			s.Motion(fyne.NewPos(float32(int(x))/k, float32(int(y))/k))
		}
		if before != nil {
			before(win, x, y)
		}
	})
	var entered glfw.CursorEnterCallback
	entered = window.SetCursorEnterCallback(func(win *glfw.Window, in bool) {
		if s := stage(); on && s != nil && !in {
			s.PointerLeft()
		}
		if entered != nil {
			entered(win, in)
		}
	})
	return func() { on = false }, nil
}
