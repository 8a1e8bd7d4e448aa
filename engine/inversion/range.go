package inversion

// Range is where pictures of a model's kind lie after embedding: the measure of what
// is outside it.
type Range struct {
	// PSNR is what nineteen of twenty pictures of the model's kind, none of which it was
	// trained on, reach after 100 steps, in dB.
	PSNR float64 `json:"psnr"`
	// Distance is the largest root mean square of the whitened coordinates of a code that
	// counts as the model's: 1 is the spread of its own latents.
	Distance float64 `json:"distance"`
}

// DefaultRange serves a bundle whose encoder does not say what it measured. Twice the
// spread of its own latents is where pictures of StyleGAN2 models begin to fall apart.
var DefaultRange = Range{PSNR: 22, Distance: 2}

// Fit says how well a model explains a photo.
type Fit struct {
	// PSNR in dB and Difference, the mean absolute difference in levels of 255, compare
	// the photo with the picture of its code.
	PSNR, Difference float64
	// Distance of the code from the mean in the model's standard deviations.
	Distance float64
	// Limits are what the model's own pictures keep to.
	Limits Range
}

// Unlike reports that the picture of the code is less like the photo than the model's
// own pictures are like theirs.
func (f Fit) Unlike() bool { return f.PSNR < f.Limits.PSNR }

// Far reports that the code lies where the model has no pictures of its own: edits of
// it may look wrong even where the reconstruction is good.
func (f Fit) Far() bool { return f.Distance > f.Limits.Distance }

// Outside reports that the photo is outside the model's range by either measure.
func (f Fit) Outside() bool { return f.Unlike() || f.Far() }

// String is a sentence for people.
func (f Fit) String() string {
	switch {
	case f.Unlike() && f.Far():
		return "outside the model's range: the reconstruction differs from the photo and its latent is far from the model's own"
	case f.Unlike():
		return "outside the model's range: the reconstruction differs from the photo"
	case f.Far():
		return "outside the model's range: the latent is far from the model's own"
	}
	return "within the model's range"
}
