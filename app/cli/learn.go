package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	compose "image/draw"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// learnFlags are the command line of learn.
type learnFlags struct {
	recipe, out, report, sheets, page string
	only                              []string
	spec                              learning.Spec
	survey, edits, steps, test        int
}

func newLearnCommand(env *Env) *cobra.Command {
	var f learnFlags
	command := &cobra.Command{
		Use:   "learn",
		Short: "Make editing vectors without painting",
		Long: `Learn makes editing vectors without anybody painting, and measures what they are worth.

A vector is learnt in one of two ways. With -operation, a scripted mask operation is done to many random pictures, each
is optimised like a painted edit, and the differences of their latents are averaged without their outliers. Without it,
random pictures are sorted by a statistic of their labels, and the direction that tells much of it from little is the
vector. Either way -statistic says what should grow: strength 1 is calibrated by it, and so is the test on pictures that
nothing was learnt from. Whatever changes outside -classes counts as leak.

An operation is KIND:PARTS:AMOUNT. Classes of one part are joined by +, parts are separated by commas, lengths are shares
of the picture's longer side. The kinds are
  move:PARTS:DX,DY         raise:PARTS:D           scale:PARTS:F or FX,FY    rotate:PARTS:DEGREES
  grow:PARTS:D             shrink:PARTS:D          thicken:PARTS:D           extend:PARTS:DX,DY
  fill:PARTS:CLASS         band:PARTS:SIDE,D,CLASS copy:PARTS                fill:PARTS:near
with the options :over=CLASSES, new pixels replace only these, and :anchor=SIDE. Semicolons separate operations.

A statistic is made of numbers, + - * / and functions of classes: area(hair), x(iris_l,pupil_l), y, left, right, top,
bottom, width, height, and corners, the height of the outer fifths.

A recipe is a JSON file with many vectors; without -recipe and -name, the one that made the vectors of the model
that comes with the program is done again.`,
		Example: `  latentbrush learn -o vectors
  latentbrush learn -recipe mine.json -model cats.zip -o vectors -report learn.json -sheets sheets
  latentbrush learn -name "Wider nose" -operation scale:nose:1.25,1 -statistic "width(nose)" -classes nose -o .
  latentbrush learn -name Beard -statistic "area(beard)" -classes beard -method regression -quiet -local -o .`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if f.out == "" {
				return usageError{errors.New("name the folder for the vectors with -o")}
			}
			if f.recipe != "" && f.spec.Name != "" {
				return usageError{errors.New("-recipe and -name exclude each other")}
			}
			if len(f.only) > 0 && f.page != "" && f.report == "" {
				return usageError{errors.New("-page with -only needs -report, which has the figures of the other vectors")}
			}
			return f.run(command.Context(), env)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&f.out, "o", "o", "", "`folder` for the vectors; it is made if it is missing")
	flags.StringVar(&f.recipe, "recipe", "", "`file` that says what to learn (JSON)")
	flags.StringSliceVar(&f.only, "only", nil, "`names` of the recipe's vectors to make; the report keeps the figures of the others (default: all)")
	flags.StringVar(&f.report, "report", "", "`file` for the figures (JSON)")
	flags.StringVar(&f.page, "page", "", "`file` for the figures as a page (Markdown); of a page that is there, only the part between its markers is replaced")
	flags.StringVar(&f.sheets, "sheets", "", "`folder` for contact sheets of the tests (PNG)")
	flags.StringVar(&f.spec.Name, "name", "", "`name` of a single vector")
	flags.StringVar(&f.spec.Operation, "operation", "", "mask `operation` to learn from")
	flags.StringVar(&f.spec.Statistic, "statistic", "", "`statistic` that the vector makes grow")
	flags.StringVar(&f.spec.Method, "method", "", "how to learn: operation, svm or regression (default: operation if there is one, else svm)")
	flags.StringSliceVar(&f.spec.Hold, "hold", nil, "`statistic` that should stay; the flag may be repeated")
	flags.StringSliceVar(&f.spec.Classes, "classes", nil, "`classes` of the region that may change")
	flags.StringSliceVar(&f.spec.Tags, "tags", nil, "`tags` of the vector")
	flags.Float64Var(&f.spec.Amount, "amount", 0, "growth at strength 1 in `deviations` of the statistic (default: what the edits reach, or 1.5)")
	flags.IntSliceVar(&f.spec.Rows, "rows", nil, "`rows` of the code that may change (default: all)")
	flags.BoolVar(&f.spec.Quiet, "quiet", false, "bend the direction of a statistic to where it changes the least outside the region")
	flags.BoolVar(&f.spec.Local, "local", false, "leave out the rows that act outside the region")
	flags.IntVar(&f.survey, "survey", 0, "`number` of pictures to take statistics from (default: the recipe's, or 1200)")
	flags.IntVar(&f.edits, "edits", 0, "`number` of pictures to do an operation to (default: the recipe's, or 6)")
	flags.IntVar(&f.steps, "steps", 0, "`number` of steps of each optimisation (default: the recipe's, or 40)")
	flags.IntVar(&f.test, "test", 0, "`number` of unseen pictures to test on (default: the recipe's, or 40)")
	command.AddCommand(newLearnExamplesCommand(env), newLearnAxesCommand(env), newLearnPartCommand(env), newLearnTestCommand(env))
	return command
}

// read gives the whole recipe, and what is to be made of it.
func (f *learnFlags) read(m learning.Model) (whole, r learning.Recipe, err error) {
	names := learning.Names(m)
	switch {
	case f.spec.Name != "":
		r = learning.Recipe{Licence: "CC0-1.0", Vectors: []learning.Spec{f.spec}}
		err = r.Check(names)
	case f.recipe != "":
		var file *os.File
		if file, err = os.Open(f.recipe); err == nil {
			r, err = learning.ReadRecipe(file, names)
			file.Close()
		}
	default:
		r, err = learning.FacesRecipe(names)
	}
	if err != nil {
		return r, r, usageError{err}
	}
	for flag, value := range map[*int]*int{&f.survey: &r.Survey, &f.edits: &r.Edits, &f.steps: &r.Steps, &f.test: &r.Test} {
		if *flag != 0 {
			*value = *flag
		}
	}
	if f.sheets != "" && r.Tile == 0 {
		r.Tile = 96
	}
	whole = r
	if len(f.only) > 0 {
		for _, name := range f.only {
			if !slices.ContainsFunc(r.Vectors, func(s learning.Spec) bool { return s.Name == name }) {
				return r, r, usageError{fmt.Errorf("the recipe has no vector %q", name)}
			}
		}
		r.Vectors = slices.DeleteFunc(slices.Clone(r.Vectors), func(s learning.Spec) bool { return !slices.Contains(f.only, s.Name) })
	}
	return whole, r, r.Check(names)
}

func (f *learnFlags) run(ctx context.Context, env *Env) error {
	var page *vectorsPage
	if f.page != "" {
		var err error
		if page, err = openVectorsPage(f.page); err != nil {
			return err
		}
	}
	e, err := openEngine(ctx, env)
	if err != nil {
		return err
	}
	defer e.Close()
	whole, r, err := f.read(e)
	if err != nil {
		return err
	}
	for _, dir := range []string{f.out, f.sheets} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	rows, err := f.collect(env, r.Run(ctx, e))
	if err != nil {
		return err
	}
	if err := printLearnt(env.Out, rows); err != nil {
		return err
	}
	if len(f.only) > 0 && f.report != "" {
		rows = mergeLearnt(f.report, whole, rows)
	}
	if f.report != "" {
		if err := writeWhole(f.report, func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(rows)
		}); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if page != nil {
		if err := page.write(e.Info(), rows); err != nil {
			return err
		}
	}
	failed := 0
	for _, row := range rows {
		if row.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d vectors could not be learnt", failed, len(rows))
	}
	return nil
}

// mergeLearnt adds to rows those of the report that was there, for the recipe's other vectors, in
// the recipe's order.
func mergeLearnt(path string, r learning.Recipe, rows []learntRow) []learntRow {
	var old []learntRow
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &old) != nil {
		return rows
	}
	var out []learntRow
	for _, spec := range r.Vectors {
		named := func(row learntRow) bool { return row.Name == spec.Name }
		if i := slices.IndexFunc(rows, named); i >= 0 {
			out = append(out, rows[i])
		} else if i := slices.IndexFunc(old, named); i >= 0 {
			out = append(out, old[i])
		}
	}
	return out
}

// learntRow is a vector's figures.
type learntRow struct {
	Name      string        `json:"name"`
	File      string        `json:"file,omitempty"`
	Spec      learning.Spec `json:"recipe"`
	How       string        `json:"how,omitempty"`
	Seeds     int           `json:"seeds"`
	Success   float64       `json:"success"`
	Leak      float64       `json:"leak"`
	Outside   float64       `json:"outside_share"`
	Effect    float64       `json:"effect_deviations"`
	Unit      float64       `json:"unit_effect"`
	Agreement float64       `json:"agreement,omitempty"`
	Accuracy  float64       `json:"accuracy,omitempty"`
	SafeLo    float64       `json:"safe_lo"`
	SafeHi    float64       `json:"safe_hi"`
	Rows      []int         `json:"rows,omitempty"`
	LeakAll   float64       `json:"leak_all_rows,omitempty"`
	LeakLocal float64       `json:"leak_local_rows,omitempty"`
	LeakLoud  float64       `json:"leak_plain,omitempty"`
	LeakQuiet float64       `json:"leak_quiet,omitempty"`
	// Readings are the attributes that changed on the test's pictures, SamePerson whether they
	// still show the same person.
	Readings   []vectors.Reading `json:"readings,omitempty"`
	SamePerson float64           `json:"same_person,omitempty"`
	Seconds    float64           `json:"seconds"`
	Error      string            `json:"error,omitempty"`
}

// The goals of a shipped vector.
const (
	successGoal = 0.9
	leakGoal    = 3.0
)

func (r learntRow) met() bool { return r.Error == "" && r.Success >= successGoal && r.Leak <= leakGoal }

// collect writes each vector as it is finished.
func (f *learnFlags) collect(env *Env, run iter.Seq2[learning.Step, error]) ([]learntRow, error) {
	var rows []learntRow
	shown := time.Time{}
	for s, err := range run {
		if err != nil {
			return nil, err
		}
		if s.Result == nil {
			if time.Since(shown) > 500*time.Millisecond {
				fmt.Fprintf(env.Err, "\r%-20s %-10s %d of %d   ", s.Vector, s.Stage, s.Done, s.Total)
				shown = time.Now()
			}
			continue
		}
		res := s.Result
		row := learntRow{Name: res.Spec.Name, Spec: res.Spec, Seconds: res.Took.Seconds()}
		if res.Err != nil {
			row.Error = res.Err.Error()
			rows = append(rows, row)
			fmt.Fprintf(env.Err, "\r%s\n", row.Error)
			continue
		}
		v := res.Vector
		row.File = vectorFileName(v.Name)
		row.How, row.Seeds, row.Success, row.Leak = v.Learnt.How, v.Generalisation.Seeds, v.Generalisation.Success, v.Generalisation.Leak
		row.Readings, row.SamePerson = v.Generalisation.Readings, v.Generalisation.SamePerson
		row.Outside, row.Effect, row.Unit = res.Trial.Outside, res.Effect, v.Calibration.UnitEffect
		if math.IsNaN(row.Effect) {
			row.Effect = 0
		}
		row.Agreement, row.Accuracy = v.Learnt.Agreement, v.Learnt.Accuracy
		row.SafeLo, row.SafeHi, row.Rows = v.Calibration.SafeLo, v.Calibration.SafeHi, v.RowsUsed
		row.LeakAll, row.LeakLocal, row.LeakLoud, row.LeakQuiet = res.Local.Before, res.Local.After, res.Loud, res.Quiet
		if f.sheets != "" && v.Sheet != nil {
			if err := writePNG(filepath.Join(f.sheets, strings.TrimSuffix(row.File, ".safetensors")+".png"), v.Sheet); err != nil {
				return nil, err
			}
			v.Sheet = nil
		}
		if err := vectors.WriteFile(filepath.Join(f.out, row.File), v); err != nil {
			return nil, err
		}
		rows = append(rows, row)
		fmt.Fprintf(env.Err, "\r%-20s success %3.0f %%, leak %.2f, effect %.2f σ, %.0f s\n", row.Name, 100*row.Success, row.Leak, row.Effect, row.Seconds)
	}
	return rows, nil
}

// vectorFileName is the file of a vector: its name in small letters with dashes.
func vectorFileName(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.TrimSuffix(b.String(), "-"); s != "" {
		return s + ".safetensors"
	}
	return "vector.safetensors"
}

func printLearnt(w io.Writer, rows []learntRow) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "vector\thow\tsuccess\tleak\teffect\tsafe\trows\tquiet\tlocal\tseconds\tgoals")
	for _, r := range rows {
		if r.Error != "" {
			fmt.Fprintf(t, "%s\t%s\n", r.Name, r.Error)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f %%\t%.2f\t%.2f σ\t%g…%g\t%d\t%s\t%s\t%.0f\t%s\n", r.Name, r.how(), math.Round(100*r.Success), r.Leak, r.Effect, r.SafeLo, r.SafeHi, len(r.Rows), fall(r.LeakLoud, r.LeakQuiet), fall(r.LeakAll, r.LeakLocal), r.Seconds, map[bool]string{true: "met", false: "MISSED"}[r.met()])
	}
	return t.Flush()
}

// fall shows what was gained, if anything was.
func fall(before, after float64) string {
	if after >= before {
		return "–"
	}
	return fmt.Sprintf("%.2f → %.2f", before, after)
}

func (r learntRow) how() string {
	switch {
	case r.Agreement != 0:
		return fmt.Sprintf("operation, agreement %.2f", r.Agreement)
	case r.Spec.Method == learning.ByRegression:
		return fmt.Sprintf("regression, accuracy %.2f", r.Accuracy)
	}
	return fmt.Sprintf("svm, accuracy %.2f", r.Accuracy)
}

func newLearnAxesCommand(env *Env) *cobra.Command {
	var out, kind, sheet string
	var count int
	var seed uint64
	command := &cobra.Command{
		Use:   "axes",
		Short: "Find directions without labels",
		Long: `Axes finds directions that need no labels, to look through and keep: the ones to which the generator's styles
react most (sefa), or those along which the model's latents vary most (pca). Each becomes a vector whose strength 1 is
one standard deviation. The sheet has a row for each, from strength -2 to 2.`,
		Example: "  latentbrush learn axes -kind sefa -count 12 -sheet axes.png\n  latentbrush learn axes -kind pca -count 6 -o vectors",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" && sheet == "" {
				return usageError{errors.New("nothing to write: name a folder with -o or a file with -sheet")}
			}
			if count < 1 || count > 256 {
				return usageError{fmt.Errorf("-count is %d, 1 to 256 expected", count)}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			var axes []latent.Code
			switch kind {
			case "pca":
				axes, err = learning.PrincipalAxes(ctx, e, count)
			case "sefa":
				p, perr := e.Prior(ctx)
				if perr != nil {
					return perr
				}
				axes, err = learning.StyleAxes(e.Model(), p, count)
			default:
				return usageError{fmt.Errorf("-kind is %q, sefa or pca expected", kind)}
			}
			if err != nil {
				return err
			}
			return writeAxes(ctx, e, axes, kind, out, sheet, seed)
		},
	}
	f := command.Flags()
	f.StringVar(&kind, "kind", "sefa", "`method`: sefa or pca")
	f.IntVar(&count, "count", 8, "`number` of directions")
	f.StringVarP(&out, "o", "o", "", "`folder` for the vectors")
	f.StringVar(&sheet, "sheet", "", "`file` for a sheet of their effects (PNG)")
	f.Uint64Var(&seed, "seed", 0, "`seed` of the picture on the sheet")
	return command
}

// listFailures writes a line for each picture on which a vector did not do what it should.
func listFailures(w io.Writer, v *vectors.Vector, of *learning.Statistic, p *learning.Probe, t *learning.Trial) {
	need := learning.SuccessShare * v.Calibration.UnitEffect
	for i, effect := range t.Effects {
		if effect > 0 && effect >= need {
			continue
		}
		fmt.Fprintf(w, "%s: seed %d", v.Name, p.First+uint64(i))
		if of != nil {
			fmt.Fprintf(w, ", %.4f → %.4f", of.Of(p.Frames[i].Labels), of.Of(t.After[i].Labels))
		}
		fmt.Fprintf(w, ", grew by %.4f, should by %.4f\n", effect, need)
	}
}

func newLearnTestCommand(env *Env) *cobra.Command {
	var statistic, report string
	var survey, test, tile int
	var first uint64
	var failures bool
	command := &cobra.Command{
		Use:   "test file...",
		Short: "Calibrate vectors and test them on unseen pictures",
		Long: `Test measures vectors again and writes the result into their files: the effect of strength 1, the safe range of
strengths, the share of random pictures on which the vector works, and the leak outside its classes. What should grow is
the statistic that a vector was learnt by, or that of -statistic; without either, every change of labels counts.
With -failures each picture on which a vector did not work is listed, with its statistic before and after.`,
		Example: "  latentbrush learn test smile.safetensors\n  latentbrush learn test *.safetensors -report learn.json",
		Args:    wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, files []string) error {
			if survey < 16 || survey > 100000 || test < 1 || test > 1000 || tile < 0 || tile > 512 {
				return usageError{errors.New("-survey must be 16 to 100000, -test 1 to 1000 and -tile 0 to 512")}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			names := learning.Names(e)
			if statistic != "" {
				if _, err := learning.ParseStatistic(statistic, names); err != nil {
					return usageError{err}
				}
			}
			s, err := learning.NewSurvey(ctx, e, survey, nil, nil)
			if err != nil {
				return err
			}
			known, err := learning.NewProbe(ctx, e, learning.KnownSeed, learning.KnownPictures)
			if err != nil {
				return err
			}
			unseen, err := learning.NewProbe(ctx, e, first, test)
			if err != nil {
				return err
			}
			var rows []learntRow
			if data, err := os.ReadFile(report); report != "" && err == nil {
				if err := json.Unmarshal(data, &rows); err != nil {
					return fmt.Errorf("%s is no report of learn: %w", report, err)
				}
			}
			t := tabwriter.NewWriter(env.Out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(t, "vector\tsuccess\tleak\tsafe")
			var failed bytes.Buffer
			for _, file := range files {
				v, err := vectors.ReadFile(file)
				if err != nil {
					return err
				}
				if err := v.FitsModel(vectorModel(e), e.Info().Rows, e.Info().Dim); err != nil {
					return err
				}
				text := statistic
				if text == "" {
					text = v.Learnt.Detail["statistic"]
				}
				var of *learning.Statistic
				if text != "" {
					parsed, err := learning.ParseStatistic(text, names)
					if err != nil {
						return fmt.Errorf("%s: %w", file, err)
					}
					of = &parsed
				}
				if err := learning.Calibrate(ctx, e, s, known, v, of); err != nil {
					return err
				}
				trial, err := learning.Generalise(ctx, e, unseen, v, of, tile)
				if err != nil {
					return err
				}
				if failures {
					listFailures(&failed, v, of, unseen, trial)
				}
				if err := vectors.WriteFile(file, v); err != nil {
					return err
				}
				c, g := v.Calibration, v.Generalisation
				fmt.Fprintf(t, "%s\t%.0f %%\t%.2f\t%g…%g\n", v.Name, 100*g.Success, g.Leak, c.SafeLo, c.SafeHi)
				for i := range rows {
					if r := &rows[i]; r.Name == v.Name {
						r.SafeLo, r.SafeHi, r.Unit = c.SafeLo, c.SafeHi, c.UnitEffect
						r.Seeds, r.Success, r.Leak = g.Seeds, g.Success, g.Leak
						r.Accuracy = min(1, v.Learnt.Accuracy)
					}
				}
			}
			if err := t.Flush(); err != nil {
				return err
			}
			if _, err := io.Copy(env.Out, &failed); err != nil || report == "" {
				return err
			}
			return writeWhole(report, func(w io.Writer) error {
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			})
		},
	}
	f := command.Flags()
	f.StringVar(&statistic, "statistic", "", "`statistic` that should grow (default: the one that the vector was learnt by)")
	f.StringVar(&report, "report", "", "`file` of a report of learn to bring up to date")
	f.IntVar(&survey, "survey", 300, "`number` of pictures that say what is usual")
	f.IntVar(&test, "test", 40, "`number` of unseen pictures")
	f.IntVar(&tile, "tile", 0, "`width` of the pictures on the contact sheet in the file, 0 for none")
	f.BoolVar(&failures, "failures", false, "list the pictures on which a vector did not work")
	f.Uint64Var(&first, "seed", learning.UnseenSeed, "first `seed` of the unseen pictures")
	return command
}

// namedClasses are the model's classes with these names.
func namedClasses(e *engine.Engine, names []string) ([]vectors.Class, error) {
	ids := learning.Names(e)
	var out []vectors.Class
	for _, name := range names {
		id, ok := ids[name]
		if !ok {
			return nil, usageError{fmt.Errorf("the model has no class %q", name)}
		}
		out = append(out, vectors.Class{ID: id, Name: name})
	}
	return out, nil
}

func newLearnExamplesCommand(env *Env) *cobra.Command {
	var have, lack []uint
	var classes, tags []string
	var name, out string
	command := &cobra.Command{
		Use:   "examples",
		Short: "Learn a vector from marked pictures",
		Long: `Examples learns a direction from random pictures of which somebody said, by their seeds, that they have a property or
that they have it not: the normal of the plane between both kinds. Strength 1 takes the middle of those without to the
middle of those with. At least three of each kind are needed; what is told of its accuracy is rough when they are few.
"latentbrush learn test" then measures the vector.`,
		Example: "  latentbrush learn examples -have 3,8,21,40 -lack 1,2,5,6,9 -name Freckles -classes skin -o freckles.safetensors",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("name the file for the vector with -o")}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			region, err := namedClasses(e, classes)
			if err != nil {
				return err
			}
			var codes []latent.Code
			var has []bool
			for _, seeds := range []struct {
				of  []uint
				has bool
			}{{have, true}, {lack, false}} {
				for _, seed := range seeds.of {
					codes, has = append(codes, e.Sample(uint64(seed), e.Info().Manifest.Truncation.Psi)), append(has, seeds.has)
				}
			}
			v, err := learning.FromExamples(ctx, e, name, codes, has)
			if err != nil {
				return err
			}
			v.Classes, v.Tags = region, tags
			fmt.Fprintf(env.Out, "%d with it, %d without; accuracy %.0f %%\n", len(have), len(lack), 100*v.Learnt.Accuracy)
			return vectors.WriteFile(out, v)
		},
	}
	f := command.Flags()
	f.UintSliceVar(&have, "have", nil, "`seeds` of pictures that have it")
	f.UintSliceVar(&lack, "lack", nil, "`seeds` of pictures that have it not")
	f.StringVar(&name, "name", "", "`name` of the vector")
	f.StringSliceVar(&classes, "classes", nil, "`classes` of the region that may change; what changes elsewhere counts as leak in a test")
	f.StringSliceVar(&tags, "tags", nil, "`tags` of the vector")
	f.StringVarP(&out, "o", "o", "", "`file` for the vector")
	return command
}

func newLearnPartCommand(env *Env) *cobra.Command {
	var from source
	var reference uint64
	var classes []string
	var name, file, out, sheet string
	command := &cobra.Command{
		Use:   "part",
		Short: "Take a part over from another picture",
		Long: `Part takes a part of one picture over into another: of all that tells their latents apart, only what shows in the
part's pixels. It renders the picture once for each direction in which the model's latents vary. The change is a
vector like any other. The sheet shows the picture, the reference and the result.`,
		Example: "  latentbrush learn part -seed 7 -reference 12 -classes nose -name \"Nose of 12\" -o nose.safetensors -sheet nose.png\n" +
			"  latentbrush learn part -seed 7 -reference-latent embedded/portrait.safetensors -classes hair -sheet hair.png",
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" && sheet == "" {
				return usageError{errors.New("nothing to write: name a file with -o or -sheet")}
			}
			if command.Flags().Changed("reference") == (file != "") {
				return usageError{errors.New("name the picture to take the part from with either -reference or -reference-latent")}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			code, err := from.code(command, e)
			if err != nil {
				return err
			}
			part, err := namedClasses(e, classes)
			if err != nil {
				return err
			}
			if len(part) == 0 {
				return usageError{errors.New("name the part with -classes")}
			}
			var ids []uint8
			for _, c := range part {
				ids = append(ids, c.ID)
			}
			other, origin := e.Sample(reference, e.Info().Manifest.Truncation.Psi), fmt.Sprint(reference)
			if file != "" {
				if other, err = readCode(file, e.Info()); err != nil {
					return fmt.Errorf("reference: %w", err)
				}
				origin = filepath.Base(file)
			}
			t, err := learning.TransferPart(ctx, e, code, other, ids, nil)
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "%.0f %% of the difference in the part is left, leak %.2f levels\n", 100*t.Left, t.Leak)
			if out != "" {
				v := vectors.New(name, vectorModel(e), t.Delta)
				v.Classes = part
				v.Learnt = vectors.Learnt{How: "part of another picture", Edits: 1, Detail: map[string]string{"reference": origin}}
				if err := vectors.WriteFile(out, v); err != nil {
					return err
				}
			}
			if sheet == "" {
				return nil
			}
			f, err := e.Render(ctx, other, engine.RenderOptions{})
			if err != nil {
				return err
			}
			size := f.Picture.Rect.Size()
			page := image.NewRGBA(image.Rect(0, 0, 3*size.X, size.Y))
			for k, p := range []*image.RGBA{t.Before.Picture, f.Picture, t.After.Picture} {
				compose.Draw(page, image.Rectangle{Max: size}.Add(image.Pt(k*size.X, 0)), p, image.Point{}, compose.Src)
			}
			return writePNG(sheet, page)
		},
	}
	from.flags(command)
	f := command.Flags()
	f.Uint64Var(&reference, "reference", 0, "`seed` of the picture to take the part from")
	f.StringVar(&file, "reference-latent", "", "`file` with the latent of the picture to take the part from, such as one that embed wrote of a photo")
	f.StringSliceVar(&classes, "classes", nil, "`classes` of the part")
	f.StringVar(&name, "name", "Part", "`name` of the vector")
	f.StringVarP(&out, "o", "o", "", "`file` for the vector")
	f.StringVar(&sheet, "sheet", "", "`file` for the pictures side by side (PNG)")
	return command
}

func writeAxes(ctx context.Context, e *engine.Engine, axes []latent.Code, kind, out, sheet string, seed uint64) error {
	if out != "" {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return err
		}
		for i, a := range axes {
			v := vectors.New(fmt.Sprintf("%s %d", strings.ToUpper(kind), i+1), vectorModel(e), a)
			v.Tags, v.Learnt = []string{kind}, vectors.Learnt{How: "unsupervised", Detail: map[string]string{"method": kind}}
			if err := vectors.WriteFile(filepath.Join(out, vectorFileName(v.Name)), v); err != nil {
				return err
			}
		}
	}
	if sheet == "" {
		return nil
	}
	size := image.Pt(e.Info().Width, e.Info().Height)
	page := image.NewRGBA(image.Rect(0, 0, len(learning.StripStrengths)*size.X, len(axes)*size.Y))
	code := e.Sample(seed, e.Info().Manifest.Truncation.Psi)
	for y, a := range axes {
		for t, err := range learning.Strip(ctx, e, code, a) {
			if err != nil {
				return err
			}
			at := image.Pt(slices.Index(learning.StripStrengths, t.Strength)*size.X, y*size.Y)
			compose.Draw(page, image.Rectangle{Max: size}.Add(at), t.Frame.Picture, image.Point{}, compose.Src)
		}
	}
	return writePNG(sheet, page)
}
