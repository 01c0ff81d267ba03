"""Names of machines as cluster tools write them, beside ClusterShell's own reading of them."""

from __future__ import annotations

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.fleet.node_sets import MOST, expanded, folded, natural

NUMBERS = st.integers(0, 120)
NAMES = st.builds(
    lambda prefix, number, width, suffix: f"{prefix}{number:0{width}d}{suffix}",
    st.sampled_from(["n", "gpu-", "rack2-n", ""]),
    NUMBERS,
    st.integers(1, 3),
    st.sampled_from(["", ".example.org", "-ib"]),
)


@pytest.mark.parametrize(
    "text",
    ["n[01-03,07],m5", "n[1-12]", "a[1-2]b[3-4]", "n01", "n[08-11].example.org", "n[9,08-11]", "[1-3]-ib", "[10-11].0.0.7"],
)
def test_names_are_those_that_clustershell_reads(text: str) -> None:
    assert sorted(expanded(text) or ()) == sorted(NodeSet(text))


@pytest.mark.parametrize("text", ["", "n[5-1]", "two words", "n[0-99999999]", "n[1-", "n[a-b]", "a[1-99999]b[1-99999]", "$(x)"])
def test_a_text_that_names_no_machines_or_too_many_is_none(text: str) -> None:
    assert expanded(text) is None


def test_a_number_that_stands_alone_gets_no_brackets() -> None:
    assert sorted(expanded(folded({"a1b1", "a2b2"})) or ()) == ["a1b1", "a2b2"]
    assert "[" not in folded({"a1b1", "a2b2"})


def test_the_machines_of_all_parts_together_are_counted() -> None:
    assert len(expanded("a[1-60000],b[1-40000]") or ()) == MOST
    assert expanded("a[1-60000],b[1-40001]") is None


@given(st.sets(NAMES, min_size=1, max_size=60))
def test_what_is_folded_is_read_by_clustershell_and_by_us_as_the_same_machines(names: set[str]) -> None:
    text = folded(names)

    assert set(expanded(text) or ()) == names
    assert set(NodeSet(text)) == names


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["n01", "n02", "n03"], "n[01-03]"),
        (["n9", "n10", "n11"], "n[9-11]"),
        (["n1.example.org", "n2.example.org"], "n[1-2].example.org"),
        (["login", "n1"], "login,n1"),
        (["rack1-n1", "rack1-n2", "rack2-n1", "rack2-n2", "rack2-n3"], "rack1-n[1-2],rack2-n[1-3]"),
    ],
)
def test_names_are_folded_as_short_as_a_person_would(names: list[str], text: str) -> None:
    assert folded(names) == text


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_names_can_be_folded_and_sorted(names: list[str]) -> None:
    assert isinstance(folded(names), str)
    assert sorted(names, key=natural) == sorted(sorted(names), key=natural)


@given(st.text(max_size=60))
def test_any_text_is_names_or_none(text: str) -> None:
    found = expanded(text)

    assert found is None or all(found)
