package window

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"latentbrush/app/document"
	"latentbrush/app/gui/action"
	"latentbrush/app/gui/look"
	"latentbrush/engine"
)

// Recent is one file that was open before.
type Recent struct {
	Path  string    `json:"path"`
	When  time.Time `json:"when"`
	Thumb []byte    `json:"thumb,omitempty"` // a small PNG
}

// Bounds of the memory that the history may take, in megabytes.
const (
	leastMemory = 32
	mostMemory  = 16384
)

// RunSettings are the user's settings of optimisations. The zero value becomes the engine's defaults.
type RunSettings struct {
	Search     string  `json:"search,omitempty"`
	Steps      int     `json:"steps,omitempty"`
	Rate       float64 `json:"rate,omitempty"`
	Picture    float64 `json:"picture,omitempty"`    // weights; negative: none
	Perceptual float64 `json:"perceptual,omitempty"` //
	Prior      float64 `json:"prior,omitempty"`      //
	Identity   float64 `json:"identity,omitempty"`   // weight, where the model has such a network; 0: none
	NoGuess    bool    `json:"no_guess,omitempty"`   // begin at the picture itself, not at the model's best guess
	Refine     int     `json:"refine,omitempty"`     // steps of a refinement
}

// searches are the families of differences that can be chosen, the recommended one first.
var searches = []string{string(engine.SearchShared), string(engine.SearchPerRow), string(engine.SearchTwoStage), string(engine.SearchFree)}

const (
	mostSteps     = 2000
	defaultRefine = 30
)

// defaults fills what is missing or cannot be.
func (r *RunSettings) defaults() {
	d := engine.DefaultSettings()
	if !slices.Contains(searches, r.Search) {
		r.Search = string(d.Search)
	}
	if r.Steps < 1 || r.Steps > mostSteps {
		r.Steps = d.Steps
	}
	weight := func(v *float64, otherwise, most float64) {
		if *v == 0 || !(*v >= -1 && *v <= most) {
			*v = otherwise
		}
	}
	weight(&r.Rate, d.Rate, 10)
	r.Rate = math.Abs(r.Rate)
	weight(&r.Picture, d.PictureWeight, 1e4)
	weight(&r.Perceptual, d.PerceptualWeight, 1e4)
	weight(&r.Prior, d.Prior, 1e4)
	if !(r.Identity >= 0 && r.Identity <= 1e4) {
		r.Identity = 0
	}
	if r.Refine < 1 || r.Refine > mostSteps {
		r.Refine = defaultRefine
	}
}

// options are the settings as a document and its scripts have them: what is the engine's default is left out.
func (r RunSettings) options() document.RunOptions {
	d := engine.DefaultSettings()
	own := func(v, otherwise float64) float64 {
		if v == otherwise {
			return 0
		}
		return v
	}
	return document.RunOptions{
		Search: r.Search, Steps: r.Steps, Rate: own(r.Rate, d.Rate), PictureWeight: own(r.Picture, d.PictureWeight),
		PerceptualWeight: own(r.Perceptual, d.PerceptualWeight), Prior: own(r.Prior, d.Prior),
		IdentityWeight: r.Identity, NoGuess: r.NoGuess,
	}
}

// refinement are the settings of a refinement, which has its own family, step size and weight of the picture.
func (r RunSettings) refinement(steps int) document.RunOptions {
	o := r.options()
	o.Search, o.Steps, o.Rate, o.PictureWeight = "", steps, 0, 0
	return o
}

// MaxRecents is how many recent files are kept.
const MaxRecents = 10

// Settings is what the window remembers from one start to the next.
type Settings struct {
	Language  string             `json:"language,omitempty"` // empty follows the system
	Variant   look.Variant       `json:"variant,omitempty"`
	Scale     float64            `json:"scale,omitempty"`
	DockWidth float32            `json:"dock_width,omitempty"`
	DockOff   bool               `json:"dock_off,omitempty"`
	StripOff  bool               `json:"strip_off,omitempty"`
	Dock      map[string]float32 `json:"dock,omitempty"`
	Width     float32            `json:"width,omitempty"`
	Height    float32            `json:"height,omitempty"`
	View      string             `json:"view,omitempty"`
	Overlay   float64            `json:"overlay"`
	Brush     float64            `json:"brush,omitempty"` // share of the picture's width
	Shape     int                `json:"shape,omitempty"`
	Live      bool               `json:"live,omitempty"`
	Plain     bool               `json:"plain_dialogs,omitempty"` // the window's own file dialogs
	Strip     bool               `json:"strip_provenance,omitempty"`
	Model     string             `json:"model,omitempty"`
	Run       RunSettings        `json:"run"`
	Film      FilmSettings       `json:"film"`
	Sheet     SheetSettings      `json:"sheet"`
	Device    string             `json:"device,omitempty"`    // empty: the first that works
	Still     bool               `json:"still,omitempty"`     // no pictures while a slider is dragged
	Memory    int                `json:"memory_mb,omitempty"` // of the history, megabytes
	Keys      *action.Keymap     `json:"keys,omitempty"`
	Author    string             `json:"author,omitempty"` // of share packs
	Recents   []Recent           `json:"recents,omitempty"`

	path string
}

// defaults fills what a fresh or spoiled file leaves out.
func (s *Settings) defaults() {
	if s.Variant != look.Dark && s.Variant != look.Light {
		s.Variant = look.System
	}
	if !(s.Scale >= 0.5 && s.Scale <= 3) {
		s.Scale = 1
	}
	if !(s.DockWidth >= dockLeast && s.DockWidth <= dockMost) {
		s.DockWidth = 312
	}
	if !(s.Width >= 960 && s.Width < 20000) {
		s.Width = 1440
	}
	if !(s.Height >= 560 && s.Height < 20000) {
		s.Height = 900
	}
	if !(s.Overlay >= 0 && s.Overlay <= 1) {
		s.Overlay = 0
	}
	if !(s.Brush > 0 && s.Brush <= 1) {
		s.Brush = 0.05
	}
	s.Run.defaults()
	s.Film.defaults()
	s.Sheet.defaults()
	if s.Memory < leastMemory || s.Memory > mostMemory {
		s.Memory = document.DefaultMaxBytes >> 20
	}
	if _, err := engine.ParseDevice(s.Device); err != nil {
		s.Device = ""
	}
	if s.Keys == nil {
		s.Keys = &action.Keymap{}
	}
	if len(s.Recents) > MaxRecents {
		s.Recents = s.Recents[:MaxRecents]
	}
}

// SettingsPath returns where the settings are kept.
func SettingsPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("window: no folder for settings: %w", err)
	}
	return filepath.Join(dir, "latentbrush", "settings.json"), nil
}

// LoadSettings reads the settings at path. A missing file gives the defaults; a
// damaged one gives the defaults and an error to show.
func LoadSettings(path string) (*Settings, error) {
	s := &Settings{Overlay: -1, path: path}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil && len(data) > 8<<20:
		err = fmt.Errorf("window: settings file %s is larger than 8 MB", path)
	case err == nil:
		if jerr := json.Unmarshal(data, s); jerr != nil {
			*s = Settings{Overlay: -1, path: path}
			err = fmt.Errorf("window: settings file %s is damaged and was left aside: %w", path, jerr)
		}
	}
	s.path = path
	s.defaults()
	return s, err
}

// Save writes the settings, whole or not at all. Settings without a path are not
// kept.
func (s *Settings) Save() error {
	if s.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("window: settings: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o755); err != nil {
		return fmt.Errorf("window: settings: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(s.path), ".settings-*")
	if err != nil {
		return fmt.Errorf("window: settings: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("window: settings: %w", err)
	}
	return nil
}

// Remember puts a file at the top of the recents.
func (s *Settings) Remember(r Recent) {
	out := []Recent{r}
	for _, o := range s.Recents {
		if o.Path != r.Path && len(out) < MaxRecents {
			out = append(out, o)
		}
	}
	s.Recents = out
}
