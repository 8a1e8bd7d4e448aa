package document

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"latentbrush/canvas"
	"latentbrush/engine/model/safetensors"
	"latentbrush/vectors"
)

// Ext is the ending of a project's file name.
const Ext = ".lbproj"

// A project is a zip file:
//
//	project.json        format, version, id, space, the canvas's revisions, the view, and the history as one batch
//	labels/base.png     indexed PNG, class id = palette index
//	labels/painted.png  the same, as painted
//	labels/marks.png    grey PNG of mark bits
//	codes.safetensors   tensor "codes" [n, rows, dim] F32: every code and delta of the history
//	changes.bin         the nodes' changes of pixels, end to end
//	thumbs.bin          the nodes' thumbnails (JPEG), end to end
//	photos/0, 1, …      the photos, byte for byte
const (
	projectFormat  = "latentbrush-project"
	projectVersion = 1
	// MaxProject is the most bytes that a project may have, unpacked.
	MaxProject = 2 << 30
)

// ErrDamaged says that a file is not a whole, well-formed project.
var ErrDamaged = errors.New("damaged project file")

type projectRow struct {
	Format   string    `json:"format"`
	Version  int       `json:"version"`
	ID       string    `json:"id"`
	Space    spaceRow  `json:"space"`
	Revision uint64    `json:"revision,string"`
	Next     uint64    `json:"next_revision,string"`
	View     ViewState `json:"view"`
	History  *batch    `json:"history"`
}

// snapshot is a document at one moment, which may be written on another goroutine.
type snapshot struct {
	space   Space
	id      string
	nodes   []kept
	current NodeID
	canvas  canvas.State
	view    ViewState
}

// capture takes a snapshot: it copies the pixels and refers to everything else, which does not change. A stroke
// that is being painted is not part of it, see [Document.Save].
func (d *Document) capture() *snapshot {
	s := &snapshot{space: d.space, id: d.id, current: d.history.now.id, canvas: d.canvas.State(), view: d.view}
	ids := make([]NodeID, 0, len(d.history.nodes))
	for id := range d.history.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids) // parents have smaller ids
	for _, id := range ids {
		s.nodes = append(s.nodes, d.history.nodes[id].keep())
	}
	return s
}

// write writes the snapshot as a project and returns the encoder, which knows what it has written.
func (s *snapshot) write(w io.Writer) (*encoder, error) {
	enc := newEncoder()
	b, err := enc.encode(s.nodes, s.current)
	if err != nil {
		return nil, err
	}
	z := zip.NewWriter(w)
	put := func(name string, method uint16, write func(io.Writer) error) {
		if err != nil {
			return
		}
		var part io.Writer
		if part, err = z.CreateHeader(&zip.FileHeader{Name: name, Method: method}); err == nil {
			err = write(part)
		}
	}
	row := projectRow{
		Format: projectFormat, Version: projectVersion, ID: s.id, Space: s.space.row(),
		Revision: s.canvas.Revision, Next: s.canvas.Next, View: s.view, History: b,
	}
	put("project.json", zip.Deflate, func(w io.Writer) error { return json.NewEncoder(w).Encode(row) })
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	for _, m := range []struct {
		name  string
		image image.Image
	}{{"labels/base.png", s.canvas.Base}, {"labels/painted.png", s.canvas.Labels}, {"labels/marks.png", s.canvas.Marks}} {
		put(m.name, zip.Store, func(w io.Writer) error { return fast.Encode(w, m.image) })
	}
	put("codes.safetensors", zip.Store, func(w io.Writer) error {
		return safetensors.Write(w, map[string]string{"format": projectFormat}, safetensors.Tensor{
			Name: "codes", DType: safetensors.F32, Shape: []int{b.Codes, s.space.Rows, s.space.Dim}, Data: b.codes,
		})
	})
	for _, blob := range []struct {
		name string
		data []byte
	}{{"changes.bin", b.changes}, {"thumbs.bin", b.thumbs}} {
		put(blob.name, zip.Store, func(w io.Writer) error { _, err := w.Write(blob.data); return err })
	}
	for i, photo := range b.photos {
		put(fmt.Sprintf("photos/%d", i), zip.Store, func(w io.Writer) error { _, err := w.Write(photo); return err })
	}
	if err != nil {
		return nil, err
	}
	return enc, z.Close()
}

// Path returns the project's file, empty when it was never saved.
func (d *Document) Path() string { return d.path }

// Title is the name of the project's file without its ending, or of the picture, or empty.
func (d *Document) Title() string {
	if d.path != "" {
		return strings.TrimSuffix(filepath.Base(d.path), Ext)
	}
	if s := d.scene.Source; s.Kind == SeedSource {
		return "seed-" + strconv.FormatUint(s.Seed, 10)
	}
	return d.scene.Source.Name
}

// Dirty reports whether there are changes that are not in the project's file.
func (d *Document) Dirty() bool {
	return d.saved.node != d.history.now.id || d.saved.stamp != d.history.now.stamp
}

func (d *Document) markSaved() {
	d.saved.node, d.saved.stamp = d.history.now.id, d.history.now.stamp
	d.announce(File)
}

// Save writes the project to path atomically and makes that the document's file. While a stroke is being painted
// it is [canvas.ErrBusy].
func (d *Document) Save(path string) error {
	if d.canvas.Editing() {
		return canvas.ErrBusy
	}
	s := d.capture()
	err := vectors.WriteAtomic(path, func(w io.Writer) error { _, err := s.write(w); return err })
	if err != nil {
		return fmt.Errorf("document: the project was not saved: %w", err)
	}
	d.path = path
	d.markSaved()
	if d.journal != nil {
		d.journal.restart(d)
	}
	return nil
}

// Open reads the project at path.
func Open(path string) (*Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	d, _, err := read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	d.path = path
	return d, nil
}

// Read reads a project from the size bytes of r. What is not a well-formed project is [ErrDamaged].
func Read(r io.ReaderAt, size int64) (*Document, error) {
	d, _, err := read(r, size)
	return d, err
}

func read(r io.ReaderAt, size int64) (*Document, *decoder, error) {
	d, dec, err := readProject(r, size)
	if err != nil {
		return nil, nil, fmt.Errorf("document: %w: %w", ErrDamaged, err)
	}
	return d, dec, nil
}

func readProject(r io.ReaderAt, size int64) (*Document, *decoder, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, nil, err
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		files[f.Name] = f
	}
	left := int64(MaxProject)
	load := func(name string, limit int64) ([]byte, error) {
		raw, err := vectors.ReadMember(files[name], min(limit, left))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		left -= int64(len(raw))
		return raw, nil
	}
	raw, err := load("project.json", maxJSON)
	if err != nil {
		return nil, nil, err
	}
	var row projectRow
	if err := unmarshal(raw, &row); err != nil {
		return nil, nil, fmt.Errorf("project.json: %w", err)
	}
	if row.Format != projectFormat {
		return nil, nil, fmt.Errorf("format is %q, %q expected", row.Format, projectFormat)
	}
	if row.Version < 1 || row.Version > projectVersion {
		return nil, nil, fmt.Errorf("version is %d; this program reads up to %d", row.Version, projectVersion)
	}
	space, err := row.Space.space()
	if err != nil {
		return nil, nil, err
	}
	b := row.History
	if b == nil || len(b.Nodes) == 0 || len(b.Photos) > maxPhotos || len(row.ID) > 100 {
		return nil, nil, errors.New("project.json has no history")
	}

	state := canvas.State{Revision: row.Revision, Next: row.Next}
	for _, m := range []struct {
		name string
		into **image.Paletted
	}{{"labels/base.png", &state.Base}, {"labels/painted.png", &state.Labels}} {
		if raw, err = load(m.name, 64<<20); err != nil {
			return nil, nil, err
		}
		if *m.into, err = readMask(bytes.NewReader(raw), space); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if raw, err = load("labels/marks.png", 64<<20); err != nil {
		return nil, nil, err
	}
	marks, err := decodePNG(bytes.NewReader(raw), space)
	if err != nil {
		return nil, nil, fmt.Errorf("labels/marks.png: %w", err)
	}
	var ok bool
	if state.Marks, ok = marks.(*image.Gray); !ok {
		return nil, nil, errors.New("labels/marks.png is no grey picture")
	}

	if raw, err = load("codes.safetensors", MaxProject); err != nil {
		return nil, nil, err
	}
	tensors, err := safetensors.NewFile("codes.safetensors", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, nil, err
	}
	if err := tensors.Check("codes", b.Codes, space.Rows, space.Dim); err != nil {
		return nil, nil, err
	}
	if info, _ := tensors.Info("codes"); info.DType != safetensors.F32 {
		return nil, nil, fmt.Errorf("codes are of type %s, F32 expected", info.DType)
	}
	if b.codes, err = tensors.Bytes("codes"); err != nil {
		return nil, nil, err
	}
	if b.changes, err = load("changes.bin", MaxProject); err != nil {
		return nil, nil, err
	}
	if b.thumbs, err = load("thumbs.bin", MaxProject); err != nil {
		return nil, nil, err
	}
	for i := range b.Photos {
		if raw, err = load(fmt.Sprintf("photos/%d", i), maxPhoto); err != nil {
			return nil, nil, err
		}
		b.photos = append(b.photos, raw)
	}

	dec := &decoder{space: space}
	nodes, err := dec.decode(b)
	if err != nil {
		return nil, nil, err
	}
	d, err := New(space)
	if err != nil {
		return nil, nil, err
	}
	if d.canvas, err = canvas.FromState(state); err != nil {
		return nil, nil, err
	}
	h := &history{nodes: map[NodeID]*node{}, next: 1, maxNodes: DefaultMaxNodes, maxBytes: DefaultMaxBytes}
	for _, k := range nodes {
		if _, err := h.restore(k); err != nil {
			return nil, nil, err
		}
	}
	for _, k := range nodes {
		if last := h.nodes[k.last]; last != nil && last.parent == h.nodes[k.id] {
			h.nodes[k.id].last = last
		}
	}
	if h.now = h.nodes[b.Current]; h.now == nil {
		return nil, nil, fmt.Errorf("the present step %d is not in the history", b.Current)
	}
	if row.ID != "" {
		d.id = row.ID
	}
	d.history, d.scene, d.nextID, d.view = h, h.now.scene, dec.highest()+1, row.View
	d.canvas.Protection, d.canvas.Symmetry = d.scene.Protection, d.scene.Symmetry
	d.markSaved()
	return d, dec, nil
}

// marshalBatch writes a batch as the payload of a journal's record: the sizes of its parts, then the parts.
func marshalBatch(b *batch) ([]byte, error) {
	head, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	parts := append([][]byte{head, b.codes, b.changes, b.thumbs}, b.photos...)
	out := binary.AppendUvarint(nil, uint64(len(parts)))
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out, nil
}

func unmarshalBatch(raw []byte) (*batch, error) {
	short := errors.New("the record is cut short")
	number := func() (uint64, error) {
		n, k := binary.Uvarint(raw)
		if k <= 0 {
			return 0, short
		}
		raw = raw[k:]
		return n, nil
	}
	count, err := number()
	if err != nil {
		return nil, err
	}
	if count < 4 || count > 4+maxPhotos {
		return nil, fmt.Errorf("a record of %d parts", count)
	}
	sizes := make([]uint64, count)
	for i := range sizes {
		if sizes[i], err = number(); err != nil {
			return nil, err
		}
	}
	parts := make([][]byte, count)
	for i, n := range sizes {
		if n > uint64(len(raw)) || n > math.MaxInt32 {
			return nil, short
		}
		parts[i], raw = raw[:n:n], raw[n:]
	}
	b := new(batch)
	if err := unmarshal(parts[0], b); err != nil {
		return nil, err
	}
	b.codes, b.changes, b.thumbs, b.photos = parts[1], parts[2], parts[3], parts[4:]
	return b, nil
}
