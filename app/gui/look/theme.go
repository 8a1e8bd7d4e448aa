package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"latentbrush/assets"
)

// Grid is the spacing unit; every margin and gap is a multiple of it.
const Grid float32 = 4

// Text sizes in units.
const (
	TextBody    float32 = 12.5
	TextCaption float32 = 11
	TextHeading float32 = 10.5
	TextTitle   float32 = 17
)

// Radius is the corner radius of buttons, rows and thumbnails.
const Radius float32 = 5

// Colour names of the window's own surfaces, beside those of Fyne.
const (
	Surface     fyne.ThemeColorName = "lbSurface"     // docks and bars
	SurfaceLow  fyne.ThemeColorName = "lbSurfaceLow"  // behind the picture
	SurfaceHigh fyne.ThemeColorName = "lbSurfaceHigh" // cards, buttons
	Line        fyne.ThemeColorName = "lbLine"
	Text        fyne.ThemeColorName = "lbText"
	TextSoft    fyne.ThemeColorName = "lbTextSoft"
	TextFaint   fyne.ThemeColorName = "lbTextFaint"
	Accent      fyne.ThemeColorName = "lbAccent"
	AccentSoft  fyne.ThemeColorName = "lbAccentSoft" // selected rows
	OnAccent    fyne.ThemeColorName = "lbOnAccent"
	Good        fyne.ThemeColorName = "lbGood"
	Warn        fyne.ThemeColorName = "lbWarn"
	Bad         fyne.ThemeColorName = "lbBad"
	Unsafe      fyne.ThemeColorName = "lbUnsafe" // a strength outside the safe range
	Track       fyne.ThemeColorName = "lbTrack"  // the empty part of a slider
	Knob        fyne.ThemeColorName = "lbKnob"
	Veil        fyne.ThemeColorName = "lbVeil"
)

type palette map[fyne.ThemeColorName]color.NRGBA

func hex(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
}

func hexA(v uint32, a uint8) color.NRGBA {
	c := hex(v)
	c.A = a
	return c
}

var dark = palette{
	Surface:     hex(0x222326),
	SurfaceLow:  hex(0x18191b),
	SurfaceHigh: hex(0x303237),
	Line:        hex(0x34363b),
	Text:        hex(0xe8e9ec),
	TextSoft:    hex(0xa3a7ae),
	TextFaint:   hex(0x757980),
	Accent:      hex(0x4d9dff),
	AccentSoft:  hex(0x2b4a70),
	OnAccent:    hex(0xffffff),
	Good:        hex(0x56c785),
	Warn:        hex(0xe8b04a),
	Bad:         hex(0xf0686a),
	Unsafe:      hex(0x8a4a3c),
	Track:       hex(0x45484e),
	Knob:        hex(0xf4f5f7),
	Veil:        hexA(0x0c0d0e, 170),

	theme.ColorNameBackground:          hex(0x222326),
	theme.ColorNameButton:              hex(0x303237),
	theme.ColorNameDisabledButton:      hex(0x292b2f),
	theme.ColorNameDisabled:            hex(0x6a6e75),
	theme.ColorNameError:               hex(0xf0686a),
	theme.ColorNameFocus:               hexA(0x4d9dff, 90),
	theme.ColorNameForeground:          hex(0xe8e9ec),
	theme.ColorNameForegroundOnPrimary: hex(0xffffff),
	theme.ColorNameHeaderBackground:    hex(0x2a2c30),
	theme.ColorNameHover:               hexA(0xffffff, 16),
	theme.ColorNameHyperlink:           hex(0x6eb0ff),
	theme.ColorNameInputBackground:     hex(0x1a1b1d),
	theme.ColorNameInputBorder:         hex(0x3c3f45),
	theme.ColorNameMenuBackground:      hex(0x2a2c30),
	theme.ColorNameOverlayBackground:   hex(0x26282b),
	theme.ColorNamePlaceHolder:         hex(0x7c8087),
	theme.ColorNamePressed:             hexA(0xffffff, 30),
	theme.ColorNamePrimary:             hex(0x4d9dff),
	theme.ColorNameScrollBar:           hexA(0xffffff, 60),
	theme.ColorNameScrollBarBackground: hexA(0, 0),
	theme.ColorNameSelection:           hexA(0x4d9dff, 70),
	theme.ColorNameSeparator:           hex(0x34363b),
	theme.ColorNameShadow:              hexA(0, 96),
	theme.ColorNameSuccess:             hex(0x56c785),
	theme.ColorNameWarning:             hex(0xe8b04a),
}

var light = palette{
	Surface:     hex(0xf1f2f4),
	SurfaceLow:  hex(0xcfd1d5),
	SurfaceHigh: hex(0xe2e4e8),
	Line:        hex(0xd5d7dc),
	Text:        hex(0x1f2226),
	TextSoft:    hex(0x585d65),
	TextFaint:   hex(0x7b8088),
	Accent:      hex(0x1f6fe0),
	AccentSoft:  hex(0xc9defb),
	OnAccent:    hex(0xffffff),
	Good:        hex(0x1d8a4e),
	Warn:        hex(0xb0720a),
	Bad:         hex(0xc93a3c),
	Unsafe:      hex(0xe0a596),
	Track:       hex(0xc3c6cc),
	Knob:        hex(0x3d434b),
	Veil:        hexA(0x2a2c30, 130),

	theme.ColorNameBackground:          hex(0xf1f2f4),
	theme.ColorNameButton:              hex(0xe2e4e8),
	theme.ColorNameDisabledButton:      hex(0xeaebee),
	theme.ColorNameDisabled:            hex(0xa4a8af),
	theme.ColorNameError:               hex(0xc93a3c),
	theme.ColorNameFocus:               hexA(0x1f6fe0, 70),
	theme.ColorNameForeground:          hex(0x1f2226),
	theme.ColorNameForegroundOnPrimary: hex(0xffffff),
	theme.ColorNameHeaderBackground:    hex(0xe7e9ec),
	theme.ColorNameHover:               hexA(0, 14),
	theme.ColorNameHyperlink:           hex(0x1f6fe0),
	theme.ColorNameInputBackground:     hex(0xffffff),
	theme.ColorNameInputBorder:         hex(0xc8cbd1),
	theme.ColorNameMenuBackground:      hex(0xfafafb),
	theme.ColorNameOverlayBackground:   hex(0xf7f8f9),
	theme.ColorNamePlaceHolder:         hex(0x868b93),
	theme.ColorNamePressed:             hexA(0, 28),
	theme.ColorNamePrimary:             hex(0x1f6fe0),
	theme.ColorNameScrollBar:           hexA(0, 70),
	theme.ColorNameScrollBarBackground: hexA(0, 0),
	theme.ColorNameSelection:           hexA(0x1f6fe0, 60),
	theme.ColorNameSeparator:           hex(0xd5d7dc),
	theme.ColorNameShadow:              hexA(0, 50),
	theme.ColorNameSuccess:             hex(0x1d8a4e),
	theme.ColorNameWarning:             hex(0xb0720a),
}

// Variant says which of the two palettes is used.
type Variant string

// The variants: System follows the desktop's setting.
const (
	System Variant = "system"
	Dark   Variant = "dark"
	Light  Variant = "light"
)

// Theme is the window's fyne.Theme.
type Theme struct {
	variant  Variant
	regular  fyne.Resource
	semibold fyne.Resource
}

var _ fyne.Theme = (*Theme)(nil)

// New returns the theme in the given variant with the typeface of lang ("ja" has
// its own; every other language uses the Latin one).
func New(v Variant, lang string) *Theme {
	t := &Theme{variant: v, regular: font("Inter-Regular"), semibold: font("Inter-SemiBold")}
	if lang == "ja" {
		t.regular, t.semibold = font("MPlus1-Regular"), font("MPlus1-Medium")
	}
	return t
}

var fonts = map[string]fyne.Resource{}

// font returns an embedded typeface. Resources are kept because Fyne compares
// them by identity.
func font(name string) fyne.Resource {
	if r, ok := fonts[name]; ok {
		return r
	}
	data, err := assets.Fonts.ReadFile("fonts/" + name + ".otf")
	if err != nil {
		return theme.DefaultTextFont()
	}
	r := fyne.NewStaticResource(name+".otf", data)
	fonts[name] = r
	return r
}

// Color returns the named colour, in the theme's own variant unless it follows
// the system.
func (t *Theme) Color(name fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	p := dark
	if t.variant == Light || (t.variant == System && v == theme.VariantLight) {
		p = light
	}
	if c, ok := p[name]; ok {
		return c
	}
	switch t.variant {
	case Dark:
		v = theme.VariantDark
	case Light:
		v = theme.VariantLight
	}
	return theme.DefaultTheme().Color(name, v)
}

// Font returns the typeface for a style.
func (t *Theme) Font(s fyne.TextStyle) fyne.Resource {
	switch {
	case s.Monospace, s.Symbol:
		return theme.DefaultTheme().Font(s)
	case s.Bold:
		return t.semibold
	}
	return t.regular
}

// FontOf returns the typeface for a text that the theme's own cannot show, as a Japanese file name in an English
// window; nil where the theme's will do.
func FontOf(text string, bold bool) fyne.Resource {
	for _, r := range text {
		if r >= 0x2e80 && r <= 0xffef {
			if bold {
				return font("MPlus1-Medium")
			}
			return font("MPlus1-Regular")
		}
	}
	return nil
}

// Icon returns Fyne's own icons, which its dialogs use.
func (t *Theme) Icon(n fyne.ThemeIconName) fyne.Resource { return theme.DefaultTheme().Icon(n) }

// Size returns a size on the grid.
func (t *Theme) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case theme.SizeNameText:
		return TextBody
	case theme.SizeNameCaptionText:
		return TextCaption
	case theme.SizeNameHeadingText:
		return 20
	case theme.SizeNameSubHeadingText:
		return TextTitle
	case theme.SizeNamePadding:
		return Grid
	case theme.SizeNameInnerPadding:
		return 6
	case theme.SizeNameLineSpacing:
		return Grid
	case theme.SizeNameInlineIcon:
		return 17
	case theme.SizeNameScrollBar:
		return 9
	case theme.SizeNameScrollBarSmall:
		return 4
	case theme.SizeNameSeparatorThickness:
		return 1
	case theme.SizeNameInputBorder:
		return 1
	case theme.SizeNameInputRadius, theme.SizeNameSelectionRadius:
		return Radius
	case theme.SizeNameScrollBarRadius:
		return 4
	}
	return theme.DefaultTheme().Size(n)
}

// C returns a colour of the current theme by name.
func C(name fyne.ThemeColorName) color.Color { return theme.Color(name) }
