// Package system asks for files with the desktop's own dialogs.
//
// On Linux these are GTK's. GTK must be spoken to from one thread only, two of its
// dialogs at once end the process, and a call on the window's thread stops the
// window; so one goroutine, locked to its thread, asks for everything, one
// question at a time. Without a display GTK panics, which becomes an error here.
package system

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/sqweek/dialog"

	"latentbrush/app/gui/dialogs"
)

type job struct {
	request dialogs.Request
	done    func(string, error)
}

// Picker is a dialogs.Picker on the desktop's dialogs. The zero value is ready.
type Picker struct {
	once sync.Once
	jobs chan job
	busy sync.Mutex
}

var _ dialogs.Picker = (*Picker)(nil)

// Ask opens the dialog. While one is open it answers dialogs.ErrBusy.
func (p *Picker) Ask(r dialogs.Request, done func(string, error)) {
	p.once.Do(func() {
		p.jobs = make(chan job)
		go p.serve()
	})
	if !p.busy.TryLock() {
		go done("", dialogs.ErrBusy)
		return
	}
	go func() { p.jobs <- job{r, done} }()
}

func (p *Picker) serve() {
	runtime.LockOSThread()
	for j := range p.jobs {
		path, err := ask(j.request)
		p.busy.Unlock()
		j.done(path, err)
	}
}

func ask(r dialogs.Request) (path string, err error) {
	defer func() {
		if v := recover(); v != nil {
			path, err = "", fmt.Errorf("%w: %v", dialogs.ErrNone, v)
		}
	}()
	if r.Kind == dialogs.Folder {
		b := dialog.Directory().Title(r.Title)
		if r.Dir != "" {
			b = b.SetStartDir(r.Dir)
		}
		path, err = b.Browse()
	} else {
		b := dialog.File().Title(r.Title)
		if r.Dir != "" {
			b = b.SetStartDir(r.Dir)
		}
		for _, f := range r.Filters {
			b = b.Filter(f.Name, f.Exts...)
		}
		if r.Kind == dialogs.Save {
			if r.Name != "" {
				b = b.SetStartFile(r.Name)
			}
			path, err = b.Save()
		} else {
			path, err = b.Load()
		}
	}
	if errors.Is(err, dialog.ErrCancelled) {
		return "", dialogs.ErrCancelled
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", dialogs.ErrNone, err)
	}
	return r.Complete(path), nil
}
