package model_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
)

func mapFS(t *testing.T, c model.Contents) fstest.MapFS {
	t.Helper()
	data, err := c.Zip()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	for _, f := range z.File {
		b, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = &fstest.MapFile{Data: b}
	}
	return out
}

func TestOpenFolderZipAndMemory(t *testing.T) {
	c := modeltest.Contents(modeltest.Spec{Norm: true})
	c.Files = map[string][]byte{"card.md": []byte("# Random\n")}
	mem, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	want, err := mem.Fingerprint()
	if err != nil || len(want) != 16 {
		t.Fatalf("fingerprint %q, %v", want, err)
	}
	for _, name := range []string{"folder", "file.zip"} {
		path := filepath.Join(t.TempDir(), name)
		if err := c.Write(path); err != nil {
			t.Fatal(err)
		}
		m, err := model.OpenPath(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Fingerprint(); got != want || err != nil {
			t.Errorf("%s: fingerprint %s, %v, want %s", name, got, err, want)
		}
		if card, err := m.Card(); card != "# Random\n" || err != nil {
			t.Errorf("%s: card %q, %v", name, card, err)
		}
		if _, h := m.Head(); h == nil || h.Members != 2 || !slices.Equal(h.Norm, []bool{true, true}) {
			t.Errorf("%s: head %+v", name, h)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Write(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: writing twice: %v", name, err)
		}
	}
}

func TestZipWithOneFolder(t *testing.T) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, f := range mapFS(t, modeltest.Contents(modeltest.Spec{})) {
		w, err := z.Create("faces/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := model.OpenPath(path)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

func TestFingerprintFollowsWeights(t *testing.T) {
	print := func(s modeltest.Spec, change func(*model.Contents)) string {
		c := modeltest.Contents(s)
		if change != nil {
			change(&c)
		}
		m, err := c.Open()
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	base := print(modeltest.Spec{}, nil)
	if got := print(modeltest.Spec{}, func(c *model.Contents) { c.Manifest.Name = "Other" }); got != base {
		t.Error("the name changes the fingerprint")
	}
	if got := print(modeltest.Spec{Classes: -1}, nil); got != base {
		t.Error("the label head changes the fingerprint")
	}
	if got := print(modeltest.Spec{}, func(c *model.Contents) { c.Generator[5].Data[0] ^= 1 }); got == base {
		t.Error("a changed bit of a weight does not change the fingerprint")
	}
	if got := print(modeltest.Spec{Clamp: 256}, nil); got == base {
		t.Error("the clamp does not change the fingerprint")
	}
}

func TestManifestFacts(t *testing.T) {
	m := modeltest.Contents(modeltest.Spec{Resolution: 64, Crop: []int{0, 8, 64, 56}}).Manifest
	if m.Rows != 10 || m.Size().X != 64 || m.Size().Y != 48 {
		t.Errorf("rows %d, size %v", m.Rows, m.Size())
	}
	f := m.Features()
	if len(f) != 10 || f[0].Name != "b4.const" || f[9].Name != "b64.conv1" || f[9].Resolution != 64 {
		t.Errorf("features %v", f)
	}
	one, two := 1, 2
	m.Classes[1].Pair, m.Classes[2].Pair = &two, &one
	if got := m.Mirror(); !slices.Equal(got, []uint8{0, 2, 1, 3, 4}) {
		t.Errorf("mirror %v", got)
	}
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := model.ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("reading and writing changed\n%s to\n%s, %v", data, again, err)
	}
	if p := back.Palette(); len(p) != 5 || p[3] != m.Palette()[3] {
		t.Errorf("palette %v", p)
	}
}

// TestParameterCount compares with the counts of the published config-f networks.
func TestParameterCount(t *testing.T) {
	for res, want := range map[int]int{256: 30034338, 512: 30276583, 1024: 30370060} {
		m := model.Manifest{Resolution: res, ZDim: 512, WDim: 512, MappingLayers: 8, Noise: model.NoiseConst, Channels: model.Channels{}}
		for r := 4; r <= res; r *= 2 {
			m.Channels[r] = min(512, 32768/r)
		}
		got := 0
		for _, s := range m.GeneratorTensors() {
			if strings.HasSuffix(s.Name, "noise_const") || s.Name == "mapping.w_avg" {
				continue
			}
			n := 1
			for _, d := range s.Shape {
				n *= d
			}
			got += n
		}
		if got != want {
			t.Errorf("%d: %d parameters, want %d", res, got, want)
		}
		total := 0
		for _, f := range m.Features() {
			total += f.Channels
		}
		if want := map[int]int{256: 5888, 512: 6016, 1024: 6080}[res]; total != want {
			t.Errorf("%d: %d feature channels, want %d", res, total, want)
		}
	}
}

func TestBadManifests(t *testing.T) {
	man := modeltest.Contents(modeltest.Spec{}).Manifest
	good, err := man.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, value, want string }{
		{"format", `"x"`, `format is "x", want "latentbrush-model"`},
		{"version", `0`, "version is 0"},
		{"id", `"A B"`, `id "A B"`},
		{"architecture", `"stylegan3"`, "architecture"},
		{"resolution", `48`, "resolution is 48, want a power of two from 32 to 1024"},
		{"resolution", `1073741824`, "resolution is 1073741824"},
		{"rows", `9`, "rows is 9, want 8"},
		{"z_dim", `0`, "z_dim is 0"},
		{"w_dim", `1000000000`, "w_dim is 1000000000"},
		{"mapping_layers", `99`, "mapping_layers"},
		{"mapping_lr_mul", `-1`, "mapping_lr_mul"},
		{"channels", `{"4":16,"8":16,"16":16}`, "channels of resolution 32: 0"},
		{"channels", `{"4":16,"8":16,"16":16,"32":16,"64":4}`, "channels lists 5"},
		{"channels", `{"four":16}`, `"four" is not a resolution`},
		{"crop", `[0,0,33,32]`, "crop [0 0 33 32]"},
		{"crop", `[8,0,8,32]`, "crop"},
		{"crop", `[1,2,3]`, "crop has 3"},
		{"clamp", `-1`, "clamp"},
		{"demodulation", `"x"`, "demodulation"},
		{"noise", `""`, "noise"},
		{"truncation", `{"psi":7}`, "psi"},
		{"training", `[1]`, "training"},
		{"files", `{"generator":"../x"}`, "../x"},
		{"classes", `[{"id":1,"name":"a","colour":"#ffffff"}]`, "has id 1"},
		{"classes", `[{"id":0,"name":"A","colour":"#ffffff"}]`, `name "A"`},
		{"classes", `[{"id":0,"name":"a","colour":"white"}]`, `colour "white"`},
		{"classes", `[{"id":0,"name":"a"}]`, "no colour"},
		{"classes", `[{"id":0,"name":"a","colour":"#000000"},{"id":1,"name":"a","colour":"#000001"}]`, "is taken"},
		{"classes", `[{"id":0,"name":"a","colour":"#000000","pair":1},{"id":1,"name":"b","colour":"#000001"}]`, "does not name it back"},
		{"classes", `[{"id":0,"name":"a","colour":"#000000","pair":7}]`, "pair 7"},
	} {
		var obj map[string]json.RawMessage
		if err := json.Unmarshal(good, &obj); err != nil {
			t.Fatal(err)
		}
		obj[c.path] = json.RawMessage(c.value)
		data, err := json.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		_, err = model.ParseManifest(data)
		if !errors.Is(err, model.ErrManifest) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %s: %v, want %q", c.path, c.value, err, c.want)
		}
	}
	newer := bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": 2, "channels": "other"`), 1)
	if _, err := model.ParseManifest(newer); !errors.Is(err, model.ErrVersion) {
		t.Errorf("version 2: %v", err)
	}
}

func TestBadBundles(t *testing.T) {
	spec := modeltest.Spec{}
	for name, c := range map[string]struct {
		change func(*model.Contents)
		is     error
		want   string
	}{
		"missing": {
			func(c *model.Contents) { c.Generator = c.Generator[1:] }, safetensors.ErrMissing,
			`generator.safetensors: tensor "mapping.fc0.weight" of shape [16, 16]`,
		},
		"shape": {
			func(c *model.Contents) {
				c.Generator[1] = safetensors.Float32("mapping.fc0.bias", make([]float32, 3), 3)
			}, safetensors.ErrShape,
			`tensor "mapping.fc0.bias" is [3], want [16]`,
		},
		"type": {
			func(c *model.Contents) { c.Generator[1] = safetensors.Uint8("mapping.fc0.bias", make([]byte, 16), 16) }, safetensors.ErrShape,
			`tensor "mapping.fc0.bias" is of type U8`,
		},
		"head shape": {
			func(c *model.Contents) { c.Head = c.Head[1:] }, safetensors.ErrMissing,
			`segmentation.safetensors: tensor "layers.0.weight" of shape [2, 12,`,
		},
		"head classes": {func(c *model.Contents) { c.HeadMetadata["classes"] = "4" }, nil, `classes is "4", want 5`},
		"head members": {func(c *model.Contents) { c.HeadMetadata["members"] = "99999999999" }, nil, "members"},
		"head hidden":  {func(c *model.Contents) { c.HeadMetadata["hidden"] = "[-1]" }, nil, "hidden"},
		"head map":     {func(c *model.Contents) { c.HeadMetadata["features"] = `["b9.conv1"]` }, nil, `no map "b9.conv1"`},
		"head format":  {func(c *model.Contents) { c.HeadMetadata = nil }, nil, "metadata format"},
		"head version": {func(c *model.Contents) { c.HeadMetadata["version"] = "2" }, model.ErrVersion, "version 2"},
		"head twice":   {func(c *model.Contents) { c.HeadMetadata["features"] = `["b4.const","b4.const"]` }, nil, "twice"},
		"head scaling": {func(c *model.Contents) { c.HeadMetadata["upsample"] = "" }, nil, "upsample"},
	} {
		contents := modeltest.Contents(spec)
		c.change(&contents)
		_, err := contents.Open()
		if err == nil || !strings.Contains(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}

	fsys := mapFS(t, modeltest.Contents(spec))
	delete(fsys, "segmentation.safetensors")
	if m, err := model.Open(fsys); err != nil {
		t.Errorf("without a head: %v", err)
	} else if f, h := m.Head(); f != nil || h != nil {
		t.Error("there is a head without its file")
	}
	g := fsys["generator.safetensors"]
	g.Data = g.Data[:len(g.Data)-10]
	if _, err := model.Open(fsys); !errors.Is(err, safetensors.ErrFormat) || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("truncated: %v", err)
	}
	delete(fsys, "generator.safetensors")
	if _, err := model.Open(fsys); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a generator: %v", err)
	}
	if _, err := model.Open(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "not a model bundle") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := model.OpenPath("model_test.go"); err == nil || !strings.Contains(err.Error(), "neither a folder nor a zip") {
		t.Errorf("a Go file: %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, s := range []modeltest.Spec{{}, {Classes: -1, Raw: true, NoNoise: true}, {Crop: []int{0, 4, 32, 28}, Clamp: 256}} {
		man := modeltest.Contents(s).Manifest
		data, err := man.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := model.ParseManifest(data)
		if err != nil {
			return
		}
		m.GeneratorTensors()
		m.Features()
		m.Palette()
		m.Mirror()
		out, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.ParseManifest(out); err != nil {
			t.Fatalf("reading what was written: %v\n%s", err, out)
		}
	})
}
