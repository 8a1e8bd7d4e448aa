package learning

import (
	"context"
	"fmt"

	"latentbrush/engine/directions"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// minExamples of each kind; fewer say nothing.
const minExamples = 3

// FromExamples learns a vector from pictures that somebody marked: has tells which codes
// have a property. The direction is the normal of the plane between both kinds in
// whitened coordinates, and strength 1 takes the middle of those without to the middle of
// those with. Rows of a code that differ, as those of an embedded photo do, are averaged.
// The validation accuracy is in the vector's facts; it is rough for few examples.
func FromExamples(ctx context.Context, m Model, name string, codes []latent.Code, has []bool) (*vectors.Vector, error) {
	if err := vectors.CheckName(name); err != nil {
		return nil, err
	}
	if len(codes) != len(has) {
		return nil, fmt.Errorf("learning: %d examples and %d marks", len(codes), len(has))
	}
	prior, err := m.Prior(ctx)
	if err != nil {
		return nil, err
	}
	i, leading := m.Info(), leadingAxes(prior)
	var counts [2]int
	var x [][]float64
	for k, c := range codes {
		if err := c.Check(i.Rows, i.Dim); err != nil {
			return nil, fmt.Errorf("learning: example %d: %w", k, err)
		}
		counts[side(has[k])]++
		middle := latent.New(1, c.Dim)
		for r := range c.Rows {
			middle = middle.AddScaled(1/float32(c.Rows), latent.Code{Rows: 1, Dim: c.Dim, Data: c.Row(r)})
		}
		x = append(x, whiten(prior, middle)[:leading])
	}
	if min(counts[0], counts[1]) < minExamples {
		return nil, fmt.Errorf("learning: %d pictures have it and %d have it not, at least %d of each expected: %w", counts[1], counts[0], minExamples, directions.ErrOneSided)
	}
	n, err := directions.Separate(x, has, directions.Options{})
	if err != nil {
		return nil, fmt.Errorf("learning: %w", err)
	}
	gap := 0.0
	for k, e := range x {
		s := n.Score(e) / float64(counts[side(has[k])])
		if has[k] {
			gap += s
		} else {
			gap -= s
		}
	}
	if gap <= 0 {
		return nil, fmt.Errorf("learning: the marked pictures have nothing in common that the others lack")
	}
	direction := n.Direction
	for k := range direction {
		direction[k] *= gap
	}
	v := vectors.New(name, modelOf(m), unwhiten(prior, direction, i.Rows))
	v.Learnt = vectors.Learnt{How: "examples", Edits: len(codes), Accuracy: n.Accuracy, Detail: map[string]string{
		"method": BySVM, "have": fmt.Sprint(counts[1]), "have not": fmt.Sprint(counts[0]),
	}}
	return v, nil
}

func side(has bool) int {
	if has {
		return 1
	}
	return 0
}
