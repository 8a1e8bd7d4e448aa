// Package floors holds the test that keeps the house in order: which package may import which, and which folders the
// repository has. It has no code of its own.
package floors
