package window

import (
	"context"
	"image"
	"io"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

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
	places := film.Positions(f.Frames, f.Ease)
	codes := make([]latent.Code, len(places))
	for i, t := range places {
		codes[i] = code(t)
	}
	w.develop(path, codes, func(ctx context.Context, frames []*image.RGBA) error {
		m := film.Film{Frames: frames, Loop: f.Loop, Delay: time.Second / time.Duration(f.Rate)}
		if strings.EqualFold(filepath.Ext(path), ".mp4") {
			return m.WriteMP4(ctx, path)
		}
		return vectors.WriteAtomic(path, func(out io.Writer) error { return m.Write(out, filepath.Ext(path)) })
	})
}

// develop renders codes in the background and then writes their pictures. Escape, another export, or closing the model
// stops it.
func (w *Window) develop(path string, codes []latent.Code, write func(context.Context, []*image.RGBA) error) {
	if w.stopExport != nil {
		w.stopExport()
	}
	ctx, cancel := context.WithCancel(w.ctx)
	w.stopExport = cancel
	eng := w.eng
	go func() {
		pictures := make([]*image.RGBA, len(codes))
		err := func() error {
			for i, c := range codes {
				frame, err := eng.Render(ctx, c, engine.RenderOptions{})
				if err != nil {
					return err
				}
				pictures[i] = frame.Picture
				w.later(func() {
					if ctx.Err() == nil {
						w.setJobNote(words.T("film.frame", i+1, len(codes)))
					}
				})
			}
			return write(ctx, pictures)
		}()
		w.later(func() {
			if ctx.Err() != nil { // stopped, perhaps for another
				return
			}
			cancel()
			w.stopExport = nil
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
