"""Wrong methods, each close to a right one: every bar must reject its impostors."""

from dataclasses import dataclass

import numpy as np

from napari_credible.noise import PoissonGaussian, anscombe


@dataclass(frozen=True)
class AlgebraicInverse(PoissonGaussian):
    """Comes back by squaring: biased at low counts."""

    def restore(self, stabilised):
        inside = np.square(stabilised) / 4 - 3 / 8 - np.square(self.read_noise / self.gain)
        return self.offset + self.gain * inside


@dataclass(frozen=True)
class AsymptoticInverse(PoissonGaussian):
    """Comes back by the inverse for bright pixels, at every brightness."""

    def restore(self, stabilised):
        inside = np.square(stabilised) / 4 - 1 / 8 - np.square(self.read_noise / self.gain)
        return self.offset + self.gain * inside


@dataclass(frozen=True)
class InverseGain(PoissonGaussian):
    """Takes the gain for photoelectrons per ADU."""

    def stabilise(self, counts):
        return anscombe.forward((np.asarray(counts) - self.offset) * self.gain, self.read_noise)


def blind(x, sigma):
    """Never look at sigma."""
    return x


def noisy(x, sigma):
    """Draw anew at each call."""
    import torch

    return x * 0.9 + 0.01 * torch.randn_like(x)


def in_place(x, sigma):
    """Change the input."""
    return x.mul_(0.5)


def mixes_the_batch(x, sigma):
    """Let one image change another."""
    return 0.5 * x + 0.5 * x.mean()


def grows(x, sigma):
    """Return another shape."""
    import torch

    return torch.nn.functional.pad(x, (1, 1))


def listens_to_numpy(x, sigma):
    """Return an array."""
    return x.numpy()


BROKEN = {
    "leaves all the noise": blind,
    "answers differently each time": noisy,
    "in place": in_place,
    "lets one image of a batch change another": mixes_the_batch,
    "returns shape": grows,
    "return a torch tensor": listens_to_numpy,
}


class HalfTheSpread:
    """Draws whose distance from the denoised image is halved: too sure."""

    def __init__(self):
        from napari_credible.samplers import Corrected

        self._right = Corrected()
        self.steps, self.evaluations = self._right.steps, self._right.evaluations

    def start(self, denoise, y, sigma):
        state = self._right.start(denoise, y, sigma)
        self._mean = state.clean
        return state

    def step(self, state, number, denoise, noise):
        from dataclasses import replace

        state = self._right.step(state, number, denoise, noise)
        if number < self.steps - 1:
            return state
        return replace(state, clean=(self._mean + state.clean) / 2)


class Distance:
    """An objective without its divergence: the noisy image itself is best."""

    def __init__(self, crops):
        self.crops = crops

    def __call__(self, predict, rng):
        noisy, sigma, _ = self.crops.draw(rng)
        return (predict(noisy, sigma) - noisy).square().mean()


def looks_at_itself(noisy, hidden):
    """A blind spot that leaves a tenth of the hidden pixel where it was."""
    import torch

    return torch.where(hidden > 0, 0.1 * noisy, noisy)


def halved_counts(counts):
    """Deal half of the photons to each part: the two fluctuate together."""
    return counts // 2, counts - counts // 2
