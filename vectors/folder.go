package vectors

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultDir returns the folder of the user's own vectors: latentbrush/vectors in the folder
// where this system keeps a user's data. It need not exist.
func DefaultDir() (string, error) {
	if runtime.GOOS == "linux" || runtime.GOOS == "freebsd" {
		// XDG Base Directory Specification: data belongs below XDG_DATA_HOME.
		if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "latentbrush", "vectors"), nil
		}
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("vectors: there is no folder for the library: %w", err)
		}
		return filepath.Join(home, ".local", "share", "latentbrush", "vectors"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("vectors: there is no folder for the library: %w", err)
	}
	return filepath.Join(dir, "latentbrush", "vectors"), nil
}
