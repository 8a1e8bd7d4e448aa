// Package latent holds the W+ code of a style-based generator.
//
// A generator does not read its random vector z directly: a mapping network
// turns z into a vector w, and every layer of the synthesis network takes its
// own copy of w. When the copies may differ the space is called W+ (Abdal et
// al., "Image2StyleGAN", ICCV 2019). A W+ code is therefore a small matrix, one
// row for each style input and one column for each component of w; a
// generator of resolution R has 2·log2(R)−2 rows. Early rows carry pose and
// shape, late rows colour and texture.
//
// Edits are differences of codes: w' = w + strength·Δ. The package has just
// the linear algebra this takes, and the rule that turns a seed into z, so that
// one seed gives one picture on every machine.
package latent

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// ErrSize reports codes of different rows or dim in one operation, or data that
// does not fill rows·dim.
var ErrSize = errors.New("latent: sizes differ")

// Code is a W+ code, or a difference of two. Data is row-major: component c of
// row r is Data[r*Dim+c]. The zero value is an empty code.
type Code struct {
	Rows, Dim int
	Data      []float32
}

// New returns a code of zeros.
func New(rows, dim int) Code {
	if rows < 0 || dim < 0 {
		panic(fmt.Sprintf("latent: code of %d rows × %d", rows, dim))
	}
	return Code{Rows: rows, Dim: dim, Data: make([]float32, rows*dim)}
}

// FromSlice wraps data, which it does not copy. The error is [ErrSize] when data
// does not hold rows·dim numbers.
func FromSlice(rows, dim int, data []float32) (Code, error) {
	if rows < 0 || dim < 0 || len(data) != rows*dim {
		return Code{}, fmt.Errorf("%w: %d numbers for %d rows × %d", ErrSize, len(data), rows, dim)
	}
	return Code{Rows: rows, Dim: dim, Data: data}, nil
}

// Broadcast returns a code whose every row is w.
func Broadcast(w []float32, rows int) Code {
	c := New(rows, len(w))
	for r := range rows {
		copy(c.Row(r), w)
	}
	return c
}

// Clone returns a copy that shares nothing with c.
func (c Code) Clone() Code {
	c.Data = append([]float32(nil), c.Data...)
	return c
}

// Empty reports whether c holds no numbers.
func (c Code) Empty() bool { return len(c.Data) == 0 }

// Row returns row r, sharing memory with c.
func (c Code) Row(r int) []float32 { return c.Data[r*c.Dim : (r+1)*c.Dim : (r+1)*c.Dim] }

// SameSize reports whether c and d have equal rows and dim.
func (c Code) SameSize(d Code) bool { return c.Rows == d.Rows && c.Dim == d.Dim }

// Check returns an error that wraps [ErrSize] unless c has the given size, its
// data fills it, and every number is finite.
func (c Code) Check(rows, dim int) error {
	if c.Rows != rows || c.Dim != dim || len(c.Data) != rows*dim {
		return fmt.Errorf("%w: code is %d × %d (%d numbers), want %d × %d", ErrSize, c.Rows, c.Dim, len(c.Data), rows, dim)
	}
	for i, v := range c.Data {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("latent: row %d, component %d is %v", i/dim, i%dim, v)
		}
	}
	return nil
}

func (c Code) mustMatch(d Code) {
	if !c.SameSize(d) || len(c.Data) != len(d.Data) {
		panic(fmt.Sprintf("latent: %d × %d with %d × %d", c.Rows, c.Dim, d.Rows, d.Dim))
	}
}

// Add returns c + d. Codes of different size panic, as in all of the algebra.
func (c Code) Add(d Code) Code { return c.AddScaled(1, d) }

// AddScaled returns c + s·d.
func (c Code) AddScaled(s float32, d Code) Code {
	c.mustMatch(d)
	out := New(c.Rows, c.Dim)
	for i, v := range c.Data {
		out.Data[i] = v + s*d.Data[i]
	}
	return out
}

// Sub returns c − d.
func (c Code) Sub(d Code) Code {
	c.mustMatch(d)
	out := New(c.Rows, c.Dim)
	for i, v := range c.Data {
		out.Data[i] = v - d.Data[i]
	}
	return out
}

// Scale returns s·c.
func (c Code) Scale(s float32) Code {
	out := New(c.Rows, c.Dim)
	for i, v := range c.Data {
		out.Data[i] = s * v
	}
	return out
}

// Lerp returns c + t·(d−c): c at t = 0, d at t = 1.
func (c Code) Lerp(d Code, t float32) Code {
	c.mustMatch(d)
	out := New(c.Rows, c.Dim)
	for i, v := range c.Data {
		out.Data[i] = v + t*(d.Data[i]-v)
	}
	return out
}

// Dot returns the sum of the products of equal components.
func (c Code) Dot(d Code) float64 {
	c.mustMatch(d)
	var sum float64
	for i, v := range c.Data {
		sum += float64(v) * float64(d.Data[i])
	}
	return sum
}

// Norm returns the Euclidean norm over all rows together.
func (c Code) Norm() float64 { return math.Sqrt(c.Dot(c)) }

// Distance returns the Euclidean norm of c − d.
func (c Code) Distance(d Code) float64 {
	c.mustMatch(d)
	var sum float64
	for i, v := range c.Data {
		e := float64(v) - float64(d.Data[i])
		sum += e * e
	}
	return math.Sqrt(sum)
}

// Cosine returns the cosine of the angle between c and d, 0 if either is zero.
func (c Code) Cosine(d Code) float64 {
	n := c.Norm() * d.Norm()
	if n == 0 {
		return 0
	}
	return c.Dot(d) / n
}

// seedStream is the second word of the generator's seed: it keeps the numbers
// apart from other uses of the same seed.
const seedStream = 0x6c6174656e742d7a // "latent-z"

// Z returns the n standard-normal components that belong to seed. They are the
// Box–Muller pairs (r·cos 2πv, r·sin 2πv), r = √(−2·ln u), of uniform numbers
// u = (k₁+1)/2⁵³ and v = k₂/2⁵³, where k₁ and k₂ are the upper 53 bits of
// successive words of PCG-DXSM (math/rand/v2) seeded with (seed, "latent-z"
// read as a big-endian word). This is fixed for good: saved seeds rely on it.
func Z(seed uint64, n int) []float32 {
	src := rand.NewPCG(seed, seedStream)
	z := make([]float32, n)
	for i := 0; i < n; i += 2 {
		u := float64(src.Uint64()>>11+1) / (1 << 53)
		v := float64(src.Uint64()>>11) / (1 << 53)
		r := math.Sqrt(-2 * math.Log(u))
		sin, cos := math.Sincos(2 * math.Pi * v)
		z[i] = float32(r * cos)
		if i+1 < n {
			z[i+1] = float32(r * sin)
		}
	}
	return z
}
