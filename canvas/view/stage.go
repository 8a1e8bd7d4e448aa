package view

import (
	"image"
	"time"

	"fyne.io/fyne/v2"

	"latentbrush/canvas"
)

// CompareMode is a way of showing the picture before and after.
type CompareMode uint8

const (
	// CompareOff shows the present picture.
	CompareOff CompareMode = iota
	// CompareSplit shows both in the first pane, left and right of a divider
	// that can be dragged.
	CompareSplit
	// CompareSideBySide shows the picture before in the first pane and the
	// present one in the second.
	CompareSideBySide
)

// Readout tells what is under the pointer.
type Readout struct {
	// Inside is false when the pointer is outside of the picture; X and Y
	// then are the place it would be at, and the rest is not set.
	Inside bool
	X, Y   int
	Class  uint8
	Mark   canvas.Mark
	// Confidence is the model's in the class, from 0 to 1, if Known: not where
	// another class was painted.
	Confidence float64
	Known      bool
}

// Stage is one picture on the screen, shared by the panes that show it.
type Stage struct {
	// OnReadout is called when what is under the pointer may have changed.
	// It gets false for ok when the pointer left the panes.
	OnReadout func(r Readout, ok bool)
	// OnKey gets each key typed into a pane, repeats included, and reports
	// whether it took it.
	OnKey func(key *fyne.KeyEvent) bool
	// OnRune gets each character typed into a pane.
	OnRune func(r rune)
	// OnKeyDown and OnKeyUp get keys going down and up, without repeats.
	OnKeyDown, OnKeyUp func(key *fyne.KeyEvent)
	// OnPress gets the place of each press of the primary button in a pane before
	// the tool does, and reports whether it took it.
	OnPress func(p *Pane, at canvas.Point) bool
	// OnView is called when zoom, place or look changed.
	OnView func()

	painter  *canvas.Painter
	viewport *canvas.Viewport
	panes    []*Pane
	picture  *image.RGBA
	before   *image.RGBA
	doubt    *image.Gray
	heat     *image.Gray
	suggest  suggestion

	compare    CompareMode
	holdBefore bool
	peek       bool
	divider    float64 // share of the shown picture's width

	pointer   *Pane // the pane that the pointer is in
	at        canvas.Point
	started   time.Time
	panKey    bool
	batch     bool // pixels change several times before they are drawn
	unlink    []func()
	userState func()
}

// NewStage returns the stage of a painter's canvas. It takes the painter's
// OnState and calls the function that was there before.
func NewStage(p *canvas.Painter) *Stage {
	size := p.Canvas().Bounds().Size()
	s := &Stage{
		painter:   p,
		viewport:  canvas.NewViewport(size),
		divider:   0.5,
		started:   time.Now(),
		userState: p.OnState,
	}
	p.OnState = func() {
		if s.userState != nil {
			s.userState()
		}
		for _, pane := range s.panes {
			pane.updateVectors()
		}
	}
	s.unlink = append(s.unlink,
		p.Canvas().Subscribe(s.pixelsChanged),
		s.viewport.Subscribe(func() {
			for _, pane := range s.panes {
				pane.place()
			}
			s.tell(s.OnView)
		}))
	return s
}

// Close takes the stage off its canvas and painter.
func (s *Stage) Close() {
	for _, fn := range s.unlink {
		fn()
	}
	s.unlink = nil
	s.painter.OnState = s.userState
	s.panes = nil
}

// Painter returns the painter.
func (s *Stage) Painter() *canvas.Painter { return s.painter }

// Viewport returns the view that the panes share.
func (s *Stage) Viewport() *canvas.Viewport { return s.viewport }

// Panes returns the panes in order of their making.
func (s *Stage) Panes() []*Pane { return s.panes }

func (s *Stage) tell(fn func()) {
	if fn != nil {
		fn()
	}
}

func (s *Stage) pixelsChanged(dirty image.Rectangle) {
	s.dropSuggestion()
	for _, p := range s.panes {
		p.tiles.Changed(dirty)
	}
	if !s.batch {
		s.drawChanged()
	}
}

func (s *Stage) drawChanged() {
	for _, p := range s.panes {
		p.drawTiles()
	}
	if s.pointer != nil {
		s.readout()
	}
}

// Motion takes a position of the pointer, relative to the window, that the
// toolkit did not report because a later one followed in the same frame. Strokes
// go through it; the toolkit's next report makes it visible.
func (s *Stage) Motion(at fyne.Position) {
	for _, p := range s.panes {
		if p.input.gesture == painting {
			p.input.missed = append(p.input.missed, at)
			return
		}
	}
}

// SetPicture shows another picture, opaque and of the canvas's size, with its
// origin at (0, 0). The stage reads it until the next call; to change it, give a
// new one or call again. Strokes that snap follow its edges.
func (s *Stage) SetPicture(m *image.RGBA) error {
	err := s.give(func(k *canvas.Compositor) error { return k.SetPicture(m) })
	if err == nil {
		s.picture = m
		s.painter.SetPicture(m)
	}
	return err
}

// SetBefore gives the picture to compare with. Nil ends comparing.
func (s *Stage) SetBefore(m *image.RGBA) error {
	err := s.give(func(k *canvas.Compositor) error { return k.SetBefore(m) })
	if err == nil {
		s.before = m
	}
	return err
}

// SetDoubt gives the model's uncertainty of each pixel, 255 the most, or nil.
func (s *Stage) SetDoubt(m *image.Gray) error {
	err := s.give(func(k *canvas.Compositor) error { return k.SetDoubt(m) })
	if err == nil {
		s.doubt = m
		s.readout()
	}
	return err
}

// SetHeat gives the heat of each pixel, 255 the most, or nil; panes show it whose
// look says so.
func (s *Stage) SetHeat(m *image.Gray) error {
	err := s.give(func(k *canvas.Compositor) error { return k.SetHeat(m) })
	if err == nil {
		s.heat = m
	}
	return err
}

// give gives something to the compositors of all panes and draws them anew.
func (s *Stage) give(set func(*canvas.Compositor) error) error {
	for _, p := range s.panes {
		if err := set(p.comp); err != nil {
			return err
		}
	}
	s.redrawAll()
	return nil
}

// Restyle draws everything anew after the protection of the canvas (hidden
// classes, class shown alone) changed.
func (s *Stage) Restyle() {
	for _, p := range s.panes {
		p.comp.Restyle()
	}
	s.redrawAll()
}

func (s *Stage) redrawAll() {
	for _, p := range s.panes {
		p.tiles.Spoil(s.painter.Canvas().Bounds())
		p.drawTiles()
	}
}

// relook gives every pane its look with what is held at the moment.
func (s *Stage) relook() {
	for _, p := range s.panes {
		p.relook()
	}
	s.tell(s.OnView)
}

// Compare returns how before and after are shown.
func (s *Stage) Compare() CompareMode { return s.compare }

// SetCompare chooses how before and after are shown.
func (s *Stage) SetCompare(m CompareMode) {
	s.compare = m
	s.relook()
}

// CycleCompare goes to the next way of comparing. Side by side takes two panes that
// are shown.
func (s *Stage) CycleCompare() {
	next := (s.compare + 1) % 3
	shown := 0
	for _, p := range s.panes {
		if p.Visible() {
			shown++
		}
	}
	if next == CompareSideBySide && shown < 2 {
		next = CompareOff
	}
	s.SetCompare(next)
}

// HoldBefore shows the picture before in all panes while on.
func (s *Stage) HoldBefore(on bool) {
	s.holdBefore = on
	s.relook()
}

// Peek hides the overlay while on; the opacity is kept.
func (s *Stage) Peek(on bool) {
	s.peek = on
	s.relook()
}

// Divider returns where CompareSplit divides, as a share of the shown width.
func (s *Stage) Divider() float64 { return s.divider }

// SetDivider moves the divider.
func (s *Stage) SetDivider(share float64) {
	s.divider = min(max(share, 0), 1)
	s.relook()
}

// SetMirror shows the picture mirrored or not.
func (s *Stage) SetMirror(on bool) {
	s.viewport.SetMirror(on)
	s.relook()
}

// Mirrored reports whether the picture is shown mirrored.
func (s *Stage) Mirrored() bool { return s.viewport.Mirrored() }

// Fit shows the whole picture.
func (s *Stage) Fit() {
	if p := s.active(); p != nil {
		s.viewport.Fit(p.pixelSize())
	}
}

// ZoomTo sets the zoom, 1 for one screen pixel per picture pixel, about the
// pointer or else the middle.
func (s *Stage) ZoomTo(zoom float64) {
	if p := s.active(); p != nil {
		s.viewport.ZoomTo(zoom, p.zoomCentre(), p.pixelSize())
	}
}

// ZoomBy zooms in by n steps, out if negative.
func (s *Stage) ZoomBy(n int) {
	if p := s.active(); p != nil {
		s.viewport.Step(n, p.zoomCentre(), p.pixelSize())
	}
}

// Pan moves the picture by screen pixels.
func (s *Stage) Pan(dx, dy float64) {
	if p := s.active(); p != nil {
		s.viewport.Pan(dx, dy, p.pixelSize())
	}
}

// active is the pane that the pointer is in, or else the first.
func (s *Stage) active() *Pane {
	if s.pointer != nil {
		return s.pointer
	}
	if len(s.panes) > 0 {
		return s.panes[0]
	}
	return nil
}

// Confirm, Back and Cancel act on the shape in progress.

// Confirm finishes the shape in progress.
func (s *Stage) Confirm() { s.painter.Handle(canvas.Event{Kind: canvas.Confirm}) }

// Back takes the last step of the shape in progress back.
func (s *Stage) Back() { s.painter.Handle(canvas.Event{Kind: canvas.Back}) }

// Cancel gives up the stroke or shape in progress; it reports whether there was
// one.
func (s *Stage) Cancel() bool { return s.painter.Cancel() }

// PointerLeft says that the pointer left the window. A stroke in progress goes
// on.
func (s *Stage) PointerLeft() {
	if s.pointer != nil {
		s.pointer.MouseOut()
	}
}

// readout reports what is under the pointer.
func (s *Stage) readout() {
	if s.OnReadout == nil {
		return
	}
	if s.pointer == nil {
		s.OnReadout(Readout{}, false)
		return
	}
	x, y := pixelOf(s.at)
	r := Readout{X: x, Y: y}
	c := s.painter.Canvas()
	if r.Class, r.Inside = c.ClassAt(x, y); r.Inside {
		r.Mark = c.MarkAt(x, y)
		// The model's confidence is in what it said itself, not in paint.
		said := c.Base().Pix[y*c.Base().Stride+x] == r.Class
		if doubt, ok := s.pointer.comp.Doubt(x, y); ok && said {
			r.Confidence, r.Known = 1-doubt, true
		}
	}
	s.OnReadout(r, true)
}

// pointerAt notes where the pointer is, in picture coordinates.
func (s *Stage) pointerAt(p *Pane, at canvas.Point) {
	s.pointer, s.at = p, at
	s.lookForSuggestion()
	for _, pane := range s.panes {
		pane.updatePointer()
	}
	s.readout()
}

func (s *Stage) pointerGone(p *Pane) {
	if s.pointer != p {
		return
	}
	s.pointer = nil
	s.lookForSuggestion()
	for _, pane := range s.panes {
		pane.updatePointer()
	}
	s.readout()
}
