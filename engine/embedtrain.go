package engine

import (
	"context"
	"errors"
	"image"
	"iter"
	"math/rand/v2"
	"time"

	"latentbrush/engine/graph"
	"latentbrush/engine/inversion"
	"latentbrush/engine/latent"
	"latentbrush/engine/ort"
)

// TrainEncoderRequest asks for the training of an encoder for the open model.
type TrainEncoderRequest struct {
	Options inversion.TrainOptions
	// Samples with known codes; nil for the model's own pictures.
	Samples inversion.Samples
	// Resume goes on with a training that was saved; its options are used.
	Resume *inversion.Trainer
	// From gives the first weights wherever its shapes agree.
	From *inversion.Encoder
}

// TrainEncoderStep is one step of the training.
type TrainEncoderStep struct {
	inversion.Point
	Total              int
	Elapsed, Remaining time.Duration
	// Trainer has the weights and can be saved between steps. It changes with the next
	// step.
	Trainer *inversion.Trainer
}

// TrainEncoder trains an encoder. Cancel with ctx or by ending the loop; what was
// learnt is in the last step's trainer.
func (e *Engine) TrainEncoder(ctx context.Context, r TrainEncoderRequest) iter.Seq2[TrainEncoderStep, error] {
	return func(yield func(TrainEncoderStep, error) bool) {
		if err := e.trainEncoder(ctx, r, yield); err != nil && !errors.Is(err, errLeft) {
			yield(TrainEncoderStep{}, err)
		}
	}
}

// errLeft says that the consumer of an iterator has had enough.
var errLeft = errors.New("engine: stopped")

func (e *Engine) trainEncoder(ctx context.Context, r TrainEncoderRequest, yield func(TrainEncoderStep, error) bool) error {
	release, err := e.begun(ctx)
	if err != nil {
		return err
	}
	defer release()
	t := r.Resume
	if t == nil {
		if t, err = e.newTrainer(ctx, r); err != nil {
			return err
		}
	}
	if r.Samples == nil {
		r.Samples = &ownSamples{engine: e, pool: t.Encoder.Pool, batch: t.Options.Batch, seed: t.Options.Seed}
	}
	var session *ort.Session
	if err := e.queue.do(ctx, false, func(context.Context) error {
		bytes, err := t.Model(e.generator)
		if err != nil {
			return err
		}
		session, err = e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{})
		return err
	}); err != nil {
		return err
	}
	defer session.Close()
	begun, made := time.Now(), 0
	for !t.Done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		var p inversion.Point
		// The samples come from the engine itself, so only the run is a task of the queue.
		if p, err = t.Step(ctx, queued{e.queue, session}, r.Samples); err != nil {
			return err
		}
		made++
		step := TrainEncoderStep{Point: p, Total: t.Options.Steps, Elapsed: time.Since(begun), Trainer: t}
		step.Remaining = step.Elapsed / time.Duration(made) * time.Duration(t.Options.Steps-len(t.Curve))
		if !yield(step, nil) {
			return errLeft
		}
	}
	return nil
}

// queued runs a session as tasks of the queue.
type queued struct {
	queue *queue
	*ort.Session
}

func (q queued) Run(ctx context.Context) error { return q.queue.do(ctx, false, q.Session.Run) }

func (e *Engine) newTrainer(ctx context.Context, r TrainEncoderRequest) (*inversion.Trainer, error) {
	p, err := e.Prior(ctx)
	if err != nil {
		return nil, err
	}
	o := r.Options.Filled(e.info.Manifest.Resolution)
	c := inversion.DefaultConfig(e.info.Rows, e.info.Dim, e.info.Height, e.info.Width, len(p.Axes))
	enc, err := inversion.NewEncoder(c, p.Mean, p.Axes, o.Seed)
	if err != nil {
		return nil, err
	}
	if r.From != nil {
		enc.Transplant(r.From)
	}
	importance, err := e.importance(ctx, enc, o.Resolution)
	if err != nil {
		return nil, err
	}
	return inversion.NewTrainer(enc, importance, o)
}

// importance probes the generator at low resolution.
func (e *Engine) importance(ctx context.Context, enc *inversion.Encoder, resolution int) ([]float32, error) {
	var session *ort.Session
	if err := e.queue.do(ctx, false, func(context.Context) error {
		g := graph.New("probe")
		syn, err := e.generator.Synthesis(g, g.Input("code", e.info.Rows, e.info.Dim), resolution)
		if err != nil {
			return err
		}
		g.Output("image", syn.Image)
		bytes, err := g.Model()
		if err != nil {
			return err
		}
		session, err = e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{})
		return err
	}); err != nil {
		return nil, err
	}
	defer session.Close()
	var codes []latent.Code
	for i := range uint64(3) {
		codes = append(codes, e.Sample(trainSeed-1-i, 1))
	}
	run := queued{e.queue, session}
	return inversion.Importance(codes, enc, func(c latent.Code) ([]float32, error) {
		copy(session.Input("code"), c.Data)
		if err := run.Run(ctx); err != nil {
			return nil, err
		}
		return session.Output("image"), nil
	})
}

// trainSeed is far from the seeds that people type and from the prior's.
const trainSeed = 1 << 44

// ownPictures is how many of its own pictures a model's encoder is trained on.
const ownPictures = 4000

// ownSamples are random pictures of the model, made when first asked for and kept,
// averaged to the encoder's input size.
type ownSamples struct {
	engine      *Engine
	pool, batch int
	seed        uint64
	kept        map[int][]uint8
}

// Fill implements [inversion.Samples].
func (s *ownSamples) Fill(ctx context.Context, step int, pictures, codes []float32) error {
	if s.kept == nil {
		s.kept = map[int][]uint8{}
	}
	r := rand.New(rand.NewPCG(s.seed, uint64(step)))
	size, dim := len(pictures)/s.batch, len(codes)/s.batch
	for i := range s.batch {
		k := r.IntN(ownPictures)
		psi := 1.0
		if k%2 == 1 {
			psi = s.engine.info.Manifest.Truncation.Psi
		}
		code := s.engine.Sample(trainSeed+uint64(k), psi)
		if s.kept[k] == nil {
			f, err := s.engine.Render(ctx, code, RenderOptions{})
			if err != nil {
				return err
			}
			s.kept[k] = averaged(f.Picture, s.pool)
		}
		copy(codes[i*dim:], code.Row(0))
		for j, v := range s.kept[k] {
			pictures[i*size+j] = float32(v)/127.5 - 1
		}
	}
	return nil
}

// averaged is a picture over squares of side pool, [3, h, w].
func averaged(img *image.RGBA, pool int) []uint8 {
	w, h := img.Rect.Dx()/pool, img.Rect.Dy()/pool
	out := make([]uint8, 3*w*h)
	for y := range h {
		for x := range w {
			for c := range 3 {
				sum := 0
				for j := y * pool; j < (y+1)*pool; j++ {
					for i := x * pool; i < (x+1)*pool; i++ {
						sum += int(img.Pix[j*img.Stride+4*i+c])
					}
				}
				out[(c*h+y)*w+x] = uint8((sum + pool*pool/2) / (pool * pool))
			}
		}
	}
	return out
}
