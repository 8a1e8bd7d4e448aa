package engine_test

import (
	"testing"
	"time"

	"latentbrush/engine"
	"latentbrush/engine/metrics"
	"latentbrush/engine/model/modeltest"
)

// A preview shows the same picture with less detail: it is nearer to its own full
// picture than any other face is, at full size, and the full picture follows.
func TestLadderPreviews(t *testing.T) {
	e := open(t, modeltest.Spec{Resolution: 128, Upsample: "progressive", Crop: []int{0, 16, 128, 112}})
	code := e.Sample(1, 1)
	full, err := e.Render(t.Context(), code, engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := e.Render(t.Context(), e.Sample(2, 1), engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	frames := make(chan engine.Frame, 16)
	live := e.Live(func(f engine.Frame, err error) {
		if err != nil {
			t.Error(err)
		}
		frames <- f
	})
	defer live.Close()
	live.Show(code)
	var got []engine.Frame
	for len(got) == 0 || got[len(got)-1].Preview {
		select {
		case f := <-frames:
			got = append(got, f)
		case <-time.After(20 * time.Second):
			t.Fatalf("no full picture after %d frames", len(got))
		}
	}
	if len(got) != 2 || !got[0].Preview {
		t.Fatalf("%d frames, want a preview and the full picture", len(got))
	}
	p := got[0]
	if p.Picture.Rect != full.Picture.Rect || p.Labels.Rect != full.Labels.Rect {
		t.Errorf("preview is %v with labels %v, want %v", p.Picture.Rect, p.Labels.Rect, full.Picture.Rect)
	}
	near, far := metrics.PSNR(p.Picture, full.Picture, nil), metrics.PSNR(other.Picture, full.Picture, nil)
	if near < far+1 {
		t.Errorf("preview is %.1f dB from its full picture, another face %.1f dB", near, far)
	}
	if string(got[1].Picture.Pix) != string(full.Picture.Pix) {
		t.Error("the full picture differs from the one rendered at once")
	}
}
