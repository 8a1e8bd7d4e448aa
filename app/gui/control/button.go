package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/look"
)

// Style is how a Button looks at rest.
type Style int

const (
	// Flat shows nothing but its content until the pointer is over it.
	Flat Style = iota
	// Filled has a background.
	Filled
	// Primary is filled with the accent; at most one is seen at a time.
	Primary
	// Pill has a thin outline and round ends.
	Pill
)

// Button is a flat button with an optional icon, colour swatch, text and a second
// text in another colour. Fields may be changed at any time, followed by Refresh.
type Button struct {
	widget.BaseWidget

	Icon      string // name of a drawing
	Text      string
	Suffix    string // shown after Text
	SuffixHue fyne.ThemeColorName
	Swatch    color.Color
	Name      string // accessible name and tip; Text when empty
	Key       string // shown in the tip after the name
	Style     Style
	Active    bool // a switch that is on, a tool in use
	Disabled  bool
	IconSize  float32
	Least     fyne.Size // least size, 0 for what the content needs
	OnTap     func()
	OnMenu    func(fyne.Position) // secondary click, absolute position
	OnHover   func(bool)          // the pointer came or went; a row keeps its own hover look with it

	hover, down bool
}

var (
	_ fyne.Widget            = (*Button)(nil)
	_ fyne.Tappable          = (*Button)(nil)
	_ fyne.SecondaryTappable = (*Button)(nil)
	_ desktop.Hoverable      = (*Button)(nil)
	_ desktop.Mouseable      = (*Button)(nil)
	_ fyne.Accessible        = (*Button)(nil)
)

// NewButton returns a button of the given style.
func NewButton(style Style, iconName, text string, onTap func()) *Button {
	b := &Button{Style: style, Icon: iconName, Text: text, OnTap: onTap, SuffixHue: look.Accent}
	b.ExtendBaseWidget(b)
	return b
}

// NewToolButton returns a square button that shows only its icon; name is its
// accessible name and tip.
func NewToolButton(iconName, name, key string, onTap func()) *Button {
	b := NewButton(Flat, iconName, "", onTap)
	b.Name, b.Key, b.IconSize, b.Least = name, key, 20, fyne.NewSquareSize(34)
	return b
}

// NewSmallButton returns a small square icon button for rows and headings.
func NewSmallButton(iconName, name string, onTap func()) *Button {
	b := NewButton(Flat, iconName, "", onTap)
	b.Name, b.IconSize, b.Least = name, 15, fyne.NewSquareSize(22)
	return b
}

// AccessibilityLabel returns the button's name.
func (b *Button) AccessibilityLabel() string {
	if b.Name != "" {
		return b.Name
	}
	if b.Suffix != "" {
		return b.Text + " " + b.Suffix
	}
	return b.Text
}

// AccessibilityRole returns that it is a button.
func (b *Button) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped runs OnTap.
func (b *Button) Tapped(*fyne.PointEvent) {
	HideTip()
	if !b.Disabled && b.OnTap != nil {
		b.OnTap()
	}
}

// TappedSecondary runs OnMenu.
func (b *Button) TappedSecondary(e *fyne.PointEvent) {
	HideTip()
	if !b.Disabled && b.OnMenu != nil {
		b.OnMenu(e.AbsolutePosition)
	}
}

// MouseIn, MouseMoved and MouseOut follow the pointer.
func (b *Button) MouseIn(*desktop.MouseEvent) {
	b.hover = true
	if b.OnHover != nil {
		b.OnHover(true)
	}
	if b.Name != "" {
		ShowTip(b, b.Name, b.Key)
	}
	b.Refresh()
}

// MouseMoved does nothing.
func (b *Button) MouseMoved(*desktop.MouseEvent) {}

// MouseOut ends the hover look.
func (b *Button) MouseOut() {
	b.hover, b.down = false, false
	HideTip()
	b.Refresh()
	if b.OnHover != nil {
		b.OnHover(false)
	}
}

// MouseDown shows the pressed look.
func (b *Button) MouseDown(*desktop.MouseEvent) {
	b.down = true
	b.Refresh()
}

// MouseUp ends the pressed look.
func (b *Button) MouseUp(*desktop.MouseEvent) {
	b.down = false
	b.Refresh()
}

// CreateRenderer draws the button.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	bg, over := box(color.Transparent, look.Radius), box(color.Transparent, look.Radius)
	swatch := box(color.Transparent, 3)
	img := canvas.NewImageFromResource(nil)
	img.FillMode = canvas.ImageFillContain
	text, suffix := label("", look.TextBody, false), label("", look.TextBody, true)
	iconSize := func() float32 {
		if b.IconSize > 0 {
			return b.IconSize
		}
		return 16
	}
	pad := func() float32 {
		if b.Text == "" {
			return 3
		}
		return 10
	}
	r := &simple{objects: []fyne.CanvasObject{bg, over, swatch, img, text, suffix}}
	content := func() (w, h float32) {
		gap := float32(6)
		if b.Swatch != nil {
			w += 12 + gap
		}
		if b.Icon != "" {
			w += iconSize() + gap
			h = iconSize()
		}
		if b.Text != "" {
			s := textSize(b.Text, look.TextBody, b.Style == Primary)
			w += s.Width + gap
			h = max(h, s.Height)
		}
		if b.Suffix != "" {
			w += textSize(b.Suffix, look.TextBody, true).Width + gap
		}
		return w - gap, h
	}
	r.min = func() fyne.Size {
		w, h := content()
		high := float32(26)
		if b.Style == Primary || b.Style == Filled {
			high = 30
		}
		if b.Text == "" {
			high = h + 2*pad()
		}
		s := fyne.NewSize(w+2*pad(), max(h, high))
		return s.Max(b.Least)
	}
	r.layout = func(s fyne.Size) {
		bg.Resize(s)
		over.Resize(s)
		w, _ := content()
		x := (s.Width - w) / 2
		if b.Swatch != nil {
			swatch.Resize(fyne.NewSquareSize(12))
			swatch.Move(fyne.NewPos(x, (s.Height-12)/2))
			x += 18
		}
		if b.Icon != "" {
			n := iconSize()
			img.Resize(fyne.NewSquareSize(n))
			img.Move(fyne.NewPos(x, (s.Height-n)/2))
			x += n + 6
		}
		if b.Text != "" {
			x = place(text, x, s.Height) + 6
		}
		if b.Suffix != "" {
			place(suffix, x, s.Height)
		}
	}
	r.refresh = func() {
		fore, back := look.Text, fyne.ThemeColorName("")
		switch {
		case b.Style == Primary:
			fore, back = look.OnAccent, look.Accent
		case b.Active && b.Style == Flat:
			back = look.AccentSoft
		case b.Style == Filled:
			back = look.SurfaceHigh
		}
		if b.Style == Flat && b.Text == "" && !b.Active && !b.hover {
			fore = look.TextSoft
		}
		if b.Disabled {
			fore = look.TextFaint
			if b.Style == Primary {
				back = look.SurfaceHigh
			}
		}
		bg.FillColor = color.Transparent
		if back != "" {
			bg.FillColor = look.C(back)
		}
		bg.StrokeWidth = 0
		radius := look.Radius
		if b.Style == Pill {
			radius = 13
			bg.StrokeWidth, bg.StrokeColor = 1, look.C(look.Line)
			if b.Active {
				bg.FillColor = look.C(look.AccentSoft)
			}
		}
		bg.CornerRadius, over.CornerRadius = radius, radius
		over.FillColor = color.Transparent
		if b.hover && !b.Disabled {
			over.FillColor = hoverColor()
			if b.down {
				over.FillColor = theme.Color(theme.ColorNamePressed)
			}
		}
		img.Hidden, text.Hidden, suffix.Hidden, swatch.Hidden = b.Icon == "", b.Text == "", b.Suffix == "", b.Swatch == nil
		if b.Icon != "" {
			setIcon(img, b.Icon, fore)
		}
		if b.Swatch != nil {
			swatch.FillColor = b.Swatch
			swatch.StrokeWidth, swatch.StrokeColor = 1, look.C(look.Line)
		}
		text.Color, text.TextStyle.Bold = look.C(fore), b.Style == Primary
		setText(text, b.Text)
		suffix.Color = look.C(b.SuffixHue)
		setText(suffix, b.Suffix)
		if b.Disabled {
			suffix.Color = look.C(look.TextFaint)
		}
		r.layout(b.BaseWidget.Size())
		for _, o := range r.objects {
			o.Refresh()
		}
	}
	r.refresh()
	return r
}
