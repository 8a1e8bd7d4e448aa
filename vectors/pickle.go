package vectors

import (
	"fmt"

	"latentbrush/engine/checkpoint"
	"latentbrush/engine/latent"
)

// ReadEditGANPickle reads the "current vector" file of EditGAN's demonstration: the delta and the classes of
// its region. The pickle is interpreted as data; nothing in it is run.
func ReadEditGANPickle(raw []byte) (latent.Code, []uint8, error) {
	delta, classes, err := checkpoint.EditVector(raw)
	if err != nil {
		return latent.Code{}, nil, fmt.Errorf("vectors: %w: %w", ErrDamaged, err)
	}
	if err := checkSize(delta.Rows, delta.Dim); err != nil {
		return latent.Code{}, nil, fmt.Errorf("vectors: %w: %w", ErrDamaged, err)
	}
	return delta, classes, nil
}
