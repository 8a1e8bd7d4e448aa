package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrChord is returned for a text that is no key chord.
var ErrChord = errors.New("action: not a key chord")

// keyNames are the keys a chord may end with, beside single characters.
var keyNames = map[string]bool{
	"Escape": true, "Return": true, "Space": true, "Tab": true, "Delete": true, "BackSpace": true, "Insert": true,
	"Home": true, "End": true, "PageUp": true, "PageDown": true, "Up": true, "Down": true, "Left": true, "Right": true,
	"F1": true, "F2": true, "F3": true, "F4": true, "F5": true, "F6": true, "F7": true, "F8": true, "F9": true, "F10": true,
	"F11": true, "F12": true, "Alt": true,
}

// Normal returns a chord in its one spelling: modifiers in the order Ctrl, Alt,
// Shift, Super, then the key, letters in upper case. "shift+ctrl+z" gives
// "Ctrl+Shift+Z".
func Normal(chord string) (string, error) {
	rest := strings.TrimSpace(chord)
	mods := map[string]bool{}
	for {
		head, tail, ok := strings.Cut(rest, "+")
		if !ok || head == "" || tail == "" {
			break
		}
		m := map[string]string{"ctrl": "Ctrl", "control": "Ctrl", "alt": "Alt", "shift": "Shift", "super": "Super", "cmd": "Super"}[strings.ToLower(head)]
		if m == "" {
			return "", fmt.Errorf("%w: %q", ErrChord, chord)
		}
		mods[m] = true
		rest = tail
	}
	key := rest
	if r := []rune(key); len(r) == 1 {
		key = strings.ToUpper(key)
	} else {
		found := false
		for n := range keyNames {
			if strings.EqualFold(n, key) {
				key, found = n, true
			}
		}
		if !found {
			return "", fmt.Errorf("%w: %q", ErrChord, chord)
		}
	}
	var b strings.Builder
	for _, m := range []string{"Ctrl", "Alt", "Shift", "Super"} {
		if mods[m] {
			b.WriteString(m + "+")
		}
	}
	return b.String() + key, nil
}

// Keymap holds the user's own chords where they differ from the defaults. The
// zero value is the defaults.
type Keymap struct {
	own map[string][]string
}

// Keys returns the chords of id, the one to show first.
func (k *Keymap) Keys(id string) []string {
	if k != nil {
		if own, ok := k.own[id]; ok {
			return own
		}
	}
	a, _ := ByID(id)
	return a.Keys
}

// Lookup returns the action bound to chord.
func (k *Keymap) Lookup(chord string) (Action, bool) {
	n, err := Normal(chord)
	if err != nil {
		return Action{}, false
	}
	for _, a := range All {
		for _, c := range k.Keys(a.ID) {
			if c == n {
				return a, true
			}
		}
	}
	return Action{}, false
}

// Clash returns the other actions that already use chord.
func (k *Keymap) Clash(id, chord string) []string {
	n, err := Normal(chord)
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range All {
		if a.ID == id {
			continue
		}
		for _, c := range k.Keys(a.ID) {
			if c == n {
				out = append(out, a.ID)
			}
		}
	}
	return out
}

// Set gives id the one chord, taking it from every action that had it, and
// returns those actions. An empty chord leaves id without a key. Gestures cannot
// be set.
func (k *Keymap) Set(id, chord string) (taken []string, err error) {
	a, ok := ByID(id)
	if !ok {
		return nil, fmt.Errorf("action: no action %s", id)
	}
	if a.Kind == Gesture {
		return nil, fmt.Errorf("action: %s belongs to the mouse", id)
	}
	if k.own == nil {
		k.own = map[string][]string{}
	}
	if chord == "" {
		k.own[id] = []string{}
		return nil, nil
	}
	n, err := Normal(chord)
	if err != nil {
		return nil, err
	}
	taken = k.Clash(id, n)
	for _, other := range taken {
		var rest []string
		for _, c := range k.Keys(other) {
			if c != n {
				rest = append(rest, c)
			}
		}
		k.own[other] = append([]string{}, rest...)
	}
	k.own[id] = []string{n}
	return taken, nil
}

// Reset gives id its default chords back; an empty id resets all.
func (k *Keymap) Reset(id string) {
	if id == "" {
		k.own = nil
		return
	}
	delete(k.own, id)
}

// Changed reports whether id differs from its default.
func (k *Keymap) Changed(id string) bool {
	_, ok := k.own[id]
	return ok
}

// MarshalJSON writes only what differs from the defaults.
func (k *Keymap) MarshalJSON() ([]byte, error) {
	if k.own == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(k.own)
}

// UnmarshalJSON reads what MarshalJSON wrote; unknown actions and spoiled chords
// are left out, so that an old settings file never stops the program.
func (k *Keymap) UnmarshalJSON(data []byte) error {
	var raw map[string][]string
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("action: keymap: %w", err)
	}
	k.own = map[string][]string{}
	for id, chords := range raw {
		if a, ok := ByID(id); !ok || a.Kind == Gesture {
			continue
		}
		good := []string{}
		for _, c := range chords {
			if n, err := Normal(c); err == nil {
				good = append(good, n)
			}
		}
		k.own[id] = good
	}
	return nil
}

// Sheet writes the key sheet as Markdown: one table per group, names taken from
// name and headings from heading.
func (k *Keymap) Sheet(name, heading func(string) string) string {
	groups := map[string][]Action{}
	var order []string
	for _, a := range All {
		if a.Kind != Gesture && len(k.Keys(a.ID)) == 0 {
			continue
		}
		if groups[a.Group()] == nil {
			order = append(order, a.Group())
		}
		groups[a.Group()] = append(groups[a.Group()], a)
	}
	var b strings.Builder
	for _, g := range order {
		fmt.Fprintf(&b, "\n## %s\n\n", heading(g))
		b.WriteString("| | |\n|---|---|\n")
		for _, a := range groups[g] {
			keys := k.Keys(a.ID)
			cells := make([]string, len(keys))
			for i, c := range keys {
				cells[i] = "`" + strings.ReplaceAll(c, "|", "\\|") + "`"
			}
			what, how := name(a.ID), strings.Join(cells, " ")
			if a.Kind == Gesture {
				what, how, _ = strings.Cut(name(a.ID), " — ")
			}
			fmt.Fprintf(&b, "| %s | %s |\n", what, how)
		}
	}
	return b.String()
}
