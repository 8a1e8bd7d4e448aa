// Package photo takes photos in and gives edited ones back.
//
// A model knows pictures of one size; a photo has any size, format and orientation. So
// a photo is decoded upright and opaque ([Decode]), a turned box is cut out of it in
// the model's size ([Crop]), and after the edit only the change is put back into the
// photo at full size ([Paste]): enlarged, and blended in the gradient domain (Pérez et
// al., "Poisson Image Editing", SIGGRAPH 2003) so that no seam shows. Pixels outside
// the edit's region stay as they were, byte for byte, and [Photo.Encode] writes the
// format, orientation and colour profile that came in.
//
// Files are not trusted: sizes are read and judged before anything is allocated.
package photo
