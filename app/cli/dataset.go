package cli

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/assets/portrait/dataset"
)

func newDatasetCommand(env *Env) *cobra.Command {
	o := dataset.Options{N: 20000, Size: 256, Seed: 1, Workers: runtime.GOMAXPROCS(0)}
	var out string
	command := &cobra.Command{
		Use:   "dataset",
		Short: "Write procedural portraits with part masks as a training set",
		Long: `Dataset writes pictures of procedural faces, their part masks and their latent codes into a folder, as raw arrays
that a training program maps into memory. dataset.json says what is in them. Every size from the largest
down to 32 is written: 256, 128, 64 and 32 take 350 kB a picture, 20,000 pictures 7 GB.

Picture i depends on the seed and on i only. A set that was stopped goes on where it stopped when the same
command is given again, and a larger -n extends it. Another seed or size in the same folder is refused.

The faces are drawings in one style, not photographs: a model trained on them knows no other pictures.`,
		Example: "  latentbrush dataset -n 20000 -size 256 -out faces\n  latentbrush dataset -n 512 -seed 2 -out heldout",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("dataset needs -out, the folder to write to")}
			}
			if o.Workers < 1 {
				return usageError{fmt.Errorf("-workers is %d, expected 1 or more", o.Workers)}
			}
			if err := o.Check(); err != nil {
				return usageError{err}
			}
			var begin, last time.Time
			first := 0
			err := dataset.Write(command.Context(), out, o, func(done, n int) {
				now := env.Now()
				if begin.IsZero() {
					begin, first = now, done
					if done > 0 && done < n {
						fmt.Fprintf(env.Err, "going on after %d of %d pictures\n", done, n)
					}
					last = now
					return
				}
				if now.Sub(last) < 2*time.Second && done < n {
					return
				}
				last = now
				line := fmt.Sprintf("%d of %d pictures", done, n)
				if s := now.Sub(begin).Seconds(); s > 0 {
					rate := float64(done-first) / s
					line += fmt.Sprintf(", %.1f a second", rate)
					if left := time.Duration(float64(n-done) / rate * float64(time.Second)); done < n && rate > 0 {
						line += fmt.Sprintf(", %v left", left.Round(time.Second))
					}
				}
				fmt.Fprintln(env.Err, line)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "%s: %d pictures of seed %d\n", out, o.N, o.Seed)
			return nil
		},
	}
	flags := command.Flags()
	flags.IntVarP(&o.N, "n", "n", o.N, "`number` of pictures")
	flags.IntVar(&o.Size, "size", o.Size, "`pixels` a side of the largest pictures, a power of two from 32 to 1024")
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "`seed` of the set; different seeds share no picture")
	flags.StringVar(&out, "out", "", "`folder` to write to")
	flags.IntVar(&o.Workers, "workers", o.Workers, "pictures rendered at once, a `number` of cores")
	return command
}
