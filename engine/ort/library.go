package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	onnx "github.com/yalue/onnxruntime_go"
)

// LibraryEnv is the environment variable that names the ONNX Runtime library, a file or the folder that holds it.
// When it is set nothing else is tried.
const LibraryEnv = "LATENTBRUSH_ONNXRUNTIME"

// LibraryVersion is the release that `make setup` puts into the user's cache folder.
const LibraryVersion = "1.30.0"

// oldestLibrary is the first release whose C interface the binding can use.
const oldestLibrary = "1.29"

// ErrNoLibrary is returned, wrapped in a sentence that lists the places, when no ONNX Runtime library was found.
var ErrNoLibrary = errors.New("ONNX Runtime was not found")

// The binding keeps one library and one environment for the whole process, so this package does, too.
var loaded struct {
	sync.Mutex
	path string
	// arena says that sessions can share their working memory.
	arena bool
}

func sharedArena() bool {
	loaded.Lock()
	defer loaded.Unlock()
	return loaded.arena
}

// CacheFolder is where `make setup` puts the library and where it is looked for. It may not exist.
func CacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("ort: the user's cache folder is unknown: %w", err)
	}
	return filepath.Join(cache, "latentbrush", "onnxruntime-"+LibraryVersion), nil
}

func libraryNames(goos string) []string {
	switch goos {
	case "windows":
		return []string{"onnxruntime.dll"}
	case "darwin":
		return []string{"libonnxruntime." + LibraryVersion + ".dylib", "libonnxruntime.1.dylib", "libonnxruntime.dylib"}
	}
	return []string{"libonnxruntime.so.1", "libonnxruntime.so"}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// findIn returns the library in a folder, or "".
func findIn(folder string) string {
	for _, name := range libraryNames(runtime.GOOS) {
		if path := filepath.Join(folder, name); isFile(path) {
			return path
		}
	}
	return ""
}

// candidates returns the paths to hand to the loader, best first, and the places looked at. Names without a folder
// are left to the system's loader.
func candidates(explicit string) (paths, places []string, err error) {
	source := "the library option"
	if explicit == "" {
		explicit, source = os.Getenv(LibraryEnv), LibraryEnv
	}
	if explicit != "" {
		if info, err := os.Stat(explicit); err == nil && info.IsDir() {
			path := findIn(explicit)
			if path == "" {
				return nil, nil, fmt.Errorf("ort: %w: %s names the folder %s, which holds no %s",
					ErrNoLibrary, source, explicit, libraryNames(runtime.GOOS)[0])
			}
			return []string{path}, []string{path}, nil
		}
		if !isFile(explicit) {
			return nil, nil, fmt.Errorf("ort: %w: %s names %s, which is not a file", ErrNoLibrary, source, explicit)
		}
		return []string{explicit}, []string{explicit}, nil
	}

	var folders []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		folder := filepath.Dir(exe)
		folders = append(folders, folder)
		if runtime.GOOS == "darwin" {
			folders = append(folders, filepath.Join(folder, "..", "Frameworks"))
		} else {
			folders = append(folders, filepath.Join(folder, "..", "lib", "latentbrush"))
		}
	}
	if cache, err := CacheFolder(); err == nil {
		folders = append(folders, cache)
	}
	for _, folder := range folders {
		places = append(places, folder)
		if path := findIn(folder); path != "" {
			paths = append(paths, path)
		}
	}
	places = append(places, "the system's library path")
	return append(paths, libraryNames(runtime.GOOS)...), places, nil
}

// telemetryEnv keeps official builds of ONNX Runtime 1.29 and newer from sending facts about models, sessions and the machine
// to their maker, and from noting them in a file until they can. It has to be set before the library is loaded; on Windows
// the call after loading counts.
const telemetryEnv = "ORT_DISABLE_TELEMETRY"

// load brings the library into the process, once. Later calls answer with the same path; asking for another one is
// an error, because a process can hold only one.
func load(explicit string) (path string, err error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.path != "" {
		if explicit != "" && explicit != loaded.path && findIn(explicit) != loaded.path {
			return "", fmt.Errorf("ort: %s is already in use; start again to use %s", loaded.path, explicit)
		}
		return loaded.path, nil
	}
	paths, places, err := candidates(explicit)
	if err != nil {
		return "", err
	}
	if err := os.Setenv(telemetryEnv, "1"); err != nil {
		return "", fmt.Errorf("ort: %s cannot be set, without which the library would report its use: %w", telemetryEnv, err)
	}
	var refusals []string
	for _, path := range paths {
		onnx.SetSharedLibraryPath(path)
		err := onnx.InitializeEnvironment()
		if err == nil {
			if err := onnx.DisableTelemetry(); err != nil {
				return "", fmt.Errorf("ort: %s would report its use: %w", path, err)
			}
			loaded.path, loaded.arena = path, registerArena()
			return path, nil
		}
		if filepath.Base(path) == path {
			continue // A name left to the system's loader that it does not know is no refusal.
		}
		refusals = append(refusals, refusal(path, err))
	}
	if len(refusals) > 0 {
		return "", fmt.Errorf("ort: %s", strings.Join(refusals, "; "))
	}
	return "", fmt.Errorf("ort: %w: run `make setup`, or set %s to %s of release %s or newer (looked at: %s)",
		ErrNoLibrary, LibraryEnv, libraryNames(runtime.GOOS)[0], oldestLibrary, strings.Join(places, ", "))
}

// refusal says in one sentence why a file could not be used.
func refusal(path string, err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "ORT API base: 2"):
		return fmt.Sprintf("%s is older than ONNX Runtime %s", path, oldestLibrary)
	case strings.Contains(text, "OrtGetApiBase"):
		return path + " is not an ONNX Runtime library"
	}
	text = strings.TrimPrefix(text, "Platform-specific initialization failed: ")
	text = strings.TrimPrefix(text, fmt.Sprintf("Error loading ONNX shared library %q: ", path))
	text = strings.TrimPrefix(text, path+": ")
	return fmt.Sprintf("%s cannot be loaded: %s", path, text)
}
