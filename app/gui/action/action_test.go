package action_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/app/gui/action"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/words"
)

var update = flag.Bool("update", false, "write docs/keys.md anew")

func TestTableIsSound(t *testing.T) {
	seen, chords := map[string]bool{}, map[string]string{}
	for _, a := range action.All {
		if seen[a.ID] {
			t.Errorf("%s is in the table twice", a.ID)
		}
		seen[a.ID] = true
		if a.Icon != "" && !look.HasIcon(a.Icon) {
			t.Errorf("%s: there is no drawing %q", a.ID, a.Icon)
		}
		for _, c := range a.Keys {
			n, err := action.Normal(c)
			if err != nil || n != c {
				t.Errorf("%s: chord %q should be written %q (%v)", a.ID, c, n, err)
			}
			if other := chords[c]; other != "" {
				t.Errorf("%s and %s share the key %s", a.ID, other, c)
			}
			chords[c] = a.ID
		}
		if a.Kind == action.Gesture && len(a.Keys) > 0 {
			t.Errorf("%s is a gesture with keys", a.ID)
		}
		for _, l := range words.Languages() {
			if err := words.SetLanguage(l); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"action." + a.ID, "group." + a.Group()} {
				if !words.Has(key) {
					t.Errorf("there is no text %s", key)
				}
			}
			if a.Kind == action.Gesture && !strings.Contains(words.T("action."+a.ID), " — ") {
				t.Errorf("%s in %s does not say which gesture", a.ID, l)
			}
		}
	}
	if err := words.SetLanguage("en"); err != nil {
		t.Fatal(err)
	}
	for _, m := range action.Menus {
		if !words.Has("menu." + m) {
			t.Errorf("menu %s has no name", m)
		}
	}
}

func TestNormal(t *testing.T) {
	for in, want := range map[string]string{
		"shift+ctrl+z": "Ctrl+Shift+Z", "b": "B", "[": "[", "ctrl++": "Ctrl++", "Control+return": "Ctrl+Return", "alt": "Alt", "Shift+\\": "Shift+\\",
	} {
		if got, err := action.Normal(in); err != nil || got != want {
			t.Errorf("Normal(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "Ctrl+", "Hyper+A", "Nonsense"} {
		if got, err := action.Normal(bad); !errors.Is(err, action.ErrChord) {
			t.Errorf("Normal(%q) = %q, %v; want ErrChord", bad, got, err)
		}
	}
}

func TestKeymapClashResetAndFile(t *testing.T) {
	var k action.Keymap
	if c := k.Clash("tool.brush", "g"); len(c) != 1 || c[0] != "tool.fill" {
		t.Fatalf("clash of G: %v", c)
	}
	taken, err := k.Set("tool.brush", "g")
	if err != nil || len(taken) != 1 {
		t.Fatalf("Set: %v, %v", taken, err)
	}
	if a, _ := k.Lookup("G"); a.ID != "tool.brush" {
		t.Errorf("G is %s", a.ID)
	}
	if len(k.Keys("tool.fill")) != 0 {
		t.Errorf("fill kept %v", k.Keys("tool.fill"))
	}
	if _, ok := k.Lookup("B"); ok {
		t.Error("B is still bound")
	}
	if _, err := k.Set("mouse.zoom", "Z"); err == nil {
		t.Error("a gesture took a key")
	}
	data, err := json.Marshal(&k)
	if err != nil {
		t.Fatal(err)
	}
	var back action.Keymap
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if a, _ := back.Lookup("G"); a.ID != "tool.brush" {
		t.Errorf("after reading back G is %s", a.ID)
	}
	if err := json.Unmarshal([]byte(`{"tool.brush":["Nonsense"],"no.such":["A"]}`), &back); err != nil || len(back.Keys("tool.brush")) != 0 {
		t.Errorf("spoiled file: %v, %v", err, back.Keys("tool.brush"))
	}
	k.Reset("")
	if a, _ := k.Lookup("G"); a.ID != "tool.fill" {
		t.Errorf("after reset G is %s", a.ID)
	}
}

func TestFuzzyPrefersWordStarts(t *testing.T) {
	a, _ := action.Fuzzy("exp", "Export…")
	b, ok := action.Fuzzy("exp", "Next type")
	if ok && b >= a {
		t.Errorf("Export %d, Next type %d", a, b)
	}
	if _, ok := action.Fuzzy("zq", "Export"); ok {
		t.Error("zq found in Export")
	}
}

func FuzzKeymap(f *testing.F) {
	f.Add([]byte(`{"tool.brush":["Ctrl+B"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var k action.Keymap
		if json.Unmarshal(data, &k) != nil {
			return
		}
		for _, a := range action.All {
			for _, c := range k.Keys(a.ID) {
				if n, err := action.Normal(c); err != nil || n != c {
					t.Fatalf("%s has the chord %q", a.ID, c)
				}
			}
		}
	})
}

// TestKeysPage compares docs/keys.md with the table; -update writes it.
func TestKeysPage(t *testing.T) {
	if err := words.SetLanguage("en"); err != nil {
		t.Fatal(err)
	}
	var k action.Keymap
	page := "# Keys\n\nMade from the table in `app/gui/action`; every key can be changed in *Edit › Edit keys…*. F1 shows this sheet in the program, Ctrl+K finds an action by name.\n" +
		k.Sheet(func(id string) string { return words.T("action." + id) }, func(g string) string { return words.T("group." + g) })
	path := filepath.Join("..", "..", "..", "docs", "keys.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != page {
		t.Error("docs/keys.md differs from the table: go generate ./app/gui/action")
	}
}
