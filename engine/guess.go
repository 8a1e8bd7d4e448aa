package engine

import (
	"context"
	"errors"
	"image"
	"io/fs"

	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/segmentation"
)

// guessSeed is far from the seeds that people type and from the prior's.
const guessSeed = 1 << 50

// LearnGuess learns the linear map at whose answer edits begin, from n of the model's own
// pictures, and uses it from then on. It gives way to every other request between two
// pictures. Progress may be nil.
func (e *Engine) LearnGuess(ctx context.Context, n int, progress func(done, total int)) (*edit.Guess, error) {
	if e.head == nil {
		return nil, segmentation.ErrNoHead
	}
	p, err := e.Prior(ctx)
	if err != nil {
		return nil, err
	}
	var labels []*image.Paletted
	var codes [][]float32
	for i := range n {
		w := e.generator.Map(latent.Z(guessSeed+uint64(i), e.info.Manifest.ZDim))
		f, err := e.render(ctx, latent.Broadcast(w, e.info.Rows), RenderOptions{}, false)
		if err != nil {
			return nil, err
		}
		labels, codes = append(labels, f.Labels), append(codes, w)
		if progress != nil {
			progress(i+1, n)
		}
	}
	g, err := edit.LearnGuess(p, labels, codes, len(e.info.Manifest.Classes))
	if err != nil {
		return nil, err
	}
	e.guess.Store(g)
	return g, nil
}

// openGuess reads the bundle's guess, if it has one that was learnt from these weights: one
// of other weights would lead edits astray and is left out.
func (e *Engine) openGuess() error {
	f, err := e.model.Weights(model.GuessFile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && e.head == nil {
		if err == nil {
			f.Close()
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Metadata()["fingerprint"] != e.info.Fingerprint {
		return nil
	}
	g, err := edit.ReadGuess(f, len(e.info.Manifest.Classes), e.info.Dim)
	if err != nil {
		return err
	}
	e.guess.Store(g)
	return nil
}

// guessed is the change of w that the learnt map asks for, nil without one.
func (e *Engine) guessed(base, painted *image.Paletted) []float32 {
	if g := e.guess.Load(); g != nil {
		return g.Delta(base, painted)
	}
	return nil
}
