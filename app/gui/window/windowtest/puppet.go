// Package windowtest has an engine for tests of the window that needs no runtime
// and no weights: its pictures are the procedural portraits that the default model
// learns from. A code's first components are the portrait's parameters, so vectors,
// sliders and edits behave as with a real model, exactly and fast.
package windowtest

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"iter"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"latentbrush/app/gui/window"
	"latentbrush/assets/portrait"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/engine/model"
)

// Rows and Dim of a puppet's codes, and a component that opens the mouth sideways.
const (
	Rows       = 2
	Dim        = 80
	MouthWidth = int(portrait.MouthWidth)
)

// Puppet is a window.Engine that draws portraits.
type Puppet struct {
	// Size of the pictures.
	Size int
	// Steps of an edit when the request does not say.
	Steps int
	// Pause between an edit's steps.
	Pause time.Duration
}

var _ window.Engine = (*Puppet)(nil)

// Info describes the puppet as a model.
func (p *Puppet) Info() engine.Info {
	m := model.Manifest{
		ID: "puppet", Name: "Faces (drawn)", Architecture: "procedural", Resolution: p.Size, ZDim: Dim, WDim: Dim, Rows: Rows,
		Licence: "MIT", Truncation: model.Truncation{Psi: 0.7},
	}
	for _, c := range portrait.Classes {
		pair := int(c.Pair)
		m.Classes = append(m.Classes, model.Class{ID: int(c.ID), Name: c.Name, Colour: model.Colour(c.Color), Pair: &pair, Group: c.Group})
	}
	return engine.Info{
		Manifest: m, Fingerprint: fmt.Sprintf("puppet%d", p.Size), Width: p.Size, Height: p.Size, Rows: Rows, Dim: Dim,
		Device: engine.CPU, Version: "–",
	}
}

// Model is nil: there is no bundle.
func (p *Puppet) Model() *model.Model { return nil }

// Close does nothing.
func (p *Puppet) Close() error { return nil }

// Sample is the code of a seed.
func (p *Puppet) Sample(seed uint64, psi float64) latent.Code {
	r := rand.New(rand.NewPCG(seed, 1))
	w := make([]float32, Dim)
	for i := range w {
		w[i] = float32(r.NormFloat64() * psi)
	}
	return latent.Broadcast(w, Rows)
}

// mean is the average of a code's rows, which the portrait is drawn from.
func mean(c latent.Code) []float32 {
	out := make([]float32, c.Dim)
	for r := range c.Rows {
		for i, v := range c.Row(r) {
			out[i] += v / float32(c.Rows)
		}
	}
	return out
}

func draw(c latent.Code, size int) (*image.RGBA, *image.Paletted) {
	return portrait.Render(portrait.FromNormal(mean(c)), size)
}

// Render draws the portrait.
func (p *Puppet) Render(ctx context.Context, code latent.Code, o engine.RenderOptions) (engine.Frame, error) {
	if err := ctx.Err(); err != nil {
		return engine.Frame{}, err
	}
	begun := time.Now()
	img, labels := draw(code, p.Size)
	labels.Palette = palette()
	f := engine.Frame{Code: code, Picture: img, Labels: labels, Elapsed: time.Since(begun)}
	if o.Confidence {
		f.Confidence, f.Second, f.Odds = secondThoughts(labels)
	}
	return f, nil
}

// secondThoughts makes the puppet unsure where classes meet: the votes of the 5×5
// pixels around each one.
func secondThoughts(labels *image.Paletted) (confidence *image.Gray, second *image.Paletted, odds *image.Gray) {
	r := labels.Rect
	confidence, odds = image.NewGray(r), image.NewGray(r)
	second = image.NewPaletted(r, labels.Palette)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			var votes [256]int
			all := 0
			for j := max(y-2, r.Min.Y); j <= min(y+2, r.Max.Y-1); j++ {
				for i := max(x-2, r.Min.X); i <= min(x+2, r.Max.X-1); i++ {
					votes[labels.ColorIndexAt(i, j)]++
					all++
				}
			}
			own := labels.ColorIndexAt(x, y)
			next := own
			for k, n := range votes {
				if uint8(k) != own && n > 0 && (next == own || n > votes[next]) {
					next = uint8(k)
				}
			}
			confidence.SetGray(x, y, color.Gray{Y: uint8(255 * votes[own] / all)})
			second.SetColorIndex(x, y, next)
			if next != own {
				odds.SetGray(x, y, color.Gray{Y: uint8(255 * min(votes[next], votes[own]) / votes[own])})
			}
		}
	}
	return confidence, second, odds
}

func palette() color.Palette {
	var pal color.Palette
	for _, c := range portrait.Classes {
		pal = append(pal, c.Color)
	}
	return pal
}

// Edit looks for parameters whose labels are the painted ones, by trying random
// moves of the parameters of expression and shape and keeping those that help.
func (p *Puppet) Edit(ctx context.Context, q engine.EditRequest) iter.Seq2[engine.Step, error] {
	return func(yield func(engine.Step, error) bool) {
		steps := p.Steps
		if q.Settings.Steps > 0 && steps == 0 {
			steps = q.Settings.Steps
		}
		side := min(p.Size, 96)
		base, goal := q.Start, shrink(q.Painted, side)
		region := make([]bool, side*side)
		marked := 0
		for y := range side {
			for x := range side {
				if q.Region.Painted.AlphaAt(x*p.Size/side, y*p.Size/side).A > 0 {
					region[y*side+x] = true
					marked++
				}
			}
		}
		if marked == 0 {
			yield(engine.Step{}, fmt.Errorf("edit: region is empty"))
			return
		}
		score := func(c latent.Code) (agree, miss float64) {
			_, l := draw(c, side)
			hit, out := 0, 0
			for i, v := range l.Pix {
				if region[i] {
					if v == goal[i] {
						hit++
					}
				} else if v != goal[i] {
					out++
				}
			}
			return float64(hit) / float64(marked), float64(out) / float64(side*side)
		}
		r := rand.New(rand.NewPCG(1, 2))
		agree, out := score(base)
		best := base
		begun := time.Now()
		value := func(a, o float64) float64 { return (1 - a) + 4*o }
		for i := 1; i <= steps; i++ {
			if err := ctx.Err(); err != nil {
				yield(engine.Step{}, err)
				return
			}
			for range 4 {
				try := best.Clone()
				k := int(portrait.MouthWidth) + r.IntN(int(portrait.Yaw)-int(portrait.MouthWidth))
				if r.IntN(3) > 0 {
					k = int(portrait.Smile) + r.IntN(6)
				}
				d := float32(r.NormFloat64() * 0.8)
				for row := range Rows {
					try.Row(row)[k] += d
				}
				if a, o := score(try); value(a, o) < value(agree, out) {
					best, agree, out = try, a, o
				}
			}
			s := engine.Step{
				Index: i, Total: steps, Loss: value(agree, out), Agreement: agree, Leak: metrics.Leak{Mean: out * 40},
				Code: best, Elapsed: time.Since(begun),
			}
			s.Remaining = s.Elapsed / time.Duration(i) * time.Duration(steps-i)
			if i%5 == 0 || i == steps {
				s.Picture, s.Labels = draw(best, p.Size)
			}
			if !yield(s, nil) {
				return
			}
			if p.Pause > 0 {
				select {
				case <-ctx.Done():
				case <-time.After(p.Pause):
				}
			}
		}
		img, labels := draw(best, p.Size)
		yield(engine.Step{
			Index: steps, Total: steps, Loss: value(agree, out), Agreement: agree, Leak: metrics.Leak{Mean: out * 40},
			Code: best, Picture: img, Labels: labels, Final: true, Best: steps, Reason: edit.ReasonSteps,
		}, nil)
	}
}

func shrink(m *image.Paletted, side int) []uint8 {
	out := make([]uint8, side*side)
	n := m.Rect.Dx()
	for y := range side {
		for x := range side {
			out[y*side+x] = m.ColorIndexAt(x*n/side, y*n/side)
		}
	}
	return out
}

// Refine moves a little back towards the code without the vectors.
func (p *Puppet) Refine(ctx context.Context, q engine.RefineRequest) iter.Seq2[engine.Step, error] {
	return func(yield func(engine.Step, error) bool) {
		n := max(1, q.Steps)
		for i := 1; i <= n; i++ {
			if err := ctx.Err(); err != nil {
				yield(engine.Step{}, err)
				return
			}
			c := q.With.Lerp(q.Without, float32(0.1*float64(i)/float64(n)))
			if !yield(engine.Step{Index: i, Total: n, Loss: math.Exp(-float64(i)), Agreement: 1, Code: c, Final: i == n, Best: n}, nil) {
				return
			}
		}
	}
}

// Watch renders the newest code asked for.
func (p *Puppet) Watch(deliver func(engine.Frame, error)) window.Watcher {
	w := &watch{p: p, deliver: deliver, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.loop()
	return w
}

type watch struct {
	p       *Puppet
	deliver func(engine.Frame, error)
	wake    chan struct{}
	done    chan struct{}
	mu      sync.Mutex
	next    *latent.Code
	closed  bool
}

func (w *watch) Show(c latent.Code) {
	w.mu.Lock()
	w.next = &c
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
	w.mu.Unlock()
}

func (w *watch) loop() {
	for {
		select {
		case <-w.done:
			return
		case <-w.wake:
		}
		w.mu.Lock()
		c := w.next
		w.next = nil
		w.mu.Unlock()
		if c == nil {
			continue
		}
		f, err := w.p.Render(context.Background(), *c, engine.RenderOptions{})
		w.deliver(f, err)
	}
}
