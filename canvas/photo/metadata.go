package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// metadata is what a file says about its picture.
type metadata struct {
	exif    []byte // a TIFF structure
	profile []byte // ICC
	xmp     []byte
	// segments of a JPEG file and chunks of a PNG file that are carried over as they are.
	segments, chunks [][]byte
}

func (m metadata) orientation() int { return exifOrientation(m.exif) }

// maxProfile bounds what a compressed profile may grow to.
const maxProfile = 16 << 20

const (
	exifMark = "Exif\x00\x00"
	iccMark  = "ICC_PROFILE\x00"
	xmpMark  = "http://ns.adobe.com/xap/1.0/\x00"
)

// rgbProfile reports whether a colour profile is for RGB: one for grey or CMYK would be
// wrong beside an RGB picture.
func rgbProfile(p []byte) bool { return len(p) >= 20 && string(p[16:20]) == "RGB " }

func readMetadata(f Format, data []byte) metadata {
	switch f {
	case JPEG:
		return jpegMetadata(data)
	case PNG:
		return pngMetadata(data)
	case WebP:
		return webpMetadata(data)
	case TIFF:
		m := metadata{exif: data}
		if _, _, count, at, ok := tiffTag(data, tagProfile); ok {
			m.profile = data[at:][:count]
		}
		return m
	}
	return metadata{}
}

// jpegMetadata walks the segments before the first scan.
func jpegMetadata(data []byte) metadata {
	var m metadata
	var parts [256][]byte
	for p := 2; p+4 <= len(data) && data[p] == 0xff; {
		marker := data[p+1]
		if marker == 0xff {
			p++
			continue
		}
		if marker == 0xda || marker == 0xd9 {
			break
		}
		n := int(binary.BigEndian.Uint16(data[p+2:]))
		if n < 2 || p+2+n > len(data) {
			break
		}
		whole, body := data[p:p+2+n], data[p+4:p+2+n]
		p += 2 + n
		switch {
		case marker == 0xe1 && bytes.HasPrefix(body, []byte(exifMark)):
			if m.exif == nil {
				m.exif = body[len(exifMark):]
			}
		case marker == 0xe1 && bytes.HasPrefix(body, []byte(xmpMark)):
			m.xmp = body[len(xmpMark):]
		case marker == 0xe2 && bytes.HasPrefix(body, []byte(iccMark)) && len(body) >= len(iccMark)+2:
			parts[body[len(iccMark)]] = body[len(iccMark)+2:]
			continue // the profile is written from its parts
		case marker >= 0xe1 && marker <= 0xef && marker != 0xee || marker == 0xfe:
		default:
			continue // APP0 and APP14 say how the old pixels were coded
		}
		m.segments = append(m.segments, whole)
	}
	for _, part := range parts[1:] {
		if part == nil {
			break
		}
		m.profile = append(m.profile, part...)
	}
	return m
}

// eachChunk calls visit for the chunks of a PNG file.
func eachChunk(data []byte, visit func(kind string, body, whole []byte)) {
	for p := 8; p+12 <= len(data); {
		n := int64(binary.BigEndian.Uint32(data[p:]))
		if n > int64(len(data)-p-12) {
			return
		}
		end := p + 12 + int(n)
		visit(string(data[p+4:p+8]), data[p+8:end-4], data[p:end])
		p = end
	}
}

func pngMetadata(data []byte) metadata {
	var m metadata
	eachChunk(data, func(kind string, body, whole []byte) {
		switch kind {
		case "eXIf":
			m.exif = body
		case "iCCP":
			name := bytes.IndexByte(body, 0)
			if name < 0 || len(body) < name+2 {
				return
			}
			z, err := zlib.NewReader(bytes.NewReader(body[name+2:]))
			if err != nil {
				return
			}
			if profile, err := io.ReadAll(io.LimitReader(z, maxProfile)); err == nil {
				m.profile = profile
			}
			return
		case "gAMA", "cHRM", "sRGB", "pHYs", "iTXt", "tEXt", "zTXt", "tIME":
		default:
			return
		}
		m.chunks = append(m.chunks, whole)
	})
	return m
}

func webpMetadata(data []byte) metadata {
	var m metadata
	for p := 12; p+8 <= len(data); {
		n := int64(binary.LittleEndian.Uint32(data[p+4:]))
		if n > int64(len(data)-p-8) {
			break
		}
		body := data[p+8:][:n]
		switch string(data[p:][:4]) {
		case "EXIF":
			m.exif = bytes.TrimPrefix(body, []byte(exifMark))
		case "ICCP":
			m.profile = body
		case "XMP ":
			m.xmp = body
		}
		p += 8 + int(n+n&1)
	}
	return m
}

// chunk writes a PNG chunk.
func chunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// segment writes a JPEG segment; body has at most 65533 bytes.
func segment(marker byte, body []byte) []byte {
	out := []byte{0xff, marker}
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(out, body...)
}
