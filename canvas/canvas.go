package canvas

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"slices"
)

// MaxSide is the largest width or height of a canvas in pixels.
const MaxSide = 16384

var (
	// ErrBusy says that an Edit is open, so that the pixels may not be
	// changed from elsewhere. Commit or cancel it first.
	ErrBusy = errors.New("canvas: an edit is still open")
	// ErrStale says that a Change was applied or reverted out of order.
	ErrStale = errors.New("canvas: the change does not follow the present state")
)

// Mark is the set of marks on one pixel.
type Mark uint8

const (
	// Touched marks a pixel that was painted since the base labels.
	Touched Mark = 1 << iota
	// Keep marks a pixel that an edit must leave as it is.
	Keep
	// Free marks a pixel that an edit may change though it was not painted.
	Free
)

// InRegion reports whether a pixel with these marks belongs to the region of
// interest: touched or free, and not kept.
func (m Mark) InRegion() bool { return m&(Touched|Free) != 0 && m&Keep == 0 }

// plane numbers the byte planes of a canvas inside a Change.
type plane uint8

const (
	planeLabels plane = iota
	planeMarks
	planeBase
	planes
)

// Canvas is the paintable state of one picture: base labels, painted labels
// and marks, all of the same size.
type Canvas struct {
	// Protection says which pixels painting may change. It is read when an
	// Edit begins.
	Protection Protection
	// Symmetry mirrors what is painted. It is read when an Edit begins.
	Symmetry Symmetry

	w, h   int
	base   *image.Paletted
	labels *image.Paletted
	marks  []uint8
	counts [256]int

	revision uint64 // of the present pixels
	next     uint64 // the revision the next commit gets; never used twice
	open     *Edit

	listeners subscribers[func(image.Rectangle)]
	scratch   scratch
}

// New returns a canvas whose base labels and painted labels are copies of base.
// The palette of base is the class palette; every index must be in it.
func New(base *image.Paletted) (*Canvas, error) {
	own, err := ownLabels(base)
	if err != nil {
		return nil, err
	}
	w, h := own.Rect.Dx(), own.Rect.Dy()
	c := &Canvas{
		w: w, h: h,
		base:     own,
		labels:   clonePaletted(own),
		marks:    make([]uint8, w*h),
		revision: 1,
		next:     2,
	}
	c.Protection.Solo = NoClass
	c.Symmetry = NewSymmetry(w)
	c.recount()
	return c, nil
}

// ownLabels returns a tightly packed copy of m with its origin at (0, 0).
func ownLabels(m *image.Paletted) (*image.Paletted, error) {
	if m == nil {
		return nil, errors.New("canvas: no label map given")
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return nil, fmt.Errorf("canvas: a label map of %d×%d pixels; each side must be 1 to %d", w, h, MaxSide)
	}
	if len(m.Palette) == 0 || len(m.Palette) > 256 {
		return nil, fmt.Errorf("canvas: a palette of %d classes; 1 to 256 are possible", len(m.Palette))
	}
	own := &image.Paletted{
		Pix:     make([]uint8, w*h),
		Stride:  w,
		Rect:    image.Rect(0, 0, w, h),
		Palette: slices.Clone(m.Palette),
	}
	for y := range h {
		at := m.PixOffset(m.Rect.Min.X, m.Rect.Min.Y+y)
		row := m.Pix[at : at+w]
		if top := slices.Max(row); int(top) >= len(m.Palette) {
			return nil, fmt.Errorf("canvas: class %d in row %d; the palette has %d classes", top, y, len(m.Palette))
		}
		copy(own.Pix[y*w:], row)
	}
	return own, nil
}

func clonePaletted(m *image.Paletted) *image.Paletted {
	d := *m
	d.Pix = slices.Clone(m.Pix)
	d.Palette = slices.Clone(m.Palette)
	return &d
}

// Bounds returns the rectangle of the picture, its minimum at (0, 0).
func (c *Canvas) Bounds() image.Rectangle { return image.Rect(0, 0, c.w, c.h) }

// Labels returns the painted labels. The caller must not write to them; they
// change with every edit, so that another goroutine needs a copy ([Canvas.LabelsCopy]).
func (c *Canvas) Labels() *image.Paletted { return c.labels }

// LabelsCopy returns a copy of the painted labels.
func (c *Canvas) LabelsCopy() *image.Paletted { return clonePaletted(c.labels) }

// Base returns the base labels, to be read only.
func (c *Canvas) Base() *image.Paletted { return c.base }

// Palette returns the class palette, to be read only.
func (c *Canvas) Palette() color.Palette { return c.labels.Palette }

// ClassAt returns the painted class at (x, y); false outside the picture.
func (c *Canvas) ClassAt(x, y int) (uint8, bool) {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return 0, false
	}
	return c.labels.Pix[y*c.w+x], true
}

// MarkAt returns the marks at (x, y), none outside the picture.
func (c *Canvas) MarkAt(x, y int) Mark {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return 0
	}
	return Mark(c.marks[y*c.w+x])
}

// Count returns how many pixels carry the class now. It costs nothing.
func (c *Canvas) Count(class uint8) int { return c.counts[class] }

// Region returns the region of interest as a mask, 255 inside and 0 outside.
func (c *Canvas) Region() *image.Gray {
	m := image.NewGray(c.Bounds())
	for i, v := range c.marks {
		if Mark(v).InRegion() {
			m.Pix[i] = 255
		}
	}
	return m
}

// Marks returns a copy of the marks as an image whose values are [Mark] bits.
func (c *Canvas) Marks() *image.Gray {
	m := image.NewGray(c.Bounds())
	copy(m.Pix, c.marks)
	return m
}

// Revision names the present pixels. Two equal revisions of one canvas have
// equal pixels.
func (c *Canvas) Revision() uint64 { return c.revision }

// State is everything that has to be kept to open a canvas again with its
// Changes still in order.
type State struct {
	Base, Labels   *image.Paletted
	Marks          *image.Gray
	Revision, Next uint64
}

// State returns a copy of the canvas as it is. While an edit is open it is the
// unfinished state.
func (c *Canvas) State() State {
	return State{
		Base:     clonePaletted(c.base),
		Labels:   clonePaletted(c.labels),
		Marks:    c.Marks(),
		Revision: c.revision,
		Next:     c.next,
	}
}

// FromState opens a canvas from a kept state.
func FromState(s State) (*Canvas, error) {
	c, err := New(s.Base)
	if err != nil {
		return nil, err
	}
	labels, err := ownLabels(s.Labels)
	if err != nil {
		return nil, err
	}
	if labels.Rect != c.base.Rect {
		return nil, fmt.Errorf("canvas: painted labels are %d×%d, base labels %d×%d",
			labels.Rect.Dx(), labels.Rect.Dy(), c.w, c.h)
	}
	if top := int(slices.Max(labels.Pix)); top >= len(c.base.Palette) {
		return nil, fmt.Errorf("canvas: painted class %d; the palette has %d classes", top, len(c.base.Palette))
	}
	labels.Palette = slices.Clone(c.base.Palette)
	c.labels = labels
	if s.Marks != nil {
		if s.Marks.Rect.Size() != labels.Rect.Size() {
			return nil, fmt.Errorf("canvas: marks are %d×%d, labels %d×%d",
				s.Marks.Rect.Dx(), s.Marks.Rect.Dy(), c.w, c.h)
		}
		for y := range c.h {
			at := s.Marks.PixOffset(s.Marks.Rect.Min.X, s.Marks.Rect.Min.Y+y)
			for x, v := range s.Marks.Pix[at : at+c.w] {
				c.marks[y*c.w+x] = v & uint8(Touched|Keep|Free)
			}
		}
	}
	if s.Revision != 0 {
		if s.Next <= s.Revision {
			return nil, fmt.Errorf("canvas: revision %d with next revision %d", s.Revision, s.Next)
		}
		c.revision, c.next = s.Revision, s.Next
	}
	c.recount()
	return c, nil
}

// Subscribe has fn called with the dirty rectangle after every change of
// pixels, also within an open edit, and returns the function that ends it.
func (c *Canvas) Subscribe(fn func(dirty image.Rectangle)) (cancel func()) {
	return c.listeners.add(fn)
}

func (c *Canvas) announce(r image.Rectangle) {
	r = r.Intersect(c.Bounds())
	if r.Empty() {
		return
	}
	for _, l := range c.listeners {
		l.fn(r)
	}
}

func (c *Canvas) recount() {
	c.counts = [256]int{}
	for _, v := range c.labels.Pix {
		c.counts[v]++
	}
}

func (c *Canvas) pixels(p plane) []uint8 {
	switch p {
	case planeLabels:
		return c.labels.Pix
	case planeMarks:
		return c.marks
	default:
		return c.base.Pix
	}
}

// Rebase gives the canvas new base labels, as after an optimisation. The
// painted labels become the base labels too and nothing is touched any more,
// unless keepPainted is true: then the painted labels and marks stay. Keep and
// free marks stay in any case. Nil is returned if nothing changed.
func (c *Canvas) Rebase(name string, base *image.Paletted, keepPainted bool) (*Change, error) {
	own, err := ownLabels(base)
	if err != nil {
		return nil, err
	}
	if own.Rect != c.base.Rect {
		return nil, fmt.Errorf("canvas: new base labels are %d×%d, the picture is %d×%d",
			own.Rect.Dx(), own.Rect.Dy(), c.w, c.h)
	}
	if top := int(slices.Max(own.Pix)); top >= len(c.base.Palette) {
		return nil, fmt.Errorf("canvas: class %d in the new base labels; the palette has %d classes", top, len(c.base.Palette))
	}
	e, err := c.Begin(Ink{})
	if err != nil {
		return nil, err
	}
	e.touchAll()
	copy(c.base.Pix, own.Pix)
	if !keepPainted {
		copy(c.labels.Pix, own.Pix)
		for i := range c.marks {
			c.marks[i] &^= uint8(Touched)
		}
		c.recount()
	}
	e.grow(c.Bounds())
	return e.Commit(name), nil
}

// ResetRegion takes every touched, keep and free mark away; the labels stay.
func (c *Canvas) ResetRegion(name string) (*Change, error) {
	e, err := c.Begin(Ink{})
	if err != nil {
		return nil, err
	}
	for y := range c.h {
		e.touch(y, 0, c.w)
		clear(c.marks[y*c.w : (y+1)*c.w])
	}
	e.grow(c.Bounds())
	return e.Commit(name), nil
}

// ResetLabels paints every pixel back to the base labels, protected classes
// excepted, and takes the touched marks away.
func (c *Canvas) ResetLabels(name string) (*Change, error) {
	e, err := c.Begin(Ink{Kind: Original})
	if err != nil {
		return nil, err
	}
	for y := range c.h {
		e.Span(y, 0, c.w)
	}
	return e.Commit(name), nil
}
