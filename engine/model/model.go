package model

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"latentbrush/engine/model/safetensors"
)

// Kinds of file in a bundle, the keys of Manifest.Files.
const (
	GeneratorFile    = "generator"
	SegmentationFile = "segmentation"
	EncoderFile      = "encoder"
	PerceptualFile   = "perceptual"
	ReadingsFile     = "readings"
	IdentityFile     = "identity"
	GuessFile        = "guess"
	CardFile         = "card"
)

var fileNames = map[string]string{
	GeneratorFile:    "generator.safetensors",
	SegmentationFile: "segmentation.safetensors",
	EncoderFile:      "encoder.safetensors",
	PerceptualFile:   "perceptual.safetensors",
	ReadingsFile:     "readings.safetensors",
	IdentityFile:     "identity.safetensors",
	GuessFile:        "guess.safetensors",
	CardFile:         "card.md",
}

// Model is an open bundle. It may be used from several goroutines.
type Model struct {
	Manifest *Manifest

	fsys      fs.FS
	closer    io.Closer
	generator *safetensors.File
	head      *safetensors.File
	headInfo  *HeadInfo
	print     func() (string, error)
}

// Open reads the manifest and the headers of the weights in fsys, and checks
// that every tensor the manifest calls for is there with the right shape. The
// numbers themselves are read later.
func Open(fsys fs.FS) (*Model, error) {
	return open(fsys, nil)
}

// OpenPath opens a bundle on disk: a folder or a zip file. The bundle may be
// the only folder of the zip.
func OpenPath(path string) (*Model, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if st.IsDir() {
		m, err := Open(os.DirFS(path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return m, nil
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("model: %s is neither a folder nor a zip file: %w", path, err)
	}
	root, err := zipRoot(&z.Reader)
	if err == nil {
		var m *Model
		if m, err = open(root, z); err == nil {
			return m, nil
		}
	}
	z.Close()
	return nil, fmt.Errorf("%s: %w", path, err)
}

// zipRoot returns the folder of the zip that holds the manifest.
func zipRoot(z *zip.Reader) (fs.FS, error) {
	if _, err := fs.Stat(z, ManifestName); err == nil {
		return z, nil
	}
	entries, err := fs.ReadDir(z, ".")
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if len(entries) == 1 && entries[0].IsDir() {
		return fs.Sub(z, entries[0].Name())
	}
	return z, nil
}

func open(fsys fs.FS, closer io.Closer) (_ *Model, err error) {
	data, err := readLimited(fsys, ManifestName, maxManifest)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("model: there is no %s, so this is not a model bundle: %w", ManifestName, err)
		}
		return nil, fmt.Errorf("model: %w", err)
	}
	man, err := ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", ManifestName, err)
	}
	m := &Model{Manifest: man, fsys: fsys, closer: closer}
	m.print = sync.OnceValues(m.fingerprint)
	defer func() {
		if err != nil {
			m.closer = nil // the caller still owns it
			m.Close()
		}
	}()
	if m.generator, err = m.Weights(GeneratorFile); err != nil {
		return nil, err
	}
	if err := man.checkGenerator(m.generator); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	m.head, err = m.Weights(SegmentationFile)
	switch {
	case err == nil:
		if m.headInfo, err = man.checkHead(m.head); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist) || man.Files[SegmentationFile] != "":
		return nil, err
	}
	return m, nil
}

// Close closes the bundle's files.
func (m *Model) Close() error {
	var errs []error
	if m.generator != nil {
		errs = append(errs, m.generator.Close())
	}
	if m.head != nil {
		errs = append(errs, m.head.Close())
	}
	if m.closer != nil {
		errs = append(errs, m.closer.Close())
	}
	return errors.Join(errs...)
}

// FS returns the bundle's files.
func (m *Model) FS() fs.FS { return m.fsys }

// Generator returns the generator's weights, whose shapes have been checked.
func (m *Model) Generator() *safetensors.File { return m.generator }

// Head returns the label head's weights and description, nil if the model has none.
func (m *Model) Head() (*safetensors.File, *HeadInfo) { return m.head, m.headInfo }

// Weights opens another weights file by its kind, such as [EncoderFile]. The error
// wraps [fs.ErrNotExist] if the bundle has no such file. The caller closes it.
func (m *Model) Weights(kind string) (*safetensors.File, error) {
	f, err := safetensors.Open(m.fsys, m.fileName(kind))
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return f, nil
}

// Card returns the text of the model card, empty if there is none.
func (m *Model) Card() (string, error) {
	data, err := readLimited(m.fsys, m.fileName(CardFile), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("model: %w", err)
	}
	return string(data), nil
}

func (m *Model) fileName(kind string) string {
	if name := m.Manifest.Files[kind]; name != "" {
		return name
	}
	return fileNames[kind]
}

func readLimited(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, limit)
	}
	return data, nil
}

// MeanW returns the mean of w over random z, the centre of truncation.
func (m *Model) MeanW() ([]float32, error) {
	return m.generator.Float32s("mapping.w_avg", m.Manifest.WDim)
}

// Fingerprint identifies the generator: 16 hexadecimal digits of a SHA-256 over the numbers of
// the manifest that change pictures and over all of the generator's tensors.
// Codes and editing vectors can be exchanged between models of equal
// fingerprint; the label head does not count. It is computed once.
func (m *Model) Fingerprint() (string, error) { return m.print() }

func (m *Model) fingerprint() (string, error) {
	h := sha256.New()
	man := m.Manifest
	fmt.Fprintf(h, "%s %d %d %d %d %g %g %s %s", man.Architecture, man.Resolution, man.ZDim, man.WDim,
		man.MappingLayers, man.MappingLRMul, man.Clamp, man.Demodulation, man.Noise)
	for r := 4; r <= man.Resolution; r *= 2 {
		fmt.Fprintf(h, " %d", man.Channels[r])
	}
	names := m.generator.Names()
	slices.Sort(names)
	for _, name := range names {
		info, _ := m.generator.Info(name)
		data, err := m.generator.Bytes(name)
		if err != nil {
			return "", fmt.Errorf("model: %w", err)
		}
		fmt.Fprintf(h, "\n%q %v %v ", name, info.DType, info.Shape)
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(data)))
		h.Write(n[:])
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
