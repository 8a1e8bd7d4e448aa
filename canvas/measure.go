package canvas

import (
	"image"
	"image/color"
	"math"
	"slices"
	"time"
)

// Figure is one measured time.
type Figure struct {
	// Name is that of a row of the benchmark table: canvas.stroke_ms.
	Name string
	// Value is the median, in milliseconds.
	Value float64
	// Goal is the bound to stay under, in milliseconds.
	Goal float64
}

// Measure times painting on a label map of 1024×1024 pixels, in a fraction of a second:
// one stroke event of a brush 128 pixels wide with the tiles of one pane drawn
// anew, one contiguous fill of half the picture, and one undo of that fill.
func Measure() ([]Figure, error) {
	const side = 1024
	palette := color.Palette{color.Black, color.White, color.RGBA{R: 255, A: 255}}
	c, err := New(image.NewPaletted(image.Rect(0, 0, side, side), palette))
	if err != nil {
		return nil, err
	}
	p := NewPainter(c)
	hist := NewHistory()
	p.OnCommit = hist.Push
	p.SetSize(128)
	comp := NewCompositor(c)
	comp.SetLook(Look{Overlay: 0.5, Region: true})
	tiles := NewTiles(comp)
	tiles.Draw(c.Bounds(), func(int) {})
	defer c.Subscribe(func(r image.Rectangle) {
		tiles.Changed(r)
		tiles.Draw(c.Bounds(), func(int) {})
	})()

	var strokes, fills, undos []time.Duration
	at := func(i int) Point {
		sin, cos := math.Sincos(float64(i) / 20)
		return Point{side/2 + 350*cos, side/2 + 350*sin}
	}
	p.Handle(Event{Kind: Press, At: at(0)})
	for i := 1; i <= 80; i++ {
		begin := time.Now()
		p.Handle(Event{Kind: Drag, At: at(i)})
		strokes = append(strokes, time.Since(begin))
	}
	p.Handle(Event{Kind: Cancel})

	// A wavy border, so that the runs of the fill are not all alike.
	e, err := c.Begin(Ink{Class: 1})
	if err != nil {
		return nil, err
	}
	for y := range side {
		e.Span(y, 0, side/2+int(60*math.Sin(float64(y)/15)))
	}
	e.Commit("half")
	for i := range 12 {
		begin := time.Now()
		hist.Push(c.Fill("fill", side-1, i, Ink{Class: 2}, false))
		fills = append(fills, time.Since(begin))
		begin = time.Now()
		if _, err := hist.Undo(c); err != nil {
			return nil, err
		}
		undos = append(undos, time.Since(begin))
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return d[len(d)/2].Seconds() * 1e3
	}
	return []Figure{
		{"canvas.stroke_ms", median(strokes), 2},
		{"canvas.fill_ms", median(fills), 10},
		{"canvas.undo_ms", median(undos), 5},
	}, nil
}
