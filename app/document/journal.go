package document

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"latentbrush/canvas"
	"latentbrush/vectors"
)

// A journal is a file of records: a header line, then for each record its kind
// (one byte), the length of its payload (4 bytes, little-endian), a CRC-32 of the payload (4 bytes), and the payload.
// The first record says what document it is, the second is a whole project, every further one a batch with a
// node that was made since, or with none when another node became the present one. A record that is
// cut short or does not match its checksum ends the journal: it is what was being written at the crash.
const (
	journalMagic = "latentbrush-journal 1\n"
	journalExt   = ".lbjournal"
	lockExt      = ".lock"

	recordAbout   = 'A'
	recordProject = 'P'
	recordBatch   = 'B'

	maxRecord    = 1 << 30
	compactBytes = 128 << 20 // the journal is begun anew when its batches have more
)

// about is the first record of a journal.
type about struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	Path  string    `json:"path,omitempty"`
	Time  time.Time `json:"time"`
	Dirty bool      `json:"dirty"` // the project that follows has unsaved changes
}

// Journal writes every command of a document to a file as it is made, on a
// goroutine of its own: the caller only hands the node over and never waits for the disk.
type Journal struct {
	path    string
	done    chan struct{}
	onError func(error)

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []job
	closed bool
	err    error // why nothing is written any more
	size   int64 // of the batches written

	// The goroutine's own.
	file *os.File
	enc  *encoder
}

// job is one thing for the writer to do.
type job struct {
	begin *snapshot // start the file anew
	about about
	nodes []kept
	now   NodeID
	flush chan error
}

func (j *Journal) give(next job) {
	j.mu.Lock()
	j.queue = append(j.queue, next)
	j.mu.Unlock()
	j.wake.Signal()
}

// StartJournal begins to keep a journal of d in the folder dir, which is made if it is missing. onError, which may be nil,
// is called on another goroutine, once, when the journal cannot be written any more, as on a full disk.
// The document must be closed with [Document.CloseJournal].
func (d *Document) StartJournal(dir string, onError func(error)) error {
	if d.journal != nil {
		return errors.New("document: there is a journal already")
	}
	if d.canvas.Editing() {
		return canvas.ErrBusy
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("document: there is no autosave: %w", err)
	}
	j := &Journal{path: filepath.Join(dir, rand.Text()+journalExt), done: make(chan struct{}), onError: onError}
	j.wake = sync.NewCond(&j.mu)
	unlock, err := lockFile(j.path + lockExt)
	if err != nil {
		return fmt.Errorf("document: there is no autosave: %w", err)
	}
	d.journal = j
	go func() {
		defer close(j.done)
		defer unlock()
		j.loop()
	}()
	j.restart(d)
	return nil
}

// FlushJournal waits until everything so far is on the disk. Call it before a job that may take the process down.
func (d *Document) FlushJournal() error {
	if d.journal == nil {
		return nil
	}
	if n := d.history.now; n.open {
		d.record(n)
	}
	answer := make(chan error, 1)
	d.journal.give(job{flush: answer})
	return <-answer
}

// CloseJournal ends the journal and removes its file: the document was closed in order.
func (d *Document) CloseJournal() error {
	if d.journal == nil {
		return nil
	}
	j := d.journal
	d.journal = nil
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.wake.Signal()
	<-j.done
	os.Remove(j.path + lockExt)
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("document: %w", err)
	}
	return nil
}

// record hands a node to the journal, nil when only the present node is another.
func (d *Document) record(n *node) {
	j := d.journal
	if j == nil {
		return
	}
	next := job{now: d.history.now.id}
	if n != nil {
		next.nodes = []kept{n.keep()}
	}
	j.mu.Lock()
	full := j.size > compactBytes
	j.mu.Unlock()
	if full && !d.canvas.Editing() {
		j.restart(d)
		return
	}
	j.give(next)
}

// restart has the file begun anew with the document as it is.
func (j *Journal) restart(d *Document) {
	j.mu.Lock()
	j.size = 0
	j.mu.Unlock()
	j.give(job{begin: d.capture(), about: about{ID: d.id, Title: d.Title(), Path: d.path, Time: d.now().UTC(), Dirty: d.Dirty()}})
}

// loop writes what waits, in order, with one flush of the disk for all that waited.
func (j *Journal) loop() {
	for {
		j.mu.Lock()
		for len(j.queue) == 0 && !j.closed {
			j.wake.Wait()
		}
		work := j.queue
		j.queue = nil
		j.mu.Unlock()
		if len(work) == 0 {
			break
		}
		var answers []chan error
		for _, next := range work {
			if next.flush != nil {
				answers = append(answers, next.flush)
			} else if err := j.perform(next); err != nil {
				j.fail(err)
			}
		}
		if j.file != nil {
			if err := j.file.Sync(); err != nil {
				j.fail(err)
			}
		}
		j.mu.Lock()
		err := j.err
		j.mu.Unlock()
		for _, answer := range answers {
			answer <- err
		}
	}
	if j.file != nil {
		j.file.Close()
	}
}

func (j *Journal) fail(err error) {
	j.mu.Lock()
	first := j.err == nil
	if first {
		j.err = fmt.Errorf("document: autosave has stopped: %w", err)
		err = j.err
	}
	j.mu.Unlock()
	if first && j.onError != nil {
		j.onError(err)
	}
}

func (j *Journal) perform(next job) error {
	if next.begin != nil {
		return j.begin(next)
	}
	if j.file == nil {
		return nil // failed before
	}
	b, err := j.enc.encode(next.nodes, next.now)
	if err != nil {
		return err
	}
	raw, err := marshalBatch(b)
	if err != nil {
		return err
	}
	if err := writeRecord(j.file, recordBatch, raw); err != nil {
		j.file.Close()
		j.file = nil
		return err
	}
	j.mu.Lock()
	j.size += int64(len(raw))
	j.mu.Unlock()
	return nil
}

// begin replaces the file by one with a whole project. Until that is on the disk, the old one stays.
func (j *Journal) begin(next job) error {
	var project bytes.Buffer
	enc, err := next.begin.write(&project)
	if err != nil {
		return err
	}
	head, err := json.Marshal(next.about)
	if err != nil {
		return err
	}
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	err = vectors.WriteAtomic(j.path, func(w io.Writer) error {
		if _, err := io.WriteString(w, journalMagic); err != nil {
			return err
		}
		if err := writeRecord(w, recordAbout, head); err != nil {
			return err
		}
		return writeRecord(w, recordProject, project.Bytes())
	})
	if err != nil {
		return err
	}
	if j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return err
	}
	j.enc = enc
	j.mu.Lock()
	j.err = nil
	j.mu.Unlock()
	return nil
}

func writeRecord(w io.Writer, kind byte, payload []byte) error {
	if len(payload) > maxRecord {
		return fmt.Errorf("a record of %d bytes, at most %d expected", len(payload), maxRecord)
	}
	raw := make([]byte, 0, 9+len(payload))
	raw = append(raw, kind)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(len(payload)))
	raw = binary.LittleEndian.AppendUint32(raw, crc32.ChecksumIEEE(payload))
	_, err := w.Write(append(raw, payload...))
	return err
}

// readRecord returns the next record of raw and what follows it; ok is false at the end and at a broken record.
func readRecord(raw []byte) (kind byte, payload, rest []byte, ok bool) {
	if len(raw) < 9 {
		return 0, nil, nil, false
	}
	n, sum := binary.LittleEndian.Uint32(raw[1:]), binary.LittleEndian.Uint32(raw[5:])
	if uint64(n) > uint64(len(raw)-9) || n > maxRecord {
		return 0, nil, nil, false
	}
	payload = raw[9 : 9+n : 9+n]
	if crc32.ChecksumIEEE(payload) != sum {
		return 0, nil, nil, false
	}
	return raw[0], payload, raw[9+n:], true
}

// Lost is a document whose process ended without closing it.
type Lost struct {
	Title string    // of the document
	Path  string    // of its project file, empty if there is none
	Time  time.Time // of the last thing that was written
	file  string
}

// Recoverable returns what [Document.StartJournal] left in dir without a process that still works on it, the newest
// first. Files that hold nothing to recover are removed.
func Recoverable(dir string) ([]Lost, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	var lost []Lost
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), journalExt) {
			continue
		}
		path := filepath.Join(dir, f.Name())
		unlock, err := lockFile(path + lockExt)
		if err != nil {
			continue // its process lives
		}
		unlock()
		l, changed, err := inspect(path)
		if err != nil {
			continue // unreadable is not the same as empty: it stays
		}
		if !changed {
			if err := l.Discard(); err != nil {
				return nil, err
			}
			continue
		}
		lost = append(lost, l)
	}
	for i := range lost {
		for k := i; k > 0 && lost[k].Time.After(lost[k-1].Time); k-- {
			lost[k], lost[k-1] = lost[k-1], lost[k]
		}
	}
	return lost, nil
}

// inspect reads the first record, and reports whether the journal holds anything that was not saved.
func inspect(path string) (l Lost, changed bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Lost{}, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Lost{}, false, err
	}
	raw := make([]byte, min(info.Size(), 1<<16))
	if _, err := io.ReadFull(f, raw); err != nil {
		return Lost{}, false, err
	}
	raw, ok := bytes.CutPrefix(raw, []byte(journalMagic))
	kind, head, rest, whole := readRecord(raw)
	if !ok || !whole || kind != recordAbout || len(rest) < 9 {
		return Lost{}, false, fmt.Errorf("%s is no journal", path)
	}
	var a about
	if err := unmarshal(head, &a); err != nil {
		return Lost{}, false, err
	}
	project := int64(len(journalMagic)+9+len(head)+9) + int64(binary.LittleEndian.Uint32(rest[1:]))
	l = Lost{Title: a.Title, Path: a.Path, Time: info.ModTime(), file: path}
	return l, a.Dirty || info.Size() > project, nil
}

// Open brings the document back as it was after the last command that reached the disk. It has unsaved changes.
// The journal stays until [Lost.Discard]; start the document's own with [Document.StartJournal] and flush that first.
func (l Lost) Open() (*Document, error) {
	info, err := os.Stat(l.file)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	if info.Size() > MaxProject {
		return nil, fmt.Errorf("document: the journal has %d bytes, at most %d expected", info.Size(), int64(MaxProject))
	}
	raw, err := os.ReadFile(l.file)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	d, err := replay(raw)
	if err != nil {
		return nil, fmt.Errorf("document: %q cannot be recovered: %w", l.Title, err)
	}
	d.path = l.Path
	return d, nil
}

// Discard removes the journal.
func (l Lost) Discard() error {
	if err := os.Remove(l.file); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	os.Remove(l.file + lockExt)
	return nil
}

// replay makes the document that a journal describes.
func replay(raw []byte) (*Document, error) {
	raw, ok := bytes.CutPrefix(raw, []byte(journalMagic))
	if !ok {
		return nil, errors.New("it is no journal")
	}
	kind, _, raw, ok := readRecord(raw)
	if !ok || kind != recordAbout {
		return nil, errors.New("its first record is damaged")
	}
	kind, project, raw, ok := readRecord(raw)
	if !ok || kind != recordProject {
		return nil, errors.New("its project is damaged")
	}
	d, dec, err := read(bytes.NewReader(project), int64(len(project)))
	if err != nil {
		return nil, err
	}
	for {
		kind, payload, rest, ok := readRecord(raw)
		if !ok || kind != recordBatch {
			break
		}
		raw = rest
		b, err := unmarshalBatch(payload)
		if err != nil {
			return nil, err
		}
		nodes, err := dec.decode(b)
		if err != nil {
			return nil, err
		}
		if err := d.replayBatch(nodes, b.Current); err != nil {
			return nil, err
		}
	}
	d.nextID = max(d.nextID, dec.highest()+1)
	d.saved.node, d.saved.stamp = 0, 0
	d.dirty = true
	return d, nil
}

// replayBatch does again what the batch describes: nodes that were added or completed, then the present one.
func (d *Document) replayBatch(nodes []kept, current NodeID) error {
	for _, k := range nodes {
		if n := d.history.nodes[k.id]; n != nil {
			if err := d.replace(n, k); err != nil {
				return err
			}
			continue
		}
		if err := d.Jump(k.parent); err != nil {
			return err
		}
		n, err := d.history.restore(k)
		if err != nil {
			return err
		}
		for _, ch := range k.changes {
			if err := ch.Apply(d.canvas); err != nil {
				return err
			}
		}
		d.moveTo(n)
	}
	return d.Jump(current)
}

// replace completes a node that was written before: a slider that went on, or labels that arrived.
func (d *Document) replace(n *node, k kept) error {
	if d.history.now != n || len(n.children) > 0 {
		return fmt.Errorf("step %d is completed out of order", k.id)
	}
	if d.canvas.Editing() {
		return canvas.ErrBusy
	}
	for i := len(n.changes) - 1; i >= 0; i-- {
		if err := n.changes[i].Revert(d.canvas); err != nil {
			return err
		}
	}
	for _, ch := range k.changes {
		if err := ch.Apply(d.canvas); err != nil {
			return err
		}
	}
	n.scene, n.label, n.time, n.changes, n.made, n.then = k.scene, k.label, k.time, k.changes, k.made, k.then
	d.history.touch(n)
	d.show(n.scene)
	return nil
}
