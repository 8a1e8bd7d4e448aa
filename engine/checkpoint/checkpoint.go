// Package checkpoint turns public StyleGAN2 checkpoints into model bundles, and back.
//
// Three kinds of file are read: generators saved by rosinality's
// stylegan2-pytorch (.pt), networks saved by NVIDIA's stylegan2-ada-pytorch (.pkl), and
// the pixel classifiers of DatasetGAN and EditGAN (.pth). All of them are pickles, programs
// for a small machine that can import and call anything. This package never runs them: it has its
// own interpreter of the opcodes, which builds lists, dictionaries, numbers and tensors,
// knows a handful of names, and turns everything else into inert objects that
// are looked at or ignored. Python source inside a file is not even parsed.
package checkpoint

import (
	"errors"
	"fmt"
	"math/bits"
	"sort"
	"strconv"
	"strings"
)

// ErrFormat reports a file that is not what it should be.
var ErrFormat = errors.New("not a checkpoint that can be read")

// Tensor is an array of numbers, row-major, as float32 whatever the file had.
type Tensor struct {
	Shape []int
	Data  []float32
}

// State is a state dictionary: tensors by their dotted names.
type State map[string]Tensor

// Names returns the sorted names.
func (s State) Names() []string {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// reader takes tensors out of a state and keeps the first error.
type reader struct {
	state State
	err   error
}

// get returns the tensor's data, checked against a shape in which −1 allows any
// length; dimensions of 1 at the front may be missing from the file or be extra.
func (r *reader) get(name string, shape ...int) []float32 {
	if r.err != nil {
		return nil
	}
	t, ok := r.state[name]
	if !ok {
		r.err = fmt.Errorf("%w: tensor %q is missing", ErrFormat, name)
		return nil
	}
	have, want := trim(t.Shape), trim(shape)
	same := len(have) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = want[i] == -1 || want[i] == have[i]
	}
	if !same {
		r.err = fmt.Errorf("%w: tensor %q is %v, want %v", ErrFormat, name, t.Shape, shape)
		return nil
	}
	return t.Data
}

// trim drops leading dimensions of 1.
func trim(shape []int) []int {
	for len(shape) > 0 && shape[0] == 1 {
		shape = shape[1:]
	}
	return shape
}

// shape returns the dimensions of a tensor, an error if its rank differs.
func (r *reader) shape(name string, rank int) []int {
	if r.err != nil {
		return make([]int, rank)
	}
	t, ok := r.state[name]
	if !ok {
		r.err = fmt.Errorf("%w: tensor %q is missing", ErrFormat, name)
		return make([]int, rank)
	}
	s := t.Shape
	for len(s) > rank && s[0] == 1 {
		s = s[1:]
	}
	if len(s) != rank {
		r.err = fmt.Errorf("%w: tensor %q is %v, want %d dimensions", ErrFormat, name, t.Shape, rank)
		return make([]int, rank)
	}
	return s
}

// count returns how many names of the form prefix + number + suffix there are, counting
// from first without a gap.
func (s State) count(prefix string, first int, suffix string) int {
	n := 0
	for {
		if _, ok := s[prefix+strconv.Itoa(first+n)+suffix]; !ok {
			return n
		}
		n++
	}
}

func log2(n int) int { return bits.Len(uint(n)) - 1 }

// under returns the tensors whose names begin with prefix, without it.
func (s State) under(prefix string) State {
	out := State{}
	for n, t := range s {
		if rest, ok := strings.CutPrefix(n, prefix); ok {
			out[rest] = t
		}
	}
	return out
}
