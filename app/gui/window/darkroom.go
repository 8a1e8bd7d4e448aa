package window

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/inversion"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// darkroom is what the window knows of the photo that the picture was embedded from.
type darkroom struct {
	of         *document.Photo
	cut, drawn *image.RGBA     // the photo in its box, and the model's picture of it
	difference *image.RGBA     // where the two differ
	labels     *image.Paletted // of drawn
	now        *image.Paletted // of the picture that is shown, nil while they are not known
	fit        engine.Fit
	known      bool // fit was measured
	loading    bool
	showing    bool // the difference is shown in place of the picture
	keep       bool // what the model could not say of the photo is not added back
}

// The region of an edit, for what is added back outside it.
const leftoverFeather = 4

// photoBar is the strip below the panes that says how well the model knows the photo, and
// what can be done with it.
type photoBar struct {
	name, error *control.Caption
	range_      *control.Button
	difference  *control.Button
	leftover    *control.Button
	object      fyne.CanvasObject
}

func newPhotoBar(w *Window) *photoBar {
	b := &photoBar{}
	run := func(id string) func() { return func() { w.table.Run(id) } }
	b.name = control.NewCaption("", look.Text, look.TextBody, true)
	b.name.Least = 40
	b.error = soft("")
	b.error.Least = 60
	b.range_ = control.NewButton(control.Pill, "", "", nil)
	b.difference = control.NewButton(control.Flat, "leak", words.T("photo.difference-button"), run("photo.difference"))
	b.difference.Name = words.T("photo.difference-tip")
	b.leftover = control.NewButton(control.Flat, "image", words.T("photo.leftover"), run("photo.leftover"))
	b.leftover.Name = words.T("photo.leftover-tip")
	crop := control.NewButton(control.Filled, "fit", words.T("photo.crop"), run("photo.crop"))
	crop.Name = words.T("action.photo.crop")
	paste := control.NewButton(control.Filled, "export", words.T("photo.paste"), run("photo.paste"))
	paste.Name = words.T("action.photo.paste")
	b.object = control.NewPanel(look.Surface, "top", container.New(layout.NewCustomPaddedLayout(3, 3, 0, 0),
		row(8, 10, b.name, b.error, b.range_, layout.NewSpacer(), b.difference, b.leftover, crop, paste)))
	b.object.Hide()
	return b
}

// showPhoto brings the photo's bar up to date, and reads the photo again when the
// document came from a file.
func (w *Window) showPhoto() {
	b := w.photoBar
	if b == nil {
		return
	}
	if !w.hasPhoto() {
		w.photos.showing = false
		if b.object.Visible() {
			b.object.Hide()
			w.root.Refresh()
		}
		return
	}
	p, src := &w.photos, w.doc.Scene().Source
	if p.of != src.Photo {
		*p = darkroom{of: src.Photo, keep: p.keep}
	}
	if p.cut == nil && !p.loading {
		w.loadPhoto(src)
	}
	b.name.Set(src.Name)
	text := ""
	if p.known {
		text = words.T("photo.error", fmt.Sprintf("%.1f", p.fit.PSNR), fmt.Sprintf("%.1f", p.fit.Difference))
	}
	b.error.Set(text)
	b.range_.Hidden = !p.known
	if p.known {
		fit := "within"
		switch {
		case p.fit.Unlike() && p.fit.Far():
			fit = "both"
		case p.fit.Unlike():
			fit = "unlike"
		case p.fit.Far():
			fit = "far"
		}
		b.range_.Text, b.range_.Swatch = words.T("photo.within"), look.C(look.Good)
		if p.fit.Outside() {
			b.range_.Text, b.range_.Swatch = words.T("photo.outside-short"), look.C(look.Warn)
		}
		b.range_.Name = words.T("photo.fit-"+fit, fmt.Sprintf("%.1f", p.fit.Limits.PSNR))
	}
	b.difference.Active, b.leftover.Active = p.showing, !p.keep
	for _, x := range []*control.Button{b.range_, b.difference, b.leftover} {
		x.Refresh()
	}
	if !b.object.Visible() {
		b.object.Show()
		w.root.Refresh()
	}
	b.object.Refresh()
}

// loadPhoto makes the pictures of a photo that came with a project.
func (w *Window) loadPhoto(src document.Source) {
	em, ok := w.eng.(Embedder)
	if !ok {
		return
	}
	w.photos.loading = true
	code, eng := w.firstCode(), w.eng
	width, height := w.info.Width, w.info.Height
	go func() {
		var cut *image.RGBA
		var f engine.Frame
		var fit engine.Fit
		p, err := photo.Decode(src.Photo.Name, src.Photo.Data, photo.Limits{})
		if err == nil {
			cut, err = photo.AlignedCrop(src.Photo.Align, width, height).Cut(p.Picture, width, height)
		}
		if err == nil {
			f, err = eng.Render(w.ctx, code, engine.RenderOptions{})
		}
		if err == nil {
			fit, err = em.Fit(w.ctx, engine.EmbedStep{Code: code, PSNR: psnr(cut, f.Picture), Difference: inversion.MeanDifference(cut, f.Picture)})
		}
		w.later(func() {
			if w.photos.of != src.Photo {
				return
			}
			w.photos.loading = false
			if err != nil {
				w.fail(err)
				return
			}
			q := &w.photos
			q.cut, q.drawn, q.labels, q.fit, q.known = cut, f.Picture, f.Labels, fit, true
			q.difference = engine.DifferencePicture(cut, f.Picture)
			w.before = cut
			if err := w.stage.SetBefore(cut); err != nil {
				w.log(err.Error())
			}
			w.showPhoto()
			w.wantCode(w.doc.Code())
		})
	}()
}

// psnr of two pictures of one size in dB.
func psnr(a, b *image.RGBA) float64 {
	sum, n := 0.0, 0
	for i := 0; i+3 < len(a.Pix) && i+3 < len(b.Pix); i += 4 {
		for c := i; c < i+3; c++ {
			d := float64(a.Pix[c]) - float64(b.Pix[c])
			sum += d * d
		}
		n += 3
	}
	return 10 * math.Log10(255*255/max(1e-9, sum/float64(max(1, n))))
}

// developed is a picture of the model as the window shows it: with what the model could
// not say of the photo added back outside what was edited.
func (w *Window) developed(m *image.RGBA) *image.RGBA {
	p := &w.photos
	if p.keep || p.cut == nil || p.drawn == nil || !w.hasPhoto() || w.doc.Scene().Source.Photo != p.of || m.Rect != p.drawn.Rect {
		return m
	}
	out, err := engine.KeepLeftover(p.cut, p.drawn, m, editedRegion(p.drawn, m, p.labels, p.now, w.editedClasses()), leftoverFeather)
	if err != nil {
		w.log(err.Error())
		return m
	}
	return out
}

// editedClasses are the classes that the edits of the stack may change; nil when that is
// not known, as while an optimisation runs or after one was taken into the picture.
func (w *Window) editedClasses() []uint8 {
	sc := w.doc.Scene()
	if w.job != nil {
		return nil
	}
	for _, c := range sc.Choices {
		if c.Edit == 0 {
			return nil
		}
	}
	var out []uint8
	for _, e := range sc.Stack {
		if !e.On || e.Strength == 0 {
			continue
		}
		if len(e.Classes) == 0 {
			return nil
		}
		out = append(out, e.Classes...)
	}
	return out
}

// editedRegion is what an edit changed: the pixels that differ, and of those, where it is known
// which classes it is about, only what has one of them before or after.
func editedRegion(before, after *image.RGBA, a, b *image.Paletted, classes []uint8) *image.Alpha {
	changed := changedRegion(before, after)
	if len(classes) == 0 || a == nil || b == nil || a.Rect != b.Rect || a.Rect != changed.Rect {
		return changed
	}
	parts, err := edit.ClassRegion(a, b, classes, -1)
	if err != nil {
		return changed
	}
	for i, v := range parts.Pix {
		if v == 0 {
			changed.Pix[i] = 0
		}
	}
	return changed
}

// seen is what the picture's pane shows: the picture, or where it differs from the photo.
func (w *Window) seen(m *image.RGBA) *image.RGBA {
	if w.photos.showing && w.photos.difference != nil && w.hasPhoto() && w.photos.difference.Rect == m.Rect {
		return w.photos.difference
	}
	return m
}

func (w *Window) toggleDifference() {
	w.photos.showing = !w.photos.showing
	w.refreshPhoto()
}

func (w *Window) toggleLeftover() {
	w.photos.keep = !w.photos.keep
	w.refreshPhoto()
}

func (w *Window) refreshPhoto() {
	w.showPhoto()
	w.wantCode(w.doc.Code())
}

// pasteFormats are what an edited photo can be written as.
var pasteFormats = []photo.Format{photo.JPEG, photo.PNG, photo.TIFF, photo.BMP}

// exportPhoto asks how the edits go back into the photo at full size, shows what it
// will look like, and writes it.
func (w *Window) exportPhoto() {
	if !w.hasPhoto() {
		return
	}
	w.endJob()
	src := w.doc.Scene().Source
	own := photo.DetectFormat(src.Photo.Data)
	format := own
	if format == photo.WebP {
		format = photo.PNG
	}
	var o photo.PasteOptions
	note := widget.NewLabel("")
	note.Wrapping = fyne.TextWrapWord
	note.Importance = widget.LowImportance
	frame := control.NewFramed(360, words.T("paste.working"))
	w.shelf.opened.paste = frame
	var job *pasteJob
	chosen := false // the format, by hand
	var formats, modes []*control.Button
	tell := func() {
		for i, b := range formats {
			b.Active = pasteFormats[i] == format
			b.Refresh()
		}
		for i, b := range modes {
			b.Active = (i == 1) == o.Replace
			b.Refresh()
		}
		key := "paste.exact"
		switch {
		case format == photo.JPEG && (own != photo.JPEG || job != nil && job.photo.Preserves(format) == photo.Recompressed):
			key = "paste.recompressed"
		case format == photo.JPEG:
			key = "paste.blocks"
		case job != nil && job.photo.Preserves(format) == photo.Flattened:
			key = "paste.flattened"
		}
		text := words.T(key)
		if own == photo.WebP {
			text += " " + words.T("paste.webp")
		}
		note.SetText(text)
	}
	preview := func() {
		if job == nil {
			return
		}
		frame.SetText(words.T("paste.working"), look.TextSoft)
		j, opts := job, o
		j.previews.do(func() {
			out, box, err := j.paste(opts)
			var small *image.RGBA
			if err == nil {
				small = squared(out)
			}
			w.later(func() {
				switch {
				case err != nil:
					frame.SetText(sentence(err), look.Bad)
				case box.Empty():
					frame.SetPicture(small)
					frame.SetText(words.T("paste.nothing"), look.Warn)
				default:
					frame.SetPicture(small)
					frame.SetText(words.T("paste.size", out.Rect.Dx(), out.Rect.Dy(), box.Dx(), box.Dy()), look.TextSoft)
				}
			})
		})
	}
	for _, f := range pasteFormats {
		formats = append(formats, control.NewButton(control.Flat, "", strings.ToUpper(string(f)), func() { format, chosen = f, true; tell() }))
	}
	for i, k := range []string{"paste.change", "paste.replace"} {
		b := control.NewButton(control.Flat, "", words.T(k), func() { o.Replace = i == 1; tell(); preview() })
		b.Name = words.T(k + "-tip")
		modes = append(modes, b)
	}
	objects := func(bs []*control.Button) []fyne.CanvasObject {
		var out []fyne.CanvasObject
		for _, b := range bs {
			out = append(out, b)
		}
		return out
	}
	grid := container.New(layout.NewFormLayout(),
		soft(words.T("paste.blend")), row(4, 0, objects(modes)...),
		soft(words.T("paste.format")), row(4, 0, objects(formats)...))
	var sheet *control.Sheet
	save := func() {
		if job == nil {
			return
		}
		sheet.Close()
		w.savePasted(src, job, o, format)
	}
	sheet = control.NewSheet(w.canvas(), words.T("export.photo"), container.NewBorder(nil, container.NewVBox(grid, note), nil, nil, frame), fyne.NewSize(520, 300), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }),
		control.NewButton(control.Primary, "export", words.T("export.go"), save))
	sheet.OnReturn = save
	tell()
	sheet.Show()
	first, last, classes, eng := w.firstCode(), w.doc.Code(), w.editedClasses(), w.eng
	go func() {
		j, err := newPasteJob(w, eng, src, first, last, classes)
		w.later(func() {
			if err != nil {
				sheet.Close()
				w.fail(err)
				return
			}
			job = j
			if format == photo.JPEG && !chosen && j.photo.Preserves(format) == photo.Recompressed {
				format = photo.PNG
			}
			tell()
			preview()
		})
	}()
}

// squared is a picture scaled to fit into a square, on the surface's colour.
func squared(p *image.RGBA) *image.RGBA {
	const side = 720
	small, _ := reduced(p, side)
	out := image.NewRGBA(image.Rect(0, 0, max(small.Rect.Dx(), small.Rect.Dy()), max(small.Rect.Dx(), small.Rect.Dy())))
	dx, dy := (out.Rect.Dx()-small.Rect.Dx())/2, (out.Rect.Dy()-small.Rect.Dy())/2
	for y := range small.Rect.Dy() {
		copy(out.Pix[(y+dy)*out.Stride+4*dx:], small.Pix[y*small.Stride:][:4*small.Rect.Dx()])
	}
	return out
}

// pasteJob has what putting an edit back needs.
type pasteJob struct {
	photo         *photo.Photo
	crop          photo.Crop
	before, after *image.RGBA
	region        *image.Alpha
	previews      newest
}

func (j *pasteJob) paste(o photo.PasteOptions) (*image.RGBA, image.Rectangle, error) {
	return photo.Paste(j.photo.Picture, j.crop, j.before, j.after, j.region, o)
}

// savePasted asks for the file and writes it.
func (w *Window) savePasted(src document.Source, j *pasteJob, o photo.PasteOptions, format photo.Format) {
	base := strings.TrimSuffix(src.Photo.Name, filepath.Ext(src.Photo.Name))
	ext := map[photo.Format]string{photo.JPEG: "jpg", photo.PNG: "png", photo.TIFF: "tif", photo.BMP: "bmp"}[format]
	w.askFile(dialogs.Request{
		Kind: dialogs.Save, Title: words.T("export.photo"), Name: base + "-edited." + ext,
		Filters: []dialogs.Filter{{Name: words.T("filter.pictures"), Exts: []string{ext}}},
	}, func(path string) {
		switch strings.ToLower(filepath.Ext(path)) { // a name that was typed says more than what was chosen before
		case ".jpg", ".jpeg":
			format = photo.JPEG
		case ".png":
			format = photo.PNG
		case ".tif", ".tiff":
			format = photo.TIFF
		case ".bmp":
			format = photo.BMP
		}
		w.setJobNote(words.T("photo.pasting"))
		go func() {
			out, _, err := j.paste(o)
			if err == nil {
				err = vectors.WriteAtomic(path, func(to io.Writer) error { return j.photo.EncodeAs(to, out, format) })
			}
			w.later(func() {
				w.setJobNote("")
				if err != nil {
					w.fail(err)
					return
				}
				w.trace("pasted %s", path)
				w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
			})
		}()
	})
}

func newPasteJob(w *Window, eng Engine, src document.Source, first, last latent.Code, classes []uint8) (*pasteJob, error) {
	p, err := photo.Decode(src.Photo.Name, src.Photo.Data, photo.Limits{})
	if err == nil {
		err = p.Whole()
	}
	if err != nil {
		return nil, err
	}
	before, err := eng.Render(w.ctx, first, engine.RenderOptions{})
	if err != nil {
		return nil, err
	}
	after, err := eng.Render(w.ctx, last, engine.RenderOptions{})
	if err != nil {
		return nil, err
	}
	if before.Picture == nil || after.Picture == nil {
		return nil, errors.New(words.T("no-picture"))
	}
	size := before.Picture.Rect.Size()
	return &pasteJob{
		photo: p, crop: photo.AlignedCrop(src.Photo.Align, size.X, size.Y), before: before.Picture, after: after.Picture,
		region: editedRegion(before.Picture, after.Picture, before.Labels, after.Labels, classes),
	}, nil
}
