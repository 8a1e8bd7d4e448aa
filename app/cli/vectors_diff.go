package cli

import (
	"context"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/engine/learning"
	"latentbrush/vectors"
)

// differenceRow is a difference as -json shows it; its JSON is a public format.
type differenceRow struct {
	A      string           `json:"a"`
	B      string           `json:"b"`
	Cosine float64          `json:"cosine"`
	Rows   []rowDifference  `json:"rows"`
	OnlyA  []vectors.Class  `json:"only_a,omitempty"`
	OnlyB  []vectors.Class  `json:"only_b,omitempty"`
	Facts  []factDifference `json:"facts,omitempty"`
}

type rowDifference struct {
	A      float64 `json:"a"`
	B      float64 `json:"b"`
	Cosine float64 `json:"cosine"`
}

type factDifference struct {
	Fact string `json:"fact"`
	A    string `json:"a"`
	B    string `json:"b"`
}

func (v *vectorsEnv) diff() *cobra.Command {
	var sheet string
	var seed uint64
	command := &cobra.Command{
		Use:   "diff a b",
		Short: "Say how two vectors differ",
		Long: `Diff compares two vectors, such as two versions of one: the cosine of the angle between them, the length of each
row of W+ in both, the classes that only one has, and the facts that differ. The sheet has the same five random
pictures three times: as they are, with a, and with b, each at strength 1.`,
		Args: wrongUsage(cobra.ExactArgs(2)),
		RunE: func(command *cobra.Command, args []string) error {
			l, _, err := v.open()
			if err != nil {
				return err
			}
			vs, err := loadAll(l, args)
			if err != nil {
				return err
			}
			a, b := vs[0], vs[1]
			d, err := vectors.Diff(a, b)
			if err != nil {
				return err
			}
			if sheet != "" {
				if err := v.diffSheet(command.Context(), sheet, seed, a, b); err != nil {
					return err
				}
			}
			facts := differingFacts(a.Facts, b.Facts)
			if v.asJSON {
				row := differenceRow{A: a.Name, B: b.Name, Cosine: d.Cosine, OnlyA: d.OnlyA, OnlyB: d.OnlyB, Facts: facts}
				for _, r := range d.Rows {
					row.Rows = append(row.Rows, rowDifference(r))
				}
				return v.writeJSON(row)
			}
			fmt.Fprintf(v.Out, "cosine %.4f\n", d.Cosine)
			for _, only := range []struct {
				of      *vectors.Vector
				classes []vectors.Class
			}{{a, d.OnlyA}, {b, d.OnlyB}} {
				if len(only.classes) > 0 {
					fmt.Fprintf(v.Out, "only %s changes %s\n", only.of.Name, classNames(only.classes))
				}
			}
			t := tabwriter.NewWriter(v.Out, 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "\n\t%s\t%s\tcosine\n", a.Name, b.Name)
			for i, r := range d.Rows {
				fmt.Fprintf(t, "row %d\t%.3f\t%.3f\t%.3f\n", i, r.A, r.B, r.Cosine)
			}
			for _, f := range facts {
				fmt.Fprintf(t, "%s\t%s\t%s\n", f.Fact, f.A, f.B)
			}
			return t.Flush()
		},
	}
	command.Flags().StringVar(&sheet, "sheet", "", "`file` for the same pictures with both (PNG)")
	command.Flags().Uint64Var(&seed, "seed", 0, "`seed` of the first picture on the sheet")
	return command
}

// differingFacts are the facts that two vectors do not share.
func differingFacts(a, b vectors.Facts) []factDifference {
	var out []factDifference
	for _, f := range []struct {
		fact string
		of   func(vectors.Facts) string
	}{
		{"tags", func(f vectors.Facts) string { return strings.Join(f.Tags, ", ") }},
		{"author", func(f vectors.Facts) string { return f.Author }},
		{"licence", func(f vectors.Facts) string { return f.Licence }},
		{"learnt by", func(f vectors.Facts) string { return f.Learnt.How }},
		{"recipe", func(f vectors.Facts) string { return f.Recipe.String() }},
		{"effect at 1", func(f vectors.Facts) string { return fmt.Sprintf("%.4g", f.Calibration.UnitEffect) }},
		{"safe strengths", func(f vectors.Facts) string {
			lo, hi, ok := f.Calibration.Safe()
			if !ok {
				return ""
			}
			return fmt.Sprintf("%.2f to %.2f", lo, hi)
		}},
		{"success", func(f vectors.Facts) string { return tested(f, "%.0f %%", math.Round(100*f.Generalisation.Success)) }},
		{"leak", func(f vectors.Facts) string { return tested(f, "%.2f", f.Generalisation.Leak) }},
	} {
		if x, y := f.of(a), f.of(b); x != y {
			out = append(out, factDifference{f.fact, x, y})
		}
	}
	return out
}

func tested(f vectors.Facts, format string, value float64) string {
	if f.Generalisation.Seeds == 0 {
		return "not tested"
	}
	return fmt.Sprintf(format, value)
}

// diffSheet draws the same five pictures without a vector, with a and with b.
func (v *vectorsEnv) diffSheet(ctx context.Context, path string, seed uint64, a, b *vectors.Vector) error {
	e, err := openEngine(ctx, v.Env)
	if err != nil {
		return err
	}
	defer e.Close()
	rows := make([][]engine.Frame, 3)
	for _, of := range []*vectors.Vector{a, b} {
		if err := of.FitsModel(vectorModel(e), e.Info().Rows, e.Info().Dim); err != nil {
			return err
		}
	}
	probe, err := learning.NewProbe(ctx, e, seed, learning.ComparedPictures)
	if err != nil {
		return err
	}
	rows[0] = probe.Frames
	for i, of := range []*vectors.Vector{a, b} {
		t, err := probe.Try(ctx, e, of.Delta, 1, nil, nil, len(probe.Frames))
		if err != nil {
			return err
		}
		rows[i+1] = t.After
	}
	return writePNG(path, learning.Grid(e.Info().Width, rows...))
}
