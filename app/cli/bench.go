package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/engine/ort"
)

// Row is one measured figure; its JSON is a public format.
type Row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Goal is the bound to reach, "≥ 75" or "≤ 2.3" in the row's unit; empty for a figure without one.
	Goal string `json:"goal"`
	// Met says whether the goal is reached; null without a goal.
	Met *bool `json:"met"`
}

// Bench collects the rows of one run.
type Bench struct {
	Env     *Env
	Runtime *ort.Runtime
	rows    []Row
	report  func(Row)
}

// measurement is one group of rows. It stops with an error when ctx ends.
type measurement struct {
	name string
	run  func(ctx context.Context, b *Bench) error
}

// measurements lists all groups, in the order in which they run.
var measurements = []measurement{
	{"machine", measureMachine},
	{"generator", measureGenerator},
	{"memory-512", measureMemory},
	{"memory-sizes", measureSizes},
	{"canvas", measureCanvas},
	{"engine", measureEngine},
	{"edit", measureEdit},
	{"vectors", measureVectors},
	{"photo", measurePhoto},
	{"styles", measureStyles},
	{"growth", measureGrowth},
}

// Row adds a figure without a goal.
func (b *Bench) Row(name string, value float64, unit string) {
	b.add(Row{Name: name, Value: value, Unit: unit})
}

// AtLeast adds a figure that should not be below goal.
func (b *Bench) AtLeast(name string, value float64, unit string, goal float64) {
	met := value >= goal
	b.add(Row{name, value, unit, fmt.Sprintf("≥ %g", goal), &met})
}

// AtMost adds a figure that should not be above goal.
func (b *Bench) AtMost(name string, value float64, unit string, goal float64) {
	met := value <= goal
	b.add(Row{name, value, unit, fmt.Sprintf("≤ %g", goal), &met})
}

func (b *Bench) add(r Row) {
	b.rows = append(b.rows, r)
	if b.report != nil {
		b.report(r)
	}
}

// Ceiling is the machine's speed on a large plain convolution at this moment, in GFLOP/s. Measure it right beside what
// is held against it: the speed of a shared machine changes within a minute.
func (b *Bench) Ceiling(ctx context.Context) (float64, error) {
	return b.Runtime.Ceiling(ctx, 700*time.Millisecond)
}

// Best is the shortest time of run, which is called once to warm up and then at least three times and for about a
// second. On a shared machine the shortest time is the one that says most about the program.
func (b *Bench) Best(run func() error) (time.Duration, error) {
	if err := run(); err != nil {
		return 0, err
	}
	var best time.Duration
	begin := time.Now()
	for i := 0; i < 3 || time.Since(begin) < time.Second; i++ {
		start := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		if took := time.Since(start); best == 0 || took < best {
			best = took
		}
	}
	return best, nil
}

// Peak is the most memory that the process held since the group began, or since [ort.ResetPeak], in MB; 0 where the system
// does not tell.
func (b *Bench) Peak() float64 { return float64(ort.Memory().Peak) / (1 << 20) }

func measureMachine(ctx context.Context, b *Bench) error {
	ceiling, err := b.Ceiling(ctx)
	if err != nil {
		return err
	}
	b.Row("machine/conv-ceiling", ceiling, "GFLOP/s")
	return nil
}

func newBenchCommand(env *Env) *cobra.Command {
	var output, pattern string
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed and memory on this machine",
		Long: `Bench measures speed and memory on this machine and prints a table. With -o the same rows are written as JSON:
a list of objects with name, value, unit, goal and met.

Speeds are given beside the machine's own ceiling, a large plain convolution timed in the same run, because
only their ratio can be compared between machines.`,
		Example: "  latentbrush bench -o bench.json\n  latentbrush bench -run generator",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			chosen, err := regexp.Compile(pattern)
			if err != nil {
				return usageError{fmt.Errorf("bench: -run: %w", err)}
			}
			rt, err := env.OpenRuntime(command.Context())
			if err != nil {
				return err
			}
			b := &Bench{Env: env, Runtime: rt}
			b.report = func(r Row) { fmt.Fprintf(env.Err, "%s %.4g %s\n", r.Name, r.Value, r.Unit) }
			ran := 0
			for _, m := range measurements {
				if !chosen.MatchString(m.name) {
					continue
				}
				ran++
				debug.FreeOSMemory()
				ort.ResetPeak()
				if err := m.run(command.Context(), b); err != nil {
					return fmt.Errorf("bench: %s: %w", m.name, err)
				}
				if peak := b.Peak(); peak > 0 {
					b.Row(m.name+"/peak-memory", peak, "MB")
				}
			}
			if ran == 0 {
				var names []string
				for _, m := range measurements {
					names = append(names, m.name)
				}
				return usageError{fmt.Errorf("bench: -run %q names no group; there are %s", pattern, strings.Join(names, ", "))}
			}
			if err := b.print(); err != nil {
				return err
			}
			if output == "" {
				return nil
			}
			return writeRows(output, b.rows)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "`file` for the rows as JSON")
	command.Flags().StringVar(&pattern, "run", "", "only the groups whose name matches this regular `expression`")
	return command
}

func (b *Bench) print() error {
	table := tabwriter.NewWriter(b.Env.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "name\tvalue\tunit\tgoal\tmet")
	for _, r := range b.rows {
		met := ""
		if r.Met != nil {
			met = map[bool]string{true: "yes", false: "NO"}[*r.Met]
		}
		fmt.Fprintf(table, "%s\t%.4g\t%s\t%s\t%s\n", r.Name, r.Value, r.Unit, r.Goal, met)
	}
	return table.Flush()
}

// writeRows writes atomically; rows of groups that did not run this time are kept from the file that was there.
func writeRows(path string, rows []Row) error {
	var kept []Row
	if old, err := os.ReadFile(path); err == nil && json.Unmarshal(old, &kept) == nil {
		kept = slices.DeleteFunc(kept, func(k Row) bool {
			return slices.ContainsFunc(rows, func(r Row) bool { return r.Name == k.Name })
		})
		rows = append(kept, rows...)
	}
	data, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".bench-*")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.Remove(file.Name())
	if _, err := file.Write(append(data, '\n')); err != nil {
		file.Close()
		return fmt.Errorf("bench: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}
