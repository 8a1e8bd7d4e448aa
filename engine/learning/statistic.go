package learning

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"

	"latentbrush/canvas/maskops"
)

// Statistic is a number that labels have. Its text is a sum of terms, each a function
// of classes, a number, or products and quotients of such:
//
//	area(mouth_in,teeth)
//	x(iris_l,pupil_l) - x(eye_l,iris_l,pupil_l)
//	height(nose) / width(nose)
//
// The functions look at the pixels of any of the classes: area is their share of the
// picture, x and y the middle of gravity, left, right, top and bottom the sides of their
// bounding box, width and height its size, and corners the mean height y of the outer fifth
// on the left and on the right, such as the corners of the mouth. Lengths are shares of
// the picture's width or height, from the upper left corner.
type Statistic struct {
	text    string
	terms   []term
	classes []uint8
}

// term is a product of factors.
type term []factor

// factor is a number or a function of classes, with sign or inverted.
type factor struct {
	number   float64
	function string
	classes  [256]bool
	inverse  bool
}

var functions = []string{"area", "x", "y", "left", "right", "top", "bottom", "width", "height", "corners"}

const (
	maxStatistic = 2048
	maxFactors   = 32
)

// ParseStatistic reads the text of a statistic.
func ParseStatistic(text string, names maskops.Names) (Statistic, error) {
	if len(text) > maxStatistic {
		return Statistic{}, fmt.Errorf("learning: the statistic has %d bytes, at most %d expected", len(text), maxStatistic)
	}
	s := Statistic{text: strings.TrimSpace(text)}
	if s.text == "" {
		return Statistic{}, errors.New("learning: the statistic is empty")
	}
	if err := s.parse(names); err != nil {
		return Statistic{}, fmt.Errorf("learning: statistic %q: %w", s.text, err)
	}
	slices.Sort(s.classes)
	s.classes = slices.Compact(s.classes)
	return s, nil
}

func (s *Statistic) parse(names maskops.Names) error {
	rest, sign, count := s.text, 1.0, 0
	if cut, ok := strings.CutPrefix(rest, "-"); ok {
		rest, sign = cut, -1
	}
	t, inverse := term{{number: sign}}, false
	for {
		var f factor
		var err error
		if f, rest, err = s.factor(strings.TrimSpace(rest), names); err != nil {
			return err
		}
		if count++; count > maxFactors {
			return fmt.Errorf("it has more than %d factors", maxFactors)
		}
		f.inverse = inverse
		t = append(t, f)
		rest = strings.TrimSpace(rest)
		if rest == "" {
			s.terms = append(s.terms, t)
			return nil
		}
		operator := rest[0]
		rest, inverse = rest[1:], operator == '/'
		switch operator {
		case '+', '-':
			s.terms = append(s.terms, t)
			t = term{{number: 1}}
			if operator == '-' {
				t[0].number = -1
			}
		case '*', '/':
		default:
			return fmt.Errorf("%q where +, -, * or / is expected", operator)
		}
	}
}

func (s *Statistic) factor(text string, names maskops.Names) (factor, string, error) {
	end := strings.IndexAny(text, "(+-*/ ")
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	if word == "" {
		return factor{}, "", fmt.Errorf("a number or one of %s is missing", strings.Join(functions, ", "))
	}
	if end == len(text) || text[end] != '(' {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return factor{}, "", fmt.Errorf("%q is not a number", word)
		}
		return factor{number: v}, text[end:], nil
	}
	if !slices.Contains(functions, word) {
		return factor{}, "", fmt.Errorf("there is no function %q; there are %s", word, strings.Join(functions, ", "))
	}
	inside, rest, closed := strings.Cut(text[end+1:], ")")
	if !closed {
		return factor{}, "", fmt.Errorf("the bracket after %s is not closed", word)
	}
	f := factor{function: word}
	for _, name := range strings.Split(inside, ",") {
		id, ok := names[strings.TrimSpace(name)]
		if !ok {
			return factor{}, "", fmt.Errorf("there is no class %q", strings.TrimSpace(name))
		}
		f.classes[id] = true
		s.classes = append(s.classes, id)
	}
	return f, rest, nil
}

// String is the text.
func (s Statistic) String() string { return s.text }

// Classes are the ids that the statistic looks at, ascending.
func (s Statistic) Classes() []uint8 { return slices.Clone(s.classes) }

// Of is the statistic of labels. It is NaN where it has no meaning, as the place of a
// class that is not in the picture.
func (s Statistic) Of(labels *image.Paletted) float64 {
	sum := 0.0
	for _, t := range s.terms {
		product := 1.0
		for _, f := range t {
			v := f.of(labels)
			if f.inverse {
				v = 1 / v
			}
			product *= v
		}
		sum += product
	}
	if math.IsInf(sum, 0) {
		return math.NaN()
	}
	return sum
}

func (f *factor) of(labels *image.Paletted) float64 {
	if f.function == "" {
		return f.number
	}
	w, h := labels.Rect.Dx(), labels.Rect.Dy()
	n, sumX, sumY := 0, 0, 0
	x0, y0, x1, y1 := w, h, -1, -1
	for y := range h {
		for x, c := range labels.Pix[y*labels.Stride : y*labels.Stride+w] {
			if f.classes[c] {
				n++
				sumX, sumY = sumX+x, sumY+y
				x0, x1 = min(x0, x), max(x1, x)
				y0, y1 = min(y0, y), max(y1, y)
			}
		}
	}
	width, height, count := float64(w), float64(h), float64(n)
	if f.function == "area" {
		return count / (width * height)
	}
	if n == 0 {
		return math.NaN()
	}
	switch f.function {
	case "x":
		return (float64(sumX)/count + 0.5) / width
	case "y":
		return (float64(sumY)/count + 0.5) / height
	case "left":
		return float64(x0) / width
	case "right":
		return float64(x1+1) / width
	case "top":
		return float64(y0) / height
	case "bottom":
		return float64(y1+1) / height
	case "width":
		return float64(x1+1-x0) / width
	case "height":
		return float64(y1+1-y0) / height
	}
	return f.corners(labels, x0, x1) / height
}

// corners is the mean y over the outer fifths of the columns from x0 to x1, in pixels.
func (f *factor) corners(labels *image.Paletted, x0, x1 int) float64 {
	fifth := max(1, (x1+1-x0)/5)
	n, sum := 0, 0
	for y := range labels.Rect.Dy() {
		row := labels.Pix[y*labels.Stride:]
		for x := x0; x <= x1; x++ {
			if (x < x0+fifth || x > x1-fifth) && f.classes[row[x]] {
				n++
				sum += y
			}
		}
	}
	return float64(sum)/float64(n) + 0.5
}
