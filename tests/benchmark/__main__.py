"""`python -m tests.benchmark`: one table, a row per figure, each beside its bar."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from tests.benchmark import (
    captures,
    growth,
    limits,
    many_machines,
    process_rows,
    saved,
    software,
    startup,
    watching,
)
from tests.benchmark.table import Line, Unmeasured, drawn, mebibytes
from tests.benchmark.workplace import PEERS, Workplace

RUNS, QUICK_RUNS = 15, 3

TOGETHER = (*startup.COMMANDS, *PEERS)  # these take turns in one run
ALONE: dict[str, Callable[[Workplace], Iterator[Line]]] = {
    "every-loader": startup.every_loader,
    "eight-cards-builds": startup.eight_cards_in_builds,
    "memory": startup.memory,
    "env, saved": saved.env,
    "one --watch reading": saved.reading,
    "child": limits.child,
    "eight-cards": limits.eight_cards,
    "eight-cards-proved": limits.eight_cards_proved,
    "hang": limits.hang,
    "noise": limits.noise,
    "orphan": limits.orphan,
    "killed": limits.killed,
    "software": software.software,
    "many cards": growth.growth,
    "capture noise": captures.noise,
    "watch": watching.watching,
    "processes": process_rows.processes,
    "fleet": many_machines.fleet,
}
NAMES = {name.replace("--", "").replace(",", "").replace(" ", "-"): name for name in (*TOGETHER, *ALONE)}


def main() -> None:
    asked = arguments()
    if sys.platform != "linux":
        sys.exit("the benchmark reads Linux's process accounting; it runs on Linux only")
    with Workplace(asked.runs, asked.beside) as workplace:
        table = drawn(measured(workplace, [NAMES[name] for name in asked.rows]))
        sys.stdout.write(heading(workplace) + "\n\n" + table + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"counted runs of each command ({RUNS})")
    parser.add_argument("--quick", dest="runs", action="store_const", const=QUICK_RUNS, help=f"{QUICK_RUNS} runs of each")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout's commands take turns with ours")
    parser.add_argument("--rows", nargs="+", choices=list(NAMES), default=list(NAMES), metavar="NAME", help=", ".join(NAMES))
    return parser.parse_args()


def heading(workplace: Workplace) -> str:
    """What the figures depend on, and what a process weighs that does nothing at all."""
    floor = mebibytes(workplace.here.run(["/bin/true"], {}).peak)
    machine = f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    return (
        f"Python {platform.python_version()}, Typer {version('typer')}; {machine}; {workplace.runs} interleaved runs:\n"
        "medians, and medians of the ratios pair by pair. Peak memory is that of the largest process, "
        f"and no less than {floor}."
    )


def measured(workplace: Workplace, rows: Iterable[str]) -> Iterator[Line]:
    wanted = list(rows)
    together = [row for row in TOGETHER if row in wanted]
    if together:
        yield from or_why_not(", ".join(together), lambda: startup.nothing_installed(workplace, together))
    for row, measure in ALONE.items():
        if row in wanted:
            yield from or_why_not(row, lambda measure=measure: measure(workplace))  # type: ignore[misc]


def or_why_not(row: str, measure: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    try:
        yield from measure()
    except Unmeasured as reason:
        yield Line(row, "not measured", remark=str(reason))


if __name__ == "__main__":
    main()
