// Package inversion finds the latent code of a picture: GAN inversion.
//
// A generator turns codes into pictures; to edit a photo one needs the way back. There
// are two, and they are used one after the other. A trained network, the [Encoder],
// answers at once and roughly. Then the code is optimised until its picture is the
// photo ([Run]): Adam on the squared RGB difference, a perceptual distance, and a prior
// that keeps the code near the encoder's answer, in coordinates in which the model's
// own latents have unit spread, so that a photo is not explained by a code that no edit
// works on. The best step is the result, not the last.
//
// No model can say everything about a photo. How much it could not say is told
// ([Fit]), can be seen ([DifferencePicture]), and can be kept ([Leftover]) to be added
// back where nothing was edited.
package inversion
