//go:build !linux && !darwin

package ort

// Memory is not known on this system.
func Memory() MemoryUse { return MemoryUse{} }
