"""What is asked of one answer many times is thought out once: the questions of a document are asked for each device."""

from __future__ import annotations

from collections.abc import Callable

_MOST = 1024

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    About = TypeVar("About")
    Answer = TypeVar("Answer")


def remembered(function: Callable[[About], Answer], most: int = _MOST) -> Callable[[About], Answer]:
    """Keeps what was answered about each text, or whatever else can be a key, so many of them at a time."""
    known: dict[About, Answer] = {}

    def asked(about: About) -> Answer:
        try:
            return known[about]
        except KeyError:
            if len(known) >= most:
                known.clear()
            return known.setdefault(about, function(about))

    return asked


def lately(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """Keeps the last answer, for as long as the same is asked again, as by one reading after another."""
    last: list[tuple[tuple[object, ...], Answer]] = []

    def asked(*about: object) -> Answer:
        for known, answer in last:
            if known == about:
                return answer
        answer = function(*about)
        last[:] = [(about, answer)]
        return answer

    return asked


def once(function: Callable[[About], Answer]) -> Callable[[About], Answer]:
    """Keeps what was answered about the last two things that were asked about, as two are compared; the same one is the very
    same object. For records alone: they do not change.
    """
    last: list[tuple[About, Answer]] = []

    def asked(about: About) -> Answer:
        for known, answer in last:
            if known is about:
                return answer
        answer = function(about)
        last[:] = [*last[-1:], (about, answer)]
        return answer

    return asked
