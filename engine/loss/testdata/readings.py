"""Makes readings.safetensors: a small network of readings with random weights, a picture, and what PyTorch
reads off the picture, together with the gradient of one minus the cosine of two identities in the picture.

    python3 readings.py readings.safetensors
"""
import json
import struct
import sys

import torch
import torch.nn.functional as F

torch.manual_seed(3)
SIZE, CHAIN, OUTPUTS = 16, [(4, 1), 0, (6, 2), (5, 1), 0], 6
TRUST = torch.tensor([0.9, 0.5, -0.2, 0.7, 0.3, 0.0])
BELONGS = [True, True, True, False, True, True]


def read(x, convs, fc):
    x = F.avg_pool2d(x, 2)  # 32 to 16
    x = (x - torch.tensor([0.1, 0, -0.2]).view(1, 3, 1, 1)) / torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    i = 0
    for layer in CHAIN:
        if layer == 0:
            x = F.avg_pool2d(x, 2)
        else:
            x = F.relu(F.conv2d(x, convs[i][0], convs[i][1], stride=layer[1], padding=1))
            i += 1
    return F.linear(x.flatten(1), *fc)


def identity(v):
    w = torch.tensor([max(0.0, float(t)) if b else 0.0 for t, b in zip(TRUST, BELONGS)])
    return F.normalize(v * w, dim=1)


convs, c, s = [], 3, SIZE
for layer in CHAIN:
    if layer == 0:
        s //= 2
    else:
        convs.append((torch.randn(layer[0], c, 3, 3) * 0.3, torch.randn(layer[0]) * 0.1))
        c, s = layer[0], s // layer[1]
fc = (torch.randn(OUTPUTS, c * s * s) * 0.3, torch.randn(OUTPUTS))
a, b = torch.randn(1, 3, 32, 32).requires_grad_(), torch.randn(1, 3, 32, 32)
values, other = read(a, convs, fc), read(b, convs, fc)
distance = 1 - (identity(values) * identity(other)).sum()
distance.backward()

tensors = {"picture": a, "other": b, "values": values, "other_values": other, "distance": distance.view(1), "gradient": a.grad,
           "fc.weight": fc[0], "fc.bias": fc[1]}
layers, i = [], 0
for layer in CHAIN:
    if layer == 0:
        layers.append({"pool": 2})
    else:
        tensors["conv%d.weight" % i], tensors["conv%d.bias" % i] = convs[i]
        layers.append({"conv": "conv%d" % i, "stride": layer[1]})
        i += 1
meta = {"format": "latentbrush-readings", "version": "1", "name": "small", "shift": "[0.1,0,-0.2]", "scale": "[0.5,0.6,0.7]",
        "layers": json.dumps(layers), "size": str(SIZE),
        "outputs": json.dumps([{"name": "r%d" % k, "identity": BELONGS[k], "r2": round(float(TRUST[k]), 3)} for k in range(OUTPUTS)])}
header, blobs, at = {"__metadata__": meta}, [], 0
for name, t in tensors.items():
    raw = t.detach().contiguous().numpy().tobytes()
    header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
    blobs.append(raw)
    at += len(raw)
head = json.dumps(header).encode()
head += b" " * (-len(head) % 8)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))
