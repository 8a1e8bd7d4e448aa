//go:build !linux && !darwin

package ort

// Memory is not known on this system.
func Memory() MemoryUse { return MemoryUse{} }

// ResetPeak cannot be done on this system; the peak is that of the whole process.
func ResetPeak() bool { return false }
