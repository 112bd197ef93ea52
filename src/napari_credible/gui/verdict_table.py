"""A verdict as rich text, and as a file."""

from __future__ import annotations

import math
from html import escape

from napari_credible.believe import Check, Verdict


def table_of(verdict: Verdict) -> str:
    """Return the checks, one a row: passed or not, value, what is right."""
    rows = "".join(_row(check) for check in verdict.checks)
    titles = ("", "check", "found", "right")
    heads = "".join(f"<th align='left'>{title}&nbsp;</th>" for title in titles)
    return f"<table cellspacing='1' width='100%'><tr>{heads}</tr>{rows}</table>"


def _row(check: Check) -> str:
    """Return one check; digits end where the error begins."""
    known = 0 < check.error < math.inf
    decimals = max(-math.floor(math.log10(check.error)), 0) if known else 3
    found = f"<b>{check.value:.{decimals}f}</b>"
    error = f"&nbsp;±&nbsp;{check.error:.{decimals}f}" if known else ""
    cells = (
        "✓" if check.passed else "✗",
        escape(check.name),
        found + error,
        f"{check.expected:.{decimals}f}",
    )
    return "<tr>" + "".join(f"<td>{cell}&nbsp;</td>" for cell in cells) + "</tr>"


def verdict_csv(verdict: Verdict) -> str:
    """Return coverage by level as a table; sentence, factor and checks as comments before it."""
    comments = [verdict.sentence, f"factor: {verdict.factor:.9g}"]
    comments += [
        f"{'passed' if c.passed else 'failed'}: {c.name}: {c.value:.9g} ± {c.error:.3g}, "
        f"right is {c.expected:.9g}. {c.words}"
        for c in verdict.checks
    ]
    rows = ["stated,measured,standard error,looked at"]
    r = verdict.reliability
    rows += [
        f"{level:.9g},{coverage:.9g},{error:.9g},{int(n)}"
        for level, coverage, error, n in zip(r.levels, r.coverage, r.errors, r.n, strict=True)
    ]
    return "\n".join([*(f"# {line}" for text in comments for line in text.splitlines()), *rows, ""])
