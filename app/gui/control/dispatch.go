package control

import (
	"sync/atomic"

	"fyne.io/fyne/v2"
)

// Dispatcher brings work to the goroutine that owns the widgets.
type Dispatcher struct {
	Do   func(func()) // later, in order
	Wait func(func()) // and waits until it is done
}

// dispatcher is read from every goroutine; nil is the toolkit's own.
var dispatcher atomic.Pointer[Dispatcher]

func current() Dispatcher {
	if d := dispatcher.Load(); d != nil {
		return *d
	}
	return Dispatcher{fyne.Do, fyne.DoAndWait}
}

// SetDispatcher replaces the toolkit's own, whose test driver runs work on whatever
// goroutine asks for it; the zero Dispatcher puts it back.
func SetDispatcher(d Dispatcher) {
	if d.Do == nil {
		dispatcher.Store(nil)
		return
	}
	dispatcher.Store(&d)
}

// Do has f run on the goroutine that owns the widgets.
func Do(f func()) { current().Do(f) }

// DoAndWait is Do, and returns when f has. It must not be called on that goroutine.
func DoAndWait(f func()) { current().Wait(f) }
