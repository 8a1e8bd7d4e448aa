package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"latentbrush/assets/portrait/dataset"
	"latentbrush/engine"
	"latentbrush/engine/inversion"
	"latentbrush/engine/model/safetensors"
)

func newTrainCommand(env *Env) *cobra.Command {
	command := &cobra.Command{
		Use:   "train",
		Short: "Train parts of a model",
		Long: `Train makes the parts of a model that are learnt on this machine. These are the encoder, the network that
answers a photo with a latent, and the guess, the map from a painted mask to where its edit begins.`,
		Example: "  latentbrush train encoder -model faces -steps 4000 -out faces/encoder.safetensors",
		Args:    noArguments,
		RunE:    func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newTrainEncoderCommand(env), newTrainGuessCommand(env))
	return command
}

// saveEvery is the time between two saves of a training.
const saveEvery = 30 * time.Second

func newTrainEncoderCommand(env *Env) *cobra.Command {
	var out, state, from, data, curve string
	var resume bool
	var limits inversion.Range
	d := inversion.TrainOptions{}.Filled(256)
	o := d
	command := &cobra.Command{
		Use:   "encoder",
		Short: "Train the network that answers a photo with a latent",
		Long: `Encoder trains the network that answers a picture with a latent, the start of every embedding. It learns from the
model's own pictures, whose latents are known. With -data it learns from a data set of "latentbrush dataset" in place of
them, which costs no rendering: the latents of its pictures are known, too.

The training is saved beside the encoder every half minute and when it is stopped; -resume goes on with it and ends
where an uninterrupted one would. Resuming a finished one only writes the encoder again. The encoder goes into a model's folder as encoder.safetensors.`,
		Example: `  latentbrush train encoder -model faces -steps 4000 -out faces/encoder.safetensors
  latentbrush train encoder -model faces -data set -out faces/encoder.safetensors -resume -curve loss.png`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("train encoder needs -out, the encoder's file")}
			}
			if state == "" {
				state = strings.TrimSuffix(out, filepath.Ext(out)) + ".training.safetensors"
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			request := engine.TrainEncoderRequest{Options: o}
			if from != "" {
				if err := readSafetensors(from, func(f *safetensors.File) (err error) {
					request.From, err = inversion.ReadEncoder(f)
					return err
				}); err != nil {
					return err
				}
			}
			if resume {
				err := readSafetensors(state, func(f *safetensors.File) (err error) {
					request.Resume, err = inversion.ReadTraining(f)
					return err
				})
				switch {
				case errors.Is(err, fs.ErrNotExist):
					fmt.Fprintf(env.Err, "%s is not there: the training begins.\n", state)
				case err != nil:
					return err
				default:
					c, i := request.Resume.Encoder.Config, e.Info()
					if c.Rows != i.Rows || c.Dim != i.Dim || c.Height != i.Height || c.Width != i.Width {
						return fmt.Errorf("%s is a training for codes of %d×%d and pictures of %d×%d, the model has %d×%d and %d×%d", state, c.Rows, c.Dim, c.Width, c.Height, i.Rows, i.Dim, i.Width, i.Height)
					}
					o = request.Resume.Options
				}
			}
			if data != "" {
				s, err := openDataset(data, e, o)
				if err != nil {
					return err
				}
				defer s.close()
				request.Samples = s
			}
			last, err := runTraining(ctx, env, e, request, state)
			if last.Trainer == nil && err == nil {
				last.Trainer = request.Resume // all steps were made already
			}
			if last.Trainer == nil {
				return err
			}
			if saved := last.Trainer.Save(state); saved != nil {
				return errors.Join(err, saved)
			}
			if curve != "" {
				if err := writePNG(curve, curvePicture(last.Trainer.Curve)); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
			enc := last.Trainer.Encoder
			enc.Range = limits
			meta, tensors, err := enc.Tensors(true)
			if err != nil {
				return err
			}
			if err := safetensors.WriteFile(out, meta, tensors...); err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "%s: %d weights, loss %.4g after %d steps\n", out, enc.Size(), mean(last.Trainer.Curve), len(last.Trainer.Curve))
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&out, "out", "", "`file` for the encoder")
	f.StringVar(&state, "state", "", "`file` for the training (default: beside the encoder)")
	f.BoolVar(&resume, "resume", false, "go on with a training that was stopped, with its settings")
	f.StringVar(&from, "from", "", "`file` of an encoder to begin with")
	f.StringVar(&data, "data", "", "`folder` of a data set to learn from")
	f.StringVar(&curve, "curve", "", "PNG `file` for the curve of the loss")
	f.IntVar(&o.Steps, "steps", d.Steps, "`number` of steps")
	f.IntVar(&o.Batch, "batch", d.Batch, "`pictures` of a step")
	f.Float64Var(&o.Rate, "rate", d.Rate, "highest step size of Adam")
	f.IntVar(&o.Pictures, "pictures", d.Pictures, "how many `pictures` of a step are compared with those of their answers, -1 for none")
	f.IntVar(&o.Resolution, "resolution", 0, "`pixels` a side of that comparison (default: 64)")
	f.Float64Var(&o.PictureWeight, "picture-weight", d.PictureWeight, "`weight` of that comparison")
	f.Uint64Var(&o.Seed, "seed", 0, "`seed` of the first weights and the order of the pictures")
	f.Float64Var(&limits.PSNR, "range-psnr", 0, "`dB` that embedded pictures of the model's kind reach, kept in the file")
	f.Float64Var(&limits.Distance, "range-distance", inversion.DefaultRange.Distance, "largest `distance` of their latents, kept in the file")
	return command
}

func readSafetensors(path string, read func(*safetensors.File) error) error {
	f, err := safetensors.Open(splitPath(path))
	if err != nil {
		return err
	}
	defer f.Close()
	return read(f)
}

// runTraining trains to the end or until it is stopped, and saves now and then.
func runTraining(ctx context.Context, env *Env, e *engine.Engine, r engine.TrainEncoderRequest, state string) (last engine.TrainEncoderStep, err error) {
	shown, saved := time.Now(), time.Now()
	for step, err := range e.TrainEncoder(ctx, r) {
		if err != nil {
			fmt.Fprintln(env.Err)
			return last, err
		}
		last = step
		if now := time.Now(); now.Sub(shown) > time.Second {
			fmt.Fprintf(env.Err, "\rstep %d of %d, loss %.4f, %v left   ", step.Step+1, step.Total, mean(step.Trainer.Curve), step.Remaining.Round(time.Second))
			shown = now
			if now.Sub(saved) > saveEvery {
				if err := step.Trainer.Save(state); err != nil {
					return last, err
				}
				saved = now
			}
		}
	}
	fmt.Fprintln(env.Err)
	return last, nil
}

// mean of the last losses.
func mean(curve []inversion.Point) float64 {
	n := min(50, len(curve))
	sum := 0.0
	for _, p := range curve[len(curve)-n:] {
		sum += p.Loss / float64(n)
	}
	return sum
}

// datasetSamples are the pictures of a data set, with the codes that the model gives
// their latents.
type datasetSamples struct {
	engine      *engine.Engine
	images, z   *os.File
	side, dim   int
	n, batch    int
	seed        uint64
	raw, rawZ   []byte
	coordinates []float32
}

func openDataset(folder string, e *engine.Engine, o inversion.TrainOptions) (*datasetSamples, error) {
	in, err := dataset.ReadInfo(folder)
	if err != nil {
		return nil, err
	}
	i := e.Info()
	c := inversion.DefaultConfig(i.Rows, i.Dim, i.Height, i.Width, 1)
	s := &datasetSamples{engine: e, side: i.Width / c.Pool, dim: in.Dim, n: in.Done, batch: o.Filled(i.Manifest.Resolution).Batch, seed: o.Seed}
	switch {
	case i.Width != i.Height:
		return nil, fmt.Errorf("train: the pictures of %s are square, the model's are %d×%d", folder, i.Width, i.Height)
	case in.Dim != i.Manifest.ZDim:
		return nil, fmt.Errorf("train: %s has latents of %d numbers, the model wants %d", folder, in.Dim, i.Manifest.ZDim)
	case !slices.Contains(in.Sizes, s.side):
		return nil, fmt.Errorf("train: %s has no pictures of %d×%d, which the encoder looks at", folder, s.side, s.side)
	case in.Done < 1:
		return nil, fmt.Errorf("train: %s holds no picture yet", folder)
	}
	if s.images, err = os.Open(filepath.Join(folder, fmt.Sprintf("images-%d.u8", s.side))); err != nil {
		return nil, err
	}
	if s.z, err = os.Open(filepath.Join(folder, "z.f32")); err != nil {
		s.images.Close()
		return nil, err
	}
	s.raw, s.rawZ, s.coordinates = make([]byte, 3*s.side*s.side), make([]byte, 4*s.dim), make([]float32, s.dim)
	return s, nil
}

func (s *datasetSamples) close() {
	s.images.Close()
	s.z.Close()
}

// Fill implements [inversion.Samples].
func (s *datasetSamples) Fill(_ context.Context, step int, pictures, codes []float32) error {
	r := rand.New(rand.NewPCG(s.seed^0x64617461, uint64(step)))
	area, dim := s.side*s.side, len(codes)/s.batch
	for i := range s.batch {
		k := int64(r.IntN(s.n))
		if _, err := s.images.ReadAt(s.raw, k*int64(len(s.raw))); err != nil {
			return fmt.Errorf("train: picture %d of the data set: %w", k, err)
		}
		if _, err := s.z.ReadAt(s.rawZ, k*int64(len(s.rawZ))); err != nil {
			return fmt.Errorf("train: latent %d of the data set: %w", k, err)
		}
		for j := range s.coordinates {
			s.coordinates[j] = math.Float32frombits(binary.LittleEndian.Uint32(s.rawZ[4*j:]))
		}
		code, err := s.engine.Map(s.coordinates)
		if err != nil {
			return err
		}
		copy(codes[i*dim:(i+1)*dim], code.Row(0))
		to := pictures[3*area*i:]
		for p := range area {
			for c := range 3 {
				to[c*area+p] = float32(s.raw[3*p+c])/127.5 - 1
			}
		}
	}
	return nil
}

// curvePicture draws the terms of the loss over the steps, smoothed, on a logarithmic
// scale.
func curvePicture(curve []inversion.Point) *image.RGBA {
	const w, h, left, bottom, top = 720, 400, 64, 28, 16
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	ink, grid := color.RGBA{60, 60, 66, 255}, color.RGBA{225, 226, 230, 255}
	text := func(x, y int, c color.RGBA, s string) {
		d := font.Drawer{Dst: img, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
		d.DrawString(s)
	}
	lines := []struct {
		name   string
		colour color.RGBA
		value  func(inversion.Point) float64
	}{
		{"loss", color.RGBA{30, 90, 200, 255}, func(p inversion.Point) float64 { return p.Loss }},
		{"latent term", color.RGBA{210, 90, 30, 255}, func(p inversion.Point) float64 { return p.Latent }},
		{"picture term", color.RGBA{40, 150, 90, 255}, func(p inversion.Point) float64 { return p.Picture }},
	}
	// Each column is the mean of its steps and a few before.
	smooth := make([][]float64, len(lines))
	lo, hi := math.Inf(1), math.Inf(-1)
	span := max(1, len(curve)/40)
	for l, line := range lines {
		smooth[l] = make([]float64, w-left-8)
		for x := range smooth[l] {
			end := max(1, (x+1)*len(curve)/len(smooth[l]))
			begin := max(0, end-span)
			sum, n := 0.0, 0
			for _, p := range curve[begin:min(end, len(curve))] {
				sum += line.value(p)
				n++
			}
			v := math.Log10(max(sum/float64(max(n, 1)), 1e-12))
			smooth[l][x] = v
			if v > -11 {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if lo > hi {
		return img
	}
	lo, hi = math.Floor(lo*5)/5, math.Ceil(hi*5)/5
	if hi-lo < 0.2 {
		hi = lo + 0.2
	}
	at := func(v float64) int { return top + int((hi-v)/(hi-lo)*float64(h-top-bottom)) }
	for v := lo; v < hi+0.01; v += (hi - lo) / 5 {
		y := min(at(v), h-1)
		for x := left; x < w-8; x++ {
			img.SetRGBA(x, y, grid)
		}
		text(4, y+4, ink, fmt.Sprintf("%8.2g", math.Pow(10, v)))
	}
	for i := range 5 {
		x := left + i*(w-left-40)/4
		text(x, h-8, ink, fmt.Sprint(i*len(curve)/4))
	}
	for l, line := range lines {
		text(left+12+120*l, top-3, line.colour, line.name)
		for x := 1; x < len(smooth[l]); x++ {
			if smooth[l][x] < -11 {
				continue
			}
			a, b := at(max(smooth[l][x-1], lo)), at(smooth[l][x])
			for y := min(a, b); y <= max(a, b)+1; y++ {
				if y >= top && y < h {
					img.SetRGBA(left+x, y, line.colour)
				}
			}
		}
	}
	return img
}
