"""Where the sections of an executable file lie: ELF of 64 bits, and Windows' PE.

Mach-O is left out: neither NVIDIA's nor AMD's toolkit has compiled for macOS since CUDA 10.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.machinecode.content import Content, Unread

_ELF = b"\x7fELF"
_ELF_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_ELF_SECTION = struct.Struct("<IIQQQQIIQQ")
_WITHOUT_BYTES = 8  # SHT_NOBITS: no bytes of the file belong to it
_NUMBER_ELSEWHERE = 0xFFFF  # SHN_XINDEX: the number stands in the first section

_PE_OFFSET = struct.Struct("<60xI")
_PE_HEADER = struct.Struct("<4sHHIIIHH")
_PE_SECTION = struct.Struct("<8sIIIIIIHHI")

# libtorch_cuda has 40 sections. A relocatable file has one or more for each kernel.
_MOST_SECTIONS = 0x10000
_MOST_NAMES = 4 * 1024 * 1024  # bytes


class Section(NamedTuple):
    """`name` as the file has it: PE cuts it after 8 bytes, and fills the section up with zeros to a round `size`."""

    name: bytes
    offset: int
    size: int


def sections(file: Content) -> Iterator[Section]:
    """Every section with bytes in the file. Unread where it is of neither kind, or its table is damaged."""
    beginning = file.at(0, 64)
    if beginning.startswith(_ELF):
        return _elf(file, beginning)
    if beginning.startswith(b"MZ"):
        return _pe(file, beginning)
    raise Unread("it is neither an ELF nor a PE file")


def _elf(file: Content, beginning: bytes) -> Iterator[Section]:
    if beginning[4:6] != b"\x02\x01":
        raise Unread("it is not a little-endian ELF file of 64 bits")
    if len(beginning) < _ELF_HEADER.size:
        raise Unread("its ELF header is cut off")
    *_, start, _, _, _, _, size, count, names_at = _ELF_HEADER.unpack_from(beginning)
    if start == 0:
        raise Unread("it has no table of sections")
    if size != _ELF_SECTION.size:
        raise Unread("its table of sections is damaged")
    count, names_at = _large_numbers(file, start, count, names_at)
    if not 0 < count <= _MOST_SECTIONS or names_at >= count:
        raise Unread("its table of sections is damaged")
    return _elf_table(file, start, count, names_at)


def _large_numbers(file: Content, start: int, count: int, names_at: int) -> tuple[int, int]:
    """ELF keeps numbers that do not fit into 16 bits in the first section."""
    first = file.at(start, _ELF_SECTION.size)
    if len(first) < _ELF_SECTION.size:
        raise Unread("its table of sections is cut off")
    _, _, _, _, _, size, link, *_ = _ELF_SECTION.unpack(first)
    return count or size, link if names_at == _NUMBER_ELSEWHERE else names_at


def _elf_table(file: Content, start: int, count: int, names_at: int) -> Iterator[Section]:
    table = file.at(start, count * _ELF_SECTION.size)
    if len(table) < count * _ELF_SECTION.size:
        raise Unread("its table of sections is cut off")
    *_, names_start, names_size, _, _, _, _ = _ELF_SECTION.unpack_from(table, names_at * _ELF_SECTION.size)
    names = file.at(names_start, min(names_size, _MOST_NAMES))
    for name, kind, _, _, offset, size, *_ in _ELF_SECTION.iter_unpack(table):
        if kind != _WITHOUT_BYTES:
            yield Section(names[name : max(name, names.find(b"\0", name))], offset, size)


def _pe(file: Content, beginning: bytes) -> Iterator[Section]:
    if len(beginning) < _PE_OFFSET.size:
        raise Unread("its DOS header is cut off")
    (start,) = _PE_OFFSET.unpack_from(beginning)
    header = file.at(start, _PE_HEADER.size)
    if len(header) < _PE_HEADER.size or not header.startswith(b"PE\0\0"):
        raise Unread("it is a DOS program, or its PE header is damaged")
    _, _, count, _, _, _, optional, _ = _PE_HEADER.unpack(header)
    table = file.at(start + _PE_HEADER.size + optional, count * _PE_SECTION.size)
    if len(table) < count * _PE_SECTION.size:
        raise Unread("its table of sections is cut off")
    return _pe_table(table)


def _pe_table(table: bytes) -> Iterator[Section]:
    for name, _, _, size, offset, *_ in _PE_SECTION.iter_unpack(table):
        yield Section(name.rstrip(b"\0"), offset, size)
