package cli

import "testing"

func TestRunEnds(t *testing.T) {
	ends, err := parseEnds([]string{"3", "0.9", "40"})
	if err != nil || len(ends) != 3 {
		t.Fatalf("%v, %v", ends, err)
	}
	for _, bad := range []string{"0", "-2", "1.5", "all", ""} {
		if _, err := parseEnds([]string{bad}); err == nil {
			t.Errorf("%q is an end", bad)
		}
	}
	// Five steps of one stage, then three of another, whose losses are not comparable.
	var trail []trailPoint
	for i, p := range []struct{ loss, agreement float64 }{{5, 0.5}, {3, 0.95}, {4, 0.95}, {2, 0.8}, {6, 0.95}, {1, 0.95}, {9, 0.95}, {8, 0.95}} {
		trail = append(trail, trailPoint{stage: i / 5, loss: p.loss, agreement: p.agreement})
	}
	for i, want := range []int{3, 7, 7} { // agreement must hold for three steps of one stage
		if got := ends[i].last(trail); got != want {
			t.Errorf("the run ends by %v at %d, want %d", ends[i], got, want)
		}
	}
	for n, want := range map[int]int{3: 1, 5: 3, 6: 5, 8: 5} {
		if got := result(trail[:n]); got != want {
			t.Errorf("the result of %d points is number %d, want %d", n, got, want)
		}
	}
}
