"""Where a changed constant can be noticed, by what reads it under whatever name, and who is asked first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mutants, readers, which_tests

TABLE = """
LIMIT = 4
_TWICE = LIMIT * 2
def most(size=_TWICE, of: LIMIT = 0):
    return size
def other(of: LIMIT):
    return 1
class Room:
    size = LIMIT
    def taken(self):
        return self.size
"""
FAR = """
from gpuprobe import table
from gpuprobe.table import LIMIT as HERE
def renamed():
    return HERE
def of_its_module():
    return table._TWICE
def unconcerned():
    return table.other(1)
"""


@pytest.fixture
def two_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    files = {"table": tmp_path / "table.py", "far": tmp_path / "far.py"}
    for text, file in zip((TABLE, FAR), files.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    for module in (mutants, readers):
        monkeypatch.setattr(module, "MODULES", files)
    _forget()
    yield
    _forget()


def _forget() -> None:
    for cached in (readers._tree, readers._imported):
        cached.cache_clear()


def lines(text: str, *found: str) -> set[int]:
    return {number for number, line in enumerate(text.splitlines(), start=1) if line.strip() in found}


@pytest.mark.usefixtures("two_modules")
def test_a_constant_is_read_under_its_name_another_name_and_by_what_is_made_of_it() -> None:
    (line,) = lines(TABLE, "LIMIT = 4")

    found = readers.readers("table", line)

    functions = lines(TABLE, "def most(size=_TWICE, of: LIMIT = 0):", "return size")
    members = lines(TABLE, "class Room:", "size = LIMIT", "def taken(self):", "return self.size")
    assert found["table"] == functions | members
    assert found["far"] == lines(FAR, "return HERE", "return table._TWICE")


@pytest.mark.usefixtures("two_modules")
def test_what_a_constant_is_made_of_does_not_read_it() -> None:
    (line,) = lines(TABLE, "_TWICE = LIMIT * 2")

    found = readers.readers("table", line)

    assert found["table"] == lines(TABLE, "def most(size=_TWICE, of: LIMIT = 0):", "return size")
    assert found["far"] == lines(FAR, "return table._TWICE")


def test_a_bound_leaves_out_the_slower_tests_of_a_file_before_a_file() -> None:
    one, other, near = (f"tests/unit/{name}.py" for name in ("test_tree", "test_wire", "test_tensor_types"))
    seconds = {f"{one}::a": 0.2, f"{one}::b": 0.1, f"{one}::c": 0.3, f"{other}::a": 9.0, f"{near}::a": 5.0, f"{near}::b": 6.0}
    known = which_tests.Map(tuple(seconds), seconds, frozenset(), {}, {})
    mutant = mutants.Mutant("planning.tensor_types", 0, 1, 1, range(0), "")

    found = which_tests._in_turn(set(seconds), mutant, known)

    assert found == [f"{near}::a", f"{near}::b", f"{one}::b", f"{other}::a", f"{one}::a", f"{one}::c"]
