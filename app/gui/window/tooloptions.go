package window

import (
	"fmt"
	"strconv"

	"fyne.io/fyne/v2"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
	"latentbrush/canvas"
)

// toolOptions are the parts of the option bar that belong to one tool: with what
// a layer is marked, how far a fill reaches, what a moved part leaves behind.
type toolOptions struct {
	marks      []*control.Button // tools that the keep and free layers are painted with
	everywhere *control.Button
	speed      *control.Button
	snap       *control.Button
	reach      *control.Button
	hole       *control.Button
	put, back  *control.Button
}

// markTools are offered for painting the keep and free layers.
var markTools = []string{"brush", "erase", "lasso", "polygon", "rectangle", "ellipse", "fill"}

// reaches are the radii in pixels that the smooth brush goes through.
var reaches = []int{1, 2, 3, 5, 8, 12, 16}

// snaps are the reaches in pixels that snapping to edges goes through.
var snaps = []int{0, 3, 6, 12, 24}

// nextOf returns the first value above the present one, or the first of all.
func nextOf(values []int, now int) int {
	for _, v := range values {
		if v > now {
			return v
		}
	}
	return values[0]
}

// toggleSnap has strokes follow the edges of the picture, or not any more.
func (w *Window) toggleSnap() {
	if w.painter.Snap > 0 {
		w.painter.Snap = 0
	} else {
		w.painter.Snap = 6
	}
	w.showTool()
}

func newToolOptions(w *Window) *toolOptions {
	o := &toolOptions{}
	for _, id := range markTools {
		b := control.NewSmallButton("tool-"+id, words.T("action.tool."+id), func() { w.markWith(id) })
		if id == "erase" {
			b.Name = words.T("options.unmark")
		}
		b.IconSize, b.Least = 17, fyne.NewSquareSize(24)
		o.marks = append(o.marks, b)
	}
	pill := func(text, name string, run func()) *control.Button {
		b := control.NewButton(control.Pill, "", words.T(text), func() {
			if w.painter != nil {
				run()
				w.showTool()
			}
		})
		b.Name = words.T(name)
		return b
	}
	o.everywhere = pill("options.everywhere", "options.everywhere-tip", func() { w.painter.FillEverywhere = !w.painter.FillEverywhere })
	o.speed = pill("options.speed", "options.speed-tip", func() { w.painter.Brush.BySpeed = !w.painter.Brush.BySpeed })
	o.snap = pill("options.snap", "options.snap-tip", func() { w.painter.Snap = nextOf(snaps, w.painter.Snap) })
	o.reach = pill("options.reach", "options.reach-tip", func() { w.painter.SmoothRadius = nextOf(reaches, w.painter.SmoothRadius) })
	o.hole = pill("options.hole", "options.hole-tip", func() {
		if w.painter.HoleClass == canvas.NoClass {
			w.painter.HoleClass = int(w.painter.Class())
		} else {
			w.painter.HoleClass = canvas.NoClass
		}
	})
	o.put = pill("options.put", "options.put-tip", func() { w.painter.Handle(confirmEvent) })
	o.back = pill("options.back", "options.back-tip", func() { w.painter.Cancel() })
	o.show(w)
	return o
}

func (o *toolOptions) objects() []fyne.CanvasObject {
	var out []fyne.CanvasObject
	for _, b := range o.marks {
		out = append(out, b)
	}
	return append(out, o.everywhere, o.speed, o.snap, o.reach, o.hole, o.put, o.back)
}

// show shows what belongs to the tool in use; without a painter, nothing.
func (o *toolOptions) show(w *Window) {
	var id, with string
	var p *canvas.Painter
	if p = w.painter; p != nil {
		id, with = w.toolID(), p.Chosen().ID()
	}
	part := p != nil && len(p.Outline()) > 0
	see := func(b *control.Button, on bool) {
		if b.Visible() != on {
			b.Hidden = !on
		}
		if on {
			b.Refresh()
		}
	}
	for i, b := range o.marks {
		b.Active = with == markTools[i]
		see(b, p != nil && p.Marking() && id != "hand")
	}
	state := func(b *control.Button, on bool) {
		b.Suffix, b.SuffixHue = words.T("off"), look.TextFaint
		if on {
			b.Suffix, b.SuffixHue = words.T("on"), look.Accent
		}
	}
	if p != nil {
		state(o.everywhere, p.FillEverywhere)
		state(o.speed, p.Brush.BySpeed)
		state(o.snap, p.Snap > 0)
		if p.Snap > 0 {
			o.snap.Suffix = fmt.Sprintf("%d px", p.Snap)
		}
		o.reach.Suffix = fmt.Sprintf("%d px", p.SmoothRadius)
		o.hole.Suffix, o.hole.SuffixHue = words.T("options.nearest"), look.TextFaint
		if k := p.HoleClass; k != canvas.NoClass && k < len(w.doc.Space().Classes) {
			o.hole.Suffix, o.hole.SuffixHue = className(w.doc.Space().Classes[k].Name), look.Accent
		}
	}
	see(o.everywhere, id == "fill")
	see(o.speed, id == "brush" || id == "erase")
	snaps := false
	if p != nil && id != "hand" {
		_, snaps = p.Chosen().(canvas.Snapping)
	}
	see(o.snap, snaps)
	see(o.reach, id == "smooth")
	see(o.hole, id == "move")
	see(o.put, id == "move" && part)
	see(o.back, id == "move" && part)
}

// markWith goes on marking the present layer with another tool.
func (w *Window) markWith(id string) {
	if w.painter == nil {
		return
	}
	w.check(w.painter.Use(id))
	w.showTool()
}

// useMarks begins painting the keep or the free layer, with the brush. What is
// marked is seen on both panes until another tool is chosen.
func (w *Window) useMarks(layer canvas.InkKind) {
	w.painter.Layer = layer
	w.check(w.painter.Use("brush"))
	l := w.maskPane.Look()
	if !l.Region {
		l.Region = true
		w.maskPane.SetLook(l)
	}
}

// showMarks shows the layers on the picture while they are painted.
func (w *Window) showMarks() {
	if w.picturePane == nil {
		return
	}
	l := w.picturePane.Look()
	if on := w.painter.Marking(); l.Region != on {
		l.Region = on
		w.picturePane.SetLook(l)
	}
}

// copiedPart is a piece of a mask on its way to another place or picture. The
// classes go by their names: another model may number them otherwise.
type copiedPart struct {
	part  *canvas.Part
	names map[uint8]string
	seen  string // what the system's clipboard held then
}

// copyPart takes the part in hand, or else the class being painted with what
// belongs to it.
func (w *Window) copyPart() {
	var part *canvas.Part
	if t, ok := w.painter.Chosen().(*canvas.MoveTool); ok && t.Part() != nil {
		part = t.Part()
	} else {
		k := w.painter.Class()
		p, err := w.doc.Canvas().Copy(append([]uint8{k}, w.moveWith(k)...)...)
		if err != nil {
			w.say(words.T("copy.none", className(w.doc.Space().Classes[k].Name)))
			return
		}
		part = p
	}
	c := &copiedPart{part: part, names: map[uint8]string{}}
	for _, k := range w.doc.Space().Classes {
		c.names[k.ID] = k.Name
	}
	w.copied = c
	w.say(words.T("copy.done", strconv.Itoa(part.Area())))
	if w.options.PastePicture != nil {
		go func() {
			seen := string(w.options.PastePicture())
			w.later(func() { c.seen = seen })
		}()
	}
}

// pastePart puts the copied part into the hand of the move tool.
func (w *Window) pastePart() {
	to := map[uint8]uint8{}
	for from, name := range w.copied.names {
		for _, k := range w.doc.Space().Classes {
			if k.Name == name {
				to[from] = k.ID
			}
		}
	}
	part := w.copied.part.Remap(to)
	if part.Area() == 0 {
		w.say(words.T("copy.unknown"))
		return
	}
	w.useTool("move")
	w.painter.Float(part)
	w.showTool()
	w.say(words.T("copy.place"))
}
