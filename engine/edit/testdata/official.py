"""EditGAN's mask edit in its official formulation, on a Latentbrush bundle.

The other side of two comparisons. `check` computes loss and gradient once, in double
precision, for the Go tests. `run` makes Adam steps in single precision and times them, for
the benchmark.

The formulation is the published one and nothing is added to it: weights are modulated and
demodulated for each code, up-convolutions are transposed convolutions and a blur, all
features are enlarged to the size of the picture and concatenated, every pixel goes through
the classifiers of the ensemble one after the other, the perceptual network looks at both
masked pictures in every step, and autograd gives the gradient. The loss is
150 LPIPS + 75 MSE + CE, with means over the whole frame, pixels in [0,1], and the
cross-entropy's mean over the region. (The encoder term, weight 1, is left out: it would only
make each step dearer.) What helps it is used: OpenBLAS, the best number of threads,
flushed denormals, no gradient for anything but the code.

    python3 official.py check BUNDLE PROBLEM ANSWER
    python3 official.py run BUNDLE PROBLEM ANSWER [--steps 100] [--threads 2] [--vgg] [--nearest]

PROBLEM is a safetensors file: code [rows,dim] F32, painted [h,w] U8, region [h,w] U8.
ANSWER holds for check: terms [4] (loss, CE, MSE, LPIPS) and gradient [rows,dim]; for run:
codes [steps+1,rows,dim] and seconds [steps+1], the time at which each step was done.
Needs torch 1.13 or newer and nothing else.
"""
import argparse
import json
import math
import os
import struct
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import torch
import torch.nn.functional as F

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "U8": torch.uint8}


def read(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
        data = bytearray(f.read())
    meta = header.pop("__metadata__", {})
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        flat = torch.frombuffer(data, dtype=DTYPES[t["dtype"]], offset=a, count=math.prod(t["shape"])) if b > a else torch.zeros(0)
        out[name] = flat.reshape(t["shape"]).clone()
    return out, meta


def write(path, tensors):
    header, blobs, at = {}, [], 0
    for name, t in tensors.items():
        raw = t.detach().to(torch.float64 if t.dtype == torch.float64 else torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F64" if t.dtype == torch.float64 else "F32", "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    head = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))


class Generator:
    def __init__(self, folder, manifest, dtype):
        tensors, _ = read(os.path.join(folder, "generator.safetensors"))
        self.p = {k: v.to(dtype) for k, v in tensors.items()}
        self.m, self.dtype = manifest, dtype
        k = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=dtype)
        self.kernel = torch.outer(k, k) / 16

    def style(self, name, w):
        return self.p[name + "affine.weight"] @ w / math.sqrt(len(w)) + self.p[name + "affine.bias"]

    def blur(self, x, pad):
        c = x.shape[1]
        return F.conv2d(F.pad(x, pad), self.kernel[None, None].expand(c, 1, -1, -1), groups=c)

    def up2(self, x):
        n, c, h, w = x.shape
        y = x.new_zeros(n, c, h, 2, w, 2)
        y[:, :, :, 0, :, 0] = x
        return self.blur(y.reshape(n, c, 2 * h, 2 * w), (2, 1, 2, 1))

    def limit(self, x):
        return x.clamp(-self.m["clamp"], self.m["clamp"]) if self.m.get("clamp") else x

    def conv(self, name, x, w, up):
        weight = self.p[name + "weight"]
        if self.m.get("demodulation", "scaled") != "raw":
            weight = weight / math.sqrt(weight.shape[1] * 9)
        weight = weight * self.style(name, w)[None, :, None, None]
        weight = weight * torch.rsqrt(weight.pow(2).sum((1, 2, 3), keepdim=True) + 1e-8)
        if up:
            x = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), (1, 1, 1, 1))
        else:
            x = F.conv2d(x, weight, padding=1)
        if self.m.get("noise") != "none":
            x = x + self.p[name + "noise_strength"].reshape(()) * self.p[name + "noise_const"]
        return self.limit(F.leaky_relu(x + self.p[name + "bias"][None, :, None, None], 0.2) * math.sqrt(2))

    def rgb(self, name, x, w):
        weight = self.p[name + "weight"]
        weight = weight * (self.style(name, w) / math.sqrt(weight.shape[1]))[None, :, None, None]
        return self.limit(F.conv2d(x, weight) + self.p[name + "bias"][None, :, None, None])

    def __call__(self, ws):
        features = {"b4.const": self.p["synthesis.b4.const"][None]}
        x = features["b4.conv1"] = self.conv("synthesis.b4.conv1.", features["b4.const"], ws[0], False)
        img = self.rgb("synthesis.b4.torgb.", x, ws[1])
        row, r = 1, 8
        while r <= self.m["resolution"]:
            x = features[f"b{r}.conv0"] = self.conv(f"synthesis.b{r}.conv0.", x, ws[row], True)
            x = features[f"b{r}.conv1"] = self.conv(f"synthesis.b{r}.conv1.", x, ws[row + 1], False)
            img = self.up2(img) + self.rgb(f"synthesis.b{r}.torgb.", x, ws[row + 2])
            row, r = row + 2, r * 2
        return img, features


class Head:
    """The ensemble of classifiers, pixel by pixel on enlarged and stacked features."""

    def __init__(self, folder, manifest, dtype, nearest):
        tensors, meta = read(os.path.join(folder, "segmentation.safetensors"))
        self.p = {k: v.to(dtype) for k, v in tensors.items()}
        self.members, self.hidden = int(meta["members"]), json.loads(meta["hidden"])
        self.features, self.size = json.loads(meta["features"]), manifest["resolution"]
        self.nearest = nearest
        self.progressive = meta.get("upsample", "bilinear") == "progressive"

    def enlarge(self, f):
        if f.shape[-1] == self.size:
            return f
        if self.nearest:
            return F.interpolate(f, size=self.size, mode="nearest")
        while self.progressive and f.shape[-1] < self.size:
            f = F.interpolate(f, scale_factor=2, mode="bilinear", align_corners=False)
        return F.interpolate(f, size=self.size, mode="bilinear", align_corners=False) if f.shape[-1] < self.size else f

    def __call__(self, features):
        stack = torch.cat([self.enlarge(features[n]) for n in self.features], 1)
        pixels = stack[0].flatten(1).t()
        total = 0
        for m in range(self.members):
            x = pixels
            for l in range(len(self.hidden) + 1):
                x = F.linear(x, self.p[f"layers.{l}.weight"][m], self.p[f"layers.{l}.bias"][m])
                if l < len(self.hidden):
                    x = F.relu(x)
                    if f"layers.{l}.norm.weight" in self.p:
                        n = [self.p[f"layers.{l}.norm.{k}"][m] for k in ("running_mean", "running_var", "weight", "bias")]
                        x = F.batch_norm(x, *n, training=False, eps=1e-5)
            total = total + x
        return (total / self.members).t().reshape(1, -1, self.size, self.size)


class Perceptual:
    """The bundle's network, or one of VGG16's size with random weights for timing."""

    def __init__(self, folder, dtype, vgg):
        self.dtype = dtype
        if vgg:
            g = torch.Generator().manual_seed(1)
            self.shift, self.scale, self.layers, cin = torch.zeros(3, dtype=dtype), torch.ones(3, dtype=dtype), [], 3
            for block, (n, cout) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))):
                if block:
                    self.layers.append(("max", 2))
                for i in range(n):
                    w = torch.randn(cout, cin, 3, 3, generator=g).to(dtype) * math.sqrt(2 / (9 * cin))
                    self.layers.append(("conv", w, torch.zeros(cout, dtype=dtype), 1, torch.ones(cout, dtype=dtype) / cout if i == n - 1 else None))
                    cin = cout
            return
        t, meta = read(os.path.join(folder, "perceptual.safetensors"))
        t = {k: v.to(dtype) for k, v in t.items()}
        self.shift, self.scale = (torch.tensor(json.loads(meta[k]), dtype=dtype) for k in ("shift", "scale"))
        self.layers = []
        for d in json.loads(meta["layers"]):
            if d.get("pool"):
                self.layers.append(("pool", d["pool"]))
                continue
            w = t[d["conv"] + ".weight"]
            tap = None
            if d.get("tap"):
                tap = t.get(d["tap"] + ".weight", torch.ones(w.shape[0], dtype=dtype))
            self.layers.append(("conv", w, t[d["conv"] + ".bias"], d.get("stride") or 1, tap))

    def features(self, x):
        x = (x - self.shift[None, :, None, None]) / self.scale[None, :, None, None]
        out = []
        for layer in self.layers:
            if layer[0] == "pool":
                x = F.avg_pool2d(x, layer[1])
            elif layer[0] == "max":
                x = F.max_pool2d(x, layer[1])
            else:
                _, w, b, stride, tap = layer
                x = F.relu(F.conv2d(x, w, b, stride=stride, padding=w.shape[-1] // 2))
                if tap is not None:
                    out.append(x / (x.pow(2).sum(1, keepdim=True) + 1e-10).sqrt() * tap.sqrt()[None, :, None, None])
        return out

    def __call__(self, a, b):
        return sum((p - q).pow(2).sum(1).mean() for p, q in zip(self.features(a), self.features(b)))


class Edit:
    def __init__(self, args, dtype):
        with open(os.path.join(args.bundle, "model.json")) as f:
            self.m = json.load(f)
        self.g = Generator(args.bundle, self.m, dtype)
        self.head = Head(args.bundle, self.m, dtype, args.nearest)
        self.perceptual = None
        if args.vgg or os.path.exists(os.path.join(args.bundle, "perceptual.safetensors")):
            self.perceptual = Perceptual(args.bundle, dtype, args.vgg)
        problem, _ = read(args.problem)
        self.start = problem["code"].to(dtype)
        self.painted = problem["painted"].long()
        self.region = problem["region"] > 0
        r = self.m["resolution"]
        self.crop = self.m.get("crop") or [0, 0, r, r]
        self.keep = (~self.region).to(dtype)[None, None]
        with torch.no_grad():
            self.picture = (self.cut(self.g(self.start)[0]) + 1) / 2

    def cut(self, x):
        x0, y0, x1, y1 = self.crop
        return x[:, :, y0:y1, x0:x1]

    def terms(self, w):
        img, features = self.g(w)
        img = (self.cut(img) + 1) / 2
        logits = self.cut(self.head(features))
        ce = F.cross_entropy(logits[0].flatten(1).t()[self.region.flatten()], self.painted[self.region])
        a, b = img * self.keep, self.picture * self.keep
        mse = (a - b).pow(2).mean()
        lpips = self.perceptual(a * 2 - 1, b * 2 - 1) if self.perceptual else mse * 0
        return 150 * lpips + 75 * mse + ce, ce, mse, lpips


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("check", "run"))
    parser.add_argument("bundle")
    parser.add_argument("problem")
    parser.add_argument("answer")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--vgg", action="store_true", help="a perceptual network of VGG16's size")
    parser.add_argument("--nearest", action="store_true", help="nearest features in the loop, as released")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    if args.mode == "check":
        e = Edit(args, torch.float64)
        # A point off the start, where every term has a gradient.
        w = (e.start + 0.1 * torch.sin(torch.arange(e.start.numel(), dtype=torch.float64)).reshape(e.start.shape)).requires_grad_()
        terms = e.terms(w)
        terms[0].backward()
        write(args.answer, {"at": w, "terms": torch.stack(terms).detach(), "gradient": w.grad})
        return
    e = Edit(args, torch.float32)
    w = e.start.clone().requires_grad_()
    adam = torch.optim.Adam([w], lr=args.rate)
    codes, seconds, begun = [w.detach().clone()], [0.0], time.time()
    for _ in range(args.steps):
        adam.zero_grad()
        e.terms(w)[0].backward()
        adam.step()
        codes.append(w.detach().clone())
        seconds.append(time.time() - begun)
    write(args.answer, {"codes": torch.stack(codes), "seconds": torch.tensor(seconds, dtype=torch.float64)})
    print(f"{args.steps} steps in {seconds[-1]:.1f} s, {seconds[-1] / args.steps:.3f} s a step")


main()
