package portrait

import (
	"fmt"
	"image"
	"math"
	"sync"
)

// MaxSize is the largest picture Render makes, in pixels a side.
const MaxSize = 4096

// Coordinates: x to the right and y up, both from -1 to 1 over the picture.
// Head coordinates have the turned head's outline at rest; face coordinates
// (u, v) are glued to the turned face, so that the eyes stay where they are.
const (
	eyeY  = .08  // height of the line through both eyes
	faceY = .05  // height at which the face is widest
	depth = .115 // shift of the face's middle at full yaw or pitch
)

// canvas is the picture in linear light with its labels and the per-pixel
// fields that layers share.
type canvas struct {
	n          int
	px         float32
	r, g, b    []float32
	lab        []uint8
	u, v, dome []float32 // face coordinates and nearness to the viewer
	face       []float32 // signed distance to the face's outline
	hair       []float32 // signed distance to the hair in front
	strand     []float32 // coordinate across the hair's strands
	h          []float32 // height field of the face
	nx, ny, nz []float32 // its normals
}

var pool sync.Pool

func newCanvas(n int) *canvas {
	c, _ := pool.Get().(*canvas)
	if c == nil || c.n != n {
		c = &canvas{n: n, px: 2 / float32(n), lab: make([]uint8, n*n)}
		for _, f := range []*[]float32{&c.r, &c.g, &c.b, &c.u, &c.v, &c.dome, &c.face, &c.hair, &c.strand, &c.h, &c.nx, &c.ny, &c.nz} {
			*f = make([]float32, n*n)
		}
	}
	return c
}

// x and y are the coordinates of column i and row j.
func (c *canvas) x(i int) float32 { return (float32(i)+.5)*c.px - 1 }
func (c *canvas) y(j int) float32 { return 1 - (float32(j)+.5)*c.px }

// box turns bounds in picture coordinates into half-open pixel bounds.
func (c *canvas) box(x0, y0, x1, y1 float32) (i0, j0, i1, j1 int) {
	f := func(t float32) int {
		return int(min(max(math.Floor(float64(t/c.px)), 0), float64(c.n)))
	}
	return f(x0 + 1 - c.px), f(1 - y1 - c.px), min(f(x1+1)+2, c.n), min(f(1-y0)+2, c.n)
}

// each calls do for every pixel of a box given in picture coordinates.
func (c *canvas) each(x0, y0, x1, y1 float32, do func(k int, x, y float32)) {
	i0, j0, i1, j1 := c.box(x0, y0, x1, y1)
	for j := j0; j < j1; j++ {
		y := c.y(j)
		for i := i0; i < i1; i++ {
			do(j*c.n+i, c.x(i), y)
		}
	}
}

// cov is the part of a pixel covered by a shape at signed distance d.
func (c *canvas) cov(d float32) float32 { return sat(.5 - d/c.px) }

// put lays a colour over pixel k; the label follows where it covers most.
func (c *canvas) put(k int, col rgb, cov float32, class uint8) {
	if cov <= 0 {
		return
	}
	c.r[k] += (col.r - c.r[k]) * cov
	c.g[k] += (col.g - c.g[k]) * cov
	c.b[k] += (col.b - c.b[k]) * cov
	if cov > .5 {
		c.lab[k] = class
	}
}

// tint multiplies pixel k by col with strength t, leaving its label.
func (c *canvas) tint(k int, col rgb, t float32) {
	c.r[k] *= 1 + (col.r-1)*t
	c.g[k] *= 1 + (col.g-1)*t
	c.b[k] *= 1 + (col.b-1)*t
}

// at reads field f at picture coordinates, bilinearly, clamped at the border.
func (c *canvas) at(f []float32, x, y float32) float32 {
	m := float32(c.n - 1)
	fx := min(max((x+1)/c.px-.5, 0), m)
	fy := min(max((1-y)/c.px-.5, 0), m)
	i, j := int(fx), int(fy)
	i1, j1 := min(i+1, c.n-1), min(j+1, c.n-1)
	tx, ty := fx-float32(i), fy-float32(j)
	return lerp(lerp(f[j*c.n+i], f[j*c.n+i1], tx), lerp(f[j1*c.n+i], f[j1*c.n+i1], tx), ty)
}

// scene is a portrait's parameters turned into shapes, colours and light.
type scene struct {
	*canvas
	p Params

	hx, hy         float32 // shift of the head's outline
	yaw, pitch     float32 // shift of the face's middle
	fw, bl, chinY  float32 // face: half width, length below faceY, chin
	noseY, mouthY  float32
	open, smile    float32
	masc, must     float32 // 1 where a beard grows; the moustache's part
	hairA, hairB   float32 // radii of the hair's dome
	hairEnd        float32 // height at which the hair ends
	part           float32
	row            [2]hairRow
	skin, hairCol  rgb
	cloth          rgb
	lx, ly, lz     float32
	key, sky, land rgb // light: key, ambient from above and from below
	bg             rgb
}

var skinStops = []rgb{
	srgb(250, 219, 200), srgb(243, 202, 172), srgb(226, 174, 136),
	srgb(194, 136, 96), srgb(146, 95, 64), srgb(100, 62, 43),
}

var hairStops = []rgb{
	srgb(34, 27, 28), srgb(64, 41, 30), srgb(102, 65, 42),
	srgb(140, 92, 54), srgb(186, 138, 82), srgb(226, 192, 132),
}

var irisStops = []rgb{
	srgb(92, 52, 26), srgb(138, 92, 44), srgb(122, 132, 60),
	srgb(62, 140, 96), srgb(56, 130, 190), srgb(112, 156, 196),
}

func newScene(c *canvas, p Params) *scene {
	s := &scene{canvas: c, p: p}
	s.must = p[Moustache] * (1 - ease(.3, .55, p[HairLength]))
	s.masc = max(p[BeardFull], .8*s.must)
	s.must = max(s.must, .85*p[BeardFull])
	s.open, s.smile = p[MouthOpen], p[Smile]
	s.yaw, s.pitch = p[Yaw]*depth, p[Pitch]*depth*.55
	s.hx, s.hy = -.72*s.yaw, -.72*s.pitch
	s.fw = p[FaceWidth] * (1 + .02*s.masc)
	s.chinY = .03 - p[FaceLength] - .05*s.open
	s.bl = faceY - s.chinY
	s.noseY = eyeY - p[NoseLength]
	s.mouthY = s.noseY - p[MouthGap] - .015*s.open
	s.hairA = s.fw + lerp(.055, .95*p[HairVolume], ease(0, .45, p[HairLength]))
	s.hairB = .655 + .85*p[HairVolume]
	l := p[HairLength]
	s.hairEnd = .10 - 1.05*l*(.6+.4*l)
	s.part = p[HairPart]

	s.skin = ramp(skinStops, p[SkinTone])
	un := p[SkinUndertone] * .06
	s.skin = s.skin.mul(rgb{1 + un, 1, 1 - un})
	fair := 1 - .6*ease(.55, 1, p[SkinTone]) // dark skin seldom has light hair
	s.hairCol = ramp(hairStops, p[HairTone]*fair)
	s.hairCol = mix(s.hairCol, srgb(168, 66, 28), .8*p[HairRed]*fair)
	s.hairCol = mix(s.hairCol, srgb(196, 194, 194), .9*p[HairGrey])
	s.cloth = hue(p[ClothHue], .8).scale(lerp(.10, .62, p[ClothLight]))
	s.cloth = mix(s.cloth, rgb{1, 1, 1}.scale(lerp(.06, .7, p[ClothLight])), .15)

	lx, ly, lz := .62*p[LightX], .18+.5*p[LightY], float32(.72)
	k := 1 / sqrt(lx*lx+ly*ly+lz*lz)
	s.lx, s.ly, s.lz = lx*k, ly*k, lz*k
	s.key = mix(rgb{.96, 1.0, 1.07}, rgb{1.13, 1.0, .84}, p[LightWarm]).scale(.92)
	s.bg = hue(p[BackgroundHue], .46).scale(lerp(.13, .85, sq(p[BackgroundLight])*.6+.4*p[BackgroundLight]))
	s.sky = mix(rgb{.40, .41, .43}, s.bg, .22).scale(.95)
	s.land = mix(rgb{.27, .22, .20}, s.bg, .2)
	return s
}

// lit is the light that leaves a surface of the given albedo and normal.
// wrap lets light reach past the edge of shadow, by channel: unequal values
// tint that edge as light scattered under skin does.
func (s *scene) lit(al rgb, nx, ny, nz, ao float32, wrap rgb, spec, gloss float32) rgb {
	d := nx*s.lx + ny*s.ly + nz*s.lz
	f := func(w float32) float32 { v := max((d+w)/(1+w), 0); return v * (.55 + .45*v) }
	t := .5 + .5*ny
	a := mix(s.land, s.sky, t).scale(ao)
	q := .45 + .55*ao
	l := rgb{f(wrap.r) * s.key.r * q, f(wrap.g) * s.key.g * q, f(wrap.b) * s.key.b * q}
	out := al.mul(l.add(a))
	if spec > 0 {
		hx, hy, hz := s.lx, s.ly, s.lz+1
		k := 1 / sqrt(hx*hx+hy*hy+hz*hz)
		e := (1 - (nx*hx+ny*hy+nz*hz)*k) * gloss
		out = out.add(s.key.scale(spec * gauss(e) * ao))
	}
	rim := sq(1-nz) * (1 - nz)
	return out.add(mix(s.bg, rgb{1, 1, 1}, .2).scale(.30 * rim * ao * (.4 + .6*sat(.5-nx*s.lx*1.4))))
}

var (
	skinWrap  = rgb{.52, .30, .22}
	plainWrap = rgb{.2, .2, .2}
)

// Render draws the portrait of p at size × size pixels, with its label map:
// the class of the topmost layer that covers more than half of a pixel.
// Values of p outside their ranges are clamped. The same arguments give the
// same pixels. Render panics unless size is 1 to MaxSize.
func Render(p Params, size int) (*image.RGBA, *image.Paletted) {
	if size < 1 || size > MaxSize {
		panic(fmt.Sprintf("portrait: picture size %d, expected 1 to %d", size, MaxSize))
	}
	c := newCanvas(size)
	defer pool.Put(c)
	s := newScene(c, p.bounded())
	s.background()
	s.fields()
	s.hairFields()
	s.backHair()
	s.neck()
	s.clothes()
	s.ears()
	s.faceSkin()
	s.mouth()
	s.nose()
	s.eye(-1)
	s.eye(1)
	s.beard()
	s.brow(-1)
	s.brow(1)
	s.glasses()
	s.frontHair()
	return s.finish()
}

// toneSteps is the resolution of the tone curve's table over linear light
// from 0 to toneMax.
const (
	toneSteps = 4096
	toneMax   = 2
)

var tone = func() (t [toneSteps + 2]float32) {
	for i := range t {
		x := float64(i) * toneMax / toneSteps
		if x > .6 { // a shoulder from 0.6 that approaches 1.05
			x = .6 + .45*(1-math.Exp(-(x-.6)/.45))
		}
		t[i] = float32(min(255*math.Pow(x, 1/2.2), 255))
	}
	return t
}()

// finish converts to sRGB and copies the result out of the canvas.
func (s *scene) finish() (*image.RGBA, *image.Paletted) {
	n := s.n
	img := image.NewRGBA(image.Rect(0, 0, n, n))
	f := func(x float32) uint8 {
		x = min(max(x, 0), toneMax) * (toneSteps / toneMax)
		i := int(x)
		return uint8(lerp(tone[i], tone[i+1], x-float32(i)) + .5)
	}
	for k := range n * n {
		q := img.Pix[4*k : 4*k+4 : 4*k+4]
		q[0], q[1], q[2], q[3] = f(s.r[k]), f(s.g[k]), f(s.b[k]), 255
	}
	lab := image.NewPaletted(img.Rect, Palette)
	copy(lab.Pix, s.lab)
	return img, lab
}
