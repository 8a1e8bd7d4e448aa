package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	compose "image/draw"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/assets/portrait"
	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/engine/model"
	"latentbrush/engine/ort"
)

// knownEdit is an edit whose true result is known: the generator at changed render
// parameters.
type knownEdit struct {
	Name    string
	Change  map[portrait.Index]float32 // of the normal coordinates
	Classes []uint8                    // repainted
}

var knownEdits = []knownEdit{
	{"open mouth", map[portrait.Index]float32{portrait.MouthOpen: 1.6}, []uint8{portrait.UpperLip, portrait.LowerLip, portrait.MouthIn, portrait.Teeth}},
	{"smile", map[portrait.Index]float32{portrait.Smile: 1.6}, []uint8{portrait.UpperLip, portrait.LowerLip, portrait.MouthIn, portrait.Teeth}},
	{"raise brows", map[portrait.Index]float32{portrait.BrowRaise: 1.8}, []uint8{portrait.BrowL, portrait.BrowR}},
	{"larger eyes", map[portrait.Index]float32{portrait.EyeSize: 1.5, portrait.EyeRound: 1}, []uint8{portrait.EyeL, portrait.EyeR, portrait.IrisL, portrait.IrisR, portrait.PupilL, portrait.PupilR}},
	{"gaze", map[portrait.Index]float32{portrait.GazeX: 1.6}, []uint8{portrait.EyeL, portrait.EyeR, portrait.IrisL, portrait.IrisR, portrait.PupilL, portrait.PupilR}},
	{"longer hair", map[portrait.Index]float32{portrait.HairLength: 1.2}, []uint8{portrait.Hair}},
	{"wider nose", map[portrait.Index]float32{portrait.NoseWidth: 1.8}, []uint8{portrait.Nose}},
	{"thicker brows", map[portrait.Index]float32{portrait.BrowThick: 1.8}, []uint8{portrait.BrowL, portrait.BrowR}},
}

// The set: twelve faces, two edits each, seeds that no training run draws.
const (
	editFaces     = 12
	editsPerFace  = 2
	transferFaces = 3
	editSeed      = 1 << 40
)

// editScore is one edit of the set, judged by its picture and by a head.
type editScore struct {
	Edit string `json:"edit"`
	Face int    `json:"face"`
	// PSNR in the region against the generator at the true parameters, before and after.
	Before float64 `json:"inside_before_db"`
	After  float64 `json:"inside_after_db"`
	// IoU and boundary F1 (one pixel) of the edited classes, in the region.
	IoU float64 `json:"target_iou"`
	F1  float64 `json:"boundary_f1"`
	// Leak outside the region in 8-bit levels.
	Leak float64 `json:"leak"`
	// Transfer is the gain in PSNR inside and the PSNR outside when the change is added to
	// other faces.
	TransferGain    float64 `json:"transfer_gain_db"`
	TransferOutside float64 `json:"transfer_outside_db"`
	Seconds         float64 `json:"seconds"`
	Steps           int     `json:"steps"`
	// To95 is the time after which the target IoU by the head of the loop first reached 95 % of
	// its final value.
	To95 float64 `json:"seconds_to_95"`
	// End says where the run was taken to end when that is not where it did.
	End string `json:"end,omitempty"`
	// Identity is the cosine between the persons before and after, by the bundle's readings,
	// and Readings what the edit changed by them; missing without such a network.
	Identity *float64      `json:"identity,omitempty"`
	Readings []readingMove `json:"readings,omitempty"`

	before, after, truth *image.RGBA

	painted, labels *image.Paletted
	transfers       []*image.RGBA
}

// readingMove is the change of one reading by an edit and by the true edit, in standard
// deviations of the model's pictures.
type readingMove struct {
	Name   string  `json:"name"`
	Got    float64 `json:"got"`
	Wanted float64 `json:"wanted"`
}

// trusted is the share of an attribute's variance that its reading must explain to count.
const trusted = 0.5

// editSet draws the fixed set on an engine. The judge gives the labels that scores are
// computed from; it may be the engine itself.
type editSet struct {
	e, judge *engine.Engine
}

// face draws the i-th usable face: no glasses, no beard, eyes open, so that nothing
// covers what is edited.
func (s editSet) face(i int) []float32 {
	for k := uint64(0); ; k++ {
		z := latent.Z(editSeed+uint64(i)*1000+k, s.e.Info().Manifest.ZDim)
		scale := normal(z)
		at := func(p portrait.Index) float64 { return float64(z[p]) * scale }
		if at(portrait.GlassesOn) < -0.3 && at(portrait.BeardFull) < -0.3 && at(portrait.Moustache) < -0.3 && at(portrait.EyeClose) < 0.3 && at(portrait.Fringe) < 0.3 &&
			math.Abs(at(portrait.Smile)) < 0.7 && at(portrait.MouthOpen) < 0.3 && math.Abs(at(portrait.GazeX)) < 0.7 && math.Abs(at(portrait.HairLength)) < 0.8 {
			return z
		}
	}
}

func normal(z []float32) float64 {
	sum := 0.0
	for _, v := range z {
		sum += float64(v) * float64(v)
	}
	return 1 / math.Sqrt(sum/float64(len(z))+1e-8)
}

// changed is z with the edit's coordinates moved, in units of the normalised z.
func changed(z []float32, k knownEdit) []float32 {
	out := slices.Clone(z)
	scale := float32(normal(z))
	for p, d := range k.Change {
		out[p] += d / scale
	}
	return out
}

func (s editSet) frame(ctx context.Context, z []float32) (engine.Frame, error) {
	code, err := s.e.Map(z)
	if err != nil {
		return engine.Frame{}, err
	}
	return s.e.Render(ctx, code, engine.RenderOptions{})
}

// repaint is base with the classes' old and new pixels taken from truth.
func repaint(base, truth *image.Paletted, classes []uint8) *image.Paletted {
	out := image.NewPaletted(base.Rect, base.Palette)
	copy(out.Pix, base.Pix)
	for i, c := range truth.Pix {
		if slices.Contains(classes, c) || slices.Contains(classes, base.Pix[i]) {
			out.Pix[i] = c
		}
	}
	return out
}

// knownTask is one edit of the set with its true result.
type knownTask struct {
	knownEdit
	face        int
	base, truth engine.Frame
	painted     *image.Paletted
	region      *image.Alpha
}

func (s editSet) task(ctx context.Context, face int, k knownEdit) (knownTask, error) {
	t := knownTask{knownEdit: k, face: face}
	z := s.face(face)
	var err error
	if t.base, err = s.frame(ctx, z); err != nil {
		return t, err
	}
	if t.truth, err = s.frame(ctx, changed(z, k)); err != nil {
		return t, err
	}
	t.painted = repaint(t.base.Labels, t.truth.Labels, k.Classes)
	t.region, err = edit.Region(t.base.Labels, t.painted, edit.RegionOptions{Dilation: -1})
	return t, err
}

// run makes an edit once and scores it, and again as if it had ended at each of ends.
func (s editSet) run(ctx context.Context, face int, k knownEdit, settings engine.Settings, ends []runEnd) ([]editScore, error) {
	t, err := s.task(ctx, face, k)
	if err != nil {
		return nil, err
	}
	var final engine.Step
	var trail []trailPoint
	begun := time.Now()
	request := engine.EditRequest{Start: t.base.Code, Painted: t.painted, Region: edit.RegionOptions{Dilation: -1}, Settings: settings}
	for step, err := range s.e.Edit(ctx, request) {
		if err != nil {
			return nil, err
		}
		if final = step; !step.Final {
			trail = append(trail, trailPoint{step.Code, step.Stage, step.Loss, step.Agreement, meanIoU(step.Scores), time.Since(begun).Seconds()})
		}
	}
	score, err := s.score(ctx, t, final.Code, trail, meanIoU(final.Scores))
	if err != nil {
		return nil, err
	}
	scores := []editScore{score}
	for _, end := range ends {
		n := end.last(trail)
		best := result(trail[:n+1])
		if score, err = s.score(ctx, t, trail[best].code, trail[:n+1], trail[best].iou); err != nil {
			return nil, err
		}
		score.End = end.String()
		scores = append(scores, score)
	}
	return scores, nil
}

// score judges a code as the result of a task. Trail are the points of its run, and iou is
// the target IoU of the code by the head of the loop.
func (s editSet) score(ctx context.Context, t knownTask, code latent.Code, trail []trailPoint, iou float64) (editScore, error) {
	score := editScore{Edit: t.Name, Face: t.face, Steps: len(trail) - 1, Seconds: trail[len(trail)-1].seconds}
	for _, p := range trail {
		if score.To95 = p.seconds; p.iou >= 0.95*iou {
			break
		}
	}
	final, err := s.e.Render(ctx, code, engine.RenderOptions{})
	if err != nil {
		return score, err
	}
	base, truth, region := t.base, t.truth, t.region
	if err := s.read(ctx, &score, base.Picture, final.Picture, truth.Picture); err != nil {
		return score, err
	}
	judged := final.Labels
	if s.judge != s.e {
		f, err := s.judge.Render(ctx, code, engine.RenderOptions{})
		if err != nil {
			return score, err
		}
		judged = f.Labels
	}
	score.Before, score.After = metrics.PSNR(base.Picture, truth.Picture, region), metrics.PSNR(final.Picture, truth.Picture, region)
	score.Leak = metrics.LeakOutside(base.Picture, final.Picture, region).Mean
	overlaps := metrics.Overlaps(judged, t.painted, region, len(s.e.Info().Manifest.Classes))
	n := 0
	for _, c := range t.Classes {
		f1 := metrics.BoundaryF1(judged, t.painted, region, c, 1)
		if overlaps[c].Union == 0 || math.IsNaN(f1) {
			continue
		}
		score.IoU += overlaps[c].IoU()
		score.F1 += f1
		n++
	}
	score.IoU /= float64(max(1, n))
	score.F1 /= float64(max(1, n))
	delta := code.Sub(base.Code)
	for i := range transferFaces {
		oz := s.face(editFaces + 3*t.face + i)
		other, err := s.frame(ctx, oz)
		if err != nil {
			return score, err
		}
		want, err := s.frame(ctx, changed(oz, t.knownEdit))
		if err != nil {
			return score, err
		}
		got, err := s.e.Render(ctx, other.Code.Add(delta), engine.RenderOptions{})
		if err != nil {
			return score, err
		}
		r, err := edit.Region(other.Labels, repaint(other.Labels, want.Labels, t.Classes), edit.RegionOptions{Dilation: -1})
		if errors.Is(err, edit.ErrEmptyRegion) {
			continue
		} else if err != nil {
			return score, err
		}
		score.TransferGain += (metrics.PSNR(got.Picture, want.Picture, r) - metrics.PSNR(other.Picture, want.Picture, r)) / transferFaces
		score.TransferOutside += metrics.LeakOutside(other.Picture, got.Picture, r).PSNR / transferFaces
		score.transfers = append(score.transfers, other.Picture, got.Picture)
	}
	score.before, score.after, score.truth, score.painted, score.labels = base.Picture, final.Picture, truth.Picture, t.painted, final.Labels
	return score, nil
}

// read tells what the edit changed by the bundle's readings.
func (s editSet) read(ctx context.Context, score *editScore, before, after, truth *image.RGBA) error {
	var all [3][]engine.Reading
	for i, p := range []*image.RGBA{before, after, truth} {
		r, err := s.e.Readings(ctx, p)
		if errors.Is(err, engine.ErrNoReadings) {
			return nil
		}
		if err != nil {
			return err
		}
		all[i] = r
	}
	same := s.e.SamePerson(all[0], all[1])
	score.Identity = &same
	for i, r := range all[0] {
		if r.R2 >= trusted {
			score.Readings = append(score.Readings, readingMove{r.Name, all[1][i].Value - r.Value, all[2][i].Value - r.Value})
		}
	}
	slices.SortStableFunc(score.Readings, func(a, b readingMove) int { return cmp.Compare(math.Abs(b.Wanted), math.Abs(a.Wanted)) })
	return nil
}

// moved names the reading that the true edit moves most, with the edit's own move.
func (s editScore) moved() string {
	if len(s.Readings) == 0 {
		return ""
	}
	r := s.Readings[0]
	return fmt.Sprintf("%s %+.2f of %+.2f", r.Name, r.Got, r.Wanted)
}

func meanIoU(scores []edit.ClassScore) float64 {
	sum := 0.0
	for _, s := range scores {
		sum += s.IoU / float64(len(scores))
	}
	return sum
}

// editSummary is the mean of the scores.
func editSummary(scores []editScore) editScore {
	m := editScore{Edit: "mean"}
	identity := 0.0
	for _, s := range scores {
		n := float64(len(scores))
		m.Before += s.Before / n
		m.After += s.After / n
		m.IoU += s.IoU / n
		m.F1 += s.F1 / n
		m.Leak += s.Leak / n
		m.TransferGain += s.TransferGain / n
		m.TransferOutside += s.TransferOutside / n
		m.Seconds += s.Seconds / n
		m.To95 += s.To95 / n
		m.Steps += s.Steps
		if s.Identity != nil {
			identity += *s.Identity / n
			m.Identity = &identity
		}
		for _, r := range s.Readings {
			i := slices.IndexFunc(m.Readings, func(t readingMove) bool { return t.Name == r.Name })
			if i < 0 {
				i = len(m.Readings)
				m.Readings = append(m.Readings, readingMove{Name: r.Name})
			}
			m.Readings[i].Got += r.Got / n
			m.Readings[i].Wanted += r.Wanted / n
		}
	}
	slices.SortStableFunc(m.Readings, func(a, b readingMove) int { return cmp.Compare(math.Abs(b.Wanted), math.Abs(a.Wanted)) })
	m.Steps /= max(1, len(scores))
	return m
}

// editSheet shows each edit in a row: before, painted labels, after, its labels, the
// truth, then other faces before and after.
func editSheet(scores []editScore) *image.RGBA {
	if len(scores) == 0 {
		return image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	size := scores[0].before.Rect.Size()
	columns := 5 + 2*transferFaces
	sheet := image.NewRGBA(image.Rect(0, 0, columns*size.X, len(scores)*size.Y))
	for y, s := range scores {
		cells := []image.Image{s.before, s.painted, s.after, s.labels, s.truth}
		for _, t := range s.transfers {
			cells = append(cells, t)
		}
		for x, c := range cells {
			compose.Draw(sheet, image.Rectangle{Max: size}.Add(image.Pt(x*size.X, y*size.Y)), c, image.Point{}, compose.Src)
		}
	}
	return sheet
}

// withHead is a bundle with another label head.
type withHead struct {
	fs.FS
	name string
	head fs.FS
	file string
}

func (w withHead) Open(name string) (fs.File, error) {
	if name == w.name {
		return w.head.Open(w.file)
	}
	return w.FS.Open(name)
}

func newEvaluateCommand(env *Env) *cobra.Command {
	var report, sheet, judge string
	var limit int
	var s engine.Settings
	var guess int
	var ends []string
	command := &cobra.Command{
		Use:   "evaluate",
		Short: "Measure mask edits on a fixed set whose true results are known",
		Long: fmt.Sprintf(`Evaluate makes %d mask edits on %d faces of the default model and measures what came of them.

The default model was trained on rendered portraits, so a picture with changed render parameters is the true result of
an edit. Each edit repaints the labels of the changed parts, optimises, and is judged by the picture: PSNR in the
region against the true result before and after, IoU and boundary F1 of the edited classes, leak outside the region in
8-bit levels, and what the change does to %d other faces. The model's network of readings, where there is one, says
whether it is still the same person and which attribute moved how far, beside the true edit. A head that is not used in the loop can judge the labels.`, editFaces*editsPerFace, editFaces, transferFaces),
		Example: "  latentbrush evaluate -sheet edits.png\n  latentbrush evaluate -search shared -report shared.json",
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			parsed, err := parseEnds(ends)
			if err != nil {
				return usageError{err}
			}
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			if len(e.Info().Manifest.Classes) != len(portrait.Classes) || e.Info().Manifest.ZDim < portrait.Count {
				return fmt.Errorf("evaluate: model %q does not draw rendered portraits, whose true edits are known", e.Info().Manifest.ID)
			}
			if guess > 0 {
				if _, err := e.LearnGuess(ctx, guess, nil); err != nil {
					return err
				}
			}
			set := editSet{e: e, judge: e}
			if judge != "" {
				if set.judge, err = openJudge(ctx, env, e, judge); err != nil {
					return fmt.Errorf("evaluate: judge: %w", err)
				}
				defer set.judge.Close()
			}
			var scores []editScore
			for i := range min(limit, editFaces*editsPerFace) {
				face := i / editsPerFace
				k := knownEdits[(face*editsPerFace+i%editsPerFace)%len(knownEdits)]
				made, err := set.run(ctx, face, k, s, parsed)
				if errors.Is(err, edit.ErrEmptyRegion) {
					fmt.Fprintf(env.Err, "%s on face %d changes no label and is left out\n", k.Name, face)
					continue
				}
				if err != nil {
					return err
				}
				score := made[0]
				fmt.Fprintf(env.Err, "%-14s face %2d: inside %.1f → %.1f dB, IoU %.2f, leak %.2f, transfer %+.1f dB, %d steps, %.1f s\n",
					score.Edit, face, score.Before, score.After, score.IoU, score.Leak, score.TransferGain, score.Steps, score.Seconds)
				scores = append(scores, made...)
			}
			if report != "" {
				if err := writeWhole(report, func(w io.Writer) error {
					enc := json.NewEncoder(w)
					enc.SetIndent("", "  ")
					return enc.Encode(append(scores, summaries(scores)...))
				}); err != nil {
					return fmt.Errorf("report: %w", err)
				}
			}
			if sheet != "" {
				if err := writePNG(sheet, editSheet(endingWith(scores, ""))); err != nil {
					return fmt.Errorf("sheet: %w", err)
				}
			}
			return printScores(env.Out, scores)
		},
	}
	f := command.Flags()
	f.StringVar(&report, "report", "", "`file` for the scores (JSON)")
	f.StringVar(&sheet, "sheet", "", "`file` for a sheet of all edits (PNG)")
	f.StringVar(&judge, "judge", "", "`file` of a label head that is not used in the loop")
	f.IntVar(&guess, "guess", 0, "begin at a linear guess learnt from this `number` of the model's own pictures")
	f.StringSliceVar(&ends, "ends", nil, "also score each run as if it had ended earlier: a `list` of numbers of steps and of shares of agreement below 1")
	f.IntVar(&limit, "edits", editFaces*editsPerFace, "`number` of edits of the set to make")
	f.IntVar(&s.Steps, "steps", engine.DefaultSettings().Steps, "`number` of optimisation steps")
	searchFlags(command, &s, engine.DefaultSettings())
	return command
}

func openJudge(ctx context.Context, env *Env, e *engine.Engine, file string) (*engine.Engine, error) {
	dir, name := splitPath(file)
	m, err := model.Open(withHead{FS: e.Model().FS(), name: "segmentation.safetensors", head: dir, file: name})
	if err != nil {
		return nil, err
	}
	device, err := ort.ParseDevice(env.Device)
	if err != nil {
		return nil, err
	}
	return engine.OpenModel(ctx, m, engine.Options{Device: device, Threads: env.Threads})
}

func printScores(w io.Writer, scores []editScore) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "edit\tinside before\tinside after\ttarget IoU\tboundary F1\tleak\ttransfer gain\ttransfer outside\tsteps\tseconds\tto 95 %\tsame person\treading moved")
	groups := map[string][]editScore{}
	var names []string
	for _, s := range endingWith(scores, "") {
		if groups[s.Edit] == nil {
			names = append(names, s.Edit)
		}
		groups[s.Edit] = append(groups[s.Edit], s)
	}
	row := func(s editScore) {
		same := ""
		if s.Identity != nil {
			same = fmt.Sprintf("%.3f", *s.Identity)
		}
		fmt.Fprintf(t, "%s\t%.1f dB\t%.1f dB\t%.3f\t%.3f\t%.2f\t%+.1f dB\t%.1f dB\t%d\t%.1f\t%.1f\t%s\t%s\n",
			strings.TrimSpace(s.Edit), s.Before, s.After, s.IoU, s.F1, s.Leak, s.TransferGain, s.TransferOutside, s.Steps, s.Seconds, s.To95, same, s.moved())
	}
	for _, n := range names {
		m := editSummary(groups[n])
		m.Edit = n
		row(m)
	}
	for _, m := range summaries(scores) {
		m.Readings = nil // the edits move different ones
		if m.End != "" {
			m.Edit += " at " + m.End
		}
		row(m)
	}
	return t.Flush()
}
