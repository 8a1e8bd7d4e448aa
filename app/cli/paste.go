package cli

import (
	"context"
	"fmt"
	"image"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"latentbrush/canvas/photo"
	"latentbrush/engine"
)

// changedBy is the difference of a channel, in levels, from which a pixel counts as
// edited when no region is given.
const changedBy = 6

// formatOf are the formats by the ends of names.
var formatOf = map[string]photo.Format{
	".jpg": photo.JPEG, ".jpeg": photo.JPEG, ".png": photo.PNG, ".tif": photo.TIFF, ".tiff": photo.TIFF, ".bmp": photo.BMP, ".webp": photo.PNG,
}

func newPasteCommand(env *Env) *cobra.Command {
	var from, crop, before, after, region, out string
	var replace bool
	command := &cobra.Command{
		Use:   "paste",
		Short: "Put an edit back into its photo at full size",
		Long: `Paste puts an edit back into the photo that it came from, at the photo's full size. Before and after are the model's
pictures without and with the edit, as PNG or as latents; -crop is the box that "latentbrush embed" cut out,
as its manifest says.

The change is enlarged and blended in the gradient domain, so that no seam shows and the photo's detail stays.
Pixels outside the region are the photo's own. The region is a PNG that is white where the edit may change the
photo; without one it is where before and after differ.

The result has the format that the name after -o ends in, or the photo's (PNG for WebP, which cannot be written), with
the photo's orientation, EXIF data and colour profile. PNG, TIFF and BMP keep all pixels outside the edit exactly. A JPEG written
from a JPEG keeps all blocks of 8 or 16 pixels that the edit does not touch as they are in the file; a JPEG written from
anything else, or from CMYK, is compressed anew, which changes pixels by a level or two everywhere.`,
		Example: `  latentbrush paste -photo portrait.jpg -crop 812,640,900,-3 -before embedded/portrait.safetensors -after edited.safetensors -o result.jpg`,
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			for _, f := range []struct{ name, value string }{{"photo", from}, {"crop", crop}, {"before", before}, {"after", after}, {"o", out}} {
				if f.value == "" {
					return usageError{fmt.Errorf("paste needs -%s", f.name)}
				}
			}
			box, err := parseCrop(crop)
			if err != nil {
				return usageError{fmt.Errorf("-crop: %w", err)}
			}
			p, err := readPhoto(from)
			if err != nil {
				return err
			}
			if err := p.Whole(); err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
			pictures, err := loadPictures(command.Context(), env, before, after)
			if err != nil {
				return err
			}
			area, err := readRegion(region, pictures[0], pictures[1])
			if err != nil {
				return err
			}
			result, changed, err := photo.Paste(p.Picture, box, pictures[0], pictures[1], area, photo.PasteOptions{Replace: replace})
			if err != nil {
				return err
			}
			if changed.Empty() {
				fmt.Fprintln(env.Err, "Before and after do not differ in the region: the photo stays as it is.")
			}
			format := p.Output()
			if f, ok := formatOf[strings.ToLower(filepath.Ext(out))]; ok {
				format = f
			}
			if err := writeWhole(out, func(w io.Writer) error { return p.EncodeAs(w, result, format) }); err != nil {
				return err
			}
			for _, note := range p.Notes {
				fmt.Fprintf(env.Err, "%s: %s\n", from, note)
			}
			fmt.Fprintf(env.Out, "%s: %s, %d×%d changed at (%d, %d)\n", out, format, changed.Dx(), changed.Dy(), changed.Min.X, changed.Min.Y)
			return nil
		},
	}
	f := command.Flags()
	f.StringVar(&from, "photo", "", "`file` of the photo")
	f.StringVar(&crop, "crop", "", "`box` of the edit in the photo: x,y,width,degrees")
	f.StringVar(&before, "before", "", "picture without the edit: PNG or latent `file`")
	f.StringVar(&after, "after", "", "picture with the edit: PNG or latent `file`")
	f.StringVar(&region, "region", "", "PNG `file`, white where the edit may change the photo (default: where the pictures differ)")
	f.BoolVar(&replace, "replace", false, "put the edited picture itself into the region, in place of its change")
	f.StringVarP(&out, "output", "o", "", "`file` for the result")
	return command
}

// loadPictures reads pictures, or renders them when a file is a latent.
func loadPictures(ctx context.Context, env *Env, paths ...string) ([]*image.RGBA, error) {
	var e *engine.Engine
	var out []*image.RGBA
	for _, path := range paths {
		if strings.EqualFold(filepath.Ext(path), ".safetensors") {
			if e == nil {
				var err error
				if e, err = openEngine(ctx, env); err != nil {
					return nil, err
				}
				defer e.Close()
			}
			code, err := readCode(path, e.Info())
			if err != nil {
				return nil, err
			}
			frame, err := e.Render(ctx, code, engine.RenderOptions{})
			if err != nil {
				return nil, err
			}
			out = append(out, frame.Picture)
			continue
		}
		p, err := readPhoto(path)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Picture)
	}
	if a, b := out[0].Rect.Size(), out[1].Rect.Size(); a != b {
		return nil, fmt.Errorf("before is %d×%d, after is %d×%d; want one size", a.X, a.Y, b.X, b.Y)
	}
	return out, nil
}

// readRegion reads what may change, or finds where two pictures differ, with a margin.
func readRegion(path string, before, after *image.RGBA) (*image.Alpha, error) {
	w, h := before.Rect.Dx(), before.Rect.Dy()
	out := image.NewAlpha(before.Rect)
	if path == "" {
		margin := max(1, w/64)
		for y := range h {
			for x := range w {
				a, b := before.Pix[y*before.Stride+4*x:], after.Pix[y*after.Stride+4*x:]
				d := 0
				for c := range 3 {
					d = max(d, int(math.Abs(float64(a[c])-float64(b[c]))))
				}
				if d < changedBy {
					continue
				}
				for j := max(0, y-margin); j <= min(h-1, y+margin); j++ {
					for i := max(0, x-margin); i <= min(w-1, x+margin); i++ {
						out.Pix[j*out.Stride+i] = 255
					}
				}
			}
		}
		return out, nil
	}
	img, err := readSizedPNG(path, w, h)
	if err != nil {
		return nil, err
	}
	if out = whiteArea(img); !slices.Contains(out.Pix, 255) {
		return nil, fmt.Errorf("%s is black: nothing may change", path)
	}
	return out, nil
}
