package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"latentbrush/assets"
	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

func newSampleCommand(env *Env) *cobra.Command {
	var seed uint64
	var out, labels, code string
	var truncation float64
	command := &cobra.Command{
		Use:   "sample",
		Short: "Draw a random picture and its labels",
		Long: `Sample draws the picture that belongs to a seed, and the labels of its parts.

The same seed and model give the same picture on every machine. The labels are a PNG with a palette: the index of a
pixel is its class, in the order of the model's list of classes, and the palette has the model's colours. Such a file
can be painted in any program that keeps indices, and read back as a mask.

Truncation draws the latent towards the mean: 1 leaves it as it is, 0 gives the mean picture for every seed. Without
the flag the model's own value is used.`,
		Example: `  latentbrush sample -seed 7 -o picture.png -labels labels.png
  latentbrush sample -seed 7 -truncation 1 -o picture.png -code code.safetensors
  latentbrush sample -model ~/models/cats.zip -o cat.png`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" && labels == "" && code == "" {
				return usageError{fmt.Errorf("nothing to write: name a file with -o, -labels or -code")}
			}
			m, err := openModel(env)
			if err != nil {
				return err
			}
			defer m.Close()
			gen, err := stylegan2.New(m)
			if err != nil {
				return err
			}
			if !command.Flags().Changed("truncation") {
				truncation = m.Manifest.Truncation.Psi
			}
			w := gen.Sample(seed, truncation)
			if code != "" {
				print, err := m.Fingerprint()
				if err != nil {
					return err
				}
				meta := map[string]string{"format": "latentbrush-code", "model": m.Manifest.ID, "fingerprint": print, "seed": fmt.Sprint(seed)}
				if err := safetensors.WriteFile(code, meta, safetensors.Float32("code", w.Data, w.Rows, w.Dim)); err != nil {
					return fmt.Errorf("code: %w", err)
				}
			}
			if out == "" && labels == "" {
				return nil
			}
			picture, mask, err := draw(command.Context(), env, m, gen, w, labels != "")
			if err != nil {
				return err
			}
			if out != "" {
				if err := writePNG(out, picture); err != nil {
					return fmt.Errorf("picture: %w", err)
				}
			}
			if labels != "" {
				if err := writePNG(labels, mask); err != nil {
					return fmt.Errorf("labels: %w", err)
				}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.Uint64Var(&seed, "seed", 0, "`number` of the picture")
	flags.StringVarP(&out, "o", "o", "", "`file` for the picture, a PNG")
	flags.StringVar(&labels, "labels", "", "`file` for the labels, a PNG whose palette indices are classes")
	flags.StringVar(&code, "code", "", "`file` for the W+ code, a safetensors file")
	flags.Float64Var(&truncation, "truncation", 0, "how far from the mean, 0 to 1 and beyond (default: the model's value)")
	return command
}

// openModel opens the bundle that the flags name. Without one it makes a small model
// of random weights, and says so.
func openModel(env *Env) (*model.Model, error) {
	if env.Model != "" {
		return model.OpenPath(env.Model)
	}
	switch bundle, err := assets.DefaultModel(); {
	case err == nil:
		return model.Open(bundle)
	case !errors.Is(err, assets.ErrNoModel):
		return nil, err
	}
	fmt.Fprintln(env.Err, "No model was named; this one has random weights. Name a model with -model.")
	return modeltest.Open(modeltest.Spec{Resolution: 128})
}

// draw computes the picture of a code, and its labels if they are wanted.
func draw(ctx context.Context, env *Env, m *model.Model, gen *stylegan2.Generator, code latent.Code, labels bool) (*image.RGBA, *image.Paletted, error) {
	g := graph.New("sample")
	syn, err := gen.Synthesis(g, g.Input("code", code.Rows, code.Dim), 0)
	if err != nil {
		return nil, nil, err
	}
	g.Output("image", syn.Image)
	if labels {
		head, err := segmentation.New(m)
		if err != nil {
			return nil, nil, err
		}
		parts, err := head.Apply(g, m.Manifest, syn.Features)
		if err != nil {
			return nil, nil, err
		}
		g.Output("logits", parts.Logits)
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, nil, err
	}
	rt, err := env.OpenRuntime(ctx)
	if err != nil {
		return nil, nil, err
	}
	session, err := rt.NewSession(bytes, nil, nil, ort.SessionOptions{Frugal: true, KeepModel: true})
	if err != nil {
		return nil, nil, err
	}
	defer session.Close()
	copy(session.Input("code"), code.Data)
	if err := session.Run(ctx); err != nil {
		return nil, nil, err
	}
	size := m.Manifest.Size()
	picture := stylegan2.Picture(nil, session.Output("image"), size.X, size.Y)
	if !labels {
		return picture, nil, nil
	}
	return picture, segmentation.Labels(nil, nil, session.Output("logits"), m.Manifest), nil
}

// writePNG writes a picture as a whole or not at all.
func writePNG(path string, img image.Image) error {
	return writeWhole(path, func(w io.Writer) error { return png.Encode(w, img) })
}

// writeWhole writes a file beside its place and renames it when everything is on disk.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
