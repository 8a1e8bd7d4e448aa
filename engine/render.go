package engine

import (
	"context"
	"fmt"
	"image"
	"time"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
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

// ForwardGraph is the graph from a code to a picture and, with a head, logits, at a
// resolution; 0 means the model's. Its input is "code", its outputs are "image" and
// "logits".
func ForwardGraph(generator *stylegan2.Generator, head *segmentation.Head, resolution int) (*graph.Graph, error) {
	man := generator.Manifest()
	g := graph.New("forward")
	s, err := generator.Synthesis(g, g.Input("code", man.Rows, man.WDim), resolution)
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

func (e *Engine) buildForward(resolution int) (*forward, error) {
	g, err := ForwardGraph(e.generator, e.head, resolution)
	if err != nil {
		return nil, err
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	session, err := e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{KeepModel: e.runtime.Device() != ort.CPU})
	if err != nil {
		return nil, err
	}
	size := e.info.Manifest.Size()
	return &forward{session: session, width: size.X, height: size.Y}, nil
}

// RenderOptions asks for more than a picture and its labels.
type RenderOptions struct {
	// Confidence asks for the probability of each pixel's label.
	Confidence bool
}

// Render makes the picture and the labels of a code at once, before any job's next
// step.
func (e *Engine) Render(ctx context.Context, code latent.Code, o RenderOptions) (Frame, error) {
	if err := code.Check(e.info.Rows, e.info.Dim); err != nil {
		return Frame{}, fmt.Errorf("engine: %w", err)
	}
	f := Frame{Code: code}
	err := e.queue.do(ctx, true, func(ctx context.Context) error {
		if e.full == nil {
			var err error
			if e.full, err = e.buildForward(0); err != nil {
				return err
			}
		}
		begun := time.Now()
		s := e.full.session
		return s.Call(ctx, func() { copy(s.Input("code"), code.Data) }, func() {
			f.Elapsed = time.Since(begun)
			f.Picture = stylegan2.Picture(nil, s.Output("image"), e.full.width, e.full.height)
			if e.head != nil {
				if o.Confidence {
					f.Confidence = image.NewGray(f.Picture.Rect)
				}
				f.Labels = segmentation.Labels(nil, f.Confidence, s.Output("logits"), e.model.Manifest)
			}
		})
	})
	return f, err
}

// Live starts a renderer for codes that change while one watches. Deliver is called
// from a goroutine of its own, one call at a time.
func (e *Engine) Live(deliver func(Frame, error)) *Live {
	return newLive(func(ctx context.Context, code latent.Code, _ bool) (Frame, error) {
		return e.Render(ctx, code, RenderOptions{})
	}, false, deliver)
}
