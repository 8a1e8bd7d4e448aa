package document_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"latentbrush/app/document"
	"latentbrush/canvas"
)

// victimEnv names the folder in which a copy of the test process works until it is killed.
const victimEnv = "LATENTBRUSH_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

// fatal makes panics of failures, for code that runs without a test.
type fatal struct{}

func (fatal) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// victim paints, accepts and saves for ever. It says what it has done after it is on the disk: "journal n" after n
// strokes, "save n" after saving a project with n strokes.
func victim(dir string) {
	d := sample(fatal{}, 1)
	if err := d.StartJournal(filepath.Join(dir, "autosave"), nil); err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		stroke(fatal{}, d, n)
		if n%4 == 0 {
			if err := d.FlushJournal(); err != nil {
				panic(err)
			}
			fmt.Printf("journal %d\n", n)
		}
		if n%10 == 0 {
			if err := d.Save(filepath.Join(dir, "a.lbproj")); err != nil {
				panic(err)
			}
			fmt.Printf("save %d\n", n)
		}
	}
}

// stroke does the n-th thing that a victim does. Every one adds one step that says n.
func stroke(t interface{ Fatal(...any) }, d *document.Document, n int) {
	if n%7 == 0 && n < 1000 { // a victim on a busy machine may run for long, and the stack has its limit
		if _, err := d.AddDelta(strconv.Itoa(n), randomCode(uint64(n)), nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	e, err := d.Canvas().Begin(canvas.Ink{Kind: canvas.Paint, Class: uint8(n % 5)})
	if err != nil {
		t.Fatal(err)
	}
	// A pixel of a class that changes every time makes sure that no stroke is empty.
	e.Put(71, 39, uint8(n%5))
	e.Span(n%40, n%60, n%60+10)
	d.Painted(e.Commit("brush"))
}

// expected is what a victim's document looks like after n strokes.
func expected(t interface{ Fatal(...any) }, n int) state {
	d := sample(t, 1)
	for i := range n {
		stroke(t, d, i+1)
	}
	return see(d)
}

// strokes counts the steps after the picture was opened.
func strokes(d *document.Document) int { return len(d.Nodes()) - 2 }

func TestKilledProcessLosesNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		dir := t.TempDir()
		cmd := exec.Command(self, "-test.run=^$")
		cmd.Env = append(os.Environ(), victimEnv+"="+dir)
		var said bytes.Buffer
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Kill it at another moment every time: after it said a few things and some microseconds more.
		buf := make([]byte, 4096)
		for strings.Count(said.String(), "\n") < 1+round/2 {
			n, err := out.Read(buf)
			said.Write(buf[:n])
			if err != nil {
				t.Fatalf("it ended by itself: %v", err)
			}
		}
		for wait := time.Now(); time.Since(wait) < time.Duration(round*137)*time.Microsecond; {
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := out.Read(buf)
			said.Write(buf[:n])
			if err != nil {
				break
			}
		}
		cmd.Wait()
		var journaled, saved int
		for line := range strings.Lines(said.String()) {
			if strings.HasSuffix(line, "\n") {
				fmt.Sscanf(line, "journal %d", &journaled)
				fmt.Sscanf(line, "save %d", &saved)
			}
		}

		lost, err := document.Recoverable(filepath.Join(dir, "autosave"))
		if err != nil || len(lost) > 1 {
			t.Fatalf("round %d: %d documents to recover, %v", round, len(lost), err)
		}
		if len(lost) == 0 {
			// Killed between a save and the next stroke: nothing is unsaved, so the project
			// must have it all.
			project, err := document.Open(filepath.Join(dir, "a.lbproj"))
			if err != nil {
				t.Fatalf("round %d: nothing to recover, and the project: %v", round, err)
			}
			if n := strokes(project); n < max(journaled, saved) {
				t.Errorf("round %d: nothing to recover, and the project has %d strokes of %d", round, n, max(journaled, saved))
			}
			compare(t, "the project", see(project), expected(t, strokes(project)))
			continue
		}
		d, err := lost[0].Open()
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := strokes(d); n < journaled {
			t.Errorf("round %d: %d strokes were recovered, %d were on the disk", round, n, journaled)
		}
		compare(t, fmt.Sprintf("round %d: recovered after %d strokes", round, strokes(d)), see(d), expected(t, strokes(d)))
		if !d.Dirty() {
			t.Errorf("round %d: the recovered document has no unsaved changes", round)
		}
		project, err := document.Open(filepath.Join(dir, "a.lbproj"))
		switch {
		case errors.Is(err, os.ErrNotExist) && saved == 0:
		case err != nil:
			t.Errorf("round %d: the project: %v", round, err)
		default:
			if n := strokes(project); n < saved {
				t.Errorf("round %d: the project has %d strokes, %d were saved", round, n, saved)
			}
			compare(t, "the project", see(project), expected(t, strokes(project)))
		}
		if err := lost[0].Discard(); err != nil {
			t.Fatal(err)
		}
		if again, err := document.Recoverable(filepath.Join(dir, "autosave")); err != nil || len(again) != 0 {
			t.Errorf("after discarding: %v, %v", again, err)
		}
	}
}

func TestNothingToRecover(t *testing.T) {
	dir := t.TempDir()
	d := sample(t, 1)
	path := filepath.Join(dir, "a.lbproj")
	if err := d.Save(path); err != nil {
		t.Fatal(err)
	}
	for _, strokes := range []int{0, 1} {
		d, err := document.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(dir, strconv.Itoa(strokes))
		if err := d.StartJournal(folder, nil); err != nil {
			t.Fatal(err)
		}
		for n := range strokes {
			stroke(t, d, n+1)
		}
		if err := d.FlushJournal(); err != nil {
			t.Fatal(err)
		}
		raw := newest(t, folder)
		if err := d.CloseJournal(); err != nil {
			t.Fatal(err)
		}
		// What a killed process leaves.
		if err := os.WriteFile(filepath.Join(folder, "x.lbjournal"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		lost, err := document.Recoverable(folder)
		if err != nil || len(lost) != strokes {
			t.Errorf("after %d strokes: %d documents to recover, %v", strokes, len(lost), err)
		}
		if len(lost) == 1 && (lost[0].Title != "a" || lost[0].Path != path) {
			t.Errorf("%+v", lost[0])
		}
	}
}

// newest returns the only journal in dir.
func newest(t interface{ Fatal(...any) }, dir string) []byte {
	files, err := filepath.Glob(filepath.Join(dir, "*.lbjournal"))
	if err != nil || len(files) != 1 {
		t.Fatal("journals: ", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestJournalFollowsRandomWalks(t *testing.T) {
	// Every round waits for the disk several times.
	rounds := flag.Lookup("rapid.checks")
	old := rounds.Value.String()
	if err := rounds.Value.Set("25"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rounds.Value.Set(old) })
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		folder := filepath.Join(dir, strconv.Itoa(round))
		w := &walker{sample(t, 1), map[document.NodeID]state{}}
		w.remember()
		if err := w.d.StartJournal(folder, func(err error) { panic(err) }); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
				w.travel(t)
			} else {
				w.act(t)
			}
		}
		if err := w.d.FlushJournal(); err != nil {
			t.Fatal(err)
		}
		back, err := document.Replay(newest(t, folder))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "replayed", see(back), see(w.d))
		if back.Current() != w.d.Current() || len(back.Nodes()) != len(w.d.Nodes()) {
			t.Fatalf("step %d of %d, %d of %d expected", back.Current(), len(back.Nodes()), w.d.Current(), len(w.d.Nodes()))
		}
		for id, want := range w.seen {
			if err := back.Jump(id); err != nil {
				t.Fatal(err)
			}
			compare(t, fmt.Sprint("step ", id), see(back), want)
		}
		if err := w.d.CloseJournal(); err != nil {
			t.Fatal(err)
		}
		if files, _ := os.ReadDir(folder); len(files) != 0 {
			t.Fatalf("%d files are left after closing", len(files))
		}
	})
}

func TestTornJournal(t *testing.T) {
	dir := t.TempDir()
	d := sample(t, 1)
	if err := d.StartJournal(dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.FlushJournal(); err != nil {
		t.Fatal(err)
	}
	begin := len(newest(t, dir))
	for n := range 12 {
		stroke(t, d, n+1)
	}
	if err := d.FlushJournal(); err != nil {
		t.Fatal(err)
	}
	raw := newest(t, dir)
	if _, err := document.Replay(raw[:begin-1]); err == nil {
		t.Error("a journal without a whole project was replayed")
	}
	last := 0
	for cut := begin; cut <= len(raw); cut += 61 {
		back, err := document.Replay(raw[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if n := strokes(back); n < last {
			t.Fatalf("cut at %d: %d strokes, but %d before", cut, n, last)
		} else {
			last = n
		}
		compare(t, "torn", see(back), expected(t, last))
	}
	if last < 11 {
		t.Errorf("only %d strokes", last)
	}
	// A journal that is in use is nobody's to recover.
	if lost, err := document.Recoverable(dir); err != nil || len(lost) != 0 {
		t.Errorf("%d documents to recover, %v", len(lost), err)
	}
	if err := d.CloseJournal(); err != nil {
		t.Fatal(err)
	}
	if lost, err := document.Recoverable(filepath.Join(dir, "none")); err != nil || len(lost) != 0 {
		t.Errorf("no folder: %v, %v", lost, err)
	}
}

func TestJournalTellsOfItsEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := sample(t, 1)
	if err := d.StartJournal(dir, nil); err == nil || !strings.Contains(err.Error(), "there is no autosave") {
		t.Errorf("a journal in a file: %v", err)
	}
	stroke(t, d, 1) // works without
	dir = filepath.Join(t.TempDir(), "gone")
	told := make(chan error, 10)
	if err := d.StartJournal(dir, func(err error) { told <- err }); err != nil {
		t.Fatal(err)
	}
	if err := d.FlushJournal(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(filepath.Join(t.TempDir(), "a.lbproj")); err != nil { // begins the journal anew
		t.Fatal(err)
	}
	if err := d.FlushJournal(); err == nil || !strings.Contains(err.Error(), "autosave has stopped") {
		t.Errorf("flush: %v", err)
	}
	stroke(t, d, 2)
	if err := d.CloseJournal(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 {
		t.Errorf("told %d times", len(told))
	}
}

func FuzzReplay(f *testing.F) {
	dir := f.TempDir()
	d := sample(f, 1)
	if err := d.StartJournal(dir, nil); err != nil {
		f.Fatal(err)
	}
	for n := range 8 {
		stroke(f, d, n+1)
	}
	if err := d.FlushJournal(); err != nil {
		f.Fatal(err)
	}
	f.Add(newest(f, dir))
	if err := d.CloseJournal(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if d, err := document.Replay(raw); err == nil {
			walkAll(t, d)
		}
	})
}

// BenchmarkStroke is what a stroke costs the caller with a journal.
func BenchmarkStroke(b *testing.B) {
	d := sample(b, 1)
	if err := d.StartJournal(b.TempDir(), nil); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		begin := time.Now()
		stroke(b, d, 7*n+1)
		took = append(took, time.Since(begin))
		if n%50 == 0 {
			if err := d.FlushJournal(); err != nil {
				b.Fatal(err)
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1])/1e6, "worst-ms")
	if err := d.CloseJournal(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkJump goes over an optimisation and 50 strokes.
func BenchmarkJump(b *testing.B) {
	d := sample(b, 1)
	first := d.Current()
	r := run(d.Code(), 1, 60)
	if _, err := d.Accept(r, 59, labelsOf(b, r.Steps[59].Code), true, nil); err != nil {
		b.Fatal(err)
	}
	for n := range 50 {
		paint(b, d, image.Rect(n, 3, n+20, 30), canvas.Ink{Kind: canvas.Paint, Class: uint8(n % 5)})
	}
	last := d.Current()
	for b.Loop() {
		if d.Jump(first) != nil || d.Jump(last) != nil {
			b.Fatal("refused")
		}
	}
}
