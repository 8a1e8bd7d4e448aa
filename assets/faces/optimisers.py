"""Muon (orthogonalised momentum, Jordan et al. 2024) for the matrices, Adam for the rest, in one optimiser."""

import torch


def orthogonalise(g, steps=5):
    """Newton-Schulz iteration: the nearest semi-orthogonal matrix to g, roughly (singular values near 1)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.to(torch.bfloat16)
    flip = x.shape[0] > x.shape[1]
    if flip:
        x = x.t()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        s = x @ x.t()
        x = a * x + (b * s + c * (s @ s)) @ x
    return (x.t() if flip else x).float()


class Muon(torch.optim.Optimizer):
    """Groups with muon=True hold tensors of 2 or more dimensions, flattened to [first, rest]. The update is
    scaled to the root mean square of an Adam step (0.2), so both kinds take the same learning rate."""

    def __init__(self, groups, lr, betas=(0.9, 0.99), momentum=0.95, eps=1e-8):
        super().__init__(groups, dict(lr=lr, betas=betas, momentum=momentum, eps=eps, muon=False, scale=1.0))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr = group["lr"] * group["scale"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g, state = p.grad, self.state[p]
                if group["muon"]:
                    if not state:
                        state["m"] = torch.zeros_like(p)
                    m = state["m"]
                    m.mul_(group["momentum"]).add_(g)
                    u = (g + group["momentum"] * m).reshape(p.shape[0], -1)
                    u = orthogonalise(u) * (0.2 * max(u.shape) ** 0.5)
                    p.add_(u.reshape(p.shape), alpha=-lr)
                    continue
                if not state:
                    state["t"], state["m"], state["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
                state["t"] += 1
                b1, b2 = group["betas"]
                state["m"].lerp_(g, 1 - b1)
                state["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
                m = state["m"] / (1 - b1 ** state["t"])
                v = state["v"] / (1 - b2 ** state["t"])
                p.addcdiv_(m, v.sqrt_().add_(group["eps"]), value=-lr)
