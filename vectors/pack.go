package vectors

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
)

// A share pack is a zip file:
//
//	pack.json        {"format": "latentbrush-vector-pack", "version": 1, "name", "author", "licence", "created", "vectors"}
//	vectors/*.safetensors
//
// "vectors" lists {"file", "name", "content"} of each vector. Only files that it lists are read.
const (
	packFormat  = "latentbrush-vector-pack"
	packVersion = 1

	maxPackVectors  = 5000
	maxPackManifest = 8 << 20
	maxPackBytes    = 2 << 30 // unpacked
)

// ErrPack says that a file is not a well-formed share pack.
var ErrPack = errors.New("damaged vector pack")

// PackInfo describes a share pack.
type PackInfo struct {
	Name    string    `json:"name"`
	Author  string    `json:"author"`
	Licence string    `json:"licence"`
	Created time.Time `json:"created"`
}

type packManifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	PackInfo
	Vectors []packItem `json:"vectors"`
}

type packItem struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Content string `json:"content"`
}

// WritePack writes vs to w as a share pack. A licence is required, as nobody
// may use what comes without one; a vector without an author or a licence
// takes the pack's.
func WritePack(w io.Writer, info PackInfo, vs ...*Vector) error {
	if strings.TrimSpace(info.Licence) == "" {
		return errors.New("vectors: a share pack needs a licence")
	}
	if len(vs) == 0 || len(vs) > maxPackVectors {
		return fmt.Errorf("vectors: a share pack of %d vectors, 1 to %d expected", len(vs), maxPackVectors)
	}
	if info.Created.IsZero() {
		info.Created = time.Now().UTC().Truncate(time.Second)
	}
	manifest := packManifest{Format: packFormat, Version: packVersion, PackInfo: info}
	z := zip.NewWriter(w)
	names := map[string]bool{}
	for _, v := range vs {
		v = v.Clone()
		v.derive()
		if v.Author == "" {
			v.Author = info.Author
		}
		if v.Licence == "" {
			v.Licence = info.Licence
		}
		file := "vectors/" + slug(v.Name) + Ext
		for n := 2; names[file]; n++ {
			file = fmt.Sprintf("vectors/%s-%d%s", slug(v.Name), n, Ext)
		}
		names[file] = true
		manifest.Vectors = append(manifest.Vectors, packItem{file, v.Name, v.Content})
		// Random-looking floats hardly shrink, the previews do.
		part, err := z.CreateHeader(&zip.FileHeader{Name: file, Method: zip.Deflate, Modified: info.Created})
		if err != nil {
			return fmt.Errorf("vectors: cannot write the pack: %w", err)
		}
		if err := Write(part, v); err != nil {
			return err
		}
	}
	part, err := z.CreateHeader(&zip.FileHeader{Name: "pack.json", Method: zip.Deflate, Modified: info.Created})
	if err != nil {
		return fmt.Errorf("vectors: cannot write the pack: %w", err)
	}
	enc := json.NewEncoder(part)
	enc.SetIndent("", "  ")
	if err := enc.Encode(manifest); err != nil {
		return fmt.Errorf("vectors: cannot write the pack: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("vectors: cannot write the pack: %w", err)
	}
	return nil
}

// ReadPack reads the share pack in the size bytes of r. Each listed vector is
// yielded with its error: a broken one does not keep the others from being read. A file
// that is no pack at all is [ErrPack]. Nothing is written anywhere.
func ReadPack(r io.ReaderAt, size int64) (PackInfo, iter.Seq2[*Vector, error], error) {
	fail := func(err error) (PackInfo, iter.Seq2[*Vector, error], error) {
		return PackInfo{}, nil, fmt.Errorf("vectors: %w: %w", ErrPack, err)
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return fail(err)
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		files[f.Name] = f
	}
	raw, err := ReadMember(files["pack.json"], maxPackManifest)
	if err != nil {
		return fail(fmt.Errorf("pack.json: %w", err))
	}
	var manifest packManifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return fail(fmt.Errorf("pack.json: %w", err))
	}
	if manifest.Format != packFormat {
		return fail(fmt.Errorf("format is %q, %q expected", manifest.Format, packFormat))
	}
	if manifest.Version < 1 || manifest.Version > packVersion {
		return fail(fmt.Errorf("version is %d; this program reads up to %d", manifest.Version, packVersion))
	}
	if len(manifest.Vectors) > maxPackVectors {
		return fail(fmt.Errorf("%d vectors, at most %d expected", len(manifest.Vectors), maxPackVectors))
	}
	return manifest.PackInfo, func(yield func(*Vector, error) bool) {
		left := int64(maxPackBytes)
		for _, item := range manifest.Vectors {
			raw, err := ReadMember(files[item.File], min(left, MaxFile))
			var v *Vector
			if err == nil {
				left -= int64(len(raw))
				v, err = Read(item.File, bytes.NewReader(raw), int64(len(raw)))
			} else {
				err = damaged(item.File, err)
			}
			if !yield(v, err) {
				return
			}
		}
	}, nil
}

// Imported says what [Library.AddPack] did.
type Imported struct {
	Pack   PackInfo
	Added  []Entry
	Known  []string // names of vectors whose like the library already had
	Failed []error  // one sentence for each vector that could not be read
}

// AddPack adds the vectors of a share pack that the library does not have yet:
// importing a pack twice adds nothing. File names are made here and never taken from the pack.
func (l *Library) AddPack(r io.ReaderAt, size int64) (Imported, error) {
	info, all, err := ReadPack(r, size)
	if err != nil {
		return Imported{}, err
	}
	done := Imported{Pack: info}
	for v, err := range all {
		switch {
		case err != nil:
			done.Failed = append(done.Failed, err)
		case l.Has(v.Content):
			done.Known = append(done.Known, v.Name)
		default:
			e, addErr := l.Add(v)
			if addErr != nil {
				return done, addErr
			}
			done.Added = append(done.Added, e)
		}
	}
	return done, nil
}

// Has reports whether the library has a vector with this content.
func (l *Library) Has(content string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return content != "" && slices.ContainsFunc(l.sorted, func(e *Entry) bool { return e.Err == nil && e.Content == content })
}

// Pack writes the entries with the ids as a share pack.
func (l *Library) Pack(w io.Writer, info PackInfo, ids ...string) error {
	vs := make([]*Vector, len(ids))
	for i, id := range ids {
		v, err := l.Load(id)
		if err != nil {
			return err
		}
		vs[i] = v
	}
	return WritePack(w, info, vs...)
}
