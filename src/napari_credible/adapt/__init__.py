"""Fit D to the image at hand: tune its weights on examples, on its own estimate, or on noise alone.

Modes are frozen dataclasses of numbers (:mod:`~napari_credible.adapt.modes`); each has an objective
(:mod:`~napari_credible.adapt.objectives`), and one loop serves all
(:mod:`~napari_credible.adapt.fit`).
"""
