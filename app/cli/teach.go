package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/assets/portrait"
	"latentbrush/assets/portrait/dataset"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

// proceduralModel is the id of the model whose generator was taught by package portrait, so that
// the true labels of its latents are known.
const proceduralModel = "faces"

// heldOutSeed separates the seeds of evaluation from those of teaching.
const heldOutSeed = 1 << 62

// teachFlags are the command line of teach.
type teachFlags struct {
	pairs, holdout, classes, out, report string
	procedural, evaluate                 int
	members                              int
	hidden                               string
	o                                    segmentation.TeachOptions
	memory                               int64
}

func newTeachCommand(env *Env) *cobra.Command {
	var f teachFlags
	command := &cobra.Command{
		Use:   "teach",
		Short: "Teach a model new labels from a few labelled pictures",
		Long: `Teach fits a label head to a few labelled latents, so that the model knows your classes.

The folder of -pairs holds for each picture NAME.safetensors, its W+ code as "sample -code" and "embed" write
it, and NAME.png, its labels: an indexed PNG of the size of the model's pictures whose palette index is the
class. Index 255 means not labelled. Sixteen pictures are a good start.

The classes are the model's own, or those of -classes: a JSON list of objects with "id", "name" and "colour", as in
the model's model.json. The result is a copy of the model with the new head, or only the head when the name of
-o ends in .safetensors. The head is an ensemble of -members small networks whose mean is taken; one is
quicker, in teaching and in every use, and a little worse.

-holdout names a folder of further pairs that are not learnt but compared with the head's answers. For the
model of drawn faces that comes with the program, -procedural and -evaluate make pairs with exact labels from
-seed instead of reading folders; no other model can use them, because only there the renderer knows the truth.`,
		Example: `  latentbrush teach -model cats.zip -pairs labelled -classes classes.json -o cats-parts.zip
  latentbrush teach -pairs labelled -holdout others -members 1 -o head.safetensors
  latentbrush teach -procedural 16 -evaluate 64 -report teach.json`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			return f.run(command.Context(), env)
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.pairs, "pairs", "", "`folder` of NAME.safetensors codes and NAME.png labels to learn from")
	flags.StringVar(&f.holdout, "holdout", "", "`folder` of pairs to compare the head with")
	flags.IntVar(&f.procedural, "procedural", 0, "learn from this `number` of drawn faces with exact labels; only for the model of faces")
	flags.IntVar(&f.evaluate, "evaluate", 0, "compare the head with this `number` of other drawn faces; only for the model of faces")
	flags.StringVar(&f.classes, "classes", "", "JSON `file` with the classes (default: the model's)")
	flags.StringVarP(&f.out, "o", "o", "", "the new bundle, a `name` for a folder or a .zip, or the head alone, a .safetensors")
	flags.StringVar(&f.report, "report", "", "`file` for the figures, as JSON")
	flags.IntVar(&f.members, "members", 10, "`number` of networks in the ensemble")
	flags.StringVar(&f.hidden, "hidden", "64,32", "`sizes` of the hidden layers; none for a linear head")
	flags.StringVar(&f.o.Upsample, "upsample", model.UpsampleProgressive, "how maps are enlarged: progressive, or bilinear as EditGAN does, which is `slower`")
	flags.Uint64Var(&f.o.Seed, "seed", 0, "`seed` of the first weights, the pixels and the drawn faces")
	flags.IntVar(&f.o.MaxSteps, "steps", 0, "the largest `number` of updates (default 300; it usually ends before)")
	flags.Int64Var(&f.memory, "memory", 1536, "the most `megabytes` of features to keep")
	return command
}

func (f *teachFlags) check() error {
	switch {
	case f.pairs == "" && f.procedural == 0:
		return errors.New("teach needs -pairs, the folder to learn from")
	case f.pairs != "" && f.procedural != 0:
		return errors.New("-pairs and -procedural both say what to learn from: give one")
	case f.holdout != "" && f.evaluate != 0:
		return errors.New("-holdout and -evaluate both say what to compare with: give one")
	case f.procedural < 0 || f.evaluate < 0 || f.procedural > 1<<20 || f.evaluate > 1<<20:
		return fmt.Errorf("-procedural %d and -evaluate %d, expected numbers up to %d", f.procedural, f.evaluate, 1<<20)
	case (f.procedural != 0 || f.evaluate != 0) && f.classes != "":
		return errors.New("-classes cannot be changed with -procedural or -evaluate, which draw the model's own")
	case f.out == "" && f.holdout == "" && f.evaluate == 0:
		return errors.New("nothing to do with the head: name a file with -o, or pairs to compare it with")
	case f.memory < 1:
		return fmt.Errorf("-memory is %d, expected 1 or more", f.memory)
	}
	f.o.Hidden = []int{}
	if f.hidden != "" && f.hidden != "none" {
		for part := range strings.SplitSeq(f.hidden, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil {
				return fmt.Errorf("-hidden is %q, expected sizes such as 64,32, or none", f.hidden)
			}
			f.o.Hidden = append(f.o.Hidden, n)
		}
	}
	if f.members < 1 {
		return fmt.Errorf("-members is %d, expected 1 or more", f.members)
	}
	f.o.Members = f.members
	f.o.Memory = f.memory << 20
	if f.out != "" {
		if _, err := os.Lstat(f.out); err == nil {
			return fmt.Errorf("%s exists already: name a new bundle with -o", f.out)
		}
	}
	return nil
}

// teachReport is what -report writes.
type teachReport struct {
	Model      string      `json:"model"`
	Resolution int         `json:"resolution"`
	Pairs      int         `json:"pairs"`
	Seed       uint64      `json:"seed"`
	Members    int         `json:"members"`
	Hidden     []int       `json:"hidden"`
	Upsample   string      `json:"upsample"`
	Steps      int         `json:"steps"`
	Reason     string      `json:"reason"`
	Loss       float64     `json:"loss"`
	Seconds    float64     `json:"seconds"`
	Cores      int         `json:"cores"`
	Features   int64       `json:"feature_bytes"`
	Peak       uint64      `json:"peak_bytes"`
	Score      *teachScore `json:"score,omitempty"`
	Shipped    *teachScore `json:"models_own_head,omitempty"`
}

type teachScore struct {
	segmentation.Score
	Classes []classScore `json:"classes"`
}

type classScore struct {
	Name string `json:"name"`
	// IoU is null for a class that is in no picture and no answer.
	IoU *float64 `json:"iou"`
}

func (f *teachFlags) run(ctx context.Context, env *Env) error {
	m, err := openModel(env)
	if err != nil {
		return err
	}
	defer m.Close()
	man := *m.Manifest
	if f.procedural > 0 || f.evaluate > 0 {
		if err := checkProcedural(&man); err != nil {
			return err
		}
	}
	if f.classes != "" {
		if man.Classes, err = readClassList(f.classes, man); err != nil {
			return err
		}
	}
	if len(man.Classes) < 2 {
		return errors.New("the model has no classes: name some with -classes")
	}
	gen, err := stylegan2.New(m)
	if err != nil {
		return err
	}
	print, err := m.Fingerprint()
	if err != nil {
		return err
	}
	size := man.Size()
	info := engine.Info{Manifest: man, Fingerprint: print, Width: size.X, Height: size.Y, Rows: man.Rows, Dim: man.WDim}

	learn, err := f.learn(info, gen)
	if err != nil {
		return err
	}
	var held []segmentation.Pair
	if f.holdout != "" {
		if held, err = readPairs(f.holdout, info); err != nil {
			return err
		}
	}
	if f.evaluate > 0 {
		held = drawnPairs(gen, f.o.Seed+heldOutSeed, f.evaluate)
	}
	rt, err := env.OpenRuntime(ctx)
	if err != nil {
		return err
	}
	open := func(model []byte) (segmentation.Session, error) {
		return rt.NewSession(model, nil, nil, ort.SessionOptions{KeepModel: rt.Device() != ort.CPU})
	}

	ort.ResetPeak()
	begun := env.Now()
	head, last, err := f.teach(ctx, env, gen, open, learn, len(man.Classes))
	if err != nil {
		return err
	}
	report := teachReport{
		Model: man.ID, Resolution: man.Resolution, Pairs: len(learn), Seed: f.o.Seed, Members: f.members, Hidden: f.o.Hidden,
		Upsample: f.o.Upsample, Steps: last.Index, Reason: last.Reason, Loss: last.Smoothed, Features: last.Memory,
		Seconds: env.Now().Sub(begun).Seconds(), Cores: min(runtime.NumCPU(), rt.Threads()), Peak: ort.Memory().Peak,
	}
	fmt.Fprintf(env.Out, "%d pairs, %d members of %v: %d steps in %.1f s, %s; %d MB of features, %d MB in all\n",
		len(learn), f.members, f.o.Hidden, last.Index, report.Seconds, last.Reason, last.Memory>>20, report.Peak>>20)
	if len(held) > 0 {
		if report.Score, err = score(ctx, gen, head, open, held, man.Classes); err != nil {
			return err
		}
		report.Score.print(env, "new head")
		// The model's own head can be compared when it has the same classes.
		own, err := segmentation.New(m)
		if err == nil && f.classes == "" {
			if report.Shipped, err = score(ctx, gen, own, open, held, man.Classes); err != nil {
				return err
			}
			report.Shipped.print(env, "model's own head")
		}
	}
	if f.report != "" {
		data, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.report, append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	switch {
	case f.out == "":
		return nil
	case strings.EqualFold(filepath.Ext(f.out), ".safetensors"):
		return safetensors.WriteFile(f.out, head.Info().Metadata(), head.Tensors()...)
	}
	return writeTaught(f.out, m, man, head)
}

func (f *teachFlags) learn(info engine.Info, gen *stylegan2.Generator) ([]segmentation.Pair, error) {
	if f.procedural > 0 {
		return drawnPairs(gen, f.o.Seed, f.procedural), nil
	}
	return readPairs(f.pairs, info)
}

// teach runs the job and shows its progress.
func (f *teachFlags) teach(ctx context.Context, env *Env, gen *stylegan2.Generator, open segmentation.NewSession, pairs []segmentation.Pair, classes int) (*segmentation.Head, segmentation.TeachStep, error) {
	var head *segmentation.Head
	var last segmentation.TeachStep
	shown := env.Now()
	for s, err := range segmentation.Teach(ctx, gen, open, pairs, classes, f.o) {
		if err != nil {
			return nil, last, err
		}
		last = s
		if s.Stage == segmentation.StageDone {
			head = s.Head()
		}
		if now := env.Now(); now.Sub(shown) >= 2*time.Second {
			shown = now
			switch s.Stage {
			case segmentation.StageFeatures:
				fmt.Fprintf(env.Err, "features of %d of %d pictures\n", s.Index, s.Total)
			case segmentation.StageTraining:
				fmt.Fprintf(env.Err, "step %d, at most %d: loss %.3f\n", s.Index, s.Total, s.Smoothed)
			}
		}
	}
	return head, last, nil
}

func score(ctx context.Context, gen *stylegan2.Generator, head *segmentation.Head, open segmentation.NewSession, held []segmentation.Pair, classes []model.Class) (*teachScore, error) {
	s, err := segmentation.Evaluate(ctx, gen, head, open, held)
	if err != nil {
		return nil, err
	}
	out := &teachScore{Score: s}
	for i, c := range classes {
		row := classScore{Name: c.Name}
		if v := s.Classes[i].IoU(); !math.IsNaN(v) {
			row.IoU = &v
		}
		out.Classes = append(out.Classes, row)
	}
	return out, nil
}

func (s *teachScore) print(env *Env, what string) {
	fmt.Fprintf(env.Out, "%s: mIoU %.3f, %.1f %% of pixels right, on %d held-out pictures\n", what, s.MeanIoU, 100*s.Accuracy, s.Pictures)
	var parts []string
	for _, c := range s.Classes {
		if c.IoU == nil {
			parts = append(parts, c.Name+" –")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %.2f", c.Name, *c.IoU))
	}
	fmt.Fprintln(env.Out, "  "+strings.Join(parts, "  "))
}

// checkProcedural refuses models whose latents the renderer does not know.
func checkProcedural(man *model.Manifest) error {
	if man.ID != proceduralModel {
		return fmt.Errorf("-procedural and -evaluate are for the model %q only, whose true labels the program can draw; this one is %q", proceduralModel, man.ID)
	}
	if man.ZDim != dataset.Dim || man.Crop != nil || len(man.Classes) != len(portrait.Classes) {
		return fmt.Errorf("the model calls itself %q but has z_dim %d and %d classes, want %d and %d", man.ID, man.ZDim, len(man.Classes), dataset.Dim, len(portrait.Classes))
	}
	for i, c := range man.Classes {
		if c.Name != portrait.Classes[i].Name {
			return fmt.Errorf("class %d of the model is %q, the drawn faces have %q", i, c.Name, portrait.Classes[i].Name)
		}
	}
	return nil
}

// drawnPairs makes pairs of the model of faces: the latents are those of a data set with this
// seed, not truncated, and the labels those of the renderer.
func drawnPairs(gen *stylegan2.Generator, seed uint64, n int) []segmentation.Pair {
	man := gen.Manifest()
	var out []segmentation.Pair
	for i := range n {
		z := dataset.Code(seed, i)
		_, labels := portrait.Render(portrait.FromNormal(z), man.Resolution)
		out = append(out, segmentation.Pair{Name: strconv.Itoa(i), Code: latent.Broadcast(gen.Map(z), man.Rows), Labels: labels})
	}
	return out
}

// readPairs reads all pairs of a folder. Every bad one has its sentence in the error.
func readPairs(folder string, info engine.Info) ([]segmentation.Pair, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("pairs: %w", err)
	}
	var names []string
	for _, e := range entries {
		switch ext := filepath.Ext(e.Name()); ext {
		case ".safetensors", ".png":
			if name := strings.TrimSuffix(e.Name(), ext); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no pairs, want files NAME.safetensors with codes and NAME.png with labels", folder)
	}
	var pairs []segmentation.Pair
	var errs []error
	for _, name := range names {
		p, err := readPair(filepath.Join(folder, name), info)
		if err != nil {
			errs = append(errs, fmt.Errorf("pair %s: %w", name, err))
			continue
		}
		p.Name = name
		pairs = append(pairs, p)
	}
	return pairs, errors.Join(errs...)
}

func readPair(base string, info engine.Info) (p segmentation.Pair, err error) {
	for _, ext := range []string{".safetensors", ".png"} {
		if _, err := os.Stat(base + ext); errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("there is no %s", filepath.Base(base)+ext)
		}
	}
	if p.Code, err = readCode(base+".safetensors", info); err != nil {
		return p, err
	}
	// Ids are checked with the pair, where 255 is allowed.
	all := info
	all.Manifest.Classes = make([]model.Class, model.MaxClasses)
	if p.Labels, err = readMask(base+".png", all); err != nil {
		return p, err
	}
	return p, segmentation.CheckPair(&info.Manifest, p, len(info.Manifest.Classes))
}

// readClassList reads the list of classes and checks it as part of the manifest.
func readClassList(path string, man model.Manifest) ([]model.Class, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	if st.Size() > 1<<20 {
		return nil, fmt.Errorf("classes: %s is larger than 1 MiB", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("classes: %w", err)
	}
	man.Classes = nil
	if err := json.Unmarshal(data, &man.Classes); err != nil {
		return nil, fmt.Errorf("classes: %s is not a JSON list of classes: %w", path, err)
	}
	if len(man.Classes) < 2 {
		return nil, fmt.Errorf("classes: %s lists %d classes, want 2 or more", path, len(man.Classes))
	}
	if err := man.Validate(); err != nil {
		return nil, fmt.Errorf("classes: %s: %w", path, err)
	}
	return man.Classes, nil
}

// writeTaught writes a copy of a bundle with another head and the manifest that belongs to it.
func writeTaught(path string, m *model.Model, man model.Manifest, head *segmentation.Head) error {
	c := model.Contents{Manifest: man, HeadMetadata: head.Info().Metadata(), Head: head.Tensors(), Files: map[string][]byte{}}
	g := m.Generator()
	for _, name := range g.Names() {
		info, _ := g.Info(name)
		data, err := g.Bytes(name)
		if err != nil {
			return err
		}
		c.Generator = append(c.Generator, safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape, Data: data})
	}
	// Everything else is copied as it is.
	written := []string{model.ManifestName, "generator.safetensors", "segmentation.safetensors", man.Files[model.GeneratorFile], man.Files[model.SegmentationFile]}
	err := fs.WalkDir(m.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || slices.Contains(written, name) {
			return err
		}
		c.Files[name], err = fs.ReadFile(m.FS(), name)
		return err
	})
	if err != nil {
		return fmt.Errorf("copying the bundle: %w", err)
	}
	return c.Write(path)
}
