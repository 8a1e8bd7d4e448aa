package cli

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"latentbrush/assets/portrait"
	"latentbrush/assets/portrait/dataset"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/engine/model/safetensors"
)

// Held-out portraits: no training set has these seeds.
const (
	photoSeed      = 5_000_000
	encodedRenders = 200
	embeddedOnes   = 4
)

// measurePhoto embeds portraits that the model was not trained on, and pastes an edit
// back into a photo of 12 megapixels.
func measurePhoto(ctx context.Context, b *Bench) error {
	if err := measurePaste(b); err != nil {
		return err
	}
	e, err := openEngine(ctx, b.Env)
	if err != nil {
		return err
	}
	defer e.Close()
	i := e.Info()
	if i.Manifest.ZDim != dataset.Dim || i.Width != i.Height {
		return nil // not a model of these portraits
	}
	if e.HasEncoder() {
		if err := measureEncoder(ctx, b, e); err != nil {
			return err
		}
	}
	var seconds, psnr, start, model, distance float64
	var last embedded
	classes := len(i.Manifest.Classes)
	counts, sampled := make([]metrics.Overlap, classes), make([]metrics.Overlap, classes)
	for n := range embeddedOnes {
		z := dataset.Code(photoSeed+uint64(n), 0)
		picture, truth := portrait.Render(portrait.FromNormal(z), i.Width)
		code, err := e.Map(z)
		if err != nil {
			return err
		}
		own, err := e.Render(ctx, code, engine.RenderOptions{})
		if err != nil {
			return err
		}
		model += metrics.PSNR(picture, own.Picture, nil) / embeddedOnes
		var final engine.EmbedStep
		begun := time.Now()
		for s, err := range e.Embed(ctx, engine.EmbedRequest{Picture: picture, Settings: engine.EmbedSettings{Flat: -1}}) {
			if err != nil {
				return err
			}
			if s.Index == 0 {
				start += s.PSNR / embeddedOnes
				last = embedded{picture, s.Code, s.Elapsed.Seconds()}
			} else if !s.Final {
				last.seconds = s.Elapsed.Seconds()
			}
			final = s
		}
		// The first run builds the session and fits the prior, which is kept.
		if n > 0 {
			seconds += time.Since(begun).Seconds() / (embeddedOnes - 1)
		}
		psnr += final.PSNR / embeddedOnes
		fit, err := e.Fit(ctx, final)
		if err != nil {
			return err
		}
		distance += fit.Distance / embeddedOnes
		if own.Labels == nil {
			continue
		}
		found, err := e.Render(ctx, final.Code, engine.RenderOptions{})
		if err != nil {
			return err
		}
		add(counts, metrics.Overlaps(found.Labels, truth, nil, classes))
		add(sampled, metrics.Overlaps(own.Labels, truth, nil, classes))
	}
	b.AtMost("embed.time_s", seconds, "s", 30)
	b.AtLeast("embed.psnr_db", psnr, "dB", 28)
	b.Row("embed.start_psnr_db", start, "dB")
	b.Row("embed.model_psnr_db", model, "dB")
	b.Row("embed.distance", distance, "σ")
	if classes > 0 {
		b.AtLeast("embed.miou_change", 100*(metrics.MeanIoU(counts)-metrics.MeanIoU(sampled)), "points", -3)
	}
	return last.compare(ctx, b, e)
}

// embeddingScript is the official formulation in PyTorch, seen from the top folder of
// the source.
const embeddingScript = "engine/inversion/testdata/official.py"

// embedded is a picture, where its embedding began, and how long 100 steps took.
type embedded struct {
	picture *image.RGBA
	start   latent.Code
	seconds float64
}

// compare holds the embedding against the official formulation on the same weights.
func (o embedded) compare(ctx context.Context, b *Bench, e *engine.Engine) error {
	reason := noReference()
	if _, err := os.Stat(embeddingScript); err != nil {
		reason = embeddingScript + " is not here"
	}
	if reason != "" {
		fmt.Fprintf(b.Env.Err, "The comparison with the official formulation is left out: %s.\n", reason)
		return nil
	}
	dir, err := os.MkdirTemp("", "latentbrush-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bundle, err := b.bundleOnDisk(dir)
	if err != nil {
		return err
	}
	size := o.picture.Rect.Size()
	rgb := make([]byte, 0, 3*size.X*size.Y)
	for i := 0; i < len(o.picture.Pix); i += 4 {
		rgb = append(rgb, o.picture.Pix[i:i+3]...)
	}
	problem := filepath.Join(dir, "problem.safetensors")
	if err := safetensors.WriteFile(problem, nil,
		safetensors.Float32("code", o.start.Data, o.start.Rows, o.start.Dim),
		safetensors.Uint8("picture", rgb, size.Y, size.X, 3)); err != nil {
		return err
	}
	run := func(steps int, more ...string) (latent.Code, float64, error) {
		args := append([]string{embeddingScript, bundle, problem, filepath.Join(dir, "answer"), "--steps", strconv.Itoa(steps)}, more...)
		if out, err := exec.CommandContext(ctx, officialPython, args...).CombinedOutput(); err != nil {
			return latent.Code{}, 0, fmt.Errorf("the reference failed: %w: %s", err, out)
		}
		f, err := safetensors.Open(os.DirFS(dir), "answer")
		if err != nil {
			return latent.Code{}, 0, err
		}
		defer f.Close()
		data, err := f.Float32s("code", o.start.Rows, o.start.Dim)
		if err != nil {
			return latent.Code{}, 0, err
		}
		seconds, err := f.Float32s("seconds", steps+1)
		if err != nil {
			return latent.Code{}, 0, err
		}
		code, err := latent.FromSlice(o.start.Rows, o.start.Dim, data)
		return code, float64(seconds[steps]) / float64(steps), err
	}
	step := o.seconds / 100
	code, same, err := run(100)
	if err != nil {
		return err
	}
	frame, err := e.Render(ctx, code, engine.RenderOptions{})
	if err != nil {
		return err
	}
	b.Row("embed.step_s", step, "s")
	b.Row("embed.reference_step_s", same, "s")
	b.Row("embed.reference_psnr_db", metrics.PSNR(o.picture, frame.Picture, nil), "dB")
	b.Row("embed.time_ratio_small", same/step, "×")
	_, vgg, err := run(vggSteps, "--vgg")
	if err != nil {
		return err
	}
	// The official formulation has VGG16 for its perceptual network.
	b.AtLeast("embed.time_ratio", vgg/step, "×", 5)
	return nil
}

func add(to, from []metrics.Overlap) {
	for k := range min(len(to), len(from)) {
		to[k].Intersection += from[k].Intersection
		to[k].Union += from[k].Union
	}
}

func measureEncoder(ctx context.Context, b *Bench, e *engine.Engine) error {
	i := e.Info()
	sum := 0.0
	best := math.Inf(1)
	for n := range encodedRenders {
		picture, _ := portrait.Render(portrait.FromNormal(dataset.Code(photoSeed+uint64(n), 0)), i.Width)
		begun := time.Now()
		code, err := e.Encode(ctx, picture)
		if err != nil {
			return err
		}
		best = min(best, float64(time.Since(begun).Microseconds())/1000)
		frame, err := e.Render(ctx, code, engine.RenderOptions{})
		if err != nil {
			return err
		}
		sum += metrics.PSNR(picture, frame.Picture, nil)
	}
	b.AtLeast("embed.encoder_psnr_db", sum/encodedRenders, "dB", 20)
	b.AtMost("embed.encoder_ms", best, "ms", 150)
	return nil
}

// measurePaste blends an edit of a fifth of a large box.
func measurePaste(b *Bench) error {
	shot := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	for i := range shot.Pix {
		shot.Pix[i] = uint8(i*7 + i>>9)
		if i%4 == 3 {
			shot.Pix[i] = 255
		}
	}
	box := photo.Crop{X: 2000, Y: 1500, Width: 2400, Angle: 0.05}
	before, err := box.Cut(shot, 256, 256)
	if err != nil {
		return err
	}
	after, region := image.NewRGBA(before.Rect), image.NewAlpha(before.Rect)
	for y := range 256 {
		for x := range 256 {
			c := before.RGBAAt(x, y)
			if math.Hypot(float64(x)-128, float64(y)-128) < 64 {
				region.SetAlpha(x, y, color.Alpha{255})
				c.R ^= 90
			}
			after.SetRGBA(x, y, c)
		}
	}
	took, err := b.Best(func() error {
		_, changed, err := photo.Paste(shot, box, before, after, region, photo.PasteOptions{})
		if err == nil && changed.Empty() {
			err = fmt.Errorf("nothing was pasted")
		}
		return err
	})
	if err != nil {
		return err
	}
	b.AtMost("paste.12mp_s", took.Seconds(), "s", 2)
	return nil
}
