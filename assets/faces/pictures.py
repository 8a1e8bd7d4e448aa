"""The data set made by `latentbrush dataset`: raw arrays in a folder, read through memory maps.

dataset.json (n, done, sizes, parameters, classes), z.f32 [n, z_dim], images-S.u8 [n,S,S,3], labels-S.u8 [n,S,S].
"""

import json
import os
import warnings

import numpy as np
import torch

# Importance of a pixel in the picture loss, by the class it shows.
WEIGHTS = {
    "background": 0.8, "clothes": 0.7, "neck": 1.0, "hair": 2.2, "skin": 1.8, "beard": 2.5, "ear": 5.0, "glasses": 9.0,
    "nose": 3.0, "brow": 9.0, "eye": 14.0, "iris": 14.0, "pupil": 16.0, "upper_lip": 9.0, "lower_lip": 9.0,
    "mouth_in": 12.0, "teeth": 12.0,
}
# Factor on that importance in the texture term; the others have 0.3.
TEXTURE = {"hair": 1.6, "beard": 1.0, "brow": 1.0, "eye": 0.5}
# The facial features over which the second PSNR is taken.
FEATURES = ("brow", "eye", "iris", "pupil", "nose", "upper_lip", "lower_lip", "mouth_in", "teeth", "glasses")
# Parameters that change colour and light and not shape, for style mixing.
COLOUR = ("skin_tone", "skin_under", "blush", "iris_hue", "iris_dark", "eyeshadow", "lip_red", "hair_tone", "hair_dark",
          "hair_red", "hair_grey", "glasses_dark", "glasses_colour", "cloth_hue", "cloth_light", "light_", "bg_",
          "background_", "freckles")
# Parameters that move whole parts: drawn at 16 pixels and below.
GEOMETRY = ("yaw", "pitch", "roll", "face_", "jaw_", "chin_", "cheek_", "hair_length", "hair_len", "hair_vol", "hair_side",
            "eye_spacing", "neck_", "ear_size", "nose_length", "mouth_gap")
# Where the response of the renderer to a parameter bends or oscillates. Each becomes functions of that parameter alone among the
# first weights of the mapping: ramps that begin at quantiles of the parameter, or bumps around them. A presence (glasses,
# beard ...) is nothing below its threshold and eased in above; colours run along ramps of several stops; moving
# the parting moves all strands.
THRESHOLDS = {"freckles": .583, "age": .444, "eyeshadow": .5, "hair_red": .615, "hair_grey": .75, "fringe": .474, "beard": .75,
              "moustache": .8, "glasses": .6875, "mouth_open": .412, "eye_close": .857}
RAMPS = {"yaw": 5, "pitch": 3, "hair_wave": 3, "hair_volume": 3, "hair_length": 5, "hairline": 3, "hair_side": 3, "hair_tone": 6,
         "skin_tone": 5, "skin_undertone": 2, "iris_hue": 4, "cloth_hue": 5, "background_hue": 5, "glasses_colour": 2,
         "smile": 3, "gaze_x": 3, "gaze_y": 3, "light_x": 3}
BUMPS = {"hair_part": 15}


def knots(parameters):
    """[(index, quantiles, bump or ramp)] for the mapping network."""
    out = [(parameters.index(n), [t + f * (1 - t) for f in (0.1, 0.4, 0.75)], False)
           for n, t in THRESHOLDS.items() if n in parameters]
    for table, bump in ((RAMPS, False), (BUMPS, True)):
        out += [(parameters.index(n), [(i + 1) / (k + 1) for i in range(k)], bump)
                for n, k in table.items() if n in parameters]
    return out


def base(name):
    return name[:-2] if name.endswith(("_l", "_r")) else name


class Pictures:
    def __init__(self, folder):
        self.folder = folder
        self.refresh()
        z = np.memmap(os.path.join(folder, "z.f32"), dtype=np.float32, mode="r")  # still growing, perhaps
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the tensor is read-only
            self.z = torch.from_numpy(z.reshape(self.n, -1))
        names = [c["name"] if isinstance(c, dict) else c for c in self.facts["classes"]]
        self.classes = names
        self.parameters = [p["name"] if isinstance(p, dict) else p for p in self.facts["parameters"]]
        self.weights = torch.tensor([WEIGHTS.get(base(c), 1.0) for c in names])
        self.texture = self.weights * torch.tensor([TEXTURE.get(base(c), 0.3) for c in names])
        self.features = torch.tensor([base(c) in FEATURES for c in names])
        self.colour = torch.tensor([p.startswith(COLOUR) for p in self.parameters])
        self.geometry = torch.tensor([p.startswith(GEOMETRY) for p in self.parameters])
        self.maps = {}
        self.drawn = np.zeros(self.n, np.float32)

    def refresh(self):
        with open(os.path.join(self.folder, "dataset.json")) as f:
            self.facts = json.load(f)
        self.n, self.done = self.facts["n"], self.facts["done"]
        self.sizes = self.facts["sizes"]
        return self.done

    def _map(self, kind, size, shape):
        key = (kind, size)
        if key not in self.maps:
            path = os.path.join(self.folder, "%s-%d.u8" % (kind, size))
            self.maps[key] = np.memmap(path, dtype=np.uint8, mode="r", shape=shape)
        return self.maps[key]

    def images(self, size, index, device="cpu"):
        """float32 [b,3,size,size] in [-1, 1]."""
        a = torch.from_numpy(self._map("images", size, (self.n, size, size, 3))[index])
        return a.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

    def labels(self, size, index, device="cpu"):
        """int64 [b,size,size]."""
        a = torch.from_numpy(self._map("labels", size, (self.n, size, size))[index])
        return a.to(device, non_blocking=True).long()

    def batch(self, size, count, generator, device="cpu"):
        """A random batch. Pictures drawn rarely so far are preferred (the set may have grown since the start), which
        keeps the early ones from being learnt by heart."""
        if len(self.drawn) < self.n:
            self.drawn = np.concatenate([self.drawn, np.zeros(self.n - len(self.drawn), np.float32)])
        p = (1.0 + self.drawn[:self.done].astype(np.float64)) ** -2
        index = np.sort(generator.choice(self.done, min(count, self.done), replace=False, p=p / p.sum()))
        self.drawn[index] += 1
        return self.z[index].to(device), self.images(size, index, device), self.labels(size, index, device)
