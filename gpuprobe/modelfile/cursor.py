"""A file read from front to back in pieces of bounded size.

Not mapped into memory: a file that another program shortens meanwhile would end this one with a bus error.
"""

from __future__ import annotations

import struct
from io import RawIOBase

PIECE = 1 << 20

_LENGTH = struct.Struct("<Q")


class Short(Exception):
    """The file ends before what was announced."""


class Cursor:
    """Where in the file we are. Never holds more than one piece, or the one string that was asked for."""

    def __init__(self, file: RawIOBase, size: int) -> None:
        self._file = file
        self._size = size
        self._piece = b""
        self._at = 0  # within the piece
        self._before = 0  # bytes of the file before the piece

    @property
    def position(self) -> int:
        return self._before + self._at

    @property
    def left(self) -> int:
        """Bytes between here and the end of the file."""
        return self._size - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises `Short` where there are not so many."""
        self._hold(count)
        start = self._at
        self._at = start + count
        return self._piece[start : self._at]

    def unpack(self, layout: struct.Struct) -> tuple[int | float | bool, ...]:
        self._hold(layout.size)
        start = self._at
        self._at = start + layout.size
        return layout.unpack_from(self._piece, start)

    def skip(self, count: int) -> None:
        if count > self.left:
            raise Short
        inside = self._at + count
        if inside <= len(self._piece):
            self._at = inside
            return
        target = self.position + count
        self._file.seek(target)
        self._piece, self._at, self._before = b"", 0, target

    def skip_strings(self, count: int) -> None:
        """Passes over `count` strings, each with its length in front: a vocabulary has hundreds of thousands."""
        if count * _LENGTH.size > self.left:
            raise Short
        unpack = _LENGTH.unpack_from
        while count:
            self._hold(_LENGTH.size)
            piece, at, passed = self._piece, self._at, 0
            try:
                # Without a test of the position in each turn: that would double the time.
                for passed in range(count):  # noqa: B007
                    at += _LENGTH.size + unpack(piece, at)[0]
                passed = count
            except struct.error:  # the piece ends here
                pass
            count -= passed
            self.skip(at - self._at)

    def _hold(self, count: int) -> None:
        """Sees to it that the piece goes on for at least `count` bytes."""
        have = len(self._piece) - self._at
        if have >= count:
            return
        if count > self.left:
            raise Short
        more = self._file.read(max(PIECE, count - have)) or b""
        self._before += self._at
        self._piece, self._at = self._piece[self._at :] + more, 0
        if len(self._piece) < count:
            raise Short
