package cli

import (
	"context"
	"fmt"
	"image"
	"math"

	"latentbrush/assets/portrait"
	"latentbrush/assets/portrait/dataset"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
)

// style draws a portrait in a manner that no training set has: what paintings are to a
// model of photographs.
type style struct {
	name string
	draw func(picture *image.RGBA, labels *image.Paletted) *image.RGBA
}

var styles = []style{{"flat", flatShading}, {"painted", painted}, {"sketch", sketch}}

// flatShading gives every part its mean colour.
func flatShading(picture *image.RGBA, labels *image.Paletted) *image.RGBA {
	var sum [256][4]int
	w, h := picture.Rect.Dx(), picture.Rect.Dy()
	for y := range h {
		for x := range w {
			s := &sum[labels.Pix[y*labels.Stride+x]]
			s[3]++
			for c := range 3 {
				s[c] += int(picture.Pix[y*picture.Stride+4*x+c])
			}
		}
	}
	out := image.NewRGBA(picture.Rect)
	for y := range h {
		for x := range w {
			s := sum[labels.Pix[y*labels.Stride+x]]
			to := out.Pix[y*out.Stride+4*x:]
			for c := range 3 {
				to[c] = uint8(s[c] / s[3])
			}
			to[3] = 255
		}
	}
	return out
}

// painted is the filter of Kuwahara: the mean of that of four squares beside a pixel
// that varies least, which looks like strokes of a brush.
func painted(picture *image.RGBA, _ *image.Paletted) *image.RGBA {
	w, h := picture.Rect.Dx(), picture.Rect.Dy()
	r := max(2, w/64)
	out := image.NewRGBA(picture.Rect)
	for y := range h {
		for x := range w {
			least := math.Inf(1)
			var best [3]float64
			for _, q := range [4][2]int{{-r, -r}, {0, -r}, {-r, 0}, {0, 0}} {
				var sum, square [3]float64
				n := 0.0
				for j := max(0, y+q[1]); j <= min(h-1, y+q[1]+r); j++ {
					for i := max(0, x+q[0]); i <= min(w-1, x+q[0]+r); i++ {
						n++
						for c := range 3 {
							v := float64(picture.Pix[j*picture.Stride+4*i+c])
							sum[c] += v
							square[c] += v * v
						}
					}
				}
				variance := 0.0
				for c := range 3 {
					sum[c] /= n
					variance += square[c]/n - sum[c]*sum[c]
				}
				if variance < least {
					least, best = variance, sum
				}
			}
			to := out.Pix[y*out.Stride+4*x:]
			for c := range 3 {
				// Fewer colours, as on a palette.
				to[c] = uint8(min(255, math.Round(best[c]/24)*24))
			}
			to[3] = 255
		}
	}
	return out
}

// sketch is a grey wash on paper with a dark line where the brightness or the part
// changes.
func sketch(picture *image.RGBA, labels *image.Paletted) *image.RGBA {
	w, h := picture.Rect.Dx(), picture.Rect.Dy()
	grey := func(x, y int) float64 {
		p := picture.Pix[min(y, h-1)*picture.Stride+4*min(x, w-1):]
		return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
	}
	out := image.NewRGBA(picture.Rect)
	for y := range h {
		for x := range w {
			v := 110 + 0.55*grey(x, y)
			v -= 3 * math.Hypot(grey(x+1, y)-grey(x, y), grey(x, y+1)-grey(x, y))
			k := labels.Pix[y*labels.Stride+x]
			if k != labels.Pix[y*labels.Stride+min(x+1, w-1)] || k != labels.Pix[min(y+1, h-1)*labels.Stride+x] {
				v = min(v, 50)
			}
			v = min(max(v, 25), 250)
			to := out.Pix[y*out.Stride+4*x:]
			to[0], to[1], to[2], to[3] = uint8(v), uint8(0.97*v), uint8(0.9*v), 255
		}
	}
	return out
}

// smileVector is the change of w when the smile's coordinate rises, averaged over
// faces: a vector of the model's own domain.
func smileVector(e *engine.Engine) (latent.Code, error) {
	const faces = 16
	at := -1
	for k, p := range portrait.Parameters {
		if p.Name == "smile" {
			at = k
		}
	}
	if at < 0 {
		return latent.Code{}, fmt.Errorf("styles: there is no parameter smile")
	}
	sum := latent.New(e.Info().Rows, e.Info().Dim)
	for n := range faces {
		z := dataset.Code(photoSeed, 1000+n)
		for sign, value := range map[float32]float32{1: 1.6, -1: -0.8} {
			z[at] = value
			code, err := e.Map(z)
			if err != nil {
				return latent.Code{}, err
			}
			sum = sum.AddScaled(sign/faces, code)
		}
	}
	return sum, nil
}

// styled is one row of the demonstration.
type styled struct {
	name                                     string
	photo, embedded, vector, refined, result *image.RGBA
	psnr, distance, leak, refinedLeak        float64
	// bare and kept are how far the refined picture lies from the photo outside the region,
	// in 8-bit levels, without the embedding's leftover and with it.
	bare, kept float64
	outside    bool
}

// embedStyle follows the protocol of the seed's MetFaces experiment: embedding steps,
// a vector of the model's own domain, refinement steps, and the embedding's leftover
// added back outside the region.
func embedStyle(ctx context.Context, e *engine.Engine, s style, seed uint64, steps, refine int) (styled, error) {
	r := styled{name: s.name}
	picture, labels := portrait.Render(portrait.FromNormal(dataset.Code(seed, 0)), e.Info().Width)
	r.photo = s.draw(picture, labels)
	var final engine.EmbedStep
	for step, err := range e.Embed(ctx, engine.EmbedRequest{Picture: r.photo, Settings: engine.EmbedSettings{Steps: steps}}) {
		if err != nil {
			return r, err
		}
		final = step
	}
	fit, err := e.Fit(ctx, final)
	if err != nil {
		return r, err
	}
	r.embedded, r.psnr, r.distance, r.outside = final.Picture, fit.PSNR, fit.Distance, fit.Outside()
	v, err := smileVector(e)
	if err != nil {
		return r, err
	}
	with := final.Code.Add(v)
	before, err := e.Render(ctx, final.Code, engine.RenderOptions{})
	if err != nil {
		return r, err
	}
	after, err := e.Render(ctx, with, engine.RenderOptions{})
	if err != nil {
		return r, err
	}
	r.vector = after.Picture
	region := image.NewAlpha(r.photo.Rect)
	w, h := r.photo.Rect.Dx(), r.photo.Rect.Dy()
	mark := func(a, b *image.Paletted) {
		margin := max(1, w/48)
		for y := range h {
			for x := range w {
				if a.Pix[y*a.Stride+x] == b.Pix[y*b.Stride+x] {
					continue
				}
				for j := max(0, y-margin); j <= min(h-1, y+margin); j++ {
					for i := max(0, x-margin); i <= min(w-1, x+margin); i++ {
						region.Pix[j*region.Stride+i] = 255
					}
				}
			}
		}
	}
	mark(before.Labels, after.Labels)
	r.leak = metrics.LeakOutside(before.Picture, after.Picture, region).Mean
	var last engine.Step
	for step, err := range e.Refine(ctx, engine.RefineRequest{Without: final.Code, With: with, Steps: refine}) {
		if err != nil {
			return r, err
		}
		last = step
	}
	r.refined = last.Picture
	r.refinedLeak = metrics.LeakOutside(before.Picture, last.Picture, region).Mean
	if r.result, err = engine.KeepLeftover(r.photo, r.embedded, last.Picture, region, max(1, w/64)); err != nil {
		return r, err
	}
	r.bare = metrics.LeakOutside(r.photo, last.Picture, region).Mean
	r.kept = metrics.LeakOutside(r.photo, r.result, region).Mean
	return r, nil
}

// measureStyles embeds portraits in manners that the model has never seen.
func measureStyles(ctx context.Context, b *Bench) error {
	e, err := openEngine(ctx, b.Env)
	if err != nil {
		return err
	}
	defer e.Close()
	i := e.Info()
	if i.Manifest.ZDim != dataset.Dim || i.Width != i.Height || len(i.Manifest.Classes) == 0 {
		return nil // not a model of these portraits
	}
	for k, s := range styles {
		r, err := embedStyle(ctx, e, s, photoSeed+uint64(k), 100, 30)
		if err != nil {
			return err
		}
		b.Row("styles."+s.name+".psnr_db", r.psnr, "dB")
		b.Row("styles."+s.name+".distance", r.distance, "σ")
		b.Row("styles."+s.name+".leak_vector", r.leak, "levels")
		b.Row("styles."+s.name+".leak_refined", r.refinedLeak, "levels")
		b.Row("styles."+s.name+".from_photo", r.bare, "levels")
		b.Row("styles."+s.name+".from_photo_leftover", r.kept, "levels")
	}
	return nil
}
