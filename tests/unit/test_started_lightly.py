"""What stands in the place of the standard library's modules at a start does what those do; see also test_json_texts."""

from __future__ import annotations

import copy
import enum
import json
import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import patterns
from gpuprobe.exits import Exit, Trouble, weightiest
from gpuprobe.model import Status
from gpuprobe.strings import seconds_between

PIECES = st.sampled_from(
    ["0", "9", "a", "f", "g", ":", ".", "-", "+", "T", "Z", "0000", "01", "7", "8", "²", "\n", "2026-11-21T09:00:00"]
)


@given(st.lists(PIECES, max_size=9).map("".join))
def test_forms_are_told_as_patterns_would(text: str) -> None:
    time = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"

    assert patterns.is_time(text) == bool(re.fullmatch(time, text))
    assert patterns.is_pci_address(text) == bool(re.fullmatch(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", text))
    assert patterns.is_digits(text, 4) == bool(re.fullmatch("[0-9]{1,4}", text))
    assert patterns.is_numbered(f"card{text}", "card", 3) == bool(re.fullmatch("card[0-9]{1,3}", f"card{text}"))


@given(st.datetimes(), st.datetimes())
def test_seconds_are_those_of_the_calendar(earlier: Any, later: Any) -> None:
    before, after = (each.replace(microsecond=0) for each in (earlier, later))

    assert seconds_between(f"{before.isoformat()}Z", f"{after.isoformat()}Z") == (after - before).total_seconds()


class Theirs(str, enum.Enum):
    OK = "ok"
    ABSENT = "absent"


def test_enumerations_do_what_those_of_the_standard_library_do() -> None:
    ours, theirs = Status.ABSENT, Theirs.ABSENT

    assert [str(ours), f"{ours:>20}"] == [str(theirs).replace("Theirs", "Status"), f"{'Status.ABSENT':>20}"]
    assert repr(ours) == repr(theirs).replace("Theirs", "Status")
    assert (ours.name, ours.value, ours == "absent", hash(ours)) == (theirs.name, theirs.value, True, hash("absent"))
    assert [Status("absent"), Status(ours), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))] == [ours] * 4
    assert all(each is ours for each in (Status("absent"), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))))
    assert (f"{Exit.FAILED}", str(Trouble.BUG), weightiest(Exit.NO, Exit.FAILED) is Exit.FAILED, bool(Exit.ANSWERED)) == (
        "4",
        "bug",
        True,
        False,
    )
    assert json.dumps([ours, Exit.FAILED, Trouble.BUG]) == '["absent", 4, "bug"]'
    with pytest.raises(ValueError, match="'other' is not a valid Status"):
        Status("other")
