package window

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"
	"golang.org/x/image/draw"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/inversion"
)

// The longest side of the picture on which the box is chosen, and the width of the
// previews beside it.
const (
	cropShown   = 900
	cropPreview = 176
	cropSide    = 208 // the width of what is beside the photo
)

// cropSheet is the dialog in which the box of a photo is chosen: the photo with the
// box, what the model will see, and what its encoder makes of that.
type cropSheet struct {
	w       *Window
	em      Embedder
	photo   *photo.Photo
	small   *image.RGBA
	scale   float64 // pixels of the photo for one of small
	name    string
	box     *control.CropBox
	sees    *control.Framed
	makes   *control.Framed
	facts   *control.Caption
	notes   *widget.Label
	auto    *control.Button
	sheet   *control.Sheet
	touched bool
	then    func(photo.Crop)

	ctx     context.Context
	cancel  context.CancelFunc
	search  context.CancelFunc
	cuts    newest
	guesses newest
}

// newest runs the newest of the works it is given on one goroutine; older ones that
// have not begun are dropped.
type newest struct {
	mu      sync.Mutex
	next    func()
	running bool
}

func (n *newest) do(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next = f
	if n.running {
		return
	}
	n.running = true
	go func() {
		for {
			n.mu.Lock()
			f := n.next
			n.next = nil
			if f == nil {
				n.running = false
				n.mu.Unlock()
				return
			}
			n.mu.Unlock()
			f()
		}
	}()
}

// reduced is a picture scaled so that its longer side is at most side, and by how much.
func reduced(p *image.RGBA, side int) (*image.RGBA, float64) {
	size := p.Rect.Size()
	if max(size.X, size.Y) <= side {
		return p, 1
	}
	k := float64(max(size.X, size.Y)) / float64(side)
	out := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(size.X)/k+0.5)), max(1, int(float64(size.Y)/k+0.5))))
	draw.ApproxBiLinear.Scale(out, out.Rect, p, p.Rect, draw.Src, nil)
	return out, float64(size.X) / float64(out.Rect.Dx())
}

// scaled is a box in a picture k times as small.
func scaled(c photo.Crop, k float64) photo.Crop {
	return photo.Crop{X: c.X / k, Y: c.Y / k, Width: c.Width / k, Angle: c.Angle}
}

// chooseCrop opens the dialog. A zero start has the box proposed.
func (w *Window) chooseCrop(em Embedder, name string, p *photo.Photo, start photo.Crop, then func(photo.Crop)) {
	width, height := w.info.Width, w.info.Height
	c := &cropSheet{w: w, em: em, photo: p, name: name, then: then}
	w.shelf.opened.crop = c
	c.ctx, c.cancel = context.WithCancel(w.ctx)
	c.small, c.scale = reduced(p.Picture, cropShown)
	propose := start == photo.Crop{}
	if propose {
		start = photo.Middle(p.Picture, width, height)
	}
	c.box = control.NewCropBox(c.small, p.Picture.Rect.Size(), float64(height)/float64(width), start)
	c.box.Name = words.T("crop.name")
	c.box.OnChange = func(photo.Crop, bool) {
		c.touched = true
		c.stopSearch()
		c.show()
	}
	c.box.OnAccept, c.box.OnCancel = c.accept, func() { c.sheet.Close() }
	c.sees = control.NewFramed(cropPreview, words.T("crop.sees"))
	c.makes = control.NewFramed(cropPreview, words.T("crop.makes"))
	c.facts = soft("")
	c.notes = widget.NewLabel("")
	c.notes.Wrapping = fyne.TextWrapWord
	c.notes.Importance = widget.LowImportance
	c.auto = control.NewButton(control.Filled, "search", words.T("crop.auto"), func() {
		c.touched = false
		c.propose()
	})
	c.auto.Name = words.T("crop.auto-tip")
	whole := control.NewButton(control.Filled, "fit", words.T("crop.whole"), func() {
		c.stopSearch()
		c.touched = true
		c.box.Set(photo.Middle(p.Picture, width, height))
		c.show()
		w.canvas().Focus(c.box)
	})
	side := container.NewVBox(c.sees, c.makes, c.facts, row(6, 0, c.auto, whole), c.notes)
	body := container.NewBorder(nil, container.New(layout.NewCustomPaddedLayout(6, 0, 0, 0), small(words.T("crop.keys"))), nil,
		container.New(layout.NewCustomPaddedLayout(0, 0, 16, 0), container.New(&fixedWide{cropSide}, side)), c.box)
	c.sheet = control.NewSheet(w.canvas(), words.T("crop.title", name), body, w.canvas().Size().SubtractWidthHeight(80, 60).Min(fyne.NewSize(1060, 720)), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { c.sheet.Close() }),
		control.NewButton(control.Primary, "image", words.T("crop.go"), c.accept))
	if !em.HasEncoder() {
		c.makes.Hide()
		c.auto.Hide()
	}
	c.sheet.OnReturn = c.accept
	c.sheet.OnClose = c.cancel
	c.sheet.Show()
	w.canvas().Focus(c.box)
	c.showNotes()
	c.show()
	w.trace("crop %s", name)
	if propose {
		c.propose()
	}
}

func (c *cropSheet) accept() {
	b := c.box.Box()
	c.sheet.Close()
	c.then(b)
}

func (c *cropSheet) stopSearch() {
	if c.search != nil {
		c.search()
		c.search = nil
		c.auto.Text = words.T("crop.auto")
		c.auto.Refresh()
	}
}

// propose lets the model look for the box; the best so far is shown meanwhile.
func (c *cropSheet) propose() {
	c.stopSearch()
	if !c.em.HasEncoder() {
		return
	}
	ctx, stop := context.WithCancel(c.ctx)
	c.search = stop
	c.auto.Text = words.T("crop.looking")
	c.auto.Refresh()
	w, em, from, k := c.w, c.em, c.small, c.scale
	width, height := w.info.Width, w.info.Height
	set := func(b photo.Crop) {
		w.later(func() {
			if ctx.Err() == nil && !c.box.Busy() && !c.touched {
				c.box.Set(scaled(b, 1/k))
				c.show()
			}
		})
	}
	go func() {
		last := math.Inf(1)
		best, score, err := photo.Propose(ctx, from, width, height, photo.Search{Progress: func(b photo.Crop, v float64) {
			if v < last {
				last = v
				set(b)
			}
		}}, em.EncoderError)
		if err == nil {
			set(best)
		}
		w.later(func() {
			if ctx.Err() != nil {
				return
			}
			c.stopSearch()
			if err != nil && !errors.Is(err, context.Canceled) {
				w.fail(err)
				return
			}
			w.trace("proposed %.3f", score)
		})
	}()
}

// show brings the previews up to date with the box: what the model sees at once, what it
// makes of it as soon as the encoder has answered.
func (c *cropSheet) show() {
	b := c.box.Box()
	c.facts.Set(words.T("crop.facts", int(b.Width+0.5), int(b.Width*c.box.Aspect+0.5), fmt.Sprintf("%.1f", b.Angle*180/math.Pi)))
	w, em, eng := c.w, c.em, c.w.eng
	width, height := w.info.Width, w.info.Height
	small := scaled(b, c.scale)
	from := c.small
	if small.Width < float64(width)/2 { // the reduced picture lacks what the box would show
		from, small = c.photo.Picture, b
	}
	c.cuts.do(func() {
		cut, err := small.Cut(from, width, height)
		if err != nil || c.ctx.Err() != nil {
			return
		}
		w.later(func() {
			if c.ctx.Err() == nil {
				c.sees.SetPicture(cut)
			}
		})
		if em.HasEncoder() {
			c.guess(em, eng, cut)
		}
	})
}

// guess shows what the encoder makes of what it sees.
func (c *cropSheet) guess(em Embedder, eng Engine, cut *image.RGBA) {
	w := c.w
	c.guesses.do(func() {
		code, err := em.Encode(c.ctx, cut)
		if err != nil {
			return
		}
		f, err := eng.Render(c.ctx, code, engine.RenderOptions{})
		if err != nil {
			return
		}
		diff := inversion.MeanDifference(cut, f.Picture)
		w.later(func() {
			if c.ctx.Err() == nil {
				c.makes.SetPicture(f.Picture)
				c.makes.SetText(words.T("crop.makes-off", fmt.Sprintf("%.1f", diff)), look.TextSoft)
			}
		})
	})
}

// showNotes says what the file had and the picture has not.
func (c *cropSheet) showNotes() {
	var lines []string
	size := c.photo.Picture.Rect.Size()
	for _, n := range c.photo.Notes {
		lines = append(lines, sentence(errors.New(n)))
	}
	if min(size.X, size.Y) < c.w.info.Width {
		lines = append(lines, words.T("crop.enlarged", size.X, size.Y, c.w.info.Width))
	}
	c.notes.SetText(strings.Join(lines, " "))
}

// fixedWide gives its one object a width.
type fixedWide struct{ width float32 }

func (f *fixedWide) MinSize(os []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(f.width, os[0].MinSize().Height)
}

func (f *fixedWide) Layout(os []fyne.CanvasObject, z fyne.Size) { os[0].Resize(z) }
