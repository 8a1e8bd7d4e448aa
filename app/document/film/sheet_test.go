package film_test

import (
	"image"
	"image/color"
	"image/draw"
	"testing"

	"latentbrush/app/document/film"
)

// TestSheetPlaces finds every picture where its row and column say, and letters only outside the pictures.
func TestSheetPlaces(t *testing.T) {
	const across, down, side = 3, 2, 64
	var pictures []*image.RGBA
	for i := range across * down {
		m := image.NewRGBA(image.Rect(0, 0, 32, 32))
		draw.Draw(m, m.Rect, image.NewUniform(color.RGBA{uint8(200 + i), 0, 0, 255}), image.Point{}, draw.Src)
		pictures = append(pictures, m)
	}
	s := film.Sheet{Title: "Smile + 笑顔", Rows: []string{"seed 1", "seed 2"}, Columns: []string{"−1", "0", "+1"}, Across: across, Side: side}
	m, err := s.Draw(pictures)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[uint8]int{}
	at := map[uint8]image.Point{}
	letters := 0
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			c := m.RGBAAt(x, y)
			if c.G == 0 && c.R >= 200 {
				if counts[c.R]++; counts[c.R] == 1 {
					at[c.R] = image.Pt(x, y)
				}
			} else if c.R > 100 {
				letters++
			}
		}
	}
	for i := range pictures {
		k := uint8(200 + i)
		if counts[k] != side*side {
			t.Errorf("picture %d has %d pixels, %d expected", i, counts[k], side*side)
		}
		if i%across > 0 && (at[k].Y != at[k-1].Y || at[k].X <= at[k-1].X) {
			t.Errorf("picture %d is at %v, the one before at %v", i, at[k], at[k-1])
		}
		if i >= across && (at[k].X != at[k-across].X || at[k].Y <= at[k-across].Y) {
			t.Errorf("picture %d is at %v, the one above at %v", i, at[k], at[k-across])
		}
	}
	if letters < 200 {
		t.Errorf("%d bright pixels of letters", letters)
	}
	plain, err := film.Sheet{Across: across, Side: side}.Draw(pictures)
	if err != nil {
		t.Fatal(err)
	}
	if plain.Rect.Dx() >= m.Rect.Dx() || plain.Rect.Dy() >= m.Rect.Dy() {
		t.Errorf("without names %v, with names %v", plain.Rect, m.Rect)
	}
}

func TestSheetRefuses(t *testing.T) {
	one := []*image.RGBA{image.NewRGBA(image.Rect(0, 0, 4, 4))}
	for name, try := range map[string]func() error{
		"nothing":       func() error { _, err := film.Sheet{Across: 1, Side: 64}.Draw(nil); return err },
		"none across":   func() error { _, err := film.Sheet{Side: 64}.Draw(one); return err },
		"huge pictures": func() error { _, err := film.Sheet{Across: 1, Side: 5000}.Draw(one); return err },
		"too many names": func() error {
			_, err := film.Sheet{Across: 1, Side: 64, Names: []string{"a", "b"}}.Draw(one)
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
