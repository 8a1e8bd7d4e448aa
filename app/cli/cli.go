// Package cli is Latentbrush without a window: every command calls what the window calls, and nothing else.
//
// A command is one file with a function newNameCommand that is listed in [commands]. It reads its flags, makes the same
// calls as the window, and writes to the streams of its [Env], so that tests run it in memory. Flags have long names;
// one dash or two make no difference. An error is one sentence on the error stream and exit status 1, wrong usage is
// status 2.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/engine"
	"latentbrush/engine/ort"
)

// Env is what a command sees of the world, and the flags that all commands have.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Now      func() time.Time

	// Model is the folder or zip of the model bundle; empty for the default model.
	Model string
	// Device is the name of the device, see [ort.ParseDevice].
	Device string
	// Threads is the number of CPU threads, 0 for the default.
	Threads int

	// Window opens the window and returns when it is closed; nil where there is none. The
	// file, a picture, mask, project or vector, may be empty.
	Window func(env *Env, file string, seed uint64) error
}

// OpenEngine opens a bundle with the flags' device; an empty path is the model that comes
// with the program.
func (env *Env) OpenEngine(ctx context.Context, path string) (*engine.Engine, error) {
	e := *env
	e.Model = path
	return openEngine(ctx, &e)
}

// System is the environment of the process.
func System() *Env {
	return &Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now}
}

// commands lists all commands, in the order of the help.
var commands = []func(*Env) *cobra.Command{
	newDoctorCommand,
	newSampleCommand,
	newImportCommand,
	newExportCommand,
	newBenchCommand,
	newDatasetCommand,
	newEditCommand,
	newApplyCommand,
	newEmbedCommand,
	newPasteCommand,
	newTrainCommand,
	newEvaluateCommand,
	newVectorsCommand,
	newTeachCommand,
	newLearnCommand,
	newReplayCommand,
	newBatchCommand,
	newFilmCommand,
}

// OpenRuntime opens the device that the flags ask for.
func (env *Env) OpenRuntime(ctx context.Context) (*ort.Runtime, error) {
	device, err := ort.ParseDevice(env.Device)
	if err != nil {
		return nil, err
	}
	return ort.Open(ctx, ort.Options{Device: device, Threads: env.Threads})
}

// usageError marks an error of the command line, as opposed to one of the work.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// newRoot builds the whole tree of commands.
func newRoot(env *Env) *cobra.Command {
	var seed uint64
	root := &cobra.Command{
		Use:   "latentbrush [file]",
		Short: "Edit a picture by painting its semantic mask",
		Long: `Latentbrush edits a picture by painting its semantic mask.

Without a command it opens its window, with the file if one is named: a picture, a mask, a project or an editing
vector. The commands do the same work without a window, and need no display.
Flags may be written with one dash or two: -seed 7, --seed 7 and -seed=7 are the same.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if _, err := os.Stat(args[0]); err != nil {
				return usageError{fmt.Errorf("%q is neither a command nor a file", args[0])}
			}
			if len(args) > 1 {
				return usageError{fmt.Errorf("the window opens one file, not %d", len(args))}
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if env.Window == nil {
				return command.Help()
			}
			file := ""
			if len(args) > 0 {
				file = args[0]
			}
			return env.Window(env, file, seed)
		},
	}
	root.Flags().Uint64Var(&seed, "seed", 0, "`seed` of the window's first picture")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })

	flags := root.PersistentFlags()
	flags.StringVar(&env.Model, "model", env.Model, "folder or zip of the model `bundle` (default: the model that comes with the program)")
	flags.StringVar(&env.Device, "device", env.Device, "`device` that computes: auto, cuda, webgpu, coreml, directml or cpu (default auto)")
	flags.IntVar(&env.Threads, "threads", env.Threads, "`number` of CPU threads (default: all cores but one, both of two)")
	for _, command := range commands {
		root.AddCommand(command(env))
	}
	return root
}

// normalize writes -name as --name, as the command-line library wants it. One-letter flags, negative numbers, a lone
// dash and all that follows "--" stay as they are.
func normalize(args []string) []string {
	out := make([]string, len(args))
	copy(out, args)
	for i, arg := range out {
		if arg == "--" {
			break
		}
		if len(arg) < 3 || arg[0] != '-' || arg[1] == '-' || arg[2] == '=' {
			continue
		}
		if c := arg[1] | 0x20; c < 'a' || c > 'z' {
			continue
		}
		out[i] = "-" + arg
	}
	return out
}

// Execute runs the command that args name, without the program's own name, and returns the exit status. The first
// interrupt cancels the command's context; the second one ends the program.
func Execute(env *Env, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return ExecuteContext(ctx, env, args)
}

// ExecuteContext is Execute with the caller's context and without the signals.
func ExecuteContext(ctx context.Context, env *Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(normalize(args))
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		fmt.Fprintln(env.Err, "latentbrush: stopped")
		return 1
	}
	fmt.Fprintln(env.Err, "latentbrush: "+strings.TrimSpace(err.Error()))
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(env.Err, "Run %q for help.\n", command.CommandPath()+" -help")
		return 2
	}
	return 1
}

// noArguments refuses arguments that are not flags.
func noArguments(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %q", command.Name(), args[0])}
	}
	return nil
}
