"""Sample sheets and the curve picture, drawn with PIL."""

import json
import os

import numpy as np
import torch
from PIL import Image, ImageDraw


def to_bytes(img):
    """[n,3,s,s] in [-1,1] -> uint8 [n,s,s,3], StyleGAN2's rounding."""
    return (img.float().cpu() * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def grid(rows, path):
    """rows: list of uint8 [n,s,s,3] arrays."""
    picture = np.concatenate([np.concatenate(list(r), 1) for r in rows], 0)
    part = path + ".part"
    Image.fromarray(picture).save(part, format="JPEG" if path.endswith(".jpg") else "PNG", quality=88)
    os.replace(part, path)


@torch.no_grad()
def held_out(g, pictures, size, path, count=16, rows=2):
    per = count // rows
    out = []
    device = g.mapping.w_avg.device
    for a in range(0, count, per):
        index = list(range(a, a + per))
        real = to_bytes(pictures.images(size, index))
        fake = to_bytes(g(pictures.z[index].to(device), size)[0])
        out += [real, fake]
    grid(out, path)


@torch.no_grad()
def random(g, size, path, rows=3, columns=8, seed=7):
    r = torch.Generator().manual_seed(seed)
    device = g.mapping.w_avg.device
    out = []
    for _ in range(rows):
        z = torch.randn(columns, g.mapping.z_dim, generator=r)
        out.append(to_bytes(g(z.to(device), size)[0]))
    grid(out, path)


@torch.no_grad()
def mixes(g, size, path, cut=5, n=7, seed=11):
    """Rows give W+ rows [0,cut), columns the rest; first row and column are the unmixed faces."""
    r = torch.Generator().manual_seed(seed)
    device = g.mapping.w_avg.device
    a = g.mapping(torch.randn(n, g.mapping.z_dim, generator=r).to(device))
    b = g.mapping(torch.randn(n, g.mapping.z_dim, generator=r).to(device))
    rows = g.synthesis.rows
    wide = lambda w: w[:, None].expand(-1, rows, -1)
    white = np.full((1, size, size, 3), 255, np.uint8)
    out = [np.concatenate([white, to_bytes(g.synthesis(wide(b), size)[0])])]
    for i in range(n):
        coarse = wide(a[i:i + 1])
        mixed = torch.cat([coarse[:, :cut].expand(n, -1, -1), wide(b)[:, cut:]], 1)
        out.append(to_bytes(g.synthesis(torch.cat([coarse, mixed]), size)[0]))
    grid(out, path)


def curves(log, path, width=900, height=420):
    """Held-out PSNR (blue) and feature PSNR (red) over pictures seen, one vertical line per stage."""
    points = []
    for line in open(log):
        p = json.loads(line)
        if "psnr" in p:
            points.append(p)
    if len(points) < 2:
        return
    img = Image.new("RGB", (width, height), "white")
    d = ImageDraw.Draw(img)
    left, right, top, bottom = 46, width - 12, 14, height - 34
    hi_x = points[-1]["time"] or 1
    ys = [v for p in points for v in (p["psnr"], p["feature_psnr"])]
    lo, hi = int(min(ys)) - 1, int(max(ys)) + 2
    X = lambda s: left + (right - left) * s / hi_x
    Y = lambda v: bottom - (bottom - top) * (v - lo) / (hi - lo)
    for v in range(lo, hi + 1, 2 if hi - lo > 12 else 1):
        d.line([left, Y(v), right, Y(v)], fill=(225, 225, 225))
        d.text((8, Y(v) - 6), "%d dB" % v, fill=(90, 90, 90))
    stage = None
    for p in points:
        if p["stage"] != stage:
            stage = p["stage"]
            d.line([X(p["time"]), top, X(p["time"]), bottom], fill=(170, 170, 170))
            d.text((X(p["time"]) + 3, top), str(stage), fill=(90, 90, 90))
    for key, colour in (("psnr", (30, 80, 200)), ("feature_psnr", (200, 40, 40))):
        d.line([(X(p["time"]), Y(p[key])) for p in points], fill=colour, width=2)
    d.text((left, height - 24), "held-out PSNR: all pixels (blue), facial features (red); %d s, %d pictures seen"
           % (points[-1]["time"], points[-1]["seen"]), fill=(40, 40, 40))
    img.save(path + ".part", format="PNG")
    os.replace(path + ".part", path)


def main():
    """python3 sheets.py CHECKPOINT HELDOUT PREFIX: the sheets of docs/model-faces.md."""
    import sys

    import export
    from pictures import Pictures
    checkpoint, folder, prefix = sys.argv[1:]
    torch.set_num_threads(1)
    g, _ = export.load_generator(checkpoint, half=True)
    size = g.synthesis.resolution
    held_out(g, Pictures(folder), size, prefix + "-heldout.jpg", 12)
    mixes(g, size, prefix + "-mixes.jpg")
    random(g, size, prefix + "-random.jpg", 8, 8)
    for name, width in (("heldout", 1536), ("mixes", 1280), ("random", 1280)):
        path = "%s-%s.jpg" % (prefix, name)
        img = Image.open(path)
        img.resize((width, width * img.height // img.width), Image.LANCZOS).save(path, quality=86)


if __name__ == "__main__":
    main()
