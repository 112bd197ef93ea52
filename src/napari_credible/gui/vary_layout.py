"""The controls of the tab Vary."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from napari_credible.posterior import Components

COMPONENTS = 5
# The slider counts whole numbers: twenty a standard deviation.
_PER_STD, _FARTHEST = 20, 3
_SPEED = (0.5, 20.0, 3.0)


class VaryControls:
    """Everything that can be set or read in the tab."""

    def __init__(self, widget: QWidget) -> None:
        self.components = QCheckBox("Move along a component")
        self.components.setToolTip(
            "Show the mean, changed the way in which the draws differ most, in a temporary layer"
        )
        self.component = QComboBox()
        self.component.setToolTip("Which component; the first carries most of the variance")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(-_FARTHEST * _PER_STD, _FARTHEST * _PER_STD)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(_PER_STD)
        self.slider.setToolTip("How far, in standard deviations: from -3 to 3")
        self.far = QLabel("0.0")
        self.blink = QCheckBox("Blink between draws")
        self.blink.setToolTip("Show one draw after another: what stays still can be trusted")
        low, high, usual = _SPEED
        self.speed = QDoubleSpinBox(minimum=low, maximum=high, value=usual, singleStep=0.5)
        self.speed.setSuffix(" per second")
        self.notes = QLabel()
        self.notes.setWordWrap(True)
        self.notes.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.slider.valueChanged.connect(self._say_far)
        self._lay_out(widget)

    def _lay_out(self, widget: QWidget) -> None:
        moving = QHBoxLayout()
        moving.addWidget(self.slider)
        moving.addWidget(self.far)
        self.far.setMinimumWidth(36)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("component", self.component)
        form.addRow("by", moving)
        speed = QFormLayout()
        speed.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        speed.addRow("draws", self.speed)
        stack = QVBoxLayout(widget)
        stack.setContentsMargins(4, 8, 4, 4)
        stack.addWidget(self.components)
        stack.addLayout(form)
        stack.addSpacing(12)
        stack.addWidget(self.blink)
        stack.addLayout(speed)
        stack.addSpacing(12)
        stack.addWidget(self.notes)
        stack.addStretch()

    def steps(self) -> float:
        """Return how far the mean is moved, in standard deviations."""
        return float(self.slider.value()) / _PER_STD

    def _say_far(self, _: int) -> None:
        self.far.setText(f"{self.steps():+.1f}" if self.steps() else "0.0")

    def offer(self, components: Components) -> None:
        """Offer components by the share of their variance."""
        total = float(components.variances.sum()) / max(components.share, 1e-30)
        names = [
            f"{k + 1}: {100 * float(variance) / max(total, 1e-300):.0f} % of the variance"
            for k, variance in enumerate(components.variances)
        ]
        before = max(self.component.currentIndex(), 0)
        with QSignalBlocker(self.component):
            self.component.clear()
            self.component.addItems(names)
            self.component.setCurrentIndex(min(before, len(names) - 1))

    def allow_draws(self, draws: bool, components: bool) -> None:
        """Offer what the posterior can show."""
        self.blink.setEnabled(draws)
        self.speed.setEnabled(draws)
        for control in (self.components, self.component, self.slider):
            control.setEnabled(components)
