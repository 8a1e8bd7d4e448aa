package control

import (
	"fmt"
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
)

// A click selects wherever it lands on a row but on the two columns of switches,
// whether the pointer was seen before or not: nothing appears under it.
func TestClassRowSelects(t *testing.T) {
	var log string
	l := NewClassList(ClassNames{"lock", "hide", "solo", "status"})
	note := func(what string) func(int) { return func(id int) { log += fmt.Sprintf("%s %d ", what, id) } }
	l.OnSelect, l.OnLock, l.OnHide, l.OnSolo = note("select"), note("lock"), note("hide"), note("solo")
	menus := 0
	l.OnMenu = func(int, fyne.Position) { menus++ }
	w := show(t, l, 300, 200)
	l.SetRows([]ClassRow{
		{ID: 4, Name: "left brow", Color: color.Black, Area: 0.3},
		{ID: 9, Name: "hair", Color: color.White, Area: 0.1, Locked: true, Hidden: true, Status: StatusDone},
	})
	click := func(id int, x float32) {
		t.Helper()
		for _, o := range test.WidgetRenderer(l).Objects() {
			row := o.(*classRow)
			if row.data.ID != id {
				continue
			}
			at := fyne.CurrentApp().Driver().AbsolutePositionForObject(row).AddXY(x, 10)
			row.MouseIn(&desktop.MouseEvent{})
			test.TapCanvas(w.Canvas(), at)
			row.MouseOut()
		}
	}
	wide := test.WidgetRenderer(l).Objects()[0].Size().Width
	for x := 2*classSwitch + 4; x < wide-1; x += 5 {
		log = ""
		click(4, x)
		if log != "select 4 " {
			t.Fatalf("a click at %v of %v: %q", x, wide, log)
		}
		log = ""
		click(9, x)
		if log != "select 9 " {
			t.Fatalf("a click at %v of %v on a row with switches on: %q", x, wide, log)
		}
	}
	log = ""
	click(4, 2+classSwitch/2)
	click(4, 2+classSwitch*1.5)
	if log != "hide 4 lock 4 " {
		t.Errorf("the columns do %q", log)
	}
	heldForTest = fyne.KeyModifierAlt
	defer func() { heldForTest = 0 }()
	log = ""
	click(9, 80)
	click(9, 2+classSwitch/2)
	if log != "solo 9 solo 9 " {
		t.Errorf("a click with Alt does %q", log)
	}
	test.WidgetRenderer(l).Objects()[0].(*classRow).TappedSecondary(&fyne.PointEvent{})
	if menus != 1 {
		t.Error("no menu")
	}
}

// What is on is seen without the pointer; the rest is not.
func TestClassRowShowsWhatIsOn(t *testing.T) {
	l := NewClassList(ClassNames{})
	show(t, l, 300, 200)
	l.SetRows([]ClassRow{
		{ID: 0, Name: "a"},
		{ID: 1, Name: "b", Locked: true, Status: StatusFlag},
		{ID: 2, Name: "c", Solo: true},
	})
	for i, want := range []string{"false false", "false true", "true false"} {
		row := test.WidgetRenderer(l).Objects()[i].(*classRow)
		if got := fmt.Sprint(row.hide.Visible(), " ", row.lock.Visible()); got != want {
			t.Errorf("row %d shows hide and lock: %s, want %s", i, got, want)
		}
		row.MouseIn(&desktop.MouseEvent{})
		if !row.hide.Visible() || !row.lock.Visible() {
			t.Errorf("row %d shows no switches under the pointer", i)
		}
		row.MouseOut()
	}
}
