package canvas

// InkKind says what a tool leaves on the pixels it covers.
type InkKind uint8

const (
	// Paint sets the class of the ink and touches the pixel.
	Paint InkKind = iota
	// Original brings the base label back and untouches the pixel.
	Original
	// MarkKeep adds the pixel to the keep layer (and takes it from the free one).
	MarkKeep
	// MarkFree adds the pixel to the free layer (and takes it from the keep one).
	MarkFree
	// Unmark takes the pixel from both layers.
	Unmark
)

// Ink is what a tool leaves on the pixels it covers: a class, the original, or
// a mark on the keep and free layers. Every tool paints with every ink.
type Ink struct {
	Kind InkKind
	// Class is the class painted by Paint, and the class that
	// PreserveOthers counts as the painted one for Original.
	Class uint8
}

// eraser returns the ink that takes back what k leaves.
func (k Ink) eraser() Ink {
	switch k.Kind {
	case MarkKeep, MarkFree, Unmark:
		return Ink{Kind: Unmark, Class: k.Class}
	}
	return Ink{Kind: Original, Class: k.Class}
}
