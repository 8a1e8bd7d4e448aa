package window

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/words"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
)

// partSheet is the dialog that takes a part of another picture over: of a random one, of a
// project or an exported picture, or of a photo, which it embeds first.
type partSheet struct {
	w    *Window
	t    teacher
	code latent.Code // of the picture at hand

	groups map[string][]uint8 // the classes of each part
	order  []string
	chosen map[string]bool

	reference latent.Code // of the other picture
	name      string      // of the other picture
	got       *learning.Transfer

	mine, theirs, result *control.Framed
	seeds                *control.Thumbs
	told                 *control.Caption
	keep, take           *control.Button
	sheet                *control.Sheet

	ctx  context.Context
	stop context.CancelFunc // of what is being worked out
	look context.CancelFunc // of the other picture that is being made
}

// partOf is the part that a class belongs to for somebody who takes one over: both sides
// together, and a group whose classes mean nothing alone as a whole.
func partOf(class, group string) string {
	stem, _, _ := strings.Cut(class, "_")
	if whole := group == "eyes" || group == "mouth"; whole && stem != "brow" {
		return group
	}
	return stem
}

// takePart opens the dialog.
func (w *Window) takePart() {
	t, ok := w.eng.(teacher)
	if !ok || !w.doc.HasPicture() {
		w.say(words.T("no-picture"))
		return
	}
	w.endJob()
	p := &partSheet{w: w, t: t, code: w.doc.Code(), groups: map[string][]uint8{}, chosen: map[string]bool{}}
	w.shelf.opened.part = p
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithCancel(w.ctx)
	for i, c := range w.info.Manifest.Classes {
		g := partOf(c.Name, c.Group)
		if len(p.groups[g]) == 0 {
			p.order = append(p.order, g)
		}
		p.groups[g] = append(p.groups[g], uint8(i))
	}
	p.mine, p.theirs, p.result = control.NewFramed(210, words.T("part.mine")), control.NewFramed(210, words.T("part.theirs")), control.NewFramed(210, words.T("part.result"))
	p.mine.SetPicture(w.shown)
	p.told = soft(words.T("part.text"))
	p.seeds = control.NewThumbs(72, true, false)
	var items []control.Thumb
	for _, s := range w.sampleSeeds {
		items = append(items, control.Thumb{Key: seedKey(s), Image: w.sampleThumb[s], Name: words.T("strip.seed-is", s), Detail: words.T("strip.seed-is", s)})
	}
	p.seeds.SetItems(items)
	p.seeds.OnTap = func(key string) {
		if s, err := strconv.ParseUint(strings.TrimPrefix(key, "seed:"), 10, 64); err == nil {
			p.pick(s)
		}
	}
	seed := control.NewButton(control.Filled, "dice", words.T("action.latent.seed"), p.askSeed)
	file := control.NewButton(control.Filled, "open", words.T("part.file"), func() {
		w.askFile(dialogs.Request{Kind: dialogs.Open, Title: words.T("part.file"), Filters: []dialogs.Filter{
			{Name: words.T("part.filter"), Exts: append([]string{"lbproj"}, pictureExts...)},
		}}, p.open)
	})
	file.Name = words.T("part.file-tip")
	var parts []fyne.CanvasObject
	for _, g := range p.order {
		b := control.NewButton(control.Flat, "", words.Or("partname."+g, g), nil)
		b.OnTap = func() {
			p.chosen[g] = !p.chosen[g]
			b.Active = p.chosen[g]
			b.Refresh()
			p.reset()
		}
		parts = append(parts, b)
	}
	p.take = control.NewButton(control.Filled, "play", words.T("part.take"), p.work)
	p.keep = control.NewButton(control.Primary, "vector", words.T("part.keep"), p.accept)
	body := container.NewVBox(
		small(words.T("part.from")), container.New(&fixedHigh{84}, container.NewBorder(nil, nil, nil, container.NewVBox(seed, file), p.seeds)),
		small(words.T("part.which")), container.New(layout.NewGridWrapLayout(fyne.NewSize(104, 28)), parts...),
		container.New(layout.NewCustomPaddedLayout(8, 4, 0, 0), row(14, 0, p.mine, p.theirs, p.result)), p.told)
	p.sheet = control.NewSheet(w.canvas(), titled("vector.part"), body, fyne.NewSize(690, 520), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { p.sheet.Close() }), p.take, p.keep)
	p.sheet.OnClose = cancel
	p.reset()
	p.sheet.Show()
	w.trace("part")
}

// reset forgets the result, which belongs to another choice, and stops working on it.
func (p *partSheet) reset() {
	if p.stop != nil {
		p.stop()
	}
	p.got = nil
	p.keep.Disabled = true
	p.keep.Refresh()
	p.result.SetPicture(nil)
	ids, _ := p.classes()
	p.take.Disabled = p.reference.Empty() || len(ids) == 0
	p.take.Refresh()
}

// classes are those of the chosen parts, and the parts' names.
func (p *partSheet) classes() (ids []uint8, text string) {
	var names []string
	for _, g := range p.order {
		if p.chosen[g] {
			ids = append(ids, p.groups[g]...)
			names = append(names, words.Or("partname."+g, g))
		}
	}
	return ids, strings.Join(names, ", ")
}

// pick takes a random picture as the other one.
func (p *partSheet) pick(seed uint64) {
	psi := p.w.info.Manifest.Truncation.Psi
	if psi == 0 {
		psi = 0.7
	}
	p.refer(p.t.Sample(seed, psi), words.T("strip.seed-is", seed))
	p.seeds.Select(seedKey(seed))
}

func (p *partSheet) askSeed() {
	w := p.w
	w.prompt(words.T("action.latent.seed"), words.T("seed.text"), "", words.T("ok"), func(text string) {
		s, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			w.fail(errors.New(words.T("seed.wrong", text)))
			return
		}
		p.pick(s)
	})
}

// looking stops what the other picture was being made of, and begins with another.
func (p *partSheet) looking() context.Context {
	if p.look != nil {
		p.look()
	}
	var ctx context.Context
	ctx, p.look = context.WithCancel(p.ctx)
	p.reference = latent.Code{}
	p.theirs.SetPicture(nil)
	p.seeds.Select("")
	p.reset()
	return ctx
}

// refer makes the picture of a code the other one.
func (p *partSheet) refer(code latent.Code, name string) {
	ctx := p.looking()
	p.reference, p.name = code, name
	p.theirs.SetText(name, p.theirs.Hue)
	p.told.Set(words.T("part.text"))
	p.reset()
	go func() {
		f, err := p.t.Render(ctx, code, engine.RenderOptions{})
		p.w.later(func() {
			if err == nil && ctx.Err() == nil {
				p.theirs.SetPicture(f.Picture)
			}
		})
	}()
}

// open takes the other picture from a file.
func (p *partSheet) open(path string) {
	name := filepath.Base(path)
	code, data, err := p.w.codeIn(path)
	switch {
	case err != nil:
		p.w.fail(err)
	case code.Empty():
		p.photo(name, data)
	default:
		p.refer(code, name)
	}
}

// codeIn is the latent of a project or of an exported picture. Of any other picture it is
// empty, and the file's bytes are returned.
func (w *Window) codeIn(path string) (code latent.Code, data []byte, err error) {
	if strings.EqualFold(filepath.Ext(path), document.Ext) {
		doc, err := document.Open(path)
		if err == nil {
			err = w.fits(doc)
		}
		if err == nil && !doc.HasPicture() {
			err = errors.New(words.T("no-picture"))
		}
		if err != nil {
			return code, nil, err
		}
		return doc.Code(), nil, nil
	}
	if data, err = os.ReadFile(path); err != nil {
		return code, nil, err
	}
	made, err := document.ReadProvenance(bytes.NewReader(data))
	if err != nil { // no picture of this program
		return code, data, nil
	}
	if code, err = made.Code(); err == nil {
		err = code.Check(w.info.Rows, w.info.Dim)
	}
	return code, nil, err
}

// photo asks for the box of a photo and embeds it.
func (p *partSheet) photo(name string, data []byte) {
	w := p.w
	em, ok := w.eng.(Embedder)
	if !ok {
		w.fail(errors.New(words.T("open.photo-never")))
		return
	}
	ctx := p.looking()
	p.told.Set(words.T("photo.reading", name))
	go func() {
		img, err := photo.Decode(name, data, photo.Limits{})
		w.later(func() {
			switch {
			case ctx.Err() != nil:
			case err != nil:
				p.told.Set(words.T("part.text"))
				w.fail(err)
			default:
				p.told.Set(words.T("part.text"))
				w.chooseCrop(em, name, img, photo.Crop{}, func(c photo.Crop) {
					cut, err := c.Cut(img.Picture, w.info.Width, w.info.Height)
					if err != nil {
						w.fail(err)
						return
					}
					p.embed(ctx, em, name, cut)
				})
			}
		})
	}()
}

// embed finds the latent of what is in a photo's box.
func (p *partSheet) embed(ctx context.Context, em Embedder, name string, cut *image.RGBA) {
	w := p.w
	p.theirs.SetPicture(cut)
	p.theirs.SetText(name, p.theirs.Hue)
	go func() {
		var last engine.EmbedStep
		for s, err := range em.Embed(ctx, engine.EmbedRequest{Picture: cut}) {
			if err != nil {
				w.later(func() {
					if ctx.Err() == nil {
						p.told.Set(words.T("part.text"))
						w.fail(err)
					}
				})
				return
			}
			last = s
			w.later(func() {
				if ctx.Err() == nil {
					p.told.Set(words.T("part.embedding", s.Index, s.Total))
					if s.Picture != nil {
						p.theirs.SetPicture(s.Picture)
					}
				}
			})
		}
		w.later(func() {
			if ctx.Err() == nil && !last.Code.Empty() {
				p.refer(last.Code, name)
				w.trace("part photo %.2f", last.PSNR)
			}
		})
	}()
}

// work looks for the change that takes the part over, or stops looking.
func (p *partSheet) work() {
	if p.stop != nil {
		p.stop()
		return
	}
	w := p.w
	var ctx context.Context
	ctx, p.stop = context.WithCancel(p.ctx)
	ids, _ := p.classes()
	reference := p.reference
	p.take.Text, p.take.Icon = words.T("run.stop"), "stop"
	p.take.Refresh()
	go func() {
		got, err := learning.TransferPart(ctx, p.t, p.code, reference, ids, func(done, total int) {
			w.later(func() {
				if ctx.Err() == nil {
					p.told.Set(words.T("part.working", done, total))
				}
			})
		})
		w.later(func() {
			stopped := ctx.Err() != nil
			p.stop()
			p.stop = nil
			p.take.Text, p.take.Icon = words.T("part.take"), "play"
			p.take.Refresh()
			switch {
			case stopped:
				p.told.Set(words.T("part.text"))
			case err != nil:
				p.told.Set(sentence(errors.New(strings.TrimPrefix(err.Error(), "learning: "))))
			default:
				p.got = got
				p.result.SetPicture(got.After.Picture)
				p.told.Set(words.T("part.done", fmt.Sprintf("%.0f", 100*(1-min(1, got.Left))), fmt.Sprintf("%.1f", got.Leak)))
				p.keep.Disabled = false
				p.keep.Refresh()
				w.trace("part %.3f %.2f", got.Left, got.Leak)
			}
		})
	}()
}

// accept puts the result on the edit stack.
func (p *partSheet) accept() {
	if p.got == nil {
		return
	}
	w := p.w
	ids, text := p.classes()
	p.sheet.Close()
	id, err := w.doc.AddDelta(words.T("part.name", text, p.name), p.got.Delta, ids)
	if err != nil {
		w.fail(err)
		return
	}
	w.selected = id
	w.dock.Open("edits")
	w.journal()
	w.showEdits()
	w.traceSlider(id)
}
