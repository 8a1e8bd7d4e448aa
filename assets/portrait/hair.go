package portrait

// hairRow is the outline of all hair at one height: its half width and how
// far the height lies up the dome.
type hairRow struct{ y, half, up float32 }

func (s *scene) hairAt(y float32) hairRow {
	a := s.hairA
	if y >= .12 {
		fy := sq((y - .12) / s.hairB)
		return hairRow{y, a, fy * (.86 + .14*fy)}
	}
	t := .12 - y
	l := s.p[HairLength]
	f := ease(0, .5, t)
	a += f * (.01 + .09*l*t)
	a -= .055 * ease(.24, -.04, y-s.hairEnd) * ease(0, .3, t)
	a += s.p[HairWave] * f * (.022*sin(y*11+1.2) + .008*sin(y*23))
	return hairRow{y, a, 0}
}

// at is the implicit outline, negative inside, without the hair's end.
func (r hairRow) at(x float32) float32 {
	fx := sq(x / r.half)
	return fx*(.82+.18*fx) + r.up - 1
}

// hairOuter is the outline's signed distance at head coordinates. It keeps
// the last row, as callers go along rows.
func (s *scene) hairOuter(x, y float32) float32 {
	const e = .004
	if s.row[0].y != y || s.row[0].half == 0 {
		s.row = [2]hairRow{s.hairAt(y), s.hairAt(y + e)}
	}
	f := s.row[0].at(x)
	gx, gy := (s.row[0].at(x+e)-f)/e, (s.row[1].at(x)-f)/e
	return f / sqrt(gx*gx+gy*gy+.05)
}

// fall is a coordinate across strands that fall from the parting.
func (s *scene) fall(x, y float32) float32 {
	top := .16 + s.hairB - y
	t := s.p[HairWave] * ease(.15, -.4, y)
	x += t * (.026*sin(y*11+1.2) + .010*sin(y*21+2*x))
	return (x - s.part*ease(-.3, .5, y)) / sqrt(max(top, 0)+.15)
}

// strands is the relief of hair in -1…1 at strand coordinate q.
func strands(q float32) float32 {
	return .42*sin(q*23) + .33*sin(q*37+1.3) + .25*sin(q*58+.7)
}

// tip is how far the point lies beyond the hair's end, in strand q.
func (s *scene) tip(x, y, q float32) float32 {
	ax := abs(x)
	curve := .16 * sq((ax-s.fw*1.0)/.22)
	curve = curve / (1 + curve*2)
	return s.hairEnd + curve + .016*sin(q*17) + .012*sin(q*37+1) - y
}

// hairFields fills the distance to the hair in front of the face.
func (s *scene) hairFields() {
	p := &s.p
	fr := p[Fringe]
	hl := eyeY + p[Hairline]
	hw := s.fw
	sideOpen := lerp(1.03, .87, p[HairSide])
	hang := ease(.02, -.35, s.hairEnd)
	s.each(-1, -1, 1, 1, func(k int, x, y float32) {
		hx, hy := x-s.hx+.2*s.yaw, y-s.hy
		d := s.hairOuter(hx, hy)
		if d > .3 {
			s.hair[k] = d
			return
		}
		u, v := s.u[k], s.v[k]
		q := s.fall(hx, hy)
		// hairline: highest at the parting, sweeping down to both temples
		sw := sabs(u-s.part, .05)
		top := hl - .07*sq(u/hw) - .42*sw*sw - .20*sw*sabs(s.part, .02)/.26*(.35+.65*p[HairLength])
		cut := eyeY + .255 - .07*sq(u/hw) + .10*s.part*u/.26 + .014*sin(q*17) + .010*sin(q*29+1)
		top = lerp(top, cut, fr)
		// sides: temples, then locks before the cheeks
		so := lerp(.94, sideOpen, ease(.22, -.05, v)*hang)
		so += p[HairWave] * hang * .018 * sin(v*11+1.2) * ease(.1, -.1, v)
		so -= .10 * hang * ease(-.45, -.8, v)
		inner := smax((v-top)*.93, abs(u)-hw*so, .16)
		// strands sweep from the parting along the hairline, a fringe's fall
		across := sabs(q, .06)
		s.strand[k] = across*lerp(1.2, 1, fr) + 1.25*inner*(1-fr)
		d = smax(d, -inner, .02)
		s.hair[k] = d
	})
}

// backHair draws the hair behind neck and shoulders.
func (s *scene) backHair() {
	s.each(-1, -1, 1, .9, func(k int, x, y float32) {
		if s.face[k] < -s.px { // the face covers it
			return
		}
		hx, hy := x-s.hx+.3*s.yaw, y-s.hy
		d := s.hairOuter(hx, hy) + .012
		c := s.cov(d)
		if c <= 0 {
			return
		}
		q := s.strand[k]
		t := s.hairEnd + .02 + .05*sq(hx/s.hairA) + .016*sin(q*17) - hy
		c *= ease(.03, -.03, t)
		if c <= 0 {
			return
		}
		f := strands(q)
		n := min(max(hx/s.hairA, -1), 1) * .8
		ao := .42 + .25*ease(.2, .9, abs(hx)/s.hairA)
		s.put(k, s.lit(s.hairCol.scale(1+.30*f), n+.2*f, 0, .6, ao, plainWrap, 0, 1), c, Hair)
	})
}

// frontHair draws the hair over forehead, temples and shoulders.
func (s *scene) frontHair() {
	a, b := s.hairA, s.hairB
	s.each(-1, -1, 1, 1, func(k int, x, y float32) {
		d := s.hair[k]
		c := s.cov(d)
		if c <= 0 {
			return
		}
		hx, hy := x-s.hx+.2*s.yaw, y-s.hy
		q := s.strand[k]
		tip := s.tip(hx, hy, q)
		c *= ease(.03, -.03, tip)
		if c <= 0 {
			return
		}
		f := strands(q)
		nx := min(max(hx/(a*1.04), -1), 1) * .9
		ny := max(hy-.12, 0) / (b * 1.04) * .92
		r2 := nx*nx + ny*ny
		if r2 > .94 {
			g := sqrt(.94 / r2)
			nx, ny = nx*g, ny*g
		}
		nz := sqrt(1 - nx*nx - ny*ny)
		nx += .22 * f * nz
		// thin edges are lit through, the parting and the underside are dark
		ao := .62 + .38*ease(0, -.075, d)
		ao *= 1 - .22*ease(.1, -.6, hy)
		// parting line
		pl := gauss(sq((hx-s.part)/.016)) * ease(.45, .75, hy) * (1 - .6*s.p[Fringe])
		ao *= 1 - .38*pl
		col := s.lit(s.hairCol.scale(1+.26*f), nx, ny, nz, ao, rgb{.34, .30, .26}, 0, 1)
		// highlight bands across the strands: crown and lower lock
		r := sqrt(sq(hx/a) + sq((hy-.06)/b))
		band := gauss(sq((r-.74-.02*f)/.115)) * ease(-.05, .25, hy)
		band += .45 * gauss(sq((hy+.30+.5*sq(hx)+.02*f)/.12))
		band *= (.55 + .45*f) * (.35 + .65*sat(.5+.9*(hx/a)*s.lx+.25*s.ly))
		sh := mix(s.hairCol, rgb{.62, .58, .54}, .38)
		col = col.add(sh.mul(s.key).scale(.42 * band))
		s.put(k, col, c, Hair)
	})
}
