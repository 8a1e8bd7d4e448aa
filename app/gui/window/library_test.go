package window_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/window"
	"latentbrush/app/gui/window/windowtest"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/inversion"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// tutor is a puppet that vectors can be learnt with and photos embedded in.
type tutor struct {
	*windowtest.Puppet
	renders atomic.Int64
	found   latent.Code // what an embedding arrives at
}

// Prior is that of the puppet's codes: independent, of the spread that seeds have.
func (p *tutor) Prior(context.Context) (*edit.Prior, error) {
	prior := &edit.Prior{Mean: make([]float32, windowtest.Dim)}
	for k := range windowtest.Dim {
		axis := make([]float32, windowtest.Dim)
		axis[k] = 1
		prior.Axes, prior.Deviations = append(prior.Axes, axis), append(prior.Deviations, 1)
	}
	return prior, nil
}

func (p *tutor) Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error) {
	p.renders.Add(1)
	return p.Puppet.Render(ctx, code, o)
}

// Readings says nothing of a picture, and SamePerson that two are as alike as not.
func (p *tutor) Readings(context.Context, *image.RGBA) ([]engine.Reading, error) {
	return []engine.Reading{{Value: 1}}, nil
}

func (p *tutor) SamePerson(a, b []engine.Reading) float64 { return 0.5 }

func (p *tutor) HasEncoder() bool { return true }

func (p *tutor) Encode(context.Context, *image.RGBA) (latent.Code, error) {
	return p.Sample(1, 0.7), nil
}

// EncoderError is lowest where the picture is reddest: the box is to find the red patch.
func (p *tutor) EncoderError(_ context.Context, m *image.RGBA) (float64, error) {
	sum := 0.0
	for i := 0; i < len(m.Pix); i += 4 {
		sum += float64(m.Pix[i]) - float64(m.Pix[i+1])
	}
	return 1 - sum/float64(len(m.Pix)/4)/255, nil
}

func (p *tutor) Embed(_ context.Context, r engine.EmbedRequest) iter.Seq2[engine.EmbedStep, error] {
	return func(yield func(engine.EmbedStep, error) bool) {
		p.found = p.Sample(5, 0.7)
		f, err := p.Puppet.Render(context.Background(), p.found, engine.RenderOptions{})
		for i := range 3 {
			s := engine.EmbedStep{Index: i, Total: 2, Code: p.found, Picture: f.Picture, Final: i == 2, PSNR: 12, Difference: inversion.MeanDifference(f.Picture, r.Picture)}
			if !yield(s, err) {
				return
			}
		}
	}
}

func (p *tutor) Fit(_ context.Context, s engine.EmbedStep) (engine.Fit, error) {
	return engine.Fit{PSNR: s.PSNR, Difference: s.Difference, Limits: inversion.DefaultRange}, nil
}

func newTutor(t *testing.T) (*rig, *tutor) {
	p := &tutor{Puppet: &windowtest.Puppet{Size: 96, Steps: 10}}
	r := newRig(t, func(o *window.Options) {
		o.Open = func(context.Context, string) (window.Engine, error) { return p, nil }
	})
	return r, p
}

// give puts a vector along one of the puppet's parameters into the library.
func (r *rig) give(name string, parameter int, amount float32) vectors.Entry {
	r.t.Helper()
	delta := latent.New(windowtest.Rows, windowtest.Dim)
	for row := range delta.Rows {
		delta.Row(row)[parameter] = amount
	}
	v := vectors.New(name, r.Document().Space().Model, delta)
	for _, c := range r.Document().Space().Classes {
		if strings.HasSuffix(c.Name, "_lip") || c.Name == "mouth_in" || c.Name == "teeth" {
			v.Classes = append(v.Classes, vectors.Class{ID: c.ID, Name: c.Name})
		}
	}
	e, err := r.Library().Add(v)
	if err != nil {
		r.t.Fatal(err)
	}
	r.do(r.RefreshLibrary)
	return e
}

// A vector that was just kept is measured in idle time, and its slider's tint follows.
func TestCalibrateAfterSave(t *testing.T) {
	r, _ := newTutor(t)
	e := r.give("Wide", windowtest.MouthWidth, 1.5)
	r.do(func() { r.ApplyVector(e.ID) })
	r.do(func() { r.Calibrate(e.ID) })
	r.wait("the calibration", func() bool {
		got, err := r.Library().Entry(e.ID)
		_, _, ok := got.Calibration.Safe()
		return err == nil && ok
	})
	got, err := r.Library().Load(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Learnt.Detail["statistic"]; !strings.HasPrefix(s, "width(") {
		t.Errorf("the vector is about %q, want a width", s)
	}
	if got.Calibration.UnitEffect <= 0 {
		t.Errorf("the effect of strength 1 is %g", got.Calibration.UnitEffect)
	}
	lo, hi, _ := got.Calibration.Safe()
	r.wait("the slider's tint", func() bool { s := r.RowSlider(0); return s.SafeLo == lo && s.SafeHi == hi })
}

// What is made in idle time waits while the user is at work, and gives way at once.
func TestIdleRendersGiveWay(t *testing.T) {
	r, p := newTutor(t)
	e := r.give("Wide", windowtest.MouthWidth, 1.5)
	r.do(func() { r.Calibrate(e.ID) })
	r.wait("the survey to begin", func() bool { return p.renders.Load() > 40 })
	for range 20 {
		r.do(func() { r.Touch() })
		r.wait("a moment", func() bool { return true })
	}
	before := p.renders.Load()
	for range 50 {
		r.do(func() { r.Touch() })
		r.hold.Unlock()
		r.hold.Lock()
	}
	if n := p.renders.Load() - before; n > 2 {
		t.Errorf("%d pictures were made while the user was busy", n)
	}
}

func TestVectorTest(t *testing.T) {
	r, _ := newTutor(t)
	e := r.give("Wide", windowtest.MouthWidth, 3)
	r.do(func() { r.AboutVector(e.ID) })
	r.do(func() { tapText(t, control.TopSheet(), "Test on other pictures") })
	r.wait("the test", func() bool {
		got, err := r.Library().Entry(e.ID)
		return err == nil && got.Generalisation.Seeds > 0
	})
	v, err := r.Library().Load(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if v.Generalisation.Success < 0.4 || v.Sheet == nil || v.Generalisation.Leak > 20 {
		t.Errorf("success %.2f, leak %.2f, sheet %t", v.Generalisation.Success, v.Generalisation.Leak, v.Sheet != nil)
	}
	if s := v.Generalisation.SamePerson; math.Abs(s-0.5) > 1e-9 {
		t.Errorf("the same person by %v, want 0.5 as the model says", s)
	}
	r.shot("vector-test")
	r.do(func() { control.TopSheet().Close() })
}

// Two vectors that push the same way are flagged, and one click makes the one orthogonal
// to the other.
func TestResolveConflict(t *testing.T) {
	r, _ := newTutor(t)
	a, b := r.give("Wide", windowtest.MouthWidth, 1), r.give("Wider", windowtest.MouthWidth, 1.4)
	delta := latent.New(windowtest.Rows, windowtest.Dim)
	delta.Row(0)[3] = 0.5
	v, err := r.Library().Load(b.ID)
	if err != nil {
		t.Fatal(err)
	}
	mixed := vectors.New("Mixed", v.Model, v.Delta.Add(delta))
	m, err := r.Library().Add(mixed)
	if err != nil {
		t.Fatal(err)
	}
	r.do(func() { r.ApplyVector(a.ID) })
	r.do(func() { r.ApplyVector(m.ID) })
	if n := len(r.Document().Scene().Conflicts()); n != 1 {
		t.Fatalf("%d conflicts, want 1", n)
	}
	id := r.Document().Scene().Stack[1].ID
	nodes := len(r.Document().Nodes())
	r.do(func() { r.ResolveConflict(id) })
	s := r.Document().Scene().Stack
	if len(r.Document().Scene().Conflicts()) != 0 || s[1].Delta.Dot(s[0].Delta) > 1e-5 {
		t.Errorf("the conflict stays: %v", r.Document().Scene().Conflicts())
	}
	if n := len(r.Document().Nodes()) - nodes; n != 1 {
		t.Errorf("it took %d steps of the history, want 1", n)
	}
}

// Everything about several vectors at once: pick, rate, combine, share, delete, undo.
func TestLibraryPicks(t *testing.T) {
	var r *rig
	done := map[string]string{} // what the window said when it was done
	r = newRig(t, func(o *window.Options) {
		o.Open = func(context.Context, string) (window.Engine, error) {
			return &tutor{Puppet: &windowtest.Puppet{Size: 96, Steps: 10}}, nil
		}
		o.Trace = func(s string) {
			if r != nil {
				done[s] = r.Toast()
			}
		}
	})
	a, b := r.give("One", 3, 1), r.give("Two", 4, 1)
	r.do(func() { r.PickVectors(a.ID, b.ID) })
	r.do(func() { r.RateVectors(4) })
	for _, id := range []string{a.ID, b.ID} {
		if e, _ := r.Library().Entry(id); e.Rating != 4 {
			t.Errorf("%s has %d stars", id, e.Rating)
		}
	}
	r.do(func() { r.Table().Run("vector.combine") })
	r.do(func() { tapText(t, control.TopSheet(), "Subtract") })
	r.wait("the pictures of the result", func() bool { return r.AlgebraShown() })
	r.shot("algebra")
	r.do(func() { tapText(t, control.TopSheet(), "Keep in the library") })
	found := r.Library().Search(vectors.Query{Words: []string{"−"}})
	if len(found) != 1 || found[0].Recipe == nil || found[0].Recipe.Op != "subtract" {
		t.Fatalf("the difference is not in the library: %+v", found)
	}

	// A share pack, imported twice.
	pack := filepath.Join(r.dir, "mine.zip")
	r.picker.Paths = []string{pack}
	r.do(func() { r.PickVectors(a.ID, b.ID) })
	r.do(func() { r.Table().Run("vector.pack") })
	r.shot("pack")
	r.do(func() { tapText(t, control.TopSheet(), "Export…") })
	r.wait("the pack", func() bool { _, err := os.Stat(pack); return err == nil })
	r.do(func() { r.PickVectors(a.ID, b.ID) })
	r.do(func() { r.Table().Run("vector.delete") })
	if n := r.Library().Len(); n != 1 {
		t.Fatalf("%d vectors after two of three were deleted", n)
	}
	r.do(func() { r.OpenPath(pack) })
	r.wait("the import", func() bool { return done["pack 2 0 0"] != "" })
	r.do(func() { r.OpenPath(pack) })
	r.wait("the second import", func() bool { return done["pack 0 2 0"] != "" })
	if toast := done["pack 0 2 0"]; !strings.Contains(toast, "2 were there already") {
		t.Errorf("importing twice says %q", toast)
	}
	if n := r.Library().Len(); n != 3 {
		t.Errorf("%d vectors after importing twice, want 3", n)
	}

	// A broken file is shown and touches nothing else.
	if err := os.WriteFile(filepath.Join(r.Library().Dir(), "broken.safetensors"), []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.wait("the broken file", func() bool { return r.Library().Len() == 4 })
	r.wait("its cell", func() bool { return r.BrokenCells() == 1 })
}

// The ways to directions without painting.
func TestDiscover(t *testing.T) {
	r, _ := newTutor(t)
	r.do(func() { r.Table().Run("vector.examples") })
	r.wait("the examples", func() bool { return r.ExampleCount() == 32 })
	r.do(func() { r.MarkExamples("width(upper_lip,lower_lip)") })
	r.do(func() { tapText(t, control.TopSheet(), "Learn") })
	r.wait("the direction", func() bool { return r.ExampleLearnt() })
	r.shot("examples")
	r.do(func() { r.NameExample("Wide #mouth") })
	found := r.Library().Search(vectors.Query{Words: []string{"wide"}})
	if len(found) != 1 || found[0].Learnt.How != "examples" || len(found[0].Tags) != 1 {
		t.Fatalf("library: %+v", found)
	}
	r.do(func() { r.Table().Run("vector.axes") })
	r.shot("axes")
	r.do(func() { control.TopSheet().Close() })
	r.do(func() { r.Table().Run("vector.part") })
	r.shot("part")
	r.do(func() { control.TopSheet().Close() })
}

// The other picture that a part is taken from may be a photo, which is embedded first, or a
// picture that this program wrote, whose code is known.
func TestPartFromFile(t *testing.T) {
	r, p := newTutor(t)
	plain := image.NewRGBA(image.Rect(0, 0, 120, 120))
	for i := range plain.Pix {
		plain.Pix[i] = byte(200 - i%4*20)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, plain); err != nil {
		t.Fatal(err)
	}
	photo, own := filepath.Join(r.dir, "other.png"), filepath.Join(r.dir, "own.png")
	if err := os.WriteFile(photo, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r.do(func() {
		if err := r.Export(own, "picture", true); err != nil {
			t.Error(err)
		}
	})
	r.wait("the export", func() bool { _, err := os.Stat(own); return err == nil })
	r.do(func() { r.Table().Run("vector.part") })
	r.do(func() { r.OpenPart(photo) })
	r.wait("the box", func() bool { return r.CropBox() != nil })
	r.do(func() { r.CropBox().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn}) })
	r.wait("the photo's code", func() bool { c, name := r.PartReference(); return name == "other.png" && !c.Empty() })
	if c, _ := r.PartReference(); c.Distance(p.found) != 0 {
		t.Errorf("the code is %g from what the embedding found", c.Distance(p.found))
	}
	r.do(func() { r.OpenPart(own) })
	r.wait("the picture's own code", func() bool { _, name := r.PartReference(); return name == "own.png" })
	if c, _ := r.PartReference(); c.Distance(r.Document().Code()) > 1e-6 {
		t.Errorf("the code is %g from the document's", c.Distance(r.Document().Code()))
	}
	r.do(func() { control.TopSheet().Close() })
}

// Two versions side by side.
func TestCompareVectors(t *testing.T) {
	r, p := newTutor(t)
	a, b := r.give("One", windowtest.MouthWidth, 1), r.give("Two", windowtest.MouthWidth, 1.5)
	r.do(func() { r.PickVectors(a.ID) })
	if r.Table().Enabled("vector.compare") {
		t.Error("one vector can be compared")
	}
	r.do(func() { r.PickVectors(a.ID, b.ID) })
	before := p.renders.Load()
	r.do(func() { r.Table().Run("vector.compare") })
	r.wait("fifteen pictures", func() bool { return p.renders.Load() >= before+15 })
	r.shot("compare")
	r.do(func() { control.TopSheet().Close() })
}

// What is changed in the library is taken back by the message's button, and what was deleted in
// an earlier session comes back from the trash.
func TestLibraryUndo(t *testing.T) {
	r, _ := newTutor(t)
	e := r.give("One", 3, 1)
	r.do(func() { r.PickVectors(e.ID) })
	r.do(func() { r.RateVectors(3) })
	if got, _ := r.Library().Entry(e.ID); got.Rating != 3 {
		t.Fatalf("%d stars", got.Rating)
	}
	r.do(func() { tapText(t, r.Messages(), "Undo") })
	if got, _ := r.Library().Entry(e.ID); got.Rating != 0 {
		t.Errorf("%d stars after undo", got.Rating)
	}
	r.do(func() { r.PickVectors(e.ID) })
	r.do(func() { r.Table().Run("vector.delete") })
	if r.Library().Len() != 0 {
		t.Fatal("it was not deleted")
	}
	var trash *control.Finder
	r.do(func() { trash = r.ShowTrash() })
	if trash == nil || len(trash.Rows()) != 2 {
		t.Fatalf("the trash lists %v", trash)
	}
	r.do(trash.Accept)
	if got, err := r.Library().Entry(e.ID); err != nil || got.Content != e.Content {
		t.Errorf("from the trash: %+v, %v", got.Facts, err)
	}
}

// A vector that is kept from one of the library brings its facts along, and its pictures show it alone.
func TestKeepFromLibrary(t *testing.T) {
	r, _ := newTutor(t)
	a, b := r.give("One", windowtest.MouthWidth, 2), r.give("Two", 3, 1)
	if _, err := r.Library().Update(a.ID, func(v *vectors.Vector) error {
		v.Author, v.Learnt.How, v.Calibration.SafeLo, v.Calibration.SafeHi = "Ann", "statistic", -1, 2
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r.do(func() { r.ApplyVector(a.ID) })
	r.do(func() { r.ApplyVector(b.ID) })
	r.wait("the picture", r.SameAsDocument)
	id := r.Document().Scene().Stack[0].ID
	r.do(func() { r.KeepEdit(id, "Again") })
	r.wait("the vector", func() bool { return r.Library().Len() == 3 })
	v, err := r.Library().Load("again")
	if err != nil {
		t.Fatal(err)
	}
	if v.Author != "Ann" || v.Learnt.How != "statistic" || v.Calibration.SafeHi != 2 {
		t.Errorf("facts %+v", v.Facts)
	}
	if v.Before == nil || bytes.Equal(v.Before.Pix, v.After.Pix) {
		t.Error("its pictures do not show it")
	}
}

// A photo: its box is proposed, moved by hand, and embedded; outside edits the picture is
// the photo, and it goes back into the file at full size.
func TestPhotoByHand(t *testing.T) {
	r, p := newTutor(t)
	big := image.NewRGBA(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			c := color.RGBA{40, 60, uint8(80 + x%64), 255}
			if x >= 200 && x < 320 && y >= 100 && y < 220 {
				c = color.RGBA{230, 40, uint8(y), 255}
			}
			big.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, big, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, "photo.jpg")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r.do(func() { r.OpenPath(path) })
	r.wait("the box", func() bool { return r.CropBox() != nil })
	r.wait("the proposal", func() bool {
		x := r.CropBox().Box()
		return x.Width < 200 && x.X > 200 && x.X < 320 && x.Y > 90 && x.Y < 230
	})
	r.shot("crop")
	box := r.CropBox()
	before := box.Box()
	r.do(func() {
		box.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
		box.TypedRune('+')
		box.TypedRune(']')
	})
	if after := box.Box(); !(after.X < before.X && after.Width > before.Width && after.Angle > before.Angle) {
		t.Errorf("keys moved the box from %+v to %+v", before, after)
	}
	r.do(func() { box.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn}) })
	r.wait("the embedding", func() bool { return r.PhotoKnown() && r.SameAsDocument() })
	if !strings.Contains(r.Toast(), "outside what this model knows") {
		t.Errorf("nothing is said of the range: %q", r.Toast())
	}
	cut, drawn := r.PhotoPictures()
	r.wait("the photo where nothing is edited", func() bool { return bytes.Equal(r.ShownPicture().Pix, cut.Pix) })
	r.do(func() { r.Table().Run("photo.leftover") })
	r.wait("the model's own picture", func() bool { return bytes.Equal(r.ShownPicture().Pix, drawn.Pix) })
	r.do(func() { r.Table().Run("photo.leftover") })
	r.do(func() { r.Table().Run("photo.difference") })
	r.shot("photo-difference")
	r.do(func() { r.Table().Run("photo.difference") })

	e := r.give("Wide", windowtest.MouthWidth, 2.5)
	r.do(func() { r.ApplyVector(e.ID) })
	r.wait("the edit", r.SameAsDocument)
	out := filepath.Join(r.dir, "out.png")
	r.picker.Paths = []string{out}
	r.do(func() { r.Table().Run("photo.paste") })
	r.wait("the preview", r.PasteReady)
	r.shot("paste")
	r.do(func() { tapText(t, control.TopSheet(), "Export…") })
	r.wait("the file", func() bool { _, err := os.Stat(out); return err == nil })
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	same, changed := true, 0
	for y := range 300 {
		for x := range 400 {
			want, have := color.RGBAModel.Convert(decoded.At(x, y)), color.RGBAModel.Convert(got.At(x, y))
			if want == have {
				continue
			}
			changed++
			if x < 150 || x > 370 || y < 60 || y > 270 { // far from the box
				same = false
			}
		}
	}
	if !same || changed == 0 {
		t.Errorf("%d pixels changed; far from the box nothing did: %t", changed, same)
	}
	_ = p
}

// The box by the mouse: inside moves, a corner scales about the other, the knob turns.
func TestCropBoxByMouse(t *testing.T) {
	r, _ := newTutor(t)
	img := image.NewRGBA(image.Rect(0, 0, 300, 200))
	box := control.NewCropBox(img, img.Rect.Size(), 1, window.CropAt(150, 100, 80))
	box.Resize(fyne.NewSize(360, 260)) // one to one, 30 around
	_ = r
	drag := func(x0, y0, x1, y1 float32) {
		at := func(x, y float32) fyne.PointEvent { return fyne.PointEvent{Position: fyne.NewPos(x+30, y+30)} }
		box.MouseDown(&desktop.MouseEvent{PointEvent: at(x0, y0), Button: desktop.MouseButtonPrimary})
		box.Dragged(&fyne.DragEvent{PointEvent: at(x1, y1), Dragged: fyne.NewDelta(x1-x0, y1-y0)})
		box.DragEnd()
	}
	drag(150, 100, 170, 90)
	if b := box.Box(); b.X != 170 || b.Y != 90 || b.Width != 80 {
		t.Errorf("moved to %+v", b)
	}
	drag(210, 130, 230, 150) // the lower right corner, 20 along both axes
	if b := box.Box(); b.Width < 99 || b.Width > 101 || b.X < 179 || b.X > 181 {
		t.Errorf("scaled to %+v", b)
	}
	drag(180, 26, 300, 100) // the knob, a quarter clockwise
	if b := box.Box(); b.Angle < 1.4 || b.Angle > 1.7 {
		t.Errorf("turned by %g", b.Angle)
	}
}
