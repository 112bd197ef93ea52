"""The noise panel in a real viewer: every source, every channel, every theme."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.compat import isalive
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QComboBox, QPushButton, QWidget

import napari_credible as nc
from napari_credible.gui.chart import Colours
from napari_credible.gui.noise_panel import NoisePanel, NoiseQuestion
from napari_credible.gui.noise_plot import Curve
from napari_credible.gui.noise_question import (
    DARK,
    GAUSSIAN,
    HEADER,
    MEASURE,
    POISSON,
    REPEATS,
    SOURCES,
)
from napari_credible.io.image import Image

CAMERA = nc.PoissonGaussian(gain=2.0, offset=100.0, read_noise=6.0)
HEADER_OF_A_CAMERA = {"GAIN": 0.5, "RDNOISE": 3.0, "PEDESTAL": 100.0}


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True, strict_qt="raise")


@pytest.fixture
def panel(viewer):
    """A panel docked as its owner docks it."""
    panel = NoisePanel(viewer)
    viewer.window.add_dock_widget(panel, name="Noise")
    return panel


@pytest.fixture(scope="module")
def light(scene):
    return 100 + 300 * scene[:256, :256]


@pytest.fixture(scope="module")
def image(light):
    return Image(CAMERA.draw(light, 0))


@pytest.fixture(scope="module")
def channels(light):
    return Image(np.stack([CAMERA.draw(light, 1), nc.Gaussian(9.0).draw(light, 2)]), "CYX")


def choose(panel, source):
    panel._source.setCurrentText(source)


def measure(panel, image):
    question = panel.question()
    models = question.answer(image)
    panel.show_measured(models, question)
    while panel._plot.isVisible() and not panel._plot._layout.count():
        QApplication.processEvents()
    return models


def box(panel, source, name):
    return panel._fields.boxes[source][name]


def shown(panel):
    """Return the words that can be read in the panel."""
    labels = [panel._words, panel._doubts, *(row[2] for row in panel._fields._rows.values())]
    return "\n".join(label.text() for label in labels if label.isVisible())


def plotted(panel):
    """Return the kinds of items in the plot."""
    return [type(item).__name__ for item in panel._plot._chart.box.addedItems]


# ── sources ──


def test_before_measuring_a_recipe_gets_nothing(panel):
    assert panel.noise() is None
    assert "Not measured yet" in shown(panel)
    assert not panel._fields.isVisible()
    assert not panel._plot.isVisible()
    assert not panel._adopt.isEnabled()


def test_the_button_asks_the_owner(panel, qtbot):
    with qtbot.waitSignal(panel.measure_requested, timeout=1000):
        panel._measure.click()


def test_measuring_shows_numbers_with_errors_doubts_and_plot(panel, image, qtbot):
    with qtbot.waitSignal(panel.changed, timeout=1000):
        (model,) = measure(panel, image)
    assert panel.noise() is model
    assert model == nc.estimate_noise(image)
    gain = box(panel, POISSON, "gain").native
    assert gain.isVisible()
    assert gain.isReadOnly()
    assert gain.value() == pytest.approx(model.gain, rel=1e-3)
    assert f"± {model.evidence.errors['gain']:.2g} ADU per photoelectron" in shown(panel)
    assert "hardly told apart" in panel._doubts.text()
    assert panel._doubts.text().startswith("⚠")
    assert panel._plot.isVisible()
    assert plotted(panel) == [
        "FillBetweenItem", "ErrorBarItem", "ScatterPlotItem", "PlotCurveItem"
    ]  # fmt: skip


def test_a_gaussian_image_shows_sigma_and_a_level_line(panel, light):
    (model,) = measure(panel, Image(nc.Gaussian(9.0).draw(light, 0)))
    assert box(panel, GAUSSIAN, "sigma").native.isVisible()
    assert not box(panel, POISSON, "gain").native.isVisible()
    line = panel._plot._chart.box.addedItems[-1].getData()[1]
    np.testing.assert_allclose(line, model.sigma**2)


def test_typed_numbers_are_used(panel, qtbot):
    choose(panel, GAUSSIAN)
    with qtbot.waitSignal(panel.changed, timeout=1000):
        box(panel, GAUSSIAN, "sigma").value = 5.0
    assert panel.noise() == nc.Gaussian(5.0)
    choose(panel, POISSON)
    for name, value in {"gain": 2.5, "offset": -3.0, "read_noise": 0.25}.items():
        box(panel, POISSON, name).value = value
    assert panel.noise() == nc.PoissonGaussian(2.5, -3.0, 0.25)
    assert panel.question().answer(Image(np.zeros((64, 64)))) == (panel.noise(),)
    assert not panel._measure.isEnabled()


def test_typing_keeps_the_cursor_where_it_is(panel, qtbot):
    choose(panel, POISSON)
    native = box(panel, POISSON, "gain").native
    native.setFocus()
    native.selectAll()
    qtbot.keyClicks(native, "0.00125")
    assert native.text() == "0.00125"
    assert panel.noise().gain == 0.00125


def test_a_typed_number_out_of_range_is_a_sentence(panel):
    choose(panel, GAUSSIAN)
    box(panel, GAUSSIAN, "sigma").value = 0.0
    assert "Sigma is 0" in panel._doubts.text()
    for ask in (panel.noise, panel.question):
        with pytest.raises(ValueError, match="sigma is 0"):
            ask()


def test_the_header_is_offered_only_where_it_states_noise(panel):
    item = panel._source.model().item(list(SOURCES).index(HEADER))
    assert not item.isEnabled()
    for header in ({}, {"Detector Gain": 700, "Offset": 3}, {"GAIN": 1e-40}):
        panel.set_header(header)
        assert not item.isEnabled()
    panel.set_header(HEADER_OF_A_CAMERA)
    assert item.isEnabled()


def test_a_complete_header_is_used_as_it_stands(panel, image):
    panel.set_header(HEADER_OF_A_CAMERA)
    choose(panel, HEADER)
    assert panel.noise() == nc.PoissonGaussian(2.0, 100.0, 6.0)
    assert "as stated" in shown(panel)
    measure(panel, Image(image.array, header=HEADER_OF_A_CAMERA))
    assert panel.noise() == nc.PoissonGaussian(2.0, 100.0, 6.0)
    assert panel._plot.isVisible()
    panel.set_header({})
    assert panel._source.currentText() == MEASURE


def test_a_header_without_offset_leaves_that_to_the_image(panel, image):
    header = {"GAIN": 0.5, "RDNOISE": 3.0}
    panel.set_header(header)
    choose(panel, HEADER)
    assert panel.noise() is None
    assert "no offset" in shown(panel)
    measure(panel, Image(image.array, header=header))
    assert (panel.noise().gain, panel.noise().read_noise) == (2.0, 6.0)
    assert panel.noise().offset == pytest.approx(100, abs=10)


def test_a_header_that_the_image_contradicts_is_doubted(panel, image):
    header = {**HEADER_OF_A_CAMERA, "GAIN": 5.0}
    panel.set_header(header)
    choose(panel, HEADER)
    measure(panel, Image(image.array, header=header))
    assert panel.noise().gain == 0.2
    assert "but the image shows" in panel._doubts.text()


def test_a_dark_frame_is_a_layer(viewer, panel, image):
    viewer.add_image(image.array, name="cells")
    viewer.add_image(CAMERA.draw(np.full((3, 256, 256), 100.0), 7), name="dark")
    choose(panel, DARK)
    with pytest.raises(ValueError, match="no dark frame is chosen"):
        panel.question()
    assert panel._dark.isVisible()
    panel._dark.setCurrentText("dark")
    (model,) = measure(panel, image)
    assert model.evidence.source == "dark frame"
    assert abs(model.read_noise - 6) < 4 * model.evidence.errors["read_noise"]
    assert panel.noise() is model


def test_the_dark_layers_follow_the_viewer(viewer, panel, image):
    names = lambda: [panel._dark.itemText(k) for k in range(panel._dark.count())]  # noqa: E731
    viewer.add_labels(np.zeros((16, 16), int), name="labels")
    first = viewer.add_image(np.zeros((256, 256)), name="first")
    dark = viewer.add_image(CAMERA.draw(np.full((2, 256, 256), 100.0), 7), name="dark")
    assert names() == ["first", "dark"]
    choose(panel, DARK)
    panel._dark.setCurrentText("dark")
    viewer.layers.remove(first)
    dark.name = "no light"
    assert names() == ["no light"]
    assert panel._dark.currentText() == "no light"
    measure(panel, image)
    assert panel.noise() is not None
    viewer.layers.remove(dark)
    assert panel._dark.layer() is None
    assert panel.noise() is None


def test_another_dark_frame_is_another_measurement(viewer, panel, image):
    for name in ("one", "two"):
        viewer.add_image(CAMERA.draw(np.full((2, 256, 256), 100.0), 7), name=name)
    choose(panel, DARK)
    panel._dark.setCurrentText("one")
    measure(panel, image)
    panel._dark.setCurrentText("two")
    assert panel.noise() is None


def test_a_dark_frame_with_channels_serves_each_its_own(channels):
    frames = CAMERA.draw(np.full((2, 4, 256, 256), 100.0), 7)
    frames[1] += 50
    question = NoiseQuestion(DARK, dark=Image(frames, "CTYX"))
    bright = Image(np.stack([channels.array[0], channels.array[0] + 50]), "CYX")
    first, second = question.answer(bright)
    assert second.offset - first.offset == pytest.approx(50, abs=0.1)
    with pytest.raises(ValueError, match="2 channels and the image 1"):
        question.answer(Image(channels.array[0]))


def test_repeats_are_told_apart_from_texture(panel):
    texture = 100 + 300 * np.random.default_rng(0).random((128, 128))
    frames = np.stack([CAMERA.draw(texture, k) for k in range(5)])
    choose(panel, REPEATS)
    assert panel.question().repeats
    (model,) = measure(panel, Image(frames))
    assert model.evidence.source == "repeats"
    assert model.gain == pytest.approx(2.0, rel=0.05)
    with pytest.raises(ValueError, match="at least two exposures"):
        panel.question().answer(Image(frames[0]))


# ── typed and measured ──


def test_typed_numbers_survive_a_measurement(panel, image):
    choose(panel, POISSON)
    box(panel, POISSON, "gain").value = 7.0
    panel.show_measured(NoiseQuestion(MEASURE).answer(image), NoiseQuestion(MEASURE))
    assert panel.noise() == nc.PoissonGaussian(7.0)
    choose(panel, MEASURE)
    assert panel.noise().gain == pytest.approx(2.0, rel=0.1)
    choose(panel, POISSON)
    assert box(panel, POISSON, "gain").value == 7.0
    assert not box(panel, POISSON, "gain").native.isReadOnly()


def test_measured_numbers_become_typed_ones_on_request(panel, image):
    (model,) = measure(panel, image)
    panel._adopt.click()
    assert panel._source.currentText() == POISSON
    assert panel.noise() == model
    assert panel.noise().evidence is None
    assert plotted(panel) == ["ErrorBarItem", "ScatterPlotItem", "PlotCurveItem"]


def test_another_layer_forgets_what_was_measured(panel, image, qtbot):
    question = panel.question()
    models = question.answer(image)
    panel.show_measured(models, question)
    with qtbot.waitSignal(panel.changed, timeout=1000):
        panel.forget()
    assert panel.noise() is None
    assert not panel._plot.isVisible()
    panel.show_measured(models, question)
    assert panel.noise() is None, "an answer about the layer before is no news"


def test_what_was_given_is_not_shown_as_measured(panel):
    panel.show_measured((nc.Gaussian(3.0),))
    assert panel.noise() is None


# ── channels ──


def test_each_channel_has_its_own_noise(panel, channels):
    panel.set_channels(["DAPI", "GFP"])
    assert panel._channel.isVisible()
    first, second = measure(panel, channels)
    assert panel.noise() == (first, second)
    assert isinstance(first, nc.PoissonGaussian)
    assert isinstance(second, nc.Gaussian)
    assert box(panel, POISSON, "gain").native.isVisible()
    panel._channel.setCurrentIndex(1)
    assert box(panel, GAUSSIAN, "sigma").value == pytest.approx(second.sigma, rel=1e-3)
    assert [label.text for _, label in panel._plot._chart.legend.items] == ["DAPI", "GFP"]


def test_channels_of_different_kinds_become_typed_as_they_are(panel, channels):
    panel.set_channels(["", ""])
    models = measure(panel, channels)
    panel._adopt.click()
    assert panel.noise() == models
    panel._channel.setCurrentIndex(1)
    assert panel._source.currentText() == GAUSSIAN
    box(panel, GAUSSIAN, "sigma").value = 4.0
    assert panel.noise() == (models[0], nc.Gaussian(4.0))


def test_fewer_channels_are_one_again(panel, channels, image, qtbot):
    panel.set_channels(["a", "b"])
    measure(panel, channels)
    panel._channel.setCurrentIndex(1)
    panel.set_channels([""])
    assert not panel._channel.isVisible()
    assert panel.noise() is None
    (model,) = measure(panel, image)
    assert panel.noise() is model
    with qtbot.assertNotEmitted(panel.changed):
        panel.set_channels([""])


# ── looks ──


def background(panel):
    return panel._plot._chart.view.backgroundBrush().color().name()


def test_the_plot_follows_the_theme(viewer, panel, image):
    viewer.theme = "dark"
    measure(panel, image)
    for theme in ("light", "dark"):
        viewer.theme = theme
        colours = get_theme(theme)
        chart = panel._plot._chart
        assert background(panel) == QColor(colours.background.as_hex()).name()
        assert chart.axes[0].textPen().color().name() == QColor(colours.text.as_hex()).name()
        assert chart.box.addedItems[-1].opts["pen"].color() == Colours.of(viewer).curve(0)


def luminance(colour):
    parts = np.array(QColor(colour).getRgbF()[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_curves_stand_out_from_the_background(viewer, theme):
    viewer.theme = theme
    colours = Colours.of(viewer)
    for number in range(4):
        pair = sorted([luminance(colours.background), luminance(colours.curve(number))])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) > 2.5


def test_points_lifted_by_texture_do_not_flatten_the_line(image):
    (model,) = NoiseQuestion(MEASURE).answer(image)
    means, variances = np.array([100.0, 200.0, 300.0]), np.array([40.0, 90000.0, 400.0])
    lifted = nc.noise.Evidence("image", {}, (), means, variances, variances / 10)
    assert Curve("", model, lifted).highest() < 2.1 * model.variance(300.0)


def test_nothing_is_cut_in_a_narrow_dock(panel, image):
    panel.setFixedWidth(300)
    measure(panel, image)
    QApplication.processEvents()
    for label in (panel._words, panel._doubts):
        assert label.height() >= label.heightForWidth(label.width())
    assert panel._plot.height() == 180
    assert panel._plot.geometry().bottom() < panel._measure.geometry().top()
    assert panel.sizeHint().height() < 480


def test_every_control_says_what_it_is_and_takes_the_keyboard(panel):
    controls = [panel._source, panel._dark, panel._channel, panel._measure, panel._adopt]
    controls += [b.native for boxes in panel._fields.boxes.values() for b in boxes.values()]
    for control in controls:
        assert control.toolTip()
        assert control.focusPolicy() & control.focusPolicy().TabFocus
    assert {*panel.findChildren(QComboBox), *panel.findChildren(QPushButton)} <= set(controls)


# ── life ──


def test_a_closed_panel_lets_go_of_the_viewer(viewer, qtbot):
    panel = NoisePanel(viewer)
    qtbot.addWidget(panel)
    panel.close()
    layer = viewer.add_image(np.zeros((16, 16)))
    layers = viewer.layers.events
    own = [panel, *panel.findChildren(QWidget)]
    for emitter in (viewer.events.theme, layers.inserted, layers.removed, layer.events.name):
        heard = [callback[0]() for callback in emitter.callbacks if isinstance(callback, tuple)]
        assert not [one for one in heard if any(one is mine for mine in own)]


def test_a_destroyed_panel_is_not_called(viewer, qtbot):
    panel = NoisePanel(viewer)
    layer = viewer.add_image(np.zeros((16, 16)))
    panel.deleteLater()
    qtbot.waitUntil(lambda: not isalive(panel), timeout=1000)
    viewer.theme = "light"
    layer.name = "other"
    viewer.add_image(np.zeros((16, 16)))
    viewer.layers.clear()


def test_a_panel_never_docked_is_collected(viewer):
    reference = weakref.ref(NoisePanel(viewer))
    gc.collect()
    assert reference() is None
    viewer.theme = "light"
    viewer.add_image(np.zeros((16, 16)))


def test_importing_the_panel_is_light():
    code = (
        "import sys, napari_credible.gui.noise_panel;"
        "assert not {'torch', 'pyqtgraph'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


_SPY = """
import sys, threading
import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
import napari_credible as nc
from napari_credible.gui.noise_panel import NoisePanel

class Spy:
    threads = []
    def find_spec(self, name, path=None, target=None):
        if name == "pyqtgraph":
            self.threads.append(threading.current_thread())

sys.meta_path.insert(0, Spy())
app = QApplication([])
panel = NoisePanel(ViewerModel())
panel.show()
image = nc.PoissonGaussian(2.0).draw(np.linspace(0, 99, 4096).reshape(64, 64), 0)
panel.show_measured((nc.estimate_noise(image),))
while not panel._plot._layout.count():
    app.processEvents()
assert len(Spy.threads) == 1 and Spy.threads[0] is not threading.main_thread()
assert panel._plot._chart is not None
"""


def test_the_plotting_library_is_imported_aside():
    """On the main thread it would stop the window for longer than 0.1 s."""
    subprocess.run([sys.executable, "-c", _SPY], check=True)


def test_pyqtgraph_has_the_qt_of_napari(panel, image):
    import qtpy

    measure(panel, image)
    assert sys.modules["pyqtgraph"].Qt.QT_LIB == qtpy.API_NAME


def test_without_pyqtgraph_a_sentence_takes_the_plots_place(panel, image, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyqtgraph", None)
    measure(panel, image)
    assert "No plot" in panel._plot._layout.itemAt(0).widget().text()
    assert panel.noise() is not None
