"""Open napari on results of the core: the demonstration's last step."""

from __future__ import annotations

from napari_credible.gui.layers import METADATA_KEY
from napari_credible.result import Result


def show_results(results: list[Result]) -> None:
    """Show the first result beside its input, with the Denoise widget, until napari is closed."""
    import napari

    viewer = napari.Viewer(title="napari-credible")
    for result in results[:1]:
        image = result.source
        shared = {
            "scale": image.scale,
            "units": image.axis_units,
            "axis_labels": tuple(image.axes.lower()),
        }
        measured = viewer.add_image(image.array, name=image.name, **shared)
        viewer.add_image(
            result.estimate,
            name=f"{image.name} · denoised",
            contrast_limits=measured.contrast_limits,
            metadata={METADATA_KEY: result.record()},
            **shared,
        )
    viewer.window.add_plugin_dock_widget("napari-credible", "Denoise")
    napari.run()
