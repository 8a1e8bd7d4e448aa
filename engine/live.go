package engine

import (
	"context"
	"sync"
	"time"

	"latentbrush/engine/latent"
)

// settle is how long a value must stand still before the full picture is begun; a newer
// value stops it again.
const settle = 12 * time.Millisecond

// budget is the time within which a full picture is quick enough for dragging: 30
// pictures a second.
const budget = 33 * time.Millisecond

// Live shows codes as they change, newest first: while a slider is dragged a new code
// replaces the one that waits, so no more than one ever does, and the last code asked
// for is always the last one shown, in full quality. Frames arrive in the order in
// which their codes were asked for.
type Live struct {
	render  func(ctx context.Context, code latent.Code, preview bool) (Frame, error)
	deliver func(Frame, error)
	ladder  bool

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	waiting *latent.Code
	abort   context.CancelFunc // ends the full render in progress, when there is one
}

// newLive starts a Live. With ladder set, render can make previews.
func newLive(render func(context.Context, latent.Code, bool) (Frame, error), ladder bool, deliver func(Frame, error)) *Live {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Live{
		render: render, deliver: deliver, ladder: ladder, ctx: ctx, cancel: cancel,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go l.loop()
	return l
}

// Show asks for the picture of code, which must not change afterwards. It never
// waits.
func (l *Live) Show(code latent.Code) {
	l.mu.Lock()
	l.waiting = &code
	if l.abort != nil {
		l.abort()
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close ends the goroutine. No frame is delivered after it has returned.
func (l *Live) Close() {
	l.cancel()
	<-l.done
}

func (l *Live) take() *latent.Code {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.waiting
	l.waiting = nil
	return c
}

func (l *Live) loop() {
	defer close(l.done)
	slow := true // until a full picture was quick enough
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.wake:
		}
		code := l.take()
		if code == nil {
			continue
		}
		if l.ladder && slow {
			frame, err := l.render(l.ctx, *code, true)
			if l.ctx.Err() != nil {
				return
			}
			frame.Preview = true
			l.deliver(frame, err)
			if err != nil {
				continue
			}
			select {
			case <-l.ctx.Done():
				return
			case <-l.wake:
				l.again()
				continue
			case <-time.After(settle):
			}
		}
		ctx, abort := context.WithCancel(l.ctx)
		l.mu.Lock()
		// Without previews a full picture is all there is to see while dragging, so it
		// is not given up for a newer code.
		if l.ladder && slow {
			l.abort = abort
		}
		newer := l.waiting != nil && l.abort != nil
		l.mu.Unlock()
		if newer {
			l.forget(abort)
			continue
		}
		frame, err := l.render(ctx, *code, false)
		aborted := ctx.Err() != nil
		l.forget(abort)
		if l.ctx.Err() != nil {
			return
		}
		if aborted {
			continue
		}
		slow = frame.Elapsed > budget
		l.deliver(frame, err)
	}
}

// again puts a token back so that the waiting code is taken.
func (l *Live) again() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Live) forget(abort context.CancelFunc) {
	l.mu.Lock()
	l.abort = nil
	l.mu.Unlock()
	abort()
}
