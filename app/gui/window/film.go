package window

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"golang.org/x/image/draw"

	"latentbrush/app/document"
	"latentbrush/app/document/film"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// FilmSettings are the last choices in the sheet of films.
type FilmSettings struct {
	Format string    `json:"format,omitempty"`
	Frames int       `json:"frames,omitempty"`
	Rate   int       `json:"rate,omitempty"` // frames a second
	Loop   film.Loop `json:"loop,omitempty"`
	Ease   film.Ease `json:"ease,omitempty"`
}

const mostRate = 50 // frames a second, what players of GIF can do

func (f *FilmSettings) defaults() {
	if f.Format == "" {
		f.Format = "gif"
	}
	if f.Frames < 2 || f.Frames > film.MaxFrames {
		f.Frames = 24
	}
	if f.Rate < 1 || f.Rate > mostRate {
		f.Rate = 20
	}
	if f.Loop == "" {
		f.Loop = film.Bounce
	}
	if f.Ease == "" {
		f.Ease = film.Smooth
	}
}

// showFilm asks how a film shall be, and where it goes; codes are its pictures at places on the way from 0 to 1.
func (w *Window) showFilm(title, name string, code func(t float64) latent.Code) {
	f := w.settings.Film
	f.defaults()
	formats := film.Formats()
	known := false
	for _, k := range formats {
		known = known || k == f.Format
	}
	if !known {
		f.Format = formats[0]
	}
	var sheet *control.Sheet
	frames, rate := newNumber(f.Frames, 2, film.MaxFrames), newNumber(f.Rate, 1, mostRate)
	names := func(prefix string, of []string) []string {
		out := make([]string, len(of))
		for i, k := range of {
			out[i] = words.T(prefix + k)
		}
		return out
	}
	body := container.NewVBox(
		form(words.T("film.format"), words.T("film.format-help"), segments(formats, names("film.format-", formats), f.Format, func(v string) { f.Format = v })),
		form(words.T("film.frames"), words.T("film.frames-help"), frames.box()),
		form(words.T("film.rate"), words.T("film.rate-help"), rate.box()),
		form(words.T("film.loop"), words.T("film.loop-help"), segments(texts(film.Loops), names("film.loop-", texts(film.Loops)), string(f.Loop), func(v string) { f.Loop = film.Loop(v) })),
		form(words.T("film.ease"), words.T("film.ease-help"), segments(texts(film.Eases), names("film.ease-", texts(film.Eases)), string(f.Ease), func(v string) { f.Ease = film.Ease(v) })),
	)
	sheet = control.NewSheet(w.canvas(), title, body, fyne.NewSize(520, 300), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }),
		control.NewButton(control.Primary, "film", words.T("export.go"), func() {
			var ok1, ok2 bool
			if f.Frames, ok1 = frames.value(); !ok1 {
				return
			}
			if f.Rate, ok2 = rate.value(); !ok2 {
				return
			}
			sheet.Close()
			w.settings.Film = f
			w.saveSettings()
			w.askFile(dialogs.Request{
				Kind: dialogs.Save, Title: title, Name: name + "." + f.Format,
				Filters: []dialogs.Filter{{Name: words.T("film.format-" + f.Format), Exts: []string{f.Format}}},
			}, func(path string) { w.makeFilm(path, f, code) })
		}))
	sheet.Show()
}

// texts are the values of names as plain texts.
func texts[S ~string](of []S) []string {
	out := make([]string, len(of))
	for i, v := range of {
		out[i] = string(v)
	}
	return out
}

// makeFilm renders the frames in the background and writes the film. Another film, or closing the model, stops it.
func (w *Window) makeFilm(path string, f FilmSettings, code func(t float64) latent.Code) {
	eng := w.eng
	places := film.Positions(f.Frames, f.Ease)
	codes := make([]latent.Code, len(places))
	for i, t := range places {
		codes[i] = code(t)
	}
	go func() {
		m := film.Film{Loop: f.Loop, Delay: time.Second / time.Duration(f.Rate)}
		err := func() error {
			for i, c := range codes {
				frame, err := eng.Render(w.ctx, c, engine.RenderOptions{})
				if err != nil {
					return err
				}
				m.Frames = append(m.Frames, frame.Picture)
				w.later(func() { w.setJobNote(words.T("film.frame", i+1, len(codes))) })
			}
			if strings.EqualFold(filepath.Ext(path), ".mp4") {
				return m.WriteMP4(w.ctx, path)
			}
			return vectors.WriteAtomic(path, func(out io.Writer) error { return m.Write(out, filepath.Ext(path)) })
		}()
		w.later(func() {
			w.setJobNote("")
			if err != nil {
				w.fail(err)
				return
			}
			w.trace("film %s", path)
			w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
		})
	}()
}

// exportSweep writes the selected slider moving from −2 to +2 as a film.
func (w *Window) exportSweep() {
	e, ok := w.current()
	if !ok {
		return
	}
	base := w.doc.Code()
	if e.On {
		base = base.AddScaled(float32(-e.Strength), e.Delta)
	}
	w.showFilm(words.T("action.file.sweep"), e.Name, func(t float64) latent.Code {
		return base.AddScaled(float32(-2+4*t), e.Delta)
	})
}

// exportTimelapse writes the way from the picture before all edits to the present one: through the kept steps of
// the optimisations, then through the vectors.
func (w *Window) exportTimelapse() {
	sc := w.doc.Scene()
	keys := []latent.Code{w.firstCode()}
	for _, c := range sc.Choices {
		for _, s := range c.Run.Steps[:c.Step+1] {
			keys = append(keys, s.Code)
		}
	}
	last, to := keys[len(keys)-1], sc.Code()
	if n := max(8, len(keys)/3); !sameCode(last, to) {
		for i := 1; i <= n; i++ {
			keys = append(keys, last.Lerp(to, float32(i)/float32(n)))
		}
	}
	name := w.doc.Title()
	if name == "" {
		name = "latentbrush"
	}
	w.showFilm(words.T("action.file.timelapse"), name, func(t float64) latent.Code { return along(keys, t) })
}

// along is the place t in [0, 1] on the way through codes.
func along(keys []latent.Code, t float64) latent.Code {
	at := t * float64(len(keys)-1)
	i := min(int(at), len(keys)-1)
	if i == len(keys)-1 {
		return keys[i]
	}
	return keys[i].Lerp(keys[i+1], float32(at-float64(i)))
}

// sheetSeeds and sheetStrengths are the rows and columns of the contact sheet.
const sheetSeeds = 6

var sheetStrengths = []float64{-2, -1, 0, 1, 2}

// exportSheet writes a contact sheet: seeds downwards, strengths of the present
// edits across.
func (w *Window) exportSheet() {
	first := uint64(1)
	if s := w.doc.Scene().Source; s.Kind == document.SeedSource {
		first = s.Seed
	}
	delta := w.combined()
	w.askFile(dialogs.Request{
		Kind: dialogs.Save, Title: words.T("action.file.sheet"), Name: "contact-sheet.png",
		Filters: []dialogs.Filter{{Name: words.T("filter.png"), Exts: []string{"png"}}},
	}, func(path string) {
		eng, psi := w.eng, w.info.Manifest.Truncation.Psi
		if psi == 0 {
			psi = 0.7
		}
		go func() {
			const cell, gap = 192, 4
			n := len(sheetStrengths)
			sheet := image.NewRGBA(image.Rect(0, 0, n*(cell+gap)+gap, sheetSeeds*(cell+gap)+gap))
			draw.Draw(sheet, sheet.Rect, image.NewUniform(color.Gray{24}), image.Point{}, draw.Src)
			for r := range sheetSeeds {
				code := eng.Sample(first+uint64(r), psi)
				for c, s := range sheetStrengths {
					f, err := eng.Render(w.ctx, code.AddScaled(float32(s), delta), engine.RenderOptions{})
					if err != nil {
						w.later(func() { w.fail(err) })
						return
					}
					at := image.Pt(gap+c*(cell+gap), gap+r*(cell+gap))
					draw.Draw(sheet, image.Rectangle{at, at.Add(image.Pt(cell, cell))}, thumb(f.Picture, cell), image.Point{}, draw.Src)
				}
				w.later(func() { w.setJobNote(words.T("film.frame", (r+1)*n, sheetSeeds*n)) })
			}
			err := vectors.WriteAtomic(path, func(out io.Writer) error { return png.Encode(out, sheet) })
			w.later(func() {
				w.setJobNote("")
				if err != nil {
					w.fail(fmt.Errorf("contact sheet: %w", err))
					return
				}
				w.toasts.Show(words.T("saved-as", filepath.Base(path)), look.Good, "", nil)
			})
		}()
	})
}
