package window

import (
	"context"
	"image"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"latentbrush/app/document"
	"latentbrush/app/document/film"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// SheetSettings are the last choices in the sheet of contact sheets.
type SheetSettings struct {
	Pictures  int       `json:"pictures,omitempty"`
	Strengths []float64 `json:"strengths,omitempty"`
	Side      int       `json:"side,omitempty"`
}

const (
	mostSheetRows      = 40
	mostSheetStrengths = 10
	sheetAcross        = 6 // pictures in a row where there are no strengths
)

func (s *SheetSettings) defaults() {
	if s.Pictures < 1 || s.Pictures > mostSheetRows {
		s.Pictures = 6
	}
	if len(s.Strengths) == 0 || len(s.Strengths) > mostSheetStrengths {
		s.Strengths = []float64{-2, -1, 0, 1, 2}
	}
	if s.Side < 64 || s.Side > 1024 {
		s.Side = 192
	}
}

// showContactSheet asks what a contact sheet shall show: random pictures downwards and, where the picture has edits, their
// strengths across.
func (w *Window) showContactSheet() {
	s := w.settings.Sheet
	s.defaults()
	first := uint64(1)
	if src := w.doc.Scene().Source; src.Kind == document.SeedSource {
		first = src.Seed
	}
	var names []string
	for _, e := range w.doc.Scene().Stack {
		if e.On && e.Strength != 0 {
			names = append(names, e.Name)
		}
	}
	delta := w.doc.Code().Sub(w.firstCode())
	edited := delta.Norm() > 0

	count, side := newNumber(s.Pictures, 1, mostSheetRows), newNumber(s.Side, 64, 1024)
	from := newNumberBox(float64(first), 0, 1<<53, true, nil)
	strengths, note := newLine(writeStrengths(s.Strengths)), control.NewCaption("", look.Bad, look.TextCaption, false)
	read := func() bool {
		got, ok := readStrengths(strengths.Text)
		if ok {
			s.Strengths = got
			note.Hide()
		} else {
			note.Show()
			note.Set(words.T("sheet.strengths-bad", mostSheetStrengths, document.MaxStrength))
		}
		return ok
	}
	note.Hide()
	strengths.OnChanged = func(string) { read() }
	strengths.escape = func() { control.TopSheet().Dismiss() }
	rows := []fyne.CanvasObject{
		form(words.T("sheet.from"), words.T("sheet.from-help"), from.box()),
		form(words.T("sheet.pictures"), "", count.box()),
	}
	if edited {
		rows = append(rows, form(words.T("sheet.strengths"), words.T("sheet.strengths-help"),
			container.NewGridWrap(fyne.NewSize(220, strengths.MinSize().Height), strengths)), note)
	}
	rows = append(rows, form(words.T("sheet.side"), words.T("sheet.side-help"), side.box()))
	var sheet *control.Sheet
	sheet = control.NewSheet(w.canvas(), words.T("action.file.sheet"), container.NewVBox(rows...), fyne.NewSize(520, 220), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }),
		control.NewButton(control.Primary, "sheet", words.T("export.go"), func() {
			at, ok := from.read()
			var ok2, ok3 bool
			s.Pictures, ok2 = count.value()
			s.Side, ok3 = side.value()
			if !ok || !ok2 || !ok3 || !read() {
				return
			}
			sheet.Close()
			w.settings.Sheet = s
			w.saveSettings()
			w.askFile(dialogs.Request{
				Kind: dialogs.Save, Title: words.T("action.file.sheet"), Name: "contact-sheet.png",
				Filters: []dialogs.Filter{{Name: words.T("filter.png"), Exts: []string{"png"}}},
			}, func(path string) {
				if !edited {
					w.makeSeedSheet(path, s, uint64(at))
					return
				}
				w.makeStrengthSheet(path, s, uint64(at), delta, strings.Join(names, " + "))
			})
		}))
	sheet.Show()
}

// makeStrengthSheet writes seeds downwards and strengths of a difference across.
func (w *Window) makeStrengthSheet(path string, s SheetSettings, first uint64, delta latent.Code, title string) {
	f := film.Sheet{Title: title, Across: len(s.Strengths), Side: s.Side}
	for _, x := range s.Strengths {
		f.Columns = append(f.Columns, signed(x))
	}
	var codes []latent.Code
	for i := range uint64(s.Pictures) {
		code := w.eng.Sample(first+i, w.truncation())
		f.Rows = append(f.Rows, words.T("strip.seed-is", first+i))
		for _, x := range s.Strengths {
			codes = append(codes, code.AddScaled(float32(x), delta))
		}
	}
	w.writeSheet(path, f, codes)
}

// makeSeedSheet writes random pictures.
func (w *Window) makeSeedSheet(path string, s SheetSettings, first uint64) {
	f := film.Sheet{Across: min(sheetAcross, s.Pictures), Side: s.Side}
	var codes []latent.Code
	for i := range uint64(s.Pictures) {
		f.Names = append(f.Names, words.T("strip.seed-is", first+i))
		codes = append(codes, w.eng.Sample(first+i, w.truncation()))
	}
	w.writeSheet(path, f, codes)
}

func (w *Window) writeSheet(path string, f film.Sheet, codes []latent.Code) {
	w.develop(path, codes, func(_ context.Context, pictures []*image.RGBA) error {
		sheet, err := f.Draw(pictures)
		if err != nil {
			return err
		}
		return vectors.WriteAtomic(path, func(out io.Writer) error { return png.Encode(out, sheet) })
	})
}

// signed writes a strength with its sign, and a real minus.
func signed(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', -1, 64)
	switch {
	case v > 0:
		return "+" + text
	case v < 0:
		return "−" + text
	}
	return text
}

func writeStrengths(of []float64) string {
	out := make([]string, len(of))
	for i, v := range of {
		out[i] = plainNumber(v)
	}
	return strings.Join(out, "  ")
}

// readStrengths reads numbers with spaces, semicolons or commas between them.
func readStrengths(text string) ([]float64, bool) {
	text = strings.ReplaceAll(text, "−", "-")
	var out []float64
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ';' || r == ',' || r == '\t' || r == '、' }) {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || !(math.Abs(v) <= document.MaxStrength) {
			return nil, false
		}
		out = append(out, v)
	}
	return out, len(out) > 0 && len(out) <= mostSheetStrengths
}
