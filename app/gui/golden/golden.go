// Package golden compares what tests draw with pictures that were looked at once and kept.
//
// The pictures lie in the folder testdata of the package under test; go test -update writes them anew. One that differs is
// written to testdata/failed, to be looked at beside the kept one.
package golden

import (
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// Levels and Share are the tolerance: so many levels in a channel for at most this share of the pixels, as Fyne's own tests
// have it. Letters are drawn by pure Go, but floating point differs between processors.
const (
	Levels = 4
	Share  = 0.01
)

// Compare wants a picture to be the one kept under name.
func Compare(t testing.TB, name string, img image.Image) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		write(t, path, img)
		return
	}
	failed := filepath.Join("testdata", "failed", name+".png")
	f, err := os.Open(path)
	if err != nil {
		write(t, failed, img)
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	size := want.Bounds().Size()
	if img.Bounds().Size() != size {
		write(t, failed, img)
		t.Errorf("%s: size %v, want %v; see %s", name, img.Bounds().Size(), size, failed)
		return
	}
	bad := 0
	a, b := img.Bounds().Min, want.Bounds().Min
	for y := range size.Y {
		for x := range size.X {
			if differ(img, want, a.Add(image.Pt(x, y)), b.Add(image.Pt(x, y))) {
				bad++
			}
		}
	}
	if float64(bad) > Share*float64(size.X*size.Y) {
		write(t, failed, img)
		t.Errorf("%s: %d pixels of %d differ; see %s", name, bad, size.X*size.Y, failed)
	}
}

// differ reports whether a channel is farther apart than Levels.
func differ(a, b image.Image, p, q image.Point) bool {
	r1, g1, b1, _ := a.At(p.X, p.Y).RGBA()
	r2, g2, b2, _ := b.At(q.X, q.Y).RGBA()
	for _, c := range [][2]uint32{{r1, r2}, {g1, g2}, {b1, b2}} {
		if max(c[0], c[1])-min(c[0], c[1]) > Levels<<8 {
			return true
		}
	}
	return false
}

func write(t testing.TB, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, img); err != nil {
		t.Fatal(err)
	}
}
