package learning

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"

	"latentbrush/engine"
)

// ComparedPictures is how many pictures two vectors are shown on side by side.
const ComparedPictures = 5

// A contact sheet: pairs in a row, the pairs shown at most, the gaps in pixels between columns
// and between rows of pairs, and the frame of a picture on which the vector failed.
const (
	sheetColumns = 8
	sheetPairs   = 24
	sheetGap     = 2
	sheetBreak   = 8
	sheetFrame   = 3
)

var (
	sheetGround = color.RGBA{0x60, 0x60, 0x60, 0xff}
	sheetFailed = color.RGBA{0xf0, 0x9a, 0x20, 0xff}
)

// Sheet shows pairs of pictures, before above after, tile pixels wide each, at most 24 pairs in
// rows of eight. A picture on which the vector did not work has an orange frame; worked may be
// nil or shorter than the pictures, which then have none.
func Sheet(before, after []engine.Frame, worked []bool, tile int) *image.RGBA {
	n := min(len(before), len(after), sheetPairs)
	if n == 0 {
		return image.NewRGBA(image.Rectangle{})
	}
	columns, rows := min(n, sheetColumns), (n+sheetColumns-1)/sheetColumns
	sheet := ground(columns*(tile+sheetGap)-sheetGap, rows*(2*tile+sheetBreak)-sheetBreak)
	for i := range n {
		at := image.Pt(i%sheetColumns*(tile+sheetGap), i/sheetColumns*(2*tile+sheetBreak))
		put(sheet, before[i], at, tile)
		at.Y += tile
		put(sheet, after[i], at, tile)
		if i < len(worked) && !worked[i] {
			outline(sheet, image.Rect(0, 0, tile, tile).Add(at))
		}
	}
	return sheet
}

// Grid shows rows of pictures, tile pixels wide each.
func Grid(tile int, rows ...[]engine.Frame) *image.RGBA {
	columns := 0
	for _, r := range rows {
		columns = max(columns, len(r))
	}
	sheet := ground(max(1, columns*(tile+sheetGap)-sheetGap), max(1, len(rows)*(tile+sheetGap)-sheetGap))
	for y, r := range rows {
		for x, f := range r {
			put(sheet, f, image.Pt(x, y).Mul(tile+sheetGap), tile)
		}
	}
	return sheet
}

func ground(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(m, m.Rect, image.NewUniform(sheetGround), image.Point{}, draw.Src)
	return m
}

func put(sheet *image.RGBA, f engine.Frame, at image.Point, tile int) {
	draw.CatmullRom.Scale(sheet, image.Rect(0, 0, tile, tile).Add(at), f.Picture, f.Picture.Rect, draw.Src, nil)
}

// outline draws a frame along the inside of r.
func outline(m *image.RGBA, r image.Rectangle) {
	in := r.Inset(sheetFrame)
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, in.Min.Y)},
		{image.Pt(r.Min.X, in.Max.Y), r.Max},
		{image.Pt(r.Min.X, in.Min.Y), image.Pt(in.Min.X, in.Max.Y)},
		{image.Pt(in.Max.X, in.Min.Y), image.Pt(r.Max.X, in.Max.Y)},
	} {
		draw.Draw(m, side, image.NewUniform(sheetFailed), image.Point{}, draw.Src)
	}
}

// thumbnail is a picture of the given width.
func thumbnail(p *image.RGBA, width int) *image.RGBA {
	size := p.Rect.Size()
	if size.X <= width {
		return p
	}
	out := image.NewRGBA(image.Rect(0, 0, width, max(1, size.Y*width/size.X)))
	draw.CatmullRom.Scale(out, out.Rect, p, p.Rect, draw.Src, nil)
	return out
}
