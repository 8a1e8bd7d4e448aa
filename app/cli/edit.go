package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/metrics"
	"latentbrush/vectors"
)

// jobReport is what edit and apply write as JSON.
type jobReport struct {
	Model       string `json:"model"`
	Fingerprint string `json:"fingerprint"`
	Device      string `json:"device"`
	PictureTerm string `json:"picture_term"`
	// IdentityTerm is the network that held the person, empty when none did.
	IdentityTerm string `json:"identity_term,omitempty"`
	// Guess says that the run began at the model's best guess.
	Guess    bool    `json:"guess"`
	Seconds  float64 `json:"seconds"`
	Steps    int     `json:"steps"`
	BestStep int     `json:"best_step"`
	Reason   string  `json:"reason,omitempty"`
	Loss     float64 `json:"loss"`

	CrossEntropy float64 `json:"cross_entropy"`
	Picture      float64 `json:"picture"`
	Perceptual   float64 `json:"perceptual"`
	Identity     float64 `json:"identity"`
	Prior        float64 `json:"prior"`

	Agreement float64            `json:"agreement"`
	IoU       map[string]float64 `json:"iou"`
	// Leak is outside the region before compositing, Composited after.
	Leak       reportLeak  `json:"leak"`
	Composited *reportLeak `json:"leak_composited,omitempty"`
	// Seam is the change of gradients along the region's border before compositing and
	// after, in levels per pixel: what a visible edge would raise.
	Seam           float64        `json:"seam_levels"`
	SeamComposited *float64       `json:"seam_composited_levels,omitempty"`
	Curve          []reportSample `json:"curve"`
}

type reportLeak struct {
	Mean  float64 `json:"mean_levels"`
	Share float64 `json:"share_over_8"`
	PSNR  *any    `json:"psnr_db"`
}

func newLeak(l metrics.Leak) reportLeak {
	r := reportLeak{Mean: l.Mean, Share: l.Share}
	if !math.IsInf(l.PSNR, 0) {
		var v any = l.PSNR
		r.PSNR = &v
	}
	return r
}

type reportSample struct {
	Step      int     `json:"step"`
	Seconds   float64 `json:"seconds"`
	Loss      float64 `json:"loss"`
	Agreement float64 `json:"agreement"`
	Leak      float64 `json:"leak"`
}

// collect consumes a job, keeps its report and writes progress.
func (r *jobReport) collect(progress io.Writer, e *engine.Engine, seq func(yield func(engine.Step, error) bool)) (engine.Step, error) {
	i := e.Info()
	*r = jobReport{Model: i.Manifest.ID, Fingerprint: i.Fingerprint, Device: string(i.Device), PictureTerm: i.PictureTerm}
	var final engine.Step
	shown := time.Time{}
	for s, err := range seq {
		if err != nil {
			return s, err
		}
		if s.Final {
			final = s
			break
		}
		r.Curve = append(r.Curve, reportSample{s.Index, s.Elapsed.Seconds(), s.Loss, s.Agreement, s.Leak.Mean})
		if time.Since(shown) > 250*time.Millisecond {
			fmt.Fprintf(progress, "\rstep %d of %d, loss %.4f, mask match %.0f %%, leak %.1f, %.0f s left   ", s.Index, s.Total, s.Loss, 100*s.Agreement, s.Leak.Mean, s.Remaining.Seconds())
			shown = time.Now()
		}
	}
	fmt.Fprintln(progress)
	r.Seconds, r.Steps, r.BestStep, r.Reason, r.Loss = final.Elapsed.Seconds(), len(r.Curve)-1, final.Best, string(final.Reason), final.Loss
	r.CrossEntropy, r.Picture, r.Perceptual, r.Identity, r.Prior = final.Terms.CrossEntropy, final.Terms.Picture, final.Terms.Perceptual, final.Terms.Identity, final.Terms.Prior
	if r.Identity != 0 {
		r.IdentityTerm = i.IdentityTerm
	}
	r.Agreement, r.IoU, r.Leak = final.Agreement, map[string]float64{}, newLeak(final.Leak)
	for _, s := range final.Scores {
		r.IoU[i.Manifest.Classes[s.Class].Name] = s.IoU
	}
	return final, nil
}

func (r *jobReport) write(path string) error {
	return writeWhole(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	})
}

// searchFlags are the settings of an optimisation as flags with the defaults d.
func searchFlags(command *cobra.Command, s *engine.Settings, d engine.Settings) {
	f := command.Flags()
	f.StringVar((*string)(&s.Search), "search", string(d.Search), "`family` of changes: shared, rows, two-stage or free")
	f.IntSliceVar(&s.Rows, "rows", nil, "`rows` of the code that may move in rows and two-stage (default: the family's choice)")
	f.Float64Var(&s.Rate, "rate", d.Rate, "step size of Adam, in standard deviations of the model's latents")
	f.Float64Var(&s.PictureWeight, "picture-weight", d.PictureWeight, "`weight` of the squared difference outside the region, -1 for none")
	f.Float64Var(&s.PerceptualWeight, "perceptual-weight", d.PerceptualWeight, "`weight` of the feature difference outside the region, -1 for none")
	f.Float64Var(&s.IdentityWeight, "identity-weight", d.IdentityWeight, "`weight` of the change of identity, where the model has an identity network, 0 for none")
	f.Float64Var(&s.Prior, "prior", d.Prior, "`weight` of the distance from natural latents, -1 for none")
	f.IntVar(&s.Coarse, "coarse", d.Coarse, "`number` of first steps at half the resolution")
	f.IntVar(&s.Axes, "axes", d.Axes, "`number` of leading axes of the model's latents to search in, 0 for all")
	f.BoolVar(&s.NoGuess, "no-guess", false, "begin at the start itself, not at the model's guess")
	f.BoolVar(&s.Fall, "fall", d.Fall, "let the rate fall to nothing over the run")
	f.Float64Var(&s.Agreement, "agreement", d.Agreement, "`share` of the region's pixels with the painted label that ends the run, -1 for never")
	f.IntVar(&s.Flat, "flat", d.Flat, "`steps` without progress that end the run, -1 for never")
}

func newEditCommand(env *Env) *cobra.Command {
	var from source
	var mask, out, labels, vector, name, code, report string
	var s engine.Settings
	var dilation int
	var classes, composite bool
	var along []string
	var keep, free string
	command := &cobra.Command{
		Use:   "edit",
		Short: "Change a picture until its labels are those of a painted mask",
		Long: `Edit starts from a latent, compares a painted mask with the labels of its picture, and optimises the latent until
the picture's labels are the painted ones where they differ, while the rest of the picture stays.

The mask is a PNG with a palette: a pixel's index is its class. Take one from "latentbrush sample -labels", paint it
in any program that keeps indices, and give it back. The difference of the latents can be kept as an editing vector,
which "latentbrush apply" adds to other pictures with any strength.`,
		Example: `  latentbrush sample -seed 7 -labels mask.png
  latentbrush edit -seed 7 -mask painted.png -o out.png -vector smile.safetensors -report report.json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if mask == "" {
				return usageError{errors.New("name the painted mask with -mask")}
			}
			if out == "" && labels == "" && vector == "" && code == "" && report == "" {
				return usageError{errors.New("nothing to write: name a file with -o, -labels, -vector, -code or -report")}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			start, err := from.code(command, e)
			if err != nil {
				return err
			}
			painted, err := readMask(mask, e.Info())
			if err != nil {
				return fmt.Errorf("mask: %w", err)
			}
			before, err := e.Render(ctx, start, engine.RenderOptions{})
			if err != nil {
				return err
			}
			if before.Labels == nil {
				return errors.New("edit: the model has no label head, so a mask means nothing to it")
			}
			region := edit.RegionOptions{WholeClasses: classes, Dilation: dilation}
			if region.Keep, err = readArea(keep, e.Info()); err != nil {
				return fmt.Errorf("keep: %w", err)
			}
			open, err := readArea(free, e.Info())
			if err != nil {
				return fmt.Errorf("free: %w", err)
			}
			for _, file := range along {
				v, err := vectors.ReadFile(file)
				if err != nil {
					return err
				}
				if err := v.FitsModel(vectorModel(e), e.Info().Rows, e.Info().Dim); err != nil {
					return err
				}
				s.Directions = append(s.Directions, v.Delta)
			}
			if len(along) > 0 {
				s.Search = engine.SearchSubspace
			}
			area, err := edit.Region(before.Labels, painted, region)
			if err != nil {
				return err
			}
			var r jobReport
			final, err := r.collect(env.Err, e, e.Edit(ctx, engine.EditRequest{Start: start, Painted: painted, Region: region, Free: open, Settings: s}))
			if err != nil {
				return err
			}
			picture := final.Picture
			r.Guess = e.Info().Guess && !s.NoGuess && len(along) == 0 && s.Search != engine.SearchFree
			r.Seam = metrics.Seam(before.Picture, picture, area)
			if composite {
				if picture, err = edit.Composite(before.Picture, final.Picture, area, edit.DefaultDilation(e.Info().Width)); err != nil {
					return err
				}
				leak := newLeak(metrics.LeakOutside(before.Picture, picture, area))
				r.Composited = &leak
				seam := metrics.Seam(before.Picture, picture, area)
				r.SeamComposited = &seam
			}
			if out != "" {
				if err := writePNG(out, picture); err != nil {
					return fmt.Errorf("picture: %w", err)
				}
			}
			if labels != "" {
				if err := writePNG(labels, final.Labels); err != nil {
					return fmt.Errorf("labels: %w", err)
				}
			}
			if code != "" {
				if err := writeCode(code, final.Code, e.Info(), nil); err != nil {
					return fmt.Errorf("code: %w", err)
				}
			}
			if vector != "" {
				if name == "" {
					name = strings.TrimSuffix(filepath.Base(vector), filepath.Ext(vector))
				}
				v := vectors.New(name, vectorModel(e), final.Code.Sub(start))
				v.Before, v.After = before.Picture, final.Picture
				v.Created = env.Now().UTC().Truncate(time.Second)
				v.Learnt = vectors.Learnt{How: "painting", Edits: 1, Steps: r.Steps, Seed: int64(from.seed)}
				for _, s := range final.Scores {
					v.Classes = append(v.Classes, vectors.Class{ID: s.Class, Name: e.Info().Manifest.Classes[s.Class].Name})
				}
				if err := vectors.WriteFile(vector, v); err != nil {
					return fmt.Errorf("vector: %w", err)
				}
			}
			if report != "" {
				if err := r.write(report); err != nil {
					return fmt.Errorf("report: %w", err)
				}
			}
			fmt.Fprintf(env.Out, "mask match %.1f %%, leak %.2f levels, %d steps in %.1f s (%s)\n", 100*r.Agreement, r.Leak.Mean, r.Steps, r.Seconds, r.Reason)
			return nil
		},
	}
	from.flags(command)
	f := command.Flags()
	f.StringVar(&mask, "mask", "", "painted mask, an indexed PNG `file`")
	f.StringVarP(&out, "output", "o", "", "`file` for the edited picture (PNG)")
	f.StringVar(&labels, "labels", "", "`file` for the edited picture's labels (indexed PNG)")
	f.StringVar(&vector, "vector", "", "`file` for the change as an editing vector")
	f.StringVar(&name, "name", "", "`name` of the vector (default: the file's)")
	f.StringVar(&code, "code", "", "`file` for the edited latent")
	f.StringVar(&report, "report", "", "`file` for the figures of the run (JSON)")
	f.IntVar(&s.Steps, "steps", engine.DefaultSettings().Steps, "`number` of optimisation steps")
	f.BoolVar(&classes, "whole-classes", false, "let every pixel of the touched classes change, not only the painted ones")
	f.IntVar(&dilation, "dilation", -1, "`pixels` by which the region grows, -1 for 3 at 512² scaled with the size")
	f.StringVar(&keep, "keep", "", "`file` of pixels that must stay (PNG, white on black)")
	f.StringVar(&free, "free", "", "`file` of pixels that may become anything (PNG, white on black)")
	f.StringArrayVar(&along, "along", nil, "search only along this editing vector's `file`; may be given several times")
	f.BoolVar(&composite, "composite", false, "take everything outside the region from the original picture")
	searchFlags(command, &s, engine.DefaultSettings())
	return command
}
