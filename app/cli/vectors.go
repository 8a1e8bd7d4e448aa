package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// vectorsEnv is what the subcommands of vectors share.
type vectorsEnv struct {
	*Env
	dir    string
	asJSON bool
}

func newVectorsCommand(env *Env) *cobra.Command {
	v := &vectorsEnv{Env: env}
	command := &cobra.Command{
		Use:   "vectors",
		Short: "Keep, find, share and combine editing vectors",
		Long: `Vectors works on the library of editing vectors: the user's own folder and the vectors of the model,
the one that -model names or the one that comes with the program.

A vector is named by its id, as "vectors list" shows it, or by its name. The vectors of a model have ids that begin
with "model/" and cannot be changed.`,
		Example: `  latentbrush vectors list rating:3 class:hair
  latentbrush vectors import wheel_enlarge.npy -model car.zip
  latentbrush vectors average smile -o "Mean smile" smile-2 smile-3
  latentbrush vectors sum model/smile model/close-eyes=0.5 -o "Content"
  latentbrush vectors local bob -o "Bob, hair only"
  latentbrush vectors diff smile smile-2 -sheet versions.png
  latentbrush vectors pack faces.zip smile fringe -licence CC-BY-4.0`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.PersistentFlags().StringVar(&v.dir, "library", "", "`folder` of the library (default: the user's own)")
	command.PersistentFlags().BoolVar(&v.asJSON, "json", false, "write the result as JSON")
	command.AddCommand(
		v.list(), v.show(), v.importFiles(), v.export(), v.rename(), v.tag(), v.rate(), v.copy(), v.remove(), v.trash(), v.restore(),
		v.pack(), v.unpack(), v.duplicates(), v.diff(),
		v.average(), v.sum(), v.subtract(), v.scale(), v.orthogonalise(), v.restrict(), v.local(),
	)
	return command
}

// open opens the library and, when -model is given, says which model that is: a file of
// unknown origin is taken for that model's, never for the default one's.
func (v *vectorsEnv) open() (*vectors.Library, vectors.Model, error) {
	dir := v.dir
	if dir == "" {
		var err error
		if dir, err = vectors.DefaultDir(); err != nil {
			return nil, vectors.Model{}, err
		}
	}
	m, err := openModel(v.Env)
	if err != nil {
		return nil, vectors.Model{}, err
	}
	var of vectors.Model
	if v.Model != "" {
		of.ID = m.Manifest.ID
		if of.Fingerprint, err = m.Fingerprint(); err != nil {
			return nil, of, err
		}
	}
	bundle, err := fs.Sub(m.FS(), "vectors")
	if err != nil {
		return nil, of, fmt.Errorf("vectors: %w", err)
	}
	l, err := vectors.OpenLibrary(dir, bundle)
	return l, of, err
}

// wrongUsage marks what check refuses as an error of the command line.
func wrongUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if err := check(command, args); err != nil {
			return usageError{fmt.Errorf("%s: %w", command.Name(), err)}
		}
		return nil
	}
}

// each opens the library and calls work with every entry that args name.
func (v *vectorsEnv) each(args []string, work func(*vectors.Library, vectors.Entry) error) error {
	l, _, err := v.open()
	if err != nil {
		return err
	}
	for _, name := range args {
		e, err := l.Find(name)
		if err != nil {
			return err
		}
		if err := work(l, e); err != nil {
			return err
		}
	}
	return nil
}

// vectorRow is an entry as -json shows it.
type vectorRow struct {
	ID             string                  `json:"id"`
	Name           string                  `json:"name"`
	Tags           []string                `json:"tags,omitempty"`
	Rating         int                     `json:"rating"`
	Author         string                  `json:"author,omitempty"`
	Licence        string                  `json:"licence,omitempty"`
	Notes          string                  `json:"notes,omitempty"`
	Model          vectors.Model           `json:"model"`
	Rows           int                     `json:"rows"`
	Dim            int                     `json:"dim"`
	RowsUsed       []int                   `json:"rows_used,omitempty"`
	Classes        []vectors.Class         `json:"classes,omitempty"`
	Calibration    vectors.Calibration     `json:"calibration"`
	Learnt         vectors.Learnt          `json:"learnt"`
	Generalisation *vectors.Generalisation `json:"generalisation,omitempty"`
	Recipe         *vectors.Recipe         `json:"recipe,omitempty"`
	Created        string                  `json:"created,omitempty"`
	Content        string                  `json:"content,omitempty"`
	Bundled        bool                    `json:"bundled,omitempty"`
	Broken         string                  `json:"broken,omitempty"`
}

func rowOf(e vectors.Entry) vectorRow {
	r := vectorRow{
		ID: e.ID, Name: e.Name, Tags: e.Tags, Rating: e.Rating, Author: e.Author, Licence: e.Licence, Notes: e.Notes,
		Model: e.Model, Rows: e.Rows, Dim: e.Dim, RowsUsed: e.RowsUsed, Classes: e.Classes, Calibration: e.Calibration,
		Learnt: e.Learnt, Recipe: e.Recipe, Content: e.Content, Bundled: e.Bundled,
	}
	if e.Generalisation.Seeds > 0 {
		r.Generalisation = &e.Generalisation
	}
	if !e.Created.IsZero() {
		r.Created = e.Created.Format("2006-01-02T15:04:05Z07:00")
	}
	if e.Err != nil {
		r.Broken = e.Err.Error()
	}
	return r
}

func (v *vectorsEnv) writeJSON(x any) error {
	encoder := json.NewEncoder(v.Out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(x)
}

func (v *vectorsEnv) list() *cobra.Command {
	var sort string
	command := &cobra.Command{
		Use:   "list [words and filters]",
		Short: "List the vectors that match",
		Long: `List shows the vectors whose name, tags, classes, author or notes contain all words.
The filters tag:x, class:x and rating:n narrow it down. With -model only vectors that fit that model are shown.`,
		RunE: func(_ *cobra.Command, args []string) error {
			q, err := vectors.ParseQuery(strings.Join(args, " "))
			if err != nil {
				return usageError{err}
			}
			switch sort {
			case "name":
			case "rating":
				q.Order = vectors.ByRating
			case "new":
				q.Order = vectors.ByNewest
			default:
				return usageError{fmt.Errorf("vectors: -sort is %q; name, rating or new expected", sort)}
			}
			l, of, err := v.open()
			if err != nil {
				return err
			}
			q.Model = of
			found := l.Search(q)
			if v.asJSON {
				rows := make([]vectorRow, len(found))
				for i, e := range found {
					rows[i] = rowOf(e)
				}
				return v.writeJSON(rows)
			}
			table := tabwriter.NewWriter(v.Out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ID\tNAME\tSTARS\tTAGS\tCLASSES\tMODEL")
			for _, e := range found {
				if e.Err != nil {
					fmt.Fprintf(table, "%s\t(broken) %v\n", e.ID, e.Err)
					continue
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Name, strings.Repeat("*", e.Rating),
					strings.Join(e.Tags, ", "), classNames(e.Classes), e.Model)
			}
			return table.Flush()
		},
	}
	command.Flags().StringVar(&sort, "sort", "name", "`order`: name, rating or new")
	return command
}

func classNames(classes []vectors.Class) string {
	names := make([]string, len(classes))
	for i, c := range classes {
		if names[i] = c.Name; c.Name == "" {
			names[i] = strconv.Itoa(int(c.ID))
		}
	}
	return strings.Join(names, ", ")
}

func (v *vectorsEnv) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show vector…",
		Short: "Show all that is known of a vector",
		Args:  wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.each(args, func(l *vectors.Library, e vectors.Entry) error {
				if v.asJSON {
					return v.writeJSON(rowOf(e))
				}
				full, err := l.Load(e.ID)
				if err != nil {
					return err
				}
				printVector(v.Out, e, full)
				return nil
			})
		},
	}
}

func printVector(w io.Writer, e vectors.Entry, v *vectors.Vector) {
	field := func(name, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			fmt.Fprintf(w, "%-16s %s\n", name, text)
		}
	}
	field("Name", "%s", v.Name)
	field("Id", "%s", e.ID)
	field("Tags", "%s", strings.Join(v.Tags, ", "))
	field("Rating", "%d of %d", v.Rating, vectors.MaxRating)
	field("Author", "%s", v.Author)
	field("Licence", "%s", v.Licence)
	field("Notes", "%s", v.Notes)
	field("Model", "%s", v.Model)
	field("Size", "%d × %d, length %.4g", v.Rows, v.Dim, v.Delta.Norm())
	field("Classes", "%s", classNames(v.Classes))
	energy := make([]string, v.Rows)
	for r, x := range v.Energy() {
		energy[r] = fmt.Sprintf("%.2f", x)
	}
	field("Length per row", "%s", strings.Join(energy, " "))
	if c := v.Calibration; c.UnitEffect != 0 {
		field("Effect at 1", "%.4g (%s)", c.UnitEffect, c.Measure)
	}
	if lo, hi, ok := v.Calibration.Safe(); ok {
		field("Safe strengths", "%.2f to %.2f", lo, hi)
	}
	field("Learnt by", "%s", v.Learnt.How)
	if g := v.Generalisation; g.Seeds > 0 {
		field("Generalisation", "%.0f %% of %d seeds, leak %.2f grey levels (%s)", math.Round(100*g.Success), g.Seeds, g.Leak, g.Criterion)
		if len(g.Readings) > 0 {
			var changes []string
			for _, r := range g.Readings[:min(len(g.Readings), 6)] {
				changes = append(changes, fmt.Sprintf("%s %+.2f", r.Name, r.Change))
			}
			field("Changes", "%s (standard deviations); same person %.2f", strings.Join(changes, ", "), g.SamePerson)
		}
	}
	if v.Recipe != nil {
		field("Recipe", "%s", v.Recipe)
	}
	field("Created", "%s", v.Created.Format("2006-01-02 15:04 MST"))
	field("Content", "%s", v.Content)
}

func (v *vectorsEnv) importFiles() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "import file…",
		Short: "Add vector files to the library",
		Long: `Import adds vector files, NumPy arrays (.npy) of rows × dim numbers, and share packs (.zip).
A file that the library has already adds nothing. With -model, vectors that do not fit it are refused, and files that do
not say to which model they belong are taken to be of this one.`,
		Args: wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if name != "" && len(args) > 1 {
				return usageError{fmt.Errorf("vectors: -name names one file, but %d are given", len(args))}
			}
			l, of, err := v.open()
			if err != nil {
				return err
			}
			for _, path := range args {
				if strings.EqualFold(filepath.Ext(path), ".zip") {
					if err := v.addPack(l, path); err != nil {
						return err
					}
					continue
				}
				vector, err := vectors.Import(path, of)
				if err != nil {
					return err
				}
				if name != "" {
					vector.Name = name
				}
				if l.Has(vector.Content) {
					fmt.Fprintf(v.Out, "%s is in the library already\n", path)
					continue
				}
				e, err := l.Add(vector)
				if err != nil {
					return err
				}
				fmt.Fprintf(v.Out, "added %s\n", e.ID)
			}
			return nil
		},
	}
	command.Flags().StringVar(&name, "name", "", "`name` of the vector (default: the one in the file, or the file's)")
	return command
}

func (v *vectorsEnv) addPack(l *vectors.Library, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("vectors: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("vectors: %w", err)
	}
	done, err := l.AddPack(f, info.Size())
	for _, e := range done.Added {
		fmt.Fprintf(v.Out, "added %s\n", e.ID)
	}
	for _, name := range done.Known {
		fmt.Fprintf(v.Out, "%s is in the library already\n", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, failed := range done.Failed {
		fmt.Fprintln(v.Err, failed)
	}
	if len(done.Failed) > 0 {
		return fmt.Errorf("vectors: %d vectors of %s could not be read", len(done.Failed), path)
	}
	return nil
}

func (v *vectorsEnv) export() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "export vector",
		Short: "Write a vector, or its pictures, to a file",
		Long: `Export writes a vector to the file that -o names. The ending decides what is written: .safetensors the whole
vector, .npy its numbers as NumPy array of shape (1, rows, dim), .png the contact sheet of its test or the picture
with the vector applied.`,
		Args: wrongUsage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.each(args, func(l *vectors.Library, e vectors.Entry) error {
				vector, err := l.Load(e.ID)
				if err != nil {
					return err
				}
				if output == "" {
					output = filepath.Base(e.ID) + vectors.Ext
				}
				switch ext := strings.ToLower(filepath.Ext(output)); ext {
				case vectors.Ext:
					return vectors.WriteFile(output, vector)
				case ".npy":
					return vectors.WriteAtomic(output, func(w io.Writer) error { return vectors.WriteNPY(w, vector.Delta) })
				case ".png":
					picture := vector.Sheet
					if picture == nil {
						picture = vector.After
					}
					if picture == nil {
						return fmt.Errorf("vectors: %s has no picture", e.ID)
					}
					return vectors.WriteAtomic(output, func(w io.Writer) error { return png.Encode(w, picture) })
				default:
					return usageError{fmt.Errorf("vectors: cannot write %q files; .safetensors, .npy or .png expected", ext)}
				}
			})
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "`file` to write (default: id.safetensors)")
	return command
}

func (v *vectorsEnv) rename() *cobra.Command {
	return &cobra.Command{
		Use:   "rename vector name",
		Short: "Give a vector another name",
		Args:  wrongUsage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.each(args[:1], func(l *vectors.Library, e vectors.Entry) error {
				_, err := l.Rename(e.ID, args[1])
				return err
			})
		},
	}
}

func (v *vectorsEnv) tag() *cobra.Command {
	return &cobra.Command{
		Use:   "tag vector [tag…]",
		Short: "Replace the tags of a vector",
		Args:  wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.each(args[:1], func(l *vectors.Library, e vectors.Entry) error {
				_, err := l.SetTags(e.ID, args[1:]...)
				return err
			})
		},
	}
}

func (v *vectorsEnv) rate() *cobra.Command {
	return &cobra.Command{
		Use:   "rate vector stars",
		Short: "Rate a vector with 0 to 5 stars",
		Args:  wrongUsage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			stars, err := strconv.Atoi(args[1])
			if err != nil || stars < 0 || stars > vectors.MaxRating {
				return usageError{fmt.Errorf("vectors: %q stars, 0 to %d expected", args[1], vectors.MaxRating)}
			}
			return v.each(args[:1], func(l *vectors.Library, e vectors.Entry) error {
				_, err := l.Rate(e.ID, stars)
				return err
			})
		},
	}
}

func (v *vectorsEnv) copy() *cobra.Command {
	return &cobra.Command{
		Use:   "copy vector name",
		Short: "Copy a vector under a new name",
		Args:  wrongUsage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.each(args[:1], func(l *vectors.Library, e vectors.Entry) error {
				made, err := l.Duplicate(e.ID, args[1])
				if err == nil {
					fmt.Fprintf(v.Out, "added %s\n", made.ID)
				}
				return err
			})
		},
	}
}

func (v *vectorsEnv) remove() *cobra.Command {
	return &cobra.Command{
		Use:   "delete vector…",
		Short: "Move vectors to the trash folder of the library",
		Args:  wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return v.each(args, func(l *vectors.Library, e vectors.Entry) error { return l.Delete(e.ID) })
		},
	}
}

func (v *vectorsEnv) pack() *cobra.Command {
	var info vectors.PackInfo
	command := &cobra.Command{
		Use:   "pack file.zip vector…",
		Short: "Write vectors into one file to share",
		Args:  wrongUsage(cobra.MinimumNArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			l, _, err := v.open()
			if err != nil {
				return err
			}
			ids := make([]string, len(args)-1)
			for i, name := range args[1:] {
				e, err := l.Find(name)
				if err != nil {
					return err
				}
				ids[i] = e.ID
			}
			if info.Name == "" {
				info.Name = strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
			}
			if v.Now != nil {
				info.Created = v.Now().UTC()
			}
			return vectors.WriteAtomic(args[0], func(w io.Writer) error { return l.Pack(w, info, ids...) })
		},
	}
	command.Flags().StringVar(&info.Name, "name", "", "`name` of the pack (default: the file's)")
	command.Flags().StringVar(&info.Author, "author", "", "`author` of the pack and of vectors without one")
	command.Flags().StringVar(&info.Licence, "licence", "", "`licence` of the pack and of vectors without one; required")
	return command
}

func (v *vectorsEnv) unpack() *cobra.Command {
	return &cobra.Command{
		Use:   "unpack file.zip…",
		Short: "Add the vectors of share packs to the library",
		Args:  wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			l, _, err := v.open()
			if err != nil {
				return err
			}
			for _, path := range args {
				if err := v.addPack(l, path); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (v *vectorsEnv) duplicates() *cobra.Command {
	var limit float64
	command := &cobra.Command{
		Use:   "duplicates",
		Short: "List pairs of vectors that do nearly the same",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			l, _, err := v.open()
			if err != nil {
				return err
			}
			twins, err := l.Duplicates(command.Context(), limit)
			if err != nil {
				return err
			}
			for _, t := range twins {
				fmt.Fprintf(v.Out, "%.4f  %s  %s\n", t.Cosine, t.A.ID, t.B.ID)
			}
			return nil
		},
	}
	command.Flags().Float64Var(&limit, "cosine", 0.95, "least `cosine` of the angle between them")
	return command
}

// algebra makes a command whose arguments are vectors and whose result is a new one.
func (v *vectorsEnv) algebra(use, short string, least, most int, flags func(*cobra.Command), work func(name string, vs []*vectors.Vector) (*vectors.Vector, error)) *cobra.Command {
	return v.maker(use, short, least, most, flags, func(_ context.Context, l *vectors.Library, name string, args []string) (*vectors.Vector, error) {
		vs, err := loadAll(l, args)
		if err != nil {
			return nil, err
		}
		return work(name, vs)
	})
}

// maker makes a command whose result is a new vector in the library.
func (v *vectorsEnv) maker(use, short string, least, most int, flags func(*cobra.Command), work func(ctx context.Context, l *vectors.Library, name string, args []string) (*vectors.Vector, error)) *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  wrongUsage(cobra.RangeArgs(least, most)),
		RunE: func(command *cobra.Command, args []string) error {
			if err := vectors.CheckName(name); err != nil {
				return usageError{fmt.Errorf("%w; give one with -o", err)}
			}
			l, _, err := v.open()
			if err != nil {
				return err
			}
			made, err := work(command.Context(), l, name, args)
			if err != nil {
				return err
			}
			e, err := l.Add(made)
			if err != nil {
				return err
			}
			fmt.Fprintf(v.Out, "added %s: %s\n", e.ID, made.Recipe)
			return nil
		},
	}
	command.Flags().StringVarP(&name, "output", "o", "", "`name` of the new vector; required")
	if flags != nil {
		flags(command)
	}
	return command
}

// loadAll reads the vectors that args name.
func loadAll(l *vectors.Library, args []string) ([]*vectors.Vector, error) {
	vs := make([]*vectors.Vector, len(args))
	for i, arg := range args {
		e, err := l.Find(arg)
		if err != nil {
			return nil, err
		}
		if vs[i], err = l.Load(e.ID); err != nil {
			return nil, err
		}
	}
	return vs, nil
}

const manyVectors = 10_000

func (v *vectorsEnv) average() *cobra.Command {
	return v.algebra("average vector…", "Average vectors without the outliers", 1, manyVectors, nil,
		func(name string, vs []*vectors.Vector) (*vectors.Vector, error) { return vectors.Average(name, vs...) })
}

func (v *vectorsEnv) sum() *cobra.Command {
	return v.maker("sum vector[=strength]…", "Make several vectors one slider", 1, manyVectors, nil,
		func(_ context.Context, l *vectors.Library, name string, args []string) (*vectors.Vector, error) {
			names, strengths := make([]string, len(args)), make([]float64, len(args))
			for i, arg := range args {
				// A name may itself have a "=" in it.
				if _, err := l.Find(arg); err == nil {
					names[i], strengths[i] = arg, 1
					continue
				}
				f, err := parseStrength(arg)
				if err != nil {
					return nil, usageError{err}
				}
				names[i], strengths[i] = f.path, f.strength
			}
			vs, err := loadAll(l, names)
			if err != nil {
				return nil, err
			}
			return vectors.Combine(name, vs, strengths)
		})
}

func (v *vectorsEnv) subtract() *cobra.Command {
	return v.algebra("subtract a b", "Make what a does and b does not", 2, 2, nil,
		func(name string, vs []*vectors.Vector) (*vectors.Vector, error) {
			return vectors.Subtract(name, vs[0], vs[1])
		})
}

func (v *vectorsEnv) scale() *cobra.Command {
	var factor float64
	return v.algebra("scale vector", "Change what strength 1 means", 1, 1,
		func(c *cobra.Command) { c.Flags().Float64Var(&factor, "by", 1, "`factor`") },
		func(name string, vs []*vectors.Vector) (*vectors.Vector, error) {
			return vectors.Scale(name, vs[0], factor)
		})
}

func (v *vectorsEnv) orthogonalise() *cobra.Command {
	return v.algebra("orthogonalise vector other…", "Take the directions of others out of a vector", 2, manyVectors, nil,
		func(name string, vs []*vectors.Vector) (*vectors.Vector, error) {
			return vectors.Orthogonalise(name, vs[0], vs[1:]...)
		})
}

func (v *vectorsEnv) restrict() *cobra.Command {
	var rows []int
	return v.algebra("restrict vector", "Keep some rows of a vector", 1, 1,
		func(c *cobra.Command) {
			c.Flags().IntSliceVar(&rows, "rows", nil, "`rows` to keep, such as 4,5,6; required")
		},
		func(name string, vs []*vectors.Vector) (*vectors.Vector, error) {
			return vectors.Restrict(name, vs[0], rows...)
		})
}

// local is the one operation that looks at pictures, so it needs the model and a device.
func (v *vectorsEnv) local() *cobra.Command {
	return v.maker("local vector", "Leave out what acts outside the classes of a vector", 1, 1, nil,
		func(ctx context.Context, l *vectors.Library, name string, args []string) (*vectors.Vector, error) {
			vs, err := loadAll(l, args)
			if err != nil {
				return nil, err
			}
			of := vs[0]
			if len(of.Classes) == 0 {
				return nil, fmt.Errorf("vectors: %q has no classes, so nothing is outside of them", of.Name)
			}
			e, err := openEngine(ctx, v.Env)
			if err != nil {
				return nil, err
			}
			defer e.Close()
			if err := of.FitsModel(vectorModel(e), e.Info().Rows, e.Info().Dim); err != nil {
				return nil, err
			}
			probe, err := learning.NewProbe(ctx, e, learning.KnownSeed, learning.KnownPictures)
			if err != nil {
				return nil, err
			}
			statistic, err := learning.Explain(ctx, e, probe, of)
			if err != nil {
				return nil, err
			}
			delta, c, err := learning.LocaliseChannels(ctx, e, e.Model(), probe, of.Delta, of.ClassIDs(), &statistic, func(done, total int) {
				fmt.Fprintf(v.Err, "\r%d of %d ", done, total)
			})
			fmt.Fprint(v.Err, "\r")
			if err != nil {
				return nil, err
			}
			if c.Dropped == 0 {
				return nil, fmt.Errorf("vectors: of %d style channels none could be left out of %q: leak %.2f grey levels", c.Tried, of.Name, c.Before)
			}
			made, err := vectors.Local(name, of, delta)
			if err == nil {
				fmt.Fprintf(v.Out, "%d of %d style channels left out, leak %.2f → %.2f grey levels at equal effect\n", c.Dropped, c.Tried, c.Before, c.After)
			}
			return made, err
		})
}

func (v *vectorsEnv) trash() *cobra.Command {
	var empty bool
	command := &cobra.Command{
		Use:   "trash",
		Short: "List the deleted vectors, or remove them for good",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			l, _, err := v.open()
			if err != nil {
				return err
			}
			if empty {
				return l.EmptyTrash()
			}
			gone, err := l.Trash()
			if err != nil {
				return err
			}
			if v.asJSON {
				rows := make([]vectorRow, len(gone))
				for i, e := range gone {
					rows[i] = rowOf(e)
				}
				return v.writeJSON(rows)
			}
			for _, e := range gone {
				fmt.Fprintf(v.Out, "%s  %s\n", e.ID, e.Name)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&empty, "empty", false, "remove all that is in the trash")
	return command
}

func (v *vectorsEnv) restore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore id…",
		Short: "Bring deleted vectors back",
		Args:  wrongUsage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			l, _, err := v.open()
			if err != nil {
				return err
			}
			for _, id := range args {
				e, err := l.Undelete(id)
				if err != nil {
					return err
				}
				fmt.Fprintf(v.Out, "added %s\n", e.ID)
			}
			return nil
		},
	}
}
