package cli

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"latentbrush/engine"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// activeVectors is how many vectors are in use when a slider is dragged.
const activeVectors = 8

// measureVectors holds the vectors of the bundle against their goals, and measures what a
// slider costs when many are in use.
func measureVectors(ctx context.Context, b *Bench) error {
	e, err := openEngine(ctx, b.Env)
	if err != nil {
		return err
	}
	defer e.Close()
	shipped, err := bundledVectors(e)
	if err != nil {
		return err
	}
	met, success, leak := 0, 0.0, 0.0
	for _, v := range shipped {
		g := v.Generalisation
		success += g.Success / float64(len(shipped))
		leak += g.Leak / float64(len(shipped))
		if g.Success >= successGoal && g.Leak <= leakGoal {
			met++
		}
	}
	b.AtLeast("vectors/shipped", float64(len(shipped)), "", 16)
	if len(shipped) > 0 {
		b.AtLeast("vectors/shipped-reaching-both-goals", float64(met), "", float64(len(shipped)))
		b.AtLeast("vectors/mean-success", 100*success, "%", 100*successGoal)
		b.AtMost("vectors/mean-leak", leak, "levels", leakGoal)
	}
	code := e.Sample(1, e.Info().Manifest.Truncation.Psi)
	axes, err := learning.PrincipalAxes(ctx, e, activeVectors)
	if err != nil {
		return err
	}
	var terms []vectors.Term
	for i, a := range axes {
		terms = append(terms, vectors.Term{Delta: a, Strength: 0.1 * float64(i-3)})
	}
	alone, err := b.Best(func() error {
		_, err := e.Render(ctx, code, engine.RenderOptions{})
		return err
	})
	if err != nil {
		return err
	}
	stacked, err := b.Best(func() error {
		_, err := e.Render(ctx, vectors.Sum(code, terms...), engine.RenderOptions{})
		return err
	})
	if err != nil {
		return err
	}
	sum, err := b.Best(func() error {
		vectors.Sum(code, terms...)
		return nil
	})
	if err != nil {
		return err
	}
	b.Row("vectors/render", 1e3*alone.Seconds(), "ms")
	b.Row(fmt.Sprintf("vectors/render-with-%d", len(terms)), 1e3*stacked.Seconds(), "ms")
	b.AtMost(fmt.Sprintf("vectors/sum-of-%d", len(terms)), 1e3*sum.Seconds(), "ms", 1)
	return measureLibrary(b, vectors.New("Kept", vectorModel(e), axes[0]))
}

// libraryEntries is the size of the library that is measured.
const libraryEntries = 1000

// measureLibrary times what a user does in a library: opening a large one, filtering it, and keeping
// one more vector, with its pictures, in it.
func measureLibrary(b *Bench, v *vectors.Vector) error {
	dir, err := os.MkdirTemp("", "latentbrush-library-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var whole bytes.Buffer
	v.Before, v.After = image.NewRGBA(image.Rect(0, 0, 128, 128)), image.NewRGBA(image.Rect(0, 0, 128, 128))
	for i := range libraryEntries {
		whole.Reset()
		v.Name, v.Tags = fmt.Sprintf("Vector %d", i), []string{"bench", fmt.Sprintf("tag%d", i%10)}
		if err := vectors.Write(&whole, v); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("vector-%d%s", i, vectors.Ext)), whole.Bytes(), 0o644); err != nil {
			return err
		}
	}
	var l *vectors.Library
	opened, err := b.Best(func() (err error) {
		l, err = vectors.OpenLibrary(dir, nil)
		return err
	})
	if err != nil {
		return err
	}
	query, err := vectors.ParseQuery("vector 9 tag:tag9")
	if err != nil {
		return err
	}
	filtered, err := b.Best(func() error {
		if n := len(l.Search(query)); n != libraryEntries/10 {
			return fmt.Errorf("%d of %d vectors were found, want %d", n, libraryEntries, libraryEntries/10)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.Name = "Kept"
	kept, err := b.Best(func() error {
		_, err := l.Add(v)
		return err
	})
	if err != nil {
		return err
	}
	b.Row(fmt.Sprintf("vectors/open-%d", libraryEntries), 1e3*opened.Seconds(), "ms")
	b.AtMost(fmt.Sprintf("vectors/filter-%d", libraryEntries), 1e3*filtered.Seconds(), "ms", 50)
	b.AtMost("vectors/keep", 1e3*kept.Seconds(), "ms", 1000)
	return nil
}

// bundledVectors are the facts of the vectors that come with the open model.
func bundledVectors(e *engine.Engine) ([]vectors.Facts, error) {
	dir, err := fs.Sub(e.Model().FS(), "vectors")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(dir, "*.safetensors")
	if err != nil {
		return nil, err
	}
	var all []vectors.Facts
	for _, name := range files {
		f, err := vectors.OpenFacts(dir, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSuffix(name, ".safetensors"), err)
		}
		all = append(all, f)
	}
	return all, nil
}
