// Package safetensors reads and writes the safetensors format: named arrays of
// numbers in one file that can be read in part and that holds nothing but data.
//
// A file is an 8-byte little-endian length, a JSON header of that length, and
// the numbers. The header gives for each tensor its type, shape and byte
// range; the reserved entry __metadata__ holds strings. The package reads the
// header at once and the tensors when they are asked for.
//
// Files come from strangers. No number of a header decides an allocation before
// it was compared with the true size of the file, ranges must follow each other
// without holes or overlaps, and every refusal says what is wrong with which tensor.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Limits of what is read.
const (
	MaxHeader  = 16 << 20 // bytes of JSON
	MaxTensors = 1 << 16
	MaxRank    = 8
	MaxFile    = 4 << 30 // bytes, for files that must be read into memory
)

var (
	// ErrFormat reports bytes that are not a valid safetensors file.
	ErrFormat = errors.New("not a valid safetensors file")
	// ErrMissing reports a tensor that the file does not have.
	ErrMissing = errors.New("tensor is missing")
	// ErrShape reports a tensor of another shape or type than expected.
	ErrShape = errors.New("tensor has another shape or type")
)

// DType is the type of a tensor's numbers.
type DType uint8

// The types of the format that the package knows.
const (
	Bool DType = iota
	U8
	I8
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	F64
	I64
	U64
)

var dtypes = [...]struct {
	name string
	size int
}{
	Bool: {"BOOL", 1},
	U8:   {"U8", 1},
	I8:   {"I8", 1},
	I16:  {"I16", 2},
	U16:  {"U16", 2},
	F16:  {"F16", 2},
	BF16: {"BF16", 2},
	I32:  {"I32", 4},
	U32:  {"U32", 4},
	F32:  {"F32", 4},
	F64:  {"F64", 8},
	I64:  {"I64", 8},
	U64:  {"U64", 8},
}

// String returns the name that the format uses, such as "F32".
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Size returns the bytes of one number.
func (d DType) Size() int { return dtypes[d].size }

func parseDType(s string) (DType, bool) {
	for i, d := range dtypes {
		if d.name == s {
			return DType(i), true
		}
	}
	return 0, false
}

// Info describes a tensor without its numbers.
type Info struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar

	begin, end int64 // within the data part
}

// Len returns the number of elements.
func (i Info) Len() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// File is an open safetensors file. Its methods may be called from several
// goroutines.
type File struct {
	name     string
	r        io.ReaderAt
	closer   io.Closer
	start    int64 // of the data part
	infos    []Info
	byName   map[string]int
	metadata map[string]string
}

// NewFile reads the header of the file whose size bytes are in r. The name is
// used in errors only.
func NewFile(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, r: r}
	if err := f.readHeader(size); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return f, nil
}

// Open reads the header of a file in fsys. Files that can be read at any
// offset are read in part, others (in a zip) are kept in memory.
func Open(fsys fs.FS, name string) (*File, error) {
	src, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := src.Stat()
	if err != nil {
		src.Close()
		return nil, err
	}
	if st.IsDir() {
		src.Close()
		return nil, fmt.Errorf("%s: %w: it is a folder", name, ErrFormat)
	}
	if ra, ok := src.(io.ReaderAt); ok {
		f, err := NewFile(name, ra, st.Size())
		if err != nil {
			src.Close()
			return nil, err
		}
		f.closer = src
		return f, nil
	}
	defer src.Close()
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(src, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n > MaxFile {
		return nil, fmt.Errorf("%s: %w: larger than %d bytes", name, ErrFormat, int64(MaxFile))
	}
	return NewFile(name, bytes.NewReader(buf.Bytes()), n)
}

// Close closes the file. Tensors cannot be read afterwards.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

type entry struct {
	DType   string  `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

func (f *File) readHeader(size int64) error {
	var lenBytes [8]byte
	if size < int64(len(lenBytes)) {
		return fmt.Errorf("it has only %d bytes", size)
	}
	if _, err := f.r.ReadAt(lenBytes[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(lenBytes[:])
	if n > MaxHeader {
		return fmt.Errorf("the header claims %d bytes, more than the limit of %d", n, MaxHeader)
	}
	if int64(n) > size-8 {
		return fmt.Errorf("the header claims %d bytes, but only %d follow", n, size-8)
	}
	head := make([]byte, n)
	if _, err := f.r.ReadAt(head, 8); err != nil {
		return err
	}
	f.start = 8 + int64(n)

	var raw map[string]json.RawMessage
	if err := json.Unmarshal(head, &raw); err != nil {
		return fmt.Errorf("the header is not a JSON object: %w", err)
	}
	if len(raw) > MaxTensors+1 {
		return fmt.Errorf("%d tensors, more than the limit of %d", len(raw), MaxTensors)
	}
	f.infos = make([]Info, 0, len(raw))
	for name, msg := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(msg, &f.metadata); err != nil {
				return fmt.Errorf("__metadata__ is not an object of strings: %w", err)
			}
			continue
		}
		info, err := parseEntry(name, msg)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		f.infos = append(f.infos, info)
	}
	// Empty tensors share their offset with the next one and come first.
	sort.Slice(f.infos, func(i, j int) bool {
		a, b := f.infos[i], f.infos[j]
		if a.begin != b.begin {
			return a.begin < b.begin
		}
		if a.end != b.end {
			return a.end < b.end
		}
		return a.Name < b.Name
	})
	var at int64
	f.byName = make(map[string]int, len(f.infos))
	for i, info := range f.infos {
		if info.begin != at {
			return fmt.Errorf("tensor %q begins at byte %d of the data, want %d", info.Name, info.begin, at)
		}
		at = info.end
		f.byName[info.Name] = i
	}
	if have := size - f.start; at != have {
		if at > have {
			return fmt.Errorf("truncated: the tensors need %d bytes, the file has %d", at, have)
		}
		return fmt.Errorf("%d bytes follow the last tensor", have-at)
	}
	return nil
}

func parseEntry(name string, msg json.RawMessage) (Info, error) {
	var e entry
	if err := json.Unmarshal(msg, &e); err != nil {
		return Info{}, err
	}
	dt, ok := parseDType(e.DType)
	if !ok {
		return Info{}, fmt.Errorf("unknown type %q", e.DType)
	}
	if len(e.Shape) > MaxRank {
		return Info{}, fmt.Errorf("%d dimensions, more than the limit of %d", len(e.Shape), MaxRank)
	}
	info := Info{Name: name, DType: dt, Shape: make([]int, len(e.Shape))}
	bytes := int64(dt.Size())
	zero := false
	for i, d := range e.Shape {
		if d < 0 || d > math.MaxInt32 {
			return Info{}, fmt.Errorf("shape %v has a dimension out of range", e.Shape)
		}
		info.Shape[i] = int(d)
		if d == 0 {
			zero = true
			continue
		}
		if bytes > math.MaxInt64/d {
			return Info{}, fmt.Errorf("shape %v overflows", e.Shape)
		}
		bytes *= d
	}
	if zero {
		bytes = 0
	}
	if len(e.Offsets) != 2 {
		return Info{}, errors.New("data_offsets are not two numbers")
	}
	info.begin, info.end = e.Offsets[0], e.Offsets[1]
	if info.begin < 0 || info.end < info.begin || info.end-info.begin != bytes {
		return Info{}, fmt.Errorf("data_offsets %v do not hold %v %s numbers (%d bytes)", e.Offsets, e.Shape, dt, bytes)
	}
	return info, nil
}

// Name returns the name the file was opened by.
func (f *File) Name() string { return f.name }

// Metadata returns the strings of __metadata__, nil if there are none. It must not
// be changed.
func (f *File) Metadata() map[string]string { return f.metadata }

// Names returns the tensors' names in the order of their data.
func (f *File) Names() []string {
	names := make([]string, len(f.infos))
	for i, info := range f.infos {
		names[i] = info.Name
	}
	return names
}

// Info describes the tensor called name.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Info{}, false
	}
	info := f.infos[i]
	info.Shape = slices.Clone(info.Shape)
	return info, true
}

// Check returns an error that names file, tensor and expectation unless the
// tensor exists with the given shape, where −1 allows any length. It reads no data.
func (f *File) Check(name string, shape ...int) error {
	i, ok := f.byName[name]
	if !ok {
		return fmt.Errorf("%s: tensor %q of shape %s: %w", f.name, name, formatShape(shape), ErrMissing)
	}
	got := f.infos[i].Shape
	same := len(got) == len(shape)
	for k := 0; same && k < len(shape); k++ {
		same = shape[k] == -1 || shape[k] == got[k]
	}
	if !same {
		return fmt.Errorf("%s: tensor %q is %s, want %s: %w", f.name, name, formatShape(got), formatShape(shape), ErrShape)
	}
	return nil
}

func formatShape(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
		if d == -1 {
			parts[i] = "any"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Bytes returns the raw little-endian data of a tensor.
func (f *File) Bytes(name string) ([]byte, error) {
	i, ok := f.byName[name]
	if !ok {
		return nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, ErrMissing)
	}
	info := f.infos[i]
	// The header was checked against the file's size, so this is bounded by it.
	buf := make([]byte, info.end-info.begin)
	if len(buf) == 0 {
		return buf, nil
	}
	if _, err := f.r.ReadAt(buf, f.start+info.begin); err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", f.name, name, err)
	}
	return buf, nil
}

// Float32s returns a tensor of floating-point numbers as float32 after
// [File.Check] with the given shape.
func (f *File) Float32s(name string, shape ...int) ([]float32, error) {
	if err := f.Check(name, shape...); err != nil {
		return nil, err
	}
	info := f.infos[f.byName[name]]
	switch info.DType {
	case F16, BF16, F32, F64:
	default:
		return nil, fmt.Errorf("%s: tensor %q is of type %s, want F16 or F32: %w", f.name, name, info.DType, ErrShape)
	}
	raw, err := f.Bytes(name)
	if err != nil {
		return nil, err
	}
	return floats(info.DType, raw), nil
}

func floats(dt DType, raw []byte) []float32 {
	out := make([]float32, len(raw)/dt.Size())
	switch dt {
	case F32:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case F16:
		for i := range out {
			out[i] = float32FromHalf(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	case BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	case F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	}
	return out
}

// Tensor is a tensor to be written. Data is little-endian and row-major.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// Float32 returns data as an F32 tensor. It panics if data does not fill shape.
func Float32(name string, data []float32, shape ...int) Tensor {
	buf := make([]byte, 0, 4*len(data))
	for _, v := range data {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	}
	return newTensor(name, F32, shape, buf)
}

// Float16 returns data as an F16 tensor, rounded to nearest even; numbers
// beyond ±65504 become infinite. It panics if data does not fill shape.
func Float16(name string, data []float32, shape ...int) Tensor {
	buf := make([]byte, 0, 2*len(data))
	for _, v := range data {
		buf = binary.LittleEndian.AppendUint16(buf, halfFromFloat32(v))
	}
	return newTensor(name, F16, shape, buf)
}

// Uint8 returns data, which is not copied, as a U8 tensor. It panics if data
// does not fill shape.
func Uint8(name string, data []byte, shape ...int) Tensor {
	return newTensor(name, U8, shape, data)
}

func newTensor(name string, dt DType, shape []int, data []byte) Tensor {
	t := Tensor{Name: name, DType: dt, Shape: slices.Clone(shape), Data: data}
	if err := t.check(); err != nil {
		panic("safetensors: " + err.Error())
	}
	return t
}

func (t Tensor) check() error {
	if t.Name == "" || t.Name == "__metadata__" {
		return fmt.Errorf("a tensor cannot be called %q", t.Name)
	}
	if int(t.DType) >= len(dtypes) {
		return fmt.Errorf("tensor %q: unknown type %v", t.Name, t.DType)
	}
	n := t.DType.Size()
	for _, d := range t.Shape {
		if d < 0 {
			return fmt.Errorf("tensor %q: shape %v", t.Name, t.Shape)
		}
		n *= d
	}
	if n != len(t.Data) || len(t.Shape) > MaxRank {
		return fmt.Errorf("tensor %q: %d bytes for %v of %s", t.Name, len(t.Data), t.Shape, t.DType)
	}
	return nil
}

// Write writes the tensors in their order, with metadata if it is not empty. The
// same input gives the same bytes.
func Write(w io.Writer, metadata map[string]string, tensors ...Tensor) error {
	var head bytes.Buffer
	head.WriteByte('{')
	field := func(key string, v any) error {
		if head.Len() > 1 {
			head.WriteByte(',')
		}
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		val, err := json.Marshal(v)
		if err != nil {
			return err
		}
		head.Write(k)
		head.WriteByte(':')
		head.Write(val)
		return nil
	}
	if len(metadata) > 0 {
		if err := field("__metadata__", metadata); err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
	}
	var at int64
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		if err := t.check(); err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		if seen[t.Name] {
			return fmt.Errorf("safetensors: two tensors are called %q", t.Name)
		}
		seen[t.Name] = true
		e := entry{DType: t.DType.String(), Shape: []int64{}, Offsets: []int64{at, at + int64(len(t.Data))}}
		for _, d := range t.Shape {
			e.Shape = append(e.Shape, int64(d))
		}
		if err := field(t.Name, e); err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		at += int64(len(t.Data))
	}
	head.WriteByte('}')
	for head.Len()%8 != 0 {
		head.WriteByte(' ')
	}
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(head.Len()))
	if _, err := w.Write(n[:]); err != nil {
		return err
	}
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes a file as a whole or not at all: it writes beside path and
// renames when everything is on disk.
func WriteFile(path string, metadata map[string]string, tensors ...Tensor) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := Write(tmp, metadata, tensors...); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
