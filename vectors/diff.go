package vectors

import (
	"slices"

	"latentbrush/engine/latent"
)

// Difference says how two vectors, such as two versions of one, differ.
type Difference struct {
	// Cosine is that of the angle between them, in [−1, 1]; 0 when one of them is zero.
	Cosine float64
	// Rows has an element for each row of W+.
	Rows []RowDifference
	// OnlyA and OnlyB are the classes that one region has and the other has not.
	OnlyA, OnlyB []Class
}

// RowDifference compares one row of W+: the Euclidean norms of both, and the cosine of the
// angle between them.
type RowDifference struct{ A, B, Cosine float64 }

// Diff compares two vectors of one model. It fails with [ErrWrongModel] or [ErrWrongSize] when
// they are not.
func Diff(a, b *Vector) (Difference, error) {
	if err := agree(a, b); err != nil {
		return Difference{}, err
	}
	d := Difference{Cosine: a.Delta.Cosine(b.Delta)}
	for r := range a.Rows {
		x := latent.Code{Rows: 1, Dim: a.Dim, Data: a.Delta.Row(r)}
		y := latent.Code{Rows: 1, Dim: b.Dim, Data: b.Delta.Row(r)}
		d.Rows = append(d.Rows, RowDifference{x.Norm(), y.Norm(), x.Cosine(y)})
	}
	d.OnlyA, d.OnlyB = without(a.Classes, b.Classes), without(b.Classes, a.Classes)
	return d, nil
}

// without returns the classes that the others do not have.
func without(classes, others []Class) []Class {
	var out []Class
	for _, c := range classes {
		if !slices.ContainsFunc(others, func(o Class) bool { return o.ID == c.ID }) {
			out = append(out, c)
		}
	}
	return out
}
