"""Each diagnosis that a test here makes is compared in full with the one before: in `told/`, a file for each module of tests.

A module without such a file is not compared; an empty one and `--bless` begin it.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.doctor.told import GOLDEN, sections, taken, write


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    taken()
    result = yield
    said, file = taken(), GOLDEN / f"{pyfuncitem.path.stem}.txt"
    if file.exists():
        _compare(pyfuncitem, said)
    return result


def _compare(test: pytest.Function, said: str) -> None:
    file = GOLDEN / f"{test.path.stem}.txt"
    before = sections(file)
    if test.config.getoption("--bless"):
        write(file, {**before, test.name: said})
        return
    assert said == before.get(test.name, ""), f"{file.name} has it otherwise; `--bless` writes what is said now"
