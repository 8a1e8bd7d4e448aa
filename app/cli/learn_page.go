package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"

	"latentbrush/engine"
)

// The part of a page of figures that learn writes lies between two lines, which do not show on
// the page. What people wrote around them stays.
const (
	pageBegin = "<!-- figures: written by latentbrush learn -->"
	pageEnd   = "<!-- end of figures -->"
)

// vectorsPage is a page of figures: what stands before and after them.
type vectorsPage struct{ path, before, after string }

// openVectorsPage reads the page at path, which need not exist.
func openVectorsPage(path string) (*vectorsPage, error) {
	p := &vectorsPage{path: path, before: "# Editing vectors\n\n", after: "\n"}
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	top, rest, begun := strings.Cut(string(old), pageBegin)
	_, bottom, ended := strings.Cut(rest, pageEnd)
	if !begun || !ended {
		return nil, fmt.Errorf("page: %s has no lines %q and %q, between which the figures would go", path, pageBegin, pageEnd)
	}
	p.before, p.after = top, bottom
	return p, nil
}

// write puts the figures into the page.
func (p *vectorsPage) write(i engine.Info, rows []learntRow) error {
	err := writeWhole(p.path, func(w io.Writer) error {
		_, err := io.WriteString(w, p.before+pageBegin+"\n\n"+vectorFigures(i, rows)+"\n"+pageEnd+p.after)
		return err
	})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// vectorFigures are the tables of a page, in Markdown.
func vectorFigures(i engine.Info, rows []learntRow) string {
	met, tested, sum := 0, 0, 0.0
	for _, row := range rows {
		sum += row.Seconds
		tested = max(tested, row.Seeds)
		if row.met() {
			met++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Model: %s (%s), %d × %d. Tried on %d pictures; the goal is at least %.0f %% success and at most %g levels of leak.

**%d of %d reach both goals.** Apart from the survey they took %.0f s.

| vector | learnt from | success | leak | outside | effect | safe | rows | quiet | local | goals |
|---|---|---|---|---|---|---|---|---|---|---|
`, i.Manifest.ID, i.Fingerprint[:min(8, len(i.Fingerprint))], i.Width, i.Height, tested, 100*successGoal, leakGoal, met, len(rows), sum)
	for _, row := range rows {
		if row.Error != "" {
			fmt.Fprintf(&b, "| %s | %s | | | | | | | | | failed |\n", row.Name, row.Error)
			continue
		}
		goals := "met"
		if !row.met() {
			var missed []string
			if row.Success < successGoal {
				missed = append(missed, "success")
			}
			if row.Leak > leakGoal {
				missed = append(missed, "leak")
			}
			goals = "**misses " + strings.Join(missed, " and ") + "**"
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f %% | %.2f | %.0f %% | %.2f σ | %g … %g | %d | %s | %s | %s |\n",
			row.Name, row.how(), math.Round(100*row.Success), row.Leak, 100*row.Outside, row.Effect, row.SafeLo, row.SafeHi, len(row.Rows), fall(row.LeakLoud, row.LeakQuiet), fall(row.LeakAll, row.LeakLocal), goals)
	}
	b.WriteString("\n## What each is\n\n| vector | operation | statistic | region |\n|---|---|---|---|\n")
	for _, row := range rows {
		operation := "–"
		if row.Spec.Operation != "" {
			operation = "`" + row.Spec.Operation + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s |\n", row.Name, operation, row.Spec.Statistic, strings.Join(row.Spec.Classes, ", "))
	}
	return b.String()
}
