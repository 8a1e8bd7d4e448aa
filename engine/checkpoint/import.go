package checkpoint

import (
	"fmt"
	"math"
	"strings"

	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
)

// collector turns tensors of a pickle into a State. The budget bounds the numbers that
// are copied, since many tensors can be views of the same few bytes.
type collector struct {
	state  State
	budget int64
	nodes  int
}

// maxNodes bounds the modules and tensors that are looked at.
const maxNodes = 1 << 17

func newCollector(fileSize int64) *collector {
	return &collector{state: State{}, budget: fileSize}
}

func (c *collector) add(name string, v *view) error {
	if c.nodes++; c.nodes > maxNodes {
		return fmt.Errorf("%w: more than %d tensors", ErrFormat, maxNodes)
	}
	if c.budget -= v.count(); c.budget < 0 {
		return fmt.Errorf("%w: its tensors have more numbers than the file has bytes", ErrFormat)
	}
	t, err := v.tensor()
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	c.state[name] = t
	return nil
}

// addAll adds the tensors of a state dictionary, and ignores its other entries.
func (c *collector) addAll(d *dict) error {
	for i, k := range d.keys {
		name, ok := k.(string)
		v, isView := d.values[i].(*view)
		if !ok || !isView {
			continue
		}
		if err := c.add(name, v); err != nil {
			return err
		}
	}
	return nil
}

// Import reads a generator from a file: rosinality's .pt or NVIDIA's .pkl.
func Import(path string, o Options) (*model.Contents, error) {
	value, size, err := load(path)
	if err != nil {
		return nil, err
	}
	c, err := importValue(value, size, o)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return c, nil
}

func importValue(value any, size int64, o Options) (*model.Contents, error) {
	top, ok := asDict(value)
	if !ok {
		return nil, fmt.Errorf("%w: it holds %s, want a dictionary with a generator", ErrFormat, describe(value))
	}
	if v, ok := top.get("g_ema"); ok {
		d, ok := asDict(v)
		if !ok {
			return nil, fmt.Errorf("%w: g_ema is %s, want a state dictionary", ErrFormat, describe(v))
		}
		return importRosinality(d, top, size, o)
	}
	if v, ok := top.get("G_ema"); ok {
		return importADA(v, size, o)
	}
	if _, ok := top.get("input.input"); ok {
		return importRosinality(top, top, size, o)
	}
	if _, ok := top.get("model_state_dict"); ok {
		return nil, fmt.Errorf("%w: it is a classifier or an encoder, want a generator", ErrFormat)
	}
	return nil, fmt.Errorf("%w: it has neither g_ema nor G_ema", ErrFormat)
}

func importRosinality(d, top *dict, size int64, o Options) (*model.Contents, error) {
	c := newCollector(size)
	if err := c.addAll(d); err != nil {
		return nil, err
	}
	var mean []float32
	if v, ok := top.get("latent_avg"); ok {
		if v, ok := v.(*view); ok {
			t, err := v.tensor()
			if err != nil {
				return nil, err
			}
			mean = t.Data
		}
	}
	return Rosinality(c.state, mean, o)
}

// describe names a value for an error.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case *dict:
		return "a dictionary"
	case *list, tuple:
		return "a list"
	case *view:
		return "a tensor"
	case *object:
		return fmt.Sprintf("an object of %.60q", v.class.module+"."+v.class.name)
	}
	return fmt.Sprintf("a %T", v)
}

// adaWalk collects the tensors of stylegan2-ada-pytorch's modules under their
// dotted names, and the attributes that change what the network does.
type adaWalk struct {
	collector
	facts ADA
}

// maxModules is the depth of modules inside modules.
const maxModules = 16

func importADA(v any, size int64, o Options) (*model.Contents, error) {
	w := &adaWalk{collector: *newCollector(size)}
	if err := w.module("", v, 0); err != nil {
		return nil, err
	}
	return FromADA(w.state, w.facts, o)
}

// persistentObject returns class name and attributes of an object that
// torch_utils.persistence saved: its only argument is a dictionary with the
// source of the module, which is ignored, the class's name and the attributes.
func persistentObject(v any) (class string, attributes *dict, ok bool) {
	o, isObject := v.(*object)
	if !isObject {
		return "", nil, false
	}
	if o.class == (global{"torch_utils.persistence", "_reconstruct_persistent_obj"}) {
		args, _ := o.args.(tuple)
		if len(args) != 1 {
			return "", nil, false
		}
		meta, ok := asDict(args[0])
		if !ok {
			return "", nil, false
		}
		name, _ := meta.get("class_name")
		class, _ = name.(string)
		state, _ := meta.get("state")
		attributes, ok = asDict(state)
		return class, attributes, ok
	}
	// A plain module: its state is its attributes.
	attributes, ok = asDict(o.state)
	return o.class.name, attributes, ok
}

func (w *adaWalk) module(prefix string, v any, depth int) error {
	if depth > maxModules {
		return fmt.Errorf("%w: modules inside modules, more than %d deep", ErrFormat, maxModules)
	}
	if w.nodes++; w.nodes > maxNodes {
		return fmt.Errorf("%w: more than %d modules", ErrFormat, maxNodes)
	}
	class, attributes, ok := persistentObject(v)
	if !ok {
		return fmt.Errorf("%w: %q is %s, want a module", ErrFormat, strings.TrimSuffix(prefix, "."), describe(v))
	}
	if err := w.fact(prefix, class, attributes); err != nil {
		return err
	}
	for _, kind := range []string{"_parameters", "_buffers"} {
		v, _ := attributes.get(kind)
		if d, ok := asDict(v); ok {
			for i, k := range d.keys {
				name, ok := k.(string)
				tensor, isView := d.values[i].(*view)
				if !ok || !isView {
					continue
				}
				if err := w.add(prefix+name, tensor); err != nil {
					return err
				}
			}
		}
	}
	v, _ = attributes.get("_modules")
	if d, ok := asDict(v); ok {
		for i, k := range d.keys {
			name, ok := k.(string)
			if !ok || d.values[i] == nil {
				continue
			}
			if err := w.module(prefix+name+".", d.values[i], depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *adaWalk) fact(prefix, class string, attributes *dict) error {
	switch class {
	case "Generator":
		if c, ok := attributes.get("c_dim"); ok && c != int64(0) {
			return fmt.Errorf("%w: the network is conditional (c_dim %v), only unconditional ones can be used", ErrFormat, c)
		}
	case "SynthesisBlock":
		if a, ok := attributes.get("architecture"); ok && a != "skip" {
			return fmt.Errorf("%w: the generator is of architecture %v, only skip can be used", ErrFormat, a)
		}
	case "SynthesisLayer":
		if c, ok := attributes.get("conv_clamp"); ok {
			switch c := c.(type) {
			case int64:
				w.facts.Clamp = float64(c)
			case float64:
				w.facts.Clamp = c
			}
		}
		if n, ok := attributes.get("use_noise"); ok && n == false {
			w.facts.NoNoise = true
		}
	case "FullyConnectedLayer":
		if g, ok := attributes.get("bias_gain"); ok && strings.HasPrefix(prefix, "mapping.fc") {
			switch g := g.(type) {
			case float64:
				w.facts.MappingLRMul = g
			case int64:
				w.facts.MappingLRMul = float64(g)
			}
		}
	}
	return nil
}

// Classifiers reads the members of an ensemble of DatasetGAN or EditGAN, one file each,
// and makes them the label head of the bundle. Without classes in the manifest
// it gives them numbers for names.
func Classifiers(c *model.Contents, paths []string) error {
	if len(paths) == 0 {
		return fmt.Errorf("checkpoint: no classifier was named")
	}
	var states []State
	for _, path := range paths {
		value, size, err := load(path)
		if err != nil {
			return err
		}
		s, err := classifierState(value, size)
		if err != nil {
			return fmt.Errorf("checkpoint: %s: %w", path, err)
		}
		states = append(states, s)
	}
	if err := classifiers(c, states); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func classifierState(value any, size int64) (State, error) {
	top, ok := asDict(value)
	if !ok {
		return nil, fmt.Errorf("%w: it holds %s, want a dictionary", ErrFormat, describe(value))
	}
	if v, ok := top.get("model_state_dict"); ok {
		if top, ok = asDict(v); !ok {
			return nil, fmt.Errorf("%w: model_state_dict is %s", ErrFormat, describe(v))
		}
	}
	c := newCollector(size)
	if err := c.addAll(top); err != nil {
		return nil, err
	}
	s := c.state
	if m := s.under("module."); len(m) > 0 {
		s = m
	}
	if m := s.under("layers."); len(m) > 0 {
		s = m
	}
	return s, nil
}

func classifiers(c *model.Contents, states []State) error {
	// The layers lie in a row: Linear, ReLU, BatchNorm, Linear …
	var linears, norms []int
	for i := range 64 {
		t, ok := states[0][fmt.Sprintf("%d.weight", i)]
		switch {
		case !ok:
		case len(t.Shape) == 2:
			linears = append(linears, i)
			norms = append(norms, -1)
		case len(t.Shape) == 1 && len(linears) > 0:
			norms[len(norms)-1] = i
		}
	}
	if len(linears) == 0 {
		return fmt.Errorf("%w: it has no layers.0.weight", ErrFormat)
	}
	info := model.HeadInfo{Members: len(states), Features: c.Manifest.Features(), Upsample: model.UpsampleBilinear}
	if in := states[0][fmt.Sprintf("%d.weight", linears[0])].Shape[1]; in != info.Inputs() {
		return fmt.Errorf("%w: the classifier reads %d channels, the generator's features have %d", ErrFormat, in, info.Inputs())
	}
	var tensors []safetensors.Tensor
	in := info.Inputs()
	for l, at := range linears {
		out := states[0][fmt.Sprintf("%d.weight", at)].Shape[0]
		if out < 1 || out > model.MaxWidth {
			return fmt.Errorf("%w: layer %d has %d outputs", ErrFormat, l, out)
		}
		var err error
		add := func(name, from string, shape ...int) {
			var all []float32
			for i, s := range states {
				r := &reader{state: s}
				data := r.get(from, shape...)
				if r.err != nil && err == nil {
					err = fmt.Errorf("member %d: %w", i, r.err)
				}
				for _, v := range data {
					if (v != v || math.IsInf(float64(v), 0)) && err == nil {
						err = fmt.Errorf("%w: member %d: tensor %q has the value %v", ErrFormat, i, from, v)
					}
				}
				all = append(all, data...)
			}
			if err == nil {
				tensors = append(tensors, safetensors.Float32(fmt.Sprintf("layers.%d.%s", l, name), all, append([]int{len(states)}, shape...)...))
			}
		}
		add("weight", fmt.Sprintf("%d.weight", at), out, in)
		add("bias", fmt.Sprintf("%d.bias", at), out)
		if n := norms[l]; n >= 0 && l < len(linears)-1 {
			for _, name := range []string{"weight", "bias", "running_mean", "running_var"} {
				add("norm."+name, fmt.Sprintf("%d.%s", n, name), out)
			}
		}
		if err != nil {
			return err
		}
		if l < len(linears)-1 {
			info.Hidden = append(info.Hidden, out)
		} else {
			info.Classes = out
		}
		in = out
	}
	if info.Classes > model.MaxClasses {
		return fmt.Errorf("%w: %d classes, more than %d", ErrFormat, info.Classes, model.MaxClasses)
	}
	if n := len(c.Manifest.Classes); n != 0 && n != info.Classes {
		return fmt.Errorf("%w: the classifier has %d classes, the list names %d", ErrFormat, info.Classes, n)
	}
	if len(c.Manifest.Classes) == 0 {
		c.Manifest.Classes = numbered(info.Classes)
	}
	c.HeadMetadata = info.Metadata()
	c.Head = tensors
	return nil
}

// numbered returns classes that are called by their numbers, with colours that
// differ: hues step by the golden angle.
func numbered(n int) []model.Class {
	out := make([]model.Class, n)
	for i := range out {
		part := func(shift float64) uint8 {
			return uint8(140 + 110*math.Cos(2*math.Pi*(0.618034*float64(i)+shift)))
		}
		out[i] = model.Class{ID: i, Name: fmt.Sprintf("class %d", i), Colour: model.Colour{R: part(0), G: part(1.0 / 3), B: part(2.0 / 3), A: 255}}
	}
	out[0].Name = "background"
	out[0].Colour = model.Colour{R: 255, G: 255, B: 255, A: 255}
	return out
}
