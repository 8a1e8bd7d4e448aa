package control

import (
	"testing"

	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
)

// A query that finds nothing is answered in words, and only then.
func TestFinderSaysThatNothingIsFound(t *testing.T) {
	win := show(t, container.NewStack(), 600, 500)
	f := ShowFinder(win.Canvas(), "Search", "Nothing is called that.", func(q string) []FinderRow {
		if q != "" {
			return nil
		}
		return []FinderRow{{Key: "a", Text: "Undo"}}
	}, func(string) {})
	defer f.sheet.Close()
	says := func() bool {
		for _, o := range test.WidgetRenderer(f.list).Objects() {
			if c, ok := o.(*canvas.Text); ok && c.Text == "Nothing is called that." {
				return true
			}
		}
		return false
	}
	if says() {
		t.Error("it says so beside a row")
	}
	f.Type("film")
	if !says() {
		t.Error("an empty list says nothing")
	}
}
