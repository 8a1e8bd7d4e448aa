// Package gui opens Latentbrush's window on the screen. What the window is lies in
// the packages below it:
//
//   - window joins engine, canvas and document and lays everything out,
//   - control holds the widgets of its own,
//   - action is the table of everything that can be done,
//   - look is theme, typefaces and icons, words the texts,
//   - dialogs asks for files.
//
// Only this package links a graphics driver, so that the others are tested without
// one.
package gui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"golang.design/x/clipboard"

	"latentbrush/app/gui/dialogs/system"
	"latentbrush/app/gui/window"
	"latentbrush/assets"
	"latentbrush/canvas/view/motion"
	"latentbrush/engine"
)

// ErrNoScreen says that there is no screen to open a window on.
var ErrNoScreen = errors.New("gui: there is no screen: set DISPLAY, or use a command such as \"latentbrush sample\" that needs none")

// Options says how to start.
type Options struct {
	// Open opens a model; an empty path is the one that comes with the program.
	Open func(ctx context.Context, path string, o engine.Options) (*engine.Engine, error)
	// Engine is passed to Open: device, threads and library.
	Engine engine.Options
	// Model is the bundle to open; empty is the one used last.
	Model string
	// File is a picture, mask, project or vector to open.
	File string
	// Seed of the first picture, 7 when 0.
	Seed    uint64
	Version string
	// Settings and Data replace the user's folders, as tests do.
	Settings, Data string
}

// Run opens the window and returns when it was closed. It must be called on the
// process's first goroutine.
func Run(o Options) (err error) {
	if !hasScreen() {
		return ErrNoScreen
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("gui: the window cannot be opened: %v. Is a graphics driver with OpenGL 2.1 installed?", v)
		}
	}()
	fixLocale()
	path := o.Settings
	if path == "" {
		if path, err = window.SettingsPath(); err != nil {
			fmt.Fprintln(os.Stderr, "latentbrush: "+err.Error())
		}
	}
	settings, err := window.LoadSettings(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "latentbrush: "+err.Error())
	}
	if o.Model != "" {
		settings.Model = o.Model
	}
	data := o.Data
	if data == "" {
		data = dataDir()
	}
	setScale(settings.Scale)

	a := app.NewWithID("org.latentbrush.Latentbrush")
	a.SetIcon(fyne.NewStaticResource("latentbrush.png", assets.AppIcon))
	win := a.NewWindow("Latentbrush")
	win.SetMaster()
	win.SetPadded(false)
	win.Resize(fyne.NewSize(settings.Width, settings.Height))
	wo := window.Options{
		Version: o.Version, Settings: settings, Picker: &system.Picker{}, File: o.File, Seed: o.Seed,
		Scaled: func(v float64) { setScale(v) }, PastePicture: pastePicture, Trace: tracer(),
	}
	if data != "" {
		wo.Library = filepath.Join(data, "vectors")
		wo.Journals = filepath.Join(data, "journals")
	}
	if o.Open != nil {
		wo.Open = func(ctx context.Context, path string) (window.Engine, error) {
			asked := o.Engine
			if asked.Device == "" {
				asked.Device, _ = engine.ParseDevice(settings.Device) // the settings hold none that is unknown
			}
			e, err := o.Open(ctx, path, asked)
			if err != nil {
				return nil, err
			}
			return window.Adapt(e), nil
		}
	}
	w := window.New(win, wo)
	a.Lifecycle().SetOnStarted(func() {
		w.Start()
		if _, err := motion.Attach(win, w.Stage); err != nil {
			fmt.Fprintln(os.Stderr, "latentbrush: strokes are coarser than the mouse reports: "+err.Error())
		}
	})
	a.Lifecycle().SetOnExitedForeground(w.Blur)
	win.ShowAndRun()
	return nil
}

// Device is the device that options name, for callers that have only its name.
func Device(name string) (engine.Device, error) { return engine.ParseDevice(name) }

// hasScreen reports whether a window can be tried.
func hasScreen() bool {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

// fixLocale gives Fyne a language it can parse where there is none.
func fixLocale() {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		switch v := os.Getenv(name); {
		case v == "":
			continue
		case v == "C" || v == "POSIX" || strings.HasPrefix(v, "C."):
			os.Setenv(name, "en_US.UTF-8")
		}
		return
	}
	os.Setenv("LANG", "en_US.UTF-8")
}

// givenScale is the FYNE_SCALE that the program was started with, 1 without a usable one.
var givenScale = func() float64 {
	v, err := strconv.ParseFloat(os.Getenv("FYNE_SCALE"), 64)
	if err != nil || !(v >= 0.25 && v <= 8) {
		return 1
	}
	return v
}()

// setScale sets the user's scale, on top of the one given from outside; Fyne reads it
// whenever the theme is set.
func setScale(v float64) {
	os.Setenv("FYNE_SCALE", strconv.FormatFloat(v*givenScale, 'f', 2, 64))
}

// dataDir is where vectors and journals are kept: the platform's folder for data.
func dataDir() string {
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "latentbrush")
	}
	if runtime.GOOS == "linux" {
		if h, err := os.UserHomeDir(); err == nil {
			return filepath.Join(h, ".local", "share", "latentbrush")
		}
	}
	if d, err := os.UserConfigDir(); err == nil {
		return filepath.Join(d, "latentbrush")
	}
	return ""
}

// pastePicture returns the picture on the clipboard as PNG, nil where there is
// none or none can be read.
func pastePicture() []byte {
	clip.Do(func() { clipErr = clipboard.Init() })
	if clipErr != nil {
		return nil
	}
	return clipboard.Read(clipboard.FmtImage)
}

var (
	clip    sync.Once
	clipErr error
)

// tracer returns a function that appends lines to the file that
// LATENTBRUSH_TRACE names, for scripts that drive the window; nil without it.
func tracer() func(string) {
	path := os.Getenv("LATENTBRUSH_TRACE")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, "latentbrush: "+err.Error())
		return nil
	}
	begun := time.Now()
	return func(line string) { fmt.Fprintf(f, "%d %s\n", time.Since(begun).Milliseconds(), line) }
}
