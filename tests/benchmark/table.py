"""What one run cost, and the table of figures beside their bars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

MiB = 1024 * 1024


class Line(NamedTuple):
    """One row: what was measured, the bar it is held against, and whether it is met (None: there is no bar)."""

    row: str
    figure: str
    bar: str = "-"
    met: bool | None = None
    remark: str = ""


class Ran(NamedTuple):
    """What one finished command cost; `out` is what it wrote."""

    seconds: float
    peak: int  # bytes; of the largest process among it and the children it waited for
    own_peak: int | None  # bytes; None: not asked for
    code: int
    out: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Unmeasured(Exception):
    """Why a row cannot be measured on this machine."""


_VERDICTS = {True: "met", False: "NOT MET", None: "-"}
_HEADINGS = ("row", "figure", "bar", "", "")


def drawn(lines: Iterable[Line]) -> str:
    rows = [_HEADINGS, *((line.row, line.figure, line.bar, _VERDICTS[line.met], line.remark) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def times(row: str, figure: float, bar: float, remark: str) -> Line:
    return Line(row, f"{figure:.2f} x", f"{bar:g} x", figure <= bar, remark)


def ratio(ours: Sequence[Ran], others: Sequence[Ran]) -> float:
    """The median of the ratios pair by pair: a machine that is busy for a moment is busy for both."""
    return median(one.seconds / other.seconds for one, other in zip(ours, others, strict=True))


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def mebibytes(size: float) -> str:
    return f"{size / MiB:.1f} MiB"
