//go:build !race

package canvas_test

// racing says that the race detector is on.
const racing = false
