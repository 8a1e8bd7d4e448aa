package window

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// The comparison of two vectors: the width of a picture, and the first seed.
const (
	comparedSide = 112
	comparedSeed = 6_000_000
)

// compareVectors shows the two picked vectors side by side: how alike they are, their rows and
// regions, and what each does to the same five pictures.
func (w *Window) compareVectors() {
	good := w.pickedGood()
	if len(good) != 2 {
		w.say(words.T("compare.pick"))
		return
	}
	vs, err := w.loadVectors(good)
	if err != nil {
		w.fail(err)
		return
	}
	d, err := vectors.Diff(vs[0], vs[1])
	if err != nil {
		w.fail(err)
		return
	}
	ctx, cancel := context.WithCancel(w.ctx)
	body := container.NewVBox(soft(words.T("compare.cosine", fmt.Sprintf("%.2f", d.Cosine))))
	var rows []*fyne.Container
	for i, only := range [][]vectors.Class{d.OnlyA, d.OnlyB} {
		v := vs[i]
		bars := control.NewEnergyBars(v.Energy(), nil)
		bars.Coarse, bars.Fine, bars.Name = words.T("algebra.coarse"), words.T("algebra.fine"), words.T("vector.rows-name")
		facts := container.NewVBox(control.NewCaption(v.Name, look.Text, look.TextBody, true))
		put := func(text string) { facts.Add(small(text)) }
		if g := v.Generalisation; g.Seeds > 0 {
			put(words.T("compare.tested", percent(g.Success), fmt.Sprintf("%.2f", g.Leak)))
		}
		if lo, hi, ok := v.Calibration.Safe(); ok {
			put(words.T("fact.safe") + " " + words.T("fact.range", control.FormatStrength(lo), control.FormatStrength(hi)))
		}
		put(words.T("compare.length", fmt.Sprintf("%.2f", v.Delta.Norm())))
		if len(only) > 0 {
			var names []string
			for _, c := range only {
				names = append(names, className(c.Name))
			}
			put(words.T("compare.only", strings.Join(names, ", ")))
		}
		rows = append(rows, container.NewVBox(facts, container.New(&fixedHigh{86}, bars)))
	}
	body.Add(container.New(layout.NewGridLayoutWithColumns(2), rows[0], rows[1]))
	body.Add(container.New(layout.NewCustomPaddedLayout(4, 0, 0, 0)))
	var frames [3][learning.ComparedPictures]*control.Framed
	for y, name := range []string{words.T("compare.without"), vs[0].Name, vs[1].Name} {
		line := container.NewHBox()
		for x := range frames[y] {
			frames[y][x] = control.NewFramed(comparedSide, "")
			line.Add(frames[y][x])
		}
		title := control.NewCaption(name, look.TextSoft, look.TextCaption, false)
		body.Add(container.NewVBox(title, line))
	}
	var sheet *control.Sheet
	sheet = control.NewSheet(w.canvas(), titled("vector.compare"), body, fyne.NewSize(620, 560), false,
		control.NewButton(control.Primary, "", words.T("close"), func() { sheet.Close() }))
	sheet.OnClose = cancel
	sheet.Show()
	w.trace("compare")
	t, ok := w.eng.(learning.Model)
	if !ok {
		return
	}
	psi := w.info.Manifest.Truncation.Psi
	go func() {
		for x := range learning.ComparedPictures {
			code := t.Sample(comparedSeed+uint64(x), psi)
			for y, delta := range []latent.Code{{}, vs[0].Delta, vs[1].Delta} {
				at := code
				if !delta.Empty() {
					at = code.Add(delta)
				}
				f, err := t.Render(ctx, at, engine.RenderOptions{})
				if err != nil {
					if ctx.Err() == nil && !errors.Is(err, context.Canceled) {
						w.later(func() { w.fail(err) })
					}
					return
				}
				p := thumb(f.Picture, 2*comparedSide)
				w.later(func() {
					if ctx.Err() == nil {
						frames[y][x].SetPicture(p)
					}
				})
			}
		}
		w.trace("compared")
	}()
}
