package canvas

import (
	"math"
	"time"
)

// stroke follows the pointer with the brush: each event gives the rows covered
// on the way from the event before.
type stroke struct {
	at   Point
	size float64 // present width, changed only by speed
	// The speed is measured over sampleTime and more: events of one frame
	// come at once, and their times say nothing.
	since time.Duration // when the measuring began
	way   float64       // pixels moved since
	want  float64       // width for the speed last measured
}

// begin sets the brush down.
func (s *stroke) begin(p *Painter, e Event, rows func(y, x0, x1 int)) {
	*s = stroke{at: e.At, size: float64(p.Brush.Size), want: float64(p.Brush.Size), since: e.Time}
	st := p.stamp(p.Brush.Size)
	ax, ay := anchor(st.size, e.At.X, e.At.Y)
	p.sweep.reset(p.canvas.h)
	p.sweep.add(st, ax, ay)
	p.sweep.each(rows)
}

// to moves the brush on.
func (s *stroke) to(p *Painter, e Event, rows func(y, x0, x1 int)) {
	p.sweep.reset(p.canvas.h)
	if p.Brush.BySpeed {
		s.bySpeed(p, e)
	} else {
		st := p.stamp(p.Brush.Size)
		x0, y0 := anchor(st.size, s.at.X, s.at.Y)
		x1, y1 := anchor(st.size, e.At.X, e.At.Y)
		p.sweep.line(st, x0, y0, x1, y1)
	}
	p.sweep.each(rows)
	s.at = e.At
}

// A brush by speed has its full size at rest, half of it at halfSpeed picture
// widths a second, and never less than the least share.
const (
	halfSpeed  = 1.5
	leastShare = 0.25
	sampleTime = 15 * time.Millisecond
)

func (s *stroke) bySpeed(p *Painter, e Event) {
	dx, dy := e.At.X-s.at.X, e.At.Y-s.at.Y
	s.way += math.Hypot(dx, dy)
	if dt := e.Time - s.since; dt >= sampleTime {
		speed := s.way / dt.Seconds() / float64(p.canvas.w)
		full := float64(p.Brush.Size)
		s.want = max(full/(1+speed/halfSpeed), full*leastShare, 1)
		s.since, s.way = e.Time, 0
	}
	// Half way at every event, so that the width has no steps.
	next := (s.size + s.want) / 2
	n := max(int(math.Ceil(max(math.Abs(dx), math.Abs(dy)))), 1)
	for i := range n + 1 {
		t := float64(i) / float64(n)
		st := p.stamp(int(math.Round(s.size + (next-s.size)*t)))
		ax, ay := anchor(st.size, s.at.X+dx*t, s.at.Y+dy*t)
		p.sweep.add(st, ax, ay)
	}
	s.size = next
}

// LargerSize returns the next size up: one pixel more below 10, a tenth more
// above.
func LargerSize(size int) int {
	return min(size+sizeStep(size), MaxBrush)
}

// SmallerSize returns the next size down.
func SmallerSize(size int) int {
	return max(size-sizeStep(size), 1)
}

func sizeStep(size int) int {
	if size < 10 {
		return 1
	}
	return max(int(math.Round(float64(size)/10)), 1)
}

// The travel of a size slider: 40 % for 1–50 px, 30 % for 50–200 px and 30 %
// for the rest, because small sizes are used most and need the finest control.
var sizeTravel = [...]struct{ travel, size float64 }{{0, 1}, {0.4, 50}, {0.7, 200}, {1, MaxBrush}}

// SizeAt returns the brush size at a place of a slider's travel, 0 to 1.
func SizeAt(travel float64) int {
	travel = min(max(travel, 0), 1)
	for i := 1; i < len(sizeTravel); i++ {
		a, b := sizeTravel[i-1], sizeTravel[i]
		if travel <= b.travel {
			return int(math.Round(a.size + (b.size-a.size)*(travel-a.travel)/(b.travel-a.travel)))
		}
	}
	return MaxBrush
}

// TravelOf returns the place of a brush size on a slider's travel, 0 to 1.
func TravelOf(size int) float64 {
	v := min(max(float64(size), 1), MaxBrush)
	for i := 1; i < len(sizeTravel); i++ {
		a, b := sizeTravel[i-1], sizeTravel[i]
		if v <= b.size {
			return a.travel + (b.travel-a.travel)*(v-a.size)/(b.size-a.size)
		}
	}
	return 1
}
