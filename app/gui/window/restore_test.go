package window_test

import (
	"os"
	"path/filepath"
	"testing"

	"latentbrush/app/gui/control"
	"latentbrush/assets/portrait"
)

// A project opens as it was left: layout, overlay, tool, class, brush, mirror and outlines.
func TestProjectBringsItsViewBack(t *testing.T) {
	r := newRig(t, nil)
	path := filepath.Join(r.dir, "view.lbproj")
	r.do(func() {
		for _, id := range []string{"view.swap", "view.overlay-up", "view.overlay-up", "view.contour", "view.mirror", "tool.lasso", "view.400"} {
			if !r.Table().Run(id) {
				t.Fatalf("%s cannot be done", id)
			}
		}
		r.Painter().SetClass(portrait.Neck)
		r.Painter().SetSize(31)
	})
	r.picker.Paths = []string{path}
	r.do(func() { r.Table().Run("file.save") })
	r.wait("the project", func() bool { _, err := os.Stat(path); return err == nil })
	want := r.Document().View()

	r.do(func() {
		for _, id := range []string{"view.two", "view.overlay-down", "view.overlay-down", "view.contour", "view.mirror", "tool.brush", "view.fit"} {
			r.Table().Run(id)
		}
		r.Painter().SetClass(portrait.Hair)
		r.Painter().SetSize(7)
	})
	old := r.Document()
	r.do(func() {
		r.OpenPath(path)
		if s := control.TopSheet(); s != nil {
			t.Fatal("opening asks though nothing was changed")
		}
	})
	r.wait("the project again", func() bool { return r.Document() != old })
	r.do(func() {
		r.picker.Paths = []string{path}
		r.Table().Run("file.save")
	})
	got := r.Document().View()
	if got != want || want.Layout != "swapped" || want.Overlay == 0 || !want.Contour || !want.Mirrored || want.Tool != "lasso" || want.Brush != 31 || want.Zoom != 4 {
		t.Errorf("the view is\n%+v\nand was\n%+v", got, want)
	}
}
