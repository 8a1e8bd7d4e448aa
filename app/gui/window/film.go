package window

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/png"
	"io"
	"math"
	"path/filepath"

	"golang.org/x/image/draw"

	"latentbrush/app/document"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// sweepFrames is the number of pictures of one way of a slider sweep.
const sweepFrames = 24

// askGIF asks for a file and makes the pictures of codes into a film, in the
// background.
func (w *Window) askGIF(title, name string, codes []latent.Code, bounce bool) {
	w.askFile(dialogs.Request{
		Kind: dialogs.Save, Title: title, Name: name,
		Filters: []dialogs.Filter{{Name: words.T("filter.gif"), Exts: []string{"gif"}}},
	}, func(path string) {
		eng := w.eng
		go func() {
			var frames []*image.RGBA
			for i, c := range codes {
				f, err := eng.Render(w.ctx, c, engine.RenderOptions{})
				if err != nil {
					w.later(func() { w.fail(err) })
					return
				}
				frames = append(frames, f.Picture)
				w.later(func() { w.setJobNote(words.T("film.frame", i+1, len(codes))) })
			}
			err := vectors.WriteAtomic(path, func(out io.Writer) error { return WriteGIF(out, frames, 5, bounce) })
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
	var codes []latent.Code
	for i := range sweepFrames {
		// Ease in and out: half a period of a cosine.
		t := (1 - math.Cos(math.Pi*float64(i)/(sweepFrames-1))) / 2
		codes = append(codes, base.AddScaled(float32(-2+4*t), e.Delta))
	}
	w.askGIF(words.T("action.file.sweep"), e.Name+".gif", codes, true)
}

// exportTimelapse writes the way from the picture before all edits to the present
// one: through the kept steps of the optimisations, then through the vectors.
func (w *Window) exportTimelapse() {
	sc := w.doc.Scene()
	var codes []latent.Code
	for _, c := range sc.Choices {
		n := len(c.Run.Steps)
		for i := 0; i <= c.Step && i < n; i += max(1, n/20) {
			codes = append(codes, c.Run.Steps[i].Code)
		}
	}
	from := sc.Start
	if len(codes) > 0 {
		from = codes[len(codes)-1]
	} else {
		codes = append(codes, from)
	}
	to := sc.Code()
	for i := 1; i <= 12; i++ {
		codes = append(codes, from.Lerp(to, float32(i)/12))
	}
	w.askGIF(words.T("action.file.timelapse"), "latentbrush.gif", codes, true)
}

// WriteGIF writes pictures as a film that loops, delay hundredths of a second each;
// with bounce it runs back again. Colours are chosen from all frames by median cut,
// and dithered.
func WriteGIF(out io.Writer, frames []*image.RGBA, delay int, bounce bool) error {
	if len(frames) == 0 {
		return errors.New("film: no pictures")
	}
	pal := medianCut(frames, 256)
	g := &gif.GIF{}
	for _, f := range frames {
		p := image.NewPaletted(f.Rect, pal)
		draw.FloydSteinberg.Draw(p, f.Rect, f, f.Rect.Min)
		g.Image = append(g.Image, p)
		g.Delay = append(g.Delay, delay)
	}
	if bounce {
		for i := len(frames) - 2; i > 0; i-- {
			g.Image = append(g.Image, g.Image[i])
			g.Delay = append(g.Delay, delay)
		}
	}
	return gif.EncodeAll(out, g)
}

// medianCut chooses at most n colours for the pictures (Heckbert 1982): the box of
// colours with the largest side times count is split at its median until there
// are n.
func medianCut(frames []*image.RGBA, n int) color.Palette {
	var px [][3]uint8
	total := 0
	for _, f := range frames {
		total += len(f.Pix) / 4
	}
	step := max(1, total/60000)
	k := 0
	for _, f := range frames {
		for i := 0; i+3 < len(f.Pix); i += 4 {
			if k++; k%step == 0 {
				px = append(px, [3]uint8{f.Pix[i], f.Pix[i+1], f.Pix[i+2]})
			}
		}
	}
	if len(px) == 0 {
		return palette.Plan9
	}
	boxes := [][][3]uint8{px}
	widest := func(b [][3]uint8) (axis, span int) {
		lo, hi := [3]uint8{255, 255, 255}, [3]uint8{}
		for _, p := range b {
			for c := range 3 {
				lo[c], hi[c] = min(lo[c], p[c]), max(hi[c], p[c])
			}
		}
		for c := range 3 {
			if s := int(hi[c]) - int(lo[c]); s > span {
				axis, span = c, s
			}
		}
		return axis, span
	}
	for len(boxes) < n {
		best, score, axis := -1, 0, 0
		for i, b := range boxes {
			if len(b) < 2 {
				continue
			}
			if a, s := widest(b); s > 0 && s*int(math.Sqrt(float64(len(b)))) > score {
				best, score, axis = i, s*int(math.Sqrt(float64(len(b)))), a
			}
		}
		if best < 0 {
			break
		}
		b := boxes[best]
		var count [256]int
		for _, p := range b {
			count[p[axis]]++
		}
		half, cut := 0, 0
		for v := range 256 {
			if half += count[v]; half*2 >= len(b) {
				cut = v
				break
			}
		}
		var lo, hi [][3]uint8
		for _, p := range b {
			if int(p[axis]) <= cut {
				lo = append(lo, p)
			} else {
				hi = append(hi, p)
			}
		}
		if len(lo) == 0 || len(hi) == 0 {
			lo, hi = nil, nil
			for _, p := range b {
				if int(p[axis]) < cut {
					lo = append(lo, p)
				} else {
					hi = append(hi, p)
				}
			}
		}
		boxes[best] = lo
		boxes = append(boxes, hi)
	}
	var pal color.Palette
	for _, b := range boxes {
		if len(b) == 0 {
			continue
		}
		var sum [3]int
		for _, p := range b {
			for c := range 3 {
				sum[c] += int(p[c])
			}
		}
		pal = append(pal, color.RGBA{uint8(sum[0] / len(b)), uint8(sum[1] / len(b)), uint8(sum[2] / len(b)), 255})
	}
	return pal
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
