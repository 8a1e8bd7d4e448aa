package learning

import (
	"bytes"
	_ "embed"

	"latentbrush/canvas/maskops"
)

//go:embed faces.json
var faces []byte

// FacesRecipe is the recipe of the vectors that come with the default model. A model
// without the classes of faces is an error.
func FacesRecipe(names maskops.Names) (Recipe, error) {
	return ReadRecipe(bytes.NewReader(faces), names)
}
