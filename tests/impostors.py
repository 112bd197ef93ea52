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


def samplers():
    """Samplers whose draws are wrong in one way each."""
    from napari_credible.samplers import Ancestral

    return [BlindSampler(), CertainSampler(), HalfSampler(), Ancestral(64)]


class _Wrong:
    """Changes one thing of the default sampler."""

    def __init__(self):
        from napari_credible.samplers import Corrected

        self.right = Corrected()
        self.steps, self.evaluations = self.right.steps, self.right.evaluations

    def __repr__(self):
        return type(self).__name__

    def start(self, denoise, y, sigma):
        return self.right.start(denoise, y, sigma)

    def step(self, state, number, denoise, noise):
        return self.right.step(state, number, denoise, noise)


class BlindSampler(_Wrong):
    """Begins anywhere but at the data."""

    def start(self, denoise, y, sigma):
        return self.right.start(denoise, y.flip(-1), sigma)


class CertainSampler(_Wrong):
    """Adds no noise."""

    def step(self, state, number, denoise, noise):
        return self.right.step(state, number, denoise, lambda: 0 * noise())


class HalfSampler(_Wrong):
    """Draws half of the images, and averages each with the one before."""

    def step(self, state, number, denoise, noise):
        def shared():
            z = noise()
            z[1::2] = z[::2]
            return z

        return self.right.step(state, number, denoise, shared)
