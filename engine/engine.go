// Package engine is the front door of the method: it opens a model on a device and
// turns latents into pictures and labels, painted labels into latents, and long jobs
// into steps that one can watch and cancel.
//
// One latent code explains both the picture and its labels, so everything here takes
// and gives [latent.Code], *image.RGBA and *image.Paletted, and nothing above needs
// to know of graphs, sessions or weights.
//
// An engine has one device, owned by one goroutine. Requests wait in two queues: what
// a person is looking at ([Engine.Render], [Live]) goes before the next step of a job
// ([Engine.Edit], [Engine.Refine]), so a slider stays live while an optimisation
// runs. Sessions are built when first needed.
package engine

import (
	"image"
	"time"

	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
)

// Options says how to open a model. The zero value takes the best device.
type Options struct {
	// Library is the path of the ONNX Runtime library; empty means to look for it.
	Library string
	// Device to use; the zero value takes the first usable one.
	Device Device
	// Threads of a session; 0 means the default.
	Threads int
	// Perceptual is a perceptual network's file to use in place of the user's LPIPS and
	// the bundle's own; empty means those.
	Perceptual string
}

// Info describes an open engine.
type Info struct {
	Manifest model.Manifest
	// Fingerprint identifies the model's weights; vectors carry it.
	Fingerprint string
	// Width and Height of pictures and labels, after the manifest's crop.
	Width, Height int
	Rows, Dim     int
	// Device in use, and every device tried with the reason of its refusal.
	Device  Device
	Trials  []Trial
	Library string
	Version string
	// PictureTerm names the distance that holds the picture outside an edit's region.
	PictureTerm string
	// IdentityTerm names the network that holds the person's identity, empty without one.
	IdentityTerm string
	// Guess says that edits begin at the model's best guess unless [Settings.NoGuess] is set.
	Guess bool
}

// Frame is a picture and its labels at one code.
type Frame struct {
	Code    latent.Code
	Picture *image.RGBA
	// Labels are nil for a model without a label head.
	Labels *image.Paletted
	// Confidence is the probability of each pixel's label, 255 for certain; nil unless
	// asked for.
	Confidence *image.Gray
	// Second is the class that comes second at each pixel, and Odds its probability
	// divided by that of the label, 255 for as likely; nil like Confidence.
	Second *image.Paletted
	Odds   *image.Gray
	// Preview marks a frame of the quick network; the full one follows.
	Preview bool
	// Elapsed is the time from the start of the run to the finished frame.
	Elapsed time.Duration
}

// EditRequest asks for a mask edit.
type EditRequest struct {
	// Start is the code that the optimisation begins at, Painted the labels asked for.
	Start   latent.Code
	Painted *image.Paletted
	// Origin is the code before the edit: its labels are what was painted over and its
	// picture is what the outside of the region must keep. Empty means Start; a run that
	// is resumed from a later code keeps the origin of the first.
	Origin latent.Code
	// Region says which pixels may change; Free pixels are in no term of the loss.
	Region edit.RegionOptions
	Free   *image.Alpha
	// Settings of the optimisation; the zero value is the default.
	Settings Settings
}

// Step is one point of an edit or a refinement.
type Step = edit.Step

// RefineRequest asks for self-supervised refinement: after vectors were added to a
// code, the labels that they gave become the target and the picture outside the
// vectors' classes must be that of the code without them.
type RefineRequest struct {
	// Without and With are the codes before and after adding the vectors.
	Without, With latent.Code
	// Classes of the vectors' regions; empty means those whose labels changed.
	Classes []uint8
	// Steps of the optimisation, 30 when 0.
	Steps int
	// Settings other than the steps; zero values mean those of [DefaultRefinement].
	Settings Settings
}

// Search is the family of differences that an edit looks in.
type Search string

// The families. The default is what wins on the fixed set of edits, judged by the
// picture and not by the mask alone.
const (
	SearchDefault  Search = ""
	SearchShared   Search = "shared"    // one Δw for all rows, in whitened units
	SearchPerRow   Search = "rows"      // W+ in whitened units
	SearchTwoStage Search = "two-stage" // shared first, then per row with colour rows fixed
	SearchFree     Search = "free"      // W+ without a prior, the official formulation
	SearchSubspace Search = "subspace"  // combinations of Directions
)

// Settings of an optimisation. Zero values mean the defaults: [DefaultSettings] in an edit,
// [DefaultRefinement] in a refinement.
type Settings struct {
	Search Search
	// Rows of the code that may move in SearchPerRow and the second stage of SearchTwoStage,
	// from 0; nil means the family's own choice.
	Rows []int
	// Directions span SearchSubspace; each has the size of the model's codes.
	Directions []latent.Code
	// Steps is the most updates that are made.
	Steps int
	// Rate of Adam: standard deviations of the model's latents in the whitened families,
	// numbers of the code in SearchFree, strengths in SearchSubspace.
	Rate float64
	// PictureWeight multiplies the mean squared difference outside the region (values
	// in [−1,1]), PerceptualWeight the feature distance, Prior the mean square of the
	// whitened coordinates; cross-entropy has weight 1. Negative means 0.
	PictureWeight, PerceptualWeight, Prior float64
	// IdentityWeight multiplies one minus the cosine of the identities before and after. It
	// counts only when the bundle has an identity network, and is 0 by default:
	// docs/performance.md says why.
	IdentityWeight float64
	// Coarse is how many of the first steps are made at half the resolution. They take less
	// than half the time; only models of 64² and more have them.
	Coarse int
	// Axes is how many of the leading axes of the model's latents the search may use in the
	// families that look in whitened units; 0 means all.
	Axes int
	// Fall lets the rate fall to nothing along a cosine over the run.
	Fall bool
	// NoGuess keeps the run from beginning at the answer of the model's linear map from
	// changes of labels to changes of w; see [Engine.LearnGuess].
	NoGuess bool
	// Agreement is the share, up to 1, of the region's pixels with the painted label that ends
	// the run; negative means never.
	Agreement float64
	// Flat ends a stage when the loss fell by less than 0.2 % in so many steps; negative means
	// never.
	Flat int
	// PreviewEvery is the least time between steps with a picture.
	PreviewEvery time.Duration
}
