#!/usr/bin/env python3
"""Three small networks that look at pictures.

    python3 readings.py perceptual --data DIR --heldout DIR --out perceptual.safetensors --minutes 6
    python3 readings.py readings   --data DIR --heldout DIR --out readings.safetensors   --minutes 12
    python3 readings.py identity   --data DIR --heldout DIR --out identity.safetensors   --minutes 12

All regress what the renderer was told from the picture, under mirroring, small shifts, blur, noise and colour jitter.
Of the first one only the features are used: as a perceptual distance like LPIPS (unit length over channels, squared difference), each
compared layer weighted so that it contributes equally and two random faces are at distance 1. The other two should be
trained on a data set of another seed than generator and perceptual network. The readings tell attributes (smile, gaze, openness of
eyes and mouth ...); the identity network is only asked for what belongs to a person, whatever the expression, the pose and the light.

Files of readings and identity: like perceptual.safetensors (package engine/model), format "latentbrush-readings". The input
is the picture box-averaged to "size" pixels; the map after the last layer is flattened as [channel, row, column] and goes
through fc.weight [outputs, in] and fc.bias. "outputs" lists name, identity (part of the person or not), r2, the share of variance
explained on held-out pictures, mean and deviation: a reading r says that the attribute is mean + deviation r, in the
units of the renderer for the two that the renderer derives, else with 0 and 1 for the ends of its range. A presence
(glasses, closed eyes) counts as it is drawn, 0 for absent.
"""

import argparse
import json
import math
import os
import sys
import time

from train import ENVIRONMENT

if __name__ == "__main__" and any(k not in os.environ for k in ENVIRONMENT):
    os.environ.update({k: v for k, v in ENVIRONMENT.items() if k not in os.environ})
    os.execv(sys.executable, [sys.executable] + sys.argv)

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import export
import optimisers
from pictures import THRESHOLDS, Pictures

# What does not belong to a person: expression, pose, light, surroundings.
PASSING = ("smile", "mouth_open", "brow_raise", "brow_frown", "gaze_x", "gaze_y", "eye_close", "pupil_size", "yaw", "pitch",
           "roll", "light_", "background_", "bg_", "cloth", "collar")
# What changes its sign in the mirror, taken from the middle of its range.
ODD = ("yaw", "gaze_x", "light_x", "hair_part")
# What can be seen although the parameters behind it cannot be told apart: how high the brows are and how far the lids are
# apart, in half picture widths.
DERIVED = ("brow_position", "eye_opening")
# Layers: channels of a 3x3 convolution with ReLU, 0 for averaging 2x2 squares, -channels for a convolution of stride 2.
LOOK = [-24, -48, 64, 0, 96, 0, 96, 96, 0, 128]
CHAINS = {"perceptual": (256, [16, 0, 32, 0, 64, 0, 96, 0, 128, 0, 128, 0]),
          "readings": (256, LOOK),
          # part of every step of an edit, so it looks at less
          "identity": (128, [-32, -64, 96, 0, 128, 128, 0, 128])}
TAPS = 5


class Network(nn.Module):
    def __init__(self, kind, outputs):
        super().__init__()
        self.kind = kind
        self.size, self.chain = CHAINS[kind]
        self.convs = nn.ModuleList()
        c, s = 3, self.size
        for k in self.chain:
            if k:
                conv = nn.Conv2d(c, abs(k), 3, padding=1, stride=2 if k < 0 else 1)
                nn.init.kaiming_normal_(conv.weight)
                nn.init.zeros_(conv.bias)
                self.convs.append(conv)
                c = abs(k)
            if k <= 0:
                s //= 2
        self.fc = nn.Linear(c * s * s, outputs)
        nn.init.normal_(self.fc.weight, 0, 0.1 / math.sqrt(c * s * s))
        nn.init.zeros_(self.fc.bias)
        self.taps = None

    def maps(self, x):
        """Outputs of every convolution, and the last map."""
        out, i = [], 0
        for k in self.chain:
            if k:
                x = F.relu(self.convs[i](x))
                out.append(x)
                i += 1
            elif x.shape[-1] > 1:  # smaller pictures than it was made for still give features
                x = F.avg_pool2d(x, 2)
        return out, x

    def forward(self, x):
        return self.fc(self.maps(x)[1].float().flatten(1))

    def pooled(self, x):
        """[n, d]: mean and standard deviation of the compared layers, for distances between sets of pictures."""
        maps = self.maps(x)[0][-3:]
        return torch.cat([f(m) for m in maps for f in (lambda m: m.mean((2, 3)), lambda m: m.var((2, 3), unbiased=False).sqrt())], 1)

    def compared(self, x):
        out = []
        for m in self.maps(x)[0][:TAPS]:
            m = m.float()
            out.append(m * torch.rsqrt(m.square().sum(1, keepdim=True) + 1e-10))
        return out

    def distances(self, a, b):
        """[layers, n]: the unweighted distance of every compared layer."""
        return torch.stack([(p - q).square().sum(1).mean((1, 2)) for p, q in zip(self.compared(a), self.compared(b))])

    def metadata(self):
        layers, i = [], 0
        for k in self.chain:
            if k:
                layers.append({"conv": "conv%d" % i})
                if k < 0:
                    layers[-1]["stride"] = 2
                if self.kind == "perceptual":
                    if i >= TAPS:
                        break
                    layers[-1]["tap"] = "lin%d" % i
                i += 1
            else:
                layers.append({"pool": 2})
        while "pool" in layers[-1] and self.kind == "perceptual":
            layers.pop()
        kind = "perceptual" if self.kind == "perceptual" else "readings"
        return {"format": "latentbrush-" + kind, "version": "1", "shift": "[0,0,0]", "scale": "[0.5,0.5,0.5]",
                "layers": json.dumps(layers)}

    def tensors(self):
        out = {}
        for i, conv in enumerate(self.convs):
            out["conv%d.weight" % i], out["conv%d.bias" % i] = conv.weight, conv.bias
        out["fc.weight"], out["fc.bias"] = self.fc.weight, self.fc.bias
        return out


def load(path):
    """A network from its file."""
    tensors, metadata = export.read_safetensors(path)
    net = Network(metadata["format"].split("-", 1)[1], tensors["fc.bias"].shape[0])
    for i, conv in enumerate(net.convs):
        conv.weight.data, conv.bias.data = tensors["conv%d.weight" % i], tensors["conv%d.bias" % i]
    net.fc.weight.data, net.fc.bias.data = tensors["fc.weight"], tensors["fc.bias"]
    return net


def inputs(x):
    """Pictures in [-1, 1] as the chain sees them (scale 0.5)."""
    return x * 2


def jitter(x, rng):
    """Blur, noise, brightness and contrast, each on some of the batches."""
    if rng.random() < 0.4:
        k = int(rng.choice([2, 4]))
        small = F.avg_pool2d(x, k)
        soft = F.interpolate(small, size=x.shape[-2:], mode="bilinear", align_corners=False)
        x = x + (soft - x) * float(rng.random())
    if rng.random() < 0.4:
        x = x + torch.randn_like(x) * (0.12 * float(rng.random()))
    if rng.random() < 0.3:
        x = x * (1 + 0.2 * float(rng.random() - 0.5)) + 0.1 * float(rng.random() - 0.5)
    return x


def targets(kind, z, parameters):
    """What a network of this kind shall say [n, outputs], and the names of it, before standardisation: each parameter as it
    is drawn, from 0 to 1. The perceptual network regresses the plain parameters, uniform with variance 1."""
    phi = 0.5 * (1 + torch.erf(z[:, :len(parameters)].clamp(-2.5, 2.5) / math.sqrt(2)))
    if kind == "perceptual":
        return torch.erf(z[:, :len(parameters)] / math.sqrt(2)) * math.sqrt(3), list(parameters)
    columns = {}
    for i, name in enumerate(parameters):
        v = phi[:, i]
        if name in THRESHOLDS:
            v = ((v - THRESHOLDS[name]) / (1 - THRESHOLDS[name])).clamp(0, 1)
            v = v * v * (3 - 2 * v)
        columns[name] = v
    raised = 1.35 * columns["brow_raise"] - 0.35
    columns["brow_position"] = 0.185 + 0.045 * columns["brow_height"] + 0.042 * raised - 0.012 * columns["eye_close"]
    size, aspect = 0.145 + 0.025 * columns["eye_size"], 0.38 + 0.16 * columns["eye_round"]
    columns["eye_opening"] = size * aspect * (1 + 0.1 * raised) * (1 - columns["eye_close"])
    names = [n for n in columns if kind != "identity" or not n.startswith(PASSING + DERIVED)]
    return torch.stack([columns[n] for n in names], 1), names


def mirror(x, z, parameters, rng):
    """Half of the batches mirrored, all moved by a few pixels."""
    if rng.random() < 0.5:
        z = z.clone()
        for name in ODD:
            z[:, parameters.index(name)] *= -1
        x = x.flip(3)
    dx, dy = (int(v) for v in rng.integers(-3, 4, 2))
    h, w = x.shape[2:]
    return F.pad(x, (3, 3, 3, 3), mode="replicate")[:, :, 3 + dy:3 + dy + h, 3 + dx:3 + dx + w], z


@torch.no_grad()
def explained(net, pictures, mean, deviation, count=512):
    """Share of each target's variance that the output explains (R squared) on held-out pictures."""
    net.eval()
    got, want = [], []
    for a in range(0, min(count, pictures.done), 16):
        index = list(range(a, min(a + 16, pictures.done)))
        device = net.fc.weight.device
        got.append(net(inputs(pictures.images(net.size, index).to(device))).cpu())
        want.append((targets(net.kind, pictures.z[index], pictures.parameters)[0] - mean) / deviation)
    net.train()
    got, want = torch.cat(got), torch.cat(want)
    return (1 - (got - want).square().mean(0) / want.var(0, unbiased=False)).tolist()


def train(kind, pictures, heldout, minutes, batch=16, lr=1.5e-3, device="cpu", seed=0):
    torch.manual_seed(seed)
    z = pictures.z[:pictures.done].clone()
    flipped = z.clone()
    flipped[:, [pictures.parameters.index(n) for n in ODD]] *= -1
    aims, names = targets(kind, torch.cat([z, flipped]), pictures.parameters)
    mean, deviation = aims.mean(0), aims.std(0, unbiased=False)
    net = Network(kind, len(names)).to(device)
    average = {k: v.clone() for k, v in net.state_dict().items()}
    wide = [q for q in net.parameters() if q.dim() > 1]
    optimiser = optimisers.Muon([dict(params=[q for q in net.parameters() if q.dim() == 1]),
                                 dict(params=wide, muon=True, scale=2.0)], lr=lr)
    rng = np.random.default_rng(seed)
    began, steps, recent, spoken = time.time(), 0, [], 0
    while time.time() - began < minutes * 60:
        f = (time.time() - began) / (minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1, (steps + 1) / 50) * min(1, 1.6 * (1 - f)) + 1e-6
        z, x, _ = pictures.batch(net.size, batch, rng)
        x, z = mirror(x.to(device), z.to(device), pictures.parameters, rng)
        x = inputs(jitter(x, rng))
        if device == "cpu":
            x = x.contiguous(memory_format=torch.channels_last)
        aim = (targets(kind, z, pictures.parameters)[0] - mean.to(device)) / deviation.to(device)
        with torch.autocast("cuda" if device.startswith("cuda") else "cpu", dtype=torch.bfloat16):
            error = (net(x).float() - aim).square()
        # A rare presence is many deviations away: beyond two, the error counts linearly.
        loss = torch.where(error < 4, error, 4 * error.clamp(min=4).sqrt() - 4).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        steps += 1
        with torch.no_grad():
            for k, v in net.state_dict().items():
                average[k].lerp_(v, max(1 / steps, 0.01))
        recent.append(loss.item())
        if time.time() - spoken > 30:
            spoken = time.time()
            pictures.refresh()
            print("step %d  unexplained %.3f  %.0f s  %d pictures" % (steps, np.mean(recent[-100:]), time.time() - began,
                                                                    pictures.done), flush=True)
    net.load_state_dict(average)
    return net, steps, names, mean, deviation


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("kind", choices=sorted(CHAINS))
    p.add_argument("--data", required=True)
    p.add_argument("--heldout", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--minutes", type=float, default=6)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--device", default="cpu")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    pictures, heldout = Pictures(args.data), Pictures(args.heldout)
    net, steps, names, mean, deviation = train(args.kind, pictures, heldout, args.minutes, device=args.device)
    r2 = explained(net, heldout, mean, deviation)
    net = net.cpu().eval()
    print("%s: %d steps of 16, mean R2 %.3f" % (args.kind, steps, np.mean(r2)))
    print("  ".join("%s %.2f" % (n, v) for n, v in zip(names, r2)))
    facts, tensors = net.metadata(), net.tensors()
    facts["r2"] = "%.4f" % np.mean(r2)
    if args.kind == "perceptual":
        facts["name"] = "faces-regressor"
        with torch.no_grad():
            x = inputs(heldout.images(net.size, list(range(32))))
            mean = net.distances(x[:16], x[16:]).mean(1)
        print("distance of random faces by layer, before weighting:", [round(float(v), 4) for v in mean])
        for i, v in enumerate(mean):
            tensors["lin%d.weight" % i] = torch.full((net.convs[i].out_channels,), 1 / (TAPS * float(v)))
    else:
        facts["name"] = "faces-" + args.kind
        facts["size"] = str(net.size)
        facts["outputs"] = json.dumps([
            {"name": n, "identity": not n.startswith(PASSING + DERIVED), "r2": round(v, 3), "mean": round(float(m), 5),
             "deviation": round(float(d), 5)} for n, v, m, d in zip(names, r2, mean, deviation)])
    export.write_safetensors(args.out, {k: v.detach().half() for k, v in tensors.items()}, facts)


if __name__ == "__main__":
    main()
