package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/vectors"
)

func newApplyCommand(env *Env) *cobra.Command {
	var from source
	var given []string
	var out, labels, code, report string
	var refine int
	var s engine.Settings
	command := &cobra.Command{
		Use:   "apply",
		Short: "Add editing vectors to a picture",
		Long: `Apply adds any number of editing vectors to a latent, each with its strength: 1 is the change as it was learnt, 0
is none, −1 the opposite. The order of the vectors makes no difference.

With -refine the result is optimised for some steps: its labels become the target, and the picture outside the
vectors' classes is drawn back to what it was. This takes away what a vector changes in passing.`,
		Example: `  latentbrush apply -seed 7 -vector smile.safetensors=1.5 -vector gaze.safetensors=-0.5 -refine 30 -o out.png`,
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if len(given) == 0 {
				return usageError{errors.New("name at least one vector with -vector")}
			}
			if out == "" && labels == "" && code == "" && report == "" {
				return usageError{errors.New("nothing to write: name a file with -o, -labels, -code or -report")}
			}
			if refine < 0 {
				return usageError{fmt.Errorf("-refine is %d, want 0 or more steps", refine)}
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
			i := e.Info()
			var terms []vectors.Term
			var classes []uint8
			for _, text := range given {
				f, err := parseStrength(text)
				if err != nil {
					return usageError{err}
				}
				v, err := vectors.ReadFile(f.path)
				if err != nil {
					return err
				}
				if err := v.FitsModel(vectorModel(e), i.Rows, i.Dim); err != nil {
					return err
				}
				terms = append(terms, vectors.Term{Delta: v.Delta, Strength: f.strength})
				classes = append(classes, v.ClassIDs()...)
			}
			with := vectors.Sum(start, terms...)
			if refine > 0 {
				var r jobReport
				final, err := r.collect(env.Err, e, e.Refine(ctx, engine.RefineRequest{Without: start, With: with, Classes: classes, Steps: refine, Settings: s}))
				if err != nil {
					return err
				}
				with = final.Code
				if report != "" {
					if err := r.write(report); err != nil {
						return fmt.Errorf("report: %w", err)
					}
				}
			}
			f, err := e.Render(ctx, with, engine.RenderOptions{})
			if err != nil {
				return err
			}
			if out != "" {
				if err := writePNG(out, f.Picture); err != nil {
					return fmt.Errorf("picture: %w", err)
				}
			}
			if labels != "" {
				if f.Labels == nil {
					return errors.New("labels: the model has no label head")
				}
				if err := writePNG(labels, f.Labels); err != nil {
					return fmt.Errorf("labels: %w", err)
				}
			}
			if code != "" {
				if err := writeCode(code, with, i, nil); err != nil {
					return fmt.Errorf("code: %w", err)
				}
			}
			return nil
		},
	}
	from.flags(command)
	f := command.Flags()
	f.StringArrayVar(&given, "vector", nil, "vector `file=strength`, may be given several times")
	f.StringVarP(&out, "output", "o", "", "`file` for the picture (PNG)")
	f.StringVar(&labels, "labels", "", "`file` for the picture's labels (indexed PNG)")
	f.StringVar(&code, "code", "", "`file` for the resulting latent")
	f.IntVar(&refine, "refine", 0, "`steps` of self-supervised refinement")
	f.StringVar(&report, "report", "", "`file` for the figures of the refinement (JSON)")
	searchFlags(command, &s, engine.DefaultRefinement())
	return command
}
