package engine

import (
	"context"
	"image"

	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/segmentation"
)

// guessSeed is far from the seeds that people type and from the prior's.
const guessSeed = 1 << 50

// LearnGuess learns the linear map of [Settings.Guess] from n of the model's own
// pictures. It gives way to every other request between two pictures.
func (e *Engine) LearnGuess(ctx context.Context, n int) error {
	if e.head == nil {
		return segmentation.ErrNoHead
	}
	p, err := e.Prior(ctx)
	if err != nil {
		return err
	}
	var labels []*image.Paletted
	var coordinates [][]float64
	difference := make([]float32, e.info.Dim)
	for i := range n {
		w := e.generator.Map(latent.Z(guessSeed+uint64(i), e.info.Manifest.ZDim))
		f, err := e.render(ctx, latent.Broadcast(w, e.info.Rows), RenderOptions{}, false)
		if err != nil {
			return err
		}
		for k, v := range w {
			difference[k] = v - p.Mean[k]
		}
		labels = append(labels, f.Labels)
		coordinates = append(coordinates, p.Whiten(difference))
	}
	g, err := edit.LearnGuess(labels, coordinates, len(e.info.Manifest.Classes))
	if err != nil {
		return err
	}
	e.guess.Store(g)
	return nil
}

// guessed are the whitened coordinates of the learnt map's answer, nil without one.
func (e *Engine) guessed(base, painted *image.Paletted) []float32 {
	if g := e.guess.Load(); g != nil {
		return g.Coordinates(base, painted)
	}
	return nil
}
