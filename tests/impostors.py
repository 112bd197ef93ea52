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


def _operators():
    """Operators that break one promise each, by a word of the sentence that says so."""
    import dataclasses

    import torch

    from napari_credible.operators import Blur, Identity, Mask

    rng = np.random.default_rng(0)
    lopsided = rng.random((3, 4))

    class WrongWay(Blur):
        """Convolves in the adjoint too."""

        def transpose(self, y):
            return self.apply(y)

    class Clips(Identity):
        def apply(self, x):
            return x.clamp(min=0)

    class InPlace(Identity):
        def apply(self, x):
            return x.mul_(2)

    class Mixes(Identity):
        def apply(self, x):
            return x - x.mean()

    class Crops(Identity):
        def apply(self, x):
            return x[..., 1:, :]

    class Looks(Mask):
        """Multiplies what it should not look at by 0."""

        def transpose(self, y):
            return y * self._on(y)

    class NoPhase(Blur):
        """Takes V for U, as if every PSF were symmetric."""

        def factors(self, image_shape, like):
            found = super().factors(image_shape, like)
            return dataclasses.replace(
                found,
                data_to_spectral=found.to_spectral,
                data_from_spectral=found.from_spectral,
            )

    class Skewed(Blur):
        """A basis that is complete and inverted rightly, but not orthonormal."""

        def factors(self, image_shape, like):
            found = super().factors(image_shape, like)
            scale = torch.linspace(0.9, 1.1, len(found.singular_values)).to(like)
            return dataclasses.replace(
                found,
                to_spectral=lambda x: found.to_spectral(x) / scale,
                from_spectral=lambda c: found.from_spectral(c * scale),
            )

    class Halved(Blur):
        """Has singular values of another operator."""

        def factors(self, image_shape, like):
            found = super().factors(image_shape, like)
            return dataclasses.replace(found, singular_values=found.singular_values / 2)

    class Single(Identity):
        def apply(self, x):
            return x.float()

    return {
        "adjoint is not the operator's": WrongWay(lopsided),
        "not linear": Clips(),
        "in place": InPlace(),
        "one image of a batch": Mixes(),
        "returns shape": Crops(),
        "do not count": Looks(rng.random((8, 8)) > 0.5),
        "H is not U S": NoPhase(lopsided),
        "does not keep lengths": Skewed(lopsided),
        "is not U S Vᵀ": Halved(lopsided),
        "float32": Single(),
    }


BROKEN_OPERATORS = _operators()


def lost_tap(psf):
    """Sum from -k // 2 to k // 2 without the last: an odd PSF loses a row and a column."""
    from napari_credible.operators import Blur

    cut = np.array(psf)
    cut[-1], cut[:, -1] = 0, 0
    return Blur(cut, normalise=False)


def unmatched_radon(angles):
    """Take the backprojection of filtered backprojection for the adjoint."""
    import torch
    from skimage.transform import iradon

    from napari_credible.operators import Radon

    class Unmatched(Radon):
        def transpose(self, y):
            scale = 2 * len(self.angles) / np.pi
            smeared = [iradon(s.numpy(), self.angles, filter_name=None) * scale for s in y]
            return torch.tensor(np.stack(smeared))

    return Unmatched(angles)


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
