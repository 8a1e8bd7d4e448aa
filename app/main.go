// Command latentbrush edits pictures by painting their semantic masks. Without arguments it opens its window; a
// subcommand works without one.
package main

import (
	"os"

	"latentbrush/app/cli"
)

func main() {
	os.Exit(cli.Execute(cli.System(), os.Args[1:]))
}
