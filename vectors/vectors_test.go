package vectors_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

var portrait = vectors.Model{ID: "portrait-256", Fingerprint: "0123456789abcdef"}

// randomCode returns normally distributed numbers, the same for the same seed.
func randomCode(seed uint64, rows, dim int) latent.Code {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := latent.New(rows, dim)
	for i := range c.Data {
		c.Data[i] = float32(rng.NormFloat64())
	}
	return c
}

func picture(seed byte, w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = byte(i)*7 + seed
		if i%4 == 3 {
			m.Pix[i] = 0xff
		}
	}
	return m
}

// smile is a vector with every fact set.
func smile(seed uint64) *vectors.Vector {
	v := vectors.New("Smile", portrait, randomCode(seed, 14, 32))
	v.Tags = []string{"mouth", "happy", "笑顔"}
	v.Rating = 4
	v.Author, v.Licence, v.Notes = "A. Painter", "CC-BY-4.0", "wide, teeth visible"
	v.Classes = []vectors.Class{{12, "upper_lip"}, {13, "lower_lip"}, {15, "teeth"}}
	v.Calibration = vectors.Calibration{UnitEffect: 0.31, Measure: "share of the region", SafeLo: -1.5, SafeHi: 1.75}
	v.Learnt = vectors.Learnt{How: "painting", Edits: 3, Steps: 60, Seed: 7, Agreement: 0.8, Detail: map[string]string{"optimiser": "adam"}}
	v.Generalisation = vectors.Generalisation{Seeds: 40, FirstSeed: 1000, Criterion: "teeth grow", Success: 0.95, Leak: 1.2, Strength: 1}
	v.Created = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	v.Before, v.After, v.Sheet = picture(1, 24, 16), picture(2, 24, 16), picture(3, 60, 40)
	return v
}

func encode(t testing.TB, v *vectors.Vector) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := vectors.Write(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(raw []byte) (*vectors.Vector, error) {
	return vectors.Read("v.safetensors", bytes.NewReader(raw), int64(len(raw)))
}

func TestFileKeepsEverything(t *testing.T) {
	want := smile(1)
	avg, err := vectors.Average("Mean", want, smile(2), smile(3))
	if err != nil {
		t.Fatal(err)
	}
	want.Recipe = avg.Recipe
	raw := encode(t, want)
	if !bytes.Equal(raw, encode(t, want)) {
		t.Error("the same vector gave different bytes")
	}
	got, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back\n%+v\nwant\n%+v", got.Facts, want.Facts)
	}
	path := filepath.Join(t.TempDir(), "smile.safetensors")
	if err := vectors.WriteFile(path, want); err != nil {
		t.Fatal(err)
	}
	facts, err := vectors.OpenFacts(os.DirFS(filepath.Dir(path)), "smile.safetensors")
	if err != nil || !reflect.DeepEqual(facts, want.Facts) {
		t.Errorf("facts %+v, %v", facts, err)
	}
}

func TestRefusalsNameBothSides(t *testing.T) {
	v := smile(1)
	if err := v.FitsModel(portrait, 14, 32); err != nil {
		t.Errorf("own model: %v", err)
	}
	err := v.FitsModel(vectors.Model{ID: "car-512", Fingerprint: "feedfeedfeed"}, 14, 32)
	if !errors.Is(err, vectors.ErrWrongModel) || !strings.Contains(err.Error(), `"Smile" was learnt on portrait-256 (01234567) and does not fit car-512 (feedfeed)`) {
		t.Errorf("other model: %v", err)
	}
	err = v.FitsModel(portrait, 16, 512)
	if !errors.Is(err, vectors.ErrWrongSize) || !strings.Contains(err.Error(), "14 × 32 numbers, but portrait-256 (01234567) needs 16 × 512") {
		t.Errorf("other size: %v", err)
	}
	if err := v.FitsModel(vectors.Model{ID: "renamed", Fingerprint: portrait.Fingerprint}, 14, 32); err != nil {
		t.Errorf("the same weights under another name: %v", err)
	}
}

func TestDamagedFiles(t *testing.T) {
	whole := encode(t, smile(1))
	if _, err := decode(whole); err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 97 {
		if _, err := decode(whole[:cut]); !errors.Is(err, vectors.ErrDamaged) {
			t.Fatalf("cut at %d of %d bytes: %v", cut, len(whole), err)
		}
	}
	// A flipped bit in the numbers shows in the digest.
	flipped := bytes.Clone(whole)
	header := int(flipped[0]) | int(flipped[1])<<8
	flipped[8+header+100] ^= 1
	if _, err := decode(flipped); !errors.Is(err, vectors.ErrDamaged) || !strings.Contains(err.Error(), "digest") {
		t.Errorf("flipped bit: %v", err)
	}
	for name, edit := range map[string][2]string{
		"format is": {`latentbrush-vector`, `latentbrush-Vector`},
		"newer":     {`"version":"1"`, `"version":"9"`},
		"rating":    {`"rating":"4"`, `"rating":"6"`},
		"name":      {`"name":"Smile"`, `"name":"     "`},
		"tags":      {`"tags":"[`, `"tags":"{`},
	} {
		bad := bytes.Replace(whole, []byte(edit[0]), []byte(edit[1]), 1)
		if _, err := decode(bad); !errors.Is(err, vectors.ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", edit[1], err)
		}
	}
	nan := smile(1)
	nan.Delta.Data[33] = float32(math.NaN())
	if err := vectors.Write(&bytes.Buffer{}, nan); err == nil || !strings.Contains(err.Error(), "row 1, component 1") {
		t.Errorf("a vector with NaN was written: %v", err)
	}
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := smile(1)
	broken.Rating = 9
	if err := vectors.WriteFile(path, broken); err == nil {
		t.Fatal("a rating of 9 was written")
	}
	if raw, _ := os.ReadFile(path); string(raw) != "old" {
		t.Errorf("the file is now %q", raw)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left, 1 expected", len(files))
	}
}

// npyHeader is the start of the file that NumPy 1.24 writes for
// numpy.save(f, numpy.arange(6, dtype='<f4').reshape(1, 2, 3)).
const npyHeader = "934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028312c20322c2033292c207d"

func TestNPY(t *testing.T) {
	head, err := hex.DecodeString(npyHeader)
	if err != nil {
		t.Fatal(err)
	}
	file := append(head, bytes.Repeat([]byte(" "), 127-len(head))...)
	file = append(file, '\n')
	for i := range 6 {
		bits := math.Float32bits(float32(i))
		file = append(file, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	code, err := vectors.ReadNPY(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 1, 2, 3, 4, 5}; code.Rows != 2 || code.Dim != 3 || !reflect.DeepEqual(code.Data, want) {
		t.Errorf("read %+v", code)
	}
	var out bytes.Buffer
	if err := vectors.WriteNPY(&out, code); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), file) {
		t.Errorf("wrote\n%x\nNumPy writes\n%x", out.Bytes(), file)
	}
	for name, bad := range map[string]string{
		"cut short":    string(file[:len(file)-1]),
		"NUMPY":        "PK\x03\x04....",
		"Fortran":      strings.Replace(string(file), "False", "True ", 1),
		"type \"<i4\"": strings.Replace(string(file), "<f4", "<i4", 1),
		"shape":        strings.Replace(string(file), "(1, 2, 3)", "(6,)     ", 1),
		"delta is":     strings.Replace(string(file), "(1, 2, 3)", "(99999,6)", 1),
	} {
		if _, err := vectors.ReadNPY(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImportByContent(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, raw []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	delta := randomCode(5, 14, 32)
	var npy bytes.Buffer
	if err := vectors.WriteNPY(&npy, delta); err != nil {
		t.Fatal(err)
	}
	v, err := vectors.Import(write("frontlight_enlarge.npy", npy.Bytes()), portrait)
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != "frontlight_enlarge" || v.Model != portrait || !reflect.DeepEqual(v.Delta, delta) || v.Learnt.How != "import" {
		t.Errorf("imported %+v", v.Facts)
	}
	other := vectors.Model{ID: "cats", Fingerprint: "cafe"}
	if _, err := vectors.Import(write("smile.safetensors", encode(t, smile(1))), other); !errors.Is(err, vectors.ErrWrongModel) {
		t.Errorf("a vector of another model: %v", err)
	}
	if _, err := vectors.Import(write("text.txt", []byte("hello, world, this is no vector")), portrait); !errors.Is(err, vectors.ErrDamaged) {
		t.Errorf("a text: %v", err)
	}
}

func TestSumIsIndependentOfOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 10).Draw(t, "n")
		base := randomCode(99, 4, 16)
		terms := make([]vectors.Term, n)
		for i := range terms {
			terms[i] = vectors.Term{
				Delta:    randomCode(rapid.Uint64().Draw(t, "seed"), 4, 16),
				Strength: rapid.Float64Range(-4, 4).Draw(t, "strength"),
			}
		}
		a := vectors.Sum(base, terms...)
		b := vectors.Sum(base, rapid.Permutation(terms).Draw(t, "order")...)
		for i := range a.Data {
			var want float64 = float64(base.Data[i])
			for _, term := range terms {
				want += term.Strength * float64(term.Delta.Data[i])
			}
			if d := math.Abs(float64(a.Data[i] - b.Data[i])); d > 1e-6 {
				t.Fatalf("component %d differs by %g in another order", i, d)
			}
			if d := math.Abs(float64(a.Data[i]) - want); d > 1e-6*max(1, math.Abs(want)) {
				t.Fatalf("component %d is %g, %g expected", i, a.Data[i], want)
			}
		}
	})
}

func named(name string, c latent.Code) *vectors.Vector { return vectors.New(name, portrait, c) }

func TestAverageLeavesOutliersOut(t *testing.T) {
	truth := randomCode(1, 4, 64)
	var vs []*vectors.Vector
	for i := range 8 {
		vs = append(vs, named(fmt.Sprint("edit ", i), truth.AddScaled(0.2, randomCode(uint64(10+i), 4, 64))))
	}
	good, err := vectors.Average("mean", vs...)
	if err != nil {
		t.Fatal(err)
	}
	if good.Learnt.Edits != 8 {
		t.Errorf("%d of 8 like edits were kept", good.Learnt.Edits)
	}
	vs[2] = named("wild", randomCode(77, 4, 64).Scale(3))
	v, err := vectors.Average("mean", vs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range v.Recipe.Of {
		if in.Outlier != (i == 2) {
			t.Errorf("ingredient %d (%s): outlier %v", i, in.Name, in.Outlier)
		}
	}
	want := latent.New(4, 64)
	for i, in := range vs {
		if i != 2 {
			want = want.AddScaled(1.0/7, in.Delta)
		}
	}
	if d := v.Delta.Distance(want); d > 1e-5 {
		t.Errorf("the mean of the others is off by %g", d)
	}
	if v.Learnt.Agreement < 0.95 || v.Learnt.Agreement > 1 {
		t.Errorf("agreement %v", v.Learnt.Agreement)
	}
}

func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64Range(0, 1<<40).Draw(t, "seed")
		a, b, c := named("a", randomCode(seed, 6, 16)), named("b", randomCode(seed+1, 6, 16)), named("c", randomCode(seed+2, 6, 16))
		diff, err := vectors.Subtract("d", a, b)
		if err != nil {
			t.Fatal(err)
		}
		if d := vectors.Sum(diff.Delta, vectors.Term{b.Delta, 1}).Distance(a.Delta); d > 1e-5 {
			t.Fatalf("(a − b) + b is off by %g", d)
		}
		orth, err := vectors.Orthogonalise("o", a, b, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []*vectors.Vector{b, c} {
			if cos := orth.Delta.Cosine(o.Delta); math.Abs(cos) > 1e-6 {
				t.Fatalf("the cosine with %s is still %g", o.Name, cos)
			}
		}
		// Two vectors along one line span only that line.
		twice, err := vectors.Scale("b2", b, -2)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := vectors.Orthogonalise("o", a, b, twice)
		if err != nil {
			t.Fatal(err)
		}
		single, err := vectors.Orthogonalise("o", a, b)
		if err != nil {
			t.Fatal(err)
		}
		if d := alone.Delta.Distance(single.Delta); d > 1e-4 {
			t.Fatalf("a dependent direction changed the result by %g", d)
		}
		if _, err := vectors.Orthogonalise("o", b, twice); err == nil {
			t.Fatal("a vector was made orthogonal to itself")
		}
		rows := rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 1, 6, rapid.ID[int]).Draw(t, "rows")
		part, err := vectors.Restrict("r", a, rows...)
		if err != nil {
			t.Fatal(err)
		}
		if len(part.RowsUsed) != len(rows) {
			t.Fatalf("rows %v are used, %v expected", part.RowsUsed, rows)
		}
		rest := a.Delta.Sub(part.Delta)
		for _, r := range rows {
			for _, x := range rest.Row(r) {
				if x != 0 {
					t.Fatalf("row %d changed", r)
				}
			}
		}
	})
}

func TestScaleMovesTheSafeRange(t *testing.T) {
	v := smile(1)
	back, err := vectors.Scale("frown", v, -0.5)
	if err != nil {
		t.Fatal(err)
	}
	if lo, hi, ok := back.Calibration.Safe(); !ok || lo != -3.5 || hi != 3 {
		t.Errorf("safe range %v to %v, −3.5 to 3 expected", lo, hi)
	}
	if _, err := vectors.Scale("none", v, 0); err == nil {
		t.Error("scaled by 0")
	}
}

func TestRecipesNestAndEnd(t *testing.T) {
	v := named("v", randomCode(1, 2, 2))
	for range 80 {
		next, err := vectors.Scale("v", v, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(encode(t, next)); err != nil {
			t.Fatal(err)
		}
		v = next
	}
	if v.Recipe == nil || v.Recipe.Op != "scale" || v.Recipe.Of[0].Factor != 1 {
		t.Errorf("recipe %+v", v.Recipe)
	}
}

func TestAlgebraRefusesMixedModels(t *testing.T) {
	a := smile(1)
	b := vectors.New("wheel", vectors.Model{ID: "car", Fingerprint: "beef"}, randomCode(1, 14, 32))
	if _, err := vectors.Average("x", a, b); !errors.Is(err, vectors.ErrWrongModel) {
		t.Errorf("average: %v", err)
	}
	c := vectors.New("small", portrait, randomCode(1, 14, 16))
	if _, err := vectors.Subtract("x", a, c); !errors.Is(err, vectors.ErrWrongSize) {
		t.Errorf("subtract: %v", err)
	}
}

func TestConflicts(t *testing.T) {
	a, b := randomCode(1, 4, 64), randomCode(2, 4, 64)
	// cos(a, a + k·b) with |a| ≈ |b| and a ⟂ b nearly is 1/√(1+k²): 0.89 for ½, 0.45 for 2.
	list := []latent.Code{a, b, a.AddScaled(0.5, b), a.AddScaled(2, b), a.Scale(-1), latent.New(4, 64)}
	got := vectors.Conflicts(list, vectors.ConflictLimit)
	if len(got) == 0 || got[0].A != 0 || got[0].B != 4 || math.Abs(got[0].Cosine+1) > 1e-9 {
		t.Fatalf("the opposite comes first: %+v", got)
	}
	for _, c := range got {
		if want := list[c.A].Cosine(list[c.B]); math.Abs(c.Cosine-want) > 1e-9 || math.Abs(want) <= 0.7 {
			t.Errorf("%d and %d: %g, %g expected", c.A, c.B, c.Cosine, want)
		}
	}
	n := 0
	for i := range list {
		for j := i + 1; j < len(list); j++ {
			if math.Abs(list[i].Cosine(list[j])) > 0.7 {
				n++
			}
		}
	}
	if n != len(got) {
		t.Errorf("%d conflicts, %d expected", len(got), n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, smile(1)))
	f.Add(encode(f, named("v", randomCode(1, 1, 1))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decode(raw)
		if err != nil {
			if v != nil {
				t.Fatal("an error and a vector")
			}
			return
		}
		again, err := decode(encode(t, v))
		if err != nil {
			t.Fatalf("what was read cannot be written and read: %v", err)
		}
		if again.Content != v.Content || again.Name != v.Name {
			t.Fatalf("%+v became %+v", v.Facts, again.Facts)
		}
	})
}

func FuzzReadNPY(f *testing.F) {
	var b bytes.Buffer
	if err := vectors.WriteNPY(&b, randomCode(1, 2, 3)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := vectors.ReadNPY(bytes.NewReader(raw))
		if err == nil && c.Check(c.Rows, c.Dim) != nil {
			t.Fatalf("accepted %+v", c)
		}
	})
}

func TestDiff(t *testing.T) {
	a, b := latent.New(3, 2), latent.New(3, 2)
	copy(a.Data, []float32{3, 4, 1, 0, 0, 0})
	copy(b.Data, []float32{3, 4, 0, 2, 5, 12})
	va, vb := named("A", a), named("B", b)
	va.Classes, vb.Classes = []vectors.Class{{ID: 1}, {ID: 2}}, []vectors.Class{{ID: 2}, {ID: 3}}
	d, err := vectors.Diff(va, vb)
	if err != nil {
		t.Fatal(err)
	}
	if want := 25 / (math.Sqrt(26) * math.Sqrt(25+4+169)); math.Abs(d.Cosine-want) > 1e-6 {
		t.Errorf("cosine %g, want %g", d.Cosine, want)
	}
	if want := []vectors.RowDifference{{5, 5, 1}, {1, 2, 0}, {0, 13, 0}}; !slices.Equal(d.Rows, want) {
		t.Errorf("rows %v, want %v", d.Rows, want)
	}
	if len(d.OnlyA) != 1 || d.OnlyA[0].ID != 1 || len(d.OnlyB) != 1 || d.OnlyB[0].ID != 3 {
		t.Errorf("classes %v and %v", d.OnlyA, d.OnlyB)
	}
	if _, err := vectors.Diff(va, named("C", latent.New(2, 2))); !errors.Is(err, vectors.ErrWrongSize) {
		t.Errorf("of another size: %v", err)
	}
}
