package dataset

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"latentbrush/assets/portrait"
)

func read(t *testing.T, folder, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	o := Options{N: 5, Size: 64, Seed: 3, Workers: 2}
	var last [2]int
	if err := Write(t.Context(), dir, o, func(done, n int) { last = [2]int{done, n} }); err != nil {
		t.Fatal(err)
	}
	if last != [2]int{5, 5} {
		t.Errorf("last progress %v, expected 5 of 5", last)
	}
	in, err := ReadInfo(dir)
	if err != nil {
		t.Fatal(err)
	}
	if in.N != 5 || in.Done != 5 || in.Seed != 3 || in.Dim != Dim || !slices.Equal(in.Sizes, []int{64, 32}) ||
		len(in.Parameters) != portrait.Count || len(in.Classes) != len(portrait.Classes) {
		t.Errorf("dataset.json: %+v", in)
	}
	z := read(t, dir, "z.f32")
	big, lab := read(t, dir, "images-64.u8"), read(t, dir, "labels-64.u8")
	small, slab := read(t, dir, "images-32.u8"), read(t, dir, "labels-32.u8")
	for name, c := range map[string][2]int{
		"z": {len(z), 5 * Dim * 4}, "64": {len(big), 5 * 64 * 64 * 3}, "labels 64": {len(lab), 5 * 64 * 64},
		"32": {len(small), 5 * 32 * 32 * 3}, "labels 32": {len(slab), 5 * 32 * 32},
	} {
		if c[0] != c[1] {
			t.Fatalf("%s: %d bytes, expected %d", name, c[0], c[1])
		}
	}
	const i = 3
	code := make([]float32, Dim)
	var sum float64
	for k := range code {
		code[k] = math.Float32frombits(binary.LittleEndian.Uint32(z[(i*Dim+k)*4:]))
		sum += float64(code[k]) * float64(code[k])
	}
	if math.Abs(sum/Dim-1) > 1e-5 {
		t.Errorf("mean square of a code is %v, expected 1", sum/Dim)
	}
	if !slices.Equal(code, Code(3, i)) {
		t.Error("z.f32 does not hold Code")
	}
	img, l := portrait.Render(portrait.FromNormal(code), 64)
	for k := range 64 * 64 {
		for c := range 3 {
			if got, want := big[(i*64*64+k)*3+c], img.Pix[4*k+c]; got != want {
				t.Fatalf("picture %d, pixel %d, channel %d is %d, expected %d", i, k, c, got, want)
			}
		}
		if lab[i*64*64+k] != l.Pix[k] {
			t.Fatalf("label of pixel %d differs", k)
		}
	}
	// one averaged pixel by hand
	x, y := 17, 20
	s := 0
	for _, p := range [][2]int{{2 * x, 2 * y}, {2*x + 1, 2 * y}, {2 * x, 2*y + 1}, {2*x + 1, 2*y + 1}} {
		s += int(img.Pix[img.PixOffset(p[0], p[1])])
	}
	if got, want := int(small[(i*32*32+y*32+x)*3]), (s+2)/4; got != want {
		t.Errorf("averaged pixel is %d, expected %d", got, want)
	}
}

func TestMajority(t *testing.T) {
	lab := []uint8{
		4, 4, 7, 2,
		4, 1, 2, 7,
		0, 0, 9, 9,
		0, 0, 9, 3,
	}
	_, l := shrink(make([]uint8, 48), lab, 4, 2)
	if want := []uint8{4, 2, 0, 9}; !slices.Equal(l, want) {
		t.Errorf("majority labels %v, expected %v", l, want)
	}
}

// TestResume: stopped, continued and extended sets equal one made at once,
// whatever the number of workers.
func TestResume(t *testing.T) {
	whole, parts := t.TempDir(), t.TempDir()
	o := Options{N: 2*batch + 5, Size: 32, Seed: 9, Workers: 3}
	if err := Write(t.Context(), whole, o, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := o
	first.N, first.Workers = batch+30, 1
	err := Write(ctx, parts, first, func(done, _ int) {
		if done == batch {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped set: %v, expected context.Canceled", err)
	}
	if in, err := ReadInfo(parts); err != nil || in.Done != batch {
		t.Fatalf("stopped set has %d pictures (%v), expected %d", in.Done, err, batch)
	}
	if err := Write(t.Context(), parts, first, nil); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), parts, o, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dataset.json", "z.f32", "images-32.u8", "labels-32.u8"} {
		if !slices.Equal(read(t, whole, name), read(t, parts, name)) {
			t.Errorf("%s of the continued set differs", name)
		}
	}
	other := o
	other.Seed++
	if err := Write(t.Context(), parts, other, nil); !errors.Is(err, ErrOther) {
		t.Errorf("another seed: %v, expected ErrOther", err)
	}
	other = o
	other.N--
	if err := Write(t.Context(), parts, other, nil); !errors.Is(err, ErrOther) {
		t.Errorf("a smaller set: %v, expected ErrOther", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{
		{N: 0, Size: 64},
		{N: -1, Size: 64},
		{N: MaxPictures + 1, Size: 64},
		{N: 1, Size: 16},
		{N: 1, Size: 100},
		{N: 1, Size: 2048},
	} {
		dir := filepath.Join(t.TempDir(), "set")
		if err := Write(t.Context(), dir, o, nil); err == nil {
			t.Errorf("%+v gave no error", o)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v made a folder", o)
		}
	}
}

func FuzzReadInfo(f *testing.F) {
	f.Add([]byte(`{"n": 5, "done": 2}`))
	f.Add([]byte(`{"n": 5, "done": 9}`))
	f.Add([]byte(`{"n": -1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "dataset.json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		in, err := ReadInfo(dir)
		if err == nil && (in.N < 1 || in.N > MaxPictures || in.Done < 0 || in.Done > in.N) {
			t.Errorf("accepted %+v", in)
		}
	})
}
