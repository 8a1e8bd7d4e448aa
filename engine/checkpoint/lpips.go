package checkpoint

import (
	"fmt"

	"latentbrush/engine/model/safetensors"
)

// vggBlocks are the convolutions of VGG16's blocks as torchvision numbers them; LPIPS
// compares the last of each.
var vggBlocks = [][]int{{0, 2}, {5, 7}, {10, 12, 14}, {17, 19, 21}, {24, 26, 28}}

// LPIPS makes a perceptual network (see the package comment of
// latentbrush/engine/model) of the two files that LPIPS v0.1 with VGG16 is made of
// (Zhang et al., CVPR 2018): torchvision's vgg16 weights and the layer weights
// lpips/weights/v0.1/vgg.pth. The result is their distance up to the place of the 1e-10
// that keeps a root from zero.
func LPIPS(trunk, layers string) (metadata map[string]string, tensors []safetensors.Tensor, err error) {
	read := func(path string) (*reader, error) {
		value, size, err := load(path)
		if err != nil {
			return nil, err
		}
		top, ok := asDict(value)
		if !ok {
			return nil, fmt.Errorf("checkpoint: %s: %w: it holds %s, want a dictionary", path, ErrFormat, describe(value))
		}
		c := newCollector(size)
		if err := c.addAll(top); err != nil {
			return nil, fmt.Errorf("checkpoint: %s: %w", path, err)
		}
		return &reader{state: c.state}, nil
	}
	vgg, err := read(trunk)
	if err != nil {
		return nil, nil, err
	}
	lin, err := read(layers)
	if err != nil {
		return nil, nil, err
	}
	list, in := "", 3
	for b, block := range vggBlocks {
		out := min(64<<b, 512)
		if b > 0 {
			list += `,{"pool":2,"max":true},`
		}
		for i, n := range block {
			name := fmt.Sprintf("conv%d", n)
			tensors = append(tensors,
				safetensors.Float32(name+".weight", padded(vgg.get(fmt.Sprintf("features.%d.weight", n), out, in, 3, 3), out*in*9), out, in, 3, 3),
				safetensors.Float32(name+".bias", padded(vgg.get(fmt.Sprintf("features.%d.bias", n), out), out), out))
			if i > 0 {
				list += ","
			}
			list += fmt.Sprintf(`{"conv":%q`, name)
			if i == len(block)-1 {
				list += fmt.Sprintf(`,"tap":"lin%d"`, b)
				tensors = append(tensors, safetensors.Float32(fmt.Sprintf("lin%d.weight", b),
					padded(lin.get(fmt.Sprintf("lin%d.model.1.weight", b), out, 1, 1), out), out))
			}
			list += "}"
			in = out
		}
	}
	for path, r := range map[string]*reader{trunk: vgg, layers: lin} {
		if r.err != nil {
			return nil, nil, fmt.Errorf("checkpoint: %s: %w", path, r.err)
		}
	}
	return map[string]string{
		"format": "latentbrush-perceptual", "version": "1", "name": "LPIPS (VGG16)",
		"shift": "[-0.030,-0.088,-0.188]", "scale": "[0.458,0.448,0.450]", "layers": "[" + list + "]",
	}, tensors, nil
}

// padded stands in for data that a reader refused, so that the tensor can be built; the
// reader's error is what the caller gets.
func padded(data []float32, n int) []float32 {
	if len(data) == n {
		return data
	}
	return make([]float32, n)
}
