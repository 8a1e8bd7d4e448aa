package learning

import (
	"context"
	"image"
	"iter"
	"math"

	"latentbrush/canvas/maskops"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// Model is what learning needs of an engine.
type Model interface {
	Info() engine.Info
	Sample(seed uint64, psi float64) latent.Code
	Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error)
	Edit(ctx context.Context, r engine.EditRequest) iter.Seq2[engine.Step, error]
	Prior(ctx context.Context) (*edit.Prior, error)
}

var _ Model = (*engine.Engine)(nil)

// Names are the model's classes as scripts and statistics name them.
func Names(m Model) maskops.Names {
	n := maskops.Names{}
	for _, c := range m.Info().Manifest.Classes {
		n[c.Name] = uint8(c.ID)
	}
	return n
}

// modelOf is the model as vectors name it.
func modelOf(m Model) vectors.Model {
	i := m.Info()
	return vectors.Model{ID: i.Manifest.ID, Fingerprint: i.Fingerprint}
}

// classesOf names class ids.
func classesOf(m Model, ids []uint8) []vectors.Class {
	var out []vectors.Class
	for _, id := range ids {
		for _, c := range m.Info().Manifest.Classes {
			if uint8(c.ID) == id {
				out = append(out, vectors.Class{ID: id, Name: c.Name})
			}
		}
	}
	return out
}

// areas are the shares of the pixels that each of n classes has.
func areas(labels *image.Paletted, n int) []float64 {
	var counts [256]int
	w, h := labels.Rect.Dx(), labels.Rect.Dy()
	for y := range h {
		for _, c := range labels.Pix[y*labels.Stride : y*labels.Stride+w] {
			counts[c]++
		}
	}
	out := make([]float64, n)
	for c := range out {
		out[c] = float64(counts[c]) / float64(w*h)
	}
	return out
}

// changedLabels is the share of the pixels with different labels.
func changedLabels(a, b *image.Paletted) float64 {
	w, h := a.Rect.Dx(), a.Rect.Dy()
	n := 0
	for y := range h {
		for x := range w {
			if a.Pix[y*a.Stride+x] != b.Pix[y*b.Stride+x] {
				n++
			}
		}
	}
	return float64(n) / float64(w*h)
}

// mean of the numbers that are numbers; NaN of none.
func mean(values []float64) float64 {
	s, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			s += v
			n++
		}
	}
	return s / float64(n)
}

// deviation is the standard deviation of the numbers that are numbers.
func deviation(values []float64) float64 {
	m := mean(values)
	s, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			s += (v - m) * (v - m)
			n++
		}
	}
	return math.Sqrt(s / float64(n))
}
