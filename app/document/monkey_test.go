package document_test

import (
	"context"
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"latentbrush/app/document"
	"latentbrush/canvas"
	"latentbrush/vectors"
)

// TestTenThousandActions does ten thousand random things, back and forth through the history, and looks for a panic, a
// state that is not what it was, a history that grows without bound, and an undo that does not reach its end.
// LATENTBRUSH_SEED chooses another sequence.
func TestTenThousandActions(t *testing.T) {
	seed := uint64(1)
	if text := os.Getenv("LATENTBRUSH_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	d, m := sample(t, 1), newMachine()
	const most = 4 << 20
	d.SetHistoryLimits(1500, most)
	seen := map[document.NodeID]state{}
	must := func(err error) {
		t.Helper()
		if err != nil && !errors.Is(err, document.ErrNoStep) {
			t.Fatal(err)
		}
	}
	end := time.Now().Add(40 * time.Second)
	n := 0
	for ; n < 10_000 && time.Now().Before(end); n++ {
		stack := d.Scene().Stack
		pick := func() document.EditID { return stack[rng.IntN(len(stack))].ID }
		action := rng.IntN(20)
		if len(stack) == 0 && action >= 8 && action <= 13 {
			action = 7
		}
		switch {
		case !d.HasPicture():
			action = 5
		case len(stack) > 20:
			action = 12
		}
		switch action {
		case 0, 1, 2, 3:
			x, y := rng.IntN(70), rng.IntN(38)
			ink := canvas.Ink{Kind: canvas.InkKind(rng.IntN(5)), Class: uint8(rng.IntN(5))}
			paint(t, d, image.Rect(x, y, x+1+rng.IntN(20), y+1+rng.IntN(9)), ink)
		case 4:
			op := []string{"grow", "shrink", "smooth-class", "islands", "holes"}[rng.IntN(5)]
			ch, err := document.ClassOp(d.Canvas(), op, uint8(rng.IntN(5)), 1+rng.IntN(2))
			must(err)
			d.Painted(ch)
		case 5:
			s := rng.Uint64N(50)
			code := randomCode(s)
			must(d.SetPicture(document.Source{Kind: document.SeedSource, Seed: s}, code, labelsOf(t, code)))
		case 6:
			_, err := d.Refresh(context.Background(), m)
			must(err)
		case 7:
			_, err := d.AddVector("", vectors.New("v", testSpace().Model, randomCode(rng.Uint64N(50))), rng.Float64())
			must(err)
		case 8, 9:
			must(d.SetStrength(pick(), rng.Float64()*4-2, rng.IntN(3) > 0))
		case 10:
			must(d.SetOn(pick(), rng.IntN(2) == 0))
		case 11:
			must(d.MoveEdit(pick(), rng.IntN(6)))
		case 12:
			must(d.RemoveEdit(pick()))
		case 13:
			id := pick()
			_, with, err := d.RefineCodes(id)
			must(err)
			must(d.SetRefined(id, with.AddScaled(0.1, randomCode(3)), 30))
		case 14:
			r := run(d.Code(), rng.Uint64N(50), 4)
			_, err := d.Accept(r, 2, labelsOf(t, r.Steps[2].Code), rng.IntN(2) == 0, []uint8{1})
			must(err)
		case 15, 16:
			must(d.Undo())
		case 17:
			must(d.Redo())
		default:
			nodes := d.Nodes()
			must(d.Jump(nodes[rng.IntN(len(nodes))].ID))
		}
		if want, ok := seen[d.Current()]; ok && action >= 15 {
			compare(t, "a step come back to", see(d), want)
		} else if n%7 == 0 {
			seen[d.Current()] = see(d)
		} else {
			delete(seen, d.Current())
		}
		if len(seen) > 400 {
			clear(seen)
		}
		if d.HistoryBytes() > 2*most {
			t.Fatalf("after %d actions the history holds %d bytes, %d are allowed", n, d.HistoryBytes(), most)
		}
	}
	for range 1600 {
		if errors.Is(d.Undo(), document.ErrNoStep) {
			break
		}
	}
	if _, more := d.UndoLabel(); more {
		t.Error("undo did not come to an end")
	}
	t.Logf("%d actions", n)
	if n < 1000 {
		t.Errorf("only %d actions in 40 s", n)
	}
}
