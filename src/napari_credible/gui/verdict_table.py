"""A verdict as rich text, and as a file."""

from __future__ import annotations

from html import escape

from napari_credible.believe import Check, Verdict


def table_of(verdict: Verdict) -> str:
    """Return the checks, one a row: passed or not, value, what is right; then what failed."""
    rows = "".join(_row(check) for check in verdict.checks)
    heads = "".join(
        f"<th align='left'>{h}&nbsp;&nbsp;</th>" for h in ("", "check", "found", "right")
    )
    failed = "".join(f"<p>✗ {escape(c.words)}</p>" for c in verdict.checks if not c.passed)
    return f"<table cellspacing='2' width='100%'><tr>{heads}</tr>{rows}</table>{failed}"


def _row(check: Check) -> str:
    cells = (
        "✓" if check.passed else "✗",
        escape(check.name),
        f"<b>{check.value:.3g}</b> ± {check.error:.1g}",
        f"{check.expected:.3g}",
    )
    return "<tr>" + "".join(f"<td>{cell}&nbsp;&nbsp;</td>" for cell in cells) + "</tr>"


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
