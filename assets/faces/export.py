#!/usr/bin/env python3
"""Writes the model bundle from a checkpoint.

    python3 export.py --checkpoint RUN/checkpoint.pt --data DIR --heldout DIR --out assets/models/faces [--resolution R]
    python3 export.py --unpack assets/models/faces --out RUN      the way back, to go on training
"""

import argparse
import json
import os
import re
import struct

import numpy as np
import torch

import objectives
import stylegan2
from pictures import Pictures

KINDS = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16", np.dtype(np.uint8): "U8", np.dtype(np.int64): "I64"}


def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> tensor or array. 8 bytes little-endian header length, JSON header, data; atomic."""
    header, blobs, at = {}, [], 0
    if metadata:
        header["__metadata__"] = {k: str(v) for k, v in metadata.items()}
    for name, t in tensors.items():
        a = t.detach().cpu().numpy() if torch.is_tensor(t) else np.asarray(t)
        a = a if a.flags.c_contiguous else np.ascontiguousarray(a)
        header[name] = {"dtype": KINDS[a.dtype], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        blobs.append(a.tobytes())
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)))
        f.write(text)
        for b in blobs:
            f.write(b)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".part", path)


def read_safetensors(path):
    """name -> float32 tensor, and the metadata."""
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    metadata = header.pop("__metadata__", {})
    kinds = {v: k for k, v in KINDS.items()}
    out = {}
    for name, h in header.items():
        a, b = h["data_offsets"]
        v = np.frombuffer(data[a:b], dtype=kinds[h["dtype"]]).reshape(h["shape"])
        out[name] = torch.from_numpy(v.astype(np.float32) if v.dtype == np.float16 else v.copy())
    return out, metadata


def load_generator(checkpoint, resolution=None, half=False):
    """The averaged generator of a checkpoint, cut to `resolution`, with w_avg filled in; and the checkpoint."""
    state = torch.load(checkpoint, map_location="cpu")
    config = dict(state["config"])
    top = resolution or config["resolution"]
    config["resolution"] = top
    config["channels"] = {r: c for r, c in config["channels"].items() if r <= top}
    g = stylegan2.Generator(**config, half=half)
    own = g.state_dict()
    g.load_state_dict({k: v for k, v in state["ema"].items() if k in own})
    with torch.no_grad():
        z = torch.randn(50000, g.mapping.z_dim, generator=torch.Generator().manual_seed(0))
        g.mapping.w_avg.copy_(g.mapping(z).mean(0))
    return g.eval().requires_grad_(False), state


def to_half(state, config, z):
    """The state in float16 if no picture changes by more than 1e-3 (root mean square; range [-1, 1]); the state
    itself otherwise. Returns it and the two differences (root mean square, maximum)."""
    small = {k: v.half() for k, v in state.items()}
    with torch.no_grad():
        a = stylegan2.from_standard(state, config)(z)[0]
        b = stylegan2.from_standard({k: v.float() for k, v in small.items()}, config)(z)[0]
    rms, most = (a - b).square().mean((1, 2, 3)).sqrt().max().item(), (a - b).abs().max().item()
    finite = all(torch.isfinite(v).all() for v in small.values())
    return (small if finite and rms <= 1e-3 else state), rms, most


def classes(source):
    """The manifest's classes, read from the table in assets/portrait/classes.go, which defines them."""
    pattern = r'\{(\w+), "(\w+)", color\.RGBA\{(\d+), (\d+), (\d+), 255\}, (\w+), "(\w+)"\}'
    rows = re.findall(pattern, open(source).read())
    ids = {row[0]: i for i, row in enumerate(rows)}
    out = []
    for i, (own, name, r, g, b, pair, group) in enumerate(rows):
        c = {"id": i, "name": name, "colour": "#%02x%02x%02x" % (int(r), int(g), int(b))}
        if pair != own:
            c["pair"] = ids[pair]
        out.append(dict(c, group=group))
    return out


def unpack(bundle, run):
    """A checkpoint for train.py and adversarial.py from a bundle: weights and average, no optimiser state."""
    manifest = json.load(open(os.path.join(bundle, "model.json")))
    config = {k: manifest[k] for k in ("resolution", "z_dim", "w_dim", "mapping_layers")}
    config["channels"] = {int(r): c for r, c in manifest["channels"].items()}
    config["named"] = len(manifest["training"]["parameters"])
    tensors, _ = read_safetensors(os.path.join(bundle, "generator.safetensors"))
    g = stylegan2.from_standard(tensors, config)
    facts = manifest["training"]
    os.makedirs(run, exist_ok=True)
    state = dict(config=config, g=g.state_dict(), ema=g.state_dict(), stage=99, spent=0.0, seen=facts["pictures_seen"],
                 steps=facts["steps"], total=facts["minutes"] * 60, plan=[(config["resolution"], 0)])
    if facts.get("knots"):
        state["knots"] = True  # train.py must not put them in again
    torch.save(state, os.path.join(run, "checkpoint.pt"))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--checkpoint")
    p.add_argument("--data")
    p.add_argument("--heldout")
    p.add_argument("--unpack", help="bundle to turn into a checkpoint")
    p.add_argument("--out", required=True)
    p.add_argument("--classes", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "portrait",
                                                     "classes.go"), help="the Go table of the classes")
    p.add_argument("--resolution", type=int)
    p.add_argument("--psi", type=float, default=0.85)
    args = p.parse_args()
    torch.set_num_threads(1)
    if args.unpack:
        unpack(args.unpack, args.out)
        return
    if not (args.checkpoint and args.data and args.heldout):
        p.error("--checkpoint, --data and --heldout are needed")
    os.makedirs(args.out, exist_ok=True)
    pictures, heldout = Pictures(args.data), Pictures(args.heldout)
    g, run = load_generator(args.checkpoint, args.resolution)
    config = g.config
    state, rms, most = to_half(stylegan2.standard_state(g), config, heldout.z[:16])
    kind = "F16" if next(iter(state.values())).dtype == torch.float16 else "F32"
    print("stored as %s; rounding to F16 moves a picture by %.2g rms, %.2g at most" % (kind, rms, most))
    write_safetensors(os.path.join(args.out, "generator.safetensors"), state,
                      {"format": "latentbrush-generator", "version": "1"})
    all_db, feature_db = objectives.held_out(g, heldout, config["resolution"], 128)
    print("held-out %.2f dB, features %.2f dB" % (all_db, feature_db))
    training = {
        "pictures_seen": run["seen"], "steps": run["steps"], "minutes": round(run["total"] / 60, 1),
        "unique_pictures": pictures.done, "heldout_psnr": round(all_db, 2),
        "heldout_feature_psnr": round(feature_db, 2), "stored_as": kind, "parameters": pictures.parameters,
        "knots": bool(run.get("knots")), "data_seed": pictures.facts.get("seed"), "heldout_seed": heldout.facts.get("seed"),
    }
    manifest = {
        "format": "latentbrush-model", "version": 1, "id": "faces", "name": "Faces",
        "description": "Portraits drawn by a procedural renderer and learnt by a compact StyleGAN2. No photographs.",
        "architecture": "stylegan2", "resolution": config["resolution"], "z_dim": config["z_dim"],
        "w_dim": config["w_dim"], "rows": stylegan2.rows_for(config["resolution"]),
        "mapping_layers": config["mapping_layers"], "mapping_lr_mul": 0.01,
        "channels": {str(r): c for r, c in config["channels"].items()}, "demodulation": "scaled", "noise": "none",
        "truncation": {"psi": args.psi},
        "classes": classes(args.classes),
        "licence": "CC0-1.0", "author": "Latentbrush", "training": training,
    }
    path = os.path.join(args.out, "model.json")
    with open(path + ".part", "w") as f:
        json.dump(manifest, f, indent=1)
        f.write("\n")
    os.replace(path + ".part", path)


if __name__ == "__main__":
    main()
