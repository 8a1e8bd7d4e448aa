package window

import (
	"fyne.io/fyne/v2"

	"latentbrush/app/document"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/words"
	"latentbrush/canvas"
)

// classMenu opens the menu of a class, which becomes the one that is painted.
func (w *Window) classMenu(id uint8, at fyne.Position) {
	w.chooseClass(id)
	p := w.doc.Scene().Protection
	act := func(action string) *fyne.MenuItem {
		it := fyne.NewMenuItem(words.T("action."+action), func() { w.table.Run(action) })
		it.Disabled = !w.table.Enabled(action)
		return it
	}
	lock, hide, solo := act("class.lock"), act("class.hide"), act("class.solo")
	lock.Checked, hide.Checked, solo.Checked = p.Locked[id], p.Hidden[id], p.Solo == int(id)
	items := []*fyne.MenuItem{lock, hide, solo, fyne.NewMenuItemSeparator()}
	now := w.doc.Scene().Status[id]
	for i, name := range []string{"class.status.none", "class.status.doing", "class.status.done", "class.status.flag"} {
		it := fyne.NewMenuItem(words.T(name), func() {
			w.check(w.doc.SetStatus(id, document.Status(i)))
			w.showClasses()
		})
		it.Checked = int(now) == i
		items = append(items, it)
	}
	items = append(items, fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem(words.T("class.keep"), func() { w.markClass(id, canvas.MarkKeep, "keep") }),
		fyne.NewMenuItem(words.T("class.free"), func() { w.markClass(id, canvas.MarkFree, "free") }),
		act("mask.copy"), fyne.NewMenuItemSeparator(),
		act("mask.grow"), act("mask.shrink"), act("mask.smooth"), act("mask.islands"), act("mask.holes"))
	control.PopUpMenu(w.canvas(), at, items...)
}

// markClass marks all pixels of a class on the keep or the free layer.
func (w *Window) markClass(id uint8, layer canvas.InkKind, name string) {
	c := w.doc.Canvas()
	part, err := c.Copy(id)
	if err != nil {
		w.say(words.T("copy.none", className(w.doc.Space().Classes[id].Name)))
		return
	}
	ch, err := c.MarkPart(name, part, canvas.Ink{Kind: layer, Class: id})
	w.change(ch, err)
}
