package words_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"latentbrush/app/gui/words"
	"latentbrush/assets"
)

func catalogue(t *testing.T, lang string) map[string]string {
	t.Helper()
	data, err := assets.Lang.ReadFile("lang/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var places = regexp.MustCompile(`\{\d+\}`)

// TestCataloguesAgree wants every language to have the same keys, with the same
// places for arguments.
func TestCataloguesAgree(t *testing.T) {
	en := catalogue(t, "en")
	for _, l := range words.Languages() {
		m := catalogue(t, l)
		for k, text := range en {
			other, ok := m[k]
			if !ok {
				t.Errorf("%s lacks %s", l, k)
				continue
			}
			a, b := places.FindAllString(text, -1), places.FindAllString(other, -1)
			sort.Strings(a)
			sort.Strings(b)
			if strings.Join(a, "") != strings.Join(b, "") && !(k == "model.facts") {
				t.Errorf("%s: %s has the places %v, English %v", l, k, b, a)
			}
		}
		for k := range m {
			if _, ok := en[k]; !ok {
				t.Errorf("%s has %s, which English lacks", l, k)
			}
		}
	}
}

// source parses every file of the window that is not a test.
func source(t *testing.T, each func(path string, file *ast.File, set *token.FileSet)) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "windowtest") {
			return err
		}
		f, err := parser.ParseFile(set, path, nil, 0)
		if err == nil {
			each(path, f, set)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func callee(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// TestKeysExist looks every key up that the code names, also the ones it makes by
// adding to a prefix.
func TestKeysExist(t *testing.T) {
	en := catalogue(t, "en")
	n := 0
	source(t, func(path string, file *ast.File, set *token.FileSet) {
		ast.Inspect(file, func(node ast.Node) bool {
			c, ok := node.(*ast.CallExpr)
			if !ok || len(c.Args) == 0 {
				return true
			}
			s, ok := c.Fun.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "T" && s.Sel.Name != "Or" {
				return true
			}
			if x, ok := s.X.(*ast.Ident); !ok || x.Name != "words" {
				return true
			}
			n++
			switch a := c.Args[0].(type) {
			case *ast.BasicLit:
				key, _ := strconv.Unquote(a.Value)
				if _, ok := en[key]; !ok {
					t.Errorf("%s: no text %q", set.Position(a.Pos()), key)
				}
			case *ast.BinaryExpr:
				lit, ok := a.X.(*ast.BasicLit)
				if !ok {
					return true
				}
				prefix, _ := strconv.Unquote(lit.Value)
				found := prefix == "vectorname."
				for k := range en {
					found = found || strings.HasPrefix(k, prefix)
				}
				if !found {
					t.Errorf("%s: no text begins with %q", set.Position(a.Pos()), prefix)
				}
			}
			return true
		})
	})
	if n < 150 {
		t.Errorf("only %d uses of the catalogue found", n)
	}
}

// shows names the functions whose arguments are read by people.
var shows = map[string][]int{
	"NewButton": {2}, "NewToolButton": {1}, "NewSmallButton": {1}, "NewCaption": {0}, "NewLabel": {0}, "NewMenuItem": {0}, "NewSheet": {1},
	"SetPlaceHolder": {0}, "ShowFinder": {1}, "ShowVeil": {1}, "Show": {0}, "say": {0}, "ask": {0, 1}, "prompt": {0, 1, 3}, "soft": {0}, "small": {0},
	"NewChart": {0}, "NewSlider": {0}, "NewStrength": {0}, "NewCheck": {0}, "NewEditStack": {2}, "newPaneView": {0}, "Set": {0}, "setJobNote": {0}, "ShowTip": {1, 2},
	"NewRichTextFromMarkdown": {0}, "show": {0}, "NewText": {0},
}

// TestNoLiteralTexts finds texts for people that are not in the catalogue.
func TestNoLiteralTexts(t *testing.T) {
	source(t, func(path string, file *ast.File, set *token.FileSet) {
		if strings.Contains(path, "dialogs") {
			return
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.CallExpr:
				for _, i := range shows[callee(n)] {
					if i < len(n.Args) {
						literal(t, set, n.Args[i])
					}
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && (k.Name == "Text" || k.Name == "Title" || k.Name == "Hint" || k.Name == "Badge" || k.Name == "Detail") {
					literal(t, set, n.Value)
				}
			case *ast.AssignStmt:
				for i, l := range n.Lhs {
					if s, ok := l.(*ast.SelectorExpr); ok && i < len(n.Rhs) && (s.Sel.Name == "Text" || s.Sel.Name == "Suffix" || s.Sel.Name == "Hint" || s.Sel.Name == "Empty") {
						literal(t, set, n.Rhs[i])
					}
				}
			}
			return true
		})
	})
}

// units may stand in the code: they are the same in every language.
var units = regexp.MustCompile(`px|MB|ms|lb`)

func literal(t *testing.T, set *token.FileSet, e ast.Expr) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	text, _ := strconv.Unquote(lit.Value)
	if strings.IndexFunc(units.ReplaceAllString(text, ""), unicode.IsLetter) >= 0 {
		t.Errorf("%s: the text %q is not in the catalogue", set.Position(lit.Pos()), text)
	}
}

func TestPlacesAndFallback(t *testing.T) {
	if got := words.T("run.step", 3, 9); got != "Step 3 of 9" {
		t.Errorf("%q", got)
	}
	if got := words.T("no.such.text"); got != "[no.such.text]" {
		t.Errorf("%q", got)
	}
	if got := words.Or("classname.wheel", "wheel"); got != "wheel" {
		t.Errorf("%q", got)
	}
	if err := words.SetLanguage("xx"); err == nil {
		t.Error("a language without a catalogue was taken")
	}
}

func TestSystemLanguage(t *testing.T) {
	t.Setenv("LC_ALL", "")
	t.Setenv("LC_MESSAGES", "")
	for env, want := range map[string]string{"ja_JP.UTF-8": "ja", "de_DE.UTF-8": "en", "C": "en", "": "en"} {
		t.Setenv("LANG", env)
		if got := words.SystemLanguage(); got != want {
			t.Errorf("LANG=%s: %s, want %s", env, got, want)
		}
	}
}
