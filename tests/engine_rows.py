"""What the real engine said of every made-up model, recorded: `tests/engine_rows.tsv`, one line per model and case.

A line has the model, the case out of `tests.plan_truth`, and for each device and the host its weights, cache and compute
buffer in MiB, rounded down. `python -m tests.plan_truth --record DIRECTORY` writes it, and `tests/test_plan_truth.py` holds
it to the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.engine_truth import Taken

FILE = Path(__file__).with_name("engine_rows.tsv")

Rows = Mapping[str, Taken]  # by device


def write(version: str, said: Mapping[str, Mapping[str, Rows]]) -> None:
    lines = [f"# llama-server {version}: weights, cache, compute in MiB"]
    for model, cases in said.items():
        for case, rows in cases.items():
            devices = [f"{device} {taken.model} {taken.context} {taken.compute}" for device, taken in rows.items()]
            lines.append("\t".join((model, case, *devices)))
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read() -> dict[str, dict[str, Rows]]:
    """By model and case."""
    found: dict[str, dict[str, Rows]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            model, case, *devices = line.split("\t")
            found.setdefault(model, {})[case] = dict(map(_row, devices))
    return found


def _row(text: str) -> tuple[str, Taken]:
    device, *sizes = text.split()
    model, context, compute = map(int, sizes)
    return device, Taken(model, context, compute)
