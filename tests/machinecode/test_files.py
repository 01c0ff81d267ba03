"""Files as they lie there: of any kind and size, damaged, changed, and enormous. None ends in an error."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.machinecode import Targets, targets_of
from gpuprobe.machinecode.content import Unread, bounded, of_bytes
from gpuprobe.machinecode.reading import targets_in
from tests.machinecode.writers import CODE, EXACT, PTX, aligned, archive, compressed, container, elf, hip, image, pe, zstd

CUDA = container(image(80), image(90, CODE, EXACT), image(90, PTX)) + container(image(80))
HIP = aligned([hip("gfx90a:xnack-", "gfx11-generic"), compressed(hip("gfx1100"), 2), compressed(hip("gfx942"), 1, "zlib")])
SYCL = (b"__CLANG_OFFLOAD_BUNDLE__sycl-spir64_gen", archive("64.12.60.7", "64.12.55.8") + zstd.compress(archive("64.20.1.0")))
EVERYTHING = [(b".nv_fatbin", CUDA), (b".hip_fatbin", HIP), SYCL]
FILES = [elf(EVERYTHING), pe(EVERYTHING), CUDA, HIP, compressed(hip("gfx1100"))]


def sparse(path: Path, size: int) -> Path:
    """A library of `size` bytes with two modules, the code of the first of which is a hole in the file."""
    behind = container(image(90))
    first = bytearray(container(image(80, code=b"")))
    room = size - 64 - len(first) - len(behind)
    struct.pack_into("<Q", first, 8, 64 + room)
    struct.pack_into("<Q", first, 24, room)
    whole = elf([(b".nv_fatbin", b"")])
    table = bytearray(whole[64:][len(b"\0.nv_fatbin\0.shstrtab\0") :])
    struct.pack_into("<QQ", table, 64 + 24, 64, len(first) + room + len(behind))
    names = whole[64 : 64 + len(b"\0.nv_fatbin\0.shstrtab\0")]
    end = 64 + len(first) + room + len(behind)
    struct.pack_into("<QQ", table, 128 + 24, end, len(names))
    header = bytearray(whole[:64])
    struct.pack_into("<Q", header, 40, end + len(names))
    with path.open("wb") as file:
        file.write(header + first)
        file.seek(64 + len(first) + room)
        file.write(behind + names + table)
    return path


def test_everything_in_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "libeverything.so"
    path.write_bytes(elf(EVERYTHING))

    said = targets_of(str(path))

    assert set(said.names) == {
        *("sm_80", "sm_90a", "compute_90"),
        *("gfx90a:xnack-", "gfx11-generic", "gfx1100", "gfx942"),
        *("12.60.7", "12.55.8", "20.1.0"),
    }
    assert (said.path, said.unread) == (str(path), None)


@pytest.mark.parametrize("size", [2_000_000, 8_000_000_000])
def test_memory_stays_the_same_for_a_file_of_any_size(tmp_path: Path, size: int) -> None:
    path = sparse(tmp_path / "liblarge.so", size)
    targets_of(str(path))  # imports
    tracemalloc.start()
    try:
        said = targets_of(str(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert path.stat().st_size > size
    assert (said.names, said.unread) == (("sm_80", "sm_90"), None)
    assert peak < 128 * 1024


def test_a_file_of_zeros_is_not_searched_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "libzeros.so"
    path.write_bytes(elf([(b".hip_fatbin", bytes(100_000))]))
    os.truncate(path, 1 << 33)

    assert "hole" in (targets_of(str(path)).unread or "")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.mkdir(), "not a regular file"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.write_bytes(b""), "neither an ELF nor a PE file"),
        (lambda path: path.write_text("#!/bin/sh\n"), "neither an ELF nor a PE file"),
        (lambda path: path.write_bytes(b"\x7fELF\x01\x01" + bytes(90)), "64 bits"),
        (lambda path: path.write_bytes(b"\x7fELF\x02\x01"), "cut off"),
        (lambda path: path.write_bytes(b"\x7fELF\x02\x01" + bytes(90)), "no table of sections"),
        (lambda path: path.write_bytes(elf([])[:-1]), "cut off"),
        (lambda path: path.write_bytes(b"MZ"), "cut off"),
        (lambda path: path.write_bytes(b"MZ".ljust(64, b"\0")), "DOS"),
        (lambda path: path.write_bytes(pe([(b".nv_fatb", CUDA)])[:100]), "cut off"),
        (lambda path: None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_library_is_a_reason(tmp_path: Path, make: Callable[[Path], object], why: str) -> None:
    path = tmp_path / "libodd.so"
    make(path)

    said = targets_of(str(path))

    assert (said.modules, said.containers) == ((), ())
    assert why in (said.unread or "")


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opening(*_: object) -> int:
        raise AssertionError("it was opened")

    monkeypatch.setattr(os, "open", opening)

    assert targets_of("/dev/zero").unread == "it is not a regular file"


def test_a_path_that_no_file_can_have_is_a_reason() -> None:
    assert "cannot be read" in (targets_of("/tmp/lib\0.so").unread or "")


def test_a_file_that_shrinks_while_it_is_read_is_cut_off(tmp_path: Path) -> None:
    """A map of it would end the process here."""
    whole = of_bytes(elf([(b".nv_fatbin", CUDA)]))

    def shrunk(offset: int, size: int) -> bytes:
        return whole.read(offset, size) if size != 16 else b""

    assert "cut off" in (targets_in("libgone.so", whole._replace(read=shrunk)).unread or "")


def plausible(said: Targets) -> bool:
    """What was read holds together, whatever the file was."""
    return all(module.targets and module.times > 0 for module in said.modules) and len(said.modules) <= 1024


@given(st.sampled_from(FILES), st.floats(0, 1))
def test_a_file_that_ends_anywhere_is_read_as_far_as_it_goes(whole: bytes, share: float) -> None:
    complete = targets_in("lib.so", of_bytes(whole))

    said = targets_in("lib.so", of_bytes(whole[: int(len(whole) * share)]))

    assert set(said.names) <= set(complete.names)
    assert plausible(said)


@given(st.sampled_from(FILES), st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), max_size=6))
def test_a_file_with_any_bytes_changed_is_read_without_an_error(whole: bytes, changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(whole)
    for place, value in changes:
        at = place % len(changed)
        changed[at : at + len(value)] = value

    assert plausible(targets_in("lib.so", of_bytes(bytes(changed))))


@given(
    st.binary(max_size=400), st.sampled_from([b".nv_fatbin", b".hip_fatbin", SYCL[0]]), st.sampled_from([b"", CUDA, HIP[:4096]])
)
def test_a_section_of_any_bytes_is_read_without_an_error(content: bytes, name: bytes, before: bytes) -> None:
    assert plausible(targets_in("lib.so", of_bytes(elf([(name, before + content)]))))


@given(
    st.lists(
        st.tuples(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.integers(0, 1 << 16), st.integers(0, 3)),
        max_size=30,
    )
)
def test_headers_with_any_sizes_end_in_bounded_work(headers: list[tuple[int, int, int, int]]) -> None:
    """Sizes of 0, of all there is, and beyond 64 bits together: every step goes on, or ends."""
    content = b"".join(
        struct.pack(
            "<IHHQHHIQIIHHIIIQ",
            0xBA55ED50,
            1,
            16,
            first % (1 << 64),
            kind,
            0x101,
            size,
            second % (1 << 64),
            *[0] * 4,
            90,
            0,
            0,
            0,
        )
        for first, second, size, kind in headers
    )

    assert plausible(targets_in("lib.so", of_bytes(elf([(b".nv_fatbin", content)]))))


def test_a_section_that_a_file_lists_over_and_over_is_not_read_over_and_over() -> None:
    said = targets_in("lib.so", of_bytes(elf([(b".nv_fatbin", CUDA)] * 100)))

    assert "more sections" in (said.unread or "")
    assert "sm_80" in said.names


@pytest.mark.parametrize("name", [b".nv_fatbin", b".hip_fatbin", SYCL[0]])
def test_a_large_file_of_the_smallest_parts_is_not_read_to_its_end(name: bytes) -> None:
    part = {b".nv_fatbin": container(), b".hip_fatbin": hip(alignment=128), SYCL[0]: zstd.compress(archive("64.1.1.1"))}[name]

    said = targets_in("lib.so", of_bytes(elf([(name, part * 70_000)])))

    assert "it has more" in (said.unread or "")


@pytest.mark.parametrize("kind", [CODE, 8])
def test_a_large_container_of_the_smallest_images_is_not_read_to_its_end(kind: int) -> None:
    images = image(80, kind, code=b"") * 270_000

    assert "it has more" in (targets_in("lib.so", of_bytes(elf([(b".nv_fatbin", container(images))]))).unread or "")


def test_code_that_unpacks_to_far_more_than_it_is_ends_the_reading() -> None:
    image = zstd.compress(archive("64.1.1.1", code=bytes(3_000_000)))

    said = targets_in("lib.so", of_bytes(elf([(SYCL[0], image * 1000)])))

    assert len(image) < 1000
    assert said.modules[0].times < 30
    assert "more SYCL images" in (said.unread or "")


def test_bytes_that_unpack_to_nothing_end_the_reading() -> None:
    """Empty blocks of zstd, 3 bytes each, are a valid frame of any length."""
    frame = b"\x28\xb5\x2f\xfd\x00\x50" + b"\0\0\0" * 400_000
    whole = b"CCOB" + struct.pack("<HHQQQ", 3, 1, 32 + len(frame), 5000, 0) + frame

    content, read = of_bytes(elf([(b".hip_fatbin", whole)])), Counter[str]()

    def counting(offset: int, size: int) -> bytes:
        read["bytes"] += size
        return content.read(offset, size)

    said = targets_in("lib.so", content._replace(read=counting))

    assert (said.modules, said.unread) == ((), "its compressed code is no HIP bundle")
    assert read["bytes"] < content.size // 2


def patched(whole: bytes, *changes: tuple[int, str, int]) -> bytes:
    """(offset, format, value) each."""
    changed = bytearray(whole)
    for offset, form, value in changes:
        struct.pack_into(form, changed, offset, value)
    return bytes(changed)


ORDINARY = elf([(b".nv_fatbin", CUDA)])
(TABLE,) = struct.unpack_from("<Q", ORDINARY, 40)
OFFSET_OF_TABLE, COUNT, NAMES_AT = 40, 60, 62  # in the header
KIND, OFFSET, SIZE, LINK = 4, 24, 32, 40  # in an entry of the table


def test_a_file_of_debug_information_lists_sections_without_their_bytes() -> None:
    said = targets_in("lib.so.debug", of_bytes(patched(ORDINARY, (TABLE + 64 + KIND, "<I", 8))))

    assert (said.containers, said.unread) == ((), None)


def test_numbers_that_are_too_large_for_the_header_stand_in_the_first_section() -> None:
    moved = [(COUNT, "<H", 0), (NAMES_AT, "<H", 0xFFFF), (TABLE + SIZE, "<Q", 3), (TABLE + LINK, "<I", 2)]

    assert targets_in("lib.so", of_bytes(patched(ORDINARY, *moved))).names == targets_in("lib.so", of_bytes(ORDINARY)).names


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((COUNT, "<H", 0), "table of sections is damaged"),
        ((COUNT, "<H", 60_000), "table of sections is cut off"),
        ((NAMES_AT, "<H", 99), "table of sections is damaged"),
        ((OFFSET_OF_TABLE, "<Q", 1 << 40), "table of sections is cut off"),
        ((OFFSET_OF_TABLE, "<Q", (1 << 64) - 8), "table of sections is cut off"),
        ((OFFSET_OF_TABLE + 18, "<H", 40), "table of sections is damaged"),
        ((TABLE + 64 + OFFSET, "<Q", (1 << 64) - 1), "the file is cut off"),
        ((TABLE + 64 + SIZE, "<Q", (1 << 64) - 1), "something else"),
    ],
)
def test_numbers_that_cannot_be_are_a_reason(tmp_path: Path, change: tuple[int, str, int], why: str) -> None:
    path = tmp_path / "libodd.so"
    path.write_bytes(patched(ORDINARY, change))

    assert why in (targets_of(str(path)).unread or "")


def test_names_of_sections_that_lie_nowhere_leave_no_section_to_find(tmp_path: Path) -> None:
    path = tmp_path / "libodd.so"
    path.write_bytes(patched(ORDINARY, (TABLE + 128 + OFFSET, "<Q", (1 << 64) - 1)))

    assert targets_of(str(path)).containers == ()


def test_what_takes_more_reading_than_it_may_ends() -> None:
    content = bounded(of_bytes(bytes(100_000)), 3)

    assert len(content.at(0, 4096)) == 4096
    with pytest.raises(Unread, match="longer to read"):
        content.at(0, 8192)
