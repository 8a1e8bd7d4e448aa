package canvas

// Symmetry paints mirrored left to right. The side on which a stroke begins
// gets the class being painted, the other side its paired class (left eye,
// right eye), so that the painted pixels are symmetric whatever the path of
// the stroke.
type Symmetry struct {
	On bool
	// Sum is x + mirror(x) for every column: W−1 mirrors about the middle of
	// the picture. An odd sum puts the axis between two columns.
	Sum int
	// Pairs gives each class its paired class; a class without a pair is its
	// own.
	Pairs [256]uint8
}

// NewSymmetry returns a switched-off symmetry about the middle of a picture w
// pixels wide, without paired classes.
func NewSymmetry(w int) Symmetry {
	s := Symmetry{Sum: w - 1}
	for i := range s.Pairs {
		s.Pairs[i] = uint8(i)
	}
	return s
}

// Pair makes a and b each other's paired class.
func (s *Symmetry) Pair(a, b uint8) { s.Pairs[a], s.Pairs[b] = b, a }

// Mirror returns the mirrored column.
func (s *Symmetry) Mirror(x int) int { return s.Sum - x }
