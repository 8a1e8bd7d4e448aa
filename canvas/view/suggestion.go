package view

import (
	"image"

	"latentbrush/canvas"
)

// suggestion is the area that the model nearly gave to another class, about the
// pixel under the pointer.
type suggestion struct {
	on    bool
	guess *canvas.Guess
	part  *canvas.Part // nil for none
	class uint8
	paths []canvas.Path
	seen  image.Point // the pixel that was looked at
	known bool        // whether one was
}

// SetGuess gives what the model holds likely besides its labels, or nil. Nothing
// is suggested without it.
func (s *Stage) SetGuess(g *canvas.Guess) {
	s.suggest.guess = g
	s.dropSuggestion()
	s.lookForSuggestion()
}

// Suggesting reports whether suggestions are shown.
func (s *Stage) Suggesting() bool { return s.suggest.on }

// SetSuggesting has the area outlined that the model nearly gave to another class,
// wherever the pointer is; [Stage.AcceptSuggestion] paints it.
func (s *Stage) SetSuggesting(on bool) {
	s.suggest.on = on
	s.dropSuggestion()
	s.lookForSuggestion()
}

// Suggestion returns the class suggested under the pointer; false if there is none.
func (s *Stage) Suggestion() (class uint8, ok bool) {
	return s.suggest.class, s.suggest.part != nil
}

// AcceptSuggestion paints the area outlined with the class suggested, under the
// given name, and returns the change, or nil if nothing was suggested. The caller
// hands it on ([canvas.Painter.Deliver]).
func (s *Stage) AcceptSuggestion(name string) *canvas.Change {
	part, class := s.suggest.part, s.suggest.class
	if part == nil {
		return nil
	}
	s.dropSuggestion()
	ch, err := s.painter.Canvas().MarkPart(name, part, canvas.Ink{Class: class})
	if err != nil {
		return nil // a stroke is in progress
	}
	return ch
}

// dropSuggestion takes the outline away; the pixels or the guess changed.
func (s *Stage) dropSuggestion() {
	s.suggest.known = false
	if s.suggest.part != nil {
		s.suggest.part, s.suggest.paths = nil, nil
		s.showSuggestion()
	}
}

// lookForSuggestion looks at the pixel under the pointer.
func (s *Stage) lookForSuggestion() {
	g := &s.suggest
	if !g.on || g.guess == nil || s.pointer == nil || s.painter.Busy() {
		if g.part != nil {
			s.dropSuggestion()
		}
		return
	}
	x, y := pixelOf(s.at)
	if at := image.Pt(x, y); !g.known || at != g.seen {
		g.seen, g.known = at, true
		if g.part != nil && g.part.Contains(x, y) {
			return
		}
		had := g.part != nil
		g.part, g.paths = nil, nil
		part, class, err := s.painter.Canvas().Suggest(g.guess, x, y)
		if err == nil && part != nil {
			g.part, g.class, g.paths = part, class, part.Outline()
		}
		if had || g.part != nil {
			s.showSuggestion()
		}
	}
}

func (s *Stage) showSuggestion() {
	for _, p := range s.panes {
		p.updateVectors()
	}
}
