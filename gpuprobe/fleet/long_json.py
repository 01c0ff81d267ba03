"""A JSON text of any length, member by member: only one member is in memory, whatever holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecoder

_BLANKS = " \t\r\n"
_MAY_GO_ON = re.compile(r"[0-9.eE+-]*\Z")  # what is behind a number that a chunk cuts off
LONGEST_MEMBER = 32 << 20  # characters


class NotJson(ValueError):
    """The text ends too early, or is none; what came before was right."""


def members(chunks: Iterator[str], into: tuple[str, ...]) -> Iterator[tuple[str | None, object]]:
    """(key, value) of every member of the outermost list or record; None is the key in a list.

    What stands below a key of `into` is no member: its own members are. NotJson for what cannot be read on.
    """
    yield from _Text(chunks).inside(into)


class _Text:
    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks, self._held, self._at = chunks, "", 0
        self._decoder = JSONDecoder()

    def inside(self, into: tuple[str, ...], depth: int = 0) -> Iterator[tuple[str | None, object]]:
        opening = self._next()
        closing = {"{": "}", "[": "]"}.get(opening)
        if closing is None or depth > 16:
            raise NotJson("no list and no record")
        self._at += 1
        while (character := self._next()) != closing:
            if character == ",":
                self._at += 1
                continue
            key = self._key() if opening == "{" else None
            if self._next() in "{[" and (key in into if key is not None else depth and "plays" in into):
                yield from self.inside(into, depth + 1)
            else:
                yield key, self._value()
        self._at += 1

    def _key(self) -> str:
        key = self._value()
        if not isinstance(key, str) or self._next() != ":":
            raise NotJson("a record without a key")
        self._at += 1
        return key

    def _next(self) -> str:
        """The next character that is no blank, which stays where it is."""
        while True:
            while self._at < len(self._held) and self._held[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                raise NotJson("it ends too early")

    def _more(self) -> bool:
        """As much again as is held, so that a long member is not decoded once for each chunk of it."""
        kept = self._held[self._at :]
        pieces, wanted = [kept], max(len(kept), 1)
        for chunk in self._chunks:
            pieces.append(chunk)
            wanted -= len(chunk)
            if wanted <= 0:
                break
        self._held, self._at = "".join(pieces), 0
        return len(self._held) > len(kept)

    def _value(self) -> object:
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._held, self._at)
            except RecursionError as problem:
                raise NotJson("it is nested too deeply") from problem
            except ValueError as problem:
                if len(self._held) - self._at > LONGEST_MEMBER or not self._more():
                    raise NotJson(str(problem)) from problem
                continue
            if _MAY_GO_ON.match(self._held, end) and self._more():  # "1." is read as 1
                continue
            self._at = end
            return value
