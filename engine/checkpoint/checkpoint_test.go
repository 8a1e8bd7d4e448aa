package checkpoint

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
)

// truth are the weights from which testdata/make_fixtures.py made the checkpoints.
func truth(t *testing.T) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(os.DirFS("testdata"), "weights.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestImport(t *testing.T) {
	want := truth(t)
	for _, c := range []struct {
		file         string
		clamp        float64
		demodulation string
	}{
		{"rosinality.pt", 0, model.DemodulationScaled},
		{"rosinality-legacy.pt", 0, model.DemodulationScaled},
		{"ada.pkl", 256, model.DemodulationRaw},
	} {
		contents, err := Import(filepath.Join("testdata", c.file), Options{ID: "tiny"})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		m, err := contents.Open()
		if err != nil {
			t.Fatal(err)
		}
		man := m.Manifest
		if man.Resolution != 32 || man.ZDim != 5 || man.WDim != 4 || man.MappingLayers != 2 || man.Channels[16] != 3 || man.Rows != 8 {
			t.Errorf("%s: manifest %+v", c.file, man)
		}
		if man.Clamp != c.clamp || man.Demodulation != c.demodulation {
			t.Errorf("%s: clamp %v, demodulation %s", c.file, man.Clamp, man.Demodulation)
		}
		for _, spec := range man.GeneratorTensors() {
			info, ok := want.Info(spec.Name)
			if !ok {
				t.Fatalf("the truth has no %s", spec.Name)
			}
			w, err := want.Float32s(spec.Name, info.Shape...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Generator().Float32s(spec.Name, append([]int(nil), shapeOr1(spec.Shape)...)...)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, w) {
				t.Errorf("%s: %s differs", c.file, spec.Name)
			}
		}
	}
}

func shapeOr1(shape []int) []int {
	if shape == nil {
		return []int{1}
	}
	return shape
}

func TestClassifiers(t *testing.T) {
	contents, err := Import("testdata/rosinality.pt", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Classifiers(contents, []string{"testdata/classifier-0.pth", "testdata/classifier-1.pth"}); err != nil {
		t.Fatal(err)
	}
	m, err := contents.Open()
	if err != nil {
		t.Fatal(err)
	}
	f, info := m.Head()
	if info.Members != 2 || !slices.Equal(info.Hidden, []int{6, 4}) || info.Classes != 3 || !slices.Equal(info.Norm, []bool{true, true}) || info.Inputs() != 26 {
		t.Fatalf("head %+v", info)
	}
	stacked, err := f.Float32s("layers.1.norm.running_var", 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		value, size, err := load(filepath.Join("testdata", []string{"classifier-0.pth", "classifier-1.pth"}[i]))
		if err != nil {
			t.Fatal(err)
		}
		s, err := classifierState(value, size)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(stacked[4*i:4*i+4], s["5.running_var"].Data) {
			t.Errorf("member %d: variance %v, want %v", i, stacked[4*i:4*i+4], s["5.running_var"].Data)
		}
	}
	if err := Classifiers(contents, []string{"testdata/rosinality.pt"}); !errors.Is(err, ErrFormat) {
		t.Errorf("a generator as classifier: %v", err)
	}
	contents.Manifest.Classes = contents.Manifest.Classes[:2]
	if err := Classifiers(contents, []string{"testdata/classifier-0.pth"}); err == nil || !strings.Contains(err.Error(), "has 3 classes, the list names 2") {
		t.Errorf("other classes: %v", err)
	}
}

func TestExportAndImport(t *testing.T) {
	for _, spec := range []modeltest.Spec{{}, {Resolution: 64, Half: true}, {NoNoise: true}} {
		m, err := modeltest.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		state, mean, err := ToRosinality(m)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := WriteRosinality(&buf, state, mean); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.pt")
		if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		contents, err := Import(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		back, err := contents.Open()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range m.Manifest.GeneratorTensors() {
			shape := shapeOr1(s.Shape)
			want, err := m.Generator().Float32s(s.Name, shape...)
			if err != nil {
				want, err = m.Generator().Float32s(s.Name)
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := back.Generator().Float32s(s.Name, shape...)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%+v: %s came back differently (%v)", spec, s.Name, err)
			}
		}
	}
	clamped, err := modeltest.Open(modeltest.Spec{Clamp: 256})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ToRosinality(clamped); err == nil || !strings.Contains(err.Error(), "clamps") {
		t.Errorf("clamped model: %v", err)
	}
}

// TestExportNames compares the names and shapes of an export with those of a file in
// rosinality's layout.
func TestExportNames(t *testing.T) {
	value, size, err := load("testdata/rosinality.pt")
	if err != nil {
		t.Fatal(err)
	}
	g, _ := value.(*dict).get("g_ema")
	c := newCollector(size)
	if err := c.addAll(g.(*dict)); err != nil {
		t.Fatal(err)
	}
	contents, err := Import("testdata/rosinality.pt", Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := contents.Open()
	if err != nil {
		t.Fatal(err)
	}
	state, _, err := ToRosinality(m)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(state.Names(), c.state.Names()) {
		t.Errorf("names %v, want %v", state.Names(), c.state.Names())
	}
	for name, want := range c.state {
		if got := state[name]; !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Data, want.Data) {
			t.Errorf("%s is %v, want %v", name, got.Shape, want.Shape)
		}
	}
}

// TestMissingMeanAndNoise imports a checkpoint like those that rosinality's training writes.
func TestMissingMeanAndNoise(t *testing.T) {
	m, err := modeltest.Open(modeltest.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	state, _, err := ToRosinality(m)
	if err != nil {
		t.Fatal(err)
	}
	for name := range state {
		if strings.HasPrefix(name, "noises.") {
			delete(state, name)
		}
	}
	contents, err := Rosinality(state, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := contents.Open()
	if err != nil {
		t.Fatal(err)
	}
	mean, err := back.MeanW()
	if err != nil {
		t.Fatal(err)
	}
	var norm float32
	for _, v := range mean {
		norm += v * v
	}
	if norm == 0 {
		t.Error("the mean is zero")
	}
	delete(state, "convs.1.conv.weight")
	if _, err := Rosinality(state, mean, Options{}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), `"convs.1.conv.weight" is missing`) {
		t.Errorf("missing tensor: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "0 bytes"},
		"text":             {[]byte("hello world"), "pickle"},
		"truncated zip":    {read("rosinality.pt")[:5000], "zip"},
		"truncated legacy": {read("rosinality-legacy.pt")[:9000], ""},
		"truncated pickle": {read("ada.pkl")[:9000], "pickle, byte"},
		"a list":           {[]byte("\x80\x02]."), "it holds a list"},
		"os.system":        {[]byte("cos\nsystem\n(S'true'\ntR."), "an object of \"os.system\""},
		"not a generator":  {read("classifier-0.pth"), "classifier"},
		"huge string":      {[]byte("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."), "bytes are claimed"},
		"huge tensor": {[]byte("\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00" +
			"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K\x00K\x00ttR."), "in a storage of 4"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Import(path, Options{})
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Import(dir, Options{}); !errors.Is(err, ErrFormat) {
		t.Errorf("folder: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"rosinality.pt", "rosinality-legacy.pt", "ada.pkl", "classifier-0.pth"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("cos\nsystem\n(S'true'\ntR."))
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := loadFrom(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if c, err := importValue(value, int64(len(data)), Options{}); err == nil {
			if _, err := c.Open(); err != nil {
				t.Fatalf("the bundle that was made cannot be opened: %v", err)
			}
		}
		if s, err := classifierState(value, int64(len(data))); err == nil && len(s) > 0 {
			c := modeltest.Contents(modeltest.Spec{Classes: -1})
			if err := classifiers(&c, []State{s}); err == nil {
				if _, err := c.Open(); err != nil {
					t.Fatalf("the head that was made cannot be opened: %v", err)
				}
			}
		}
	})
}
