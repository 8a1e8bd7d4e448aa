package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"math/bits"
	"path"
	"regexp"
	"strconv"
)

// The marks of a manifest, and limits of what is read.
const (
	Format       = "latentbrush-model"
	Version      = 1
	Architecture = "stylegan2"

	ManifestName = "model.json"

	MinResolution = 32
	MaxResolution = 1024
	MaxWidth      = 4096 // z_dim, w_dim, channels
	MaxMapping    = 16
	MaxClasses    = 256

	maxManifest = 1 << 20
)

// ErrManifest reports a model.json that breaks the rules of the package comment.
var ErrManifest = errors.New("not a valid manifest")

// ErrVersion reports a bundle of a newer format.
var ErrVersion = errors.New("the model needs a newer Latentbrush")

// Manifest is the content of model.json; the package comment describes each member.
type Manifest struct {
	Format        string `json:"format"`
	Version       int    `json:"version"`
	ID            string `json:"id"`
	Name          string `json:"name"`
	Description   string `json:"description,omitempty"`
	Architecture  string `json:"architecture"`
	Resolution    int    `json:"resolution"`
	Crop          []int  `json:"crop,omitempty"`
	ZDim          int    `json:"z_dim"`
	WDim          int    `json:"w_dim"`
	Rows          int    `json:"rows"`
	MappingLayers int    `json:"mapping_layers"`
	// MappingLRMul is the learning-rate factor of the mapping network; 0 means 0.01.
	MappingLRMul float64  `json:"mapping_lr_mul,omitempty"`
	Channels     Channels `json:"channels"`
	Clamp        float64  `json:"clamp,omitempty"`
	Demodulation string   `json:"demodulation,omitempty"`
	Noise        string   `json:"noise"`

	Truncation Truncation        `json:"truncation"`
	Classes    []Class           `json:"classes,omitempty"`
	Licence    string            `json:"licence"`
	Author     string            `json:"author,omitempty"`
	Training   json.RawMessage   `json:"training,omitempty"`
	Files      map[string]string `json:"files,omitempty"`
}

// Values of Manifest.Demodulation and Manifest.Noise.
const (
	DemodulationScaled = "scaled"
	DemodulationRaw    = "raw"
	NoiseConst         = "const"
	NoiseNone          = "none"
)

// Channels maps each resolution from 4 up to its number of feature channels.
type Channels map[int]int

// UnmarshalJSON reads an object whose keys are resolutions.
func (c *Channels) UnmarshalJSON(data []byte) error {
	var raw map[string]int
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*c = make(Channels, len(raw))
	for k, v := range raw {
		r, err := strconv.Atoi(k)
		if err != nil {
			return fmt.Errorf("%q is not a resolution", k)
		}
		(*c)[r] = v
	}
	return nil
}

// Truncation holds the default ψ of w' = w̄ + ψ·(w − w̄) for random pictures.
type Truncation struct {
	Psi float64 `json:"psi"`
}

// Class is one part label. Its id is its index in Manifest.Classes.
type Class struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Colour Colour `json:"colour"`
	// Pair is the id of the mirrored class, nil if there is none.
	Pair  *int   `json:"pair,omitempty"`
	Group string `json:"group,omitempty"`
}

// Colour is an opaque colour, written as "#rrggbb".
type Colour color.RGBA

// RGBA implements [color.Color].
func (c Colour) RGBA() (r, g, b, a uint32) { return color.RGBA(c).RGBA() }

// MarshalJSON writes "#rrggbb".
func (c Colour) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `"#%02x%02x%02x"`, c.R, c.G, c.B), nil
}

// UnmarshalJSON reads "#rrggbb".
func (c *Colour) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	v, err := strconv.ParseUint(s[min(1, len(s)):], 16, 32)
	if err != nil || len(s) != 7 || s[0] != '#' {
		return fmt.Errorf("colour %q is not of the form #rrggbb", s)
	}
	*c = Colour{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
	return nil
}

// ParseManifest reads and validates a manifest. Errors wrap [ErrManifest] or
// [ErrVersion].
func ParseManifest(data []byte) (*Manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrManifest, maxManifest)
	}
	// The version is looked at first: a newer format may have changed anything else.
	var head struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("%w: format is %q, want %q", ErrManifest, head.Format, Format)
	}
	if head.Version > Version {
		return nil, fmt.Errorf("%w: its format has version %d, this program reads up to %d", ErrVersion, head.Version, Version)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

var (
	idPattern    = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)
	classPattern = regexp.MustCompile(`^[a-z0-9_ /-]{1,64}$`)
)

// Validate checks every rule of the package comment, and fills in what may be
// absent (MappingLRMul, Demodulation). Errors wrap [ErrManifest] and name the
// member and what was expected.
func (m *Manifest) Validate() error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return nil
}

func (m *Manifest) validate() error {
	if m.Format != Format {
		return fmt.Errorf("format is %q, want %q", m.Format, Format)
	}
	if m.Version != Version {
		return fmt.Errorf("version is %d, want %d", m.Version, Version)
	}
	if !idPattern.MatchString(m.ID) {
		return fmt.Errorf("id %q must be 1 to 64 characters of a-z 0-9 . _ -", m.ID)
	}
	if m.Architecture != Architecture {
		return fmt.Errorf("architecture is %q, want %q", m.Architecture, Architecture)
	}
	r := m.Resolution
	if r < MinResolution || r > MaxResolution || r&(r-1) != 0 {
		return fmt.Errorf("resolution is %d, want a power of two from %d to %d", r, MinResolution, MaxResolution)
	}
	if want := Rows(r); m.Rows != want {
		return fmt.Errorf("rows is %d, want %d at resolution %d", m.Rows, want, r)
	}
	for _, d := range []struct {
		name      string
		v, lo, hi int
	}{
		{"z_dim", m.ZDim, 1, MaxWidth},
		{"w_dim", m.WDim, 1, MaxWidth},
		{"mapping_layers", m.MappingLayers, 0, MaxMapping},
	} {
		if d.v < d.lo || d.v > d.hi {
			return fmt.Errorf("%s is %d, want %d to %d", d.name, d.v, d.lo, d.hi)
		}
	}
	if m.MappingLayers == 0 && m.ZDim != m.WDim {
		return fmt.Errorf("z_dim is %d and w_dim %d, but there is no mapping layer between them", m.ZDim, m.WDim)
	}
	if m.MappingLRMul == 0 {
		m.MappingLRMul = 0.01
	}
	if !(m.MappingLRMul > 0 && m.MappingLRMul <= 100) {
		return fmt.Errorf("mapping_lr_mul is %v, want a number above 0, up to 100", m.MappingLRMul)
	}
	for res := 4; res <= r; res *= 2 {
		if c := m.Channels[res]; c < 1 || c > MaxWidth {
			return fmt.Errorf("channels of resolution %d: %d, want 1 to %d", res, c, MaxWidth)
		}
	}
	if want := bits.Len(uint(r)) - 2; len(m.Channels) != want {
		return fmt.Errorf("channels lists %d resolutions, want the %d from 4 to %d", len(m.Channels), want, r)
	}
	if m.Crop != nil {
		if len(m.Crop) != 4 {
			return fmt.Errorf("crop has %d numbers, want x0, y0, x1, y1", len(m.Crop))
		}
		c := m.CropRect()
		if c.Dx() < 1 || c.Dy() < 1 || c.Min.X != m.Crop[0] || c.Min.Y != m.Crop[1] || !c.In(image.Rect(0, 0, r, r)) {
			return fmt.Errorf("crop %v is not a part of the %d × %d picture", m.Crop, r, r)
		}
	}
	if !(m.Clamp >= 0 && m.Clamp <= 1e30) {
		return fmt.Errorf("clamp is %v, want 0 or a positive number", m.Clamp)
	}
	switch m.Demodulation {
	case "":
		m.Demodulation = DemodulationScaled
	case DemodulationScaled, DemodulationRaw:
	default:
		return fmt.Errorf("demodulation is %q, want %q or %q", m.Demodulation, DemodulationScaled, DemodulationRaw)
	}
	switch m.Noise {
	case NoiseConst, NoiseNone:
	default:
		return fmt.Errorf("noise is %q, want %q or %q", m.Noise, NoiseConst, NoiseNone)
	}
	if p := m.Truncation.Psi; !(p >= -4 && p <= 4) {
		return fmt.Errorf("truncation psi is %v, want −4 to 4", p)
	}
	if len(m.Training) > 0 && m.Training[0] != '{' && string(m.Training) != "null" {
		return errors.New("training is not a JSON object")
	}
	for kind, name := range m.Files {
		if !fs.ValidPath(name) || name == "." || path.IsAbs(name) {
			return fmt.Errorf("files: %s is %q, want a path inside the bundle", kind, name)
		}
	}
	return m.validateClasses()
}

func (m *Manifest) validateClasses() error {
	if len(m.Classes) > MaxClasses {
		return fmt.Errorf("%d classes, want at most %d", len(m.Classes), MaxClasses)
	}
	names := make(map[string]bool, len(m.Classes))
	for i, c := range m.Classes {
		if c.ID != i {
			return fmt.Errorf("class number %d has id %d, want ids 0, 1, 2 … in order", i, c.ID)
		}
		if !classPattern.MatchString(c.Name) {
			return fmt.Errorf("class %d: name %q must be 1 to 64 characters of a-z 0-9 space _ / -", i, c.Name)
		}
		if names[c.Name] {
			return fmt.Errorf("class %d: the name %q is taken", i, c.Name)
		}
		names[c.Name] = true
		if c.Colour.A != 255 {
			return fmt.Errorf("class %d (%s) has no colour", i, c.Name)
		}
		if p := c.Pair; p != nil {
			if *p < 0 || *p >= len(m.Classes) || *p == i {
				return fmt.Errorf("class %d (%s): pair %d is not another class", i, c.Name, *p)
			}
			if back := m.Classes[*p].Pair; back == nil || *back != i {
				return fmt.Errorf("class %d (%s): its pair %d does not name it back", i, c.Name, *p)
			}
		}
	}
	return nil
}

// Encode returns the manifest as indented JSON after validating it.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return append(data, '\n'), nil
}

// Rows returns the number of rows of W+ at a power-of-two resolution.
func Rows(resolution int) int { return 2*(bits.Len(uint(resolution))-1) - 2 }

// CropRect returns the part of the square picture that is shown.
func (m *Manifest) CropRect() image.Rectangle {
	if len(m.Crop) != 4 {
		return image.Rect(0, 0, m.Resolution, m.Resolution)
	}
	return image.Rect(m.Crop[0], m.Crop[1], m.Crop[2], m.Crop[3])
}

// Size returns width and height of the pictures that are shown.
func (m *Manifest) Size() image.Point { return m.CropRect().Size() }

// Palette returns the classes' colours, indexed by class id.
func (m *Manifest) Palette() color.Palette {
	p := make(color.Palette, len(m.Classes))
	for i, c := range m.Classes {
		p[i] = color.RGBA(c.Colour)
	}
	return p
}

// Mirror returns for each class the class it becomes when the picture is flipped.
func (m *Manifest) Mirror() []uint8 {
	out := make([]uint8, len(m.Classes))
	for i, c := range m.Classes {
		out[i] = uint8(i)
		if c.Pair != nil {
			out[i] = uint8(*c.Pair)
		}
	}
	return out
}
