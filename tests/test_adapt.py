"""Adapting: every objective is minimal where the error is, and nothing is made worse."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_credible as nc
from impostors import Distance, halved_counts, looks_at_itself
from napari_credible.__main__ import main
from napari_credible.adapt.judge import ByHiddenPixels, ByNextFrame, ByStein
from napari_credible.adapt.modes import MODES, External, Internal, Stabiliser, Sure, mode_of
from napari_credible.adapt.objectives import (
    Clean,
    Hidden,
    Neighbours,
    Recorrupted,
    Stein,
    Thinned,
    lattice,
    recorrupted,
    thinned,
    without,
)
from napari_credible.adapt.scene import Crops, Scene, held_out
from napari_credible.adaptation import steps
from napari_credible.denoise.save import save_denoiser
from napari_credible.denoise.stabilised import Curve

SIDE, SPREAD, SIGMA = 256, 0.3, 0.2
# The linear denoiser with the least error for white images: x times this.
BEST = SPREAD**2 / (SPREAD**2 + SIGMA**2)


def white(seed=0, count=1):
    """A clean white image and noisy images of it."""
    rng = np.random.default_rng(seed)
    clean = SPREAD * rng.standard_normal((SIDE, SIDE))
    noisy = [clean + SIGMA * rng.standard_normal(clean.shape) for _ in range(count)]
    return [torch.from_numpy(image.astype(np.float32)) for image in (clean, *noisy)]


def crops_of(*images):
    level = torch.full_like(images[0], SIGMA)
    return Crops([torch.stack([*images, level, torch.ones_like(level)])], 64, 8, 8)


def shrinking(factor):
    return lambda x, sigma: factor * x


def least(objective, factors):
    """Return the factor at which the mean of an objective is least, all with the same draws."""
    means = []
    for factor in factors:
        rng = np.random.default_rng(5)
        means.append(np.mean([float(objective(shrinking(factor), rng)) for _ in range(40)]))
    parabola = np.polyfit(factors, means, 2)
    return -parabola[1] / (2 * parabola[0])


clean, noisy, again = white(count=2)
AROUND = np.linspace(BEST - 0.15, BEST + 0.15, 5)
# What D(y + a sigma z) should be: the noise it sees is larger.
RECORRUPTED = SPREAD**2 / (SPREAD**2 + SIGMA**2 * 1.25)


@pytest.mark.parametrize(
    ("objective", "best"),
    [
        (Clean(crops_of(clean)), BEST),
        (Stein(crops_of(noisy), 0.1), BEST),
        (Neighbours(crops_of(noisy, again)), BEST),
        (Recorrupted(crops_of(noisy), 0.5), RECORRUPTED),
    ],
    ids=["clean", "stein", "neighbours", "recorrupted"],
)
def test_an_objective_is_least_where_the_error_is(objective, best):
    # 320 crops of 4096 pixels from 65536: the minimum is known to about 0.006.
    assert least(objective, AROUND) == pytest.approx(best, abs=0.02)


def test_the_distance_to_the_noisy_image_is_an_impostor():
    assert least(Distance(crops_of(noisy)), AROUND) > BEST + 0.1


def test_hidden_pixels_cannot_be_seen():
    hidden = lattice((1, 1, 64, 64), 4, np.random.default_rng(0))
    base = nc.load_denoiser("unet_fast")
    image = noisy[None, None, :64, :64]
    other = torch.where(hidden > 0, image + 100, image)
    with torch.no_grad():
        found = [base(without(each, hidden), SIGMA) for each in (image, other)]
        seen = [base(looks_at_itself(each, hidden), SIGMA) for each in (image, other)]
    assert torch.equal(*found)
    assert not torch.equal(*seen)
    assert 0 < hidden.mean() <= 1 / 16


def test_hidden_pixels_of_a_smooth_image_are_foretold():
    smooth = torch.ones(SIDE, SIDE) + SIGMA * torch.randn(
        SIDE, SIDE, generator=torch.Generator().manual_seed(0)
    )
    objective = Hidden(crops_of(smooth), 4)
    # Of y = 1 + noise the neighbours' mean, noise a quarter, is best left as it is, nearly.
    best = 1 / (1 + SIGMA**2 / 4)
    assert least(objective, np.linspace(0.8, 1.2, 5)) == pytest.approx(best, abs=0.01)


def correlation(a, b):
    return float(np.corrcoef(a.numpy().ravel(), b.numpy().ravel())[0, 1])


def test_the_parts_of_thinned_photons_are_independent():
    rng = np.random.default_rng(0)
    counts = torch.from_numpy(rng.poisson(9.0, (300, 300)).astype(np.float32))
    seen, rest = thinned(counts, 0.3, rng)
    assert torch.equal(seen + rest, counts)
    assert float(seen.mean()) == pytest.approx(2.7, abs=4 * math.sqrt(2.7) / 300)
    assert float(seen.var() / seen.mean()) == pytest.approx(1, abs=4 * math.sqrt(2) / 300)
    assert abs(correlation(seen, rest)) < 4 / 300
    assert abs(correlation(*halved_counts(counts))) > 4 / 300


def test_thinning_is_least_where_the_photons_are():
    rng = np.random.default_rng(1)
    counts = torch.from_numpy(rng.poisson(40.0, (SIDE, SIDE)).astype(np.float32))
    one = torch.ones_like(counts)
    objective = Thinned(Crops([torch.stack([counts, 0 * one, one, one, one])], 64, 8, 8), 0.5)
    # Of the square root of half the photons, shrunk to f: the mean of f^2 should stay 20.
    assert least(objective, np.linspace(0.94, 1.06, 5)) == pytest.approx(1, abs=0.02)


def test_the_noises_of_recorrupted_images_are_uncorrelated():
    empty = SIGMA * torch.randn(400, 400, generator=torch.Generator().manual_seed(0))
    seen, target = recorrupted(empty, SIGMA, 0.5, np.random.default_rng(0))
    assert abs(correlation(seen, target)) < 4 / 400
    assert float(seen.std()) == pytest.approx(SIGMA * math.sqrt(1.25), rel=0.01)


# ── judges ──


def scene_of(image, model=None, low=0.0, span=1 / SIGMA):
    one = torch.ones_like(image)
    return Scene(image, low, span, one, model, one > 0)


@pytest.mark.parametrize("factor", [0.3, BEST, 0.9])
@pytest.mark.parametrize("everywhere", [True, False])
def test_stein_judges_right_also_at_the_held_out_pixels(factor, everywhere):
    found = ByStein([scene_of(noisy)], everywhere)(lambda scene: shrinking(factor))
    true = (factor * noisy - clean).square() / SIGMA**2
    mask = torch.ones_like(true, dtype=torch.bool) if everywhere else held_out(true.shape)
    assert abs(found.mse - float(true[mask].mean())) < 4 * found.error


def test_the_next_frame_judges_right():
    judge = ByNextFrame([(scene_of(noisy), scene_of(again))])
    found, other = (judge(lambda scene, f=f: shrinking(f)) for f in (BEST, 0.9))
    true = [
        float((f * noisy - clean).square()[held_out(clean.shape)].mean()) / SIGMA**2
        for f in (BEST, 0.9)
    ]
    assert abs(found.mse - true[0]) < 4 * found.error
    apart = other.minus(found)
    assert abs(apart.value - (true[1] - true[0])) < 4 * apart.error


def test_hidden_pixels_judge_what_foretells_them():
    flat = scene_of(1 + SIGMA * torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(3)))
    judge = ByHiddenPixels([flat])
    mean, zero = (judge(lambda scene, d=d: d) for d in (lambda x, s: x, lambda x, s: 0 * x))
    # The mean of four neighbours has a quarter of their variance.
    assert mean.mse == pytest.approx(0.25, abs=4 * mean.error)
    assert zero.minus(mean).clear


def test_a_quarter_is_held_out_and_the_loss_never_sees_it():
    scene = scene_of(noisy)
    assert float(held_out((256, 256)).float().mean()) == 0.25
    assert not bool((scene.weight() * held_out(noisy.shape)).any())


# ── the curve ──


def test_the_curve_rises_and_its_inverse_is_exact():
    curve = Curve(16).double()
    curve.requires_grad_(False)
    x = torch.linspace(-1, 2, 400, dtype=torch.float64)
    assert torch.allclose(curve(x), x)
    with torch.no_grad():
        curve.slopes.copy_(torch.randn(15, generator=torch.Generator().manual_seed(0)))
        curve.start += 0.7
    y = curve(x)
    assert bool((y.diff() > 0).all())
    assert float((curve.inverse(y) - x).abs().max()) < 1e-12


# ── whole adaptations ──

# However slow the machine is: the seconds must not shorten a test's plan.
LONG = 1e5
FEW = {"steps": 40, "every": 20, "batch": 4, "seconds": LONG}


@pytest.fixture(scope="module")
def cells_light(cells):
    """A part of a microscope image without its noise, as well as the whole network finds it."""
    part = np.asarray(cells.array, dtype=np.float64)[:192, :192]
    return nc.denoise(part, nc.estimate_noise(cells), denoiser="unet_fast").estimate


@pytest.fixture(scope="module")
def cells_part(cells, cells_light):
    """The same with noise of its own, and its noise model."""
    noise = nc.estimate_noise(cells)
    return noise.draw(cells_light, 3), noise


@pytest.fixture(scope="module")
def damaged():
    """A network of which a part was lost: it removes 70 % of the noise that it finds."""
    whole = nc.load_denoiser("unet_fast")
    net = type(whole.net)(whole.net.shape)
    net.load_state_dict(whole.net.state_dict())
    with torch.no_grad():
        net.tail.weight *= 0.7
    return replace(whole, net=net.eval().requires_grad_(False))


def same_weights(a, b):
    return all(
        torch.equal(p, q) for p, q in zip(a.net.parameters(), b.net.parameters(), strict=True)
    )


@pytest.fixture(scope="module")
def repaired(damaged, cells_part):
    part, noise = cells_part
    before = [p.clone() for p in damaged.net.parameters()]
    mode = Sure(**FEW, rate=1e-3)
    adapted = nc.adapt(part, noise, denoiser=damaged, mode=mode)
    assert all(torch.equal(p, q) for p, q in zip(damaged.net.parameters(), before, strict=True))
    return adapted


def test_a_damaged_denoiser_is_repaired_by_the_noisy_image_alone(
    repaired, damaged, cells_part, cells_light
):
    part, noise = cells_part
    outcome = repaired.card.adaptation["outcome"]
    error = [
        np.square(nc.denoise(part, noise, denoiser=d).estimate - cells_light).mean()
        for d in (damaged, repaired)
    ]
    gain = 10 * np.log10(error[0] / error[1])
    assert outcome["kept"]
    assert gain > 2


def test_an_adapted_network_still_serves_every_intensity_scale(repaired):
    x = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, seven = repaired(x, 0.1), repaired(7 * x, 0.7)
    assert torch.allclose(7 * one, seven, rtol=1e-4, atol=1e-4)
    nc.check_denoiser(repaired)


def test_adapted_weights_come_back_as_they_were(repaired, cells_part, tmp_path):
    part, noise = cells_part
    save_denoiser(repaired, tmp_path / "own.safetensors")
    loaded = nc.load_denoiser(tmp_path / "own.safetensors")
    assert same_weights(loaded, repaired)
    assert loaded.card == repaired.card
    assert loaded.card.adaptation["parent"] == "unet_fast"
    result = nc.denoise(part, noise, denoiser=tmp_path / "own.safetensors")
    assert np.array_equal(result.estimate, nc.denoise(part, noise, denoiser=repaired).estimate)
    assert result.weights == repaired.card.sha256
    assert any("without ground truth" in source for source in result.citations)


@pytest.mark.parametrize("mode", ["internal", "sure", "n2v", "recorruption"])
def test_pure_noise_keeps_the_base(mode):
    noise = np.random.default_rng(2).standard_normal((160, 160))
    mode = mode_of(
        {"kind": mode, "steps": 12, "every": 4, "batch": 2, "rate": 3e-4, "seconds": LONG}
    )
    adapted = nc.adapt(noise, nc.Gaussian(1.0), denoiser="unet_fast", mode=mode)
    base = nc.load_denoiser("unet_fast")
    outcome = adapted.card.adaptation["outcome"]
    # What is there to gain is nothing: better only where that is beyond doubt.
    assert not outcome["kept"] or outcome["gain"] > 2 * outcome["error"]
    assert same_weights(adapted, base) == (not outcome["kept"])
    if not outcome["kept"]:
        assert "the base is kept" in adapted.card.adaptation["words"]


def test_noise_that_is_not_there_is_said_to_be():
    adapted = nc.adapt(np.full((64, 64), 7.0), nc.Gaussian(1.0), denoiser="unet_fast", mode="sure")
    assert not adapted.card.adaptation["outcome"]["kept"]
    assert "less noise than the model states" in adapted.card.adaptation["words"]


def test_wrong_weights_are_never_kept(noisy):
    """A rate that destroys the network leaves the base."""
    mode = Internal(seconds=LONG, steps=6, every=3, batch=2, rate=0.1)
    adapted = nc.adapt(noisy[:128, :128], nc.Gaussian(0.02), denoiser="unet_fast", mode=mode)
    assert not adapted.card.adaptation["outcome"]["kept"]
    assert same_weights(adapted, nc.load_denoiser("unet_fast"))


def exhausted(going):
    seen = []
    while True:
        try:
            seen.append(next(going))
        except StopIteration as end:
            return seen, end.value


def test_stop_keeps_the_best_so_far(damaged, cells_part):
    part, noise = cells_part
    asked = []
    mode = Sure(seconds=LONG, steps=1000, every=10**6, batch=2, rate=1e-3)

    def stop():
        asked.append(1)
        return len(asked) > 20

    seen, adapted = exhausted(steps(part, noise, denoiser=damaged, mode=mode, stop=stop))
    assert adapted.card.adaptation["outcome"]["steps"] == 20
    assert adapted.card.adaptation["outcome"]["kept"]
    assert math.isfinite(seen[-1].loss)
    assert seen[-1].gain > 0


def test_the_same_seed_gives_the_same_weights(damaged, cells_part):
    part, noise = cells_part
    mode = Sure(seconds=LONG, steps=3, every=3, batch=2, rate=1e-3)
    found = [nc.adapt(part, noise, denoiser=damaged, mode=mode, seed=s) for s in (1, 1, 2)]
    assert same_weights(found[0], found[1])
    assert not same_weights(found[0], found[2])


@pytest.mark.parametrize("name", ["cscnet", "deep_ksvd", "lidia"])
def test_every_network_adapts(name, scene):
    part = scene[:32, :32] + 0.1 * np.random.default_rng(0).standard_normal((32, 32))
    mode = External(seconds=LONG, steps=1, every=1, batch=1, crop=16, rate=1e-4)
    seen, adapted = exhausted(
        steps(part, nc.Gaussian(0.1), denoiser=name, mode=mode, examples=scene[64:96, :32])
    )
    assert math.isfinite(seen[-1].gain)
    assert adapted.card.adaptation["parent"] == name


def test_frames_and_photons(photons):
    stack = np.asarray(photons.array, dtype=np.float64)[:, :96, :96]
    for mode in ("n2n", "thinning"):
        chosen = mode_of({"kind": mode, "steps": 2, "every": 2, "batch": 2})
        adapted = nc.adapt(stack, nc.PoissonGaussian(1.0), denoiser="unet_fast", mode=chosen)
        assert math.isfinite(adapted.card.adaptation["outcome"]["gain"])


def test_a_learned_curve_helps_where_the_noise_is_misjudged(scene, tmp_path):
    """Photon counts taken for Gaussian noise: the curve must find their square root."""
    light = 60 * scene[:256, :256] + 1
    counts = np.random.default_rng(0).poisson(light).astype(float)
    wrong = nc.Gaussian(float(np.sqrt(light.mean())))
    mode = Stabiliser(seconds=LONG, steps=80, every=40, batch=4, knots=12, rate=3e-2)
    curved = nc.adapt(counts, wrong, denoiser="unet_fast", mode=mode)
    error = [
        np.square(nc.denoise(counts, wrong, denoiser=d).estimate - light).mean()
        for d in ("unet_fast", curved)
    ]
    assert curved.card.adaptation["outcome"]["kept"]
    assert error[1] < error[0]
    save_denoiser(curved, tmp_path / "curve.safetensors")
    loaded = nc.load_denoiser(tmp_path / "curve.safetensors")
    again = nc.denoise(counts, wrong, denoiser=loaded).estimate
    assert np.array_equal(again, nc.denoise(counts, wrong, denoiser=curved).estimate)


# ── bad input ──


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"mode": "magic"}, "there is no mode 'magic'; give one of internal"),
        ({"mode": "external"}, "give examples"),
        ({"mode": "internal", "examples": np.ones((64, 64))}, "uses none; give mode='external'"),
        ({"mode": "n2n"}, "at least two frames"),
        ({"mode": "thinning"}, "Gaussian noise is none; give mode='recorruption'"),
        ({"denoiser": "tv"}, "'tv' has no weights to adapt"),
        ({"mode": {"kind": "internal", "step": 3}}, "Internal has no step; it has steps"),
        ({"mode": {"kind": "internal", "steps": 0}}, "steps is 0"),
        (
            {"mode": "external", "examples": 1000 * np.eye(64)},
            "in the units of the image",
        ),
        ({"mode": "external", "examples": np.full((64, 64), np.nan)}, "not finite"),
    ],
)
def test_bad_input_gets_one_sentence(asked, sentence, noisy):
    with pytest.raises(ValueError, match=sentence) as error:
        nc.adapt(noisy[:64, :64], nc.Gaussian(0.02), **{"denoiser": "unet_fast", **asked})
    assert "\n" not in str(error.value)


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match="the network needs 16"):
        nc.adapt(np.eye(8), nc.Gaussian(0.1), denoiser="unet_fast")


def test_every_mode_is_plain_json():
    for name, kind in MODES.items():
        assert mode_of(kind().to_dict()) == mode_of(name)


# ── the command line ──


def called(*words):
    try:
        main([str(word) for word in words])
    except SystemExit as end:
        return end.code or 0
    return 0


def test_the_command_writes_weights_that_denoise(cells, tmp_path, capsys):
    part = tmp_path / "part.tif"
    nc.write(part, nc.Image(np.asarray(cells.array)[:96, :96]))
    weights = tmp_path / "own.safetensors"
    few = ["--steps", 2, "--every", 2, "--batch", 2, "--denoiser", "unet_fast"]
    assert not called("adapt", part, "-o", weights, "--mode", "sure", *few)
    assert "wrote" in capsys.readouterr().out
    assert not called("denoise", part, "-o", tmp_path / "d.tif", "--denoiser", weights, "-q")
    assert called("adapt", part, "-o", weights, *few) == 2
    assert "exists" in capsys.readouterr().err
    assert called("adapt", part, "-o", tmp_path / "own.tif", *few) == 2
    assert "end it in .safetensors" in capsys.readouterr().err
