"""EditGAN's embedding in its official formulation, on a Latentbrush bundle: the other
side of a comparison of time and error.

The loss is 10 LPIPS + 1 MSE, pixels in [0,1], over the whole frame; Adam with the cosine
ramps of StyleGAN2's projector and rate 0.1, every number of W+ free, the perceptual
network on both pictures in every step. (The term of the encoder is left out: 277 million
weights in every step would only make each step dearer.) Generator and perceptual network
are those of the official mask edit, ../../edit/testdata/official.py.

    python3 official.py BUNDLE PROBLEM ANSWER [--steps 100] [--threads 2] [--vgg]

PROBLEM is a safetensors file: code [rows,dim] F32, the start; picture [h,w,3] U8. ANSWER
holds code [rows,dim] and seconds [steps+1].
"""
import argparse
import json
import math
import os
import sys
import time

_edit = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "edit", "testdata", "official.py")
with open(_edit) as f:
    source = f.read()
# Its last line runs it.
exec(compile(source[: source.rindex("main()")], _edit, "exec"))


def ramp(t):
    return (0.5 - 0.5 * math.cos(math.pi * min(1, (1 - t) / 0.25))) * min(1, t / 0.05)


def embed():
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("problem")
    parser.add_argument("answer")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vgg", action="store_true", help="a perceptual network of VGG16's size")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    with open(os.path.join(args.bundle, "model.json")) as f:
        manifest = json.load(f)
    g = Generator(args.bundle, manifest, torch.float32)
    perceptual = Perceptual(args.bundle, torch.float32, args.vgg)
    problem, _ = read(args.problem)
    target = problem["picture"].permute(2, 0, 1)[None].float() / 255
    w = problem["code"].clone().requires_grad_()
    adam = torch.optim.Adam([w], lr=0.1)
    seconds, begun = [0.0], time.time()
    for i in range(args.steps):
        adam.param_groups[0]["lr"] = 0.1 * ramp((i + 1) / (args.steps + 1))
        adam.zero_grad()
        img = (g(w)[0] + 1) / 2
        (10 * perceptual(img * 2 - 1, target * 2 - 1) + (img - target).pow(2).mean()).backward()
        adam.step()
        seconds.append(time.time() - begun)
    write(args.answer, {"code": w, "seconds": torch.tensor(seconds, dtype=torch.float32)})
    print(f"{args.steps} steps in {seconds[-1]:.1f} s")


embed()
