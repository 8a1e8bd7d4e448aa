// Package edit moves a latent code until the picture's labels are the painted ones.
//
// This is the core of EditGAN (Ling et al., "EditGAN: High-Precision Semantic Image
// Editing", NeurIPS 2021). One latent code w explains both a picture and its labels,
// so an edit of the labels is an optimisation of w: inside the region of interest r
// the labels should become the painted ones (cross-entropy), outside it the picture
// should stay (a pixel and a perceptual term):
//
//	L(Δ) = CE(labels(w+Δ), painted; r) + λ₂·‖x(w+Δ) − x(w)‖²; 1−r) + λₚ·D(x(w+Δ), x(w); 1−r) + ½ρ·mean(ξ²)
//
// Every term is a mean over the pixels that it looks at, so the balance does not
// depend on how large the region is. (The official code takes the pixel mean over the
// whole frame, with the region blanked: its weights 150, 75 and 1 for LPIPS, pixels in
// [0,1] and cross-entropy are ours divided by the share of the frame outside r.)
//
// The last term is the prior. Δ is written in whitened coordinates ξ, where one unit
// is one standard deviation of the model's own latents along a principal axis (the
// P_N space of Zhu et al., "Improved StyleGAN Embedding", 2020). A free W+ code
// satisfies the segmentation head with directions that no natural latent takes, which
// shifts colours elsewhere and does not transfer; in whitened units such directions
// are expensive, and axes with no variance are not there at all.
//
// The package knows nothing of the network: an [Evaluator] gives loss and gradient.
// [Run] is the loop: it is an iterator of steps, so pausing is to stop iterating, a
// repaint continues from the latest code with a new problem, and a cancelled context
// ends it within one step. The step with the lowest loss is the result, not the last.
package edit
