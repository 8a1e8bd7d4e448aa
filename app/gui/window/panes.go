package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

// paneView is one of the two views with its heading.
type paneView struct {
	name *control.Caption
	note *control.Caption
	body fyne.CanvasObject
	head fyne.CanvasObject
}

func newPaneView(name string, body fyne.CanvasObject) *paneView {
	v := &paneView{name: small(name), note: small(""), body: body}
	v.name.Least, v.note.Least = 40, 30
	v.note.Right = true
	v.note.Hue = look.TextFaint
	v.head = control.NewPanel(look.SurfaceLow, "", container.New(&headLayout{}, v.name, v.note))
	return v
}

// headLayout puts a name at the left and a note at the right, the note giving way.
type headLayout struct{}

func (headLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(60, paneHead) }
func (headLayout) Layout(os []fyne.CanvasObject, z fyne.Size) {
	n := min(os[0].MinSize().Width, z.Width-20)
	os[0].Resize(fyne.NewSize(n, z.Height))
	os[0].Move(fyne.NewPos(10, 0))
	w := max(0, z.Width-n-36)
	os[1].Resize(fyne.NewSize(w, z.Height))
	os[1].Move(fyne.NewPos(z.Width-w-10, 0))
}

// panes shows the picture and the mask: beside each other, or only one.
type panes struct {
	picture, mask *paneView
	layout        *panesLayout
	object        *fyne.Container
}

func newPanes(picture, mask fyne.CanvasObject) *panes {
	p := &panes{layout: &panesLayout{share: 0.5}}
	p.picture = newPaneView(words.T("pane.picture"), picture)
	p.mask = newPaneView(words.T("pane.mask"), mask)
	// Nothing lies below the panes: they fill their place, and a surface behind
	// them would cost as much to draw as the pictures.
	back := control.NewPanel(look.SurfaceLow, "", container.NewWithoutLayout())
	line := control.NewHandle(true, func(d float32) {
		w := p.object.Size().Width
		if w > 0 {
			p.layout.share = min(0.85, max(0.15, p.layout.share+d/w))
			p.object.Refresh()
		}
	}, nil)
	p.object = container.New(p.layout, back, p.picture.head, p.picture.body, p.mask.head, p.mask.body, line)
	return p
}

// arrange shows both panes or one of them; swapped puts the mask first.
func (p *panes) arrange(two, swapped bool) {
	p.layout.two, p.layout.swapped = two, swapped
	p.object.Refresh()
}

type panesLayout struct {
	two, swapped bool
	share        float32
}

func (*panesLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(200, 160) }

func (l *panesLayout) Layout(os []fyne.CanvasObject, z fyne.Size) {
	back := os[0]
	first, second := os[1:3], os[3:5]
	if l.swapped {
		first, second = second, first
	}
	put := func(v []fyne.CanvasObject, x, w float32) {
		v[0].Show()
		v[1].Show()
		v[0].Move(fyne.NewPos(x, 0))
		v[0].Resize(fyne.NewSize(w, paneHead))
		v[1].Move(fyne.NewPos(x, paneHead))
		v[1].Resize(fyne.NewSize(w, z.Height-paneHead))
	}
	line := os[5]
	if !l.two {
		second[0].Hide()
		second[1].Hide()
		line.Hide()
		back.Hide()
		put(first, 0, z.Width)
		return
	}
	w := float32(int((z.Width - 6) * l.share))
	put(first, 0, w)
	put(second, w+6, z.Width-w-6)
	line.Show()
	back.Show()
	back.Move(fyne.NewPos(w, 0))
	back.Resize(fyne.NewSize(6, z.Height))
	line.Move(fyne.NewPos(w, 0))
	line.Resize(fyne.NewSize(6, z.Height))
}
