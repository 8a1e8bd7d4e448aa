package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"latentbrush/engine/model/safetensors"
)

// guessPictures is how many pictures a guess is learnt from unless told otherwise.
const guessPictures = 800

func newTrainGuessCommand(env *Env) *cobra.Command {
	var out string
	var n int
	command := &cobra.Command{
		Use:   "guess",
		Short: "Learn where edits begin",
		Long: `Guess learns a linear map from changes of the labels to changes of the latent, from the model's own pictures. An edit
begins at its answer and needs about half the steps. The file goes into the model's folder as guess.safetensors; it is
used only with the weights it was learnt from.`,
		Example: "  latentbrush train guess -model faces -out faces/guess.safetensors",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("train guess needs -out, the guess's file")}
			}
			if n < 2 || n > 1<<16 {
				return usageError{fmt.Errorf("-pictures is %d, want 2 to %d", n, 1<<16)}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			g, err := e.LearnGuess(ctx, n, func(done, total int) { fmt.Fprintf(env.Err, "\rpicture %d of %d   ", done, total) })
			fmt.Fprintln(env.Err)
			if err != nil {
				return err
			}
			meta, tensors := g.Tensors()
			meta["fingerprint"], meta["pictures"] = e.Info().Fingerprint, fmt.Sprint(n)
			if err := safetensors.WriteFile(out, meta, tensors...); err != nil {
				return fmt.Errorf("guess: %w", err)
			}
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&out, "out", "", "`file` for the guess")
	f.IntVar(&n, "pictures", guessPictures, "`number` of the model's own pictures to learn from")
	return command
}
