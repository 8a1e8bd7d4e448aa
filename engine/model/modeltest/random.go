// Package modeltest makes small models with random weights, for tests and for
// trying the program without a trained model.
//
// The weights have the variances a generator is initialised with, and noise
// and biases are not zero, so every part of the network shows in the picture. The
// same specification gives the same model.
package modeltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
)

// Spec says how large the model is. The zero value is a 32 × 32 model with 5 classes.
type Spec struct {
	Seed       uint64
	Resolution int         // 0: 32
	Channels   map[int]int // nil: 16 at 4 × 4, falling to 8
	WDim, ZDim int         // 0: 16
	Mapping    int         // 0: 2 layers
	Classes    int         // 0: 5, −1: no label head
	Members    int         // 0: 2
	Hidden     []int       // nil: 12 and 8; empty: a linear head
	Norm       bool        // batch normalisation in the head
	Upsample   string      // "": bilinear
	Crop       []int
	Clamp      float64
	Raw        bool // demodulation "raw"
	NoNoise    bool
	Half       bool // weights as F16
}

// Contents returns the bundle.
func Contents(s Spec) model.Contents {
	if s.Resolution == 0 {
		s.Resolution = 32
	}
	if s.WDim == 0 {
		s.WDim = 16
	}
	if s.ZDim == 0 {
		s.ZDim = 16
	}
	if s.Mapping == 0 {
		s.Mapping = 2
	}
	if s.Classes == 0 {
		s.Classes = 5
	}
	if s.Members == 0 {
		s.Members = 2
	}
	if s.Hidden == nil {
		s.Hidden = []int{12, 8}
	}
	if s.Upsample == "" {
		s.Upsample = model.UpsampleBilinear
	}
	channels := model.Channels{}
	for r := 4; r <= s.Resolution; r *= 2 {
		channels[r] = max(8, min(16, 256/r))
		if s.Channels != nil {
			channels[r] = s.Channels[r]
		}
	}
	man := model.Manifest{
		Format: model.Format, Version: model.Version, ID: "random", Name: "Random weights",
		Architecture: model.Architecture, Resolution: s.Resolution, Crop: s.Crop,
		ZDim: s.ZDim, WDim: s.WDim, Rows: model.Rows(s.Resolution), MappingLayers: s.Mapping,
		Channels: channels, Clamp: s.Clamp, Noise: model.NoiseConst,
		Truncation: model.Truncation{Psi: 0.7}, Licence: "CC0-1.0",
	}
	if s.Raw {
		man.Demodulation = model.DemodulationRaw
	}
	if s.NoNoise {
		man.Noise = model.NoiseNone
	}
	for i := range max(s.Classes, 0) {
		man.Classes = append(man.Classes, model.Class{ID: i, Name: fmt.Sprintf("class %d", i), Colour: hue(i)})
	}
	rng := rand.New(rand.NewPCG(s.Seed, 0x6d6f64656c))
	normal := func(n int, scale, mean float64) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(mean + scale*rng.NormFloat64())
		}
		return out
	}
	c := model.Contents{Manifest: man}
	tensor := func(name string, data []float32, shape ...int) safetensors.Tensor {
		if s.Half {
			return safetensors.Float16(name, data, shape...)
		}
		return safetensors.Float32(name, data, shape...)
	}
	for _, spec := range man.GeneratorTensors() {
		n := 1
		for _, d := range spec.Shape {
			n *= d
		}
		scale, mean := initial(spec)
		c.Generator = append(c.Generator, tensor(spec.Name, normal(n, scale, mean), spec.Shape...))
	}
	if s.Classes < 0 {
		return c
	}
	info := model.HeadInfo{Members: s.Members, Hidden: s.Hidden, Classes: s.Classes, Features: man.Features(), Upsample: s.Upsample}
	c.HeadMetadata = info.Metadata()
	in := info.Inputs()
	for l, out := range append(append([]int(nil), s.Hidden...), s.Classes) {
		p := fmt.Sprintf("layers.%d.", l)
		add := func(name string, data []float32, shape ...int) {
			c.Head = append(c.Head, tensor(p+name, data, shape...))
		}
		add("weight", normal(s.Members*out*in, 1/math.Sqrt(float64(in)), 0), s.Members, out, in)
		add("bias", normal(s.Members*out, 0.2, 0), s.Members, out)
		if s.Norm && l < len(s.Hidden) {
			add("norm.weight", normal(s.Members*out, 0.2, 1), s.Members, out)
			add("norm.bias", normal(s.Members*out, 0.2, 0), s.Members, out)
			add("norm.running_mean", normal(s.Members*out, 0.3, 0.4), s.Members, out)
			variance := normal(s.Members*out, 0.2, 0)
			for i, v := range variance {
				variance[i] = 0.5 + v*v
			}
			add("norm.running_var", variance, s.Members, out)
		}
		in = out
	}
	return c
}

// initial returns deviation and mean of a tensor's numbers.
func initial(spec model.Spec) (scale, mean float64) {
	if name, ok := strings.CutPrefix(spec.Name, "mapping."); ok {
		switch {
		case name == "w_avg":
			return 0.1, 0
		case len(spec.Shape) == 1:
			return 10, 0
		}
		// Weights of the mapping network are stored divided by its
		// learning-rate factor.
		return 100, 0
	}
	switch {
	case spec.Shape == nil:
		return 0.05, 0.1 // noise_strength
	case strings.HasSuffix(spec.Name, "affine.bias"):
		return 0.1, 1
	case strings.HasSuffix(spec.Name, "bias"):
		return 0.1, 0
	case strings.HasSuffix(spec.Name, "torgb.weight"):
		return 0.3, 0
	}
	return 1, 0
}

// hue returns well separated colours: steps of the golden angle.
func hue(i int) model.Colour {
	part := func(shift float64) uint8 {
		return uint8(math.Round(127.5 + 127.5*math.Cos(2*math.Pi*(float64(i)*0.618+shift))))
	}
	return model.Colour{R: part(0), G: part(1.0 / 3), B: part(2.0 / 3), A: 255}
}

// Open returns the bundle, open in memory.
func Open(s Spec) (*model.Model, error) {
	c := Contents(s)
	return c.Open()
}
