// Package model reads and writes model bundles.
//
// A bundle is what the editor calls a model: a folder or a zip file that holds
// a StyleGAN2 generator, the head that reads part labels from the generator's
// features, and the facts needed to use them. It is data only; nothing in it is
// ever executed. It is read through an [io/fs.FS], so a folder, a zip file and
// files embedded in the program are all the same.
//
//	model.json                the manifest, below
//	generator.safetensors     mapping and synthesis network
//	segmentation.safetensors  the label head (optional: without it no labels)
//	encoder.safetensors       photo → W+ (optional)
//	perceptual.safetensors    network whose features compare pictures (optional)
//	readings.safetensors      network that reads attributes off a picture (optional)
//	identity.safetensors      network that tells persons apart (optional)
//	guess.safetensors         linear map from changes of labels to changes of w (optional)
//	card.md                   the model card (optional)
//	vectors/                  editing vectors that come with the model (optional)
//
// # Manifest
//
// model.json is one JSON object of at most 1 MiB. Unknown members are ignored.
//
//	{
//	  "format": "latentbrush-model",        always this
//	  "version": 1,                         a reader refuses higher numbers
//	  "id": "faces",                        [a-z0-9._-], 1 to 64 characters; vectors name it
//	  "name": "Faces",                      shown to people
//	  "description": "",                    optional
//	  "architecture": "stylegan2",          always this
//	  "resolution": 256,                    a power of two, 32 to 1024 (the generator is square)
//	  "crop": [0, 64, 512, 448],            x0, y0, x1, y1 (half open) of the part that is
//	                                        shown; null or absent: all of it
//	  "z_dim": 256,                         1 to 4096
//	  "w_dim": 256,                         1 to 4096
//	  "rows": 14,                           must be 2·log2(resolution) − 2
//	  "mapping_layers": 2,                  0 to 16
//	  "mapping_lr_mul": 0.01,               see below; default 0.01
//	  "channels": {"4": 128, "8": 128, …},  feature channels of every resolution from 4 up
//	  "clamp": 0,                           activations are clamped to ±clamp after each
//	                                        layer and toRGB; 0 or absent: no clamp
//	  "demodulation": "scaled",             "scaled" (default): the 1e-8 is added to the sum of
//	                                        squares of weights that carry 1/√fan_in, as in the
//	                                        original and rosinality's code; "raw": without
//	                                        that factor, as in stylegan2-ada-pytorch
//	  "noise": "const",                     "const": noise_const · noise_strength is added in
//	                                        each layer; "none": there is no noise, and the
//	                                        noise tensors need not exist
//	  "truncation": {"psi": 0.7},           default ψ of w' = w_avg + ψ·(w − w_avg) for random
//	                                        pictures; the mean is the tensor mapping.w_avg
//	  "classes": [                          1 to 256; empty or absent without a label head
//	    {"id": 0,                           its index in this list
//	     "name": "background",              [a-z0-9_ /-], unique
//	     "colour": "#1f77b4",               colour in the label picture
//	     "pair": 4,                         optional: id of the mirrored class (left ↔ right),
//	                                        which must name this one back
//	     "group": "eyes"}                   optional: classes that are offered together
//	  ],
//	  "licence": "CC0-1.0",                 SPDX identifier or a sentence
//	  "author": "",                         optional
//	  "training": {…},                      optional, any JSON object: facts for the model card
//	  "files": {                            optional: names of files that differ from those above
//	    "generator": "generator.safetensors"
//	  }
//	}
//
// # Tensors of the generator
//
// Files are in the safetensors format. Numbers are F32 or F16 (BF16 and F64
// are read, too), little-endian, row-major. R is the resolution, C[r] the
// channels of resolution r, r runs over 4, 8, 16 … R. Names are those of
// stylegan2-ada-pytorch; all weights are stored raw, that is, without the
// equalised-learning-rate gain, which is applied when the graph is built.
//
//	mapping.fc{i}.weight           [w_dim, z_dim] for i = 0, [w_dim, w_dim] after that
//	mapping.fc{i}.bias             [w_dim]
//	mapping.w_avg                  [w_dim]
//	synthesis.b4.const             [C[4], 4, 4]
//	synthesis.b{r}.conv0.weight    [C[r], C[r/2], 3, 3], r ≥ 8 only: the up-convolution
//	synthesis.b{r}.conv1.weight    [C[r], C[r], 3, 3], every r
//	synthesis.b{r}.conv{n}.bias            [C[r]]
//	synthesis.b{r}.conv{n}.affine.weight   [channels into the convolution, w_dim]
//	synthesis.b{r}.conv{n}.affine.bias     [channels into the convolution] (holds the 1)
//	synthesis.b{r}.conv{n}.noise_const     [r, r]
//	synthesis.b{r}.conv{n}.noise_strength  [] or [1]
//	synthesis.b{r}.torgb.weight            [3, C[r], 1, 1]
//	synthesis.b{r}.torgb.bias              [3]
//	synthesis.b{r}.torgb.affine.weight     [C[r], w_dim]
//	synthesis.b{r}.torgb.affine.bias       [C[r]]
//
// What they mean, with lrelu(x) = max(x, 0.2·x):
//
//	z ← z · rsqrt(mean(z²) + 1e-8)
//	x ← √2 · lrelu(lr_mul/√fan_in · W·x + lr_mul · b)        each mapping layer
//	s = 1/√w_dim · A·w + a                                   style, from affine
//	y = d ⊙ conv(s ⊙ x, g·W), g = 1/√(9·C_in)                correlation, padding 1
//	d[o] = rsqrt(g²·Σ s[i]²·W[o,i,k]² + 1e-8)
//	y ← √2 · lrelu(y + noise_strength · noise_const + bias)
//
// conv0 is conv_transpose2d(s ⊙ x, W as [C_in, C_out, 3, 3], stride 2, padding 0),
// size 2r+1, followed by the blur outer([1,3,3,1])/16 with padding 1 on each
// side, size 2r (torch's conv_transpose2d: the stored kernel is not flipped).
// torgb is s·(1/√C_in) ⊙ x through the 1×1 weight plus bias, not demodulated;
// each picture is added to the one before it, enlarged ×2 by zero-insertion and
// the same blur (bilinear, half-pixel centres, zero border). Rows of W+: conv1 of 4
// reads row 0, torgb of 4 row 1; for the k-th block after it (8 is k = 0) conv0
// reads row 2k+1, conv1 row 2k+2, torgb row 2k+3. Picture values are nominally
// in [−1, 1], RGB.
//
// # Tensors of the label head
//
// The head classifies every pixel from the generator's features, which are
// enlarged to the size of the picture and stacked on channels (Zhang et al.,
// "DatasetGAN", CVPR 2021). It is an ensemble of M equal networks whose
// logits are averaged; M is 1 for a single network. L hidden layers, each
// Linear–ReLU and optionally batch normalisation after the ReLU, then one Linear
// to the K classes; L = 0 is the linear head. All tensors are stacked over the members.
//
//	layers.{l}.weight   [M, out, in], l = 0 … L; in of layer 0 is the total of the features' channels
//	layers.{l}.bias     [M, out]
//	layers.{l}.norm.weight, .norm.bias, .norm.running_mean, .norm.running_var
//	                    [M, out], l < L: BatchNorm after the ReLU of hidden layer l,
//	                    ε = 1e-5; all four or none
//
// The file's __metadata__ (strings, as the format demands) says:
//
//	"format":    "latentbrush-segmentation"
//	"version":   "1"
//	"members":   "10"
//	"hidden":    "[256,128]"        JSON list of the L hidden sizes; "[]" for a linear head
//	"classes":   "22"               K, equal to the number of classes in the manifest
//	"features":  "[\"b4.const\",\"b4.conv1\",\"b8.conv0\",\"b8.conv1\"]"
//	                                JSON list of feature maps in the order of their channels.
//	                                b4.const is the constant input, the others the output of
//	                                that layer after the activation (and the clamp)
//	"upsample":  "bilinear"         each map straight to the picture's size, half-pixel
//	                                centres, edges clamped (align_corners=False); or
//	                                "progressive": sums of the first layer's outputs go up by
//	                                ×2 bilinear steps, coarse to fine, each resolution adding
//	                                its own; cheaper, and not the same numbers
//
// # Tensors of the perceptual network
//
// The network whose features compare pictures, as LPIPS does (Zhang et al., "The
// Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018), is
// a chain of convolutions and poolings. Its input is a picture with values in
// [−1, 1], first normalised per channel to (x − shift) / scale. The file's
// __metadata__ says:
//
//	"format": "latentbrush-perceptual"
//	"version": "1"
//	"shift":  "[0,0,0]"             JSON list, one number a colour channel
//	"scale":  "[1,1,1]"
//	"layers": "[{\"conv\":\"conv0\",\"tap\":\"lin0\"},{\"pool\":2},{\"conv\":\"conv1\",\"stride\":2,\"tap\":\"lin1\"}]"
//	                                JSON list in order. A convolution: zero padding of half the
//	                                kernel, stride 1 or 2, then ReLU; "tap" marks its output as a
//	                                feature map that is compared. A pool: average over squares of
//	                                that side, 2 or 4; {"pool":2,"max":true}: the largest value.
//	"name":   "faces-regressor"     shown to people, which term held the picture
//
// and the tensors are
//
//	{conv}.weight  [out, in, k, k], k odd
//	{conv}.bias    [out]
//	{tap}.weight   [out], ≥ 0: the weight of each channel's squared difference after the
//	               features were scaled to unit length over channels; absent: 1 for all
//
// # Tensors of the readings and of the identity
//
// A network of readings regresses named attributes from a picture: the chain of a
// perceptual network, without taps, and one linear layer on the last map, flattened as
// [channel, row, column]. It looks at squares of "size" pixels; a larger picture is
// averaged over boxes first. The attributes that belong to the person make up an identity:
// the vector of their readings, each multiplied by its r2, in the manner of a face
// recogniser's embedding. The file of the identity has the same layout; it is the network
// of the loss's identity term, while the readings only tell what changed. __metadata__ has
// shift, scale, layers and name as above, and
//
//	"format":  "latentbrush-readings"
//	"version": "1"
//	"size":    "128"
//	"outputs": "[{\"name\":\"smile\",\"identity\":false,\"r2\":0.93}]"
//	                                JSON list in order, at most 4096: the attribute, whether it
//	                                belongs to the person, and the share of its variance that
//	                                the reading explains on pictures not trained on;
//	                                optionally "mean" and "deviation", with which a reading r
//	                                says that the attribute is mean + deviation·r
//
// and the tensors beside those of the convolutions are
//
//	fc.weight  [outputs, channels·rows·columns of the last map]
//	fc.bias    [outputs]
//
// # Tensors of the guess
//
// The guess is where an edit begins. Labels are described by the share of each class in
// each cell of a grid, features [class, row, column] in units of a cell; the change of w,
// the same for all rows, is basisᵀ·weights·(features of the painted labels − features of
// those before). __metadata__ has "format": "latentbrush-guess", "version": "1",
// "grid": "16", and "fingerprint", that of the model it was learnt from: with another it is
// not used.
//
//	basis    [n, w_dim]
//	weights  [n, classes·grid·grid]
package model
