package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latentbrush/canvas/photo"
	"latentbrush/engine"
)

// embedEntry is what a manifest says of one photo; its JSON is a public format.
type embedEntry struct {
	Photo string `json:"photo"`
	// Error says why a photo was skipped; all else is then absent.
	Error string `json:"error,omitempty"`
	// Notes are about what the file had and the picture has not.
	Notes []string `json:"notes,omitempty"`
	// Crop is the box in the upright photo: its centre, width and angle in degrees.
	Crop *[4]float64 `json:"crop,omitempty"`
	// Files beside the manifest.
	Code       string `json:"code,omitempty"`
	Picture    string `json:"picture,omitempty"`
	Original   string `json:"original,omitempty"`
	Difference string `json:"difference,omitempty"`
	// PSNR in dB and MeanDifference in levels of 255 of the reconstruction, EncoderPSNR
	// of the start; Distance of the code in the model's standard deviations.
	PSNR           float64 `json:"psnr,omitempty"`
	EncoderPSNR    float64 `json:"start_psnr,omitempty"`
	MeanDifference float64 `json:"mean_difference,omitempty"`
	Distance       float64 `json:"distance,omitempty"`
	Outside        bool    `json:"outside_range,omitempty"`
	Verdict        string  `json:"verdict,omitempty"`
	Steps          int     `json:"steps,omitempty"`
	Reason         string  `json:"reason,omitempty"`
	Seconds        float64 `json:"seconds,omitempty"`
}

// photoSuffixes are the names of the files that a folder is searched for.
var photoSuffixes = []string{".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

// parseCrop reads "x,y,width" or "x,y,width,degrees".
func parseCrop(text string) (photo.Crop, error) {
	var v []float64
	for _, s := range strings.Split(text, ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return photo.Crop{}, fmt.Errorf("box %q, want x,y,width or x,y,width,degrees", text)
		}
		v = append(v, f)
	}
	if len(v) == 3 {
		v = append(v, 0)
	}
	if len(v) != 4 || v[2] <= 0 {
		return photo.Crop{}, fmt.Errorf("box %q, want x,y,width or x,y,width,degrees", text)
	}
	return photo.Crop{X: v[0], Y: v[1], Width: v[2], Angle: v[3] * math.Pi / 180}, nil
}

// readPhoto opens and decodes a photo.
func readPhoto(path string) (*photo.Photo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return photo.Read(filepath.Base(path), f, photo.Limits{})
}

// chooseCrop finds the box: the given one, the middle, or the one whose picture the
// encoder knows best.
func chooseCrop(ctx context.Context, e *engine.Engine, p *photo.Photo, how string) (photo.Crop, error) {
	i := e.Info()
	switch {
	case how == "middle" || how == "auto" && !e.HasEncoder():
		return photo.Middle(p.Picture, i.Width, i.Height), nil
	case how == "auto":
		c, _, err := photo.Propose(ctx, p.Picture, i.Width, i.Height, photo.Search{}, e.EncoderError)
		return c, err
	}
	c, err := parseCrop(how)
	return scaledCrop(c, 1/float64(p.Reduction)), err
}

// scaledCrop is a box in a picture k times as large. Boxes in flags and manifests are
// those of the photo's file, also where it was opened at a fraction of its size.
func scaledCrop(c photo.Crop, k float64) photo.Crop {
	return photo.Crop{X: k * c.X, Y: k * c.Y, Width: k * c.Width, Angle: c.Angle}
}

// photosIn lists the given files, and the photos in given folders in the order of
// their names.
func photosIn(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			out = append(out, arg) // a file that is not there is reported like a bad one
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if !entry.IsDir() && slices.Contains(photoSuffixes, strings.ToLower(filepath.Ext(entry.Name()))) {
				out = append(out, filepath.Join(arg, entry.Name()))
			}
		}
	}
	return out, nil
}

func newEmbedCommand(env *Env) *cobra.Command {
	var out, crop string
	var s engine.EmbedSettings
	command := &cobra.Command{
		Use:   "embed photo|folder …",
		Short: "Find the latents of photos",
		Long: `Embed finds the latent whose picture is a photo, so that the photo can be edited. For each photo it writes the latent,
the picture of it, the cut-out part of the photo and a picture of the difference into the folder -out, and a line into
manifest.json there.

A photo is turned upright by its EXIF data and a box is cut out of it: "auto" looks for the one that the
model knows best, "middle" takes the largest one, and x,y,width,degrees names the centre, width and angle.
JPEG, PNG, WebP, TIFF and BMP are read. A file that cannot be used is reported and skipped, and the exit status is
then 1.

The reconstruction's error is told, and whether the photo is outside the model's range: then the picture is not
like the photo, or its latent is far from those of the model's own pictures, and edits may look wrong.`,
		Example: `  latentbrush embed portrait.jpg -out embedded
  latentbrush embed photos -out embedded -crop middle
  latentbrush edit -latent embedded/portrait.safetensors -mask painted.png -o after.png`,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name a photo or a folder of photos")}
			}
			if out == "" {
				return usageError{errors.New("embed needs -out, the folder to write to")}
			}
			if crop != "auto" && crop != "middle" {
				if _, err := parseCrop(crop); err != nil {
					return usageError{fmt.Errorf("-crop: %w", err)}
				}
			}
			photos, err := photosIn(args)
			if err != nil {
				return err
			}
			if len(photos) == 0 {
				return fmt.Errorf("embed: %s holds no photos", strings.Join(args, ", "))
			}
			ctx := command.Context()
			e, err := openEngine(ctx, env)
			if err != nil {
				return err
			}
			defer e.Close()
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			if !e.HasEncoder() {
				fmt.Fprintln(env.Err, "The model has no encoder: embedding begins at its mean picture.")
			}
			var manifest []embedEntry
			names := map[string]bool{}
			skipped := 0
			var failure error
			for _, path := range photos {
				entry, err := embedOne(ctx, env, e, path, out, crop, s, names)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					failure = err
					skipped++
					entry = embedEntry{Photo: path, Error: err.Error()}
					fmt.Fprintf(env.Err, "%s: skipped: %v\n", path, err)
				} else {
					fmt.Fprintf(env.Out, "%s: %.1f dB, differs by %.1f levels, %s, %.1f s\n", path, entry.PSNR, entry.MeanDifference, entry.Verdict, entry.Seconds)
				}
				manifest = append(manifest, entry)
				// After each photo, so that what was done is known when the rest is not.
				if err := writeManifest(filepath.Join(out, "manifest.json"), manifest); err != nil {
					return err
				}
			}
			if line := reach(manifest); line != "" {
				fmt.Fprintln(env.Out, line)
			}
			if skipped == 0 {
				return nil
			}
			if len(photos) == 1 {
				return failure
			}
			return fmt.Errorf("embed: %d of %d files could not be used; %s says why", skipped, len(photos), filepath.Join(out, "manifest.json"))
		},
	}
	d := engine.DefaultEmbedSettings()
	f := command.Flags()
	f.StringVar(&out, "out", "", "`folder` to write to")
	f.StringVar(&crop, "crop", "auto", "`box` of the photo: auto, middle, or x,y,width,degrees")
	f.IntVar(&s.Steps, "steps", d.Steps, "`number` of optimisation steps, -1 for the start alone")
	f.Float64Var(&s.Rate, "rate", d.Rate, "highest step size of Adam")
	f.Float64Var(&s.PictureWeight, "picture-weight", d.PictureWeight, "`weight` of the squared difference of the pictures, -1 for none")
	f.Float64Var(&s.PerceptualWeight, "perceptual-weight", d.PerceptualWeight, "`weight` of the feature difference, -1 for none")
	f.Float64Var(&s.Prior, "prior", d.Prior, "`weight` of the distance from the start, -1 for none")
	f.BoolVar(&s.Free, "free", false, "look in W+ without whitening, as the official formulation does")
	f.IntVar(&s.Flat, "flat", d.Flat, "`steps` without progress that end the run, -1 for never")
	f.Float64Var(&s.PSNR, "psnr", 0, "end when the reconstruction is as good as this, in `dB`")
	return command
}

func writeManifest(path string, manifest []embedEntry) error {
	return writeWhole(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(manifest)
	})
}

// embedOne embeds a photo and writes its files.
func embedOne(ctx context.Context, env *Env, e *engine.Engine, path, out, how string, s engine.EmbedSettings, names map[string]bool) (embedEntry, error) {
	p, err := readPhoto(path)
	if err != nil {
		return embedEntry{}, err
	}
	begun := time.Now()
	crop, err := chooseCrop(ctx, e, p, how)
	if err != nil {
		return embedEntry{}, err
	}
	i := e.Info()
	picture, err := crop.Cut(p.Picture, i.Width, i.Height)
	if err != nil {
		return embedEntry{}, err
	}
	box := scaledCrop(crop, float64(p.Reduction))
	entry := embedEntry{Photo: path, Notes: p.Notes, Crop: &[4]float64{box.X, box.Y, box.Width, box.Angle * 180 / math.Pi}}
	var first, final engine.EmbedStep
	var shown time.Time
	for step, err := range e.Embed(ctx, engine.EmbedRequest{Picture: picture, Settings: s}) {
		if err != nil {
			return entry, err
		}
		if step.Index == 0 {
			first = step
		}
		final = step
		if !step.Final && time.Since(shown) > 250*time.Millisecond {
			fmt.Fprintf(env.Err, "\r%s: step %d of %d, %.1f dB, %.0f s left   ", filepath.Base(path), step.Index, step.Total, step.PSNR, step.Remaining.Seconds())
			shown = time.Now()
		}
	}
	if !shown.IsZero() {
		fmt.Fprintln(env.Err)
	}
	fit, err := e.Fit(ctx, final)
	if err != nil {
		return entry, err
	}
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for n := 2; names[base]; n++ {
		base = fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), n)
	}
	names[base] = true
	entry.Code, entry.Picture, entry.Original, entry.Difference = base+".safetensors", base+"-picture.png", base+"-photo.png", base+"-difference.png"
	if err := writeCode(filepath.Join(out, entry.Code), final.Code, i, map[string]string{"photo": filepath.Base(path)}); err != nil {
		return entry, err
	}
	for name, img := range map[string]image.Image{
		entry.Picture: final.Picture, entry.Original: picture, entry.Difference: engine.DifferencePicture(picture, final.Picture),
	} {
		if err := writePNG(filepath.Join(out, name), img); err != nil {
			return entry, err
		}
	}
	entry.PSNR, entry.EncoderPSNR, entry.MeanDifference = bounded(final.PSNR), bounded(first.PSNR), final.Difference
	entry.Distance, entry.Outside, entry.Verdict = fit.Distance, fit.Outside(), fit.String()
	entry.Steps, entry.Reason, entry.Seconds = final.Index-1, string(final.Reason), time.Since(begun).Seconds()
	return entry, nil
}

// reach says what nineteen of twenty photos reach, if there are so many: for photos of a
// model's own kind the limits of its range.
func reach(manifest []embedEntry) string {
	var psnr, distance []float64
	for _, e := range manifest {
		if e.Error == "" {
			psnr, distance = append(psnr, e.PSNR), append(distance, e.Distance)
		}
	}
	n := len(psnr)
	if n < 20 {
		return ""
	}
	slices.Sort(psnr)
	slices.Sort(distance)
	return fmt.Sprintf("Of %d photos nineteen of twenty reach %.1f dB and keep within a distance of %.2f. If they are of the model's own kind, these are the limits of its range (train encoder -range-psnr, -range-distance).", n, psnr[n/20], distance[n-1-n/20])
}

// bounded is a PSNR that JSON can say: equal pictures have 100 dB.
func bounded(psnr float64) float64 { return min(psnr, 100) }
