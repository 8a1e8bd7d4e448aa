package engine_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"latentbrush/engine"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
)

// A bundle's guess is used with the weights it was learnt from, left out with others, and
// an error when it is broken.
func TestBundleHasAGuess(t *testing.T) {
	ctx := context.Background()
	e := open(t, modeltest.Spec{})
	if e.Info().Guess {
		t.Error("a bundle without a guess has one")
	}
	g, err := e.LearnGuess(ctx, 20, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Info().Guess {
		t.Error("a learnt guess is not used")
	}
	with := func(key, value string) (*engine.Engine, error) {
		meta, tensors := g.Tensors()
		meta["fingerprint"] = e.Info().Fingerprint
		meta[key] = value
		var b bytes.Buffer
		if err := safetensors.Write(&b, meta, tensors...); err != nil {
			t.Fatal(err)
		}
		c := modeltest.Contents(modeltest.Spec{})
		if c.Files == nil {
			c.Files = map[string][]byte{}
		}
		c.Files["guess.safetensors"] = b.Bytes()
		m, err := c.Open()
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.OpenModel(ctx, m, engine.Options{Device: ort.CPU})
		if err == nil {
			t.Cleanup(func() { e.Close() })
		}
		return e, err
	}
	if e, err := with("pictures", "20"); err != nil || !e.Info().Guess {
		t.Errorf("the bundle's guess is not used, %v", err)
	}
	if e, err := with("fingerprint", "other"); err != nil || e.Info().Guess {
		t.Errorf("a guess of other weights is used, or an error: %v", err)
	}
	if _, err := with("grid", "7"); err == nil || !strings.Contains(err.Error(), "guess.safetensors") {
		t.Errorf("a broken guess gives %v, want an error that names it", err)
	}
}
