#!/usr/bin/env python3
"""Regression stage: teach the generator to draw what the renderer draws, growing 32 -> 64 -> 128 -> 256.

    python3 train.py --data DIR --heldout DIR --out DIR [--plan 32:6,64:25,128:30,256:25]

The plan gives minutes of wall-clock time per resolution. The run can be stopped and started again at any moment: it goes
on from DIR/checkpoint.pt. It writes log.jsonl, STATUS.txt, curves.png and sheets; see README.md.
"""

import argparse
import copy
import json
import math
import os
import sys
import time

ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "MALLOC_MMAP_THRESHOLD_": "4000000000",
               "MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_ARENA_MAX": "2"}
if __name__ == "__main__" and any(k not in os.environ for k in ENVIRONMENT):
    # These are read when the libraries load: spinning threads on a shared CPU cost a factor of six, returning
    # big tensors to the kernel after every step a third.
    os.environ.update({k: v for k, v in ENVIRONMENT.items() if k not in os.environ})
    os.execv(sys.executable, [sys.executable] + sys.argv)

import numpy as np
import torch
import torch.nn.functional as F

import objectives
import optimisers
import sheets
import stylegan2
from pictures import Pictures, knots

TABLES = {
    "cpu": {4: 128, 8: 128, 16: 128, 32: 96, 64: 64, 128: 32, 256: 16},
    "quarter": {4: 128, 8: 128, 16: 128, 32: 128, 64: 128, 128: 64, 256: 32},
    "half": {4: 256, 8: 256, 16: 256, 32: 256, 64: 256, 128: 128, 256: 64},
    "tiny": {4: 32, 8: 32, 16: 32, 32: 16, 64: 16, 128: 16, 256: 16},
}


def arguments(argv=None):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--data", required=True, help="training set (latentbrush dataset)")
    p.add_argument("--heldout", required=True, help="held-out set of other seeds")
    p.add_argument("--out", required=True, help="run folder")
    p.add_argument("--plan", default="32:6,64:25,128:30,256:25", help="resolution:minutes,...")
    p.add_argument("--batch", default="32:16,64:16,128:12,256:8", help="resolution:batch,...")
    p.add_argument("--rate", default="32:1e-3,64:1e-3,128:1e-3,256:1e-3", help="resolution:learning rate,...")
    p.add_argument("--channels", default="cpu", choices=sorted(TABLES))
    p.add_argument("--w", type=int, default=256)
    p.add_argument("--mapping-layers", type=int, default=2)
    p.add_argument("--aux", type=float, default=0.25, help="weight of the label loss; 0: never show masks")
    p.add_argument("--aux-top", type=int, default=64, help="highest resolution whose features see the label loss")
    p.add_argument("--mixing", type=float, default=0.1, help="share of style-mixed batches after the first stage")
    p.add_argument("--start", type=int, default=2000, help="pictures that must exist before the first step")
    p.add_argument("--ema", type=float, default=6000, help="half-life of the weight average, pictures")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--device", default="cpu")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--minutes", type=float, default=1e9, help="stop (with a checkpoint) after this long")
    p.add_argument("--every", type=float, default=2, help="minutes between checkpoints")
    return p.parse_args(argv)


def table(text, kind=float):
    return {int(a): kind(float(b)) for a, b in (item.split(":") for item in text.split(","))}


def groups(modules):
    """Convolution and affine matrices go to Muon, the rest to Adam."""
    muon, adam = [], []
    for m in modules:
        for name, p in m.named_parameters():
            wide = (p.dim() == 4 and p.shape[-1] == 3) or (p.dim() == 2 and "affine" in name)
            (muon if wide else adam).append(p)
    return [dict(params=adam), dict(params=muon, muon=True, scale=2.0)]


def schedule(fraction, last, warm):
    """Factor on the learning rate over one stage: warm-up, constant, then a linear decay (deep in the last)."""
    start, end = (0.5, 0.03) if last else (0.75, 0.5)
    k = min(1.0, warm)
    return k if fraction < start else k * (1 - (1 - end) * min(1, (fraction - start) / (1 - start)))


class Run:
    def __init__(self, args):
        self.args = args
        os.makedirs(args.out, exist_ok=True)
        self.plan = list(table(args.plan).items())
        self.batches, self.rates = table(args.batch, int), table(args.rate)
        self.pictures, self.heldout = Pictures(args.data), Pictures(args.heldout)
        torch.manual_seed(args.seed)
        self.device = torch.device(args.device)
        top = self.plan[-1][0]
        channels = {r: c for r, c in TABLES[args.channels].items() if r <= top}
        self.g = stylegan2.Generator(top, channels, self.pictures.z.shape[1], args.w, args.mapping_layers,
                                     len(self.pictures.parameters), half=True).to(self.device)
        self.aux = objectives.LabelReadout(channels, len(self.pictures.classes), min(args.aux_top, top))
        self.aux = self.aux.to(self.device)
        self.ema = copy.deepcopy(self.g).requires_grad_(False)
        self.optimiser = optimisers.Muon(groups([self.g, self.aux]), lr=1e-3)
        self.stage, self.spent, self.seen, self.steps, self.total = 0, 0.0, 0, 0, 0.0
        self.knots = knots(self.pictures.parameters)
        count, named = sum(len(q) for _, q, _ in self.knots), 2 * len(self.pictures.parameters)
        if args.mapping_layers == 2 and named + count <= args.w:
            free = list(range(args.w - count, args.w))
            for g in (self.g, self.ema):
                g.mapping.bend(self.knots, free, free)
        else:
            self.knots = []
        self.checkpoint = os.path.join(args.out, "checkpoint.pt")
        if os.path.exists(self.checkpoint):
            self.load()

    def save(self):
        state = dict(config=self.g.config, g=self.g.state_dict(), ema=self.ema.state_dict(), aux=self.aux.state_dict(),
                     optimiser=self.optimiser.state_dict(), stage=self.stage, spent=self.spent, seen=self.seen,
                     steps=self.steps, total=self.total, plan=self.plan, knots=self.knots, drawn=torch.from_numpy(self.pictures.drawn))
        torch.save(state, self.checkpoint + ".part")
        os.replace(self.checkpoint + ".part", self.checkpoint)

    def load(self):
        s = torch.load(self.checkpoint, map_location=self.device)
        self.g.load_state_dict(s["g"])
        self.ema.load_state_dict(s["ema"])
        if "aux" in s:
            self.aux.load_state_dict(s["aux"])
        if "optimiser" in s:
            self.optimiser.load_state_dict(s["optimiser"])
        for k in ("stage", "spent", "seen", "steps", "total"):
            setattr(self, k, s[k])
        self.stage = min(self.stage, len(self.plan) - 1)
        if s["stage"] >= len(self.plan) and self.spent == 0:  # the plan was finished: go on only if it is longer now
            self.spent = 60 * dict(s["plan"])[self.plan[-1][0]]
        if self.knots and "knots" not in s:
            self.bend()
        if "drawn" in s:
            self.pictures.drawn = s["drawn"].numpy().copy()

    @torch.no_grad()
    def bend(self):
        """Gives a network that was trained without them the knots, in the places that it makes the least use of. The affine
        layers go on drawing the same: they take from the new w what predicts the old one best."""
        named, count = 2 * len(self.pictures.parameters), sum(len(q) for _, q, _ in self.knots)
        m = self.ema.mapping
        z = self.pictures.z[:min(16384, self.pictures.done)].to(self.device)
        w = m(z)
        h = F.leaky_relu(m.fc0(z * torch.rsqrt(z.square().mean(1, keepdim=True))), 0.2)
        affines = [[mod for n, mod in g.named_modules() if n.endswith("affine")] for g in (self.g, self.ema)]
        use = sum((a.weight * w.std(0)).square().sum(0) / (a.weight * w.std(0)).square().sum() for a in affines[1])
        dims = (named + use[named:].argsort()[:count]).sort().values.tolist()
        use = (m.fc1.weight[:named] * h.std(0)).square().sum(0)
        units = (named + use[named:].argsort()[:count]).sort().values.tolist()
        one = torch.ones_like(z[:, :1])
        for g, own in zip((self.g, self.ema), affines):
            before = g.mapping(z).double()
            g.mapping.fc1.weight[:, units] = 0
            g.mapping.bend(self.knots, units, dims)
            after = torch.cat([g.mapping(z), one], 1).double()
            gram = after.t() @ after
            fit = torch.linalg.solve(gram + 1e-4 * len(z) * torch.eye(len(gram)).to(gram), after.t() @ before).float()
            for a in own:
                a.bias += a.weight @ fit[-1]
                a.weight.copy_(a.weight @ fit[:-1].t())
        for a in affines[0]:
            if a.weight in self.optimiser.state:
                self.optimiser.state[a.weight]["m"][:, dims] = 0
        own = self.g.mapping
        for p, rows, columns in ((own.fc0.weight, units, None), (own.fc0.bias, units, None), (own.fc1.bias, dims, None),
                                 (own.fc1.weight, dims, units)):
            for k in ("m", "v"):
                if p in self.optimiser.state:
                    self.optimiser.state[p][k][rows] = 0
                    if columns is not None:
                        self.optimiser.state[p][k][:, columns] = 0

    def log(self, **facts):
        with open(os.path.join(self.args.out, "log.jsonl"), "a") as f:
            f.write(json.dumps(facts) + "\n")

    def codes(self, z, mix):
        """W+ codes of a batch. In a mixed batch the coarse rows (4 to 16 pixels) see the colours and the light of another
        picture and the fine rows its coarse geometry, so that each learns to do without what the other draws."""
        rows = self.g.synthesis.rows
        if not mix:
            return self.g.mapping(z)[:, None].expand(-1, rows, -1)
        p = len(self.pictures.parameters)
        other = z[torch.randperm(z.shape[0], device=z.device)]
        codes = []
        for swapped in (self.pictures.colour, self.pictures.geometry):
            mixed = z.clone()
            mixed[:, :p] = torch.where(swapped.to(z.device), other[:, :p], z[:, :p])
            codes.append(self.g.mapping(mixed))
        cut = 5
        return torch.cat([codes[0][:, None].expand(-1, cut, -1), codes[1][:, None].expand(-1, rows - cut, -1)], 1)

    def step(self, size, count, rng, rate):
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        z, x, labels = self.pictures.batch(size, count, rng, self.device)
        mix = self.stage > 0 and rng.random() < self.args.mixing
        ws = self.codes(z, mix)
        wanted = min(size, self.aux.top) if self.args.aux else 0
        img, maps = self.g.synthesis(ws, size, wanted)
        weight = self.pictures.weights.to(self.device)[labels][:, None]
        mean = weight.mean()
        texture = self.pictures.texture.to(self.device)[labels][:, None] / mean
        weight = weight / mean
        picture = objectives.picture_loss(img, x, weight, texture)
        loss, ce = picture, torch.zeros(())
        if self.args.aux:
            if wanted < size:
                k = size // wanted
                labels, weight = labels[:, k // 2::k, k // 2::k], F.avg_pool2d(weight, k)
            ce = (F.cross_entropy(self.aux(maps), labels, reduction="none") * weight[:, 0]).mean()
            loss = loss + self.args.aux * ce
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for m in (self.g, self.aux) for p in m.parameters()
                                               if p.grad is not None], 5)
        if not math.isfinite(float(norm)):
            self.log(event="bad step", seen=self.seen)
            return None
        self.optimiser.step()
        self.seen += count
        self.steps += 1
        decay = 0.5 ** (count / max(1.0, min(self.args.ema, 0.05 * self.seen)))
        with torch.no_grad():
            for a, b in zip(self.ema.parameters(), self.g.parameters()):
                a.lerp_(b, 1 - decay)
        return float(picture.detach()), float(ce.detach())

    def report(self, size, losses, rate, lr, sheet):
        all_db, feature_db = objectives.held_out(self.ema, self.heldout, size, 128 if size < 256 else 64)
        facts = dict(time=round(self.total), stage=size, seen=self.seen, steps=self.steps, psnr=round(all_db, 2),
                     feature_psnr=round(feature_db, 2), loss=round(float(np.mean([l[0] for l in losses])), 4),
                     ce=round(float(np.mean([l[1] for l in losses])), 4), images_per_second=round(rate, 2), lr=lr,
                     pictures=self.pictures.done)
        self.log(**facts)
        line = ("%s  stage %d  seen %d  held-out %.2f dB, features %.2f dB  loss %.3f  ce %.3f  %.1f img/s  lr %.2g  "
                "%d pictures" % (time.strftime("%H:%M"), size, self.seen, all_db, feature_db, facts["loss"], facts["ce"],
                                 rate, lr, self.pictures.done))
        print(line, flush=True)
        with open(os.path.join(self.args.out, "STATUS.txt"), "a") as f:
            f.write(line + "\n")
        sheets.curves(os.path.join(self.args.out, "log.jsonl"), os.path.join(self.args.out, "curves.png"))
        if sheet:
            sheets.held_out(self.ema, self.heldout, size, os.path.join(self.args.out, "sheet-heldout.png"))
            sheets.random(self.ema, size, os.path.join(self.args.out, "sheet-random.png"))

    def go(self):
        args = self.args
        began = time.time()
        while self.pictures.refresh() < min(args.start, self.pictures.n):
            time.sleep(5)
        rng = np.random.default_rng(args.seed + self.steps)
        while self.stage < len(self.plan):
            size, minutes = self.plan[self.stage]
            last = self.stage == len(self.plan) - 1
            count = self.batches[size]
            losses, first, saved, shown, mark, at = [], self.steps, time.time(), time.time(), time.time(), self.seen
            print("stage %d: %.1f of %.1f min spent" % (size, self.spent / 60, minutes), flush=True)
            reports = 0
            while self.spent < minutes * 60:
                t = time.time()
                fraction = self.spent / (minutes * 60)
                lr = self.rates[size] * schedule(fraction, last, (self.steps - first + 1) / 60)
                got = self.step(size, count, rng, lr)
                if got:
                    losses.append(got)
                now = time.time()
                self.spent += now - t
                self.total += now - t
                if now - shown > (45 if reports < 3 else 120) or self.spent >= minutes * 60:
                    rate = (self.seen - at) / (now - mark)
                    self.pictures.refresh()
                    self.report(size, losses, rate, lr, reports % 2 == 1 or self.spent >= minutes * 60)
                    losses, shown, mark, at, reports = [], time.time(), time.time(), self.seen, reports + 1
                if now - saved > args.every * 60:
                    self.save()
                    saved = time.time()
                if now - began > args.minutes * 60:
                    self.save()
                    return
            self.stage, self.spent = self.stage + 1, 0.0
            self.save()
        print("finished", flush=True)


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    if args.device.startswith("cuda"):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    Run(args).go()


if __name__ == "__main__":
    main()
