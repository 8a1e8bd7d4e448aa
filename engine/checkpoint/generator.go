package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"

	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
)

// Options are what a checkpoint does not say about itself.
type Options struct {
	// ID and Name of the bundle; "imported" if empty.
	ID, Name string
	Licence  string
	Author   string
	// Crop is the part of the picture that is shown, nil for all of it.
	Crop []int
	// Psi is the default truncation, 0.7 if 0.
	Psi float64
	// Half stores weights as F16.
	Half bool
}

func (o Options) manifest() model.Manifest {
	m := model.Manifest{
		Format: model.Format, Version: model.Version, Architecture: model.Architecture,
		ID: o.ID, Name: o.Name, Licence: o.Licence, Author: o.Author, Crop: o.Crop,
		Noise: model.NoiseConst, Channels: model.Channels{},
	}
	if m.ID == "" {
		m.ID = "imported"
	}
	if m.Name == "" {
		m.Name = m.ID
	}
	if m.Licence == "" {
		m.Licence = "unknown: see the checkpoint's source"
	}
	m.Truncation.Psi = o.Psi
	if o.Psi == 0 {
		m.Truncation.Psi = 0.7
	}
	return m
}

// meanSamples is how many w are averaged when a checkpoint has no mean.
const meanSamples = 4096

// Rosinality converts a generator's state dictionary (g_ema) of rosinality's
// stylegan2-pytorch. Mean is latent_avg; if it is nil, the mean of w
// over 4096 seeds takes its place. Noise maps that the file lacks are drawn.
func Rosinality(state State, mean []float32, o Options) (*model.Contents, error) {
	man := o.manifest()
	r := &reader{state: state}
	man.MappingLayers = state.count("style.", 1, ".weight")
	if man.MappingLayers > 0 {
		s := r.shape("style.1.weight", 2)
		man.WDim, man.ZDim = s[0], s[1]
	} else {
		man.WDim = r.shape("conv1.conv.modulation.weight", 2)[1]
		man.ZDim = man.WDim
	}
	levels := state.count("to_rgbs.", 0, ".bias")
	if levels > log2(model.MaxResolution)-2 {
		return nil, fmt.Errorf("%w: %d resolutions, more than the limit", ErrFormat, levels+1)
	}
	man.Resolution = 4 << levels
	man.Rows = model.Rows(man.Resolution)
	man.Channels[4] = r.shape("conv1.conv.weight", 4)[0]
	for k := range levels {
		man.Channels[8<<k] = r.shape(fmt.Sprintf("convs.%d.conv.weight", 2*k), 4)[0]
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := man.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	ada := State{}
	take := func(to, from string, shape ...int) {
		ada[to] = Tensor{Shape: shape, Data: r.get(from, shape...)}
	}
	for i := range man.MappingLayers {
		in := man.WDim
		if i == 0 {
			in = man.ZDim
		}
		take(fmt.Sprintf("mapping.fc%d.weight", i), fmt.Sprintf("style.%d.weight", i+1), man.WDim, in)
		take(fmt.Sprintf("mapping.fc%d.bias", i), fmt.Sprintf("style.%d.bias", i+1), man.WDim)
	}
	take("synthesis.b4.const", "input.input", man.Channels[4], 4, 4)
	eachLayer(&man, func(l layerNames) {
		to := "synthesis." + l.ada + "."
		take(to+"weight", l.ros+".conv.weight", l.out, l.in, l.kernel, l.kernel)
		take(to+"affine.weight", l.ros+".conv.modulation.weight", l.in, man.WDim)
		take(to+"affine.bias", l.ros+".conv.modulation.bias", l.in)
		if l.noise < 0 {
			// to_rgb biases are [1, 3, 1, 1].
			bias := Tensor{Shape: []int{l.out}, Data: r.get(l.ros+".bias", l.out, 1, 1)}
			ada[to+"bias"] = bias
			return
		}
		take(to+"bias", l.ros+".activate.bias", l.out)
		ada[to+"noise_strength"] = Tensor{Shape: []int{1}, Data: r.get(l.ros+".noise.weight", 1)}
		name := fmt.Sprintf("noises.noise_%d", l.noise)
		if _, ok := state[name]; ok {
			take(to+"noise_const", name, l.resolution, l.resolution)
		} else {
			ada[to+"noise_const"] = Tensor{Shape: []int{l.resolution, l.resolution}, Data: latent.Z(uint64(l.noise), l.resolution*l.resolution)}
		}
	})
	if r.err != nil {
		return nil, r.err
	}
	if mean != nil {
		ada["mapping.w_avg"] = Tensor{Shape: []int{len(mean)}, Data: mean}
	}
	return build(man, ada, o)
}

// ADA holds what a network of stylegan2-ada-pytorch says besides its tensors.
type ADA struct {
	Clamp        float64 // conv_clamp, 0 for none
	MappingLRMul float64 // 0 for 0.01
	NoNoise      bool
}

// FromADA converts a generator whose tensors have the names of stylegan2-ada-pytorch
// (G_ema). Conditional networks and architectures other than skip are refused.
func FromADA(state State, facts ADA, o Options) (*model.Contents, error) {
	man := o.manifest()
	man.Clamp = facts.Clamp
	man.MappingLRMul = facts.MappingLRMul
	man.Demodulation = model.DemodulationRaw
	if facts.NoNoise {
		man.Noise = model.NoiseNone
	}
	r := &reader{state: state}
	if _, ok := state["mapping.embed.weight"]; ok {
		return nil, fmt.Errorf("%w: the network is conditional (mapping.embed), only unconditional ones can be used", ErrFormat)
	}
	man.MappingLayers = state.count("mapping.fc", 0, ".weight")
	man.WDim = r.shape("synthesis.b4.conv1.affine.weight", 2)[1]
	man.ZDim = man.WDim
	if man.MappingLayers > 0 {
		man.ZDim = r.shape("mapping.fc0.weight", 2)[1]
	}
	for res := 4; res <= model.MaxResolution; res *= 2 {
		name := fmt.Sprintf("synthesis.b%d.conv1.weight", res)
		if _, ok := state[name]; !ok {
			break
		}
		if _, ok := state[fmt.Sprintf("synthesis.b%d.skip.weight", res)]; ok {
			return nil, fmt.Errorf("%w: the generator is of architecture resnet, only skip can be used", ErrFormat)
		}
		man.Resolution = res
		man.Channels[res] = r.shape(name, 4)[0]
	}
	if r.err != nil {
		return nil, r.err
	}
	man.Rows = model.Rows(max(man.Resolution, 4))
	if err := man.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return build(man, state, o)
}

// layerNames are one layer's names in both layouts. Noise is the number of its noise map,
// −1 for toRGB.
type layerNames struct {
	ada, ros        string
	resolution      int
	in, out, kernel int
	noise           int
}

func eachLayer(man *model.Manifest, do func(layerNames)) {
	for res := 4; res <= man.Resolution; res *= 2 {
		level, c := log2(res), man.Channels[res]
		ada := func(name string) string { return fmt.Sprintf("b%d.%s", res, name) }
		if res == 4 {
			do(layerNames{ada("conv1"), "conv1", res, c, c, 3, 0})
			do(layerNames{ada("torgb"), "to_rgb1", res, c, 3, 1, -1})
			continue
		}
		do(layerNames{ada("conv0"), fmt.Sprintf("convs.%d", 2*level-6), res, man.Channels[res/2], c, 3, 2*level - 5})
		do(layerNames{ada("conv1"), fmt.Sprintf("convs.%d", 2*level-5), res, c, c, 3, 2*level - 4})
		do(layerNames{ada("torgb"), fmt.Sprintf("to_rgbs.%d", level-3), res, c, 3, 1, -1})
	}
}

// build checks the tensors against the manifest and makes the bundle.
func build(man model.Manifest, state State, o Options) (*model.Contents, error) {
	r := &reader{state: state}
	if _, ok := state["mapping.w_avg"]; !ok {
		mean, err := meanW(&man, r)
		if err != nil {
			return nil, err
		}
		state["mapping.w_avg"] = Tensor{Shape: []int{man.WDim}, Data: mean}
	}
	c := &model.Contents{Manifest: man}
	for _, spec := range man.GeneratorTensors() {
		shape := spec.Shape
		if shape == nil {
			shape = []int{1}
		}
		data := r.get(spec.Name, shape...)
		if r.err != nil {
			return nil, r.err
		}
		for i, v := range data {
			if v != v || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("%w: tensor %q has the value %v at %d", ErrFormat, spec.Name, v, i)
			}
		}
		if o.Half {
			c.Generator = append(c.Generator, safetensors.Float16(spec.Name, data, shape...))
		} else {
			c.Generator = append(c.Generator, safetensors.Float32(spec.Name, data, shape...))
		}
	}
	facts, err := json.Marshal(map[string]string{"origin": "imported checkpoint"})
	if err != nil {
		return nil, err
	}
	c.Manifest.Training = facts
	return c, nil
}

// meanW averages the mapping network's answers to 4096 seeds.
func meanW(man *model.Manifest, r *reader) ([]float32, error) {
	type layer struct {
		in, out int
		w, b    []float32
	}
	var layers []layer
	in := man.ZDim
	for i := range man.MappingLayers {
		p := fmt.Sprintf("mapping.fc%d.", i)
		layers = append(layers, layer{in, man.WDim, r.get(p+"weight", man.WDim, in), r.get(p+"bias", man.WDim)})
		in = man.WDim
	}
	if r.err != nil {
		return nil, r.err
	}
	sum := make([]float64, man.WDim)
	for seed := range meanSamples {
		x := latent.Z(uint64(seed), man.ZDim)
		var squares float64
		for _, v := range x {
			squares += float64(v) * float64(v)
		}
		norm := float32(1 / math.Sqrt(squares/float64(len(x))+1e-8))
		for i := range x {
			x[i] *= norm
		}
		for _, l := range layers {
			gain := float32(man.MappingLRMul / math.Sqrt(float64(l.in)))
			y := make([]float32, l.out)
			for o := range y {
				var dot float32
				for i, w := range l.w[o*l.in:][:l.in] {
					dot += w * x[i]
				}
				v := math.Sqrt2 * (dot*gain + l.b[o]*float32(man.MappingLRMul))
				y[o] = max(v, 0.2*v)
			}
			x = y
		}
		for i, v := range x {
			sum[i] += float64(v)
		}
	}
	mean := make([]float32, len(sum))
	for i, s := range sum {
		mean[i] = float32(s / meanSamples)
	}
	return mean, nil
}

// ToRosinality converts a bundle's generator to the state dictionary of rosinality's
// stylegan2-pytorch (g_ema) and the mean of w (latent_avg).
func ToRosinality(m *model.Model) (State, []float32, error) {
	man := m.Manifest
	if man.Clamp != 0 {
		return nil, nil, fmt.Errorf("checkpoint: the model clamps activations to ±%v, which rosinality's network cannot", man.Clamp)
	}
	f := m.Generator()
	out := State{}
	var err error
	take := func(to, from string, shape []int, stored ...int) {
		if err != nil {
			return
		}
		var data []float32
		if data, err = f.Float32s(from, stored...); err == nil {
			out[to] = Tensor{Shape: shape, Data: data}
		}
	}
	in := man.ZDim
	for i := range man.MappingLayers {
		to, from := fmt.Sprintf("style.%d.", i+1), fmt.Sprintf("mapping.fc%d.", i)
		// rosinality's mapping network always uses the factor 0.01.
		take(to+"weight", from+"weight", []int{man.WDim, in}, man.WDim, in)
		take(to+"bias", from+"bias", []int{man.WDim}, man.WDim)
		if k := man.MappingLRMul / 0.01; k != 1 && err == nil {
			scale(out[to+"weight"].Data, k)
			scale(out[to+"bias"].Data, k)
		}
		in = man.WDim
	}
	c4 := man.Channels[4]
	take("input.input", "synthesis.b4.const", []int{1, c4, 4, 4}, c4, 4, 4)
	eachLayer(man, func(l layerNames) {
		from, r := "synthesis."+l.ada+".", l.resolution
		take(l.ros+".conv.weight", from+"weight", []int{1, l.out, l.in, l.kernel, l.kernel}, l.out, l.in, l.kernel, l.kernel)
		take(l.ros+".conv.modulation.weight", from+"affine.weight", []int{l.in, man.WDim}, l.in, man.WDim)
		take(l.ros+".conv.modulation.bias", from+"affine.bias", []int{l.in}, l.in)
		if l.noise < 0 {
			take(l.ros+".bias", from+"bias", []int{1, l.out, 1, 1}, l.out)
			if r > 4 {
				out[l.ros+".upsample.kernel"] = blurKernel()
			}
			return
		}
		take(l.ros+".activate.bias", from+"bias", []int{l.out}, l.out)
		if r > 4 && l.noise%2 == 1 {
			out[l.ros+".conv.blur.kernel"] = blurKernel()
		}
		noise := fmt.Sprintf("noises.noise_%d", l.noise)
		if man.Noise == model.NoiseNone {
			out[l.ros+".noise.weight"] = Tensor{Shape: []int{1}, Data: []float32{0}}
			out[noise] = Tensor{Shape: []int{1, 1, r, r}, Data: make([]float32, r*r)}
			return
		}
		take(noise, from+"noise_const", []int{1, 1, r, r}, r, r)
		if f.Check(from+"noise_strength", 1) == nil {
			take(l.ros+".noise.weight", from+"noise_strength", []int{1}, 1)
		} else {
			take(l.ros+".noise.weight", from+"noise_strength", []int{1})
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	mean, err := m.MeanW()
	if err != nil {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	return out, mean, nil
}

func scale(x []float32, k float64) {
	for i, v := range x {
		x[i] = float32(float64(v) * k)
	}
}

// blurKernel is outer([1,3,3,1])/16.
func blurKernel() Tensor {
	t := Tensor{Shape: []int{4, 4}}
	taps := [4]float32{1, 3, 3, 1}
	for _, a := range taps {
		for _, b := range taps {
			t.Data = append(t.Data, a*b/16)
		}
	}
	return t
}
