package document

import (
	"context"
	"fmt"
	"image"

	"latentbrush/engine/latent"
)

// Renderer turns a code into its picture and labels. The engine is one; tests have another.
type Renderer interface {
	Render(ctx context.Context, code latent.Code) (*image.RGBA, *image.Paletted, error)
}

// Refresh renders the present code, brings the base labels and the node's thumbnail up to date, and returns the
// picture. It waits for the renderer: for commands without a window, and for saving.
func (d *Document) Refresh(ctx context.Context, r Renderer) (*image.RGBA, error) {
	if !d.HasPicture() {
		return nil, ErrNoPicture
	}
	code := d.Code()
	picture, labels, err := r.Render(ctx, code)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	if labels != nil {
		if err := d.SyncLabels(code, labels); err != nil {
			return nil, err
		}
	}
	return picture, d.SetThumb(picture)
}
