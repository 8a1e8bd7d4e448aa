package window

import (
	"context"
	"iter"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
)

// Engine is what the window needs of an open model; *engine.Engine behind Adapt,
// or a test's own.
type Engine interface {
	Info() engine.Info
	Model() *model.Model
	Sample(seed uint64, psi float64) latent.Code
	Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error)
	Edit(ctx context.Context, r engine.EditRequest) iter.Seq2[engine.Step, error]
	Refine(ctx context.Context, r engine.RefineRequest) iter.Seq2[engine.Step, error]
	Watch(deliver func(engine.Frame, error)) Watcher
	Close() error
}

// Watcher shows codes as they change, the newest first.
type Watcher interface {
	Show(code latent.Code)
	Close()
}

type adapted struct{ *engine.Engine }

func (a adapted) Watch(deliver func(engine.Frame, error)) Watcher { return a.Engine.Live(deliver) }

// Adapt makes an Engine of the real one.
func Adapt(e *engine.Engine) Engine { return adapted{e} }
