package engine

import (
	"context"
	"image"

	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
)

// NewEvaluator is the evaluator of an edit from start to painted labels.
func NewEvaluator(ctx context.Context, e *Engine, start latent.Code, painted *image.Paletted, pictureWeight, perceptualWeight, identityWeight float64) (edit.Evaluator, error) {
	s := Settings{PictureWeight: pictureWeight, PerceptualWeight: perceptualWeight, IdentityWeight: identityWeight}
	j, err := e.begin(ctx, start, s)
	if err != nil {
		return nil, err
	}
	region, err := edit.Region(j.origin.Labels, painted, edit.RegionOptions{Dilation: -1})
	if err != nil {
		return nil, err
	}
	return j, j.aim(ctx, painted, region, nil, s)
}

// StepRuns is how many runs the session of optimisations has completed.
func StepRuns(e *Engine) int {
	runs := 0
	_ = e.queue.do(context.Background(), true, func(context.Context) error {
		if e.step != nil {
			runs = e.step.session.Stats().Runs
		}
		return nil
	})
	return runs
}
