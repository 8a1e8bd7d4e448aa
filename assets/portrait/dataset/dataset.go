// Package dataset writes training sets of procedural portraits.
//
// A set is a folder of raw arrays in C order, without headers, that a
// training program can map into memory:
//
//	dataset.json       what the set holds and how much of it is done
//	z.f32              [n, 256] little-endian float32, latent codes
//	images-S.u8        [n, S, S, 3] sRGB pictures
//	labels-S.u8        [n, S, S] class ids of portrait.Classes
//
// for every S of a pyramid that halves from the rendered size down to 32. A
// pixel of a smaller size averages its box of rendered sRGB values, rounded
// to nearest; its label is the most frequent one in that box, the smallest id
// among equals.
//
// A latent code is a vector of 256 standard normals scaled by
// 1/√(mean z²), as a StyleGAN2 mapping network normalises it; its first
// portrait.Count coordinates are the picture's parameters. Picture i depends
// on the seed and i only, so that a set can be stopped and continued, and a
// larger set begins with the smaller one.
package dataset

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"latentbrush/assets/portrait"
)

// Dim is the length of a latent code.
const Dim = 256

// MinSize is the smallest picture of a pyramid.
const MinSize = 32

// MaxPictures bounds a set.
const MaxPictures = 10_000_000

// ErrOther says that the folder holds a set made with other options.
var ErrOther = errors.New("folder holds another data set")

// Options describe a set.
type Options struct {
	N       int    // pictures, 1 to MaxPictures
	Size    int    // pixels a side of the largest pictures: a power of two, 32 to 1024
	Seed    uint64 // first half of every picture's seed
	Workers int    // pictures rendered at once; below 1 means 1
}

// Info is the content of dataset.json.
type Info struct {
	N          int      `json:"n"`
	Done       int      `json:"done"` // pictures 0 to Done-1 are complete
	Sizes      []int    `json:"sizes"`
	Seed       uint64   `json:"seed"`
	Dim        int      `json:"dim"`
	Parameters []string `json:"parameters"`
	Classes    []string `json:"classes"`
}

// Check says what is wrong with the options, if anything.
func (o Options) Check() error {
	if o.N < 1 || o.N > MaxPictures {
		return fmt.Errorf("dataset: %d pictures, expected 1 to %d", o.N, MaxPictures)
	}
	if o.Size < MinSize || o.Size > 1024 || o.Size&(o.Size-1) != 0 {
		return fmt.Errorf("dataset: size %d, expected a power of two from %d to 1024", o.Size, MinSize)
	}
	return nil
}

func (o Options) info() Info {
	in := Info{N: o.N, Seed: o.Seed, Dim: Dim}
	for s := o.Size; s >= MinSize; s /= 2 {
		in.Sizes = append(in.Sizes, s)
	}
	for _, p := range portrait.Parameters {
		in.Parameters = append(in.Parameters, p.Name)
	}
	for _, c := range portrait.Classes {
		in.Classes = append(in.Classes, c.Name)
	}
	return in
}

// Code returns the latent code of picture i of the set with the given seed:
// Dim values with mean square 1.
func Code(seed uint64, i int) []float32 {
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	z := make([]float64, Dim)
	var sum float64
	for k := range z {
		z[k] = r.NormFloat64()
		sum += z[k] * z[k]
	}
	scale := 1 / math.Sqrt(sum/Dim)
	out := make([]float32, Dim)
	for k := range z {
		out[k] = float32(z[k] * scale)
	}
	return out
}

// batch is the number of pictures between two updates of dataset.json.
const batch = 64

// Write makes the set in folder, which it creates, and continues one that an
// earlier call left unfinished with the same seed and size; a set that has
// fewer pictures than asked for is extended. Progress, which may be nil, is
// called with the number of complete pictures at the start and after every
// batch. When ctx ends, Write stops after the current batch with ctx's error;
// what is complete stays. A folder with another set gives ErrOther.
func Write(ctx context.Context, folder string, o Options, progress func(done, n int)) error {
	if err := o.Check(); err != nil {
		return err
	}
	in := o.info()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	old, err := ReadInfo(folder)
	switch {
	case err == nil:
		same := old.Seed == in.Seed && old.Dim == in.Dim && slices.Equal(old.Sizes, in.Sizes) &&
			slices.Equal(old.Parameters, in.Parameters) && slices.Equal(old.Classes, in.Classes)
		if !same || old.N > in.N {
			return fmt.Errorf("dataset: %s: %w (seed %d, %d pictures, sizes %v)", folder, ErrOther, old.Seed, old.N, old.Sizes)
		}
		in.Done = old.Done
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}

	w := &writer{}
	defer w.close()
	w.open(filepath.Join(folder, "z.f32"), int64(o.N)*Dim*4)
	for _, s := range in.Sizes {
		w.open(filepath.Join(folder, fmt.Sprintf("images-%d.u8", s)), int64(o.N)*int64(s*s)*3)
		w.open(filepath.Join(folder, fmt.Sprintf("labels-%d.u8", s)), int64(o.N)*int64(s*s))
	}
	if w.err == nil {
		w.err = writeInfo(folder, in)
	}
	for w.err == nil {
		if progress != nil {
			progress(in.Done, in.N)
		}
		if in.Done == in.N {
			return w.close()
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("dataset: stopped after %d of %d pictures: %w", in.Done, in.N, err)
		}
		end := min(in.Done+batch, in.N)
		w.pictures(o, in.Sizes, in.Done, end)
		if w.err == nil {
			in.Done = end
			w.err = writeInfo(folder, in)
		}
	}
	return fmt.Errorf("dataset: %w", w.err)
}

// ReadInfo reads the dataset.json of a folder. Without one the error wraps
// fs.ErrNotExist.
func ReadInfo(folder string) (Info, error) {
	var in Info
	name := filepath.Join(folder, "dataset.json")
	b, err := os.ReadFile(name)
	if err != nil {
		return in, fmt.Errorf("dataset: %w", err)
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return in, fmt.Errorf("dataset: %s: %w", name, err)
	}
	if in.N < 1 || in.N > MaxPictures || in.Done < 0 || in.Done > in.N {
		return in, fmt.Errorf("dataset: %s: %d of %d pictures done, expected 0 to n of 1 to %d", name, in.Done, in.N, MaxPictures)
	}
	return in, nil
}

// writeInfo replaces dataset.json in one step.
func writeInfo(folder string, in Info) error {
	b, err := json.MarshalIndent(in, "", "\t")
	if err != nil {
		return err
	}
	name := filepath.Join(folder, "dataset.json")
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// writer holds the open arrays, z first, then pictures and labels by size,
// and the first error.
type writer struct {
	files []*os.File
	err   error
}

func (w *writer) open(name string, size int64) {
	if w.err != nil {
		return
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		w.err = err
		return
	}
	w.files = append(w.files, f)
	w.err = f.Truncate(size)
}

func (w *writer) close() error {
	var err error
	for _, f := range w.files {
		err = errors.Join(err, f.Close())
	}
	w.files = nil
	return err
}

// pictures renders and writes pictures a to b-1.
func (w *writer) pictures(o Options, sizes []int, a, b int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := a
	for range max(o.Workers, 1) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := i >= b || w.err != nil
				mu.Unlock()
				if stop {
					return
				}
				if err := w.picture(o, sizes, i); err != nil {
					mu.Lock()
					w.err = errors.Join(w.err, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

func (w *writer) picture(o Options, sizes []int, i int) error {
	z := Code(o.Seed, i)
	raw := make([]byte, 0, Dim*4)
	for _, v := range z {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if _, err := w.files[0].WriteAt(raw, int64(i)*Dim*4); err != nil {
		return err
	}
	img, lab := portrait.Render(portrait.FromNormal(z[:portrait.Count]), o.Size)
	rgb := make([]uint8, 0, o.Size*o.Size*3)
	for k := 0; k < len(img.Pix); k += 4 {
		rgb = append(rgb, img.Pix[k], img.Pix[k+1], img.Pix[k+2])
	}
	for k, s := range sizes {
		p, l := rgb, lab.Pix
		if k > 0 {
			p, l = shrink(rgb, lab.Pix, o.Size, o.Size/s)
		}
		if _, err := w.files[1+2*k].WriteAt(p, int64(i)*int64(len(p))); err != nil {
			return err
		}
		if _, err := w.files[2+2*k].WriteAt(l, int64(i)*int64(len(l))); err != nil {
			return err
		}
	}
	return nil
}

// shrink makes a picture and its labels f times smaller by box averaging,
// rounded to nearest, and by majority.
func shrink(rgb, lab []uint8, n, f int) (p, l []uint8) {
	m := n / f
	p, l = make([]uint8, m*m*3), make([]uint8, m*m)
	area := f * f
	for j := range m {
		for i := range m {
			var sum [3]int
			var count [256]int
			for y := j * f; y < j*f+f; y++ {
				for x := i * f; x < i*f+f; x++ {
					k := y*n + x
					sum[0] += int(rgb[3*k])
					sum[1] += int(rgb[3*k+1])
					sum[2] += int(rgb[3*k+2])
					count[lab[k]]++
				}
			}
			k := j*m + i
			for c := range 3 {
				p[3*k+c] = uint8((sum[c] + area/2) / area)
			}
			best := 0
			for id := range portrait.Classes {
				if count[id] > count[best] {
					best = id
				}
			}
			l[k] = uint8(best)
		}
	}
	return p, l
}
