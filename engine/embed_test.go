package engine_test

import (
	"context"
	"errors"
	"image"
	"math"
	"strings"
	"testing"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/modeltest"
)

// own is the picture of a sample, and the engine.
func own(t *testing.T, seed uint64) (*engine.Engine, latent.Code, *image.RGBA) {
	t.Helper()
	e := open(t, modeltest.Spec{})
	code := e.Sample(seed, 0.7)
	f, err := e.Render(context.Background(), code, engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return e, code, f.Picture
}

func embed(t *testing.T, e *engine.Engine, r engine.EmbedRequest) (first, final engine.EmbedStep, steps []engine.EmbedStep) {
	t.Helper()
	for s, err := range e.Embed(context.Background(), r) {
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	return steps[0], steps[len(steps)-1], steps
}

// A picture that the model made is found again from the mean, and the result is the
// best step.
func TestEmbedFindsItsOwn(t *testing.T) {
	e, _, picture := own(t, 3)
	for name, s := range map[string]engine.EmbedSettings{
		"whitened": {Steps: 80, Prior: -1, Flat: -1, Rate: 0.15},
		"free":     {Steps: 80, Prior: -1, Flat: -1, Rate: 0.1, Free: true},
	} {
		first, final, steps := embed(t, e, engine.EmbedRequest{Picture: picture, Settings: s})
		if final.PSNR < first.PSNR+8 || final.PSNR < 26 {
			t.Errorf("%s: %.1f dB after %.1f at the start, want 8 dB more and at least 26", name, final.PSNR, first.PSNR)
		}
		if len(steps) != 82 || !final.Final || final.Picture == nil || final.Reason == "" {
			t.Errorf("%s: %d steps, final %v", name, len(steps), final.Final)
		}
		best := steps[final.Best]
		if best.Code.Distance(final.Code) != 0 || best.Loss != final.Loss {
			t.Errorf("%s: the result is not step %d", name, final.Best)
		}
		f, err := e.Render(context.Background(), final.Code, engine.RenderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		worst := 0
		for i, v := range f.Picture.Pix {
			worst = max(worst, int(math.Abs(float64(v)-float64(final.Picture.Pix[i]))))
		}
		if worst > 1 {
			t.Errorf("%s: the result's picture is %d levels off that of its code", name, worst)
		}
		fit, err := e.Fit(context.Background(), final)
		if err != nil {
			t.Fatal(err)
		}
		if name == "whitened" && fit.Outside() {
			t.Errorf("the model's own picture is %v: %.1f dB, distance %.2f", fit, fit.PSNR, fit.Distance)
		}
	}
}

// A chequerboard is nothing that a random model draws.
func TestEmbedSaysOutside(t *testing.T) {
	e, _, picture := own(t, 3)
	strange := image.NewRGBA(picture.Rect)
	for i := range strange.Pix {
		strange.Pix[i] = uint8(255 * ((i/4%32/3 + i/128/3) % 2))
		if i%4 == 3 {
			strange.Pix[i] = 255
		}
	}
	_, final, _ := embed(t, e, engine.EmbedRequest{Picture: strange, Settings: engine.EmbedSettings{Steps: 12}})
	fit, err := e.Fit(context.Background(), final)
	if err != nil {
		t.Fatal(err)
	}
	if !fit.Outside() || !strings.Contains(fit.String(), "outside") {
		t.Errorf("a chequerboard is %v: %.1f dB", fit, fit.PSNR)
	}
}

func TestEmbedEndsEarlyAndCancels(t *testing.T) {
	e, code, picture := own(t, 4)
	_, final, steps := embed(t, e, engine.EmbedRequest{Picture: picture, Start: code, Settings: engine.EmbedSettings{PSNR: 40}})
	if len(steps) != 2 || final.PSNR < 40 {
		t.Errorf("from the answer itself: %d steps, %.1f dB", len(steps), final.PSNR)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var last error
	for _, err := range e.Embed(ctx, engine.EmbedRequest{Picture: picture, Settings: engine.EmbedSettings{Steps: 50}}) {
		if n++; n == 3 {
			cancel()
		}
		last = err
	}
	if n != 4 || !errors.Is(last, context.Canceled) {
		t.Errorf("cancelled at step 3: %d steps, error %v", n, last)
	}
	// The job token is free again after a loop that was left.
	for range e.Embed(context.Background(), engine.EmbedRequest{Picture: picture, Settings: engine.EmbedSettings{Steps: 5}}) {
		break
	}
	embed(t, e, engine.EmbedRequest{Picture: picture, Start: code, Settings: engine.EmbedSettings{Steps: 1}})
}

func TestEmbedRefuses(t *testing.T) {
	e, _, picture := own(t, 5)
	for name, r := range map[string]engine.EmbedRequest{
		"missing": {},
		"size":    {Picture: image.NewRGBA(image.Rect(0, 0, 8, 8))},
		"start":   {Picture: picture, Start: latent.New(2, 3)},
	} {
		for _, err := range e.Embed(context.Background(), r) {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
	if _, err := e.Encode(context.Background(), picture); !errors.Is(err, engine.ErrNoEncoder) {
		t.Errorf("encoding without an encoder gave %v", err)
	}
}

func TestKeepLeftover(t *testing.T) {
	_, _, picture := own(t, 6)
	photo, edited := image.NewRGBA(picture.Rect), image.NewRGBA(picture.Rect)
	region := image.NewAlpha(picture.Rect)
	for i := range photo.Pix {
		photo.Pix[i] = uint8(i * 7)
		edited.Pix[i] = picture.Pix[i]
		if i%4 == 3 {
			photo.Pix[i] = 255
		}
	}
	for y := 8; y < 20; y++ {
		for x := 8; x < 20; x++ {
			region.Pix[y*region.Stride+x] = 255
			edited.Pix[y*edited.Stride+4*x] ^= 64
		}
	}
	out, err := engine.KeepLeftover(photo, picture, edited, region, 2)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 32 {
		for x := range 32 {
			got, want := out.RGBAAt(x, y), photo.RGBAAt(x, y)
			if x >= 10 && x < 18 && y >= 10 && y < 18 {
				want = edited.RGBAAt(x, y)
			} else if x >= 8 && x < 20 && y >= 8 && y < 20 {
				continue // the seam
			}
			if got != want {
				t.Fatalf("pixel (%d, %d) is %v, want %v", x, y, got, want)
			}
		}
	}
}
