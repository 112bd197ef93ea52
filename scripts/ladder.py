"""Find the weights of mmps's ladder: ``python scripts/ladder.py 0.7``.

All levels fall by one factor, but for the last four. The first many share one pair of weights
(g, h) of the corrected step (``scripts/steps.py`` says what it is), so that the ladder may begin
anywhere; the last four levels and their weights are free. All are chosen such that the spread of
the draws is right on Gaussian priors from 0.3 of the level before the last four to 2000 of it:
exact, by recursion. The mean is right in any case.
"""

import math
import sys

import torch
from steps import stepped
from torch import Tensor

LAST = 4
# Of the ladder that stands for all: the first level over that before the last four.
HIGHEST = 1e4
WIDTHS = torch.logspace(math.log10(0.3), math.log10(2000), 70, dtype=torch.float64)


def unpacked(numbers: Tensor, fall: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return levels (that before the last four is 1), g and h of 2 + 3 * 4 free numbers."""
    count = int(math.log(HIGHEST) / -math.log(fall))
    falls, g, h = numbers[2:].view(3, LAST)
    body = fall ** torch.arange(-count, 1, dtype=torch.float64)
    levels = torch.cat([body, torch.exp(-falls.exp().cumsum(0))])
    return levels, *(torch.cat([numbers[k].expand(count), w]) for k, w in enumerate((g, h)))


def spread(levels: Tensor, g: Tensor, h: Tensor) -> Tensor:
    """Return std of the draws / true std, for each prior width, from pure noise on."""

    def answer(level: Tensor) -> Tensor:
        return (WIDTHS**2 / (WIDTHS**2 + level**2))[:, None]

    basis = torch.eye(len(g) + 1, dtype=torch.float64)
    x = levels[0] * basis[-1].expand(len(WIDTHS), -1)
    d = answer(levels[0]) * x
    for k in range(len(g)):
        here = answer(levels[k + 1])
        x, d = stepped(x, d, basis[k], lambda p, j=here: j * p, (levels, g, h), k)
    return d.square().sum(1).sqrt() / WIDTHS


def first(fall: float) -> Tensor:
    """Return the start: equal falls, and weights of the lowest order."""
    share = 1 - fall**2
    body = torch.tensor([share / 2, share / 4])
    falls = torch.full((LAST,), math.log(-math.log(fall)))
    return torch.cat([body, falls, body[0].expand(LAST), body[1].expand(LAST)]).double()


def main() -> None:
    """Search and print."""
    fall, rounds = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500
    numbers = first(fall).requires_grad_()
    optimiser = torch.optim.Adam([numbers], lr=1e-2)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=rounds)
    importance = (WIDTHS / 2).clamp(max=1)  # of narrow priors little is left to see
    for _ in range(rounds):
        loss = ((spread(*unpacked(numbers, fall)) - 1) * importance).pow(4).mean().pow(0.25)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    found = unpacked(numbers.detach(), fall)
    worst = 100 * (spread(*found) - 1).abs()
    print(f"largest error {worst.max():.2f} %, {worst[WIDTHS > 0.5].max():.2f} % above 0.5")
    for name, values in zip(("levels", "g", "h"), found, strict=True):
        print(f"{name}: {[round(float(v), 4) for v in values[-LAST - 1 :]]}")


if __name__ == "__main__":
    main()
