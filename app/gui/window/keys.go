package window

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/words"
)

// keyName gives a Fyne key the name that chords use; "" for keys without one.
func keyName(k fyne.KeyName) string {
	switch k {
	case fyne.KeyReturn, fyne.KeyEnter:
		return "Return"
	case fyne.KeyEscape:
		return "Escape"
	case fyne.KeySpace:
		return "Space"
	case fyne.KeyPageUp:
		return "PageUp"
	case fyne.KeyPageDown:
		return "PageDown"
	case fyne.KeyBackspace:
		return "BackSpace"
	case desktop.KeyAltLeft, desktop.KeyAltRight:
		return "Alt"
	case desktop.KeyShiftLeft, desktop.KeyShiftRight, desktop.KeyControlLeft, desktop.KeyControlRight,
		desktop.KeySuperLeft, desktop.KeySuperRight, desktop.KeyCapsLock, desktop.KeyMenu, desktop.KeyPrintScreen:
		return ""
	}
	return string(k)
}

// chordOf writes a key with modifiers as a chord; "" where there is none.
func chordOf(k fyne.KeyName, mods fyne.KeyModifier) string {
	n := keyName(k)
	if n == "" {
		return ""
	}
	var b strings.Builder
	if mods&fyne.KeyModifierControl != 0 {
		b.WriteString("Ctrl+")
	}
	if mods&fyne.KeyModifierAlt != 0 && n != "Alt" {
		b.WriteString("Alt+")
	}
	if mods&fyne.KeyModifierShift != 0 {
		b.WriteString("Shift+")
	}
	if mods&fyne.KeyModifierSuper != 0 {
		b.WriteString("Super+")
	}
	c, err := action.Normal(b.String() + n)
	if err != nil {
		return ""
	}
	return c
}

// fyneKey is the inverse of keyName.
func fyneKey(name string) fyne.KeyName {
	switch name {
	case "PageUp":
		return fyne.KeyPageUp
	case "PageDown":
		return fyne.KeyPageDown
	case "BackSpace":
		return fyne.KeyBackspace
	}
	return fyne.KeyName(name)
}

func modifiersNow() fyne.KeyModifier {
	if a := fyne.CurrentApp(); a != nil {
		if d, ok := a.Driver().(desktop.Driver); ok {
			return d.CurrentKeyModifiers()
		}
	}
	return 0
}

// keyboard turns key events into actions. Plain keys come through the window's
// canvas, or the pane when it has focus; chords with Ctrl, Alt or Super come as
// shortcuts that the canvas triggers.
type keyboard struct {
	w     *Window
	fresh map[fyne.KeyName]bool // pressed and not yet run
	held  map[fyne.KeyName]string
	added []fyne.Shortcut
}

func newKeyboard(w *Window) *keyboard {
	k := &keyboard{w: w, fresh: map[fyne.KeyName]bool{}, held: map[fyne.KeyName]string{}}
	c := w.canvas()
	if d, ok := c.(desktop.Canvas); ok {
		d.SetOnKeyDown(k.down)
		d.SetOnKeyUp(k.up)
	}
	c.SetOnTypedKey(k.typed)
	k.register()
	return k
}

// register makes shortcuts of the keymap's chords with modifiers.
func (k *keyboard) register() {
	c := k.w.canvas()
	for _, s := range k.added {
		c.RemoveShortcut(s)
	}
	k.added = nil
	for _, a := range action.All {
		for _, chord := range k.w.table.Keymap().Keys(a.ID) {
			mods, key := splitChord(chord)
			if mods&^fyne.KeyModifierShift == 0 {
				continue
			}
			id := a.ID
			run := func(fyne.Shortcut) { k.run(id) }
			names := []fyne.KeyName{fyneKey(key)}
			if key == "Return" {
				names = append(names, fyne.KeyEnter)
			}
			for _, n := range names {
				s := &desktop.CustomShortcut{KeyName: n, Modifier: mods}
				c.AddShortcut(s, run)
				k.added = append(k.added, s)
			}
			// Fyne turns these chords into shortcuts of its own.
			var own fyne.Shortcut
			switch chord {
			case "Ctrl+Z":
				own = &fyne.ShortcutUndo{}
			case "Ctrl+Y":
				own = &fyne.ShortcutRedo{}
			case "Ctrl+V":
				own = &fyne.ShortcutPaste{}
			case "Ctrl+C":
				own = &fyne.ShortcutCopy{}
			case "Ctrl+X":
				own = &fyne.ShortcutCut{}
			case "Ctrl+A":
				own = &fyne.ShortcutSelectAll{}
			}
			if own != nil {
				c.AddShortcut(own, run)
				k.added = append(k.added, own)
			}
		}
	}
}

func splitChord(chord string) (mods fyne.KeyModifier, key string) {
	for {
		head, tail, ok := strings.Cut(chord, "+")
		if !ok || head == "" || tail == "" {
			return mods, chord
		}
		switch head {
		case "Ctrl":
			mods |= fyne.KeyModifierShortcutDefault
		case "Alt":
			mods |= fyne.KeyModifierAlt
		case "Shift":
			mods |= fyne.KeyModifierShift
		case "Super":
			mods |= fyne.KeyModifierSuper
		}
		chord = tail
	}
}

// run runs an action unless a sheet is open, and says when it cannot be done now.
func (k *keyboard) run(id string) {
	if s := control.TopSheet(); s != nil {
		switch {
		case id == "edit.cancel":
			s.Dismiss()
		case id == "run.edit":
			s.Return()
		}
		return
	}
	k.w.table.Run(id)
}

// down notes a pressed key and begins held actions.
func (k *keyboard) down(e *fyne.KeyEvent) {
	k.fresh[e.Name] = true
	chord := chordOf(e.Name, modifiersNow())
	if a, ok := k.w.table.Lookup(chord); ok && a.Kind == action.Hold && control.TopSheet() == nil && k.w.table.Enabled(a.ID) {
		k.held[e.Name] = a.ID
		k.w.table.Run(a.ID)
	}
}

// up ends held actions.
func (k *keyboard) up(e *fyne.KeyEvent) {
	delete(k.fresh, e.Name)
	if id, ok := k.held[e.Name]; ok {
		delete(k.held, e.Name)
		k.w.table.End(id)
	}
}

// release ends everything that is held, as when the window loses the keyboard.
func (k *keyboard) release() {
	for n, id := range k.held {
		delete(k.held, n)
		k.w.table.End(id)
	}
	clear(k.fresh)
}

// typed runs actions with plain keys; the driver repeats it while a key is held.
func (k *keyboard) typed(e *fyne.KeyEvent) {
	k.chord(chordOf(e.Name, modifiersNow()), e.Name)
}

func (k *keyboard) chord(chord string, key fyne.KeyName) {
	fresh := k.fresh[key]
	delete(k.fresh, key)
	_, tracked := k.w.canvas().(desktop.Canvas)
	a, ok := k.w.table.Lookup(chord)
	if !ok || a.Kind == action.Hold || a.Kind == action.Gesture {
		return
	}
	if a.Kind == action.Press && tracked && !fresh {
		return
	}
	k.run(a.ID)
}

// keyCatcher shows the next chord that is pressed on it.
type keyCatcher struct {
	widget.Label
	got func(string)
}

var (
	_ fyne.Focusable    = (*keyCatcher)(nil)
	_ fyne.Shortcutable = (*keyCatcher)(nil)
)

func newKeyCatcher(got func(string)) *keyCatcher {
	c := &keyCatcher{got: got}
	c.Alignment = fyne.TextAlignCenter
	c.TextStyle.Bold = true
	c.Text = words.T("keymap.waiting")
	c.ExtendBaseWidget(c)
	return c
}

func (c *keyCatcher) FocusGained()   {}
func (c *keyCatcher) FocusLost()     {}
func (c *keyCatcher) TypedRune(rune) {}

// TypedKey takes a key without Ctrl.
func (c *keyCatcher) TypedKey(e *fyne.KeyEvent) {
	if chord := chordOf(e.Name, modifiersNow()); chord != "" {
		c.got(chord)
	}
}

// TypedShortcut takes a chord.
func (c *keyCatcher) TypedShortcut(s fyne.Shortcut) {
	switch s := s.(type) {
	case *desktop.CustomShortcut:
		if chord := chordOf(s.KeyName, s.Modifier); chord != "" {
			c.got(chord)
		}
	case *fyne.ShortcutUndo:
		c.got("Ctrl+Z")
	case *fyne.ShortcutRedo:
		c.got("Ctrl+Y")
	case *fyne.ShortcutPaste:
		c.got("Ctrl+V")
	case *fyne.ShortcutCopy:
		c.got("Ctrl+C")
	case *fyne.ShortcutCut:
		c.got("Ctrl+X")
	case *fyne.ShortcutSelectAll:
		c.got("Ctrl+A")
	}
}

// Blur ends what is held, as when the window loses the keyboard.
func (w *Window) Blur() {
	w.keys.release()
	if w.painter != nil {
		w.painter.LetGo()
	}
	control.HideTip()
}
