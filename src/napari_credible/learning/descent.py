"""A network that learns, its running average, and one step of AdamW or Muon.

References
----------
.. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR (2019).
.. [2] B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
   Control Optim. 30 (1992) 838-855.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_credible.denoise.batch_norm import NormRelu
from napari_credible.denoise.networks import Network
from napari_credible.denoise.unet import UNet
from napari_credible.learning.muon import Muon

Optimisers = tuple[torch.optim.Optimizer, ...]

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
    optimisers : tuple of torch.optim.Optimizer
        With their moments; each parameter has one.
    step : int
        Number of the next step.
    """

    net: Network
    average: Network
    optimisers: Optimisers
    step: int = 0


def optimisers_of(net: nn.Module, rate: float, *, muon: bool = False) -> Optimisers:
    """Return AdamW on the parameters of a network, or Muon on those that are filters inside it.

    Raises
    ------
    ValueError
        Where Muon is asked for and the network is no U-Net.
    """
    if not muon:
        return (_adamw(net.parameters(), rate),)
    if not isinstance(net, UNet):
        raise ValueError(
            "the optimiser is 'muon', which serves networks of kind 'unet' alone; give 'adamw'"
        )
    inner = {id(filters) for filters in net.filters}
    ends = [value for value in net.parameters() if id(value) not in inner]
    return Muon(net.filters, rate), _adamw(ends, rate)


def _adamw(values: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(values, lr=rate, weight_decay=_WEIGHT_DECAY, fused=True)


def copied(net: Network, rate: float) -> Learner:
    """Return a learner that starts as ``net``, which stays as it is."""
    own, average = copy.deepcopy(net), copy.deepcopy(net)
    own.requires_grad_(True).train()
    return Learner(own, average.requires_grad_(False).eval(), optimisers_of(own, rate))


def descend(learner: Learner, loss: Tensor, rate: float, clip: float, ema: float) -> float:
    """Take one step down the gradient of ``loss`` and return its value.

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
    learner.net.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(learner.net.parameters(), clip)
    for optimiser in learner.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
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
