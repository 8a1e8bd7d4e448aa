package look_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"image/color"
	"io"
	"io/fs"
	"math"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"github.com/go-text/typesetting/font"

	"latentbrush/app/gui/look"
	"latentbrush/assets"
)

// TestFontsHaveEveryCharacter reads the typefaces and looks for every character
// that the catalogues use.
func TestFontsHaveEveryCharacter(t *testing.T) {
	for lang, names := range map[string][]string{"en": {"Inter-Regular", "Inter-SemiBold"}, "ja": {"MPlus1-Regular", "MPlus1-Medium"}} {
		data, err := assets.Lang.ReadFile("lang/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(data, &texts); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			file, err := assets.Fonts.ReadFile("fonts/" + name + ".otf")
			if err != nil {
				t.Fatal(err)
			}
			face, err := font.ParseTTF(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			for key, s := range texts {
				if strings.HasPrefix(key, "language.") {
					continue // each language is named in itself
				}
				for _, r := range s {
					if _, ok := face.NominalGlyph(r); !ok {
						t.Errorf("%s has no %q, which %s uses", name, r, key)
					}
				}
			}
		}
	}
}

// TestIconsAreWellFormed parses every drawing and wants it on the 24 grid and in
// currentColor.
func TestIconsAreWellFormed(t *testing.T) {
	names, err := fs.Glob(assets.Icons, "icons/*.svg")
	if err != nil || len(names) < 60 {
		t.Fatalf("%d icons, %v", len(names), err)
	}
	for _, n := range names {
		data, err := assets.Icons.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(data))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v", n, err)
				break
			}
		}
		if s := string(data); !strings.Contains(s, `viewBox="0 0 24 24"`) || !strings.Contains(s, "currentColor") {
			t.Errorf("%s is not a 24 × 24 drawing in currentColor", n)
		}
		res := look.Icon(strings.TrimSuffix(strings.TrimPrefix(n, "icons/"), ".svg"), color.RGBA{1, 2, 3, 255})
		if strings.Contains(string(res.Content()), "currentColor") {
			t.Errorf("%s keeps currentColor", n)
		}
	}
}

// TestContrast wants text to be readable on every surface: 4.5 for text and 3 for
// the faint one (WCAG 2.1, success criteria 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	for _, v := range []look.Variant{look.Dark, look.Light} {
		th := look.New(v, "en")
		c := func(n fyne.ThemeColorName) color.Color { return th.Color(n, theme.VariantDark) }
		for _, back := range []fyne.ThemeColorName{look.Surface, look.SurfaceHigh, look.SurfaceLow, look.AccentSoft} {
			for text, least := range map[fyne.ThemeColorName]float64{look.Text: 4.5, look.TextSoft: 3, look.TextFaint: 2} {
				if got := contrast(c(text), c(back)); got < least {
					t.Errorf("%s: %s on %s has contrast %.2f, want %v", v, text, back, got, least)
				}
			}
		}
		if got := contrast(c(look.OnAccent), c(look.Accent)); got < 2.7 {
			t.Errorf("%s: text on the accent has contrast %.2f", v, got)
		}
	}
}

// contrast is the ratio of relative luminances of WCAG 2.1.
func contrast(a, b color.Color) float64 {
	lum := func(c color.Color) float64 {
		r, g, b, _ := c.RGBA()
		lin := func(v uint32) float64 {
			x := float64(v) / 0xffff
			if x <= 0.04045 {
				return x / 12.92
			}
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return 0.2126*lin(r) + 0.7152*lin(g) + 0.0722*lin(b)
	}
	x, y := lum(a), lum(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}
