"""StyleGAN2 (skip architecture, demodulated convolutions), in the form that trains fastest.

The network is exactly that of Karras et al. 2020; only the order of operations differs from the usual code:

* A modulated convolution is scale - convolve - scale: y = d * conv(s * x, W), d = rsqrt(s^2 . sum_k W^2 + 1e-8).
  Weights are shared by the batch, no grouped convolution.
* The up-convolution (transposed convolution of stride 2 followed by the [1,3,3,1] filter) is one 3x3 convolution at the
  input's resolution that computes the four output phases as 4C channels, followed by a depth-to-space. The
  phase kernels are a fixed linear map of the 3x3 weight (`phase_matrix`).
* The skip image is upsampled bilinearly with a zero border, which is the [1,3,3,1] filter written out.
* Weights are kept in true scale (no equalised learning rate); `standard_state` returns them in the published layout.

Tensors are float32 on the outside. Inside, the convolutions run in bfloat16 and channels-last when `half` is set; on a
CPU a small C kernel (kernels.c) does everything between two convolutions in one pass.
"""

import ctypes
import hashlib
import math
import os
import subprocess
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

SQRT2 = math.sqrt(2.0)
EPS = 1e-8


def rows_for(resolution):
    """Number of W+ rows of a generator of this resolution."""
    return 2 * int(math.log2(resolution)) - 2


def phase_matrix():
    """[9, 36]: from a 3x3 weight (transposed-convolution order) to four 3x3 kernels, phases (row, column) outermost."""
    g = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 4
    m = torch.zeros(3, 2, 3, dtype=torch.float64)  # weight tap a -> phase p, tap t
    for a in range(3):
        c = torch.zeros(6, dtype=torch.float64)
        c[a:a + 4] += g
        for p in range(2):
            for t in range(3):
                m[a, p, t] = c[p + 2 - 2 * (t - 1)]
    return torch.einsum("apt,bqu->abpqtu", m, m).reshape(9, 36).float()


def upsample2(img):
    """The skip connection's x2 upsampling: bilinear, half-pixel centres, zero border. [n,c,h,w] -> [n,c,2h,2w]."""
    h, w = img.shape[-2:]
    big = F.interpolate(F.pad(img, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return big[:, :, 2:2 + 2 * h, 2:2 + 2 * w]


# ---------------------------------------------------------------------------------------------------------------------
# The fused pass between two convolutions


def _compile():
    """Builds kernels.c for this machine; None where there is no compiler or the CPU is not x86-64."""
    if os.environ.get("FACES_NO_KERNELS") or os.uname().machine != "x86_64":
        return None
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels.c")
    with open(source, "rb") as f:
        text = f.read()
    cpu = open("/proc/cpuinfo").read().split("flags", 1)[-1].split("\n", 1)[0]
    name = hashlib.sha256(text + cpu.encode()).hexdigest()[:16]
    library = os.path.join(tempfile.gettempdir(), "faces-kernels-%s.so" % name)
    if not os.path.exists(library):
        part = "%s.%d" % (library, os.getpid())
        command = ["gcc", "-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp", "-shared",
                   "-fPIC", "-o", part, source]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            return None
        os.replace(part, library)
    return ctypes.CDLL(library)


_kernels = None


def kernels():
    global _kernels
    if _kernels is None:
        _kernels = _compile() or False
    return _kernels


def _pointer(t):
    return ctypes.c_void_p(t.data_ptr() if t is not None else None)


def _nhwc(t):
    return None if t is None else t.contiguous(memory_format=torch.channels_last)


class FusedActivation(torch.autograd.Function):
    """kernels.c as an autograd function: (y, d, b, s, r) -> (x, xs, rgb)."""

    @staticmethod
    def forward(ctx, y, d, b, s, r, up, want_x):
        y = _nhwc(y)
        d, b = d.contiguous(), b.contiguous()
        s = None if s is None else s.contiguous()
        r = None if r is None else r.contiguous()
        n, c4, h, w = y.shape
        c = c4 // 4 if up else c4
        if up:
            h, w = 2 * h, 2 * w
        new = lambda: torch.empty((n, c, h, w), dtype=torch.bfloat16, memory_format=torch.channels_last)
        x = new() if want_x else None
        xs = new() if s is not None else None
        rgb = torch.empty((n, 3, h, w), memory_format=torch.channels_last) if r is not None else None
        kernels().act_forward(*[ctypes.c_long(v) for v in (n, h, w, c)], int(up), _pointer(y), _pointer(d),
                              _pointer(b), _pointer(s), _pointer(r), _pointer(x), _pointer(xs), _pointer(rgb))
        ctx.save_for_backward(y, d, b, s, r)
        ctx.up = up
        return x, xs, rgb

    @staticmethod
    def backward(ctx, gx, gxs, grgb):
        y, d, b, s, r = ctx.saved_tensors
        n, c4, h, w = y.shape
        c = c4 // 4 if ctx.up else c4
        if ctx.up:
            h, w = 2 * h, 2 * w
        gx, gxs, grgb = _nhwc(gx), _nhwc(gxs), _nhwc(grgb)
        gy = torch.empty_like(y)
        gd, gb = torch.zeros_like(d), torch.zeros_like(d)
        gs = torch.zeros_like(s) if s is not None and gxs is not None else None
        gr = torch.zeros_like(r) if r is not None and grgb is not None else None
        kernels().act_backward(*[ctypes.c_long(v) for v in (n, h, w, c)], int(ctx.up), _pointer(y), _pointer(d),
                               _pointer(b), _pointer(s), _pointer(r), _pointer(gx), _pointer(gxs), _pointer(grgb),
                               _pointer(gy), _pointer(gd), _pointer(gb), _pointer(gs), _pointer(gr))
        return gy, gd, gb.sum(0), gs, gr, None, None


def plain_activation(y, d, b, s, r, up, want_x):
    """The same pass in torch operations, for a GPU or float32."""
    if up:
        n, c4, h, w = y.shape
        c = c4 // 4
        y = y.reshape(n, 2, 2, c, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c, 2 * h, 2 * w)
        if y.is_cuda:
            y = y.contiguous(memory_format=torch.channels_last)
    x = F.leaky_relu(torch.addcmul(b[None, :, None, None].to(y.dtype), y, d[:, :, None, None].to(y.dtype)), 0.2)
    xs = x * s[:, :, None, None].to(x.dtype) if s is not None else None
    rgb = None
    if r is not None:
        n, c, h, w = x.shape
        rgb = torch.einsum("nkc,nchw->nkhw", r, x.float())
    return x, xs, rgb


# ---------------------------------------------------------------------------------------------------------------------
# Layers


class Mapping(nn.Module):
    """z [n, z_dim] -> w [n, w_dim]: pixel norm, then fully connected layers with leaky ReLU times sqrt 2.

    The first `named` coordinates of the normalised z are the render parameters. Two layers start so that
    w holds leaky_relu(z_i) and leaky_relu(-z_i) of every one of them: the affine layers can then read each
    parameter linearly (and its absolute value) from the first step on.
    """

    def __init__(self, z_dim, w_dim, layers=2, named=0):
        super().__init__()
        self.z_dim, self.w_dim, self.count = z_dim, w_dim, layers
        for i in range(layers):
            self.add_module("fc%d" % i, nn.Linear(z_dim if i == 0 else w_dim, w_dim))
        self.register_buffer("w_avg", torch.zeros(w_dim))
        with torch.no_grad():
            for i in range(layers):
                fc = getattr(self, "fc%d" % i)
                fc.weight.normal_(0, 1 / math.sqrt(fc.in_features))
                fc.bias.zero_()
            if named and layers == 2 and 2 * named <= w_dim:
                p = named
                self.fc0.weight.mul_(math.sqrt(z_dim / p) * 0.7)
                self.fc0.weight[:, p:] = 0
                self.fc0.weight[:2 * p] = 0
                eye = torch.arange(p)
                self.fc0.weight[eye, eye] = 1
                self.fc0.weight[p + eye, eye] = -1
                self.fc1.weight[:2 * p] = 0
                half = 1 / (1.2 * SQRT2)  # leaky(z) - leaky(-z) = 1.2 z
                self.fc1.weight[eye, eye] = half
                self.fc1.weight[eye, p + eye] = -half
                self.fc1.weight[p + eye, eye] = -half
                self.fc1.weight[p + eye, p + eye] = half
                # the rest of w: random features of the random features
                self.fc1.weight[2 * p:] *= 0.7

    @torch.no_grad()
    def bend(self, knots, units, dims):
        """Gives first-layer units and dimensions of w, as many as there are knots, to functions of single parameters:
        [(index, quantiles, bump)]. A ramp is leaky_relu(z_i - t), or its mirror image below the median; a bump is 1 at its
        quantile and falls to 0 at its neighbours; the outermost two are ramps."""
        normal = torch.distributions.Normal(0.0, 1.0)
        at = 0
        for index, quantiles, bump in knots:
            t = normal.icdf(torch.tensor(quantiles))
            for k, q in enumerate(t.tolist()):
                u, d = units[at + k], dims[at + k]
                sign = -1.0 if not bump and q < 0 else 1.0
                self.fc0.weight[u] = 0
                self.fc0.weight[u, index] = sign
                self.fc0.bias[u] = -sign * q
                self.fc1.weight[d], self.fc1.bias[d] = 0, 0
                self.fc1.weight[d, u] = 0.5
                if bump and 0 < k < len(t) - 1:  # the second difference of three ramps; 0.8: the bend of leaky_relu
                    left, right = q - float(t[k - 1]), float(t[k + 1]) - q
                    self.fc1.weight[d, u] = -(1 / left + 1 / right) / 1.6
                    self.fc1.weight[d, units[at + k - 1]] = 1 / left / 1.6
                    self.fc1.weight[d, units[at + k + 1]] = 1 / right / 1.6
            at += len(t)

    def forward(self, z):
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + EPS)
        for i in range(self.count):
            x = F.leaky_relu(getattr(self, "fc%d" % i)(x), 0.2) * SQRT2
        return x


def _affine(w_dim, channels):
    fc = nn.Linear(w_dim, channels)
    with torch.no_grad():
        fc.weight.normal_(0, 0.5 / math.sqrt(w_dim))
        fc.bias.fill_(1)
    return fc


class Layer(nn.Module):
    """Parameters of one 3x3 modulated convolution with demodulation, bias and leaky ReLU."""

    def __init__(self, w_dim, cin, cout, up):
        super().__init__()
        self.up = up
        self.affine = _affine(w_dim, cin)
        self.weight = nn.Parameter(torch.randn(cout, cin, 3, 3) / math.sqrt(cin * 9))
        self.bias = nn.Parameter(torch.zeros(cout))


class ToRGB(nn.Module):
    """Parameters of the 1x1 modulated convolution to RGB (not demodulated)."""

    def __init__(self, w_dim, cin, scale=1.0):
        super().__init__()
        self.affine = _affine(w_dim, cin)
        self.weight = nn.Parameter(torch.randn(3, cin, 1, 1) * (scale / math.sqrt(cin)))
        self.bias = nn.Parameter(torch.zeros(3))


class Block(nn.Module):
    def __init__(self, w_dim, cin, cout, first):
        super().__init__()
        if first:
            self.const = nn.Parameter(torch.randn(cout, 4, 4))
        else:
            self.conv0 = Layer(w_dim, cin, cout, True)
        self.conv1 = Layer(w_dim, cout, cout, False)
        self.torgb = ToRGB(w_dim, cout, 0.3 if first else 0.0)


class Synthesis(nn.Module):
    """ws [n, rows, w_dim] -> image [n,3,R,R], nominal range [-1, 1], and the feature maps of all 3x3 layers."""

    def __init__(self, resolution, channels, w_dim, half=False):
        super().__init__()
        self.resolution, self.channels, self.w_dim, self.half = resolution, dict(channels), w_dim, half
        self.rows = rows_for(resolution)
        self.resolutions = [2 ** i for i in range(2, int(math.log2(resolution)) + 1)]
        for r in self.resolutions:
            self.add_module("b%d" % r, Block(w_dim, channels.get(r // 2), channels[r], r == 4))
        self.register_buffer("phases", phase_matrix(), persistent=False)

    def layers(self, top):
        """(resolution, layer, W+ row, toRGB or None, its row) in order of execution."""
        row = 0
        for r in self.resolutions:
            if r > top:
                return
            b = getattr(self, "b%d" % r)
            if r > 4:
                yield r, b.conv0, row, None, None
                row += 1
            yield r, b.conv1, row, b.torgb, row + 1
            row += 1

    def forward(self, ws, top=None, features=0):
        """top: highest resolution to compute. features: keep the maps of resolutions up to this."""
        top = top or self.resolution
        half = self.half
        n = ws.shape[0]
        plan = list(self.layers(top))
        style = [l.affine(ws[:, row]) for _, l, row, _, _ in plan]
        fused = half and not ws.is_cuda and kernels()
        const = self.b4.const
        xs = const[None] * style[0][:, :, None, None]
        if half:
            xs = xs.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        maps, img = [], None
        for i, (r, layer, _, torgb, rgb_row) in enumerate(plan):
            w = layer.weight
            d = SQRT2 * torch.rsqrt(style[i].square() @ w.square().sum((2, 3)).t() + EPS)
            if layer.up:
                o, c = w.shape[:2]
                w = (w.reshape(o * c, 9) @ self.phases).reshape(o, c, 4, 3, 3).permute(2, 0, 1, 3, 4)
                w = w.reshape(4 * o, c, 3, 3)
            if half:
                w = w.to(torch.bfloat16)
                if ws.is_cuda:
                    w = w.contiguous(memory_format=torch.channels_last)
            y = F.conv2d(xs, w, padding=1)
            s = style[i + 1] if i + 1 < len(plan) else None
            rgb_w = None
            if torgb is not None:
                rgb_w = torgb.weight[None, :, :, 0, 0] * torgb.affine(ws[:, rgb_row])[:, None, :]
            act = FusedActivation.apply if fused else plain_activation
            x, xs, rgb = act(y, d, SQRT2 * layer.bias, s, rgb_w, layer.up, r <= features)
            if r <= features:
                maps.append(x)
            if torgb is not None:
                rgb = rgb + torgb.bias[None, :, None, None]
                img = rgb if img is None else rgb + upsample2(img)
        return img, maps


class Generator(nn.Module):
    def __init__(self, resolution, channels, z_dim=256, w_dim=256, mapping_layers=2, named=0, half=False):
        super().__init__()
        self.config = dict(resolution=resolution, channels={int(k): v for k, v in channels.items()}, z_dim=z_dim,
                           w_dim=w_dim, mapping_layers=mapping_layers, named=named)
        self.mapping = Mapping(z_dim, w_dim, mapping_layers, named)
        self.synthesis = Synthesis(resolution, self.config["channels"], w_dim, half)

    def forward(self, z, top=None, features=0):
        w = self.mapping(z)
        return self.synthesis(w[:, None].expand(-1, self.synthesis.rows, -1), top, features)


# ---------------------------------------------------------------------------------------------------------------------
# The published layout


def standard_state(generator, resolution=None):
    """State dict with NVIDIA's (ADA) names, stored values as public code expects them: fully connected and
    convolution weights divided by their run-time gain 1/sqrt(fan_in), the mapping's by the learning-rate factor 0.01 too.
    Public code of either kind (with or without the gain on demodulated weights) then reproduces the pictures."""
    out = {}
    top = resolution or generator.synthesis.resolution
    for name, v in generator.state_dict().items():
        v = v.detach().float().cpu()
        part = name.split(".")
        if part[0] == "synthesis" and part[1].startswith("b") and int(part[1][1:]) > top:
            continue
        if name == "mapping.w_avg" or part[-1] == "const":
            pass
        elif part[0] == "mapping":
            v = v * (100 * math.sqrt(v.shape[1])) if part[-1] == "weight" else v * 100
        elif part[-1] == "weight":
            v = v * math.sqrt(v[0].numel())
        out[name] = v.contiguous()
    return out


def from_standard(state, config):
    """The inverse of standard_state: a Generator with these weights."""
    g = Generator(**config)
    own = {}
    for name, v in state.items():
        part = name.split(".")
        if name == "mapping.w_avg" or part[-1] == "const" or (part[0] != "mapping" and part[-1] == "bias"):
            own[name] = v
        elif part[0] == "mapping":
            own[name] = v / (100 * math.sqrt(v.shape[1])) if part[-1] == "weight" else v / 100
        else:
            own[name] = v / math.sqrt(v[0].numel())
    g.load_state_dict(own)
    return g
