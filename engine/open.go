package engine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"latentbrush/engine/edit"
	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/loss"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

// priorSamples is how many latents the prior is fitted to.
const priorSamples = 4096

// Engine is an open model on a device. It may be used from several goroutines.
type Engine struct {
	model     *model.Model
	runtime   *ort.Runtime
	generator *stylegan2.Generator
	head      *segmentation.Head // nil without labels
	features  *loss.Perceptual   // nil without a perceptual network
	identity  *loss.Readings     // nil without an identity network
	info      Info
	queue     *queue
	// job holds a token: one edit or refinement at a time uses the step session.
	job chan struct{}

	// Sessions belong to the queue's goroutine.
	full, quick *forward
	step        *stepper
	stepHalf    *stepper
	small       *image.RGBA
	smallLabels *image.Paletted
	photo       photoSessions
	looking     readings

	guess     atomic.Pointer[edit.Guess]
	priorOnce sync.Once
	prior     *edit.Prior
	priorErr  error
}

// Open opens a bundle. The sessions that the engine needs are built when they are
// first used.
func Open(ctx context.Context, bundle fs.FS, o Options) (*Engine, error) {
	m, err := model.Open(bundle)
	if err != nil {
		return nil, err
	}
	return OpenModel(ctx, m, o)
}

// OpenModel opens a model that was read already. The engine closes it.
func OpenModel(ctx context.Context, m *model.Model, o Options) (*Engine, error) {
	e, err := open(ctx, m, o)
	if err != nil {
		m.Close()
		return nil, err
	}
	return e, nil
}

func open(ctx context.Context, m *model.Model, o Options) (*Engine, error) {
	fingerprint, err := m.Fingerprint()
	if err != nil {
		return nil, err
	}
	e := &Engine{model: m, job: make(chan struct{}, 1)}
	if e.generator, err = stylegan2.New(m); err != nil {
		return nil, err
	}
	if e.head, err = segmentation.New(m); err != nil && !errors.Is(err, segmentation.ErrNoHead) {
		return nil, err
	}
	term := "generator features"
	switch f, err := perceptualFile(m, o.Perceptual); {
	case err == nil:
		e.features, err = loss.ReadPerceptual(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		term = e.features.Name
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if e.runtime, err = ort.Open(ctx, ort.Options{Library: o.Library, Device: o.Device, Threads: o.Threads}); err != nil {
		return nil, err
	}
	size := m.Manifest.Size()
	e.info = Info{
		Manifest: *m.Manifest, Fingerprint: fingerprint, Width: size.X, Height: size.Y,
		Rows: m.Manifest.Rows, Dim: m.Manifest.WDim,
		Library: e.runtime.Library(), Version: e.runtime.Version(), PictureTerm: term + " and L2",
	}
	if err := e.openIdentity(); err != nil {
		return nil, err
	}
	if err := e.openGuess(); err != nil {
		return nil, err
	}
	e.queue = newQueue(restAfter, e.trim)
	return e, nil
}

// perceptualFile opens the network that holds the picture outside an edit: the one the
// options name, the user's LPIPS, or the bundle's.
func perceptualFile(m *model.Model, path string) (*safetensors.File, error) {
	if path != "" {
		return safetensors.Open(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	}
	if path, err := LPIPSPath(); err == nil {
		f, err := safetensors.Open(os.DirFS(filepath.Dir(path)), filepath.Base(path))
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return m.Weights(model.PerceptualFile)
}

// LPIPSPath is the file in the user's settings whose network, when it is there, takes
// the place of the bundles' own perceptual networks.
func LPIPSPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "latentbrush", "lpips.safetensors"), nil
}

// Close waits for the task in hand and frees the sessions. Jobs still running get
// [ErrClosed].
func (e *Engine) Close() error {
	e.queue.close()
	var errs []error
	for _, f := range []*forward{e.full, e.quick} {
		if f != nil {
			errs = append(errs, f.session.Close())
		}
	}
	for _, s := range []*stepper{e.step, e.stepHalf} {
		if s != nil {
			errs = append(errs, s.session.Close())
		}
	}
	if e.looking.session != nil {
		errs = append(errs, e.looking.session.Close())
	}
	errs = append(errs, e.photo.close())
	e.trim()
	return errors.Join(append(errs, e.model.Close())...)
}

// restAfter is how long nothing must be asked for before working memory is given back.
const restAfter = 15 * time.Second

// trim gives back what no run is using. That it could not is no trouble of anyone's.
func (e *Engine) trim() { _ = e.runtime.Trim(context.Background()) }

// Info describes the engine. The device changes when one is lost.
func (e *Engine) Info() Info {
	i := e.info
	i.Device = e.runtime.Device()
	i.Trials = e.runtime.Devices()
	i.Guess = e.guess.Load() != nil
	return i
}

// Model is the open model.
func (e *Engine) Model() *model.Model { return e.model }

// Sample is the code of the random picture of seed, truncated by psi; see
// [latent.Z].
func (e *Engine) Sample(seed uint64, psi float64) latent.Code { return e.generator.Sample(seed, psi) }

// Map is the code of z, which has the model's z_dim components, without truncation.
func (e *Engine) Map(z []float32) (latent.Code, error) {
	if len(z) != e.info.Manifest.ZDim {
		return latent.Code{}, fmt.Errorf("engine: z has %d components, the model wants %d", len(z), e.info.Manifest.ZDim)
	}
	return latent.Broadcast(e.generator.Map(z), e.info.Rows), nil
}

// Prior is the distribution of the model's own w, fitted when first asked for.
func (e *Engine) Prior(ctx context.Context) (*edit.Prior, error) {
	e.priorOnce.Do(func() { e.prior, e.priorErr = e.fitPrior(context.WithoutCancel(ctx)) })
	return e.prior, e.priorErr
}

func (e *Engine) fitPrior(ctx context.Context) (*edit.Prior, error) {
	const batch = 512
	g := graph.New("mapping")
	z := g.Input("z", batch, e.info.Manifest.ZDim)
	g.Output("w", e.generator.MapGraph(g, z))
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	var samples [][]float32
	err = e.queue.do(ctx, false, func(ctx context.Context) error {
		s, err := e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{Frugal: true, Device: ort.CPU})
		if err != nil {
			return err
		}
		defer s.Close()
		for first := 0; first < priorSamples; first += batch {
			in := s.Input("z")
			for i := range batch {
				copy(in[i*e.info.Manifest.ZDim:], latent.Z(priorSeed+uint64(first+i), e.info.Manifest.ZDim))
			}
			if err := s.Run(ctx); err != nil {
				return err
			}
			out := append([]float32(nil), s.Output("w")...)
			for i := range batch {
				samples = append(samples, out[i*e.info.Dim:(i+1)*e.info.Dim])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return edit.NewPrior(samples)
}

// priorSeed is far from the seeds that people type, so that the prior is not fitted
// to the pictures that it is judged on.
const priorSeed = 1 << 48
