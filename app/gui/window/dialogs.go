package window

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

// ask shows a question with up to three answers; the first is the one that keeps
// the most. Escape is the last answer.
func (w *Window) ask(title, text string, answers []string, then func(i int)) *control.Sheet {
	l := widget.NewLabel(text)
	l.Wrapping = fyne.TextWrapWord
	var sheet *control.Sheet
	answered := false
	answer := func(i int) {
		if !answered {
			answered = true
			sheet.Close()
			then(i)
		}
	}
	var buttons []*control.Button
	for i := len(answers) - 1; i >= 0; i-- {
		i := i
		style := control.Filled
		if i == 0 {
			style = control.Primary
		}
		buttons = append(buttons, control.NewButton(style, "", answers[i], func() { answer(i) }))
	}
	sheet = control.NewSheet(w.canvas(), title, l, fyne.NewSize(440, 60), false, buttons...)
	sheet.OnReturn = func() { answer(0) }
	sheet.OnClose = func() {
		if !answered {
			answered = true
			then(len(answers) - 1)
		}
	}
	sheet.Show()
	return sheet
}

// prompt asks for one line of text.
func (w *Window) prompt(title, label, text, ok string, then func(string)) {
	e := newLine(text)
	var sheet *control.Sheet
	accept := func() {
		sheet.Close()
		then(strings.TrimSpace(e.Text))
	}
	e.OnSubmitted = func(string) { accept() }
	e.escape = func() { sheet.Close() }
	sheet = control.NewSheet(w.canvas(), title, container.NewVBox(soft(label), e), fyne.NewSize(400, 80), false,
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }),
		control.NewButton(control.Primary, "", ok, accept))
	sheet.Show()
	w.canvas().Focus(e)
	w.trace("prompt")
	e.TypedShortcut(&fyne.ShortcutSelectAll{})
}

// line is an entry that hands Escape on.
type line struct {
	widget.Entry
	escape func()
}

func newLine(text string) *line {
	e := &line{}
	e.ExtendBaseWidget(e)
	e.SetText(text)
	return e
}

func (e *line) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape && e.escape != nil {
		e.escape()
		return
	}
	e.Entry.TypedKey(k)
}

// showPalette opens the command palette.
func (w *Window) showPalette() *control.Finder {
	name := func(id string) string { return words.T("action." + id) }
	return control.ShowFinder(w.canvas(), words.T("palette.hint"), words.T("finder.none"), func(q string) []control.FinderRow {
		var rows []control.FinderRow
		for _, m := range w.table.Search(q, name) {
			note := ""
			if k := w.table.Keymap().Keys(m.Action.ID); len(k) > 0 {
				note = keyText(k[0])
			}
			rows = append(rows, control.FinderRow{
				Key: m.Action.ID, Text: m.Name, Note: note, Icon: m.Action.Icon, Disabled: !w.table.Enabled(m.Action.ID),
			})
		}
		return rows
	}, func(id string) { w.table.Run(id) })
}

// showKeys opens the key sheet: every action with its keys, in columns.
func (w *Window) showKeys() {
	type group struct {
		title string
		rows  [][2]string
	}
	var groups []group
	at := map[string]int{}
	for _, a := range action.All {
		keys := w.table.Keymap().Keys(a.ID)
		if len(keys) == 0 && a.Kind != action.Gesture {
			continue
		}
		i, ok := at[a.Group()]
		if !ok {
			i = len(groups)
			at[a.Group()] = i
			groups = append(groups, group{title: words.T("group." + a.Group())})
		}
		what, how := words.T("action."+a.ID), ""
		if a.Kind == action.Gesture {
			what, how, _ = strings.Cut(what, " — ")
		} else {
			shown := make([]string, len(keys))
			for k, c := range keys {
				shown[k] = keyText(c)
			}
			how = strings.Join(shown, "  ")
		}
		groups[i].rows = append(groups[i].rows, [2]string{what, how})
	}
	heights := make([]int, len(groups))
	for i, g := range groups {
		heights[i] = len(g.rows) + 2
	}
	var columns []fyne.CanvasObject
	for _, of := range evenColumns(heights, 4) {
		col := container.NewVBox()
		for _, g := range groups[of[0]:of[1]] {
			col.Add(container.New(layout.NewCustomPaddedLayout(6, 0, 0, 0), control.NewCaption(g.title, look.Accent, look.TextBody, true)))
			for _, r := range g.rows {
				what, how := soft(r[0]), control.NewCaption(r[1], look.Text, look.TextCaption, true)
				what.Least = 60
				col.Add(row(8, 0, what, layout.NewSpacer(), how))
			}
		}
		columns = append(columns, col)
	}
	grid := container.New(&spacedColumns{28}, columns...)
	var sheet *control.Sheet
	sheet = control.NewSheet(w.canvas(), words.T("keys.title"), container.NewVScroll(grid), fyne.NewSize(1180, 760), false,
		control.NewButton(control.Filled, "keyboard", words.T("action.edit.keys"), func() { sheet.Close(); w.table.Run("edit.keys") }),
		control.NewButton(control.Primary, "", words.T("close"), func() { sheet.Close() }))
	sheet.Show()
}

// evenColumns shares blocks of the given heights, in their order, among columns of which the highest is as low as can be. Each
// column is the first block and the one after the last.
func evenColumns(heights []int, columns int) [][2]int {
	fill := func(limit int) [][2]int {
		var out [][2]int
		from, sum := 0, 0
		for i, h := range heights {
			if sum > 0 && sum+h > limit {
				out = append(out, [2]int{from, i})
				from, sum = i, 0
			}
			sum += h
		}
		return append(out, [2]int{from, len(heights)})
	}
	for limit := 1; ; limit++ {
		if out := fill(limit); len(out) <= columns {
			return out
		}
	}
}

// spacedColumns gives columns equal widths with a gap.
type spacedColumns struct{ gap float32 }

func (c *spacedColumns) MinSize(os []fyne.CanvasObject) fyne.Size {
	var h float32
	for _, o := range os {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(200*float32(len(os)), h)
}

func (c *spacedColumns) Layout(os []fyne.CanvasObject, z fyne.Size) {
	n := float32(len(os))
	cw := (z.Width - c.gap*(n-1) - 10) / n
	for i, o := range os {
		o.Resize(fyne.NewSize(cw, o.MinSize().Height))
		o.Move(fyne.NewPos(float32(i)*(cw+c.gap), 0))
	}
}

// showKeymap opens the keymap editor: choose an action, press its new key. A key
// that is in use asks before it is taken away.
func (w *Window) showKeymap() {
	keys := w.table.Keymap()
	var open func(query string)
	open = func(query string) {
		f := control.ShowFinder(w.canvas(), words.T("keymap.hint"), words.T("finder.none"), func(q string) []control.FinderRow {
			var rows []control.FinderRow
			for _, a := range action.All {
				name := words.T("action." + a.ID)
				if _, ok := action.Fuzzy(q, name); a.Kind == action.Gesture || !ok {
					continue
				}
				shown := make([]string, 0, 2)
				for _, c := range keys.Keys(a.ID) {
					shown = append(shown, keyText(c))
				}
				note := strings.Join(shown, "  ")
				if keys.Changed(a.ID) {
					note = "• " + note
				}
				rows = append(rows, control.FinderRow{Key: a.ID, Text: name, Note: note, Icon: a.Icon})
			}
			rows = append(rows, control.FinderRow{Key: "", Text: words.T("keymap.reset-all"), Icon: "reset"})
			return rows
		}, func(id string) {
			if id == "" {
				keys.Reset("")
				w.keysChanged()
				return
			}
			w.askKey(id, func() { open("") })
		})
		_ = f
	}
	open("")
}

// askKey waits for a key press and gives it to the action.
func (w *Window) askKey(id string, then func()) {
	keys := w.table.Keymap()
	var sheet *control.Sheet
	name := words.T("action." + id)
	take := func(chord string) {
		taken, err := keys.Set(id, chord)
		sheet.Close()
		if err != nil {
			w.fail(err)
			return
		}
		if len(taken) > 0 {
			w.toasts.Show(words.T("keymap.taken", keyText(chord), words.T("action."+taken[0])), look.Warn, "", nil)
		}
		w.keysChanged()
		then()
	}
	c := newKeyCatcher(func(chord string) {
		clash := keys.Clash(id, chord)
		if len(clash) == 0 {
			take(chord)
			return
		}
		w.ask(words.T("keymap.clash-title"), words.T("keymap.clash", keyText(chord), words.T("action."+clash[0]), name),
			[]string{words.T("keymap.take"), words.T("cancel")}, func(i int) {
				if i == 0 {
					take(chord)
				}
			})
	})
	sheet = control.NewSheet(w.canvas(), name, container.NewVBox(soft(words.T("keymap.press")), c), fyne.NewSize(400, 90), false,
		control.NewButton(control.Filled, "", words.T("keymap.none"), func() { take("") }),
		control.NewButton(control.Filled, "reset", words.T("keymap.reset"), func() {
			keys.Reset(id)
			sheet.Close()
			w.keysChanged()
			then()
		}),
		control.NewButton(control.Filled, "", words.T("cancel"), func() { sheet.Close() }))
	sheet.Show()
	w.canvas().Focus(c)
}

// showAbout says what the program is, and that nothing leaves the machine.
func (w *Window) showAbout() {
	l := widget.NewLabel(words.T("about.text", w.version))
	l.Wrapping = fyne.TextWrapWord
	var sheet *control.Sheet
	sheet = control.NewSheet(w.canvas(), words.T("app.name"), l, fyne.NewSize(460, 150), false,
		control.NewButton(control.Primary, "", words.T("close"), func() { sheet.Close() }))
	sheet.Show()
}

// ago writes how long ago something happened.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < 10*time.Second:
		return words.T("ago.now")
	case d < time.Minute:
		return words.T("ago.seconds", int(d.Seconds())/10*10)
	case d < time.Hour:
		return words.T("ago.minutes", int(d.Minutes()))
	}
	return words.T("ago.hours", int(d.Hours()))
}
