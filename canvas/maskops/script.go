package maskops

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrNothing is returned when a script changes no pixel, as when the picture has none
// of its parts.
var ErrNothing = errors.New("the operation changes nothing in this picture")

// Limits of a script's text.
const (
	MaxText       = 4096
	MaxOperations = 16
)

// Kind is what an operation does.
type Kind string

// The kinds; the package's text has their fields.
const (
	Move    Kind = "move"
	Raise   Kind = "raise"
	Scale   Kind = "scale"
	Rotate  Kind = "rotate"
	Grow    Kind = "grow"
	Shrink  Kind = "shrink"
	Thicken Kind = "thicken"
	Extend  Kind = "extend"
	Fill    Kind = "fill"
	Band    Kind = "band"
	Copy    Kind = "copy"
)

// Side is a side of a box.
type Side string

// The sides; the zero value is the middle.
const (
	Middle Side = ""
	Top    Side = "top"
	Bottom Side = "bottom"
	Left   Side = "left"
	Right  Side = "right"
)

// Part is the classes that are treated as one thing.
type Part []uint8

// Operation is one step of a script.
type Operation struct {
	Kind  Kind
	Parts []Part
	// X and Y are the amounts: shares of the picture's longer side, factors or degrees.
	X, Y float64
	// Class is what fill and band paint; Near gives every pixel to its nearest other class.
	Class uint8
	Near  bool
	// Side of band, Anchor of scale and rotate.
	Side, Anchor Side
	// Over are the classes that new pixels may replace; none means all.
	Over []uint8
}

// Script is operations that are done one after the other.
type Script struct {
	Operations []Operation
	text       string
}

// String is the text that the script was parsed from.
func (s Script) String() string { return s.text }

// NeedsReference reports whether the script copies from a reference picture.
func (s Script) NeedsReference() bool {
	return slices.ContainsFunc(s.Operations, func(o Operation) bool { return o.Kind == Copy })
}

// Classes returns the ids of all parts and of what is painted, in ascending order.
func (s Script) Classes() []uint8 {
	var set [256]bool
	for _, o := range s.Operations {
		for _, p := range o.Parts {
			for _, c := range p {
				set[c] = true
			}
		}
		if o.Kind == Band || o.Kind == Fill && !o.Near {
			set[o.Class] = true
		}
	}
	var out []uint8
	for c, in := range set {
		if in {
			out = append(out, uint8(c))
		}
	}
	return out
}

// Names says which classes there are.
type Names map[string]uint8

func (n Names) class(name string) (uint8, error) {
	name = strings.TrimSpace(name)
	if id, ok := n[name]; ok {
		return id, nil
	}
	if name == "" {
		return 0, errors.New("a class is missing")
	}
	return 0, fmt.Errorf("there is no class %q", name)
}

func (n Names) classes(text string) ([]uint8, error) {
	var out []uint8
	for _, name := range strings.Split(text, ",") {
		c, err := n.class(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (n Names) parts(text string) ([]Part, error) {
	var parts []Part
	var seen [256]bool
	for _, item := range strings.Split(text, ",") {
		var p Part
		for _, name := range strings.Split(item, "+") {
			c, err := n.class(name)
			if err != nil {
				return nil, err
			}
			if seen[c] {
				return nil, fmt.Errorf("class %q is named twice", strings.TrimSpace(name))
			}
			seen[c] = true
			p = append(p, c)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// Parse reads a script's text. Errors name the operation and what was expected.
func Parse(text string, names Names) (Script, error) {
	if len(text) > MaxText {
		return Script{}, fmt.Errorf("maskops: the script has %d bytes, at most %d expected", len(text), MaxText)
	}
	s := Script{text: strings.TrimSpace(text)}
	for _, item := range strings.Split(text, ";") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		o, err := parse(item, names)
		if err != nil {
			return Script{}, fmt.Errorf("maskops: %q: %w", strings.TrimSpace(item), err)
		}
		s.Operations = append(s.Operations, o)
	}
	switch n := len(s.Operations); {
	case n == 0:
		return Script{}, errors.New("maskops: the script is empty")
	case n > MaxOperations:
		return Script{}, fmt.Errorf("maskops: the script has %d operations, at most %d expected", n, MaxOperations)
	}
	return s, nil
}

func parse(text string, names Names) (Operation, error) {
	fields := strings.Split(text, ":")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	o := Operation{Kind: Kind(fields[0])}
	for len(fields) > 1 && strings.Contains(fields[len(fields)-1], "=") {
		if err := o.option(fields[len(fields)-1], names); err != nil {
			return o, err
		}
		fields = fields[:len(fields)-1]
	}
	if len(fields) < 2 || fields[1] == "" {
		return o, errors.New(`no parts; want KIND:PARTS:AMOUNT, as in "scale:nose:1.2"`)
	}
	var err error
	if o.Parts, err = names.parts(fields[1]); err != nil {
		return o, err
	}
	amount := ""
	switch {
	case len(fields) > 3:
		return o, fmt.Errorf("%d fields, at most 3 and options expected", len(fields))
	case len(fields) == 3:
		amount = fields[2]
	case o.Kind == Copy:
		amount = "1"
	default:
		return o, errors.New("no amount")
	}
	return o, o.amount(amount, names)
}

func (o *Operation) option(text string, names Names) (err error) {
	key, value, _ := strings.Cut(text, "=")
	switch strings.TrimSpace(key) {
	case "over":
		o.Over, err = names.classes(value)
	case "anchor":
		o.Anchor, err = side(value)
	default:
		err = fmt.Errorf("there is no option %q; there are over and anchor", strings.TrimSpace(key))
	}
	return err
}

func side(text string) (Side, error) {
	s := Side(strings.TrimSpace(text))
	if !slices.Contains([]Side{Top, Bottom, Left, Right}, s) {
		return s, fmt.Errorf("%q is not a side; want top, bottom, left or right", text)
	}
	return s, nil
}

func (o *Operation) amount(text string, names Names) (err error) {
	items := strings.Split(text, ",")
	want := func(lo, hi int) error {
		if len(items) < lo || len(items) > hi {
			return fmt.Errorf("amount %q has %d items, %d to %d expected", text, len(items), lo, hi)
		}
		return nil
	}
	switch o.Kind {
	case Move, Extend:
		if err = want(2, 2); err == nil {
			if o.X, err = number(items[0], -1, 1); err == nil {
				o.Y, err = number(items[1], -1, 1)
			}
		}
	case Scale:
		if err = want(1, 2); err == nil {
			o.X, err = number(items[0], 0.1, 10)
			o.Y = o.X
			if err == nil && len(items) == 2 {
				o.Y, err = number(items[1], 0.1, 10)
			}
		}
	case Copy:
		if err = want(1, 1); err == nil {
			o.X, err = number(items[0], 0.1, 10)
		}
	case Raise:
		if err = want(1, 1); err == nil {
			o.Y, err = number(items[0], -1, 1)
		}
	case Rotate:
		if err = want(1, 1); err == nil {
			o.X, err = number(items[0], -360, 360)
		}
	case Grow, Shrink, Thicken:
		if err = want(1, 1); err == nil {
			o.X, err = number(items[0], 0, 0.5)
		}
	case Fill:
		if err = want(1, 1); err == nil {
			if o.Near = strings.TrimSpace(items[0]) == "near"; !o.Near {
				o.Class, err = names.class(items[0])
			}
		}
	case Band:
		if err = want(3, 3); err != nil {
			return err
		}
		if o.Side, err = side(items[0]); err != nil {
			return err
		}
		if o.X, err = number(items[1], 0, 1); err == nil {
			o.Class, err = names.class(items[2])
		}
	default:
		err = fmt.Errorf("there is no operation %q; there are move, raise, scale, rotate, grow, shrink, thicken, extend, fill, band and copy", o.Kind)
	}
	return err
}

func number(text string, lo, hi float64) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) {
		return 0, fmt.Errorf("%q is not a number", strings.TrimSpace(text))
	}
	if f < lo || f > hi {
		return 0, fmt.Errorf("%g is out of range; %g to %g are possible", f, lo, hi)
	}
	return f, nil
}

// Apply does the operations on labels and returns the painted labels and the pixels
// that the paint touched: where the parts were and where they are now. The reference is
// what copy takes from; it may have another size. A picture in which nothing changes
// gives [ErrNothing].
func (s Script) Apply(labels, reference *image.Paletted) (*image.Paletted, *image.Alpha, error) {
	if s.NeedsReference() && reference == nil {
		return nil, nil, errors.New("maskops: copy needs a reference picture")
	}
	size := labels.Rect.Size()
	m := &board{w: size.X, h: size.Y, pix: make([]uint8, size.X*size.Y), touched: make([]uint8, size.X*size.Y)}
	for y := range size.Y {
		copy(m.pix[y*size.X:(y+1)*size.X], labels.Pix[y*labels.Stride:])
	}
	for _, o := range s.Operations {
		for _, p := range o.Parts {
			m.do(o, p, reference)
		}
	}
	painted := image.NewPaletted(image.Rectangle{Max: size}, labels.Palette)
	copy(painted.Pix, m.pix)
	changed := false
	for y := range size.Y {
		for x := range size.X {
			changed = changed || m.pix[y*size.X+x] != labels.Pix[y*labels.Stride+x]
		}
	}
	if !changed {
		return nil, nil, fmt.Errorf("maskops: %q: %w", s.text, ErrNothing)
	}
	region := &image.Alpha{Pix: m.touched, Stride: size.X, Rect: image.Rectangle{Max: size}}
	return painted, region, nil
}
