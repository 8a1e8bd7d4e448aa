package control

import (
	"fmt"
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"latentbrush/app/gui/golden"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

func show(t *testing.T, o fyne.CanvasObject, w, h float32) fyne.Window {
	t.Helper()
	test.NewTempApp(t)
	fyne.CurrentApp().Settings().SetTheme(look.New(look.Dark, "en"))
	win := test.NewTempWindow(t, o)
	win.SetPadded(false)
	win.Resize(fyne.NewSize(w, h))
	return win
}

// press, drag and release on a strength slider.
func press(s *Strength, x float32, mods fyne.KeyModifier) {
	s.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, 10)}, Button: desktop.MouseButtonPrimary, Modifier: mods})
}

func dragTo(s *Strength, from, to float32) {
	s.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(to, 10)}, Dragged: fyne.NewDelta(to-from, 0)})
}

type report struct {
	v     float64
	final bool
}

func newStrengthRig(t *testing.T) (*Strength, *[]report, fyne.Window) {
	got := &[]report{}
	s := NewStrength("smile", 0, func(v float64, final bool) { *got = append(*got, report{v, final}) })
	win := show(t, container.NewWithoutLayout(s), 300, 40)
	s.Resize(fyne.NewSize(212, 20)) // 200 units of travel: 50 a unit of strength
	return s, got, win
}

func TestStrengthDrag(t *testing.T) {
	s, got, _ := newStrengthRig(t)
	press(s, 106, 0) // takes hold of the knob: nothing moves
	if len(*got) != 0 {
		t.Fatalf("taking hold reported %v", *got)
	}
	dragTo(s, 106, 141)
	s.DragEnd()
	if want := 0.7; math.Abs(s.Value-want) > 0.011 {
		t.Errorf("value %v, want %v", s.Value, want)
	}
	last := (*got)[len(*got)-1]
	if !last.final || last.v != s.Value {
		t.Errorf("last report %+v, want the final value", last)
	}
	// Off the slider: the ends are ±2.
	press(s, 141, 0)
	dragTo(s, 141, 900)
	s.DragEnd()
	if s.Value != SoftEnd {
		t.Errorf("dragging far right gives %v, want %v", s.Value, SoftEnd)
	}
}

func TestStrengthFineAndSnap(t *testing.T) {
	s, _, _ := newStrengthRig(t)
	defer func() { heldForTest = 0 }()
	heldForTest = fyne.KeyModifierShift
	press(s, 106, fyne.KeyModifierShift)
	dragTo(s, 106, 156) // a whole unit, a tenth of it
	s.DragEnd()
	if math.Abs(s.Value-0.1) > 0.002 {
		t.Errorf("fine drag of one unit gives %v, want 0.1", s.Value)
	}
	heldForTest = fyne.KeyModifierControl
	press(s, 106, fyne.KeyModifierControl)
	dragTo(s, 106, 171) // 1.3
	s.DragEnd()
	if s.Value != 1.25 {
		t.Errorf("snapped drag gives %v, want 1.25", s.Value)
	}
}

func TestStrengthZeroTypeAndKeys(t *testing.T) {
	s, got, win := newStrengthRig(t)
	s.Set(1.3)
	s.DoubleTapped(nil)
	if s.Value != 0 {
		t.Errorf("double click gives %v", s.Value)
	}
	for in, want := range map[string]float64{"1,5": 1.5, "−0.25": -0.25, "+3.5": 3.5, "40 %": 0.4, "99": HardEnd, "-1": -1} {
		s.TappedSecondary(nil)
		e, ok := win.Canvas().Focused().(*numberEntry)
		if !ok {
			t.Fatalf("typing has the focus on %T", win.Canvas().Focused())
		}
		e.SetText(in)
		e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		if math.Abs(s.Value-want) > 1e-9 {
			t.Errorf("typing %q gives %v, want %v", in, s.Value, want)
		}
		if win.Canvas().Focused() != nil {
			t.Errorf("after typing the focus is on %T", win.Canvas().Focused())
		}
	}
	s.Set(0.5)
	n := len(*got)
	s.Type()
	e := win.Canvas().Focused().(*numberEntry)
	e.SetText("1.9")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if s.Value != 0.5 || len(*got) != n || s.Typing() {
		t.Errorf("escape took the number: %v", s.Value)
	}
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if math.Abs(s.Value-0.55) > 1e-9 {
		t.Errorf("right gives %v", s.Value)
	}
	s.TypedRune('0')
	if s.Value != 0 {
		t.Errorf("0 gives %v", s.Value)
	}
	passed := fyne.KeyName("")
	s.Pass = func(e *fyne.KeyEvent) { passed = e.Name }
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyB})
	if passed != fyne.KeyB {
		t.Error("the slider kept the key B")
	}
}

func TestStrengthNeverTakesTheKeyboard(t *testing.T) {
	s, _, win := newStrengthRig(t)
	press(s, 20, 0)
	dragTo(s, 20, 80)
	s.DragEnd()
	s.Tapped(nil)
	if f := win.Canvas().Focused(); f != nil {
		t.Errorf("the focus is on %T", f)
	}
}

func TestParseNumberRefuses(t *testing.T) {
	for _, bad := range []string{"", "abc", "1.2.3", "NaN", "Inf", "--1"} {
		if v, ok := ParseNumber(bad); ok {
			t.Errorf("%q is %v", bad, v)
		}
	}
	if v, ok := ParseNumber("－１．５"); !ok || v != -1.5 {
		t.Errorf("full-width digits: %v, %v", v, ok)
	}
}

func FuzzParseNumber(f *testing.F) {
	f.Add("1.5")
	f.Add("−２％")
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := ParseNumber(s); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			t.Errorf("%q is %v", s, v)
		}
	})
}

func TestBrushScaleIsItsOwnInverse(t *testing.T) {
	s := BrushScale(512)
	for px := 1; px <= 512; px++ {
		if got := s.Value(s.Travel(float64(px))); got != float64(px) {
			t.Fatalf("%d px comes back as %v", px, got)
		}
	}
	if got := s.Travel(50); math.Abs(got-0.4) > 1e-9 {
		t.Errorf("50 px at %v of the travel, want 0.4", got)
	}
}

func TestDockSharesHeight(t *testing.T) {
	made := func(id string, least, weight float32) *Section {
		return &Section{ID: id, Title: id, Content: container.NewWithoutLayout(), Least: least, Weight: weight}
	}
	a, b, c := made("a", 50, 1), made("b", 50, 1), made("c", 50, 2)
	a.Most = func() float32 { return 60 }
	d := NewDock(a, b, c)
	show(t, d, 200, 3*headHeight+450)
	h := d.heights(3*headHeight + 450)
	if h[0] != 60 || math.Abs(float64(h[0]+h[1]+h[2]-450)) > 0.01 {
		t.Errorf("heights %v, want 60 and 450 in all", h)
	}
	d.Toggle("c")
	h = d.heights(3*headHeight + 450)
	if h[2] != 0 || math.Abs(float64(h[0]+h[1]-450)) > 0.01 {
		t.Errorf("with c closed: %v", h)
	}
	state := d.State()
	e := NewDock(made("a", 50, 5), made("b", 50, 5), made("c", 50, 5))
	e.Restore(state)
	if !e.Sections[2].Closed || e.Sections[1].Weight != b.Weight {
		t.Errorf("restored %+v", e.Sections[2])
	}
	e.Restore(map[string]float32{"a": float32(math.NaN()), "b": 1e9, "x": 1})
	if e.Sections[0].Weight != state["a"] {
		t.Error("a senseless weight was taken")
	}
	a.Most = nil
	d.Toggle("c")
	before := d.heights(3*headHeight + 450)
	d.drag(1, 30)
	after := d.heights(3*headHeight + 450)
	if math.Abs(float64(after[0]-before[0]-30)) > 1 {
		t.Errorf("dragging by 30 changed %v to %v", before, after)
	}
}

func TestClassListFilters(t *testing.T) {
	l := NewClassList(ClassNames{"lock", "hide", "solo", "status"})
	show(t, l, 300, 200)
	var rows []ClassRow
	for i, n := range []string{"car body", "wheel left", "Wheel right", "window"} {
		rows = append(rows, ClassRow{ID: i, Name: n, Color: color.Gray{uint8(i)}})
	}
	l.SetRows(rows)
	l.SetFilter("wheel")
	if got := fmt.Sprint(l.Shown()); got != "[1 2]" {
		t.Errorf("filter shows %s", got)
	}
	if n := len(test.WidgetRenderer(l).Objects()); n != 2 {
		t.Errorf("%d rows drawn", n)
	}
}

func TestFormatArea(t *testing.T) {
	for a, want := range map[float64]string{0: "", 0.3149: "31 %", 0.0121: "1.2", 0.0001: "<0.1", 1: "100 %", 0.0996: "10 %"} {
		if got := FormatArea(a); got != want {
			t.Errorf("%v is %q, want %q", a, got, want)
		}
	}
}

func TestThumbsMakeOnlyCellsInSight(t *testing.T) {
	g := NewThumbs(60, false, true)
	show(t, g, 300, 300)
	var items []Thumb
	for i := range 10000 {
		items = append(items, Thumb{Key: fmt.Sprint(i), Name: fmt.Sprint(i)})
	}
	g.SetItems(items)
	if n := len(g.cells); n == 0 || n > 60 {
		t.Errorf("%d cells for 10 000 entries", n)
	}
	g.scroll.ScrollToBottom()
	g.fill()
	last := g.inner.shown[len(g.inner.shown)-1].(*thumbCell)
	if last.data.Key != "9999" {
		t.Errorf("the last cell in sight is %s", last.data.Key)
	}
}

func TestChartScrubsWithinWhatWasRun(t *testing.T) {
	var got []int
	c := NewChart("run", func(s int) { got = append(got, s) })
	show(t, c, 200, 40)
	c.Resize(fyne.NewSize(200, 40))
	c.Loss, c.Total = []float64{3, 2, 1, 0.5, 0.2}, 9
	for x, want := range map[float32]int{0: 0, 50: 2, 100: 4, 199: 4} {
		if s := c.StepAt(x); s != want {
			t.Errorf("x %v is step %d, want %d", x, s, want)
		}
	}
}

func TestSheetClosesAndCounts(t *testing.T) {
	win := show(t, container.NewWithoutLayout(), 400, 300)
	closed := 0
	s := NewSheet(win.Canvas(), "title", container.NewWithoutLayout(), fyne.NewSize(100, 100), false)
	s.OnClose = func() { closed++ }
	s.Show()
	if TopSheet() != s {
		t.Fatal("not on top")
	}
	s.Dismiss()
	s.Dismiss()
	if TopSheet() != nil || closed != 1 {
		t.Errorf("closed %d times", closed)
	}
	v := ShowVeil(win.Canvas(), "…")
	TopSheet().Dismiss()
	if TopSheet() == nil {
		t.Error("the veil was dismissed")
	}
	v.Hide()
}

// TestGoldens draws the main controls in both variants and languages, three times
// each, so that a cache that goes stale shows.
func TestGoldens(t *testing.T) {
	for _, v := range []look.Variant{look.Dark, look.Light} {
		for _, lang := range []string{"en", "ja"} {
			name := string(v) + "-" + lang
			t.Run(name, func(t *testing.T) {
				test.NewTempApp(t)
				if err := words.SetLanguage(lang); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = words.SetLanguage("en") }()
				fyne.CurrentApp().Settings().SetTheme(look.New(v, lang))
				body := sample()
				win := test.NewTempWindow(t, body)
				win.SetPadded(false)
				win.Resize(fyne.NewSize(320, 300))
				for range 3 {
					golden.Compare(t, name, win.Canvas().Capture())
					body.Refresh()
				}
			})
		}
	}
}

// sample is a panel with one of each.
func sample() fyne.CanvasObject {
	on := NewButton(Pill, "", words.T("options.protect"), nil)
	on.Suffix = words.T("on")
	tool := NewToolButton("tool-brush", words.T("action.tool.brush"), "B", nil)
	tool.Active = true
	off := NewButton(Filled, "pause", words.T("run.pause"), nil)
	off.Disabled = true
	classes := NewClassList(ClassNames{})
	classes.SetRows([]ClassRow{
		{ID: 0, Name: words.T("classname.skin"), Color: color.RGBA{240, 201, 170, 255}, Area: 0.23},
		{ID: 1, Name: words.T("classname.hair"), Color: color.RGBA{112, 62, 24, 255}, Area: 0.142, Locked: true},
		{ID: 2, Name: words.T("classname.nose"), Color: color.RGBA{255, 160, 112, 255}, Area: 0.012, Status: StatusDone},
		{ID: 3, Name: words.T("classname.teeth"), Color: color.RGBA{255, 252, 206, 255}, Hidden: true},
	})
	classes.SetCurrent(1)
	edits := NewEditStack(EditNames{}, EditEvents{}, "")
	edits.SetRows([]EditRowData{
		{ID: "1", Name: words.T("classname.upper_lip"), Strength: 1.35, On: true, SafeLo: -1.4, SafeHi: 1.2, Badge: words.T("edit.refined")},
		{ID: "2", Name: words.T("classname.beard"), Strength: -2.6, SafeLo: -1, SafeHi: 1},
	})
	head := NewDock(&Section{ID: "a", Title: words.T("panel.edits"), Note: "2", Content: edits, Least: 120, Weight: 1})
	return NewPanel(look.Surface, "", container.NewBorder(
		container.NewVBox(container.New(Row{Gap: 6, Pad: 6}, tool, NewButton(Primary, "play", words.T("run.start"), nil), off), container.New(Row{Gap: 6, Pad: 6}, on, NewButton(Pill, "compare", words.T("compare.off"), nil))),
		nil, nil, nil, container.NewBorder(container.NewGridWrap(fyne.NewSize(320, 50), classes), nil, nil, nil, head)))
}
