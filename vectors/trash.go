package vectors

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// trashDir is the folder inside the library that holds deleted vectors. A file there is named
// id.n.safetensors, n counting the deletions under one id, so that the folder alone says what
// can be brought back.
const trashDir = ".trash"

// Delete moves a vector's file, broken or not, to the library's trash. [Library.Undelete] brings it back,
// in a later session, too.
func (l *Library) Delete(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.own(id); err != nil {
		return err
	}
	if err := os.MkdirAll(l.trash(), 0o755); err != nil {
		return fmt.Errorf("vectors: cannot make the trash: %w", err)
	}
	gone, err := l.deleted()
	if err != nil {
		return err
	}
	n := 1
	for _, d := range gone {
		if d.id == id {
			n = max(n, d.n+1)
		}
	}
	if err := os.Rename(l.file(id), filepath.Join(l.trash(), fmt.Sprintf("%s.%d%s", id, n, Ext))); err != nil {
		return fmt.Errorf("vectors: cannot delete %q: %w", id, err)
	}
	delete(l.entries, id)
	l.sort()
	return nil
}

// Undelete brings the vector back that was deleted last with this id, and returns its entry, whose id is
// another when that one has been taken since.
func (l *Library) Undelete(id string) (Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone, err := l.deleted()
	if err != nil {
		return Entry{}, err
	}
	at := slices.IndexFunc(gone, func(d deletion) bool { return d.id == id })
	if at < 0 {
		return Entry{}, fmt.Errorf("vectors: %q is not in the trash: %w", id, ErrNotFound)
	}
	back := id
	if _, err := os.Lstat(l.file(id)); err == nil {
		back = l.freeID(id)
	}
	if err := os.Rename(filepath.Join(l.trash(), gone[at].file), l.file(back)); err != nil {
		return Entry{}, fmt.Errorf("vectors: cannot bring %q back: %w", id, err)
	}
	return l.refresh(back)
}

// Trash returns the deleted vectors that [Library.Undelete] can bring back, by id; of several
// deleted under one id it is the last.
func (l *Library) Trash() ([]Entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	gone, err := l.deleted()
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, d := range gone {
		if len(out) == 0 || out[len(out)-1].ID != d.id {
			out = append(out, *readEntry(os.DirFS(l.trash()), d.file, d.id, stamp{}))
		}
	}
	return out, nil
}

// EmptyTrash removes the deleted files for good.
func (l *Library) EmptyTrash() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.RemoveAll(l.trash()); err != nil {
		return fmt.Errorf("vectors: cannot empty the trash: %w", err)
	}
	return nil
}

func (l *Library) trash() string { return filepath.Join(l.dir, trashDir) }

// deletion is a file of the trash.
type deletion struct {
	id   string
	n    int
	file string
}

// deleted lists the trash by id, the last deletion of each first. The caller holds the lock.
func (l *Library) deleted() ([]deletion, error) {
	files, err := os.ReadDir(l.trash())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("vectors: cannot read the trash: %w", err)
	}
	var out []deletion
	for _, f := range files {
		stem, ok := strings.CutSuffix(f.Name(), Ext)
		if !ok || len(out) >= maxEntries {
			continue
		}
		if dot := strings.LastIndexByte(stem, '.'); dot > 0 {
			if n, err := strconv.Atoi(stem[dot+1:]); err == nil && n > 0 {
				out = append(out, deletion{stem[:dot], n, f.Name()})
			}
		}
	}
	slices.SortFunc(out, func(a, b deletion) int { return cmp.Or(strings.Compare(a.id, b.id), cmp.Compare(b.n, a.n)) })
	return out, nil
}
