package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"fyne.io/fyne/v2"

	"latentbrush/app/document"
	"latentbrush/app/document/perform"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
)

// liveDelay is how long after a stroke live mode begins to optimise.
const liveDelay = 350 * time.Millisecond

// job is an optimisation, running, paused, or over and not yet taken or thrown
// away.
type job struct {
	phase   phase
	cancel  context.CancelFunc
	seq     int
	run     *document.Run
	origin  latent.Code // where it began
	last    latent.Code // where it is
	before  int         // steps made before it was resumed
	total   int
	started time.Time
	at      int // step shown, as index into run.Steps
	own     bool
	classes []uint8
	refine  document.EditID // 0 for an edit
	labels  *image.Paletted
	take    func() // takes the result of a job that is no edit

	// For scripts: where the part that is running began, and what it was asked for.
	node    document.NodeID
	from    int // number of the step that it went on from, −1 for the present code
	made    int // steps of this part
	noted   bool
	options document.RunOptions
	chosen  bool // a run that was accepted before and is open again
}

// strokeDone begins live mode's timer, and marks a finished run as one that can be
// resumed with the new paint.
func (w *Window) strokeDone() {
	switch {
	case w.job != nil && w.job.chosen: // who paints on an older step has taken it
		w.choose()
	case w.job != nil && w.job.phase == done && w.job.refine == 0:
		w.job.phase = paused
		w.run.set(paused)
	}
	if !w.live {
		return
	}
	w.liveSeq++
	seq := w.liveSeq
	time.AfterFunc(liveDelay, func() {
		w.later(func() {
			if seq != w.liveSeq || !w.live || w.painter == nil || w.painter.Busy() {
				return
			}
			if w.job != nil && w.job.phase == running {
				w.pauseJob()
			}
			w.startEdit()
		})
	})
}

// startEdit begins an optimisation, or goes on with a paused one.
func (w *Window) startEdit() {
	if w.eng == nil || w.doc == nil || !w.doc.HasPicture() {
		w.say(words.T("no-picture"))
		return
	}
	if w.job != nil && w.job.phase == running {
		return
	}
	w.painter.Handle(confirmEvent)
	if w.job != nil && w.job.chosen {
		w.choose()
	}
	task, err := w.doc.Task()
	if err != nil {
		w.fail(err)
		return
	}
	if !anySet(task.Touched) && !anySet(task.Free) {
		w.toasts.Show(words.T("run.nothing"), look.Warn, "", nil)
		return
	}
	w.journal()
	j := w.job
	if j == nil || j.phase == done || j.refine != 0 {
		j = &job{
			origin: task.Code, last: task.Code,
			run: &document.Run{Key: w.doc.NewRunKey(), Name: w.runName(task), Start: task.Code},
		}
	}
	j.classes = document.ChangedClasses(task.Base, task.Painted)
	j.options = w.runOptions(task.Settings)
	req := perform.EditRequest(j.last, j.origin, task, j.options)
	w.noteAsked(task.Base, req, len(j.run.Steps) > 0)
	eng := w.eng
	w.launch(j, func(ctx context.Context) jobSteps { return eng.Edit(ctx, req) })
}

// runOptions are the settings of an optimisation: the document's where it has its own, the user's otherwise.
func (w *Window) runOptions(of document.Settings) document.RunOptions {
	o := w.settings.Run.options()
	o.WholeClasses, o.Dilation = of.WholeClasses, of.Dilation
	if of.Steps > 0 {
		o.Steps = of.Steps
	}
	if of.Search != "" {
		o.Search = of.Search
	}
	return o
}

// noteJob keeps what a part of an optimisation was, once it is over, so that the session can be written as a script.
func (w *Window) noteJob(j *job) {
	if j == nil || j.noted || j.run.Key == "" || j.refine != 0 || j.take != nil || j.chosen || j.made == 0 || w.doc == nil {
		return
	}
	j.noted = true
	w.doc.Note(j.node, document.RunLine(j.run.Key, j.from, j.before, j.made, j.options))
}

type jobSteps = func(yield func(engine.Step, error) bool)

// launch runs a job's steps on a goroutine and shows them.
func (w *Window) launch(j *job, steps func(context.Context) jobSteps) {
	ctx, cancel := context.WithCancel(w.ctx)
	j.cancel, j.phase, j.started = cancel, running, time.Now()
	j.seq++
	seq := j.seq
	j.before, j.from, j.made, j.noted = 0, -1, 0, false
	if n := len(j.run.Steps); n > 0 {
		j.before = j.run.Steps[n-1].Index + 1
		j.from = j.run.Steps[n-1].Index
		for _, s := range j.run.Steps {
			if sameCode(s.Code, j.last) {
				j.from = s.Index
			}
		}
	}
	if w.doc != nil {
		j.node = w.doc.Current()
	}
	w.job = j
	w.stripSeq++
	w.run.set(running)
	w.run.name(j.take != nil)
	w.run.setMeters(-1, -1)
	w.setJobNote(words.T("status.starting"))
	go func() {
		defer cancel()
		var jobErr error
		func() {
			defer func() {
				if v := recover(); v != nil {
					jobErr = fmt.Errorf("the optimisation stopped: %v", v)
				}
			}()
			for s, err := range steps(ctx) {
				if err != nil {
					jobErr = err
					return
				}
				w.later(func() {
					if w.job == j && j.seq == seq && j.phase == running {
						w.stepped(j, s)
					}
				})
			}
		}()
		w.later(func() {
			if w.job != j || j.seq != seq {
				return
			}
			w.finished(j, jobErr)
		})
	}()
}

// stepped shows one step.
func (w *Window) stepped(j *job, s engine.Step) {
	j.last, j.total = s.Code, s.Total
	if s.Final {
		j.run.Reason = string(s.Reason)
		for i, st := range j.run.Steps {
			if st.Index == j.before+s.Best && i >= 0 {
				j.run.Best = i
			}
		}
	} else {
		j.made++
		j.run.Add(perform.RunStep(s, j.before))
		j.at = len(j.run.Steps) - 1
	}
	if s.Labels != nil {
		j.labels = s.Labels
	}
	if s.Picture != nil {
		w.showPicture(s.Picture)
	}
	w.showRun(s.Remaining)
	w.setJobNote(words.T("status.step", j.before+s.Index, j.before+s.Total, perStep(s)))
}

func perStep(s engine.Step) string {
	if s.Index < 1 {
		return "–"
	}
	return fmt.Sprintf("%.0f", float64(s.Elapsed.Milliseconds())/float64(s.Index))
}

// showRun shows the job's curves and meters.
func (w *Window) showRun(left time.Duration) {
	j := w.job
	if j == nil || len(j.run.Steps) == 0 {
		return
	}
	n := len(j.run.Steps)
	total := n
	if j.phase == running && j.total > 0 {
		total = max(n, j.before+j.total)
	}
	w.showCurve(j.run, j.at, total)
	s := j.run.Steps[min(j.at, n-1)]
	w.run.setMeters(s.Agreement, s.Leak)
	w.run.setStep(s.Index, max(s.Index, j.before+j.total), left)
	w.run.object.Refresh()
}

// showCurve draws a run's curves with a mark at one of its steps.
func (w *Window) showCurve(r *document.Run, at, total int) {
	c := w.run.chart
	c.Loss, c.Match = make([]float64, len(r.Steps)), make([]float64, len(r.Steps))
	for i, s := range r.Steps {
		c.Loss[i], c.Match[i] = s.Loss, s.Agreement
	}
	c.At, c.Total = at, total
	c.Refresh()
}

// finished ends a job: its best step is shown and waits to be taken.
func (w *Window) finished(j *job, err error) {
	w.setJobNote("")
	w.noteJob(j)
	if err != nil && !errors.Is(err, context.Canceled) {
		w.endJob()
		w.fail(err)
		return
	}
	if len(j.run.Steps) == 0 {
		w.endJob()
		return
	}
	if j.phase == paused {
		return
	}
	if j.take != nil {
		w.job = nil
		w.clearRun()
		j.take()
		return
	}
	if j.refine != 0 {
		w.takeRefined(j)
		return
	}
	j.phase = done
	j.at = j.run.Best
	w.run.set(done)
	w.showRun(0)
	w.wantCode(j.run.Steps[j.at].Code)
	s := j.run.Steps[j.at]
	w.trace("run done %d %.3f %.2f", s.Index, s.Agreement, s.Leak)
	w.setJobNote(words.T("status.done", s.Index, fmt.Sprintf("%.0f %%", s.Agreement*100)))
}

// pauseJob holds the optimisation where it is, so that the artist may repaint.
func (w *Window) pauseJob() {
	j := w.job
	if j == nil || j.phase != running || j.refine != 0 || j.take != nil {
		return
	}
	j.phase = paused
	j.cancel()
	j.seq++
	w.noteJob(j)
	w.run.set(paused)
	w.setJobNote(words.T("status.paused"))
	w.showRun(0)
}

// endJob throws a job away and shows the document's own picture again.
func (w *Window) endJob() {
	j := w.job
	if j == nil {
		return
	}
	w.job = nil
	w.noteJob(j)
	w.liveSeq++
	if j.cancel != nil {
		j.cancel()
	}
	w.clearRun()
	if w.doc != nil && w.doc.HasPicture() {
		w.wantCode(w.doc.Code())
		w.showLastRun()
	}
}

// clearRun empties the run panel.
func (w *Window) clearRun() {
	w.run.name(false)
	w.run.set(idle)
	w.run.setMeters(-1, -1)
	w.run.setStep(0, 0, 0)
	w.run.chart.Loss, w.run.chart.Match, w.run.chart.At = nil, nil, -1
	w.run.chart.Refresh()
	w.setJobNote("")
}

// scrub shows another step of a run that is over or paused.
func (w *Window) scrub(i int) {
	if w.job == nil {
		w.reopenRun()
	}
	j := w.job
	if j == nil || j.phase == running || i < 0 || i >= len(j.run.Steps) {
		return
	}
	j.at = i
	j.last = j.run.Steps[i].Code
	code := j.last
	if j.chosen {
		code = w.doc.CodeWith(j.run, i)
	}
	w.wantCode(code)
	w.showRun(0)
}

// accept takes the shown step of a finished run, as an edit of the stack or into
// the picture.
func (w *Window) accept(asEdit bool) {
	j := w.job
	if j == nil || j.phase == running || len(j.run.Steps) == 0 || j.refine != 0 {
		return
	}
	if j.chosen {
		w.choose()
		return
	}
	i := min(j.at, len(j.run.Steps)-1)
	code, eng := j.run.Steps[i].Code, w.eng
	go func() {
		f, err := eng.Render(w.ctx, code, engine.RenderOptions{})
		w.later(func() {
			if w.job != j {
				return
			}
			if err != nil {
				w.fail(err)
				return
			}
			labels := f.Labels
			if labels == nil {
				labels = w.doc.Canvas().LabelsCopy()
			}
			j.own = true
			var id document.EditID
			err := w.doc.As(document.AcceptLine(j.run.Key, j.run.Steps[i].Index, j.run.Name), func() (err error) {
				id, err = w.doc.Accept(j.run, i, labels, asEdit, j.classes)
				return err
			})
			if err != nil {
				j.own = false
				w.fail(err)
				return
			}
			w.job = nil
			w.clearRun()
			w.showPicture(f.Picture)
			if err := w.doc.SetThumb(f.Picture); err != nil {
				w.log(err.Error())
			}
			w.journal()
			if asEdit {
				w.selected = id
				w.dock.Open("edits")
				w.toasts.Show(words.T("run.accepted-edit", j.run.Name), look.Good, words.T("run.keep"), func() { w.keepVector() })
			}
			w.showEdits()
			w.showHistory()
			w.showLastRun()
			w.trace("accepted %t", asEdit)
			if asEdit {
				w.traceSlider(id)
			}
		})
	}()
}

// traceSlider notes where the slider of an edit is.
func (w *Window) traceSlider(id document.EditID) {
	w.traceAt("slider", func() (fyne.CanvasObject, fyne.Position, fyne.Size) {
		if s := w.edits.Slider(strconvID(id)); s != nil {
			return s, fyne.Position{}, s.Size()
		}
		return nil, fyne.Position{}, fyne.Size{}
	})
}

// refineEdit lets the engine correct what an applied vector did beside its aim.
func (w *Window) refineEdit(id string) {
	eid := editID(id)
	e, ok := w.doc.Scene().Edit(eid)
	if !ok || w.eng == nil {
		return
	}
	w.endJob()
	without, with, err := w.doc.RefineCodes(eid)
	if err != nil {
		w.fail(err)
		return
	}
	steps := w.doc.Scene().Settings.RefineSteps
	if steps <= 0 {
		steps = w.settings.Run.Refine
	}
	j := &job{origin: with, last: with, refine: eid, run: &document.Run{Name: e.Name, Start: with}, classes: e.Classes}
	j.options = w.settings.Run.refinement(steps)
	req := perform.RefineRequest(without, with, e.Classes, j.options)
	eng := w.eng
	w.launch(j, func(ctx context.Context) jobSteps { return eng.Refine(ctx, req) })
}

// takeRefined keeps the result of a refinement in the document.
func (w *Window) takeRefined(j *job) {
	best := j.run.Steps[min(j.run.Best, len(j.run.Steps)-1)]
	w.job = nil
	w.clearRun()
	err := w.doc.As(document.RefineLine(j.refine, j.options.Steps, best.Index, j.options), func() error {
		return w.doc.SetRefined(j.refine, best.Code, best.Index)
	})
	if err != nil {
		w.fail(err)
	}
	w.wantCode(w.doc.Code())
	w.showEdits()
	w.setJobNote(words.T("status.refined", j.run.Name))
}

// runName names a run after the class that gained most.
func (w *Window) runName(t document.Task) string {
	gain := map[uint8]int{}
	for i, p := range t.Painted.Pix {
		if p != t.Base.Pix[i] {
			gain[p]++
		}
	}
	best, most := -1, 0
	for c, n := range gain {
		if n > most || (n == most && int(c) < best) {
			best, most = int(c), n
		}
	}
	if best < 0 || best >= len(w.doc.Space().Classes) {
		return words.T("run.name")
	}
	return words.T("run.name-class", className(w.doc.Space().Classes[best].Name))
}

func anySet(m *image.Alpha) bool {
	if m == nil {
		return false
	}
	for _, v := range m.Pix {
		if v != 0 {
			return true
		}
	}
	return false
}

// stripValues are the strengths of the response strip's pictures.
var stripValues = []float64{-2, -1, 0, 1, 2}

// scheduleStrips fills the response strip of the selected row when nothing else is
// going on. Any input stops it.
func (w *Window) scheduleStrips() {
	w.stripSeq++
	seq := w.stripSeq
	if w.eng == nil || w.doc == nil || len(w.doc.Scene().Stack) == 0 {
		return
	}
	sc := w.doc.Scene()
	id := w.selected
	e, ok := sc.Edit(id)
	if !ok {
		e = sc.Stack[len(sc.Stack)-1]
		id = e.ID
	}
	if len(w.strips[id]) > 0 {
		return
	}
	base := sc.Code()
	if e.On {
		base = base.AddScaled(float32(-e.Strength), e.Delta)
	}
	eng := w.eng
	ctx, cancel := context.WithCancel(w.ctx)
	go func() {
		defer cancel()
		time.Sleep(400 * time.Millisecond)
		strip := make([]image.Image, len(stripValues))
		for i, v := range stripValues {
			if !w.waitIdle(func() bool { return seq == w.stripSeq }) {
				return
			}
			f, err := w.renderIdle(ctx, eng, base.AddScaled(float32(v), e.Delta), engine.RenderOptions{})
			if err != nil {
				return
			}
			strip[i] = thumb(f.Picture, 96)
		}
		w.later(func() {
			if seq == w.stripSeq {
				w.strips[id] = strip
				high := w.edits.MinSize().Height
				w.edits.SetStrip(strconvID(id), strip)
				if w.edits.MinSize().Height != high {
					w.dock.Refresh()
				}
			}
		})
	}()
}
