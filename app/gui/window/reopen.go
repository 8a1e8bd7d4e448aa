package window

import (
	"latentbrush/app/document"
)

// A run that was accepted stays open to another choice: its curve is shown while nothing runs, and dragging along it
// shows the picture with another of its steps, which can be taken, or gone on from.

// lastChoice is the accepted run that the panel shows: the selected edit's, or the last one.
func (w *Window) lastChoice() (document.Choice, bool) {
	if w.doc == nil {
		return document.Choice{}, false
	}
	choices := w.doc.Scene().Choices
	for _, c := range choices {
		if c.Edit != 0 && c.Edit == w.selected {
			return c, true
		}
	}
	if len(choices) == 0 {
		return document.Choice{}, false
	}
	return choices[len(choices)-1], true
}

// showLastRun shows the curve of the run that can be opened again, while nothing else is shown.
func (w *Window) showLastRun() {
	if w.job != nil {
		return
	}
	c, ok := w.lastChoice()
	if !ok {
		if len(w.run.chart.Loss) > 0 {
			w.clearRun()
		}
		return
	}
	w.showCurve(c.Run, c.Step, len(c.Run.Steps))
	s := c.Run.Steps[c.Step]
	w.run.setMeters(s.Agreement, s.Leak)
	w.run.setStep(s.Index, c.Run.Steps[len(c.Run.Steps)-1].Index, 0)
	w.run.object.Refresh()
}

// reopenRun opens an accepted run again.
func (w *Window) reopenRun() {
	if c, ok := w.lastChoice(); ok && w.job == nil {
		w.reopen(c)
	}
}

func (w *Window) reopen(c document.Choice) {
	w.job = &job{phase: done, run: c.Run, at: c.Step, origin: c.Run.Start, last: c.Run.Steps[c.Step].Code, chosen: true}
	w.run.set(done)
	w.run.reopened()
	w.showRun(0)
	w.trace("reopened %s", c.Run.Name)
}

// choose takes the shown step of a run that was open again.
func (w *Window) choose() {
	j := w.job
	i := min(j.at, len(j.run.Steps)-1)
	w.job = nil
	w.clearRun()
	if err := w.doc.Choose(j.run, i, nil); err != nil {
		w.fail(err)
	}
	w.wantCode(w.doc.Code())
	w.journal()
	w.showEdits()
	w.showLastRun()
	w.trace("chosen %d", j.run.Steps[i].Index)
}
