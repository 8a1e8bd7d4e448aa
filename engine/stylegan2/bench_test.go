package stylegan2_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"latentbrush/engine/graph"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

// BenchmarkNetworks times the forward graph (picture and logits) and the step graph
// (loss and gradient in W+ besides) at 256², beside a large plain convolution in the same run.
func BenchmarkNetworks(b *testing.B) {
	rt := openRuntime(b)
	for _, c := range []struct {
		name     string
		base     int // channels · resolution
		most     int
		upsample string
	}{
		{"quarter/bilinear", 8192, 128, "bilinear"},
		{"quarter/progressive", 8192, 128, "progressive"},
		{"half/bilinear", 16384, 256, "bilinear"},
	} {
		b.Run(c.name, func(b *testing.B) {
			channels := map[int]int{}
			for r := 4; r <= 256; r *= 2 {
				channels[r] = min(c.most, c.base/r)
			}
			const classes = 22
			hidden := []int{128, 32}
			m, err := modeltest.Open(modeltest.Spec{
				Resolution: 256, Channels: channels, WDim: 256, ZDim: 256, Classes: classes, Members: 1, Hidden: hidden, Upsample: c.upsample,
			})
			if err != nil {
				b.Fatal(err)
			}
			gen, err := stylegan2.New(m)
			if err != nil {
				b.Fatal(err)
			}
			head, err := segmentation.New(m)
			if err != nil {
				b.Fatal(err)
			}
			g := graph.New("bench")
			code := g.Input("code", m.Manifest.Rows, m.Manifest.WDim)
			syn, err := gen.Synthesis(g, code, 0)
			if err != nil {
				b.Fatal(err)
			}
			parts, err := head.Apply(g, m.Manifest, syn.Features)
			if err != nil {
				b.Fatal(err)
			}
			g.Output("image", syn.Image)
			g.Output("logits", parts.Logits)
			hot := g.Input("hot", 1, classes, 256, 256)
			photo := g.Input("photo", 1, 3, 256, 256)
			loss := g.Sub(g.Mean(g.Square(g.Sub(syn.Image, photo))), g.Mean(g.Mul(hot, g.LogSoftmax(parts.Logits, 1))))
			grads, err := graph.Gradient(loss, code)
			if err != nil {
				b.Fatal(err)
			}
			g.Output("loss", loss)
			g.Output("gradient", grads[0])

			flops := work(channels, 256)
			for r := 4; r <= 256; r *= 2 {
				maps := 2 * channels[r]
				if r == 4 {
					maps = channels[r]
				}
				flops += 2 * float64(maps*hidden[0]*r*r)
			}
			flops += 2 * 256 * 256 * float64(hidden[0]*hidden[1]+hidden[1]*classes)
			var generator, forward, step, ceiling float64
			sessions := []*ort.Session{
				session(b, rt, g, "image"), session(b, rt, g, "image", "logits"), session(b, rt, g, "image", "logits", "loss", "gradient"),
			}
			copy(sessions[2].Input("code"), gen.Sample(1, 1).Data)
			copy(sessions[1].Input("code"), gen.Sample(1, 1).Data)
			copy(sessions[0].Input("code"), gen.Sample(1, 1).Data)
			for b.Loop() {
				// Interleaved, because the speed of a shared machine changes.
				for range 4 {
					c, err := rt.Ceiling(b.Context(), 200*time.Millisecond)
					if err != nil {
						b.Fatal(err)
					}
					ceiling = max(ceiling, c)
					best(b, sessions[0], &generator)
					best(b, sessions[1], &forward)
					best(b, sessions[2], &step)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ceiling, "ceiling-GFLOP/s")
			b.ReportMetric(generator*1e3, "generator-ms")
			b.ReportMetric(100*work(channels, 256)/generator/1e9/ceiling, "generator-%")
			b.ReportMetric(forward*1e3, "forward-ms")
			b.ReportMetric(100*flops/forward/1e9/ceiling, "forward-%")
			b.ReportMetric(step*1e3, "step-ms")
			b.ReportMetric(step/forward, "step/forward")
		})
	}
}

func best(b *testing.B, s *ort.Session, seconds *float64) {
	for range 3 {
		if err := s.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		if t := s.Stats().Last.Seconds(); *seconds == 0 || t < *seconds {
			*seconds = t
		}
	}
}

func session(b *testing.B, rt *ort.Runtime, g *graph.Graph, outputs ...string) *ort.Session {
	bytes, err := g.Model(outputs...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := rt.NewSession(bytes, nil, nil, ort.SessionOptions{Profile: os.Getenv("ORT_PROFILE")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if os.Getenv("ORT_PROFILE") != "" {
		fmt.Println(outputs)
	}
	if err := s.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// work returns the floating-point operations of the convolutions.
func work(channels map[int]int, resolution int) float64 {
	var macs float64
	for r := 4; r <= resolution; r *= 2 {
		c, area := float64(channels[r]), float64(r*r)
		macs += 9*c*c*area + 3*c*area
		if r > 4 {
			macs += 9 * c * float64(channels[r/2]) * area / 4
		}
	}
	return 2 * macs
}
