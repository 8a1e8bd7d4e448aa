package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueServesUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(0, nil)
		ctx := context.Background()
		hold := make(chan struct{})
		var order []string
		request := func(name string, urgent bool) {
			go func() {
				_ = q.do(ctx, urgent, func(context.Context) error {
					<-hold
					order = append(order, name)
					return nil
				})
			}()
			synctest.Wait()
		}
		request("first", false)
		request("step", false)
		request("slider", true)
		close(hold)
		synctest.Wait()
		if want := []string{"first", "slider", "step"}; !slices.Equal(order, want) {
			t.Errorf("order is %v, want %v", order, want)
		}
		q.close()
	})
}

func TestQueueSurvivesPanicsAndCancels(t *testing.T) {
	q := newQueue(0, nil)
	var p *PanicError
	if err := q.do(context.Background(), true, func(context.Context) error { panic("boom") }); !errors.As(err, &p) || p.Value != "boom" || len(p.Stack) == 0 {
		t.Errorf("a panic gave %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ran := false
	if err := q.do(ctx, false, func(context.Context) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
		t.Errorf("a cancelled request gave %v, ran: %v", err, ran)
	}
	if err := q.do(context.Background(), false, func(context.Context) error { return nil }); err != nil {
		t.Errorf("the queue died: %v", err)
	}
	q.close()
	if err := q.do(context.Background(), true, func(context.Context) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed queue gave %v", err)
	}
}

// TestQueueRests: rest comes once after a pause, and again only after more work.
func TestQueueRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rests := 0
		q := newQueue(time.Minute, func() { rests++ })
		defer q.close()
		time.Sleep(time.Hour)
		synctest.Wait()
		if rests != 0 {
			t.Errorf("%d rests before any work", rests)
		}
		for want := 1; want <= 2; want++ {
			for range 3 {
				if err := q.do(t.Context(), want == 1, func(context.Context) error { return nil }); err != nil {
					t.Fatal(err)
				}
				time.Sleep(40 * time.Second)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if rests != want {
				t.Errorf("%d rests after %d pauses", rests, want)
			}
		}
	})
}
