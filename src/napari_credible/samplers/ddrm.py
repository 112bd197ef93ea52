r"""DDRM: a fast restorer in the singular basis of H, whose spread is not calibrated.

At each falling level the denoised image is set to, moved toward, or left by the data, singular
vector by singular vector. It makes good single images in 20 evaluations. It is a variational
scheme and no sampler of the posterior: with H = 1 and a Gaussian prior its draws carry 0.38 of
the posterior variance at the published numbers.

References
----------
.. [1] B. Kawar, M. Elad, S. Ermon, J. Song, "Denoising diffusion restoration models",
   NeurIPS (2022).
.. [2] J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS (2020): the
   levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch

from napari_credible.knob import Checked, Knob
from napari_credible.problem import Problem, spectral
from napari_credible.samplers.protocol import Denoise, Noise, State

# The variances that [2] adds at each of 1000 steps, to an image between -1 and 1.
_FIRST_BETA, _LAST_BETA, _BETAS = 1e-4, 0.02, 1000


@dataclass(frozen=True)
class Ddrm(Checked):
    """A fast restorer: do not read its spread as an uncertainty.

    Parameters
    ----------
    evaluations : int
        Of the denoiser, at levels evenly chosen among the published 1000.
    eta : float
        Share of new noise, 0 to 1, where the data say less than the state or nothing.
    eta_data : float
        Share of the data, 0 to 1, where they say more than the state.
    highest : float
        Of the published levels, which begin at 48 ranges, those above it are lowered to it; in
        units of the image's range. Denoisers are trained far below, and what they make of such
        noise stays where H is silent.
    """

    kind: ClassVar[str] = "ddrm"
    evaluations: Annotated[int, Knob(2, 1000, "", "calls of the denoiser")] = 20
    eta: Annotated[float, Knob(0, 1, "", "share of new noise")] = 0.85
    eta_data: Annotated[float, Knob(0, 1, "", "share of the data where they are sharp")] = 1.0
    highest: Annotated[float, Knob(0, 1e6, "range", "no level is above", above=True)] = 2.0

    def levels(self, problem: Problem) -> list[float]:
        """Return the noise levels, falling, and 0 at last; image units."""
        kept = np.cumprod(1 - np.linspace(_FIRST_BETA, _LAST_BETA, _BETAS))
        chosen = kept[:: _BETAS // self.evaluations][: self.evaluations]
        published = np.sqrt((1 - chosen) / chosen)[::-1]
        return [*(min(float(level) / 2, self.highest) * problem.span for level in published), 0.0]

    def steps(self, problem: Problem) -> int:
        """Return one for each level."""
        return self.evaluations

    def start(self, denoise: Denoise, problem: Problem, noise: Noise) -> State:
        """Return what the data say, with noise up to the first level; nothing is denoised yet."""
        values, y, sigma = spectral(problem, self.kind)
        level = self.levels(problem)[0]
        own = sigma / values.clamp(min=1e-30)
        knows = own <= level
        extra = torch.where(knows, (level**2 - own.square()).clamp(min=0).sqrt(), level)
        flat = problem.to_spectral(problem.flat())
        centre = torch.where(knows, y / values.clamp(min=1e-30), flat)
        x = problem.from_spectral(centre + extra * problem.to_spectral(noise()))
        return State(x, level, x)

    def step(
        self, state: State, number: int, denoise: Denoise, problem: Problem, noise: Noise
    ) -> State:
        """Denoise, let the data in, and go one level down."""
        values, y, sigma = spectral(problem, self.kind)
        level = self.levels(problem)[number + 1]
        clean = problem.to_spectral(denoise(state.x, state.level))
        old = (problem.to_spectral(state.x) - clean) / state.level
        z = problem.to_spectral(noise())
        keep, new = math.sqrt(1 - self.eta**2), self.eta * level
        unseen = clean + keep * level * old + new * z
        gap = (y - values * clean) / max(sigma, 1e-30)
        dim = clean + keep * level * gap + new * z
        seen = y / values.clamp(min=1e-30)
        own = self.eta_data * sigma / values.clamp(min=1e-30)
        rest = (level**2 - own.square()).clamp(min=0).sqrt()
        sharp = (1 - self.eta_data) * clean + self.eta_data * seen + rest * z
        found = torch.where(values * level >= sigma, sharp, dim)
        x = problem.from_spectral(torch.where(values > 0, found, unseen))
        return State(x, level, x)
