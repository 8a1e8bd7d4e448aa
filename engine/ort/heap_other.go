//go:build !linux || !cgo

package ort

// releaseHeap does nothing: these systems give free pages back by themselves.
func releaseHeap() {}
