// Package vectors keeps the edits that an artist wants to use again.
//
// An edit of a picture is an optimisation of its latent code: painting a smile
// moves w to w*, and the difference δ = w* − w is an editing vector. Adding
// s·δ to the code of another picture makes that picture smile, too, s being
// the strength: 0 is no change, 1 the edit as it was learnt, −1 its opposite
// (Ling et al., "EditGAN", NeurIPS 2021, section 3.3).
//
// A [Vector] is such a difference with the facts that make it trustworthy: the
// model it belongs to, the classes it changes, how it was learnt, how far it
// may be pushed, and how often it worked on pictures it had never seen.
// [Library] is a folder of them, [Sum] adds them up, and [Average],
// [Subtract], [Orthogonalise] and the like make new ones, whose [Recipe] says
// from what.
//
// Vectors are values: functions return new ones and never change their
// arguments.
package vectors

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"latentbrush/engine/latent"
)

// Errors that callers tell apart with [errors.Is].
var (
	// ErrWrongModel says that a vector was learnt on another model.
	ErrWrongModel = errors.New("vector of another model")
	// ErrWrongSize says that a vector's rows or dimension differ from the model's.
	ErrWrongSize = errors.New("vector of another size")
	// ErrDamaged says that a file is not a whole, well-formed vector.
	ErrDamaged = errors.New("damaged vector file")
	// ErrNotFound says that the library has no such vector.
	ErrNotFound = errors.New("no such vector")
	// ErrReadOnly says that a vector of the model's bundle was to be changed.
	ErrReadOnly = errors.New("this vector belongs to the model and cannot be changed; duplicate it first")
)

// Limits on what a vector may hold. They bound the memory that a file can ask for.
const (
	MaxRows    = 64   // rows of W+
	MaxDim     = 4096 // components of a row
	MaxPreview = 1024 // side of a preview, pixels
	MaxSheet   = 8192 // side of a contact sheet, pixels
	MaxName    = 120  // characters of a name
	MaxTags    = 64   // tags of a vector
	MaxTag     = 60   // characters of a tag
	MaxRating  = 5    // stars
)

// Model names a generator. Two codes can be added only when their models agree.
type Model struct {
	// ID is the name of the bundle, "portrait-256".
	ID string `json:"id"`
	// Fingerprint is a digest of the generator's weights, in hexadecimal.
	// Empty when it is not known, as in a file imported from elsewhere.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Known reports whether anything is known of the model.
func (m Model) Known() bool { return m.ID != "" || m.Fingerprint != "" }

// Fits reports whether codes of m and other live in the same space: the
// fingerprints agree, or, when one is missing, the names do. A model of which nothing is
// known fits every other.
func (m Model) Fits(other Model) bool {
	switch {
	case m.Fingerprint != "" && other.Fingerprint != "":
		return m.Fingerprint == other.Fingerprint
	case m.ID != "" && other.ID != "":
		return m.ID == other.ID
	}
	return true
}

// String is the model's name with the start of its fingerprint.
func (m Model) String() string {
	id := m.ID
	if id == "" {
		id = "an unknown model"
	}
	if m.Fingerprint == "" {
		return id
	}
	return id + " (" + m.Fingerprint[:min(8, len(m.Fingerprint))] + ")"
}

// Class is a part label of the model, named so that the file explains itself.
type Class struct {
	ID   uint8  `json:"id"`
	Name string `json:"name,omitempty"`
}

// Calibration says what a strength means for the picture.
type Calibration struct {
	// UnitEffect is the size of the change at strength 1, in the unit that
	// Measure names. Zero when it was not measured.
	UnitEffect float64 `json:"unit_effect"`
	// Measure names what UnitEffect counts, "share of the region's pixels that change class".
	Measure string `json:"measure,omitempty"`
	// SafeLo and SafeHi bound the strengths whose pictures stay within the
	// model's usual statistics. Both are zero when they were not measured.
	SafeLo float64 `json:"safe_lo"`
	SafeHi float64 `json:"safe_hi"`
}

// Safe returns the measured safe range of strengths, and false when there is none.
func (c Calibration) Safe() (lo, hi float64, ok bool) {
	return c.SafeLo, c.SafeHi, c.SafeLo < c.SafeHi
}

// Learnt says how a vector came to be.
type Learnt struct {
	// How is "painting", "mask operation", "examples", "statistic",
	// "unsupervised", "import" or "algebra".
	How string `json:"how,omitempty"`
	// Edits is the number of latents whose edits were averaged.
	Edits int `json:"edits,omitempty"`
	// Steps is the number of optimisation steps of each edit.
	Steps int `json:"steps,omitempty"`
	// Seed is the first random seed that was used.
	Seed int64 `json:"seed,omitempty"`
	// Agreement is the mean cosine of the edits with their average, in [−1, 1].
	Agreement float64 `json:"agreement,omitempty"`
	// Accuracy is the validation accuracy of a direction learnt from examples, in [0, 1].
	Accuracy float64 `json:"accuracy,omitempty"`
	// Detail holds further settings by name, such as the mask operation and its amount.
	Detail map[string]string `json:"detail,omitempty"`
}

// Generalisation is the outcome of applying a vector to pictures it was not learnt on.
type Generalisation struct {
	// Seeds is the number of pictures tried. Zero means that the test was not made.
	Seeds int `json:"seeds"`
	// FirstSeed is the seed of the first of them; the others follow it.
	FirstSeed int64 `json:"first_seed,omitempty"`
	// Criterion says in words what counts as a success.
	Criterion string `json:"criterion,omitempty"`
	// Success is the share of pictures that changed as meant, in [0, 1].
	Success float64 `json:"success"`
	// Leak is the mean absolute change outside the region before compositing, in grey levels of 255.
	Leak float64 `json:"leak"`
	// Strength is the strength at which the test was made.
	Strength float64 `json:"strength,omitempty"`
	// Readings are the attributes that changed, by the model's network of readings, the most
	// changed first; none where the model has no such network.
	Readings []Reading `json:"readings,omitempty"`
	// SamePerson is the mean cosine between the identities before and after by the same
	// network, 1 for the same person; 0 without one.
	SamePerson float64 `json:"same_person,omitempty"`
}

// Reading is the mean change of one attribute, in standard deviations of the model's own
// pictures.
type Reading struct {
	Name   string  `json:"name"`
	Change float64 `json:"change"`
}

// Facts is everything about a vector but its numbers and pictures. It is small,
// so that a library can hold the facts of thousands.
type Facts struct {
	Name    string
	Tags    []string
	Rating  int // stars, 0 (not rated) to MaxRating
	Author  string
	Licence string // SPDX identifier or free text
	Notes   string

	Model     Model
	Rows, Dim int     // size of the delta
	Classes   []Class // classes of the region that the edit may change
	RowsUsed  []int   // rows with a change, ascending

	Calibration    Calibration
	Learnt         Learnt
	Generalisation Generalisation
	Recipe         *Recipe // how algebra made it, nil for a vector that was learnt

	Created time.Time // UTC, whole seconds
	// Content is the digest of the model and the delta: two vectors with the same Content do the same.
	Content string
}

// Vector is an editing vector: a change of the latent code with its facts.
type Vector struct {
	Facts
	// Delta is the change at strength 1, Rows × Dim.
	Delta latent.Code
	// Before and After show one picture without and with the vector; nil when there is none.
	Before, After *image.RGBA
	// Sheet is the contact sheet of the generalisation test, or nil.
	Sheet *image.RGBA
}

// New returns a vector for delta with its derived facts (size, rows used, content, time) filled in.
func New(name string, model Model, delta latent.Code) *Vector {
	v := &Vector{Delta: delta.Clone()}
	v.Name, v.Model = name, model
	v.Created = time.Now().UTC().Truncate(time.Second)
	v.derive()
	return v
}

// derive recomputes the facts that follow from the delta.
func (v *Vector) derive() {
	v.Rows, v.Dim = v.Delta.Rows, v.Delta.Dim
	v.RowsUsed = rowsUsed(v.Delta)
	v.Content = contentOf(v.Model, v.Delta)
}

// Clone returns a copy that shares nothing with v but its pictures, which no function of this package writes to.
func (v *Vector) Clone() *Vector {
	c := *v
	c.Delta = v.Delta.Clone()
	c.Facts = v.Facts.clone()
	return &c
}

func (f Facts) clone() Facts {
	f.Tags = slices.Clone(f.Tags)
	f.Classes = slices.Clone(f.Classes)
	f.RowsUsed = slices.Clone(f.RowsUsed)
	f.Recipe = f.Recipe.Clone()
	if f.Learnt.Detail != nil {
		detail := make(map[string]string, len(f.Learnt.Detail))
		for k, s := range f.Learnt.Detail {
			detail[k] = s
		}
		f.Learnt.Detail = detail
	}
	return f
}

// ClassIDs returns the ids of the region's classes.
func (f Facts) ClassIDs() []uint8 {
	ids := make([]uint8, len(f.Classes))
	for i, c := range f.Classes {
		ids[i] = c.ID
	}
	return ids
}

// FitsModel returns nil when the vector can be added to codes of rows × dim
// of model, and otherwise an error that names both sides and is
// [ErrWrongModel] or [ErrWrongSize].
func (f Facts) FitsModel(model Model, rows, dim int) error {
	if f.Rows != rows || f.Dim != dim {
		return fmt.Errorf("vectors: %q has %d × %d numbers, but %s needs %d × %d: %w",
			f.Name, f.Rows, f.Dim, model, rows, dim, ErrWrongSize)
	}
	if !f.Model.Fits(model) {
		return fmt.Errorf("vectors: %q was learnt on %s and does not fit %s: %w", f.Name, f.Model, model, ErrWrongModel)
	}
	return nil
}

// Energy returns the Euclidean norm of each row of the delta.
func (v *Vector) Energy() []float64 {
	e := make([]float64, v.Delta.Rows)
	for r := range e {
		e[r] = latent.Code{Rows: 1, Dim: v.Delta.Dim, Data: v.Delta.Row(r)}.Norm()
	}
	return e
}

// check returns an error when the facts or the delta are outside the limits.
func (v *Vector) check() error {
	if err := checkSize(v.Delta.Rows, v.Delta.Dim); err != nil {
		return err
	}
	if err := v.Delta.Check(v.Delta.Rows, v.Delta.Dim); err != nil {
		return err
	}
	for _, p := range []struct {
		name  string
		image *image.RGBA
		limit int
	}{{"preview_before", v.Before, MaxPreview}, {"preview_after", v.After, MaxPreview}, {"contact_sheet", v.Sheet, MaxSheet}} {
		if p.image == nil {
			continue
		}
		if s := p.image.Rect.Size(); s.X < 1 || s.Y < 1 || s.X > p.limit || s.Y > p.limit {
			return fmt.Errorf("%s is %d × %d pixels, 1 to %d a side expected", p.name, s.X, s.Y, p.limit)
		}
	}
	return v.Facts.check()
}

func (f Facts) check() error {
	if err := CheckName(f.Name); err != nil {
		return err
	}
	if len(f.Tags) > MaxTags {
		return fmt.Errorf("%d tags, at most %d expected", len(f.Tags), MaxTags)
	}
	for _, t := range f.Tags {
		if t == "" || utf8.RuneCountInString(t) > MaxTag || !printable(t) {
			return fmt.Errorf("tag %q must be 1 to %d visible characters", t, MaxTag)
		}
	}
	if f.Rating < 0 || f.Rating > MaxRating {
		return fmt.Errorf("rating is %d, 0 to %d expected", f.Rating, MaxRating)
	}
	for _, r := range f.RowsUsed {
		if r < 0 || r >= f.Rows {
			return fmt.Errorf("row %d is used, but there are %d rows", r, f.Rows)
		}
	}
	for name, x := range map[string]float64{
		"unit effect": f.Calibration.UnitEffect, "safe range": f.Calibration.SafeLo + f.Calibration.SafeHi,
		"success": f.Generalisation.Success, "leak": f.Generalisation.Leak,
	} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s is not a finite number", name)
		}
	}
	return f.Recipe.check(0)
}

func checkSize(rows, dim int) error {
	if rows < 1 || rows > MaxRows || dim < 1 || dim > MaxDim {
		return fmt.Errorf("delta is %d × %d, 1 to %d rows of 1 to %d numbers expected", rows, dim, MaxRows, MaxDim)
	}
	return nil
}

// CheckName returns an error unless name can name a vector: 1 to [MaxName]
// visible characters, not all of them spaces.
func CheckName(name string) error {
	if strings.TrimSpace(name) == "" {
		return errors.New("vectors: the name is empty")
	}
	if n := utf8.RuneCountInString(name); n > MaxName {
		return fmt.Errorf("vectors: the name has %d characters, at most %d expected", n, MaxName)
	}
	if !printable(name) {
		return errors.New("vectors: the name has invisible characters")
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func rowsUsed(c latent.Code) []int {
	var used []int
	for r := range c.Rows {
		if slices.ContainsFunc(c.Row(r), func(x float32) bool { return x != 0 }) {
			used = append(used, r)
		}
	}
	return used
}

func contentOf(model Model, delta latent.Code) string {
	h := sha256.New()
	key := model.Fingerprint
	if key == "" {
		key = model.ID
	}
	fmt.Fprintf(h, "%s\n%d %d\n", key, delta.Rows, delta.Dim)
	h.Write(floatBytes(delta.Data))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func floatBytes(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, f := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

func floatsOf(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}
