"""Rows as comma-separated values (RFC 4180), which a spreadsheet opens without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuprobe.strings import printable

_FORMULAS = ("=", "+", "-", "@")

Cell = str | int | float | bool | None


def written(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    return "".join(",".join(map(_cell, row)) + "\n" for row in (heading, *rows))


def _cell(value: Cell) -> str:
    """Unknown is empty. A text that a spreadsheet would take for a formula begins with a quote."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    text = printable(value)
    text = f"'{text}" if text.startswith(_FORMULAS) else text
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text
