package screentest

import (
	"bufio"
	"bytes"
	"fmt"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long the machine may take for one thing.
const patience = 90 * time.Second

// screen is an Xvfb with the program on it.
type screen struct {
	t       *testing.T
	display string
	window  string
	dir     string
	shots   string
	trace   string
	app     *exec.Cmd
	seen    int // lines of the trace that were waited for
	program string
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// start builds the program and opens its window.
func start(t *testing.T, args ...string) *screen {
	t.Helper()
	for _, tool := range []string{"Xvfb", "xdotool", "import"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the window is not tried on a screen", tool)
		}
	}
	top := root(t)
	s := &screen{t: t, dir: t.TempDir(), shots: filepath.Join(top, "build", "shots")}
	if err := os.MkdirAll(s.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	s.trace = filepath.Join(s.dir, "trace")
	program := os.Getenv("LATENTBRUSH_PROGRAM") // one that is built already
	if program == "" {
		program = filepath.Join(s.dir, "latentbrush")
		s.build(top, program)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1440x900x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { _ = x.Process.Kill(); _ = x.Wait() })
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	s.display = ":" + strings.TrimSpace(line)
	s.launch(program, args...)
	return s
}

// build makes the program.
func (s *screen) build(top, program string) {
	s.t.Helper()
	c := exec.Command("go", "build", "-tags", "migrated_fynedo,no_emoji", "-o", program, "./app")
	c.Dir = top
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("build: %v\n%s", err, out)
	}
}

func (s *screen) env() []string {
	return append(os.Environ(), "DISPLAY="+s.display, "LANG=en_US.UTF-8", "LC_ALL=", "GSETTINGS_BACKEND=memory", "WAYLAND_DISPLAY=",
		"XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"), "XDG_DATA_HOME="+filepath.Join(s.dir, "data"), "LATENTBRUSH_TRACE="+s.trace)
}

// launch starts the program and waits for its window.
func (s *screen) launch(program string, args ...string) {
	s.t.Helper()
	s.program = program
	s.app = exec.Command(program, args...)
	s.app.Env = s.env()
	app := s.app
	var log bytes.Buffer
	s.app.Stderr = &log
	if err := s.app.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = app.Process.Kill()
		_ = app.Wait()
		if s.t.Failed() {
			s.t.Logf("the program said:\n%s", log.String())
			if data, err := os.ReadFile(s.trace); err == nil {
				s.t.Logf("trace:\n%s", data)
			}
		}
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		out, err := s.command("xdotool", "search", "--onlyvisible", "--name", "Latentbrush").Output()
		if id := strings.Fields(string(out)); err == nil && len(id) > 0 {
			s.window = id[0]
			s.do("windowfocus " + s.window)
			return
		}
	}
	s.t.Fatal("no window came up")
}

func (s *screen) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = s.env()
	return c
}

// do sends xdotool commands, one a line.
func (s *screen) do(lines ...string) {
	s.t.Helper()
	c := s.command("xdotool", "-")
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("xdotool: %v\n%s\n%s", err, out, strings.Join(lines, "\n"))
	}
}

// typeText types letters slowly enough for a busy machine.
func (s *screen) typeText(text string) {
	s.t.Helper()
	if out, err := s.command("xdotool", "type", "--delay", "40", text).CombinedOutput(); err != nil {
		s.t.Fatalf("xdotool type: %v\n%s", err, out)
	}
}

// await waits for a line of the trace that begins with what, after those awaited
// before, and returns its further words.
func (s *screen) await(what string) []string {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(40 * time.Millisecond) {
		data, err := os.ReadFile(s.trace)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		for i := s.seen; i < len(lines); i++ {
			_, line, _ := strings.Cut(lines[i], " ")
			if rest, ok := strings.CutPrefix(line, what); ok && strings.HasSuffix(string(data), "\n") {
				s.seen = i + 1
				return strings.Fields(rest)
			}
		}
	}
	s.shot("failed")
	s.t.Fatalf("waited in vain for %q", what)
	return nil
}

// shot keeps a picture of the window and returns the number of different colours in
// it.
func (s *screen) shot(name string) int {
	s.t.Helper()
	path := filepath.Join(s.shots, name+".png")
	if out, err := s.command("import", "-window", s.window, path).CombinedOutput(); err != nil {
		s.t.Logf("import: %v %s", err, out)
		return 0
	}
	f, err := os.Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		s.t.Fatal(err)
	}
	seen := map[[3]uint32]bool{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y += 3 {
		for x := b.Min.X; x < b.Max.X; x += 3 {
			r, g, bl, _ := img.At(x, y).RGBA()
			seen[[3]uint32{r >> 8, g >> 8, bl >> 8}] = true
		}
	}
	return len(seen)
}

// place is a rectangle in pixels of the window.
type place struct{ x, y, w, h float64 }

func (s *screen) at(what string) place {
	s.t.Helper()
	f := s.await("at " + what)
	if len(f) != 4 {
		s.t.Fatalf("at %s: %v", what, f)
	}
	var v [4]float64
	for i := range v {
		n, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		v[i] = n
	}
	return place{v[0], v[1], v[2], v[3]}
}

// move is a pointer move to a place's share (0 to 1 each way).
func (p place) move(fx, fy float64) string {
	return fmt.Sprintf("mousemove %.0f %.0f", p.x+fx*p.w, p.y+fy*p.h)
}

// TestMainJob is a person's whole job: a sample opens, its mask is repainted, the
// optimisation runs, its result becomes a slider, the slider moves, the edit is kept
// as a vector, and the project is saved through the desktop's own dialog.
func TestMainJob(t *testing.T) {
	s := start(t, "-seed", "11")
	s.await("picture 11")
	mask := s.at("mask")
	if n := s.shot("1-start"); n < 500 {
		t.Errorf("the first window has only %d colours", n)
	}

	// Choose the class under the pointer, as the hair, and paint with it.
	s.do(mask.move(0.5, 0.16), "sleep 0.3", "key i", "sleep 0.2", "click 1", "sleep 0.3", "key b", "sleep 0.2",
		"key bracketright", "key bracketright", "sleep 0.2",
		mask.move(0.36, 0.30), "sleep 0.1", "mousedown 1", "sleep 0.1")
	for i := 0; i <= 8; i++ {
		f := float64(i) / 8
		s.do(mask.move(0.36+0.28*f, 0.30+0.02*f), "sleep 0.06")
	}
	s.do("mouseup 1")
	s.await("painted brush")
	s.shot("2-painted")

	s.do("key ctrl+Return")
	time.Sleep(1500 * time.Millisecond)
	s.shot("3-running")
	result := s.await("run done")
	s.shot("4-done")
	steps, _ := strconv.Atoi(result[0])
	match, _ := strconv.ParseFloat(result[1], 64)
	if steps < 5 || match <= 0 || match > 1 {
		t.Errorf("the run ended with %v", result)
	}

	s.do("key Return")
	if got := s.await("accepted"); got[0] != "true" {
		t.Fatalf("accepted %v", got)
	}
	slider := s.at("slider")
	s.do(slider.move(0.75, 0.25), "sleep 0.2", "mousedown 1", "sleep 0.1")
	for i := 1; i <= 10; i++ {
		s.do(slider.move(0.75+0.012*float64(i), 0.25), "sleep 0.05")
	}
	s.do("mouseup 1")
	strength, _ := strconv.ParseFloat(s.await("strength")[0], 64)
	if strength < 1.2 || strength > 1.8 {
		t.Errorf("dragging from 1 to about 1.5 gives %.2f", strength)
	}
	time.Sleep(2 * time.Second)
	s.shot("5-slider")

	s.do("key ctrl+shift+v")
	s.await("prompt")
	time.Sleep(400 * time.Millisecond)
	s.typeText("Fringe #hair")
	s.do("key Return")
	if got := s.await("vector"); got[0] != "Fringe" {
		t.Errorf("kept as %v", got)
	}
	time.Sleep(time.Second)
	s.shot("6-vector")

	// The desktop's dialog, which is a window of its own.
	project := filepath.Join(s.dir, "job.lbproj")
	s.do("key ctrl+s")
	dialog := ""
	for end := time.Now().Add(patience); time.Now().Before(end) && dialog == ""; time.Sleep(100 * time.Millisecond) {
		out, _ := s.command("xdotool", "search", "--onlyvisible", "--name", "^(Save File|Save)").Output()
		if f := strings.Fields(string(out)); len(f) > 0 {
			dialog = f[0]
		}
	}
	if dialog == "" {
		s.shot("failed-dialog")
		t.Fatal("no file dialog came up")
	}
	time.Sleep(800 * time.Millisecond)
	s.do("windowfocus "+dialog, "sleep 0.4", "key ctrl+a", "sleep 0.2")
	s.typeText(project)
	s.do("sleep 0.2", "key Return")
	s.await("saved")
	if st, err := os.Stat(project); err != nil || st.Size() < 1000 {
		t.Errorf("the project: %v, %v", st, err)
	}
	time.Sleep(500 * time.Millisecond)
	s.shot("7-saved")

	// What goes on in idle time, such as the strip's pictures, comes to an end; from then
	// on the program must leave the processor alone.
	idle := math.Inf(1)
	for end := time.Now().Add(patience); time.Now().Before(end) && idle > 0.1; {
		before := s.cpu()
		time.Sleep(3 * time.Second)
		idle = (s.cpu() - before).Seconds() / 3
		t.Logf("idle: %.1f %% of a core", idle*100)
	}
	if idle > 0.1 {
		t.Errorf("idle takes %.0f %% of a core", idle*100)
	}

	s.do("windowfocus "+s.window, "key ctrl+q")
	done := make(chan error, 1)
	go func() { done <- s.app.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the program ended with %v", err)
		}
	case <-time.After(patience):
		s.shot("failed-quit")
		t.Error("the program did not end")
	}
}

// cpu is the processor time that the program has used.
func (s *screen) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.app.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestKillLosesNothing kills the program after a stroke, several times, and wants
// the next start to offer the session with all strokes in it. LATENTBRUSH_KILLS says how often.
func TestKillLosesNothing(t *testing.T) {
	kills := 3
	if text := os.Getenv("LATENTBRUSH_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, "-seed", "5")
	s.await("picture 5")
	nodes := 0
	for round := range kills {
		mask := s.at("mask")
		y := 0.2 + 0.6*float64(round)/float64(kills)
		s.do(mask.move(0.4, y), "sleep 0.3", "mousedown 1", "sleep 0.1", mask.move(0.5, y), "sleep 0.1", mask.move(0.6, y), "sleep 0.1", "mouseup 1")
		s.await("painted brush")
		time.Sleep(300 * time.Millisecond) // the journal is written beside the window's goroutine
		if err := s.app.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = s.app.Wait()
		s.launch(s.program, "-seed", "5")
		s.await("recoverable")
		time.Sleep(time.Second)
		s.shot("8-recover")
		s.do("key Return")
		n, _ := strconv.Atoi(s.await("recovered")[0])
		if n <= nodes {
			t.Errorf("round %d: %d steps came back, %d before", round, n, nodes)
		}
		nodes = n
	}
}
