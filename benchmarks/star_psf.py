"""Errors of PSFs measured on simulated star fields, against stacks aligned by whole pixels."""

import numpy as np

from napari_credible.operators import psf_from_stars

SHAPE, STARS, SIZE, REACH = (400, 400), 60, 21, 16
WIDTHS = (1.6, 2.0, 2.5, 3.2, 4.0)


def main() -> None:
    """Print one row a width: stars used, errors of the PSF and of the stack."""
    print(f"{'width':>6}{'stars':>7}{'stated':>9}{'error':>9}{'by flux':>9}{'stacked':>9}")
    for width in WIDTHS:
        rows = np.array([measured(width, seed) for seed in range(3)])
        stars, *errors = rows.mean(0)
        print(f"{width:6.1f}{stars:7.0f}" + "".join(f"{error:9.1%}" for error in errors))


def measured(width: float, seed: int) -> tuple[float, ...]:
    """Return the stars used, and errors relative to the true PSF.

    Stated by the fit; root sum of squares; mean of the sizes, weighted by the true flux; the stack.
    """
    image, std = field(width, seed)
    found = psf_from_stars(image, std, SIZE)
    true = star((0.0, 0.0), width)
    margin = REACH - SIZE // 2
    true = true[margin:-margin, margin:-margin] / true[margin:-margin, margin:-margin].sum()
    stacked = stack(image, found.positions.round().astype(int))
    off = np.abs(found.psf - true)
    return (
        len(found.positions),
        found.relative_error,
        float(np.linalg.norm(off) / np.linalg.norm(true)),
        float((off * true).sum() / (true**2).sum()),
        float(np.linalg.norm(stacked - true) / np.linalg.norm(true)),
    )


def star(centre: tuple[float, float], width: float) -> np.ndarray:
    """Return an elongated Moffat star of exponent 3, integrated over pixels, peak near 1."""
    fine = (np.arange(-REACH, REACH + 1)[:, None] + (np.arange(5) - 2) / 5).ravel()
    down, right = fine[:, None] - centre[0], fine - centre[1]
    u, v = (0.83 * down + 0.56 * right) / 1.15, (-0.56 * down + 0.83 * right) / 0.85
    radius = width / 2 / np.sqrt(2 ** (1 / 3) - 1)
    light = (1 + (u**2 + v**2) / radius**2) ** -3.0
    return light.reshape(2 * REACH + 1, 5, 2 * REACH + 1, 5).mean((1, 3))


def field(width: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with peaks from 40 to 4000 over noise of 1, on sloping sky, and its noise."""
    rng = np.random.default_rng(seed)
    light = np.zeros(np.add(SHAPE, 2 * REACH))
    for _ in range(STARS):
        y, x = rng.uniform(REACH, np.array(SHAPE) - REACH)
        square = 40 * 10 ** rng.uniform(0, 2) * star((y - round(y), x - round(x)), width)
        here = np.ix_(*(round(c) + np.arange(2 * REACH + 1) for c in (y, x)))
        light[here] += square
    light = light[REACH:-REACH, REACH:-REACH]
    std = np.sqrt(1 + 0.02 * light)
    sky = 100 + np.linspace(0, 30, SHAPE[0])[:, None]
    return np.minimum(light + sky + std * rng.standard_normal(SHAPE), 2500), std


def stack(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the median of the stars, each moved by whole pixels."""
    reach = SIZE // 2
    squares = np.array(
        [image[y - reach : y + reach + 1, x - reach : x + reach + 1] for y, x in places]
    )
    squares = squares - np.median(squares[:, 0], 1)[:, None, None]
    found = np.median(squares / squares.sum((1, 2), keepdims=True), 0)
    return found / found.sum()


if __name__ == "__main__":
    main()
