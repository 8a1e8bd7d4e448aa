package control

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Framed shows a picture of a fixed size with round corners, a caption below it, and
// an empty card while there is none.
type Framed struct {
	widget.BaseWidget
	Side    float32
	Text    string
	Hue     fyne.ThemeColorName // of the text
	picture image.Image
}

var _ fyne.Widget = (*Framed)(nil)

// NewFramed returns an empty frame, side wide and high.
func NewFramed(side float32, text string) *Framed {
	f := &Framed{Side: side, Text: text, Hue: look.TextSoft}
	f.ExtendBaseWidget(f)
	return f
}

// SetPicture shows a picture, stretched to the frame; nil empties it.
func (f *Framed) SetPicture(m image.Image) {
	f.picture = m
	f.Refresh()
}

// SetText shows another caption.
func (f *Framed) SetText(text string, hue fyne.ThemeColorName) {
	f.Text, f.Hue = text, hue
	f.Refresh()
}

// Picture returns the picture that is shown.
func (f *Framed) Picture() image.Image { return f.picture }

// CreateRenderer draws the frame.
func (f *Framed) CreateRenderer() fyne.WidgetRenderer {
	back := box(color.Transparent, look.Radius)
	img := picture()
	img.CornerRadius = look.Radius
	text := label("", look.TextCaption, false)
	r := &simple{objects: []fyne.CanvasObject{back, img, text}}
	high := func() float32 {
		if f.Text == "" {
			return 0
		}
		return 20
	}
	r.min = func() fyne.Size { return fyne.NewSize(f.Side, f.Side+high()) }
	r.layout = func(z fyne.Size) {
		x := (z.Width - f.Side) / 2
		for _, o := range []fyne.CanvasObject{back, img} {
			o.Resize(fyne.NewSquareSize(f.Side))
			o.Move(fyne.NewPos(x, 0))
		}
		setText(text, fitText(f.Text, look.TextCaption, false, z.Width))
		m := text.MinSize()
		text.Resize(m)
		text.Move(fyne.NewPos((z.Width-m.Width)/2, f.Side+3))
	}
	r.refresh = func() {
		back.FillColor = look.C(look.SurfaceHigh)
		img.Hidden = f.picture == nil
		if f.picture != nil {
			img.Image = f.picture
		}
		text.Color = look.C(f.Hue)
		text.Hidden = f.Text == ""
		r.layout(f.BaseWidget.Size())
		for _, o := range r.objects {
			canvas.Refresh(o)
		}
	}
	r.refresh()
	return r
}
