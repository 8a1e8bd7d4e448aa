package canvas

import "errors"

// The default limits of a History: no step is dropped while there are fewer
// than MinSteps or fewer than MaxHistoryBytes in use.
const (
	MaxHistorySteps = 1000
	MaxHistoryBytes = 256 << 20
)

// ErrNoStep says that there is nothing to undo or redo.
var ErrNoStep = errors.New("canvas: no further step")

// History is a stack of Changes of one canvas. A document that has other
// commands too keeps the Changes in its own stack instead.
type History struct {
	// MaxSteps and MaxBytes bound what is kept; the oldest steps go first,
	// the last one never.
	MaxSteps, MaxBytes int

	steps []*Change
	at    int // steps[:at] are done
	bytes int
}

// NewHistory returns an empty stack with the default limits.
func NewHistory() *History {
	return &History{MaxSteps: MaxHistorySteps, MaxBytes: MaxHistoryBytes}
}

// Push adds a change that was just done and forgets what could be redone. Nil
// is ignored.
func (h *History) Push(ch *Change) {
	if ch == nil {
		return
	}
	for _, old := range h.steps[h.at:] {
		h.bytes -= old.Size()
	}
	clear(h.steps[h.at:])
	h.steps = append(h.steps[:h.at], ch)
	h.bytes += ch.Size()
	drop := 0
	for len(h.steps)-drop > 1 && (len(h.steps)-drop > h.MaxSteps || h.bytes > h.MaxBytes) {
		h.bytes -= h.steps[drop].Size()
		drop++
	}
	if drop > 0 {
		n := copy(h.steps, h.steps[drop:])
		clear(h.steps[n:])
		h.steps = h.steps[:n]
	}
	h.at = len(h.steps)
}

// Undo reverts the last step and returns it, or ErrNoStep.
func (h *History) Undo(c *Canvas) (*Change, error) {
	if h.at == 0 {
		return nil, ErrNoStep
	}
	ch := h.steps[h.at-1]
	if err := ch.Revert(c); err != nil {
		return nil, err
	}
	h.at--
	return ch, nil
}

// Redo does the last undone step again and returns it, or ErrNoStep.
func (h *History) Redo(c *Canvas) (*Change, error) {
	if h.at == len(h.steps) {
		return nil, ErrNoStep
	}
	ch := h.steps[h.at]
	if err := ch.Apply(c); err != nil {
		return nil, err
	}
	h.at++
	return ch, nil
}

// Len returns how many steps can be undone and redone.
func (h *History) Len() (undo, redo int) { return h.at, len(h.steps) - h.at }

// Bytes returns the memory that the steps hold.
func (h *History) Bytes() int { return h.bytes }

// Names returns the names of all steps, oldest first, and how many are done.
func (h *History) Names() (names []string, done int) {
	for _, ch := range h.steps {
		names = append(names, ch.name)
	}
	return names, h.at
}
