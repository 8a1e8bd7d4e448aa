package stylegan2

import (
	"fmt"
	"image"

	"latentbrush/engine/graph"
)

// Styles are the channel factors of each layer, [1, channels] by the layer's
// name: "b4.conv1", "b4.torgb", "b8.conv0", "b8.conv1", "b8.torgb" …
type Styles map[string]*graph.Value

// Synthesis is the synthesis network in a graph. A model that is written from the
// graph holds only what its outputs need, so what is not used costs nothing.
type Synthesis struct {
	// Styles that the network was given.
	Styles Styles
	// Image is [1, 3, h, w] in RGB, nominally in [−1, 1], cropped as the manifest says.
	Image *graph.Value
	// Full is the picture before the crop.
	Full *graph.Value
	// Features are all feature maps, [1, C, r, r] by name, as in [model.Manifest.Features].
	Features map[string]*graph.Value
	// Resolution of Full.
	Resolution int
}

// Synthesis adds the synthesis network for a W+ code of shape [rows, w_dim]. Resolution 0 means
// all of it; a lower power of two stops there, with the picture that the network has then.
func (gen *Generator) Synthesis(g *graph.Graph, code *graph.Value, resolution int) (*Synthesis, error) {
	if err := g.Err(); err != nil {
		return nil, fmt.Errorf("stylegan2: %w", err)
	}
	if code.Rank() != 2 || code.Dim(0) != gen.man.Rows || code.Dim(1) != gen.man.WDim {
		return nil, fmt.Errorf("stylegan2: code of shape %v, want [%d, %d]", code.Shape(), gen.man.Rows, gen.man.WDim)
	}
	return gen.FromStyles(g, gen.Styles(g, code), resolution)
}

// Styles adds the affine maps from a code [rows, w_dim] to the styles.
func (gen *Generator) Styles(g *graph.Graph, code *graph.Value) Styles {
	out := Styles{}
	for _, b := range gen.blocks {
		for _, l := range []*layer{b.conv0, b.conv1, b.rgb} {
			if l == nil {
				continue
			}
			w := g.Slice(code, graph.Range{Axis: 0, Start: l.row, End: l.row + 1})
			weight := g.Deferred(l, l.name+".affine.weight", l.affine.weight, l.affine.in, l.affine.out)
			bias := g.Const(l.name+".affine.bias", l.affine.bias, l.affine.out)
			out[l.name] = g.Gemm(w, weight, bias, graph.GemmOptions{})
		}
	}
	return out
}

// FromStyles adds the synthesis network for given styles.
func (gen *Generator) FromStyles(g *graph.Graph, styles Styles, resolution int) (*Synthesis, error) {
	if resolution == 0 {
		resolution = gen.man.Resolution
	}
	if resolution < 4 || resolution > gen.man.Resolution || resolution&(resolution-1) != 0 {
		return nil, fmt.Errorf("stylegan2: resolution %d, want a power of two from 4 to %d", resolution, gen.man.Resolution)
	}
	s := &Synthesis{Styles: styles, Features: map[string]*graph.Value{}, Resolution: resolution}
	x := g.Const("b4.const", gen.input, 1, gen.man.Channels[4], 4, 4)
	s.Features["b4.const"] = x
	var img *graph.Value
	for _, b := range gen.blocks {
		if b.resolution > resolution {
			break
		}
		for _, l := range []*layer{b.conv0, b.conv1} {
			if l == nil {
				continue
			}
			style := styles[l.name]
			if style == nil || g.Err() == nil && style.Size() != l.in {
				return nil, fmt.Errorf("stylegan2: style of %s is missing or not of %d channels", l.name, l.in)
			}
			x = gen.conv(g, l, x, style, b.resolution)
			s.Features[l.name] = x
		}
		style := styles[b.rgb.name]
		if style == nil || g.Err() == nil && style.Size() != b.rgb.in {
			return nil, fmt.Errorf("stylegan2: style of %s is missing or not of %d channels", b.rgb.name, b.rgb.in)
		}
		rgb := gen.rgb(g, b.rgb, x, style)
		if img == nil {
			img = rgb
		} else {
			img = g.Add(g.UpsampleZeroBorder(img), rgb)
		}
	}
	s.Full = img
	s.Image = img
	if resolution == gen.man.Resolution {
		s.Image = Crop(g, img, gen.man.CropRect())
	}
	if err := g.Err(); err != nil {
		return nil, fmt.Errorf("stylegan2: %w", err)
	}
	return s, nil
}

// Crop cuts a rectangle out of maps [n, c, h, w].
func Crop(g *graph.Graph, x *graph.Value, r image.Rectangle) *graph.Value {
	return g.Slice(x,
		graph.Range{Axis: 2, Start: r.Min.Y, End: r.Max.Y},
		graph.Range{Axis: 3, Start: r.Min.X, End: r.Max.X})
}

func (gen *Generator) conv(g *graph.Graph, l *layer, x, style *graph.Value, r int) *graph.Value {
	// With raw weights Σs²W² is 1/g² of that with weights scaled by g = 1/√fan_in,
	// so the ε that is added to it is, too.
	eps := epsilon
	if gen.man.Demodulation != "raw" {
		eps *= float64(9 * l.in)
	}
	energy := g.MatMul(g.Square(style), g.Const(l.name+".squares", l.squares, l.in, l.out))
	d := g.Scale(g.Reciprocal(g.Sqrt(g.AddScalar(energy, float32(eps)))), gain)

	x = g.Mul(x, g.Reshape(style, 1, l.in, 1, 1))
	if l.up {
		weight := g.Deferred(l, l.name+".weight", l.weight, l.in, l.out, 3, 3)
		x = g.ConvTranspose(x, weight, nil, graph.ConvTransposeOptions{Stride: 2})
		x = g.Conv(x, g.Const("blur", l.blur, l.out, 1, 4, 4), nil, graph.ConvOptions{Pad: graph.AllSides(1), Groups: l.out})
	} else {
		weight := g.Deferred(l, l.name+".weight", l.weight, l.out, l.in, 3, 3)
		x = g.Conv(x, weight, nil, graph.ConvOptions{Pad: graph.AllSides(1)})
	}
	var offsets []*graph.Value
	switch {
	case l.noise == nil:
		offsets = append(offsets, g.Const(l.name+".bias", l.bias, 1, l.out, 1, 1))
	case l.offset != nil:
		offsets = append(offsets, g.Const(l.name+".bias+noise", l.offset, 1, l.out, r, r))
	default:
		offsets = append(offsets, g.Const(l.name+".bias", l.bias, 1, l.out, 1, 1), g.Const(l.name+".noise", l.noise, 1, 1, r, r))
	}
	x = g.ScaledLeakyRelu(x, g.Reshape(d, 1, l.out, 1, 1), slope, offsets...)
	return gen.clamp(g, x)
}

// rgb reads a picture off the features. Three output channels make it cheaper to scale
// the weights than the features.
func (gen *Generator) rgb(g *graph.Graph, l *layer, x, style *graph.Value) *graph.Value {
	r := x.Dim(2)
	weight := g.Mul(g.Deferred(l, l.name+".weight", l.weight, 3, l.in), style)
	y := g.MatMul(weight, g.Reshape(x, 1, l.in, r*r))
	y = g.Add(y, g.Const(l.name+".bias", l.bias, 1, 3, 1))
	return gen.clamp(g, g.Reshape(y, 1, 3, r, r))
}

func (gen *Generator) clamp(g *graph.Graph, x *graph.Value) *graph.Value {
	if c := float32(gen.man.Clamp); c > 0 {
		return g.Clip(x, -c, c)
	}
	return x
}

// Picture converts a picture [3, h, w] from the network's range [−1, 1] to
// 8 bits: the whole part of 127.5·x + 128, limited to 0 … 255. Dst nil or of another size is
// replaced.
func Picture(dst *image.RGBA, data []float32, w, h int) *image.RGBA {
	if len(data) != 3*w*h {
		panic(fmt.Sprintf("stylegan2: %d numbers for a picture of %d × %d", len(data), w, h))
	}
	if dst == nil || dst.Rect != image.Rect(0, 0, w, h) {
		dst = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	n := w * h
	red, green, blue := data[:n], data[n:2*n], data[2*n:]
	for y := range h {
		row := dst.Pix[y*dst.Stride:][:4*w]
		for x := range w {
			i := y*w + x
			p := row[4*x:][:4]
			p[0], p[1], p[2], p[3] = level(red[i]), level(green[i]), level(blue[i]), 255
		}
	}
	return dst
}

func level(x float32) uint8 {
	v := x*127.5 + 128
	switch {
	case v >= 255:
		return 255
	case v >= 0: // false for NaN
		return uint8(v)
	}
	return 0
}

// Tensor converts a picture to [3, h, w] in [−1, 1]: v/127.5 − 1.
func Tensor(dst []float32, img *image.RGBA) []float32 {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if len(dst) != 3*w*h {
		dst = make([]float32, 3*w*h)
	}
	n := w * h
	for y := range h {
		row := img.Pix[y*img.Stride:][:4*w]
		for x := range w {
			for c := range 3 {
				dst[c*n+y*w+x] = float32(row[4*x+c])/127.5 - 1
			}
		}
	}
	return dst
}
