"""Tables of sections: where their bytes lie, and which damage ends the reading."""

from __future__ import annotations

import struct

import pytest

from gpuprobe.machinecode.content import Unread, of_bytes
from gpuprobe.machinecode.sections import Section, sections
from tests.machinecode.writers import elf, pe

WHOLE = elf([(b".text", b"host"), (b".data", b"12345")])
DLL = pe([(b".text", b"host"), (b".longname1", b"12345")])
TABLE = struct.unpack_from("<Q", WHOLE, 40)[0]  # where it begins


def read(content: bytes) -> list[Section]:
    return list(sections(of_bytes(content)))


def changed(content: bytes, at: int, *bytes_: int) -> bytes:
    return content[:at] + bytes(bytes_) + content[at + len(bytes_) :]


def number(content: bytes, at: int, form: str, value: int) -> bytes:
    return changed(content, at, *struct.pack(form, value))


def test_every_section_has_its_name_and_its_place() -> None:
    assert [(each.name, each.size) for each in read(WHOLE)] == [(b"", 0), (b".text", 4), (b".data", 5), (b".shstrtab", 23)]
    text, data = read(WHOLE)[1:3]
    assert WHOLE[text.offset :][: text.size] + WHOLE[data.offset :][: data.size] == b"host12345"
    assert [(each.name, each.size) for each in read(DLL)] == [(b".text", 512), (b".longnam", 512)]
    assert DLL[read(DLL)[1].offset :].startswith(b"12345")


def test_a_section_without_bytes_in_the_file_is_left_out() -> None:
    assert [each.name for each in read(number(WHOLE, TABLE + 2 * 64 + 4, "<I", 8))] == [b"", b".text", b".shstrtab"]


def test_numbers_that_do_not_fit_stand_in_the_first_section() -> None:
    count, names_at = struct.unpack_from("<HH", WHOLE, 60)
    moved = number(number(WHOLE, 60, "<H", 0), TABLE + 32, "<Q", count)

    assert [each.name for each in read(moved)] == [each.name for each in read(WHOLE)]
    linked = number(number(WHOLE, 62, "<H", 0xFFFF), TABLE + 40, "<I", names_at)
    assert [each.name for each in read(linked)] == [each.name for each in read(WHOLE)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is neither an ELF nor a PE file"),
        (b"#!/bin/sh", "it is neither an ELF nor a PE file"),
        (changed(WHOLE, 4, 1), "it is not a little-endian ELF file of 64 bits"),
        (changed(WHOLE, 5, 2), "it is not a little-endian ELF file of 64 bits"),
        (WHOLE[:63], "its ELF header is cut off"),
        (number(WHOLE, 40, "<Q", 0), "it has no table of sections"),
        (number(WHOLE, 58, "<H", 63), "its table of sections is damaged"),
        (number(WHOLE, 60, "<H", 0), "its table of sections is damaged"),
        (number(WHOLE, 62, "<H", 4), "its table of sections is damaged"),
        (WHOLE[: TABLE + 63], "its table of sections is cut off"),
        (WHOLE[:-1], "its table of sections is cut off"),
        (number(number(WHOLE, 60, "<H", 0), TABLE + 32, "<Q", 0x10001), "its table of sections is damaged"),
        (number(number(WHOLE, 60, "<H", 0), TABLE + 32, "<Q", 0x10000), "its table of sections is cut off"),
        (b"MZ", "its DOS header is cut off"),
        (changed(DLL, 64, 0), "it is a DOS program, or its PE header is damaged"),
        (DLL[: 64 + 23], "it is a DOS program, or its PE header is damaged"),
        (DLL[: 64 + 24 + 79], "its table of sections is cut off"),
    ],
)
def test_a_damaged_table_says_what_is_damaged(content: bytes, why: str) -> None:
    with pytest.raises(Unread) as refused:
        read(content)

    assert str(refused.value) == why


def test_a_table_that_ends_with_the_file_is_whole() -> None:
    assert len(read(DLL[: 64 + 24 + 80])) == 2


def test_the_optional_header_of_a_dll_is_passed_over() -> None:
    longer = number(DLL[: 64 + 24] + b"x" * 16 + DLL[64 + 24 :], 64 + 20, "<H", 16)

    assert [each.name for each in read(longer)] == [b".text", b".longnam"]
