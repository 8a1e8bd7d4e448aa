package checkpoint

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/loss"
	"latentbrush/engine/model/safetensors"
)

// writeState writes a state dictionary as torch.save does.
func writeState(t *testing.T, s State) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.pth")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &pickler{}
	p.raw(0x80, 2)
	p.state(s)
	p.raw('.')
	if err := p.archive(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLPIPS(t *testing.T) {
	trunk, layers := State{}, State{}
	in := 3
	for b, block := range vggBlocks {
		out := min(64<<b, 512)
		for _, n := range block {
			trunk[fmt.Sprintf("features.%d.weight", n)] = Tensor{Shape: []int{out, in, 3, 3}, Data: make([]float32, out*in*9)}
			trunk[fmt.Sprintf("features.%d.bias", n)] = Tensor{Shape: []int{out}, Data: make([]float32, out)}
			in = out
		}
		ones := make([]float32, out)
		for i := range ones {
			ones[i] = 0.5
		}
		layers[fmt.Sprintf("lin%d.model.1.weight", b)] = Tensor{Shape: []int{1, out, 1, 1}, Data: ones}
	}
	meta, tensors, err := LPIPS(writeState(t, trunk), writeState(t, layers))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, meta, tensors...); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.NewFile("lpips", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := loss.ReadPerceptual(f)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "LPIPS (VGG16)" || len(tensors) != 2*13+5 {
		t.Errorf("network %q of %d tensors, want LPIPS of 31", p.Name, len(tensors))
	}
	delete(layers, "lin3.model.1.weight")
	if _, _, err := LPIPS(writeState(t, trunk), writeState(t, layers)); err == nil || !strings.Contains(err.Error(), "lin3.model.1.weight") {
		t.Errorf("without a layer the error is %v", err)
	}
}
