//go:build unix

package document

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile takes a lock that the system lets go of when the process ends, however it ends. It fails when another
// holder lives.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use: %w", path, err)
	}
	return func() { f.Close() }, nil
}
