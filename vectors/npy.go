package vectors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"latentbrush/engine/latent"
)

const (
	npyMagic     = "\x93NUMPY"
	maxNPYHeader = 64 << 10
)

var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9,\s]*)\)`)
)

// ReadNPY reads a NumPy array of shape (rows, dim) or (1, rows, dim) in
// float32 or float64: the form in which EditGAN keeps its vectors (NumPy enhancement proposal
// 1, format versions 1 to 3).
func ReadNPY(r io.Reader) (latent.Code, error) {
	c, err := readNPY(r)
	if err != nil {
		return latent.Code{}, fmt.Errorf("vectors: not a NumPy array of a vector: %w", err)
	}
	return c, nil
}

func readNPY(r io.Reader) (latent.Code, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return latent.Code{}, fmt.Errorf("the header is cut short")
	}
	if string(head[:6]) != npyMagic {
		return latent.Code{}, fmt.Errorf("the file does not start with NUMPY")
	}
	var n uint32
	switch head[6] {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return latent.Code{}, fmt.Errorf("the header is cut short")
		}
		n = uint32(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return latent.Code{}, fmt.Errorf("the header is cut short")
		}
	default:
		return latent.Code{}, fmt.Errorf("format version %d, 1 to 3 expected", head[6])
	}
	if n > maxNPYHeader {
		return latent.Code{}, fmt.Errorf("the header has %d bytes, at most %d expected", n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return latent.Code{}, fmt.Errorf("the header is cut short")
	}
	descr, fortran, shape := npyDescr.FindSubmatch(text), npyFortran.FindSubmatch(text), npyShape.FindSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return latent.Code{}, fmt.Errorf("the header lacks descr, fortran_order or shape")
	}
	if string(fortran[1]) == "True" {
		return latent.Code{}, fmt.Errorf("the array is in Fortran order, C order expected")
	}
	var dims []int
	for _, s := range strings.Split(string(shape[1]), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		d, err := strconv.Atoi(s)
		if err != nil {
			return latent.Code{}, fmt.Errorf("shape (%s) is not a list of numbers", shape[1])
		}
		dims = append(dims, d)
	}
	rows, dim, err := vectorShape(dims)
	if err != nil {
		return latent.Code{}, err
	}
	return arrayCode(r, string(descr[1]), rows, dim)
}

// vectorShape reads (rows, dim) or (1, rows, dim).
func vectorShape(dims []int) (rows, dim int, err error) {
	if len(dims) == 3 && dims[0] == 1 {
		dims = dims[1:]
	}
	if len(dims) != 2 {
		return 0, 0, fmt.Errorf("shape %v, (rows, dim) or (1, rows, dim) expected", dims)
	}
	return dims[0], dims[1], checkSize(dims[0], dims[1])
}

// arrayCode reads rows·dim little-endian floats of the NumPy type descr.
func arrayCode(r io.Reader, descr string, rows, dim int) (latent.Code, error) {
	size := 4
	switch descr {
	case "<f4", "f4":
	case "<f8", "f8":
		size = 8
	default:
		return latent.Code{}, fmt.Errorf("numbers are of type %q, '<f4' or '<f8' expected", descr)
	}
	raw := make([]byte, rows*dim*size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return latent.Code{}, fmt.Errorf("the numbers are cut short, %d bytes expected", len(raw))
	}
	c := latent.Code{Rows: rows, Dim: dim}
	if size == 4 {
		c.Data = floatsOf(raw)
	} else {
		wide := make([]float64, rows*dim)
		if _, err := binary.Decode(raw, binary.LittleEndian, wide); err != nil {
			return latent.Code{}, err
		}
		c = rounded(rows, dim, wide)
	}
	return c, c.Check(rows, dim)
}

// WriteNPY writes delta as EditGAN does: NumPy format 1, '<f4', C order, shape (1, rows, dim).
func WriteNPY(w io.Writer, delta latent.Code) error {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (1, %d, %d), }", delta.Rows, delta.Dim)
	// Data start at a multiple of 64 bytes: 10 bytes of prefix, the header, a line feed.
	pad := (64 - (10+len(header)+1)%64) % 64
	var b bytes.Buffer
	b.WriteString(npyMagic + "\x01\x00")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header)+pad+1)))
	b.WriteString(header + strings.Repeat(" ", pad) + "\n")
	b.Write(floatBytes(delta.Data))
	_, err := w.Write(b.Bytes())
	return err
}
