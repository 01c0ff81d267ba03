"""Everything that parses, with every seed and every input that a run of `python -m tests.fuzz` has kept."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType

import pytest

from tests.fuzz.changing import changed
from tests.fuzz.target import CORPUS
from tests.fuzz.targets import TARGETS

PACKAGE = Path(__file__).parents[1] / "gpuprobe"
MOST_BYTES = 300_000  # of the corpus

# How what others wrote is taken apart: JSON, bytes by a layout, texts by a pattern or by what stands between their parts.
PARSING = frozenset(
    (
        *("loads", "raw_decode", "unpack", "unpack_from", "iter_unpack", "compile", "match", "fullmatch", "search", "finditer"),
        *("findall", "split", "splitlines", "partition", "rpartition"),
    )
)
# Rooms that take apart nothing of others, and modules of other rooms, each with who wrote what they take apart.
OTHER_ROOMS = {
    "backends": "what a library says is read in its child, and what the child says is `child-lines`",
    "render": "our own texts and documents",
    "schemas": "our own schemas",
    "manual": "our own pages",
    "command.command_tree": "our own command line, of which completions are written",
    "command.exiting": "our own messages",
    "command.usage_errors": "what Typer says",
    "command.waiting": "a time: `test_the_time_to_wait_is_a_number_with_a_unit`",
    "doctor.cpu_reasons": "our own sentences",
    "from_python": "a name of a library that was already checked",
    "judging.changes": "our own sentences",
    "judging.file_fit": "our own paths",
    "judging.where_to_get": "our own rows",
    "probing.asking": "our own paths, and names of files that fit a pattern",
    "probing.engine_asking": "lines, which are `engine-log`",
    "probing.runtime_loading": "our own paths",
    "probing.termination": "the kernel's state of our own child",
    "survey.engine_programs": "paths that were found",
}


@cache
def ran(name: str) -> frozenset[str]:
    """Runs all inputs of a target; the files of the package of which a function was called."""
    target = TARGETS[name]
    with _watched() as files:
        for content in (*target.seeds(), *(path.read_bytes() for path in target.kept())):
            target.run(content)
    return frozenset(files)


@contextmanager
def _watched() -> Iterator[set[str]]:
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_that_was_kept_is_answered(name: str) -> None:
    assert ran(name)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_what_a_target_is_about(name: str) -> None:
    """At least one is read, and no error stops it."""
    target = TARGETS[name]

    def is_read(content: bytes) -> bool:
        try:
            target.parse(content)
        except target.allowed:
            return False
        return True

    assert any(map(is_read, target.seeds()))
    assert max(map(len, target.seeds())) <= 4 * target.longest


def test_every_module_that_takes_something_apart_is_reached_by_a_target() -> None:
    """Looked at in a process of its own: what earlier tests have asked is kept by the product, and not read again."""
    program = (
        "import json, tests.test_fuzz as t; print(json.dumps(sorted({file for name in t.TARGETS for file in t.ran(name)})))"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    reached = set(json.loads(told.stdout.splitlines()[-1]))
    parsing = {path: name for path, name in _modules() if _parses(path)}

    missing = {name for path, name in parsing.items() if str(path) not in reached and not _is_elsewhere(name)}

    assert not missing
    assert set(OTHER_ROOMS) <= {room for name in parsing.values() for room in (name, name.partition(".")[0])}


def _modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def _parses(path: Path) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Attribute) and called.attr in PARSING for called in calls)


def _is_elsewhere(name: str) -> bool:
    return name in OTHER_ROOMS or name.partition(".")[0] in OTHER_ROOMS


def test_the_corpus_is_small_and_holds_nothing_else() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]

    assert {path.parent.name for path in files} <= TARGETS.keys()
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_what_is_changed_as_json_stays_json() -> None:
    content = b'{"a": [1, {"b": "x"}], "c": null}'

    found = {changed(content, Random(seed)) for seed in range(200)}

    assert len(found) > 100
    assert all(isinstance(json.loads(each), dict) for each in found)
    assert changed(b"\x7fELF", Random(0)) == b"\x7fELF"
    assert changed(b'n1: {"a": 1}\nn2: {"b": 2}', Random(0)).startswith(b"n1: ")
