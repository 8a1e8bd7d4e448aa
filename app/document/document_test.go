package document_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"latentbrush/app/document"
	"latentbrush/canvas"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// testSpace is a small model: 4 × 8 codes, pictures of 72 × 40 pixels (more than one tile), 5 classes.
func testSpace() document.Space {
	s := document.Space{
		Model: vectors.Model{ID: "test", Fingerprint: "feed"}, Rows: 4, Dim: 8, Width: 72, Height: 40,
	}
	for i, name := range []string{"background", "skin", "eye left", "eye right", "hair"} {
		s.Classes = append(s.Classes, document.Class{ID: uint8(i), Name: name, Colour: color.RGBA{uint8(40 * i), 99, 7, 255}, Pair: uint8(i)})
	}
	s.Classes[2].Pair, s.Classes[3].Pair = 3, 2
	return s
}

// fake renders codes without an engine: bands of classes that move with the code's numbers.
type fake struct{ space document.Space }

func (f fake) Render(_ context.Context, code latent.Code) (*image.RGBA, *image.Paletted, error) {
	var sum float64
	for _, x := range code.Data {
		sum += float64(x)
	}
	shift := int(math.Floor(sum * 4))
	labels := image.NewPaletted(image.Rect(0, 0, f.space.Width, f.space.Height), f.space.Palette())
	picture := image.NewRGBA(labels.Rect)
	n := len(f.space.Classes)
	for y := range f.space.Height {
		for x := range f.space.Width {
			k := (((x/9+y/11+shift)%n + n) % n)
			labels.SetColorIndex(x, y, uint8(k))
			picture.Set(x, y, color.RGBA{uint8(k * 50), uint8(shift), uint8(x), 255})
		}
	}
	return picture, labels, nil
}

func randomCode(seed uint64) latent.Code {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := latent.New(4, 8)
	for i := range c.Data {
		c.Data[i] = float32(rng.NormFloat64())
	}
	return c
}

func labelsOf(t interface{ Fatal(...any) }, code latent.Code) *image.Paletted {
	_, labels, err := fake{testSpace()}.Render(context.Background(), code)
	if err != nil {
		t.Fatal(err)
	}
	return labels
}

// sample is a document with the picture of a seed.
func sample(t interface{ Fatal(...any) }, seed uint64) *document.Document {
	d, err := document.New(testSpace())
	if err != nil {
		t.Fatal(err)
	}
	code := randomCode(seed)
	if err := d.SetPicture(document.Source{Kind: document.SeedSource, Seed: seed, Truncation: 0.7}, code, labelsOf(t, code)); err != nil {
		t.Fatal(err)
	}
	return d
}

// paint paints a rectangle of a class as one stroke.
func paint(t interface{ Fatal(...any) }, d *document.Document, r image.Rectangle, ink canvas.Ink) {
	e, err := d.Canvas().Begin(ink)
	if err != nil {
		t.Fatal(err)
	}
	for y := max(r.Min.Y, 0); y < min(r.Max.Y, 40); y++ {
		e.Span(y, r.Min.X, r.Max.X)
	}
	d.Painted(e.Commit("brush"))
}

func run(start latent.Code, seed uint64, steps int) *document.Run {
	r := &document.Run{Name: fmt.Sprint("run ", seed), Start: start, Reason: "all steps made"}
	for i := range steps {
		r.Add(document.RunStep{
			Index: i + 1, Code: start.AddScaled(float32(i+1)/float32(steps), randomCode(seed)), Loss: 1 / float64(i+1),
			Agreement: float64(i) / float64(steps), Elapsed: time.Duration(i) * time.Millisecond,
		})
	}
	r.Best = len(r.Steps) - 1
	return r
}

// state is all that can be seen of a document, to be compared.
type state struct {
	labels, base, marks string
	code                string
	stack               string
	notes               string
	status              string
	settings            document.Settings
	protection          canvas.Protection
	symmetry            canvas.Symmetry
	source              string
	choices             string
}

func see(d *document.Document) state {
	s := d.Scene()
	st := state{
		labels: string(d.Canvas().Labels().Pix), base: string(d.Canvas().Base().Pix), marks: string(d.Canvas().Marks().Pix),
		code: fmt.Sprint(d.Code().Data), notes: s.Notes, settings: s.Settings, protection: d.Canvas().Protection,
		symmetry: d.Canvas().Symmetry, source: fmt.Sprint(s.Source.Kind, s.Source.Seed, s.Source.Name),
	}
	if s.Source.Photo != nil {
		st.source += s.Source.Photo.Name + string(s.Source.Photo.Data)
	}
	for _, e := range s.Stack {
		st.stack += fmt.Sprintln(e)
	}
	for i := range uint8(5) {
		st.status += fmt.Sprint(s.Status[i])
	}
	for _, c := range s.Choices {
		st.choices += fmt.Sprintln(c.Run.Name, c.Step, c.Edit, c.Run.Steps)
	}
	return st
}

// compare fails with the first field that differs.
func compare(t interface{ Fatalf(string, ...any) }, what string, got, want state) {
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if !g.Field(i).Equal(w.Field(i)) {
			t.Fatalf("%s: %s is\n%.400v\nwant\n%.400v", what, g.Type().Field(i).Name, fmt.Sprintf("%q", fmt.Sprint(g.Field(i))), fmt.Sprintf("%q", fmt.Sprint(w.Field(i))))
		}
	}
}

// walker does random things to a document and remembers what every node looked like.
type walker struct {
	d    *document.Document
	seen map[document.NodeID]state
}

func (w *walker) remember() { w.seen[w.d.Current()] = see(w.d) }

// act does one random thing.
func (w *walker) act(t *rapid.T) {
	d := w.d
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	edits := d.Scene().Stack
	pick := func() document.EditID { return rapid.SampledFrom(edits).Draw(t, "edit").ID }
	action := rapid.IntRange(0, 17).Draw(t, "action")
	if len(edits) == 0 && action >= 6 && action <= 10 {
		action = 4
	}
	if !d.HasPicture() && action >= 4 && action <= 13 {
		action = 3
	}
	switch action {
	case 0, 1, 2:
		x, y := rapid.IntRange(-5, 70).Draw(t, "x"), rapid.IntRange(0, 39).Draw(t, "y")
		ink := canvas.Ink{Kind: rapid.SampledFrom([]canvas.InkKind{canvas.Paint, canvas.Original, canvas.MarkKeep, canvas.MarkFree}).Draw(t, "ink"), Class: uint8(rapid.IntRange(0, 4).Draw(t, "class"))}
		paint(t, d, image.Rect(x, y, x+rapid.IntRange(1, 30).Draw(t, "w"), y+9), ink)
	case 3:
		seed := rapid.Uint64Range(0, 99).Draw(t, "seed")
		code := randomCode(seed)
		check(d.SetPicture(document.Source{Kind: document.SeedSource, Seed: seed}, code, labelsOf(t, code)))
	case 4:
		_, err := d.AddDelta("delta", randomCode(rapid.Uint64Range(0, 99).Draw(t, "seed")), []uint8{1, 2})
		check(err)
	case 5:
		v := vectors.New("Smile", testSpace().Model, randomCode(rapid.Uint64Range(0, 99).Draw(t, "seed")))
		_, err := d.AddVector("smile", v, 0.5)
		check(err)
	case 6:
		id := pick()
		for range rapid.IntRange(0, 3).Draw(t, "moves") {
			check(d.SetStrength(id, rapid.Float64Range(-2, 2).Draw(t, "strength"), false))
		}
		// A gesture may be left without an end, as when undo comes in the middle of it.
		check(d.SetStrength(id, rapid.Float64Range(-2, 2).Draw(t, "strength"), rapid.Bool().Draw(t, "final")))
	case 7:
		check(d.SetOn(pick(), rapid.Bool().Draw(t, "on")))
	case 8:
		check(d.MoveEdit(pick(), rapid.IntRange(0, 5).Draw(t, "to")))
	case 9:
		check(d.RemoveEdit(pick()))
	case 10:
		id := pick()
		_, with, err := d.RefineCodes(id)
		check(err)
		check(d.SetRefined(id, with.AddScaled(0.1, randomCode(3)), 30))
	case 11:
		r := run(d.Code(), rapid.Uint64Range(0, 99).Draw(t, "seed"), 5)
		_, err := d.Accept(r, 3, labelsOf(t, r.Steps[3].Code), rapid.Bool().Draw(t, "as edit"), []uint8{1})
		check(err)
	case 12:
		if choices := d.Scene().Choices; len(choices) > 0 {
			c := rapid.SampledFrom(choices).Draw(t, "choice")
			check(d.Choose(c.Run, rapid.IntRange(0, len(c.Run.Steps)-1).Draw(t, "step"), nil))
		}
	case 13:
		_, err := d.Refresh(context.Background(), fake{testSpace()})
		check(err)
	case 14:
		check(d.SetNotes(rapid.StringN(0, 10, 40).Draw(t, "notes")))
	case 15:
		check(d.SetStatus(uint8(rapid.IntRange(0, 4).Draw(t, "class")), document.Status(rapid.IntRange(0, 3).Draw(t, "status"))))
	case 16:
		p := d.Scene().Protection
		p.Locked[rapid.IntRange(0, 4).Draw(t, "class")] = rapid.Bool().Draw(t, "locked")
		d.SetProtection(p)
		w.remember()
		s := d.Scene().Symmetry
		s.On = rapid.Bool().Draw(t, "mirror")
		d.SetSymmetry(s)
	case 17:
		settings := d.Scene().Settings
		settings.Steps = rapid.IntRange(0, 100).Draw(t, "steps")
		d.SetSettings(settings)
	}
	w.remember()
}

// travel goes to a random place of the history and checks what is there.
func (w *walker) travel(t *rapid.T) {
	d := w.d
	switch rapid.IntRange(0, 2).Draw(t, "travel") {
	case 0:
		if err := d.Undo(); err != nil && !errors.Is(err, document.ErrNoStep) {
			t.Fatal(err)
		}
	case 1:
		if err := d.Redo(); err != nil && !errors.Is(err, document.ErrNoStep) {
			t.Fatal(err)
		}
	default:
		nodes := d.Nodes()
		if err := d.Jump(nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, "node")].ID); err != nil {
			t.Fatal(err)
		}
	}
	if want, ok := w.seen[d.Current()]; ok {
		compare(t, fmt.Sprint("step ", d.Current()), see(d), want)
	} else {
		w.remember() // an intermediate step of an action
	}
}

func TestRandomWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &walker{sample(t, 1), map[document.NodeID]state{}}
		w.remember()
		for range rapid.IntRange(1, 25).Draw(t, "n") {
			if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
				w.travel(t)
			} else {
				w.act(t)
			}
		}
		// Every node is still there and as it was, also in a copy that went through a file.
		var file bytes.Buffer
		if err := document.Write(&file, w.d); err != nil {
			t.Fatal(err)
		}
		back, err := document.Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "read back", see(back), see(w.d))
		if !reflect.DeepEqual(back.Nodes(), w.d.Nodes()) || back.Current() != w.d.Current() {
			t.Fatalf("the history became\n%v\nwas\n%v", back.Nodes(), w.d.Nodes())
		}
		for _, d := range []*document.Document{w.d, back} {
			for id, want := range w.seen {
				if err := d.Jump(id); err != nil {
					t.Fatal(err)
				}
				compare(t, fmt.Sprint("step ", id), see(d), want)
			}
		}
	})
}

func TestUndoIsByteIdentical(t *testing.T) {
	d := sample(t, 1)
	start, first := see(d), d.Current()
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 250 {
		x, y := rng.IntN(70), rng.IntN(38)
		paint(t, d, image.Rect(x, y, x+9, y+7), canvas.Ink{Kind: canvas.Paint, Class: uint8(i % 5)})
	}
	end := see(d)
	steps := 0
	for d.Current() != first {
		if err := d.Undo(); err != nil {
			t.Fatal(err)
		}
		steps++
	}
	if steps < 200 {
		t.Errorf("%d steps were undone, at least 200 expected", steps)
	}
	compare(t, "undone", see(d), start)
	for range steps {
		if err := d.Redo(); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, "redone", see(d), end)
	if err := d.Redo(); !errors.Is(err, document.ErrNoStep) {
		t.Errorf("redo at the end: %v", err)
	}
}

func TestCodeIsTheSumOfTheStack(t *testing.T) {
	d := sample(t, 1)
	want := randomCode(1)
	var ids []document.EditID
	for i := range 8 {
		id, err := d.AddDelta(fmt.Sprint(i), randomCode(uint64(10+i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		strength := float64(i) - 3.5
		if err := d.SetStrength(id, strength, true); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := d.SetOn(id, false); err != nil {
				t.Fatal(err)
			}
		} else {
			want = want.AddScaled(float32(strength), randomCode(uint64(10+i)))
		}
		ids = append(ids, id)
	}
	near := func(what string) {
		t.Helper()
		for i, x := range d.Code().Data {
			if math.Abs(float64(x-want.Data[i])) > 1e-5 {
				t.Fatalf("%s: component %d is %g, %g expected", what, i, x, want.Data[i])
			}
		}
	}
	near("all")
	before := d.Code()
	for range 5 {
		if err := d.MoveEdit(ids[0], len(ids)-1); err != nil {
			t.Fatal(err)
		}
		ids = append(ids[1:], ids[0])
		for i, x := range d.Code().Data {
			if math.Abs(float64(x-before.Data[i])) > 1e-6 {
				t.Fatalf("another order moved component %d by %g", i, x-before.Data[i])
			}
		}
	}
	// A correction holds only at the strength that it was made for.
	_, with, err := d.RefineCodes(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	refined := with.AddScaled(0.25, randomCode(50))
	if err := d.SetRefined(ids[0], refined, 30); err != nil {
		t.Fatal(err)
	}
	want = refined
	near("refined")
	e, _ := d.Scene().Edit(ids[0])
	old := e.Strength
	if err := d.SetStrength(ids[0], old+1, true); err != nil {
		t.Fatal(err)
	}
	want = with.AddScaled(1, e.Delta)
	near("moved")
	if err := d.SetStrength(ids[0], old, true); err != nil {
		t.Fatal(err)
	}
	want = refined
	near("moved back")
}

func TestSliderMovesAreOneStep(t *testing.T) {
	d := sample(t, 1)
	id, err := d.AddDelta("a", randomCode(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := len(d.Nodes())
	var changes int
	stop := d.Subscribe(func(a document.Aspect) {
		if a&document.Code != 0 {
			changes++
		}
	})
	defer stop()
	for i := range 100 {
		if err := d.SetStrength(id, 1.01+float64(i)/100, i == 99); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(d.Nodes()) - n; got != 1 || changes != 100 {
		t.Errorf("%d steps and %d notifications, 1 and 100 expected", got, changes)
	}
	if err := d.Undo(); err != nil {
		t.Fatal(err)
	}
	if e, _ := d.Scene().Edit(id); e.Strength != 1 {
		t.Errorf("undo led to %v", e.Strength)
	}
	if err := d.SetStrength(id, 0.5, true); err != nil {
		t.Fatal(err)
	}
	if len(d.Nodes())-n != 2 {
		t.Error("a move after undo did not make a branch")
	}
}

func TestOptimisationsUndoAndScrub(t *testing.T) {
	d := sample(t, 1)
	paint(t, d, image.Rect(5, 5, 30, 30), canvas.Ink{Kind: canvas.Paint, Class: 4})
	before := see(d)
	r := run(d.Code(), 5, 60)
	id, err := d.Accept(r, r.Best, labelsOf(t, r.Steps[r.Best].Code), true, []uint8{4})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Code().Distance(r.Steps[r.Best].Code); got > 1e-5 {
		t.Errorf("the code is %g away from the run's", got)
	}
	if d.LabelsStale() {
		t.Error("the labels are said to be stale")
	}
	if n := d.Canvas().Region(); slices.Contains(n.Pix, 255) {
		t.Error("a region is left after accepting")
	}
	if err := d.Choose(r, 10, nil); err != nil {
		t.Fatal(err)
	}
	if got := d.Code().Distance(r.Steps[10].Code); got > 1e-5 || !d.LabelsStale() {
		t.Errorf("step 10: the code is %g away, stale %v", got, d.LabelsStale())
	}
	if e, _ := d.Scene().Edit(id); e.Strength != 1 {
		t.Errorf("strength %v", e.Strength)
	}
	for range 2 {
		if err := d.Undo(); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, "before the run", see(d), before)
	other := run(randomCode(99), 5, 3)
	if _, err := d.Accept(other, 0, labelsOf(t, other.Start), false, nil); err == nil {
		t.Error("a run of another picture was accepted")
	}
}

func TestLabelsFollowWhereNotPainted(t *testing.T) {
	d := sample(t, 1)
	id, err := d.AddDelta("a", randomCode(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	paint(t, d, image.Rect(10, 10, 20, 20), canvas.Ink{Kind: canvas.Paint, Class: 4})
	p := d.Scene().Protection
	p.Locked[1] = true
	d.SetProtection(p)
	if err := d.SetStrength(id, 2, true); err != nil {
		t.Fatal(err)
	}
	if !d.LabelsStale() {
		t.Fatal("the labels are not stale")
	}
	n := len(d.Nodes())
	if _, err := d.Refresh(context.Background(), fake{testSpace()}); err != nil {
		t.Fatal(err)
	}
	if d.LabelsStale() || len(d.Nodes()) != n {
		t.Errorf("stale %v, %d new steps", d.LabelsStale(), len(d.Nodes())-n)
	}
	want := labelsOf(t, d.Code())
	for y := range 40 {
		for x := range 72 {
			expect := want.ColorIndexAt(x, y)
			if got := d.Canvas().Base().ColorIndexAt(x, y); got != expect {
				t.Fatalf("base class at (%d, %d) is %d, %d expected", x, y, got, expect)
			}
			if d.Canvas().MarkAt(x, y)&canvas.Touched != 0 {
				expect = 4
			}
			if got := d.Canvas().Labels().ColorIndexAt(x, y); got != expect {
				t.Fatalf("class at (%d, %d) is %d, %d expected", x, y, got, expect)
			}
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	d := sample(t, 1)
	d.SetHistoryLimits(300, 1<<20)
	for i := range 1000 {
		paint(t, d, image.Rect(i%70, i%30, i%70+3, i%30+9), canvas.Ink{Kind: canvas.Paint, Class: uint8(i % 5)})
		if i%10 == 0 {
			if err := d.Undo(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(d.Nodes()); n > 300 || n < 200 {
		t.Errorf("%d nodes, 200 to 300 expected", n)
	}
	end := see(d)
	steps := 0
	for d.Undo() == nil {
		steps++
	}
	if steps < 200 {
		t.Errorf("%d steps can be undone", steps)
	}
	for d.Redo() == nil {
	}
	compare(t, "redone", see(d), end)

	// Large runs are dropped when memory is short, whatever the number of nodes.
	d = sample(t, 1)
	d.SetHistoryLimits(0, 256<<10)
	for i := range 100 {
		r := run(d.Code(), uint64(i), 80)
		if _, err := d.Accept(r, 79, labelsOf(t, r.Steps[79].Code), false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if d.HistoryBytes() > 2*256<<10+64<<10 {
		t.Errorf("the history holds %d bytes", d.HistoryBytes())
	}
}

func TestVectorOfAnEdit(t *testing.T) {
	d := sample(t, 1)
	r := run(d.Code(), 5, 60)
	id, err := d.Accept(r, 59, labelsOf(t, r.Steps[59].Code), true, []uint8{2, 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetStrength(id, 1.5, true); err != nil {
		t.Fatal(err)
	}
	_, with, err := d.RefineCodes(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetRefined(id, with.AddScaled(0.1, randomCode(3)), 10); err != nil {
		t.Fatal(err)
	}
	before := d.Code()
	v, err := d.VectorOf(id, "Fringe")
	if err != nil {
		t.Fatal(err)
	}
	if v.Learnt.Steps != 60 || v.Learnt.Seed != 1 || len(v.Classes) != 2 || v.Classes[1].Name != "hair" || v.Model != testSpace().Model {
		t.Errorf("%+v", v.Facts)
	}
	if err := d.LinkEdit(id, "fringe", v); err != nil {
		t.Fatal(err)
	}
	if e, _ := d.Scene().Edit(id); e.Strength != 1 || e.Library != "fringe" || e.Name != "Fringe" {
		t.Errorf("%+v", e)
	}
	if got := d.Code().Distance(before); got > 1e-5 {
		t.Errorf("saving moved the code by %g", got)
	}
	if err := d.SetStrength(id, 0, true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.VectorOf(id, "Nothing"); err == nil {
		t.Error("a vector of strength 0 was made")
	}
}

func TestImportMask(t *testing.T) {
	d := sample(t, 1)
	p := d.Scene().Protection
	p.Locked[2], p.PreserveOthers = true, true
	d.SetProtection(p)
	s := d.Scene().Symmetry
	s.On = true
	d.SetSymmetry(s)
	old, mask := d.Canvas().LabelsCopy(), labelsOf(t, randomCode(2))
	if err := d.ImportMask(mask); err != nil {
		t.Fatal(err)
	}
	for i, v := range d.Canvas().Labels().Pix {
		want := mask.Pix[i]
		if old.Pix[i] == 2 || want == 2 {
			want = old.Pix[i]
		}
		touched := canvas.Mark(d.Canvas().Marks().Pix[i])&canvas.Touched != 0
		if v != want || touched != (want != old.Pix[i]) {
			t.Fatalf("pixel %d is %d, touched %v; %d expected", i, v, touched, want)
		}
	}
	if err := d.Undo(); err != nil || !slices.Equal(d.Canvas().Labels().Pix, old.Pix) {
		t.Errorf("undo: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	d, err := document.New(testSpace())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddDelta("a", randomCode(1), nil); !errors.Is(err, document.ErrNoPicture) {
		t.Errorf("an edit without a picture: %v", err)
	}
	d = sample(t, 1)
	if _, err := d.AddVector("x", vectors.New("wheel", vectors.Model{ID: "car", Fingerprint: "beef"}, randomCode(1)), 1); !errors.Is(err, vectors.ErrWrongModel) {
		t.Errorf("another model: %v", err)
	}
	if err := d.SetStrength(99, 1, true); !errors.Is(err, document.ErrNoEdit) {
		t.Errorf("no edit: %v", err)
	}
	if _, err := d.AddDelta("a", latent.New(3, 8), nil); err == nil {
		t.Error("a delta of another size")
	}
	id, err := d.AddDelta("a", randomCode(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetStrength(id, math.NaN(), true); err == nil {
		t.Error("a strength of NaN")
	}
	e, err := d.Canvas().Begin(canvas.Ink{Kind: canvas.Paint, Class: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Undo(); !errors.Is(err, canvas.ErrBusy) {
		t.Errorf("undo within a stroke: %v", err)
	}
	if err := d.Save(filepath.Join(t.TempDir(), "a.lbproj")); !errors.Is(err, canvas.ErrBusy) {
		t.Errorf("save within a stroke: %v", err)
	}
	e.Cancel()
}

func TestRunKeepsFewSteps(t *testing.T) {
	r := &document.Run{Start: randomCode(1)}
	for i := range 1000 {
		loss := 1 + float64(i)
		if i == 333 {
			loss = 0.5
		}
		r.Add(document.RunStep{Index: i, Code: r.Start, Loss: loss})
	}
	if len(r.Steps) > document.MaxRunSteps || r.Steps[0].Index != 0 || r.Steps[len(r.Steps)-1].Index != 999 {
		t.Errorf("%d steps, %d to %d", len(r.Steps), r.Steps[0].Index, r.Steps[len(r.Steps)-1].Index)
	}
	if r.Steps[r.Best].Index != 333 {
		t.Errorf("the best step is %d, 333 expected", r.Steps[r.Best].Index)
	}
}
