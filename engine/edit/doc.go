// Package edit moves a latent code until the picture's labels are the painted ones.
//
// This is the core of EditGAN (Ling et al., "EditGAN: High-Precision Semantic Image
// Editing", NeurIPS 2021). One latent code w explains both a picture and its labels,
// so an edit of the labels is an optimisation of w: inside the region of interest r
// the labels should become the painted ones (cross-entropy), outside it the picture
// should stay (a pixel and a perceptual term):
//
//	L(Δ) = CE(labels(w+Δ), painted; r) + λ₂·‖x(w+Δ) − x(w)‖²(1−r) + λₚ·D(x(w+Δ), x(w); 1−r)
//	       + λ₃·(1 − cos(I(x(w+Δ)), I(x(w)))) + ρ·mean(ξ²)
//
// D is LPIPS where the user has its weights, else the bundle's perceptual network, else
// the mean absolute difference of generator features; I is the bundle's identity network,
// and the term is left out when there is none.
//
// Every term is a mean over the pixels that it looks at, so the balance does not
// depend on how large the region is. The official code weighs LPIPS by 150, the mean
// square of pixels in [0,1] by 75 and the cross-entropy by 1, and takes the first two
// as means over the whole frame with the region blanked, so that they fade as the region
// grows. Where a share s of the frame lies outside the region, its weights are ours with
//
//	λ₂ = 75·s/4  (pixels in [−1,1] have four times the square)
//	λₚ = 150·s
//	1 for the cross-entropy
//
// Our defaults are λ₂ = 30 and λₚ = 1 with the perceptual network of the default model,
// at which two random faces are at distance 1.
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
// The loop itself is [optim.Descent], which embedding uses, too.
package edit
