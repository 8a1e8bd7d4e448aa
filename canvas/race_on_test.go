//go:build race

package canvas_test

// racing says that the race detector is on: it makes painting ten times slower, and
// what it looks for shows in a fraction of the repetitions.
const racing = true
