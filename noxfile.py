"""The window's tests with the oldest and the newest napari: ``nox``, needing a display or xvfb."""

import nox

NAPARI = ["==0.6.1", ">=0.9"]


@nox.session
@nox.parametrize("napari", NAPARI)
def gui(session: nox.Session, napari: str) -> None:
    """Run the tests that open a napari window."""
    session.install(
        "-c", "constraints.txt", f"napari{napari}", "-e", ".[gui]", "PySide6-Essentials"
    )
    session.install("-c", "constraints.txt", *nox.project.dependency_groups(
        nox.project.load_toml("pyproject.toml"), "test"
    ))  # fmt: skip
    session.run(
        "sh", "scripts/with-display.sh", "python", "-m", "pytest", "tests/gui", external=True
    )
