package maskops

import (
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"
)

var names = Names{"back": 0, "a": 1, "b": 2, "c": 3}

// drawn makes a label map from rows of digits.
func drawn(rows ...string) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, len(rows[0]), len(rows)), color.Palette{color.Black, color.White, color.Gray{9}, color.Gray{99}})
	for y, row := range rows {
		for x, c := range row {
			m.Pix[y*m.Stride+x] = uint8(c - '0')
		}
	}
	return m
}

func text(m *image.Paletted) string {
	var s strings.Builder
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			s.WriteByte('0' + m.Pix[y*m.Stride+x])
		}
		s.WriteByte('\n')
	}
	return s.String()
}

func TestOperations(t *testing.T) {
	square := drawn(
		"00000000",
		"00000000",
		"00110000",
		"00110000",
		"22222222",
		"22222222",
		"22222222",
		"22222222")
	for _, c := range []struct{ script, want string }{
		{"move:a:0.25,0", "00000000 00000000 00001100 00001100 22222222 22222222 22222222 22222222"},
		{"raise:a:0.125", "00000000 00110000 00110000 00000000 22222222 22222222 22222222 22222222"},
		{"scale:a:2", "00000000 01111000 01111000 01111000 21111222 22222222 22222222 22222222"},
		{"scale:a:2:over=back", "00000000 01111000 01111000 01111000 22222222 22222222 22222222 22222222"},
		{"scale:a:1,2:anchor=bottom", "00110000 00110000 00110000 00110000 22222222 22222222 22222222 22222222"},
		{"rotate:a:90", ""},
		{"grow:a:0.125:over=back", "00000000 00110000 01111000 01111000 22222222 22222222 22222222 22222222"},
		{"shrink:b:0.125", "00000000 00000000 00110000 00110000 00110000 22222222 22222222 22222222"},
		{"thicken:a:0.25", "00000000 00110000 00110000 00110000 22112222 22222222 22222222 22222222"},
		{"extend:a:0.25,0", "00000000 00000000 00111100 00111100 22222222 22222222 22222222 22222222"},
		{"fill:a:c", "00000000 00000000 00330000 00330000 22222222 22222222 22222222 22222222"},
		{"fill:a:near", "00000000 00000000 00000000 00000000 22222222 22222222 22222222 22222222"},
		{"band:b:top,0.25,c", "00000000 00000000 00110000 00110000 33333333 33333333 22222222 22222222"},
		{"band:b:left,0.125,c", "00000000 00000000 00110000 00110000 32222222 32222222 32222222 32222222"},
		{"fill:a:back;band:b:bottom,0.125,a", "00000000 00000000 00000000 00000000 22222222 22222222 22222222 11111111"},
	} {
		s, err := Parse(c.script, names)
		if err != nil {
			t.Fatal(err)
		}
		painted, region, err := s.Apply(square, nil)
		if c.want == "" {
			if !errors.Is(err, ErrNothing) {
				t.Errorf("%s: error %v, want ErrNothing: a square turned by 90° is the same", c.script, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.script, err)
			continue
		}
		if want := strings.ReplaceAll(c.want, " ", "\n") + "\n"; text(painted) != want {
			t.Errorf("%s: got\n%swant\n%s", c.script, text(painted), want)
		}
		for i, v := range painted.Pix {
			if v != square.Pix[i] && region.Pix[i] == 0 {
				t.Errorf("%s: pixel %d changed outside the region", c.script, i)
			}
		}
	}
}

func TestCopyFitsTheWidth(t *testing.T) {
	s, err := Parse("copy:a", names)
	if err != nil {
		t.Fatal(err)
	}
	reference := drawn("0000", "0100", "1100", "0000")
	painted, _, err := s.Apply(drawn("00000000", "00000000", "00111100", "00111100", "00111100", "00111100", "00000000", "00000000"), reference)
	if err != nil {
		t.Fatal(err)
	}
	if want := "00000000\n00000000\n00001100\n00001100\n00111100\n00111100\n00000000\n00000000\n"; text(painted) != want {
		t.Errorf("got\n%swant\n%s", text(painted), want)
	}
	if _, _, err := s.Apply(reference, nil); err == nil {
		t.Error("a copy without a reference was done")
	}
}

func TestRotationTurnsClockwise(t *testing.T) {
	s, err := Parse("rotate:a:90", names)
	if err != nil {
		t.Fatal(err)
	}
	painted, _, err := s.Apply(drawn("0000", "0000", "1112", "0000"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "0000\n0100\n0102\n0100\n"; text(painted) != want {
		t.Errorf("got\n%swant\n%s", text(painted), want)
	}
}

func TestParseErrors(t *testing.T) {
	for script, want := range map[string]string{
		"":                        "empty",
		"scale":                   "no parts",
		"scale:a":                 "no amount",
		"scale:x:2":               `no class "x"`,
		"scale:a,a:2":             "twice",
		"scale:a:x":               "not a number",
		"scale:a:NaN":             "not a number",
		"scale:a:20":              "out of range",
		"move:a:1":                "items",
		"twist:a:1":               "no operation",
		"band:a:up,0.1,b":         "not a side",
		"scale:a:2:anchor=middle": "not a side",
		"scale:a:2:weight=3":      "no option",
		"scale:a:2:3:4":           "fields",
		strings.Repeat("fill:a:b;", MaxOperations+1): "operations",
		strings.Repeat(" ", MaxText+1):               "bytes",
	} {
		if _, err := Parse(script, names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q in it", script, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"scale:a+b,c:1.25", "move:a:+0.03,0:over=b,c", "band:a:top,0.1,b;fill:c:near", "copy:a:2", "rotate:a:-20:anchor=left"} {
		f.Add(s)
	}
	labels := drawn("000000", "011100", "012300", "012300", "011100", "000000")
	f.Fuzz(func(t *testing.T, s string) {
		script, err := Parse(s, names)
		if err != nil {
			return
		}
		painted, region, err := script.Apply(labels, labels)
		if errors.Is(err, ErrNothing) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range painted.Pix {
			if v > 3 {
				t.Fatalf("class %d was made up", v)
			}
			if v != labels.Pix[i] && region.Pix[i] == 0 {
				t.Fatal("a pixel changed outside the region")
			}
		}
	})
}
