//go:build ignore

// Makedata is `latentbrush dataset` alone, without cgo, for a machine that has nothing but this file:
//
//	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o .device/makedata assets/faces/makedata.go
package main

import (
	"context"
	"flag"
	"log"
	"runtime"

	"latentbrush/assets/portrait/dataset"
)

func main() {
	n := flag.Int("n", 24000, "pictures")
	size := flag.Int("size", 256, "pixels a side")
	seed := flag.Uint64("seed", 1, "seed of the set")
	workers := flag.Int("workers", runtime.NumCPU(), "pictures rendered at once")
	out := flag.String("out", "", "folder")
	flag.Parse()
	options := dataset.Options{N: *n, Size: *size, Seed: *seed, Workers: *workers}
	if err := dataset.Write(context.Background(), *out, options, func(done, n int) {}); err != nil {
		log.Fatal(err)
	}
}
