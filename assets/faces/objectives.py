"""Losses of the regression stage, the label heads read from features, PSNR."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def picture_loss(img, target, weight, texture=None, levels=5, square=2.0):
    """Weighted error e, |e| + square e^2, and the L1 of its first differences, on the picture and on `levels` box-halved
    versions (factor 0.5 each), plus the texture term with the weights `texture`. img, target [n,3,s,s]; weight and texture
    [n,1,s,s], the former with mean about 1.

    The square is what PSNR counts: with L1 alone a pair of glasses that is missing costs no more than its area."""
    e = img - target
    total = 0
    for level in range(levels + 1):
        a = e.abs()
        value = (a * (1 + square * a) * weight).mean()
        value = value + ((e[..., 1:] - e[..., :-1]).abs() * weight[..., 1:]).mean()
        value = value + ((e[..., 1:, :] - e[..., :-1, :]).abs() * weight[..., 1:, :]).mean()
        total = total + (value if level == 0 else 0.5 * value)
        if level < levels:
            e, weight = F.avg_pool2d(e, 2), F.avg_pool2d(weight, 2)
    if texture is not None:
        total = total + texture_loss(img, target, texture)
    return total


def texture_loss(img, target, weight, levels=3):
    """Difference of how busy picture and target are: L1 between the mean |second difference| of their grey pictures in
    overlapping 8x8 cells, in four directions, at three scales. Where the place of a strand cannot be told, the terms that compare
    pixels are least for no strands at all; this one asks for as many strands, in the same direction, wherever they are. (First
    differences would not do: a faint strand on a slope does not change their mean.)"""
    both, total = torch.cat([img, target.to(img.dtype)]).mean(1, keepdim=True), 0
    for level in range(levels):
        if both.shape[-1] < 16:
            break
        w = F.avg_pool2d(weight, 8, 4)
        m = both[..., 1:-1, 1:-1] * 2
        bent = torch.cat([m - both[..., 1:-1, :-2] - both[..., 1:-1, 2:], m - both[..., :-2, 1:-1] - both[..., 2:, 1:-1],
                          m - both[..., :-2, :-2] - both[..., 2:, 2:], m - both[..., :-2, 2:] - both[..., 2:, :-2]], 1)
        mine, wanted = F.avg_pool2d(F.pad(bent, (1, 1, 1, 1)).abs(), 8, 4).chunk(2)
        total = total + ((mine - wanted).abs() * w).sum(1).mean() * 0.2
        both, weight = F.avg_pool2d(both, 2), F.avg_pool2d(weight, 2)
    return total


class LabelReadout(nn.Module):
    """1x1 convolution of every feature map to class logits, summed coarse to fine (x2 bilinear)."""

    def __init__(self, channels, classes, top):
        super().__init__()
        self.top = top
        for r, c in channels.items():
            if r > top:
                continue
            for k in ((1,) if r == 4 else (0, 1)):
                conv = nn.Conv2d(c, classes, 1)
                nn.init.normal_(conv.weight, 0, 0.2 / math.sqrt(c))
                nn.init.zeros_(conv.bias)
                self.add_module("b%d_conv%d" % (r, k), conv)

    def forward(self, maps):
        out, i, r = None, 0, 4
        while i < len(maps):
            here = None
            for k in ((1,) if r == 4 else (0, 1)):
                conv = getattr(self, "b%d_conv%d" % (r, k))
                y = F.conv2d(maps[i], conv.weight.to(maps[i].dtype), conv.bias.to(maps[i].dtype))
                here = y if here is None else here + y
                i += 1
            if out is not None:
                here = here + F.interpolate(out, scale_factor=2, mode="bilinear", align_corners=False)
            out, r = here, 2 * r
        return out.float()


def psnr(mse):
    """mse of pictures in [-1, 1] -> dB."""
    return 10 * math.log10(4 / max(mse, 1e-12))


@torch.no_grad()
def held_out(generator, pictures, size, count=128, batch=16):
    """PSNR (dB) over all pixels and over the pixels of facial features; squared errors are pooled
    over the pictures, outputs clamped to [-1, 1]."""
    total = [0.0, 0, 0.0, 0]
    count = min(count, pictures.done)
    for a in range(0, count, batch):
        index = list(range(a, min(a + batch, count)))
        device = generator.mapping.w_avg.device
        img, _ = generator(pictures.z[index].to(device), size)
        e = (img.cpu().clamp(-1, 1) - pictures.images(size, index)).square().mean(1)
        mask = pictures.features[pictures.labels(size, index)]
        total[0] += e.sum().item()
        total[1] += e.numel()
        total[2] += e[mask].sum().item()
        total[3] += int(mask.sum())
    return psnr(total[0] / total[1]), psnr(total[2] / max(total[3], 1))
