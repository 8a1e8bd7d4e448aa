package vectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"latentbrush/engine/latent"
	"latentbrush/engine/model/safetensors"
)

// The file of a vector is in the safetensors format, so that Python reads it
// with one line. Tensors:
//
//	delta            [rows, dim] F32
//	preview_before   [h, w, 3]   U8, optional
//	preview_after    [h, w, 3]   U8, optional
//	contact_sheet    [h, w, 3]   U8, optional
//
// __metadata__ holds strings: format "latentbrush-vector", version "1", name,
// author, licence, notes, rating, model, model_fingerprint, created (RFC 3339), content
// (the digest of model and delta, by which damage shows) and, as JSON, tags, classes, rows_used,
// calibration, learnt, generalisation and recipe. Unknown keys are ignored.
const (
	fileFormat  = "latentbrush-vector"
	fileVersion = 1

	// MaxFile is the most bytes that a vector's file may have.
	MaxFile = 256 << 20
)

// Write writes v to w as a vector file. The same vector gives the same bytes.
func Write(w io.Writer, v *Vector) error {
	v = v.Clone()
	v.derive()
	if err := v.check(); err != nil {
		return fmt.Errorf("vectors: cannot write %q: %w", v.Name, err)
	}
	meta := map[string]string{
		"format": fileFormat, "version": strconv.Itoa(fileVersion),
		"name": v.Name, "author": v.Author, "licence": v.Licence, "notes": v.Notes,
		"rating": strconv.Itoa(v.Rating), "model": v.Model.ID, "model_fingerprint": v.Model.Fingerprint,
		"created": v.Created.UTC().Format(time.RFC3339), "content": v.Content,
	}
	for key, value := range map[string]any{
		"tags": v.Tags, "classes": v.Classes, "rows_used": v.RowsUsed, "calibration": v.Calibration,
		"learnt": v.Learnt, "generalisation": v.Generalisation, "recipe": v.Recipe,
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("vectors: cannot write %q: %s: %w", v.Name, key, err)
		}
		if string(text) != "null" {
			meta[key] = string(text)
		}
	}
	tensors := []safetensors.Tensor{safetensors.Float32("delta", v.Delta.Data, v.Delta.Rows, v.Delta.Dim)}
	for _, p := range v.pictures() {
		if *p.image != nil {
			size := (*p.image).Rect.Size()
			tensors = append(tensors, safetensors.Uint8(p.tensor, rgbOf(*p.image), size.Y, size.X, 3))
		}
	}
	return safetensors.Write(w, meta, tensors...)
}

// picture ties a picture of a vector to its tensor.
type picture struct {
	tensor string
	image  **image.RGBA
	limit  int
}

func (v *Vector) pictures() [3]picture {
	return [3]picture{
		{"preview_before", &v.Before, MaxPreview},
		{"preview_after", &v.After, MaxPreview},
		{"contact_sheet", &v.Sheet, MaxSheet},
	}
}

// WriteFile writes v to path atomically.
func WriteFile(path string, v *Vector) error {
	if err := v.check(); err != nil {
		return fmt.Errorf("vectors: cannot write %q: %w", v.Name, err)
	}
	return WriteAtomic(path, func(w io.Writer) error { return Write(w, v) })
}

// ReadFile reads the vector file at path.
func ReadFile(path string) (*Vector, error) {
	return Open(os.DirFS(filepath.Dir(path)), filepath.Base(path))
}

// Open reads the vector file called name in fsys. A file that is not a
// well-formed vector is [ErrDamaged].
func Open(fsys fs.FS, name string) (*Vector, error) {
	f, err := openTensors(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readVector(f)
}

// OpenFacts reads the facts of the file called name in fsys without its numbers and pictures.
func OpenFacts(fsys fs.FS, name string) (Facts, error) {
	f, err := openTensors(fsys, name)
	if err != nil {
		return Facts{}, err
	}
	defer f.Close()
	facts, err := readFacts(f)
	if err != nil {
		return Facts{}, damaged(f.Name(), err)
	}
	return facts, nil
}

// Read reads a vector from the size bytes of r; name is used in errors.
func Read(name string, r io.ReaderAt, size int64) (*Vector, error) {
	f, err := safetensors.NewFile(name, r, size)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w: %w", ErrDamaged, err)
	}
	return readVector(f)
}

func openTensors(fsys fs.FS, name string) (*safetensors.File, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	if info.Size() > MaxFile {
		return nil, damaged(name, fmt.Errorf("it has %d bytes, at most %d expected", info.Size(), MaxFile))
	}
	f, err := safetensors.Open(fsys, name)
	if errors.Is(err, safetensors.ErrFormat) {
		return nil, fmt.Errorf("vectors: %w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	return f, nil
}

func damaged(name string, err error) error {
	return fmt.Errorf("vectors: %s: %w: %w", name, ErrDamaged, err)
}

// readFacts reads the header and checks that the tensors are as they should be.
func readFacts(f *safetensors.File) (Facts, error) {
	meta := f.Metadata()
	if got := meta["format"]; got != fileFormat {
		return Facts{}, fmt.Errorf("format is %q, %q expected", got, fileFormat)
	}
	version, err := strconv.Atoi(meta["version"])
	if err != nil || version < 1 {
		return Facts{}, fmt.Errorf("version is %q, a number expected", meta["version"])
	}
	if version > fileVersion {
		return Facts{}, fmt.Errorf("version is %d, written by a newer program; this one reads up to %d", version, fileVersion)
	}
	facts := Facts{
		Name: meta["name"], Author: meta["author"], Licence: meta["licence"], Notes: meta["notes"],
		Model: Model{ID: meta["model"], Fingerprint: meta["model_fingerprint"]}, Content: meta["content"],
	}
	if facts.Rows, facts.Dim, err = deltaSize(f); err != nil {
		return Facts{}, err
	}
	if s := meta["rating"]; s != "" {
		if facts.Rating, err = strconv.Atoi(s); err != nil {
			return Facts{}, fmt.Errorf("rating is %q, a number expected", s)
		}
	}
	if s := meta["created"]; s != "" {
		if facts.Created, err = time.Parse(time.RFC3339, s); err != nil {
			return Facts{}, fmt.Errorf("created is %q, a time like 2026-01-02T15:04:05Z expected", s)
		}
		facts.Created = facts.Created.UTC()
	}
	for key, into := range map[string]any{
		"tags": &facts.Tags, "classes": &facts.Classes, "rows_used": &facts.RowsUsed, "calibration": &facts.Calibration,
		"learnt": &facts.Learnt, "generalisation": &facts.Generalisation, "recipe": &facts.Recipe,
	} {
		if s := meta[key]; s != "" {
			if err := json.Unmarshal([]byte(s), into); err != nil {
				return Facts{}, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return facts, facts.check()
}

// deltaSize returns the size of the tensor delta after checking it against the limits.
func deltaSize(f *safetensors.File) (rows, dim int, err error) {
	if err := f.Check("delta", -1, -1); err != nil {
		return 0, 0, err
	}
	info, _ := f.Info("delta")
	return info.Shape[0], info.Shape[1], checkSize(info.Shape[0], info.Shape[1])
}

func readVector(f *safetensors.File) (*Vector, error) {
	facts, err := readFacts(f)
	if err != nil {
		return nil, damaged(f.Name(), err)
	}
	v := &Vector{Facts: facts}
	if v.Delta, err = readDelta(f); err != nil {
		return nil, damaged(f.Name(), err)
	}
	for _, p := range v.pictures() {
		if *p.image, err = readPicture(f, p); err != nil {
			return nil, damaged(f.Name(), err)
		}
	}
	content := v.Content
	v.derive()
	if content != "" && content != v.Content {
		return nil, damaged(f.Name(), errors.New("the numbers do not match their digest"))
	}
	if err := v.check(); err != nil {
		return nil, damaged(f.Name(), err)
	}
	return v, nil
}

func readDelta(f *safetensors.File) (latent.Code, error) {
	rows, dim, err := deltaSize(f)
	if err != nil {
		return latent.Code{}, err
	}
	data, err := f.Float32s("delta", rows, dim)
	if err != nil {
		return latent.Code{}, err
	}
	return latent.FromSlice(rows, dim, data)
}

func readPicture(f *safetensors.File, p picture) (*image.RGBA, error) {
	info, ok := f.Info(p.tensor)
	if !ok {
		return nil, nil
	}
	if err := f.Check(p.tensor, -1, -1, 3); err != nil {
		return nil, err
	}
	h, w := info.Shape[0], info.Shape[1]
	if info.DType != safetensors.U8 || h < 1 || w < 1 || h > p.limit || w > p.limit {
		return nil, fmt.Errorf("tensor %q is %v of %v, U8 of 1 to %d pixels a side expected", p.tensor, info.DType, info.Shape, p.limit)
	}
	raw, err := f.Bytes(p.tensor)
	if err != nil {
		return nil, err
	}
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		copy(m.Pix[4*i:], raw[3*i:3*i+3])
		m.Pix[4*i+3] = 0xff
	}
	return m, nil
}

// rgbOf returns the pixels of m without alpha, row by row.
func rgbOf(m *image.RGBA) []byte {
	size := m.Rect.Size()
	out := make([]byte, 0, 3*size.X*size.Y)
	for y := range size.Y {
		for x := range size.X {
			i := m.PixOffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)
			out = append(out, m.Pix[i:i+3]...)
		}
	}
	return out
}

// Import reads a vector from a file of any supported kind: a vector file, a
// safetensors file with a tensor "delta", a NumPy array (.npy), or the pickled "current
// vector" of EditGAN. What the file does not say of itself is taken from the file's name and from model, and
// a vector that does not fit model is refused; a zero model accepts any.
func Import(path string, model Model) (*Vector, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	if info.Size() > MaxFile {
		return nil, damaged(path, fmt.Errorf("it has %d bytes, at most %d expected", info.Size(), MaxFile))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	v, err := importBytes(name, raw, model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if model.Known() {
		if err := v.FitsModel(model, v.Rows, v.Dim); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func importBytes(name string, raw []byte, model Model) (*Vector, error) {
	imported := func(delta latent.Code, kind string) *Vector {
		v := New(name, model, delta)
		v.Learnt = Learnt{How: "import", Detail: map[string]string{"from": kind}}
		return v
	}
	switch {
	case bytes.HasPrefix(raw, []byte(npyMagic)):
		delta, err := ReadNPY(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		return imported(delta, "npy"), nil
	case len(raw) > 1 && raw[0] == 0x80 && raw[1] <= 5: // the opcode PROTO
		delta, classes, err := ReadEditGANPickle(raw)
		if err != nil {
			return nil, err
		}
		v := imported(delta, "EditGAN pickle")
		for _, id := range classes {
			v.Classes = append(v.Classes, Class{ID: id})
		}
		return v, nil
	}
	f, err := safetensors.NewFile(name, bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fmt.Errorf("vectors: %w: neither a vector, a NumPy array nor EditGAN's pickle: %w", ErrDamaged, err)
	}
	if f.Metadata()["format"] != "" {
		return readVector(f)
	}
	delta, err := readDelta(f)
	if err != nil {
		return nil, damaged(name, err)
	}
	return imported(delta, "safetensors"), nil
}
