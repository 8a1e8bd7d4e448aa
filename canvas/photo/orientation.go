package photo

import (
	"encoding/binary"
	"image"
)

// upright turns a picture as stored by its EXIF orientation. 1 and unknown numbers
// leave it as it is.
func upright(img *image.RGBA, orientation int) *image.RGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	switch orientation {
	case 2:
		return turned(img, w, h, func(x, y int) (int, int) { return w - 1 - x, y })
	case 3:
		return turned(img, w, h, func(x, y int) (int, int) { return w - 1 - x, h - 1 - y })
	case 4:
		return turned(img, w, h, func(x, y int) (int, int) { return x, h - 1 - y })
	case 5:
		return turned(img, h, w, func(x, y int) (int, int) { return y, x })
	case 6:
		return turned(img, h, w, func(x, y int) (int, int) { return y, h - 1 - x })
	case 7:
		return turned(img, h, w, func(x, y int) (int, int) { return w - 1 - y, h - 1 - x })
	case 8:
		return turned(img, h, w, func(x, y int) (int, int) { return w - 1 - y, x })
	}
	return img
}

// stored undoes [upright].
func stored(img *image.RGBA, orientation int) *image.RGBA {
	switch orientation {
	case 6:
		orientation = 8
	case 8:
		orientation = 6
	}
	return upright(img, orientation)
}

// turned is a picture of w×h whose pixel (x, y) is the pixel from(x, y) of img.
func turned(img *image.RGBA, w, h int, from func(x, y int) (int, int)) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := from(x, y)
			copy(out.Pix[y*out.Stride+4*x:][:4], img.Pix[sy*img.Stride+4*sx:][:4])
		}
	}
	return out
}

const (
	tagOrientation = 0x0112
	tagProfile     = 34675
)

// tiffTag finds a tag in the first directory of a TIFF structure, which is what EXIF
// is, too. It returns the tag's type, count and the offset of its values; ok is false
// when the structure is broken or has no such tag.
func tiffTag(data []byte, tag uint16) (order binary.ByteOrder, kind uint16, count, at uint32, ok bool) {
	if len(data) < 8 {
		return nil, 0, 0, 0, false
	}
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return nil, 0, 0, 0, false
	}
	first := uint64(order.Uint32(data[4:]))
	if first+2 > uint64(len(data)) {
		return nil, 0, 0, 0, false
	}
	n := uint64(order.Uint16(data[first:]))
	for i := range n {
		p := first + 2 + 12*i
		if p+12 > uint64(len(data)) {
			break
		}
		if order.Uint16(data[p:]) != tag {
			continue
		}
		kind, count = order.Uint16(data[p+2:]), order.Uint32(data[p+4:])
		size, known := map[uint16]uint64{1: 1, 2: 1, 3: 2, 4: 4, 7: 1}[kind]
		if !known {
			break
		}
		at := p + 8
		if size*uint64(count) > 4 {
			at = uint64(order.Uint32(data[p+8:]))
		}
		if at+size*uint64(count) > uint64(len(data)) {
			break
		}
		return order, kind, count, uint32(at), true
	}
	return nil, 0, 0, 0, false
}

// exifOrientation is the orientation in an EXIF structure, 0 if it has none.
func exifOrientation(data []byte) int {
	order, kind, count, at, ok := tiffTag(data, tagOrientation)
	if !ok || kind != 3 || count != 1 {
		return 0
	}
	if v := int(order.Uint16(data[at:])); v >= 1 && v <= 8 {
		return v
	}
	return 0
}
