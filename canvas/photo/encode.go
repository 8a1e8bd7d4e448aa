package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
)

// Output is the format that [Photo.Encode] writes: the photo's own, or PNG in place of
// WebP, for which there is no encoder.
func (p *Photo) Output() Format {
	if p.Format == WebP {
		return PNG
	}
	return p.Format
}

// Quality of JPEG files that are written.
const Quality = 97

// Encode writes a picture of the photo's size as the photo was: in its format (see
// [Photo.Output]), stored in its orientation with the same EXIF data, and with its
// colour profile if that is one for RGB. What becomes of pixels that did not change is
// [Photo.Preserves].
func (p *Photo) Encode(w io.Writer, picture *image.RGBA) error {
	return p.EncodeAs(w, picture, p.Output())
}

// Preservation is what a file keeps of the pixels that no edit changed.
type Preservation int

// The kinds.
const (
	// Recompressed pixels change a little everywhere.
	Recompressed Preservation = iota
	// Blocks of a JPEG, 8 or 16 pixels wide, in which nothing changed are copied from the
	// photo's file; those in which something did are compressed anew.
	Blocks
	// Flattened pixels keep their colours in 8 bits, but no transparency and no more bits.
	Flattened
	// Exact pixels are all kept.
	Exact
)

// Preserves says what [Photo.EncodeAs] keeps in a format, as far as the heads of the
// photo's file tell: one with broken blocks is compressed anew.
func (p *Photo) Preserves(f Format) Preservation {
	switch {
	case p.rich && f != JPEG && !(f == PNG && p.Format == PNG):
		return Flattened
	case f != JPEG:
		return Exact
	case p.Format == JPEG && copiesBlocks(p.data):
		return Blocks
	}
	return Recompressed
}

// Whole is nil when edits can be put back into the photo, or the error that says why not.
func (p *Photo) Whole() error {
	if p.Reduction > 1 {
		return fmt.Errorf("photo: the photo has %d×%d pixels and was opened at %d×%d: %w; make it smaller and open it again", p.Size.X, p.Size.Y, p.Picture.Rect.Dx(), p.Picture.Rect.Dy(), ErrReduced)
	}
	return nil
}

// EncodeAs is [Photo.Encode] in another format: EXIF data and profile go along where the
// format has a place for them, and the pixels are stored upright, as many programs heed
// the orientation only in the format it came from. There is no encoder for WebP. A photo
// that was opened at a fraction of its size is not written: [ErrReduced].
func (p *Photo) EncodeAs(w io.Writer, picture *image.RGBA, f Format) error {
	if err := p.Whole(); err != nil {
		return err
	}
	if picture.Rect.Size() != p.Picture.Rect.Size() {
		return fmt.Errorf("photo: picture is of %v, the photo of %v", picture.Rect.Size(), p.Picture.Rect.Size())
	}
	if f != p.Format {
		p = p.converted()
	}
	img := stored(picture, p.Orientation)
	if f == JPEG && p.Format == JPEG {
		if out, ok := p.copyBlocks(img); ok {
			_, err := w.Write(out)
			return err
		}
	}
	profile := p.meta.profile
	if !rgbProfile(profile) {
		profile = nil
	}
	var err error
	switch f {
	case JPEG:
		err = p.encodeJPEG(w, img, profile)
	case TIFF:
		err = encodeTIFF(w, img, p.Orientation, profile)
	case BMP:
		err = bmp.Encode(w, img)
	case PNG:
		var out image.Image = img
		if p.rich && p.Format == PNG {
			if out, err = p.enrich(stored(p.Picture, p.Orientation), img); err != nil {
				break
			}
		}
		err = p.encodePNG(w, out, profile)
	default:
		err = fmt.Errorf("there is no encoder for %q", f)
	}
	if err != nil {
		return fmt.Errorf("photo: %w", err)
	}
	return nil
}

// converted is the photo with its metadata made fit for a file of another format.
func (p *Photo) converted() *Photo {
	q := &Photo{Picture: p.Picture, Format: p.Format, Orientation: 1, meta: metadata{profile: p.meta.profile}}
	if p.Format == TIFF { // its metadata is the whole file
		return q
	}
	q.meta.xmp = p.meta.xmp
	if order, kind, count, at, ok := tiffTag(p.meta.exif, tagOrientation); ok && kind == 3 && count == 1 {
		q.meta.exif = bytes.Clone(p.meta.exif)
		order.PutUint16(q.meta.exif[at:], 1)
	} else {
		q.meta.exif = p.meta.exif
	}
	return q
}

func (p *Photo) encodeJPEG(w io.Writer, img *image.RGBA, profile []byte) error {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: Quality}); err != nil {
		return err
	}
	out := append([]byte(nil), b.Bytes()[:2]...) // SOI
	for _, s := range p.meta.segments {
		out = append(out, s...)
	}
	if n := len(exifMark) + len(p.meta.exif); p.Format != JPEG && len(p.meta.exif) > 0 && n <= 65533 {
		out = append(out, segment(0xe1, append([]byte(exifMark), p.meta.exif...))...)
	}
	const most = 65533 - len(iccMark) - 2
	parts := (len(profile) + most - 1) / most
	if parts <= 255 {
		for i := range parts {
			body := append([]byte(iccMark), byte(i+1), byte(parts))
			out = append(out, segment(0xe2, append(body, profile[i*most:min(len(profile), (i+1)*most)]...))...)
		}
	}
	if _, err := w.Write(out); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes()[2:])
	return err
}

// encodePNG puts the metadata between the head and the pixels.
func (p *Photo) encodePNG(w io.Writer, img image.Image, profile []byte) error {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(&b, img); err != nil {
		return err
	}
	const head = 8 + 12 + 13
	out := append([]byte(nil), b.Bytes()[:head]...)
	if profile != nil {
		var z bytes.Buffer
		zw := zlib.NewWriter(&z)
		if _, err := zw.Write(profile); err != nil {
			return err
		}
		if err := zw.Close(); err != nil {
			return err
		}
		out = append(out, chunk("iCCP", append([]byte("ICC\x00\x00"), z.Bytes()...))...)
	}
	for _, c := range p.meta.chunks {
		if profile != nil && string(c[4:8]) == "sRGB" {
			continue // either chunk, not both
		}
		out = append(out, c...)
	}
	if p.Format != PNG {
		if len(p.meta.exif) > 0 {
			out = append(out, chunk("eXIf", p.meta.exif)...)
		}
		if len(p.meta.xmp) > 0 {
			out = append(out, chunk("iTXt", append([]byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"), p.meta.xmp...))...)
		}
	}
	if _, err := w.Write(out); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes()[head:])
	return err
}

// encodeTIFF writes a baseline RGB file in one strip, with orientation and profile.
func encodeTIFF(w io.Writer, img *image.RGBA, orientation int, profile []byte) error {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	size := 3 * width * height
	type entry struct {
		tag, kind uint16
		count     uint32
		value     uint32
	}
	const (
		short = 3
		long  = 4
	)
	n := 11
	if profile != nil {
		n++
	}
	end := 8 + 2 + 12*n + 4
	bits := end
	pixels := bits + 6 + 2
	icc := pixels + size + size&1
	entries := []entry{
		{256, long, 1, uint32(width)},
		{257, long, 1, uint32(height)},
		{258, short, 3, uint32(bits)},
		{259, short, 1, 1},
		{262, short, 1, 2},
		{273, long, 1, uint32(pixels)},
		{tagOrientation, short, 1, uint32(orientation)},
		{277, short, 1, 3},
		{278, long, 1, uint32(height)},
		{279, long, 1, uint32(size)},
		{284, short, 1, 1},
	}
	if profile != nil {
		entries = append(entries, entry{tagProfile, 7, uint32(len(profile)), uint32(icc)})
	}
	le := binary.LittleEndian
	out := le.AppendUint32([]byte("II*\x00"), 8)
	out = le.AppendUint16(out, uint16(n))
	for _, e := range entries {
		out = le.AppendUint16(out, e.tag)
		out = le.AppendUint16(out, e.kind)
		out = le.AppendUint32(out, e.count)
		out = le.AppendUint32(out, e.value)
	}
	out = le.AppendUint32(out, 0)
	out = append(out, 8, 0, 8, 0, 8, 0, 0, 0)
	if _, err := w.Write(out); err != nil {
		return err
	}
	row := make([]byte, 3*width)
	for y := range height {
		from := img.Pix[y*img.Stride:]
		for x := range width {
			copy(row[3*x:3*x+3], from[4*x:4*x+3])
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	if profile == nil {
		return nil
	}
	if size&1 == 1 {
		if _, err := w.Write([]byte{0}); err != nil {
			return err
		}
	}
	_, err := w.Write(profile)
	return err
}
