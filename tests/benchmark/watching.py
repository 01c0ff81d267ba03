"""The rows about `refresh --watch` at one reading a second over eight busy cards, beside nvitop under the same double."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmark.nvidia_doubles import nvidia
from tests.benchmark.table import Line, Unmeasured, mebibytes, milliseconds, times
from tests.benchmark.workplace import Workplace

SECONDS, ROUNDS = 25, 1
CPU_BAR, MEMORY_BAR = 0.1, 1.0  # times nvitop
WATCHED = Path(__file__).with_name("watched_seconds.py")
DOING = {"busy": 37, "memory_busy": 12, "heat": 61, "watts": 215, "limit": 450, "clock": 2520, "memory_clock": 10501}


def watching(workplace: Workplace) -> Iterator[Line]:
    """Each for 25 seconds; start included."""
    cache = workplace.directory / "cache"
    environment = workplace.environment(
        **nvidia(cards=8, **DOING), XDG_CACHE_HOME=str(cache), OLLAMA_VULKAN="0", TERM="xterm-256color"
    )
    if workplace.here.run(workplace.gpuprobe("list"), environment).code:
        raise Unmeasured("`list` could not be run on the double")
    measure = [sys.executable, str(WATCHED), str(SECONDS)]
    commands = {
        "gpuprobe": ([*measure, *workplace.gpuprobe("refresh", "--watch", "1")], environment),
        "nvitop": ([*measure, str(workplace.peers / "nvitop"), "--monitor", "full", "--interval", "1"], environment),
    }
    if workplace.beside:
        commands["before"] = (commands["gpuprobe"][0], {**environment, "PYTHONPATH": str(workplace.beside)})
    # No round is left out: each lasts as long as all other rows together, and its start is a part of it.
    rounds = [{name: workplace.here.run(*command).document for name, command in commands.items()} for _ in range(ROUNDS)]
    found = {name: [each[name] for each in rounds] for name in commands}
    ours, nvitop = cost(found["gpuprobe"]), cost(found["nvitop"])
    before = f"; {workplace.beside}: {said(cost(found['before']))}" if workplace.beside else ""
    figures = f"{said(ours)} and {said(nvitop)}{before}"
    remark = f"nvitop {workplace.release_of('nvitop')}, CPU of all processes in {SECONDS} s; {figures}"
    yield times("--watch 1, 8 cards", ours["seconds"] / nvitop["seconds"], CPU_BAR, remark)
    shared = f"shared once: {mebibytes(ours['proportional'])} and {mebibytes(nvitop['proportional'])}"
    memory = f"nvitop, resident, all processes; {mebibytes(ours['resident'])} and {mebibytes(nvitop['resident'])}; {shared}"
    yield times("... memory", ours["resident"] / nvitop["resident"], MEMORY_BAR, memory)


def cost(runs: list[Any]) -> dict[str, float]:
    return {name: median(run[name] for run in runs) for name in ("seconds", "resident", "proportional")}


def said(costs: dict[str, float]) -> str:
    return milliseconds(costs["seconds"])
