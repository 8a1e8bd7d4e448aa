package learning

import (
	"context"
	"fmt"
	"math"
	"strings"

	"latentbrush/vectors"
)

// Explain finds the statistic that says best what a vector does, for one that was learnt
// from a painted edit: of the areas, sizes and places of its classes, each alone, the
// classes of a name's stem together and all together, it is the one that the vector changes the
// most, in standard deviations of the probe's pictures, and the most consistently. A vector
// whose facts name a statistic keeps it. The pictures of a test of the vector should be others.
func Explain(ctx context.Context, m Model, p *Probe, v *vectors.Vector) (Statistic, error) {
	names := Names(m)
	if text := v.Learnt.Detail["statistic"]; text != "" {
		if t, err := ParseStatistic(text, names); err == nil {
			return t, nil
		}
	}
	r, err := p.Try(ctx, m, v.Delta, 1, v.ClassIDs(), nil, len(p.Frames))
	if err != nil {
		return Statistic{}, err
	}
	known := map[uint8]string{}
	for name, id := range names {
		known[id] = name
	}
	groups, order := map[string][]string{}, []string{}
	put := func(group, name string) {
		if len(groups[group]) == 0 {
			order = append(order, group)
		}
		groups[group] = append(groups[group], name)
	}
	ids := v.ClassIDs()
	if len(ids) == 0 {
		for _, c := range m.Info().Manifest.Classes {
			ids = append(ids, uint8(c.ID))
		}
	}
	for _, id := range ids {
		name, ok := known[id]
		if !ok {
			continue
		}
		put(name, name)
		if stem, _, cut := strings.Cut(name, "_"); cut {
			put(stem+"_", name)
		}
	}
	if all := v.ClassIDs(); len(all) > 1 {
		for _, id := range all {
			if name, ok := known[id]; ok {
				put("*", name)
			}
		}
	}
	var best Statistic
	highest := 0.0
	for _, g := range order {
		if strings.HasSuffix(g, "_") && len(groups[g]) < 2 {
			continue
		}
		for _, f := range []string{"area", "width", "height", "x", "y"} {
			text := f + "(" + strings.Join(groups[g], ",") + ")"
			t, err := ParseStatistic(text, names)
			if err != nil {
				return best, err
			}
			var now, change []float64
			same, n := 0, 0
			for i, before := range p.Frames {
				a := t.Of(before.Labels)
				d := t.Of(r.After[i].Labels) - a
				now, change = append(now, a), append(change, d)
				if !math.IsNaN(d) {
					n++
					if d > 0 {
						same++
					} else if d < 0 {
						same--
					}
				}
			}
			if 2*n < len(p.Frames) || n == 0 {
				continue
			}
			effect := mean(change)
			// A class that is in few pictures has hardly a spread; a hundredth of the picture's
			// side is about what one sees.
			score := math.Abs(effect) / (deviation(now) + 0.004) * math.Abs(float64(same)) / float64(n)
			if score <= highest {
				continue
			}
			highest = score
			if effect < 0 {
				if t, err = ParseStatistic("-"+text, names); err != nil {
					return best, err
				}
			}
			best = t
		}
	}
	if highest == 0 {
		return best, fmt.Errorf("learning: %q changes no part of the pictures it was tried on", v.Name)
	}
	return best, nil
}
