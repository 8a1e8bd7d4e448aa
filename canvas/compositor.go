package canvas

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
)

// Compare is a way of showing the picture before an edit.
type Compare uint8

const (
	// CompareOff shows the present picture.
	CompareOff Compare = iota
	// CompareSplit shows the picture before left of the divider.
	CompareSplit
	// CompareBefore shows the picture before everywhere.
	CompareBefore
)

// Look says how a pane shows the canvas.
type Look struct {
	// Overlay is the opacity of the class colours over the picture, from 0,
	// the picture alone, to 1, the label map alone.
	Overlay float64
	// Contour draws only the pixels at class boundaries: those with another
	// class on one of their four sides.
	Contour bool
	// Region hatches the region of interest, the free layer tinted, and the
	// keep layer across and tinted.
	Region bool
	// Doubt hatches where the model is uncertain, if it said so.
	Doubt bool
	// Heat shows where something is strong, from yellow to red, if it was given.
	Heat bool
	// Mirror shows everything mirrored left to right.
	Mirror bool
	// Compare shows the picture before.
	Compare Compare
	// Divider is the column of the shown picture that CompareSplit splits at.
	Divider int
}

// DoubtfulFrom is the uncertainty (0 to 255) from which a pixel is hatched.
const DoubtfulFrom = 64

// Compositor blends the picture, the labels and the hatching of one pane into
// opaque pixels. It reads only the pixels it draws.
//
// Coordinates are those of the shown picture: mirrored when the look says so,
// and divided by 2^level for the smaller levels, whose pixels are the means of
// squares.
type Compositor struct {
	canvas  *Canvas
	picture *image.RGBA
	before  *image.RGBA
	doubt   *image.Gray
	heat    *image.Gray
	look    Look
	blend   blendTable
	rows    []uint8 // scratch of the smaller levels
}

// blendTable holds for each class what is left of the picture, in 256ths, and
// the share of the class colour, ready to be added to two pixels at once: red and
// blue in one word, green and the opaque alpha in another, 16 bits for each value.
type blendTable struct {
	rest, rb, ga [256]uint64
}

// NewCompositor returns a compositor with an empty grey picture.
func NewCompositor(c *Canvas) *Compositor {
	k := &Compositor{canvas: c}
	k.Restyle()
	return k
}

// Canvas returns the canvas that is shown.
func (k *Compositor) Canvas() *Canvas { return k.canvas }

// SetPicture shows another picture of the canvas's size, opaque, with its
// origin at (0, 0). The compositor reads it and never writes. Nil is grey.
func (k *Compositor) SetPicture(m *image.RGBA) error {
	if err := k.checkSize("picture", m == nil, func() image.Rectangle { return m.Rect }); err != nil {
		return err
	}
	k.picture = m
	return nil
}

// SetBefore gives the picture before the edit, for comparing.
func (k *Compositor) SetBefore(m *image.RGBA) error {
	if err := k.checkSize("picture before", m == nil, func() image.Rectangle { return m.Rect }); err != nil {
		return err
	}
	k.before = m
	return nil
}

// SetDoubt gives the model's uncertainty of each pixel: 0 certain, 255 not at
// all. Nil says that the model does not tell.
func (k *Compositor) SetDoubt(m *image.Gray) error {
	if err := k.checkSize("uncertainty", m == nil, func() image.Rectangle { return m.Rect }); err != nil {
		return err
	}
	k.doubt = m
	return nil
}

// SetHeat gives how strong something is at each pixel, from 0 for not at all to
// 255: how much the picture changed where it should not. Nil is nowhere.
func (k *Compositor) SetHeat(m *image.Gray) error {
	if err := k.checkSize("heat map", m == nil, func() image.Rectangle { return m.Rect }); err != nil {
		return err
	}
	k.heat = m
	return nil
}

func (k *Compositor) checkSize(what string, none bool, rect func() image.Rectangle) error {
	if none {
		return nil
	}
	if r := rect(); r != k.canvas.Bounds() {
		return fmt.Errorf("canvas: the %s covers %v, the labels %v", what, r, k.canvas.Bounds())
	}
	return nil
}

// Doubt returns the uncertainty of a pixel, from 0 to 1; false if unknown.
func (k *Compositor) Doubt(x, y int) (float64, bool) {
	if k.doubt == nil || !image.Pt(x, y).In(k.doubt.Rect) {
		return 0, false
	}
	return float64(k.doubt.Pix[y*k.doubt.Stride+x]) / 255, true
}

// Look returns how the canvas is shown.
func (k *Compositor) Look() Look { return k.look }

// SetLook changes how the canvas is shown and returns what has to be redrawn, as
// a rectangle of the shown picture at level 0.
func (k *Compositor) SetLook(l Look) image.Rectangle {
	l.Overlay = min(max(l.Overlay, 0), 1)
	old := k.look
	k.look = l
	k.Restyle()
	same := old
	same.Divider = l.Divider
	switch {
	case old == l:
		return image.Rectangle{}
	case same == l && l.Compare != CompareSplit:
		return image.Rectangle{}
	case same == l:
		return image.Rect(min(old.Divider, l.Divider), 0, max(old.Divider, l.Divider), k.canvas.h).Intersect(k.canvas.Bounds())
	}
	return k.canvas.Bounds()
}

// Restyle reads the palette and which classes are visible anew. The caller
// redraws.
func (k *Compositor) Restyle() {
	a := uint64(math.Round(k.look.Overlay * 256))
	palette := k.canvas.Palette()
	for i := range 256 {
		k.blend.rest[i], k.blend.rb[i], k.blend.ga[i] = 256, 0, 0
		if i >= len(palette) || !k.canvas.Protection.Visible(uint8(i)) {
			continue
		}
		c := color.RGBAModel.Convert(palette[i]).(color.RGBA)
		k.blend.rest[i] = 256 - a
		k.blend.rb[i] = (uint64(c.R) | uint64(c.B)<<16) * (1 | 1<<32) * a
		k.blend.ga[i] = (uint64(c.G) | 0xff<<16) * (1 | 1<<32) * a
	}
}

// Size returns the size of the shown picture at a level.
func (k *Compositor) Size(level int) image.Point {
	up := 1<<level - 1
	return image.Pt((k.canvas.w+up)>>level, (k.canvas.h+up)>>level)
}

// Reach returns the rectangle of the shown picture at a level that has to be
// redrawn after a change of the given pixels of the canvas.
func (k *Compositor) Reach(dirty image.Rectangle, level int) image.Rectangle {
	// Contours and the edge of the region depend on the neighbours.
	r := dirty.Inset(-1).Intersect(k.canvas.Bounds())
	if r.Empty() {
		return image.Rectangle{}
	}
	if k.look.Mirror {
		r.Min.X, r.Max.X = k.canvas.w-r.Max.X, k.canvas.w-r.Min.X
	}
	return scaleDown(r, level)
}

func scaleDown(r image.Rectangle, level int) image.Rectangle {
	up := 1<<level - 1
	return image.Rect(r.Min.X>>level, r.Min.Y>>level, (r.Max.X+up)>>level, (r.Max.Y+up)>>level)
}

// Draw draws the rectangle r of the shown picture at a level into dst, so that
// the pixel (r.Min) comes to r.Min − at. r must fit.
func (k *Compositor) Draw(dst *image.RGBA, at image.Point, r image.Rectangle, level int) {
	r = r.Intersect(image.Rectangle{Max: k.Size(level)})
	if r.Empty() {
		return
	}
	if level > 0 {
		k.drawSmall(dst, at, r, level)
		return
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		o := dst.PixOffset(r.Min.X-at.X, y-at.Y)
		k.row(dst.Pix[o:o+4*r.Dx()], y, r.Min.X, r.Max.X, k.look.Contour)
	}
}

// drawSmall draws means of squares of 2^level pixels. Contours are not averaged
// away: a square with a boundary in it shows it.
func (k *Compositor) drawSmall(dst *image.RGBA, at image.Point, r image.Rectangle, level int) {
	side := 1 << level
	w, h := k.canvas.w, k.canvas.h
	x0, x1 := r.Min.X<<level, min(r.Max.X<<level, w)
	if len(k.rows) < 4*(x1-x0)*side {
		k.rows = make([]uint8, 4*(x1-x0)*side)
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		y0, y1 := y<<level, min((y+1)<<level, h)
		for j := y0; j < y1; j++ {
			row := k.rows[4*(j-y0)*(x1-x0):][:4*(x1-x0)]
			k.row(row, j, x0, x1, false)
		}
		o := dst.PixOffset(r.Min.X-at.X, y-at.Y)
		for x := x0; x < x1; x += side {
			end := min(x+side, x1)
			var sum [3]uint32
			for j := range y1 - y0 {
				row := k.rows[4*(j*(x1-x0)+x-x0):][:4*(end-x)]
				for i := 0; i < len(row); i += 4 {
					sum[0] += uint32(row[i])
					sum[1] += uint32(row[i+1])
					sum[2] += uint32(row[i+2])
				}
			}
			n := uint32((end - x) * (y1 - y0))
			p := dst.Pix[o : o+4 : o+4]
			for i := range sum {
				p[i] = uint8((sum[i] + n/2) / n)
			}
			p[3] = 255
			if k.look.Contour && k.look.Overlay > 0 {
				k.smallContour(p, x, y0, end, y1)
			}
			o += 4
		}
	}
}

func (k *Compositor) smallContour(p []uint8, x0, y0, x1, y1 int) {
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			px := x
			if k.look.Mirror {
				px = k.canvas.w - 1 - x
			}
			class := k.canvas.labels.Pix[y*k.canvas.w+px]
			if k.canvas.OnBoundary(px, y) && k.blend.rest[class] < 256 {
				k.mixOne(p, class)
				return
			}
		}
	}
}

// contours blends the class colours over the pixels at class boundaries of a
// piece of row y that begins at column x0.
func (k *Compositor) contours(dst, labels []uint8, x0, y int) {
	c := k.canvas
	at := y*c.w + x0
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(c.labels.Pix[at+i:]) }
	inside := y > 0 && y < c.h-1 // there are rows above and below
	for i := 0; i < len(labels); {
		if inside && i+8 <= len(labels) && x0+i > 0 && x0+i+8 < c.w {
			if now := word(i); now == word(i-1) && now == word(i+1) && now == word(i-c.w) && now == word(i+c.w) {
				i += 8
				continue
			}
		}
		for end := min(i+8, len(labels)); i < end; i++ {
			if c.OnBoundary(x0+i, y) {
				k.mixOne(dst[4*i:], labels[i])
			}
		}
	}
}

// OnBoundary reports whether a pixel of the picture has another class on one of
// its four sides.
func (c *Canvas) OnBoundary(x, y int) bool {
	i := y*c.w + x
	v := c.labels.Pix[i]
	return x > 0 && c.labels.Pix[i-1] != v || x < c.w-1 && c.labels.Pix[i+1] != v ||
		y > 0 && c.labels.Pix[i-c.w] != v || y < c.h-1 && c.labels.Pix[i+c.w] != v
}

// setPixels gives every pixel the same value.
func setPixels(dst []uint8, v uint32) {
	two := uint64(v) | uint64(v)<<32
	for ; len(dst) >= 8; dst = dst[8:] {
		binary.LittleEndian.PutUint64(dst, two)
	}
	if len(dst) > 0 {
		binary.LittleEndian.PutUint32(dst, v)
	}
}

const (
	grey  = 0xff808080
	lanes = 0x00ff00ff00ff00ff // every second byte
)

// mix blends a class colour over two opaque pixels.
func (k *Compositor) mix(p uint64, class uint8) uint64 {
	rest := k.blend.rest[class]
	rb := (p&lanes*rest + k.blend.rb[class]) >> 8 & lanes
	ga := (p>>8&lanes*rest + k.blend.ga[class]) & (lanes << 8)
	return rb | ga
}

// mixOne blends a class colour over the opaque pixel at the start of p.
func (k *Compositor) mixOne(p []uint8, class uint8) {
	v := k.mix(uint64(binary.LittleEndian.Uint32(p)), class)
	binary.LittleEndian.PutUint32(p, uint32(v))
}

// overlay blends the colours of the labels over opaque pixels.
func (k *Compositor) overlay(dst []uint8, labels []uint8) {
	for i := 0; i < len(labels); {
		class := labels[i]
		if i+1 == len(labels) || labels[i+1] != class {
			k.mixOne(dst[4*i:], class)
			i++
			continue
		}
		end := i + runLength(labels[i:])
		run := dst[4*i : 4*end]
		i = end
		rest, rb, ga := k.blend.rest[class], k.blend.rb[class], k.blend.ga[class]
		switch rest {
		case 256:
			continue
		case 0:
			setPixels(run, uint32(rb>>8|ga))
			continue
		default:
			for ; len(run) >= 8; run = run[8:] {
				p := binary.LittleEndian.Uint64(run)
				rb := (p&lanes*rest + rb) >> 8 & lanes
				ga := (p>>8&lanes*rest + ga) & (lanes << 8)
				binary.LittleEndian.PutUint64(run, rb|ga)
			}
		}
		if len(run) > 0 {
			k.mixOne(run, class)
		}
	}
}

// row draws the pixels x0 ≤ x < x1 of a row of the shown picture.
func (k *Compositor) row(dst []uint8, y, x0, x1 int, contour bool) {
	split := x0
	switch k.look.Compare {
	case CompareSplit:
		split = min(max(k.look.Divider, x0), x1)
	case CompareBefore:
		split = x1
	}
	if k.before == nil {
		split = x0
	}
	n := 4 * (split - x0)
	k.part(dst[:n], y, x0, split, k.before, true, contour)
	k.part(dst[n:], y, split, x1, k.picture, false, contour)
}

// part draws a piece of a row from one of the pictures; the picture before has
// no labels over it.
func (k *Compositor) part(dst []uint8, y, x0, x1 int, picture *image.RGBA, before, contour bool) {
	if x0 >= x1 {
		return
	}
	c := k.canvas
	a, b := x0, x1 // columns of the canvas
	if k.look.Mirror {
		a, b = c.w-x1, c.w-x0
	}
	if picture == nil {
		setPixels(dst, grey)
	} else {
		copy(dst, picture.Pix[y*picture.Stride+4*a:y*picture.Stride+4*b])
	}
	if !before {
		labels := c.labels.Pix[y*c.w+a : y*c.w+b]
		switch {
		case k.look.Overlay == 0:
		case k.look.Contour && contour:
			k.contours(dst, labels, a, y)
		case !k.look.Contour:
			k.overlay(dst, labels)
		}
		if k.look.Region {
			k.hatchRegion(dst, y, a, c.marks[y*c.w+a:y*c.w+b])
		}
		if k.look.Doubt && k.doubt != nil {
			k.hatchDoubt(dst, y, a, k.doubt.Pix[y*k.doubt.Stride+a:y*k.doubt.Stride+b])
		}
		if k.look.Heat && k.heat != nil {
			for i, v := range k.heat.Pix[y*k.heat.Stride+a : y*k.heat.Stride+b] {
				if v >= HeatFrom {
					glow(dst[4*i:], v)
				}
			}
		}
	}
	if k.look.Mirror {
		for i, j := 0, len(dst)-4; i < j; i, j = i+4, j-4 {
			p, q := binary.LittleEndian.Uint32(dst[i:]), binary.LittleEndian.Uint32(dst[j:])
			binary.LittleEndian.PutUint32(dst[i:], q)
			binary.LittleEndian.PutUint32(dst[j:], p)
		}
	}
}

// The hatching is anchored at the picture, so that it neither crawls when the
// view moves nor breaks where rectangles meet.
const hatch = 8

// The tints of the keep and the free layer.
var (
	KeepTone = color.RGBA{30, 90, 255, 255}
	FreeTone = color.RGBA{60, 220, 120, 255}
)

// drawnAs returns the one of its marks that a pixel is drawn by, or none.
func (m Mark) drawnAs() Mark {
	for _, k := range [...]Mark{Keep, Free, Touched} {
		if m&k != 0 {
			return k
		}
	}
	return 0
}

// hatchRegion draws the marks of a piece of row y that begins at column x0: lines
// that rise where an edit may change the picture and fall where it must not, a
// tint and a dashed line around the layers that are not painted with a class.
func (k *Compositor) hatchRegion(dst []uint8, y, x0 int, marks []uint8) {
	for i := 0; i < len(marks); {
		n := runLength(marks[i:])
		from, x := i, x0+i
		run := dst[4*i : 4*(i+n)]
		i += n
		kind := Mark(marks[from]).drawnAs()
		switch kind {
		case 0:
			continue
		case Touched:
			hatchRising(run, x+y)
			continue // a dashed line would hide the class of thin strokes
		case Free:
			for j := 0; j < len(run); j += 4 {
				tint(run[j:], FreeTone.R, FreeTone.G, FreeTone.B, 56)
			}
			hatchRising(run, x+y)
		case Keep:
			for j := range n {
				p := run[4*j : 4*j+4]
				tint(p, KeepTone.R, KeepTone.G, KeepTone.B, 64)
				if (x+j-y)&(hatch-1) == 0 {
					tint(p, 235, 240, 255, 150)
				}
			}
		}
		for j := range n {
			if !k.canvas.atEdgeOf(kind, x+j, y) {
				continue
			}
			if p := run[4*j : 4*j+4]; (x+j+y)&4 == 0 {
				tint(p, 255, 255, 255, 200)
			} else {
				tint(p, 0, 0, 0, 200)
			}
		}
	}
}

// hatchRising draws the rising lines, a light one beside a dark one, over a run
// of pixels whose first has the given sum of column and row.
func hatchRising(run []uint8, sum int) {
	for j := 4 * (-sum & (hatch - 1)); j < len(run); j += 4 * hatch {
		tint(run[j:], 255, 255, 255, 112)
	}
	for j := 4 * ((1 - sum) & (hatch - 1)); j < len(run); j += 4 * hatch {
		tint(run[j:], 0, 0, 0, 80)
	}
}

// atEdgeOf reports whether a neighbour of (x, y) in the picture has marks of
// another kind.
func (c *Canvas) atEdgeOf(kind Mark, x, y int) bool {
	i := y*c.w + x
	return x > 0 && Mark(c.marks[i-1]).drawnAs() != kind || x < c.w-1 && Mark(c.marks[i+1]).drawnAs() != kind ||
		y > 0 && Mark(c.marks[i-c.w]).drawnAs() != kind || y < c.h-1 && Mark(c.marks[i+c.w]).drawnAs() != kind
}

func (k *Compositor) hatchDoubt(dst []uint8, y, x0 int, doubt []uint8) {
	for i, v := range doubt {
		if v < DoubtfulFrom {
			continue
		}
		// Lines that lie the closer the more doubtful: every third, every
		// second, every pixel.
		if step := max(3-int(v-DoubtfulFrom)/48, 1); (x0+i+y)%step == 0 {
			tint(dst[4*i:4*i+4:4*i+4], 255, 120, 0, 176)
		}
	}
}

// HeatFrom is the heat (0 to 255) from which a pixel is coloured.
const HeatFrom = 24

// glow colours a pixel by its heat: from a hint of yellow to dense red.
func glow(p []uint8, heat uint8) {
	tint(p, 255, uint8((255-uint32(heat))*220/255), 0, 16+uint32(heat)*192/255)
}

// tint mixes a share of a colour, in 256ths, into the pixel.
func tint(p []uint8, r, g, b uint8, share uint32) {
	rest := 256 - share
	p[0] = uint8((uint32(p[0])*rest + uint32(r)*share) >> 8)
	p[1] = uint8((uint32(p[1])*rest + uint32(g)*share) >> 8)
	p[2] = uint8((uint32(p[2])*rest + uint32(b)*share) >> 8)
}
