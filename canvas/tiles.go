package canvas

import "image"

// TileSide is the side in pixels of the tiles of a pane.
const TileSide = 256

// MaxLevel is the smallest level: pixels are means of 8×8, enough for 10 %.
const MaxLevel = 3

// Tile is a square piece of the shown picture. Its image has its own backing
// array and exactly the size of the piece, since a graphics card is given
// nothing else. It is nil until the tile was visible once.
type Tile struct {
	Image  *image.RGBA
	Bounds image.Rectangle // in the shown picture at the level of the tiles
	stale  image.Rectangle // not drawn yet
}

// Tiles keeps the composited pixels of one pane at one level, and draws only
// what is both stale and visible.
type Tiles struct {
	comp  *Compositor
	level int
	tiles []Tile
}

// NewTiles returns the tiles of a compositor at level 0, all stale.
func NewTiles(comp *Compositor) *Tiles {
	t := &Tiles{comp: comp}
	t.build()
	return t
}

func (t *Tiles) build() {
	size := t.comp.Size(t.level)
	t.tiles = t.tiles[:0]
	for y := 0; y < size.Y; y += TileSide {
		for x := 0; x < size.X; x += TileSide {
			r := image.Rect(x, y, min(x+TileSide, size.X), min(y+TileSide, size.Y))
			t.tiles = append(t.tiles, Tile{Bounds: r, stale: r})
		}
	}
}

// Level returns the present level.
func (t *Tiles) Level() int { return t.level }

// SetLevel changes the level; the tiles are then others and all stale. It
// reports whether it changed.
func (t *Tiles) SetLevel(level int) bool {
	level = min(max(level, 0), MaxLevel)
	if level == t.level {
		return false
	}
	t.level = level
	clear(t.tiles)
	t.build()
	return true
}

// Len returns the number of tiles.
func (t *Tiles) Len() int { return len(t.tiles) }

// At returns a tile.
func (t *Tiles) At(i int) Tile { return t.tiles[i] }

// Changed notes that pixels of the canvas changed.
func (t *Tiles) Changed(dirty image.Rectangle) {
	t.spoil(t.comp.Reach(dirty, t.level))
}

// Spoil notes that a rectangle of the shown picture at level 0 looks different.
func (t *Tiles) Spoil(r image.Rectangle) {
	t.spoil(scaleDown(r, t.level))
}

func (t *Tiles) spoil(r image.Rectangle) {
	if r.Empty() {
		return
	}
	for i := range t.tiles {
		k := &t.tiles[i]
		k.stale = k.stale.Union(r.Intersect(k.Bounds))
	}
}

// Draw draws what is stale of the tiles that meet the visible rectangle of the
// shown picture at the present level, and calls drawn for each tile changed. It
// stays on one goroutine: several would save little when the processors are free,
// and wait for each other when an optimisation has them.
func (t *Tiles) Draw(visible image.Rectangle, drawn func(i int)) {
	for i := range t.tiles {
		k := &t.tiles[i]
		if k.stale.Empty() || !k.Bounds.Overlaps(visible) {
			continue
		}
		if k.Image == nil {
			k.Image = image.NewRGBA(image.Rect(0, 0, k.Bounds.Dx(), k.Bounds.Dy()))
			k.stale = k.Bounds
		}
		t.comp.Draw(k.Image, k.Bounds.Min, k.stale, t.level)
		k.stale = image.Rectangle{}
		drawn(i)
	}
}
