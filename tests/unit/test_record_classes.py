"""Records can do what those of `typing` can: only the moment at which their constructor is compiled is another one."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from gpuprobe.model import Device, DeviceType
from gpuprobe.record_classes import NamedTuple
from gpuprobe.wire import from_json, to_json


class Ours(NamedTuple):
    """A record."""

    name: str
    size: int = 4
    parts: tuple[str, ...] = ()

    @property
    def twice(self) -> int:
        return 2 * self.size


class Theirs(typing.NamedTuple):
    """A record."""

    name: str
    size: int = 4
    parts: tuple[str, ...] = ()


GIVEN: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 5, ("b",)), {}),
    ((), {"name": "a", "parts": ("b", "c")}),
]
REFUSED: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    (("a", 1, (), 2), {}),
    (("a",), {"name": "b"}),
    (("a",), {"other": 1}),
]


@pytest.mark.parametrize(("values", "named"), GIVEN)
def test_it_is_the_same_tuple_with_the_same_fields(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = Ours(*values, **named), Theirs(*values, **named)

    assert tuple(ours) == tuple(theirs)
    assert hash(ours) == hash(theirs)
    assert (ours.name, ours.size, ours.parts) == (theirs.name, theirs.size, theirs.parts)
    assert ours._asdict() == theirs._asdict()
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert tuple(ours._replace(size=7)) == tuple(theirs._replace(size=7))
    assert tuple(Ours._make(theirs)) == tuple(theirs)


@pytest.mark.parametrize(("values", "named"), REFUSED)
def test_what_does_not_fit_is_refused_by_the_first_record_and_by_later_ones(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    class Fresh(NamedTuple):
        name: str
        size: int = 4
        parts: tuple[str, ...] = ()

    for _ in range(2):
        with pytest.raises(TypeError):
            Fresh(*values, **named)
        Fresh("a")


def test_its_class_says_what_fields_it_has() -> None:
    assert (Ours._fields, Ours._field_defaults) == (Theirs._fields, Theirs._field_defaults)
    assert Ours.__match_args__ == Theirs.__match_args__
    assert Ours.__doc__ == "A record."
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)


def test_a_field_that_there_is_not_cannot_be_replaced() -> None:
    with pytest.raises(ValueError, match="other"):
        Ours("a")._replace(other=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Ours._make(["a"])
    with pytest.raises(AttributeError):
        Ours("a").size = 5  # type: ignore[misc]


def test_a_field_without_a_default_comes_before_those_with_one() -> None:
    with pytest.raises(TypeError):
        exec("class Wrong(NamedTuple):\n    name: str = ''\n    size: int\n", {"NamedTuple": NamedTuple})


def test_it_is_copied_pickled_matched_and_written() -> None:
    ours = Ours("a", 5)
    device = Device("CUDA", 0, type=DeviceType.DISCRETE)

    match ours:
        case Ours(name, size):
            assert (name, size, ours.twice) == ("a", 5, 10)
    assert copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == ours
    assert type(pickle.loads(pickle.dumps(ours))) is Ours
    assert from_json(Device, to_json(device)) == device
