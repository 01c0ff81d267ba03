"""One section of a shared library, read as bytes: nothing of the file is loaded, and no more of it read than asked for."""

from __future__ import annotations

import os
import struct

from gpuprobe.survey.tree import READING, Tree

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_MOST_SECTIONS = 1024
_MOST_NAMES = 64 * 1024  # bytes


def section(tree: Tree, path: str, name: bytes, most: int) -> bytes | None:
    """The content of a section of a 64-bit little-endian ELF file; None: no such file, or no section of that name.

    A section of more than `most` bytes counts as none. OSError and ValueError as from `Tree.content`.
    """
    descriptor = os.open(tree.at(path), READING)
    try:
        found = _place(descriptor, name)
        if found is None or found[1] > most:
            return None
        return _read(descriptor, *found)
    finally:
        os.close(descriptor)


def _place(descriptor: int, name: bytes) -> tuple[int, int] | None:
    """(offset, size) of the section."""
    header = _read(descriptor, 0, _HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(b"\x7fELF\x02\x01"):
        return None
    *_, start, _, _, _, _, size, count, names_at = _HEADER.unpack(header)
    if size != _SECTION.size or not 0 < count <= _MOST_SECTIONS or names_at >= count:
        return None
    table = _read(descriptor, start, size * count)
    if len(table) < size * count:
        return None
    sections = [_SECTION.unpack_from(table, size * number) for number in range(count)]
    names = _read(descriptor, sections[names_at][4], min(sections[names_at][5], _MOST_NAMES))
    wanted = (each for each in sections if names[each[0] : each[0] + len(name) + 1] == name + b"\0")
    return next(((each[4], each[5]) for each in wanted), None)


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
