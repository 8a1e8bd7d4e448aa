package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latentbrush/engine/ort"
)

// call runs a command in memory.
func call(t *testing.T, args ...string) (status int, out, errors string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &Env{In: strings.NewReader(""), Out: &stdout, Err: &stderr, Now: time.Now}
	status = ExecuteContext(t.Context(), env, args)
	return status, stdout.String(), stderr.String()
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"sample -seed 7 -o picture.png", "sample --seed 7 -o picture.png"},
		{"sample --seed 7", "sample --seed 7"},
		{"apply -strength -0.5 -x=1 -strength=-2", "apply --strength -0.5 -x=1 --strength=-2"},
		{"doctor -json -", "doctor --json -"},
		{"edit -- -name", "edit -- -name"},
		{"-help -h", "--help -h"},
	} {
		args := strings.Fields(c.args)
		if got := strings.Join(normalize(args), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
		if strings.Join(args, " ") != c.args {
			t.Errorf("%s: the arguments were changed", c.args)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"paint", 2, `"paint" is neither a command nor a file`},
		{"doctor -jsn", 2, "unknown flag: --jsn"},
		{"doctor now", 2, `doctor takes no argument "now"`},
		{"doctor -threads many", 2, `invalid argument "many"`},
		{"doctor -device gpu", 1, `device "gpu" is unknown: it must be auto, cuda`},
		{"doctor -threads -2 -device cpu", 1, "-2 threads"},
		{"bench -run nothing -device cpu", 2, `-run "nothing" names no group`},
		{"bench -run ( -device cpu", 2, "-run"},
	} {
		status, _, says := call(t, strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(says, c.says) {
			t.Errorf("%s: status %d, said %q; want %d, %q", c.args, status, says, c.status, c.says)
		}
		if lines := strings.Count(says, "\n"); lines > 2 {
			t.Errorf("%s: %d lines for one mistake", c.args, lines)
		}
	}
}

// Every command has a text that says what it is for, and an example that it would accept.
func TestHelp(t *testing.T) {
	root := newRoot(System())
	for _, command := range root.Commands() {
		if !command.IsAvailableCommand() || command.Name() == "help" {
			continue
		}
		if command.Short == "" || len(command.Long) < 2*len(command.Short) || command.Example == "" {
			t.Errorf("%s: the help has no short text, no long one or no example", command.Name())
		}
		own := false // An example may prepare its files with other commands.
		for line := range strings.Lines(command.Example) {
			args := strings.Fields(line)
			if len(args) < 2 || args[0] != "latentbrush" {
				t.Errorf("%s: example %q", command.Name(), line)
				continue
			}
			named, rest, err := newRoot(System()).Find(normalize(args[1:]))
			if err != nil || !named.HasParent() {
				t.Errorf("%s: example %q names %v, %v", command.Name(), line, named.CommandPath(), err)
				continue
			}
			own = own || strings.HasPrefix(named.CommandPath(), command.CommandPath())
			if err := named.ParseFlags(rest); err != nil {
				t.Errorf("%s: example %q: %v", command.Name(), line, err)
			}
		}
		if !own {
			t.Errorf("%s: no example uses the command", command.Name())
		}
		status, out, _ := call(t, command.Name(), "-help")
		if status != 0 || !strings.Contains(out, strings.SplitN(command.Long, "\n", 2)[0]) || !strings.Contains(out, "--model") {
			t.Errorf("%s -help: status %d\n%s", command.Name(), status, out)
		}
	}
	if status, out, _ := call(t); status != 0 || !strings.Contains(out, "doctor") {
		t.Errorf("no arguments: status %d\n%s", status, out)
	}
}

func TestDoctor(t *testing.T) {
	status, out, says := call(t, "doctor", "-json", "-threads", "1")
	if status != 0 {
		t.Fatalf("status %d: %s", status, says)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Library == "" || r.Release == "" || r.Threads != 1 || r.Ceiling < 0.1 || r.Problem != "" || len(r.Devices) != len(ort.Order()) {
		t.Errorf("%+v", r)
	}
	if !slices.ContainsFunc(r.Devices, func(d ort.Trial) bool { return d.Chosen && d.Device == r.Device }) {
		t.Errorf("the device in use is not among those tried: %+v", r)
	}
	status, out, _ = call(t, "doctor", "-device", "cpu")
	for _, want := range []string{"Library      ONNX Runtime " + r.Release, "in use: test graph", "GFLOP/s"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, out)
		}
	}
	if status, out, _ := call(t, "doctor", "-library"); status != 0 || strings.TrimSpace(out) != r.Library {
		t.Errorf("doctor -library: status %d, %q", status, out)
	}
}

// A problem is in the JSON as well as on the error stream.
func TestDoctorProblem(t *testing.T) {
	device := "directml"
	if slices.Contains(ort.Order(), ort.DirectML) {
		device = "coreml"
	}
	status, out, says := call(t, "doctor", "-json", "-device", device)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if status != 1 || r.Problem == "" || !strings.Contains(says, r.Problem) || !strings.Contains(r.Problem, "cannot be used") {
		t.Errorf("status %d, problem %q, said %q", status, r.Problem, says)
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	env := &Env{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &stderr, Now: time.Now}
	if status := ExecuteContext(ctx, env, []string{"bench"}); status != 1 || stderr.String() != "latentbrush: stopped\n" {
		t.Errorf("status %d, said %q", status, stderr.String())
	}
}

func TestRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	b := &Bench{Env: &Env{Out: &bytes.Buffer{}}}
	b.Row("a", 1, "s")
	b.AtLeast("b", 70, "%", 75)
	b.AtMost("c", 2, "×", 2.3)
	if err := b.print(); err != nil {
		t.Fatal(err)
	}
	table := b.Env.Out.(*bytes.Buffer).String()
	if strings.Count(table, "\n") != 4 || !strings.Contains(table, "≥ 75") || !strings.Contains(table, "NO") {
		t.Errorf("table:\n%s", table)
	}
	if err := writeRows(path, b.rows); err != nil {
		t.Fatal(err)
	}
	// A later run of one group keeps the other rows.
	if err := writeRows(path, []Row{{Name: "b", Value: 80}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || rows[0].Name != "a" || rows[0].Met != nil || rows[1].Met == nil || !*rows[1].Met || rows[2].Value != 80 {
		t.Errorf("%+v", rows)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".bench-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
