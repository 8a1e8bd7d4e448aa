package vectors_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"latentbrush/vectors"
)

func open(t testing.TB, bundle fs.FS) *vectors.Library {
	t.Helper()
	l, err := vectors.OpenLibrary(filepath.Join(t.TempDir(), "library"), bundle)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t testing.TB, l *vectors.Library, v *vectors.Vector) vectors.Entry {
	t.Helper()
	e, err := l.Add(v)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ids(entries []vectors.Entry) []string {
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.ID
	}
	return out
}

func TestLibraryLife(t *testing.T) {
	l := open(t, nil)
	e := add(t, l, smile(1))
	if e.ID != "smile" || add(t, l, smile(2)).ID != "smile-2" {
		t.Errorf("ids %v", ids(l.Search(vectors.Query{})))
	}
	if _, err := l.Rename("smile", "Broad smile"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.SetTags("smile", "mouth", " mouth ", "", "new"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Rate("smile", 6); err == nil {
		t.Error("six stars were accepted")
	}
	if _, err := l.Rate("smile", 2); err != nil {
		t.Fatal(err)
	}
	// Another program sees the same as this one.
	again, err := vectors.OpenLibrary(l.Dir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err = again.Entry("smile")
	if err != nil || e.Name != "Broad smile" || !slices.Equal(e.Tags, []string{"mouth", "new"}) || e.Rating != 2 {
		t.Errorf("%+v, %v", e.Facts, err)
	}
	v, err := again.Load("smile")
	if err != nil || v.Delta.Distance(smile(1).Delta) != 0 || v.After == nil {
		t.Errorf("loaded %v", err)
	}
	if _, err := l.Load("nothing"); !errors.Is(err, vectors.ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
}

func TestDeleteAndUndo(t *testing.T) {
	l := open(t, nil)
	add(t, l, smile(1))
	before, err := os.ReadFile(filepath.Join(l.Dir(), "smile.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := l.Delete("smile"); err != nil {
			t.Fatal(err)
		}
		if l.Len() != 0 {
			t.Fatal("it is still listed")
		}
		if _, err := l.Undelete("smile"); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.ReadFile(filepath.Join(l.Dir(), "smile.safetensors"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file came back changed: %v", err)
	}
	if err := l.Delete("smile"); err != nil {
		t.Fatal(err)
	}
	add(t, l, smile(2))
	e, err := l.Undelete("smile")
	if err != nil || e.ID != "smile-2" {
		t.Errorf("undone beside a new one: %q, %v", e.ID, err)
	}
	if v, err := l.Load("smile-2"); err != nil || v.Content != smile(1).Content {
		t.Errorf("the wrong one came back: %v", err)
	}
	if _, err := l.Undelete("smile"); !errors.Is(err, vectors.ErrNotFound) {
		t.Errorf("undone twice: %v", err)
	}
}

// The trash outlives the session, gives back the last of several deletions first, and shows what is
// in it.
func TestTrashOutlivesTheSession(t *testing.T) {
	l := open(t, nil)
	for seed := range uint64(3) {
		add(t, l, smile(seed))
		if err := l.Delete("smile"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(l.Dir(), "torn.safetensors"), []byte("no"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Scan(); err != nil {
		t.Fatal(err)
	}
	if err := l.Delete("torn"); err != nil {
		t.Fatal(err)
	}
	again, err := vectors.OpenLibrary(l.Dir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := again.Trash()
	if err != nil || !slices.Equal(ids(gone), []string{"smile", "torn"}) || gone[0].Err != nil || gone[1].Err == nil {
		t.Fatalf("the trash has %v, %v", gone, err)
	}
	for i := range uint64(3) {
		e, err := again.Undelete("smile")
		if err != nil {
			t.Fatal(err)
		}
		if want := smile(2 - i).Content; e.Content != want {
			t.Errorf("restored %s as number %d, want %s", e.Content, i, want)
		}
	}
	if err := again.EmptyTrash(); err != nil {
		t.Fatal(err)
	}
	if gone, err := again.Trash(); err != nil || len(gone) != 0 {
		t.Errorf("the empty trash has %v, %v", gone, err)
	}
}

func TestBundleIsReadOnly(t *testing.T) {
	bundle := fstest.MapFS{"smile.safetensors": {Data: encode(t, smile(1))}, "card.md": {Data: []byte("x")}}
	l := open(t, bundle)
	e, err := l.Entry("model/smile")
	if err != nil || !e.Bundled || l.Len() != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, err := range []error{
		l.Delete(e.ID),
		func() error { _, err := l.Rename(e.ID, "x"); return err }(),
		func() error { _, err := l.Rate(e.ID, 1); return err }(),
	} {
		if !errors.Is(err, vectors.ErrReadOnly) {
			t.Errorf("changed: %v", err)
		}
	}
	if e, err = l.Duplicate(e.ID, "My smile"); err != nil || e.ID != "my-smile" || e.Bundled {
		t.Errorf("duplicate %+v, %v", e, err)
	}
	if err := l.SetBundle(nil); err != nil {
		t.Fatal(err)
	}
	if got := ids(l.Search(vectors.Query{})); !slices.Equal(got, []string{"my-smile"}) {
		t.Errorf("without the model: %v", got)
	}
}

func TestBrokenFileTouchesNothingElse(t *testing.T) {
	l := open(t, nil)
	add(t, l, smile(1))
	bad := filepath.Join(l.Dir(), "bad.safetensors")
	if err := os.WriteFile(bad, []byte("not a vector at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, err := l.Scan()
	if err != nil || !changed {
		t.Fatalf("scan: %v, %v", changed, err)
	}
	e, err := l.Entry("bad")
	if err != nil || !errors.Is(e.Err, vectors.ErrDamaged) || e.Name != "bad" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := l.Load("smile"); err != nil {
		t.Errorf("the good one: %v", err)
	}
	if got := ids(l.Search(vectors.Query{Words: []string{"bad"}})); !slices.Equal(got, []string{"bad"}) {
		t.Errorf("search finds %v", got)
	}
	if changed, _ := l.Scan(); changed {
		t.Error("a second scan saw a change")
	}
	if err := l.Delete("bad"); err != nil || l.Len() != 1 {
		t.Errorf("delete: %v, %d left", err, l.Len())
	}
}

func TestWatchSeesNewAndGoneFiles(t *testing.T) {
	l := open(t, nil)
	ctx, stop := context.WithCancel(context.Background())
	seen, done := make(chan int, 10), make(chan struct{})
	go func() {
		defer close(done)
		l.Watch(ctx, time.Millisecond, func() { seen <- l.Len() })
	}()
	path := filepath.Join(l.Dir(), "new.safetensors")
	if err := vectors.WriteFile(path, smile(1)); err != nil {
		t.Fatal(err)
	}
	if n := <-seen; n != 1 {
		t.Errorf("%d entries, 1 expected", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if n := <-seen; n != 0 {
		t.Errorf("%d entries, none expected", n)
	}
	stop()
	<-done
}

func TestSearch(t *testing.T) {
	l := open(t, nil)
	put := func(name string, stars int, class string, tags ...string) {
		v := vectors.New(name, portrait, randomCode(uint64(len(name)), 2, 4))
		v.Rating, v.Tags, v.Classes = stars, tags, []vectors.Class{{2, class}}
		add(t, l, v)
	}
	put("Longer hair", 5, "hair", "Style")
	put("Fringe", 3, "hair", "style", "short")
	put("Round face", 4, "skin")
	put("大きい目", 1, "left eye", "目")
	for text, want := range map[string][]string{
		"":                    {"fringe", "longer-hair", "round-face", "大きい目"},
		"HAIR":                {"fringe", "longer-hair"},
		"hair long":           {"longer-hair"},
		"tag:style":           {"fringe", "longer-hair"},
		"tag:style rating:4":  {"longer-hair"},
		"rating:3+":           {"fringe", "longer-hair", "round-face"},
		`class:"left eye"`:    {"大きい目"},
		"目":                   {"大きい目"},
		"nothing like this":   nil,
		"class:skin tag:none": nil,
	} {
		q, err := vectors.ParseQuery(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := ids(l.Search(q)); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, %q expected", text, got, want)
		}
	}
	if _, err := vectors.ParseQuery("rating:many"); err == nil {
		t.Error("rating:many was accepted")
	}
	best := l.Search(vectors.Query{Order: vectors.ByRating})
	if best[0].ID != "longer-hair" || best[3].Rating != 1 {
		t.Errorf("by rating: %v", ids(best))
	}
	if got := l.Search(vectors.Query{Model: vectors.Model{ID: "car", Fingerprint: "beef"}}); len(got) != 0 {
		t.Errorf("vectors of another model: %v", ids(got))
	}
}

func TestDuplicates(t *testing.T) {
	l := open(t, nil)
	a := randomCode(1, 8, 64)
	add(t, l, vectors.New("a", portrait, a))
	add(t, l, vectors.New("a stronger", portrait, a.Scale(3)))
	add(t, l, vectors.New("nearly a", portrait, a.AddScaled(0.1, randomCode(2, 8, 64))))
	add(t, l, vectors.New("other", portrait, randomCode(3, 8, 64)))
	add(t, l, vectors.New("elsewhere", vectors.Model{ID: "car", Fingerprint: "beef"}, a))
	got, err := l.Duplicates(context.Background(), 0.98)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].A.ID != "a" || got[0].B.ID != "a-stronger" || got[0].Cosine < 0.999999 || got[2].Cosine > 0.9999 {
		t.Errorf("%d pairs: %+v", len(got), got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Duplicates(ctx, 0.98); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFileNamesAreSafe(t *testing.T) {
	l := open(t, nil)
	for _, name := range []string{"../../etc/passwd", "a/b\\c:d", "con", "…", "Ünïcode 笑顔", strings.Repeat("x", 120), ".hidden"} {
		e := add(t, l, vectors.New(name, portrait, randomCode(1, 1, 2)))
		if strings.ContainsAny(e.ID, `/\:.`) || len(e.ID) > 100 || e.ID == "con" {
			t.Errorf("%q became %q", name, e.ID)
		}
		if v, err := l.Load(e.ID); err != nil || v.Name != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	files, err := os.ReadDir(filepath.Dir(l.Dir()))
	if err != nil || len(files) != 1 {
		t.Errorf("files beside the library: %v, %v", files, err)
	}
}

func pack(t *testing.T, info vectors.PackInfo, vs ...*vectors.Vector) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := vectors.WritePack(&b, info, vs...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPackTwiceAddsNothing(t *testing.T) {
	mine := vectors.New("Smile", portrait, randomCode(9, 14, 32))
	raw := pack(t, vectors.PackInfo{Name: "Faces", Author: "Me", Licence: "CC0-1.0"}, smile(1), smile(2), mine)
	l := open(t, nil)
	first, err := l.AddPack(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || len(first.Added) != 3 || len(first.Failed) != 0 || first.Pack.Licence != "CC0-1.0" {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, e := range first.Added {
		want := [2]string{"A. Painter", "CC-BY-4.0"}
		if e.Content == mine.Content {
			want = [2]string{"Me", "CC0-1.0"}
		}
		if e.Author != want[0] || e.Licence != want[1] {
			t.Errorf("%s is by %q under %q, %q expected", e.ID, e.Author, e.Licence, want)
		}
	}
	second, err := l.AddPack(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || len(second.Added) != 0 || len(second.Known) != 3 || l.Len() != 3 {
		t.Errorf("a second time: %+v, %v", second, err)
	}
	if err := vectors.WritePack(io.Discard, vectors.PackInfo{Name: "x"}, mine); err == nil || !strings.Contains(err.Error(), "licence") {
		t.Errorf("a pack without a licence: %v", err)
	}
}

// zipped is a share pack with a manifest, none if it is empty, and files.
func zipped(t testing.TB, manifest string, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	put := func(name string, raw []byte) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range files {
		put(name, raw)
	}
	if manifest != "" {
		put("pack.json", []byte(manifest))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whatever a pack says, reading it ends, yields either a vector or an error for each file that it
// lists, and yields no vector that could not be written again.
func FuzzReadPack(f *testing.F) {
	whole := encode(f, smile(1))
	f.Add(`{"format":"latentbrush-vector-pack","version":1,"licence":"CC0-1.0","vectors":[{"file":"a"},{"file":"a"},{"file":"b"}]}`, whole, []byte(nil))
	f.Add(`{"format":"latentbrush-vector-pack","version":1,"vectors":null,"created":"2026-01-02T03:04:05Z"}`, whole, []byte("PK"))
	f.Fuzz(func(t *testing.T, manifest string, member, raw []byte) {
		if raw == nil {
			raw = zipped(t, manifest, map[string][]byte{"a": member})
		}
		_, all, err := vectors.ReadPack(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			if !errors.Is(err, vectors.ErrPack) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		n := 0
		for v, err := range all {
			if (v == nil) != (err != nil) {
				t.Fatalf("a vector %t and the error %v", v != nil, err)
			}
			if err == nil {
				encode(t, v)
			}
			if n++; n > 5000 {
				t.Fatal("more vectors than a pack may have")
			}
		}
	})
}

func TestHostilePacks(t *testing.T) {
	l := open(t, nil)
	for name, raw := range map[string][]byte{
		"no zip":      []byte("hello"),
		"no manifest": zipped(t, "", nil),
		"no json":     zipped(t, "{", nil),
		"other":       zipped(t, `{"format":"x","version":1}`, nil),
		"newer":       zipped(t, `{"format":"latentbrush-vector-pack","version":2}`, nil),
	} {
		if _, err := l.AddPack(bytes.NewReader(raw), int64(len(raw))); !errors.Is(err, vectors.ErrPack) {
			t.Errorf("%s: %v", name, err)
		}
	}
	evil := "../../../evil.safetensors"
	manifest := fmt.Sprintf(`{"format":"latentbrush-vector-pack","version":1,"vectors":[{"file":%q},{"file":"gone"},{"file":"bad"}]}`, evil)
	raw := zipped(t, manifest, map[string][]byte{evil: encode(t, smile(1)), "bad": []byte("bad bad bad")})
	got, err := l.AddPack(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || len(got.Added) != 1 || got.Added[0].ID != "smile" || len(got.Failed) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	files, err := os.ReadDir(filepath.Dir(l.Dir()))
	if err != nil || len(files) != 1 {
		t.Errorf("files outside of the library: %v, %v", files, err)
	}
}

func BenchmarkSearch1000(b *testing.B) {
	l := open(b, nil)
	for i := range 1000 {
		v := vectors.New(fmt.Sprint("vector ", i), portrait, randomCode(uint64(i), 1, 4))
		v.Tags = []string{fmt.Sprint("tag", i%7), fmt.Sprint("group", i%31)}
		v.Classes = []vectors.Class{{uint8(i % 22), fmt.Sprint("class ", i%22)}}
		v.Rating = i % 6
		if err := vectors.WriteFile(filepath.Join(l.Dir(), fmt.Sprint(i, vectors.Ext)), v); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := l.Scan(); err != nil {
		b.Fatal(err)
	}
	q, err := vectors.ParseQuery("vector tag:tag3 rating:2 class 1")
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if len(l.Search(q)) == 0 {
			b.Fatal("nothing found")
		}
	}
}

func BenchmarkScan1000(b *testing.B) {
	l := open(b, nil)
	raw := encode(b, smile(1))
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(l.Dir(), fmt.Sprint(i, vectors.Ext)), raw, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		fresh, err := vectors.OpenLibrary(l.Dir(), nil)
		if err != nil || fresh.Len() != 1000 {
			b.Fatal(err)
		}
	}
}
