package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"latentbrush/engine/model/safetensors"
)

// Spec is the name and shape of a tensor that a file must have. −1 in the
// shape stands for any length, a nil shape for [] or [1].
type Spec struct {
	Name  string
	Shape []int
}

// GeneratorTensors lists the tensors of generator.safetensors that the manifest
// calls for, from the input to the picture.
func (m *Manifest) GeneratorTensors() []Spec {
	var out []Spec
	add := func(name string, shape ...int) { out = append(out, Spec{name, shape}) }
	in := m.ZDim
	for i := range m.MappingLayers {
		p := fmt.Sprintf("mapping.fc%d.", i)
		add(p+"weight", m.WDim, in)
		add(p+"bias", m.WDim)
		in = m.WDim
	}
	add("mapping.w_avg", m.WDim)
	add("synthesis.b4.const", m.Channels[4], 4, 4)
	for r := 4; r <= m.Resolution; r *= 2 {
		c := m.Channels[r]
		conv := func(name string, cin int) {
			p := fmt.Sprintf("synthesis.b%d.%s.", r, name)
			add(p+"weight", c, cin, 3, 3)
			add(p+"bias", c)
			add(p+"affine.weight", cin, m.WDim)
			add(p+"affine.bias", cin)
			if m.Noise == NoiseConst {
				add(p+"noise_const", r, r)
				out = append(out, Spec{p + "noise_strength", nil})
			}
		}
		if r > 4 {
			conv("conv0", m.Channels[r/2])
		}
		conv("conv1", c)
		p := fmt.Sprintf("synthesis.b%d.torgb.", r)
		add(p+"weight", 3, c, 1, 1)
		add(p+"bias", 3)
		add(p+"affine.weight", c, m.WDim)
		add(p+"affine.bias", c)
	}
	return out
}

func (m *Manifest) checkGenerator(f *safetensors.File) error {
	for _, s := range m.GeneratorTensors() {
		var err error
		if s.Shape == nil {
			if err = f.Check(s.Name); err != nil && f.Check(s.Name, 1) == nil {
				err = nil
			}
		} else {
			err = f.Check(s.Name, s.Shape...)
		}
		if err != nil {
			return err
		}
		info, _ := f.Info(s.Name)
		switch info.DType {
		case safetensors.F16, safetensors.BF16, safetensors.F32, safetensors.F64:
		default:
			return fmt.Errorf("%s: tensor %q is of type %s, want F16 or F32: %w", f.Name(), s.Name, info.DType, safetensors.ErrShape)
		}
	}
	return nil
}

// Feature is one of the generator's feature maps.
type Feature struct {
	Name       string // "b4.const", "b4.conv1", "b8.conv0" …
	Resolution int
	Channels   int
}

// Features lists all feature maps from coarse to fine: the constant input and the output of
// every convolution after its activation.
func (m *Manifest) Features() []Feature {
	out := []Feature{{"b4.const", 4, m.Channels[4]}, {"b4.conv1", 4, m.Channels[4]}}
	for r := 8; r <= m.Resolution; r *= 2 {
		out = append(out,
			Feature{fmt.Sprintf("b%d.conv0", r), r, m.Channels[r]},
			Feature{fmt.Sprintf("b%d.conv1", r), r, m.Channels[r]})
	}
	return out
}

// Ways in which a label head enlarges its maps.
const (
	UpsampleBilinear    = "bilinear"
	UpsampleProgressive = "progressive"
)

// HeadFormat marks the metadata of segmentation.safetensors.
const HeadFormat = "latentbrush-segmentation"

// Limits of a label head.
const (
	maxMembers = 64
	maxHidden  = 4
)

// HeadInfo describes a label head.
type HeadInfo struct {
	Members  int
	Hidden   []int // sizes of the hidden layers
	Classes  int
	Features []Feature // in the order of the first layer's columns
	Upsample string
	Norm     []bool // whether hidden layer l has batch normalisation
}

// Inputs returns the channels of all features together.
func (h *HeadInfo) Inputs() int {
	n := 0
	for _, f := range h.Features {
		n += f.Channels
	}
	return n
}

// Metadata returns the strings that describe the head in its file.
func (h *HeadInfo) Metadata() map[string]string {
	names := make([]string, len(h.Features))
	for i, f := range h.Features {
		names[i] = f.Name
	}
	list, _ := json.Marshal(names)
	hidden := "[]"
	if len(h.Hidden) > 0 {
		b, _ := json.Marshal(h.Hidden)
		hidden = string(b)
	}
	return map[string]string{
		"format":   HeadFormat,
		"version":  "1",
		"members":  strconv.Itoa(h.Members),
		"hidden":   hidden,
		"classes":  strconv.Itoa(h.Classes),
		"features": string(list),
		"upsample": h.Upsample,
	}
}

// ReadHead reads the description of a label head for a model with this manifest and
// checks the file's tensors against it.
func (m *Manifest) ReadHead(f *safetensors.File) (*HeadInfo, error) { return m.checkHead(f) }

func (m *Manifest) checkHead(f *safetensors.File) (*HeadInfo, error) {
	meta := f.Metadata()
	fail := func(format string, args ...any) (*HeadInfo, error) {
		return nil, fmt.Errorf("%s: "+format, append([]any{f.Name()}, args...)...)
	}
	if meta["format"] != HeadFormat {
		return fail("metadata format is %q, want %q", meta["format"], HeadFormat)
	}
	if v := meta["version"]; v != "1" {
		if n, err := strconv.Atoi(v); err == nil && n > 1 {
			return fail("%w: its format has version %d, this program reads up to 1", ErrVersion, n)
		}
		return fail("metadata version is %q, want \"1\"", v)
	}
	h := &HeadInfo{Upsample: meta["upsample"]}
	var err error
	if h.Members, err = strconv.Atoi(meta["members"]); err != nil || h.Members < 1 || h.Members > maxMembers {
		return fail("metadata members is %q, want 1 to %d", meta["members"], maxMembers)
	}
	if h.Classes, err = strconv.Atoi(meta["classes"]); err != nil || h.Classes < 1 || h.Classes != len(m.Classes) {
		return fail("metadata classes is %q, want %d as in the manifest", meta["classes"], len(m.Classes))
	}
	if err := json.Unmarshal([]byte(meta["hidden"]), &h.Hidden); err != nil || len(h.Hidden) > maxHidden {
		return fail("metadata hidden is %q, want a JSON list of at most %d sizes", meta["hidden"], maxHidden)
	}
	for _, n := range h.Hidden {
		if n < 1 || n > MaxWidth {
			return fail("metadata hidden is %q, want sizes from 1 to %d", meta["hidden"], MaxWidth)
		}
	}
	switch h.Upsample {
	case UpsampleBilinear, UpsampleProgressive:
	default:
		return fail("metadata upsample is %q, want %q or %q", h.Upsample, UpsampleBilinear, UpsampleProgressive)
	}
	var names []string
	if err := json.Unmarshal([]byte(meta["features"]), &names); err != nil || len(names) == 0 {
		return fail("metadata features is %q, want a JSON list of feature maps", meta["features"])
	}
	known := m.Features()
	for i, name := range names {
		k := slices.IndexFunc(known, func(x Feature) bool { return x.Name == name })
		if k < 0 {
			return fail("metadata features: the generator has no map %q", name)
		}
		if slices.Contains(names[:i], name) {
			return fail("metadata features: %q is listed twice", name)
		}
		h.Features = append(h.Features, known[k])
	}
	in := h.Inputs()
	sizes := append(slices.Clone(h.Hidden), h.Classes)
	for l, out := range sizes {
		p := fmt.Sprintf("layers.%d.", l)
		if err := f.Check(p+"weight", h.Members, out, in); err != nil {
			return nil, err
		}
		if err := f.Check(p+"bias", h.Members, out); err != nil {
			return nil, err
		}
		if l < len(h.Hidden) {
			_, norm := f.Info(p + "norm.weight")
			h.Norm = append(h.Norm, norm)
			if norm {
				for _, name := range []string{"weight", "bias", "running_mean", "running_var"} {
					if err := f.Check(p+"norm."+name, h.Members, out); err != nil {
						return nil, err
					}
				}
			}
		}
		in = out
	}
	return h, nil
}
