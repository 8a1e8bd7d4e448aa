package cli

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/app/document"
	"latentbrush/app/document/perform"
	"latentbrush/engine"
	"latentbrush/vectors"
)

// maxPhotoFile is the largest photo that is read, in bytes.
const maxPhotoFile = 512 << 20

// readScript reads a script file.
func readScript(path string) (*document.Script, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := document.ParseScript(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// photosBeside finds the photos of a script in its folder, never outside of it.
func photosBeside(script string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		f, err := os.OpenInRoot(filepath.Dir(script), name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxPhotoFile+1))
		if len(data) > maxPhotoFile {
			return nil, fmt.Errorf("photo %s has more than %d MB", name, maxPhotoFile>>20)
		}
		return data, err
	}
}

// shelf finds vectors by content or name: among those given, in the user's library, and in the model's bundle.
type shelf struct {
	given   map[string]*vectors.Vector
	library *vectors.Library
}

// newShelf opens the library of the engine's model. A library that cannot be opened has nothing in it.
func newShelf(e *engine.Engine, given ...*vectors.Vector) *shelf {
	s := &shelf{given: map[string]*vectors.Vector{}}
	for _, v := range given {
		s.given[v.Content] = v
	}
	var bundle fs.FS
	if m := e.Model(); m != nil {
		if sub, err := fs.Sub(m.FS(), "vectors"); err == nil {
			if _, err := fs.Stat(sub, "."); err == nil {
				bundle = sub
			}
		}
	}
	if dir, err := vectors.DefaultDir(); err == nil {
		s.library, _ = vectors.OpenLibrary(dir, bundle)
	}
	return s
}

// find returns the vector with the content, or with the name where the script does not say more.
func (s *shelf) find(content, name string) (*vectors.Vector, error) {
	if v := s.given[content]; v != nil && content != "" {
		return v, nil
	}
	if s.library != nil {
		for _, e := range s.library.Search(vectors.Query{}) {
			if content != "" && e.Content == content || content == "" && strings.EqualFold(e.Name, name) {
				return s.library.Load(e.ID)
			}
		}
	}
	return nil, fmt.Errorf("the vector %q is not in the library", name)
}

// vectorAt reads a vector's file, or finds it by its name.
func vectorAt(s *shelf, name string) (*vectors.Vector, error) {
	if _, err := os.Stat(name); err == nil {
		return vectors.ReadFile(name)
	}
	return s.find("", name)
}

// bar is a line on a terminal that says how far a command has come. Elsewhere it writes nothing.
type bar struct {
	w     io.Writer
	on    bool
	shown time.Time
	wide  int
	begun time.Time
}

// newBar writes to w if it is a terminal.
func newBar(w io.Writer) *bar {
	b := &bar{w: w, begun: time.Now()}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
			b.on = true
		}
	}
	return b
}

// show draws the bar: share in [0, 1] of the whole, and what is being done.
func (b *bar) show(share float64, text string) {
	if !b.on || time.Since(b.shown) < 100*time.Millisecond && share < 1 {
		return
	}
	b.shown = time.Now()
	const width = 28
	share = min(1, max(0, share))
	full := int(share*width + 0.5)
	left := ""
	if spent := time.Since(b.begun); share > 0.02 && spent > 2*time.Second {
		left = fmt.Sprintf(", %v left", time.Duration(float64(spent)*(1-share)/share).Round(time.Second))
	}
	line := fmt.Sprintf("[%s%s] %3.0f %%  %s%s", strings.Repeat("#", full), strings.Repeat("·", width-full), 100*share, text, left)
	pad := max(0, b.wide-len([]rune(line)))
	b.wide = len([]rune(line))
	fmt.Fprintf(b.w, "\r%s%s", line, strings.Repeat(" ", pad))
}

// clear takes the bar away, so that a line can be written.
func (b *bar) clear() {
	if b.on && b.wide > 0 {
		fmt.Fprintf(b.w, "\r%s\r", strings.Repeat(" ", b.wide))
		b.wide = 0
		b.shown = time.Time{}
	}
}

// played is what a script left.
type played struct {
	doc    *document.Document
	before *image.RGBA // the picture before the first edit
	after  *image.RGBA
}

// finish renders what a script arrived at.
func finish(ctx context.Context, e *engine.Engine, m *perform.Machine, d *document.Document) (*played, error) {
	if !d.HasPicture() {
		return nil, errors.New("the script opens no picture")
	}
	picture, err := d.Refresh(ctx, m)
	if err != nil {
		return nil, err
	}
	first := d.Scene().Start
	for _, c := range d.Scene().Choices {
		if c.Edit == 0 {
			first = c.Run.Start
			break
		}
	}
	f, err := e.Render(ctx, first, engine.RenderOptions{})
	if err != nil {
		return nil, err
	}
	return &played{doc: d, before: f.Picture, after: picture}, nil
}

func newReplayCommand(env *Env) *cobra.Command {
	var out, labels, code, project, kept string
	command := &cobra.Command{
		Use:   "replay script",
		Short: "Do again what a script recorded",
		Long: `Replay does again what was done in the window: a session that was saved as a script, or a part of one that was
recorded. The mask comes out the same to the byte, and the latent the same within 1e-5 on the same kind of device.

A script is text with one action a line; docs/formats.md lists the actions. Photos are looked for beside the
script. Vectors are taken from the library and the model; those that are in neither are in the script itself.`,
		Example: `  latentbrush replay session.lbscript -o picture.png -labels labels.png
  latentbrush replay session.lbscript -project session.lbproj`,
		Args: wrongUsage(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, args []string) error {
			if out == "" && labels == "" && code == "" && project == "" && kept == "" {
				return usageError{errors.New("nothing to write: name a file with -o, -labels, -code, -project or -vectors")}
			}
			s, err := readScript(args[0])
			if err != nil {
				return err
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			begun := time.Now()
			b := newBar(env.Err)
			defer b.clear()
			done, of := 0, 1
			m := &perform.Machine{Engine: e, Stepped: func(step, steps int) {
				b.show((float64(done)+float64(step)/float64(max(1, steps)))/float64(of), fmt.Sprintf("step %d of %d", step, steps))
			}}
			d, err := document.New(perform.Space(e.Info()))
			if err != nil {
				return err
			}
			p := &document.Player{
				Machine: m, Photo: photosBeside(args[0]), Vector: newShelf(e).find,
				Done: func(i, n int) {
					done, of = i, n
					b.show(float64(i)/float64(n), fmt.Sprintf("line %d of %d", i, n))
				},
			}
			if kept != "" {
				p.Kept = keepVectors(kept)
			}
			if err := p.Play(ctx, s, d); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			result, err := finish(ctx, e, m, d)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			b.clear()
			if err := result.write(out, labels, code, project, e.Info()); err != nil {
				return err
			}
			fmt.Fprintf(env.Out, "%s: %d actions in %.1f s\n", args[0], len(s.Lines), time.Since(begun).Seconds())
			return nil
		},
	}
	f := command.Flags()
	f.StringVarP(&out, "output", "o", "", "`file` for the picture (PNG)")
	f.StringVar(&labels, "labels", "", "`file` for the painted labels (indexed PNG)")
	f.StringVar(&code, "code", "", "`file` for the latent")
	f.StringVar(&project, "project", "", "`file` for the session as a project")
	f.StringVar(&kept, "vectors", "", "`folder` for the edits that the script keeps as vectors")
	return command
}

// keepVectors writes vectors into a folder, none over another.
func keepVectors(dir string) func(*vectors.Vector) error {
	return func(v *vectors.Vector) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		base := fileName(v.Name)
		path := filepath.Join(dir, base+vectors.Ext)
		for n := 2; ; n++ {
			if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
				return vectors.WriteFile(path, v)
			}
			path = filepath.Join(dir, fmt.Sprintf("%s-%d%s", base, n, vectors.Ext))
		}
	}
}

// fileName makes a file's name of a text.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, strings.TrimLeft(strings.TrimSpace(text), "."))
	if name == "" {
		return "vector"
	}
	return name
}

// write writes the files that were asked for.
func (p *played) write(out, labels, code, project string, i engine.Info) error {
	if out != "" {
		facts, err := p.doc.Provenance()
		if err != nil {
			return err
		}
		if err := writeWhole(out, func(w io.Writer) error { return document.WritePNG(w, p.after, &facts) }); err != nil {
			return fmt.Errorf("picture: %w", err)
		}
	}
	if labels != "" {
		if err := writeWhole(labels, func(w io.Writer) error { return document.WriteMask(w, p.doc.Canvas().Labels()) }); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	if code != "" {
		if err := writeCode(code, p.doc.Code(), i, nil); err != nil {
			return fmt.Errorf("code: %w", err)
		}
	}
	if project != "" {
		if err := p.doc.Save(project); err != nil {
			return err
		}
	}
	return nil
}
