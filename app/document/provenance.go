package document

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"

	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// An exported PNG says how it was made: chunk iTXt "Description" in words, and
// iTXt "latentbrush" as JSON, a [Provenance], from which the picture can be made again.

// ErrNoProvenance says that a picture does not say how it was made.
var ErrNoProvenance = errors.New("document: the picture does not say how it was made")

const (
	pngSignature      = "\x89PNG\r\n\x1a\n"
	provenanceKey     = "latentbrush"
	provenanceVersion = 1
	maxProvenance     = 64 << 20 // bytes of JSON
)

// Provenance says how a picture was made.
type Provenance struct {
	Version    int           `json:"version"`
	Model      vectors.Model `json:"model"`
	Rows       int           `json:"rows"`
	Dim        int           `json:"dim"`
	Source     SourceKind    `json:"source"`
	Name       string        `json:"name,omitempty"`
	Seed       uint64        `json:"seed,string"`
	Truncation float64       `json:"truncation"`
	// Start is the code before the vectors, little-endian float32 numbers.
	Start   []byte          `json:"start"`
	Vectors []AppliedVector `json:"vectors"`
}

// AppliedVector is an entry of the edit stack of an exported picture.
type AppliedVector struct {
	Name     string  `json:"name"`
	Content  string  `json:"content,omitempty"` // digest of the library's vector
	Strength float64 `json:"strength"`
	On       bool    `json:"on"`
	Delta    []byte  `json:"delta"`
	Classes  []int   `json:"classes,omitempty"`
	// Correction is what refinement at this strength added.
	Correction  []byte `json:"correction,omitempty"`
	RefineSteps int    `json:"refine_steps,omitempty"`
}

// Provenance returns how the present picture was made.
func (d *Document) Provenance() (Provenance, error) {
	if !d.HasPicture() {
		return Provenance{}, ErrNoPicture
	}
	s := d.scene
	p := Provenance{
		Version: provenanceVersion, Model: d.space.Model, Rows: d.space.Rows, Dim: d.space.Dim, Source: s.Source.Kind,
		Name: s.Source.Name, Seed: s.Source.Seed, Truncation: finite(s.Source.Truncation), Start: codeBytes(s.Start),
	}
	for _, e := range s.Stack {
		v := AppliedVector{Name: e.Name, Content: e.Content, Strength: e.Strength, On: e.On, Delta: codeBytes(e.Delta)}
		for _, c := range e.Classes {
			v.Classes = append(v.Classes, int(c))
		}
		if e.RefinedNow() {
			v.Correction, v.RefineSteps = codeBytes(e.Refined.Correction), e.Refined.Steps
		}
		p.Vectors = append(p.Vectors, v)
	}
	return p, nil
}

// String says in words how the picture was made.
func (p Provenance) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made with Latentbrush, model %s", p.Model)
	switch p.Source {
	case SeedSource:
		fmt.Fprintf(&b, ", seed %d, truncation %.2f", p.Seed, p.Truncation)
	case PhotoSource:
		fmt.Fprintf(&b, ", from the photo %s", p.Name)
	}
	for _, v := range p.Vectors {
		if v.On {
			fmt.Fprintf(&b, ", %s %+.2f", v.Name, v.Strength)
		}
	}
	return b.String()
}

func codeBytes(c latent.Code) []byte {
	b := make([]byte, 0, 4*len(c.Data))
	for _, f := range c.Data {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func (p Provenance) code(raw []byte) (latent.Code, error) {
	if len(raw) != 4*p.Rows*p.Dim {
		return latent.Code{}, fmt.Errorf("a code of %d bytes, %d × %d numbers expected", len(raw), p.Rows, p.Dim)
	}
	c := latent.New(p.Rows, p.Dim)
	for i := range c.Data {
		c.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return c, c.Check(p.Rows, p.Dim)
}

// stack returns the start and the entries that p describes, with ids from first.
func (p Provenance) stack(first EditID) (start latent.Code, stack []Edit, err error) {
	if start, err = p.code(p.Start); err != nil {
		return latent.Code{}, nil, err
	}
	for _, v := range p.Vectors {
		e := Edit{ID: first, Name: v.Name, Content: v.Content, Strength: v.Strength, On: v.On}
		first++
		if err := errors.Join(vectors.CheckName(v.Name), checkStrength(v.Strength)); err != nil {
			return latent.Code{}, nil, err
		}
		if e.Delta, err = p.code(v.Delta); err != nil {
			return latent.Code{}, nil, err
		}
		if len(v.Correction) > 0 {
			e.Refined = Refined{Strength: v.Strength, Steps: v.RefineSteps}
			if e.Refined.Correction, err = p.code(v.Correction); err != nil {
				return latent.Code{}, nil, err
			}
		}
		for _, c := range v.Classes {
			if c < 0 || c > 255 {
				return latent.Code{}, nil, fmt.Errorf("there is no class %d", c)
			}
			e.Classes = append(e.Classes, uint8(c))
		}
		stack = append(stack, e)
	}
	return start, stack, nil
}

func (p Provenance) check() error {
	if p.Version < 1 || p.Version > provenanceVersion {
		return fmt.Errorf("version is %d; this program reads up to %d", p.Version, provenanceVersion)
	}
	if p.Rows < 1 || p.Rows > vectors.MaxRows || p.Dim < 1 || p.Dim > vectors.MaxDim || len(p.Vectors) > MaxStack || len(p.Name) > maxTitleSize {
		return fmt.Errorf("codes of %d × %d and %d vectors", p.Rows, p.Dim, len(p.Vectors))
	}
	_, _, err := p.stack(1)
	return err
}

// Code returns the code of the picture.
func (p Provenance) Code() (latent.Code, error) {
	start, stack, err := p.stack(1)
	if err != nil {
		return latent.Code{}, fmt.Errorf("document: %w", err)
	}
	return (&Scene{Start: start, Stack: stack}).Code(), nil
}

// SetProvenance opens the picture that p describes: start and edit stack become p's. labels are those of p's code.
// A picture of another model is refused.
func (d *Document) SetProvenance(p Provenance, labels *image.Paletted) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	if p.Rows != d.space.Rows || p.Dim != d.space.Dim || !p.Model.Fits(d.space.Model) {
		return fmt.Errorf("document: the picture was made by %s, but the open model is %s: %w", p.Model, d.space.Model, vectors.ErrWrongModel)
	}
	start, stack, err := p.stack(d.nextID)
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	changes, err := d.newLabels(labels)
	if err != nil {
		return err
	}
	d.nextID += EditID(len(stack))
	s := d.scene.clone()
	s.Source = Source{Kind: p.Source, Name: p.Name, Seed: p.Seed, Truncation: p.Truncation}
	if p.Source != SeedSource { // the photo itself is not in the file
		s.Source.Kind = LatentSource
	}
	s.Start, s.Stack, s.Choices, s.Status = start, stack, nil, nil
	s.LabelsOf = keyOf(s.Code())
	d.do(Label{Key: "open.export", Args: []string{p.Name}}, s, changes...)
	return nil
}

// WritePNG writes picture as PNG. With p it says how it was made; with nil it says nothing.
func WritePNG(w io.Writer, picture image.Image, p *Provenance) error {
	var plain bytes.Buffer
	if err := png.Encode(&plain, picture); err != nil {
		return fmt.Errorf("document: the picture was not written: %w", err)
	}
	raw := plain.Bytes()
	if p != nil {
		text, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("document: the picture was not written: %w", err)
		}
		// The signature has 8 bytes and IHDR, which comes first, 25.
		const head = 8 + 25
		raw = slices.Concat(raw[:head], textChunk("Software", "Latentbrush", false), textChunk("Description", p.String(), false),
			textChunk(provenanceKey, string(text), true), raw[head:])
	}
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("document: the picture was not written: %w", err)
	}
	return nil
}

// textChunk is an iTXt chunk: keyword, 0, compressed?, method 0, language, 0, translated keyword, 0, text in UTF-8
// (PNG specification, third edition, 11.3.3.4).
func textChunk(key, text string, compress bool) []byte {
	body := []byte(key + "\x00\x00\x00\x00\x00")
	if compress {
		body[len(key)+1] = 1
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		io.WriteString(z, text) // a bytes.Buffer takes everything
		z.Close()
		text = b.String()
	}
	body = append(body, text...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(chunk, "iTXt"...)
	chunk = append(chunk, body...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}

// ReadProvenance returns what a PNG says of how it was made, and [ErrNoProvenance] when it says nothing.
func ReadProvenance(r io.Reader) (Provenance, error) {
	var signature [8]byte
	if _, err := io.ReadFull(r, signature[:]); err != nil || string(signature[:]) != pngSignature {
		return Provenance{}, fmt.Errorf("%w: it is no PNG", ErrNoProvenance)
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return Provenance{}, ErrNoProvenance
		}
		n, kind := int64(binary.BigEndian.Uint32(head[:])), string(head[4:])
		if kind == "IDAT" || kind == "IEND" {
			return Provenance{}, ErrNoProvenance
		}
		if kind != "iTXt" || n > maxProvenance {
			if _, err := io.CopyN(io.Discard, r, n+4); err != nil {
				return Provenance{}, ErrNoProvenance
			}
			continue
		}
		body, err := io.ReadAll(io.LimitReader(r, n+4))
		if err != nil || int64(len(body)) != n+4 {
			return Provenance{}, ErrNoProvenance
		}
		sum := crc32.Update(crc32.ChecksumIEEE(head[4:]), crc32.IEEETable, body[:n])
		if sum != binary.BigEndian.Uint32(body[n:]) {
			return Provenance{}, fmt.Errorf("%w: a chunk is damaged", ErrNoProvenance)
		}
		text, ok := bytes.CutPrefix(body[:n], []byte(provenanceKey+"\x00"))
		if !ok {
			continue
		}
		p, err := parseProvenance(text)
		if err != nil {
			return Provenance{}, fmt.Errorf("%w: %w", ErrNoProvenance, err)
		}
		return p, nil
	}
}

// parseProvenance reads an iTXt chunk after its keyword.
func parseProvenance(text []byte) (Provenance, error) {
	if len(text) < 4 || text[1] != 0 {
		return Provenance{}, errors.New("its text is not well formed")
	}
	compressed := text[0] == 1
	// Language and translated keyword may be there, each ends with 0.
	parts := bytes.SplitN(text[2:], []byte{0}, 3)
	if len(parts) != 3 {
		return Provenance{}, errors.New("its text is not well formed")
	}
	raw := parts[2]
	if compressed {
		z, err := zlib.NewReader(bytes.NewReader(raw))
		if err != nil {
			return Provenance{}, err
		}
		if raw, err = io.ReadAll(io.LimitReader(z, maxProvenance+1)); err != nil {
			return Provenance{}, err
		}
		if len(raw) > maxProvenance {
			return Provenance{}, fmt.Errorf("its text has more than %d bytes", maxProvenance)
		}
	}
	var p Provenance
	if err := json.Unmarshal(raw, &p); err != nil {
		return Provenance{}, err
	}
	return p, p.check()
}
