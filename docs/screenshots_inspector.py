"""Make the pictures of the Uncertainty inspector anew, from real runs in a real napari window.

sh scripts/with-display.sh python docs/screenshots_inspector.py [photons] [stars] [believable]

It prints the numbers that the tutorial quotes. 30 to 60 seconds of two cores each.
"""

import sys
from types import SimpleNamespace
from typing import Any

import napari
import numpy as np
from napari.settings import get_settings
from screenshots import SMALL, kept, waited

import napari_credible as nc
from napari_credible.gui.family import LOWER, MEAN, STD, UPPER, Family
from napari_credible.readout import line
from napari_credible.samples import SAMPLES

DRAWS = 48
DENOISER = "unet_fast"
# Rows and columns: a bright spot, one that only looks like one, and something to measure them by.
REAL, DOUBTFUL, DARK, DARK_TOO = (232, 53), (223, 159), (236, 24), (212, 172)
# Of the star field: a faint star, a speck that is none, one bright pixel, and the sky beside.
STAR, SPECK, LONE, SKY, SKY_TOO = (28, 13), (206, 196), (35, 9), (30, 36), (196, 214)
STARS = (slice(132, 388), slice(140, 396))


def sampled(image: nc.Image, noise: Any, n_draws: int = DRAWS) -> Any:
    """Return the result of a run."""
    return nc.sample(image, noise, denoiser=DENOISER, n_draws=n_draws)


def opened(result: Any, limits: tuple[float, float], theme: str = "dark") -> tuple[Any, Any]:
    """Return a viewer with the layers of a run and the inspector, as a user has them."""
    get_settings().appearance.theme = theme
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*SMALL)
    name = result.source.name
    viewer.add_image(result.source.array, name=name, contrast_limits=limits)
    family = Family(result.posterior, result)
    lower, upper = result.posterior.interval(result.recipe.level)
    maps = {STD: result.posterior.std, LOWER: lower, UPPER: upper, MEAN: result.posterior.mean}
    for role, data in maps.items():
        layer = viewer.add_image(data, name=f"{name} · {role}", visible=role == MEAN)
        layer.contrast_limits = limits
        family.join(layer, role)
    _, widget = viewer.window.add_plugin_dock_widget("napari-credible", "Uncertainty inspector")
    viewer.layers.selection.active = viewer.layers[-1]
    waited(2)
    return viewer, widget


def hovered(viewer: Any, widget: Any, row: int, column: int) -> None:
    """Hold the cursor over a pixel."""
    event = SimpleNamespace(position=np.array([row, column], dtype=float))
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, event)
    waited(2)
    answered(widget)


def answered(widget: Any) -> None:
    """Wait for an answer, and print it."""
    waited(1.5)
    while widget.look.jobs:
        waited(0.05)
    reading = widget.look.reading
    print(reading.title, *[line(q) for q in reading.quantities], reading.headline, sep="\n  ")


def around(place: tuple[int, int], radius: float = 2.7) -> Any:
    """Return the corners of the box around a disc."""
    row, column = place
    ends = [(-radius, -radius), (-radius, radius), (radius, radius), (radius, -radius)]
    return np.array([(row + a, column + b) for a, b in ends])


def drawn(widget: Any, kind: str, corners: Any) -> None:
    """Draw a shape."""
    if widget.look.drawn.layer is None:
        widget.look.drawn.begin(kind, widget.placed())
    layer = widget.look.drawn.layer
    layer.add(np.asarray(corners, dtype=float), shape_type=kind)
    layer.mode = "pan_zoom"
    waited(0.5)
    answered(widget)


def compared(widget: Any, one: str, other: str) -> None:
    """Ask which of two shapes is brighter."""
    controls = widget.look.controls
    controls.choose(one)
    controls.other.setCurrentIndex(controls.other.findData(other))
    answered(widget)


def zoomed(viewer: Any, place: tuple[float, float], zoom: float) -> None:
    """Look closer."""
    camera = getattr(viewer, "scene", viewer).camera
    camera.center = (0, *place)
    camera.zoom = zoom


def the_photons() -> None:
    """Show a pixel, a region, a line, a component; two spots of one scan, and of the others."""
    scans = np.asarray(SAMPLES["photons"].read().array)
    image = nc.Image(scans[0], name="first scan", unit="photons")
    result = sampled(image, nc.PoissonGaussian(1.0))
    viewer, widget = opened(result, (0, 80))
    widget.threshold.setText("105")
    hovered(viewer, widget, 112, 100)
    kept(viewer, "inspect-pixel.png")
    widget.threshold.setText("40")
    drawn(widget, "polygon", [(60, 160), (85, 172), (110, 165), (128, 130), (110, 110), (95, 118)])
    kept(viewer, "inspect-region.png")
    drawn(widget, "line", [(40, 40), (190, 190)])
    widget.look.controls.width.setValue(3)
    answered(widget)
    kept(viewer, "inspect-line.png")
    widget.tabs.setCurrentIndex(1)
    widget.vary.controls.components.setChecked(True)
    while widget.vary.jobs:
        waited(0.05)
    widget.vary.controls.slider.setValue(50)
    kept(viewer, "inspect-vary.png")
    widget.close()
    viewer.close()
    the_spots(result, scans)


def the_spots(result: Any, scans: Any) -> None:
    """Ask whether two spots of the first scan are real, and look at the four others."""
    counts = {"first scan": (scans[0], 1), "other four": (scans[1:].sum(0), 4)}
    for theme, spot, dark, name in (
        ("dark", REAL, DARK, "inspect-compare.png"),
        ("light", DOUBTFUL, DARK_TOO, "is-it-real-doubtful.png"),
    ):
        viewer, widget = opened(result, (0, 6 if spot is REAL else 2), theme)
        a, b = asked(viewer, widget, spot, dark)
        for what, (photons, number) in counts.items():
            one, two = photons[a].mean() / number, photons[b].mean() / number
            error = np.hypot(photons[a].sum() ** 0.5 / a.sum(), photons[b].sum() ** 0.5 / b.sum())
            print(
                f"  {what}: A {one:.2f}, B {two:.2f}, A - B {one - two:.2f} ± {error / number:.2f}"
            )
        kept(viewer, name)
        widget.close()
        viewer.close()


def asked(viewer: Any, widget: Any, spot: Any, dark: Any) -> tuple[Any, Any]:
    """Compare a spot with a square beside it, in the input; return which pixels they hold."""
    viewer.layers[-1].visible = False
    zoomed(viewer, ((spot[0] + dark[0]) / 2, (spot[1] + dark[1]) / 2), 9)
    drawn(widget, "ellipse", around(spot))
    drawn(widget, "rectangle", around(dark, 5.4))
    compared(widget, "A", "B")
    return mask_of(widget, "A"), mask_of(widget, "B")


def mask_of(widget: Any, letter: str) -> Any:
    """Return the pixels of a shape."""
    placed = widget.placed()
    shape = next(s for s in widget.look.drawn.shapes(placed) if s.name == letter)
    mask = np.zeros(placed.shape, dtype=bool)
    box = shape.box(placed.shape)
    mask[box] = shape.mask(*box)
    return mask


def the_stars() -> None:
    """Ask whether two specks of a star field are stars."""
    whole = SAMPLES["stars"].read()
    noise = nc.estimate_noise(whole.array)
    print(noise.in_words())
    image = nc.Image(np.asarray(whole.array)[STARS], name="star field", unit="ADU")
    result = sampled(image, noise)
    for theme, spot, sky, name in (
        ("dark", STAR, SKY, "is-it-real-star.png"),
        ("light", SPECK, SKY_TOO, "is-it-real-speck.png"),
        ("dark", LONE, SKY, ""),
    ):
        viewer, widget = opened(result, (270, 340), theme)
        a, b = asked(viewer, widget, spot, sky)
        values = image.array.astype(float)
        error = values[b].std() * np.hypot(a.sum() ** -0.5, b.sum() ** -0.5)
        print(f"  as measured: A - B {values[a].mean() - values[b].mean():.1f} ± {error:.1f} ADU")
        if name:
            kept(viewer, name)
        widget.close()
        viewer.close()


def the_verdict() -> None:
    """Test the uncertainty of a sampled image."""
    scans = np.asarray(SAMPLES["photons"].read().array)
    image = nc.Image(scans[0], name="first scan", unit="photons")
    result = sampled(image, nc.PoissonGaussian(1.0), n_draws=16)
    viewer, widget = opened(result, (0, 80))
    widget.tabs.setCurrentIndex(2)
    widget.believable.start()
    while widget.believable.jobs:
        waited(0.1)
    verdict = widget.believable.verdict
    print(verdict.sentence, *[check.words for check in verdict.checks], sep="\n  ")
    widget.believable.show_residual()
    waited(1)
    kept(viewer, "inspect-believable.png")
    widget.close()
    viewer.close()


PARTS = {"photons": the_photons, "stars": the_stars, "believable": the_verdict}

if __name__ == "__main__":
    before = get_settings().appearance.theme
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
    get_settings().appearance.theme = before
