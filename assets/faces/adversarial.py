#!/usr/bin/env python3
"""Adversarial stage: sharpen a regression-trained generator against a discriminator, keeping the meaning of its latent.

    python3 adversarial.py --start RUN/checkpoint.pt --data DIR --heldout DIR --out DIR --minutes 9 [--device cuda]

Non-saturating logistic loss, R1 penalty every 16th step, mirrored residual discriminator, exponential moving average. The
regression loss and the label loss stay as an anchor whose weight falls from 1 to --anchor over the first half: z keeps
meaning the render parameters. Goes on from DIR/adversarial.pt if that exists.
"""

import argparse
import copy
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

import objectives
import sheets
import stylegan2
from pictures import Pictures


class Equal(nn.Module):
    """Convolution (or, with kernel 0, fully connected layer) with equalised learning rate."""

    def __init__(self, cin, cout, kernel, bias=True):
        super().__init__()
        shape = (cout, cin, kernel, kernel) if kernel else (cout, cin)
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(cout)) if bias else None
        self.gain = 1 / math.sqrt(cin * max(kernel, 1) ** 2)

    def forward(self, x):
        w, b = self.weight * self.gain, self.bias
        if w.dim() == 2:
            return F.linear(x, w, b)
        return F.conv2d(x, w, b, padding=w.shape[-1] // 2)


def halve(x):
    """[1,3,3,1] filter, then every second pixel."""
    c = x.shape[1]
    k = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) / 8
    k = torch.outer(k, k)[None, None].expand(c, 1, 4, 4)
    return F.conv2d(x, k, stride=2, padding=1, groups=c)


def lrelu(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class Discriminator(nn.Module):
    """Residual blocks mirroring the generator's table, minibatch standard deviation at 4x4."""

    def __init__(self, channels, size, group=4):
        super().__init__()
        self.size, self.group = size, group
        self.rgb = Equal(3, channels[size], 1)
        self.resolutions = [r for r in sorted(channels, reverse=True) if 4 < r <= size]
        for r in self.resolutions:
            self.add_module("a%d" % r, Equal(channels[r], channels[r], 3))
            self.add_module("b%d" % r, Equal(channels[r], channels[r // 2], 3))
            self.add_module("s%d" % r, Equal(channels[r], channels[r // 2], 1, bias=False))
        c = channels[4]
        self.last = Equal(c + 1, c, 3)
        self.fc = Equal(c * 16, c, 0)
        self.out = Equal(c, 1, 0)

    def forward(self, x):
        x = lrelu(self.rgb(x))
        for r in self.resolutions:
            skip = getattr(self, "s%d" % r)(halve(x))
            x = lrelu(getattr(self, "a%d" % r)(x))
            x = lrelu(getattr(self, "b%d" % r)(halve(x)))
            x = (x + skip) * math.sqrt(0.5)
        x = x.float()
        n, c, h, w = x.shape
        k = math.gcd(n, self.group)
        y = x.reshape(k, n // k, c, h, w)
        y = (y.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        x = torch.cat([x, y.repeat(k)[:, None, None, None].expand(n, 1, h, w)], 1)
        x = lrelu(self.last(x))
        return self.out(lrelu(self.fc(x.flatten(1))))[:, 0]


def augment(x, strength):
    """Differentiable translation and colour jitter, the same law for real and generated pictures."""
    if not strength:
        return x
    n, _, h, w = x.shape
    rand = lambda: torch.rand(n, 1, 1, 1, device=x.device) - 0.5
    x = x + 0.3 * strength * rand()
    mean = x.mean(1, keepdim=True)
    x = (x - mean) * (1 + strength * rand()) + mean
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, :, 2] = (torch.rand(n, 2, device=x.device) - 0.5) * 0.25 * strength
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def kernel_distance(a, b):
    """Unbiased KID (polynomial kernel of degree 3) between feature sets [n,d] and [m,d]."""
    d = a.shape[1]
    k = lambda x, y: (x @ y.t() / d + 1) ** 3
    n, m = len(a), len(b)
    aa, bb = k(a, a), k(b, b)
    return ((aa.sum() - aa.diag().sum()) / (n * (n - 1)) + (bb.sum() - bb.diag().sum()) / (m * (m - 1))
            - 2 * k(a, b).mean()).item()


def features_net(path, device):
    """The perceptual network as a feature extractor [n,3,s,s] -> [n,d], or None."""
    if not path or not os.path.exists(path):
        return None
    import readings
    net = readings.load(path).to(device).eval()
    return lambda x: net.pooled(readings.inputs(x))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--start", required=True, help="checkpoint.pt of the regression stage")
    p.add_argument("--data", required=True)
    p.add_argument("--heldout", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--minutes", type=float, default=9)
    p.add_argument("--span", type=float, default=20, help="minutes over which the anchor falls")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--gamma", type=float, default=0.5)
    p.add_argument("--anchor", type=float, default=0.1)
    p.add_argument("--weight", type=float, default=0.1, help="weight of the adversarial loss")
    p.add_argument("--aux", type=float, default=0.25)
    p.add_argument("--augment", type=float, default=0)
    p.add_argument("--mixing", type=float, default=0.1)
    p.add_argument("--perceptual", help="perceptual.safetensors: its features give the KID that picks the best")
    p.add_argument("--resolution", type=int)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--report", type=float, default=60, help="seconds between reports and checkpoints")
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    torch.set_flush_denormal(True)
    device = torch.device(args.device)
    cuda = device.type == "cuda"
    if cuda:
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    else:
        torch.set_num_threads(args.threads)
    pictures, heldout = Pictures(args.data), Pictures(args.heldout)
    path = os.path.join(args.out, "adversarial.pt")
    resume = os.path.exists(path)
    state = torch.load(path if resume else args.start, map_location="cpu")
    config = dict(state["config"])
    size = args.resolution or config["resolution"]
    config["resolution"] = size
    config["channels"] = {r: c for r, c in config["channels"].items() if r <= size}
    g = stylegan2.Generator(**config, half=True)
    own = g.state_dict()
    g.load_state_dict({k: v.float() for k, v in (state["g"] if resume else state["ema"]).items() if k in own})
    g = g.to(device)
    ema = copy.deepcopy(g).requires_grad_(False)
    if resume:
        ema.load_state_dict({k: v.float() for k, v in state["ema"].items()})
    aux = objectives.LabelReadout(config["channels"], len(pictures.classes), min(64, size))
    aux.load_state_dict({k: v.float() for k, v in state.get("aux", {}).items() if k in aux.state_dict()}, strict=False)
    aux = aux.to(device)
    d = Discriminator(config["channels"], size).to(device)
    if cuda:
        d = d.to(memory_format=torch.channels_last)
    if resume:
        d.load_state_dict({k: v.float() for k, v in state["d"].items()})
    seen, spent, best = (state["adv_seen"], state["adv_spent"], state["best"]) if resume else (0, 0.0, None)
    mapping = {id(q) for q in g.mapping.parameters()}
    rest = [q for q in list(g.parameters()) + list(aux.parameters()) if id(q) not in mapping]
    g_opt = torch.optim.Adam([dict(params=list(g.mapping.parameters()), lr=args.rate * 0.01), dict(params=rest)],
                             lr=args.rate, betas=(0, 0.99), eps=1e-8)
    d_opt = torch.optim.Adam(d.parameters(), lr=args.rate, betas=(0, 0.99), eps=1e-8)
    extract = features_net(args.perceptual, device)
    rng = np.random.default_rng(seen + 1)
    weights = pictures.weights.to(device)
    wanted = aux.top if args.aux else 0
    rows = g.synthesis.rows

    def judge(x):
        x = augment(x, args.augment)
        if cuda:
            with torch.autocast("cuda", dtype=torch.bfloat16):
                return d(x.contiguous(memory_format=torch.channels_last)).float()
        return d(x)

    def codes(z):
        w = g.mapping(z)
        ws = w[:, None].expand(-1, rows, -1)
        if rng.random() < args.mixing:
            cut = int(rng.integers(1, rows))
            ws = torch.cat([ws[:, :cut], ws[:, cut:].flip(0)], 1)
        return ws

    def save(final=False):
        half = lambda m: {k: v.detach().half().cpu() for k, v in m.state_dict().items()}
        out = dict(config=config, g=half(g), ema=half(ema), d=half(d), aux=half(aux), adv_seen=seen, adv_spent=spent,
                   best=best, seen=state["seen"], steps=state["steps"], total=state["total"])
        torch.save(out, path + ".part")
        os.replace(path + ".part", path)
        return out

    began = mark = time.time()
    at, losses = seen, []
    steps = 0
    while time.time() - began < args.minutes * 60:
        t = time.time()
        progress = min(1.0, spent / (args.span * 60 / 2))
        anchor = args.anchor ** progress
        warm = min(1.0, (steps + 1) / 100)  # the optimisers' moments start empty after every restart
        for o in (g_opt, d_opt):
            for i, group in enumerate(o.param_groups):
                group["lr"] = args.rate * warm * (0.01 if o is g_opt and i == 0 else 1)
        pictures.refresh()
        z, x, labels = pictures.batch(size, args.batch, rng, device)
        # Discriminator
        with torch.no_grad():
            fake, _ = g.synthesis(codes(z[torch.randperm(len(z), device=device)]))
        d_loss = F.softplus(judge(fake)).mean() + F.softplus(-judge(x)).mean()
        d_opt.zero_grad(set_to_none=True)
        d_loss.backward()
        if steps % 16 == 0:
            q = x.detach().requires_grad_(True)
            score = d(augment(q, args.augment)).sum()
            grad, = torch.autograd.grad(score, q, create_graph=True)
            r1 = grad.square().sum((1, 2, 3)).mean()
            (r1 * (args.gamma / 2 * 16)).backward()
        d_opt.step()
        # Generator: regression on the pictures' own z, adversarial on the same pictures
        img, maps = g.synthesis(g.mapping(z)[:, None].expand(-1, rows, -1), None, wanted)
        w = weights[labels][:, None]
        w = w / w.mean()
        picture = objectives.picture_loss(img, x, w)
        ce = torch.zeros((), device=device)
        if args.aux:
            k = size // wanted
            small = labels[:, k // 2::k, k // 2::k] if k > 1 else labels
            ce = (F.cross_entropy(aux(maps), small, reduction="none") * F.avg_pool2d(w, k)[:, 0]).mean()
        d.requires_grad_(False)
        if rng.random() < 0.5:
            score = judge(img)
        else:
            score = judge(g.synthesis(codes(torch.randn_like(z)))[0])
        g_adv = F.softplus(-score).mean()
        loss = args.weight * g_adv + anchor * picture + args.aux * ce
        g_opt.zero_grad(set_to_none=True)
        loss.backward()
        d.requires_grad_(True)
        torch.nn.utils.clip_grad_norm_(rest, 5)
        g_opt.step()
        with torch.no_grad():
            decay = 0.5 ** (args.batch / 10000)
            for a, b in zip(ema.parameters(), g.parameters()):
                a.lerp_(b, 1 - decay)
        seen += args.batch
        steps += 1
        spent += time.time() - t
        losses.append((d_loss.detach(), g_adv.detach(), picture.detach(), ce.detach()))
        if time.time() - mark > args.report or time.time() - began >= args.minutes * 60:
            all_db, feature_db = objectives.held_out(ema, heldout, size, 128 if cuda else 16)
            means = [float(torch.stack(v).mean()) for v in zip(*losses)]
            distance = None
            if extract is not None:
                with torch.no_grad():
                    n = min(512 if cuda else 64, heldout.done)
                    r = torch.Generator().manual_seed(5)
                    f, h = [], []
                    for a in range(0, n, 16):
                        zz = torch.randn(16, ema.mapping.z_dim, generator=r).to(device)
                        f.append(extract(ema(zz)[0].clamp(-1, 1).float()))
                        h.append(extract(heldout.images(size, list(range(a, a + 16))).to(device)))
                    distance = kernel_distance(torch.cat(f), torch.cat(h))
            facts = dict(time=round(spent), stage=size, adv_seen=seen, psnr=round(all_db, 2),
                         feature_psnr=round(feature_db, 2), d=means[0], g=means[1], picture=means[2], ce=means[3],
                         anchor=anchor, kid=distance, images_per_second=(seen - at) / (time.time() - mark))
            with open(os.path.join(args.out, "adversarial.jsonl"), "a") as f:
                f.write(json.dumps(facts) + "\n")
            print(json.dumps(facts), flush=True)
            sheets.held_out(ema, heldout, size, os.path.join(args.out, "adversarial-heldout.jpg"))
            sheets.random(ema, size, os.path.join(args.out, "adversarial-random.jpg"))
            if distance is not None and (best is None or distance < best):
                best = distance
                torch.save(save(), os.path.join(args.out, "adversarial-best.pt"))
            else:
                save()
            losses, mark, at = [], time.time(), seen
    save()


if __name__ == "__main__":
    main()
