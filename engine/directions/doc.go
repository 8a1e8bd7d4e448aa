// Package directions finds directions in a latent space: from examples of what has a
// property and what has not, and without any examples.
//
// A linear support vector machine separates the latents of pictures with a property
// from those without; its normal is the direction that adds the property (Shen et al.,
// "InterFaceGAN", 2020). What else changes along a normal can be projected out: the
// conditional direction. Without labels there are the directions in which the styles of
// a generator react most (Shen and Zhou, "SeFa", CVPR 2021): the eigenvectors of AᵀA,
// where A stacks the weights of all affine maps from w to styles.
//
// A normal is best taken in whitened coordinates ξ, w = mean + B·ξ, where a unit is a
// standard deviation along a principal axis: natural latents are then spread alike in
// all directions, and moving along B·n is how w itself varies with the property. In raw
// coordinates the normal leans towards axes along which natural latents hardly move.
//
// All of this is plain numbers; nothing here knows of networks or pictures.
package directions
