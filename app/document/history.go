package document

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"time"

	"latentbrush/canvas"
	"latentbrush/engine/latent"
)

// NodeID names a node of a document's history.
type NodeID int64

// Label names a command in a catalogue of texts: a key and what to put into the text.
type Label struct {
	Key  string   `json:"key"`
	Args []string `json:"args,omitempty"`
}

// Node is a state of the document as the history panel shows it.
type Node struct {
	ID       NodeID
	Parent   NodeID // 0 for the first
	Children []NodeID
	Label    Label
	Time     time.Time
	// Thumb is a small picture in JPEG, nil when there is none.
	Thumb []byte
}

// Limits of the history. The oldest side branches go first, then the oldest steps.
const (
	DefaultMaxNodes = 4000
	DefaultMaxBytes = 256 << 20
	minSteps        = 200 // kept however much memory they take up to twice the limit
)

// node is a state: a scene, and the pixels as differences to the parent's.
type node struct {
	id       NodeID
	parent   *node
	children []*node
	last     *node // the child that Redo goes to
	label    Label
	time     time.Time
	scene    *Scene
	changes  []*canvas.Change
	thumb    []byte
	stamp    uint64 // another value whenever the node changes
	bytes    int

	made string   // the line of a script that does this command, empty where it follows from the scenes
	then []string // the lines of what was done here without making a node

	merge string // commands with the same key may be folded into this node
	open  bool   // a gesture is going on
}

// history is the tree.
type history struct {
	nodes    map[NodeID]*node
	root     *node
	now      *node
	next     NodeID
	stamps   uint64
	bytes    int
	maxNodes int
	maxBytes int
}

func newHistory(first *Scene, label Label, at time.Time) *history {
	h := &history{nodes: map[NodeID]*node{}, next: 1, maxNodes: DefaultMaxNodes, maxBytes: DefaultMaxBytes}
	h.root = h.add(nil, label, at, first, nil)
	h.now = h.root
	return h
}

// add makes a child of parent.
func (h *history) add(parent *node, label Label, at time.Time, scene *Scene, changes []*canvas.Change) *node {
	n := &node{id: h.next, parent: parent, label: label, time: at, scene: scene, changes: changes}
	h.next++
	h.attach(n)
	return n
}

func (h *history) attach(n *node) {
	h.nodes[n.id] = n
	if n.parent != nil {
		n.parent.children = append(n.parent.children, n)
		n.parent.last = n
	}
	h.touch(n)
}

// touch notes that n has changed.
func (h *history) touch(n *node) {
	h.stamps++
	n.stamp = h.stamps
	h.bytes -= n.bytes
	n.bytes = n.size()
	h.bytes += n.bytes
}

// size is the memory that n holds and its parent does not.
func (n *node) size() int {
	total := 200 + len(n.thumb) + len(n.made)
	for _, line := range n.then {
		total += 16 + len(line)
	}
	for _, ch := range n.changes {
		total += ch.Size()
	}
	if n.parent != nil && n.parent.scene == n.scene {
		return total
	}
	total += 1500 + 250*len(n.scene.Stack) + len(n.scene.Notes)
	known := map[*float32]bool{}
	if n.parent != nil {
		n.parent.scene.eachCode(func(c latent.Code) { known[&c.Data[0]] = true })
	}
	n.scene.eachCode(func(c latent.Code) {
		if !known[&c.Data[0]] {
			known[&c.Data[0]] = true
			total += 4 * len(c.Data)
		}
	})
	if p := n.scene.Source.Photo; p != nil && (n.parent == nil || n.parent.scene.Source.Photo != p) {
		total += len(p.Data)
	}
	return total
}

// eachCode calls fn with every code that the scene holds.
func (s *Scene) eachCode(fn func(latent.Code)) {
	visit := func(c latent.Code) {
		if !c.Empty() {
			fn(c)
		}
	}
	visit(s.Start)
	for _, e := range s.Stack {
		visit(e.Delta)
		visit(e.Refined.Correction)
	}
	for _, c := range s.Choices {
		visit(c.Run.Start)
		for _, k := range c.Run.Steps {
			visit(k.Code)
		}
	}
}

// trim forgets nodes until the limits are met.
func (h *history) trim() {
	for len(h.nodes) > 1 && (len(h.nodes) > h.maxNodes || h.bytes > h.maxBytes) {
		var oldest *node
		for _, n := range h.nodes {
			if len(n.children) == 0 && n != h.now && (oldest == nil || n.id < oldest.id) {
				oldest = n
			}
		}
		switch {
		case oldest != nil:
			h.forget(oldest)
		case len(h.nodes) <= minSteps && h.bytes <= 2*h.maxBytes:
			return
		default: // one line of ancestors
			old := h.root
			h.root = old.children[0]
			h.root.parent = nil
			h.root.changes = nil
			delete(h.nodes, old.id)
			h.bytes -= old.bytes
			h.touch(h.root)
		}
	}
}

// forget removes a leaf.
func (h *history) forget(n *node) {
	p := n.parent
	p.children = slices.DeleteFunc(p.children, func(c *node) bool { return c == n })
	if p.last == n {
		p.last = nil
		if k := len(p.children); k > 0 {
			p.last = p.children[k-1]
		}
	}
	delete(h.nodes, n.id)
	h.bytes -= n.bytes
}

// path returns the nodes to leave, from the present one upwards, and those to enter, downwards, on the way to n.
func (h *history) path(n *node) (up, down []*node) {
	above := map[*node]bool{}
	for a := h.now; a != nil; a = a.parent {
		above[a] = true
	}
	meet := n
	for !above[meet] {
		down = append(down, meet)
		meet = meet.parent
	}
	slices.Reverse(down)
	for a := h.now; a != meet; a = a.parent {
		up = append(up, a)
	}
	return up, down
}

// Current returns the present node.
func (d *Document) Current() NodeID { return d.history.now.id }

// Node returns a node of the history.
func (d *Document) Node(id NodeID) (Node, bool) {
	n := d.history.nodes[id]
	if n == nil {
		return Node{}, false
	}
	out := Node{ID: n.id, Label: n.label, Time: n.time, Thumb: n.thumb}
	if n.parent != nil {
		out.Parent = n.parent.id
	}
	for _, c := range n.children {
		out.Children = append(out.Children, c.id)
	}
	return out, true
}

// Nodes returns all nodes, oldest first.
func (d *Document) Nodes() []Node {
	ids := make([]NodeID, 0, len(d.history.nodes))
	for id := range d.history.nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := make([]Node, len(ids))
	for i, id := range ids {
		out[i], _ = d.Node(id)
	}
	return out
}

// HistoryBytes returns the memory that the history holds.
func (d *Document) HistoryBytes() int { return d.history.bytes }

// SetHistoryLimits bounds the history. Values below 1 stand for the defaults.
func (d *Document) SetHistoryLimits(nodes, bytes int) {
	if nodes < 1 {
		nodes = DefaultMaxNodes
	}
	if bytes < 1 {
		bytes = DefaultMaxBytes
	}
	d.history.maxNodes, d.history.maxBytes = nodes, bytes
	d.history.trim()
}

// UndoLabel returns what [Document.Undo] would take back, and false when there is nothing.
func (d *Document) UndoLabel() (Label, bool) {
	return d.history.now.label, d.history.now.parent != nil
}

// RedoLabel returns what [Document.Redo] would do again, and false when there is nothing.
func (d *Document) RedoLabel() (Label, bool) {
	if n := d.history.now.last; n != nil {
		return n.label, true
	}
	return Label{}, false
}

// Undo goes to the node before the present one. At the first it is [ErrNoStep].
func (d *Document) Undo() error {
	if d.history.now.parent == nil {
		return ErrNoStep
	}
	return d.Jump(d.history.now.parent.id)
}

// Redo goes to the node after the present one that was left last. At a leaf it is [ErrNoStep].
func (d *Document) Redo() error {
	if d.history.now.last == nil {
		return ErrNoStep
	}
	return d.Jump(d.history.now.last.id)
}

// Jump goes to any node of the history. While a stroke is being painted it is [canvas.ErrBusy].
func (d *Document) Jump(id NodeID) error {
	n := d.history.nodes[id]
	if n == nil {
		return fmt.Errorf("document: the history has no step %d", id)
	}
	if d.canvas.Editing() {
		return canvas.ErrBusy
	}
	d.endGesture()
	up, down := d.history.path(n)
	for _, leave := range up {
		for _, ch := range slices.Backward(leave.changes) {
			if err := ch.Revert(d.canvas); err != nil {
				return fmt.Errorf("document: step %d: %w", leave.id, err)
			}
		}
		leave.parent.last = leave
		d.moveTo(leave.parent)
	}
	for _, enter := range down {
		for _, ch := range enter.changes {
			if err := ch.Apply(d.canvas); err != nil {
				return fmt.Errorf("document: step %d: %w", enter.id, err)
			}
		}
		enter.parent.last = enter
		d.moveTo(enter)
	}
	if len(up)+len(down) > 0 {
		d.announce(History)
		d.record(nil)
	}
	return nil
}

// moveTo makes n the present node; its pixels are in the canvas already.
func (d *Document) moveTo(n *node) {
	d.history.now = n
	d.show(n.scene)
}

const thumbSide = 64

// SetThumb gives the present node a thumbnail of picture. It is not a command.
func (d *Document) SetThumb(picture *image.RGBA) error {
	b := picture.Rect
	if b.Empty() {
		return fmt.Errorf("document: the picture for a thumbnail is empty")
	}
	side := max(b.Dx(), b.Dy())
	w, h := max(1, b.Dx()*thumbSide/side), max(1, b.Dy()*thumbSide/side)
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := y*b.Dy()/h, max((y+1)*b.Dy()/h, y*b.Dy()/h+1)
		for x := range w {
			x0, x1 := x*b.Dx()/w, max((x+1)*b.Dx()/w, x*b.Dx()/w+1)
			var sum [3]int
			for v := y0; v < y1; v++ {
				for u := x0; u < x1; u++ {
					i := picture.PixOffset(b.Min.X+u, b.Min.Y+v)
					for k := range sum {
						sum[k] += int(picture.Pix[i+k])
					}
				}
			}
			area := (x1 - x0) * (y1 - y0)
			o := small.PixOffset(x, y)
			for k := range sum {
				small.Pix[o+k] = uint8(sum[k] / area)
			}
			small.Pix[o+3] = 0xff
		}
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, small, &jpeg.Options{Quality: 85}); err != nil {
		return fmt.Errorf("document: thumbnail: %w", err)
	}
	n := d.history.now
	stamp := n.stamp
	n.thumb = buf.Bytes()
	d.history.touch(n)
	n.stamp = stamp // a thumbnail is no unsaved change
	d.announce(History)
	return nil
}
