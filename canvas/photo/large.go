package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"iter"
	"slices"

	"golang.org/x/image/tiff"
)

// ErrReduced is wrapped by errors about putting edits back into a photo that was
// opened at a fraction of its size.
var ErrReduced = errors.New("edits cannot be put back into a photo that was opened at a fraction of its size")

// bandPixels is about how many pixels of a large picture are decoded at a time; tests
// make it small.
var bandPixels = 2 << 20

// reduction is the least k for which a picture of w×h, averaged over squares of side
// k, has no more than limit pixels.
func reduction(w, h, limit int) int {
	k := 1
	for (w+k-1)/k > limit/((h+k-1)/k) {
		k++
	}
	return k
}

// decodeReduced decodes a picture averaged over squares of side k, in bands where the
// format allows it, so that the whole is never in memory.
func decodeReduced(data []byte, f Format, config image.Config, k int, l Limits) (*image.RGBA, []string, error) {
	size := image.Rect(0, 0, (config.Width+k-1)/k, (config.Height+k-1)/k)
	left := l.Memory - 4*int64(size.Dx())*int64(size.Dy())
	bands := wholeBands(data, f, config, left)
	switch f {
	case PNG:
		if h, err := readPNGHead(data); err == nil && !h.interlaced() {
			bands = h.bands(data)
		}
	case TIFF:
		if h, ok := readTIFFLayout(data, config); ok && h.cost(config) <= left {
			bands = h.bands(data)
		}
	}
	var notes []string
	var out *image.RGBA  // from the first band on: a file may have nothing after its head
	var rgba *image.RGBA // the band
	var sums []uint32
	y := 0
	flush := func() {
		rows := (y-1)%k + 1
		to := out.Pix[(y-1)/k*out.Stride:][:4*out.Rect.Dx()]
		for x := range out.Rect.Dx() {
			n := uint32(rows * min(k, config.Width-x*k))
			for c := range 3 {
				to[4*x+c] = uint8((sums[3*x+c] + n/2) / n)
			}
			to[4*x+3] = 255
		}
		clear(sums)
	}
	for band, err := range bands {
		if err != nil {
			return nil, nil, err
		}
		if size := band.Bounds().Size(); size.X != config.Width || y+size.Y > config.Height {
			return nil, nil, fmt.Errorf("the picture does not have the %d×%d pixels that its head says", config.Width, config.Height)
		}
		if out == nil {
			out, sums = image.NewRGBA(size), make([]uint32, 3*size.Dx())
		}
		var more []string
		rgba, more = opaque(band, rgba)
		for _, n := range more {
			if !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
		for j := range rgba.Rect.Dy() {
			row := rgba.Pix[j*rgba.Stride:][:4*config.Width]
			for x, at := 0, 0; x < config.Width; x += k {
				for i := 4 * x; i < 4*min(x+k, config.Width); i += 4 {
					sums[at] += uint32(row[i])
					sums[at+1] += uint32(row[i+1])
					sums[at+2] += uint32(row[i+2])
				}
				at += 3
			}
			if y++; y%k == 0 || y == config.Height {
				flush()
			}
		}
	}
	if y != config.Height {
		return nil, nil, fmt.Errorf("the picture ends after %d of %d rows: %w", y, config.Height, io.ErrUnexpectedEOF)
	}
	return out, notes, nil
}

// wholeBands decodes everything at once, if that takes no more than limit bytes.
func wholeBands(data []byte, f Format, config image.Config, limit int64) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		size, kind := decodedBytes(data, f, config)
		if size > limit {
			yield(nil, fmt.Errorf("%s of this size takes %.1f GB of memory to decode, the limit is %.1f: save it again as a baseline JPEG or a PNG that is not interlaced, or make it smaller: %w",
				kind, float64(size)/(1<<30), float64(limit)/(1<<30), ErrTooLarge))
			return
		}
		img, err := coders[f].decode(bytes.NewReader(data))
		if err != nil {
			yield(nil, err)
			return
		}
		part, ok := img.(interface {
			SubImage(image.Rectangle) image.Image
		})
		if !ok {
			yield(img, nil)
			return
		}
		b := img.Bounds()
		rows := max(1, bandPixels/b.Dx())
		for y := b.Min.Y; y < b.Max.Y; y += rows {
			if !yield(part.SubImage(image.Rect(b.Min.X, y, b.Max.X, min(y+rows, b.Max.Y))), nil) {
				return
			}
		}
	}
}

// decodedBytes is what the decoder of a format allocates for a whole picture, and the
// name of that kind of file.
func decodedBytes(data []byte, f Format, config image.Config) (int64, string) {
	pixels := int64(config.Width) * int64(config.Height)
	switch f {
	case JPEG:
		if size, kind, ok := jpegBytes(data); ok {
			return size, kind
		}
		return 16 * pixels, "a JPEG"
	case WebP:
		if config.ColorModel == color.NRGBAModel {
			return 9 * pixels, "a lossless WebP" // the stream's own pixels, too
		}
		return 3 * pixels, "a WebP"
	case PNG:
		return 2 * pixelBytes(config.ColorModel) * pixels, "an interlaced PNG"
	case TIFF:
		return pixelBytes(config.ColorModel)*pixels + int64(len(data)), "a TIFF in one piece"
	}
	return pixelBytes(config.ColorModel) * pixels, "a BMP"
}

func pixelBytes(m color.Model) int64 {
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	if _, ok := m.(color.Palette); ok {
		return 1
	}
	return 4
}

// jpegBytes reads the frame's head: the samples of all components, and in a
// progressive file their coefficients, too; ok is false when there is no head.
func jpegBytes(data []byte) (size int64, kind string, ok bool) {
	kind = "a JPEG"
	for p := 2; p+4 <= len(data) && data[p] == 0xff; {
		marker := data[p+1]
		if marker == 0xff {
			p++
			continue
		}
		n := int(binary.BigEndian.Uint16(data[p+2:]))
		if n < 2 || p+2+n > len(data) {
			break
		}
		body := data[p+4 : p+2+n]
		if marker >= 0xc0 && marker <= 0xc2 && len(body) >= 6 && len(body) >= 6+3*int(body[5]) {
			h, w, components := int64(binary.BigEndian.Uint16(body[1:])), int64(binary.BigEndian.Uint16(body[3:])), int(body[5])
			most, samples := int64(1), int64(0)
			for i := range components {
				s := body[6+3*i+1]
				most = max(most, int64(s>>4)*int64(s&15))
				samples += int64(s>>4) * int64(s&15)
			}
			total := w * h * samples / most
			if marker == 0xc2 {
				kind, total = "a progressive JPEG", 5*total
			}
			// What is not YCbCr is converted into a copy.
			if components == 4 || bytes.Contains(data[:p], []byte("\x00\x0eAdobe")) {
				total += 4 * w * h
			}
			return total, kind, true
		}
		p += 2 + n
	}
	return 0, kind, false
}

// pngHead is what decoding the rows of a PNG needs.
type pngHead struct {
	ihdr, palette, transparency []byte // bodies of the chunks
	row                         int    // bytes of a row
	pixel                       int    // bytes back to what a filter predicts from
}

func (h pngHead) interlaced() bool { return h.ihdr[12] != 0 }

func readPNGHead(data []byte) (pngHead, error) {
	var h pngHead
	eachChunk(data, func(kind string, body, _ []byte) {
		switch kind {
		case "IHDR":
			h.ihdr = body
		case "PLTE":
			h.palette = body
		case "tRNS":
			h.transparency = body
		}
	})
	if len(h.ihdr) != 13 {
		return h, errors.New("the file is broken: it has no head")
	}
	channels := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[h.ihdr[9]]
	bits := channels * int(h.ihdr[8])
	if bits == 0 || bits > 64 {
		return h, errors.New("the file is broken: it has no known kind of pixels")
	}
	h.row = (int(binary.BigEndian.Uint32(h.ihdr))*bits + 7) / 8
	h.pixel = max(1, bits/8)
	return h, nil
}

// idat reads the pixel data of a PNG across its chunks.
type idat struct {
	data []byte
	at   int
	part []byte
}

func (r *idat) Read(p []byte) (int, error) {
	for len(r.part) == 0 {
		if r.at+12 > len(r.data) {
			return 0, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(r.data[r.at:]))
		if n > int64(len(r.data)-r.at-12) {
			return 0, io.ErrUnexpectedEOF
		}
		body := r.data[r.at+4 : r.at+8+int(n)]
		if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(r.data[r.at+8+int(n):]) {
			return 0, png.FormatError("invalid checksum")
		}
		r.at += 12 + int(n)
		switch string(body[:4]) {
		case "IDAT":
			r.part = body[4:]
		case "IEND":
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(p, r.part)
	r.part = r.part[n:]
	return n, nil
}

// bands decodes rows by the library, which knows all kinds of pixels: each band is
// unfiltered and becomes a small PNG of its own, uncompressed.
func (h pngHead) bands(data []byte) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		z, err := zlib.NewReader(&idat{data: data, at: 8})
		if err != nil {
			yield(nil, err)
			return
		}
		width, height := int(binary.BigEndian.Uint32(h.ihdr)), int(binary.BigEndian.Uint32(h.ihdr[4:]))
		most := max(1, bandPixels/width)
		rows := make([]byte, most*(1+h.row))
		above := make([]byte, h.row)
		var small bytes.Buffer
		for y := 0; y < height; y += most {
			n := min(most, height-y)
			for j := range n {
				line := rows[j*(1+h.row):][:1+h.row]
				if _, err := io.ReadFull(z, line); err != nil {
					yield(nil, fmt.Errorf("the file ends in row %d of %d: %w", y+j, height, err))
					return
				}
				if err := unfilter(line, above, h.pixel); err != nil {
					yield(nil, err)
					return
				}
				above = line[1:]
			}
			small.Reset()
			if err := h.encode(&small, n, rows[:n*(1+h.row)]); err != nil {
				yield(nil, err)
				return
			}
			above = bytes.Clone(above) // its place is needed for the next band
			img, err := png.Decode(&small)
			if !yield(img, err) || err != nil {
				return
			}
		}
	}
}

func (h pngHead) encode(w *bytes.Buffer, rows int, pixels []byte) error {
	ihdr := bytes.Clone(h.ihdr)
	binary.BigEndian.PutUint32(ihdr[4:], uint32(rows))
	w.WriteString("\x89PNG\r\n\x1a\n")
	w.Write(chunk("IHDR", ihdr))
	if h.palette != nil {
		w.Write(chunk("PLTE", h.palette))
	}
	if h.transparency != nil {
		w.Write(chunk("tRNS", h.transparency))
	}
	var stored bytes.Buffer
	z, err := zlib.NewWriterLevel(&stored, zlib.NoCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(pixels); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	w.Write(chunk("IDAT", stored.Bytes()))
	w.Write(chunk("IEND", nil))
	return nil
}

// unfilter undoes the filter of a row, whose first byte names it (PNG specification,
// 9.2), and leaves it unfiltered.
func unfilter(line, above []byte, pixel int) error {
	row := line[1:]
	switch line[0] {
	case 0:
	case 1: // sub
		for i := pixel; i < len(row); i++ {
			row[i] += row[i-pixel]
		}
	case 2: // up
		for i := range row {
			row[i] += above[i]
		}
	case 3: // average
		for i := range row {
			left := 0
			if i >= pixel {
				left = int(row[i-pixel])
			}
			row[i] += uint8((left + int(above[i])) / 2)
		}
	case 4: // Paeth
		for i := range row {
			var a, c int
			if i >= pixel {
				a, c = int(row[i-pixel]), int(above[i-pixel])
			}
			b := int(above[i])
			p := a + b - c
			da, db, dc := abs(p-a), abs(p-b), abs(p-c)
			switch {
			case da <= db && da <= dc:
				row[i] += uint8(a)
			case db <= dc:
				row[i] += uint8(b)
			default:
				row[i] += uint8(c)
			}
		}
	default:
		return png.FormatError("bad filter type")
	}
	line[0] = 0
	return nil
}

func abs(v int) int { return max(v, -v) }

// tiffLayout says where the strips or rows of tiles of a TIFF are.
type tiffLayout struct {
	order           binary.ByteOrder
	entries         []byte // of the first directory, 12 bytes each
	offsets, counts uint16 // tags of the lists
	each            int    // blocks beside each other
	blockRows       int
	blocks          int // rows of blocks
	height          int
}

const (
	tagLength       = 257
	tagCompression  = 259
	tagStripOffsets = 273
	tagRowsPerStrip = 278
	tagStripCounts  = 279
	tagTileWidth    = 322
	tagTileLength   = 323
	tagTileOffsets  = 324
	tagTileCounts   = 325
)

// tiffNumber is the value of a tag with one number.
func tiffNumber(data []byte, tag uint16) int {
	order, kind, count, at, ok := tiffTag(data, tag)
	switch {
	case !ok || count < 1:
		return 0
	case kind == 3:
		return int(order.Uint16(data[at:]))
	case kind == 4:
		return int(order.Uint32(data[at:]))
	}
	return 0
}

func readTIFFLayout(data []byte, config image.Config) (tiffLayout, bool) {
	order, _, _, _, ok := tiffTag(data, tagLength)
	if !ok {
		return tiffLayout{}, false
	}
	first := int(order.Uint32(data[4:]))
	n := int(order.Uint16(data[first:]))
	if first+2+12*n > len(data) {
		return tiffLayout{}, false
	}
	h := tiffLayout{
		order: order, entries: data[first+2:][:12*n], offsets: tagStripOffsets, counts: tagStripCounts,
		each: 1, blockRows: tiffNumber(data, tagRowsPerStrip), height: config.Height,
	}
	if w := tiffNumber(data, tagTileWidth); w > 0 {
		h.offsets, h.counts = tagTileOffsets, tagTileCounts
		h.each, h.blockRows = (config.Width+w-1)/w, tiffNumber(data, tagTileLength)
	}
	if h.blockRows < 1 || h.blockRows > config.Height {
		h.blockRows = config.Height
	}
	h.blocks = (config.Height + h.blockRows - 1) / h.blockRows
	for _, tag := range []uint16{h.offsets, h.counts} {
		_, kind, count, _, ok := tiffTag(data, tag)
		if !ok || int(count) != h.blocks*h.each || kind != 3 && kind != 4 {
			return h, false
		}
	}
	return h, true
}

// rows of blocks that are decoded at once.
func (h tiffLayout) together(width int) int {
	return min(h.blocks, max(1, bandPixels/max(1, width*h.blockRows)))
}

// cost is what a band takes to decode, in bytes.
func (h tiffLayout) cost(config image.Config) int64 {
	return 2 * pixelBytes(config.ColorModel) * int64(config.Width) * int64(h.blockRows) * int64(h.together(config.Width))
}

// bands decodes rows of blocks by the library: each band is the file with another
// directory, which lists some of the blocks only.
func (h tiffLayout) bands(data []byte) iter.Seq2[image.Image, error] {
	return func(yield func(image.Image, error) bool) {
		width := tiffNumber(data, 256)
		step := h.together(width)
		for from := 0; from < h.blocks; from += step {
			n := min(step, h.blocks-from)
			left := h.height - from*h.blockRows
			rows := n * h.blockRows
			if h.offsets == tagStripOffsets {
				rows = min(rows, left) // the last strip is as high as what is left, a tile is filled up
			}
			img, err := tiff.Decode(h.file(data, from, n, rows))
			if err == nil && rows > left {
				b := img.Bounds()
				part, ok := img.(interface {
					SubImage(image.Rectangle) image.Image
				})
				if !ok {
					err = errors.New("the file has an unknown kind of pixels")
				} else {
					img = part.SubImage(image.Rect(b.Min.X, b.Min.Y, b.Max.X, b.Min.Y+left))
				}
			}
			if !yield(img, err) || err != nil {
				return
			}
		}
	}
}

// file is the TIFF of n rows of blocks.
func (h tiffLayout) file(data []byte, from, n, rows int) io.Reader {
	s := spliced{data: data}
	copy(s.head[:], data)
	h.order.PutUint32(s.head[4:], uint32(len(data)))
	count := len(h.entries) / 12
	s.tail = make([]byte, 2, 2+len(h.entries)+4)
	h.order.PutUint16(s.tail, uint16(count))
	s.tail = append(s.tail, h.entries...)
	s.tail = append(s.tail, 0, 0, 0, 0)
	number := func(entry []byte, v int) {
		h.order.PutUint16(entry[2:], 4)
		h.order.PutUint32(entry[4:], 1)
		h.order.PutUint32(entry[8:], uint32(v))
	}
	for i := range count {
		entry := s.tail[2+12*i:][:12]
		switch tag := h.order.Uint16(entry); tag {
		case tagLength:
			number(entry, rows)
		case tagRowsPerStrip:
			number(entry, h.blockRows)
		case h.offsets, h.counts:
			_, kind, _, at, _ := tiffTag(data, tag)
			size := map[uint16]int{3: 2, 4: 4}[kind]
			at += uint32(size * from * h.each)
			h.order.PutUint32(entry[4:], uint32(n*h.each))
			if size*n*h.each <= 4 {
				copy(entry[8:12], data[at:][:size*n*h.each])
			} else {
				h.order.PutUint32(entry[8:], at)
			}
		}
	}
	return io.NewSectionReader(&s, 0, int64(len(data)+len(s.tail)))
}

// spliced is a file with another beginning and more at its end.
type spliced struct {
	head       [8]byte
	data, tail []byte
}

func (s *spliced) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for n < len(p) {
		var from []byte
		switch q := at + int64(n); {
		case q < 8:
			from = s.head[q:]
		case q < int64(len(s.data)):
			from = s.data[q:]
		case q < int64(len(s.data)+len(s.tail)):
			from = s.tail[q-int64(len(s.data)):]
		default:
			return n, io.EOF
		}
		n += copy(p[n:], from)
	}
	return n, nil
}
