package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/bits"
)

// A JPEG file is a grid of blocks of 8×8 coefficients for each component. Compressing a
// whole picture again changes all of them a little, so an edit is written into the
// file's own coefficients instead: blocks in which no pixel changed keep theirs, and
// the others get the transformed change added to theirs (ITU-T T.81; the coefficients
// are read from sequential and progressive files and written as a sequential one).

// errBlocks is wrapped by errors about files whose blocks cannot be copied.
var errBlocks = errors.New("the blocks of this JPEG cannot be copied")

// jpegBlocks are the coefficients of a file.
type jpegBlocks struct {
	width, height int
	components    []jpegComponent
	hMax, vMax    int
	across, down  int         // MCUs
	quantisers    [4][]uint16 // in zigzag order
	segments      [][]byte    // that say how pixels are coded and what the picture is
}

// jpegComponent is a grid of blocks, as many as whole MCUs have.
type jpegComponent struct {
	id, quantiser byte
	h, v          int // sampling factors
	across, down  int
	coefficients  []int16 // 64 a block, in zigzag order
}

func (c *jpegComponent) block(x, y int) []int16 {
	return c.coefficients[64*(y*c.across+x):][:64]
}

// zigzag gives the row-by-row place of the coefficients.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// huffman decodes one code of T.81, Annex C.
type huffman struct {
	values  []byte
	maxCode [17]int32                         // the largest code of each length, −1 for none
	offset  [17]int32                         // index of a code's value less the code
	short   [256]struct{ value, length byte } // by the next 8 bits; length 0 for longer codes
}

func readHuffman(body []byte) (table huffman, n int, err error) {
	if len(body) < 16 {
		return table, 0, errBlocks
	}
	total, code := int32(0), int32(0)
	for l := 1; l <= 16; l++ {
		count := int32(body[l-1])
		table.offset[l] = total - code
		table.maxCode[l] = -1
		if count > 0 {
			table.maxCode[l] = code + count - 1
		}
		total += count
		if code += count; code > 1<<l {
			return table, 0, errBlocks
		}
		code <<= 1
	}
	if total > 256 || len(body) < 16+int(total) {
		return table, 0, errBlocks
	}
	table.values = body[16:][:total]
	for l := 1; l <= 8; l++ {
		for code := table.maxCode[l] - int32(body[l-1]) + 1; code <= table.maxCode[l]; code++ {
			for rest := range 1 << (8 - l) {
				s := &table.short[int(code)<<(8-l)|rest]
				s.value, s.length = table.values[table.offset[l]+code], byte(l)
			}
		}
	}
	return table, 16 + int(total), nil
}

// entropy reads the bits of a scan.
type entropy struct {
	data []byte
	at   int
	bits uint64
	n    int // bits held
}

func (r *entropy) fill() {
	for r.n <= 48 {
		v := byte(0)
		if r.at < len(r.data) {
			switch {
			case r.data[r.at] != 0xff:
				v = r.data[r.at]
				r.at++
			case r.at+1 < len(r.data) && r.data[r.at+1] == 0:
				v = 0xff
				r.at += 2
			}
			// At a marker the scan ends; what is read beyond is zero.
		}
		r.bits = r.bits<<8 | uint64(v)
		r.n += 8
	}
}

func (r *entropy) read(n int) int32 {
	if n == 0 {
		return 0
	}
	if r.n < n {
		r.fill()
	}
	r.n -= n
	return int32(r.bits >> r.n & (1<<n - 1))
}

// number reads a coefficient of n bits (T.81, F.2.2.1).
func (r *entropy) number(n int) int32 {
	v := r.read(n)
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

func (r *entropy) symbol(t *huffman) (byte, error) {
	if r.n < 16 {
		r.fill()
	}
	if s := t.short[byte(r.bits>>(r.n-8))]; s.length > 0 {
		r.n -= int(s.length)
		return s.value, nil
	}
	code := int32(0)
	for l := 1; l <= 16; l++ {
		r.n--
		code = code<<1 | int32(r.bits>>r.n&1)
		if code <= t.maxCode[l] {
			if k := t.offset[l] + code; k >= 0 && int(k) < len(t.values) {
				return t.values[k], nil
			}
		}
	}
	return 0, errBlocks
}

// restart goes on behind a restart marker.
func (r *entropy) restart() error {
	r.bits, r.n = 0, 0
	for r.at+1 < len(r.data) && (r.data[r.at] != 0xff || r.data[r.at+1] == 0xff) {
		r.at++
	}
	if r.at+1 >= len(r.data) || r.data[r.at+1] < 0xd0 || r.data[r.at+1] > 0xd7 {
		return errBlocks
	}
	r.at += 2
	return nil
}

// copiesBlocks reports whether the blocks of a JPEG file can be copied: YCbCr or grey,
// 8 bits, Huffman codes.
func copiesBlocks(data []byte) bool {
	_, err := readJPEG(data, false)
	return err == nil
}

// copyBlocks is the photo's file with the blocks of a stored picture that differ from
// the photo's. What it says is checked: ok is false when the file has no blocks to
// copy, or when one that did not change looks different, as those of broken files may.
func (p *Photo) copyBlocks(img *image.RGBA) (file []byte, ok bool) {
	b, err := readJPEG(p.data, true)
	if err != nil {
		return nil, false
	}
	from := stored(p.Picture, p.Orientation)
	var out bytes.Buffer
	if b.edit(from, img) != nil || b.write(&out) != nil {
		return nil, false
	}
	for i := range b.components {
		b.components[i].coefficients = nil
	}
	read, err := coders[JPEG].decode(bytes.NewReader(out.Bytes()))
	if err != nil {
		return nil, false
	}
	is, _ := opaque(read, nil)
	if is.Rect != from.Rect {
		return nil, false
	}
	side := image.Pt(8*b.hMax, 8*b.vMax)
	for k := range b.across * b.down {
		at := image.Pt(k%b.across*side.X, k/b.across*side.Y)
		block := image.Rectangle{Min: at, Max: at.Add(side)}.Intersect(from.Rect)
		if !differ(from, img, block) && differ(from, is, block) {
			return nil, false
		}
	}
	return out.Bytes(), true
}

// readJPEG reads a file: its coefficients, too, when the whole is asked for.
func readJPEG(data []byte, whole bool) (*jpegBlocks, error) {
	b := &jpegBlocks{}
	var dc, ac [4]*huffman
	interval, scans, progressive := 0, 0, false
	adobe, jfif := -1, false
	var seen [3]bool // components with a scan
	for p := 2; p+4 <= len(data); {
		if data[p] != 0xff { // the bits of a scan
			next := bytes.IndexByte(data[p:], 0xff)
			if next < 0 {
				break
			}
			p += next
			continue
		}
		marker := data[p+1]
		if marker == 0xff || marker == 0 || marker >= 0xd0 && marker <= 0xd7 {
			p++
			continue
		}
		if marker == 0xd9 {
			break
		}
		n := int(binary.BigEndian.Uint16(data[p+2:]))
		if n < 2 || p+2+n > len(data) {
			return nil, errBlocks
		}
		segment, body := data[p:p+2+n], data[p+4:p+2+n]
		p += 2 + n
		switch {
		case marker == 0xc0 || marker == 0xc1 || marker == 0xc2:
			if b.components != nil {
				return nil, errBlocks
			}
			progressive = marker == 0xc2
			if err := b.frame(body, adobe, jfif); err != nil {
				return nil, err
			}
			if whole {
				b.allocate()
			}
		case marker == 0xc4:
			for len(body) > 0 {
				t, n, err := readHuffman(body[1:])
				if err != nil || body[0]&15 > 3 || body[0]>>4 > 1 {
					return nil, errBlocks
				}
				(*[2]*[4]*huffman{&dc, &ac}[body[0]>>4])[body[0]&15] = &t
				body = body[1+n:]
			}
		case marker == 0xdb:
			for len(body) > 0 {
				size := 64 * (1 + int(body[0]>>4))
				if body[0]>>4 > 1 || body[0]&15 > 3 || len(body) < 1+size {
					return nil, errBlocks
				}
				q := make([]uint16, 64)
				for i := range q {
					if size == 64 {
						q[i] = uint16(body[1+i])
					} else {
						q[i] = binary.BigEndian.Uint16(body[1+2*i:])
					}
					if q[i] == 0 {
						return nil, errBlocks
					}
				}
				if b.quantisers[body[0]&15] != nil && scans > 0 {
					return nil, errBlocks // a table that changes between scans
				}
				b.quantisers[body[0]&15] = q
				body = body[1+size:]
			}
		case marker == 0xdd:
			if len(body) < 2 {
				return nil, errBlocks
			}
			interval = int(binary.BigEndian.Uint16(body))
		case marker == 0xda:
			if b.components == nil {
				return nil, errBlocks
			}
			for _, c := range b.components {
				if b.quantisers[c.quantiser] == nil {
					return nil, errBlocks
				}
			}
			scans++
			for i := range b.components {
				for k := 1; k < len(body)-3; k += 2 {
					seen[i] = seen[i] || body[k] == b.components[i].id
				}
			}
			if !whole {
				continue
			}
			s := scan{b: b, progressive: progressive, interval: interval, r: entropy{data: data, at: p}}
			if err := s.read(body, dc, ac); err != nil {
				return nil, err
			}
			p = s.r.at
		case marker >= 0xe0 && marker <= 0xef || marker == 0xfe:
			if marker == 0xe0 && bytes.HasPrefix(body, []byte("JFIF\x00")) {
				jfif = true
			}
			if marker == 0xee && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")) {
				adobe = int(body[11])
			}
			if marker == 0xe2 && bytes.HasPrefix(body, []byte("MPF\x00")) {
				continue // where further pictures lie behind this one
			}
			b.segments = append(b.segments, segment)
		default:
			return nil, fmt.Errorf("%w: marker %#x", errBlocks, marker)
		}
	}
	for i := range b.components {
		if !seen[i] {
			return nil, fmt.Errorf("%w: a component has no scan", errBlocks)
		}
	}
	if b.components == nil {
		return nil, errBlocks
	}
	return b, nil
}

func (b *jpegBlocks) frame(body []byte, adobe int, jfif bool) error {
	if len(body) < 6 || body[0] != 8 || len(body) != 6+3*int(body[5]) {
		return errBlocks
	}
	b.height, b.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	if b.width == 0 || b.height == 0 || body[5] != 1 && body[5] != 3 {
		return errBlocks
	}
	b.hMax, b.vMax = 1, 1
	sum := 0
	for i := range int(body[5]) {
		f := body[6+3*i:][:3]
		c := jpegComponent{id: f[0], h: int(f[1] >> 4), v: int(f[1] & 15), quantiser: f[2]}
		if body[5] == 1 {
			c.h, c.v = 1, 1 // of a single component the factors say nothing
		}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quantiser > 3 {
			return errBlocks
		}
		sum += c.h * c.v
		b.hMax, b.vMax = max(b.hMax, c.h), max(b.vMax, c.v)
		b.components = append(b.components, c)
	}
	if sum > 10 {
		return errBlocks
	}
	if len(b.components) == 3 {
		ids := [3]byte{b.components[0].id, b.components[1].id, b.components[2].id}
		if !jfif && adobe == 0 || ids == [3]byte{'R', 'G', 'B'} {
			return fmt.Errorf("%w: its components are RGB", errBlocks)
		}
	}
	b.across, b.down = (b.width+8*b.hMax-1)/(8*b.hMax), (b.height+8*b.vMax-1)/(8*b.vMax)
	for i := range b.components {
		c := &b.components[i]
		if b.hMax%c.h != 0 || b.vMax%c.v != 0 {
			return errBlocks
		}
		c.across, c.down = b.across*c.h, b.down*c.v
	}
	return nil
}

func (b *jpegBlocks) allocate() {
	for i := range b.components {
		c := &b.components[i]
		c.coefficients = make([]int16, 64*c.across*c.down)
	}
}

// scan reads the coefficients of one scan into a file's blocks.
type scan struct {
	b                   *jpegBlocks
	r                   entropy
	progressive         bool
	interval            int
	from, to, high, low int
	eobs                int32 // blocks left of a run of ends
}

func (s *scan) read(body []byte, dc, ac [4]*huffman) error {
	if len(body) < 4 || len(body) != 4+2*int(body[0]) || body[0] == 0 {
		return errBlocks
	}
	type part struct {
		c      *jpegComponent
		dc, ac *huffman
		before int32
	}
	var parts []part
	for i := range int(body[0]) {
		id, tables := body[1+2*i], body[2+2*i]
		for k := range s.b.components {
			if c := &s.b.components[k]; c.id == id {
				if tables>>4 > 3 || tables&15 > 3 {
					return errBlocks
				}
				parts = append(parts, part{c: c, dc: dc[tables>>4], ac: ac[tables&15]})
				break
			}
		}
	}
	if len(parts) != int(body[0]) {
		return errBlocks
	}
	end := body[len(body)-3:]
	s.from, s.to, s.high, s.low = int(end[0]), int(end[1]), int(end[2]>>4), int(end[2]&15)
	if !s.progressive {
		s.from, s.to, s.high, s.low = 0, 63, 0, 0
	}
	if s.from > s.to || s.to > 63 || s.low > 13 || s.progressive && s.from == 0 && s.to > 0 || s.from > 0 && len(parts) > 1 {
		return errBlocks
	}
	for _, p := range parts {
		if s.from == 0 && s.high == 0 && p.dc == nil || s.to > 0 && p.ac == nil {
			return errBlocks
		}
	}
	across, down := s.b.across, s.b.down
	if len(parts) == 1 { // blocks that only fill up MCUs are left out
		c := parts[0].c
		across = (s.b.width*c.h + 8*s.b.hMax - 1) / (8 * s.b.hMax)
		down = (s.b.height*c.v + 8*s.b.vMax - 1) / (8 * s.b.vMax)
	}
	for k := range across * down {
		if s.interval > 0 && k > 0 && k%s.interval == 0 {
			if err := s.r.restart(); err != nil {
				return err
			}
			s.eobs = 0
			for i := range parts {
				parts[i].before = 0
			}
		}
		for i := range parts {
			p := &parts[i]
			h, v := p.c.h, p.c.v
			if len(parts) == 1 {
				h, v = 1, 1
			}
			for j := range h * v {
				block := p.c.block(k%across*h+j%h, k/across*v+j/h)
				if err := s.block(block, p.dc, p.ac, &p.before); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *scan) block(to []int16, dc, ac *huffman, before *int32) error {
	if s.from == 0 {
		if s.high > 0 {
			to[0] |= int16(s.r.read(1) << s.low)
		} else {
			n, err := s.r.symbol(dc)
			if err != nil || n > 11 {
				return errBlocks
			}
			*before += s.r.number(int(n))
			v := *before << s.low
			if v != int32(int16(v)) {
				return errBlocks
			}
			to[0] = int16(v)
		}
		if s.progressive {
			return nil
		}
	}
	if s.high > 0 {
		return s.refine(to, ac)
	}
	if s.eobs > 0 {
		s.eobs--
		return nil
	}
	for k := max(1, s.from); k <= s.to; k++ {
		v, err := s.r.symbol(ac)
		if err != nil {
			return err
		}
		run, n := int(v>>4), int(v&15)
		if n == 0 {
			if run == 15 {
				k += 15
				continue
			}
			if run > 0 && !s.progressive {
				return errBlocks
			}
			s.eobs = 1<<run + s.r.read(run) - 1
			return nil
		}
		if k += run; k > s.to || n > 10 {
			return errBlocks
		}
		to[k] = int16(s.r.number(n) << s.low)
	}
	return nil
}

// refine adds a bit to coefficients that are known and brings new ones (T.81, G.1.2.3).
func (s *scan) refine(to []int16, ac *huffman) error {
	bit := int16(1) << s.low
	more := func(k int) {
		if s.r.read(1) != 0 {
			if to[k] > 0 {
				to[k] += bit
			} else {
				to[k] -= bit
			}
		}
	}
	k := s.from
	for ; s.eobs == 0 && k <= s.to; k++ {
		v, err := s.r.symbol(ac)
		if err != nil {
			return err
		}
		run, n := int(v>>4), int(v&15)
		fresh := int16(0)
		switch {
		case n == 1:
			fresh = -bit
			if s.r.read(1) != 0 {
				fresh = bit
			}
		case n > 1:
			return errBlocks
		case run < 15:
			s.eobs = 1<<run + s.r.read(run)
		}
		if s.eobs > 0 {
			break
		}
		for ; k <= s.to; k++ {
			if to[k] != 0 {
				more(k)
				continue
			}
			if run == 0 {
				break
			}
			run--
		}
		if fresh != 0 {
			if k > s.to {
				return errBlocks
			}
			to[k] = fresh
		}
	}
	if s.eobs > 0 {
		s.eobs--
		for ; k <= s.to; k++ {
			if to[k] != 0 {
				more(k)
			}
		}
	}
	return nil
}

// cosines of the transform: cosines[u][x] = c(u)/2·cos((2x+1)uπ/16).
var cosines = func() (t [8][8]float64) {
	for u := range 8 {
		for x := range 8 {
			t[u][x] = math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) / 2
			if u == 0 {
				t[u][x] /= math.Sqrt2
			}
		}
	}
	return t
}()

// edit adds what changed between two pictures of the file's size to the blocks in
// which it lies.
func (b *jpegBlocks) edit(from, to *image.RGBA) error {
	if from.Rect.Size() != image.Pt(b.width, b.height) || to.Rect.Size() != from.Rect.Size() {
		return errBlocks
	}
	grey := len(b.components) == 1
	// The rows of the conversion of JFIF, without the offsets, which a change has not.
	weights := [3][3]float64{{0.299, 0.587, 0.114}, {-0.168736, -0.331264, 0.5}, {0.5, -0.418688, -0.081312}}
	side := image.Pt(8*b.hMax, 8*b.vMax)
	change := make([]float64, side.X*side.Y)
	for my := range b.down {
		for mx := range b.across {
			at := image.Pt(mx*side.X, my*side.Y)
			if !differ(from, to, image.Rectangle{Min: at, Max: at.Add(side)}.Intersect(from.Rect)) {
				continue
			}
			for i := range b.components {
				c := &b.components[i]
				for y := range side.Y {
					// What lies beyond the edge repeats it.
					py := min(at.Y+y, b.height-1)
					for x := range side.X {
						px := min(at.X+x, b.width-1)
						p, q := from.Pix[py*from.Stride+4*px:][:3], to.Pix[py*to.Stride+4*px:][:3]
						if grey && (q[0] != q[1] || q[1] != q[2]) {
							return fmt.Errorf("%w: the file is grey and the edit has colour", errBlocks)
						}
						sum := 0.0
						for k := range 3 {
							sum += weights[i][k] * (float64(q[k]) - float64(p[k]))
						}
						change[y*side.X+x] = sum
					}
				}
				sx, sy := b.hMax/c.h, b.vMax/c.v
				for j := range c.h * c.v {
					var samples [64]float64
					for k := range samples {
						x0, y0 := (j%c.h*8+k%8)*sx, (j/c.h*8+k/8)*sy
						for y := y0; y < y0+sy; y++ {
							for x := x0; x < x0+sx; x++ {
								samples[k] += change[y*side.X+x] / float64(sx*sy)
							}
						}
					}
					addTransformed(c.block(mx*c.h+j%c.h, my*c.v+j/c.h), &samples, b.quantisers[c.quantiser])
				}
			}
		}
	}
	return nil
}

func differ(a, b *image.RGBA, r image.Rectangle) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		if !bytes.Equal(a.Pix[y*a.Stride+4*r.Min.X:y*a.Stride+4*r.Max.X], b.Pix[y*b.Stride+4*r.Min.X:y*b.Stride+4*r.Max.X]) {
			return true
		}
	}
	return false
}

// addTransformed adds the transformed samples to coefficients, in units of the
// quantiser.
func addTransformed(block []int16, samples *[64]float64, quantiser []uint16) {
	var rows, out [64]float64
	for y := range 8 {
		for u := range 8 {
			for x := range 8 {
				rows[8*y+u] += cosines[u][x] * samples[8*y+x]
			}
		}
	}
	for v := range 8 {
		for u := range 8 {
			for y := range 8 {
				out[8*v+u] += cosines[v][y] * rows[8*y+u]
			}
		}
	}
	for k := range block {
		q := float64(quantiser[k])
		most := 1023.0
		if k == 0 {
			most = 1024
		}
		if d := math.Round(out[zigzag[k]] / q); d != 0 {
			block[k] = int16(min(max(float64(block[k])+d, -most), most))
		}
	}
}

// write writes a sequential file with optimal Huffman codes.
func (b *jpegBlocks) write(w io.Writer) error {
	var counts [2][2][257]int
	if err := b.codes(func(class, table int, symbol byte, _ uint32, _ int) { counts[class][table][symbol]++ }); err != nil {
		return err
	}
	out := []byte{0xff, 0xd8}
	for _, s := range b.segments {
		out = append(out, s...)
	}
	precise := byte(0)
	for i, q := range b.quantisers {
		if q == nil {
			continue
		}
		body := []byte{byte(i)}
		for _, v := range q {
			if v > 255 {
				body[0] |= 16
				precise = 1
			}
		}
		for _, v := range q {
			if body[0] > 15 {
				body = append(body, byte(v>>8))
			}
			body = append(body, byte(v))
		}
		out = append(out, segment(0xdb, body)...)
	}
	frame := []byte{8, byte(b.height >> 8), byte(b.height), byte(b.width >> 8), byte(b.width), byte(len(b.components))}
	start := []byte{byte(len(b.components))}
	for i, c := range b.components {
		frame = append(frame, c.id, byte(c.h<<4|c.v), c.quantiser)
		start = append(start, c.id, byte(min(i, 1)*17))
	}
	out = append(out, segment(0xc0+precise, frame)...)
	var codes [2][2][256]huffmanCode
	for class := range 2 {
		for table := range min(2, len(b.components)) {
			lengths, values := optimalLengths(&counts[class][table])
			body := append(append([]byte{byte(class<<4 | table)}, lengths[1:]...), values...)
			out = append(out, segment(0xc4, body)...)
			code, k := uint32(0), 0
			for l := 1; l <= 16; l++ {
				for range lengths[l] {
					codes[class][table][values[k]] = huffmanCode{code, l}
					code++
					k++
				}
				code <<= 1
			}
		}
	}
	out = append(out, segment(0xda, append(start, 0, 63, 0))...)
	e := bitWriter{w: w, out: out}
	if err := b.codes(func(class, table int, symbol byte, more uint32, n int) {
		c := codes[class][table][symbol]
		e.write(c.code, c.n)
		e.write(more, n)
	}); err != nil {
		return err
	}
	return e.close()
}

type huffmanCode struct {
	code uint32
	n    int
}

// codes walks all coefficients in the order of a sequential file: class 0 is DC, 1 AC;
// more are the n bits that follow a symbol.
func (b *jpegBlocks) codes(emit func(class, table int, symbol byte, more uint32, n int)) error {
	var before [3]int32
	number := func(v int32) (uint32, int) {
		n := bits.Len32(uint32(max(v, -v)))
		if v < 0 {
			v += 1<<n - 1
		}
		return uint32(v), n
	}
	for m := range b.across * b.down {
		for i := range b.components {
			c, table := &b.components[i], min(i, 1)
			for j := range c.h * c.v {
				block := c.block(m%b.across*c.h+j%c.h, m/b.across*c.v+j/c.h)
				more, n := number(int32(block[0]) - before[i])
				before[i] = int32(block[0])
				if n > 11 {
					return errBlocks
				}
				emit(0, table, byte(n), more, n)
				run := 0
				for _, v := range block[1:] {
					if v == 0 {
						run++
						continue
					}
					for ; run > 15; run -= 16 {
						emit(1, table, 0xf0, 0, 0)
					}
					more, n := number(int32(v))
					if n > 10 {
						return errBlocks
					}
					emit(1, table, byte(run<<4|n), more, n)
					run = 0
				}
				if run > 0 {
					emit(1, table, 0, 0, 0)
				}
			}
		}
	}
	return nil
}

// optimalLengths are the number of codes of each length, at most 16, and their symbols
// in order (T.81, K.2). A symbol more is counted, so that no code is all ones.
func optimalLengths(counts *[257]int) (lengths [17]byte, values []byte) {
	frequency := *counts
	frequency[256] = 1
	var size, others [257]int
	for i := range others {
		others[i] = -1
	}
	for {
		a, b := -1, -1 // the two rarest, later symbols first
		for i, f := range frequency {
			switch {
			case f == 0:
			case a < 0 || f <= frequency[a]:
				a, b = i, a
			case b < 0 || f <= frequency[b]:
				b = i
			}
		}
		if b < 0 {
			break
		}
		frequency[a] += frequency[b]
		frequency[b] = 0
		for size[a]++; others[a] >= 0; size[a]++ {
			a = others[a]
		}
		others[a] = b
		for size[b]++; others[b] >= 0; size[b]++ {
			b = others[b]
		}
	}
	var n [258]int
	for _, s := range size {
		if s > 0 {
			n[s]++
		}
	}
	for i := len(n) - 1; i > 16; i-- {
		for n[i] > 0 {
			j := i - 2
			for n[j] == 0 {
				j--
			}
			n[i] -= 2
			n[i-1]++
			n[j+1] += 2
			n[j]--
		}
	}
	longest := 16
	for longest > 0 && n[longest] == 0 {
		longest--
	}
	if longest > 0 {
		n[longest]-- // the symbol that does not exist
	}
	for l := 1; l <= 16; l++ {
		lengths[l] = byte(n[l])
	}
	for l := 1; l < len(n); l++ {
		for i, s := range size[:256] {
			if s == l {
				values = append(values, byte(i))
			}
		}
	}
	return lengths, values
}

// bitWriter writes the bits of a scan.
type bitWriter struct {
	w    io.Writer
	out  []byte
	bits uint64
	n    int
	err  error
}

func (e *bitWriter) write(v uint32, n int) {
	e.bits = e.bits<<n | uint64(v)
	for e.n += n; e.n >= 8; {
		e.n -= 8
		c := byte(e.bits >> e.n)
		e.out = append(e.out, c)
		if c == 0xff {
			e.out = append(e.out, 0)
		}
	}
	if len(e.out) > 1<<16 && e.err == nil {
		_, e.err = e.w.Write(e.out)
		e.out = e.out[:0]
	}
}

func (e *bitWriter) close() error {
	if e.n > 0 {
		e.write(1<<(8-e.n)-1, 8-e.n)
	}
	e.out = append(e.out, 0xff, 0xd9)
	if e.err == nil {
		_, e.err = e.w.Write(e.out)
	}
	return e.err
}
