package portrait

import "math"

// eye draws the eye of one side: -1 on the picture's left, 1 on its right.
func (s *scene) eye(side float32) {
	p := &s.p
	eyeC, irisC, pupilC := EyeL, IrisL, PupilL
	if side > 0 {
		eyeC, irisC, pupilC = EyeR, IrisR, PupilR
	}
	w, es := p[EyeSize], p[EyeSpacing]
	ct, st := cos(p[EyeTilt]), sin(p[EyeTilt])
	squint := .16 * max(s.smile, 0)
	up := p[EyeRound] * (1 + .10*p[BrowRaise])
	low := up * .72 * (1 - squint)
	shut := p[EyeClose]
	fem := 1 - .8*s.masc
	lash := .0065 + .0125*p[Lash]*fem
	ir := p[IrisSize]
	gx := side*p[GazeX]*.26 + side*.10*p[Yaw] // along the eye, outwards positive
	gy := p[GazeY]*.13 + .02
	iris := ramp(irisStops, p[IrisHue])
	white := rgb{.86, .85, .84}
	// the highlight sits where the light mirrors
	hlx, hly := gx+side*(-.05+.15*p[LightX]), gy+.17+.04*p[LightY]
	shadow := p[Eyeshadow] * fem
	tintC := mix(rgb{.55, .36, .40}, rgb{.40, .42, .60}, p[ClothHue])

	cx := side * es
	s.each(cx-w*1.7-.1, eyeY-w*1.2-.1, cx+w*1.7+.1, eyeY+w*1.3+.1, func(k int, _, _ float32) {
		du, dv := side*(s.u[k]-cx), s.v[k]-eyeY
		a, b := (du*ct+dv*st)/w, (-du*st+dv*ct)/w
		if abs(a) > 1.6 || b > 1.4 || b < -1.2 {
			return
		}
		arc := 1 - a*a
		full := arc * (1 + .30*a*a)
		if abs(a) > 1 {
			full = arc * 1.3
		}
		skew := 1 - .10*a
		qu, ql := up*full*skew, -low*full*(1+.12*a)
		qt := lerp(qu, ql*.8, shut) // where the upper lid is now
		slope := up * 2 * abs(a) * .9
		g := 1 / sqrt(1+slope*slope)

		// lid fold and eyeshadow above the lid
		crease := lerp(qu+.20*sat(arc+.25), qt+.40, shut*.4)
		if abs(a) < 1.35 {
			f := ease(1.3, .7, abs(a))
			s.tint(k, rgb{.62, .46, .42}, .55*f*gauss(sq((b-crease)/.055)))
			s.tint(k, rgb{1.10, 1.06, 1.03}, .5*f*ease(crease, crease-.1, b)*ease(qt, qt+.06, b))
			if shadow > 0 {
				s.tint(k, tintC, .62*shadow*f*ease(crease+.30, crease-.02, b)*ease(qt-.05, qt+.02, b))
			}
			// soft shade and a light edge below the lower lid
			s.tint(k, rgb{.80, .66, .62}, .45*f*gauss(sq((b-ql+.07)/.07)))
		}

		d := max((b-qt)*g, (ql-b)*g, (abs(a)-1)*.9) * w
		if c := s.cov(d); c > 0 {
			// ball
			r := sqrt(a*a*.8 + sq(b*1.1))
			sh := 1 - .38*ease(.35, 1.1, r)
			lid := ease(qt-.34, qt+.02, b)
			sh *= 1 - .50*lid
			col := mix(white, rgb{.84, .66, .62}, .35*ease(.55, 1.05, abs(a))).scale(sh)
			light := .62 + .30*s.lz + .10*s.lx*side*a
			amb := mix(s.key, rgb{.9, .9, .9}, .5).scale(light)
			col = col.mul(amb)
			s.put(k, col, c, eyeC)

			// iris
			ix, iy := a-gx, b-gy
			rr := sqrt(ix*ix+iy*iy) / ir
			di := (rr - 1) * ir * w
			if ci := min(c, s.cov(di)); ci > 0 {
				ang := float32(math.Atan2(float64(iy), float64(ix)))
				spoke := sin(ang*9)*.5 + sin(ang*5+1)*.5
				ic := iris.scale(.62 + .16*spoke*ease(.35, .6, rr)*ease(1, .8, rr))
				glow := ease(.30, -.55, (iy/ir)*.8+.15*ix*s.lx*side) * ease(1.02, .6, rr)
				ic = ic.add(iris.add(rgb{.05, .05, .04}).scale(.95 * glow))
				ic = mix(ic, mix(iris, rgb{.5, .35, .15}, .5), .35*ease(.72, .45, rr))
				ic = ic.scale(1 - .78*ease(.74, 1.0, rr)).scale(1 - .55*lid)
				s.put(k, ic.mul(amb), ci, irisC)
				pr := p[PupilSize]
				dp := (rr - pr) * ir * w
				s.put(k, rgb{.008, .007, .008}, min(c, s.cov(dp)), pupilC)
			}
			// highlights lie on the eye's surface and keep the label below
			keep := s.lab[k]
			h1 := sqrt(sq((a-hlx)/.135)+sq((b-hly)/.15)) - 1
			s.put(k, rgb{1.25, 1.25, 1.25}, .93*min(c, sat(.5-h1*.135*w/(s.px*1.3))), keep)
			h2 := sqrt(sq((a-2*gx+hlx)/.07)+sq((b-2*gy+hly)/.07)) - 1
			s.put(k, rgb{1, 1, 1}, .45*min(c, sat(.5-h2*.07*w/(s.px*1.3))), keep)
		}
		// waterline
		s.tint(k, rgb{1.12, .86, .84}, .5*s.cov((abs(b-ql)-.03)*w*g)*ease(1.02, .8, abs(a))*(1-shut))
		// lash line: thicker outwards, with a short wing
		th := lash / .15 * (.55 + .45*sat(a*.8+.5)) * ease(1.16, .85, abs(a))
		wing := qt + 6*lash*sq(max(a-.55, 0))
		dl := (abs(b-wing-th*.4) - th) * w * g
		if a > -1.05 && a < 1.18 {
			s.put(k, rgb{.018, .012, .011}, s.cov(dl)*.94*ease(1.18, 1.0, abs(a)), eyeC)
		}
		// lower lashes
		s.tint(k, rgb{.34, .26, .24}, .55*p[Lash]*gauss(sq((b-ql+.012)/.028))*ease(-.2, .7, a)*ease(1.06, .92, a))
	})
}

// brow draws one eyebrow as a tapering band along an arched line.
func (s *scene) brow(side float32) {
	p := &s.p
	class := BrowL
	if side > 0 {
		class = BrowR
	}
	l := p[BrowLength]
	th := p[BrowThick] * (1 + .2*s.masc)
	base := eyeY + p[BrowHeight] + .042*p[BrowRaise] - .012*s.p[EyeClose]
	inner := -.026*p[BrowFrown] + .012
	col := mix(s.hairCol.scale(.46), s.skin.mul(rgb{.16, .11, .09}), .42)
	col = rgb{min(col.r, .38*s.skin.r), min(col.g, .34*s.skin.g), min(col.b, .32*s.skin.b)}
	cx := side * (p[EyeSpacing] + .008 - .012*max(p[BrowFrown], 0))
	s.each(cx-.35, base-.2, cx+.35, base+.25, func(k int, _, _ float32) {
		a, v := side*(s.u[k]-cx)/l, s.v[k]
		if abs(a) > 1.25 || abs(v-base) > .2 {
			return
		}
		arch := p[BrowArch]
		line := base + arch*(1-1.15*sq(a-.22)) - .022*a + inner*ease(.1, -1, a) - .016*sq(max(a, 0))
		slope := (-2*1.15*arch*(a-.22) - .022) / l
		t := th * (1 - .80*ease(-.1, 1.05, a)) * (.62 + .38*ease(-1.05, -.55, a))
		d := (abs(v-line) - t) / sqrt(1+slope*slope)
		d = smax(d, (abs(a)-1)*l, .035)
		soft := s.px + .008
		c := sat(.5 - d/soft)
		if c <= 0 {
			return
		}
		fl := sin((a*9-(v-line)*26)*2.2)*.5 + sin((a*13-(v-line)*22)*2.1+1)*.5
		h := s.lit(col.scale(1+.18*fl), s.nx[k], s.ny[k], max(s.nz[k], .3), 1, plainWrap, .02, 8)
		s.put(k, h, c*.94, class)
	})
}

// mouthHalf is half the mouth's width with the expression's stretch.
func (s *scene) mouthHalf() float32 {
	return s.p[MouthWidth] * (1 + .20*s.smile - .10*s.open*(1-max(s.smile, 0)))
}

// mouth draws lips, the opening between them, teeth and tongue.
func (s *scene) mouth() {
	p := &s.p
	w := s.mouthHalf()
	smile := s.smile
	pos := max(smile, 0)
	tl := p[LipUpper] * (1 - .20*pos)
	bl := p[LipLower] * (1 - .08*pos)
	show := ease(.35, .95, smile) * .050 // a wide smile parts the lips
	drop := show + .150*s.open
	lift := .35*show + .018*s.open
	red := p[LipRed] * (1 - .75*s.masc)
	lip := mix(s.skin.mul(rgb{.86, .55, .54}), mix(rgb{.50, .075, .085}, rgb{.52, .10, .17}, p[Blush]), .12+.62*red)
	s.each(-w-.22, s.mouthY-.36, w+.22, s.mouthY+.22, func(k int, _, _ float32) {
		u, v := s.u[k]-.06*s.yaw*s.dome[k], s.v[k]
		a := u / w
		if abs(a) > 1.25 || abs(v-s.mouthY) > .32 {
			return
		}
		arc := max(1-a*a, 0)
		mid := s.mouthY + .078*smile*(a*a-.30) - .012*s.open
		iu := mid + lift*arc
		round := .45*arc + .55*(1-sq(a*a)) // a fuller curve than the parabola
		if abs(a) > 1 {
			round = 0
		}
		il := mid - drop*round
		bow := 1 - .20*gauss(sq(a/.15)) + .10*gauss(sq((abs(a)-.28)/.2))
		ou := iu + tl*arc*(.55+.45*arc)*bow + .004*arc
		ol := il - bl*(.5*arc+.5*round)
		slope := (tl*2.2 + .085*abs(smile)*2) * abs(a) / w
		g := 1 / sqrt(1+slope*slope)
		gl := 1 / sqrt(1+sq((drop+bl)*2*abs(a)/w))
		edge := (abs(a) - 1) * w
		// corner dimples
		s.tint(k, rgb{.62, .44, .40}, (.26+.16*pos)*bump(abs(a), v, 1.04, s.mouthY+.0595*smile, .07, .022*(1+pos)))

		nx, ny, nz := s.nx[k], s.ny[k], max(s.nz[k], .3)
		// the dark of the mouth, with tongue and teeth
		di := max((v-iu)*g, (il-v)*gl, edge)
		ci := s.cov(di)
		if ci > 0 {
			deep := ease(0, .10, iu-v)
			inC := mix(rgb{.10, .018, .02}, rgb{.045, .006, .008}, deep)
			s.put(k, inC, ci, MouthIn)
			// tongue: a mound that follows the lower lip
			tb := il + (.030+.055*s.open)*arc
			ct := sat(.5-(v-tb)*g/(s.px+.008)) * min(ci, 1)
			ct *= ease(.03, .11, drop)
			tc := rgb{.48, .13, .125}.scale(.55 + .5*ease(il, tb+.01, v) - .18*gauss(sq(a/.08)))
			s.put(k, tc, ct, MouthIn)
			// upper teeth follow the upper lip, narrowing at the corners
			te := iu - (.018+.042*ease(0, .075, drop))*(.35+.65*arc)
			dt := max((te-v)*g, (abs(a)-.93)*w)
			cc := min(ci, s.cov(dt))
			gap := gauss(sq(sin(a*w*math.Pi/.047) / .22))
			tc = rgb{.86, .84, .79}.scale((1 - .13*gap) * (1 - .42*a*a) * (.72 + .28*ease(0, .02, iu-v)))
			tc = tc.mul(mix(s.key, rgb{1, 1, 1}, .6))
			s.put(k, tc, cc*ease(0, .035, drop)*ease(.97, .86, abs(a)), Teeth)
		}
		// lips
		du := max((v-ou)*g, (iu-v)*g, edge)
		if c := s.cov(du); c > 0 {
			t := sat((v - iu) / (ou - iu + .001))
			col := s.lit(lip.scale(.80), nx, ny-.30*(1-t), nz, .80+.2*t, skinWrap, .05, 16)
			s.put(k, col, c, UpperLip)
		}
		dl := max((v-il)*gl, (ol-v)*gl, edge)
		if c := s.cov(dl); c > 0 {
			t := sat((il - v) / (il - ol + .001))
			ao := 1 - .35*gauss(sq(t/.16)) - .12*t*t
			col := s.lit(lip, nx, ny+.45*(.45-t), nz, ao, skinWrap, .10+.10*red, 14)
			shine := gauss(sq((t-.38)/.17)) * gauss(sq((a+.10-.25*s.lx)/.36))
			col = col.add(s.key.scale((.05 + .10*red) * shine))
			s.put(k, col, c, LowerLip)
		}
		// the line where closed lips meet
		line := s.cov(abs(v-mid)*g-.0055) * ease(1.04, .9, abs(a)) * ease(.03, 0, drop+lift)
		s.tint(k, rgb{.34, .16, .15}, .85*line)
	})
}

// beard draws full beard and moustache.
func (s *scene) beard() {
	p := &s.p
	full := smooth(p[BeardFull] * 1.5)
	must := s.must
	if full <= 0 && must <= 0 {
		return
	}
	w := s.mouthHalf()
	col := mix(s.hairCol.scale(.62), rgb{.03, .02, .016}, .15)
	grow := .045 * full
	drop := ease(.35, .95, s.smile)*.05 + .150*s.open
	s.each(s.hx-s.fw-.15, s.hy+s.chinY-.15, s.hx+s.fw+.15, .2, func(k int, x, y float32) {
		u, v := s.u[k], s.v[k]
		au := abs(u)
		soft := s.px + .020
		var c float32
		if full > 0 {
			// cheek line falls from the sideburn to the mouth's corner
			t := sat((s.fw - au) / (s.fw - w*.9))
			cheek := lerp(.03, s.mouthY-.01, t*(1.75-.75*t))
			d := smax(s.face[k]-grow, (v-cheek)*.45, .05)
			// the bare field round the mouth
			lipB := s.mouthY - drop*.55
			rx, ry := w*1.10+.010, .088+drop*.62
			m := (sqrt(sq(u/rx)+sq((v-lipB)/ry)) - 1) * ry
			d = smax(d, -m, .03)
			// and above it the moustache's bottom joins at the corners
			c = sat(.5-d/soft) * full
		}
		if must > 0 {
			a := u / (w*1.14 + .02)
			line := s.mouthY + p[LipUpper] + .040 + .065*s.smile*(a*a-.30) - .055*a*a - .006*gauss(sq(a/.12))
			t := .036 * (1 - .55*a*a)
			d := smax(abs(v-line)-t, (abs(a)-1)*w, .03)
			c = max(c, sat(.5-d/soft)*must)
		}
		if c <= 0 {
			return
		}
		str := sin(u*70+3*sin(v*9))*.5 + sin(u*47+v*14+1)*.5
		nx, ny, nz := s.nx[k], s.ny[k], s.nz[k]
		if s.face[k] > -s.px {
			nx, ny, nz = sat(abs(x-s.hx)/s.fw)*.8*sign(x-s.hx), -.45, .5
		}
		ao := .78 + .22*ease(0, -.12, s.face[k])
		h := s.lit(col.scale(1+.16*str), nx+.10*str, ny, max(nz, .25), ao, plainWrap, .035, 7)
		s.put(k, h, c*.93, Beard)
	})
}

func sign(x float32) float32 {
	if x < 0 {
		return -1
	}
	return 1
}

// glasses draws frame, bridge, arms and lenses.
func (s *scene) glasses() {
	p := &s.p
	on := smooth(p[GlassesOn] * 2)
	if on <= 0 {
		return
	}
	r := p[GlassesSize]
	ry := r * lerp(.92, .76, p[GlassesRound])
	n4 := p[GlassesRound]
	cx := r + .045
	cy := float32(eyeY - .020)
	thick := lerp(.012, .019, n4)
	col := ramp([]rgb{srgb(24, 22, 26), srgb(70, 40, 26), srgb(150, 40, 44), srgb(176, 126, 52), srgb(128, 134, 148)}, p[GlassesDark])
	s.each(-.75, cy-ry-.15, .75, cy+ry+.15, func(k int, x, y float32) {
		e := .2 * s.dome[k]
		u, v := s.u[k]-e*s.yaw, s.v[k]-e*s.pitch
		au := abs(u)
		lx, ly := (au-cx)/r, (v-cy)/ry
		// between a circle and a rounded square
		l2 := lx*lx + ly*ly
		f2 := sqrt(l2)
		f4 := sqrt(sqrt(sq(lx*lx) + sq(ly*ly)))
		f := lerp(f2, f4, n4)
		d := (f - 1) * ry * lerp(1, .96, n4)
		ring := abs(d) - thick
		bridge := max(abs(v-(cy+ry*.28+.012*(1-sq(au/.05))))-thick*.8, au-(cx-r*.93))
		arm := max(abs(v-(cy+ry*.30+.03*(au-cx-r)))-thick*.9, cx+r*.95-au, s.face[k]-.03)
		fr := min(ring, bridge, arm)
		// lens: a little lighter, with a slanted reflection
		if in := s.cov(d) * on; in > 0 {
			s.tint(k, rgb{.94, .96, .98}, in)
			b := (u*.8 + v*1.0 - near(u)*cx*.8 - .06) / .05
			add := s.key.scale(.075 * in * (gauss(b*b) + .5*gauss(sq(b-2.6)*2)))
			s.r[k] += add.r
			s.g[k] += add.g
			s.b[k] += add.b
		}
		// shadow on the skin
		s.tint(k, rgb{.66, .52, .48}, .5*on*ease(.03, 0, fr)*ease(-.04, .0, d))
		if c := s.cov(fr) * on; c > 0 {
			rel := sat(.5 - fr/thick*.5)
			ny := .3 + .5*ly*rel
			h := s.lit(col, .3*lx, ny, .75, 1, plainWrap, .22, 9)
			s.put(k, h, c, Glasses)
		}
	})
}

// near is the sign of u, continuous at 0.
func near(u float32) float32 { return min(max(u*40, -1), 1) }
