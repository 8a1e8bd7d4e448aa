package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/app/document"
	"latentbrush/app/document/perform"
	"latentbrush/canvas/photo"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

// batchFormat names the manifest of a batch and its version.
const batchFormat = "latentbrush-batch 1"

// batchManifest lists what a batch did; its JSON is a public format.
type batchManifest struct {
	Format string `json:"format"`
	// Recipe is a digest of the script and of all flags that change results.
	Recipe      string       `json:"recipe"`
	Script      string       `json:"script,omitempty"`
	Model       string       `json:"model"`
	Fingerprint string       `json:"fingerprint"`
	Items       []*batchItem `json:"items"`
}

// batchItem is what became of one input.
type batchItem struct {
	Input string `json:"input"`
	// Size and Time of the input's file say whether it has changed since.
	Size int64      `json:"size,omitempty"`
	Time *time.Time `json:"time,omitempty"`
	// Error says why an input was skipped; there are no outputs then.
	Error string `json:"error,omitempty"`
	// Files beside the manifest.
	Picture string   `json:"picture,omitempty"`
	Labels  string   `json:"labels,omitempty"`
	Code    string   `json:"code,omitempty"`
	Project string   `json:"project,omitempty"`
	Photo   string   `json:"photo,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Difference of an embedding from its photo, in levels of 255.
	Difference float64 `json:"difference,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
}

// files are the outputs of an item.
func (b *batchItem) files() []string {
	return slices.DeleteFunc([]string{b.Picture, b.Labels, b.Code, b.Project, b.Photo}, func(s string) bool { return s == "" })
}

// batchSuffixes are the names of the files that a folder is searched for.
var batchSuffixes = append([]string{".lbproj", ".safetensors"}, photoSuffixes...)

// batchJob is one run of the command.
type batchJob struct {
	env    *Env
	engine *engine.Engine
	script *document.Script
	path   string // of the script, empty for vectors alone
	shelf  *shelf
	out    string
	crop   string
	embed  engine.EmbedSettings

	labels, code, project, paste bool

	bar   *bar
	names map[string]bool
}

func newBatchCommand(env *Env) *cobra.Command {
	var given []string
	var seeds string
	var again bool
	j := &batchJob{env: env, names: map[string]bool{}}
	command := &cobra.Command{
		Use:   "batch [script] folder|file …",
		Short: "Do what a script recorded, or apply vectors, to many pictures",
		Long: `Batch does to every picture of a folder what a script recorded: its first picture is replaced by each one of the
folder in turn. With -vector it adds editing vectors and needs no script; both together are possible.

Inputs are photos, which are embedded, latents as "latentbrush embed" and "sample -code" write them, pictures that
Latentbrush exported, projects, and with -seeds random pictures. Into the folder -out it writes a picture for each, more
if asked for, and manifest.json, which says what was made of what.

A file that cannot be used is reported and skipped, and the exit status is then 1. When a batch is stopped with
Ctrl+C or by a fault, the same command goes on where it was: what is in the manifest and has not changed is not
done again, unless -again is given.`,
		Example: `  latentbrush batch smile.lbscript photos -out smiling
  latentbrush batch photos -vector "Smile=1.5" -vector gaze.safetensors=-0.5 -paste -out edited
  latentbrush batch session.lbscript -seeds 1-20 -labels -out portraits`,
		RunE: func(command *cobra.Command, args []string) error {
			if j.out == "" {
				return usageError{errors.New("batch needs -out, the folder to write to")}
			}
			if j.crop != "auto" && j.crop != "middle" {
				if _, err := parseCrop(j.crop); err != nil {
					return usageError{fmt.Errorf("-crop: %w", err)}
				}
			}
			first, last, err := parseSeeds(seeds)
			if err != nil {
				return usageError{err}
			}
			if len(args) > 0 && strings.EqualFold(filepath.Ext(args[0]), document.ScriptExt) {
				if j.script, err = readScript(args[0]); err != nil {
					return err
				}
				j.path, args = args[0], args[1:]
			}
			if j.script == nil && len(given) == 0 {
				return usageError{fmt.Errorf("name a script (%s) or a vector with -vector", document.ScriptExt)}
			}
			inputs, err := batchInputs(args)
			if err != nil {
				return err
			}
			if seeds != "" {
				for s := first; s <= last; s++ {
					inputs = append(inputs, "seed:"+strconv.FormatUint(s, 10))
				}
			}
			if len(inputs) == 0 {
				return usageError{errors.New("there is nothing to work on: name a folder with pictures, or random ones with -seeds")}
			}
			ctx := command.Context()
			if j.engine, err = openEngine(ctx, env); err != nil {
				return err
			}
			defer j.engine.Close()
			if err := j.recipe(given); err != nil {
				return err
			}
			return j.run(ctx, inputs, again)
		},
	}
	f := command.Flags()
	f.StringVar(&j.out, "out", "", "`folder` to write to")
	f.StringArrayVar(&given, "vector", nil, "vector to add, a file or a name of the library, as `vector=strength`; may be given several times")
	f.StringVar(&seeds, "seeds", "", "random pictures as inputs, as `first-last`")
	f.StringVar(&j.crop, "crop", "auto", "`box` of the photos: auto, middle, or x,y,width,degrees")
	f.IntVar(&j.embed.Steps, "embed-steps", engine.DefaultEmbedSettings().Steps, "`number` of steps of embedding a photo")
	f.BoolVar(&j.labels, "labels", false, "write the painted labels, too (indexed PNG)")
	f.BoolVar(&j.code, "code", false, "write the latents, too")
	f.BoolVar(&j.project, "project", false, "write projects, too, to go on with in the window")
	f.BoolVar(&j.paste, "paste", false, "put the edits back into the photos at full size, too")
	f.BoolVar(&again, "again", false, "do everything again, whatever the manifest says")
	return command
}

// maxSeeds is the most random pictures of one batch.
const maxSeeds = 1_000_000

// parseSeeds reads "first-last" or one number.
func parseSeeds(text string) (first, last uint64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	a, b, two := strings.Cut(text, "-")
	if first, err = strconv.ParseUint(a, 10, 64); err == nil {
		last = first
		if two {
			last, err = strconv.ParseUint(b, 10, 64)
		}
	}
	if err != nil || last < first || last-first >= maxSeeds {
		return 0, 0, fmt.Errorf("-seeds %q, first-last expected, at most %d", text, maxSeeds)
	}
	return first, last, nil
}

// batchInputs lists the given files, and those in given folders in the order of their names.
func batchInputs(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			out = append(out, arg)
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && slices.Contains(batchSuffixes, strings.ToLower(filepath.Ext(entry.Name()))) {
				out = append(out, filepath.Join(arg, entry.Name()))
			}
		}
	}
	return out, nil
}

// recipe completes the script with the vectors of the flags.
func (j *batchJob) recipe(given []string) error {
	j.shelf = newShelf(j.engine)
	if j.script == nil {
		j.script = &document.Script{Lines: []document.Line{{Verb: "begin"}}}
	}
	for n, text := range given {
		v, strength, err := namedVector(j.shelf, j.engine, text)
		if err != nil {
			return err
		}
		j.shelf.given[v.Content] = v
		j.script.Lines = append(j.script.Lines, document.Line{
			Verb: "vector", Args: []string{fmt.Sprint("flag-", n+1), v.Name},
			Keys: []document.Key{{Name: "strength", Value: strconv.FormatFloat(strength, 'g', -1, 64)}, {Name: "content", Value: v.Content}},
		})
	}
	return nil
}

// digest is what the results depend on beside the inputs.
func (j *batchJob) digest() string {
	var text bytes.Buffer
	_, _ = j.script.WriteTo(&text) // a bytes.Buffer takes everything
	fmt.Fprintln(&text, j.engine.Info().Fingerprint, j.crop, j.embed.Steps, j.labels, j.code, j.project, j.paste)
	sum := sha256.Sum256(text.Bytes())
	return hex.EncodeToString(sum[:])
}

// run works on the inputs, one after the other.
func (j *batchJob) run(ctx context.Context, inputs []string, again bool) error {
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return err
	}
	i := j.engine.Info()
	manifest := &batchManifest{Format: batchFormat, Recipe: j.digest(), Script: j.path, Model: i.Manifest.ID, Fingerprint: i.Fingerprint}
	path := filepath.Join(j.out, "manifest.json")
	old, err := readBatch(path)
	if err != nil {
		return err
	}
	if old != nil && old.Recipe != manifest.Recipe && !again {
		return fmt.Errorf("%s holds the results of another script, model or flags: name another folder, or do all again with -again", j.out)
	}
	known := map[string]*batchItem{}
	if old != nil && !again {
		for _, item := range old.Items {
			known[item.Input] = item
		}
	}
	j.bar = newBar(j.env.Err)
	defer j.bar.clear()
	made, kept, failed := 0, 0, 0
	for n, input := range inputs {
		item, err := newItem(input)
		if had := known[input]; had != nil && err == nil && j.current(had, item) {
			manifest.Items = append(manifest.Items, had)
			for _, f := range had.files() {
				j.names[stem(f)] = true
			}
			kept++
			continue
		}
		share := float64(n) / float64(len(inputs))
		show := func(inside float64, what string) {
			j.bar.show(share+inside/float64(len(inputs)), fmt.Sprintf("%d of %d, %s%s", n+1, len(inputs), filepath.Base(input), what))
		}
		show(0, "")
		if err == nil {
			begun := time.Now()
			err = j.one(ctx, input, item, show)
			item.Seconds = time.Since(begun).Seconds()
		}
		j.bar.clear()
		if ctx.Err() != nil {
			fmt.Fprintf(j.env.Err, "stopped after %d of %d; the same command goes on from here\n", n, len(inputs))
			return ctx.Err()
		}
		if err != nil {
			failed++
			item = &batchItem{Input: input, Size: item.Size, Time: item.Time, Error: err.Error()}
			fmt.Fprintf(j.env.Err, "%s: skipped: %v\n", input, err)
		} else {
			made++
			fmt.Fprintf(j.env.Out, "%s: %s, %.1f s\n", input, strings.Join(item.files(), ", "), item.Seconds)
		}
		manifest.Items = append(manifest.Items, item)
		// After each one, so that nothing is done twice when the rest fails.
		if err := writeBatch(path, manifest, inputs[n+1:], known); err != nil {
			return err
		}
	}
	if err := writeBatch(path, manifest, nil, nil); err != nil {
		return err
	}
	fmt.Fprintf(j.env.Out, "%d made, %d were there already, %d failed\n", made, kept, failed)
	if failed > 0 {
		return fmt.Errorf("batch: %d of %d inputs failed; %s says why", failed, len(inputs), path)
	}
	return nil
}

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// newItem is the item of an input that has not been worked on.
func newItem(input string) (*batchItem, error) {
	item := &batchItem{Input: input}
	if strings.HasPrefix(input, "seed:") {
		return item, nil
	}
	st, err := os.Stat(input)
	if err != nil {
		return item, err
	}
	at := st.ModTime().UTC()
	item.Size, item.Time = st.Size(), &at
	return item, nil
}

// current reports whether what was made of an input is there and the input is as it was.
func (j *batchJob) current(had, now *batchItem) bool {
	if had.Error != "" || had.Size != now.Size || (had.Time == nil) != (now.Time == nil) || had.Time != nil && !had.Time.Equal(*now.Time) {
		return false
	}
	for _, f := range had.files() {
		if filepath.Base(f) != f {
			return false // not a name that this program wrote
		}
		if _, err := os.Stat(filepath.Join(j.out, f)); err != nil {
			return false
		}
	}
	return len(had.files()) > 0
}

// readBatch reads a manifest, nil when there is none.
func readBatch(path string) (*batchManifest, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := new(batchManifest)
	if err := json.Unmarshal(raw, m); err != nil || m.Format != batchFormat {
		return nil, fmt.Errorf("%s is no manifest of a batch: name another folder", path)
	}
	return m, nil
}

// writeBatch writes the manifest, with what is known of the inputs that are still to come.
func writeBatch(path string, m *batchManifest, rest []string, known map[string]*batchItem) error {
	whole := *m
	whole.Items = slices.Clone(m.Items)
	for _, input := range rest {
		if had := known[input]; had != nil && had.Error == "" {
			whole.Items = append(whole.Items, had)
		}
	}
	return writeWhole(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(whole)
	})
}

// one works on one input and writes its files.
func (j *batchJob) one(ctx context.Context, input string, item *batchItem, show func(inside float64, what string)) error {
	i := j.engine.Info()
	done, of := 0.0, 1.0
	m := &perform.Machine{Engine: j.engine, Embedding: j.embed, Stepped: func(step, steps int) {
		show((done+float64(step)/float64(max(1, steps)))/(of+1), fmt.Sprintf(", step %d of %d", step, steps))
	}}
	m.Crop = func(ctx context.Context, p *photo.Photo) (photo.Crop, error) {
		item.Notes = p.Notes
		return chooseCrop(ctx, j.engine, p, j.crop)
	}
	d, err := document.New(perform.Space(i))
	if err != nil {
		return err
	}
	src, code, err := j.source(ctx, m, input)
	if err != nil {
		return err
	}
	_, labels, err := m.Render(ctx, code)
	if err != nil {
		return err
	}
	if err := d.SetPicture(src, code, labels); err != nil {
		return err
	}
	item.Difference = src.Difference
	p := &document.Player{Machine: m, Vector: j.shelf.find, Done: func(n, lines int) {
		done, of = 1+float64(n), 1+float64(lines)
		show(done/(of+1), "")
	}}
	if j.path != "" {
		p.Photo = photosBeside(j.path)
	}
	if err := p.PlayOn(ctx, j.script, d); err != nil {
		return err
	}
	result, err := finish(ctx, j.engine, m, d)
	if err != nil {
		return err
	}
	base := stem(filepath.Base(strings.Replace(input, ":", "-", 1)))
	for n := 2; j.names[base]; n++ {
		base = fmt.Sprintf("%s-%d", stem(filepath.Base(input)), n)
	}
	item.Picture = base + ".png"
	at := func(name string) string {
		if name == "" {
			return ""
		}
		return filepath.Join(j.out, name)
	}
	if j.labels {
		item.Labels = base + "-labels.png"
	}
	if j.code {
		item.Code = base + ".safetensors"
	}
	if j.project {
		item.Project = base + ".lbproj"
	}
	for _, f := range item.files() {
		if same(at(f), input) {
			return fmt.Errorf("%s would be written over: name another folder with -out", input)
		}
		j.names[stem(f)] = true
	}
	if err := result.write(at(item.Picture), at(item.Labels), at(item.Code), at(item.Project), i); err != nil {
		return err
	}
	if j.paste && src.Photo != nil {
		if item.Photo, err = j.pasted(result, src, base); err != nil {
			return err
		}
	}
	return nil
}

// same reports whether two paths are one file.
func same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// source opens an input: what it is is told by its name and its beginning.
func (j *batchJob) source(ctx context.Context, m *perform.Machine, input string) (document.Source, latent.Code, error) {
	i := j.engine.Info()
	if text, ok := strings.CutPrefix(input, "seed:"); ok {
		seed, err := strconv.ParseUint(text, 10, 64)
		psi := i.Manifest.Truncation.Psi
		return document.Source{Kind: document.SeedSource, Name: text, Seed: seed, Truncation: psi}, m.Sample(seed, psi), err
	}
	name := filepath.Base(input)
	src := document.Source{Kind: document.LatentSource, Name: stem(name)}
	switch strings.ToLower(filepath.Ext(input)) {
	case ".safetensors":
		code, err := readCode(input, i)
		return src, code, err
	case ".lbproj":
		d, err := document.Open(input)
		if err != nil {
			return src, latent.Code{}, err
		}
		if have, want := d.Space().Model, vectorModel(j.engine); !want.Fits(have) || d.Space().Rows != i.Rows || d.Space().Dim != i.Dim {
			return src, latent.Code{}, fmt.Errorf("the project belongs to %s, the open model is %s: %w", have, want, vectors.ErrWrongModel)
		}
		if !d.HasPicture() {
			return src, latent.Code{}, document.ErrNoPicture
		}
		src = d.Scene().Source
		return src, d.Code(), nil
	}
	st, err := os.Stat(input)
	if err != nil {
		return src, latent.Code{}, err
	}
	if st.Size() > maxPhotoFile {
		return src, latent.Code{}, fmt.Errorf("%s has more than %d MB", input, maxPhotoFile>>20)
	}
	data, err := os.ReadFile(input)
	if err != nil {
		return src, latent.Code{}, err
	}
	if p, err := document.ReadProvenance(bytes.NewReader(data)); err == nil && p.Model.Fits(vectorModel(j.engine)) {
		code, err := p.Code()
		if err == nil {
			err = code.Check(i.Rows, i.Dim)
		}
		return src, code, err
	}
	return m.Embed(ctx, name, data)
}

// pasted puts the edit back into its photo and returns the name of the file.
func (j *batchJob) pasted(r *played, src document.Source, base string) (string, error) {
	p, err := photo.Decode(src.Photo.Name, src.Photo.Data, photo.Limits{})
	if err != nil {
		return "", err
	}
	region, err := readRegion("", r.before, r.after)
	if err != nil {
		return "", err
	}
	size := r.before.Rect.Size()
	whole, _, err := photo.Paste(p.Picture, photo.AlignedCrop(src.Photo.Align, size.X, size.Y), r.before, r.after, region, photo.PasteOptions{})
	if err != nil {
		return "", err
	}
	name := base + "-photo." + string(p.Output())
	return name, writeWhole(filepath.Join(j.out, name), func(w io.Writer) error { return p.Encode(w, whole) })
}
