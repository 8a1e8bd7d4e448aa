package portrait

// background paints a soft backdrop, lightest behind the head.
func (s *scene) background() {
	s.each(-1, -1, 1, 1, func(k int, x, y float32) {
		r2 := sq(x-.25*s.p[LightX]) + sq(y-.15)
		t := .74 + .34/(1+1.1*r2) + .05*y
		s.r[k], s.g[k], s.b[k] = s.bg.r*t, s.bg.g*t, s.bg.b*t
		s.lab[k] = Background
	})
}

// faceF is the implicit outline of the face, negative inside.
func (s *scene) faceF(x, y float32) float32 {
	a, t := s.fw, faceY-y
	var tt float32
	if t > 0 {
		t /= s.bl
		t2 := t * t
		a *= 1 + (.005+.04*s.p[CheekFull]+.02*max(s.smile, 0))*gauss(sq((t-.42)/.25)) +
			(.16*s.p[JawWidth]-.125)*gauss(sq((t-.72)/.26)) - (.02+.10*s.p[ChinPoint])*t2
		tt = t2 * (.80 + .20*t2)
	} else {
		t /= -.72
		tt = t * t * (.8 + .2*t*t)
	}
	return sq(x/a) + tt - 1
}

func (s *scene) faceD(x, y float32) float32 {
	const e = .004
	f := s.faceF(x, y)
	gx, gy := (s.faceF(x+e, y)-f)/e, (s.faceF(x, y+e)-f)/e
	return f / sqrt(gx*gx+gy*gy+.01)
}

// faceBox are picture bounds that hold the face.
func (s *scene) faceBox() (x0, y0, x1, y1 float32) {
	return s.hx - s.fw*1.12, s.hy + s.chinY - .03, s.hx + s.fw*1.12, s.hy + .8
}

// fields fills the face coordinates everywhere and the outline's distance.
func (s *scene) fields() {
	a2, b2 := 1/sq(s.fw*1.12), 1/sq(float32(.86))
	s.each(-1, -1, 1, 1, func(k int, x, y float32) {
		hx, hy := x-s.hx, y-s.hy
		d := max(1-hx*hx*a2-sq(hy-.02)*b2, 0)
		d *= 2 - d
		s.dome[k] = d
		s.u[k], s.v[k] = hx-s.yaw*d, hy-s.pitch*d
		s.face[k] = 1
		s.nx[k], s.ny[k], s.nz[k] = 0, 0, 0
	})
	x0, y0, x1, y1 := s.faceBox()
	s.each(x0-.06, y0-.2, x1+.06, y1+.05, func(k int, x, y float32) {
		s.face[k] = s.faceD(x-s.hx, y-s.hy)
	})
}

// neck draws neck and shoulders' skin, shaded as a cylinder with the chin's
// shadow on it.
func (s *scene) neck() {
	w := s.p[NeckWidth] * (1 + .12*s.masc)
	cx := s.hx * .5
	s.each(-1, -1, 1, -.2, func(k int, x, y float32) {
		t := max(-.52-y, 0)
		ww := w + 1.1*t*t + .9*t*t*t
		d := (abs(x-cx) - ww) * .93
		c := s.cov(d)
		if c <= 0 {
			return
		}
		n := min(max((x-cx)/(w*1.25), -1), 1) * .85
		sh := ease(.16, -.05, s.at(s.face, x+s.lx*.07, y+.05+.10*s.ly))
		ao := 1 - .62*sh
		// collar bones and the throat's two cords
		ao *= 1 - .10*gauss(sq((y+.93+.1*abs(x-cx))/.03))*sat(abs(x-cx)*6)
		al := s.skin.mul(rgb{.95, .90, .88})
		col := s.lit(al, n, .05, sqrt(1-n*n), ao, skinWrap, 0, 1)
		s.put(k, col.mul(mix(rgb{1, 1, 1}, rgb{.84, .70, .66}, sh)), c, Neck)
	})
}

// clothes draws the shoulders and a neckline between round and pointed.
func (s *scene) clothes() {
	w := s.p[NeckWidth] * (1 + .12*s.masc)
	cx := s.hx * .5
	v := s.p[Collar]
	deep := lerp(-.90, -1.02, v)
	s.each(-1, -1, 1, -.6, func(k int, x, y float32) {
		ax := abs(x - cx*.6)
		top := -.735 - .10*ax - .26*ax*ax*ax
		d := (y - top) * .94
		a := abs(x - cx)
		half := w + .075
		line := lerp(deep+(-.70-deep)*sq(a/half), deep+(-.70-deep)*sabs(a, .04)/half, v)
		d = smax(d, (y-line)*.8, .02)
		c := s.cov(d)
		if c <= 0 {
			return
		}
		nx, ny := x*.75, .25+.55*ease(-.95, -.72, y)
		fold := sin(x*9+y*5+2*s.part)*.05 + sin(x*5-y*11)*.04
		nx += fold
		nz := sqrt(max(1-nx*nx-ny*ny, .08))
		edge := (line - y) * .8
		hem := gauss(sq((edge - .045) / .008))
		ao := (.80 + .20*ease(0, .02, edge)) * (1 - .22*hem)
		ao *= 1 - .4*ease(.16, -.06, s.at(s.face, x, y+.1))
		col := s.lit(s.cloth, nx, ny, nz, ao, plainWrap, .025, 5)
		s.put(k, col, c, Clothes)
	})
}

// ears draws both ears behind the face; hair decides how much of them shows.
func (s *scene) ears() {
	h := s.p[EarSize]
	for _, side := range []float32{-1, 1} {
		class := EarL
		if side > 0 {
			class = EarR
		}
		cx := s.hx*1.12 + side*(s.fw*.985+.012) - .25*s.yaw
		cy := s.hy + .015
		s.each(cx-.13, cy-h*1.3, cx+.13, cy+h*1.3, func(k int, x, y float32) {
			ex, ey := side*(x-cx), (y-cy)/h
			w := h * (.56 + .14*ey)
			ex -= .02 * ey
			d := (sqrt(sq(ex/w)+ey*ey) - 1) * w * .95
			c := s.cov(d)
			if c <= 0 {
				return
			}
			in := -d / w
			ao := .62 + .38*ease(.75, .1, in)
			ao *= 1 - .30*gauss(sq((in-.33)/.10))
			ao *= 1 - .45*bump(ex/w, ey, -.25, -.05, .35, .4)
			n := side*.45 + (.5-in)*.5*ex/w*side
			al := s.skin.mul(rgb{1.0, .86, .82})
			s.put(k, s.lit(al, n, .1+.25*ey, .75, ao, skinWrap, .05, 6), c, class)
		})
	}
}

// height is the relief of the face at face coordinates.
func (s *scene) height(u, v, dome float32) float32 {
	au := abs(u)
	p := &s.p
	es := p[EyeSpacing]
	h := .46 * dome
	// nose: ridge, tip, wings
	nw := p[NoseWidth]
	un := u - .35*s.yaw*dome
	if abs(un) < .35 && v < eyeY+.25 && v > s.noseY-.2 {
		t := sat((eyeY + .10 - v) / (eyeY + .10 - s.noseY))
		ridge := (.022*p[NoseBridge] + .070*t*t) * ease(s.noseY-.06, s.noseY+.05, v) * ease(eyeY+.22, eyeY+.02, v)
		rw := .052 + .030*t + .15*(nw-.07)
		h += ridge * gauss(sq(un/rw))
		tr := lerp(.055, .07, p[NoseTip])
		h += lerp(.045, .06, p[NoseTip]) * bump(un, v, 0, s.noseY+.035, tr, tr*.85)
		h += .034 * bump(abs(un), v, nw*.78, s.noseY+.018, .034, .036)
	}
	// eye sockets, brow ridge, cheeks, chin
	h -= .030 * bump(au, v, es*.92, eyeY+.015, .17, .10)
	h += (.010 + .012*s.masc) * bump(au, v, es*.8, eyeY+.19, .20, .05)
	ck := .030 + .022*p[CheekFull] + .03*max(s.smile, 0)
	h += ck * bump(au, v, .30, -.12+.03*s.smile, .15, .13)
	h += .030 * bump(u, v, 0, s.chinY+.14, .13, .09)
	// lips and the groove under the lower one
	mw := p[MouthWidth]
	h += .030 * bump(u, v, 0, s.mouthY-.005-.05*s.open, mw*.9, .075+.04*s.open)
	h -= .016 * bump(u, v, 0, s.mouthY-.105-.13*s.open, mw*.6, .035)
	h -= .007 * bump(u, v, 0, (s.noseY+s.mouthY)*.5, .02, .06)
	return h
}

// faceSkin draws the face's skin: relief, occlusion, pigment, light.
func (s *scene) faceSkin() {
	p := &s.p
	x0, y0, x1, y1 := s.faceBox()
	i0, j0, i1, j1 := s.box(x0, y0, x1, y1)
	n := s.n
	for j := j0; j < j1; j++ {
		for k := j*n + i0; k < j*n+i1; k++ {
			s.h[k] = s.height(s.u[k], s.v[k], s.dome[k])
		}
	}
	es, nw := p[EyeSpacing], p[NoseWidth]
	mw := s.mouthHalf()
	cheek := .30 + .02*s.smile
	for j := j0; j < j1; j++ {
		ja, jb := max(j-1, j0), min(j+1, j1-1)
		y := s.y(j)
		for i := i0; i < i1; i++ {
			k := j*n + i
			c := s.cov(s.face[k])
			if c <= 0 {
				continue
			}
			x := s.x(i)
			ia, ib := max(i-1, i0), min(i+1, i1-1)
			dx := (s.h[j*n+ib] - s.h[j*n+ia]) / (float32(max(ib-ia, 1)) * s.px)
			dy := (s.h[ja*n+i] - s.h[jb*n+i]) / (float32(max(jb-ja, 1)) * s.px)
			q := 1 / sqrt(1+dx*dx+dy*dy)
			nx, ny, nz := -dx*q, -dy*q, q
			s.nx[k], s.ny[k], s.nz[k] = nx, ny, nz

			u, v, dome := s.u[k], s.v[k], s.dome[k]
			au := abs(u)
			un := u - .35*s.yaw*dome
			// occlusion
			ao := float32(1)
			ao *= 1 - .20*bump(au, v, es-.075, eyeY+.03, .10, .085)
			ao *= 1 - .30*bump(un, v, 0, s.noseY-.035, nw*1.15, .028)
			ao *= 1 - .16*bump(abs(un), v, nw*1.15, s.noseY+.02, .02, .045)
			ao *= 1 - .22*bump(u, v, 0, s.mouthY-.115-.13*s.open, mw*.55, .024)
			ao *= 1 - .20*ease(-.09, 0, s.face[k])
			// fold from the nose's wing to the mouth's corner
			fold := .05 + .20*p[Age] + .15*max(s.smile, 0)
			if v < s.noseY+.08 && v > s.mouthY-.08 {
				t := (s.noseY + .03 - v) / (s.noseY + .03 - s.mouthY)
				line := nw + .025 + (mw+.035-nw-.025)*t*(.7+.3*t)
				ao *= 1 - fold*gauss(sq((au-line)/.023))*ease(-.3, .3, t)*ease(1.05, .5, t)
			}
			if p[Age] > 0 { // under the eyes, forehead, crow's feet
				ao *= 1 - .24*p[Age]*gauss(sq((v-(eyeY-.125+.35*sq(au-es)))/.012))*gauss(sq((au-es+.01)/.10))
				f := gauss(sq((v-.36)/.011)) + gauss(sq((v-.425)/.011))
				ao *= 1 - .14*p[Age]*f*gauss(sq(u/.22))
				ao *= 1 - .16*p[Age]*gauss(sq((v-eyeY-.5*(au-es-.2))/.010))*gauss(sq((au-es-.22)/.035))
			}
			// pigment
			al := s.skin
			red := .55*p[Blush]*(1-.5*s.masc)*bump(au, v, cheek, -.13+.03*s.smile, .13, .10) +
				.16*bump(un, v, 0, s.noseY+.03, .08, .07) + .10*bump(u, v, 0, s.chinY+.12, .12, .08)
			al = al.mul(mix(rgb{1, 1, 1}, rgb{1.04, .66, .62}, red))
			al = al.mul(mix(rgb{1, 1, 1}, rgb{.90, .80, .80}, .35*bump(au, v, es-.02, eyeY-.09, .13, .06)))
			if f := p[Freckles]; f > 0 {
				t := float32(0)
				for _, m := range freckles {
					t += m[2] * gauss((sq(u-m[0])+sq(v-m[1]))/.00013)
				}
				al = al.mul(mix(rgb{1, 1, 1}, rgb{.74, .56, .44}, min(.8*f*t, 1)))
			}
			// soft shadow under the hair
			sh := ease(.10, -.07, s.at(s.hair, x+s.lx*.07, y+.03+.09*s.ly))
			ao *= 1 - .42*sh
			al = al.mul(mix(rgb{1, 1, 1}, rgb{.92, .80, .76}, sh))
			spec := .085 + .05*bump(un, v, 0, s.noseY+.04, .05, .06) + .03*bump(u, v, 0, .32, .25, .1)
			s.put(k, s.lit(al, nx, ny, nz, ao, skinWrap, spec, 22), c, Skin)
		}
	}
}

// freckles are places (u, v) and strengths.
var freckles = func() (f [][3]float32) {
	seed := uint32(12345)
	rnd := func() float32 {
		seed = seed*1664525 + 1013904223
		return float32(seed>>8) / (1 << 24)
	}
	for range 34 {
		a, b := rnd()*2-1, rnd()+rnd()-1
		f = append(f, [3]float32{.40 * a, -.075 + .085*b + .03*abs(a), .5 + .5*rnd()})
	}
	return f
}()

// nose labels the nose, warms it and sets in the nostrils.
func (s *scene) nose() {
	p := &s.p
	nw := p[NoseWidth]
	top := float32(eyeY + .02)
	x := s.hx + s.yaw
	s.each(x-.35, s.noseY-.12, x+.35, eyeY+.15, func(k int, _, _ float32) {
		un, v := s.u[k]-.35*s.yaw*s.dome[k], s.v[k]-.12*s.pitch*s.dome[k]
		t := (top - v) / (top - s.noseY)
		if t < -.2 || t > 1.3 {
			return
		}
		// bridge widening into wings, closed by a shallow arc below
		half := lerp(.040, .050, sat(t)) + (nw-.045)*ease(.35, .9, t)
		bot := s.noseY - .022 + .012*sq(un/nw)
		d := smax((abs(un)-half)*.92, max(v-top, bot-v), .03)
		c := s.cov(d)
		if c > 0 {
			col := rgb{s.r[k], s.g[k], s.b[k]}
			s.put(k, col.mul(rgb{1.0, .97, .96}), c, Nose)
		}
		// nostrils
		hx, hy := abs(un)-nw*.52, v-(s.noseY-.004)-.18*(abs(un)-nw*.52)
		e := sqrt(sq(hx/(nw*.30))+sq(hy/.0125)) - 1
		s.tint(k, rgb{.30, .17, .15}, .85*sat(.5-e*1.6))
	})
}
