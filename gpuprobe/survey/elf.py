"""Sections of a shared library, read as bytes: nothing of the file is loaded, and no more of it read than asked for."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from gpuprobe.survey.tree import Tree

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_MOST_SECTIONS = 1024
_MOST_NAMES = 64 * 1024  # bytes

_PIECE, _LONGEST = 1 << 20, 256

_DYNAMIC = struct.Struct("<qQ")
_NEEDED, _RPATH, _RUNPATH = 1, 15, 29
_MOST_DYNAMIC = 1024 * 1024  # bytes of the table, and of its names
_MOST_LINKS = 256


class Links(NamedTuple):
    """What a library names for the loader: the libraries it needs, and where it wants them looked for first."""

    needed: tuple[str, ...] = ()
    places: tuple[str, ...] = ()  # as written, `$ORIGIN` included


def section(tree: Tree, path: str, name: bytes, most: int) -> bytes | None:
    """The content of a section of a 64-bit little-endian ELF file; None: no such file, or no section of that name.

    A section of more than `most` bytes counts as none. OSError and ValueError as from `Tree.content`.
    """
    return _contents(tree, path, {name: most}).get(name)


def find_all(tree: Tree, path: str, name: bytes, pattern: re.Pattern[bytes], most: int) -> tuple[bytes, ...]:
    """What the pattern's group matches in the first `most` bytes of a section, each once; a match of 256 bytes at most.

    Read piece by piece: the constants of TensorFlow take 40 MB. OSError and ValueError as from `Tree.content`.
    """
    descriptor = tree.opened(path)
    try:
        found: dict[bytes, None] = {}
        at, size = _places(descriptor, (name,)).get(name, (0, 0))
        end = at + min(size, most)
        while at < end and (piece := _read(descriptor, at, min(_PIECE + _LONGEST, end - at))):
            found.update(dict.fromkeys(pattern.findall(piece)))
            at += _PIECE
        return tuple(found)
    finally:
        os.close(descriptor)


def links(tree: Tree, path: str) -> Links:
    """What is in its dynamic section; nothing where it has none. OSError and ValueError as from `Tree.content`."""
    found = _contents(tree, path, {b".dynamic": _MOST_DYNAMIC, b".dynstr": 64 * _MOST_DYNAMIC})
    table, names = found.get(b".dynamic", b""), found.get(b".dynstr", b"")
    entries = list(_DYNAMIC.iter_unpack(table[: len(table) // _DYNAMIC.size * _DYNAMIC.size]))
    needed = [_text(names, value) for tag, value in entries if tag == _NEEDED][:_MOST_LINKS]
    places = [_text(names, value) for tag, value in entries if tag in (_RPATH, _RUNPATH)]
    elements = dict.fromkeys(element for place in places for element in place.split(":") if element)
    return Links(tuple(name for name in needed if name), tuple(elements)[:_MOST_LINKS])


def _text(names: bytes, at: int) -> str:
    end = names.find(b"\0", at) if at < len(names) else -1
    return names[at:end].decode("utf-8", "backslashreplace") if 0 <= end - at <= 4096 else ""


def _contents(tree: Tree, path: str, wanted: dict[bytes, int]) -> dict[bytes, bytes]:
    """The sections of these names that are there and no larger than the bytes behind them."""
    descriptor = tree.opened(path)
    try:
        places = _places(descriptor, wanted)
        return {name: _read(descriptor, *place) for name, place in places.items() if place[1] <= wanted[name]}
    finally:
        os.close(descriptor)


def _places(descriptor: int, wanted: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
    """(offset, size) of the first section of each of these names."""
    header = _read(descriptor, 0, _HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(b"\x7fELF\x02\x01"):
        return {}
    *_, start, _, _, _, _, size, count, names_at = _HEADER.unpack(header)
    if size != _SECTION.size or not 0 < count <= _MOST_SECTIONS or names_at >= count:
        return {}
    table = _read(descriptor, start, size * count)
    if len(table) < size * count:
        return {}
    sections = [_SECTION.unpack_from(table, size * number) for number in range(count)]
    names = _read(descriptor, sections[names_at][4], min(sections[names_at][5], _MOST_NAMES))
    found: dict[bytes, tuple[int, int]] = {}
    for name in wanted:
        mine = (each for each in sections if names[each[0] : each[0] + len(name) + 1] == name + b"\0")
        found.update((name, (each[4], each[5])) for each in mine if name not in found)
    return found


def _read(descriptor: int, offset: int, size: int) -> bytes:
    """Fewer bytes where the file ends; none where the offset is none that a file can have."""
    if offset >= 2**63:
        return b""
    chunks: list[bytes] = []
    while size > 0 and (chunk := os.pread(descriptor, min(size, 1 << 20), offset)):
        chunks.append(chunk)
        offset, size = offset + len(chunk), size - len(chunk)
        if offset >= 2**63:
            break
    return b"".join(chunks)
