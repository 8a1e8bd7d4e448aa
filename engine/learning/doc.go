// Package learning makes editing vectors without anybody painting, and finds out what
// a vector is worth.
//
// There are several ways to a vector. A scripted mask operation ([latentbrush/canvas/maskops])
// is done to many pictures, each is optimised like a painted edit, and the differences are
// averaged without their outliers: what is common to them is the edit, what differs is
// the picture ([Spec.Operation]). A [Statistic] of the labels, such as the area of a
// class, sorts the model's own pictures into those that have much of it and those that have
// little; the normal of the plane between their latents is the vector
// ([Spec.Statistic] alone; Shen et al., "InterFaceGAN", 2020); a person's marks do as well
// ([FromExamples]). And the axes along which the
// model varies most need neither ([PrincipalAxes], [StyleAxes]).
//
// What a direction changes elsewhere can be taken out of it. Pictures are rendered a step
// along every axis of the model's variation; of all directions with the same effect, one
// is the quietest outside a region ([Spec.Quiet]), and of all that tells two pictures
// apart, one part can be taken over alone ([TransferPart]). Rows of W+ that act outside
// are left out ([Localise]).
//
// A vector is worth something when one knows what strength 1 does, how far it can be
// pushed ([Calibrate]), and how often it works on pictures that it was not learnt on
// ([Generalise]). A [Survey] of the model's pictures says what is usual.
//
// Everything here asks a [Model] for pictures and edits, and *engine.Engine is one.
package learning
