package vectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"latentbrush/engine/latent"
)

const (
	// Ext is the ending of a vector's file name.
	Ext = ".safetensors"
	// bundlePrefix starts the id of a vector that belongs to the model.
	bundlePrefix = "model/"
	// maxEntries bounds how many files of a folder a library looks at.
	maxEntries = 20_000
)

// Entry is a vector of a library as lists show it: its facts without its
// numbers, which [Library.Load] reads.
type Entry struct {
	// ID names the vector within the library: the file's name without its
	// ending, with "model/" before it for a vector of the model.
	ID string
	Facts
	// Bundled says that the vector belongs to the model and cannot be changed.
	Bundled bool
	// Err says why the file cannot be read; then only ID is set, and Name, which is taken from the file.
	Err error

	stamp  stamp
	needle string // lower-case text that a search looks at
}

// stamp tells whether a file has changed.
type stamp struct {
	size int64
	time time.Time
}

// Library is a folder of vectors together with the read-only ones of the
// model. Its methods may be called from any goroutine.
//
// A file that cannot be read is an [Entry] with Err set; it affects nothing else.
type Library struct {
	dir string

	mu      sync.RWMutex
	bundle  fs.FS
	entries map[string]*Entry
	sorted  []*Entry // by name
}

// OpenLibrary opens the library in the folder dir, which is made if it is missing, and reads it.
// bundle is the folder of the model's own vectors, or nil.
func OpenLibrary(dir string, bundle fs.FS) (*Library, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("vectors: cannot make the library's folder: %w", err)
	}
	l := &Library{dir: dir, bundle: bundle, entries: map[string]*Entry{}}
	if _, err := l.Scan(); err != nil {
		return nil, err
	}
	return l, nil
}

// Dir returns the library's folder.
func (l *Library) Dir() string { return l.dir }

// SetBundle replaces the model's vectors, as when another model is opened. nil removes them.
func (l *Library) SetBundle(bundle fs.FS) error {
	l.mu.Lock()
	l.bundle = bundle
	maps.DeleteFunc(l.entries, func(_ string, e *Entry) bool { return e.Bundled })
	l.sort()
	l.mu.Unlock()
	_, err := l.Scan()
	return err
}

// Scan reads the files that are new or have changed since the last scan, forgets those that are gone, and
// reports whether anything changed.
func (l *Library) Scan() (changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]bool{}
	scan := func(fsys fs.FS, prefix string) error {
		files, err := fs.ReadDir(fsys, ".")
		if err != nil {
			return err
		}
		for _, f := range files {
			if len(found) >= maxEntries {
				break
			}
			name := f.Name()
			if f.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, Ext) {
				continue
			}
			info, err := f.Info()
			if err != nil {
				continue // deleted meanwhile
			}
			id := prefix + strings.TrimSuffix(name, Ext)
			found[id] = true
			now := stamp{info.Size(), info.ModTime()}
			if old := l.entries[id]; old != nil && old.stamp == now {
				continue
			}
			l.entries[id] = readEntry(fsys, name, id, now)
			changed = true
		}
		return nil
	}
	if err := scan(os.DirFS(l.dir), ""); err != nil {
		return false, fmt.Errorf("vectors: cannot read the library: %w", err)
	}
	if l.bundle != nil {
		// A model without vectors is no fault.
		if err := scan(l.bundle, bundlePrefix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("vectors: cannot read the model's vectors: %w", err)
		}
	}
	for id := range l.entries {
		if !found[id] {
			delete(l.entries, id)
			changed = true
		}
	}
	if changed {
		l.sort()
	}
	return changed, nil
}

func readEntry(fsys fs.FS, name, id string, now stamp) *Entry {
	e := &Entry{ID: id, Bundled: strings.HasPrefix(id, bundlePrefix), stamp: now}
	facts, err := OpenFacts(fsys, name)
	e.Facts = facts
	if err != nil {
		e.Err = err
		e.Facts = Facts{Name: strings.TrimSuffix(name, Ext)}
	}
	e.needle = needle(e)
	return e
}

// sort rebuilds the list that searches walk. The caller holds the lock.
func (l *Library) sort() {
	l.sorted = slices.SortedFunc(maps.Values(l.entries), func(a, b *Entry) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
}

// Watch scans every interval until ctx ends and calls changed after each scan
// that found a change. It looks only at the files' sizes and times, which
// works on every file system, network drives included. It blocks: give it a goroutine.
func (l *Library) Watch(ctx context.Context, interval time.Duration, changed func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// A folder that is out of reach for a moment is tried again at the next tick.
			if ok, err := l.Scan(); err == nil && ok {
				changed()
			}
		}
	}
}

// Len returns the number of entries, broken ones included.
func (l *Library) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.sorted)
}

// Entry returns the entry with the id, or [ErrNotFound].
func (l *Library) Entry(id string) (Entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if e := l.entries[id]; e != nil {
		return *e, nil
	}
	return Entry{}, fmt.Errorf("vectors: %q: %w", id, ErrNotFound)
}

// Find returns the entry whose id or, if there is none, whose name is name. A
// name that several have is an error.
func (l *Library) Find(name string) (Entry, error) {
	if e, err := l.Entry(name); err == nil {
		return e, nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	var hits []*Entry
	for _, e := range l.sorted {
		if strings.EqualFold(e.Name, name) {
			hits = append(hits, e)
		}
	}
	switch len(hits) {
	case 1:
		return *hits[0], nil
	case 0:
		return Entry{}, fmt.Errorf("vectors: %q: %w", name, ErrNotFound)
	}
	ids := make([]string, len(hits))
	for i, e := range hits {
		ids[i] = e.ID
	}
	return Entry{}, fmt.Errorf("vectors: %d vectors are named %q; give one of the ids %s", len(hits), name, strings.Join(ids, ", "))
}

// Load reads the whole vector.
func (l *Library) Load(id string) (*Vector, error) {
	e, err := l.Entry(id)
	if err != nil {
		return nil, err
	}
	fsys, name := l.place(e)
	return Open(fsys, name)
}

// place returns where the entry's file lies.
func (l *Library) place(e Entry) (fs.FS, string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if e.Bundled {
		return l.bundle, strings.TrimPrefix(e.ID, bundlePrefix) + Ext
	}
	return os.DirFS(l.dir), e.ID + Ext
}

func (l *Library) file(id string) string { return filepath.Join(l.dir, id+Ext) }

// Add writes v into the library under a file name made from its name, and returns its entry.
func (l *Library) Add(v *Vector) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(v)
}

func (l *Library) add(v *Vector) (Entry, error) {
	id := l.freeID(v.Name)
	if err := WriteFile(l.file(id), v); err != nil {
		return Entry{}, err
	}
	return l.refresh(id)
}

// refresh reads one file of the folder again.
func (l *Library) refresh(id string) (Entry, error) {
	info, err := os.Stat(l.file(id))
	if err != nil {
		return Entry{}, fmt.Errorf("vectors: %q: %w", id, err)
	}
	e := readEntry(os.DirFS(l.dir), id+Ext, id, stamp{info.Size(), info.ModTime()})
	l.entries[id] = e
	l.sort()
	return *e, nil
}

// freeID returns an id made from name that no file has.
func (l *Library) freeID(name string) string {
	base := slug(name)
	for n := 1; ; n++ {
		id := base
		if n > 1 {
			id = fmt.Sprintf("%s-%d", base, n)
		}
		if _, taken := l.entries[id]; taken {
			continue
		}
		if _, err := os.Lstat(l.file(id)); errors.Is(err, fs.ErrNotExist) {
			return id
		}
	}
}

// slug makes a name fit for every file system: letters and digits of any
// script, the rest as single hyphens.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 80 {
			break
		}
	}
	s := strings.Trim(b.String(), "-")
	switch s {
	case "":
		return "vector"
	case "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "lpt1", "lpt2", "lpt3": // devices on Windows
		return s + "-vector"
	}
	return s
}

// own returns the entry of a vector that may be changed. The caller holds the lock.
func (l *Library) own(id string) (*Entry, error) {
	e := l.entries[id]
	if e == nil {
		return nil, fmt.Errorf("vectors: %q: %w", id, ErrNotFound)
	}
	if e.Bundled {
		return nil, fmt.Errorf("vectors: %q: %w", id, ErrReadOnly)
	}
	return e, nil
}

// Update loads a vector, lets change alter it, and writes it back atomically. The id stays.
func (l *Library) Update(id string, change func(*Vector) error) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.own(id); err != nil {
		return Entry{}, err
	}
	v, err := ReadFile(l.file(id))
	if err != nil {
		return Entry{}, err
	}
	if err := change(v); err != nil {
		return Entry{}, err
	}
	if err := WriteFile(l.file(id), v); err != nil {
		return Entry{}, err
	}
	return l.refresh(id)
}

// Rename changes the name of a vector; its id stays.
func (l *Library) Rename(id, name string) (Entry, error) {
	if err := CheckName(name); err != nil {
		return Entry{}, err
	}
	return l.Update(id, func(v *Vector) error { v.Name = name; return nil })
}

// SetTags replaces the tags of a vector. Empty and repeated tags are dropped.
func (l *Library) SetTags(id string, tags ...string) (Entry, error) {
	return l.Update(id, func(v *Vector) error {
		v.Tags = nil
		for _, t := range tags {
			if t = strings.TrimSpace(t); t != "" && !slices.Contains(v.Tags, t) {
				v.Tags = append(v.Tags, t)
			}
		}
		return nil
	})
}

// Rate sets the stars of a vector, 0 to [MaxRating].
func (l *Library) Rate(id string, stars int) (Entry, error) {
	return l.Update(id, func(v *Vector) error { v.Rating = stars; return nil })
}

// Duplicate adds a copy under a new name, which may be changed even when the original belongs to the model.
func (l *Library) Duplicate(id, name string) (Entry, error) {
	v, err := l.Load(id)
	if err != nil {
		return Entry{}, err
	}
	v.Name = name
	return l.Add(v)
}

// Twins is a pair of vectors that do nearly the same.
type Twins struct {
	A, B   Entry
	Cosine float64
}

// Duplicates returns the pairs of vectors of one model whose cosine is at least limit,
// the most alike first. Vectors that cannot be read are left out.
func (l *Library) Duplicates(ctx context.Context, limit float64) ([]Twins, error) {
	all := l.Search(Query{})
	type loaded struct {
		entry Entry
		unit  latent.Code
	}
	var vs []loaded
	for _, e := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if e.Err != nil {
			continue
		}
		v, err := l.Load(e.ID)
		if err != nil {
			continue
		}
		if n := v.Delta.Norm(); n > 0 {
			vs = append(vs, loaded{e, v.Delta.Scale(float32(1 / n))})
		}
	}
	var found []Twins
	for i, a := range vs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, b := range vs[i+1:] {
			if !a.unit.SameSize(b.unit) || !a.entry.Model.Fits(b.entry.Model) {
				continue
			}
			if cos := a.unit.Dot(b.unit); cos >= limit {
				found = append(found, Twins{a.entry, b.entry, min(1, cos)})
			}
		}
	}
	slices.SortStableFunc(found, func(x, y Twins) int { return cmp.Compare(y.Cosine, x.Cosine) })
	return found, nil
}
