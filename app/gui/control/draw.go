package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"

	"latentbrush/app/gui/look"
)

// simple is a renderer made of functions, enough for widgets that place a fixed
// set of objects.
type simple struct {
	objects []fyne.CanvasObject
	layout  func(fyne.Size)
	min     func() fyne.Size
	refresh func()
}

func (r *simple) Destroy()                     {}
func (r *simple) Objects() []fyne.CanvasObject { return r.objects }
func (r *simple) Layout(s fyne.Size)           { r.layout(s) }
func (r *simple) MinSize() fyne.Size           { return r.min() }
func (r *simple) Refresh()                     { r.refresh() }

func box(c color.Color, radius float32) *canvas.Rectangle {
	r := canvas.NewRectangle(c)
	r.CornerRadius = radius
	return r
}

func label(s string, size float32, bold bool) *canvas.Text {
	t := canvas.NewText("", look.C(look.Text))
	t.TextSize = size
	t.TextStyle.Bold = bold
	setText(t, s)
	return t
}

// setText puts a text into t, with a typeface that has its characters.
func setText(t *canvas.Text, s string) {
	t.Text, t.FontSource = s, look.FontOf(s, t.TextStyle.Bold)
}

func textSize(s string, size float32, bold bool) fyne.Size {
	style := fyne.TextStyle{Bold: bold}
	source := look.FontOf(s, bold)
	if source == nil {
		return fyne.MeasureText(s, size, style)
	}
	z, _ := fyne.CurrentApp().Driver().RenderedTextSize(s, size, style, source)
	return z
}

// place puts an object of its own minimum size at x, centred on the height h.
func place(o fyne.CanvasObject, x, h float32) float32 {
	s := o.MinSize()
	o.Resize(s)
	o.Move(fyne.NewPos(x, (h-s.Height)/2))
	return x + s.Width
}

// fitText shortens s with an ellipsis until it is at most width wide.
func fitText(s string, size float32, bold bool, width float32) string {
	if width <= 0 {
		return ""
	}
	if textSize(s, size, bold).Width <= width {
		return s
	}
	r := []rune(s)
	lo, hi := 0, len(r)
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if textSize(string(r[:mid])+"…", size, bold).Width <= width {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	if lo == 0 {
		return ""
	}
	return string(r[:lo]) + "…"
}

// modifiers returns the modifier keys held now; none where the driver cannot
// say, as in tests.
func modifiers() fyne.KeyModifier {
	if heldForTest != 0 {
		return heldForTest
	}
	if a := fyne.CurrentApp(); a != nil {
		if d, ok := a.Driver().(desktop.Driver); ok {
			return d.CurrentKeyModifiers()
		}
	}
	return 0
}

var heldForTest fyne.KeyModifier

func hoverColor() color.Color { return theme.Color(theme.ColorNameHover) }

// setIcon gives an image the named drawing in a theme colour.
func setIcon(img *canvas.Image, name string, c fyne.ThemeColorName) {
	img.Resource = look.Icon(name, look.C(c))
}

func icon(name string, c fyne.ThemeColorName, size float32) *canvas.Image {
	img := canvas.NewImageFromResource(look.Icon(name, look.C(c)))
	img.FillMode = canvas.ImageFillContain
	img.SetMinSize(fyne.NewSquareSize(size))
	return img
}

// picture returns an image object for pixels: scaled by the graphics card.
func picture() *canvas.Image {
	img := &canvas.Image{FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScaleFastest}
	return img
}
