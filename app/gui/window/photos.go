package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"path/filepath"

	"latentbrush/app/document"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
)

// Embedder is an Engine that finds the latents of photos.
type Embedder interface {
	Embed(ctx context.Context, r engine.EmbedRequest) iter.Seq2[engine.EmbedStep, error]
	HasEncoder() bool
	Encode(ctx context.Context, picture *image.RGBA) (latent.Code, error)
	EncoderError(ctx context.Context, picture *image.RGBA) (float64, error)
	Fit(ctx context.Context, s engine.EmbedStep) (engine.Fit, error)
}

// goodPSNR is the reconstruction's PSNR, in dB, that the meter shows as 100 %.
const goodPSNR = 35

// openPhoto reads a photo, asks for the box that is to be edited, and embeds what is in
// it while one watches.
func (w *Window) openPhoto(name string, data []byte) {
	em, ok := w.eng.(Embedder)
	if !ok {
		w.fail(errors.New(words.T("open.photo-never")))
		return
	}
	w.endJob()
	doc := w.doc
	w.setJobNote(words.T("photo.reading", name))
	go func() {
		p, err := photo.Decode(name, data, photo.Limits{})
		w.later(func() {
			if doc != w.doc {
				return
			}
			w.setJobNote("")
			if err != nil {
				w.fail(err)
				return
			}
			w.chooseCrop(em, name, p, photo.Crop{}, func(c photo.Crop) { w.embedCrop(em, name, data, p, c) })
		})
	}()
}

// cropAgain opens the dialog of the present photo's box once more.
func (w *Window) cropAgain() {
	em, ok := w.eng.(Embedder)
	if !ok || !w.hasPhoto() {
		return
	}
	w.endJob()
	src := w.doc.Scene().Source.Photo
	width, height := w.info.Width, w.info.Height
	w.setJobNote(words.T("photo.reading", src.Name))
	go func() {
		p, err := photo.Decode(src.Name, src.Data, photo.Limits{})
		w.later(func() {
			w.setJobNote("")
			if err != nil {
				w.fail(err)
				return
			}
			w.chooseCrop(em, src.Name, p, photo.AlignedCrop(src.Align, width, height), func(c photo.Crop) { w.embedCrop(em, src.Name, src.Data, p, c) })
		})
	}()
}

// embedCrop embeds what is in a box of a photo.
func (w *Window) embedCrop(em Embedder, name string, data []byte, p *photo.Photo, c photo.Crop) {
	width, height := w.info.Width, w.info.Height
	cut, err := c.Cut(p.Picture, width, height)
	if err != nil {
		w.fail(err)
		return
	}
	w.welcome.hide()
	src := document.Source{Kind: document.PhotoSource, Name: name, Photo: &document.Photo{Name: name, Data: data, Align: c.Align(width, height)}}
	w.embed(em, src, cut)
}

// embed runs the optimisation and opens its result.
func (w *Window) embed(em Embedder, src document.Source, cut *image.RGBA) {
	w.showPicture(cut)
	j := &job{run: &document.Run{Name: src.Name}}
	var last engine.EmbedStep
	j.take = func() { w.takeEmbedded(em, src, cut, last) }
	w.launch(j, func(ctx context.Context) jobSteps {
		return func(yield func(engine.Step, error) bool) {
			for s, err := range em.Embed(ctx, engine.EmbedRequest{Picture: cut}) {
				if err == nil {
					last = s
				}
				step := engine.Step{
					Index: s.Index, Total: s.Total, Loss: s.Loss, Agreement: min(1, max(0, s.PSNR/goodPSNR)), Leak: metrics.Leak{Mean: s.Difference},
					Elapsed: s.Elapsed, Remaining: s.Remaining, Code: s.Code, Picture: s.Picture, Final: s.Final, Best: s.Best, Reason: edit.Reason(s.Reason),
				}
				if !yield(step, err) {
					return
				}
			}
		}
	})
}

// takeEmbedded opens the picture that an embedding arrived at.
func (w *Window) takeEmbedded(em Embedder, src document.Source, cut *image.RGBA, s engine.EmbedStep) {
	src.Difference = s.Difference
	eng := w.eng
	go func() {
		f, err := eng.Render(w.ctx, s.Code, engine.RenderOptions{})
		var fit engine.Fit
		if err == nil {
			fit, err = em.Fit(w.ctx, s)
		}
		w.later(func() {
			if err != nil {
				w.fail(err)
				return
			}
			w.photos = darkroom{of: src.Photo, cut: cut, drawn: f.Picture, labels: f.Labels, now: f.Labels, fit: fit, known: true, keep: w.photos.keep}
			w.photos.difference = engine.DifferencePicture(cut, f.Picture)
			w.setPicture(src, f)
			w.before = cut
			if err := w.stage.SetBefore(cut); err != nil {
				w.log(err.Error())
			}
			w.journal()
			w.refreshPhoto()
			text, hue := words.T("photo.done", fmt.Sprintf("%.1f", s.PSNR), fmt.Sprintf("%.1f", s.Difference)), look.Good
			if fit.Outside() {
				text, hue = text+" "+words.T("photo.outside"), look.Warn
			}
			w.toasts.Show(text, hue, "", nil)
			w.trace("embedded %.2f %.2f %t", s.PSNR, s.Difference, fit.Outside())
		})
	}()
}

// hasPhoto reports whether the picture was embedded from a photo.
func (w *Window) hasPhoto() bool {
	return w.doc != nil && w.doc.Scene().Source.Kind == document.PhotoSource && w.doc.Scene().Source.Photo != nil
}

// changedRegion marks the pixels that differ by more than 6 levels, and those within
// 4 of them.
func changedRegion(a, b *image.RGBA) *image.Alpha {
	d := difference(a, b)
	m := image.NewAlpha(a.Rect)
	for i, v := range d.Pix {
		if v > 6*8 {
			m.Pix[i] = 255
		}
	}
	return edit.Dilate(m, 4)
}

// openData opens a picture's bytes as a photo.
func (w *Window) openData(path string, data []byte) {
	if w.eng == nil {
		w.fail(errors.New(words.T("no-model")))
		return
	}
	w.guard(func() { w.openPhoto(filepath.Base(path), data) })
}

// askPhoto asks for a photo to embed.
func (w *Window) askPhoto() {
	w.askFile(dialogs.Request{Kind: dialogs.Open, Title: words.T("action.latent.embed"), Filters: []dialogs.Filter{
		{Name: words.T("filter.pictures"), Exts: pictureExts},
	}}, w.openPath)
}
