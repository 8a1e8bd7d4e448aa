package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// ErrClosed is returned by requests to a closed engine.
var ErrClosed = errors.New("engine: closed")

// PanicError is a panic of a job, turned into an error so that the document outlives
// it.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("engine: internal error: %v", e.Value) }

// queue is the goroutine that owns the device. Urgent tasks go before others; within
// a kind the order is kept.
type queue struct {
	urgent, steps chan task
	quit          chan struct{}
	stopped       chan struct{}
	once          sync.Once
	// rest is called on the queue's goroutine when it has waited for restAfter since a task.
	rest      func()
	restAfter time.Duration
}

type task struct {
	ctx   context.Context
	run   func(context.Context) error
	reply chan error
}

// newQueue starts the goroutine. Rest may be nil.
func newQueue(restAfter time.Duration, rest func()) *queue {
	q := &queue{urgent: make(chan task), steps: make(chan task), quit: make(chan struct{}), stopped: make(chan struct{}), rest: rest, restAfter: restAfter}
	go q.loop()
	return q
}

func (q *queue) loop() {
	defer close(q.stopped)
	var idle <-chan time.Time
	for {
		select {
		case <-q.quit:
			return
		case t := <-q.urgent:
			t.do()
		default:
			select {
			case <-q.quit:
				return
			case t := <-q.urgent:
				t.do()
			case t := <-q.steps:
				t.do()
			case <-idle:
				idle = nil
				q.rest()
				continue
			}
		}
		if q.rest != nil {
			idle = time.After(q.restAfter)
		}
	}
}

func (t task) do() {
	t.reply <- func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		if err := t.ctx.Err(); err != nil {
			return err
		}
		return t.run(t.ctx)
	}()
}

// do runs f on the queue's goroutine and waits for it. When ctx ends before f has
// started, f does not run.
func (q *queue) do(ctx context.Context, urgent bool, f func(context.Context) error) error {
	to := q.steps
	if urgent {
		to = q.urgent
	}
	t := task{ctx, f, make(chan error, 1)}
	select {
	case <-q.quit:
		return ErrClosed
	default:
	}
	select {
	case to <- t:
		return <-t.reply
	case <-ctx.Done():
		return ctx.Err()
	case <-q.quit:
		return ErrClosed
	}
}

// close ends the goroutine after the task in hand.
func (q *queue) close() {
	q.once.Do(func() { close(q.quit) })
	<-q.stopped
}
