package ort

import (
	"context"
	"time"
)

// The plain convolution against which other speeds are held: large enough to be bound by arithmetic alone.
const (
	ceilingChannels = 256
	ceilingSide     = 64
)

// Ceiling measures the speed that this machine reaches on the operation that generators are made of, in GFLOP/s: the
// best of the runs of one large 3×3 convolution that fit into the given time, at least three. A multiplication and an
// addition count as two operations.
func (rt *Runtime) Ceiling(ctx context.Context, limit time.Duration) (float64, error) {
	const c, n = ceilingChannels, ceilingSide
	w := &proofWriter{}
	w.value(graphInput, "x", 1, c, n, n)
	w.value(graphOutput, "y", 1, c, n, n)
	w.floats("w", noise(1, c*c*9), c, c, 3, 3)
	w.node("y", "Conv", []string{"x", "w"}, attribute("pads", []int{1, 1, 1, 1}))
	session, err := rt.NewSession(w.model(), nil, nil, SessionOptions{})
	if err != nil {
		return 0, err
	}
	defer session.Close()
	copy(session.Input("x"), noise(2, c*n*n))

	var best time.Duration
	start := time.Now()
	for i := 0; i < 4 || time.Since(start) < limit; i++ {
		if err := session.Run(ctx); err != nil {
			return 0, err
		}
		if took := session.Stats().Last; i > 0 && (best == 0 || took < best) {
			best = took
		}
	}
	return 2 * c * c * 9 * n * n / best.Seconds() / 1e9, nil
}
