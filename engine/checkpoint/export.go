package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"
)

// WriteRosinality writes a file that torch.load reads and rosinality's code takes
// as a checkpoint: {"g_ema": state, "latent_avg": mean}, all float32 on the CPU.
func WriteRosinality(w io.Writer, state State, mean []float32) error {
	p := &pickler{}
	p.raw(0x80, 2, '}') // protocol 2, the outer dictionary
	p.raw('(')
	p.text("g_ema")
	p.state(state)
	p.text("latent_avg")
	p.tensor(Tensor{Shape: []int{len(mean)}, Data: mean})
	p.raw('u', '.')
	return p.archive(w)
}

// archive writes the pickle and its tensors as torch.save does.
func (p *pickler) archive(w io.Writer) error {
	// Sizes are written before the data, as torch's own reader is happiest with.
	z := &alignedZip{zip: zip.NewWriter(w)}
	z.add("archive/data.pkl", p.buf.Bytes())
	z.add("archive/byteorder", []byte("little"))
	for i, data := range p.storages {
		raw := make([]byte, 4*len(data))
		for k, v := range data {
			binary.LittleEndian.PutUint32(raw[4*k:], math.Float32bits(v))
		}
		z.add("archive/data/"+strconv.Itoa(i), raw)
	}
	z.add("archive/version", []byte("3\n"))
	if z.err == nil {
		z.err = z.zip.Close()
	}
	if z.err != nil {
		return fmt.Errorf("checkpoint: %w", z.err)
	}
	return nil
}

// state writes a state dictionary.
func (p *pickler) state(state State) {
	p.global("collections", "OrderedDict")
	p.raw(')', 'R', '(')
	for _, name := range state.Names() {
		p.text(name)
		p.tensor(state[name])
	}
	p.raw('u')
}

// pickler writes the few opcodes that a state dictionary needs.
type pickler struct {
	buf      bytes.Buffer
	storages [][]float32
}

func (p *pickler) raw(b ...byte) { p.buf.Write(b) }

func (p *pickler) text(s string) {
	p.raw('X')
	p.buf.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(s))))
	p.buf.WriteString(s)
}

func (p *pickler) global(module, name string) {
	p.buf.WriteString("c" + module + "\n" + name + "\n")
}

func (p *pickler) number(n int) {
	p.raw('J')
	p.buf.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func (p *pickler) numbers(list []int) {
	p.raw('(')
	for _, n := range list {
		p.number(n)
	}
	p.raw('t')
}

// tensor writes a call of torch._utils._rebuild_tensor_v2.
func (p *pickler) tensor(t Tensor) {
	key := strconv.Itoa(len(p.storages))
	p.storages = append(p.storages, t.Data)
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.raw('(') // arguments
	p.raw('(') // persistent id
	p.text("storage")
	p.global("torch", "FloatStorage")
	p.text(key)
	p.text("cpu")
	p.number(len(t.Data))
	p.raw('t', 'Q')
	p.number(0)
	p.numbers(t.Shape)
	strides := make([]int, len(t.Shape))
	step := 1
	for i := len(strides) - 1; i >= 0; i-- {
		strides[i] = step
		step *= t.Shape[i]
	}
	p.numbers(strides)
	p.raw(0x89) // no gradient
	p.global("collections", "OrderedDict")
	p.raw(')', 'R') // no hooks
	p.raw('t', 'R')
}

// alignedZip writes stored entries whose data begin at multiples of 64 bytes,
// so that they can be mapped into memory.
type alignedZip struct {
	zip *zip.Writer
	at  int
	err error
}

func (z *alignedZip) add(name string, data []byte) {
	if z.err != nil {
		return
	}
	const fixed, field = 30, 4 // local header, header of an extra field
	pad := (64 - (z.at+fixed+len(name)+field)%64) % 64
	extra := binary.LittleEndian.AppendUint16(nil, 0x4246) // ignored by readers
	extra = binary.LittleEndian.AppendUint16(extra, uint16(pad))
	extra = append(extra, make([]byte, pad)...)
	w, err := z.zip.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, Extra: extra, CRC32: crc32.ChecksumIEEE(data),
		CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
	})
	if err == nil {
		_, err = w.Write(data)
	}
	z.err = err
	z.at += fixed + len(name) + len(extra) + len(data)
}
