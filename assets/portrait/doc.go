// Package portrait draws procedural faces with exact part masks, the training
// data of the default model.
//
// # The idea
//
// A generator can be taught from any pictures whose every property is known.
// Here a face is a function: [Render] turns a vector of parameters into a
// picture and a label map of any size. Both come from the same shapes, so a
// mask is exact, and every parameter acts continuously, so a network can
// learn the function from samples. [FromNormal] maps standard-normal
// coordinates to uniform parameters: a Gaussian latent code is a random face.
//
// # How a face is drawn
//
// Layers are laid over each other from the background to the hair. A layer's
// shape is a signed distance d, and its coverage of a pixel of width w is
// clamp(½ - d/w, 0, 1): edges are smooth without supersampling. The label is
// the class of the last layer that covered more than half of the pixel.
// Where a part is soft, as stubble, brows, hair ends and whatever grows in
// with a presence parameter, its opacity counts as coverage.
//
// The head is a dome: a point's face coordinates (u, v) are its head
// coordinates minus yaw and pitch times the dome's height there, and the
// nose, which stands out, moves further. The head's outline moves the other
// way, so that the eyes' midpoint stays nearly in place, as in the aligned
// photographs of face data sets; there is no roll.
//
// Skin takes its normals from a height field (dome, nose, sockets, cheeks,
// lips) and is lit in linear light by one lamp whose diffuse term wraps
// around the edge of shadow by a different amount for red, green and blue.
// That reddish edge is what light scattered under skin looks like. Occlusion,
// a broad highlight and a rim of background light complete it. Hair carries
// waves of a coordinate that runs across its strands, swept along the
// hairline or falling as a fringe, and a highlight band across them. At 256²
// the waves have at most a fifth of a cycle a pixel over most of the hair, and
// up to a third where strands converge at the crown.
//
// # Stability
//
// Models are trained on these pictures, therefore the picture of given
// parameters must stay what it is; a sheet of faces in the tests guards it.
// Parameters keep their order: a latent coordinate is an [Index].
package portrait
