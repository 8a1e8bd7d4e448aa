package engine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"

	"latentbrush/engine/graph"
	"latentbrush/engine/loss"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/engine/stylegan2"
)

// ErrNoReadings is returned when the bundle has no network that reads attributes off a
// picture.
var ErrNoReadings = errors.New("engine: the model has no network of readings")

// Reading is the value of one attribute of a picture, such as how far the mouth is open,
// in standard deviations of the model's own pictures about their mean.
type Reading struct {
	loss.Reading
	Value float64
}

// Readings are the attributes that the bundle's network reads off a picture of the
// model's size. They serve to say what an edit changed; no edit uses them in its loss
// unless the bundle's identity network is the same. The error is [ErrNoReadings] when the
// bundle has none.
func (e *Engine) Readings(ctx context.Context, picture *image.RGBA) ([]Reading, error) {
	if err := e.checkPhoto(picture); err != nil {
		return nil, err
	}
	var out []Reading
	err := e.queue.do(ctx, false, func(ctx context.Context) error {
		if err := e.openReadings(); err != nil {
			return err
		}
		s := e.looking.session
		return s.Call(ctx, func() { stylegan2.Tensor(s.Input("picture"), picture) }, func() {
			for i, v := range s.Output("readings") {
				out = append(out, Reading{e.looking.network.Outputs[i], float64(v)})
			}
		})
	})
	return out, err
}

// SamePerson is the cosine between the identities of two pictures by their readings: 1
// for one person, about 0 for two that have nothing to do with each other.
func (e *Engine) SamePerson(a, b []Reading) float64 {
	n := e.looking.network
	if n == nil || len(a) != len(n.Outputs) || len(b) != len(a) {
		return 0
	}
	values := func(r []Reading) []float32 {
		out := make([]float32, len(r))
		for i, v := range r {
			out[i] = float32(v.Value)
		}
		return out
	}
	return n.Same(values(a), values(b))
}

// readings is the network of the bundle and its session.
type readings struct {
	network *loss.Readings
	session *ort.Session
}

// openReadings builds the session if need be, on the queue's goroutine.
func (e *Engine) openReadings() error {
	if e.looking.session != nil {
		return nil
	}
	f, err := e.model.Weights(model.ReadingsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoReadings
	}
	if err != nil {
		return err
	}
	defer f.Close()
	network, err := e.readReadings(f)
	if err != nil {
		return err
	}
	g := graph.New("readings")
	g.Output("readings", network.Values(g, g.Input("picture", 1, 3, e.info.Height, e.info.Width)))
	bytes, err := g.Model()
	if err != nil {
		return err
	}
	if e.looking.session, err = e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{Frugal: true, Device: ort.CPU}); err != nil {
		return err
	}
	e.looking.network = network
	return nil
}

func (e *Engine) readReadings(f *safetensors.File) (*loss.Readings, error) {
	r, err := loss.ReadReadings(f)
	if err != nil {
		return nil, err
	}
	if size := image.Pt(e.info.Width, e.info.Height); !r.Fits(size) {
		return nil, fmt.Errorf("engine: %s looks at squares of another size than the model's pictures of %d×%d", f.Name(), size.X, size.Y)
	}
	return r, nil
}

// openIdentity reads the network of the identity term, if the bundle has one.
func (e *Engine) openIdentity() error {
	f, err := e.model.Weights(model.IdentityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if e.identity, err = e.readReadings(f); err != nil {
		return err
	}
	if !e.identity.HasIdentity() {
		return fmt.Errorf("engine: no output of %s belongs to the person, so it cannot hold an identity", f.Name())
	}
	e.info.IdentityTerm = e.identity.Name
	return nil
}
