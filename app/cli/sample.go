package cli

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"latentbrush/assets"
	"latentbrush/engine"
	"latentbrush/engine/model"
	"latentbrush/engine/segmentation"
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
			e, err := openEngine(command.Context(), env)
			if err != nil {
				return err
			}
			defer e.Close()
			i := e.Info()
			if !command.Flags().Changed("truncation") {
				truncation = i.Manifest.Truncation.Psi
			}
			w := e.Sample(seed, truncation)
			if code != "" {
				if err := writeCode(code, w, i, map[string]string{"seed": fmt.Sprint(seed)}); err != nil {
					return fmt.Errorf("code: %w", err)
				}
			}
			if out == "" && labels == "" {
				return nil
			}
			f, err := e.Render(command.Context(), w, engine.RenderOptions{})
			if err != nil {
				return err
			}
			if out != "" {
				if err := writePNG(out, f.Picture); err != nil {
					return fmt.Errorf("picture: %w", err)
				}
			}
			if labels != "" {
				if f.Labels == nil {
					return fmt.Errorf("labels: %w", segmentation.ErrNoHead)
				}
				if err := writePNG(labels, f.Labels); err != nil {
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

// openModel opens the bundle that the flags name, or the model that comes with the
// program.
func openModel(env *Env) (*model.Model, error) {
	if env.Model != "" {
		return model.OpenPath(env.Model)
	}
	bundle, err := assets.DefaultModel()
	if err != nil {
		return nil, err
	}
	return model.Open(bundle)
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
