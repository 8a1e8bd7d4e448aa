package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

func encode(t *testing.T, metadata map[string]string, tensors ...Tensor) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(&buf, metadata, tensors...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestRoundTrip(t *testing.T) {
	data := encode(
		t, map[string]string{"k": "v"},
		Float32("a", []float32{1, -2, 3.5, 4, 5, 6}, 2, 3),
		Uint8("empty", nil, 0, 4),
		Float16("h", []float32{0.5, -65504, 6e-8, float32(math.Inf(1))}, 4),
		Uint8("u", []byte{1, 2, 255}, 3),
		Float32("scalar", []float32{7}),
	)
	if len(data)%4 != 0 && binary.LittleEndian.Uint64(data)%8 != 0 {
		t.Error("the data part is not aligned")
	}
	f, err := NewFile("x", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Metadata()["k"] != "v" {
		t.Errorf("metadata %v", f.Metadata())
	}
	if got := f.Names(); !slices.Equal(got, []string{"a", "empty", "h", "u", "scalar"}) {
		t.Errorf("names %v", got)
	}
	a, err := f.Float32s("a", 2, -1)
	if err != nil || !slices.Equal(a, []float32{1, -2, 3.5, 4, 5, 6}) {
		t.Errorf("a = %v, %v", a, err)
	}
	h, err := f.Float32s("h", 4)
	if err != nil || h[0] != 0.5 || h[1] != -65504 || h[2] != 1.0/(1<<24) || !math.IsInf(float64(h[3]), 1) {
		t.Errorf("h = %v, %v", h, err)
	}
	if s, err := f.Float32s("scalar"); err != nil || s[0] != 7 {
		t.Errorf("scalar = %v, %v", s, err)
	}
	if _, err := f.Float32s("a", 3, 2); !errors.Is(err, ErrShape) {
		t.Errorf("wrong shape: %v", err)
	}
	if _, err := f.Float32s("u", 3); !errors.Is(err, ErrShape) {
		t.Errorf("bytes as floats: %v", err)
	}
	_, err = f.Float32s("b", 1)
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), `x: tensor "b" of shape [1]`) {
		t.Errorf("missing: %v", err)
	}
}

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		f := float32FromHalf(uint16(h))
		if f != f {
			continue
		}
		if back := halfFromFloat32(f); back != uint16(h) {
			t.Fatalf("%#04x is %g, which is %#04x", h, f, back)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float32Range(-65000, 65000).Draw(t, "f")
		got := float32FromHalf(halfFromFloat32(f))
		if d := math.Abs(float64(got - f)); d > math.Max(math.Abs(float64(f))/2048, 1.0/(1<<25)) {
			t.Fatalf("%g became %g", f, got)
		}
	})
}

func TestBadFiles(t *testing.T) {
	file := func(header string, data int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), make([]byte, data)...)
	}
	good := `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":         {nil, "0 bytes"},
		"huge header":   {bytes.Repeat([]byte{0xff}, 16), "more than the limit"},
		"long header":   {append([]byte{200, 0, 0, 0, 0, 0, 0, 0}, "{}"...), "only 2 follow"},
		"not json":      {file("hello", 0), "not a JSON object"},
		"truncated":     {file(good, 7), "truncated: the tensors need 8 bytes, the file has 7"},
		"trailing":      {file(good, 9), "1 bytes follow"},
		"absurd shape":  {file(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}`, 8), "overflows"},
		"negative":      {file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}`, 8), "out of range"},
		"type":          {file(`{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}`, 8), `unknown type "F99"`},
		"offsets":       {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "do not hold"},
		"hole":          {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "begins at byte 4"},
		"overlap":       {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "begins at byte 4"},
		"metadata":      {file(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
		"one offset":    {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}`, 8), "two numbers"},
		"many axes":     {file(`{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}`, 1), "dimensions"},
		"offsets below": {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, 1), "do not hold"},
	} {
		_, err := NewFile("f", bytes.NewReader(c.data), int64(len(c.data)))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestOpen(t *testing.T) {
	data := encode(t, nil, Float32("a", []float32{1}, 1))
	fsys := fstest.MapFS{"a.safetensors": {Data: data}, "d/x": {}}
	f, err := Open(fsys, "a.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if a, err := f.Float32s("a", 1); err != nil || a[0] != 1 {
		t.Errorf("a = %v, %v", a, err)
	}
	if _, err := Open(fsys, "b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := Open(fsys, "d"); !errors.Is(err, ErrFormat) {
		t.Errorf("folder: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	twice := []Tensor{Uint8("a", nil, 0), Uint8("a", nil, 0)}
	if err := WriteFile(path, nil, twice...); err == nil {
		t.Error("two tensors of one name were written")
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("a failed write changed the file to %q", b)
	}
	if err := WriteFile(path, nil, twice[0]); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("files beside it: %v, %v", names, err)
	}
}

func FuzzNewFile(f *testing.F) {
	var buf bytes.Buffer
	if err := Write(&buf, map[string]string{"a": "b"}, Float32("x", []float32{1, 2}, 2), Float16("y", []float32{1}, 1)); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte("\x36\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}` + "12345678"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := NewFile("f", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		var tensors []Tensor
		for _, name := range file.Names() {
			info, ok := file.Info(name)
			if !ok {
				t.Fatalf("%q is listed and not found", name)
			}
			raw, err := file.Bytes(name)
			if err != nil || len(raw) != info.Len()*info.DType.Size() {
				t.Fatalf("%q: %d bytes, %v", name, len(raw), err)
			}
			if name == "" {
				return
			}
			tensors = append(tensors, Tensor{name, info.DType, info.Shape, raw})
		}
		var out bytes.Buffer
		if err := Write(&out, file.Metadata(), tensors...); err != nil {
			t.Fatal(err)
		}
		if _, err := NewFile("f", bytes.NewReader(out.Bytes()), int64(out.Len())); err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
	})
}
