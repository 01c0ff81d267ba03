"""A bounded coverage-guided run, outside CI: `python -m tests.fuzz [TARGET…] [--seconds 60] [--keep]` (needs atheris).

Each target has a process of its own, its seeds, its corpus and the words of what it parses. It ends at its time, or at the
first input that is answered with an error that is not allowed, takes more than a second or 1 GiB, or breaks what must hold:
that input stays.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import keeping
from tests.fuzz.target import CORPUS, Target
from tests.fuzz.targets import TARGETS

PACKAGE = Path(__file__).parents[2] / "gpuprobe"
_MEMORY = "1024"  # MiB
_HANGING = "30"  # seconds of the clock, where nothing else ends it


class Run(NamedTuple):
    target: str
    executions: int | None
    edges: int | None
    new: int | None
    found: str | None  # what ended it before its time

    @property
    def row(self) -> str:
        figures = ("?" if figure is None else str(figure) for figure in (self.executions, self.edges, self.new))
        return f"{self.target:14}{''.join(f'{figure:>12}' for figure in figures)}  {self.found or 'nothing found'}"


def fuzzed(target: Target, seconds: int, work: Path, *, keep: bool) -> Run:
    """`work` gets what was found, and what was said."""
    seeds, new = work / "seeds", work / "new"
    for folder in (seeds, new):
        folder.mkdir(parents=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"seed-{number:02}").write_bytes(seed[: target.longest])
    known = [str(seeds), *([str(CORPUS / target.name)] if target.kept() else [])]
    words = work / "words"
    words.write_text("# texts of the code\n" + "".join(f'"{word}"\n' for word in dictionary(target.rooms)))
    arguments = [f"-max_total_time={seconds}", f"-dict={words}", *_limits(target, work), str(new), *known]
    said = _said_by(target, arguments, work / "said")
    run = _outcome(target, said, work)
    if keep and run.found is None:
        keeping.keep(target, new)
    return run


def _limits(target: Target, work: Path) -> list[str]:
    return [
        f"-max_len={target.longest}",
        f"-rss_limit_mb={_MEMORY}",
        f"-timeout={_HANGING}",
        f"-artifact_prefix={work}/",
        *_FIGURES,
    ]


_FIGURES = ("-print_final_stats=1", "-verbosity=1")


def _said_by(target: Target, arguments: Sequence[str], path: Path) -> str:
    memory = {"TMPDIR": "/dev/shm"} if os.path.isdir("/dev/shm") else {}  # trees of small files are written for every input
    with path.open("wb") as out:
        command = [sys.executable, "-m", "tests.fuzz.one_run", target.name, ",".join(target.rooms), *arguments]
        subprocess.run(command, stdout=out, stderr=out, env={**os.environ, **memory}, cwd=PACKAGE.parent, check=False)
    return path.read_text(errors="backslashreplace")


def _outcome(target: Target, said: str, work: Path) -> Run:
    def last(pattern: str) -> int | None:
        found = re.findall(pattern, said)
        return int(found[-1]) if found else None

    inputs = [path for kind in ("crash", "timeout", "oom", "leak", "slow-unit") for path in sorted(work.glob(f"{kind}-*"))]
    executions = last(r"number_of_executed_units: +(\d+)") or last(r"(?m)^#(\d+)")
    found = None
    if inputs or "Done " not in said:
        errors = re.findall(r"(?m)^(\w[\w.]*(?:Error|Exception|Slow|Interrupt)\b.*|.*ERROR: libFuzzer.*)$", said)
        found = f"{errors[0][:140] if errors else 'it ended early'}; {inputs[0] if inputs else work / 'said'}"
    return Run(target.name, executions, last(r" cov: (\d+)"), last(r"new_units_added: +(\d+)"), found)


def dictionary(rooms: Sequence[str]) -> list[str]:
    """The texts in the code of these rooms, as libFuzzer writes them."""
    files = [path for room in rooms for path in _files(PACKAGE / room.replace(".", "/"))]
    texts = {text for path in files for text in _texts(ast.parse(path.read_text(encoding="utf-8")))}
    return ["".join(f"\\x{byte:02x}" for byte in text) for text in sorted(texts)][:2000]


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def _texts(tree: ast.AST) -> Iterator[bytes]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value.encode("utf-8", "replace") if isinstance(node.value, str) else node.value
            if 2 <= len(text) <= 32:
                yield text


def main(arguments: Sequence[str]) -> int:
    given = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    given.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    given.add_argument("--seconds", type=int, default=20, help="for each target; 20")
    given.add_argument(
        "--keep", action="store_true", help="put the smallest inputs that reached something new into tests/corpus"
    )
    options = given.parse_args(arguments)
    if unknown := set(options.targets) - TARGETS.keys():
        given.error(f"no target is called {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    work = Path(tempfile.mkdtemp(prefix="gpuprobe-fuzz-"))
    sys.stdout.write(f"what is found comes to lie in {work}\n{'target':14}{'executions':>12}{'edges':>12}{'new inputs':>12}\n")
    runs = []
    for name in options.targets or TARGETS:
        runs.append(fuzzed(TARGETS[name], options.seconds, work / name, keep=options.keep))
        sys.stdout.write(f"{runs[-1].row}\n")
        sys.stdout.flush()
    return 1 if any(run.found for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
