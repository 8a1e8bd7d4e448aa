package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/engine/checkpoint"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
)

func newImportCommand(env *Env) *cobra.Command {
	var out, classes, lpips string
	var heads []string
	var crop []int
	var o checkpoint.Options
	command := &cobra.Command{
		Use:   "import checkpoint",
		Short: "Make a model bundle of a StyleGAN2 checkpoint",
		Long: `Import reads a generator from a public checkpoint and writes a model bundle, a folder or a zip.

Two kinds of checkpoint are known: files of rosinality's stylegan2-pytorch (.pt, with g_ema), and networks of NVIDIA's
stylegan2-ada-pytorch (.pkl, with G_ema; unconditional, architecture skip). With -classifier, once for each member, the
pixel classifiers of DatasetGAN or EditGAN (.pth) become the model's label head; all must have been trained on this
generator. Without one the model has pictures but no labels.

Checkpoints are programs in Python's pickle format. They are never run: numbers are read, everything else is
ignored.

With -lpips the checkpoint is torchvision's VGG16 (vgg16-397923af.pth), and -lpips names LPIPS's own weights
(lpips/weights/v0.1/vgg.pth). Together they become the network that holds the picture outside an edit, for all models,
unless -o names another place.

The classes of the head are named by -classes, a JSON file with a list as in the bundle's model.json:
[{"id": 0, "name": "background", "colour": "#ffffff"}, …]. Without it they are numbered.`,
		Example: `  latentbrush import cats.pt -o cats.zip -name "Cats"
  latentbrush import vgg16-397923af.pth -lpips vgg.pth
  latentbrush import car.pt -crop 0,64,512,448 -classifier m0.pth -classifier m1.pth -classes car.json -o cars`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if lpips != "" {
				return importLPIPS(env, args[0], lpips, out)
			}
			if out == "" {
				return usageError{fmt.Errorf("name the bundle to write with -o")}
			}
			if len(crop) != 0 && len(crop) != 4 {
				return usageError{fmt.Errorf("crop has %d numbers, want x0,y0,x1,y1", len(crop))}
			}
			o.Crop = crop
			base := strings.TrimSuffix(filepath.Base(out), filepath.Ext(out))
			if o.ID == "" {
				o.ID = identifier(base)
			}
			if o.Name == "" {
				o.Name = base
			}
			contents, err := checkpoint.Import(args[0], o)
			if err != nil {
				return err
			}
			if classes != "" {
				if contents.Manifest.Classes, err = readClasses(classes); err != nil {
					return err
				}
			}
			if len(heads) > 0 {
				if err := checkpoint.Classifiers(contents, heads); err != nil {
					return err
				}
			}
			if err := contents.Write(out); err != nil {
				return err
			}
			m := contents.Manifest
			fmt.Fprintf(env.Out, "%s: %d × %d, %d rows of %d", out, m.Resolution, m.Resolution, m.Rows, m.WDim)
			if len(contents.Head) > 0 {
				fmt.Fprintf(env.Out, ", %d classes", len(m.Classes))
			}
			fmt.Fprintln(env.Out)
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVarP(&out, "o", "o", "", "`bundle` to write: a folder, or a zip if the name ends in .zip")
	flags.StringVar(&o.ID, "id", "", "id of the model, which vectors carry (default: from the bundle's name)")
	flags.StringVar(&o.Name, "name", "", "name of the model (default: from the bundle's name)")
	flags.StringVar(&o.Licence, "licence", "", "licence of the weights")
	flags.StringVar(&o.Author, "author", "", "author of the weights")
	flags.IntSliceVar(&crop, "crop", nil, "part of the picture that is shown, `x0,y0,x1,y1` (default: all)")
	flags.Float64Var(&o.Psi, "truncation", 0.7, "truncation of random pictures")
	flags.BoolVar(&o.Half, "half", false, "store weights with 16 bits: half the size, nearly the same pictures")
	flags.StringArrayVar(&heads, "classifier", nil, "`file` of a pixel classifier; repeat for an ensemble")
	flags.StringVar(&classes, "classes", "", "JSON `file` with the list of classes")
	flags.StringVar(&lpips, "lpips", "", "layer weights of LPIPS, a `file`; the checkpoint is then VGG16")
	return command
}

var notInID = regexp.MustCompile(`[^a-z0-9._-]+`)

// identifier makes an id of a file's name.
func identifier(name string) string {
	id := strings.Trim(notInID.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if id == "" {
		return "imported"
	}
	return id[:min(len(id), 64)]
}

// maxClassFile bounds what is read of a list of classes.
const maxClassFile = 1 << 20

func readClasses(path string) ([]model.Class, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxClassFile))
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	var list []model.Class
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("classes: %s is not a JSON list of classes: %w", path, err)
	}
	return list, nil
}

// importLPIPS writes the perceptual network of LPIPS to its place in the user's settings, or to out.
func importLPIPS(env *Env, trunk, layers, out string) error {
	metadata, tensors, err := checkpoint.LPIPS(trunk, layers)
	if err != nil {
		return err
	}
	if out == "" {
		if out, err = engine.LPIPSPath(); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return err
		}
	}
	if err := safetensors.WriteFile(out, metadata, tensors...); err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "%s: %s\n", out, metadata["name"])
	return nil
}
