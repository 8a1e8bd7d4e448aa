package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/vectors"
)

// openEngine opens the model and the device that the flags ask for.
func openEngine(ctx context.Context, env *Env) (*engine.Engine, error) {
	m, err := openModel(env)
	if err != nil {
		return nil, err
	}
	device, err := ort.ParseDevice(env.Device)
	if err != nil {
		m.Close()
		return nil, usageError{err}
	}
	return engine.OpenModel(ctx, m, engine.Options{Device: device, Threads: env.Threads})
}

// vectorModel is the model as vectors name it.
func vectorModel(e *engine.Engine) vectors.Model {
	i := e.Info()
	return vectors.Model{ID: i.Manifest.ID, Fingerprint: i.Fingerprint}
}

// source is the latent that a command starts from.
type source struct {
	seed       uint64
	truncation float64
	file       string
}

func (s *source) flags(command *cobra.Command) {
	command.Flags().Uint64Var(&s.seed, "seed", 0, "`seed` of the random picture to start from")
	command.Flags().Float64Var(&s.truncation, "truncation", 0, "truncation `psi` of the random picture (default: the model's)")
	command.Flags().StringVar(&s.file, "latent", "", "`file` with the latent to start from, in place of a seed")
}

// code reads or draws the latent.
func (s *source) code(command *cobra.Command, e *engine.Engine) (latent.Code, error) {
	i := e.Info()
	switch {
	case s.file != "" && (command.Flags().Changed("seed") || command.Flags().Changed("truncation")):
		return latent.Code{}, usageError{errors.New("-latent takes the place of -seed and -truncation")}
	case s.file != "":
		code, err := readCode(s.file, i)
		if err != nil {
			return latent.Code{}, fmt.Errorf("latent: %w", err)
		}
		return code, nil
	case !command.Flags().Changed("seed"):
		return latent.Code{}, usageError{errors.New("name the picture to start from with -seed or -latent")}
	}
	if !command.Flags().Changed("truncation") {
		s.truncation = i.Manifest.Truncation.Psi
	}
	return e.Sample(s.seed, s.truncation), nil
}

// splitPath gives the folder of a file as a file system, and its name in it.
func splitPath(path string) (fs.FS, string) {
	return os.DirFS(filepath.Dir(path)), filepath.Base(path)
}

// readCode reads a latent file as [writeCode] writes it and refuses one of another
// model.
func readCode(path string, i engine.Info) (latent.Code, error) {
	f, err := safetensors.Open(splitPath(path))
	if err != nil {
		return latent.Code{}, err
	}
	defer f.Close()
	if print := f.Metadata()["fingerprint"]; print != "" && print != i.Fingerprint {
		return latent.Code{}, fmt.Errorf("%s belongs to model %q (%s), the open model is %q (%s)", path, f.Metadata()["model"], print, i.Manifest.ID, i.Fingerprint)
	}
	data, err := f.Float32s("code", i.Rows, i.Dim)
	if err != nil {
		return latent.Code{}, err
	}
	code, err := latent.FromSlice(i.Rows, i.Dim, data)
	if err != nil {
		return latent.Code{}, err
	}
	return code, code.Check(i.Rows, i.Dim)
}

func writeCode(path string, code latent.Code, i engine.Info, more map[string]string) error {
	meta := map[string]string{"format": "latentbrush-code", "model": i.Manifest.ID, "fingerprint": i.Fingerprint}
	for k, v := range more {
		meta[k] = v
	}
	return safetensors.WriteFile(path, meta, safetensors.Float32("code", code.Data, code.Rows, code.Dim))
}

// readModelPNG reads a PNG of the size of the model's pictures.
func readModelPNG(path string, i engine.Info) (image.Image, error) {
	return readSizedPNG(path, i.Width, i.Height)
}

// readSizedPNG reads a PNG of a size, which is checked before pixels are decoded.
func readSizedPNG(path string, width, height int) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	config, err := png.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s is not a PNG: %w", path, err)
	}
	if config.Width != width || config.Height != height {
		return nil, fmt.Errorf("%s is %d×%d, want %d×%d as the pictures", path, config.Width, config.Height, width, height)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// readMask reads an indexed PNG whose indices are class ids.
func readMask(path string, i engine.Info) (*image.Paletted, error) {
	img, err := readModelPNG(path, i)
	if err != nil {
		return nil, err
	}
	labels, ok := img.(*image.Paletted)
	if !ok {
		return nil, fmt.Errorf("%s has colours, want an indexed PNG whose palette index is the class", path)
	}
	for y := range i.Height {
		for x := range i.Width {
			if c := int(labels.Pix[y*labels.Stride+x]); c >= len(i.Manifest.Classes) {
				return nil, fmt.Errorf("%s: pixel (%d, %d) has class %d, the model has classes 0 to %d", path, x, y, c, len(i.Manifest.Classes)-1)
			}
		}
	}
	return labels, nil
}

// strengthFlag is a vector file and its strength, written file=strength.
type strengthFlag struct {
	path     string
	strength float64
}

func parseStrength(text string) (strengthFlag, error) {
	path, number, found := strings.Cut(text, "=")
	f := strengthFlag{path: path, strength: 1}
	if path == "" {
		return f, fmt.Errorf("vector %q names no file", text)
	}
	if found {
		var err error
		if f.strength, err = strconv.ParseFloat(number, 64); err != nil {
			return f, fmt.Errorf("vector %q: the strength %q is not a number", text, number)
		}
	}
	return f, nil
}

// readArea reads a black and white picture as an area. An empty path is no area.
func readArea(path string, i engine.Info) (*image.Alpha, error) {
	if path == "" {
		return nil, nil
	}
	img, err := readModelPNG(path, i)
	if err != nil {
		return nil, err
	}
	return whiteArea(img), nil
}

// whiteArea is where a picture is more white than black; transparent pixels are black.
func whiteArea(img image.Image) *image.Alpha {
	b := img.Bounds()
	area := image.NewAlpha(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			// The colours come multiplied by their opacity.
			if color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y >= 128 {
				area.Pix[y*area.Stride+x] = 255
			}
		}
	}
	return area
}
