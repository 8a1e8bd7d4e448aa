// Package words holds what the window says. Every text that a user reads lives
// in a catalogue under assets/lang, one flat JSON object per language, and the
// code names it by key. A text may hold numbered places, {0}, {1}, … that T
// fills with its arguments in order, so that a language may turn them round.
//
// English is the reference: a key missing in another language falls back to it,
// and a key missing in English is shown in brackets (a test keeps that from
// happening).
package words

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"

	"latentbrush/assets"
)

var (
	mu        sync.RWMutex
	reference = mustLoad("en")
	current   = reference
	lang      = "en"
)

func mustLoad(l string) map[string]string {
	m, err := load(l)
	if err != nil {
		panic(err)
	}
	return m
}

func load(l string) (map[string]string, error) {
	data, err := assets.Lang.ReadFile("lang/" + l + ".json")
	if err != nil {
		return nil, fmt.Errorf("words: no catalogue for %q", l)
	}
	m := map[string]string{}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("words: catalogue %s: %w", l, err)
	}
	return m, nil
}

// Languages returns the codes of the catalogues, sorted.
func Languages() []string {
	entries, err := assets.Lang.ReadDir("lang")
	if err != nil {
		return []string{"en"}
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".json"))
	}
	sort.Strings(out)
	return out
}

// Language returns the code of the catalogue in use.
func Language() string {
	mu.RLock()
	defer mu.RUnlock()
	return lang
}

// SetLanguage switches to a catalogue. The error names a language that has none.
func SetLanguage(l string) error {
	m, err := load(l)
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	current, lang = m, l
	return nil
}

// SystemLanguage returns the catalogue that suits the environment: LC_ALL,
// LC_MESSAGES or LANG, the first that is set; English where it has no catalogue.
func SystemLanguage() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		v := os.Getenv(name)
		if v == "" {
			continue
		}
		if len(v) >= 2 {
			if _, err := assets.Lang.ReadFile("lang/" + strings.ToLower(v[:2]) + ".json"); err == nil {
				return strings.ToLower(v[:2])
			}
		}
		break
	}
	return "en"
}

// Has reports whether the reference catalogue holds key.
func Has(key string) bool {
	_, ok := reference[key]
	return ok
}

// T returns the text of key in the current language, with {0}, {1}, … replaced
// by the arguments as fmt.Sprint writes them.
func T(key string, args ...any) string {
	mu.RLock()
	s, ok := current[key]
	mu.RUnlock()
	if !ok {
		if s, ok = reference[key]; !ok {
			return "[" + key + "]"
		}
	}
	for i, a := range args {
		s = strings.ReplaceAll(s, "{"+strconv.Itoa(i)+"}", fmt.Sprint(a))
	}
	return s
}

// Or returns the text of key, or fallback where no catalogue has it. It serves
// names that come from a model's files, such as class names.
func Or(key, fallback string) string {
	if Has(key) {
		return T(key)
	}
	return fallback
}
