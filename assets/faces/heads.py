#!/usr/bin/env python3
"""Segmentation heads on a frozen generator.

    python3 heads.py --checkpoint RUN/checkpoint.pt --data DIR --heldout DIR --out FILE.safetensors
                     [--hidden 64,32] [--minutes 6] [--pairs N] [--resolution R]

The head is EditGAN's: every feature map goes through the first linear layer, the sums are enlarged to the
picture, then ReLU, batch normalisation and further linear layers per pixel. The first layer runs at each map's own
resolution (exact for any linear enlargement); "progressive" enlarges running sums by x2 steps. --pairs 16 trains on that
many labelled pictures only.
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
from pictures import Pictures


class Head(nn.Module):
    """Features of every resolution -> logits [n,K,R,R]. hidden = [] is the linear head."""

    def __init__(self, channels, hidden, classes, upsample="progressive"):
        super().__init__()
        self.plan = [("b4.const", 4, channels[4])]
        for r, c in channels.items():
            self.plan += [("b%d.conv%d" % (r, k), r, c) for k in ((1,) if r == 4 else (0, 1))]
        self.upsample, self.hidden, self.classes = upsample, list(hidden), classes
        sizes = [sum(c for _, _, c in self.plan)] + self.hidden + [classes]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for a, b in zip(sizes, sizes[1:]):
            self.weights.append(nn.Parameter(torch.randn(b, a) * math.sqrt((2.0 if b != classes else 1.0) / a) * 0.5))
            self.biases.append(nn.Parameter(torch.zeros(b)))
        self.norms = nn.ModuleList(nn.BatchNorm2d(h) for h in self.hidden)

    def forward(self, maps, window=None):
        """maps: [const] + the synthesis network's list. window = (y, x): only the half-sized square whose corner
        lies at (y, x) sixteenths of the picture (0 to 8), for training; progressive only."""
        weight, at, total, size = self.weights[0], 0, None, 4
        top = self.plan[-1][1]
        margin = None  # rows above, below, columns left, right of the window that are kept for the enlargement
        if window is not None:
            margin = [int(window[0] > 0), int(window[0] < 8), int(window[1] > 0), int(window[1] < 8)]
        for (_, r, c), m in zip(self.plan, maps):
            w = weight[:, at:at + c, None, None].to(m.dtype)
            at += c
            if margin and r > 16:
                k = r // 16
                m = m[:, :, window[0] * k - margin[0]:(window[0] + 8) * k + margin[1],
                      window[1] * k - margin[2]:(window[1] + 8) * k + margin[3]]
            y = F.conv2d(m, w).float()
            if self.upsample == "bilinear":
                y = y if r == top else F.interpolate(y, size=(top, top), mode="bilinear", align_corners=False)
                total = y if total is None else total + y
                continue
            if r != size:
                if margin and size == 16:
                    total = total[:, :, window[0] - margin[0]:window[0] + 8 + margin[1],
                                  window[1] - margin[2]:window[1] + 8 + margin[3]]
                total = F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=False)
                size = r
                if margin and size > 16:
                    h, v = total.shape[-2:]
                    total = total[:, :, margin[0]:h - margin[1], margin[2]:v - margin[3]]
            total = y if total is None else total + y
        if margin:
            h, v = total.shape[-2:]
            total = total[:, :, margin[0]:h - margin[1], margin[2]:v - margin[3]]
        x = total + self.biases[0][None, :, None, None]
        for i in range(len(self.hidden)):
            x = self.norms[i](F.relu(x))
            x = F.conv2d(x, self.weights[i + 1][:, :, None, None], self.biases[i + 1])
        return x

    def tensors(self):
        out = {}
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            out["layers.%d.weight" % i], out["layers.%d.bias" % i] = w[None], b[None]
            if i < len(self.hidden):
                n = self.norms[i]
                for k in ("weight", "bias", "running_mean", "running_var"):
                    out["layers.%d.norm.%s" % (i, k)] = getattr(n, k)[None]
        return out

    def metadata(self):
        return {"format": "latentbrush-segmentation", "version": "1", "members": "1", "hidden": json.dumps(self.hidden),
                "classes": str(self.classes), "features": json.dumps([p[0] for p in self.plan]),
                "upsample": self.upsample}


def from_file(path, channels):
    """The head of a segmentation.safetensors with one member, for a generator with these channels."""
    tensors, facts = export.read_safetensors(path)
    head = Head(channels, json.loads(facts["hidden"]), int(facts["classes"]), facts["upsample"])
    for i in range(len(head.weights)):
        head.weights[i].data, head.biases[i].data = tensors["layers.%d.weight" % i][0], tensors["layers.%d.bias" % i][0]
        if i < len(head.hidden):
            for k in ("weight", "bias", "running_mean", "running_var"):
                getattr(head.norms[i], k).data.copy_(tensors["layers.%d.norm.%s" % (i, k)][0])
    return head.eval()


@torch.no_grad()
def features(g, z):
    """(picture, [const] + maps) of a batch."""
    img, maps = g(z, None, g.synthesis.resolution)
    const = g.synthesis.b4.const[None].to(maps[0].dtype).expand(z.shape[0], -1, -1, -1)
    return img, [const] + list(maps)


@torch.no_grad()
def miou(head, g, pictures, count=256, batch=8):
    """DatasetGAN's definition: intersections and unions summed over all pictures, IoU = I/(1e-8+U) per class,
    mean over all class ids. Returns the mean, the list, and the pixel accuracy."""
    head.eval()
    k, size = len(pictures.classes), g.synthesis.resolution
    inter, union = torch.zeros(k, dtype=torch.float64), torch.zeros(k, dtype=torch.float64)
    right = total = 0
    for a in range(0, min(count, pictures.done), batch):
        index = list(range(a, min(a + batch, count, pictures.done)))
        truth = pictures.labels(size, index)
        device = g.mapping.w_avg.device
        got = head(features(g, pictures.z[index].to(device))[1]).argmax(1).cpu()
        table = torch.bincount((truth * k + got).flatten(), minlength=k * k).reshape(k, k).double()
        inter += table.diag()
        union += table.sum(0) + table.sum(1) - table.diag()
        right += int(table.diag().sum())
        total += truth.numel()
    head.train()
    iou = inter / (1e-8 + union)
    return iou.mean().item(), iou.tolist(), right / total


def balance(pictures, size, index):
    """Class weights of the cross-entropy: one over the square root of the class's share, mean 1 over pixels."""
    k = len(pictures.classes)
    share = torch.bincount(pictures.labels(size, index).flatten(), minlength=k).float()
    share = share / share.sum()
    w = 1 / (share + 1e-5).sqrt()
    w[share == 0] = 0
    return w / (w * share).sum()


def train(g, pictures, hidden, minutes, pairs=0, batch=4, lr=4e-3, upsample="progressive", quiet=False, seed=0):
    """The head after `minutes` of training on all pictures or on the first `pairs`."""
    torch.manual_seed(seed)
    size = g.synthesis.resolution
    device = g.mapping.w_avg.device
    head = Head(g.config["channels"], hidden, len(pictures.classes), upsample).to(device)
    optimiser = torch.optim.Adam(head.parameters(), lr=lr, betas=(0.9, 0.99))
    rng = np.random.default_rng(seed)
    count = pairs or pictures.done
    weight = balance(pictures, size, list(range(min(count, 400)))).to(device)
    cache = {}
    began, steps, mean = time.time(), 0, []
    while time.time() - began < minutes * 60:
        f = (time.time() - began) / (minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = lr * min(1, (steps + 1) / 20) * (1 - f) + 1e-6
        index = np.sort(rng.choice(count, min(batch, count), replace=False))
        if pairs:  # the few-shot set is small: keep its features
            for i in index:
                if i not in cache:
                    cache[i] = [m.clone() for m in features(g, pictures.z[[i]].to(device))[1]]
            maps = [torch.cat(m) for m in zip(*[cache[i] for i in index])]
        else:
            maps = features(g, pictures.z[index].to(device))[1]
        labels, window = pictures.labels(size, index).to(device), None
        if size >= 128 and upsample == "progressive" and not pairs:
            window = tuple(int(v) for v in rng.integers(0, 9, 2))
            k = size // 16
            labels = labels[:, window[0] * k:(window[0] + 8) * k, window[1] * k:(window[1] + 8) * k]
        loss = F.cross_entropy(head(maps, window), labels, weight=weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        steps += 1
        mean.append(loss.item())
        if not quiet and steps % 50 == 0:
            print("step %d  loss %.4f  %.0f s" % (steps, np.mean(mean[-50:]), time.time() - began), flush=True)
    return head.eval(), steps


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--heldout", required=True)
    p.add_argument("--out")
    p.add_argument("--hidden", default="64,32", help="sizes of the hidden layers; empty: linear head")
    p.add_argument("--upsample", default="progressive", choices=("progressive", "bilinear"))
    p.add_argument("--minutes", type=float, default=6)
    p.add_argument("--pairs", type=int, default=0)
    p.add_argument("--resolution", type=int)
    p.add_argument("--count", type=int, default=256, help="held-out pictures of the mIoU")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--device", default="cpu")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    pictures, heldout = Pictures(args.data), Pictures(args.heldout)
    g, _ = export.load_generator(args.checkpoint, args.resolution, half=True)
    g = g.to(args.device)
    hidden = [int(h) for h in args.hidden.split(",") if h]
    head, steps = train(g, pictures, hidden, args.minutes, args.pairs, upsample=args.upsample)
    mean, iou, accuracy = miou(head, g, heldout, args.count)
    print("head %s, %d steps, %s: mIoU %.3f, pixel accuracy %.3f on %d held-out pictures"
          % (hidden, steps, "%d pairs" % args.pairs if args.pairs else "%d pictures" % pictures.done, mean, accuracy,
             args.count))
    print("  ".join("%s %.2f" % (c, v) for c, v in zip(pictures.classes, iou)))
    if args.out:
        facts = dict(head.metadata(), miou="%.4f" % mean)
        export.write_safetensors(args.out, {k: v.float() for k, v in head.tensors().items()}, facts)


if __name__ == "__main__":
    main()
