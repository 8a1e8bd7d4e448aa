// Command latentbrush edits pictures by painting their semantic masks. Without a command it opens its window; a
// subcommand works without one.
package main

import (
	"context"
	"os"
	"time"

	"latentbrush/app/cli"
	"latentbrush/app/gui"
	"latentbrush/engine"
)

func main() {
	env := cli.System()
	env.Window = func(env *cli.Env, file string, seed uint64) error {
		return gui.Run(gui.Options{
			Open: func(ctx context.Context, path string, o engine.Options) (*engine.Engine, error) {
				asked := *env
				if asked.Device == "" { // the command line comes before the settings
					asked.Device = string(o.Device)
				}
				e, err := asked.OpenEngine(ctx, path)
				if err == nil {
					// The first picture comes first; a failure shows when an edit is asked for.
					time.AfterFunc(2*time.Second, func() { _ = e.Warm(context.Background()) })
				}
				return e, err
			},
			Model: env.Model, File: file, Seed: seed, Version: cli.ProgramVersion(),
		})
	}
	os.Exit(cli.Execute(env, os.Args[1:]))
}
