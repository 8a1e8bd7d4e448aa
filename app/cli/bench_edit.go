package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"latentbrush/assets"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
)

// officialScript is the official formulation in PyTorch, seen from the top folder of
// the source.
const officialScript = "engine/edit/testdata/official.py"

// officialPython is the interpreter that has Debian's PyTorch.
const officialPython = "/usr/bin/python3"

// referenceSteps are Adam steps of the reference's whole run, and vggSteps those timed
// with a perceptual network of VGG16's size.
const (
	referenceSteps = 100
	vggSteps       = 3
)

// measureEdit holds an edit of the default model against the official formulation of
// the same edit on the same weights in PyTorch, one after the other on this machine.
func measureEdit(ctx context.Context, b *Bench) error {
	e, err := openEngine(ctx, b.Env)
	if err != nil {
		return err
	}
	defer e.Close()
	set := editSet{e: e, judge: e}
	k := knownEdits[0]
	z := set.face(0)
	base, err := set.frame(ctx, z)
	if err != nil {
		return err
	}
	truth, err := set.frame(ctx, changed(z, k))
	if err != nil {
		return err
	}
	painted := repaint(base.Labels, truth.Labels, k.Classes)
	region, err := edit.Region(base.Labels, painted, edit.RegionOptions{Dilation: -1})
	if err != nil {
		return err
	}
	iou := func(code latent.Code) (float64, float64, float64, error) {
		f, err := e.Render(ctx, code, engine.RenderOptions{})
		if err != nil {
			return 0, 0, 0, err
		}
		o := metrics.Overlaps(f.Labels, painted, region, len(e.Info().Manifest.Classes))
		sum, f1, n := 0.0, 0.0, 0
		for _, c := range k.Classes {
			if o[c].Union > 0 {
				sum += o[c].IoU()
				if v := metrics.BoundaryF1(f.Labels, painted, region, c, 1); !math.IsNaN(v) {
					f1 += v
				}
				n++
			}
		}
		return sum / float64(max(1, n)), f1 / float64(max(1, n)), metrics.LeakOutside(base.Picture, f.Picture, region).Mean, nil
	}

	// Ours, as the window runs it: what the first edit needs is built soon after the
	// model is open.
	if err := e.Warm(ctx); err != nil {
		return err
	}
	request := engine.EditRequest{Start: base.Code, Painted: painted, Region: edit.RegionOptions{Dilation: -1}, Settings: engine.Settings{Flat: -1}}
	type point struct {
		code    latent.Code
		elapsed time.Duration
	}
	var points []point
	var final engine.Step
	var first time.Duration
	begun := time.Now()
	for s, err := range e.Edit(ctx, request) {
		if err != nil {
			return err
		}
		if first == 0 {
			first = time.Since(begun)
		}
		if s.Final {
			final = s
			break
		}
		points = append(points, point{s.Code, s.Elapsed})
	}
	step := (points[len(points)-1].elapsed - points[0].elapsed) / time.Duration(len(points)-1)
	ours, oursF1, oursLeak, err := iou(final.Code)
	if err != nil {
		return err
	}
	b.Row("edit.step_s", step.Seconds(), "s")
	b.AtMost("edit.first_preview_s", first.Seconds(), "s", 0.3)
	b.Row("edit.first_preview_steps", first.Seconds()/step.Seconds(), "× step")
	if err := measureCancel(ctx, b, e, request, step); err != nil {
		return err
	}
	b.Row("edit.target_iou", ours, "")
	b.Row("edit.boundary_f1", oursF1, "")
	b.Row("edit.leak", oursLeak, "levels")

	// The reference.
	if reason := noReference(); reason != "" {
		fmt.Fprintf(b.Env.Err, "The comparison with the official formulation is left out: %s.\n", reason)
		return nil
	}
	dir, err := os.MkdirTemp("", "latentbrush-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bundle, err := b.bundleOnDisk(dir)
	if err != nil {
		return err
	}
	problem := filepath.Join(dir, "problem.safetensors")
	size := region.Rect.Size()
	if err := safetensors.WriteFile(problem, nil,
		safetensors.Float32("code", base.Code.Data, base.Code.Rows, base.Code.Dim),
		safetensors.Uint8("painted", painted.Pix, size.Y, size.X),
		safetensors.Uint8("region", region.Pix, size.Y, size.X)); err != nil {
		return err
	}
	run := func(name string, steps int, more ...string) ([]latent.Code, []float32, error) {
		answer := filepath.Join(dir, name)
		args := append([]string{officialScript, "run", bundle, problem, answer, "--nearest", "--steps", strconv.Itoa(steps)}, more...)
		command := exec.CommandContext(ctx, officialPython, args...)
		if out, err := command.CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("bench: the reference failed: %w: %s", err, out)
		}
		f, err := safetensors.Open(os.DirFS(dir), name)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		rows, dim := base.Code.Rows, base.Code.Dim
		data, err := f.Float32s("codes", steps+1, rows, dim)
		if err != nil {
			return nil, nil, err
		}
		var codes []latent.Code
		for i := range steps + 1 {
			codes = append(codes, latent.Code{Rows: rows, Dim: dim, Data: data[i*rows*dim : (i+1)*rows*dim]})
		}
		seconds, err := f.Float32s("seconds", steps+1)
		return codes, seconds, err
	}
	codes, seconds, err := run("same", referenceSteps)
	if err != nil {
		return err
	}
	reference := float64(seconds[referenceSteps]) / referenceSteps
	theirs, theirsF1, theirsLeak, err := iou(codes[referenceSteps])
	if err != nil {
		return err
	}
	b.Row("edit.reference_step_s", reference, "s")
	b.Row("edit.reference_target_iou", theirs, "")
	b.Row("edit.reference_boundary_f1", theirsF1, "")
	b.Row("edit.reference_leak", theirsLeak, "levels")
	b.AtLeast("edit.step_ratio", reference/step.Seconds(), "×", 8)
	_, vgg, err := run("vgg", vggSteps, "--vgg")
	if err != nil {
		return err
	}
	b.AtLeast("edit.step_ratio_vgg", float64(vgg[vggSteps])/vggSteps/step.Seconds(), "×", 15)
	for _, p := range points {
		score, _, _, err := iou(p.code)
		if err != nil {
			return err
		}
		if score >= 0.95*theirs {
			b.Row("edit.time_to_95_s", p.elapsed.Seconds(), "s")
			b.AtLeast("edit.time_ratio", float64(seconds[referenceSteps])/max(p.elapsed.Seconds(), 1e-3), "×", 20)
			break
		}
	}
	return nil
}

// measureCancel stops edits at different moments and holds the longest time until they
// have ended against the time of a step.
func measureCancel(ctx context.Context, b *Bench, e *engine.Engine, request engine.EditRequest, step time.Duration) error {
	var longest time.Duration
	for k := range 5 {
		ctx, cancel := context.WithCancel(ctx)
		var asked time.Time
		time.AfterFunc(step*time.Duration(10+3*k)/4, func() {
			asked = time.Now()
			cancel()
		})
		var failed error
		for _, err := range e.Edit(ctx, request) {
			failed = err
		}
		cancel()
		if !errors.Is(failed, context.Canceled) {
			return fmt.Errorf("bench: a cancelled edit ended with %w", failed)
		}
		longest = max(longest, time.Since(asked))
	}
	b.AtMost("edit.cancel_steps", longest.Seconds()/step.Seconds(), "× step", 1)
	return nil
}

// bundleOnDisk is the path of the model for a program that reads files: the one that the
// flags name, or a copy of the default model in dir.
func (b *Bench) bundleOnDisk(dir string) (string, error) {
	if b.Env.Model != "" {
		return b.Env.Model, nil
	}
	files, err := assets.DefaultModel()
	if err != nil {
		return "", err
	}
	bundle := filepath.Join(dir, "bundle")
	return bundle, os.CopyFS(bundle, files)
}

// growthEdits is how many edits must leave no memory behind.
const growthEdits = 1000

// measureGrowth makes many short edits of a small model and holds the memory after them
// against that after the first hundred.
func measureGrowth(ctx context.Context, b *Bench) error {
	m, err := modeltest.Open(modeltest.Spec{})
	if err != nil {
		return err
	}
	e, err := engine.OpenModel(ctx, m, engine.Options{Device: engine.CPU})
	if err != nil {
		return err
	}
	defer e.Close()
	var early uint64
	for i := range growthEdits {
		start := e.Sample(uint64(i), 1)
		f, err := e.Render(ctx, start, engine.RenderOptions{})
		if err != nil {
			return err
		}
		painted := image.NewPaletted(f.Labels.Rect, f.Labels.Palette)
		copy(painted.Pix, f.Labels.Pix)
		for y := 10; y < 16; y++ {
			for x := 10; x < 16; x++ {
				painted.Pix[y*painted.Stride+x] = (painted.Pix[y*painted.Stride+x] + 1) % uint8(len(e.Info().Manifest.Classes))
			}
		}
		for _, err := range e.Edit(ctx, engine.EditRequest{Start: start, Painted: painted, Settings: engine.Settings{Steps: 2}}) {
			if err != nil {
				return err
			}
		}
		if i == growthEdits/10 {
			debug.FreeOSMemory()
			early = ort.Memory().Resident
		}
	}
	debug.FreeOSMemory()
	b.AtMost("edit.growth_mb", (float64(ort.Memory().Resident)-float64(early))/(1<<20), "MB", 8)
	return nil
}

// noReference says why the reference cannot run here, or nothing.
func noReference() string {
	if _, err := os.Stat(officialScript); err != nil {
		return officialScript + " is not here; run from the top folder of the source"
	}
	if err := exec.Command(officialPython, "-c", "import torch").Run(); err != nil {
		return officialPython + " has no PyTorch; on Debian install python3-torch and libopenblas0"
	}
	return ""
}
