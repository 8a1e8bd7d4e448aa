package window

import (
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

// formName is the width of the names in forms.
const formName float32 = 180

// form is one row of a form: a name with a short explanation below, and what it is set with.
func form(name, help string, with fyne.CanvasObject, more ...fyne.CanvasObject) fyne.CanvasObject {
	title := control.NewCaption(name, look.Text, look.TextBody, false)
	right := row(6, 0, append([]fyne.CanvasObject{with}, more...)...)
	left := container.New(&fixedWidth{formName}, title)
	body := container.NewBorder(nil, nil, left, nil, container.NewHBox(right, layout.NewSpacer()))
	if help == "" {
		return container.New(&inset{0, 3}, body)
	}
	line := small(help)
	line.Least = 60
	return container.New(&inset{0, 3}, container.NewVBox(body, container.NewBorder(nil, nil, container.New(&fixedWidth{formName}, container.NewWithoutLayout()), nil, line)))
}

// fixedWidth gives its object a width.
type fixedWidth struct{ width float32 }

func (f *fixedWidth) MinSize(os []fyne.CanvasObject) fyne.Size {
	var h float32
	for _, o := range os {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(f.width, h)
}

func (f *fixedWidth) Layout(os []fyne.CanvasObject, z fyne.Size) {
	for _, o := range os {
		h := o.MinSize().Height
		o.Resize(fyne.NewSize(f.width, h))
		o.Move(fyne.NewPos(0, (z.Height-h)/2))
	}
}

// segments is a row of buttons of which one is chosen.
func segments(options, names []string, now string, set func(string)) fyne.CanvasObject {
	var buttons []*control.Button
	var objs []fyne.CanvasObject
	for i, o := range options {
		b := control.NewButton(control.Flat, "", names[i], nil)
		b.Active = o == now
		b.OnTap = func() {
			for _, x := range buttons {
				x.Active = x == b
				x.Refresh()
			}
			set(o)
		}
		buttons = append(buttons, b)
		objs = append(objs, b)
	}
	return row(4, 0, objs...)
}

// numberBox is an entry for a number between two others.
type numberBox struct {
	entry  *line
	lo, hi float64
	whole  bool
	note   *control.Caption
	set    func(float64) // called with every number that is possible; may be nil
}

func newNumber(now, lo, hi int) *numberBox {
	return newNumberBox(float64(now), float64(lo), float64(hi), true, nil)
}

func newNumberBox(now, lo, hi float64, whole bool, set func(float64)) *numberBox {
	n := &numberBox{entry: newLine(plainNumber(now)), lo: lo, hi: hi, whole: whole, note: control.NewCaption("", look.Bad, look.TextCaption, false), set: set}
	n.entry.OnChanged = func(string) {
		if v, ok := n.read(); ok && n.set != nil {
			n.set(v)
		}
	}
	n.entry.escape = func() {
		if s := control.TopSheet(); s != nil {
			s.Dismiss()
		}
	}
	n.entry.OnSubmitted = func(string) {
		if s := control.TopSheet(); s != nil {
			s.Return()
		}
	}
	return n
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// box is the entry as it lies in a form.
func (n *numberBox) box() fyne.CanvasObject {
	return row(8, 0, container.NewGridWrap(fyne.NewSize(92, n.entry.MinSize().Height), n.entry), n.note)
}

// read returns the number, and shows what is expected when there is none.
func (n *numberBox) read() (float64, bool) {
	v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(n.entry.Text), ",", "."), 64)
	ok := err == nil && v >= n.lo && v <= n.hi && (!n.whole || v == float64(int(v)))
	text := ""
	if !ok {
		text = words.T("number.between", plainNumber(n.lo), plainNumber(n.hi))
	}
	n.note.Set(text)
	return v, ok
}

// value is read for whole numbers.
func (n *numberBox) value() (int, bool) {
	v, ok := n.read()
	return int(v), ok
}

// AsEntry is the entry itself, for what looks for entries.
func (e *line) AsEntry() *widget.Entry { return &e.Entry }
