package learning

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"latentbrush/canvas/maskops"
	"latentbrush/engine"
	"latentbrush/engine/directions"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// Recipe says how to make a set of vectors.
type Recipe struct {
	Author  string `json:"author,omitempty"`
	Licence string `json:"licence,omitempty"`
	// Survey is the number of pictures that statistics are learnt from, 1200 when 0.
	Survey int `json:"survey,omitempty"`
	// Edits is the number of pictures that a mask operation is done to, 6 when 0, and
	// Steps the optimisation steps of each, 40 when 0.
	Edits int `json:"edits,omitempty"`
	Steps int `json:"steps,omitempty"`
	// Seed of the first picture that is learnt from.
	Seed uint64 `json:"seed,omitempty"`
	// Test is the number of unseen pictures that each vector is tried on, 40 when 0, and
	// TestSeed the seed of the first.
	Test     int    `json:"test,omitempty"`
	TestSeed uint64 `json:"test_seed,omitempty"`
	// Preview is the width of previews in pixels, 80 when 0; Tile that of a picture on a
	// contact sheet, none when 0.
	Preview int `json:"preview,omitempty"`
	Tile    int `json:"tile,omitempty"`

	Vectors []Spec `json:"vectors"`
}

// The methods of a [Spec].
const (
	ByOperation  = "operation"
	BySVM        = "svm"
	ByRegression = "regression"
)

// Spec is the recipe of one vector.
type Spec struct {
	Name string   `json:"name"`
	Tags []string `json:"tags,omitempty"`
	// Method is operation, svm or regression; empty means operation when there is one, else svm.
	Method string `json:"method,omitempty"`
	// Operation is a script of mask operations; see package maskops. What copy takes is
	// from the picture of the survey with the highest statistic.
	Operation string `json:"operation,omitempty"`
	// Statistic is what the vector makes grow; see [Statistic].
	Statistic string `json:"statistic"`
	// Also lists what else a direction learnt from a statistic makes grow, for pictures on
	// which the statistic itself can hardly grow; success is judged by the statistic alone.
	Also []Part `json:"also,omitempty"`
	// Hold lists statistics that should stay as they are.
	Hold []string `json:"hold,omitempty"`
	// Classes of the region that may change.
	Classes []string `json:"classes"`
	// Amount is the growth of the statistic at strength 1 in standard deviations of the
	// survey; 0 means 1.5, or, for an operation, what its edits reached.
	Amount float64 `json:"amount,omitempty"`
	// Rows of the code that may change; none means all.
	Rows []int `json:"rows,omitempty"`
	// Quiet bends a direction learnt from a statistic to where it changes the least outside
	// the region.
	Quiet bool `json:"quiet,omitempty"`
	// Inside is the weight of a change inside the region, beside 1 for one outside, when a
	// direction is bent: a shape then grows without changing its colour.
	Inside float64 `json:"inside,omitempty"`
	// Local leaves out the rows that act outside the region; see [Localise].
	Local bool   `json:"local,omitempty"`
	Notes string `json:"notes,omitempty"`
}

// Part is a direction that is added to another.
type Part struct {
	Statistic string `json:"statistic"`
	// Amount in standard deviations of the model's latents along the direction.
	Amount float64 `json:"amount"`
}

// Limits of a recipe's file.
const (
	maxRecipe  = 1 << 20
	maxVectors = 256
	maxSurvey  = 100000
	maxEdits   = 1000
	maxAmount  = 10
)

// ReadRecipe reads a recipe in JSON and checks it against the model's classes.
func ReadRecipe(r io.Reader, names maskops.Names) (Recipe, error) {
	var recipe Recipe
	d := json.NewDecoder(io.LimitReader(r, maxRecipe))
	d.DisallowUnknownFields()
	if err := d.Decode(&recipe); err != nil {
		return recipe, fmt.Errorf("learning: the recipe is not well-formed: %w", err)
	}
	return recipe, recipe.Check(names)
}

// Check reports what is wrong with a recipe.
func (r Recipe) Check(names maskops.Names) error {
	if len(r.Vectors) == 0 || len(r.Vectors) > maxVectors {
		return fmt.Errorf("learning: the recipe has %d vectors, 1 to %d expected", len(r.Vectors), maxVectors)
	}
	for _, n := range []struct {
		name  string
		value int
		limit int
	}{{"survey", r.Survey, maxSurvey}, {"edits", r.Edits, maxEdits}, {"steps", r.Steps, maxEdits}, {"test", r.Test, maxEdits}, {"preview", r.Preview, vectors.MaxPreview}, {"tile", r.Tile, 512}} {
		if n.value < 0 || n.value > n.limit {
			return fmt.Errorf("learning: %s is %d, 0 to %d expected", n.name, n.value, n.limit)
		}
	}
	for _, s := range r.Vectors {
		if _, err := s.parse(names); err != nil {
			return err
		}
	}
	return nil
}

// parsed is a spec with its texts read.
type parsed struct {
	Spec
	script    maskops.Script
	statistic Statistic
	also      []Statistic
	hold      []Statistic
	classes   []uint8
}

func (s Spec) parse(names maskops.Names) (p parsed, err error) {
	fail := func(err error) (parsed, error) { return p, fmt.Errorf("learning: %q: %w", s.Name, err) }
	p.Spec = s
	if err := vectors.CheckName(s.Name); err != nil {
		return fail(err)
	}
	if p.Method == "" {
		p.Method = BySVM
		if s.Operation != "" {
			p.Method = ByOperation
		}
	}
	if !slices.Contains([]string{ByOperation, BySVM, ByRegression}, p.Method) {
		return fail(fmt.Errorf("there is no method %q; there are operation, svm and regression", p.Method))
	}
	if p.Method == ByOperation {
		if p.script, err = maskops.Parse(s.Operation, names); err != nil {
			return fail(err)
		}
	}
	if p.statistic, err = ParseStatistic(s.Statistic, names); err != nil {
		return fail(err)
	}
	for _, a := range s.Also {
		t, err := ParseStatistic(a.Statistic, names)
		if err != nil {
			return fail(err)
		}
		if !(math.Abs(a.Amount) <= maxAmount) {
			return fail(fmt.Errorf("the amount of %q is %g, -%d to %d expected", a.Statistic, a.Amount, maxAmount, maxAmount))
		}
		p.also = append(p.also, t)
	}
	for _, h := range s.Hold {
		t, err := ParseStatistic(h, names)
		if err != nil {
			return fail(err)
		}
		p.hold = append(p.hold, t)
	}
	for _, name := range s.Classes {
		id, ok := names[name]
		if !ok {
			return fail(fmt.Errorf("there is no class %q", name))
		}
		p.classes = append(p.classes, id)
	}
	if len(p.classes) == 0 {
		return fail(errors.New("the classes of the region are missing"))
	}
	if math.IsNaN(s.Amount) || s.Amount < 0 || s.Amount > maxAmount {
		return fail(fmt.Errorf("amount is %g, 0 to %d expected", s.Amount, maxAmount))
	}
	if math.IsNaN(s.Inside) || s.Inside < 0 || s.Inside > 1 {
		return fail(fmt.Errorf("inside is %g, 0 to 1 expected", s.Inside))
	}
	return p, nil
}

func (r Recipe) filled() Recipe {
	for _, f := range []struct {
		value    *int
		standard int
	}{{&r.Survey, 1200}, {&r.Edits, 6}, {&r.Steps, 40}, {&r.Test, 40}, {&r.Preview, 80}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	if r.Seed == 0 {
		r.Seed = KnownSeed
	}
	if r.TestSeed == 0 {
		r.TestSeed = UnseenSeed
	}
	return r
}

// Step is a point of a recipe's run.
type Step struct {
	// Stage is what is done: "survey", "response", "learn", "local", "calibrate" or "test".
	Stage string
	// Vector is the name of the vector in hand, and Done of Total the progress of its stage.
	Vector      string
	Done, Total int
	// Result is a finished vector, or nil.
	Result *Result
}

// Result is a vector with all that was measured.
type Result struct {
	Vector *vectors.Vector
	Spec   Spec
	// Trial is the generalisation test, Local what leaving out rows brought, and Loud and
	// Quiet the leaks before and after bending the direction.
	Trial       *Trial
	Local       Localised
	Loud, Quiet float64
	// Effect is the mean change of the statistic in the test in standard deviations of
	// the survey.
	Effect float64
	Took   time.Duration
	// Err says why there is no vector.
	Err error
}

// errStopped ends a run whose loop was left.
var errStopped = errors.New("learning: stopped")

// Run makes the recipe's vectors one after the other. A vector that cannot be learnt is a
// result with an error, and the others follow; errors of the engine and the context end
// the run.
func (r Recipe) Run(ctx context.Context, m Model) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		l := lab{Recipe: r.filled(), m: m, emit: func(s Step) error {
			if !yield(s, nil) {
				return errStopped
			}
			return ctx.Err()
		}}
		if err := l.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(Step{}, err)
		}
	}
}

// lab is a recipe in work.
type lab struct {
	Recipe
	m      Model
	emit   func(Step) error
	survey *Survey
	learn  *Probe
	test   *Probe
	// response is measured when the first vector wants it.
	response *response
}

// localPictures is the number of pictures that rows are chosen on.
const localPictures = 3

func (l *lab) run(ctx context.Context) error {
	names := Names(l.m)
	var specs []parsed
	var statistics []Statistic
	for _, s := range l.Vectors {
		p, err := s.parse(names)
		if err != nil {
			return err
		}
		specs = append(specs, p)
		statistics = slices.Concat(statistics, []Statistic{p.statistic}, p.also, p.hold)
	}
	stopped, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var err error
	l.survey, err = NewSurvey(stopped, l.m, l.Survey, statistics, func(done, total int) {
		if err := l.emit(Step{Stage: "survey", Done: done, Total: total}); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		if cause := context.Cause(stopped); cause != nil {
			return cause
		}
		return err
	}
	if l.learn, err = NewProbe(ctx, l.m, l.Seed, KnownPictures); err != nil {
		return err
	}
	if l.test, err = NewProbe(ctx, l.m, l.TestSeed, l.Test); err != nil {
		return err
	}
	for _, p := range specs {
		begun := time.Now()
		result, err := l.one(ctx, p)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, errStopped) || errors.Is(err, engine.ErrClosed) {
				return err
			}
			result = &Result{Spec: p.Spec, Err: fmt.Errorf("%s: %w", p.Name, err)}
		}
		result.Took = time.Since(begun)
		if err := l.emit(Step{Stage: "test", Vector: p.Name, Done: 1, Total: 1, Result: result}); err != nil {
			return err
		}
	}
	return nil
}

// longestUnit bounds strength 1: so many standard deviations of the model's latents along
// the vector. Where others are held, little of a statistic may be left that varies, and the
// amount in deviations of the whole statistic would be far outside what is natural.
const longestUnit = 2.2

// one makes one vector.
func (l *lab) one(ctx context.Context, p parsed) (*Result, error) {
	values, err := l.survey.Values(p.statistic)
	if err != nil {
		return nil, err
	}
	spread := deviation(values)
	if !(spread > 0) {
		return nil, fmt.Errorf("%q is the same in all pictures of the survey", p.statistic)
	}
	result := &Result{Spec: p.Spec}
	var delta latent.Code
	var learnt vectors.Learnt
	target := p.Amount * spread
	if p.Method == ByOperation {
		var reached float64
		if delta, learnt, reached, err = l.operation(ctx, p); target == 0 {
			target = reached
		}
	} else {
		if target == 0 {
			target = 1.5 * spread
		}
		var x []float64
		if x, learnt, err = l.direction(p, target/spread); err == nil && p.Quiet {
			if err = l.respond(ctx, p.Name); err == nil {
				delta, result.Loud, result.Quiet, err = l.quieten(ctx, p, x, target)
			}
		} else if err == nil {
			delta = unwhiten(l.survey.prior, x, l.m.Info().Rows)
		}
	}
	if err != nil {
		return nil, err
	}
	if result.Quiet < result.Loud {
		learnt.Detail["quiet"] = fmt.Sprintf("leak %.2f → %.2f at equal effect", result.Loud, result.Quiet)
	}
	if len(p.Rows) > 0 {
		for r := range delta.Rows {
			if !slices.Contains(p.Rows, r) {
				clear(delta.Row(r))
			}
		}
	}
	learnt.Detail["statistic"] = p.statistic.text
	for _, a := range p.Also {
		learnt.Detail["also"] = strings.TrimPrefix(learnt.Detail["also"]+fmt.Sprintf("; %g × %s", a.Amount, a.Statistic), "; ")
	}
	if len(p.hold) > 0 {
		learnt.Detail["hold"] = strings.Join(p.Hold, "; ")
	}
	if err := l.emit(Step{Stage: "calibrate", Vector: p.Name, Total: 1}); err != nil {
		return nil, err
	}
	s, err := l.learn.solve(ctx, l.m, delta, 1, target, &p.statistic, KnownPictures)
	if err != nil {
		return nil, err
	}
	delta = delta.Scale(float32(s))
	if length := l.survey.length(delta); length > longestUnit {
		delta = delta.Scale(float32(longestUnit / length))
		learnt.Detail["unit"] = fmt.Sprintf("%.2g of the amount: %.2g deviations along the vector", longestUnit/length, longestUnit)
	}
	if p.Local {
		if err := l.emit(Step{Stage: "local", Vector: p.Name, Total: 1}); err != nil {
			return nil, err
		}
		if delta, result.Local, err = Localise(ctx, l.m, l.learn, delta, p.classes, &p.statistic, localPictures); err != nil {
			return nil, err
		}
		if result.Local.After < result.Local.Before {
			learnt.Detail["local"] = fmt.Sprintf("leak %.2f → %.2f at equal effect", result.Local.Before, result.Local.After)
		}
	}
	v := vectors.New(p.Name, modelOf(l.m), delta)
	v.Tags, v.Author, v.Licence, v.Notes = p.Tags, l.Author, l.Licence, p.Notes
	v.Classes = classesOf(l.m, p.classes)
	v.Learnt = learnt
	if err := Calibrate(ctx, l.m, l.survey, l.learn, v, &p.statistic); err != nil {
		return nil, err
	}
	if err := l.emit(Step{Stage: "test", Vector: p.Name, Total: 1}); err != nil {
		return nil, err
	}
	if result.Trial, err = Generalise(ctx, l.m, l.test, v, &p.statistic, l.Tile); err != nil {
		return nil, err
	}
	show := median(result.Trial.Effects)
	v.Before, v.After = thumbnail(l.test.Frames[show].Picture, l.Preview), thumbnail(result.Trial.After[show].Picture, l.Preview)
	result.Vector, result.Effect = v, result.Trial.Effect/spread
	return result, nil
}

// median is the position of the middle value, numbers that are none being the lowest; a typical
// picture.
func median(values []float64) int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	return order[len(order)/2]
}

// direction learns from a statistic alone. The amount is in standard deviations, and so is
// the result, along the leading axes.
func (l *lab) direction(p parsed, amount float64) ([]float64, vectors.Learnt, error) {
	learnt := vectors.Learnt{How: "statistic", Edits: l.Survey, Detail: map[string]string{"method": p.Method}}
	of := func(t Statistic) ([]float64, float64, error) {
		if p.Method == ByRegression {
			return l.survey.Slope(t)
		}
		n, err := l.survey.Normal(t)
		return n.Direction, n.Accuracy, err
	}
	d, accuracy, err := of(p.statistic)
	if err != nil {
		return nil, learnt, err
	}
	learnt.Accuracy = accuracy
	// Whitened latents have unit variance along d: to first order this grows the statistic by amount
	// deviations where d explains it all.
	for k := range d {
		d[k] *= amount
	}
	for i, t := range p.also {
		o, _, err := of(t)
		if err != nil {
			return nil, learnt, err
		}
		for k := range d {
			d[k] += p.Also[i].Amount * o[k]
		}
	}
	if len(p.hold) == 0 {
		return d, learnt, nil
	}
	length := math.Sqrt(dot(d, d))
	if d, err = l.condition(d, p.hold, of); err != nil {
		return nil, learnt, err
	}
	for k := range d {
		d[k] *= length
	}
	return d, learnt, nil
}

// respond measures the response once for all vectors.
func (l *lab) respond(ctx context.Context, name string) (err error) {
	if l.response == nil {
		l.response, err = newResponse(ctx, l.m, l.learn, l.survey.prior, len(l.survey.Whitened[0]), func(done, total int) error {
			return l.emit(Step{Stage: "response", Vector: name, Done: done, Total: total})
		})
	}
	return err
}

// condition projects out of d the directions of the statistics to hold.
func (l *lab) condition(d []float64, hold []Statistic, of func(Statistic) ([]float64, float64, error)) ([]float64, error) {
	var others [][]float64
	for _, t := range hold {
		o, _, err := of(t)
		if err != nil {
			return nil, err
		}
		others = append(others, o)
	}
	if len(others) == 0 {
		return d, nil
	}
	return directions.Condition(d, others...)
}

// operation learns from a scripted mask operation: the edits of several pictures,
// averaged without their outliers. Reached is the mean effect of the edits.
func (l *lab) operation(ctx context.Context, p parsed) (delta latent.Code, learnt vectors.Learnt, reached float64, err error) {
	learnt = vectors.Learnt{How: "mask operation", Steps: l.Steps, Seed: int64(l.Seed), Detail: map[string]string{"operation": p.script.String()}}
	var reference *image.Paletted
	if p.script.NeedsReference() {
		seed, err := l.survey.Extreme(p.statistic, false)
		if err != nil {
			return delta, learnt, 0, err
		}
		f, err := l.m.Render(ctx, l.m.Sample(seed, 1), engine.RenderOptions{})
		if err != nil {
			return delta, learnt, 0, err
		}
		reference = f.Labels
		learnt.Detail["reference"] = strconv.FormatUint(seed, 10)
	}
	var deltas []latent.Code
	var effects []float64
	psi := l.m.Info().Manifest.Truncation.Psi
	// A picture without the parts is passed over; ten times as many seeds must be enough.
	for i := uint64(0); len(deltas) < l.Edits && i < uint64(10*l.Edits); i++ {
		code := l.m.Sample(l.Seed+i, psi)
		before, err := l.m.Render(ctx, code, engine.RenderOptions{})
		if err != nil {
			return delta, learnt, 0, err
		}
		start := p.statistic.Of(before.Labels)
		painted, region, err := p.script.Apply(before.Labels, reference)
		if errors.Is(err, maskops.ErrNothing) || math.IsNaN(start) {
			continue
		}
		if err != nil {
			return delta, learnt, 0, err
		}
		var final engine.Step
		for step, err := range l.m.Edit(ctx, engine.EditRequest{
			Start: code, Painted: painted, Region: edit.RegionOptions{Painted: region, Dilation: -1},
			Settings: engine.Settings{Steps: l.Steps, PreviewEvery: time.Hour},
		}) {
			if err != nil {
				return delta, learnt, 0, err
			}
			final = step
			if err := l.emit(Step{Stage: "learn", Vector: p.Name, Done: len(deltas)*l.Steps + min(step.Index, l.Steps), Total: l.Edits * l.Steps}); err != nil {
				return delta, learnt, 0, err
			}
		}
		deltas = append(deltas, final.Code.Sub(code))
		effects = append(effects, p.statistic.Of(final.Labels)-start)
	}
	if len(deltas) == 0 {
		return delta, learnt, 0, fmt.Errorf("%q: %w", p.script, maskops.ErrNothing)
	}
	learnt.Edits = len(deltas)
	delta, _, learnt.Agreement = vectors.RobustMean(deltas)
	if len(p.hold) > 0 {
		if delta, err = l.without(delta, p.hold); err != nil {
			return delta, learnt, 0, err
		}
	}
	reached = mean(effects)
	if math.IsNaN(reached) || reached <= 0 {
		return delta, learnt, 0, fmt.Errorf("the edits change %q by %.3g on average and should make it grow", p.statistic, reached)
	}
	return delta, learnt, reached, nil
}

// without takes from a difference that is the same in all rows what it does to the
// statistics to hold, along the survey's axes.
func (l *lab) without(delta latent.Code, hold []Statistic) (latent.Code, error) {
	prior := l.survey.prior
	x := prior.Whiten(delta.Row(0))[:len(l.survey.Whitened[0])]
	kept, err := l.condition(x, hold, l.survey.Slope)
	if err != nil {
		return delta, err
	}
	scale := 0.0
	for k := range kept {
		scale += kept[k] * x[k]
	}
	for k := range kept {
		kept[k] = kept[k]*scale - x[k]
	}
	return delta.Add(unwhiten(prior, kept, delta.Rows)), nil
}
