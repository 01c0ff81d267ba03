"""Every fault of a library in each of its stages: `python -m tests.fault_matrix` runs all and prints the table with counts.

`--pairwise` runs the part that CI has, `--sample N` N cases of all by chance (`--seed`), `--only TEXT` those whose name has it.
`--record FILE` keeps what became of each case, so that a run that was stopped goes on with what is left.
A case is one run of the installed command over the faulty double and one healthy library of another vendor. What must hold:

- it ends with an answer, and never by itself with a traceback or with what it calls a bug;
- the answer of the other library is as without the fault, and so is the faulty one's where the fault changes nothing;
- the faulty question has one of the endings that its fault allows;
- no process and no file is left.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests import temporary
from tests.chaos_faults import FAULTS, HARMLESS, Fault
from tests.chaos_worlds import FAULTY, NEIGHBOURS, Faulty, Stage, command, throws
from tests.cli.terminal import environment

PATIENCE = 120.0  # seconds; a case that takes longer has no bound
# Seconds of one question: where the fault is to reach its end, and where it is not. A validation computes for a second, and so
# does the healthy one beside it; with three cases a processor, or on a busy machine, that was more than 3 s now and then.
LIMIT, PROOF_LIMIT, LONG_LIMIT = 3.0, 12.0, 30.0
GONE = 3.0  # seconds within which what was killed is no more
AT_ONCE = 3 * (os.cpu_count() or 1)  # most of them only wait


class Case(NamedTuple):
    faulty: Faulty
    stage: Stage
    fault: Fault

    @property
    def name(self) -> str:
        return f"{self.faulty.name}, {self.stage.name} (`{self.stage.function}`), {self.fault.word}"

    @property
    def neighbour(self) -> str | None:
        """By the case, so that each library meets each fault of another."""
        return self.faulty.neighbours[len(self.name) % len(self.faulty.neighbours)] if self.faulty.neighbours else None


class Judged(NamedTuple):
    """`wrong`: what did not hold; `ending`: what became of the faulty question."""

    case: Case
    wrong: tuple[str, ...]
    ending: str
    seconds: float


def every_case() -> list[Case]:
    return [Case(faulty, stage, fault) for faulty in FAULTY for stage in faulty.stages for fault in FAULTS]


def pairwise() -> list[Case]:
    """Each fault in each library, each group of faults in each stage, one that never returns in each library's each stage."""
    cases = [case for case in every_case() if not case.fault.by_hand]
    random.Random(17).shuffle(cases)
    left = {pair for case in cases for pair in _pairs(case)}
    chosen = []
    for gain in (3, 2, 1):
        for case in cases:
            if len(left.intersection(_pairs(case))) >= gain:
                left.difference_update(_pairs(case))
                chosen.append(case)
    return chosen


def _pairs(case: Case) -> tuple[tuple[str, ...], ...]:
    faulty, stage, fault = case
    return (
        ("library", faulty.name, fault.word),
        ("stage", stage.name, fault.group),
        ("place", faulty.name, stage.name, "waits" if fault.waits else "ends"),
    )


def run(case: Case) -> Judged:
    place = temporary.folder("fault")
    began = time.monotonic()
    try:
        wrong, ending = _judge(case, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Judged(case, tuple(wrong), ending, time.monotonic() - began)


def _judge(case: Case, place: Path) -> tuple[list[str], str]:
    line = f"chaos {case.stage.function} {case.fault.word}"
    code, out, err, log = _ran(case.faulty, case.stage, case.neighbour, place, line, _limit(case))
    wrong = list(_left(place))
    if "chaos" not in log:
        return [*wrong, "the fault was never reached"], "not reached"
    if "Traceback" in err or "bug in gpuprobe" in err:
        wrong.append(f"stderr: {err[-300:]}")
    if case.fault.parent is not None and code == case.fault.parent:
        return wrong, f"exit {code}"
    try:
        document = json.loads(out)
    except ValueError:
        return [*wrong, f"no answer, exit {code}: {err[-300:]}"], f"exit {code}"
    if code not in (0, 3, 4, 5, 6):
        wrong.append(f"exit {code}")
    ending = _ending(case, document)
    wrong += _compared(case, document, ending)
    return wrong, ending


def _limit(case: Case) -> float:
    if not case.fault.waits:
        return LONG_LIMIT
    return PROOF_LIMIT if case.stage.proves else LIMIT


def _compared(case: Case, document: Any, ending: str) -> Iterator[str]:
    healthy = _reference(case.faulty, case.stage.proves, case.neighbour)
    own = set() if ending in HARMLESS and case.fault.endings == HARMLESS else set(case.faulty.own)
    for view in sorted(_views(healthy) - _views(document)):
        if view[0] not in own:
            yield f"{view} is missing"
    if not case.fault.is_lie:
        yield from (
            f"{view} is too much" for view in sorted(_views(document) - _views(healthy)) if view[0] not in case.faulty.own
        )
    if case.fault.endings and not set(ending.split("+")) & case.fault.endings:
        yield f"it ended {ending}"


def _views(document: Any) -> set[tuple[str, str, str]]:
    """What was answered for each device: of `validate` with its verdict."""
    views: set[tuple[str, str, str]] = {
        (view["library"], str(view["id"]), view["verdict"]) for view in document.get("views", ())
    }
    return views or {(device["library"], device["id"], device["name"]) for device in document["devices"]}


def _ending(case: Case, document: Any) -> str:
    """Of a listing the statuses of its questions, of a validation those that its views tell; the worst alone counts."""
    if "probes" in document:
        asked = [probe for probe in document["probes"] if probe["library"] == case.faulty.library]
        asked = (
            [probe for probe in asked if (probe["build"] != "system") == case.faulty.is_build]
            if case.faulty.is_build
            else asked
        )
        statuses = {probe["status"] for probe in asked} - {"absent", "skipped"}
        return "+".join(sorted(statuses - HARMLESS or statuses)) or "none"
    views = [view for view in document["views"] if view["library"] == case.faulty.library]
    return "+".join(sorted({_told(view) for view in views} - {"ok"})) or "ok"


_TOLD = (
    ("crashed in", "crashed"),
    ("no answer", "timed_out"),
    ("not the protocol", "unreadable"),
    ("exited before", "exited"),
)


def _told(view: Any) -> str:
    because = view["because"] or ""
    return next(
        (status for words, status in _TOLD if words in because), "ok" if view["verdict"] == "supported" else "call_failed"
    )


@functools.cache
def _reference(faulty: Faulty, proves: bool, neighbour: str | None) -> Any:
    place = temporary.folder("healthy")
    stage = next(each for each in faulty.stages if each.proves == proves)
    code, out, err, _ = _ran(faulty, stage, neighbour, place, "", LONG_LIMIT)
    assert code in (0, 4), f"{faulty.name} without a fault: exit {code}: {err}"  # 4: the neighbour has no memory to compute in
    return json.loads(out)


def _ran(
    faulty: Faulty, stage: Stage, neighbour: str | None, place: Path, line: str, seconds: float
) -> tuple[int, str, str, str]:
    """Exit code, what was printed, and what the doubles logged."""
    for folder in ("home", "tmp", "here"):
        (place / folder).mkdir()
    (place / "log").touch()
    variables = environment(**_variables(faulty, neighbour, place, line))
    process = subprocess.Popen(
        command(faulty, stage, neighbour, seconds),
        env=variables,
        cwd=place / "here",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        err += f"\nit had not ended after {PATIENCE:g} s"
    return process.returncode, out, err, (place / "log").read_text()


def _variables(faulty: Faulty, neighbour: str | None, place: Path, line: str) -> dict[str, str]:
    around = {"VK_DRIVER_FILES": "/none", "ZE_ENABLE_ALT_DRIVERS": "/none.so"}
    for more in (NEIGHBOURS[neighbour](place / "neighbour", "") if neighbour else {}, faulty.around(place / "own", line)):
        paths = ":".join(each["LD_LIBRARY_PATH"] for each in (around, more) if "LD_LIBRARY_PATH" in each)
        around = {**around, **more, **({"LD_LIBRARY_PATH": paths} if paths else {})}
        if "Level Zero" in (neighbour, faulty.name):
            around.pop("ZE_ENABLE_ALT_DRIVERS", None)
    mark = {"FAKE_MARK": f"left-by-{place.name}", "FAKE_LOG": str(place / "log"), "TMPDIR": str(place / "tmp")}
    return {**around, **throws(), **mark, "HOME": str(place / "home")}


def _left(place: Path) -> Iterator[str]:
    mark = f"left-by-{place.name}".encode()
    end = time.monotonic() + GONE
    while (left := _marked(mark)) and time.monotonic() < end:
        time.sleep(0.02)
    for number in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        yield f"process {number} is left"
    for file in itertools.chain((place / "tmp").iterdir(), (place / "here").iterdir()):
        yield f"{file.name} is left in {file.parent.name}"
    saved = {"home", "home/.cache", "home/.cache/gpuprobe", "home/.cache/gpuprobe/discovery.json"}
    for file in (place / "home").rglob("*"):
        if str(file.relative_to(place)) not in saved:
            yield f"{file.relative_to(place)} is left"


def _marked(mark: bytes) -> list[int]:
    """Living processes with the mark in their environment, or as their name where that is empty."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
            if any(mark in each for each in told) and (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(process.name))
    return found


class Record(NamedTuple):
    """What became of each case that ran, a line each, in a file that outlives the run."""

    file: Path

    def held(self, cases: Iterable[Case]) -> list[Judged]:
        known = {case.name: case for case in cases}
        lines = [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []
        last = {
            name: Judged(known[name], tuple(wrong), ending, seconds) for name, wrong, ending, seconds in lines if name in known
        }
        return list(last.values())

    def add(self, judged: Judged) -> None:
        with self.file.open("a") as out:
            out.write(f"{json.dumps([judged.case.name, *judged[1:]])}\n")


def run_all(cases: Iterable[Case], watch: bool = False, record: Record | None = None) -> list[Judged]:
    cases, done = list(cases), []
    for each in dict.fromkeys((case.faulty, case.stage.proves, case.neighbour) for case in cases):
        _reference(*each)  # which also compiles the doubles, each once
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for judged in pool.map(run, cases):
            done.append(judged)
            if record:
                record.add(judged)
            if watch and judged.wrong:
                sys.stderr.write(f"{judged.case.name}: {'; '.join(judged.wrong)}\n")
    return done


def table(results: Iterable[Judged]) -> str:
    """A line a fault: cases and failures of each library, the endings with their counts, and the slowest."""
    results = list(results)
    names = [faulty.name for faulty in FAULTY]
    lines = [f"| fault | {' | '.join(names)} | endings | slowest |", "| --- |" + " --- |" * (len(names) + 2)]
    for fault in FAULTS:
        mine = [judged for judged in results if judged.case.fault == fault]
        if not mine:
            continue
        counts = [_count([judged for judged in mine if judged.case.faulty.name == name]) for name in names]
        endings = ", ".join(f"{ending} {count}" for ending, count in Counter(judged.ending for judged in mine).most_common())
        slowest = max(judged.seconds for judged in mine)
        lines.append(f"| {fault.word} | {' | '.join(counts)} | {endings} | {slowest:.1f} s |")
    failed = sum(bool(judged.wrong) for judged in results)
    return "\n".join([*lines, "", f"{len(results)} cases, {failed} failed"])


def _count(results: list[Judged]) -> str:
    failed = sum(bool(judged.wrong) for judged in results)
    return (f"{len(results)}, {failed} failed" if failed else str(len(results))) if results else ""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fault_matrix", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairwise", action="store_true")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", default="")
    parser.add_argument("--record", type=Path)
    chosen = parser.parse_args(arguments)
    cases = [case for case in (pairwise() if chosen.pairwise else every_case()) if chosen.only in case.name]
    if chosen.sample is not None:
        cases = random.Random(chosen.seed).sample(cases, min(chosen.sample, len(cases)))
    record = Record(chosen.record) if chosen.record else None
    held = record.held(cases) if record else []
    left = set(cases).difference(judged.case for judged in held)
    random.Random(chosen.seed).shuffle(
        cases
    )  # those that wait among those that compute; and a part says something of the whole
    began = time.monotonic()
    results = [*held, *run_all((case for case in cases if case in left), watch=True, record=record)]
    sys.stdout.write(f"{table(results)} in {time.monotonic() - began:.0f} s\n")
    return int(any(judged.wrong for judged in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
