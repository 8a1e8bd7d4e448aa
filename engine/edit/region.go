package edit

import (
	"errors"
	"fmt"
	"image"
)

// ErrEmptyRegion is returned when no pixel may change.
var ErrEmptyRegion = errors.New("edit: region is empty: nothing was painted")

// RegionOptions says which pixels an edit may change. The masks are of the picture's
// size or nil; a pixel is set when its value is not zero.
type RegionOptions struct {
	// Painted pixels belong to the region whether or not their label changed: every
	// stroke, fill and lasso counts.
	Painted *image.Alpha
	// WholeClasses adds every old and new pixel of the classes that the paint touches,
	// EditGAN's Q_edit rule.
	WholeClasses bool
	// Keep pixels are taken out again: they belong to the picture that must stay.
	Keep *image.Alpha
	// Dilation grows the region by so many pixels, measured as a square; negative
	// means the default, three pixels at 512² scaled with the resolution and at least
	// one.
	Dilation int
}

// DefaultDilation is EditGAN's three pixels at 512², scaled to size and at least one.
func DefaultDilation(size int) int { return max(1, (3*size+256)/512) }

// Region is the region of interest of an edit from base to painted labels, dilated.
// It is [ErrEmptyRegion] when no pixel was painted and no label differs.
func Region(base, painted *image.Paletted, o RegionOptions) (*image.Alpha, error) {
	if base == nil || painted == nil {
		return nil, errors.New("edit: base and painted labels are both needed")
	}
	size := base.Rect.Size()
	if painted.Rect.Size() != size {
		return nil, fmt.Errorf("edit: painted labels are %d×%d, want %d×%d as the picture", painted.Rect.Dx(), painted.Rect.Dy(), size.X, size.Y)
	}
	for _, m := range []struct {
		what string
		mask *image.Alpha
	}{{"painted region", o.Painted}, {"keep region", o.Keep}} {
		if m.mask != nil && m.mask.Rect.Size() != size {
			return nil, fmt.Errorf("edit: %s is %d×%d, want %d×%d as the picture", m.what, m.mask.Rect.Dx(), m.mask.Rect.Dy(), size.X, size.Y)
		}
	}
	var touched [256]bool
	region := image.NewAlpha(image.Rectangle{Max: size})
	any := false
	for y := range size.Y {
		for x := range size.X {
			b, p := base.Pix[y*base.Stride+x], painted.Pix[y*painted.Stride+x]
			if b == p && (o.Painted == nil || o.Painted.Pix[y*o.Painted.Stride+x] == 0) {
				continue
			}
			touched[b], touched[p] = true, true
			region.Pix[y*region.Stride+x] = 255
			any = true
		}
	}
	if !any {
		return nil, ErrEmptyRegion
	}
	if o.WholeClasses {
		addClasses(region, base, &touched)
		addClasses(region, painted, &touched)
	}
	d := o.Dilation
	if d < 0 {
		d = DefaultDilation(max(size.X, size.Y))
	}
	region = Dilate(region, d)
	if o.Keep != nil {
		any = false
		for y := range size.Y {
			for x := range size.X {
				if o.Keep.Pix[y*o.Keep.Stride+x] != 0 {
					region.Pix[y*region.Stride+x] = 0
				}
				any = any || region.Pix[y*region.Stride+x] != 0
			}
		}
		if !any {
			return nil, fmt.Errorf("%w that is not in the keep region", ErrEmptyRegion)
		}
	}
	return region, nil
}

// ClassRegion is the refinement's region: the pixels of classes in either label map,
// dilated (negative: by the default).
func ClassRegion(before, after *image.Paletted, classes []uint8, dilation int) (*image.Alpha, error) {
	if before.Rect.Size() != after.Rect.Size() {
		return nil, fmt.Errorf("edit: labels are %v and %v, want one size", before.Rect.Size(), after.Rect.Size())
	}
	var touched [256]bool
	for _, c := range classes {
		touched[c] = true
	}
	region := image.NewAlpha(image.Rectangle{Max: before.Rect.Size()})
	addClasses(region, before, &touched)
	addClasses(region, after, &touched)
	if dilation < 0 {
		dilation = DefaultDilation(max(region.Rect.Dx(), region.Rect.Dy()))
	}
	for _, v := range region.Pix {
		if v != 0 {
			return Dilate(region, dilation), nil
		}
	}
	return nil, ErrEmptyRegion
}

func addClasses(region *image.Alpha, labels *image.Paletted, classes *[256]bool) {
	for y := range region.Rect.Dy() {
		for x := range region.Rect.Dx() {
			if classes[labels.Pix[y*labels.Stride+x]] {
				region.Pix[y*region.Stride+x] = 255
			}
		}
	}
}

// Dilate grows mask by n pixels in every direction (a square of side 2n+1), in time
// that does not depend on n.
func Dilate(mask *image.Alpha, n int) *image.Alpha {
	w, h := mask.Rect.Dx(), mask.Rect.Dy()
	across := image.NewAlpha(image.Rect(0, 0, w, h))
	for y := range h {
		spread(across.Pix[y*across.Stride:], 1, mask.Pix[y*mask.Stride:], 1, w, n)
	}
	out := image.NewAlpha(across.Rect)
	for x := range w {
		spread(out.Pix[x:], out.Stride, across.Pix[x:], across.Stride, h, n)
	}
	return out
}

// spread sets dst where a set pixel of src lies within n.
func spread(dst []uint8, dstStep int, src []uint8, srcStep, length, n int) {
	last := -n - 1
	for i := range min(n, length) {
		if src[i*srcStep] != 0 {
			last = i
		}
	}
	for i := range length {
		if i+n < length && src[(i+n)*srcStep] != 0 {
			last = i + n
		}
		if last >= i-n && last >= 0 {
			dst[i*dstStep] = 255
		}
	}
}
