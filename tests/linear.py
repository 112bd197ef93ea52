"""Closed forms of y = H x + n under Gaussian priors, on images small enough for matrices."""

from dataclasses import dataclass

import torch

from napari_credible.denoise.oracles import PowerLawPrior
from napari_credible.problem import Problem

SIDE = 8


@dataclass(frozen=True)
class Exact:
    """A problem whose posterior is known.

    ``prior`` is the denoiser, ``mean`` (n,) and ``covariance`` (n, n) are those of P(x | y),
    ``matrix`` is H of the data that count and ``truth`` (C, Y, X) what they came from.
    """

    problem: Problem
    prior: object
    mean: torch.Tensor
    covariance: torch.Tensor
    matrix: torch.Tensor
    truth: torch.Tensor


def matrix_of(linear, shape):
    """Return the matrix of a map of batches (B, *shape)."""
    count = torch.Size(shape).numel()
    eye = torch.eye(count, dtype=torch.float64).reshape(count, *shape)
    return linear(eye).reshape(count, -1).T.contiguous()


def exact(operator, sigma, prior=None, side=SIDE, seed=0):
    """Return data drawn from a prior, with noise of a level or a map, and their posterior."""
    prior = prior or PowerLawPrior()
    rng = torch.Generator().manual_seed(seed)
    colours = 3 if operator.image_ndim == 3 else 1
    shape = (colours, side, side)
    plane = (side, side) if colours == 1 else shape
    # A denoiser of a Gaussian prior is C (C + s^2)^-1; at s = 1 that gives C.
    wiener = matrix_of(lambda x: prior(x.reshape(-1, *shape), 1.0), shape)
    eye = torch.eye(len(wiener), dtype=torch.float64)
    prior_covariance = torch.linalg.solve(eye - wiener, wiener)
    root = torch.linalg.cholesky(prior_covariance + 1e-12 * eye)
    truth = (root @ torch.randn(len(eye), generator=rng, dtype=torch.float64)).reshape(shape)
    clean = operator(truth.reshape(plane))
    noise = torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    problem = Problem.of(operator, clean + sigma * noise, sigma, -2.0, 2.0)
    seen = problem.observed.flatten()
    matrix = matrix_of(lambda x: operator(x.reshape(-1, *plane)), plane)[seen]
    level = problem.deviation.expand(clean.shape).flatten()[seen]
    spread = matrix @ prior_covariance @ matrix.T + torch.diag(level.square())
    gain = torch.linalg.solve(spread, matrix @ prior_covariance).T
    mean = gain @ problem.data.flatten()[seen]
    covariance = prior_covariance - gain @ matrix @ prior_covariance
    return Exact(problem, prior, mean, covariance, matrix, truth)


def surprises(draws, known):
    """Return how many standard errors draws (n, ...) are from the posterior, by what of them.

    Coordinates are those in which the posterior is white: ``mean`` and ``variance`` are of all
    of them together, ``worst`` of each by itself, ``correlation`` of pairs of them.
    """
    values, vectors = torch.linalg.eigh(known.covariance)
    kept = values > 1e-9 * values.max()
    white = (
        (draws.reshape(len(draws), -1).double() - known.mean)
        @ vectors
        / values.clamp(min=1e-300).sqrt()
    )
    white = white[:, kept]
    n, count = white.shape
    off_mean = white.mean(0) * n**0.5
    off_variance = (white.square().mean(0) - 1) / (2 / n) ** 0.5
    pairs = (white.T @ white / n**0.5)[torch.triu(torch.ones(count, count), 1) > 0]
    return {
        "mean": float((off_mean.square().sum() - count) / (2 * count) ** 0.5),
        "variance": float(off_variance.mean() * count**0.5),
        "worst": float(torch.cat([off_mean, off_variance]).abs().max()),
        "correlation": float((pairs.square().mean() - 1) * (len(pairs) / 2) ** 0.5),
    }


def drawn(sampler, known, n, seed=0):
    """Return ``n`` draws, shape (n, C, Y, X)."""
    from napari_credible.samplers import walk_given

    rng = torch.Generator().manual_seed(seed)
    shape = (n, *known.problem.state_shape)
    with torch.no_grad():
        for state in walk_given(
            sampler, known.prior, known.problem,
            lambda: torch.randn(shape, generator=rng, dtype=torch.float64),
        ):  # fmt: skip
            last = state.clean
    return last
