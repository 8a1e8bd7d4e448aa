package cli

import (
	"errors"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/app/document"
	"latentbrush/app/document/film"
	"latentbrush/engine"
	"latentbrush/engine/latent"
	"latentbrush/vectors"
)

func newFilmCommand(env *Env) *cobra.Command {
	var from source
	var given []string
	var out, loop, ease, to string
	var frames, rate int
	var least, most float64
	var masks bool
	command := &cobra.Command{
		Use:   "film",
		Short: "Write a film of vectors at work, or of the way between two pictures",
		Long: `Film writes a moving picture. With -vector, each vector in turn moves from -from to -to times its strength and back to
nothing; with -until it goes from one picture to another.

The name of the file says the format: .gif, .png for animated PNG with all colours, and .mp4 when the
program ffmpeg is on the machine. With -masks the labels are shown beside the picture.`,
		Example: `  latentbrush film -seed 7 -vector Smile -o smile.gif
  latentbrush film -seed 7 -vector "Smile=1.5" -vector "Longer hair" -masks -frames 16 -o portrait.gif
  latentbrush film -seed 7 -until 12 -loop bounce -o morph.png`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			ext := strings.ToLower(filepath.Ext(out))
			switch {
			case out == "":
				return usageError{errors.New("name the file to write with -o")}
			case ext != ".gif" && ext != ".png" && ext != ".mp4":
				return usageError{fmt.Errorf("-o %s: a name ending in .gif, .png or .mp4 expected", out)}
			case ext == ".mp4" && !slices.Contains(film.Formats(), "mp4"):
				return errors.New("film: MP4 needs the program ffmpeg, which is not on this machine; GIF and animated PNG need nothing")
			case (len(given) == 0) == (to == ""):
				return usageError{errors.New("name vectors with -vector, or another picture with -until")}
			case frames < 2 || frames > film.MaxFrames:
				return usageError{fmt.Errorf("-frames %d, 2 to %d expected", frames, film.MaxFrames)}
			case rate < 1 || rate > 50:
				return usageError{fmt.Errorf("-rate %d, 1 to 50 frames a second expected", rate)}
			case !slices.Contains(film.Loops, film.Loop(loop)):
				return usageError{fmt.Errorf("-loop %q, one of %v expected", loop, film.Loops)}
			case !slices.Contains(film.Eases, film.Ease(ease)):
				return usageError{fmt.Errorf("-ease %q, one of %v expected", ease, film.Eases)}
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			start, err := from.code(command, e)
			if err != nil {
				return err
			}
			var codes []latent.Code
			if to != "" {
				var seed uint64
				if _, err := fmt.Sscanf(to, "%d", &seed); err != nil {
					return usageError{fmt.Errorf("-until %q is no seed", to)}
				}
				other := e.Sample(seed, e.Info().Manifest.Truncation.Psi)
				for _, t := range film.Positions(frames, film.Ease(ease)) {
					codes = append(codes, start.Lerp(other, float32(t)))
				}
			}
			shelf := newShelf(e)
			for _, text := range given {
				v, strength, err := namedVector(shelf, e, text)
				if err != nil {
					return err
				}
				codes = append(codes, swing(start, v, strength, least, most, frames, film.Ease(ease))...)
			}
			m := film.Film{Loop: film.Loop(loop), Delay: time.Second / time.Duration(rate)}
			b := newBar(env.Err)
			defer b.clear()
			for i, code := range codes {
				f, err := e.Render(ctx, code, engine.RenderOptions{})
				if err != nil {
					return err
				}
				picture := f.Picture
				if masks && f.Labels != nil {
					picture = document.SideBySide(4, f.Picture, image.Image(f.Labels))
				}
				m.Frames = append(m.Frames, picture)
				b.show(float64(i+1)/float64(len(codes)), fmt.Sprintf("frame %d of %d", i+1, len(codes)))
			}
			if ext == ".mp4" {
				err = m.WriteMP4(ctx, out)
			} else {
				err = writeWhole(out, func(w io.Writer) error { return m.Write(w, ext) })
			}
			if err != nil {
				return err
			}
			b.clear()
			fmt.Fprintf(env.Out, "%s: %d frames, %d a second\n", out, len(codes), rate)
			return nil
		},
	}
	from.flags(command)
	f := command.Flags()
	f.StringArrayVar(&given, "vector", nil, "vector, a file or a name of the library, as `vector=strength`; may be given several times")
	f.StringVar(&to, "until", "", "`seed` of the picture to end at")
	f.Float64Var(&least, "from", -1, "where each vector begins, in multiples of its `strength`")
	f.Float64Var(&most, "to", 1, "where each vector ends, in multiples of its `strength`")
	f.IntVar(&frames, "frames", 24, "`number` of frames of one way")
	f.IntVar(&rate, "rate", 20, "`frames` a second")
	f.StringVar(&loop, "loop", string(film.Repeat), "what happens at the `end`: repeat, bounce or once")
	f.StringVar(&ease, "ease", string(film.Smooth), "`movement`: smooth or even")
	f.BoolVar(&masks, "masks", false, "show the labels beside the picture")
	f.StringVarP(&out, "output", "o", "", "`file` for the film: .gif, .png or .mp4")
	return command
}

// namedVector finds what "vector=strength" means: a file, or a name of the library.
func namedVector(s *shelf, e *engine.Engine, text string) (*vectors.Vector, float64, error) {
	f, err := parseStrength(text)
	if err != nil {
		return nil, 0, usageError{err}
	}
	v, err := vectorAt(s, f.path)
	if err != nil {
		return nil, 0, err
	}
	return v, f.strength, v.FitsModel(vectorModel(e), e.Info().Rows, e.Info().Dim)
}

// swing is the way of one vector: from nothing to its one end, to the other, and back to nothing.
func swing(start latent.Code, v *vectors.Vector, strength, least, most float64, frames int, ease film.Ease) []latent.Code {
	var out []latent.Code
	at := 0.0
	for _, end := range []float64{most, least, 0} {
		if end == at {
			continue
		}
		n := max(2, int(float64(frames)*min(1, max(0.5, abs(end-at)/max(1e-9, most-least)))))
		for _, t := range film.Positions(n, ease)[1:] {
			out = append(out, start.AddScaled(float32(strength*(at+(end-at)*t)), v.Delta))
		}
		at = end
	}
	return out
}

func abs(x float64) float64 { return max(x, -x) }
