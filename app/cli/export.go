package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"latentbrush/engine/checkpoint"
)

func newExportCommand(env *Env) *cobra.Command {
	var format, out string
	command := &cobra.Command{
		Use:   "export",
		Short: "Write the generator as a checkpoint for other programs",
		Long: `Export writes the model's generator in a format that public StyleGAN2 code reads.

The format rosinality is a PyTorch file with g_ema and latent_avg, as stylegan2-pytorch by rosinality reads and EditGAN's
code expects. That code has fixed ideas of the number of channels and of the mapping network: construct its Generator with the
sizes of this model. A model that clamps its activations cannot be written so.`,
		Example: "  latentbrush export -format rosinality -o faces.pt",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usageError{fmt.Errorf("name the file to write with -o")}
			}
			if format != "rosinality" {
				return usageError{fmt.Errorf("format %q is not known: it must be rosinality", format)}
			}
			m, err := openModel(env)
			if err != nil {
				return err
			}
			defer m.Close()
			state, mean, err := checkpoint.ToRosinality(m)
			if err != nil {
				return err
			}
			if err := writeWhole(out, func(w io.Writer) error { return checkpoint.WriteRosinality(w, state, mean) }); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			fmt.Fprintf(env.Out, "%s: %d tensors\n", out, len(state)+1)
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&format, "format", "rosinality", "`format` of the file: rosinality")
	flags.StringVarP(&out, "o", "o", "", "`file` to write")
	return command
}
