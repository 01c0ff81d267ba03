"""Whatever a library does to the process it is loaded into: an answer, the other libraries' devices in it, and nothing left.

A part of the pairs of fault and place, another for each library; all of them are `python -m tests.fault_matrix --pairwise`, and
every place of every fault is `python -m tests.fault_matrix`.
"""

from __future__ import annotations

import sys

import pytest

from tests.chaos_faults import FAULTS
from tests.chaos_worlds import FAULTY, Faulty
from tests.doubles import DRIVERS
from tests.fault_matrix import pairwise, run_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")


SHARE = 2 * len(FAULTY)  # one case of so many runs here: 708 pairs take minutes


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda faulty: faulty.name)
def test_no_fault_of_a_library_takes_an_answer_of_another_along(faulty: Faulty) -> None:
    cases = [case for case in pairwise() if case.faulty == faulty][FAULTY.index(faulty) :: SHARE]

    results = run_all(iter(cases))

    assert [(judged.case.name, judged.wrong) for judged in results if judged.wrong] == []
    assert len(results) == len(cases) > 0


def test_the_pairs_hold_each_fault_in_each_library() -> None:
    held = {(case.faulty, case.fault) for case in pairwise()}

    assert held == {(faulty, fault) for faulty in FAULTY for fault in FAULTS if not fault.by_hand}


def test_each_fault_is_one_that_the_doubles_have() -> None:
    described = (DRIVERS / "fake_chaos.h").read_text().partition("*/")[0].split()

    assert [fault.word for fault in FAULTS if fault.word not in described] == []
