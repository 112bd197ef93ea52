"""A recipe leaves the window as text or a file, and runs elsewhere."""

import numpy as np
from qtpy.QtWidgets import QApplication

import napari_credible as nc
from napari_credible.recipe import Recipe


def test_python_and_command_are_copied(opened, tmp_path, scene, typed):
    viewer, widget = opened
    path = tmp_path / "a.tif"
    nc.write(path, nc.Image((100 * scene[:64, :64]).astype(np.uint16), scale=(2, 2)))
    viewer.open(path, plugin="napari-credible")
    typed(widget, 5.0)
    widget.actions.copy_python()
    assert f"nc.read({str(path)!r})" in QApplication.clipboard().text()
    assert "nc.Gaussian(sigma=5.0)" in QApplication.clipboard().text()
    widget.actions.copy_command()
    assert "--noise gaussian:5.0" in QApplication.clipboard().text()


def test_a_saved_recipe_is_that_of_the_selected_result(opened, finish, tmp_path, scene, typed):
    viewer, widget = opened
    viewer.add_image(100 * scene[:64, :64], name="a")
    typed(widget, 5.0)
    widget.start()
    finish(widget)
    viewer.layers.selection.active = viewer.layers["a · denoised"]
    typed(widget, 7.0)
    widget.actions.save_recipe(str(tmp_path / "r.json"))
    saved = Recipe.from_json((tmp_path / "r.json").read_text())
    assert saved.noise == nc.Gaussian(5.0)


def test_other_layers_get_the_same_recipe(opened, finish, scene, typed):
    viewer, widget = opened
    layers = [viewer.add_image(k * scene[:64, :64], name=f"n{k}") for k in (100, 200)]
    typed(widget, 5.0)
    widget.actions.other_layers(layers)
    finish(widget)
    for k in (100, 200):
        wanted = nc.denoise(k * scene[:64, :64], nc.Gaussian(5.0)).estimate
        np.testing.assert_array_equal(viewer.layers[f"n{k} · denoised"].data, wanted)


def test_a_folder_is_run(opened, finish, tmp_path, scene, typed):
    _, widget = opened
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for k in (1, 2):
        nc.write(tmp_path / "in" / f"{k}.tif", nc.Image(100 * k * scene[:64, :64]))
    typed(widget, 5.0)
    widget.actions.folder(str(tmp_path / "in"), str(tmp_path / "out"))
    finish(widget)
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "2" in widget.controls.status.text()
