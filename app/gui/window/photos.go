package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"path/filepath"
	"strings"

	"latentbrush/app/document"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/metrics"
	"latentbrush/vectors"
)

// Embedder is an Engine that finds the latents of photos.
type Embedder interface {
	Embed(ctx context.Context, r engine.EmbedRequest) iter.Seq2[engine.EmbedStep, error]
	HasEncoder() bool
	EncoderError(ctx context.Context, picture *image.RGBA) (float64, error)
	Fit(ctx context.Context, s engine.EmbedStep) (engine.Fit, error)
}

// goodPSNR is the reconstruction's PSNR, in dB, that the meter shows as 100 %.
const goodPSNR = 35

// openPhoto looks for the latent of a photo: the box that the model knows best is
// cut out of it and embedded while one watches.
func (w *Window) openPhoto(name string, data []byte) {
	em, ok := w.eng.(Embedder)
	if !ok {
		w.fail(errors.New(words.T("open.photo-never")))
		return
	}
	w.endJob()
	width, height := w.info.Width, w.info.Height
	doc := w.doc
	w.setJobNote(words.T("photo.looking", name))
	w.welcome.hide()
	go func() {
		p, err := photo.Decode(name, data, photo.Limits{})
		var crop photo.Crop
		var cut *image.RGBA
		if err == nil {
			crop = photo.Middle(p.Picture, width, height)
			if em.HasEncoder() {
				crop, _, err = photo.Propose(w.ctx, p.Picture, width, height, photo.Search{}, em.EncoderError)
			}
		}
		if err == nil {
			cut, err = crop.Cut(p.Picture, width, height)
		}
		w.later(func() {
			if doc != w.doc {
				return
			}
			w.setJobNote("")
			if err != nil {
				w.fail(err)
				return
			}
			for _, n := range p.Notes {
				w.log(name + ": " + n)
			}
			src := document.Source{Kind: document.PhotoSource, Name: name, Photo: &document.Photo{Name: name, Data: data, Align: crop.Align(width, height)}}
			w.embed(em, src, cut)
		})
	}()
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
			w.setPicture(src, f)
			w.before = cut
			if err := w.stage.SetBefore(cut); err != nil {
				w.log(err.Error())
			}
			w.journal()
			text, hue := words.T("photo.done", fmt.Sprintf("%.1f", s.PSNR), fmt.Sprintf("%.1f", s.Difference)), look.Good
			if fit.Outside() {
				text, hue = text+" "+words.T("photo.outside"), look.Warn
			}
			w.toasts.Show(text, hue, "", nil)
		})
	}()
}

// hasPhoto reports whether the picture was embedded from a photo.
func (w *Window) hasPhoto() bool {
	return w.doc != nil && w.doc.Scene().Source.Kind == document.PhotoSource && w.doc.Scene().Source.Photo != nil
}

// exportPhoto puts the edits back into the photo at full size.
func (w *Window) exportPhoto() {
	src := w.doc.Scene().Source
	ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(src.Photo.Name)), ".")
	if ext == "" {
		ext = "png"
	}
	base := strings.TrimSuffix(src.Photo.Name, filepath.Ext(src.Photo.Name))
	first, last, eng := w.firstCode(), w.doc.Code(), w.eng
	w.askFile(dialogs.Request{
		Kind: dialogs.Save, Title: words.T("export.photo"), Name: base + "-edited." + ext,
		Filters: []dialogs.Filter{{Name: words.T("filter.pictures"), Exts: []string{ext}}},
	}, func(path string) {
		w.setJobNote(words.T("photo.pasting"))
		go func() {
			err := func() error {
				p, err := photo.Decode(src.Photo.Name, src.Photo.Data, photo.Limits{})
				if err != nil {
					return err
				}
				before, err := eng.Render(w.ctx, first, engine.RenderOptions{})
				if err != nil {
					return err
				}
				after, err := eng.Render(w.ctx, last, engine.RenderOptions{})
				if err != nil {
					return err
				}
				region := changedRegion(before.Picture, after.Picture)
				size := before.Picture.Rect.Size()
				out, _, err := photo.Paste(p.Picture, photo.AlignedCrop(src.Photo.Align, size.X, size.Y), before.Picture, after.Picture, region, photo.PasteOptions{})
				if err != nil {
					return err
				}
				return vectors.WriteAtomic(path, func(o io.Writer) error { return p.Encode(o, out) })
			}()
			w.later(func() {
				w.setJobNote("")
				if err != nil {
					w.fail(err)
					return
				}
				w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
			})
		}()
	})
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
