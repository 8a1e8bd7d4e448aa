package engine

import "latentbrush/engine/ort"

// Device is what computes, and Trial what came of trying one; see [ort.Device].
type (
	Device = ort.Device
	Trial  = ort.Trial
)

// CPU is the device that is always there.
const CPU = ort.CPU

// ErrNoLibrary is returned, wrapped in a sentence that lists the places, when no ONNX
// Runtime library was found.
var ErrNoLibrary = ort.ErrNoLibrary

// ParseDevice reads a device's name as people write it; "auto" and "" take the first
// usable one.
func ParseDevice(name string) (Device, error) { return ort.ParseDevice(name) }
