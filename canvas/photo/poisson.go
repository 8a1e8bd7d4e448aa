package photo

import (
	"math"
	"runtime"
	"sync"
)

// membrane is Laplace's equation on the free cells of a grid with the values of the
// other cells given, for three channels at once: each free cell is to be the mean of
// its neighbours. At the grid's edge there is no neighbour, so nothing flows through
// it.
//
// It is solved by multigrid (Trottenberg, Oosterlee and Schüller, "Multigrid", 2001):
// nested iteration for a first answer, then V-cycles of red-black Gauss-Seidel with
// averaged residuals and bilinear corrections, until a cycle changes nothing that can
// be seen. The work is a few passes over the grid.
type membrane struct {
	w, h int
	// v are the values and f the right sides of Σ(neighbour − v) = f, three a cell.
	v, f   []float32
	free   []bool
	coarse *membrane
}

// newMembrane takes over free and v, 3·w·h numbers.
func newMembrane(w, h int, free []bool, v []float32) *membrane {
	m := &membrane{w: w, h: h, v: v, f: make([]float32, len(v)), free: free}
	any := false
	for _, f := range free {
		any = any || f
	}
	if !any || w <= 4 && h <= 4 || w == 1 && h == 1 {
		return m
	}
	cw, ch := (w+1)/2, (h+1)/2
	// A coarse cell is free when all its cells are, so that corrections vanish where
	// values are given.
	cf := make([]bool, cw*ch)
	left := false
	for y := range ch {
		for x := range cw {
			all := true
			for j := 2 * y; j < min(2*y+2, h); j++ {
				for i := 2 * x; i < min(2*x+2, w); i++ {
					all = all && free[j*w+i]
				}
			}
			cf[y*cw+x] = all
			left = left || all
		}
	}
	if left {
		m.coarse = newMembrane(cw, ch, cf, make([]float32, 3*cw*ch))
	}
	return m
}

// solve makes the largest change of a V-cycle smaller than tolerance and returns the
// number of cycles.
func (m *membrane) solve(tolerance float32, most int) int {
	m.start()
	for n := 1; ; n++ {
		if change := m.cycle(); change < tolerance || n >= most {
			return n
		}
	}
}

// start is nested iteration: the coarse problem with averaged given values is solved
// first and enlarged.
func (m *membrane) start() {
	clear(m.f)
	if m.coarse == nil {
		m.relax(40)
		return
	}
	c := m.coarse
	clear(c.f)
	rows(c.h, c.w, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			for x := range c.w {
				var sum [3]float32
				n := float32(0)
				for j := 2 * y; j < min(2*y+2, m.h); j++ {
					for i := 2 * x; i < min(2*x+2, m.w); i++ {
						if k := j*m.w + i; !m.free[k] {
							n++
							for ch := range sum {
								sum[ch] += m.v[3*k+ch]
							}
						}
					}
				}
				for ch := range sum {
					c.v[3*(y*c.w+x)+ch] = sum[ch] / max(1, n)
				}
			}
		}
	})
	c.start()
	for range 2 {
		c.cycle()
	}
	m.enlarge(false)
	m.relax(2)
}

// cycle is one V-cycle. It returns the largest correction that came from below.
func (m *membrane) cycle() float32 {
	if m.coarse == nil {
		return m.relax(24)
	}
	change := m.relax(2)
	m.restrict()
	clear(m.coarse.v)
	m.coarse.cycle()
	change = max(change, m.enlarge(true))
	return max(change, m.relax(2))
}

// rows calls do for bands of rows, on all processors when there is enough to do.
func rows(h, w int, do func(y0, y1 int)) {
	n := min(runtime.GOMAXPROCS(0), h)
	if h*w < 1<<14 || n < 2 {
		do(0, h)
		return
	}
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { do(h*i/n, h*(i+1)/n) })
	}
	wait.Wait()
}

// largest gathers the maximum over bands.
type largest struct {
	sync.Mutex
	v float32
}

func (l *largest) add(v float32) {
	l.Lock()
	l.v = max(l.v, v)
	l.Unlock()
}

// relax makes sweeps of red-black Gauss-Seidel and returns the largest change of the
// last one.
func (m *membrane) relax(sweeps int) float32 {
	var change float32
	for s := range sweeps {
		var most largest
		for colour := range 2 {
			rows(m.h, m.w, func(y0, y1 int) {
				v := m.sweep(y0, y1, colour)
				if s == sweeps-1 {
					most.add(v)
				}
			})
		}
		change = most.v
	}
	return change
}

func (m *membrane) sweep(y0, y1, colour int) float32 {
	var change float32
	w := m.w
	for y := y0; y < y1; y++ {
		for x := (y + colour) & 1; x < w; x += 2 {
			k := y*w + x
			if !m.free[k] {
				continue
			}
			if x > 0 && x < w-1 && y > 0 && y < m.h-1 {
				p, l, r, u, d := m.v[3*k:][:3], m.v[3*k-3:][:3], m.v[3*k+3:][:3], m.v[3*(k-w):][:3], m.v[3*(k+w):][:3]
				f := m.f[3*k:][:3]
				for c := range 3 {
					n := (l[c] + r[c] + u[c] + d[c] - f[c]) * 0.25
					change = max(change, n-p[c], p[c]-n)
					p[c] = n
				}
				continue
			}
			var sum [3]float32
			n := m.neighbours(x, y, &sum)
			if n == 0 {
				continue
			}
			for c := range 3 {
				v := (sum[c] - m.f[3*k+c]) / n
				change = max(change, v-m.v[3*k+c], m.v[3*k+c]-v)
				m.v[3*k+c] = v
			}
		}
	}
	return change
}

// neighbours adds the values of a cell's neighbours and counts them.
func (m *membrane) neighbours(x, y int, sum *[3]float32) float32 {
	n := float32(0)
	for _, d := range [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
		i, j := x+d[0], y+d[1]
		if i < 0 || j < 0 || i >= m.w || j >= m.h {
			continue
		}
		n++
		for c := range sum {
			sum[c] += m.v[3*(j*m.w+i)+c]
		}
	}
	return n
}

// restrict sets the coarse right sides: residuals summed over four cells, which is
// their mean times the square of the coarse spacing.
func (m *membrane) restrict() {
	c := m.coarse
	rows(c.h, c.w, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			for x := range c.w {
				k := y*c.w + x
				if !c.free[k] {
					continue
				}
				var r [3]float32
				cells := float32(0)
				for j := 2 * y; j < min(2*y+2, m.h); j++ {
					for i := 2 * x; i < min(2*x+2, m.w); i++ {
						q := 3 * (j*m.w + i)
						cells++
						if i > 0 && j > 0 && i < m.w-1 && j < m.h-1 {
							p, l, r0, u, d := m.v[q:][:3], m.v[q-3:][:3], m.v[q+3:][:3], m.v[q-3*m.w:][:3], m.v[q+3*m.w:][:3]
							for ch := range r {
								r[ch] += m.f[q+ch] - (l[ch] + r0[ch] + u[ch] + d[ch] - 4*p[ch])
							}
							continue
						}
						var sum [3]float32
						n := m.neighbours(i, j, &sum)
						for ch := range r {
							r[ch] += m.f[q+ch] - (sum[ch] - n*m.v[q+ch])
						}
					}
				}
				for ch := range r {
					c.f[3*k+ch] = r[ch] * 4 / cells
				}
			}
		}
	})
}

// enlarge sets the free cells to the coarse values, bilinearly, or adds those to them.
// It returns the largest number set or added.
func (m *membrane) enlarge(add bool) float32 {
	c := m.coarse
	var most largest
	rows(m.h, m.w, func(y0, y1 int) {
		var top float32
		for y := y0; y < y1; y++ {
			ya := y / 2
			yb := min(max(ya-1+2*(y&1), 0), c.h-1)
			for x := range m.w {
				k := y*m.w + x
				if !m.free[k] {
					continue
				}
				xa := x / 2
				xb := min(max(xa-1+2*(x&1), 0), c.w-1)
				aa, ab := c.v[3*(ya*c.w+xa):][:3], c.v[3*(ya*c.w+xb):][:3]
				ba, bb := c.v[3*(yb*c.w+xa):][:3], c.v[3*(yb*c.w+xb):][:3]
				for ch := range 3 {
					v := (9*aa[ch] + 3*ab[ch] + 3*ba[ch] + bb[ch]) / 16
					top = max(top, float32(math.Abs(float64(v))))
					if add {
						v += m.v[3*k+ch]
					}
					m.v[3*k+ch] = v
				}
			}
		}
		most.add(top)
	})
	return most.v
}
