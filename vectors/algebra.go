package vectors

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"latentbrush/engine/latent"
)

// maxRecipe bounds the depth of nested recipes.
const maxRecipe = 32

// Recipe says how algebra made a vector, and from what. Recipes nest: an
// ingredient that was itself made carries its own.
type Recipe struct {
	// Op is the operation: "average", "subtract", "scale", "orthogonalise", "restrict", "local" or "combine".
	Op string `json:"op"`
	// Of lists the ingredients in the order of the operation's arguments.
	Of []Ingredient `json:"of"`
	// Rows are the rows that "restrict" kept.
	Rows []int `json:"rows,omitempty"`
}

// Ingredient is one operand of a [Recipe].
type Ingredient struct {
	Name    string  `json:"name"`
	Content string  `json:"content"`           // digest of the vector that was used
	Factor  float64 `json:"factor"`            // what it was multiplied by
	Outlier bool    `json:"outlier,omitempty"` // left out of an average
	Recipe  *Recipe `json:"recipe,omitempty"`  // how it was made
}

// Clone returns a deep copy; nil of nil.
func (r *Recipe) Clone() *Recipe {
	if r == nil {
		return nil
	}
	c := &Recipe{Op: r.Op, Of: slices.Clone(r.Of), Rows: slices.Clone(r.Rows)}
	for i := range c.Of {
		c.Of[i].Recipe = c.Of[i].Recipe.Clone()
	}
	return c
}

func (r *Recipe) check(depth int) error {
	if r == nil {
		return nil
	}
	if depth >= maxRecipe {
		return fmt.Errorf("recipe is nested deeper than %d", maxRecipe)
	}
	for _, in := range r.Of {
		if math.IsNaN(in.Factor) || math.IsInf(in.Factor, 0) {
			return fmt.Errorf("recipe has a factor of %v", in.Factor)
		}
		if err := in.Recipe.check(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) depth() int {
	if r == nil {
		return 0
	}
	d := 0
	for _, in := range r.Of {
		d = max(d, in.Recipe.depth())
	}
	return d + 1
}

func ingredient(v *Vector, factor float64) Ingredient {
	in := Ingredient{Name: v.Name, Content: v.Content, Factor: factor, Recipe: v.Recipe.Clone()}
	if in.Recipe.depth() >= maxRecipe-1 {
		in.Recipe = nil
	}
	return in
}

// Term is one vector of an edit stack.
type Term struct {
	Delta    latent.Code
	Strength float64
}

// Sum returns base + Σ strength·delta. It adds in float64 and rounds once, so
// that the order of the terms matters by less than one unit in the last place.
// It panics when the sizes differ.
func Sum(base latent.Code, terms ...Term) latent.Code {
	acc := make([]float64, len(base.Data))
	for i, x := range base.Data {
		acc[i] = float64(x)
	}
	for _, t := range terms {
		if !t.Delta.SameSize(base) {
			panic(fmt.Sprintf("vectors: sum of %d × %d and %d × %d", base.Rows, base.Dim, t.Delta.Rows, t.Delta.Dim))
		}
		if t.Strength == 0 {
			continue
		}
		for i, x := range t.Delta.Data {
			acc[i] += t.Strength * float64(x)
		}
	}
	return rounded(base.Rows, base.Dim, acc)
}

func rounded(rows, dim int, x []float64) latent.Code {
	c := latent.New(rows, dim)
	for i, f := range x {
		c.Data[i] = float32(f)
	}
	return c
}

// Conflict is a pair of vectors that push the same way, or against each other.
type Conflict struct {
	A, B   int     // positions in the slice that was given, A < B
	Cosine float64 // of the angle between them
}

// ConflictLimit is the |cosine| from which two active vectors are worth a hint.
const ConflictLimit = 0.7

// Conflicts returns the pairs of deltas whose |cosine| exceeds limit, the worst first.
func Conflicts(deltas []latent.Code, limit float64) []Conflict {
	norms := make([]float64, len(deltas))
	for i, d := range deltas {
		norms[i] = d.Norm()
	}
	var found []Conflict
	for i, a := range deltas {
		for j := i + 1; j < len(deltas); j++ {
			b := deltas[j]
			if !a.SameSize(b) || norms[i] == 0 || norms[j] == 0 {
				continue
			}
			if cos := a.Dot(b) / (norms[i] * norms[j]); math.Abs(cos) > limit {
				found = append(found, Conflict{A: i, B: j, Cosine: max(-1, min(1, cos))})
			}
		}
	}
	slices.SortStableFunc(found, func(x, y Conflict) int { return cmp.Compare(math.Abs(y.Cosine), math.Abs(x.Cosine)) })
	return found
}

// derived starts the vector that op makes from vs: facts that all share are kept.
func derived(name, op string, delta latent.Code, vs ...*Vector) *Vector {
	v := New(name, vs[0].Model, delta)
	for _, in := range vs {
		if !v.Model.Known() {
			v.Model = in.Model
		}
		for _, t := range in.Tags {
			if !slices.Contains(v.Tags, t) && len(v.Tags) < MaxTags {
				v.Tags = append(v.Tags, t)
			}
		}
		for _, c := range in.Classes {
			if !slices.ContainsFunc(v.Classes, func(k Class) bool { return k.ID == c.ID }) {
				v.Classes = append(v.Classes, c)
			}
		}
	}
	v.Author, v.Licence = vs[0].Author, vs[0].Licence
	for _, in := range vs[1:] {
		if in.Author != v.Author {
			v.Author = ""
		}
		if in.Licence != v.Licence {
			v.Licence = ""
		}
	}
	v.Learnt = Learnt{How: "algebra"}
	v.Recipe = &Recipe{Op: op}
	v.derive()
	return v
}

// agree returns an error naming the first pair that cannot be combined.
func agree(vs ...*Vector) error {
	if len(vs) == 0 {
		return fmt.Errorf("vectors: no vector given")
	}
	for _, v := range vs[1:] {
		if err := v.FitsModel(vs[0].Model, vs[0].Rows, vs[0].Dim); err != nil {
			return err
		}
	}
	return nil
}

// Average returns the mean of vs. With three or more it first leaves out the
// outliers: vectors farther from the geometric median than 3.5 times the
// median distance's robust spread (Iglewicz and Hoaglin's rule on the distances,
// with a floor of a quarter of the median distance, as distances concentrate in many
// dimensions). The recipe marks those left out, and Learnt.Agreement is the
// mean cosine of the rest with the result.
func Average(name string, vs ...*Vector) (*Vector, error) {
	if err := agree(vs...); err != nil {
		return nil, err
	}
	deltas := make([]latent.Code, len(vs))
	for i, v := range vs {
		deltas[i] = v.Delta
	}
	mean, outlier, agreement := RobustMean(deltas)
	out := derived(name, "average", mean, vs...)
	kept := 0
	for _, bad := range outlier {
		if !bad {
			kept++
		}
	}
	for i, v := range vs {
		in := ingredient(v, 1/float64(kept))
		if in.Outlier = outlier[i]; in.Outlier {
			in.Factor = 0
		}
		out.Recipe.Of = append(out.Recipe.Of, in)
	}
	out.Learnt.Edits, out.Learnt.Agreement = kept, agreement
	return out, nil
}

// RobustMean is the arithmetic of [Average] on bare deltas of one size: the
// mean of those that are not outliers, which ones are, and the mean cosine of
// the others with it. It panics when deltas is empty or the sizes differ.
func RobustMean(deltas []latent.Code) (mean latent.Code, outlier []bool, agreement float64) {
	if len(deltas) == 0 {
		panic("vectors: mean of nothing")
	}
	rows, dim := deltas[0].Rows, deltas[0].Dim
	for _, d := range deltas {
		if !d.SameSize(deltas[0]) {
			panic(fmt.Sprintf("vectors: mean of %d × %d and %d × %d", rows, dim, d.Rows, d.Dim))
		}
	}
	outlier = make([]bool, len(deltas))
	if len(deltas) >= 3 {
		dist := distances(deltas, geometricMedian(deltas))
		mid := median(dist)
		spread := make([]float64, len(dist))
		for i, d := range dist {
			spread[i] = math.Abs(d - mid)
		}
		// 1.4826·MAD estimates the standard deviation of normal data.
		limit := mid + max(3.5*1.4826*median(spread), 0.25*mid, 1e-9)
		for i, d := range dist {
			outlier[i] = d > limit
		}
	}
	acc := make([]float64, rows*dim)
	n := 0.0
	for i, d := range deltas {
		if outlier[i] {
			continue
		}
		n++
		for j, x := range d.Data {
			acc[j] += float64(x)
		}
	}
	for j := range acc {
		acc[j] /= n
	}
	mean = rounded(rows, dim, acc)
	for i, d := range deltas {
		if !outlier[i] {
			agreement += d.Cosine(mean) / n
		}
	}
	return mean, outlier, agreement
}

// geometricMedian minimises the sum of distances by Weiszfeld's iteration.
func geometricMedian(deltas []latent.Code) []float64 {
	m := make([]float64, len(deltas[0].Data))
	for _, d := range deltas {
		for j, x := range d.Data {
			m[j] += float64(x) / float64(len(deltas))
		}
	}
	for range 32 {
		dist := distances(deltas, m)
		next := make([]float64, len(m))
		var total float64
		for i, d := range deltas {
			w := 1 / max(dist[i], 1e-9)
			total += w
			for j, x := range d.Data {
				next[j] += w * float64(x)
			}
		}
		var moved float64
		for j := range next {
			next[j] /= total
			moved += (next[j] - m[j]) * (next[j] - m[j])
		}
		m = next
		if moved < 1e-18 {
			break
		}
	}
	return m
}

func distances(deltas []latent.Code, centre []float64) []float64 {
	dist := make([]float64, len(deltas))
	for i, d := range deltas {
		var s float64
		for j, x := range d.Data {
			e := float64(x) - centre[j]
			s += e * e
		}
		dist[i] = math.Sqrt(s)
	}
	return dist
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Subtract returns a − b: what a does and b does not.
func Subtract(name string, a, b *Vector) (*Vector, error) {
	if err := agree(a, b); err != nil {
		return nil, err
	}
	zero := latent.New(a.Rows, a.Dim)
	delta := Sum(zero, Term{a.Delta, 1}, Term{b.Delta, -1})
	out := derived(name, "subtract", delta, a, b)
	out.Recipe.Of = []Ingredient{ingredient(a, 1), ingredient(b, -1)}
	return out, nil
}

// Scale returns v times factor, so that strength 1 of the result is strength factor of v.
func Scale(name string, v *Vector, factor float64) (*Vector, error) {
	if factor == 0 || math.IsNaN(factor) || math.IsInf(factor, 0) {
		return nil, fmt.Errorf("vectors: scale by %v, a finite number other than 0 expected", factor)
	}
	out := derived(name, "scale", Sum(latent.New(v.Rows, v.Dim), Term{v.Delta, factor}), v)
	out.Recipe.Of = []Ingredient{ingredient(v, factor)}
	if lo, hi, ok := v.Calibration.Safe(); ok {
		out.Calibration.SafeLo, out.Calibration.SafeHi = min(lo/factor, hi/factor), max(lo/factor, hi/factor)
	}
	return out, nil
}

// Orthogonalise returns v without its parts along the others: the projection
// of v on the orthogonal complement of their span (modified Gram–Schmidt in
// float64), so that pushing the result leaves their effects alone to first order.
// It fails when nothing of v is left.
func Orthogonalise(name string, v *Vector, others ...*Vector) (*Vector, error) {
	all := append([]*Vector{v}, others...)
	if err := agree(all...); err != nil {
		return nil, err
	}
	if len(others) == 0 {
		return nil, fmt.Errorf("vectors: orthogonalise %q against nothing", v.Name)
	}
	var basis [][]float64
	for _, o := range others {
		u := widen(o.Delta.Data)
		before := norm64(u)
		removeSpan(u, basis)
		// A direction that the earlier ones already span adds nothing but rounding noise.
		if n := norm64(u); n > 1e-6*before && n > 0 {
			for i := range u {
				u[i] /= n
			}
			basis = append(basis, u)
		}
	}
	rest := widen(v.Delta.Data)
	before := norm64(rest)
	removeSpan(rest, basis)
	if norm64(rest) <= 1e-6*before {
		return nil, fmt.Errorf("vectors: nothing of %q is left after taking the others away", v.Name)
	}
	out := derived(name, "orthogonalise", rounded(v.Rows, v.Dim, rest), v)
	out.Recipe.Of = []Ingredient{ingredient(v, 1)}
	for _, o := range others {
		factor := 0.0
		if n := o.Delta.Norm(); n > 0 {
			factor = -v.Delta.Dot(o.Delta) / (n * n)
		}
		out.Recipe.Of = append(out.Recipe.Of, ingredient(o, factor))
	}
	return out, nil
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, f := range x {
		y[i] = float64(f)
	}
	return y
}

func norm64(x []float64) float64 {
	var s float64
	for _, f := range x {
		s += f * f
	}
	return math.Sqrt(s)
}

// removeSpan takes the parts along the orthonormal basis out of u, twice, as one pass leaves rounding errors behind.
func removeSpan(u []float64, basis [][]float64) {
	for range 2 {
		for _, b := range basis {
			var d float64
			for i := range u {
				d += u[i] * b[i]
			}
			for i := range u {
				u[i] -= d * b[i]
			}
		}
	}
}

// Restrict returns v with every row but those given set to zero. Early rows
// carry pose and shape, late rows colour and texture.
func Restrict(name string, v *Vector, rows ...int) (*Vector, error) {
	keep := map[int]bool{}
	for _, r := range rows {
		if r < 0 || r >= v.Rows {
			return nil, fmt.Errorf("vectors: row %d of %q, 0 to %d expected", r, v.Name, v.Rows-1)
		}
		keep[r] = true
	}
	delta := v.Delta.Clone()
	for r := range v.Rows {
		if !keep[r] {
			clear(delta.Row(r))
		}
	}
	if len(rowsUsed(delta)) == 0 {
		return nil, fmt.Errorf("vectors: nothing of %q is left in these rows", v.Name)
	}
	out := derived(name, "restrict", delta, v)
	out.Recipe.Of = []Ingredient{ingredient(v, 1)}
	out.Recipe.Rows = slices.Sorted(maps.Keys(keep))
	return out, nil
}

// Combine returns Σ strengths[i]·vs[i] as one vector: an edit stack made into a single slider.
func Combine(name string, vs []*Vector, strengths []float64) (*Vector, error) {
	if len(vs) != len(strengths) {
		return nil, fmt.Errorf("vectors: %d vectors and %d strengths", len(vs), len(strengths))
	}
	if err := agree(vs...); err != nil {
		return nil, err
	}
	terms := make([]Term, len(vs))
	for i, v := range vs {
		terms[i] = Term{v.Delta, strengths[i]}
	}
	out := derived(name, "combine", Sum(latent.New(vs[0].Rows, vs[0].Dim), terms...), vs...)
	for i, v := range vs {
		out.Recipe.Of = append(out.Recipe.Of, ingredient(v, strengths[i]))
	}
	return out, nil
}

// String writes the recipe as a formula, "subtract(1 × smile, -1 × grin = scale(2 × smirk))".
func (r *Recipe) String() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(r.Op + "(")
	for i, in := range r.Of {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.4g × %s", in.Factor, in.Name)
		if in.Outlier {
			b.WriteString(" [outlier]")
		}
		if in.Recipe != nil {
			b.WriteString(" = " + in.Recipe.String())
		}
	}
	if r.Rows != nil {
		fmt.Fprintf(&b, "; rows %v", r.Rows)
	}
	return b.String() + ")"
}

// Local returns v with the delta of a search that left out what acts outside its region,
// and keeps how it was made.
func Local(name string, v *Vector, delta latent.Code) (*Vector, error) {
	if !delta.SameSize(v.Delta) {
		return nil, fmt.Errorf("vectors: a delta of %d × %d for %q, which has %d × %d: %w", delta.Rows, delta.Dim, v.Name, v.Rows, v.Dim, ErrWrongSize)
	}
	out := derived(name, "local", delta, v)
	out.Recipe.Of = []Ingredient{ingredient(v, 1)}
	return out, nil
}
