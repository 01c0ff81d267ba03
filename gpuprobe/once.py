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
    """Keeps the last answer, and gives it again as long as it is asked about what equals that: of one reading after another."""
    last: list[tuple[tuple[object, ...], Answer]] = []

    def asked(*about: object) -> Answer:
        if not last or last[0][0] != about:
            last[:] = [(about, function(*about))]
        return last[0][1]

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
