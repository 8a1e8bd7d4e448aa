package document

import (
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"latentbrush/canvas"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// Errors that callers tell apart with [errors.Is].
var (
	// ErrNoStep says that there is nothing to undo or redo.
	ErrNoStep = errors.New("document: no further step")
	// ErrNoPicture says that a picture has to be opened first.
	ErrNoPicture = errors.New("document: there is no picture yet")
	// ErrNoEdit says that the edit stack has no such entry.
	ErrNoEdit = errors.New("document: the edit is not in the stack")
)

// Limits.
const (
	MaxStack     = 256  // entries of the edit stack
	MaxStrength  = 100  // |strength|
	MaxSide      = 4096 // pixels of a picture's side
	maxNotes     = 1 << 20
	mergeWithin  = time.Second // adjacent moves of one slider become one step
	maxTitleSize = 1000        // bytes of a name
)

// Aspect is a set of parts of a document that changed.
type Aspect uint16

// The aspects. Pixels of the canvas are announced by the canvas itself.
const (
	Code       Aspect = 1 << iota // the code: the picture has to be rendered
	Picture                       // another picture was opened
	Stack                         // the edit stack
	Choices                       // the optimisations kept
	Notes                         // notes and states of classes
	Options                       // settings
	Protection                    // locks, visibility, symmetry
	History                       // nodes were added, removed, or another is present
	View                          // the view
	File                          // the file's name, or whether there are unsaved changes
)

// ViewState is how the window shows the document. It is saved with the project and is not part of the history.
type ViewState struct {
	Zoom     float64 `json:"zoom,omitempty"` // screen pixels per picture pixel, 0: fit
	X        float64 `json:"x,omitempty"`    // picture point in the middle of the pane
	Y        float64 `json:"y,omitempty"`
	Layout   string  `json:"layout,omitempty"`
	Overlay  float64 `json:"overlay,omitempty"` // opacity in [0, 1]
	Contour  bool    `json:"contour,omitempty"`
	Mirrored bool    `json:"mirrored,omitempty"`
	Tool     string  `json:"tool,omitempty"`
	Class    uint8   `json:"class,omitempty"`
	Brush    int     `json:"brush,omitempty"`
}

// Document is the open picture with its history.
type Document struct {
	space   Space
	id      string // unlike that of any other document
	scene   *Scene
	canvas  *canvas.Canvas
	history *history
	view    ViewState
	nextID  EditID

	path  string // of the project file, empty if there is none
	saved struct {
		node  NodeID
		stamp uint64
	}
	dirty bool // as last announced

	listeners []*listener
	pending   Aspect
	held      int
	made      string // line of a script for the command being done, see [Document.As]
	journal   *Journal
	now       func() time.Time
}

type listener struct{ fn func(Aspect) }

// New returns a document without a picture.
func New(space Space) (*Document, error) {
	if err := space.check(); err != nil {
		return nil, err
	}
	blank := image.NewPaletted(image.Rect(0, 0, space.Width, space.Height), space.Palette())
	c, err := canvas.New(blank)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	d := &Document{space: space, id: rand.Text(), canvas: c, nextID: 1, now: time.Now}
	first := &Scene{Protection: c.Protection, Symmetry: c.Symmetry}
	for _, k := range space.Classes {
		first.Symmetry.Pairs[k.ID] = k.Pair
	}
	d.history = newHistory(first, Label{Key: "new"}, d.now().UTC())
	d.scene = first
	c.Symmetry = first.Symmetry
	d.markSaved()
	return d, nil
}

func (s Space) check() error {
	switch {
	case s.Rows < 1 || s.Rows > vectors.MaxRows || s.Dim < 1 || s.Dim > vectors.MaxDim:
		return fmt.Errorf("document: codes of %d × %d, 1 to %d rows of 1 to %d numbers expected", s.Rows, s.Dim, vectors.MaxRows, vectors.MaxDim)
	case s.Width < 1 || s.Height < 1 || s.Width > MaxSide || s.Height > MaxSide:
		return fmt.Errorf("document: a picture of %d × %d pixels, 1 to %d a side expected", s.Width, s.Height, MaxSide)
	case len(s.Classes) < 1 || len(s.Classes) > 256:
		return fmt.Errorf("document: %d classes, 1 to 256 expected", len(s.Classes))
	}
	for i, c := range s.Classes {
		if int(c.ID) != i || int(c.Pair) >= len(s.Classes) {
			return fmt.Errorf("document: class %d has id %d and pair %d; ids count from 0", i, c.ID, c.Pair)
		}
	}
	return nil
}

// Space returns the model and the sizes.
func (d *Document) Space() Space { return d.space }

// Scene returns the present scene, to be read only. It stays as it is when the document goes on.
func (d *Document) Scene() *Scene { return d.scene }

// Code returns the present code, empty without a picture.
func (d *Document) Code() latent.Code { return d.scene.Code() }

// HasPicture reports whether there is a picture.
func (d *Document) HasPicture() bool { return !d.scene.Start.Empty() }

// Canvas returns the canvas. Painting on it goes through a [canvas.Painter] whose OnCommit is
// [Document.Painted]; Protection and Symmetry are set by [Document.SetProtection] and [Document.SetSymmetry].
func (d *Document) Canvas() *canvas.Canvas { return d.canvas }

// Subscribe has fn called after every change with what changed, and returns the function that ends it.
func (d *Document) Subscribe(fn func(Aspect)) (cancel func()) {
	l := &listener{fn}
	d.listeners = append(d.listeners, l)
	return func() {
		d.listeners = slices.DeleteFunc(d.listeners, func(k *listener) bool { return k == l })
	}
}

// announce tells the listeners, once, when no batch is open.
func (d *Document) announce(a Aspect) {
	d.pending |= a
	if dirty := d.Dirty(); dirty != d.dirty {
		d.dirty = dirty
		d.pending |= File
	}
	if d.held > 0 || d.pending == 0 {
		return
	}
	a, d.pending = d.pending, 0
	for _, l := range slices.Clone(d.listeners) {
		l.fn(a)
	}
}

// show makes s the present scene and notes what that changes.
func (d *Document) show(s *Scene) {
	old := d.scene
	d.scene = s
	if old == s {
		return
	}
	d.canvas.Protection, d.canvas.Symmetry = s.Protection, s.Symmetry
	var a Aspect
	if keyOf(old.Code()) != keyOf(s.Code()) {
		a |= Code
	}
	if old.Source != s.Source {
		a |= Picture
	}
	if !slices.EqualFunc(old.Stack, s.Stack, sameEdit) {
		a |= Stack
	}
	if !slices.Equal(old.Choices, s.Choices) {
		a |= Choices
	}
	if old.Notes != s.Notes || !mapsEqual(old.Status, s.Status) {
		a |= Notes
	}
	if old.Settings != s.Settings {
		a |= Options
	}
	if old.Protection != s.Protection || old.Symmetry != s.Symmetry {
		a |= Protection
	}
	d.pending |= a
}

func mapsEqual(a, b map[uint8]Status) bool {
	for i := range 256 {
		if a[uint8(i)] != b[uint8(i)] {
			return false
		}
	}
	return true
}

func sameCode(a, b latent.Code) bool {
	return len(a.Data) == len(b.Data) && (len(a.Data) == 0 || &a.Data[0] == &b.Data[0])
}

func sameEdit(a, b Edit) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Library == b.Library && a.Content == b.Content && a.Strength == b.Strength &&
		a.On == b.On && sameCode(a.Delta, b.Delta) && sameCode(a.Refined.Correction, b.Refined.Correction) &&
		a.Refined.Strength == b.Refined.Strength && a.Refined.Steps == b.Refined.Steps &&
		slices.Equal(a.Classes, b.Classes) && a.Calibration == b.Calibration
}

// do adds a node with scene and changes, which the canvas already has.
func (d *Document) do(label Label, scene *Scene, changes ...*canvas.Change) {
	changes = slices.DeleteFunc(changes, func(ch *canvas.Change) bool { return ch == nil })
	d.endGesture()
	n := d.history.add(d.history.now, label, d.now().UTC().Truncate(time.Millisecond), scene, changes)
	n.made, d.made = d.made, ""
	d.moveTo(n)
	d.history.trim()
	d.record(n)
	d.announce(History)
}

// endGesture closes the present node, which further moves of its slider then leave alone.
func (d *Document) endGesture() {
	if n := d.history.now; n.open {
		n.open = false
		d.record(n)
	}
}

// doMerged is do for commands that come in a row: those with the same key are one node, as long as the gesture
// lasts or the last of them is not longer ago than mergeWithin. final ends the gesture.
func (d *Document) doMerged(key string, final bool, label Label, scene *Scene) {
	n, at := d.history.now, d.now().UTC().Truncate(time.Millisecond)
	if n.merge == key && len(n.children) == 0 && n.parent != nil && (n.open || at.Sub(n.time) < mergeWithin) {
		n.scene, n.label, n.time = scene, label, at
		n.then = slices.DeleteFunc(n.then, func(line string) bool { return line == labelsLine })
		n.open = !final
		d.history.touch(n)
		d.show(scene)
		if final {
			d.record(n)
		}
		d.announce(History)
		return
	}
	d.do(label, scene)
	d.history.now.merge, d.history.now.open = key, !final
}

// Painted takes a change that was just made on the canvas into the history. Give it to [canvas.Painter.OnCommit];
// changes from the canvas's other commands go here, too. Nil is ignored.
func (d *Document) Painted(ch *canvas.Change) {
	if ch != nil {
		if f, ok := ch.Fill(); ok && d.made == "" {
			d.made = d.fillLine(f).String()
		}
		d.do(Label{Key: ch.Name()[:min(len(ch.Name()), maxLabel)]}, d.scene, ch)
	}
}

// SetPicture opens another picture: where it comes from, its code, and the labels of that code, nil for a model
// without labels. The edit stack is emptied and the canvas shows the labels.
func (d *Document) SetPicture(source Source, code latent.Code, labels *image.Paletted) error {
	if err := code.Check(d.space.Rows, d.space.Dim); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	if p := source.Photo; len(source.Name) > maxTitleSize || (p != nil && (len(p.Name) > maxTitleSize || len(p.Data) > maxPhoto)) {
		return fmt.Errorf("document: a photo of at most %d MB with a name of at most %d bytes expected", maxPhoto>>20, maxTitleSize)
	}
	changes, err := d.newLabels(labels)
	if err != nil {
		return err
	}
	s := d.scene.clone()
	s.Source, s.Start = source, code
	s.Stack, s.Choices, s.Status = nil, nil, nil
	s.LabelsOf = keyOf(code)
	label := Label{Key: "open." + string(source.Kind), Args: []string{source.Name}}
	if source.Kind == SeedSource {
		label.Args = []string{strconv.FormatUint(source.Seed, 10)}
	}
	d.do(label, s, changes...)
	return nil
}

// newLabels gives the canvas the labels of another picture and takes all marks away.
func (d *Document) newLabels(labels *image.Paletted) ([]*canvas.Change, error) {
	if labels == nil {
		labels = image.NewPaletted(d.canvas.Bounds(), d.canvas.Palette())
	}
	change, err := d.canvas.Rebase("picture", labels, false)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	reset, err := d.canvas.ResetRegion("picture")
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return []*canvas.Change{change, reset}, nil
}

// ImportMask paints a label map, as read by [ReadMask], onto the canvas. Locked classes keep their pixels.
func (d *Document) ImportMask(labels *image.Paletted) error {
	if labels.Rect.Size() != d.canvas.Bounds().Size() {
		return fmt.Errorf("document: the mask is %v pixels, the picture %v", labels.Rect.Size(), d.canvas.Bounds().Size())
	}
	for _, v := range labels.Pix {
		if int(v) >= len(d.space.Classes) {
			return fmt.Errorf("document: the mask has class %d, but the model has %d classes", v, len(d.space.Classes))
		}
	}
	// The mask has many classes, so that the one that is being painted now does not matter.
	preserve := d.canvas.Protection.PreserveOthers
	d.canvas.Protection.PreserveOthers = false
	edit, err := d.canvas.Begin(canvas.Ink{Kind: canvas.Paint})
	d.canvas.Protection.PreserveOthers = preserve
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	present := d.canvas.Labels()
	for y := range d.space.Height {
		for x := range d.space.Width {
			v := labels.ColorIndexAt(labels.Rect.Min.X+x, labels.Rect.Min.Y+y)
			if v != present.ColorIndexAt(x, y) {
				edit.Put(x, y, v)
			}
		}
	}
	d.Painted(edit.Commit("mask.import"))
	return nil
}

// edit returns a copy of the scene and the position of an entry in its stack.
func (d *Document) edit(id EditID) (*Scene, int, error) {
	s := d.scene.clone()
	i := s.index(id)
	if i < 0 {
		return nil, 0, ErrNoEdit
	}
	return s, i, nil
}

// AddVector puts a vector on the stack. A vector of another model or size is refused.
func (d *Document) AddVector(library string, v *vectors.Vector, strength float64) (EditID, error) {
	if err := v.FitsModel(d.space.Model, d.space.Rows, d.space.Dim); err != nil {
		return 0, err
	}
	return d.push(Label{Key: "vector.add", Args: []string{v.Name}}, Edit{
		Name: v.Name, Library: library, Content: v.Content, Delta: v.Delta, Strength: strength, On: true,
		Classes: v.ClassIDs(), Calibration: v.Calibration,
	})
}

// AddDelta puts a difference that is no vector of the library on the stack.
func (d *Document) AddDelta(name string, delta latent.Code, classes []uint8) (EditID, error) {
	if err := delta.Check(d.space.Rows, d.space.Dim); err != nil {
		return 0, fmt.Errorf("document: %w", err)
	}
	if err := vectors.CheckName(name); err != nil {
		return 0, err
	}
	return d.push(Label{Key: "edit.add", Args: []string{name}}, Edit{
		Name: name, Delta: delta, Strength: 1, On: true, Classes: slices.Clone(classes),
	})
}

func (d *Document) push(label Label, e Edit) (EditID, error) {
	if !d.HasPicture() {
		return 0, ErrNoPicture
	}
	if len(d.scene.Stack) >= MaxStack {
		return 0, fmt.Errorf("document: the stack has %d edits, more are not possible", MaxStack)
	}
	if err := checkStrength(e.Strength); err != nil {
		return 0, err
	}
	s := d.scene.clone()
	e.ID = d.nextID
	d.nextID++
	s.Stack = append(s.Stack, e)
	d.do(label, s)
	return e.ID, nil
}

func checkStrength(x float64) error {
	if math.IsNaN(x) || math.Abs(x) > MaxStrength {
		return fmt.Errorf("document: a strength of %v, −%d to %d expected", x, MaxStrength, MaxStrength)
	}
	return nil
}

// SetStrength moves a slider. Moves of one gesture become one node of the
// history; final ends the gesture.
func (d *Document) SetStrength(id EditID, strength float64, final bool) error {
	if err := checkStrength(strength); err != nil {
		return err
	}
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	s.Stack[i].Strength = strength
	label := Label{Key: "edit.strength", Args: []string{s.Stack[i].Name, strconv.FormatFloat(strength, 'f', 2, 64)}}
	d.doMerged("strength "+strconv.FormatInt(int64(id), 10), final, label, s)
	return nil
}

// SetOn switches an edit on or off.
func (d *Document) SetOn(id EditID, on bool) error {
	s, i, err := d.edit(id)
	if err != nil || s.Stack[i].On == on {
		return err
	}
	s.Stack[i].On = on
	key := "edit.off"
	if on {
		key = "edit.on"
	}
	d.do(Label{Key: key, Args: []string{s.Stack[i].Name}}, s)
	return nil
}

// RenameEdit gives an edit another name.
func (d *Document) RenameEdit(id EditID, name string) error {
	if err := vectors.CheckName(name); err != nil {
		return err
	}
	s, i, err := d.edit(id)
	if err != nil || s.Stack[i].Name == name {
		return err
	}
	s.Stack[i].Name = name
	d.do(Label{Key: "edit.rename", Args: []string{name}}, s)
	return nil
}

// VectorOf makes a vector of an edit, as it acts now: strength 1 of the vector is the present strength of the edit
// with its correction. Pictures and calibration are the caller's to add. An edit of strength 0 is refused.
func (d *Document) VectorOf(id EditID, name string) (*vectors.Vector, error) {
	e, ok := d.scene.Edit(id)
	if !ok {
		return nil, ErrNoEdit
	}
	if err := vectors.CheckName(name); err != nil {
		return nil, err
	}
	if e.Strength == 0 {
		return nil, fmt.Errorf("document: %q has strength 0, which would be a vector that does nothing", e.Name)
	}
	terms := []vectors.Term{{Delta: e.Delta, Strength: e.Strength}}
	if e.RefinedNow() {
		terms = append(terms, vectors.Term{Delta: e.Refined.Correction, Strength: 1})
	}
	v := vectors.New(name, d.space.Model, vectors.Sum(latent.New(d.space.Rows, d.space.Dim), terms...))
	for _, c := range e.Classes {
		if int(c) < len(d.space.Classes) {
			v.Classes = append(v.Classes, vectors.Class{ID: c, Name: d.space.Classes[c].Name})
		}
	}
	v.Learnt = vectors.Learnt{How: "painting", Edits: 1}
	if s := d.scene.Source; s.Kind == SeedSource {
		v.Learnt.Seed = int64(s.Seed)
	}
	for _, c := range d.scene.Choices {
		if c.Edit == id {
			v.Learnt.Steps = c.Run.Steps[c.Step].Index
		}
	}
	return v, nil
}

// LinkEdit notes that an edit was saved as the vector v of [Document.VectorOf]: the entry becomes that vector at
// strength 1, which looks the same.
func (d *Document) LinkEdit(id EditID, library string, v *vectors.Vector) error {
	if err := v.FitsModel(d.space.Model, d.space.Rows, d.space.Dim); err != nil {
		return err
	}
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	e := &s.Stack[i]
	if e.Content != v.Content {
		e.Delta, e.Strength, e.Refined = v.Delta, 1, Refined{}
	}
	e.Name, e.Library, e.Content, e.Calibration = v.Name, library, v.Content, v.Calibration
	if s.LabelsOf == keyOf(d.Code()) {
		s.LabelsOf = keyOf(s.Code()) // the same code but for rounding
	}
	d.do(Label{Key: "edit.save", Args: []string{v.Name}}, s)
	return nil
}

// MoveEdit moves an edit to another place of the stack, which changes nothing but the order shown.
func (d *Document) MoveEdit(id EditID, to int) error {
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	to = max(0, min(to, len(s.Stack)-1))
	if to == i {
		return nil
	}
	e := s.Stack[i]
	s.Stack = slices.Insert(slices.Delete(s.Stack, i, i+1), to, e)
	d.do(Label{Key: "edit.move", Args: []string{e.Name}}, s)
	return nil
}

// RemoveEdit takes an edit off the stack.
func (d *Document) RemoveEdit(id EditID) error {
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	name := s.Stack[i].Name
	s.Stack = slices.Delete(s.Stack, i, i+1)
	s.Choices = slices.DeleteFunc(s.Choices, func(c Choice) bool { return c.Edit == id })
	d.do(Label{Key: "edit.remove", Args: []string{name}}, s)
	return nil
}

// RefineCodes returns the codes without and with an edit, as refinement needs them. The code with it has no
// correction of this edit.
func (d *Document) RefineCodes(id EditID) (without, with latent.Code, err error) {
	s, i, err := d.edit(id)
	if err != nil {
		return latent.Code{}, latent.Code{}, err
	}
	s.Stack[i].Refined = Refined{}
	return s.codeWithout(id, true), s.Code(), nil
}

// SetRefined keeps the result of refining an edit: code is what the refinement of [Document.RefineCodes] arrived
// at after steps. The correction holds while the strength stays; moving the slider suspends it.
func (d *Document) SetRefined(id EditID, code latent.Code, steps int) error {
	if err := code.Check(d.space.Rows, d.space.Dim); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	_, with, err := d.RefineCodes(id)
	if err != nil {
		return err
	}
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	s.Stack[i].Refined = Refined{Correction: code.Sub(with), Strength: s.Stack[i].Strength, Steps: steps}
	d.do(Label{Key: "edit.refine", Args: []string{s.Stack[i].Name, strconv.Itoa(steps)}}, s)
	return nil
}

// ResetEdit puts an edit's strength to 1, as learnt, and drops its correction.
func (d *Document) ResetEdit(id EditID) error {
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	s.Stack[i].Strength, s.Stack[i].Refined = 1, Refined{}
	d.do(Label{Key: "edit.reset", Args: []string{s.Stack[i].Name}}, s)
	return nil
}

// ResetStack switches nothing off but puts every strength to 0.
func (d *Document) ResetStack() {
	s := d.scene.clone()
	for i := range s.Stack {
		s.Stack[i].Strength = 0
	}
	d.do(Label{Key: "edit.reset_all"}, s)
}

// Accept takes the result of an optimisation into the picture: step is an index into run.Steps, labels are those of
// its code. With asEdit the difference becomes an entry of the edit stack, otherwise it goes into the
// starting code. The run must have begun at the present code.
func (d *Document) Accept(run *Run, step int, labels *image.Paletted, asEdit bool, classes []uint8) (EditID, error) {
	if !d.HasPicture() {
		return 0, ErrNoPicture
	}
	if step < 0 || step >= len(run.Steps) {
		return 0, fmt.Errorf("document: step %d of a run with %d steps", step, len(run.Steps))
	}
	code := run.Steps[step].Code
	if err := run.check(d.space); err != nil {
		return 0, err
	}
	if keyOf(run.Start) != keyOf(d.Code()) {
		return 0, fmt.Errorf("document: %q began at another picture", run.Name)
	}
	if asEdit && len(d.scene.Stack) >= MaxStack {
		return 0, fmt.Errorf("document: the stack has %d edits, more are not possible", MaxStack)
	}
	changes, err := d.rebase("run", labels, false)
	if err != nil {
		return 0, err
	}
	s := d.scene.clone()
	choice := Choice{Run: run, Step: step}
	delta := code.Sub(run.Start)
	label := Label{Key: "run.accept", Args: []string{run.Name}}
	if asEdit {
		choice.Edit = d.nextID
		d.nextID++
		s.Stack = append(s.Stack, Edit{
			ID: choice.Edit, Name: run.Name, Delta: delta, Strength: 1, On: true, Classes: slices.Clone(classes),
		})
		label.Key = "run.accept_edit"
	} else {
		s.Start = s.Start.Add(delta)
	}
	s.Choices = append(s.Choices, choice)
	s.trimChoices(d.history.maxBytes / 4)
	s.LabelsOf = keyOf(s.Code())
	d.do(label, s, changes...)
	return choice.Edit, nil
}

// Choose takes another step of a run that was accepted, as by scrubbing. labels are those of the new code; nil
// leaves them for [Document.SyncLabels].
func (d *Document) Choose(run *Run, step int, labels *image.Paletted) error {
	s := d.scene.clone()
	i := slices.IndexFunc(s.Choices, func(c Choice) bool { return c.Run == run })
	if i < 0 {
		return fmt.Errorf("document: %q is not part of the picture", run.Name)
	}
	if step < 0 || step >= len(run.Steps) {
		return fmt.Errorf("document: step %d of a run with %d steps", step, len(run.Steps))
	}
	c := &s.Choices[i]
	if c.Step == step {
		return nil
	}
	if c.Edit != 0 {
		k := s.index(c.Edit)
		if k < 0 {
			return ErrNoEdit
		}
		s.Stack[k].Delta = run.Steps[step].Code.Sub(run.Start)
		s.Stack[k].Library, s.Stack[k].Content, s.Stack[k].Refined = "", "", Refined{}
	} else {
		s.Start = s.Start.Add(run.Steps[step].Code.Sub(run.Steps[c.Step].Code))
	}
	c.Step = step
	var changes []*canvas.Change
	if labels != nil {
		var err error
		if changes, err = d.rebase("run", labels, true); err != nil {
			return err
		}
		s.LabelsOf = keyOf(s.Code())
	}
	d.do(Label{Key: "run.choose", Args: []string{run.Name, strconv.Itoa(run.Steps[step].Index)}}, s, changes...)
	return nil
}

// CodeWith is the code that the document would have with another step of an accepted run.
func (d *Document) CodeWith(run *Run, step int) latent.Code {
	s := d.scene.clone()
	i := slices.IndexFunc(s.Choices, func(c Choice) bool { return c.Run == run })
	if i < 0 || step < 0 || step >= len(run.Steps) {
		return s.Code()
	}
	c := s.Choices[i]
	if k := s.index(c.Edit); c.Edit != 0 && k >= 0 {
		s.Stack[k].Delta, s.Stack[k].Refined = run.Steps[step].Code.Sub(run.Start), Refined{}
	} else if c.Edit == 0 {
		s.Start = s.Start.Add(run.Steps[step].Code.Sub(run.Steps[c.Step].Code))
	}
	return s.Code()
}

// LabelsStale reports whether the base labels are not those of the present code, as after a slider has moved.
func (d *Document) LabelsStale() bool { return d.HasPicture() && d.scene.LabelsOf != keyOf(d.Code()) }

// SyncLabels gives the canvas the labels of code, as a render of it found them. What was painted stays, the rest
// follows. It belongs to the command before it and is undone with it. When code is no longer the present one,
// or the labels are those already, nothing happens.
func (d *Document) SyncLabels(code latent.Code, labels *image.Paletted) error {
	if !d.LabelsStale() || keyOf(code) != keyOf(d.Code()) || d.canvas.Editing() {
		return nil
	}
	changes, err := d.rebase("labels", labels, true)
	if err != nil {
		return err
	}
	s := d.scene.clone()
	s.LabelsOf = keyOf(code)
	if n := d.history.now; len(n.children) == 0 && n.parent != nil {
		n.changes = append(slices.Clone(n.changes), changes...)
		n.scene = s
		n.then = append(n.then, labelsLine)
		stamp := n.stamp
		d.history.touch(n)
		n.stamp = stamp // what follows from the code is no unsaved change
		d.show(s)
		d.record(n)
		d.announce(0)
		return nil
	}
	d.made = labelsLine
	d.do(Label{Key: "labels"}, s, changes...)
	return nil
}

// rebase gives the canvas new base labels. With keep, pixels that the artist touched keep what was painted.
func (d *Document) rebase(name string, labels *image.Paletted, keep bool) ([]*canvas.Change, error) {
	change, err := d.canvas.Rebase(name, labels, keep)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	changes := []*canvas.Change{change}
	if keep {
		// Painting "original" on what nobody touched makes it follow; locks and mirroring are for the artist.
		protection, symmetry := d.canvas.Protection, d.canvas.Symmetry
		d.canvas.Protection, d.canvas.Symmetry = canvas.Protection{Solo: canvas.NoClass}, canvas.NewSymmetry(d.space.Width)
		edit, err := d.canvas.Begin(canvas.Ink{Kind: canvas.Original})
		d.canvas.Protection, d.canvas.Symmetry = protection, symmetry
		if err != nil {
			if change != nil {
				err = errors.Join(err, change.Revert(d.canvas))
			}
			return nil, fmt.Errorf("document: %w", err)
		}
		marks := d.canvas.Marks()
		for y := range d.space.Height {
			row := marks.Pix[y*marks.Stride : y*marks.Stride+d.space.Width]
			for x := 0; x < len(row); {
				end := x
				for end < len(row) && canvas.Mark(row[end])&canvas.Touched == 0 {
					end++
				}
				if end > x {
					edit.Span(y, x, end)
				}
				x = end + 1
			}
		}
		changes = append(changes, edit.Commit(name))
	}
	return slices.DeleteFunc(changes, func(ch *canvas.Change) bool { return ch == nil }), nil
}

// SetNotes replaces the notes. Typing becomes one step.
func (d *Document) SetNotes(text string) error {
	if len(text) > maxNotes {
		return fmt.Errorf("document: notes of %d bytes, at most %d expected", len(text), maxNotes)
	}
	if text = strings.ToValidUTF8(text, "\uFFFD"); text == d.scene.Notes {
		return nil
	}
	s := d.scene.clone()
	s.Notes = text
	d.doMerged("notes", true, Label{Key: "notes"}, s)
	return nil
}

// SetStatus says how far the work on a class has come.
func (d *Document) SetStatus(class uint8, to Status) error {
	if int(class) >= len(d.space.Classes) || to >= statuses {
		return fmt.Errorf("document: state %d of class %d", to, class)
	}
	if d.scene.Status[class] == to {
		return nil
	}
	s := d.scene.clone()
	if s.Status == nil {
		s.Status = map[uint8]Status{}
	}
	if s.Status[class] = to; to == NotStarted {
		delete(s.Status, class)
	}
	d.do(Label{Key: "status", Args: []string{d.space.Classes[class].Name}}, s)
	return nil
}

// SetSettings changes the options of the panels.
func (d *Document) SetSettings(to Settings) {
	if to == d.scene.Settings {
		return
	}
	s := d.scene.clone()
	s.Settings = to
	d.doMerged("settings", true, Label{Key: "settings"}, s)
}

// SetProtection changes which classes are locked, hidden or shown alone.
func (d *Document) SetProtection(to canvas.Protection) {
	if to == d.scene.Protection {
		return
	}
	s := d.scene.clone()
	s.Protection = to
	d.doMerged("protection", true, Label{Key: "protection"}, s)
}

// SetSymmetry changes mirrored painting.
func (d *Document) SetSymmetry(to canvas.Symmetry) {
	if to == d.scene.Symmetry {
		return
	}
	s := d.scene.clone()
	s.Symmetry = to
	d.doMerged("symmetry", true, Label{Key: "symmetry"}, s)
}

// View returns how the window shows the document.
func (d *Document) View() ViewState { return d.view }

// SetView keeps how the window shows the document. It is not a command.
func (d *Document) SetView(to ViewState) {
	to.Zoom, to.X, to.Y, to.Overlay = finite(to.Zoom), finite(to.X), finite(to.Y), finite(to.Overlay)
	if to != d.view {
		d.view = to
		d.announce(View)
	}
}

// Batch has all changes that work makes announced at once.
func (d *Document) Batch(work func() error) error {
	d.held++
	err := work()
	d.held--
	d.announce(0)
	return err
}

// Task is all that an optimisation has to know, copied, so that it may run on another goroutine while painting goes on.
type Task struct {
	Code          latent.Code
	Base, Painted *image.Paletted
	// Touched, Keep and Free are 255 at the marked pixels and 0 elsewhere.
	Touched, Keep, Free *image.Alpha
	Settings            Settings
	// Revision is the canvas's revision, by which one sees that painting has gone on.
	Revision uint64
}

// Task returns what an optimisation of the present state needs.
func (d *Document) Task() (Task, error) {
	if !d.HasPicture() {
		return Task{}, ErrNoPicture
	}
	state := d.canvas.State()
	t := Task{
		Code: d.Code(), Base: state.Base, Painted: state.Labels, Settings: d.scene.Settings, Revision: state.Revision,
	}
	marked := func(bit canvas.Mark) *image.Alpha {
		m := image.NewAlpha(state.Marks.Rect)
		for i, v := range state.Marks.Pix {
			if canvas.Mark(v)&bit != 0 {
				m.Pix[i] = 0xff
			}
		}
		return m
	}
	t.Touched, t.Keep, t.Free = marked(canvas.Touched), marked(canvas.Keep), marked(canvas.Free)
	return t, nil
}
