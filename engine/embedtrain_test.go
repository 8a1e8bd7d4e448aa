package engine_test

import (
	"bytes"
	"context"
	"image"
	"testing"

	"latentbrush/engine"
	"latentbrush/engine/inversion"
	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
)

// An encoder that was trained on the model's own pictures goes into the bundle, and
// embedding begins at its answer, which is better than the mean.
func TestTrainEncoder(t *testing.T) {
	ctx := context.Background()
	contents := modeltest.Contents(modeltest.Spec{})
	m, err := contents.Open()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenModel(ctx, m, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var last engine.TrainEncoderStep
	first := 0.0
	for s, err := range e.TrainEncoder(ctx, engine.TrainEncoderRequest{Options: inversion.TrainOptions{Steps: 60, Batch: 8, Pictures: 1, Rate: 2e-3, Seed: 1}}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Step < 5 {
			first += s.Loss / 5
		}
		last = s
	}
	if len(last.Trainer.Curve) != 60 || last.Loss > 0.9*first {
		t.Errorf("%d steps, loss %v after %v", len(last.Trainer.Curve), last.Loss, first)
	}
	meta, tensors, err := last.Trainer.Encoder.Tensors(true)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, meta, tensors...); err != nil {
		t.Fatal(err)
	}
	contents.Files = map[string][]byte{model.EncoderFile + ".safetensors": b.Bytes()}
	if m, err = contents.Open(); err != nil {
		t.Fatal(err)
	}
	with, err := engine.OpenModel(ctx, m, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	if e.HasEncoder() || !with.HasEncoder() {
		t.Errorf("encoders: %v without, %v with", e.HasEncoder(), with.HasEncoder())
	}
	better := 0
	for seed := range uint64(5) {
		f, err := with.Render(ctx, with.Sample(1000+seed, 1), engine.RenderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		mean, _, _ := embed(t, e, engine.EmbedRequest{Picture: f.Picture, Settings: engine.EmbedSettings{Steps: 1}})
		start, _, _ := embed(t, with, engine.EmbedRequest{Picture: f.Picture, Settings: engine.EmbedSettings{Steps: 1}})
		if start.PSNR > mean.PSNR {
			better++
		}
	}
	// An even grey is easy to draw, but it is not what the model knows.
	grey := image.NewRGBA(image.Rect(0, 0, 32, 32))
	for i := range grey.Pix {
		grey.Pix[i] = 128
	}
	f, err := with.Render(ctx, with.Sample(7, 0.5), engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	even, err := with.EncoderError(ctx, grey)
	if err != nil {
		t.Fatal(err)
	}
	own, err := with.EncoderError(ctx, f.Picture)
	if err != nil {
		t.Fatal(err)
	}
	if own >= even || own <= 0 {
		t.Errorf("encoder's error is %v on its own picture, %v on an even grey", own, even)
	}
	if better < 4 {
		t.Errorf("the encoder is better than the mean on %d of 5 pictures", better)
	}
}
