r"""Plug-and-play: the prior's step of a splitting is a denoiser.

``admm``, with a level sigma_d of the denoiser and a penalty beta:

.. math:: x = \arg\min \tfrac12 |W^{1/2}(Hx - y)|^2 + \tfrac\beta2 |x - v + u|^2, \qquad
          v = D(x + u, \sigma_d), \qquad u \leftarrow u + x - v .

With beta = 1 / sigma_d^2 this is the splitting of the posterior mean of a Gaussian prior, which
it then finds, whatever sigma_d; of others it finds the image that is most likely under the prior
which D belongs to, where there is one.

``hqs``, half-quadratic splitting: u = 0, and a level that falls at each step to that of the data;
few steps, and the better images.

References
----------
.. [1] S. Venkatakrishnan, C. Bouman, B. Wohlberg, "Plug-and-play priors for model based
   reconstruction", GlobalSIP (2013).
.. [2] K. Zhang, Y. Li, W. Zuo, L. Zhang, L. Van Gool, R. Timofte, "Plug-and-play image
   restoration with deep denoiser prior", IEEE TPAMI 44 (2022) 6360-6376: falling levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from napari_credible.knob import Checked, Choice, Knob
from napari_credible.problem import Problem
from napari_credible.solvers.protocol import (
    Denoise,
    Iterate,
    fallen,
    first_image,
    least_squares,
)


def _forms() -> dict[str, str]:
    return {
        "hqs": "half-quadratic splitting, the level falls",
        "admm": "alternating directions, at one level",
    }


@dataclass(frozen=True)
class Pnp(Checked):
    """Plug-and-play splitting.

    Parameters
    ----------
    evaluations : int
        Of the denoiser, at most.
    form : "hqs" or "admm"
        Which splitting.
    level : float
        Of the denoiser, at last, in units of the data's noise in the image (their level over the
        norm of H, at least a hundredth of the content).
    strength : float
        beta sigma_d^2: 1 makes ``admm`` exact for Gaussian priors; [2]_ of the module has 0.23.
    highest : float
        The first level of ``hqs``, in units of the image's range; at least the last one.
    tolerance : float
        Ends where |x - the last x| is below this share of |x|.
    """

    kind: ClassVar[str] = "pnp"
    evaluations: Annotated[int, Knob(1, 100000, "", "calls of the denoiser, at most")] = 24
    form: Annotated[str, Choice(_forms, "which splitting")] = "hqs"
    level: Annotated[float, Knob(0, 1000, "noise", "of the denoiser, at last", above=True)] = 1.0
    strength: Annotated[float, Knob(0, 1e6, "", "beta sigma_d^2", above=True)] = 0.25
    highest: Annotated[float, Knob(0, 1e6, "range", "first level of hqs")] = 0.2
    tolerance: Annotated[float, Knob(0, 1, "", "relative change at which it ends")] = 1e-5

    def start(self, problem: Problem) -> Iterate:
        """Return a first image from the data."""
        return first_image(problem)

    def step(self, now: Iterate, number: int, denoise: Denoise, problem: Problem) -> Iterate:
        """Fit the data near the denoised twin, then denoise."""
        sigma = self.sigma(number, problem)
        if self.form == "hqs":
            fit = least_squares(problem, now.x, self.strength / sigma**2)
            return Iterate(denoise(fit, sigma), fit, torch.zeros_like(fit))
        x = least_squares(problem, now.other - now.dual, self.strength / sigma**2)
        clean = denoise(x + now.dual, sigma)
        return Iterate(x, clean, now.dual + x - clean)

    def sigma(self, number: int, problem: Problem) -> float:
        """Return the denoiser's level at a step."""
        stays = self.form == "admm" or self.evaluations == 1
        passed = 1.0 if stays else number / (self.evaluations - 1)
        return fallen(problem, self.level, self.highest, passed)
