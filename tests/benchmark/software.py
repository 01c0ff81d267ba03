"""The row about frameworks that are installed: how long finding and judging them takes, beside the import of one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmark.table import Line, Unmeasured, mebibytes, milliseconds, times
from tests.benchmark.workplace import Workplace, interleaved

VARIABLE = "GPUPROBE_BENCHMARK_SOFTWARE"  # an environment of Python with torch and other frameworks in it
BAR = 0.3  # times `python -c 'import torch'`


def software(workplace: Workplace) -> Iterator[Line]:
    """What `--software DIR` adds to `list --json`, where no library is asked."""
    named = os.environ.get(VARIABLE)
    python = Path(named or "") / "bin" / "python"
    if not named or not python.exists():
        raise Unmeasured(f"`{VARIABLE}` names no environment with torch and other frameworks")
    environment = workplace.environment()
    commands = (
        workplace.gpuprobe("list", "--json"),
        workplace.gpuprobe("list", "--json", "--software", named),
        [str(python), "-c", "import torch"],
    )
    without, found, imported = interleaved(workplace.bare, [(argv, environment) for argv in commands], workplace.runs)
    runs = zip(found, without, imported, strict=True)
    figure = median((ours.seconds - plain.seconds) / other.seconds for ours, plain, other in runs)
    count = len(found[0].document.get("software", []))
    cost = f"{milliseconds(median(run.seconds for run in found))}, {mebibytes(median(run.peak for run in found))}"
    remark = f"{count} found, {cost}; import torch {milliseconds(median(run.seconds for run in imported))}"
    yield times("frameworks found and judged", figure, BAR, remark)
