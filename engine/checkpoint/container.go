package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
)

// maxFile is the largest file that is read.
const maxFile = 8 << 30

// maxPickle is the largest data.pkl inside a zip.
const maxPickle = 256 << 20

// legacyMagic begins files that torch.save wrote before version 1.6.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// load reads a file and returns the value that it holds.
func load(path string) (value any, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint: %w", err)
	}
	if st.IsDir() {
		return nil, 0, fmt.Errorf("checkpoint: %s: %w: it is a folder", path, ErrFormat)
	}
	if st.Size() > maxFile {
		return nil, 0, fmt.Errorf("checkpoint: %s: %w: %d bytes, more than the limit", path, ErrFormat, st.Size())
	}
	value, err = loadFrom(f, st.Size())
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint: %s: %w", path, err)
	}
	return value, st.Size(), nil
}

func loadFrom(r io.ReaderAt, size int64) (any, error) {
	var head [4]byte
	if size < 4 {
		return nil, fmt.Errorf("%w: it has only %d bytes", ErrFormat, size)
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if string(head[:]) == "PK\x03\x04" {
		return loadZip(r, size)
	}
	data := make([]byte, size) // the true size of the file
	if _, err := r.ReadAt(data, 0); err != nil {
		return nil, err
	}
	return loadBytes(data, 0)
}

// loadBytes reads a plain pickle or a legacy torch file.
func loadBytes(data []byte, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("%w: files inside files, more than %d deep", ErrFormat, maxNesting)
	}
	first, storages, n, err := unpickle(data, depth)
	if err != nil {
		return nil, err
	}
	magic, ok := first.(*big.Int)
	if !ok || magic.Cmp(legacyMagic) != 0 {
		if len(storages) > 0 {
			return nil, fmt.Errorf("%w: tensors without their numbers", ErrFormat)
		}
		return first, nil
	}
	return loadLegacy(data[n:], depth)
}

// loadLegacy reads what follows the magic number: protocol, system, the value, the
// list of storage keys, and each storage as a count and raw numbers.
func loadLegacy(data []byte, depth int) (any, error) {
	var parts [4]any
	var storages map[string]*storage
	for i := range parts {
		v, s, n, err := unpickle(data, depth)
		if err != nil {
			return nil, err
		}
		parts[i], data = v, data[n:]
		switch i {
		case 0:
			if p, ok := v.(int64); !ok || p != 1001 {
				return nil, fmt.Errorf("%w: protocol %v of torch.save, want 1001", ErrFormat, v)
			}
		case 1:
			if d, ok := v.(*dict); ok {
				if little, ok := d.get("little_endian"); ok && little != true {
					return nil, fmt.Errorf("%w: numbers are big-endian", ErrFormat)
				}
			}
		case 2:
			storages = s
		}
	}
	keys, ok := parts[3].(*list)
	if !ok {
		return nil, fmt.Errorf("%w: no list of storages", ErrFormat)
	}
	for _, k := range keys.items {
		key, ok := k.(string)
		s := storages[key]
		if !ok || s == nil {
			return nil, fmt.Errorf("%w: storage %v belongs to no tensor", ErrFormat, k)
		}
		if len(data) < 8 {
			return nil, fmt.Errorf("%w: truncated before storage %q", ErrFormat, key)
		}
		count := int64(binary.LittleEndian.Uint64(data))
		data = data[8:]
		if count != s.len || count*s.kind.size > int64(len(data)) {
			return nil, fmt.Errorf("%w: storage %q of %d numbers, want %d, and %d bytes are left", ErrFormat, key, count, s.len, len(data))
		}
		s.data = data[:count*s.kind.size]
		data = data[count*s.kind.size:]
	}
	for key, s := range storages {
		if s.data == nil && s.len > 0 {
			return nil, fmt.Errorf("%w: storage %q is missing", ErrFormat, key)
		}
	}
	return parts[2], nil
}

// loadZip reads the container of torch 1.6 and later.
func loadZip(r io.ReaderAt, size int64) (any, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	files := make(map[string]*zip.File, len(z.File))
	root, claimed := "", uint64(0)
	for _, f := range z.File {
		// Entries cannot be larger than the file, nor share its bytes.
		if claimed += f.CompressedSize64; f.CompressedSize64 > uint64(size) || claimed > uint64(size) {
			return nil, fmt.Errorf("%w: its entries claim more bytes than the file has", ErrFormat)
		}
		files[f.Name] = f
		if dir, ok := strings.CutSuffix(f.Name, "/data.pkl"); ok && !strings.Contains(dir, "/") {
			root = dir
		}
	}
	if root == "" {
		return nil, fmt.Errorf("%w: a zip without data.pkl was not written by torch.save", ErrFormat)
	}
	if order := files[root+"/byteorder"]; order != nil {
		b, err := readEntry(order, 16)
		if err != nil {
			return nil, err
		}
		if string(bytes.TrimSpace(b)) != "little" {
			return nil, fmt.Errorf("%w: numbers are %q-endian", ErrFormat, b)
		}
	}
	pickle, err := readEntry(files[root+"/data.pkl"], maxPickle)
	if err != nil {
		return nil, err
	}
	value, storages, _, err := unpickle(pickle, 0)
	if err != nil {
		return nil, err
	}
	for key, s := range storages {
		f := files[root+"/data/"+key]
		if f == nil {
			return nil, fmt.Errorf("%w: storage %q is missing", ErrFormat, key)
		}
		want := s.len * s.kind.size
		if f.Method != zip.Store || int64(f.CompressedSize64) != want {
			return nil, fmt.Errorf("%w: storage %q of %d bytes, want %d, not compressed", ErrFormat, key, f.CompressedSize64, want)
		}
		if s.data, err = readEntry(f, want); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// readEntry reads at most limit bytes of a zip entry, an error if it has more.
func readEntry(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, f.Name, err)
	}
	defer r.Close()
	var buf bytes.Buffer
	if f.Method == zip.Store && int64(f.CompressedSize64) <= limit {
		buf.Grow(int(f.CompressedSize64) + bytes.MinRead)
	}
	n, err := io.Copy(&buf, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, f.Name, err)
	}
	if n > limit {
		return nil, fmt.Errorf("%w: %s: more than %d bytes", ErrFormat, f.Name, limit)
	}
	return buf.Bytes(), nil
}
