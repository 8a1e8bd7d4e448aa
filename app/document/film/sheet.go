package film

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"latentbrush/assets"
)

// MaxCells is the most pictures of a contact sheet.
const MaxCells = 400

// Sheet is a contact sheet: pictures in rows and columns, named at the edges or one by one.
type Sheet struct {
	Title   string
	Rows    []string // names at the left, none when empty
	Columns []string // names above, none when empty
	Names   []string // of the pictures, below each; none when empty
	Across  int      // pictures in a row
	Side    int      // pixels of a picture's side, 16 to 1024
}

var (
	sheetGround = color.RGBA{0x1b, 0x1c, 0x1f, 0xff}
	sheetText   = color.RGBA{0xd6, 0xd8, 0xdc, 0xff}
)

// Draw lays the pictures out, row by row. A picture of another shape is fitted into its square.
func (s Sheet) Draw(pictures []*image.RGBA) (*image.RGBA, error) {
	switch {
	case s.Across < 1 || len(pictures) < 1 || len(pictures) > MaxCells:
		return nil, fmt.Errorf("film: a contact sheet of %d pictures, %d across; 1 to %d expected", len(pictures), s.Across, MaxCells)
	case s.Side < 16 || s.Side > 1024:
		return nil, fmt.Errorf("film: pictures of %d pixels on a contact sheet, 16 to 1024 expected", s.Side)
	case len(s.Names) > 0 && len(s.Names) != len(pictures):
		return nil, fmt.Errorf("film: %d names for %d pictures", len(s.Names), len(pictures))
	}
	size := max(11, float64(s.Side)/14)
	faces, err := sheetFaces(size)
	if err != nil {
		return nil, err
	}
	line, gap := int(size*1.7), max(3, s.Side/48)
	left, top := gap, gap
	for _, name := range s.Rows {
		left = max(left, faces.width(name)+2*int(size))
	}
	if s.Title != "" {
		top += line + line/3
	}
	title := top - line/3
	if len(s.Columns) > 0 {
		top += line
	}
	step := image.Pt(s.Side+gap, s.Side+gap)
	if len(s.Names) > 0 {
		step.Y += line
	}
	rows := (len(pictures) + s.Across - 1) / s.Across
	sheet := image.NewRGBA(image.Rect(0, 0, left+s.Across*step.X, top+rows*step.Y))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(sheetGround), image.Point{}, draw.Src)
	if s.Title != "" {
		faces.write(sheet, s.Title, gap+int(size/2), title-line/3, sheet.Rect.Max.X-gap)
	}
	for i, name := range s.Columns[:min(len(s.Columns), s.Across)] {
		x := left + i*step.X
		faces.write(sheet, name, x+max(0, (s.Side-faces.width(name))/2), top-line/3, x+s.Side)
	}
	for i, name := range s.Rows[:min(len(s.Rows), rows)] {
		faces.write(sheet, name, int(size), top+i*step.Y+s.Side/2+int(size/3), left)
	}
	for i, m := range pictures {
		at := image.Pt(left+i%s.Across*step.X, top+i/s.Across*step.Y)
		side := max(m.Rect.Dx(), m.Rect.Dy(), 1)
		w, h := m.Rect.Dx()*s.Side/side, m.Rect.Dy()*s.Side/side
		into := image.Rect(0, 0, w, h).Add(at).Add(image.Pt((s.Side-w)/2, (s.Side-h)/2))
		xdraw.CatmullRom.Scale(sheet, into, m, m.Rect, draw.Src, nil)
		if len(s.Names) > 0 {
			name := s.Names[i]
			faces.write(sheet, name, at.X+max(0, (s.Side-faces.width(name))/2), at.Y+s.Side+line*2/3, at.X+s.Side)
		}
	}
	return sheet, nil
}

// lettering writes with the first typeface that has a letter.
type lettering []font.Face

func sheetFaces(size float64) (lettering, error) {
	var out lettering
	for _, name := range []string{"Inter-Regular", "MPlus1-Regular"} {
		data, err := assets.Fonts.ReadFile("fonts/" + name + ".otf")
		if err != nil {
			return nil, fmt.Errorf("film: %w", err)
		}
		f, err := opentype.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("film: typeface %s: %w", name, err)
		}
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72})
		if err != nil {
			return nil, fmt.Errorf("film: typeface %s: %w", name, err)
		}
		out = append(out, face)
	}
	return out, nil
}

// of is the typeface for a letter, and how far the letter moves on.
func (l lettering) of(r rune) (font.Face, fixed.Int26_6) {
	for _, face := range l {
		if a, ok := face.GlyphAdvance(r); ok && a > 0 {
			return face, a
		}
	}
	a, _ := l[0].GlyphAdvance('?')
	return l[0], a
}

func (l lettering) width(text string) int {
	var w fixed.Int26_6
	for _, r := range text {
		_, a := l.of(r)
		w += a
	}
	return w.Ceil()
}

// write puts a text on its base line, up to a right end.
func (l lettering) write(m *image.RGBA, text string, x, y, end int) {
	at := fixed.P(x, y)
	for _, r := range text {
		face, a := l.of(r)
		if (at.X + a).Ceil() > end {
			return
		}
		d := font.Drawer{Dst: m, Src: image.NewUniform(sheetText), Face: face, Dot: at}
		d.DrawString(string(r))
		at.X += a
	}
}
