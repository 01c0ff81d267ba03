"""What is asked of one answer many times is thought out once: the questions of a document are asked for each device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

About = TypeVar("About")
Answer = TypeVar("Answer")


def once(function: Callable[[About], Answer]) -> Callable[[About], Answer]:
    """Keeps what was answered about the last thing that was asked about; the same one is the very same object.

    For records alone: they do not change.
    """
    last: list[tuple[About, Answer]] = []

    def asked(about: About) -> Answer:
        if not last or last[0][0] is not about:
            last[:] = [(about, function(about))]
        return last[0][1]

    return asked
