package canvas

import "math"

// PickTool makes the class under the pointer the one being painted.
type PickTool struct{}

var _ Tool = (*PickTool)(nil)

// ID returns "pick".
func (*PickTool) ID() string { return "pick" }

// Outline returns nil.
func (*PickTool) Outline() []Path { return nil }

// Handle picks on Press and Drag.
func (*PickTool) Handle(p *Painter, e Event) {
	if e.Kind != Press && e.Kind != Drag {
		return
	}
	if class, ok := p.canvas.ClassAt(int(math.Floor(e.At.X)), int(math.Floor(e.At.Y))); ok {
		p.SetClass(class)
	}
}
