r"""What the denoiser itself says of the posterior, without a draw.

For y = x + sigma z and D(y) = E[x | y], the covariance of x given y is sigma^2 times the Jacobian
of D [1]_. Its diagonal gives a map of the standard deviation for a few products with the
Jacobian, its leading eigenvectors are the posterior's principal components [2]_.

Everything is stated in coordinates whose noise is white with variance 1, where the covariance
A = S^-1 J S, S = diag(sigma), has its eigenvalues in [0, 1].

References
----------
.. [1] K. Miyasawa, "An empirical Bayes estimator of the mean of a normal population",
   Bull. Inst. Internat. Statist. 38 (1961).
.. [2] O. Manor, T. Michaeli, "On the posterior distribution in denoising: application to
   uncertainty quantification", ICLR (2024).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_credible.posterior import Components

Array = NDArray[np.float32]
Product = Callable[[NDArray[Any]], NDArray[Any]]

# Nodes of the quadrature over a pixel's normal posterior: exact for polynomials of degree 13.
_NODES = 7
# Standard deviations beyond which a pixel's posterior is taken to have no mass.
_FAR = 6.0
# Halvings of that range in which a threshold is sought: 1e-4 of a standard deviation.
_HALVINGS = 17
# Of the residual |C v - l v|, relative to the root of the mean squared eigenvalue.
_SETTLED = 1e-3


class Region(NamedTuple):
    """Mean and standard deviation of a number that was computed from an image."""

    mean: float
    std: float


@dataclass(frozen=True, eq=False)
class Linearised:
    """A posterior that is normal at each pixel of the stabilised image.

    Answers what :class:`napari_credible.posterior.Posterior` answers, without draws. Of skewed
    or many-peaked posteriors it knows mean and variance only.

    Parameters
    ----------
    centre, spread : ndarray of float32, shape (..., Y, X), stabilised units
        Mean and standard deviation of the noise-free image; NaN where nothing is known.
    light : callable, optional
        Maps stabilised values (..., Y, X) to image units, each pixel by a rising curve; the
        identity where not given.
    covariance : callable, optional
        Multiplies the covariance of the stabilised image with an array (..., Y, X).
    lowest : float or ndarray
        No clean value lies below it.
    widen : float
        Factor on both sides of every interval, from a calibration.
    """

    centre: Array
    spread: Array
    light: Callable[[Any], NDArray[Any]] = np.asarray
    covariance: Product | None = None
    lowest: float | NDArray[np.floating[Any]] = -math.inf
    widen: float = 1.0

    @cached_property
    def _moments(self) -> tuple[Array, Array]:
        """Return mean and standard deviation in image units, by Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        weights = weights / weights.sum()
        first = np.zeros(self.spread.shape)
        second = np.zeros(self.spread.shape)
        # Squares are taken around the middle, or they would cancel in bright pixels.
        middle = self.light(self.centre)
        for node, weight in zip(nodes, weights, strict=True):
            away = self.light(self.centre + node * self.spread) - middle
            first += weight * away
            second += weight * np.square(away)
        std = np.sqrt(np.maximum(second - np.square(first), 0))
        return np.asarray(middle + first, dtype=np.float32), np.asarray(std, dtype=np.float32)

    @property
    def mean(self) -> Array:
        """Mean of the posterior, image units."""
        return self._moments[0]

    @property
    def std(self) -> Array:
        """Standard deviation of the posterior, image units."""
        return self._moments[1]

    def interval(self, level: float = 0.9) -> tuple[Array, Array]:
        """Return lower and upper bound that hold the truth with probability ``level``.

        The ends are mapped back one by one: asymmetric in photon counts, never below the offset.

        Parameters
        ----------
        level : float, 0 to 1, excluded
        """
        from scipy.stats import norm

        if not 0 < level < 1:
            raise ValueError(f"level is {level}; give a probability between 0 and 1, such as 0.9")
        reach = np.float32(norm.ppf((1 + level) / 2)) * self.spread
        ends = (self.light(self.centre - reach), self.light(self.centre + reach))
        below, above = (
            np.asarray(
                np.maximum(self.mean + self.widen * (end - self.mean), self.lowest),
                dtype=np.float32,
            )
            for end in ends
        )
        return below, above

    def exceedance(self, threshold: float) -> Array:
        """Return the probability of lying above ``threshold`` (image units)."""
        from scipy.stats import norm

        low = np.full(self.spread.shape, -_FAR)
        step = _FAR
        for _ in range(_HALVINGS):
            # Where the curve is still below the threshold, the crossing lies further up.
            low += np.where(
                self.light(self.centre + (low + step) * self.spread) <= threshold, step, 0.0
            )
            step /= 2
        share = norm.sf(low + step)
        return np.where(np.isnan(self.centre), np.float32(np.nan), share.astype(np.float32))

    def components(
        self, k: int = 3, mask: NDArray[np.bool_] | None = None, products: int = 30, seed: int = 0
    ) -> Components:
        """Return the leading principal components of the posterior, image units.

        Parameters
        ----------
        k : int, at least 1
            At most as many as there are pixels.
        mask : ndarray of bool, shape (..., Y, X) or (Y, X), optional
            Components of these pixels alone, zero elsewhere.
        products : int
            Products with the Jacobian for each component, at most.
        seed : int
            Of the random images with which the iteration starts.

        Raises
        ------
        ValueError
            Where no covariance is at hand, or the mask does not fit.
        """
        known = np.isfinite(self.spread)
        inside = known if mask is None else known & _mask(mask, self.spread.shape)
        product, slope = self._product(), np.where(inside, self._slope(), 0.0)
        variance = np.square(slope * np.where(known, self.spread, 0.0)).sum()

        def within(image: NDArray[Any]) -> NDArray[Any]:
            return slope * product(slope * image)

        images, variances = leading(within, inside, k, products, np.random.default_rng(seed))
        share = float(variances.sum() / max(variance, 1e-300))
        return Components(images, variances, min(share, 1.0))

    def mean_over(self, mask: NDArray[np.bool_]) -> Region:
        """Return mean and standard deviation of the mean over ``mask``: one product."""
        place = _mask(mask, self.spread.shape)
        weight = np.where(place, self._slope(), 0.0) / np.count_nonzero(place)
        variance = float((weight * self._product()(weight)).sum())
        mean = float(self.mean[place].mean(dtype=np.float64))
        return Region(mean, math.sqrt(max(variance, 0.0)))

    def _product(self) -> Product:
        if self.covariance is None:
            raise ValueError(
                "only the diagonal of this covariance is known; run method='spread' on the image "
                "to ask for components and regions"
            )
        return self.covariance

    def _slope(self) -> NDArray[Any]:
        """Return how much the light changes with the stabilised value, over one spread."""
        half = np.maximum(self.spread / 2, np.float32(1e-3))
        rise = self.light(self.centre + half) - self.light(self.centre - half)
        return np.asarray(rise / (2 * half), dtype=np.float64)


def leading(
    product: Product,
    inside: NDArray[np.bool_],
    k: int,
    products: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return leading eigenvectors and eigenvalues of a covariance.

    The subspace iteration of Manor and Michaeli, in the form that also remembers its last
    direction (LOBPCG [1]_): posteriors have many eigenvalues close to the noise's variance, and
    plain iteration would take hundreds of products to tell them apart.

    Parameters
    ----------
    product : callable
        Multiplies the covariance with an image.
    inside : ndarray of bool
        Where components may differ from zero; its shape is that of an image.
    k : int, at least 1
        How many.
    products : int, at least 1
        For each vector, at most.
    rng : numpy Generator
        Of the start.

    References
    ----------
    .. [1] A. V. Knyazev, "Toward the optimal preconditioned eigensolver: locally optimal block
       preconditioned conjugate gradient method", SIAM J. Sci. Comput. 23 (2001) 517-541.
    """
    from scipy.sparse.linalg import LinearOperator, lobpcg

    pixels = int(np.count_nonzero(inside))
    count = min(k, pixels)
    if k < 1 or not count:
        raise ValueError(f"k is {k} for {pixels} pixels; ask for at least one component of one")

    def multiplied(vectors: NDArray[Any]) -> NDArray[Any]:
        whole, answers = np.zeros(inside.shape), np.empty((pixels, vectors.shape[1]))
        for number in range(vectors.shape[1]):
            whole[inside] = vectors[:, number]
            answers[:, number] = product(whole)[inside]
        return answers

    operator = LinearOperator(
        (pixels, pixels), matvec=lambda v: multiplied(v.reshape(-1, 1))[:, 0],
        matmat=multiplied, dtype=np.float64,
    )  # fmt: skip
    start = rng.standard_normal((pixels, count))
    scale = np.linalg.norm(multiplied(start[:, :1])) / np.linalg.norm(start[:, 0])
    tolerance = max(_SETTLED * float(scale), 1e-300)
    with warnings.catch_warnings():
        # It warns where the asymmetry of a learned Jacobian keeps it from settling.
        warnings.simplefilter("ignore", UserWarning)
        values, vectors = lobpcg(operator, start, tol=tolerance, maxiter=products, largest=True)
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    images = np.zeros((count, *inside.shape), dtype=np.float32)
    peaks = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    images[:, inside] = (vectors * np.where(peaks < 0, -1.0, 1.0)).T
    return images, np.asarray(np.maximum(values, 0), dtype=np.float32)


def _mask(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.asarray(mask)
    if mask.dtype != np.bool_ or mask.shape not in (shape, shape[-2:]) or not mask.any():
        raise ValueError(
            f"the mask has type {mask.dtype}, shape {mask.shape} and {np.count_nonzero(mask)} "
            f"pixels set; give booleans of shape {shape} with at least one True"
        )
    return np.broadcast_to(mask, shape)
