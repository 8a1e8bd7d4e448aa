package canvas

// EraserTool brings the base labels back where it goes, and takes the pixels
// out of the region. On the keep and free layers it takes the marks away.
type EraserTool struct{ stroke stroke }

var (
	_ Tool     = (*EraserTool)(nil)
	_ Ringed   = (*EraserTool)(nil)
	_ Snapping = (*EraserTool)(nil)
)

// ID returns "erase".
func (*EraserTool) ID() string { return "erase" }

// Ring says that the ring of the brush is shown.
func (*EraserTool) Ring() {}

// Snaps says that the path follows edges.
func (*EraserTool) Snaps() {}

// Outline returns nil: what the eraser does is seen at once.
func (*EraserTool) Outline() []Path { return nil }

// Handle erases.
func (t *EraserTool) Handle(p *Painter, e Event) {
	t.stroke.paint(p, e, t.ID(), p.Ink().eraser())
}
