package window

import (
	"image"

	"latentbrush/app/gui/words"
	"latentbrush/canvas"
	"latentbrush/engine"
	"latentbrush/engine/latent"
)

// sights is what the panes can show besides picture and mask: how sure the model is
// of its labels, what it would have said next, and where the last edit leaked.
type sights struct {
	of    latent.Code // whose guess is shown; empty for none
	seq   int         // counts the guesses asked for
	doubt bool        // hatch where the model is not sure
	hint  bool        // outline what it nearly said
	asked asked
}

// newSights forgets what belonged to another picture. What is switched on is so in
// new panes, too.
func (w *Window) newSights() {
	w.sights.asked = asked{}
	w.dropGuess()
	for _, p := range w.stage.Panes() {
		l := p.Look()
		l.Doubt, l.Heat = w.sights.doubt, w.leakOn && p == w.picturePane
		if l != p.Look() {
			p.SetLook(l)
		}
	}
	w.stage.SetSuggesting(w.sights.hint)
	w.showLeak()
}

// dropGuess takes the guess away.
func (w *Window) dropGuess() {
	w.sights.seq++
	if w.sights.of.Empty() || w.stage == nil {
		return
	}
	w.sights.of = latent.Code{}
	w.stage.SetGuess(nil)
	if err := w.stage.SetDoubt(nil); err != nil {
		w.log(err.Error())
	}
}

// askGuess has the model say how sure it is of the labels of the document's code, once
// nothing else is going on.
func (w *Window) askGuess() {
	code := w.doc.Code()
	if code.Empty() || w.eng == nil || sameCode(code, w.sights.of) {
		return
	}
	w.dropGuess()
	seq, doc, eng := w.sights.seq, w.doc, w.eng
	still := func() bool { return seq == w.sights.seq && doc == w.doc && eng == w.eng }
	go func() {
		if !w.waitIdle(still) {
			return
		}
		f, err := eng.Render(w.ctx, code, engine.RenderOptions{Confidence: true})
		if err != nil {
			return // whoever shows the picture says it
		}
		w.later(func() {
			if still() && w.stage != nil {
				w.showGuess(f)
			}
		})
	}()
}

// showGuess takes the model's confidence and second thoughts into the panes.
func (w *Window) showGuess(f engine.Frame) {
	size := w.doc.Canvas().Bounds()
	if f.Confidence == nil || f.Confidence.Rect != size || f.Second == nil || f.Second.Rect != size {
		return
	}
	doubt := image.NewGray(size)
	for i, v := range f.Confidence.Pix {
		doubt.Pix[i] = 255 - v
	}
	w.sights.of = f.Code
	if err := w.stage.SetDoubt(doubt); err != nil {
		w.log(err.Error())
	}
	w.stage.SetGuess(&canvas.Guess{Second: f.Second, Odds: f.Odds})
}

// toggleDoubt hatches both panes where the model is not sure of its labels.
func (w *Window) toggleDoubt() {
	w.sights.doubt = !w.sights.doubt
	for _, p := range w.stage.Panes() {
		l := p.Look()
		l.Doubt = w.sights.doubt
		p.SetLook(l)
	}
	if w.sights.doubt && w.sights.of.Empty() {
		w.say(words.T("guess.waiting"))
	}
}

// toggleSuggest outlines, under the pointer, what the model nearly gave to another
// class.
func (w *Window) toggleSuggest() {
	w.sights.hint = !w.sights.hint
	w.stage.SetSuggesting(w.sights.hint)
	if w.sights.hint {
		w.say(words.T("guess.hint"))
	}
}

// acceptSuggestion paints what is suggested.
func (w *Window) acceptSuggestion() {
	class, ok := w.stage.Suggestion()
	if !ok {
		return
	}
	if ch := w.stage.AcceptSuggestion("suggestion"); ch != nil {
		w.painted(ch)
		w.say(words.T("guess.taken", className(w.doc.Space().Classes[class].Name)))
	}
}
