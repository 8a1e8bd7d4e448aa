package canvas

// NoClass is the value of [Protection.Solo] when no class is shown alone.
const NoClass = -1

// Protection says what painting may change and what is shown.
//
// A locked class neither loses nor gains a pixel. Hiding and showing alone are
// matters of display: hidden classes are not drawn over the picture, but can
// be painted on, so that a class shown alone can still grow.
type Protection struct {
	// Locked classes keep exactly their pixels.
	Locked [256]bool
	// Hidden classes are not drawn in the overlay.
	Hidden [256]bool
	// Solo is the only class drawn in the overlay, or NoClass.
	Solo int
	// PreserveOthers restricts painting to pixels of the background and of
	// the class being painted.
	PreserveOthers bool
	// Background is the class that PreserveOthers may paint over.
	Background uint8
}

// Visible reports whether the class is drawn in the overlay.
func (p *Protection) Visible(class uint8) bool {
	if p.Solo != NoClass {
		return int(class) == p.Solo
	}
	return !p.Hidden[class]
}
