package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/engine/ort"
)

// report is what doctor knows; its JSON is a public format.
type report struct {
	Program string      `json:"program"`
	Go      string      `json:"go"`
	System  string      `json:"system"`
	Cores   int         `json:"cores"`
	Threads int         `json:"threads"`
	Library string      `json:"library"`
	Release string      `json:"library_version"`
	Device  ort.Device  `json:"device"`
	Devices []ort.Trial `json:"devices"`
	// Ceiling is the speed of a large plain convolution on the chosen device.
	Ceiling float64       `json:"conv_gflops"`
	Memory  ort.MemoryUse `json:"memory"`
	Problem string        `json:"problem,omitempty"`
}

func newDoctorCommand(env *Env) *cobra.Command {
	var asJSON, libraryOnly bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Say what computes here, and why not something faster",
		Long: `Doctor says which ONNX Runtime library is used, tries every device of this platform, and times the chosen one.

A device is usable when it computed a small graph and agreed with the CPU. A usable device that is much slower
than the CPU, such as a graphics driver in software, is taken only when -device names it.

The exit status is 1 when nothing can compute.`,
		Example: "  latentbrush doctor\n  latentbrush doctor -device webgpu -json",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			r := report{
				Program: ProgramVersion(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
			}
			if libraryOnly {
				rt, err := env.OpenRuntime(command.Context())
				if err != nil {
					return err
				}
				fmt.Fprintln(env.Out, rt.Library())
				return nil
			}
			err := examine(command, env, &r)
			if err != nil {
				r.Problem = err.Error()
			}
			r.Memory = ort.Memory()
			if asJSON {
				encoder := json.NewEncoder(env.Out)
				encoder.SetIndent("", "  ")
				if err := encoder.Encode(r); err != nil {
					return fmt.Errorf("doctor: %w", err)
				}
			} else {
				r.print(env.Out)
			}
			return err
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write the findings as JSON")
	command.Flags().BoolVar(&libraryOnly, "library", false, "write only the path of the library in use")
	return command
}

func examine(command *cobra.Command, env *Env, r *report) error {
	ctx := command.Context()
	rt, err := env.OpenRuntime(ctx)
	if err != nil {
		return err
	}
	r.Library, r.Release, r.Device, r.Threads = rt.Library(), rt.Version(), rt.Device(), rt.Threads()
	if r.Devices, err = rt.TryAll(ctx); err != nil {
		return err
	}
	r.Ceiling, err = rt.Ceiling(ctx, 500*time.Millisecond)
	return err
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "Latentbrush  %s, %s, %s, %d cores\n", r.Program, r.Go, r.System, r.Cores)
	if r.Library == "" {
		return
	}
	fmt.Fprintf(w, "Library      ONNX Runtime %s, %s\n", r.Release, r.Library)
	label := "Devices"
	for _, d := range r.Devices {
		state := "usable"
		switch {
		case d.Chosen:
			state = "in use"
		case !d.Usable:
			state = "no"
		}
		fmt.Fprintf(w, "%-12s %-9s %s", label, d.Device, state)
		if d.Usable {
			fmt.Fprintf(w, ": test graph %.1f ms", ms(d.Run))
			if d.Device != ort.CPU {
				fmt.Fprintf(w, ", differs from the CPU by %.1g", d.Difference)
			}
		}
		if d.Reason != "" {
			fmt.Fprintf(w, ": %s", d.Reason)
		}
		fmt.Fprintln(w)
		label = ""
	}
	if r.Ceiling > 0 {
		fmt.Fprintf(w, "Speed        %.0f GFLOP/s (a large 3×3 convolution on %s, %d threads)\n", r.Ceiling, r.Device, r.Threads)
	}
	if r.Memory.Peak > 0 {
		fmt.Fprintf(w, "Memory       %d MB at most\n", r.Memory.Peak>>20)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ProgramVersion is the version that the build carries, or the commit it was built from.
func ProgramVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return setting.Value[:12]
		}
	}
	return info.Main.Version
}
