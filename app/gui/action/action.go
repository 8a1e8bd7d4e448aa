// Package action is the table of everything a user can ask the window to do.
//
// One row per action: its id, its menu, its icon, its keys, and how it is
// triggered. The menu bar, the keyboard, the command palette, the key sheet, the
// keymap editor and docs/keys.md are all made from this table, so none of them
// can disagree. The name a user reads is the catalogue text "action.<id>".
//
// A Table pairs the rows with the handlers of one window; a Keymap holds the
// user's own keys where they differ from the defaults. The package draws nothing
// and knows no toolkit.
package action

//go:generate go test -run TestKeysPage -update .

import (
	"fmt"
	"sort"
	"strings"
)

// Kind says how an action is triggered.
type Kind int

const (
	// Press runs once per key press, menu choice or click.
	Press Kind = iota
	// Repeat runs again while its key is held.
	Repeat
	// Hold begins on key down and ends on key up or when the window loses focus.
	Hold
	// Gesture belongs to the mouse: it is listed in the key sheet and cannot be
	// bound to a key.
	Gesture
)

// Action is one row of the table.
type Action struct {
	ID   string   // such as "file.save"; the part before the dot is its group
	Menu string   // id of its menu, empty when it is in none
	Icon string   // name of its drawing, empty for none
	Keys []string // default chords, the first is the one shown
	Kind Kind
	Line bool // a separator comes before it in the menu
}

// Group returns the part of the id before the first dot.
func (a Action) Group() string {
	g, _, _ := strings.Cut(a.ID, ".")
	return g
}

// Menus lists the menu ids in the order of the menu bar.
var Menus = []string{"file", "edit", "select", "mask", "latent", "vectors", "view", "help"}

// All is the table, in menu order.
var All = []Action{
	{ID: "file.open", Menu: "file", Icon: "open", Keys: []string{"Ctrl+O"}},
	{ID: "file.recent", Menu: "file", Icon: "panel-history", Keys: []string{"Ctrl+Shift+O"}},
	{ID: "file.paste", Menu: "file", Icon: "import", Keys: []string{"Ctrl+V"}},
	{ID: "file.model", Menu: "file", Icon: "model"},
	{ID: "file.card", Menu: "file", Icon: "info"},
	{ID: "file.save", Menu: "file", Icon: "save", Keys: []string{"Ctrl+S"}, Line: true},
	{ID: "file.save-as", Menu: "file", Keys: []string{"Ctrl+Shift+S"}},
	{ID: "file.export", Menu: "file", Icon: "export", Keys: []string{"Ctrl+E"}, Line: true},
	{ID: "file.sweep", Menu: "file", Icon: "film"},
	{ID: "file.timelapse", Menu: "file", Icon: "film"},
	{ID: "file.sheet", Menu: "file", Icon: "sheet"},
	{ID: "file.record", Menu: "file", Icon: "film", Line: true},
	{ID: "file.script", Menu: "file"},
	{ID: "file.settings", Menu: "file", Icon: "settings", Keys: []string{"Ctrl+,"}, Line: true},
	{ID: "file.quit", Menu: "file", Keys: []string{"Ctrl+Q"}, Line: true},

	{ID: "edit.undo", Menu: "edit", Icon: "undo", Keys: []string{"Ctrl+Z"}, Kind: Repeat},
	{ID: "edit.redo", Menu: "edit", Icon: "redo", Keys: []string{"Ctrl+Shift+Z", "Ctrl+Y"}, Kind: Repeat},
	{ID: "edit.cancel", Menu: "edit", Keys: []string{"Escape"}},
	{ID: "edit.keys", Menu: "edit", Icon: "keyboard", Line: true},

	{ID: "class.previous", Menu: "select", Icon: "chevron-up", Keys: []string{","}, Kind: Repeat},
	{ID: "class.next", Menu: "select", Icon: "chevron-down", Keys: []string{"."}, Kind: Repeat},
	{ID: "class.swap", Menu: "select", Keys: []string{"X"}},
	{ID: "class.filter", Menu: "select", Icon: "search", Keys: []string{"/"}},
	{ID: "class.lock", Menu: "select", Icon: "lock", Keys: []string{"Ctrl+Shift+L"}, Line: true},
	{ID: "class.hide", Menu: "select", Icon: "eye-off"},
	{ID: "class.solo", Menu: "select", Icon: "solo"},
	{ID: "class.protect", Menu: "select", Icon: "protect", Keys: []string{"K"}, Line: true},

	{ID: "tool.brush", Menu: "mask", Icon: "tool-brush", Keys: []string{"B"}},
	{ID: "tool.erase", Menu: "mask", Icon: "tool-erase", Keys: []string{"E"}},
	{ID: "tool.fill", Menu: "mask", Icon: "tool-fill", Keys: []string{"G"}},
	{ID: "tool.pick", Menu: "mask", Icon: "tool-pick", Keys: []string{"I"}},
	{ID: "tool.polygon", Menu: "mask", Icon: "tool-polygon", Keys: []string{"P"}},
	{ID: "tool.lasso", Menu: "mask", Icon: "tool-lasso", Keys: []string{"L"}},
	{ID: "tool.rectangle", Menu: "mask", Icon: "tool-rectangle", Keys: []string{"R"}},
	{ID: "tool.ellipse", Menu: "mask", Icon: "tool-ellipse", Keys: []string{"O"}},
	{ID: "tool.smooth", Menu: "mask", Icon: "tool-smooth", Keys: []string{"S"}},
	{ID: "tool.move", Menu: "mask", Icon: "tool-move", Keys: []string{"V"}},
	{ID: "tool.region", Menu: "mask", Icon: "tool-region", Keys: []string{"T"}},
	{ID: "tool.keep", Menu: "mask", Icon: "tool-keep", Keys: []string{"U"}},
	{ID: "tool.hand", Menu: "mask", Icon: "tool-hand", Keys: []string{"N"}},
	{ID: "tool.last", Menu: "mask", Keys: []string{"Q"}},
	{ID: "mask.grow", Menu: "mask", Icon: "tool-grow", Keys: []string{"Ctrl+G"}, Line: true},
	{ID: "mask.shrink", Menu: "mask", Icon: "tool-shrink", Keys: []string{"Ctrl+Shift+G"}},
	{ID: "mask.smooth", Menu: "mask"},
	{ID: "mask.islands", Menu: "mask"},
	{ID: "mask.holes", Menu: "mask"},
	{ID: "mask.symmetry", Menu: "mask", Icon: "symmetry", Keys: []string{"Y"}, Line: true},
	{ID: "mask.snap", Menu: "mask", Keys: []string{"Shift+E"}},
	{ID: "mask.suggest", Menu: "mask", Keys: []string{"Tab"}},
	{ID: "mask.copy", Menu: "mask", Keys: []string{"Ctrl+C"}, Line: true},
	{ID: "mask.paste", Menu: "mask"},
	{ID: "mask.reset", Menu: "mask", Icon: "reset", Line: true},
	{ID: "region.clear", Menu: "mask", Keys: []string{"Ctrl+D"}},
	{ID: "region.leak", Menu: "mask", Icon: "leak"},
	{ID: "region.show", Menu: "mask", Keys: []string{"Shift+T"}},

	{ID: "run.start", Menu: "latent", Icon: "play", Keys: []string{"Ctrl+Return"}},
	{ID: "run.pause", Menu: "latent", Icon: "pause", Keys: []string{"Ctrl+P"}},
	{ID: "run.edit", Menu: "latent", Icon: "vector", Keys: []string{"Return"}},
	{ID: "run.accept", Menu: "latent", Icon: "accept", Keys: []string{"Shift+Return"}},
	{ID: "run.discard", Menu: "latent", Icon: "discard"},
	{ID: "run.reopen", Menu: "latent", Icon: "panel-history"},
	{ID: "run.live", Menu: "latent", Icon: "live", Keys: []string{"Ctrl+L"}},
	{ID: "latent.random", Menu: "latent", Icon: "dice", Keys: []string{"Ctrl+R"}, Line: true},
	{ID: "latent.seed", Menu: "latent", Keys: []string{"Ctrl+Shift+R"}},
	{ID: "latent.embed", Menu: "latent", Icon: "image"},
	{ID: "photo.crop", Menu: "latent", Icon: "fit", Line: true},
	{ID: "photo.difference", Menu: "latent", Icon: "leak"},
	{ID: "photo.leftover", Menu: "latent"},
	{ID: "photo.paste", Menu: "latent", Icon: "export"},

	{ID: "vector.keep", Menu: "vectors", Icon: "vector", Keys: []string{"Ctrl+Shift+V"}},
	{ID: "vector.import", Menu: "vectors", Icon: "import"},
	{ID: "vector.export", Menu: "vectors", Icon: "export"},
	{ID: "vector.pack", Menu: "vectors", Icon: "export"},
	{ID: "vector.examples", Menu: "vectors", Icon: "search", Line: true},
	{ID: "vector.axes", Menu: "vectors"},
	{ID: "vector.part", Menu: "vectors"},
	{ID: "vector.about", Menu: "vectors", Icon: "info", Keys: []string{"F3"}, Line: true},
	{ID: "vector.compare", Menu: "vectors", Icon: "compare"},
	{ID: "vector.combine", Menu: "vectors", Icon: "vector", Keys: []string{"Ctrl+Shift+A"}},
	{ID: "vector.rename", Menu: "vectors", Keys: []string{"F2"}},
	{ID: "vector.tags", Menu: "vectors", Icon: "tag"},
	{ID: "vector.duplicate", Menu: "vectors", Keys: []string{"Ctrl+J"}},
	{ID: "vector.delete", Menu: "vectors", Icon: "trash", Keys: []string{"Shift+Delete"}},
	{ID: "vector.trash", Menu: "vectors"},
	{ID: "vector.refine", Menu: "vectors", Icon: "refine", Keys: []string{"Ctrl+Shift+Return"}, Line: true},
	{ID: "vector.toggle", Menu: "vectors"},
	{ID: "vector.reset", Menu: "vectors", Icon: "reset"},
	{ID: "vector.remove", Menu: "vectors", Icon: "trash"},

	{ID: "view.in", Menu: "view", Icon: "plus", Keys: []string{"="}, Kind: Repeat},
	{ID: "view.out", Menu: "view", Icon: "minus", Keys: []string{"-"}, Kind: Repeat},
	{ID: "view.fit", Menu: "view", Icon: "fit", Keys: []string{"Ctrl+0"}},
	{ID: "view.100", Menu: "view", Keys: []string{"Ctrl+1"}},
	{ID: "view.200", Menu: "view", Keys: []string{"Ctrl+2"}},
	{ID: "view.400", Menu: "view", Keys: []string{"Ctrl+3"}},
	{ID: "view.800", Menu: "view", Keys: []string{"Ctrl+4"}},
	{ID: "view.mirror", Menu: "view", Icon: "mirror", Keys: []string{"M"}},
	{ID: "view.two", Menu: "view", Icon: "view-two", Keys: []string{"Ctrl+Shift+1"}, Line: true},
	{ID: "view.one", Menu: "view", Icon: "view-one", Keys: []string{"Ctrl+Shift+2"}},
	{ID: "view.swap", Menu: "view", Icon: "view-swap", Keys: []string{"Shift+X"}},
	{ID: "view.compare", Menu: "view", Icon: "compare", Keys: []string{"Shift+\\"}},
	{ID: "view.overlay-down", Menu: "view", Keys: []string{"A"}, Kind: Repeat, Line: true},
	{ID: "view.overlay-up", Menu: "view", Keys: []string{"D"}, Kind: Repeat},
	{ID: "view.contour", Menu: "view", Icon: "contour", Keys: []string{"Shift+H"}},
	{ID: "view.doubt", Menu: "view", Keys: []string{"Shift+U"}},
	{ID: "view.suggest", Menu: "view", Keys: []string{"Shift+S"}},
	{ID: "view.leak", Menu: "view", Icon: "leak", Keys: []string{"Shift+L"}},
	{ID: "view.dock", Menu: "view", Keys: []string{"Ctrl+Shift+D"}, Line: true},
	{ID: "view.strip", Menu: "view", Keys: []string{"Ctrl+Shift+B"}},

	{ID: "help.palette", Menu: "help", Icon: "search", Keys: []string{"Ctrl+K"}},
	{ID: "help.keys", Menu: "help", Icon: "keyboard", Keys: []string{"F1", "Shift+/"}},
	{ID: "help.about", Menu: "help", Icon: "info"},

	{ID: "brush.smaller", Keys: []string{"["}, Kind: Repeat},
	{ID: "brush.larger", Keys: []string{"]"}, Kind: Repeat},
	{ID: "brush.half", Keys: []string{"Shift+["}},
	{ID: "brush.double", Keys: []string{"Shift+]"}},
	{ID: "brush.shape", Keys: []string{"Shift+B"}},

	{ID: "hold.pan", Keys: []string{"Space"}, Kind: Hold},
	{ID: "hold.pick", Keys: []string{"Alt"}, Kind: Hold},
	{ID: "hold.before", Keys: []string{"\\"}, Kind: Hold},
	{ID: "hold.overlay", Keys: []string{"H"}, Kind: Hold},

	{ID: "mouse.zoom", Kind: Gesture},
	{ID: "mouse.pan", Kind: Gesture},
	{ID: "mouse.size", Kind: Gesture},
	{ID: "mouse.line", Kind: Gesture},
	{ID: "mouse.outline", Kind: Gesture},
	{ID: "mouse.slider-fine", Kind: Gesture},
	{ID: "mouse.slider-snap", Kind: Gesture},
	{ID: "mouse.slider-zero", Kind: Gesture},
	{ID: "mouse.slider-type", Kind: Gesture},
}

// ByID returns the row of id.
func ByID(id string) (Action, bool) {
	for _, a := range All {
		if a.ID == id {
			return a, true
		}
	}
	return Action{}, false
}

// Handler is what a window does for one action. Run serves every kind; for Hold
// it begins and End ends. A nil Enabled means always.
type Handler struct {
	Run     func()
	End     func()
	Enabled func() bool
	Checked func() bool
}

// Table pairs the rows with one window's handlers.
type Table struct {
	handlers map[string]Handler
	keymap   *Keymap
}

// NewTable returns a table without handlers that reads its keys from keymap.
func NewTable(keymap *Keymap) *Table {
	return &Table{handlers: map[string]Handler{}, keymap: keymap}
}

// Bind sets the handler of an action. It panics when the table has no such row.
func (t *Table) Bind(id string, h Handler) {
	if _, ok := ByID(id); !ok {
		panic("action: no action " + id)
	}
	t.handlers[id] = h
}

// Bound reports whether id has a handler.
func (t *Table) Bound(id string) bool { return t.handlers[id].Run != nil }

// Enabled reports whether id can run now.
func (t *Table) Enabled(id string) bool {
	h := t.handlers[id]
	return h.Run != nil && (h.Enabled == nil || h.Enabled())
}

// Checked reports whether id is a switch that is on.
func (t *Table) Checked(id string) bool {
	h := t.handlers[id]
	return h.Checked != nil && h.Checked()
}

// Run runs id when it is enabled and reports whether it did.
func (t *Table) Run(id string) bool {
	if !t.Enabled(id) {
		return false
	}
	t.handlers[id].Run()
	return true
}

// End ends a held action.
func (t *Table) End(id string) {
	if h := t.handlers[id]; h.End != nil {
		h.End()
	}
}

// Keymap returns the keys in use.
func (t *Table) Keymap() *Keymap { return t.keymap }

// Lookup returns the action a chord is bound to.
func (t *Table) Lookup(chord string) (Action, bool) { return t.keymap.Lookup(chord) }

// Match is one find of Search; Score is higher for better ones.
type Match struct {
	Action Action
	Name   string
	Score  int
}

// Search returns the actions that can be run from the palette whose name
// contains the letters of query in order, best first. An empty query lists all.
func (t *Table) Search(query string, name func(id string) string) []Match {
	var out []Match
	for _, a := range All {
		if a.Kind == Gesture || a.Kind == Hold || a.ID == "help.palette" || !t.Bound(a.ID) {
			continue
		}
		n := name(a.ID)
		if s, ok := Fuzzy(query, n); ok {
			if !t.Enabled(a.ID) {
				s -= 1000
			}
			out = append(out, Match{a, n, s})
		}
	}
	if strings.TrimSpace(query) == "" {
		return out
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Score > out[j].Score })
	return out
}

// Fuzzy scores how well the letters of query occur in order in text, ignoring
// case. Letters at the start of words and runs of letters count more. The second
// result is false where they do not occur.
func Fuzzy(query, text string) (int, bool) {
	q := []rune(strings.ToLower(strings.ReplaceAll(query, " ", "")))
	t := []rune(strings.ToLower(text))
	score, qi, run := 0, 0, 0
	for i, r := range t {
		if qi == len(q) {
			break
		}
		if r != q[qi] {
			run = 0
			continue
		}
		qi++
		run++
		score += run * run
		if i == 0 || t[i-1] == ' ' || t[i-1] == '-' || t[i-1] == '/' {
			score += 8
		}
	}
	if qi < len(q) {
		return 0, false
	}
	if strings.Contains(string(t), string(q)) {
		score += 20
	}
	return score*4 - len(t), true
}

// String returns the id, for messages.
func (a Action) String() string { return fmt.Sprintf("action %s", a.ID) }
