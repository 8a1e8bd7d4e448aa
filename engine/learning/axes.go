package learning

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"latentbrush/engine/directions"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
)

// PrincipalAxes are the n directions of W along which the model's latents vary most, each
// one standard deviation long: directions without labels, to look through and keep.
func PrincipalAxes(ctx context.Context, m Model, n int) ([]latent.Code, error) {
	p, err := m.Prior(ctx)
	if err != nil {
		return nil, err
	}
	var out []latent.Code
	for _, axis := range p.Axes[:min(max(0, n), len(p.Axes))] {
		out = append(out, latent.Broadcast(axis, m.Info().Rows))
	}
	return out, nil
}

// StyleAxes are the n directions of W to which the styles of the bundle's generator
// react most (Shen and Zhou, "SeFa", CVPR 2021), each as long as the prior's standard
// deviation along it.
func StyleAxes(b *model.Model, p *edit.Prior, n int) ([]latent.Code, error) {
	f := b.Generator()
	var rows [][]float32
	names := f.Names()
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasSuffix(name, "affine.weight") {
			continue
		}
		info, _ := f.Info(name)
		if len(info.Shape) != 2 || info.Shape[1] != b.Manifest.WDim {
			return nil, fmt.Errorf("learning: %s is %v, want [styles, %d]", name, info.Shape, b.Manifest.WDim)
		}
		w, err := f.Float32s(name, info.Shape...)
		if err != nil {
			return nil, err
		}
		for r := range info.Shape[0] {
			rows = append(rows, w[r*info.Shape[1]:(r+1)*info.Shape[1]])
		}
	}
	axes, err := directions.Factorise(rows, n)
	if err != nil {
		return nil, fmt.Errorf("learning: %w", err)
	}
	var out []latent.Code
	for _, a := range axes {
		variance := 0.0
		for _, axis := range p.Axes {
			s := 0.0
			for k, v := range axis {
				s += float64(v) * a.Direction[k]
			}
			variance += s * s
		}
		w := make([]float32, len(a.Direction))
		for k, v := range a.Direction {
			w[k] = float32(v * math.Sqrt(variance))
		}
		out = append(out, latent.Broadcast(w, b.Manifest.Rows))
	}
	return out, nil
}
