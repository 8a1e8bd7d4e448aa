#!/usr/bin/env python3
"""Checkpoints as files of at most 15 MiB, for machines that hand back only small files.

    python3 parts.py split RUN OUT     python3 parts.py join PARTS RUN

Split keeps of RUN/checkpoint.pt (and adversarial.pt, when there is one) what cannot be remade: weights in half precision
and the position in the plan. The optimisers' moments start anew, with a warm-up.
"""

import glob
import hashlib
import io
import os
import sys

import torch

SIZE = 15 << 20
NAMES = ("checkpoint.pt", "adversarial.pt")


def shrink(state):
    out = {}
    for k, v in state.items():
        if k == "optimiser":
            continue
        if isinstance(v, dict) and v and all(torch.is_tensor(t) for t in v.values()):
            v = {n: t.half() if t.is_floating_point() else t for n, t in v.items()}
        out[k] = v
    return out


def split(run, out):
    os.makedirs(out, exist_ok=True)
    names = [n for n in NAMES if os.path.exists(os.path.join(run, n))]
    if "adversarial.pt" in names:  # it holds everything the regression checkpoint does
        names = ["adversarial.pt"]
    for name in names:
        buffer = io.BytesIO()
        torch.save(shrink(torch.load(os.path.join(run, name), map_location="cpu")), buffer)
        data = buffer.getvalue()
        stem = os.path.join(out, name.replace(".pt", ""))
        for old in glob.glob(stem + ".part*"):
            os.remove(old)
        tag = hashlib.sha256(data).hexdigest()[:8]
        count = -(-len(data) // SIZE)
        for i in range(count):
            with open("%s.part%dof%d-%s" % (stem, i + 1, count, tag), "wb") as f:
                f.write(data[i * SIZE:(i + 1) * SIZE])
        print("%s: %d bytes in %d parts" % (name, len(data), count))


def join(parts, run):
    os.makedirs(run, exist_ok=True)
    for name in NAMES:
        files = sorted(glob.glob(os.path.join(parts, name.replace(".pt", "") + ".part*")),
                       key=lambda p: int(p.rsplit(".part", 1)[1].split("of")[0]))
        if not files:
            continue
        data = b"".join(open(f, "rb").read() for f in files)
        tag = files[0].rsplit("-", 1)[1]
        if hashlib.sha256(data).hexdigest()[:8] != tag:
            sys.exit("%s: the parts do not belong together" % name)
        with open(os.path.join(run, name), "wb") as f:
            f.write(data)
        print("%s: %d bytes" % (name, len(data)))


if __name__ == "__main__":
    {"split": split, "join": join}[sys.argv[1]](*sys.argv[2:])
