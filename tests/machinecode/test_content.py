"""Bytes by offset: what is asked for outside of them is fewer or none, and what takes too long ends."""

from __future__ import annotations

import zlib

import pytest

from gpuprobe.machinecode.content import Content, Unread, bounded, of_bytes, opened, without_padding
from gpuprobe.machinecode.unpacking import beginning_of_zlib, beginning_of_zstd, whole_zstd
from tests.machinecode.writers import zstd

TEN = of_bytes(b"0123456789")


@pytest.mark.parametrize(
    ("offset", "size", "found"),
    [
        *((0, 10, b"0123456789"), (0, 11, b"0123456789"), (9, 5, b"9"), (10, 1, b""), (11, 1, b"")),
        *((-1, 5, b""), (0, 0, b""), (3, -2, b"")),
    ],
)
def test_bytes_are_those_that_are_there(offset: int, size: int, found: bytes) -> None:
    assert TEN.at(offset, size) == found


@pytest.mark.parametrize(
    ("offset", "size", "length", "first"),
    [(2, 3, 3, b"2"), (2, 100, 8, b"2"), (10, 5, 0, b""), (20, 5, 0, b""), (2, -1, 0, b""), (2, 0, 0, b"")],
)
def test_a_part_begins_anew_and_ends_where_it_is_said_to(offset: int, size: int, length: int, first: bytes) -> None:
    part = TEN.part(offset, size)

    assert (part.size, part.at(0, 1)) == (length, first)
    assert len(part.at(0, 100)) == length


def test_pages_are_counted_each_time_they_are_read() -> None:
    content = bounded(of_bytes(bytes(100_000)), 3)

    assert len(content.at(0, 4095)) == 4095
    assert len(content.at(0, 4096)) == 4096
    with pytest.raises(Unread, match="it takes longer to read than any library"):
        content.at(0, 1)
    assert len(bounded(of_bytes(bytes(100_000)), 4).at(0, 3 * 4096)) == 3 * 4096


@pytest.mark.parametrize(
    ("content", "offset", "found"),
    [
        (b"\0\0x", 0, 2),
        (b"\0\0x", 2, 2),
        (b"x\0\0", 1, 3),
        (b"", 0, 0),
        (b"x", 1, 1),
        (bytes(4096) + b"x", 0, 4096),
        (bytes(4095) + b"x", 0, 4095),
        (bytes(65_536) + b"x", 0, 65_536),
        (bytes(69_631) + b"x", 0, 69_631),
        (bytes(69_632) + b"x", 0, None),
        (b"x" + bytes(65_536) + b"x", 1, 65_537),
    ],
)
def test_padding_is_passed_over_as_far_as_a_linker_leaves_it(content: bytes, offset: int, found: int | None) -> None:
    if found is None:
        with pytest.raises(Unread, match="its code ends in a hole"):
            without_padding(of_bytes(content), offset)
    else:
        assert without_padding(of_bytes(content), offset) == found


def test_a_file_that_gives_nothing_where_it_should_is_a_hole() -> None:
    with pytest.raises(Unread, match="its code ends in a hole"):
        without_padding(Content(10, lambda offset, size: b""), 0)


def test_a_file_is_read_in_windows_and_any_place_of_it_is_right(tmp_path: object) -> None:
    path = f"{tmp_path}/x"
    whole = b"".join(number.to_bytes(4, "big") for number in range(4096))
    with open(path, "wb") as file:
        file.write(whole)

    with opened(path) as content:
        assert content.size == len(whole)
        for offset, size in (
            (0, 4),
            (4092, 4),
            (4092, 8),
            (100, 4),
            (4096, 4096),
            (4095, 4098),
            (0, 16384),
            (16380, 10),
            (4, 0),
        ):
            assert content.at(offset, size) == whole[offset : offset + size]


TEXT = bytes(range(256)) * 100


@pytest.mark.parametrize("size", [0, 1, 4096, len(TEXT) - 1, len(TEXT), len(TEXT) + 1])
def test_of_compressed_bytes_as_many_are_unpacked_as_are_wanted(size: int) -> None:
    assert beginning_of_zlib(of_bytes(zlib.compress(TEXT)), size) == TEXT[:size]
    assert beginning_of_zstd(of_bytes(zstd.compress(TEXT)), size) == TEXT[:size]


def test_a_beginning_is_unpacked_from_half_a_mib_and_is_a_mib_at_most() -> None:
    noise = b"".join(zlib.crc32(bytes([number % 256, number // 256])).to_bytes(4, "big") for number in range(40_000)) * 8
    packed = zlib.compress(noise, 0)

    assert len(packed) > 1 << 20
    assert (512 << 10) - 200 < len(beginning_of_zlib(of_bytes(packed), 1 << 30)) <= 512 << 10
    assert len(beginning_of_zstd(of_bytes(zstd.compress(bytes(3 << 20))), 1 << 30)) == 1 << 20


@pytest.mark.parametrize(("size", "fits"), [(4 << 20, True), ((4 << 20) + 1, False)])
def test_a_whole_frame_has_four_mib_at_most(size: int, fits: bool) -> None:
    packed = zstd.compress(bytes(size))

    if fits:
        content, length = whole_zstd(of_bytes(packed + b"behind it"))
        assert (content.size, length) == (size, len(packed))
    else:
        with pytest.raises(Unread, match="larger than is unpacked here"):
            whole_zstd(of_bytes(packed))


@pytest.mark.parametrize("packed", [b"", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfe\x00", b"nothing of the kind"])
def test_what_is_no_frame_is_damaged(packed: bytes) -> None:
    with pytest.raises(Unread, match="its compressed code is damaged"):
        beginning_of_zstd(of_bytes(packed), 10)


@pytest.mark.parametrize("packed", [zlib.compress(TEXT)[:-20], b"nothing of the kind"])
def test_damaged_zlib_gives_what_is_there_or_says_so(packed: bytes) -> None:
    if packed[0] == 0x78:
        assert TEXT.startswith(beginning_of_zlib(of_bytes(packed), 1 << 20))
    else:
        with pytest.raises(Unread, match="its compressed code is damaged"):
            beginning_of_zlib(of_bytes(packed), 10)
