package edit

import (
	"fmt"
	"image"
)

// Composite takes the edited picture inside region and the original outside. The seam
// is feathered inside the region: a pixel at chessboard distance d from the outside
// has min(1, d/(feather+1)) of the edited picture, so every pixel outside is the
// original's byte for byte. A feather of zero is a hard edge.
func Composite(original, edited *image.RGBA, region *image.Alpha, feather int) (*image.RGBA, error) {
	size := region.Rect.Size()
	if original.Rect.Size() != size || edited.Rect.Size() != size {
		return nil, fmt.Errorf("edit: composite of %v and %v in a region of %v, want one size", original.Rect.Size(), edited.Rect.Size(), size)
	}
	depth := depths(region, feather+1)
	out := image.NewRGBA(image.Rectangle{Max: size})
	full := feather + 1
	for y := range size.Y {
		o, e, to := original.Pix[y*original.Stride:], edited.Pix[y*edited.Stride:], out.Pix[y*out.Stride:]
		for x := range size.X {
			d := depth[y*size.X+x]
			for c := 4 * x; c < 4*x+4; c++ {
				switch d {
				case 0:
					to[c] = o[c]
				case full:
					to[c] = e[c]
				default:
					to[c] = uint8((int(o[c])*(full-d) + int(e[c])*d + full/2) / full)
				}
			}
		}
	}
	return out, nil
}

// depths is each pixel's chessboard distance to the nearest pixel outside region, at
// most limit. The frame's edge is not an outside.
func depths(region *image.Alpha, limit int) []int {
	w, h := region.Rect.Dx(), region.Rect.Dy()
	d := make([]int, w*h)
	at := func(x, y int) int {
		if x < 0 || y < 0 || x >= w || y >= h {
			return limit
		}
		return d[y*w+x]
	}
	for y := range h {
		for x := range w {
			if region.Pix[y*region.Stride+x] != 0 {
				d[y*w+x] = min(limit, 1+min(at(x-1, y), at(x-1, y-1), at(x, y-1), at(x+1, y-1)))
			}
		}
	}
	for y := h - 1; y >= 0; y-- {
		for x := w - 1; x >= 0; x-- {
			if d[y*w+x] > 0 {
				d[y*w+x] = min(d[y*w+x], 1+min(at(x+1, y), at(x+1, y+1), at(x, y+1), at(x-1, y+1)))
			}
		}
	}
	return d
}
