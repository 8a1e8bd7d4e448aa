package window

import (
	"fmt"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

// topBar holds the program's name, the menus, the document's title and the pills
// for model and device.
type topBar struct {
	menu   *control.MenuBar
	title  *control.Caption
	model  *control.Button
	device *control.Button
	object fyne.CanvasObject
}

func newTopBar(table *action.Table, extra map[string]func() []*fyne.MenuItem) *topBar {
	t := &topBar{}
	var menus []control.MenuTitle
	for _, id := range action.Menus {
		id := id
		menus = append(menus, control.MenuTitle{Text: words.T("menu." + id), Items: func() []*fyne.MenuItem {
			return menuItems(table, id, extra)
		}})
	}
	t.menu = control.NewMenuBar(menus...)
	name := control.NewCaption(words.T("app.name"), look.Text, look.TextBody+0.5, true)
	t.title = control.NewCaption("", look.TextSoft, look.TextBody, false)
	t.title.Least = 40
	t.model = control.NewButton(control.Pill, "model", "", func() { table.Run("file.model") })
	t.model.Name = words.T("action.file.model")
	t.device = control.NewButton(control.Pill, "", "", nil)
	t.object = control.NewPanel(look.Surface, "bottom", row(10, 12, name, t.menu, layout.NewSpacer(), t.title, layout.NewSpacer(), t.model, t.device))
	return t
}

// menuItems makes a menu from the table. An action with an entry in extra opens a
// submenu made by it.
func menuItems(table *action.Table, menu string, extra map[string]func() []*fyne.MenuItem) []*fyne.MenuItem {
	var out []*fyne.MenuItem
	for _, a := range action.All {
		if a.Menu != menu {
			continue
		}
		if a.Line && len(out) > 0 {
			out = append(out, fyne.NewMenuItemSeparator())
		}
		id := a.ID
		text := words.T("action." + id)
		if keys := table.Keymap().Keys(id); len(keys) > 0 {
			text += "    " + keyText(keys[0])
		}
		it := fyne.NewMenuItem(text, func() { table.Run(id) })
		it.Disabled = !table.Enabled(id)
		it.Checked = table.Checked(id)
		if make := extra[id]; make != nil {
			it.ChildMenu = fyne.NewMenu("", make()...)
			it.Disabled = len(it.ChildMenu.Items) == 0
		}
		out = append(out, it)
	}
	return out
}

// keyText writes a chord as it is shown to people.
func keyText(chord string) string {
	if words.Has("key." + chord) {
		return words.T("key." + chord)
	}
	return chord
}

// optionBar holds the tool's options at the left and the view's at the right.
type optionBar struct {
	class    *control.Button
	size     *control.Slider
	sizeText *control.Caption
	shapes   []*control.Button
	protect  *control.Button
	symmetry *control.Button
	overlay  *control.Slider
	overText *control.Caption
	compare  *control.Button
	zoom     *control.Button
	brush    []fyne.CanvasObject // what only tools with a brush have
	tool     *toolOptions
	object   fyne.CanvasObject
}

func newOptionBar(table *action.Table, tool *toolOptions, onSize, onOverlay func(float64), onShape func(int)) *optionBar {
	o := &optionBar{tool: tool}
	run := func(id string) func() { return func() { table.Run(id) } }
	o.class = control.NewButton(control.Pill, "", "", run("class.filter"))
	o.class.Swatch = color.Gray{Y: 128}
	o.class.Name = words.T("options.class")
	o.size = control.NewSlider(words.T("options.size"), control.BrushScale(512), 24, 110, onSize)
	o.sizeText = control.NewCaption("24 px", look.Text, look.TextBody, false)
	for i, s := range []string{"round", "square", "diamond"} {
		i := i
		b := control.NewSmallButton("shape-"+s, words.T("shape."+s), func() { onShape(i) })
		b.IconSize, b.Least = 17, fyne.NewSquareSize(24)
		o.shapes = append(o.shapes, b)
	}
	o.protect = control.NewButton(control.Pill, "", words.T("options.protect"), run("class.protect"))
	o.protect.Name = words.T("action.class.protect")
	o.symmetry = control.NewButton(control.Pill, "", words.T("options.symmetry"), run("mask.symmetry"))
	o.symmetry.Name = words.T("action.mask.symmetry")
	o.overlay = control.NewSlider(words.T("options.overlay"), control.Linear(0, 1), 0.5, 100, onOverlay)
	o.overText = control.NewCaption("50 %", look.Text, look.TextBody, false)
	o.compare = control.NewButton(control.Pill, "compare", "", run("view.compare"))
	o.compare.Name = words.T("action.view.compare")
	o.zoom = control.NewButton(control.Pill, "fit", words.T("options.fit"), run("view.fit"))
	o.zoom.Name = words.T("action.view.fit")
	o.brush = []fyne.CanvasObject{soft(words.T("options.size-label")), o.size, o.sizeText}
	for _, b := range o.shapes {
		o.brush = append(o.brush, b)
	}
	objs := append([]fyne.CanvasObject{o.class}, o.brush...)
	objs = append(objs, tool.objects()...)
	objs = append(objs, o.protect, o.symmetry, layout.NewSpacer(), soft(words.T("options.overlay-label")), o.overlay, o.overText, o.compare, o.zoom)
	o.object = control.NewPanel(look.Surface, "bottom", row(8, 12, objs...))
	o.setShape(0)
	o.setSwitch(o.protect, false)
	o.setSwitch(o.symmetry, false)
	return o
}

func (o *optionBar) setSize(px int) {
	o.size.Set(float64(px))
	o.sizeText.Set(fmt.Sprintf("%3d px", px))
}

func (o *optionBar) setShape(i int) {
	for k, b := range o.shapes {
		b.Active = k == i
		b.Refresh()
	}
}

func (o *optionBar) setSwitch(b *control.Button, on bool) {
	b.Suffix, b.SuffixHue = words.T("off"), look.TextFaint
	if on {
		b.Suffix, b.SuffixHue = words.T("on"), look.Accent
	}
	b.Refresh()
}

func (o *optionBar) setOverlay(v float64) {
	o.overlay.Set(v)
	o.overText.Set(fmt.Sprintf("%.0f %%", v*100))
}

// setBrush shows or hides what only tools with a brush have.
func (o *optionBar) setBrush(on bool) {
	for _, b := range o.brush {
		if b.Visible() != on {
			if on {
				b.Show()
			} else {
				b.Hide()
			}
		}
	}
}

func (o *optionBar) setClass(name string, c color.Color) {
	o.class.Text, o.class.Swatch = name, c
	o.class.Refresh()
}

func (o *optionBar) setZoom(z float64, fit bool) {
	t := fmt.Sprintf("%.0f %%", math.Round(z*100))
	if fit {
		t = words.T("options.fit") + " · " + t
	}
	o.zoom.Text = t
	o.zoom.Refresh()
}

// toolColumn is the column of tools at the left.
type toolColumn struct {
	buttons map[string]*control.Button
	object  fyne.CanvasObject
}

// toolIDs are the tools of the column, in order; empty strings open a gap.
var toolIDs = []string{
	"brush", "erase", "fill", "pick", "polygon", "lasso", "rectangle", "ellipse", "smooth", "move", "region", "keep", "hand",
}

func newToolColumn(table *action.Table) *toolColumn {
	t := &toolColumn{buttons: map[string]*control.Button{}}
	var objs []fyne.CanvasObject
	for _, id := range toolIDs {
		a, _ := action.ByID("tool." + id)
		key := ""
		if k := table.Keymap().Keys(a.ID); len(k) > 0 {
			key = keyText(k[0])
		}
		full := a.ID
		b := control.NewToolButton(a.Icon, words.T("action."+a.ID), key, func() { table.Run(full) })
		t.buttons[id] = b
		objs = append(objs, b)
	}
	t.object = control.NewPanel(look.Surface, "right", container.New(column{6, 2}, objs...))
	return t
}

func (t *toolColumn) set(id string) {
	for k, b := range t.buttons {
		if b.Active != (k == id) {
			b.Active = k == id
			b.Refresh()
		}
	}
}

// statusBar is the line at the foot of the window.
type statusBar struct {
	job, frame, memory, saved, right *control.Caption
	object                           fyne.CanvasObject
}

func newStatusBar() *statusBar {
	s := &statusBar{job: small(""), frame: small(""), memory: small(""), saved: small(""), right: small(words.T("status.offline"))}
	s.job.Least = 60
	s.right.Hue = look.TextFaint
	s.object = control.NewPanel(look.Surface, "top", row(18, 12, s.job, s.frame, s.memory, s.saved, layout.NewSpacer(), s.right))
	return s
}
