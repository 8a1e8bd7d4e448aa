package cli

import (
	"fmt"
	"slices"
	"strconv"

	"latentbrush/engine/latent"
)

// trailPoint is a step of a run: what is needed to say where it would have ended under
// another rule, and with which result.
type trailPoint struct {
	code                 latent.Code
	stage                int
	loss, agreement, iou float64
	seconds              float64 // since the request
}

// runEnd is a rule that ends a run: after a number of steps, or when a share of the
// region's pixels has had the painted label in three steps in a row.
type runEnd struct {
	steps     int
	agreement float64
}

func (r runEnd) String() string {
	if r.agreement > 0 {
		return fmt.Sprintf("agreement %v", r.agreement)
	}
	return fmt.Sprintf("step %d", r.steps)
}

func parseEnds(list []string) ([]runEnd, error) {
	var out []runEnd
	for _, s := range list {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			out = append(out, runEnd{steps: n})
		} else if v, err := strconv.ParseFloat(s, 64); err == nil && v > 0 && v < 1 {
			out = append(out, runEnd{agreement: v})
		} else {
			return nil, fmt.Errorf("-ends has %q, want a number of steps or a share between 0 and 1", s)
		}
	}
	return out, nil
}

// last is the index of the last point of a run that ends by the rule, which is that of the
// run itself when the rule never ends it.
func (r runEnd) last(trail []trailPoint) int {
	agreed := 0
	for i, p := range trail {
		if agreed++; p.agreement < r.agreement || i > 0 && p.stage != trail[i-1].stage {
			agreed = 0
		}
		if r.steps > 0 && i == r.steps || r.agreement > 0 && agreed == 3 {
			return i
		}
	}
	return len(trail) - 1
}

// result is the index of the point that a run of these points returns: that of the lowest
// loss in the last stage, since stages measure the prior from different codes.
func result(trail []trailPoint) int {
	best := len(trail) - 1
	for i := best; i >= 0 && trail[i].stage == trail[best].stage; i-- {
		if trail[i].loss <= trail[best].loss {
			best = i
		}
	}
	return best
}

func endingWith(scores []editScore, end string) []editScore {
	return slices.DeleteFunc(slices.Clone(scores), func(s editScore) bool { return s.End != end })
}

// summaries are the means of all edits, one for each end.
func summaries(scores []editScore) []editScore {
	var out []editScore
	for _, s := range scores {
		if !slices.ContainsFunc(out, func(o editScore) bool { return o.End == s.End }) {
			m := editSummary(endingWith(scores, s.End))
			m.End = s.End
			out = append(out, m)
		}
	}
	return out
}
