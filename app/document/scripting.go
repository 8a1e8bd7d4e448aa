package document

import (
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"

	"latentbrush/canvas"
)

// labelsLine is the line of [Document.SyncLabels].
const labelsLine = "labels"

// Limits of what a node keeps for scripts.
const (
	maxNoted      = 4096
	maxNotedLines = 1000
)

// As runs command, and keeps l as the line of a script that does the same. Commands without a line are written as
// what they changed: the pixels of a stroke, the value of a slider.
func (d *Document) As(l Line, command func() error) error {
	if text := l.String(); len(text) <= maxNoted {
		d.made = text
	}
	err := command()
	d.made = ""
	return err
}

// Note keeps the line of something that was done at a node and made none, as a run that has not been accepted.
func (d *Document) Note(at NodeID, l Line) {
	n, text := d.history.nodes[at], l.String()
	if n == nil || len(text) > maxNoted || len(n.then) >= maxNotedLines {
		return
	}
	n.then = append(n.then, text)
	if n == d.history.now && len(n.children) == 0 {
		d.record(n)
	}
}

// OpLine is the line of an operation on a whole class, such as "grow" by n pixels.
func (d *Document) OpLine(op string, class uint8, n int) Line {
	return Line{Verb: op, Args: []string{d.space.className(class), strconv.Itoa(n)}}
}

// fillInks are the words for what a fill leaves where it paints no class.
var fillInks = map[canvas.InkKind]string{canvas.Original: "original", canvas.MarkKeep: "keep", canvas.MarkFree: "free", canvas.Unmark: "unmark"}

// fillLine is the line of a fill.
func (d *Document) fillLine(f canvas.FillOp) Line {
	l := Line{Verb: "fill", Args: []string{strconv.Itoa(f.X), strconv.Itoa(f.Y)}}
	if name, ok := fillInks[f.Ink.Kind]; ok {
		l.set("ink", name)
	}
	l.set("class", d.space.className(f.Ink.Class))
	if f.Everywhere {
		l.set("everywhere", "yes")
	}
	return l
}

// RunOptions are the settings of an optimisation, as the engine has them. Zero means the engine's default.
type RunOptions struct {
	Search                                 string
	Steps                                  int
	Rate                                   float64
	PictureWeight, PerceptualWeight, Prior float64
	IdentityWeight                         float64
	NoGuess                                bool
	Agreement                              float64
	Flat                                   int
	WholeClasses                           bool
	Dilation                               int
}

// RunLine is the line of a part of an optimisation: run names it within the session, from is the number of the step
// that it went on from, −1 for the present code, first the number given to its first step, and made how many it made.
func RunLine(run string, from, first, made int, o RunOptions) Line {
	l := Line{Verb: "run", Args: []string{run}}
	if from >= 0 {
		l.setInt("from", from)
		l.setInt("first", first)
	}
	l.setInt("made", made)
	o.write(&l)
	return l
}

func (o RunOptions) write(l *Line) {
	if o.Search != "" {
		l.set("search", o.Search)
	}
	if o.Steps != 0 {
		l.setInt("steps", o.Steps)
	}
	for _, k := range []struct {
		name string
		v    float64
	}{{"rate", o.Rate}, {"picture", o.PictureWeight}, {"perceptual", o.PerceptualWeight}, {"prior", o.Prior}, {"identity", o.IdentityWeight}, {"agreement", o.Agreement}} {
		if k.v != 0 {
			l.setFloat(k.name, k.v)
		}
	}
	if o.Flat != 0 {
		l.setInt("flat", o.Flat)
	}
	if o.NoGuess {
		l.set("guess", "no")
	}
	if o.WholeClasses {
		l.set("whole", "yes")
	}
	if o.Dilation != 0 {
		l.setInt("dilation", o.Dilation)
	}
}

// AcceptLine is the line that takes the step with a number of a run, whose name the edit gets.
func AcceptLine(run string, step int, name string) Line {
	l := Line{Verb: "accept", Args: []string{run}}
	l.setInt("step", step)
	l.set("name", name)
	return l
}

// RefineLine is the line that refines an edit: steps were asked for and the one numbered take was kept.
func RefineLine(id EditID, steps, take int, o RunOptions) Line {
	l := Line{Verb: "refine", Args: []string{editName(id)}}
	o.Steps = steps
	o.write(&l)
	l.setInt("take", take)
	return l
}

// editName names an edit within a script.
func editName(id EditID) string { return "e" + strconv.FormatInt(int64(id), 10) }

// className names a class within a script: by its name if it is the only one of that name.
func (s Space) className(class uint8) string {
	if int(class) >= len(s.Classes) {
		return strconv.Itoa(int(class))
	}
	name := s.Classes[class].Name
	if _, err := strconv.Atoi(name); err == nil || name == "" || name == "none" || len(name) > 100 || strings.ContainsAny(name, ",") {
		return strconv.Itoa(int(class))
	}
	for _, c := range s.Classes {
		if c.ID != class && c.Name == name {
			return strconv.Itoa(int(class))
		}
	}
	return name
}

// class is the class of a name or number.
func (s Space) class(name string) (uint8, error) {
	for _, c := range s.Classes {
		if c.Name == name {
			return c.ID, nil
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(s.Classes) {
		return uint8(n), nil
	}
	return 0, fmt.Errorf("the model has no class %.60q", name)
}

// ScriptOptions say how a session becomes a script.
type ScriptOptions struct {
	// Known reports whether a vector can be found by its content when the script runs. The others are written into
	// the script.
	Known func(content string) bool
	// Photo keeps the bytes of a photo and returns the name by which the script finds it; nil leaves photos out: the
	// script then has their latents only.
	Photo func(p *Photo) (name string, err error)
	// From is the node at which the recording began, 0 for the whole session. What led to it is written, too, before
	// a line "begin".
	From NodeID
}

// Script writes the session that led to the present state as a script. What was undone is not in it.
func (d *Document) Script(o ScriptOptions) (*Script, error) {
	if d.canvas.Editing() {
		return nil, canvas.ErrBusy
	}
	if o.Known == nil {
		o.Known = func(string) bool { return false }
	}
	var path []*node
	for n := d.history.now; n != nil; n = n.parent {
		path = append(path, n)
	}
	slices.Reverse(path)
	// A copy of the canvas walks back to the beginning and then along.
	scratch, err := canvas.FromState(d.canvas.State())
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	for _, n := range slices.Backward(path) {
		for _, ch := range slices.Backward(n.changes) {
			if err := ch.Revert(scratch); err != nil {
				return nil, fmt.Errorf("document: step %d: %w", n.id, err)
			}
		}
	}
	w := &scriptWriter{d: d, o: o, s: &Script{data: map[string]string{}}, canvas: scratch, taken: map[string]bool{}}
	for _, n := range path {
		if l, err := parseLine(n.made); err == nil && l.Verb == "accept" && len(l.Args) > 0 {
			w.taken[l.Args[0]] = true
		}
	}
	w.put(Line{Verb: "model", Args: []string{d.space.Model.ID, d.space.Model.Fingerprint}})
	begun := o.From == 0
	blank := newScene(d.space)
	for i, n := range path {
		before := blank
		if i > 0 {
			before = path[i-1].scene
		}
		if err := w.node(before, n, i == 0); err != nil {
			return nil, err
		}
		if n.id == o.From {
			w.put(Line{Verb: "begin"})
			begun = true
		}
	}
	if !begun { // the recording went back beyond where it began
		w.s.Lines = slices.Insert(w.s.Lines, 1, Line{Verb: "begin"})
	}
	return w.s, nil
}

// newScene is the scene of a new document.
func newScene(space Space) *Scene {
	s := &Scene{Protection: canvas.Protection{Solo: canvas.NoClass}, Symmetry: canvas.NewSymmetry(space.Width)}
	for _, k := range space.Classes {
		s.Symmetry.Pairs[k.ID] = k.Pair
	}
	return s
}

// scriptWriter writes the nodes of a path.
type scriptWriter struct {
	d      *Document
	o      ScriptOptions
	s      *Script
	canvas *canvas.Canvas
	taken  map[string]bool // runs that were accepted
}

func (w *scriptWriter) put(l Line) { w.s.Lines = append(w.s.Lines, l) }

// node writes what led from the scene before to n. root says that n is the first that is known.
func (w *scriptWriter) node(before *Scene, n *node, root bool) error {
	made, _ := parseLine(n.made)
	if root && !n.scene.Start.Empty() { // older steps were forgotten
		if err := w.opened(n.scene, true); err != nil {
			return err
		}
		opened := *before
		opened.Source, opened.Start = n.scene.Source, n.scene.Start
		before, made = &opened, Line{}
		w.scene(before, n.scene)
		w.put(Line{Verb: labelsLine})
		w.pixels(w.canvas.Base(), make([]uint8, len(w.canvas.Base().Pix)), true)
	}
	present := func() (*canvas.Canvas, error) {
		for _, ch := range n.changes {
			if err := ch.Apply(w.canvas); err != nil {
				return nil, fmt.Errorf("document: step %d: %w", n.id, err)
			}
		}
		return w.canvas, nil
	}
	defer present()
	switch {
	case root:
	case made.Verb == "accept" || made.Verb == "refine" || made.Verb == labelsLine:
		w.put(w.named(made, before, n.scene))
		w.rest(before, n.scene)
	case before.Source != n.scene.Source || strings.HasPrefix(n.label.Key, "open."):
		if err := w.opened(n.scene, n.label.Key != "open."+string(SeedSource)); err != nil {
			return err
		}
		opened := *before
		opened.Source, opened.Start, opened.Stack, opened.Choices, opened.Status = n.scene.Source, n.scene.Start, nil, nil, nil
		if w.scene(&opened, n.scene) {
			w.put(Line{Verb: labelsLine})
		}
	case made.Verb != "":
		w.put(made)
		w.rest(before, n.scene)
	case n.label.Key == "edit.save" && len(before.Stack) == len(n.scene.Stack):
		for i, e := range n.scene.Stack {
			if !sameEdit(e, before.Stack[i]) {
				w.put(Line{Verb: "save", Args: []string{editName(e.ID), e.Name}})
			}
		}
	case n.label.Key == "run.choose" && w.chosen(before, n.scene):
		w.rest(before, n.scene)
		if n.scene.LabelsOf == keyOf(n.scene.Code()) && !slices.Contains(n.then, labelsLine) {
			w.put(Line{Verb: labelsLine})
		}
	default:
		w.scene(before, n.scene)
		if n.label.Key == "run.accept" || n.label.Key == "run.accept_edit" { // how it was found is not known
			w.put(Line{Verb: "relabel"})
		} else if err := w.painted(n); err != nil {
			return err
		}
	}
	for _, text := range n.then {
		l, err := parseLine(text)
		if err != nil || l.Verb == "" || l.Verb == "run" && (len(l.Args) == 0 || !w.taken[l.Args[0]]) {
			continue
		}
		w.put(l)
	}
	return nil
}

// named completes the line of an accepted run with the edit that it became.
func (w *scriptWriter) named(l Line, before, after *Scene) Line {
	if l.Verb != "accept" {
		return l
	}
	for _, e := range after.Stack {
		if before.index(e.ID) < 0 {
			l.Keys = append(slices.Clone(l.Keys), Key{"as", editName(e.ID)})
		}
	}
	return l
}

// rest writes what a line that speaks for itself did not say: settings that changed with it.
func (w *scriptWriter) rest(before, after *Scene) {
	was := *before
	was.Source, was.Start, was.Stack, was.Choices = after.Source, after.Start, after.Stack, after.Choices
	w.scene(&was, after)
}

// chosen writes that another step of an accepted run was taken.
func (w *scriptWriter) chosen(before, after *Scene) bool {
	for i, c := range after.Choices {
		if i < len(before.Choices) && before.Choices[i].Run == c.Run && before.Choices[i].Step != c.Step && w.taken[c.Run.Key] {
			l := Line{Verb: "choose", Args: []string{c.Run.Key}}
			l.setInt("step", c.Run.Steps[c.Step].Index)
			w.put(l)
			return true
		}
	}
	return false
}

// opened writes the line that opens the picture of s; whole asks for its latent to be written.
func (w *scriptWriter) opened(s *Scene, whole bool) error {
	l := Line{Verb: "open"}
	src := s.Source
	switch {
	case src.Kind == SeedSource && !whole:
		l.Args = []string{"seed", strconv.FormatUint(src.Seed, 10)}
		l.setFloat("truncation", finite(src.Truncation))
	case src.Kind == PhotoSource && src.Photo != nil && w.o.Photo != nil:
		name, err := w.o.Photo(src.Photo)
		if err != nil {
			return err
		}
		l.Args = []string{"photo", name}
		align := make([]string, len(src.Photo.Align))
		for i, v := range src.Photo.Align {
			align[i] = number(finite(v))
		}
		l.set("align", strings.Join(align, ","))
		l.setFloat("difference", finite(src.Difference))
		l.set("code", w.s.keep(s.Start))
	default:
		l.Args = []string{"code", w.s.keep(s.Start)}
		if src.Name != "" {
			l.set("name", src.Name)
		}
		if src.Kind == SeedSource {
			l.set("seed", strconv.FormatUint(src.Seed, 10))
			l.setFloat("truncation", finite(src.Truncation))
		}
	}
	w.put(l)
	return nil
}

// scene writes the differences of two scenes of one picture, and reports whether the edit stack or the start differ.
func (w *scriptWriter) scene(a, b *Scene) (moved bool) {
	first := len(w.s.Lines)
	edit := func(verb string, id EditID, args ...string) *Line {
		w.put(Line{Verb: verb, Args: append([]string{editName(id)}, args...)})
		return &w.s.Lines[len(w.s.Lines)-1]
	}
	for _, e := range a.Stack {
		if b.index(e.ID) < 0 {
			edit("remove", e.ID)
		}
	}
	if !sameCode(a.Start, b.Start) {
		w.put(Line{Verb: "start", Args: []string{w.s.keep(b.Start)}})
	}
	for _, e := range b.Stack {
		i := a.index(e.ID)
		if i < 0 {
			l := edit("vector", e.ID, e.Name)
			l.setFloat("strength", e.Strength)
			if e.Content != "" {
				l.set("content", e.Content)
			}
			if e.Content == "" || !w.o.Known(e.Content) {
				l.set("delta", w.s.keep(e.Delta))
				if len(e.Classes) > 0 {
					l.set("classes", w.classes(e.Classes))
				}
			}
			if !e.On {
				edit("off", e.ID)
			}
			if !e.Refined.Correction.Empty() {
				edit("correct", e.ID, w.s.keep(e.Refined.Correction)).setInt("steps", e.Refined.Steps)
			}
			continue
		}
		was := a.Stack[i]
		switch {
		case !sameCode(was.Delta, e.Delta):
			l := edit("replace", e.ID, e.Name)
			if e.Content != "" {
				l.set("content", e.Content)
			}
			if e.Content == "" || !w.o.Known(e.Content) {
				l.set("delta", w.s.keep(e.Delta))
			}
			was.Refined = Refined{}
		case was.Name != e.Name:
			edit("rename", e.ID, e.Name)
		}
		if was.Strength != e.Strength {
			edit("strength", e.ID, number(e.Strength))
		}
		if was.On != e.On {
			edit(map[bool]string{true: "on", false: "off"}[e.On], e.ID)
		}
		if !sameCode(was.Refined.Correction, e.Refined.Correction) || was.Refined.Strength != e.Refined.Strength {
			if e.Refined.Correction.Empty() {
				edit("uncorrect", e.ID)
			} else {
				edit("correct", e.ID, w.s.keep(e.Refined.Correction)).setInt("steps", e.Refined.Steps)
			}
		}
	}
	moved = len(w.s.Lines) > first
	// The order that removing and adding give, against the one that is wanted.
	var order []EditID
	for _, e := range a.Stack {
		if b.index(e.ID) >= 0 {
			order = append(order, e.ID)
		}
	}
	for _, e := range b.Stack {
		if a.index(e.ID) < 0 {
			order = append(order, e.ID)
		}
	}
	if !slices.EqualFunc(order, b.Stack, func(id EditID, e Edit) bool { return id == e.ID }) {
		l := Line{Verb: "order"}
		for _, e := range b.Stack {
			l.Args = append(l.Args, editName(e.ID))
		}
		w.put(l)
	}
	if a.Notes != b.Notes {
		w.put(Line{Verb: "notes", Args: []string{b.Notes}})
	}
	for id := range w.d.space.Classes {
		if k := uint8(id); a.Status[k] != b.Status[k] {
			w.put(Line{Verb: "status", Args: []string{w.d.space.className(k), statusNames[b.Status[k]]}})
		}
	}
	if a.Settings != b.Settings {
		w.put(b.Settings.line())
	}
	w.guards(a, b)
	return moved
}

var statusNames = [statuses]string{"not-started", "in-progress", "done", "flagged"}

// classes writes a set of classes.
func (w *scriptWriter) classes(ids []uint8) string {
	names := make([]string, len(ids))
	for i, c := range ids {
		names[i] = w.d.space.className(c)
	}
	return strings.Join(names, ",")
}

// guards writes what changed of protection and symmetry.
func (w *scriptWriter) guards(a, b *Scene) {
	p, q := a.Protection, b.Protection
	set := func(of [256]bool) string {
		var ids []uint8
		for i := range w.d.space.Classes {
			if of[i] {
				ids = append(ids, uint8(i))
			}
		}
		if len(ids) == 0 {
			return "none"
		}
		return w.classes(ids)
	}
	if p.Locked != q.Locked {
		w.put(Line{Verb: "locked", Args: []string{set(q.Locked)}})
	}
	if p.Hidden != q.Hidden {
		w.put(Line{Verb: "hidden", Args: []string{set(q.Hidden)}})
	}
	if p.Solo != q.Solo {
		name := "none"
		if q.Solo >= 0 {
			name = w.d.space.className(uint8(q.Solo))
		}
		w.put(Line{Verb: "solo", Args: []string{name}})
	}
	onOff := map[bool]string{true: "on", false: "off"}
	if p.PreserveOthers != q.PreserveOthers || p.Background != q.Background {
		l := Line{Verb: "protect", Args: []string{onOff[q.PreserveOthers]}}
		l.set("background", w.d.space.className(q.Background))
		w.put(l)
	}
	if a.Symmetry != b.Symmetry {
		l := Line{Verb: "symmetry", Args: []string{onOff[b.Symmetry.On]}}
		l.setInt("axis", b.Symmetry.Sum)
		var pairs []string
		for i, k := range b.Symmetry.Pairs {
			if a.Symmetry.Pairs[i] != k {
				pairs = append(pairs, strconv.Itoa(i)+"-"+strconv.Itoa(int(k)))
			}
		}
		if len(pairs) > 0 {
			l.set("pairs", strings.Join(pairs, ","))
		}
		w.put(l)
	}
}

// line is the settings as a line.
func (s Settings) line() Line {
	l := Line{Verb: "settings"}
	ints := []struct {
		name string
		v    int
	}{{"steps", s.Steps}, {"refine", s.RefineSteps}, {"dilation", s.Dilation}, {"feather", s.Feather}}
	if s.Search != "" {
		l.set("search", s.Search)
	}
	for _, k := range ints {
		if k.v != 0 {
			l.setInt(k.name, k.v)
		}
	}
	for _, k := range []struct {
		name string
		v    bool
	}{{"whole", s.WholeClasses}, {"live", s.Live}} {
		if k.v {
			l.set(k.name, "yes")
		}
	}
	return l
}

// painted writes the pixels that a node's stroke changed. What the model's labels did belongs to the lines after it.
func (w *scriptWriter) painted(n *node) error {
	if len(n.changes) == 0 {
		return nil
	}
	ch := n.changes[0]
	switch ch.Name() {
	case labelsLine, "run", "picture":
		return nil
	case "clear-region":
		w.put(Line{Verb: "clear-region"})
		return nil
	}
	labels, marks := w.canvas.LabelsCopy(), w.canvas.Marks().Pix
	if err := ch.Apply(w.canvas); err != nil {
		return fmt.Errorf("document: step %d: %w", n.id, err)
	}
	w.pixels(labels, marks, false)
	return ch.Revert(w.canvas)
}

// pixels writes the inks that lead from labels and marks to those of the walking canvas. From the beginning, pixels
// of another class than the base have been painted, whatever their marks say.
func (w *scriptWriter) pixels(labels *image.Paletted, marks []uint8, beginning bool) {
	c := w.canvas
	width := c.Bounds().Dx()
	now, was := c.Marks().Pix, marks
	const layers = canvas.Keep | canvas.Free
	paint := map[uint8][]bool{}
	sets := map[string][]bool{}
	in := func(name string) []bool {
		if sets[name] == nil {
			sets[name] = make([]bool, len(now))
		}
		return sets[name]
	}
	for i := range now {
		class := c.Labels().Pix[i]
		a, b := canvas.Mark(was[i]), canvas.Mark(now[i])
		if class != labels.Pix[i] || (a^b)&canvas.Touched != 0 {
			if b&canvas.Touched != 0 || beginning {
				if paint[class] == nil {
					paint[class] = make([]bool, len(now))
				}
				paint[class][i] = true
			} else {
				in("erase")[i] = true
			}
		}
		if (a^b)&layers != 0 {
			switch b & layers {
			case canvas.Keep:
				in("keep")[i] = true
			case canvas.Free:
				in("free")[i] = true
			default:
				in("unmark")[i] = true
			}
		}
	}
	for k := range 256 {
		if set := paint[uint8(k)]; set != nil {
			w.put(Line{Verb: "paint", Args: append([]string{w.d.space.className(uint8(k))}, spansOf(set, width)...)})
		}
	}
	for _, name := range []string{"erase", "keep", "free", "unmark"} {
		if set := sets[name]; set != nil {
			w.put(Line{Verb: name, Args: spansOf(set, width)})
		}
	}
}

// NewRunKey returns a name for an optimisation that no other of the session has.
func (d *Document) NewRunKey() string {
	top := 0
	see := func(text string) {
		for _, verb := range []string{"run r", "accept r"} {
			if rest, ok := strings.CutPrefix(text, verb); ok {
				digits, _, _ := strings.Cut(rest, " ")
				if n, err := strconv.Atoi(digits); err == nil {
					top = max(top, n)
				}
			}
		}
	}
	for _, n := range d.history.nodes {
		see(n.made)
		for _, text := range n.then {
			see(text)
		}
	}
	return "r" + strconv.Itoa(top+1)
}
