package cli

import (
	"context"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"

	"latentbrush/assets"
	"latentbrush/assets/portrait"
	"latentbrush/assets/portrait/dataset"
	"latentbrush/engine"
	"latentbrush/engine/model"
	"latentbrush/engine/ort"
)

var held = flag.String("held", "", "folder for held-out portraits and portraits in each style, from which the limits of the model's range come")

// With -held it writes the pictures that the limits in an encoder's file are measured on:
// "latentbrush embed -crop middle" of its folders tells how close each comes.
func TestHeldOutPortraits(t *testing.T) {
	if *held == "" {
		t.Skip("it writes pictures to measure a model's range on: -held names their folder")
	}
	bundle, err := assets.DefaultModel()
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	side := m.Manifest.Resolution
	m.Close()
	plain := func(picture *image.RGBA, _ *image.Paletted) *image.RGBA { return picture }
	for _, s := range append([]style{{"portraits", plain}}, styles...) {
		dir := filepath.Join(*held, s.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		n := 30
		if s.name == "portraits" {
			n = 80
		}
		for k := range n {
			picture, labels := portrait.Render(portrait.FromNormal(dataset.Code(photoSeed+uint64(k), 0)), side)
			if err := writePNG(filepath.Join(dir, fmt.Sprintf("%02d.png", k)), s.draw(picture, labels)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var sheet = flag.String("sheet", "", "file for the picture sheet of embedded styles, made with the default model")

// The styles are far from the pictures that the model knows, and each from the others.
func TestStyles(t *testing.T) {
	picture, labels := portrait.Render(portrait.FromNormal(dataset.Code(photoSeed, 0)), 64)
	drawn := []*image.RGBA{picture}
	for _, s := range styles {
		drawn = append(drawn, s.draw(picture, labels))
	}
	for i, a := range drawn {
		for j, b := range drawn[:i] {
			different := 0
			for k := range a.Pix {
				if d := int(a.Pix[k]) - int(b.Pix[k]); d > 6 || d < -6 {
					different++
				}
			}
			if share := float64(different) / float64(len(a.Pix)); share < 0.15 {
				t.Errorf("styles %d and %d differ in %.2f of their values", i, j, share)
			}
		}
		for k := 3; k < len(a.Pix); k += 4 {
			if a.Pix[k] != 255 {
				t.Fatalf("style %d is not opaque", i)
			}
		}
	}
}

// With -sheet it makes the sheet of docs/performance.md: one row a style; the picture, its
// embedding, with a smile's vector, refined, and with the leftover added back.
func TestStyleSheet(t *testing.T) {
	if *sheet == "" {
		t.Skip("it makes a picture for the documentation: -sheet names its file")
	}
	bundle, err := assets.DefaultModel()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	e, err := engine.Open(ctx, bundle, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const side = 160
	out := image.NewRGBA(image.Rect(0, 0, 5*side, len(styles)*side))
	for k, s := range styles {
		r, err := embedStyle(ctx, e, s, photoSeed+uint64(k), 100, 30)
		if err != nil {
			t.Fatal(err)
		}
		for i, img := range []*image.RGBA{r.photo, r.embedded, r.vector, r.refined, r.result} {
			draw.CatmullRom.Scale(out, image.Rect(i*side, k*side, (i+1)*side, (k+1)*side), img, img.Rect, draw.Src, nil)
		}
		t.Logf("%s: %.1f dB, distance %.2f, leak %.2f, refined %.2f; from the photo %.2f, with the leftover %.2f", s.name, r.psnr, r.distance, r.leak, r.refinedLeak, r.bare, r.kept)
	}
	if err := writePNG(*sheet, out); err != nil {
		t.Fatal(err)
	}
}
