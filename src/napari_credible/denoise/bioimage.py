"""A denoiser as a package of the BioImage Model Zoo: weights, description and a test in one file.

Its network is stored as TorchScript, so whoever runs it needs neither this package nor its
classes. A package denoises at one noise level, since the zoo's programs hand over an image alone.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_credible.denoise.learned import AtItsRange, Learned

# Sides of the image that the package is tested with, and of another that it must denoise as well.
_SIDE, _OTHER = 128, 192
# Of float32, over the range.
_ALIKE = 1e-5
_ABOUT = """# {name}

{summary}.

Takes an image whose noise is Gaussian, of standard deviation {sigma:g}, and whose values lie
mostly between {low:g} and {high:g}; gives the mean of what it may be without noise, in the same
units. For photon counts stabilise the variance first (generalised Anscombe transform): the noise
is then 1.

The network is homogeneous: an image and a noise level that are both k times as large give k times
the result. It was trained on: {trained_on}

Made by napari-credible; SHA-256 of the weights: {sha256}.

## Validation

PSNR in dB by test set and noise level in 255ths of the range: {psnr}
"""


class _AtOneLevel(nn.Module):
    """Image (B, 1, Y, X) to image, at a fixed noise level and range."""

    def __init__(self, denoiser: Learned, sigma: float) -> None:
        super().__init__()
        self.net: nn.Module = denoiser.net
        self.low, self.span, self.level = denoiser.low, denoiser.span, sigma / denoiser.span

    def forward(self, image: Tensor) -> Tensor:
        """Denoise."""
        x = (image - self.low) / self.span
        level = torch.zeros_like(x[:, 0, 0, 0]) + self.level
        clean: Tensor = image - self.span * self.net(x, level)
        return clean


def save_bioimage(
    denoiser: Learned, path: Path | str, sigma: float, low: float = 0.0, high: float = 1.0
) -> None:
    """Write a denoiser as a package of the BioImage Model Zoo; needs ``bioimageio.spec``.

    Parameters
    ----------
    denoiser : Learned
        A U-Net, shipped or adapted: ``nc.load_denoiser(...)``.
    path : path
        Ending in ``.zip``. Written whole, or not at all.
    sigma : float, image units
        Standard deviation of the noise.
    low, high : float, image units
        Between which most values of the images lie.

    Raises
    ------
    ValueError
        Where ``bioimageio.spec`` is not installed, or the network cannot be stored so.

    References
    ----------
    .. [1] W. Ouyang et al., "BioImage Model Zoo: a community-driven resource for accessible deep
       learning in bioimage analysis", bioRxiv (2022).
    """
    path = Path(path)
    _check(denoiser, path, sigma)
    fitted = denoiser.to("cpu").fitted(low, high)
    script = _traced(fitted, sigma)
    with TemporaryDirectory(dir=path.parent, prefix=".bioimage-") as folder:
        description = _description(fitted, script, sigma, Path(folder))
        from bioimageio.spec import save_bioimageio_package

        beside = Path(folder) / "whole.zip"
        save_bioimageio_package(description, output_path=beside)
        beside.replace(path)


def _check(denoiser: Learned, path: Path, sigma: float) -> None:
    try:
        import bioimageio.spec  # noqa: F401
    except ImportError:
        raise ValueError(
            "bioimageio.spec is not installed; pip install 'napari-credible[bioimage]'"
        ) from None
    if not isinstance(denoiser, Learned):
        raise ValueError(f"{denoiser!r} has no weights to be exported; give a network")
    if isinstance(denoiser, AtItsRange):
        raise ValueError(
            f"{denoiser.card.name} has learned a curve for the intensities of one image, which a "
            "package cannot say; export the network without it"
        )
    if path.suffix != ".zip" or not path.parent.is_dir():
        raise ValueError(
            f"{path} is no place for a package; give a name that ends in .zip, in a folder that is "
            "there"
        )
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; give the noise's standard deviation, above 0")


def _traced(denoiser: Learned, sigma: float) -> torch.jit.ScriptModule:
    """Return the network at one level as TorchScript, checked on an image of another size.

    Raises
    ------
    ValueError
        Where it computes with the size of the image that it was traced on.
    """
    whole = _AtOneLevel(denoiser, sigma).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that become constants: they are checked below
        trace: Any = torch.jit.trace
        script: Any = trace(whole, _noisy(denoiser, sigma, _SIDE), check_trace=False)
        other = _noisy(denoiser, sigma, _OTHER)
        try:
            apart = float((script(other) - denoiser(other, sigma)).abs().max())
        except RuntimeError:
            apart = np.inf
    if not apart < _ALIKE * denoiser.span:
        raise ValueError(
            f"{denoiser.card.name} computes with the size of its image, which a package cannot; "
            "export unet, unet_fast, or one adapted from them"
        )
    return script  # type: ignore[no-any-return]


def _noisy(denoiser: Learned, sigma: float, side: int) -> Tensor:
    """Return waves with noise, shape (1, 1, side, side)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side] / side
    waves = 0.5 + 0.4 * np.sin(20 * rows * columns) * np.cos(9 * rows)
    image = denoiser.low + denoiser.span * waves + sigma * rng.standard_normal(waves.shape)
    return torch.from_numpy(image.astype(np.float32))[None, None]


def _description(
    denoiser: Learned, script: torch.jit.ScriptModule, sigma: float, folder: Path
) -> Any:
    """Return what the zoo wants to know, its files written to a folder."""
    from bioimageio.spec.model import v0_5 as spec

    card, noisy = denoiser.card, _noisy(denoiser, sigma, _SIDE)
    with torch.no_grad():
        np.save(folder / "noisy.npy", noisy.numpy())
        np.save(folder / "denoised.npy", script(noisy).numpy())
    script.save(str(folder / "weights.pt"))
    psnr = "; ".join(f"{name} {values}" for name, values in card.psnr.items()) or "not measured"
    about = _ABOUT.format(
        name=card.name, summary=card.summary, sigma=sigma, low=denoiser.low,
        high=denoiser.low + denoiser.span, trained_on=card.trained_on, sha256=card.sha256,
        psnr=psnr,
    )  # fmt: skip
    (folder / "README.md").write_text(about, encoding="utf-8")
    return spec.ModelDescr(
        name=f"napari-credible {card.name}",
        description=card.summary,
        documentation=_file(folder, "README.md"),
        license=_licence(card.licence),
        tags=["denoising", "unet", "2d", "pytorch", "napari"],
        inputs=[_tensor(spec.InputTensorDescr, "noisy", denoiser.stride, folder)],
        outputs=[_tensor(spec.OutputTensorDescr, "denoised", 0, folder)],
        weights=spec.WeightsDescr(
            torchscript=spec.TorchscriptWeightsDescr(
                source=folder / "weights.pt", pytorch_version=spec.Version(_release())
            )
        ),
    )


def _tensor(kind: Any, name: str, stride: int, folder: Path) -> Any:
    """Return one tensor: sides are multiples of the stride, those of the output the input's."""
    from bioimageio.spec.model import v0_5 as spec

    def side(axis: str) -> Any:
        if stride:
            size = spec.ParameterizedSize(min=4 * stride, step=stride)
            return spec.SpaceInputAxis(id=spec.AxisId(axis), size=size)
        of_input = spec.SizeReference(tensor_id=spec.TensorId("noisy"), axis_id=spec.AxisId(axis))
        return spec.SpaceOutputAxis(id=spec.AxisId(axis), size=of_input)

    channel = spec.ChannelAxis(channel_names=[spec.Identifier("intensity")])
    return kind(
        id=spec.TensorId(name),
        axes=[spec.BatchAxis(), channel, side("y"), side("x")],
        test_tensor=_file(folder, f"{name}.npy"),
        data=spec.IntervalOrRatioDataDescr(type="float32"),
    )


def _licence(name: str) -> Any:
    """Return a licence by its SPDX name; None for what is none."""
    from bioimageio.spec.model import v0_5 as spec

    try:
        return spec.LicenseId(name)
    except ValueError:
        return None


def _file(folder: Path, name: str) -> Any:
    from bioimageio.spec.model import v0_5 as spec

    return spec.FileDescr(source=folder / name)


def _release() -> str:
    return torch.__version__.partition("+")[0]
