"""Small checkpoints of each kind, written by torch itself, for the Go tests.

    weights.safetensors      the truth, named as stylegan2-ada-pytorch does
    rosinality.pt            zip container, g_ema and latent_avg
    rosinality-legacy.pt     the container of torch before 1.6
    ada.pkl                  a plain pickle of persistent objects, as NVIDIA's code writes
    classifier-{0,1}.pth     two members of an EditGAN ensemble, saved from DataParallel

Run: python3 make_fixtures.py
"""
import collections
import importlib.util
import os
import pickle
import sys
import types

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location(
    "reference", os.path.join(HERE, "..", "..", "stylegan2", "testdata", "make_fixtures.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def fake_module(name, **members):
    m = types.ModuleType(name)
    for k, v in members.items():
        setattr(m, k, v)
        v.__module__, v.__qualname__ = name, k
    sys.modules[name] = m
    return m


class EasyDict(dict):
    pass


def _reconstruct_persistent_obj(meta):
    raise RuntimeError("never called")


fake_module("dnnlib")
fake_module("dnnlib.util", EasyDict=EasyDict)
fake_module("torch_utils")
fake_module("torch_utils.persistence", _reconstruct_persistent_obj=_reconstruct_persistent_obj)


class Persistent(torch.nn.Module):
    def __init__(self, class_name, **attributes):
        super().__init__()
        self.class_name = class_name
        for k, v in attributes.items():
            setattr(self, k, v)

    def __reduce__(self):
        state = dict(self.__dict__)
        name = state.pop("class_name")
        meta = EasyDict(type="class", version=6, module_src="raise SystemExit('source was executed')", class_name=name, state=state)
        return _reconstruct_persistent_obj, (meta,), None


def persistent(gen):
    """The generator as modules of the shape that the ADA code has."""
    classes = {"fc": "FullyConnectedLayer", "affine": "FullyConnectedLayer", "conv": "SynthesisLayer", "torgb": "ToRGBLayer", "b": "SynthesisBlock"}
    root = Persistent("Generator", z_dim=5, c_dim=0, w_dim=4, img_resolution=32)
    root.mapping = Persistent("MappingNetwork", num_layers=gen.mapping)
    root.synthesis = Persistent("SynthesisNetwork", block_resolutions=[4, 8, 16, 32])
    for name, value in gen.p.items():
        at = root
        *path, leaf = name.split(".")
        for i, part in enumerate(path):
            if not hasattr(at, part):
                kind = next(classes[k] for k in ("fc", "affine", "conv", "torgb", "b") if part.startswith(k))
                child = Persistent(kind)
                if kind == "SynthesisBlock":
                    child.architecture = "skip"
                if kind == "SynthesisLayer":
                    child.conv_clamp, child.use_noise = 256, True
                if path[0] == "mapping":
                    child.bias_gain = 0.01
                at.add_module(part, child)
            at = getattr(at, part)
        value = value.float()
        if leaf in ("noise_const", "w_avg"):
            at.register_buffer(leaf, value)
        else:
            at.register_parameter(leaf, torch.nn.Parameter(value))
    return root


def classifier(seed, channels):
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(channels, 6), torch.nn.ReLU(), torch.nn.BatchNorm1d(6),
        torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))
    for m in net:
        if isinstance(m, torch.nn.BatchNorm1d):
            m.running_mean.uniform_()
            m.running_var.uniform_(0.5, 1.5)
    holder = torch.nn.Module()
    holder.layers = net
    return collections.OrderedDict(("module." + k, v) for k, v in holder.state_dict().items())


def main():
    gen = reference.Generator(32, {4: 4, 8: 4, 16: 3, 32: 2}, 5, 4, 2, True, 256, 7)
    path = lambda name: os.path.join(HERE, name)
    reference.write_safetensors(path("weights.safetensors"), gen.p, {})
    state = collections.OrderedDict((k, v.float()) for k, v in gen.rosinality().items())
    mean = state.pop("latent_avg")
    # One tensor is stored transposed, so that strides are not the usual ones.
    key = "conv1.conv.modulation.weight"
    state[key] = state[key].t().contiguous().t()
    top = {"g_ema": state, "latent_avg": mean, "args": None}
    torch.save(top, path("rosinality.pt"))
    torch.save(top, path("rosinality-legacy.pt"), _use_new_zipfile_serialization=False)
    with open(path("ada.pkl"), "wb") as f:
        pickle.dump(dict(G=None, D=None, G_ema=persistent(gen), training_set_kwargs=EasyDict(path="x"), augment_pipe=None), f)
    channels = 2 * (4 + 4 + 3 + 2)
    for i in range(2):
        torch.save({"model_state_dict": classifier(i, channels)}, path(f"classifier-{i}.pth"))
    for name in sorted(os.listdir(HERE)):
        print(name, os.path.getsize(path(name)))


if __name__ == "__main__":
    main()
