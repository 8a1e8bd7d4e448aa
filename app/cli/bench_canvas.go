package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"latentbrush/canvas"
)

// windowTest is the package whose test paints in a real window and prints how long
// frames take, seen from the top folder of the source.
const windowTest = "./canvas/view/windowtest"

// measureCanvas times painting in memory, and in a real window on a virtual display.
func measureCanvas(ctx context.Context, b *Bench) error {
	figures, err := canvas.Measure()
	if err != nil {
		return err
	}
	for _, f := range figures {
		b.AtMost(f.Name, f.Value, "ms", f.Goal)
	}
	if _, err := os.Stat(windowTest); err != nil {
		fmt.Fprintf(b.Env.Err, "The frames of a real window are left out: %s is not here; run from the top folder of the source.\n", windowTest)
		return nil
	}
	args := []string{"-a", "-s", "-screen 0 1440x900x24", "go", "test", "-count=1", "-tags", "migrated_fynedo,no_emoji", "-v", "-run", "TestFrames", windowTest}
	out, err := exec.CommandContext(ctx, "xvfb-run", args...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(b.Env.Err, "The frames of a real window are left out: %v.\n", err)
		return nil
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		name, number, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			continue
		}
		switch name {
		case "canvas.fps":
			b.AtLeast(name, value, "/s", 55)
		case "canvas.frame_ms_p50":
			b.AtMost(name, value, "ms", 25)
		case "canvas.frame_ms_p95":
			b.AtMost(name, value, "ms", 50)
		}
	}
	return lines.Err()
}
