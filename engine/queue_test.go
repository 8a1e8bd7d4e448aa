package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
)

func TestQueueServesUrgentFirst(t *testing.T) {
	q := newQueue()
	defer q.close()
	ctx := context.Background()
	hold, held := make(chan struct{}), make(chan struct{})
	var order []string
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = q.do(ctx, false, func(context.Context) error { close(held); <-hold; return nil })
	})
	<-held
	waiting := make(chan struct{}, 2)
	for name, urgent := range map[string]bool{"step": false, "slider": true} {
		wg.Go(func() {
			waiting <- struct{}{}
			_ = q.do(ctx, urgent, func(context.Context) error { order = append(order, name); return nil })
		})
	}
	<-waiting
	<-waiting
	// Both goroutines are at, or a few instructions before, their send. The loop looks
	// at urgent tasks first whenever it comes round, so a late slider could only fail
	// this test by losing a race that yielding makes certain to win.
	for range 1000 {
		runtime.Gosched()
	}
	close(hold)
	wg.Wait()
	if len(order) != 2 || order[0] != "slider" {
		t.Errorf("order is %v, want the slider first", order)
	}
}

func TestQueueSurvivesPanicsAndCancels(t *testing.T) {
	q := newQueue()
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
