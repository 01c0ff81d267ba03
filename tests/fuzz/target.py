"""What a target is: a parser, the errors that it may answer with, and what must then hold of whatever it parsed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

CORPUS = Path(__file__).parents[1] / "corpus"
MOST_SECONDS = 1.0  # of the processor, for one input: of the product, without what measures coverage


class Target(NamedTuple):
    """`then` takes what `parse` gave: no error of any kind is allowed there."""

    name: str
    about: str
    parse: Callable[[bytes], Any]
    then: Callable[[Any], object]
    seeds: Callable[[], Iterable[bytes]]
    allowed: tuple[type[Exception], ...] = ()
    longest: int = 4096  # bytes of an input
    json: bool = False  # inputs are changed as JSON too, not only as bytes
    rooms: tuple[str, ...] = ()  # rooms and modules: their branches are watched, and their texts are the dictionary

    def run(self, content: bytes) -> None:
        try:
            parsed = self.parse(content)
        except self.allowed:
            return
        self.then(parsed)

    def kept(self) -> list[Path]:
        """The files of the corpus."""
        return sorted(path for path in (CORPUS / self.name).glob("*") if path.is_file())


class Slow(Exception):
    """An input that costs more than any should."""


def timed(target: Target, content: bytes, most: float) -> None:
    began = time.process_time()
    target.run(content)
    if (took := time.process_time() - began) > most:
        raise Slow(f"{len(content)} bytes took {took:.1f} s of the processor")
