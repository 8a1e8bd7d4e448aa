package floors_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "latentbrush"

// floor is the height of each package; imports point down or stay within one floor's own packages as [sameFloor]
// allows. A package below a listed folder stands on that folder's floor.
var floor = map[string]int{
	"app":     5,
	"app/gui": 5,
	"app/cli": 5,

	"app/document": 4,

	"canvas":          3,
	"canvas/view":     3,
	"canvas/photo":    3,
	"canvas/maskops":  3,
	"vectors":         3,
	"engine/learning": 3,

	"engine": 2,

	"engine/edit":         1,
	"engine/inversion":    1,
	"engine/segmentation": 1,
	"engine/loss":         1,
	"engine/optim":        1,
	"engine/metrics":      1,
	"engine/stylegan2":    1,
	"engine/model":        1,
	"engine/checkpoint":   1,
	"engine/directions":   1,

	"engine/graph":  0,
	"engine/ort":    0,
	"engine/latent": 0,
}

// Within floor 1 the packages stand in rows, too: the higher may import the lower.
var row = map[string]int{
	"engine/edit": 4, "engine/inversion": 4, "engine/segmentation": 3, "engine/loss": 3, "engine/optim": 2, "engine/metrics": 2,
	"engine/checkpoint": 3, "engine/stylegan2": 2, "engine/model": 1, "engine/directions": 2,
}

// forbidden lists what a package must not know, beyond its floor.
var forbidden = map[string][]string{
	"app/cli":             {"fyne.io", module + "/app/gui", module + "/canvas/view"},
	"app/document":        {"fyne.io"},
	"canvas":              {"fyne.io", module + "/engine", module + "/vectors"},
	"canvas/view":         {module + "/engine", module + "/vectors"},
	"canvas/photo":        {"fyne.io", module + "/engine", module + "/vectors", module + "/canvas/view"},
	"canvas/maskops":      {"fyne.io", module + "/engine", module + "/vectors", module + "/canvas/view"},
	"engine/learning":     {"fyne.io", module + "/engine/ort", module + "/engine/graph"},
	"engine/directions":   {module + "/engine/ort"},
	"vectors":             {"fyne.io", module + "/engine/graph", module + "/engine/ort", module + "/engine/stylegan2", module + "/canvas"},
	"engine":              {"fyne.io"},
	"engine/edit":         {module + "/engine/ort"},
	"engine/inversion":    {module + "/engine/ort"},
	"engine/segmentation": {module + "/engine/ort"},
	"engine/loss":         {module + "/engine/ort"},
	"engine/optim":        {module + "/engine/ort"},
	"engine/metrics":      {module + "/engine/ort"},
	"engine/stylegan2":    {module + "/engine/ort"},
	"engine/model":        {module + "/engine/ort"},
	"engine/checkpoint":   {module + "/engine/ort"},
	"app/gui":             {module + "/engine/ort", module + "/engine/graph"},
}

// Modules with one door each.
var doors = map[string][]string{
	"fyne.io/":                        {"app/gui", "canvas/view"},
	"github.com/yalue/onnxruntime_go": {"engine/ort"},
}

// topLevel is all that the repository's root may hold.
var topLevel = []string{
	".ci", ".git", ".gitignore", "FyneApp.toml", "LICENSE", "Makefile", "README.md", "app", "assets", "canvas", "docs",
	"engine", "go.mod", "go.sum", "vectors",
	// Ignored by git.
	"bench.json", "build", "latentbrush", "out", ".device",
}

func within(pkg, folder string) bool {
	return pkg == folder || strings.HasPrefix(pkg, strings.TrimSuffix(folder, "/")+"/")
}

// home is the listed folder that a package belongs to: the longest one.
func home(pkg string) (string, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := floor[p]; ok {
			return p, true
		}
	}
	return "", false
}

// check says what is wrong with one import, or "". Tests may look at packages above the one they test, but not
// through a door.
func check(pkg, imported string, test bool) string {
	for name, allowed := range doors {
		if within(imported, name) && !slices.ContainsFunc(allowed, func(a string) bool { return within(pkg, a) }) {
			return fmt.Sprintf("%s imports %s, which only %s may", pkg, imported, strings.Join(allowed, " and "))
		}
	}
	if test {
		return ""
	}
	from, ok := home(pkg)
	if !ok {
		return "" // assets and this package stand beside the house.
	}
	for _, f := range forbidden[from] {
		if within(imported, f) {
			return fmt.Sprintf("%s imports %s, which %s must not know", pkg, imported, from)
		}
	}
	if !within(imported, module) || imported == module {
		return ""
	}
	other := strings.TrimPrefix(imported, module+"/")
	to, ok := home(other)
	switch {
	case !ok:
		return ""
	case from == to:
		return ""
	case floor[to] > floor[from]:
		return fmt.Sprintf("%s (floor %d) imports %s (floor %d): imports point down", pkg, floor[from], other, floor[to])
	case floor[to] == floor[from] && !sameFloor(from, to):
		return fmt.Sprintf("%s imports %s on its own floor", pkg, other)
	}
	return ""
}

func sameFloor(from, to string) bool {
	switch floor[from] {
	case 5:
		return from == "app"
	case 3:
		return from == "canvas/view" && to == "canvas" || from == "engine/learning" && (to == "vectors" || to == "canvas/maskops")
	case 1:
		return row[from] > row[to]
	}
	return false
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImports(t *testing.T) {
	dir := root(t)
	files := 0
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != dir && (base == "testdata" || base == "build" || base == "out" || strings.HasPrefix(base, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(relative))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if wrong := check(pkg, imported, strings.HasSuffix(name, "_test.go")); wrong != "" {
				t.Errorf("%s: %s", relative, wrong)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d Go files were looked at", files)
	}
}

func TestEveryPackageHasAFloor(t *testing.T) {
	dir := root(t)
	for _, top := range []string{"app", "canvas", "engine", "vectors"} {
		found, err := filepath.Glob(filepath.Join(dir, top, "*", "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			relative, err := filepath.Rel(dir, filepath.Dir(name))
			if err != nil {
				t.Fatal(err)
			}
			pkg := filepath.ToSlash(relative)
			if h, _ := home(pkg); pkg != "app/floors" && h != pkg && !within(pkg, "canvas") && !within(pkg, "vectors") {
				t.Errorf("%s is not in the table of floors", pkg)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(topLevel, entry.Name()) && !strings.HasSuffix(entry.Name(), ".prof") && !strings.HasSuffix(entry.Name(), ".lbproj") {
			t.Errorf("the repository's root holds %s, which has no place there", entry.Name())
		}
	}
}

// The rules themselves are tested: each of these must be told.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		test, allowed bool
	}{
		{"app/gui", "fyne.io/fyne/v2", false, true},
		{"canvas/view", "fyne.io/fyne/v2/widget", false, true},
		{"canvas", "fyne.io/fyne/v2", false, false},
		{"canvas", "fyne.io/fyne/v2/test", true, false},
		{"app/cli", "fyne.io/fyne/v2/app", false, false},
		{"engine/ort", "github.com/yalue/onnxruntime_go", false, true},
		{"engine/stylegan2", "github.com/yalue/onnxruntime_go", true, false},
		{"engine/stylegan2", "latentbrush/engine/ort", true, true},
		{"engine/stylegan2", "latentbrush/engine/ort", false, false},
		{"engine/stylegan2", "latentbrush/engine/graph", false, true},
		{"engine/stylegan2", "latentbrush/engine/model", false, true},
		{"engine/model", "latentbrush/engine/stylegan2", false, false},
		{"engine/model", "latentbrush/engine/model/safetensors", false, true},
		{"engine/graph", "latentbrush/engine/ort", false, false},
		{"engine/graph", "latentbrush/engine", false, false},
		{"engine", "latentbrush/engine/ort", false, true},
		{"engine", "latentbrush/canvas", false, false},
		{"vectors", "latentbrush/engine/latent", false, true},
		{"vectors", "latentbrush/engine/graph", false, false},
		{"canvas", "latentbrush/engine", false, false},
		{"canvas/view", "latentbrush/canvas", false, true},
		{"canvas", "latentbrush/canvas/view", false, false},
		{"app/document", "latentbrush/canvas", false, true},
		{"app", "latentbrush/app/gui", false, true},
		{"app/cli", "latentbrush/app/gui", false, false},
		{"app/gui", "latentbrush/engine/ort", false, false},
		{"app/cli", "latentbrush/app", false, false},
	} {
		if got := check(c.pkg, c.imported, c.test) == ""; got != c.allowed {
			t.Errorf("%s importing %s (test %v): allowed is %v, should be %v", c.pkg, c.imported, c.test, got, c.allowed)
		}
	}
}
