package model

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"latentbrush/engine/model/safetensors"
)

// Contents is what a new bundle is made of.
type Contents struct {
	Manifest  Manifest
	Generator []safetensors.Tensor
	// HeadMetadata and Head are the label head; no tensors, no head.
	HeadMetadata map[string]string
	Head         []safetensors.Tensor
	// Files are further files by their path in the bundle, such as card.md.
	Files map[string][]byte
}

// each calls put for every file of the bundle, in a fixed order.
func (c *Contents) each(put func(name string, write func(io.Writer) error) error) error {
	man, err := c.Manifest.Encode()
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	name := func(kind string) string {
		if n := c.Manifest.Files[kind]; n != "" {
			return n
		}
		return fileNames[kind]
	}
	plain := func(data []byte) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(data); return err }
	}
	if err := put(ManifestName, plain(man)); err != nil {
		return err
	}
	if err := put(name(GeneratorFile), func(w io.Writer) error {
		return safetensors.Write(w, nil, c.Generator...)
	}); err != nil {
		return err
	}
	if len(c.Head) > 0 {
		if err := put(name(SegmentationFile), func(w io.Writer) error {
			return safetensors.Write(w, c.HeadMetadata, c.Head...)
		}); err != nil {
			return err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.Files)) {
		if !fs.ValidPath(n) || n == "." {
			return fmt.Errorf("model: %q is not a path inside a bundle", n)
		}
		if err := put(n, plain(c.Files[n])); err != nil {
			return err
		}
	}
	return nil
}

// Zip returns the bundle as a zip file. Weights are stored, not compressed.
func (c *Contents) Zip() ([]byte, error) {
	var buf bytes.Buffer
	if err := c.writeZip(&buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (c *Contents) writeZip(w io.Writer) error {
	z := zip.NewWriter(w)
	if err := c.each(func(name string, write func(io.Writer) error) error {
		out, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return err
		}
		return write(out)
	}); err != nil {
		return err
	}
	return z.Close()
}

// Open opens the bundle from memory.
func (c *Contents) Open() (*Model, error) {
	data, err := c.Zip()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return Open(z)
}

// Write writes the bundle to path, which must not exist: a zip file if path
// ends in .zip, otherwise a folder. It appears as a whole or not at all.
func (c *Contents) Write(path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("model: %s: %w", path, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("model: %w", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	defer os.RemoveAll(tmp)
	if strings.EqualFold(filepath.Ext(path), ".zip") {
		file := filepath.Join(tmp, "bundle.zip")
		if err := writeSynced(file, c.writeZip); err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if err := os.Rename(file, path); err != nil {
			return fmt.Errorf("model: %w", err)
		}
		return nil
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := c.each(func(name string, write func(io.Writer) error) error {
		file := filepath.Join(tmp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return writeSynced(file, write)
	}); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}

func writeSynced(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
