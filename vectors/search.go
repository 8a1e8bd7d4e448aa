package vectors

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Order is the order of a search's results.
type Order int

// Orders of results. Names break ties.
const (
	ByName Order = iota
	ByRating
	ByNewest
)

// Query selects entries of a library. The zero Query selects all.
type Query struct {
	// Words must all occur in the name, tags, class names, author or notes, ignoring case.
	Words []string
	// Tags must all be among the entry's tags, ignoring case.
	Tags []string
	// Classes must all be in the entry's region, by name, ignoring case.
	Classes []string
	// ClassIDs must all be in the entry's region.
	ClassIDs []uint8
	// MinRating is the least number of stars.
	MinRating int
	// Model keeps only the entries that fit it, when it is known.
	Model Model
	Order Order
}

// ParseQuery reads what people type into a search box: words, and the filters
// "tag:x", "class:x" and "rating:n". Quotes keep words together, as in class:"left eye".
func ParseQuery(text string) (Query, error) {
	var q Query
	for _, word := range splitQuoted(text) {
		key, value, ok := strings.Cut(word, ":")
		if !ok || value == "" {
			q.Words = append(q.Words, strings.ToLower(word))
			continue
		}
		switch strings.ToLower(key) {
		case "tag":
			q.Tags = append(q.Tags, value)
		case "class":
			q.Classes = append(q.Classes, value)
		case "rating":
			n, err := strconv.Atoi(strings.TrimSuffix(value, "+"))
			if err != nil || n < 0 || n > MaxRating {
				return Query{}, fmt.Errorf("vectors: rating:%s, a number from 0 to %d expected", value, MaxRating)
			}
			q.MinRating = n
		default:
			q.Words = append(q.Words, strings.ToLower(word))
		}
	}
	return q, nil
}

// splitQuoted splits at spaces outside of double quotes and drops the quotes.
func splitQuoted(text string) []string {
	var words []string
	var b strings.Builder
	quoted := false
	flush := func() {
		if b.Len() > 0 {
			words = append(words, b.String())
			b.Reset()
		}
	}
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted || r == '\t' || r == '\n' || r == '\u3000':
			flush()
		default:
			b.WriteRune(r)
		}
	}
	flush()
	return words
}

// needle is the text that words are looked for in, made once per entry.
func needle(e *Entry) string {
	parts := []string{e.Name, e.ID, e.Author, e.Notes}
	parts = append(parts, e.Tags...)
	for _, c := range e.Classes {
		parts = append(parts, c.Name)
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

func (q Query) matches(e *Entry) bool {
	if e.Rating < q.MinRating {
		return false
	}
	for _, w := range q.Words {
		if !strings.Contains(e.needle, strings.ToLower(w)) {
			return false
		}
	}
	for _, t := range q.Tags {
		if !slices.ContainsFunc(e.Tags, func(s string) bool { return strings.EqualFold(s, t) }) {
			return false
		}
	}
	for _, name := range q.Classes {
		if !slices.ContainsFunc(e.Classes, func(c Class) bool { return strings.EqualFold(c.Name, name) }) {
			return false
		}
	}
	for _, id := range q.ClassIDs {
		if !slices.ContainsFunc(e.Classes, func(c Class) bool { return c.ID == id }) {
			return false
		}
	}
	return !q.Model.Known() || e.Err != nil || e.Model.Fits(q.Model)
}

// Search returns the entries that q selects. A broken entry is selected by its file name.
func (l *Library) Search(q Query) []Entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var found []Entry
	for _, e := range l.sorted {
		if q.matches(e) {
			found = append(found, *e)
		}
	}
	switch q.Order {
	case ByRating:
		slices.SortStableFunc(found, func(a, b Entry) int { return b.Rating - a.Rating })
	case ByNewest:
		slices.SortStableFunc(found, func(a, b Entry) int { return b.Created.Compare(a.Created) })
	}
	return found
}

// Tags returns every tag of the library with the number of its vectors.
func (l *Library) Tags() map[string]int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	count := map[string]int{}
	for _, e := range l.sorted {
		for _, t := range e.Tags {
			count[t]++
		}
	}
	return count
}
