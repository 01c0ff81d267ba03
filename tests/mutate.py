"""Mutants of the pure rooms, and whether a test notices: `python -m tests.mutate` (a sample of 300; an hour of one core).

Once, the unit tests and whole machines run without a mutant, and which lines each of them runs is noted. A mutant then runs in
a copy of the package with the tests that run its line, the nearest and quickest first, up to the first failure. A test that
fails without a mutant is left out; those that noticed one run without any once more at the end.
A table, a constant or a default is changed where a module is imported, and no test runs its line. One whose import fails is
killed at once. Others have survived when no test of a bounded set fails: 300 tests that run a line which reads what the changed
statement names, and 200 others that depend on the module (`tests.which_tests` says which). So have lines of functions that run
before a test does, for the cases of several, when no test that runs the line fails in a fork either.
`--sample N`, `--seed N`, `--only TEXT` (of a module's name); `--on-import`: of the sample those alone that run on import.
`--minutes N`: no new mutant after that time. `--to FILE` says each verdict as it comes, and what stands there is not judged
again; `--again FILE` judges what survived there; `--map FILE` keeps which test runs what, and holds as long as no source and no
test is changed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import temporary
from tests.forked import ASLEEP, OTHER_WAY
from tests.mutants import ROOMS, Mutant, mutants, mutated, source_of
from tests.test_layers import MODULES, PACKAGE, room
from tests.which_tests import TESTS, Map, files_of_tests, nearest_first, read_map, running, runs_on_import

_BESIDE = ("tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md")
FIRST = 40  # tests asked before all others
PATIENCE = 30.0  # seconds of a core beside what the tests take; a mutant that never ends is noticed
NO_IMPORT = "the import of its module"
MEMORY = 6 << 30  # bytes of address space
AT_ONCE = os.cpu_count() or 1


class Verdict(NamedTuple):
    """`how`: "killed", "survived", "timeout", or "not run" where no test runs the line; `by` is the test that failed."""

    mutant: Mutant
    how: str
    by: str = ""

    @property
    def survived(self) -> bool:
        return self.how not in {"killed", "timeout"}

    @property
    def line(self) -> str:
        return "\t".join((self.how, self.mutant.module, str(self.mutant.place), self.mutant.name, self.by))


def _folder(what: str, package: Path, rest: Path) -> Path:
    """A folder as the repository is, with a package of its own."""
    folder = temporary.folder(what)
    for name in _BESIDE:
        (folder / name).symlink_to(rest / name)
    shutil.copytree(package, folder / "gpuprobe", copy_function=os.link)
    return folder


@functools.cache
def without_a_mutant() -> Path:
    """A copy in which the pure rooms are written as a mutant's module is; what is edited meanwhile changes nothing."""
    rest = temporary.folder("as-it-was")
    for name in _BESIDE:
        original = PACKAGE.parent / name
        (shutil.copytree if original.is_dir() else shutil.copy2)(original, rest / name)
    folder = _folder("no-mutant", PACKAGE, rest)
    for module in MODULES:
        if room(module) in ROOMS:
            _written(folder, module, source_of(module))
    return folder


def _written(folder: Path, module: str, source: str) -> None:
    file = folder / "gpuprobe" / MODULES[module].relative_to(PACKAGE)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()
    file.unlink()
    file.write_text(source, encoding="utf-8")


def _pytest(folder: Path, arguments: Iterable[str], limit: float | None, **variables: str) -> int:
    """What pytest ends with; its children are ended with it where it takes too long."""
    environ = {**os.environ, **variables, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    process = subprocess.Popen(
        [sys.executable, "-c", _BOUNDED, str(MEMORY), *command],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(limit)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


_BOUNDED = (
    "import os, sys; from resource import RLIMIT_AS, setrlimit; setrlimit(RLIMIT_AS, (int(sys.argv[1]),) * 2); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def mapped(kept: Path | None) -> Map:
    to = kept or temporary.folder("map") / "map.json"
    if not to.exists():
        _pytest(without_a_mutant(), ["-p", "tests.executed", *_files()], None, EXECUTED_MAP=str(to))
    return read_map(to)


def _files() -> list[str]:
    return [str(test.relative_to(TESTS.parent)) for test in files_of_tests()]


def _imports(folder: Path, module: str) -> bool:
    command = [sys.executable, "-c", f"import gpuprobe.{module}"]
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    limit = ASLEEP * PATIENCE
    try:
        done = subprocess.run(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _noticed(folder: Path, tests: list[str], known: Map) -> tuple[str, str]:
    """How it ends, and the test that fails first."""
    choice, failed = folder / "choice.json", folder / "failed.txt"
    choice.write_text(json.dumps({"chosen": tests, "known": [*known.tests, *known.failed]}), encoding="utf-8")
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    limit = ASLEEP * _patience(tests, known)
    choose = {"EXECUTED_CHOICE": str(choice), "EXECUTED_FAILED": str(failed), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        status = _pytest(folder, ["-p", "tests.executed", "-x", *files], limit, **choose)
    except subprocess.TimeoutExpired:
        return "timeout", ""
    by = failed.read_text(encoding="utf-8").splitlines() if failed.exists() else []
    return ("survived", "") if status in {0, 5} else ("killed", by[0] if by else f"pytest ends with {status}")


def _patience(tests: Iterable[str], known: Map) -> float:
    return PATIENCE + 4 * sum(known.seconds[test] for test in tests)


def judged(mutant: Mutant, known: Map, suspected: str) -> Verdict:
    """In a process of its own, which imports the changed module. `suspected`: the test that is most likely to fail, or ""."""
    tests = nearest_first(mutant, known)
    folder = _folder("mutant", without_a_mutant() / "gpuprobe", without_a_mutant())
    try:
        _written(folder, mutant.module, mutated(mutant.module, mutant.place))
        if not _imports(folder, mutant.module):
            return Verdict(mutant, "killed", NO_IMPORT)
        for some in ([suspected] if suspected else [], tests[:FIRST], tests[FIRST:]):
            how, by = _noticed(folder, some, known) if some else ("survived", "")
            if how != "survived":
                return Verdict(mutant, how, by)
        return Verdict(mutant, "survived")
    finally:
        shutil.rmtree(folder)


def judge_in_forks(chosen: list[Mutant], known: Map, seconds: float, to: Path) -> None:
    number = {test: place for place, test in enumerate(known.tests)}
    jobs = []
    for mutant in chosen:
        tests = running(mutant, known)
        jobs.append(
            {
                "name": f"{mutant.module}\t{mutant.place}\t{mutant.name}",
                "module": mutant.module,
                "file": str(MODULES[mutant.module].relative_to(PACKAGE)),
                "place": mutant.place,
                "tests": [number[test] for test in tests],
                "seconds": _patience(tests, known),
            }
        )
    if not jobs:
        return
    asked = temporary.folder("jobs") / "jobs.json"
    whole = {"jobs": jobs, "tests": known.tests, "memory": MEMORY, "at_once": AT_ONCE, "seconds": seconds}
    asked.write_text(json.dumps(whole), encoding="utf-8")
    _pytest(without_a_mutant(), ["-p", "tests.forked", *_files()], None, FORKED_JOBS=str(asked), FORKED_TO=str(to))


def sample(number: int, seed: int, only: str) -> list[Mutant]:
    modules = [name for name in MODULES if room(name) in ROOMS and only in name]
    known = [mutant for module in modules for mutant in mutants(module)]
    return random.Random(seed).sample(known, min(number, len(known)))


def read(file: Path) -> dict[tuple[str, int], Verdict]:
    """The verdicts that stand in a file, by module and place."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        how, module, place, _, by = line.split("\t")
        found[module, int(place)] = Verdict(mutants(module)[int(place)], how, by)
    return found


def run(chosen: list[Mutant], known: Map, minutes: float, to: Path) -> list[Verdict]:
    """Those that no test runs first, then those that a fork can have, then the others. A line that runs before a test too is
    changed in a fork only to find who suspects it: there one half of a test is as it was."""
    end = time.monotonic() + minutes * 60

    def left() -> list[Mutant]:
        done = {place for place, verdict in read(to).items() if verdict.how != OTHER_WAY}
        return [each for each in chosen if (each.module, each.place) not in done]

    def other_way(mutant: Mutant) -> None:
        if time.monotonic() < end:
            _note(judged(mutant, known, suspected.get((mutant.module, mutant.place), "")), to)

    for mutant in left():
        if not nearest_first(mutant, known):
            _note(Verdict(mutant, "not run"), to)
    judge_in_forks([each for each in left() if not runs_on_import(each, known)], known, end - time.monotonic(), to)
    suspects = temporary.folder("suspects") / "verdicts.tsv"
    judge_in_forks(
        [each for each in left() if each.inside and runs_on_import(each, known)], known, end - time.monotonic(), suspects
    )
    suspected = {place: verdict.by for place, verdict in read(suspects).items() if verdict.how == "killed"}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(other_way, left()))
    verdicts = read(to)
    return [verdicts[each.module, each.place] for each in chosen if (each.module, each.place) in verdicts]


def _note(verdict: Verdict, to: Path) -> None:
    with to.open("a", encoding="utf-8") as verdicts:
        verdicts.write(verdict.line + "\n")


def fail_without(verdicts: list[Verdict], known: Map) -> list[str]:
    """Those of the tests that noticed a mutant that fail without one."""
    tests = sorted({verdict.by for verdict in verdicts} & set(known.seconds))
    if not tests:
        return []
    folder = _folder("no-mutant-again", without_a_mutant() / "gpuprobe", without_a_mutant())
    how, by = _noticed(folder, tests, known)
    return [] if how == "survived" else [by or how]


def say(verdicts: list[Verdict]) -> int:
    """How many were killed in each room, and which were not."""
    sys.stdout.writelines(f"{verdict.how}: {verdict.mutant.name}\n" for verdict in verdicts if verdict.survived)
    survivors = Counter(room(verdict.mutant.module) for verdict in verdicts if verdict.survived)
    for name, count in sorted(Counter(room(verdict.mutant.module) for verdict in verdicts).items()):
        sys.stdout.write(f"{name}: {count} mutants, {count - survivors[name]} killed\n")
    killed = len(verdicts) - survivors.total()
    ended = sum(verdict.how == "timeout" for verdict in verdicts)
    sys.stdout.write(f"{len(verdicts)} mutants, {killed} killed ({killed / max(1, len(verdicts)):.0%}), {ended} by time")
    return killed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--only", default="")
    parser.add_argument("--on-import", action="store_true")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--again", type=Path)
    parser.add_argument("--map", type=Path)
    asked = parser.parse_args(arguments)
    began = time.monotonic()
    known = mapped(asked.map)
    sys.stdout.write(f"{len(known.tests)} tests, {len(known.failed)} fail without a mutant; {time.monotonic() - began:.0f} s\n")
    sys.stdout.flush()
    chosen = sample(asked.sample, asked.seed, asked.only)
    if asked.again:
        chosen = [verdict.mutant for verdict in read(asked.again).values() if verdict.survived]
    if asked.on_import:
        chosen = [each for each in chosen if runs_on_import(each, known)]
    verdicts = run(chosen, known, asked.minutes, asked.to or temporary.folder("verdicts") / "verdicts.tsv")
    wrong = fail_without(verdicts, known)
    killed = say(verdicts)
    sys.stdout.write(f" in {time.monotonic() - began:.0f} s\n")
    sys.stdout.writelines(f"fails without a mutant too: {each}\n" for each in wrong)
    return int(bool(wrong) or killed < 0.9 * len(verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
