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


def test_a_name_has_up_to_four_ranges() -> None:
    assert expanded("a[1]b[2]c[3]d[4]") == ("a1b2c3d4",)
    assert expanded("a[1]b[2]c[3]d[4]e[5]") is None


def test_what_a_text_may_hold_has_bounds() -> None:
    assert len(expanded("n[1-100000]") or ()) == MOST
    assert len(expanded("n[1-99999,0]") or ()) == MOST
    assert expanded("n[0-100000]") is None
    assert expanded("n[1-99999,0,0]") is None
    assert len(expanded("a[1-1000]b[1-100]") or ()) == MOST
    assert expanded("a[1-1000]b[1-101]") is None
    assert expanded(",".join(["abcd"] * 20_000)[:100_000].rstrip(",")) is not None
    assert expanded(",".join(["abcd"] * 20_001)) is None


def test_a_number_of_ten_digits_is_no_range() -> None:
    assert expanded("n[999999999]") == ("n999999999",)
    assert expanded("n[1000000000]") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n[1-2]", ("n1", "n2")),
        ("n[01-02]", ("n01", "n02")),
        ("n[009-010]", ("n009", "n010")),
        ("n[0-1]", ("n0", "n1")),
        ("n[3]", ("n3",)),
        ("a[1-2]b[1-2]", ("a1b1", "a1b2", "a2b1", "a2b2")),
        ("a , b", ("a", "b")),
        ("a,,b", None),
        ("n[1],", None),
    ],
)
def test_names_come_in_the_order_in_which_they_are_written(text: str, names: tuple[str, ...] | None) -> None:
    assert expanded(text) == names


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["n1", "n01"], "n[1,01]"),
        (["n1", "n3", "n4", "n5", "n9"], "n[1,3-5,9]"),
        (["n8", "n9", "n10", "n010", "n011"], "n[8-10,010-011]"),
        (["n09", "n10", "n100"], "n[100,09-10]"),
        (["n0", "n1"], "n[0-1]"),
        (["n1"], "n1"),
        (["1", "2"], "[1-2]"),
        (["b", "a"], "a,b"),
        (["a1-x2", "a1-x1", "a1-x3"], "a1-x[1-3]"),
        ([], ""),
    ],
)
def test_ranges_are_of_numbers_that_follow_each_other(names: list[str], text: str) -> None:
    assert folded(names) == text


def test_names_are_in_the_order_of_their_numbers() -> None:
    assert sorted(["n10", "n2", "n02", "m", "n2-b", "10", "9"], key=natural) == ["m", "n02", "n2", "n2-b", "n10", "9", "10"]
