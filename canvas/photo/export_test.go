package photo

// Profile is the colour profile that came with a photo.
func Profile(p *Photo) []byte { return p.meta.profile }

// SolveMembrane solves Laplace's equation for v in place and returns the number of
// V-cycles.
func SolveMembrane(w, h int, free []bool, v []float32, tolerance float32) int {
	return newMembrane(w, h, free, v).solve(tolerance, 50)
}

// SetBandPixels makes large pictures be decoded in bands of about n pixels until the
// returned function is called.
func SetBandPixels(n int) (restore func()) {
	old := bandPixels
	bandPixels = n
	return func() { bandPixels = old }
}

// Copies reports whether the blocks of a photo's file are copied when it is written.
func Copies(p *Photo) bool {
	if p.Format != JPEG {
		return false
	}
	_, ok := p.copyBlocks(stored(p.Picture, p.Orientation))
	return ok
}
