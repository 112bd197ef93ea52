"""Tell whether a user's own callable keeps the contract of a denoiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_SIDE = 64
_SIGMA = 0.1


def check_denoiser(denoiser: Callable[[Tensor, Any], Tensor]) -> None:
    """Raise where a callable breaks the contract of D(x, sigma), with the likely cure.

    Two images, shape (2, 1, 64, 64) in [0, 1], are denoised at sigma 0.1.

    Parameters
    ----------
    denoiser : callable
        ``D(x, sigma) -> x_hat`` on float32 tensors ``(B, 1, Y, X)``; sigma a number or ``(B,)``.

    Raises
    ------
    ValueError
        Names the first broken promise: type, shape, dtype, device, gradient history, finite values,
        the input left as it was, repeatable, one image independent of the next, sigma as a
        number or one each, and noise that is less after than before.

    Examples
    --------
    >>> from napari_credible.denoise.oracles import GaussianPrior
    >>> check_denoiser(GaussianPrior(mean=0.5, std=0.2))
    >>> check_denoiser(lambda x, sigma: x)
    Traceback (most recent call last):
    ValueError: the denoiser leaves all the noise: mean squared error 0.0100 before, 0.0100 after; \
is sigma, in the units of x, used?
    """
    if not callable(denoiser):
        raise ValueError(f"{denoiser!r} cannot be called; give D(x, sigma), or load_denoiser(name)")
    clean, noisy = _test_images()
    kept = noisy.clone()
    found = denoiser(noisy, _SIGMA)
    _check_form(found, noisy)
    if not torch.equal(noisy, kept):
        raise ValueError("the denoiser changed its input in place; let it work on x.clone()")
    _check_same(denoiser(noisy, _SIGMA), found, "answers differently each time; call net.eval()")
    _check_same(
        denoiser(noisy, torch.full((2,), _SIGMA)),
        found,
        "differs for sigma as a number and as (B,)",
    )
    _check_same(
        denoiser(noisy[:1], _SIGMA),
        found[:1],
        "lets one image of a batch change another; batch normalisation left in training mode does",
    )
    before, after = ((image - clean).square().mean().item() for image in (noisy, found))
    if after > 0.99 * before:
        raise ValueError(
            f"the denoiser leaves all the noise: mean squared error {before:.4f} before, "
            f"{after:.4f} after; is sigma, in the units of x, used?"
        )


def _test_images() -> tuple[Tensor, Tensor]:
    """Two smooth images and their noisy versions."""
    axis = torch.linspace(0, 3, _SIDE)
    waves = 0.5 + 0.3 * torch.sin(axis)[:, None] * torch.cos(2 * axis)[None]
    clean = torch.stack([waves, waves.flip(0)])[:, None]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, clean + _SIGMA * noise


def _check_form(found: Any, x: Tensor) -> None:
    if not isinstance(found, Tensor):
        raise ValueError(f"the denoiser returns {type(found).__name__}; return a torch tensor")
    for what in ("shape", "dtype", "device"):
        if getattr(found, what) != getattr(x, what):
            raise ValueError(
                f"the denoiser returns {what} {getattr(found, what)} for {getattr(x, what)}; "
                f"return the {what} of x"
            )
    if found.requires_grad:
        raise ValueError(
            "the denoiser keeps the gradient's history; freeze it: net.requires_grad_(False)"
        )
    if not bool(torch.isfinite(found).all()):
        raise ValueError("the denoiser returns values that are not finite for a clean test image")


def _check_same(found: Tensor, wanted: Tensor, complaint: str) -> None:
    if not torch.allclose(found, wanted, atol=1e-5, rtol=1e-4):
        raise ValueError(f"the denoiser {complaint}")
