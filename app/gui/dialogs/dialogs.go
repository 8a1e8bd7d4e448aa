// Package dialogs asks for files. A Picker is whoever can do that: the system's
// dialogs (package system), the window's own, or a test's list of answers.
//
// A request is answered later, on a goroutine of the picker's choice, exactly
// once. The window covers itself with a veil while it waits, so that there is
// never more than one request; a picker that gets a second one answers ErrBusy.
package dialogs

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
)

var (
	// ErrCancelled says that the user chose nothing.
	ErrCancelled = errors.New("dialogs: cancelled")
	// ErrBusy says that another dialog is open.
	ErrBusy = errors.New("dialogs: another dialog is open")
	// ErrNone says that there are no such dialogs on this machine.
	ErrNone = errors.New("dialogs: no system dialogs here")
)

// Kind is what is asked for.
type Kind int

// The kinds.
const (
	Open Kind = iota
	Save
	Folder
)

// Filter is a group of file endings, without dots.
type Filter struct {
	Name string
	Exts []string
}

// Request is one question.
type Request struct {
	Kind    Kind
	Title   string
	Name    string // proposed file name, for Save
	Dir     string // where to start
	Filters []Filter
}

// Complete gives a path to save to the first filter's first ending when it has
// none of the request's endings.
func (r Request) Complete(path string) string {
	if r.Kind != Save || path == "" || len(r.Filters) == 0 || len(r.Filters[0].Exts) == 0 {
		return path
	}
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	for _, f := range r.Filters {
		for _, e := range f.Exts {
			if ext == strings.ToLower(e) {
				return path
			}
		}
	}
	return path + "." + r.Filters[0].Exts[0]
}

// Picker asks for a file and calls done once, on any goroutine, with its path or
// one of the errors above.
type Picker interface {
	Ask(r Request, done func(path string, err error))
}

// Script is a Picker for tests: it answers with its paths in turn, and with
// ErrCancelled when none is left.
type Script struct {
	mu    sync.Mutex
	Paths []string
	Asked []Request
}

// Ask answers from another goroutine.
func (s *Script) Ask(r Request, done func(string, error)) {
	s.mu.Lock()
	s.Asked = append(s.Asked, r)
	path, err := "", ErrCancelled
	if len(s.Paths) > 0 {
		path, err, s.Paths = s.Paths[0], nil, s.Paths[1:]
	}
	s.mu.Unlock()
	go done(path, err)
}
