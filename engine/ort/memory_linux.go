package ort

import (
	"bytes"
	"os"
	"strconv"
)

// Memory reads the memory of this process.
func Memory() MemoryUse {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return MemoryUse{}
	}
	return MemoryUse{Resident: statusBytes(status, "VmRSS:"), Peak: statusBytes(status, "VmHWM:")}
}

// statusBytes reads a line such as "VmRSS:	    1234 kB".
func statusBytes(status []byte, key string) uint64 {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte(key))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) == 0 {
			return 0
		}
		kilobytes, err := strconv.ParseUint(string(fields[0]), 10, 54)
		if err != nil {
			return 0
		}
		return kilobytes << 10
	}
	return 0
}

// ResetPeak makes [MemoryUse.Peak] start again from what is held now, so that one part of a program can be measured. It
// says whether the system could do that.
func ResetPeak() bool {
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
}
