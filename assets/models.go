package assets

import (
	"embed"
	"errors"
	"io/fs"
)

//go:embed all:models
var models embed.FS

// ErrNoModel is returned by [DefaultModel] in a build without the default model.
var ErrNoModel = errors.New("assets: this build carries no default model")

// DefaultModel is the bundle of the model that comes with the program.
func DefaultModel() (fs.FS, error) {
	if _, err := fs.Stat(models, "models/faces/model.json"); err != nil {
		return nil, ErrNoModel
	}
	return fs.Sub(models, "models/faces")
}
