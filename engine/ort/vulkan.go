package ort

import (
	"os"
	"path/filepath"
	"strings"
)

// vulkanDrivers lists the driver manifests that the Vulkan loader on Linux would read. Without one, WebGPU is not
// tried: the library would print its own warnings to the terminal only to say the same.
func vulkanDrivers(env func(string) string) []string {
	for _, name := range []string{"VK_DRIVER_FILES", "VK_ICD_FILENAMES"} {
		if list := env(name); list != "" {
			return filepath.SplitList(list)
		}
	}
	home := env("HOME")
	or := func(name, fallback string) string {
		if value := env(name); value != "" {
			return value
		}
		return fallback
	}
	folders := strings.Join([]string{
		or("XDG_CONFIG_HOME", filepath.Join(home, ".config")),
		or("XDG_CONFIG_DIRS", "/etc/xdg"),
		"/etc",
		or("XDG_DATA_HOME", filepath.Join(home, ".local", "share")),
		or("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
	}, string(os.PathListSeparator))
	manifests := filepath.SplitList(env("VK_ADD_DRIVER_FILES"))
	for _, folder := range filepath.SplitList(folders) {
		if folder == "" {
			continue
		}
		// The pattern is well formed unless a folder's name holds a bracket; then the folder gives no driver.
		found, _ := filepath.Glob(filepath.Join(folder, "vulkan", "icd.d", "*.json"))
		manifests = append(manifests, found...)
	}
	return manifests
}
