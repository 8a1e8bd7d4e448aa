package document_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"latentbrush/app/document"
	"latentbrush/canvas"
	"latentbrush/engine/latent"
)

// rich is a document with something of everything.
func rich(t interface{ Fatal(...any) }) *document.Document {
	d := sample(t, 1)
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	code := randomCode(2)
	photo := &document.Photo{Name: "me.jpg", Data: bytes.Repeat([]byte("photo"), 1000), Align: [6]float64{2, 0, 10, 0, 2, 20}}
	check(d.SetPicture(document.Source{Kind: document.PhotoSource, Name: "me.jpg", Photo: photo, Difference: 0.12}, code, labelsOf(t, code)))
	paint(t, d, image.Rect(3, 3, 20, 20), canvas.Ink{Kind: canvas.Paint, Class: 4})
	paint(t, d, image.Rect(30, 3, 40, 20), canvas.Ink{Kind: canvas.MarkKeep})
	r := run(d.Code(), 5, 20)
	_, err := d.Accept(r, 19, labelsOf(t, r.Steps[19].Code), true, []uint8{4})
	check(err)
	check(d.Choose(r, 7, nil))
	id, err := d.AddDelta("Größe 大", randomCode(9), []uint8{2, 3})
	check(err)
	check(d.SetStrength(id, -0.75, true))
	check(d.SetNotes("first\nsecond"))
	check(d.SetStatus(4, document.Done))
	p := d.Scene().Protection
	p.Locked[2], p.Hidden[3], p.Solo = true, true, 4
	d.SetProtection(p)
	s := d.Scene().Symmetry
	s.On, s.Sum = true, 60
	d.SetSymmetry(s)
	d.SetSettings(document.Settings{Steps: 60, Search: "shared", Live: true})
	d.SetView(document.ViewState{Zoom: 2.5, X: 3, Y: 4, Layout: "split", Overlay: 0.5, Tool: "fill", Class: 4, Brush: 12})
	picture, _, err := fake{testSpace()}.Render(context.Background(), d.Code())
	check(err)
	check(d.SetThumb(picture))
	check(d.Undo())
	check(d.Undo())
	paint(t, d, image.Rect(50, 3, 60, 20), canvas.Ink{Kind: canvas.Paint, Class: 1}) // a branch
	return d
}

func encode(t interface{ Fatal(...any) }, d *document.Document) []byte {
	var b bytes.Buffer
	if err := document.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(raw []byte) (*document.Document, error) {
	return document.Read(bytes.NewReader(raw), int64(len(raw)))
}

func TestProjectKeepsEverything(t *testing.T) {
	d := rich(t)
	path := filepath.Join(t.TempDir(), "me.lbproj")
	if !d.Dirty() {
		t.Error("a document that was never saved has no unsaved changes")
	}
	if err := d.Save(path); err != nil {
		t.Fatal(err)
	}
	if d.Dirty() || d.Path() != path || d.Title() != "me" {
		t.Errorf("dirty %v, path %q, title %q", d.Dirty(), d.Path(), d.Title())
	}
	back, err := document.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "opened", see(back), see(d))
	if back.Dirty() || back.View() != d.View() || !reflect.DeepEqual(back.Space(), d.Space()) || !reflect.DeepEqual(back.Nodes(), d.Nodes()) {
		t.Errorf("dirty %v, view %+v, nodes %v", back.Dirty(), back.View(), back.Nodes())
	}
	if !bytes.Equal(encode(t, back), encode(t, d)) {
		t.Error("writing what was read gives other bytes")
	}
	// The work goes on: painting, undo over the old steps and a new edit whose id is free.
	paint(t, back, image.Rect(60, 30, 72, 40), canvas.Ink{Kind: canvas.Paint, Class: 0})
	id, err := back.AddDelta("new", randomCode(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Scene().Stack {
		if e.ID == id {
			t.Errorf("the id %d was given twice", id)
		}
	}
	if !back.Dirty() {
		t.Error("changes are not noticed")
	}
	if err := back.Undo(); err != nil {
		t.Fatal(err)
	}
	if err := back.Undo(); err != nil {
		t.Fatal(err)
	}
	if back.Dirty() {
		t.Error("back at the saved step there are unsaved changes")
	}
	for back.Undo() == nil {
	}
	if back.HasPicture() {
		t.Error("the first step has a picture")
	}
}

func TestFailedSaveKeepsTheOldFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	d := rich(t)
	if err := d.Save(filepath.Join(dir, "a.lbproj")); err == nil || !strings.Contains(err.Error(), "the project was not saved") {
		t.Errorf("saved into a folder that is not there: %v", err)
	}
	if !d.Dirty() || d.Path() != "" {
		t.Error("a failed save counts as saved")
	}
}

func TestDamagedProjects(t *testing.T) {
	raw := encode(t, rich(t))
	for cut := 0; cut < len(raw); cut += 1 + len(raw)/97 {
		if _, err := decode(raw[:cut]); !errors.Is(err, document.ErrDamaged) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for name, edit := range map[string]struct{ file, old, new, want string }{
		"format":  {"project.json", `"latentbrush-project"`, `"other"`, "format is"},
		"version": {"project.json", `"version":1`, `"version":2`, "version is 2"},
		"rows":    {"project.json", `"rows":4`, `"rows":0`, "codes of 0 × 8"},
		"huge":    {"project.json", `"rows":4`, `"rows":9999999`, "codes of 9999999"},
		"width":   {"project.json", `"width":72`, `"width":71`, "72 × 40 pixels, 71 × 40 expected"},
		"scene":   {"project.json", `"scene":0`, `"scene":99`, "refers to scene 99"},
		"parent":  {"project.json", `"id":2,"parent":1`, `"id":2,"parent":7`, "comes before its parent"},
		"current": {"project.json", `"current":`, `"current":99`, "is not in the history"},
		"codes":   {"project.json", `"codes":`, `"codes":9`, "codes"},
		"pixels":  {"labels/base.png", "", "no picture", "labels/base.png"},
		"numbers": {"codes.safetensors", "", "no tensors", "codes.safetensors"},
		"changes": {"changes.bin", "", "x", "changes are cut short"},
	} {
		bad := rezip(t, raw, func(file string, data []byte) []byte {
			if file != edit.file {
				return data
			}
			if edit.old == "" {
				return []byte(edit.new)
			}
			out := bytes.Replace(data, []byte(edit.old), []byte(edit.new), 1)
			if bytes.Equal(out, data) {
				t.Fatalf("%s: nothing to replace", name)
			}
			return out
		})
		if _, err := decode(bad); !errors.Is(err, document.ErrDamaged) || !strings.Contains(err.Error(), edit.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rezip rewrites the members of a zip file.
func rezip(t *testing.T, raw []byte, edit func(string, []byte) []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		part, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(edit(f.Name, data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, rich(f)))
	f.Add(encode(f, sample(f, 1)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := decode(raw)
		if err != nil {
			if !errors.Is(err, document.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		walkAll(t, d)
	})
}

// FuzzProjectJSON changes project.json alone, which a zip's checksums would hide from FuzzRead.
func FuzzProjectJSON(f *testing.F) {
	whole := encode(f, rich(f))
	r, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range r.File {
		if file.Name == "project.json" {
			in, err := file.Open()
			if err != nil {
				f.Fatal(err)
			}
			data, err := io.ReadAll(in)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		raw := rezip(t, whole, func(name string, data []byte) []byte {
			if name == "project.json" {
				return text
			}
			return data
		})
		if d, err := decode(raw); err == nil {
			walkAll(t, d)
		}
	})
}

// walkAll goes to every step, which may be refused but must not panic, and writes the document.
func walkAll(t *testing.T, d *document.Document) {
	for _, n := range d.Nodes() {
		if d.Jump(n.ID) == nil {
			see(d)
			d.Scene().Conflicts()
		}
	}
	if err := document.Write(io.Discard, d); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkSave writes a document of the default model's size with 400 strokes and 20 kept optimisations.
func BenchmarkSave(b *testing.B) {
	space := testSpace()
	space.Rows, space.Dim, space.Width, space.Height = 14, 256, 256, 256
	d, err := document.New(space)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	code := func() latent.Code {
		c := latent.New(14, 256)
		for i := range c.Data {
			c.Data[i] = float32(rng.NormFloat64())
		}
		return c
	}
	labels := image.NewPaletted(image.Rect(0, 0, 256, 256), space.Palette())
	photo := &document.Photo{Name: "me.jpg", Data: make([]byte, 4<<20)}
	if err := d.SetPicture(document.Source{Kind: document.PhotoSource, Photo: photo}, code(), labels); err != nil {
		b.Fatal(err)
	}
	for i := range 400 {
		e, err := d.Canvas().Begin(canvas.Ink{Kind: canvas.Paint, Class: uint8(i % 5)})
		if err != nil {
			b.Fatal(err)
		}
		for y := range 24 {
			e.Span(i%230+y, i%200, i%200+50)
		}
		d.Painted(e.Commit("brush"))
		if i%20 != 0 {
			continue
		}
		r := &document.Run{Name: "run", Start: d.Code()}
		for k := range 60 {
			r.Add(document.RunStep{Index: k, Code: code()})
		}
		if _, err := d.Accept(r, 59, labels, true, nil); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(b.TempDir(), "a.lbproj")
	for b.Loop() {
		if err := d.Save(path); err != nil {
			b.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
	b.ReportMetric(float64(d.HistoryBytes())/1e6, "MB-held")
}
