package engine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"golang.org/x/image/draw"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

// forward is the session that turns a code into a picture and logits.
type forward struct {
	session *ort.Session
	width   int
	height  int
}

// ForwardGraph is the graph from a code to a picture and, with a head, logits. Its
// input is "code", its outputs are "image" and "logits".
func ForwardGraph(generator *stylegan2.Generator, head *segmentation.Head) (*graph.Graph, error) {
	man := generator.Manifest()
	g := graph.New("forward")
	s, err := generator.Synthesis(g, g.Input("code", man.Rows, man.WDim), 0)
	if err != nil {
		return nil, err
	}
	g.Output("image", s.Image)
	if head != nil {
		o, err := head.Apply(g, man, s.Features)
		if err != nil {
			return nil, err
		}
		g.Output("logits", o.Logits)
	}
	return g, g.Err()
}

// session builds the session of a graph from a code to a picture of the given size.
func (e *Engine) session(g *graph.Graph, width, height int) (*forward, error) {
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	session, err := e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{KeepModel: e.runtime.Device() != ort.CPU})
	if err != nil {
		return nil, err
	}
	return &forward{session: session, width: width, height: height}, nil
}

// RenderOptions asks for more than a picture and its labels.
type RenderOptions struct {
	// Confidence asks for the probability of each pixel's label, and for the class that
	// comes second.
	Confidence bool
}

// Render makes the picture and the labels of a code at once, before any job's next
// step.
func (e *Engine) Render(ctx context.Context, code latent.Code, o RenderOptions) (Frame, error) {
	return e.render(ctx, code, o, true)
}

func (e *Engine) render(ctx context.Context, code latent.Code, o RenderOptions, urgent bool) (Frame, error) {
	if err := code.Check(e.info.Rows, e.info.Dim); err != nil {
		return Frame{}, fmt.Errorf("engine: %w", err)
	}
	f := Frame{Code: code}
	err := e.queue.do(ctx, urgent, func(ctx context.Context) error {
		if e.full == nil {
			g, err := ForwardGraph(e.generator, e.head)
			if err != nil {
				return err
			}
			if e.full, err = e.session(g, e.info.Width, e.info.Height); err != nil {
				return err
			}
		}
		begun := time.Now()
		s := e.full.session
		return s.Call(ctx, func() { copy(s.Input("code"), code.Data) }, func() {
			f.Picture = stylegan2.Picture(nil, s.Output("image"), e.full.width, e.full.height)
			if e.head != nil {
				if o.Confidence {
					f.Confidence = image.NewGray(f.Picture.Rect)
				}
				logits := s.Output("logits")
				f.Labels = segmentation.Labels(nil, f.Confidence, logits, e.model.Manifest)
				if o.Confidence {
					f.Second, f.Odds = segmentation.Second(f.Labels, logits, e.model.Manifest)
				}
			}
			f.Elapsed = time.Since(begun)
		})
	})
	return f, err
}

// previewGraph is the forward graph at half the resolution: the synthesis stops one
// block early and the head reads the features that are there. Only detail is missing,
// so the full picture that follows does not jump. The crop is that of half the size.
func previewGraph(generator *stylegan2.Generator, head *segmentation.Head, crop image.Rectangle) (*graph.Graph, error) {
	man := generator.Manifest()
	half := man.Resolution / 2
	g := graph.New("preview")
	s, err := generator.Synthesis(g, g.Input("code", man.Rows, man.WDim), half)
	if err != nil {
		return nil, err
	}
	g.Output("image", stylegan2.Crop(g, s.Full, crop))
	if head == nil {
		return g, g.Err()
	}
	logits, err := halfLogits(g, head, s.Features, half, crop)
	if err != nil {
		return nil, err
	}
	g.Output("logits", logits)
	return g, g.Err()
}

// halfLogits adds the head on the features of a synthesis that stopped at half the
// resolution.
func halfLogits(g *graph.Graph, head *segmentation.Head, features map[string]*graph.Value, half int, crop image.Rectangle) (*graph.Value, error) {
	info, params := *head.Info(), head.Params(g)
	info.Features = nil
	var columns []*graph.Value
	at := 0
	for _, f := range head.Info().Features {
		if f.Resolution <= half {
			info.Features = append(info.Features, f)
			columns = append(columns, g.Slice(params[0].Weight, graph.Range{Axis: 2, Start: at, End: at + f.Channels}))
		}
		at += f.Channels
	}
	if len(columns) == 0 {
		return nil, errors.New("engine: the head reads no feature of half the resolution")
	}
	params[0].Weight = g.Concat(2, columns...)
	o, err := segmentation.Apply(g, &info, params, features, half, crop)
	if err != nil {
		return nil, err
	}
	return o.Logits, g.Err()
}

// previews says whether half the resolution shows the same picture.
func (e *Engine) previews() bool { return e.halves(128) }

// halves says whether the model has at least the given resolution and a crop that can be
// halved.
func (e *Engine) halves(least int) bool {
	c := e.info.Manifest.CropRect()
	return e.info.Manifest.Resolution >= least && (c.Min.X|c.Min.Y|c.Max.X|c.Max.Y)&1 == 0
}

// preview makes a quick frame of half the detail at full size.
func (e *Engine) preview(ctx context.Context, code latent.Code) (Frame, error) {
	f := Frame{Code: code, Preview: true}
	err := e.queue.do(ctx, true, func(ctx context.Context) error {
		if e.quick == nil {
			g, err := previewGraph(e.generator, e.head, e.halved().CropRect())
			if err != nil {
				return err
			}
			if e.quick, err = e.session(g, e.info.Width/2, e.info.Height/2); err != nil {
				return err
			}
		}
		begun := time.Now()
		s := e.quick.session
		return s.Call(ctx, func() { copy(s.Input("code"), code.Data) }, func() {
			e.small = stylegan2.Picture(e.small, s.Output("image"), e.quick.width, e.quick.height)
			f.Picture = image.NewRGBA(image.Rect(0, 0, e.info.Width, e.info.Height))
			draw.BiLinear.Scale(f.Picture, f.Picture.Rect, e.small, e.small.Rect, draw.Src, nil)
			if e.head != nil {
				e.smallLabels = segmentation.Labels(e.smallLabels, nil, s.Output("logits"), e.halved())
				f.Labels = doubled(e.smallLabels)
			}
			f.Elapsed = time.Since(begun)
		})
	})
	return f, err
}

// halved is the manifest with half the size: what a preview's labels have.
func (e *Engine) halved() *model.Manifest {
	m := *e.model.Manifest
	c := m.CropRect()
	m.Resolution /= 2
	m.Crop = []int{c.Min.X / 2, c.Min.Y / 2, c.Max.X / 2, c.Max.Y / 2}
	return &m
}

// doubled is a label map of twice the size, each pixel four times.
func doubled(m *image.Paletted) *image.Paletted {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewPaletted(image.Rect(0, 0, 2*w, 2*h), m.Palette)
	for y := range h {
		row := out.Pix[2*y*out.Stride : 2*y*out.Stride+2*w]
		for x, c := range m.Pix[y*m.Stride : y*m.Stride+w] {
			row[2*x], row[2*x+1] = c, c
		}
		copy(out.Pix[(2*y+1)*out.Stride:], row)
	}
	return out
}

// Live starts a renderer for codes that change while one watches. Deliver is called
// from a goroutine of its own, one call at a time. While codes keep coming and a full
// picture takes too long for dragging, frames are previews of half the detail.
func (e *Engine) Live(deliver func(Frame, error)) *Live {
	return newLive(func(ctx context.Context, code latent.Code, preview bool) (Frame, error) {
		if preview {
			return e.preview(ctx, code)
		}
		return e.Render(ctx, code, RenderOptions{})
	}, e.previews(), deliver)
}
