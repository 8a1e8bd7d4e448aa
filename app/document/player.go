package document

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"slices"
	"strconv"
	"strings"

	"latentbrush/canvas"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// Machine is what a script needs of a model: the engine behind an adapter, or a test's own.
type Machine interface {
	Renderer
	// Sample is the code of a random picture.
	Sample(seed uint64, truncation float64) latent.Code
	// Edit optimises from start until the labels are those of the task. Origin is the code before the edit.
	Edit(ctx context.Context, start, origin latent.Code, task Task, o RunOptions) iter.Seq2[RunStep, error]
	// Refine corrects what vectors did beside their aim.
	Refine(ctx context.Context, without, with latent.Code, classes []uint8, o RunOptions) iter.Seq2[RunStep, error]
	// Embed finds the code of a photo.
	Embed(ctx context.Context, name string, data []byte) (Source, latent.Code, error)
}

// Player does the actions of a script again.
type Player struct {
	Machine Machine
	// Photo reads the file of a photo by the name that the script has for it; nil finds none.
	Photo func(name string) ([]byte, error)
	// Vector finds a vector by its content; nil finds none. A vector that is neither found nor in the script is an error.
	Vector func(content, name string) (*vectors.Vector, error)
	// Kept is called with every edit that the script keeps as a vector; nil ignores them.
	Kept func(*vectors.Vector) error
	// Done is called after each line with how many of how many are done; nil is not.
	Done func(done, of int)

	doc   *Document
	s     *Script
	verbs map[string]func(context.Context, Line) error
	edits map[string]EditID
	runs  map[string]*Run
	codes map[string]map[int]latent.Code // of the runs, by number of step
	from  map[string]latent.Code         // origins of the runs
	// painted are the classes that a run was asked to change.
	painted map[string][]uint8
}

// Play does all of s to d, a new document.
func (p *Player) Play(ctx context.Context, s *Script, d *Document) error {
	return p.play(ctx, s, d, 0)
}

// PlayOn does what s recorded to another picture: d has one open, and of s only what comes after its beginning
// is done, see [Script.Begin].
func (p *Player) PlayOn(ctx context.Context, s *Script, d *Document) error {
	if !d.HasPicture() {
		return ErrNoPicture
	}
	return p.play(ctx, s, d, s.Begin())
}

func (p *Player) play(ctx context.Context, s *Script, d *Document, first int) error {
	p.doc, p.s, p.verbs = d, s, verbs(p)
	p.edits, p.runs = map[string]EditID{}, map[string]*Run{}
	p.codes, p.from = map[string]map[int]latent.Code{}, map[string]latent.Code{}
	p.painted = map[string][]uint8{}
	for i, l := range s.Lines {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i < first && l.Verb != "model" {
			continue
		}
		if err := p.line(ctx, l); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if l.Number > 0 {
				return fmt.Errorf("document: line %d of the script: %w", l.Number, err)
			}
			return fmt.Errorf("document: %q of the script: %w", l.Verb, err)
		}
		if p.Done != nil {
			p.Done(i+1-first, len(s.Lines)-first)
		}
	}
	return nil
}

// verbs are the actions that a script may have. Each finds the document as the lines before it left it.
func verbs(p *Player) map[string]func(context.Context, Line) error {
	return map[string]func(context.Context, Line) error{
		"model": p.checkModel, "begin": p.nothing, "open": p.open, labelsLine: p.labels, "relabel": p.relabel,
		"fill": p.fill, "paint": p.ink, "erase": p.ink, "keep": p.ink, "free": p.ink, "unmark": p.ink,
		"clear-region": p.canvasOp, "reset": p.canvasOp,
		"grow": p.classOp, "shrink": p.classOp, "smooth-class": p.classOp, "islands": p.classOp,
		"holes": p.classOp, "open-class": p.classOp, "close-class": p.classOp,
		"run": p.run, "accept": p.accept, "choose": p.choose, "refine": p.refine,
		"vector": p.vector, "strength": p.edit, "on": p.edit, "off": p.edit, "remove": p.edit,
		"rename": p.edit, "replace": p.replace, "delta": p.edit, "correct": p.edit, "uncorrect": p.edit, "save": p.edit,
		"start": p.start, "order": p.order,
		"notes": p.notes, "status": p.status, "settings": p.settings,
		"locked": p.guard, "hidden": p.guard, "solo": p.guard, "protect": p.guard, "symmetry": p.symmetry,
	}
}

func (p *Player) line(ctx context.Context, l Line) error {
	do, ok := p.verbs[l.Verb]
	if !ok {
		return fmt.Errorf("there is no action %q", l.Verb)
	}
	return do(ctx, l)
}

func (p *Player) nothing(context.Context, Line) error { return nil }

// checkModel refuses a script of another model.
func (p *Player) checkModel(_ context.Context, l Line) error {
	id, err := l.arg(0)
	if err != nil {
		return err
	}
	m := vectors.Model{ID: id}
	if len(l.Args) > 1 {
		m.Fingerprint = l.Args[1]
	}
	if have := p.doc.space.Model; !m.Fits(have) {
		return fmt.Errorf("it was recorded with %s, but the open model is %s: %w", m, have, vectors.ErrWrongModel)
	}
	return nil
}

// render makes the labels of a code, blank ones for a model without labels.
func (p *Player) render(ctx context.Context, code latent.Code) (*image.Paletted, error) {
	_, labels, err := p.Machine.Render(ctx, code)
	if err != nil {
		return nil, err
	}
	if labels == nil {
		labels = image.NewPaletted(p.doc.canvas.Bounds(), p.doc.space.Palette())
	}
	return labels, nil
}

func (p *Player) open(ctx context.Context, l Line) error {
	kind, err := l.arg(0)
	if err != nil {
		return err
	}
	what, err := l.arg(1)
	if err != nil {
		return err
	}
	var src Source
	var code latent.Code
	if text, ok := l.Get("seed"); ok {
		if src.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("seed %.40q is no number", text)
		}
	}
	if src.Truncation, err = l.float("truncation", 0, -10, 10); err != nil {
		return err
	}
	switch kind {
	case "seed":
		if src.Seed, err = strconv.ParseUint(what, 10, 64); err != nil {
			return fmt.Errorf("seed %.40q is no number", what)
		}
		src.Kind, src.Name = SeedSource, what
		code = p.Machine.Sample(src.Seed, src.Truncation)
	case "code":
		src.Kind = LatentSource
		if _, ok := l.Get("seed"); ok {
			src.Kind = SeedSource
		}
		src.Name, _ = l.Get("name")
		if code, err = p.s.code(what, p.doc.space.Rows, p.doc.space.Dim); err != nil {
			return err
		}
	case "photo":
		if src, code, err = p.photo(ctx, l, what); err != nil {
			return err
		}
	default:
		return fmt.Errorf("open %.40q: seed, photo or code expected", kind)
	}
	labels, err := p.render(ctx, code)
	if err != nil {
		return err
	}
	clear(p.edits)
	return p.doc.SetPicture(src, code, labels)
}

// photo opens a photo: with the code that the script has for it, or by embedding.
func (p *Player) photo(ctx context.Context, l Line, name string) (Source, latent.Code, error) {
	var data []byte
	var missing error = fmt.Errorf("the photo %q is not there", name)
	if p.Photo != nil {
		data, missing = p.Photo(name)
	}
	known, ok := l.Get("code")
	if !ok {
		if missing != nil {
			return Source{}, latent.Code{}, missing
		}
		return p.Machine.Embed(ctx, name, data)
	}
	code, err := p.s.code(known, p.doc.space.Rows, p.doc.space.Dim)
	if err != nil {
		return Source{}, latent.Code{}, err
	}
	src := Source{Kind: LatentSource, Name: name}
	if src.Difference, err = l.float("difference", 0, 0, 1e6); err != nil {
		return Source{}, latent.Code{}, err
	}
	if missing == nil {
		photo := &Photo{Name: name, Data: data}
		align, _ := l.Get("align")
		numbers := strings.Split(align, ",")
		if len(numbers) != len(photo.Align) {
			return Source{}, latent.Code{}, fmt.Errorf("align %.60q: six numbers expected", align)
		}
		for i, text := range numbers {
			if photo.Align[i], err = strconv.ParseFloat(text, 64); err != nil || photo.Align[i] != finite(photo.Align[i]) {
				return Source{}, latent.Code{}, fmt.Errorf("align %.60q: six numbers expected", align)
			}
		}
		src.Kind, src.Photo = PhotoSource, photo
	}
	return src, code, nil
}

// labels brings the base labels up to date with the code.
func (p *Player) labels(ctx context.Context, _ Line) error {
	if !p.doc.LabelsStale() {
		return nil
	}
	code := p.doc.Code()
	labels, err := p.render(ctx, code)
	if err != nil {
		return err
	}
	return p.doc.SyncLabels(code, labels)
}

// relabel gives the canvas the labels of the code, whatever was painted.
func (p *Player) relabel(ctx context.Context, _ Line) error {
	code := p.doc.Code()
	if code.Empty() {
		return ErrNoPicture
	}
	labels, err := p.render(ctx, code)
	if err != nil {
		return err
	}
	changes, err := p.doc.rebase("run", labels, false)
	if err != nil {
		return err
	}
	s := p.doc.scene.clone()
	s.LabelsOf = keyOf(code)
	p.doc.made = "relabel"
	p.doc.do(Label{Key: "labels"}, s, changes...)
	return nil
}

// ink paints pixels as they were painted, whatever locks and symmetry say now: they had their say then.
func (p *Player) ink(_ context.Context, l Line) error {
	ink, args := canvas.Ink{Kind: canvas.Original}, l.Args
	switch l.Verb {
	case "paint":
		name, err := l.arg(0)
		if err != nil {
			return err
		}
		class, err := p.doc.space.class(name)
		if err != nil {
			return err
		}
		ink, args = canvas.Ink{Kind: canvas.Paint, Class: class}, args[1:]
	case "keep":
		ink.Kind = canvas.MarkKeep
	case "free":
		ink.Kind = canvas.MarkFree
	case "unmark":
		ink.Kind = canvas.Unmark
	}
	c := p.doc.canvas
	protection, symmetry := c.Protection, c.Symmetry
	c.Protection, c.Symmetry = canvas.Protection{Solo: canvas.NoClass}, canvas.NewSymmetry(p.doc.space.Width)
	defer func() { c.Protection, c.Symmetry = protection, symmetry }()
	e, err := c.Begin(ink)
	if err != nil {
		return err
	}
	for _, text := range args {
		if err := eachSpan(text, p.doc.space.Width, p.doc.space.Height, e.Span); err != nil {
			e.Cancel()
			return err
		}
	}
	p.doc.Painted(e.Commit(l.Verb))
	return nil
}

// fill fills from a pixel on, with the locks and the symmetry that there are.
func (p *Player) fill(_ context.Context, l Line) error {
	var op canvas.FillOp
	for i, k := range []struct {
		to   *int
		size int
	}{{&op.X, p.doc.space.Width}, {&op.Y, p.doc.space.Height}} {
		text, err := l.arg(i)
		if err != nil {
			return err
		}
		if *k.to, err = strconv.Atoi(text); err != nil || *k.to < 0 || *k.to >= k.size {
			return fmt.Errorf("fill from %.40q, 0 to %d expected", text, k.size-1)
		}
	}
	name, _ := l.Get("class")
	class, err := p.doc.space.class(name)
	if err != nil {
		return err
	}
	op.Ink = canvas.Ink{Kind: canvas.Paint, Class: class}
	if text, ok := l.Get("ink"); ok {
		known := false
		for kind, name := range fillInks {
			if name == text {
				op.Ink.Kind, known = kind, true
			}
		}
		if !known {
			return fmt.Errorf("ink %.40q; original, keep, free or unmark expected", text)
		}
	}
	everywhere, _ := l.Get("everywhere")
	p.doc.Painted(p.doc.canvas.Fill("fill", op.X, op.Y, op.Ink, everywhere == "yes"))
	return nil
}

// take takes a change of the canvas into the document.
func (p *Player) take(l Line, ch *canvas.Change, err error) error {
	if err != nil {
		return err
	}
	return p.doc.As(l, func() error { p.doc.Painted(ch); return nil })
}

func (p *Player) canvasOp(_ context.Context, l Line) error {
	if l.Verb == "reset" {
		ch, err := p.doc.canvas.ResetLabels("reset")
		return p.take(Line{}, ch, err)
	}
	ch, err := p.doc.canvas.ResetRegion("clear-region")
	return p.take(Line{}, ch, err)
}

func (p *Player) classOp(_ context.Context, l Line) error {
	name, err := l.arg(0)
	if err != nil {
		return err
	}
	class, err := p.doc.space.class(name)
	if err != nil {
		return err
	}
	n := 1
	if len(l.Args) > 1 {
		if n, err = strconv.Atoi(l.Args[1]); err != nil || n < 0 || n > MaxSide*MaxSide {
			return fmt.Errorf("%.40q pixels", l.Args[1])
		}
	}
	ch, err := ClassOp(p.doc.canvas, l.Verb, class, n)
	return p.take(l, ch, err)
}

// ClassOp does one of the operations on a whole class that scripts know: "grow", "shrink" and "smooth-class",
// "open-class", "close-class" by n pixels, "islands" down to the largest (n = 0) or to those of n pixels, "holes" of fewer than n pixels.
func ClassOp(c *canvas.Canvas, op string, class uint8, n int) (*canvas.Change, error) {
	switch op {
	case "grow":
		return c.Expand(op, class, n, canvas.Cross)
	case "shrink":
		return c.Shrink(op, class, n, canvas.Cross)
	case "smooth-class":
		return c.Smooth(op, class, n, canvas.Median)
	case "open-class":
		return c.Smooth(op, class, n, canvas.Open)
	case "close-class":
		return c.Smooth(op, class, n, canvas.Close)
	case "islands":
		if n > 0 {
			return c.RemoveIslands(op, class, n)
		}
		return c.KeepLargest(op, class)
	case "holes":
		return c.FillHoles(op, class, n)
	}
	return nil, fmt.Errorf("document: there is no operation %q on a class", op)
}

// float reads a named number between lo and hi.
func (l Line) float(name string, otherwise, lo, hi float64) (float64, error) {
	text, ok := l.Get(name)
	if !ok {
		return otherwise, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= lo && v <= hi) {
		return 0, fmt.Errorf("%s is %.40q, a number from %v to %v expected", name, text, lo, hi)
	}
	return v, nil
}

// int reads a named whole number between lo and hi.
func (l Line) int(name string, otherwise, lo, hi int) (int, error) {
	text, ok := l.Get(name)
	if !ok {
		return otherwise, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < lo || v > hi {
		return 0, fmt.Errorf("%s is %.40q, a whole number from %d to %d expected", name, text, lo, hi)
	}
	return v, nil
}

// maxRunSteps bounds the steps that a script may ask for.
const maxRunSteps = 100_000

// options reads what [RunOptions.write] wrote.
func (l Line) options() (o RunOptions, err error) {
	o.Search, _ = l.Get("search")
	ints := []struct {
		name   string
		to     *int
		lo, hi int
	}{{"steps", &o.Steps, 0, maxRunSteps}, {"flat", &o.Flat, -1, maxRunSteps}, {"dilation", &o.Dilation, -1, MaxSide}}
	for _, k := range ints {
		if *k.to, err = l.int(k.name, 0, k.lo, k.hi); err != nil {
			return o, err
		}
	}
	floats := []struct {
		name string
		to   *float64
	}{{"rate", &o.Rate}, {"picture", &o.PictureWeight}, {"perceptual", &o.PerceptualWeight}, {"prior", &o.Prior}, {"identity", &o.IdentityWeight}, {"agreement", &o.Agreement}}
	for _, k := range floats {
		if *k.to, err = l.float(k.name, 0, -1, 1e6); err != nil {
			return o, err
		}
	}
	whole, _ := l.Get("whole")
	o.WholeClasses = whole == "yes"
	guess, _ := l.Get("guess")
	o.NoGuess = guess == "no"
	return o, nil
}

// run makes a part of an optimisation.
func (p *Player) run(ctx context.Context, l Line) error {
	key, err := l.arg(0)
	if err != nil {
		return err
	}
	o, err := l.options()
	if err != nil {
		return err
	}
	from, err := l.int("from", -1, 0, maxRunSteps)
	if err != nil {
		return err
	}
	first, err := l.int("first", 0, 0, maxRunSteps)
	if err != nil {
		return err
	}
	made, err := l.int("made", -1, 0, maxRunSteps)
	if err != nil {
		return err
	}
	task, err := p.doc.Task()
	if err != nil {
		return err
	}
	r := p.runs[key]
	start, origin := task.Code, task.Code
	if from >= 0 {
		var ok bool
		if r == nil {
			return fmt.Errorf("run %.40q has not begun", key)
		}
		if start, ok = p.codes[key][from]; !ok {
			return fmt.Errorf("run %.40q has no step %d", key, from)
		}
		origin = p.from[key]
	} else {
		r = &Run{Name: "run", Key: key, Start: task.Code}
		p.runs[key], p.codes[key], p.from[key] = r, map[int]latent.Code{}, task.Code
	}
	p.painted[key] = ChangedClasses(task.Base, task.Painted)
	if made == 0 {
		return nil
	}
	n := 0
	best := -1
	for s, err := range p.Machine.Edit(ctx, start, origin, task, o) {
		if err != nil {
			return err
		}
		s.Index += first
		p.codes[key][s.Index] = s.Code
		r.Add(s)
		if best < 0 || s.Loss < r.Steps[r.Best].Loss {
			best = s.Index
			r.Best = len(r.Steps) - 1
		}
		if n++; n == made {
			break
		}
	}
	if n < made {
		return fmt.Errorf("run %.40q ended after %d steps, %d were recorded: was it recorded on another device?", key, n, made)
	}
	return nil
}

// accept takes a step of a run; without a number the best one.
func (p *Player) accept(ctx context.Context, l Line) error {
	key, err := l.arg(0)
	if err != nil {
		return err
	}
	r := p.runs[key]
	if r == nil || len(r.Steps) == 0 {
		return fmt.Errorf("run %.40q has not been made", key)
	}
	i, err := p.step(r, l)
	if err != nil {
		return err
	}
	labels, err := p.render(ctx, r.Steps[i].Code)
	if err != nil {
		return err
	}
	as, asEdit := l.Get("as")
	if name, ok := l.Get("name"); ok {
		r.Name = name
	}
	var id EditID
	err = p.doc.As(Line{Verb: "accept", Args: l.Args, Keys: withoutKey(l.Keys, "as")}, func() error {
		id, err = p.doc.Accept(r, i, labels, asEdit, p.painted[key])
		return err
	})
	if asEdit && err == nil {
		p.edits[as] = id
	}
	return err
}

func withoutKey(keys []Key, name string) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.Name == name })
}

// step finds the step of a run that a line names. One that is not kept is put among the kept.
func (p *Player) step(r *Run, l Line) (int, error) {
	index, err := l.int("step", r.Steps[r.Best].Index, 0, maxRunSteps)
	if err != nil {
		return 0, err
	}
	if i := slices.IndexFunc(r.Steps, func(s RunStep) bool { return s.Index == index }); i >= 0 {
		return i, nil
	}
	code, ok := p.codes[r.Key][index]
	if !ok {
		return 0, fmt.Errorf("run %.40q has no step %d", r.Key, index)
	}
	at, _ := slices.BinarySearchFunc(r.Steps, index, func(s RunStep, i int) int { return s.Index - i })
	r.Steps = slices.Insert(r.Steps, at, RunStep{Index: index, Code: code})
	if len(r.Steps) > MaxRunSteps {
		r.Steps = r.Steps[:MaxRunSteps]
		at = min(at, MaxRunSteps-1)
		r.Steps[at] = RunStep{Index: index, Code: code}
	}
	r.Best = min(r.Best, len(r.Steps)-1)
	return at, nil
}

// ChangedClasses lists the classes that were painted or painted over.
func ChangedClasses(base, painted *image.Paletted) []uint8 {
	var seen [256]bool
	for i, p := range painted.Pix {
		if b := base.Pix[i]; b != p {
			seen[b], seen[p] = true, true
		}
	}
	var out []uint8
	for i, s := range seen {
		if s {
			out = append(out, uint8(i))
		}
	}
	return out
}

// choose takes another step of an accepted run.
func (p *Player) choose(_ context.Context, l Line) error {
	key, err := l.arg(0)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.doc.scene.Choices, func(c Choice) bool { return c.Run.Key == key })
	if i < 0 || key == "" {
		return fmt.Errorf("run %.40q is not part of the picture", key)
	}
	r := p.doc.scene.Choices[i].Run
	step, err := p.step(r, l)
	if err != nil {
		return err
	}
	return p.doc.Choose(r, step, nil)
}

func (p *Player) refine(ctx context.Context, l Line) error {
	id, err := p.editID(l)
	if err != nil {
		return err
	}
	o, err := l.options()
	if err != nil {
		return err
	}
	take, err := l.int("take", -1, 0, maxRunSteps)
	if err != nil {
		return err
	}
	without, with, err := p.doc.RefineCodes(id)
	if err != nil {
		return err
	}
	e, _ := p.doc.scene.Edit(id)
	var kept RunStep
	for s, err := range p.Machine.Refine(ctx, without, with, e.Classes, o) {
		if err != nil {
			return err
		}
		if s.Index == take || take < 0 && (kept.Code.Empty() || s.Loss < kept.Loss) {
			kept = s
		}
	}
	if kept.Code.Empty() {
		return fmt.Errorf("the refinement has no step %d", take)
	}
	return p.doc.As(l, func() error { return p.doc.SetRefined(id, kept.Code, kept.Index) })
}

// editID finds the edit that a line's first argument names.
func (p *Player) editID(l Line) (EditID, error) {
	name, err := l.arg(0)
	if err != nil {
		return 0, err
	}
	id, ok := p.edits[name]
	if !ok || p.doc.scene.index(id) < 0 {
		return 0, fmt.Errorf("%.40q: %w", name, ErrNoEdit)
	}
	return id, nil
}

// vector puts a vector on the stack: from the library, or as the script has it.
func (p *Player) vector(_ context.Context, l Line) error {
	as, err := l.arg(0)
	if err != nil {
		return err
	}
	strength, err := l.float("strength", 1, -MaxStrength, MaxStrength)
	if err != nil {
		return err
	}
	name, v, delta, err := p.found(l)
	if err != nil {
		return err
	}
	if v != nil {
		if p.edits[as], err = p.doc.AddVector("", v, strength); err != nil {
			return err
		}
		return p.doc.RenameEdit(p.edits[as], name)
	}
	var classes []uint8
	if text, ok := l.Get("classes"); ok {
		if classes, err = p.classes(text); err != nil {
			return err
		}
	}
	id, err := p.doc.AddDelta(name, delta, classes)
	if err != nil {
		return err
	}
	p.edits[as] = id
	if strength != 1 {
		return p.doc.SetStrength(id, strength, true)
	}
	return nil
}

// found is the vector that a line names as its second argument: of the library, or else the difference that the script has.
func (p *Player) found(l Line) (name string, v *vectors.Vector, delta latent.Code, err error) {
	if name, err = l.arg(1); err != nil {
		return "", nil, latent.Code{}, err
	}
	content, _ := l.Get("content")
	missing := fmt.Errorf("the vector %q is not in the library", name)
	if p.Vector != nil {
		if v, err = p.Vector(content, name); err == nil && v != nil {
			return name, v, latent.Code{}, nil
		} else if err != nil {
			missing = err
		}
	}
	data, ok := l.Get("delta")
	if !ok {
		return "", nil, latent.Code{}, missing
	}
	delta, err = p.s.code(data, p.doc.space.Rows, p.doc.space.Dim)
	return name, nil, delta, err
}

// replace puts a vector, or a difference that the script has, in the place of an edit.
func (p *Player) replace(_ context.Context, l Line) error {
	id, err := p.editID(l)
	if err != nil {
		return err
	}
	name, v, delta, err := p.found(l)
	if err != nil {
		return err
	}
	if v != nil {
		if err := p.doc.ReplaceEdit(id, "", v); err != nil {
			return err
		}
		return p.doc.RenameEdit(id, name)
	}
	if err := vectors.CheckName(name); err != nil {
		return err
	}
	return p.doc.replaceDelta(id, name, delta)
}

// classes reads a list of classes.
func (p *Player) classes(text string) ([]uint8, error) {
	if text == "none" {
		return nil, nil
	}
	var out []uint8
	for name := range strings.SplitSeq(text, ",") {
		c, err := p.doc.space.class(name)
		if err != nil {
			return nil, err
		}
		if len(out) >= 256 {
			return nil, errors.New("more than 256 classes")
		}
		out = append(out, c)
	}
	return out, nil
}

// edit changes an entry of the stack.
func (p *Player) edit(_ context.Context, l Line) error {
	id, err := p.editID(l)
	if err != nil {
		return err
	}
	d := p.doc
	switch l.Verb {
	case "on", "off":
		return d.SetOn(id, l.Verb == "on")
	case "remove":
		return d.RemoveEdit(id)
	case "uncorrect":
		s, i, err := d.edit(id)
		if err != nil {
			return err
		}
		s.Stack[i].Refined = Refined{}
		d.do(Label{Key: "edit.reset", Args: []string{s.Stack[i].Name}}, s)
		return nil
	}
	value, err := l.arg(1)
	if err != nil {
		return err
	}
	switch l.Verb {
	case "strength":
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("strength %.40q is no number", value)
		}
		return d.SetStrength(id, v, true)
	case "rename":
		return d.RenameEdit(id, value)
	case "save":
		v, err := d.VectorOf(id, value)
		if err != nil {
			return err
		}
		if p.Kept != nil {
			if err := p.Kept(v); err != nil {
				return err
			}
		}
		return d.LinkEdit(id, "", v)
	}
	code, err := p.s.code(value, d.space.Rows, d.space.Dim)
	if err != nil {
		return err
	}
	s, i, err := d.edit(id)
	if err != nil {
		return err
	}
	e := &s.Stack[i]
	if l.Verb == "delta" {
		return d.replaceDelta(id, e.Name, code)
	}
	steps, err := l.int("steps", 0, 0, maxRunSteps)
	if err != nil {
		return err
	}
	e.Refined = Refined{Correction: code, Strength: e.Strength, Steps: steps}
	d.do(Label{Key: "edit.refine", Args: []string{e.Name, strconv.Itoa(steps)}}, s)
	return nil
}

// start replaces the code before the edit stack.
func (p *Player) start(_ context.Context, l Line) error {
	name, err := l.arg(0)
	if err != nil {
		return err
	}
	if !p.doc.HasPicture() {
		return ErrNoPicture
	}
	code, err := p.s.code(name, p.doc.space.Rows, p.doc.space.Dim)
	if err != nil {
		return err
	}
	s := p.doc.scene.clone()
	s.Start = code
	p.doc.do(Label{Key: "run.accept", Args: []string{s.Source.Name}}, s)
	return nil
}

// order puts the whole stack into an order.
func (p *Player) order(_ context.Context, l Line) error {
	if len(l.Args) != len(p.doc.scene.Stack) {
		return fmt.Errorf("an order of %d edits, the stack has %d", len(l.Args), len(p.doc.scene.Stack))
	}
	for to := range l.Args {
		id, err := p.editID(Line{Verb: l.Verb, Args: l.Args[to:]})
		if err != nil {
			return err
		}
		if err := p.doc.MoveEdit(id, to); err != nil {
			return err
		}
	}
	return nil
}

func (p *Player) notes(_ context.Context, l Line) error {
	text, err := l.arg(0)
	if err != nil {
		return err
	}
	return p.doc.SetNotes(text)
}

func (p *Player) status(_ context.Context, l Line) error {
	name, err := l.arg(0)
	if err != nil {
		return err
	}
	class, err := p.doc.space.class(name)
	if err != nil {
		return err
	}
	state, err := l.arg(1)
	if err != nil {
		return err
	}
	i := slices.Index(statusNames[:], state)
	if i < 0 {
		return fmt.Errorf("state %.40q, one of %s expected", state, strings.Join(statusNames[:], ", "))
	}
	return p.doc.SetStatus(class, Status(i))
}

func (p *Player) settings(_ context.Context, l Line) (err error) {
	var s Settings
	s.Search, _ = l.Get("search")
	if len(s.Search) > maxLabel {
		return fmt.Errorf("search %.40q is not known", s.Search)
	}
	for _, k := range []struct {
		name string
		to   *int
	}{{"steps", &s.Steps}, {"refine", &s.RefineSteps}, {"dilation", &s.Dilation}, {"feather", &s.Feather}} {
		if *k.to, err = l.int(k.name, 0, -1, maxRunSteps); err != nil {
			return err
		}
	}
	whole, _ := l.Get("whole")
	live, _ := l.Get("live")
	s.WholeClasses, s.Live = whole == "yes", live == "yes"
	p.doc.SetSettings(s)
	return nil
}

// onOff reads the first argument of a switch.
func (l Line) onOff() (bool, error) {
	text, err := l.arg(0)
	if err != nil || text != "on" && text != "off" {
		return false, fmt.Errorf("%s %.40q: on or off expected", l.Verb, text)
	}
	return text == "on", nil
}

// guard changes locks and what is shown.
func (p *Player) guard(_ context.Context, l Line) error {
	text, err := l.arg(0)
	if err != nil {
		return err
	}
	to := p.doc.scene.Protection
	switch l.Verb {
	case "locked", "hidden":
		ids, err := p.classes(text)
		if err != nil {
			return err
		}
		var set [256]bool
		for _, c := range ids {
			set[c] = true
		}
		if l.Verb == "locked" {
			to.Locked = set
		} else {
			to.Hidden = set
		}
	case "solo":
		to.Solo = canvas.NoClass
		if text != "none" {
			c, err := p.doc.space.class(text)
			if err != nil {
				return err
			}
			to.Solo = int(c)
		}
	case "protect":
		if to.PreserveOthers, err = l.onOff(); err != nil {
			return err
		}
		if name, ok := l.Get("background"); ok {
			if to.Background, err = p.doc.space.class(name); err != nil {
				return err
			}
		}
	}
	p.doc.SetProtection(to)
	return nil
}

func (p *Player) symmetry(_ context.Context, l Line) error {
	to := p.doc.scene.Symmetry
	var err error
	if to.On, err = l.onOff(); err != nil {
		return err
	}
	if to.Sum, err = l.int("axis", to.Sum, -2*MaxSide, 4*MaxSide); err != nil {
		return err
	}
	if text, ok := l.Get("pairs"); ok {
		for pair := range strings.SplitSeq(text, ",") {
			a, b, _ := strings.Cut(pair, "-")
			i, err1 := strconv.Atoi(a)
			k, err2 := strconv.Atoi(b)
			if err1 != nil || err2 != nil || min(i, k) < 0 || max(i, k) >= len(p.doc.space.Classes) {
				return fmt.Errorf("pairs %.40q: numbers of classes expected, as 2-3,3-2", text)
			}
			to.Pairs[i] = uint8(k)
		}
	}
	p.doc.SetSymmetry(to)
	return nil
}
