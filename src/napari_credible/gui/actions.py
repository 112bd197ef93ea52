"""What can be done with a recipe once it is there: copy it, save it, run it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from napari_credible.gui.asked import Asked, Stop
from napari_credible.gui.layers import METADATA_KEY
from napari_credible.planes import Progress
from napari_credible.recipe import Recipe
from napari_credible.region import Region
from napari_credible.script import as_command, as_python


class Actions(QWidget):  # type: ignore[misc]
    """Buttons that act on the recipe of the chosen result, or of the form.

    Parameters
    ----------
    widget : RecipeWidget
        Whose recipe, layers and worker are used.
    """

    def __init__(self, widget: Any) -> None:
        super().__init__()
        self._widget = widget
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for number, (text, tip, act) in enumerate(self._offered()):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(partial(self._do, act))
            grid.addWidget(button, number // 2, number % 2)

    def _offered(self) -> list[tuple[str, str, Any]]:
        return [
            ("Copy as Python", "A script that gives this result again", self.copy_python),
            ("Copy as command", "A command line that gives this result again", self.copy_command),
            ("Save recipe …", "JSON for 'napari-credible run'", self.save_recipe),
            ("Other layers …", "Run this recipe on other layers", self.other_layers),
            ("A folder …", "Run this recipe on every file of a folder", self.folder),
        ]

    def _do(self, act: Any, _: bool = False) -> None:
        try:
            act()
        except (ValueError, OSError) as error:
            self._widget.fail(error)

    def recipe(self) -> Recipe:
        """Return the recipe of the selected result layer, else that of the form."""
        record = self._record()
        if record:
            return Recipe.of(**record["recipe"])
        recipe: Recipe = self._widget.recipe()
        return recipe

    def _record(self) -> dict[str, Any]:
        active = self._widget.viewer.layers.selection.active
        return (active.metadata.get(METADATA_KEY) if active is not None else None) or {}

    def _region(self) -> Region | None:
        """Return the region of the selected result, else that of the form."""
        record = self._record()
        if record:
            part = record.get("region")
            return Region(tuple(part["start"]), tuple(part["stop"])) if part else None
        asked = self._widget.asked()
        return self._widget.region(asked) if asked is not None else None

    def copy_python(self) -> None:
        """Put a script into the clipboard."""
        self._copy(as_python(self.recipe(), *self._source(), self._region()), "Python")

    def copy_command(self) -> None:
        """Put a command line into the clipboard."""
        self._copy(as_command(self.recipe(), *self._source(), self._region()), "the command")

    def _copy(self, text: str, what: str) -> None:
        QApplication.clipboard().setText(text)
        self._widget.say(f"Copied {what}:\n{text}")

    def _source(self) -> tuple[str, str]:
        """Return the path of the input's file, and its axes where the user set them."""
        layer = self._widget.controls.layer.value
        path = layer.source.path if layer is not None else None
        axes = self._widget.axes
        return str(path or "IMAGE.tif"), axes.axes() if axes.corrected() else ""

    def save_recipe(self, path: str = "") -> None:
        """Write the recipe as JSON."""
        if not path:
            path, _ = QFileDialog.getSaveFileName(self, "Save recipe", "recipe.json", "*.json")
        if path:
            Path(path).write_text(self.recipe().to_json() + "\n", encoding="utf-8")
            self._widget.say(f"Saved {path}.")

    def other_layers(self, chosen: list[Any] | None = None) -> None:
        """Run the recipe on layers that the user ticks."""
        layers = self._widget.image_layers() if chosen is None else chosen
        if chosen is None:
            layers = ticked(self, layers)
        if not layers:
            return
        recipe = self.recipe()
        asked = [self._widget.asked_of(layer, recipe, "") for layer in layers]
        work = partial(_one_by_one, asked, self._widget.working)
        self._widget.begin(self._widget.name, work, partial(self._add, asked))

    def _add(self, asked: list[Asked], results: list[Any]) -> None:
        pairs = zip(asked, results, strict=True)
        count = sum(self._widget.deliver(result, each) for each, result in pairs)
        self._widget.say(f"Added {count} layer{'s' if count != 1 else ''}.")

    def folder(self, source: str = "", target: str = "") -> None:
        """Run the recipe on every readable file of a folder."""
        from napari_credible.batch import batch, files_of

        source = source or QFileDialog.getExistingDirectory(self, "Folder of images")
        target = target or (source and QFileDialog.getExistingDirectory(self, "Folder for results"))
        if not source or not target:
            return
        files = files_of(Path(source), "*")
        recipe = self.recipe()
        self._widget.begin(
            f"{self._widget.name} a folder",
            lambda stop: batch(recipe, files, Path(target), stop=stop),
            lambda report: self._widget.say(report.in_words()),
        )


def _one_by_one(
    asked: list[Asked], working: Callable[..., Any], stop: Stop
) -> Generator[Progress, None, list[Any]]:
    """Run several layers in turn, as one run with one progress."""
    results = []
    for number, each in enumerate(asked):
        going = working(each, stop)
        while True:
            try:
                step = next(going)
            except StopIteration as end:
                results.append(end.value)
                break
            share = step.done / max(step.total, 1)
            done = round(100 * (number + share))
            yield Progress(done, 100 * len(asked), f"{each.image.name}: {step.doing}")
    return results


def ticked(parent: QWidget, layers: list[Any]) -> list[Any]:
    """Let the user tick layers; nothing where the dialog is cancelled."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Run this recipe on")
    rows = QListWidget()
    for layer in layers:
        item = QListWidgetItem(layer.name)
        item.setCheckState(Qt.CheckState.Unchecked)
        rows.addItem(item)
    ok, no = QDialogButtonBox.StandardButton.Ok, QDialogButtonBox.StandardButton.Cancel
    buttons = QDialogButtonBox(ok | no)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    stack = QVBoxLayout(dialog)
    stack.addWidget(rows)
    stack.addWidget(buttons)
    if not dialog.exec():
        return []
    states = [rows.item(k).checkState() == Qt.CheckState.Checked for k in range(rows.count())]
    return [layer for layer, state in zip(layers, states, strict=True) if state]
