"""Listening to the mouse without holding who listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from qtpy.compat import isalive


def follow(callbacks: list[Any], method: Any) -> Callable[[], None]:
    """Let a widget's method hear what a viewer's list of callbacks is told.

    napari holds its mouse callbacks, other than those of its events: a widget would live, and be
    called, after its dock is closed.

    Returns
    -------
    callable
        Ends it.
    """
    weak = WeakMethod(method)

    def leave() -> None:
        if called in callbacks:
            callbacks.remove(called)

    def called(viewer: Any, event: Any) -> None:
        bound = weak()
        if bound is None or not isalive(bound.__self__):
            leave()
        else:
            bound(viewer, event)

    callbacks.append(called)
    return leave
