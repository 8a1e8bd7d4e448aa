package document

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes a lock that the system lets go of when the process ends, however it ends: it opens the file and
// shares it with nobody. It fails when another holder lives.
func lockFile(path string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, fmt.Errorf("%s is in use: %w", path, err)
	}
	f := os.NewFile(uintptr(h), path)
	return func() { f.Close() }, nil
}
