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

SECONDS, MOST_ROUNDS = 25, 3
CPU_BAR, MEMORY_BAR = 0.1, 1.0  # times nvitop
WATCHED = Path(__file__).with_name("watched_seconds.py")
NOTHING = Path(__file__).with_name("empty_watch.py")
DOING = {"busy": 37, "memory_busy": 12, "heat": 61, "watts": 215, "limit": 450, "clock": 2520, "memory_clock": 10501}
SWAYS = 3  # so much more or less with each question, as figures of a busy card; the bar was set with steady ones


def watching(workplace: Workplace) -> Iterator[Line]:
    """Each for 25 seconds; start included. No round is left out."""
    steady, swaying = (_environment(workplace, sways) for sways in (0, SWAYS))
    measure = [sys.executable, str(WATCHED), str(SECONDS)]
    ours = [*measure, *workplace.gpuprobe("refresh", "--watch", "1")]
    commands = {
        "ours": (ours, steady),
        "nvitop": ([*measure, str(workplace.peers / "nvitop"), "--monitor", "full", "--interval", "1"], steady),
        "swaying": (ours, swaying),
        "nothing": ([*measure, sys.executable, str(NOTHING)], steady),
    }
    if workplace.beside:
        # Each build with a saved discovery of its own: one would replace that of the other, and the next round discover anew.
        its = {**steady, "PYTHONPATH": str(workplace.beside), "XDG_CACHE_HOME": str(workplace.directory / "cache-beside")}
        if workplace.here.run(workplace.gpuprobe("list"), its).code:
            raise Unmeasured(f"`list` of {workplace.beside} could not be run on the double")
        commands["before"] = (ours, its)
    number = min(workplace.runs, MOST_ROUNDS)
    rounds = [{name: workplace.here.run(*command).document for name, command in commands.items()} for _ in range(number)]
    found = {name: [each[name] for each in rounds] for name in commands}
    yield from _rows(found, workplace)


def _environment(workplace: Workplace, sways: int) -> dict[str, str]:
    """With a saved discovery of its own."""
    environment = workplace.environment(
        **nvidia(cards=8, **DOING, sways=sways),
        XDG_CACHE_HOME=str(workplace.directory / f"cache-{sways}"),
        OLLAMA_VULKAN="0",
        TERM="xterm-256color",
    )
    if workplace.here.run(workplace.gpuprobe("list"), environment).code:
        raise Unmeasured("`list` could not be run on the double")
    return environment


def _rows(found: dict[str, list[Any]], workplace: Workplace) -> Iterator[Line]:
    ours, nvitop = found["ours"], found["nvitop"]
    before = f"; {workplace.beside}: {_said(found['before'])}" if workplace.beside else ""
    remark = f"nvitop {workplace.release_of('nvitop')}, CPU of all processes in {SECONDS} s; {_said(ours)} and {_said(nvitop)}"
    yield times("--watch 1, 8 cards", _ratio(ours, nvitop, "seconds"), CPU_BAR, f"{remark}{before}")
    for name, row, of in (
        ("swaying", "... of figures that sway", "nvitop of steady ones; "),
        ("nothing", "... of a watch of nothing", "nvitop: what it takes here to wake two Pythons a second; "),
    ):
        yield Line(row, f"{_ratio(found[name], nvitop, 'seconds'):.2f} x", remark=f"{of}{_said(found[name])}")
    resident, shared = (
        " and ".join(mebibytes(_median(runs, what)) for runs in (ours, nvitop)) for what in ("resident", "proportional")
    )
    memory = f"nvitop, resident, all processes; {resident}; shared once: {shared}"
    yield times("... memory", _ratio(ours, nvitop, "resident"), MEMORY_BAR, memory)


def _ratio(runs: list[Any], others: list[Any], what: str) -> float:
    """The median of the ratios round by round: a machine that is busy for a while is busy for both."""
    return median(float(one[what] / other[what]) for one, other in zip(runs, others, strict=True))


def _median(runs: list[Any], what: str) -> float:
    return median(float(run[what]) for run in runs)


def _said(runs: list[Any]) -> str:
    return milliseconds(_median(runs, "seconds"))
