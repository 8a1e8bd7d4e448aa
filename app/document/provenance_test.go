package document_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"latentbrush/app/document"
	"latentbrush/vectors"
)

func TestPictureSaysHowItWasMade(t *testing.T) {
	d := sample(t, 7)
	v := vectors.New("Smile", testSpace().Model, randomCode(3))
	v.Classes = []vectors.Class{{ID: 2, Name: "eye left"}}
	id, err := d.AddVector("smile", v, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddDelta("off", randomCode(4), nil); err != nil {
		t.Fatal(err)
	}
	_, with, err := d.RefineCodes(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetRefined(id, with.AddScaled(0.1, randomCode(5)), 30); err != nil {
		t.Fatal(err)
	}
	picture, err := d.Refresh(context.Background(), fake{testSpace()})
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Provenance()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := made.String(), "Made with Latentbrush, model test (feed), seed 7, truncation 0.70, Smile +0.50, off +1.00"; got != want {
		t.Errorf("%q, %q expected", got, want)
	}
	var file bytes.Buffer
	if err := document.WritePNG(&file, picture, &made); err != nil {
		t.Fatal(err)
	}
	shown, err := png.Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for y := range 40 {
		for x := range 72 {
			if color.RGBAModel.Convert(shown.At(x, y)) != picture.At(x, y) {
				t.Fatalf("pixel (%d, %d) is %v, %v expected", x, y, shown.At(x, y), picture.At(x, y))
			}
		}
	}
	if !bytes.Contains(file.Bytes(), []byte("Smile +0.50")) {
		t.Error("the description cannot be read")
	}

	read, err := document.ReadProvenance(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	code, err := read.Code()
	if err != nil || !slices.Equal(code.Data, d.Code().Data) {
		t.Fatalf("the code is another: %v", err)
	}
	back, err := document.New(testSpace())
	if err != nil {
		t.Fatal(err)
	}
	if err := back.SetProvenance(read, labelsOf(t, code)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(back.Code().Data, d.Code().Data) || back.Scene().Source.Seed != 7 || len(back.Scene().Stack) != 2 || back.LabelsStale() {
		t.Errorf("restored %+v", back.Scene())
	}
	if e := back.Scene().Stack[0]; e.Strength != 0.5 || !e.RefinedNow() || e.Content != v.Content || !slices.Equal(e.Classes, []uint8{2}) {
		t.Errorf("restored edit %+v", e)
	}
	other := testSpace()
	other.Model = vectors.Model{ID: "cats", Fingerprint: "cafe"}
	wrong, err := document.New(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := wrong.SetProvenance(read, labelsOf(t, code)); !errors.Is(err, vectors.ErrWrongModel) || !strings.Contains(err.Error(), "made by test (feed), but the open model is cats (cafe)") {
		t.Errorf("another model: %v", err)
	}
	if err := back.Undo(); err != nil || back.HasPicture() {
		t.Errorf("undo: %v", err)
	}

	var stripped bytes.Buffer
	if err := document.WritePNG(&stripped, picture, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := document.ReadProvenance(&stripped); !errors.Is(err, document.ErrNoProvenance) {
		t.Errorf("stripped: %v", err)
	}
	if _, err := document.ReadProvenance(strings.NewReader("GIF89a")); !errors.Is(err, document.ErrNoProvenance) {
		t.Errorf("no PNG: %v", err)
	}
}

func FuzzReadProvenance(f *testing.F) {
	d := sample(f, 7)
	if _, err := d.AddDelta("a", randomCode(4), []uint8{1}); err != nil {
		f.Fatal(err)
	}
	made, err := d.Provenance()
	if err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := document.WritePNG(&file, image.NewRGBA(image.Rect(0, 0, 2, 2)), &made); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := document.ReadProvenance(bytes.NewReader(raw))
		if err == nil {
			if _, err := p.Code(); err != nil {
				t.Fatalf("accepted without a code: %v", err)
			}
		} else if !errors.Is(err, document.ErrNoProvenance) {
			t.Fatal(err)
		}
	})
}

func TestMaskKeepsClassIDs(t *testing.T) {
	labels := labelsOf(t, randomCode(1))
	var file bytes.Buffer
	if err := document.WriteMask(&file, labels); err != nil {
		t.Fatal(err)
	}
	back, err := document.ReadMask(bytes.NewReader(file.Bytes()), testSpace())
	if err != nil || !slices.Equal(back.Pix, labels.Pix) {
		t.Fatalf("the classes are others: %v", err)
	}
	small := testSpace()
	small.Classes = small.Classes[:3]
	small.Classes[2].Pair = 2
	if _, err := document.ReadMask(bytes.NewReader(file.Bytes()), small); err == nil || !strings.Contains(err.Error(), "the model has 3 classes") {
		t.Errorf("unknown classes: %v", err)
	}
	wide := testSpace()
	wide.Width = 80
	if _, err := document.ReadMask(bytes.NewReader(file.Bytes()), wide); err == nil || !strings.Contains(err.Error(), "72 × 40 pixels, 80 × 40 expected") {
		t.Errorf("another size: %v", err)
	}
	var coloured bytes.Buffer
	if err := png.Encode(&coloured, image.NewRGBA(image.Rect(0, 0, 72, 40))); err != nil {
		t.Fatal(err)
	}
	if _, err := document.ReadMask(bytes.NewReader(coloured.Bytes()), testSpace()); err == nil || !strings.Contains(err.Error(), "no indexed PNG") {
		t.Errorf("a picture: %v", err)
	}
}

func TestSideBySide(t *testing.T) {
	a, b := image.NewRGBA(image.Rect(0, 0, 4, 3)), image.NewPaletted(image.Rect(0, 0, 2, 5), color.Palette{color.RGBA{9, 8, 7, 255}})
	for i := range a.Pix {
		a.Pix[i] = 255
	}
	m := document.SideBySide(3, a, b)
	if m.Rect != image.Rect(0, 0, 9, 5) {
		t.Fatalf("size %v", m.Rect)
	}
	for _, c := range []struct {
		x, y int
		want color.RGBA
	}{{3, 2, color.RGBA{255, 255, 255, 255}}, {4, 0, color.RGBA{0, 0, 0, 255}}, {0, 4, color.RGBA{0, 0, 0, 255}}, {7, 4, color.RGBA{9, 8, 7, 255}}} {
		if got := m.RGBAAt(c.x, c.y); got != c.want {
			t.Errorf("(%d, %d) is %v, %v expected", c.x, c.y, got, c.want)
		}
	}
}
