"""Levels and weights of the corrected sampler, as ``scripts/steps.py`` prints them."""

from __future__ import annotations

Weights = tuple[float, ...]

# By the number of evaluations: levels as shares of the first, g and h.
TABLES: dict[int, tuple[Weights, Weights, Weights]] = {
    12: (
        (1.0, 0.8731, 0.7283, 0.5493, 0.4079, 0.3150,
         0.2495, 0.1988, 0.1548, 0.1145, 0.0757, 0.0419),
        (0.3344, 0.2468, 0.1346, 0.2346, 0.3324, 0.3692, 0.3297, 0.2737, 0.2744, 0.4192, 0.2282),
        (0.4042, 0.1972, 0.0599, 0.1771, 0.2737, 0.3142, 0.2950, 0.2366, 0.1816, 0.2838, 0.7949),
    ),
}  # fmt: skip
