"""What a child says is checked before it is believed."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.probing import shapes
from gpuprobe.probing.shapes import NotTheProtocol

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(ANYTHING)
def test_whatever_is_said_is_of_the_right_kind_or_no_protocol(said: object) -> None:
    for check, kinds in (
        (shapes.text, str),
        (shapes.text_or_none, str | None),
        (shapes.number_or_none, int | None),
        (shapes.seconds, float),
        (shapes.plain, dict),
    ):
        try:
            assert isinstance(check(said), kinds)
        except NotTheProtocol:
            continue


@pytest.mark.parametrize("said", [-1, 2**63, 1.0, True, "1"])
def test_a_number_is_a_whole_one_that_a_capture_can_hold(said: object) -> None:
    with pytest.raises(NotTheProtocol):
        shapes.number_or_none(said)


def test_an_unknown_number_is_not_zero() -> None:
    assert (shapes.number_or_none(None), shapes.number_or_none(0), shapes.number_or_none(2**63 - 1)) == (None, 0, 2**63 - 1)


@pytest.mark.parametrize("said", [-0.1, nan, inf, 1e9, True, None, "0.1"])
def test_a_time_is_neither_negative_nor_endless(said: object) -> None:
    with pytest.raises(NotTheProtocol):
        shapes.seconds(said)


@pytest.mark.parametrize("said", [{"a": nan}, {"a": 2**63}, {"a": {"b": 1}}, {"a": [1]}, {"a": [{"b": [1]}]}, [], None])
def test_figures_are_plain_values_by_name_and_lists_of_such(said: object) -> None:
    with pytest.raises(NotTheProtocol):
        shapes.plain(said)


def test_plain_values_are_kept_as_they_are() -> None:
    said = {"a": None, "b": True, "c": -1.5, "d": "text", "e": [{"f": 1}, {}]}

    assert shapes.plain(said) == said
