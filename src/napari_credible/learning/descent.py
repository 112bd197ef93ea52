"""A network that learns, its running average, and one step of AdamW.

References
----------
.. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR (2019).
.. [2] B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
   Control Optim. 30 (1992) 838-855.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_credible.denoise.batch_norm import NormRelu
from napari_credible.denoise.networks import Network

_WEIGHT_DECAY = 1e-4
# Softens the weight below half a grey level, where an error can no longer be seen.
_WEIGHT_FLOOR = 0.5 / 255


@dataclass
class Learner:
    """What a step changes.

    Attributes
    ----------
    net, average : Network
        As trained, and averaged over the last steps.
    optimiser : torch.optim.Optimizer
        With its moments.
    step : int
        Number of the next step.
    """

    net: Network
    average: Network
    optimiser: torch.optim.Optimizer
    step: int = 0


def optimiser_of(net: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Return AdamW on the parameters of a network."""
    return torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY, fused=True)


def copied(net: Network, rate: float) -> Learner:
    """Return a learner that starts as ``net``, which stays as it is."""
    own, average = copy.deepcopy(net), copy.deepcopy(net)
    own.requires_grad_(True).train()
    return Learner(own, average.requires_grad_(False).eval(), optimiser_of(own, rate))


def descend(learner: Learner, loss: Tensor, rate: float, clip: float, ema: float) -> float:
    """Take one step of AdamW down the gradient of ``loss`` and return its value.

    Parameters
    ----------
    learner : Learner
        Changed in place.
    loss : Tensor, a number
        Of ``learner.net``.
    rate : float
        Of learning.
    clip : float
        Largest norm of the gradient.
    ema : float
        Decay of the averaged weights, which move faster while the run is young.
    """
    for group in learner.optimiser.param_groups:
        group["lr"] = rate
    learner.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(learner.net.parameters(), clip)
    learner.optimiser.step()
    _average(learner, ema)
    learner.step += 1
    return float(loss.detach())


def weight_of(sigma: Tensor) -> Tensor:
    """Return (sigma^2 + floor^2)^(-3/4), by which squared errors of all levels count alike.

    The error of a good denoiser grows like sigma^1.5 on natural images. Each level's minimiser is
    the conditional mean, whatever its weight.
    """
    weight: Tensor = (sigma.square() + _WEIGHT_FLOOR**2) ** -0.75
    return weight


def freeze(net: nn.Module, frozen: bool) -> None:
    """Let batch normalisation use the averages of what it met, or each batch's own."""
    for module in net.modules():
        if isinstance(module, NormRelu):
            module.train(not frozen)


@torch.no_grad()
def _average(learner: Learner, decay: float) -> None:
    decay = min(decay, (1 + learner.step) / (10 + learner.step))
    torch._foreach_lerp_(_values(learner.average), _values(learner.net), 1 - decay)


def _values(net: nn.Module) -> list[Tensor]:
    """Return weights and running averages."""
    return [*net.parameters(), *net.buffers()]
