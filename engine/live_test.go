package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"latentbrush/engine/latent"
)

// drag shows n codes at the given interval through a renderer whose previews and full
// pictures take the given times, and returns what was delivered.
func drag(t *testing.T, n int, every, preview, full time.Duration, ladder bool) (frames []Frame, stills int) {
	t.Helper()
	render := func(ctx context.Context, c latent.Code, p bool) (Frame, error) {
		d := full
		if p {
			d = preview
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		}
		return Frame{Code: c, Elapsed: d}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLive(render, ladder, func(f Frame, err error) {
			if err != nil {
				t.Errorf("delivered %v", err)
			}
			frames = append(frames, f)
			if !f.Preview {
				stills++
			}
		})
		// The picture that is on screen before the drag.
		l.Show(latent.New(1, 1))
		time.Sleep(time.Second)
		synctest.Wait()
		frames, stills = nil, 0
		for i := range n {
			c := latent.New(1, 1)
			c.Data[0] = float32(i)
			l.Show(c)
			time.Sleep(every)
		}
		time.Sleep(time.Second)
		l.Close()
	})
	return frames, stills
}

func TestLiveEndsWithTheLastValueInFull(t *testing.T) {
	for _, ladder := range []bool{true, false} {
		frames, _ := drag(t, 50, 10*time.Millisecond, 25*time.Millisecond, 70*time.Millisecond, ladder)
		last := frames[len(frames)-1]
		if last.Code.Data[0] != 49 || last.Preview {
			t.Errorf("ladder %v: the last frame shows %v (preview: %v), want 49 in full", ladder, last.Code.Data[0], last.Preview)
		}
		for i := 1; i < len(frames); i++ {
			if frames[i].Code.Data[0] < frames[i-1].Code.Data[0] {
				t.Errorf("ladder %v: frame %d went back", ladder, i)
			}
		}
	}
}

func TestLiveDropsWhatIsOutOfDate(t *testing.T) {
	// 500 ms of dragging with previews of 25 ms: about 20 previews, and one full
	// picture when the value stands still.
	frames, full := drag(t, 50, 10*time.Millisecond, 25*time.Millisecond, 70*time.Millisecond, true)
	if n := len(frames) - full; n < 16 || n > 21 || full != 1 {
		t.Errorf("%d previews and %d full pictures, want 16 to 21 and 1", n, full)
	}
}

func TestLiveSkipsTheLadderWhenFullIsQuick(t *testing.T) {
	frames, full := drag(t, 50, 10*time.Millisecond, 5*time.Millisecond, 20*time.Millisecond, true)
	if previews := len(frames) - full; previews > 30 || full < 10 {
		t.Errorf("%d previews and %d full pictures: a full picture of 20 ms needs no ladder", previews, full)
	}
}
