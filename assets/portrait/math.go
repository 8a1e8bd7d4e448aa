package portrait

import "math"

type rgb struct{ r, g, b float32 }

func (a rgb) mul(b rgb) rgb       { return rgb{a.r * b.r, a.g * b.g, a.b * b.b} }
func (a rgb) scale(k float32) rgb { return rgb{a.r * k, a.g * k, a.b * k} }
func (a rgb) add(b rgb) rgb       { return rgb{a.r + b.r, a.g + b.g, a.b + b.b} }
func mix(a, b rgb, t float32) rgb {
	return rgb{a.r + (b.r-a.r)*t, a.g + (b.g-a.g)*t, a.b + (b.b-a.b)*t}
}

func lerp(a, b, t float32) float32 { return a + (b-a)*t }
func sat(x float32) float32        { return min(max(x, 0), 1) }
func sq(x float32) float32         { return x * x }
func abs(x float32) float32        { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
func sqrt(x float32) float32       { return float32(math.Sqrt(float64(x))) }
func sin(x float32) float32        { return float32(math.Sin(float64(x))) }
func cos(x float32) float32        { return float32(math.Cos(float64(x))) }

// smooth is smoothstep on [0, 1].
func smooth(x float32) float32 {
	x = sat(x)
	return x * x * (3 - 2*x)
}

// ease is smoothstep from a to b; b may be below a.
func ease(a, b, x float32) float32 { return smooth((x - a) / (b - a)) }

// gauss is exp(-r2) as a polynomial bump that ends at r2 = 8.
func gauss(r2 float32) float32 {
	t := 1 - r2*.125
	if t <= 0 {
		return 0
	}
	t *= t
	t *= t
	return t * t
}

// bump is a gaussian hill at (cx, cy) with radii rx, ry.
func bump(x, y, cx, cy, rx, ry float32) float32 {
	return gauss(sq((x-cx)/rx) + sq((y-cy)/ry))
}

// sabs is |x| rounded at 0 with radius e.
func sabs(x, e float32) float32 { return sqrt(x*x+e*e) - e }

// smax is max(a, b) rounded over the width k.
func smax(a, b, k float32) float32 {
	h := max(k-abs(a-b), 0) / k
	return max(a, b) + h*h*k*.25
}

// srgb is a colour of 0…255 sRGB components in linear light.
func srgb(r, g, b float32) rgb {
	f := func(v float32) float32 { return float32(math.Pow(float64(v)/255, 2.2)) }
	return rgb{f(r), f(g), f(b)}
}

// ramp interpolates evenly spaced stops at t in [0, 1].
func ramp(stops []rgb, t float32) rgb {
	t = sat(t) * float32(len(stops)-1)
	i := min(int(t), len(stops)-2)
	return mix(stops[i], stops[i+1], t-float32(i))
}

// hue is a colour circle of mean 0.5 and amplitude s/2.
func hue(h, s float32) rgb {
	f := func(o float32) float32 { return .5 + .5*s*cos(2*math.Pi*(h+o)) }
	return rgb{f(0), f(-1. / 3), f(1. / 3)}
}
