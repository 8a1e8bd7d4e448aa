package ort_test

import (
	"context"
	"testing"

	"latentbrush/engine/ort"
)

func TestOpen(t *testing.T) {
	rt, err := ort.Open(context.Background(), ort.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(rt.Library(), rt.Version(), rt.Device(), rt.Threads())
	for _, d := range rt.Devices() {
		t.Logf("%+v", d)
	}
}
