package document_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"latentbrush/app/document"
	"latentbrush/canvas"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// machine is a model whose optimisations move the code by a fixed amount a step, depending on the painted labels and
// the options, so that a replay with other labels or options would be found out.
type machine struct {
	fake
	edits int // optimisations made
}

func (m *machine) Sample(seed uint64, _ float64) latent.Code { return randomCode(seed) }

func (m *machine) Edit(ctx context.Context, start, _ latent.Code, task document.Task, o document.RunOptions) iter.Seq2[document.RunStep, error] {
	m.edits++
	var sum uint64
	for i, p := range task.Painted.Pix {
		sum = sum*31 + uint64(p) + uint64(task.Touched.Pix[i]) + uint64(task.Keep.Pix[i])<<3
	}
	way := randomCode(sum%1000 + uint64(o.Steps))
	return func(yield func(document.RunStep, error) bool) {
		for i := range max(o.Steps, 4) {
			if err := ctx.Err(); err != nil {
				yield(document.RunStep{}, err)
				return
			}
			s := document.RunStep{Index: i, Code: start.AddScaled(float32(i)*0.05, way), Loss: 1 / float64(i+1)}
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (m *machine) Refine(_ context.Context, _, with latent.Code, _ []uint8, o document.RunOptions) iter.Seq2[document.RunStep, error] {
	return func(yield func(document.RunStep, error) bool) {
		for i := range o.Steps {
			if !yield(document.RunStep{Index: i, Code: with.AddScaled(0.01*float32(i), randomCode(5)), Loss: float64(10 - i)}, nil) {
				return
			}
		}
	}
}

func (m *machine) Embed(_ context.Context, name string, data []byte) (document.Source, latent.Code, error) {
	if len(data) == 0 {
		return document.Source{}, latent.Code{}, errors.New("the photo is empty")
	}
	return document.Source{Kind: document.PhotoSource, Name: name, Photo: &document.Photo{Name: name, Data: data}}, randomCode(uint64(data[0])), nil
}

func newMachine() *machine { return &machine{fake: fake{testSpace()}} }

// optimise does what a window does: runs in one or more parts, and takes a step.
func optimise(t interface{ Fatal(...any) }, d *document.Document, m *machine, parts []int, asEdit bool, between func()) *document.Run {
	ctx := context.Background()
	o := document.RunOptions{Steps: 12, Search: "shared", Dilation: -1}
	r := &document.Run{Key: d.NewRunKey(), Name: "More hair", Start: d.Code()}
	last := d.Code()
	var classes []uint8
	for i, made := range parts {
		if i > 0 {
			between()
		}
		task, err := d.Task()
		if err != nil {
			t.Fatal(err)
		}
		classes = document.ChangedClasses(task.Base, task.Painted)
		at, from, first := d.Current(), -1, 0
		if i > 0 {
			from = r.Steps[len(r.Steps)-1].Index
			first = from + 1
		}
		n := 0
		for s, err := range m.Edit(ctx, last, r.Start, task, o) {
			if err != nil {
				t.Fatal(err)
			}
			s.Index += first
			r.Add(s)
			if n++; n == made {
				break
			}
		}
		last = r.Steps[len(r.Steps)-1].Code
		d.Note(at, document.RunLine(r.Key, from, first, n, o))
	}
	i := len(r.Steps) - 2
	r.Best = i
	err := d.As(document.AcceptLine(r.Key, r.Steps[i].Index, r.Name), func() error {
		_, err := d.Accept(r, i, labelsOf(t, r.Steps[i].Code), asEdit, classes)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// again writes the session of d as text and does it anew.
func again(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, d *document.Document, o document.ScriptOptions,
) (*document.Document, string) {
	s, err := d.Script(o)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := s.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	read, err := document.ParseScript(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	back, err := document.New(testSpace())
	if err != nil {
		t.Fatal(err)
	}
	p := &document.Player{Machine: newMachine()}
	if err := p.Play(context.Background(), read, back); err != nil {
		t.Fatalf("%v\n%.4000s", err, text.String())
	}
	return back, text.String()
}

// same fails where two documents differ in what a script promises: pixels to the byte, latents within 1e-5.
func same(t interface{ Fatalf(string, ...any) }, got, want *document.Document, script string) {
	for _, p := range []struct {
		name string
		a, b []uint8
	}{
		{"labels", got.Canvas().Labels().Pix, want.Canvas().Labels().Pix},
		{"base", got.Canvas().Base().Pix, want.Canvas().Base().Pix},
		{"marks", got.Canvas().Marks().Pix, want.Canvas().Marks().Pix},
	} {
		for i := range p.b {
			if p.a[i] != p.b[i] {
				t.Fatalf("%s at pixel (%d, %d) are %d, want %d\n%.5000s", p.name, i%72, i/72, p.a[i], p.b[i], script)
			}
		}
	}
	a, b := got.Code(), want.Code()
	if len(a.Data) != len(b.Data) {
		t.Fatalf("%d numbers in the code, want %d\n%.5000s", len(a.Data), len(b.Data), script)
	}
	for i := range b.Data {
		if math.Abs(float64(a.Data[i]-b.Data[i])) > 1e-5 {
			t.Fatalf("number %d of the code is %v, want %v\n%.5000s", i, a.Data[i], b.Data[i], script)
		}
	}
	x, y := got.Scene(), want.Scene()
	if !slices.EqualFunc(x.Stack, y.Stack, func(a, b document.Edit) bool {
		return a.Name == b.Name && a.Strength == b.Strength && a.On == b.On && a.RefinedNow() == b.RefinedNow() && slices.Equal(a.Classes, b.Classes)
	}) {
		t.Fatalf("the stack is\n%v\nwant\n%v\n%.5000s", x.Stack, y.Stack, script)
	}
	if x.Notes != y.Notes || fmt.Sprint(x.Status) != fmt.Sprint(y.Status) && len(x.Status)+len(y.Status) > 0 || x.Settings != y.Settings ||
		x.Protection != y.Protection || x.Symmetry != y.Symmetry {
		t.Fatalf("notes, states, settings, locks or symmetry differ:\n%+v\nwant\n%+v\n%.5000s", x, y, script)
	}
}

func TestScriptsOfRandomSessions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		w := &walker{sample(t, 1), map[document.NodeID]state{}}
		w.remember()
		for range rapid.IntRange(1, 25).Draw(t, "n") {
			switch rapid.IntRange(0, 11).Draw(t, "kind") {
			case 10:
				ink := canvas.Ink{Kind: canvas.InkKind(rapid.IntRange(0, 4).Draw(t, "ink")), Class: uint8(rapid.IntRange(0, 4).Draw(t, "class"))}
				x, y := rapid.IntRange(0, 71).Draw(t, "x"), rapid.IntRange(0, 39).Draw(t, "y")
				w.d.Painted(w.d.Canvas().Fill("fill", x, y, ink, rapid.Bool().Draw(t, "everywhere")))
			case 11:
				if stack := w.d.Scene().Stack; len(stack) > 0 {
					e := rapid.SampledFrom(stack).Draw(t, "edit")
					v := vectors.New("Other", testSpace().Model, randomCode(rapid.Uint64Range(1, 9).Draw(t, "vector")))
					if err := w.d.ReplaceEdit(e.ID, "", v); err != nil {
						t.Fatal(err)
					}
				}
			case 0, 1:
				w.travel(t)
			case 2:
				class, n := uint8(rapid.IntRange(0, 4).Draw(t, "class")), rapid.IntRange(1, 3).Draw(t, "by")
				op := rapid.SampledFrom([]string{"grow", "shrink", "smooth-class", "islands", "holes"}).Draw(t, "op")
				ch, err := document.ClassOp(w.d.Canvas(), op, class, n)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.d.As(w.d.OpLine(op, class, n), func() error { w.d.Painted(ch); return nil }); err != nil {
					t.Fatal(err)
				}
			case 3:
				if w.d.HasPicture() {
					parts := rapid.SliceOfN(rapid.IntRange(2, 9), 1, 3).Draw(t, "parts")
					optimise(t, w.d, m, parts, rapid.Bool().Draw(t, "as edit"), func() {
						paint(t, w.d, image.Rect(3, 3, 30, 9), canvas.Ink{Kind: canvas.Paint, Class: 2})
					})
				}
			case 4:
				ch, err := w.d.Canvas().ResetRegion("clear-region")
				if err != nil {
					t.Fatal(err)
				}
				w.d.Painted(ch)
			default:
				w.act(t)
			}
		}
		back, text := again(t, w.d, document.ScriptOptions{})
		same(t, back, w.d, text)
		// A project on the disk knows its script, too, and so does the replayed session.
		var file bytes.Buffer
		if err := document.Write(&file, w.d); err != nil {
			t.Fatal(err)
		}
		read, err := document.Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		third, text2 := again(t, read, document.ScriptOptions{})
		if text2 != text {
			t.Fatalf("after saving and opening the script is\n%s\nwas\n%s", text2, text)
		}
		same(t, third, w.d, text2)
	})
}

func TestScriptIsReadable(t *testing.T) {
	d, m := sample(t, 7), newMachine()
	paint(t, d, image.Rect(10, 5, 20, 30), canvas.Ink{Kind: canvas.Paint, Class: 4})
	optimise(t, d, m, []int{6, 5}, true, func() { paint(t, d, image.Rect(40, 5, 50, 8), canvas.Ink{Kind: canvas.MarkFree}) })
	id := d.Scene().Stack[0].ID
	for _, err := range []error{d.SetStrength(id, 1.5, true), d.SetNotes("line one\nline \"two\"")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Refresh(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	back, text := again(t, d, document.ScriptOptions{})
	same(t, back, d, text)
	for _, line := range []string{
		"latentbrush-script 1\nmodel test feed\nopen seed 7 truncation=0.7\npaint hair 5-29:10-19\n",
		"\nrun r1 made=6 search=shared steps=12 dilation=-1\nfree 5-7:40-49\n",
		"\nrun r1 from=5 first=6 made=5 search=shared steps=12 dilation=-1\naccept r1 step=9 name=\"More hair\" as=e1\n",
		"\nstrength e1 1.5\n", `notes "line one\nline \"two\""`, "\nlabels\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in the script\n%s", line, text)
		}
	}
	if strings.Contains(text, "data") {
		t.Errorf("the script has data, though everything in it can be made again:\n%s", text)
	}
}

// A recording that begins in the middle does to another picture what was done since.
func TestScriptPlaysOnAnotherPicture(t *testing.T) {
	d := sample(t, 1)
	paint(t, d, image.Rect(0, 0, 72, 40), canvas.Ink{Kind: canvas.Paint, Class: 1})
	from := d.Current()
	ch, err := document.ClassOp(d.Canvas(), "grow", 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.As(d.OpLine("grow", 2, 2), func() error { d.Painted(ch); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddDelta("Hair", randomCode(9), []uint8{4}); err != nil {
		t.Fatal(err)
	}
	s, err := d.Script(document.ScriptOptions{From: from})
	if err != nil {
		t.Fatal(err)
	}
	other := sample(t, 2)
	was := other.Code()
	count := other.Canvas().Count(2)
	if err := (&document.Player{Machine: newMachine()}).PlayOn(context.Background(), s, other); err != nil {
		t.Fatal(err)
	}
	if got := other.Code().Sub(was).Sub(randomCode(9)).Norm(); got > 1e-5 {
		t.Errorf("the code moved by something else than the edit: %v", got)
	}
	if other.Canvas().Count(2) < count || other.Canvas().Count(1) == 72*40 {
		t.Errorf("class 2 has %d pixels, had %d; class 1 %d", other.Canvas().Count(2), count, other.Canvas().Count(1))
	}
}

// Scripts that were not made by the program.
func TestScriptErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "it is no script",
		"\x89PNG":                              "it is no script",
		"latentbrush-script 2":                 "the script's version is 2",
		"latentbrush-script 1\nopen \"x":       "line 2",
		"latentbrush-script 1\nfly high":       "there is no action \"fly\"",
		"latentbrush-script 1\nrun r1 steps=3": "no picture",
		"latentbrush-script 1\nmodel other":    "recorded with other",
		"latentbrush-script 1\nopen seed x":    "seed \"x\" is no number",
		"latentbrush-script 1\nopen seed 1\npaint wing 1:2":          "no class \"wing\"",
		"latentbrush-script 1\nopen seed 1\npaint hair 1:2-99":       "within 72 × 40",
		"latentbrush-script 1\nopen seed 1\npaint hair 9999999999:2": "within 72 × 40",
		"latentbrush-script 1\nopen seed 1\naccept r1 step=3":        "run \"r1\" has not been made",
		"latentbrush-script 1\nopen seed 1\nvector e1 Smile":         "the vector \"Smile\" is not in the library",
		"latentbrush-script 1\nopen seed 1\nvector e1 Smile delta=d": "has no data \"d\"",
		"latentbrush-script 1\nopen seed 1\nstrength e9 1":           "not in the stack",
		"latentbrush-script 1\nopen photo p.jpg":                     "the photo \"p.jpg\" is not there",
		"latentbrush-script 1\nopen seed 1\nrun r1 made=99":          "ended after 4 steps",
		"latentbrush-script 1\nopen seed 1\nrun r1 steps=-3":         "steps is \"-3\"",
	} {
		s, err := document.ParseScript(strings.NewReader(text))
		if err == nil {
			d, _ := document.New(testSpace())
			err = (&document.Player{Machine: newMachine()}).Play(context.Background(), s, d)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want one with %q", text, err, want)
		}
	}
}

func TestScriptFindsVectors(t *testing.T) {
	d := sample(t, 1)
	v := vectors.New("Smile", testSpace().Model, randomCode(3))
	if _, err := d.AddVector("smile", v, 0.5); err != nil {
		t.Fatal(err)
	}
	s, err := d.Script(document.ScriptOptions{Known: func(content string) bool { return content == v.Content }})
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	back, _ := document.New(testSpace())
	p := &document.Player{Machine: newMachine(), Vector: func(content, name string) (*vectors.Vector, error) {
		asked = content + " " + name
		return v, nil
	}}
	if err := p.Play(context.Background(), s, back); err != nil {
		t.Fatal(err)
	}
	if asked != v.Content+" Smile" {
		t.Errorf("the vector was asked for as %q", asked)
	}
	same(t, back, d, "")
}

func TestPlayerStops(t *testing.T) {
	d, m := sample(t, 1), newMachine()
	paint(t, d, image.Rect(1, 1, 9, 9), canvas.Ink{Kind: canvas.Paint, Class: 1})
	optimise(t, d, m, []int{4}, true, nil)
	s, err := d.Script(document.ScriptOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	back, _ := document.New(testSpace())
	err = (&document.Player{Machine: m, Done: func(i, _ int) {
		if i == 3 {
			cancel()
		}
	}}).Play(ctx, s, back)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// FuzzScript reads any text. What is read prints and reads back as itself, and playing it does not panic.
func FuzzScript(f *testing.F) {
	f.Add("latentbrush-script 1\nmodel test feed\nopen seed 7 truncation=0.7\npaint hair 5-13:10-19,22\nrun r1 made=4 steps=4\naccept r1 step=2 name=x as=e1\nstrength e1 0.5\nlabels\n")
	f.Add("latentbrush-script 1\nopen seed 1\nlocked hair,skin\nhidden none\nsolo hair\nprotect on background=skin\nsymmetry on axis=70 pairs=2-3,3-2\nsettings steps=4 whole=yes\nnotes \"a\\nb\"\nstatus hair done\ngrow hair 3\nclear-region\n")
	f.Add("latentbrush-script 1\nopen code d1 seed=3 name=\"a b\"\nvector e2 X delta=d1 classes=1,2 strength=-1\norder e2\nrefine e2 steps=3 take=1\nsave e2 Y\nchoose r1 step=1\ndata d1 AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := document.ParseScript(strings.NewReader(text))
		if err != nil {
			return
		}
		var a, b bytes.Buffer
		if _, err := s.WriteTo(&a); err != nil {
			t.Fatal(err)
		}
		read, err := document.ParseScript(bytes.NewReader(a.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%q", err, a.String())
		}
		if _, err := read.WriteTo(&b); err != nil || a.String() != b.String() {
			t.Fatalf("%q became %q", a.String(), b.String())
		}
		if len(s.Lines) > 40 || strings.Contains(text, "00") {
			return // long optimisations teach nothing here
		}
		d, err := document.New(testSpace())
		if err != nil {
			t.Fatal(err)
		}
		if (&document.Player{Machine: newMachine()}).Play(context.Background(), s, d) == nil {
			if _, err := d.Script(document.ScriptOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestFillIsRecordedAsFill does a recorded fill on a picture whose class lies elsewhere: it fills that class, not the
// pixels of the first picture.
func TestFillIsRecordedAsFill(t *testing.T) {
	d := sample(t, 1)
	at := image.Pt(-1, -1)
	labels := d.Canvas().Labels()
	for i, k := range labels.Pix {
		if k == 4 {
			at = image.Pt(i%72, i/72)
			break
		}
	}
	d.Painted(d.Canvas().Fill("fill", at.X, at.Y, canvas.Ink{Kind: canvas.Paint, Class: 1}, true))
	back, text := again(t, d, document.ScriptOptions{})
	same(t, back, d, text)
	want := fmt.Sprintf("fill %d %d class=skin everywhere=yes\n", at.X, at.Y)
	if !strings.Contains(text, want) || strings.Contains(text, "\npaint ") {
		t.Fatalf("the script has no %q:\n%s", want, text)
	}
	other := sample(t, 2)
	k := other.Canvas().Labels().ColorIndexAt(at.X, at.Y)
	s, err := document.ParseScript(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := (&document.Player{Machine: newMachine()}).PlayOn(context.Background(), s, other); err != nil {
		t.Fatal(err)
	}
	if k != 1 && other.Canvas().Count(k) != 0 {
		t.Errorf("%d pixels of class %d are left", other.Canvas().Count(k), k)
	}
}

// TestReplacedVectorIsFound replaces an edit by a vector of the library, which the script names and does not copy.
func TestReplacedVectorIsFound(t *testing.T) {
	d := sample(t, 1)
	id, err := d.AddDelta("Mine", randomCode(3), []uint8{4})
	if err != nil {
		t.Fatal(err)
	}
	v := vectors.New("Mine, some rows", testSpace().Model, randomCode(4))
	v.Content = "c0ffee"
	if err := d.ReplaceEdit(id, "", v); err != nil {
		t.Fatal(err)
	}
	s, err := d.Script(document.ScriptOptions{Known: func(content string) bool { return content == v.Content }})
	if err != nil {
		t.Fatal(err)
	}
	last := s.Lines[len(s.Lines)-1]
	if _, copied := last.Get("delta"); last.Verb != "replace" || copied {
		t.Errorf("the last line is %q", last)
	}
	back, _ := document.New(testSpace())
	p := &document.Player{Machine: newMachine(), Vector: func(content, _ string) (*vectors.Vector, error) {
		if content == v.Content {
			return v, nil
		}
		return nil, nil
	}}
	if err := p.Play(context.Background(), s, back); err != nil {
		t.Fatal(err)
	}
	same(t, back, d, "")
	if e := back.Scene().Stack[0]; e.Content != v.Content {
		t.Errorf("the edit is of vector %q", e.Content)
	}
}
