package ort

import "syscall"

// Memory reads the memory of this process. The system tells only the peak without more calls.
func Memory() MemoryUse {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return MemoryUse{}
	}
	return MemoryUse{Resident: uint64(usage.Maxrss), Peak: uint64(usage.Maxrss)}
}

// ResetPeak cannot be done on this system; the peak is that of the whole process.
func ResetPeak() bool { return false }
