package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"latentbrush/engine"
	"latentbrush/engine/graph"
	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
	"latentbrush/vectors"
)

// width is a channel table as a share of config-f's.
type width struct {
	name    string
	divisor int
	share   float64 // of the ceiling, to reach
}

var widths = []width{{"quarter", 4, 75}, {"half", 2, 88}, {"full", 1, 88}}

// configF is StyleGAN2's channel table up to a resolution, divided.
func configF(resolution, divisor int) map[int]int {
	c := map[int]int{}
	for r := 4; r <= resolution; r *= 2 {
		c[r] = min(32768/r, 512) / divisor
	}
	return c
}

// networkOf opens a model with random weights for timing: what its numbers are makes no
// difference to speed.
func networkOf(spec modeltest.Spec) (*stylegan2.Generator, *segmentation.Head, func(), error) {
	m, err := modeltest.Open(spec)
	if err != nil {
		return nil, nil, nil, err
	}
	g, err := stylegan2.New(m)
	if err != nil {
		return nil, nil, nil, err
	}
	h, err := segmentation.New(m)
	return g, h, func() { m.Close() }, err
}

// multiplications of the synthesis network and the head, in units of 1e9
// multiply-adds, up-convolutions counted at the size of their input.
func multiplications(man *model.Manifest, head *model.HeadInfo) float64 {
	sum := 0.0
	for r := 4; r <= man.Resolution; r *= 2 {
		c, n := float64(man.Channels[r]), float64(r*r)
		sum += 9*c*c*n + 3*c*n
		if r > 4 {
			sum += 9 * float64(man.Channels[r/2]) * c * n / 4
		}
	}
	if head != nil {
		hidden := append(append([]int(nil), head.Hidden...), head.Classes)
		members := float64(head.Members)
		for _, f := range head.Features {
			sum += members * float64(f.Channels*hidden[0]) * float64(f.Resolution*f.Resolution)
		}
		for l := 1; l < len(hidden); l++ {
			sum += members * float64(hidden[l-1]*hidden[l]) * float64(man.Resolution*man.Resolution)
		}
	}
	return sum / 1e9
}

// sessionOf builds a session of a graph.
func (b *Bench) sessionOf(g *graph.Graph, err error) (*ort.Session, error) {
	if err != nil {
		return nil, err
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	return b.Runtime.NewSession(bytes, nil, nil, ort.SessionOptions{})
}

// pair times the forward and the step session of a network.
func (b *Bench) pair(ctx context.Context, gen *stylegan2.Generator, head *segmentation.Head, networks engine.Networks) (forward, step time.Duration, err error) {
	f, err := b.sessionOf(engine.ForwardGraph(gen, head))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	s, err := b.sessionOf(engine.StepGraph(gen, head, networks))
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	code := gen.Sample(1, 0.7)
	copy(f.Input("code"), code.Data)
	copy(s.Input("code"), code.Data)
	for i := range s.Input("inside") {
		s.Input("inside")[i], s.Input("outside")[i] = 1e-5, 1e-5
	}
	// In turns, so that a neighbour on the machine slows both.
	for range 2 {
		t, err := b.Best(func() error { return f.Run(ctx) })
		if err != nil {
			return 0, 0, err
		}
		u, err := b.Best(func() error { return s.Run(ctx) })
		if err != nil {
			return 0, 0, err
		}
		if forward == 0 || t < forward {
			forward = t
		}
		if step == 0 || u < step {
			step = u
		}
	}
	return forward, step, nil
}

// measureGenerator times generator and head at 256² for three widths of the network.
func measureGenerator(ctx context.Context, b *Bench) error {
	for _, w := range widths {
		gen, head, done, err := networkOf(modeltest.Spec{Resolution: 256, Channels: configF(256, w.divisor), WDim: 512, ZDim: 512, Classes: 22, Members: 1, Hidden: []int{64, 32}})
		if err != nil {
			return err
		}
		before, err := b.Ceiling(ctx)
		if err != nil {
			return err
		}
		forward, step, err := b.pair(ctx, gen, head, engine.Networks{})
		done()
		if err != nil {
			return err
		}
		after, err := b.Ceiling(ctx)
		if err != nil {
			return err
		}
		name := "generator/" + w.name
		gflop := 2 * multiplications(gen.Manifest(), head.Info())
		b.Row(name+"/forward", float64(forward)/1e6, "ms")
		b.Row(name+"/speed", gflop/forward.Seconds(), "GFLOP/s")
		b.AtLeast(name+"/share-of-ceiling", 100*gflop/forward.Seconds()/max(before, after), "%", w.share)
		b.Row(name+"/step", float64(step)/1e6, "ms")
		b.AtMost(name+"/step-over-forward", float64(step)/float64(forward), "×", 2.3)
	}
	return nil
}

// measureMemory holds both sessions of a 512² full-width model.
func measureMemory(ctx context.Context, b *Bench) error {
	peak, err := b.memoryOf(ctx, "memory-512", 512, 1)
	if err != nil {
		return err
	}
	b.AtMost("memory-512/peak", peak, "MB", 1536)
	return nil
}

// measureSizes does the same for smaller models.
func measureSizes(ctx context.Context, b *Bench) error {
	for _, resolution := range []int{256, 512} {
		for _, w := range widths {
			if resolution == 512 && w.divisor == 1 {
				continue // has a group of its own
			}
			name := fmt.Sprintf("memory/%d-%s", resolution, w.name)
			peak, err := b.memoryOf(ctx, name, resolution, w.divisor)
			if err != nil {
				return err
			}
			b.Row(name+"/peak", peak, "MB")
		}
	}
	return nil
}

// memoryOf opens a bundle on disk, as the program does, runs its forward and its step session in turns, and returns the
// most memory that the process held, in MB. Rows say what is held while the sessions rest, and their second runs.
func (b *Bench) memoryOf(ctx context.Context, name string, resolution, divisor int) (peak float64, err error) {
	dir, err := os.MkdirTemp("", "latentbrush-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	bundle := filepath.Join(dir, "bundle")
	if err := writeRandomModel(bundle, resolution, divisor); err != nil {
		return 0, err
	}
	if err := b.Runtime.Trim(ctx); err != nil {
		return 0, err
	}
	ort.ResetPeak()
	m, err := model.OpenPath(bundle)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	gen, err := stylegan2.New(m)
	if err != nil {
		return 0, err
	}
	head, err := segmentation.New(m)
	if err != nil {
		return 0, err
	}
	code := gen.Sample(1, 0.7)
	f, err := b.sessionOf(engine.ForwardGraph(gen, head))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	copy(f.Input("code"), code.Data)
	if err := f.Run(ctx); err != nil {
		return 0, err
	}
	s, err := b.sessionOf(engine.StepGraph(gen, head, engine.Networks{}))
	if err != nil {
		return 0, err
	}
	defer s.Close()
	copy(s.Input("code"), code.Data)
	for i := range s.Input("inside") {
		s.Input("inside")[i], s.Input("outside")[i] = 1e-5, 1e-5
	}
	for range 2 {
		for _, session := range []*ort.Session{s, f} {
			if err := session.Run(ctx); err != nil {
				return 0, err
			}
		}
	}
	peak = b.Peak()
	b.Row(name+"/forward", float64(f.Stats().Last)/1e6, "ms")
	b.Row(name+"/step", float64(s.Stats().Last)/1e6, "ms")
	if err := b.Runtime.Trim(ctx); err != nil {
		return 0, err
	}
	b.Row(name+"/at-rest", float64(ort.Memory().Resident)/(1<<20), "MB")
	return peak, nil
}

// writeRandomModel writes a bundle with random weights.
func writeRandomModel(path string, resolution, divisor int) error {
	c := modeltest.Contents(modeltest.Spec{Resolution: resolution, Channels: configF(resolution, divisor), WDim: 512, ZDim: 512, Classes: 22, Members: 1, Hidden: []int{64, 32}})
	return c.Write(path)
}

// measureEngine times the open model as the window uses it.
func measureEngine(ctx context.Context, b *Bench) error {
	begun := time.Now()
	e, err := openEngine(ctx, b.Env)
	if err != nil {
		return err
	}
	defer e.Close()
	i := e.Info()
	code := e.Sample(1, i.Manifest.Truncation.Psi)
	if _, err := e.Render(ctx, code, engine.RenderOptions{}); err != nil {
		return err
	}
	b.AtMost("engine/first-picture", time.Since(begun).Seconds(), "s", 2.5)
	t, err := b.Best(func() error {
		_, err := e.Render(ctx, code, engine.RenderOptions{})
		return err
	})
	if err != nil {
		return err
	}
	b.AtMost("engine/render", float64(t)/1e6, "ms", 60)
	fps, settle, err := drag(ctx, e)
	if err != nil {
		return err
	}
	b.AtLeast("slider.fps", fps, "/s", 30)
	b.AtMost("slider.settle_ms", settle, "ms", 100)
	return nil
}

// dragged is how many vectors are applied while one of them is dragged.
const dragged = 8

// drag moves eight vectors' sum for two seconds at 60 values a second and counts the
// pictures; settle is the time from the last value to its full picture.
func drag(ctx context.Context, e *engine.Engine) (fps, settle float64, err error) {
	i := e.Info()
	base := e.Sample(1, i.Manifest.Truncation.Psi)
	var terms []vectors.Term
	for k := range dragged {
		terms = append(terms, vectors.Term{Delta: e.Sample(uint64(2+k), i.Manifest.Truncation.Psi).Sub(base).Scale(1. / dragged)})
	}
	type shown struct {
		frame engine.Frame
		err   error
		at    time.Time
	}
	frames := make(chan shown, 1024)
	live := e.Live(func(f engine.Frame, err error) { frames <- shown{f, err, time.Now()} })
	defer live.Close()
	live.Show(base)
	if f := <-frames; f.err != nil {
		return 0, 0, f.err
	}
	time.Sleep(300 * time.Millisecond)
	for len(frames) > 0 {
		<-frames
	}
	begun := time.Now()
	last := base
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for k := 1; time.Since(begun) < 2*time.Second; k++ {
		// One slider moves, the others stand.
		for t := range terms {
			terms[t].Strength = 0.5
		}
		terms[k/20%dragged].Strength = float64(k%20) / 20
		last = vectors.Sum(base, terms...)
		live.Show(last)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	count, end := len(frames), time.Now()
	live.Show(last)
	for {
		f := <-frames
		if f.err != nil {
			return 0, 0, f.err
		}
		if f.at.After(end) && !f.frame.Preview && f.frame.Code.Distance(last) == 0 {
			return float64(count) / end.Sub(begun).Seconds(), f.at.Sub(end).Seconds() * 1e3, nil
		}
		if time.Since(end) > 10*time.Second {
			return 0, 0, fmt.Errorf("bench: the last value was not shown within 10 s")
		}
	}
}
