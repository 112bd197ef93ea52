"""Whom to thank: the sources of the methods that a run used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari_credible.noise import Gaussian, PoissonGaussian

_STABILISED = (
    'M. Makitalo, A. Foi, "Optimal inversion of the generalized Anscombe transformation for '
    'Poisson-Gaussian noise", IEEE TIP 22 (2013) 91-103.'
)
_MEASURED = (
    'A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, "Practical Poissonian-Gaussian noise '
    'modeling and fitting for single-image raw-data", IEEE TIP 17 (2008) 1737-1754.',
    'S. Pyatykh, J. Hesser, L. Zheng, "Image noise level estimation by principal component '
    'analysis", IEEE TIP 22 (2013) 687-699.',
)
_DENOISERS = {
    "wavelet": 'S. G. Chang, B. Yu, M. Vetterli, "Adaptive wavelet thresholding for image '
    'denoising and compression", IEEE TIP 9 (2000) 1532-1546.',
    "tv": 'L. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal '
    'algorithms", Physica D 60 (1992) 259-268.',
    "nlm": 'A. Buades, B. Coll, J.-M. Morel, "A non-local algorithm for image denoising", '
    "CVPR (2005).",
    "ksvd": 'M. Elad, M. Aharon, "Image denoising via sparse and redundant representations over '
    'learned dictionaries", IEEE TIP 15 (2006) 3736-3745.',
    "cscnet": 'D. Simon, M. Elad, "Rethinking the CSC model for natural images", NeurIPS (2019).',
    "deep_ksvd": 'M. Scetbon, M. Elad, P. Milanfar, "Deep K-SVD denoising", IEEE TIP 30 (2021) '
    "5944-5955.",
    "lidia": 'G. Vaksman, M. Elad, P. Milanfar, "LIDIA: lightweight learned image denoising with '
    'instance adaptation", CVPR Workshops (2020).',
    "unet": 'S. Mohan, Z. Kadkhodaie, E. Simoncelli, C. Fernandez-Granda, "Robust and '
    'interpretable blind image denoising via bias-free convolutional neural networks", '
    "ICLR (2020).",
}

_ADAPTED = {
    "internal": 'G. Vaksman, M. Elad, P. Milanfar, "LIDIA: lightweight learned image denoising '
    'with instance adaptation", CVPR Workshops (2020).',
    "external": 'G. Vaksman, M. Elad, P. Milanfar, "LIDIA: lightweight learned image denoising '
    'with instance adaptation", CVPR Workshops (2020).',
    "sure": 'S. Soltanayev, S. Y. Chun, "Training deep learning based denoisers without ground '
    'truth data", NeurIPS (2018).',
    "n2v": 'A. Krull, T.-O. Buchholz, F. Jug, "Noise2Void - learning denoising from single noisy '
    'images", CVPR (2019).',
    "n2n": 'J. Lehtinen et al., "Noise2Noise: learning image restoration without clean data", '
    "ICML (2018).",
    "recorruption": 'T. Pang, H. Zheng, Y. Quan, H. Ji, "Recorrupted-to-Recorrupted: unsupervised '
    'deep learning for image denoising", CVPR (2021).',
    "stabiliser": 'S. Herbreteau, M. Unser, "Noise2VST: self-supervised image denoising by '
    'learning a variance-stabilizing transformation", ICCV (2025).',
}


_SAMPLERS = {
    "langevin": 'B. Kawar, G. Vaksman, M. Elad, "Stochastic image denoising by sampling from the '
    'posterior distribution", ICCV Workshops (2021).',
    "multistep": 'C. Lu, Y. Zhou, F. Bao, J. Chen, C. Li, J. Zhu, "DPM-Solver++: fast solver for '
    'guided sampling of diffusion probabilistic models", arXiv:2211.01095 (2022).',
    "spread": 'O. Manor, T. Michaeli, "On the posterior distribution in denoising: application to '
    'uncertainty quantification", ICLR (2024).',
    "ancestral": 'J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", '
    "NeurIPS (2020).",
}
_RESTORERS = {
    "mmps": 'F. Rozet, G. Andry, F. Lanusse, G. Louppe, "Learning diffusion priors from '
    'observations by expectation maximization", NeurIPS (2024).',
    "snips": 'B. Kawar, G. Vaksman, M. Elad, "SNIPS: solving noisy inverse problems '
    'stochastically", NeurIPS (2021).',
    "ddrm": 'B. Kawar, M. Elad, S. Ermon, J. Song, "Denoising diffusion restoration models", '
    "NeurIPS (2022).",
    "ks": 'Z. Kadkhodaie, E. Simoncelli, "Stochastic solutions for linear inverse problems using '
    'the prior implicit in a denoiser", NeurIPS (2021).',
    "pnp": 'S. Venkatakrishnan, C. Bouman, B. Wohlberg, "Plug-and-play priors for model based '
    'reconstruction", GlobalSIP (2013).',
    "red": 'Y. Romano, M. Elad, P. Milanfar, "The little engine that could: regularization by '
    'denoising (RED)", SIAM J. Imaging Sciences 10 (2017) 1804-1844.',
}
_DRAWN = (
    'K. Miyasawa, "An empirical Bayes estimator of the mean of a normal population", '
    "Bull. Inst. Internat. Statist. 38 (1961)."
)


def of(
    models: Iterable[Gaussian | PoissonGaussian], denoiser: str, sampler: str = ""
) -> tuple[str, ...]:
    """Return the sources of noise models, denoiser, and sampler or method of restoring."""
    models = list(models)
    found = list(_MEASURED) if any(m.evidence for m in models) else []
    if sampler not in _RESTORERS and any(isinstance(m, PoissonGaussian) for m in models):
        found.append(_STABILISED)
    if (name := denoiser.partition(":")[0]) in _DENOISERS:  # cscnet:16
        found.append(_DENOISERS[name])
    if sampler in _RESTORERS:
        found.append(_RESTORERS[sampler])
    elif sampler == "spread":
        found.append(_DRAWN)
    elif sampler:
        found.append(_SAMPLERS["langevin"])
        found.append(_SAMPLERS.get(sampler, _DRAWN))
    return tuple(dict.fromkeys(found))


def of_adapted(denoiser: Any) -> tuple[str, ...]:
    """Return the sources of an adapted denoiser: its parent's, and how it was adapted."""
    story = getattr(getattr(denoiser, "card", None), "adaptation", None)
    if not story:
        return ()
    found = [_DENOISERS.get(str(story["parent"]).removesuffix("-adapted"), "")]
    if story["outcome"]["kept"]:
        found.append(_ADAPTED.get(story["mode"]["kind"], ""))
    return tuple(source for source in found if source)
