#!/usr/bin/env python3
"""Checks of the recipe on a tiny network, seconds on one core: python3 selfcheck.py

The exported weights, run through the textbook formulation (equalised gains, modulated weights, transposed convolution and
FIR filter, one picture at a time), must give the same picture; the fused bfloat16 pass must agree with float32,
gradients too; a head must not change through its file; a checkpoint must survive the split into parts.
"""

import math
import os
import tempfile

import torch
import torch.nn.functional as F

import export
import heads
import objectives
import parts
import stylegan2

FIR = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])) / 16


def fir(x, pads):
    n, c, h, w = x.shape
    x = F.pad(x, pads)
    return F.conv2d(x.reshape(n * c, 1, *x.shape[2:]), FIR[None, None]).reshape(n, c, x.shape[2] - 3, x.shape[3] - 3)


def textbook(state, z, rows, resolution):
    """StyleGAN2 as published, from tensors in the published layout; z [1, z_dim]."""
    x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
    i = 0
    while "mapping.fc%d.weight" % i in state:
        w, b = state["mapping.fc%d.weight" % i], state["mapping.fc%d.bias" % i]
        x = F.leaky_relu(F.linear(x, w * (0.01 / math.sqrt(w.shape[1])), b * 0.01), 0.2) * math.sqrt(2)
        i += 1
    ws = x[:, None].expand(-1, rows, -1)

    def style(name, row):
        a, b = state[name + ".affine.weight"], state[name + ".affine.bias"]
        return F.linear(ws[:, row], a / math.sqrt(a.shape[1]), b)

    def layer(x, name, row, up):
        w = state[name + ".weight"] / math.sqrt(state[name + ".weight"][0].numel())
        w = w * style(name, row)[0][None, :, None, None]
        w = w * torch.rsqrt(w.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        if up:
            x = fir(F.conv_transpose2d(x, w.transpose(0, 1), stride=2), (1, 1, 1, 1))
        else:
            x = F.conv2d(x, w, padding=1)
        return F.leaky_relu(x + state[name + ".bias"][None, :, None, None], 0.2) * math.sqrt(2)

    def rgb(x, name, row):
        w = state[name + ".weight"]
        w = w / math.sqrt(w.shape[1]) * style(name, row)[0][None, :, None, None]
        return F.conv2d(x, w, state[name + ".bias"])

    x = layer(state["synthesis.b4.const"][None], "synthesis.b4.conv1", 0, False)
    img = rgb(x, "synthesis.b4.torgb", 1)
    k, r = 0, 8
    while r <= resolution:
        b = "synthesis.b%d" % r
        x = layer(x, b + ".conv0", 2 * k + 1, True)
        x = layer(x, b + ".conv1", 2 * k + 2, False)
        zero = torch.zeros(1, 3, r, r)
        zero[:, :, ::2, ::2] = img
        img = rgb(x, b + ".torgb", 2 * k + 3) + fir(zero, (2, 1, 2, 1))
        k, r = k + 1, 2 * r
    return img


def close(name, a, b, limit):
    d = ((a - b).norm() / b.norm()).item()
    print("%-46s %.2g (limit %.2g)" % (name, d, limit))
    assert d <= limit, name


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    channels = {4: 32, 8: 32, 16: 32, 32: 16}
    g = stylegan2.Generator(32, channels, 64, 64, 2, named=20)
    for r in (8, 16, 32):
        getattr(g.synthesis, "b%d" % r).torgb.weight.data.normal_(0, 0.2)
    for p in g.parameters():
        p.data += torch.randn_like(p) * 0.02
    z = torch.randn(3, 64)
    state = stylegan2.standard_state(g)
    with torch.no_grad():
        img = g(z)[0]
        book = torch.cat([textbook(state, z[i:i + 1], g.synthesis.rows, 32) for i in range(3)])
    close("published formulation", img, book, 1e-5)
    again = stylegan2.from_standard(state, g.config)
    close("back from the published layout", again(z)[0].detach(), img, 1e-5)

    bent = stylegan2.Generator(32, channels, 64, 64, 2, named=20).mapping
    bent.bend([(3, [0.2, 0.8], False), (5, [0.2, 0.4, 0.6, 0.8], True)], list(range(50, 56)), list(range(44, 50)))
    x = torch.zeros(5, 64)
    x[:, 3] = torch.tensor([-2.0, -0.8416, 0.0, 0.8416, 2.0])
    x[:, 5] = torch.tensor([-0.8416, -0.2533, 0.2533, 0.8416, 2.0])
    x[:, 60] = (64 - x.square().sum(1)).sqrt()
    w = bent(x)[:, 44:50].detach()
    want = torch.tensor([[1.1584, 0], [0, 0], [0, 0], [0, 0], [0, 1.1584]])
    close("ramps of the mapping", w[:, :2].clamp(min=0), want, 1e-3)
    close("bumps of the mapping", w[:, 3:5], torch.tensor([[0, 0], [1, 0], [0, 1], [0, 0], [0, 0]]).float(), 1e-3)

    aux = objectives.LabelReadout(channels, 5, 32)
    results = []
    for half in (False, True):
        g.synthesis.half = half
        g.zero_grad()
        out, maps = g(z, None, 32)
        logits = aux(maps)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().add(logits.square().mean()).backward()
        results.append((out.detach(), {k: p.grad.clone() for k, p in g.named_parameters()}))
    close("bfloat16 pass, picture", results[1][0], results[0][0], 2e-2)
    for k in ("synthesis.b32.conv0.weight", "synthesis.b32.conv1.affine.weight", "synthesis.b16.conv1.bias",
              "synthesis.b16.torgb.weight", "synthesis.b8.conv0.weight", "synthesis.b4.const", "mapping.fc0.weight"):
        close("bfloat16 pass, gradient of " + k.replace("synthesis.", ""), results[1][1][k], results[0][1][k], 5e-2)

    g.synthesis.half = False
    with tempfile.TemporaryDirectory() as folder:
        head = heads.Head(channels, [16, 8], 5).eval()
        path = os.path.join(folder, "head.safetensors")
        export.write_safetensors(path, head.tensors(), head.metadata())
        tensors, facts = export.read_safetensors(path)
        assert facts["hidden"] == "[16, 8]" and tensors["layers.0.weight"].shape == (1, 16, 224)
        own = heads.from_file(path, channels)
        close("head through its file", own(heads.features(g, z)[1]).detach(), head(heads.features(g, z)[1]).detach(), 1e-6)

        run, out, back = (os.path.join(folder, n) for n in ("run", "out", "back"))
        os.makedirs(run)
        torch.save(dict(config=g.config, g=g.state_dict(), ema=g.state_dict(), optimiser={}, seen=5),
                   os.path.join(run, "checkpoint.pt"))
        size, parts.SIZE = parts.SIZE, 50000
        parts.split(run, out)
        parts.join(out, back)
        parts.SIZE = size
        there = torch.load(os.path.join(back, "checkpoint.pt"))
        assert there["seen"] == 5 and len(os.listdir(out)) > 2
        close("weights through parts", there["g"]["synthesis.b4.const"].float(), g.synthesis.b4.const.detach(), 1e-3)
    print("all well")


if __name__ == "__main__":
    main()
