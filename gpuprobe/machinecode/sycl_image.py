"""What SYCL's images are for: SPIR-V, which a driver compiles, or an archive with a member per generation of graphics.

The section's name tells the one from the other. A member is named for its generation, "64.12.60.7" is 12.60.7 for 64 bits, and
its size stands before it, so that a plain archive is walked by its headers; a compressed one is unpacked, if it is small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.machinecode.content import Content, Unread, without_padding
from gpuprobe.machinecode.targets import Image, Kind, Target, Vendor
from gpuprobe.machinecode.unpacking import whole_zstd

SYCL_SECTION = b"__CLANG_OFFLOAD_BUNDLE__sycl-"
_PORTABLE, _AHEAD, _PROCESSOR = b"spir64", b"spir64_gen", b"spir64_x86_64"
_ARCHIVE, _ZSTD = b"!<arch>\n", b"\x28\xb5\x2f\xfd"
_MEMBER = re.compile(rb"([ -~]{16})[0-9 ]{32}([0-9]{1,10}) *`\n")
_GENERATION = re.compile(r"(?:32|64)\.([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})/")
_HEADER = 60  # bytes
_MOST_IMAGES, _MOST_MEMBERS = 1024, 1024
_MOST_UNPACKED = 64 * 1024 * 1024  # bytes, one image after the other


def sycl_modules(name: bytes, section: Content) -> Iterator[tuple[Image, ...]]:
    """The images of a section of this name. Unread, behind what could be read, where the rest could not."""
    kind = name.removeprefix(SYCL_SECTION)
    if kind == _PORTABLE:
        yield (Image(Target(Vendor.INTEL, "spir64", Kind.PORTABLE)),)
    elif kind == _AHEAD:
        yield from _ahead(section)
    elif kind != _PROCESSOR:
        raise Unread("it has a SYCL image for a device whose code is not read")


def _ahead(section: Content) -> Iterator[tuple[Image, ...]]:
    at = unpacked = 0
    for _ in range(_MOST_IMAGES):
        at = without_padding(section, at)
        if at >= section.size:
            return
        rest = section.part(at, section.size)
        packed = rest.at(0, len(_ZSTD)) == _ZSTD
        archive, size = whole_zstd(rest) if packed else (rest, 0)
        images, end = _members(archive, "zstd" if packed else None)
        if images:
            yield images
        at, unpacked = at + (size or end), unpacked + (archive.size if packed else 0)
        if unpacked > _MOST_UNPACKED:
            break
    raise Unread("it has more SYCL images than are read")


def _members(archive: Content, compression: str | None) -> tuple[tuple[Image, ...], int]:
    """The members that are named for a generation, and where the archive ends."""
    if archive.at(0, len(_ARCHIVE)) != _ARCHIVE:
        raise Unread("it has a SYCL image whose form is not known")
    images, at = [], len(_ARCHIVE)
    for _ in range(_MOST_MEMBERS):
        found = _MEMBER.fullmatch(archive.at(at, _HEADER))
        if found is None:
            break
        name = _GENERATION.match(found[1].decode("ascii"))
        if name is not None:
            images.append(Image(Target(Vendor.INTEL, name[1], Kind.CODE), compression))
        at += _HEADER + int(found[2]) + int(found[2]) % 2
    return tuple(images), at
