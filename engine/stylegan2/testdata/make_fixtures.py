"""Reference numbers for the Go tests, computed by PyTorch in double precision.

A plain StyleGAN2: weights are modulated and demodulated (the Go code
scales activations instead), filters are applied by zero insertion, padding and
convolution. It writes two files beside itself; each holds the weights, a
W+ code, and for that code the picture, every feature map, the head's logits, an edit
loss and its gradients.

    ada32.safetensors         32 x 32, tensor names and demodulation of
                              stylegan2-ada-pytorch, clamped activations; ensemble head with
                              batch normalisation
    rosinality64.safetensors  64 x 64, tensor names of rosinality's code, eight mapping
                              layers, cropped picture; single progressive head

Run: python3 make_fixtures.py   (torch 1.13 or newer, no other dependency)
"""
import json
import math
import os
import struct

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))


def write_safetensors(path, tensors, metadata):
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, t in tensors.items():
        raw = t.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def blur_kernel(gain):
    k = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    k = torch.outer(k, k)
    return k / k.sum() * gain


def upfirdn(x, kernel, up, pad0, pad1):
    n, c, h, w = x.shape
    y = torch.zeros(n, c, h * up, w * up, dtype=x.dtype)
    y[:, :, ::up, ::up] = x
    y = F.pad(y, (pad0, pad1, pad0, pad1))
    k = torch.flip(kernel, (0, 1))[None, None].expand(c, 1, -1, -1)
    return F.conv2d(y, k, groups=c)


class Generator:
    def __init__(self, resolution, channels, z_dim, w_dim, mapping, raw, clamp, seed):
        g = torch.Generator().manual_seed(seed)
        # Rounded to float32, so that both sides start from the same numbers.
        rnd = lambda *s, scale=1.0, mean=0.0: (mean + scale * torch.randn(*s, generator=g)).float().double()
        self.resolution, self.channels, self.w_dim = resolution, channels, w_dim
        self.mapping, self.raw, self.clamp = mapping, raw, clamp
        p = self.p = {}
        for i in range(mapping):
            p[f"mapping.fc{i}.weight"] = rnd(w_dim, z_dim if i == 0 else w_dim, scale=100)
            p[f"mapping.fc{i}.bias"] = rnd(w_dim, scale=10)
        p["mapping.w_avg"] = rnd(w_dim, scale=0.2)
        p["synthesis.b4.const"] = rnd(channels[4], 4, 4)
        r = 4
        while r <= resolution:
            for conv in ("conv0", "conv1"):
                if r == 4 and conv == "conv0":
                    continue
                cin = channels[r // 2] if conv == "conv0" else channels[r]
                n = f"synthesis.b{r}.{conv}."
                p[n + "weight"] = rnd(channels[r], cin, 3, 3)
                p[n + "bias"] = rnd(channels[r], scale=0.2)
                p[n + "affine.weight"] = rnd(cin, w_dim)
                p[n + "affine.bias"] = rnd(cin, scale=0.1, mean=1)
                p[n + "noise_const"] = rnd(r, r)
                p[n + "noise_strength"] = rnd(1, scale=0.2).reshape(())
            n = f"synthesis.b{r}.torgb."
            p[n + "weight"] = rnd(3, channels[r], 1, 1, scale=0.5)
            p[n + "bias"] = rnd(3, scale=0.1)
            p[n + "affine.weight"] = rnd(channels[r], w_dim)
            p[n + "affine.bias"] = rnd(channels[r], scale=0.1, mean=1)
            r *= 2

    def map(self, z):
        x = z * torch.rsqrt((z * z).mean() + 1e-8)
        for i in range(self.mapping):
            w, b = self.p[f"mapping.fc{i}.weight"], self.p[f"mapping.fc{i}.bias"]
            x = F.leaky_relu(w @ x * (0.01 / math.sqrt(w.shape[1])) + b * 0.01, 0.2) * math.sqrt(2)
        return x

    def limit(self, x):
        return x.clamp(-self.clamp, self.clamp) if self.clamp else x

    def style(self, name, w):
        return self.p[name + "affine.weight"] @ w / math.sqrt(self.w_dim) + self.p[name + "affine.bias"]

    def conv(self, name, x, w, up):
        weight = self.p[name + "weight"]
        fan_in = weight.shape[1] * 9
        if not self.raw:
            weight = weight / math.sqrt(fan_in)
        weight = weight * self.style(name, w)[None, :, None, None]
        weight = weight * torch.rsqrt(weight.pow(2).sum((1, 2, 3), keepdim=True) + 1e-8)
        if up:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x = upfirdn(x, blur_kernel(4.0), 1, 1, 1)
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x + self.p[name + "noise_strength"] * self.p[name + "noise_const"]
        x = F.leaky_relu(x + self.p[name + "bias"][None, :, None, None], 0.2) * math.sqrt(2)
        return self.limit(x)

    def rgb(self, name, x, w):
        weight = self.p[name + "weight"]
        weight = weight * (self.style(name, w) / math.sqrt(weight.shape[1]))[None, :, None, None]
        return self.limit(F.conv2d(x, weight) + self.p[name + "bias"][None, :, None, None])

    def synthesis(self, ws):
        features = {"b4.const": self.p["synthesis.b4.const"][None]}
        x = features["b4.conv1"] = self.conv("synthesis.b4.conv1.", features["b4.const"], ws[0], False)
        img = self.rgb("synthesis.b4.torgb.", x, ws[1])
        row, r = 1, 8
        while r <= self.resolution:
            x = features[f"b{r}.conv0"] = self.conv(f"synthesis.b{r}.conv0.", x, ws[row], True)
            x = features[f"b{r}.conv1"] = self.conv(f"synthesis.b{r}.conv1.", x, ws[row + 1], False)
            img = upfirdn(img, blur_kernel(4.0), 2, 2, 1) + self.rgb(f"synthesis.b{r}.torgb.", x, ws[row + 2])
            row, r = row + 2, r * 2
        return img, features

    def rosinality(self):
        out, k = {}, 0
        for i in range(self.mapping):
            out[f"style.{i + 1}.weight"] = self.p[f"mapping.fc{i}.weight"]
            out[f"style.{i + 1}.bias"] = self.p[f"mapping.fc{i}.bias"]
        out["latent_avg"] = self.p["mapping.w_avg"]
        out["input.input"] = self.p["synthesis.b4.const"][None]
        r = 4
        while r <= self.resolution:
            level = int(math.log2(r))
            names = [("conv1", "conv1", 0)] if r == 4 else [
                ("conv0", f"convs.{2 * level - 6}", 2 * level - 5), ("conv1", f"convs.{2 * level - 5}", 2 * level - 4)]
            for ada, ros, noise in names:
                n = f"synthesis.b{r}.{ada}."
                out[ros + ".conv.weight"] = self.p[n + "weight"][None]
                if ada == "conv0":
                    out[ros + ".conv.blur.kernel"] = blur_kernel(4.0)
                out[ros + ".conv.modulation.weight"] = self.p[n + "affine.weight"]
                out[ros + ".conv.modulation.bias"] = self.p[n + "affine.bias"]
                out[ros + ".noise.weight"] = self.p[n + "noise_strength"].reshape(1)
                out[ros + ".activate.bias"] = self.p[n + "bias"]
                out[f"noises.noise_{noise}"] = self.p[n + "noise_const"][None, None]
            n, ros = f"synthesis.b{r}.torgb.", "to_rgb1" if r == 4 else f"to_rgbs.{level - 3}"
            out[ros + ".conv.weight"] = self.p[n + "weight"][None]
            out[ros + ".conv.modulation.weight"] = self.p[n + "affine.weight"]
            out[ros + ".conv.modulation.bias"] = self.p[n + "affine.bias"]
            out[ros + ".bias"] = self.p[n + "bias"][None, :, None, None]
            if r > 4:
                out[ros + ".upsample.kernel"] = blur_kernel(4.0)
            r *= 2
        return out


class Head:
    def __init__(self, names, generator, members, hidden, classes, norm, progressive, seed):
        g = torch.Generator().manual_seed(seed)
        rnd = lambda *s, scale=1.0, mean=0.0: (mean + scale * torch.randn(*s, generator=g)).float().double()
        self.names, self.members, self.hidden, self.classes = names, members, hidden, classes
        self.norm, self.progressive, self.resolution = norm, progressive, generator.resolution
        size = lambda n: generator.channels[int(n[1:n.index(".")])]
        cin = sum(size(n) for n in names)
        p = self.p = {}
        for l, out in enumerate(hidden + [classes]):
            p[f"layers.{l}.weight"] = rnd(members, out, cin, scale=2 / math.sqrt(cin))
            p[f"layers.{l}.bias"] = rnd(members, out, scale=0.3)
            if norm and l < len(hidden):
                p[f"layers.{l}.norm.weight"] = rnd(members, out, scale=0.2, mean=1)
                p[f"layers.{l}.norm.bias"] = rnd(members, out, scale=0.2)
                p[f"layers.{l}.norm.running_mean"] = rnd(members, out, scale=0.3, mean=0.4)
                p[f"layers.{l}.norm.running_var"] = (0.5 + rnd(members, out).pow(2)).float().double()
            cin = out

    def member(self, features, m):
        p, r = self.p, self.resolution
        layers = len(self.hidden) + 1
        conv = lambda l, x: F.conv2d(x, p[f"layers.{l}.weight"][m][:, :, None, None], p[f"layers.{l}.bias"][m])
        if self.progressive:
            # Sums of projected maps climb by x2 steps.
            acc, at, size = None, 0, 4
            by_size = {}
            for n in self.names:
                c = features[n].shape[1]
                w = p["layers.0.weight"][m][:, at:at + c, None, None]
                by_size.setdefault(features[n].shape[-1], []).append(F.conv2d(features[n], w))
                at += c
            while size <= r:
                if acc is not None:
                    acc = F.interpolate(acc, scale_factor=2, mode="bilinear", align_corners=False)
                for y in by_size.get(size, []):
                    acc = y if acc is None else acc + y
                size *= 2
            x = acc + p["layers.0.bias"][m][None, :, None, None]
        else:
            x = conv(0, torch.cat([F.interpolate(features[n], size=(r, r), mode="bilinear", align_corners=False)
                                   for n in self.names], 1))
        for l in range(1, layers):
            x = F.relu(x)
            if self.norm:
                n = f"layers.{l - 1}.norm."
                x = F.batch_norm(x, p[n + "running_mean"][m], p[n + "running_var"][m], p[n + "weight"][m], p[n + "bias"][m], False, 0, 1e-5)
            x = conv(l, x)
        return x

    def logits(self, features):
        return torch.stack([self.member(features, m) for m in range(self.members)])

    def metadata(self):
        return {"format": "latentbrush-segmentation", "version": "1", "members": str(self.members),
                "hidden": json.dumps(self.hidden), "classes": str(self.classes), "features": json.dumps(self.names),
                "upsample": "progressive" if self.progressive else "bilinear"}


def fixture(path, gen, head, crop, seed, names):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(gen.p["mapping.fc0.weight"].shape[1], generator=g).double()
    w = gen.map(z)
    psi = 0.7
    truncated = gen.p["mapping.w_avg"] + psi * (w - gen.p["mapping.w_avg"])
    rows = 2 * int(math.log2(gen.resolution)) - 2
    ws = (truncated[None] + 0.5 * torch.randn(rows, gen.w_dim, generator=g).double()).float().double().requires_grad_()
    for k, t in head.p.items():
        t.requires_grad_("running" not in k)
    img, features = gen.synthesis(ws)
    x0, y0, x1, y1 = crop
    img = img[:, :, y0:y1, x0:x1]
    members = head.logits(features)[..., y0:y1, x0:x1]
    logits = members.mean(0)
    h, wd = img.shape[2:]
    target = torch.randint(0, head.classes, (h, wd), generator=g)
    region = torch.zeros(h, wd, dtype=torch.float64)
    region[h // 4:h // 2, wd // 3:wd // 2] = 1
    photo = torch.randn(1, 3, h, wd, generator=g).float().double()
    ce = (F.cross_entropy(logits, target[None], reduction="none")[0] * region).sum() / region.sum()
    l2 = ((img - photo).pow(2) * (1 - region)).sum() / (3 * (1 - region).sum())
    loss = ce + 2 * l2
    loss.backward()
    # Jensen-Shannon divergence of the members, in nats.
    probs = members.softmax(2)
    entropy = lambda p: -(p * p.log()).sum(-3)
    js = entropy(probs.mean(0)) - entropy(probs).mean(0)

    tensors = dict(names)
    tensors.update({"head." + k: v for k, v in head.p.items()})
    expect = {"z": z, "w": w, "w_truncated": truncated, "ws": ws, "image": img, "logits": logits, "target": target,
              "region": region, "photo": photo, "loss": loss, "grad.ws": ws.grad, "js": js}
    expect.update({"feature." + k: v[0] for k, v in features.items() if k != "b4.const"})
    expect.update({"grad." + k: v.grad for k, v in head.p.items() if "running" not in k})
    tensors.update({"expect." + k: v for k, v in expect.items()})
    meta = {"resolution": str(gen.resolution), "mapping_layers": str(gen.mapping), "w_dim": str(gen.w_dim),
            "z_dim": str(z.shape[0]), "clamp": str(gen.clamp or 0), "crop": json.dumps(crop), "psi": str(psi),
            "head": json.dumps(head.metadata())}
    write_safetensors(os.path.join(HERE, path), tensors, meta)
    print(path, "loss", loss.item(), "image", img.abs().max().item(), "logits", logits.abs().max().item(),
          os.path.getsize(os.path.join(HERE, path)), "bytes")


def main():
    gen = Generator(32, {4: 7, 8: 7, 16: 6, 32: 5}, 9, 8, 2, True, 2.5, 1)
    names = ["b4.const", "b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1", "b32.conv0", "b32.conv1"]
    head = Head(names, gen, 3, [10, 6], 5, True, False, 2)
    fixture("ada32.safetensors", gen, head, [0, 0, 32, 32], 3, gen.p)

    gen = Generator(64, {4: 6, 8: 6, 16: 6, 32: 5, 64: 4}, 8, 8, 8, False, None, 4)
    names = ["b64.conv1", "b4.const", "b8.conv1", "b16.conv0", "b32.conv1", "b64.conv0"]
    head = Head(names, gen, 1, [8], 4, False, True, 5)
    fixture("rosinality64.safetensors", gen, head, [0, 8, 64, 56], 6, gen.rosinality())


if __name__ == "__main__":
    main()
