// Package perform does what a script asks with the engine.
//
// The document knows neither graphs nor devices; the engine knows neither documents nor scripts. Here the settings
// of the one become the requests of the other, the same for the window and for the commands, so that what was
// recorded in the window is computed again in just the same way.
package perform

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"iter"

	"latentbrush/app/document"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// Engine is what is needed of [engine.Engine].
type Engine interface {
	Info() engine.Info
	Sample(seed uint64, psi float64) latent.Code
	Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error)
	Edit(ctx context.Context, r engine.EditRequest) iter.Seq2[engine.Step, error]
	Refine(ctx context.Context, r engine.RefineRequest) iter.Seq2[engine.Step, error]
}

// embedder is an Engine that finds the latents of photos.
type embedder interface {
	Embed(ctx context.Context, r engine.EmbedRequest) iter.Seq2[engine.EmbedStep, error]
	HasEncoder() bool
	EncoderError(ctx context.Context, picture *image.RGBA) (float64, error)
}

// Machine plays scripts on an engine.
type Machine struct {
	Engine Engine
	// Crop is the box cut out of photos: nil looks for the one that the model knows best.
	Crop func(ctx context.Context, p *photo.Photo) (photo.Crop, error)
	// Embed are the settings of embeddings.
	Embedding engine.EmbedSettings
	// Stepped is called with every step of an optimisation or embedding; nil is not.
	Stepped func(step, of int)
}

var _ document.Machine = (*Machine)(nil)

// Render makes the picture and labels of a code.
func (m *Machine) Render(ctx context.Context, code latent.Code) (*image.RGBA, *image.Paletted, error) {
	f, err := m.Engine.Render(ctx, code, engine.RenderOptions{})
	return f.Picture, f.Labels, err
}

// Sample is the code of a random picture.
func (m *Machine) Sample(seed uint64, truncation float64) latent.Code {
	return m.Engine.Sample(seed, truncation)
}

// Settings are a run's options as the engine has them.
func Settings(o document.RunOptions) engine.Settings {
	return engine.Settings{
		Search: engine.Search(o.Search), Steps: o.Steps, Rate: o.Rate, PictureWeight: o.PictureWeight, PerceptualWeight: o.PerceptualWeight,
		Prior: o.Prior, IdentityWeight: o.IdentityWeight, NoGuess: o.NoGuess, Agreement: o.Agreement, Flat: o.Flat,
	}
}

// EditRequest asks the engine for what a task of the document wants.
func EditRequest(start, origin latent.Code, task document.Task, o document.RunOptions) engine.EditRequest {
	dilation := -1
	if o.Dilation > 0 {
		dilation = o.Dilation
	}
	return engine.EditRequest{
		Start: start, Origin: origin, Painted: task.Painted, Free: task.Free, Settings: Settings(o),
		Region: edit.RegionOptions{Painted: task.Touched, Keep: task.Keep, WholeClasses: o.WholeClasses, Dilation: dilation},
	}
}

// RefineRequest asks the engine for the refinement of an edit.
func RefineRequest(without, with latent.Code, classes []uint8, o document.RunOptions) engine.RefineRequest {
	steps := o.Steps
	o.Steps = 0
	return engine.RefineRequest{Without: without, With: with, Classes: classes, Steps: steps, Settings: Settings(o)}
}

// Edit optimises a code.
func (m *Machine) Edit(ctx context.Context, start, origin latent.Code, task document.Task, o document.RunOptions) iter.Seq2[document.RunStep, error] {
	return m.steps(m.Engine.Edit(ctx, EditRequest(start, origin, task, o)))
}

// Refine makes the steps of a refinement.
func (m *Machine) Refine(ctx context.Context, without, with latent.Code, classes []uint8, o document.RunOptions) iter.Seq2[document.RunStep, error] {
	return m.steps(m.Engine.Refine(ctx, RefineRequest(without, with, classes, o)))
}

// steps are a job's steps as the document has them; its final word, which repeats one of them, is left out.
func (m *Machine) steps(of iter.Seq2[engine.Step, error]) iter.Seq2[document.RunStep, error] {
	return func(yield func(document.RunStep, error) bool) {
		for s, err := range of {
			if err != nil {
				yield(document.RunStep{}, err)
				return
			}
			if s.Final {
				return
			}
			if m.Stepped != nil {
				m.Stepped(s.Index, s.Total)
			}
			if !yield(RunStep(s, 0), nil) {
				return
			}
		}
	}
}

// RunStep is a step as the document keeps it, its number counted from first.
func RunStep(s engine.Step, first int) document.RunStep {
	return document.RunStep{
		Index: first + s.Index, Code: s.Code, Loss: s.Loss, Agreement: s.Agreement, Leak: s.Leak.Mean, Elapsed: s.Elapsed,
	}
}

// Embed finds the code of a photo: the box that the model knows best is cut out of it.
func (m *Machine) Embed(ctx context.Context, name string, data []byte) (document.Source, latent.Code, error) {
	e, ok := m.Engine.(embedder)
	if !ok {
		return document.Source{}, latent.Code{}, fmt.Errorf("photo %q: this model opens no photos", name)
	}
	p, err := photo.Decode(name, data, photo.Limits{})
	if err != nil {
		return document.Source{}, latent.Code{}, err
	}
	w, h := m.Engine.Info().Width, m.Engine.Info().Height
	crop := photo.Middle(p.Picture, w, h)
	switch {
	case m.Crop != nil:
		crop, err = m.Crop(ctx, p)
	case e.HasEncoder():
		crop, _, err = photo.Propose(ctx, p.Picture, w, h, photo.Search{}, e.EncoderError)
	}
	if err != nil {
		return document.Source{}, latent.Code{}, err
	}
	cut, err := crop.Cut(p.Picture, w, h)
	if err != nil {
		return document.Source{}, latent.Code{}, err
	}
	var last engine.EmbedStep
	for s, err := range e.Embed(ctx, engine.EmbedRequest{Picture: cut, Settings: m.Embedding}) {
		if err != nil {
			return document.Source{}, latent.Code{}, err
		}
		last = s
		if m.Stepped != nil && !s.Final {
			m.Stepped(s.Index, s.Total)
		}
	}
	src := document.Source{
		Kind: document.PhotoSource, Name: name, Difference: last.Difference,
		Photo: &document.Photo{Name: name, Data: data, Align: crop.Align(w, h)},
	}
	return src, last.Code, nil
}

// Space describes the documents of an open model. A model without a label head has one class, and nothing to paint.
func Space(i engine.Info) document.Space {
	s := document.Space{
		Model: vectors.Model{ID: i.Manifest.ID, Fingerprint: i.Fingerprint},
		Rows:  i.Rows, Dim: i.Dim, Width: i.Width, Height: i.Height,
	}
	for k, c := range i.Manifest.Classes {
		d := document.Class{ID: uint8(k), Name: c.Name, Colour: color.RGBA(c.Colour), Pair: uint8(k)}
		if c.Pair != nil {
			d.Pair = uint8(*c.Pair)
		}
		s.Classes = append(s.Classes, d)
	}
	if len(s.Classes) == 0 {
		s.Classes = []document.Class{{Name: "picture", Colour: color.RGBA{128, 128, 128, 255}}}
	}
	return s
}
