package canvas

import (
	"encoding/binary"
	"math/bits"
)

// Eight pixels at a time: painting a large area spends its time in these loops.

const ones = 0x0101010101010101

// runLength returns how many bytes from the start of b equal the first. b must
// not be empty.
func runLength(b []uint8) int {
	v := b[0]
	all := uint64(v) * ones
	i := 1
	for ; i+32 <= len(b); i += 32 {
		w := b[i : i+32 : i+32]
		if (binary.LittleEndian.Uint64(w)^all)|(binary.LittleEndian.Uint64(w[8:])^all)|
			(binary.LittleEndian.Uint64(w[16:])^all)|(binary.LittleEndian.Uint64(w[24:])^all) != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if d := binary.LittleEndian.Uint64(b[i:]) ^ all; d != 0 {
			return i + bits.TrailingZeros64(d)/8
		}
	}
	for i < len(b) && b[i] == v {
		i++
	}
	return i
}

// setBytes sets every byte to v.
func setBytes(b []uint8, v uint8) {
	all := uint64(v) * ones
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], all)
	}
	for ; i < len(b); i++ {
		b[i] = v
	}
}

// maskBytes makes every byte b&and|or.
func maskBytes(b []uint8, and, or uint8) {
	and8, or8 := uint64(and)*ones, uint64(or)*ones
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])&and8|or8)
	}
	for ; i < len(b); i++ {
		b[i] = b[i]&and | or
	}
}

// xorBytes makes every byte b^v.
func xorBytes(b []uint8, v uint8) {
	all := uint64(v) * ones
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])^all)
	}
	for ; i < len(b); i++ {
		b[i] ^= v
	}
}

// differ writes a^b to dst, all of one length, and returns the first place where
// they differ and the place after the last; first is len(a) if they are equal.
func differ(dst, a, b []uint8) (first, end int) {
	n := len(a)
	dst, b = dst[:n], b[:n]
	first = n
	last, at := uint64(0), 0 // the last word that differs, and where it is
	i := 0
	for ; i+8 <= n; i += 8 {
		d := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:])
		binary.LittleEndian.PutUint64(dst[i:], d)
		if d != 0 {
			if last == 0 {
				first = i + bits.TrailingZeros64(d)/8
			}
			last, at = d, i
		}
	}
	if last != 0 {
		end = at + 8 - bits.LeadingZeros64(last)/8
	}
	for ; i < n; i++ {
		dst[i] = a[i] ^ b[i]
		if dst[i] != 0 {
			first = min(first, i)
			end = i + 1
		}
	}
	return first, end
}
