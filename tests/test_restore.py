"""nc.restore: every operator through the front door, right units, right place, one sentence."""

import json

import numpy as np
import pytest
import tifffile
import torch

import napari_credible as nc
from napari_credible import geometry
from napari_credible.__main__ import main
from napari_credible.denoise.oracles import GaussianPrior
from napari_credible.flags import Flag
from napari_credible.operators import (
    Bayer,
    Blur,
    CompressedSensing,
    Decorrelated,
    Downsample,
    Identity,
    Mask,
    Radon,
    Whitened,
)
from napari_credible.plan import plan
from napari_credible.posed import Known, saturated_from, usable
from napari_credible.recipe import Recipe
from napari_credible.run import run, steps

PRIOR = GaussianPrior(100.0, 20.0)
SOFT = Blur(np.outer([1, 2, 1], [1, 2, 1]))
METHODS = ["mmps", "snips:2", "ddrm", "ks:40", "pnp", "red"]


def white(shape, seed=0):
    return 100 + 20 * np.random.default_rng(seed).standard_normal(shape)


def measured(operator, image, sigma, seed=1):
    clean = operator(image)
    return clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "operator",
    [Identity(), SOFT, Downsample(2), CompressedSensing(0.5, 1), Bayer("GRBG")],
    ids=lambda o: type(o).__name__,
)
def test_every_method_takes_every_operator(operator, method):
    image = white((3, 12, 12) if operator.image_ndim == 3 else (12, 12))
    noise = None if method.startswith("ks") else nc.Gaussian(4.0)
    result = nc.restore(
        measured(operator, image, 4.0), operator, noise, method=method, denoiser=PRIOR, n_draws=2
    )
    assert result.estimate.shape == image.shape
    assert result.estimate.dtype == np.float32
    assert np.isfinite(result.estimate).all()
    one = method in ("pnp", "red")
    assert (result.posterior is None) == one
    assert bool(result.history) == one
    if not one:
        assert result.posterior.draws.shape == (2, *image.shape)
    words = {"mmps": "Rozet", "snips:2": "SNIPS", "ddrm": "diffusion restoration", "ks:40":
             "Kadkhodaie", "pnp": "Venkatakrishnan", "red": "RED"}  # fmt: skip
    assert any(words[method] in source for source in result.record()["citations"])


def test_the_posterior_is_the_exact_one_in_image_units():
    """A mask over white pixels: seen ones shrink to the mean, others have the prior's spread."""
    seen = np.random.default_rng(0).random((16, 16)) < 0.5
    y = np.where(seen, measured(Identity(), white((16, 16)), 10.0), np.nan)
    result = nc.restore(y, Mask(seen), nc.Gaussian(10.0), denoiser=PRIOR, n_draws=100)
    mean = 100 + (y - 100) * 400 / 500
    std = 20 * 10 / np.hypot(20, 10)
    off = (result.posterior.mean - mean)[seen] / (std / 10)
    assert abs(np.square(off).mean() - 1) < 4 * np.sqrt(2 / off.size) + 0.02
    spread = np.square(result.posterior.std)
    assert spread[seen].mean() == pytest.approx(std**2, rel=4 * np.sqrt(2 / 99 / off.size))
    assert spread[~seen].mean() == pytest.approx(400, rel=0.06)


def test_pixels_that_are_no_numbers_or_saturated_are_filled_and_flagged():
    y = np.minimum(np.round(measured(SOFT, white((48, 48)), 2.0)), 110.0)
    y[3, 4] = np.nan
    operator, flag = usable(SOFT, y, saturated_from(SOFT, y))
    full = y == 110.0
    assert ((flag & Flag.SATURATED) > 0)[full].all()
    seen = operator.observed((48, 48))
    np.testing.assert_array_equal(seen, ~full & np.isfinite(y))
    result = nc.restore(y, SOFT, nc.Gaussian(2.0), denoiser=PRIOR, n_draws=8)
    assert np.isfinite(result.estimate).all()
    assert result.flags[3, 4] & Flag.NOT_FINITE
    assert any("SATURATED" in doubt for doubt in result.doubts)


def test_finer_pixels_lie_where_they_should():
    y = nc.Image(white((6, 8)), "YX", (2.0, 2.0), ("micrometer", "micrometer"))
    result = nc.restore(y, "downsample:2", nc.Gaussian(4.0), method="pnp", denoiser=PRIOR)
    assert result.image.shape == (12, 16)
    assert result.image.scale == (1.0, 1.0)
    # The first two new pixels share the first old one, whose middle stays at 0.
    assert result.translate == (-0.5, -0.5)
    assert geometry.translate(Blur(np.ones((3, 5)), "valid"), y) == (-2.0, -4.0)


def test_sky_coordinates_follow_finer_pixels():
    astropy = pytest.importorskip("astropy.wcs")
    from astropy.io import fits

    from napari_credible.io.fits import finer

    wcs = astropy.WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.cdelt, wcs.wcs.crval = [3, 5], [-0.01, 0.01], [80, 10]
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    cards = wcs.to_header().tostring(sep="\n", endcard=False, padding=False)
    fine = astropy.WCS(fits.Header.fromstring(finer(cards, 2, (0.5, 0.5)), sep="\n"))
    # The middle of the old pixel (x 7, y 2) is that of four new ones.
    old = wcs.pixel_to_world_values(7, 2)
    np.testing.assert_allclose(fine.pixel_to_world_values(14.5, 4.5), old, atol=1e-9)


def test_raw_frames_of_one_chip_become_three_colours():
    image = white((3, 12, 14))
    y = np.stack([measured(Bayer("RGGB"), image, 3.0, k) for k in range(2)])
    result = nc.restore(y, Bayer("RGGB"), nc.Gaussian(3.0), method="pnp", denoiser=PRIOR)
    assert result.image.axes[0] == "C"
    assert result.estimate.shape == (3, 2, 12, 14)
    seen = Bayer("RGGB")(result.estimate[:, 1])
    assert np.abs(seen - y[1]).mean() < 6


def test_counts_have_the_variance_of_the_light_behind_the_operator():
    """Dark and bright halves: what is filtered is weighted by its own noise."""
    model = nc.PoissonGaussian(2.0, 50.0, 3.0)
    light = np.full((24, 24), 60.0)
    light[:, 12:] = 1000
    y = model.draw(light, 0)
    result = nc.restore(y, Identity(), model, denoiser=GaussianPrior(400.0, 500.0), n_draws=40)
    halves = (slice(0, 12), slice(12, 24))
    dark, bright = (np.square(result.posterior.std[:, half]).mean() for half in halves)
    ratio = model.variance(1000.0) / model.variance(60.0)
    assert bright / dark == pytest.approx(float(ratio), rel=0.3)
    assert result.estimate.min() >= 50


def test_light_without_an_image_of_constants_is_above_the_offset():
    """A sinogram of counts: the offset is the detector's, not the object's."""
    radon = Radon(np.arange(8) * 22.5)
    image = np.zeros((16, 16))
    image[5:10, 6:11] = 20
    model = nc.PoissonGaussian(1.0, 100.0, 2.0)
    y = model.draw(radon(image) + 100, 0)
    result = nc.restore(y, radon, model, method="pnp", denoiser=GaussianPrior(5.0, 10.0))
    assert abs(result.estimate[:3].mean()) < 4


def test_the_same_seed_draws_the_same_whatever_is_drawn_at_once(monkeypatch):
    y = measured(SOFT, white((16, 16)), 4.0)
    ask = {"noise": nc.Gaussian(4.0), "denoiser": PRIOR, "n_draws": 4, "seed": 5}
    first = nc.restore(y, SOFT, **ask).posterior.draws
    monkeypatch.setattr("napari_credible.plan._together", lambda *a: 1)
    second = nc.restore(y, SOFT, **ask).posterior.draws
    np.testing.assert_allclose(first, second, atol=1e-2)
    other = nc.restore(y, SOFT, **{**ask, "seed": 6}).posterior.draws
    assert np.abs(first - other).mean() > 1


@pytest.mark.parametrize("method", ["pnp:4"])
def test_a_denoiser_in_tiles_gives_the_same(scene, method, monkeypatch):
    image = scene[:160, :160]
    y = measured(SOFT, image, 0.05)
    ask = {"noise": nc.Gaussian(0.05), "denoiser": "unet_fast", "n_draws": 2, "method": method}
    whole = nc.restore(y, SOFT, **ask)
    monkeypatch.setattr("napari_credible.plan._LARGEST_CORE", 96)
    todo = plan(Recipe(method="restore", solver=method), nc.Image(y), nc.load_denoiser("unet_fast"))
    assert todo.tiles == 4
    parts = nc.restore(y, SOFT, **ask)
    assert np.sqrt(np.square(whole.estimate - parts.estimate).mean()) < 2e-3


def test_twenty_evaluations_of_ddrm_beat_the_pseudo_inverse(cells):
    """By more than 2 dB, at x4 super-resolution and inpainting of an embedded sample."""
    clean = np.asarray(cells.array, dtype=np.float64)
    clean = clean.reshape(-1, *clean.shape[-2:])[0][:128, :128]
    sigma = 25 / 255 * np.ptp(clean)
    for operator in (Downsample(4), Mask(np.random.default_rng(0).random(clean.shape) < 0.5)):
        y = measured(operator, clean, sigma)
        factors = operator.factors(clean.shape, torch.zeros((), dtype=torch.float64))
        values = factors.singular_values
        seen = factors.data_to_spectral(torch.from_numpy(y))
        inverse = torch.where(values > 0, seen / values.clamp(min=1e-30), 0)
        plain = factors.from_spectral(inverse).numpy()
        if isinstance(operator, Mask):  # nothing is worse than the mean where nothing is seen
            plain[~operator.mask] = plain[operator.mask].mean()
        found = nc.restore(
            y, operator, nc.Gaussian(sigma), method="ddrm", denoiser="unet_fast", n_draws=2
        ).posterior.draws[0]
        gain = np.square(plain - clean).mean() / np.square(found - clean).mean()
        assert 10 * np.log10(gain) > 2


def test_unets_draws_restore_and_differ(scene):
    """A learned denoiser's Jacobian is not quite a covariance; the draws stay sane."""
    clean = scene[200:264, 200:264]
    seen = np.ones(clean.shape, bool)
    seen[20:40, 20:40] = False
    y = measured(Mask(seen), clean, 0.05)
    result = nc.restore(y, Mask(seen), nc.Gaussian(0.05), denoiser="unet_fast", n_draws=6)
    draws = result.posterior.draws
    assert np.sqrt(np.square(result.estimate - clean)[seen].mean()) < 0.04
    assert result.posterior.std[~seen].mean() > 2 * result.posterior.std[seen].mean()
    low, high = y[seen].min(), y[seen].max()
    assert low - 1.2 * (high - low) < draws.min() < draws.max() < high + 1.2 * (high - low)
    misfit = np.square((y - draws) / 0.05)[:, seen].mean()
    assert 0.85 < misfit < 1.2


def test_a_recipe_replays_and_a_stack_is_restored_plane_by_plane():
    y = np.stack([measured(SOFT, white((12, 12), k), 3.0, k) for k in range(2)])
    recipe = Recipe.of(
        method="restore", operator=SOFT, solver="pnp:6", noise=nc.Gaussian(3.0),
        denoiser="unet_fast",
    )  # fmt: skip
    again = Recipe.from_json(recipe.to_json())
    assert again.solver == "pnp:6"
    first = run(recipe, nc.Image(y))
    second = run(again, nc.Image(y))
    np.testing.assert_array_equal(first.estimate, second.estimate)
    alone = run(recipe, nc.Image(y[1]))
    np.testing.assert_allclose(first.estimate[1], alone.estimate, atol=1e-3)
    assert len(first.record()["weights_sha256"]) == 64


def test_stopped_between_draws_it_keeps_those_that_are_done():
    y = measured(SOFT, white((12, 12)), 3.0)
    recipe = Recipe.of(method="restore", operator="blur:uniform,3", noise=nc.Gaussian(3.0),
                       n_draws=50)  # fmt: skip
    seen = []

    def stop():
        return bool(seen)

    going = steps(recipe, nc.Image(y), denoiser=PRIOR, stop=stop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_credible.plan._together", lambda *a: 1)
        while True:
            try:
                progress = next(going)
            except StopIteration as end:
                result = end.value
                break
            if progress.posterior is not None and progress.posterior.n_draws >= 3:
                seen.append(1)
    assert 3 <= result.posterior.n_draws < 50


def test_the_noise_of_a_picture_is_measured(noisy):
    blurred = SOFT(noisy) + 0.03 * np.random.default_rng(1).standard_normal(noisy.shape)
    result = nc.restore(blurred[:256, :256], SOFT, method="pnp:2", denoiser=GaussianPrior(0.3, 0.2))
    assert float(np.mean(result.noise[0].variance(np.array(0.4)))) == pytest.approx(9e-4, rel=0.3)


class Unknown(Identity):
    """An operator of the caller's own."""


def test_an_operator_of_ones_own_serves_but_cannot_be_replayed():
    y = white((8, 8))
    result = nc.restore(y, Unknown(), nc.Gaussian(2.0), method="pnp:3", denoiser=PRIOR)
    with pytest.raises(ValueError, match="operator 'Unknown', which its author"):
        run(result.recipe, nc.Image(y), denoiser=PRIOR)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: nc.restore(np.eye(8), "warp:2", nc.Gaussian(1)), "no operator 'warp'"),
        (lambda: nc.restore(np.eye(8), Identity(), nc.Gaussian(1), method="magic"), "no solver"),
        (lambda: nc.restore(np.eye(8), Mask(np.ones((4, 4), bool)), nc.Gaussian(1)), "shape"),
        (lambda: nc.restore(np.full((8, 8), np.nan), Identity(), nc.Gaussian(1)), "no pixel that"),
        (lambda: nc.restore(np.ones((8, 4)), Radon(np.arange(4) * 45.0)), "no picture whose noise"),
        (lambda: nc.restore(np.ones((8, 5)), Radon(np.arange(4) * 45.0), nc.Gaussian(1)), "angles"),
        (
            lambda: nc.restore(
                np.eye(8), Blur(SOFT.psf, "zero"), nc.Gaussian(1), method="snips", denoiser=PRIOR
            ),
            "snips needs the singular values",
        ),
        (
            lambda: nc.restore(
                np.eye(8) + 1, SOFT, nc.PoissonGaussian(1.0), method="ddrm", denoiser=PRIOR
            ),
            "ddrm takes one noise level",
        ),
        (lambda: nc.restore(np.ones((3, 8, 8)), Bayer("RGGB"), [nc.Gaussian(1)] * 2), "2 noise"),
        (
            lambda: nc.restore(nc.Image(np.ones((3, 8, 8)), "CYX"), Bayer("RGGB"), nc.Gaussian(1)),
            "channel axis",
        ),
        (lambda: Recipe.of(method="restore", solver={"kind": "pnp", "rho": 1}), "has no rho"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


# The command line.


def called(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code


@pytest.fixture
def files(tmp_path, scene):
    """A blurred noisy TIFF of 40 x 48 pixels and its PSF."""
    clean = 100 * scene[60:100, 200:248]
    tifffile.imwrite(tmp_path / "psf.tif", SOFT.psf.astype(np.float32))
    data = measured(SOFT, clean, 3.0).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", data)
    return tmp_path


def test_the_command_restores_a_file(files):
    out = files / "out.tif"
    asked = ["--operator", f"blur:{files / 'psf.tif'}", "--noise", "gaussian:3", "--denoiser",
             "unet_fast", "-q"]  # fmt: skip
    assert not called("restore", files / "in.tif", "-o", out, "--method", "pnp:8", *asked)
    written = nc.read(out)
    wanted = nc.restore(
        nc.read(files / "in.tif"), f"blur:{files / 'psf.tif'}", nc.Gaussian(3.0), method="pnp:8",
        denoiser="unet_fast",
    )  # fmt: skip
    np.testing.assert_array_equal(written.array, wanted.estimate)
    recipe = written.header["napari-credible"]["recipe"]
    assert recipe["solver"] == "pnp:8"
    assert recipe["operator"].startswith("blur:")
    (files / "r.json").write_text(json.dumps(recipe))
    assert not called("run", files / "r.json", files / "in.tif", "-o", files / "b.tif", "-q")
    np.testing.assert_array_equal(nc.read(files / "b.tif").array, written.array)


def test_the_command_draws_finer_pixels(files):
    out = files / "fine.ome.tif"
    asked = ["--operator", "downsample:2", "--noise", "gaussian:3", "--denoiser", "unet_fast"]
    assert not called("restore", files / "in.tif", "-o", out, *asked, "--draws", "2", "-q")
    assert nc.read(out).array.shape == (80, 96)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--operator", "warp"], "there is no operator 'warp'"),
        (["--operator", "blur:no.tif"], "no.tif"),
        (["--operator", "radon:7"], "angles"),
        (["--method", "magic"], "there is no solver 'magic'"),
    ],
)
def test_a_wrong_command_ends_with_a_sentence_and_writes_nothing(files, capsys, asked, sentence):
    before = sorted(files.iterdir())
    assert called("restore", files / "in.tif", "-o", files / "o.tif", *asked) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_draws_on_disk_are_those_in_memory(tmp_path):
    recipe = Recipe(
        method="restore", operator="downsample:2", solver="ddrm", noise=nc.Gaussian(4.0), n_draws=3
    )
    data = nc.Image(measured(Downsample(2), white((12, 12)), 4.0))
    in_memory = run(recipe, data, denoiser=PRIOR).posterior.draws
    going = steps(recipe.replace(keep="disk"), data, denoiser=PRIOR, scratch=str(tmp_path))
    while True:
        try:
            next(going)
        except StopIteration as end:
            found = end.value.posterior
            break
    assert list(tmp_path.iterdir())
    np.testing.assert_array_equal(np.asarray(found.draws), in_memory)


def test_the_plan_counts_the_draws_of_the_image_and_none_of_a_solver():
    data = nc.Image(np.zeros((8, 8), np.float32))
    asked = {"method": "restore", "noise": nc.Gaussian(1.0), "n_draws": 5}
    finer = plan(Recipe(**asked, operator="downsample:2", solver="ddrm"), data, PRIOR)
    assert finer.kept == 4 * 5 * 16 * 16
    coloured = plan(Recipe(**asked, operator="bayer:RGGB", solver="mmps"), data, PRIOR)
    assert coloured.kept == 4 * 5 * 3 * 8 * 8
    assert plan(Recipe(**asked, operator="identity", solver="pnp"), data, PRIOR).kept == 0


def test_a_psf_is_fitted_to_the_pixels_of_the_image_not_of_its_data():
    blur = Blur(SOFT.psf, pixel=(0.1, 0.1), unit="um")
    operator = Downsample(2) @ blur
    data = nc.Image(np.zeros((8, 8)), "YX", scale=(0.2, 0.2), axis_units=("um", "um"))
    assert geometry.fitted(operator, data, operator.coarser).first == blur
    assert geometry.fitted(operator, data).first != blur


def test_data_divided_by_their_noise_are_restored_as_those_with_a_map_of_noise():
    std = np.where(np.arange(32) < 16, 2.0, 30.0) * np.ones((32, 1))
    y = measured(Blur.uniform(3), white((32, 32)), std)
    white_noise = Whitened(Blur.uniform(3), std)
    for method in ("pnp", "mmps"):
        asked = {"method": method, "denoiser": PRIOR, "n_draws": 3}
        plain = nc.restore(y, Blur.uniform(3), nc.Gaussian(std), **asked)
        divided = nc.restore(white_noise.whiten(y), white_noise, **asked)
        np.testing.assert_allclose(divided.estimate, plain.estimate, rtol=1e-4)
    unseen = np.where(np.arange(32) < 16, 2.0, np.inf) * np.ones((32, 1))
    half = Whitened(Identity(), unseen)
    found = nc.restore(half.whiten(y), half, denoiser=PRIOR, n_draws=4)
    assert np.isfinite(found.estimate).all()
    assert found.posterior.std[:, 16:].mean() > 4 * found.posterior.std[:, :16].mean()


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_whitened_data_give_the_same_whatever_the_unit(scale):
    """The posterior of data counted in their noise is that of the data as measured."""
    prior = GaussianPrior(100.0 * scale, 40.0 * scale)
    y = measured(Identity(), scale * (100 + 40 * white((24, 24), 3) / 20 - 200), 20.0 * scale)
    plain = nc.restore(y, Identity(), nc.Gaussian(20.0 * scale), denoiser=prior, n_draws=16)
    for operator in (
        Decorrelated(Identity(), [[400.0 * scale**2]]),
        Mask(np.ones((24, 24), dtype=bool)) @ Whitened(Identity(), 20.0 * scale),
    ):
        found = nc.restore(y / (20.0 * scale), operator, denoiser=prior, n_draws=16)
        off = (found.estimate - plain.estimate) / plain.posterior.std.mean()
        assert abs(off.mean()) < 4 * (2 / 16 / off.size) ** 0.5
        assert found.posterior.std.mean() == pytest.approx(plain.posterior.std.mean(), rel=0.05)


@pytest.mark.parametrize("method", ["ddrm", "snips:20"])
def test_methods_with_one_noise_level_take_whitened_data(method):
    std = np.where(np.arange(24) < 12, 2.0, 30.0) * np.ones((24, 1))
    y = measured(Identity(), white((24, 24)), std)
    found = nc.restore(y / std, Whitened(Identity(), std), method=method, denoiser=PRIOR, n_draws=2)
    assert np.isfinite(found.estimate).all()


def test_a_corner_without_information_spoils_nothing_else():
    """A noise level that stands for "not measured" is as good as a mask."""
    std = np.where(np.arange(32) < 28, 2.0, 1e4) * np.ones((32, 1))
    image = white((32, 32))
    y = measured(Identity(), image, std)
    for method in ("pnp", "mmps"):
        found = nc.restore(
            y, Identity(), nc.Gaussian(std), method=method, denoiser=PRIOR, n_draws=4
        )
        assert np.sqrt(np.square(found.estimate - image)[:, :28].mean()) < 3


def test_noise_that_hangs_together_is_told_from_the_image(cells):
    """Half a decibel and more above the restoration that takes the noise for white."""
    lags = 0.01 * np.array([[0.1, 0.25, 0.1], [0.25, 1, 0.25], [0.1, 0.25, 0.1]])
    clean = nc.denoise(np.asarray(cells.array, dtype=float)[64:160, 64:160]).estimate
    truth = (clean - clean.min()) / np.ptp(clean)
    decorrelated = Decorrelated(Identity(), lags)
    flat = np.random.default_rng(0).standard_normal(truth.shape)
    spectrum = np.fft.rfft2(flat) / decorrelated._gain(truth.shape).numpy()
    y = truth + np.fft.irfft2(spectrum, s=truth.shape)
    asked = {"method": "pnp", "denoiser": "unet_fast"}
    plain = nc.restore(y, Identity(), nc.Gaussian(0.1), **asked).estimate
    told = nc.restore(decorrelated.whiten(y), decorrelated, **asked).estimate
    errors = [np.square(image - truth).mean() for image in (plain, told)]
    assert errors[1] < errors[0] * 10**-0.05


@pytest.mark.parametrize("method", ["pnp", "mmps"])
def test_what_is_faint_is_restored_as_well_beside_a_bright_object(method):
    """A star of 20 000 in 25 pixels widens the range, and leaves the scale of the rest."""
    rng = np.random.default_rng(0)
    faint = 100 + 8 * np.sin(np.arange(100) / 3) * np.ones((100, 1))
    noise, far = 10 * rng.standard_normal(faint.shape), np.s_[10:50, 10:50]
    errors = []
    for peak in (faint[70:75, 70:75], 20_000):
        image = faint.copy()
        image[70:75, 70:75] = peak
        found = nc.restore(
            image + noise, "identity", nc.Gaussian(10.0), method=method, denoiser="unet_fast",
            n_draws=4,
        )  # fmt: skip
        errors.append(float(np.sqrt(np.mean((found.estimate - image)[far] ** 2))))
    assert errors[0] < 2.0
    assert errors[1] < 1.7 * errors[0]


def test_the_scale_of_an_image_is_that_of_its_middle():
    """Where objects fill the image it is the range; a few bright ones, or none at all, do not."""
    rng = np.random.default_rng(0)
    model = nc.Gaussian(1.0)
    full = rng.uniform(0, 100, (100, 100))
    known = Known.of(Identity(), full, model)
    assert known.content == pytest.approx(known.range[1] - known.range[0])
    stars = full.copy()
    stars[:2, :10] = rng.uniform(1e5, 2e5, (2, 10))
    bright = Known.of(Identity(), stars, model)
    assert bright.range[1] > 9e4
    assert bright.content == pytest.approx(180, rel=0.05)
    assert Known.of(Identity(), np.full((20, 20), 3.0), model).content > 0


def test_red_ends_at_its_last_level_alone():
    """At a high level the data hold the image still, which is no end."""
    rng = np.random.default_rng(0)
    image = nc.Image(1000 + 10 * rng.standard_normal((32, 32)))
    prior = GaussianPrior(1000.0, 1.0)
    found = nc.restore(image, "identity", nc.Gaussian(10.0), method="red", denoiser=prior)
    # x = (y + D(x) / 2) / (3/2), with D(x) = m + (x - m) / 101.
    shrunk = 1 / (1.5 - 0.5 / 101)
    wanted = 1000 + shrunk * (image.array - 1000)
    np.testing.assert_allclose(found.estimate, wanted, atol=0.2)
    assert found.history[-1].number > 12
