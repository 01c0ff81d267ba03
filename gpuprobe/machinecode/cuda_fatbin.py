"""What is in a CUDA fat binary: containers one behind the other, each with an entry per architecture.

Entry headers are plain where the code behind them is compressed (LZ4, and zstd since CUDA 12.8), so nothing is unpacked. Only
`.nv_fatbin` is read: `__nv_relfatbin` holds what the device linker was given, and nothing of it is ever loaded. bitsandbytes
has PTX there, and none that a driver sees.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.machinecode.content import Content, Unread, without_padding
from gpuprobe.machinecode.targets import Image, Kind, Target, Vendor

CUDA_MAGIC = b"\x50\xed\x55\xba"
_CONTAINER = struct.Struct("<4sHHQ")  # magic, version, size of this header, size of the entries
# kind, version, size of this header, size of the code (compressed, with padding), compressed size, …, minor and major of the
# code's own version, architecture, …, flags
_ENTRY = struct.Struct("<HHIQIIHHIIIQ")
_VERSION = 1  # of containers, in every library met, compiled by CUDA 11.8 to 13.5
_PTX, _CODE = 1, 2  # cuFFT's data has a kind 8, too
_MOST_KINDS = 4
_EXACT, _FAMILY = 0x100000, 0x200000
_COMPRESSIONS = {0x2000: "LZ4", 0x8000: "zstd"}

# onnxruntime's 219 MB have 4,000 entries.
_MOST_CONTAINERS, _MOST_IMAGES = 1 << 16, 1 << 18
_TOO_MUCH = "it has more CUDA code than is read"
_ARCHITECTURES = range(10, 1000)


class _Entry(NamedTuple):
    kind: int
    header: int  # bytes
    size: int  # bytes behind the header
    version: tuple[int, int]
    architecture: int
    flags: int


def cuda_modules(section: Content) -> Iterator[tuple[Image, ...]]:
    """The images of each container. Unread, behind what could be read, where the rest could not, or is of another kind."""
    at, left = 0, _MOST_IMAGES
    others: dict[int, None] = {}
    for _ in range(_MOST_CONTAINERS):
        at = without_padding(section, at)
        if at >= section.size:
            break
        start, size = _container(section, at)
        images, problem = _images(section.part(at + start, size), left, others)
        if images:
            yield tuple(images)
        if problem:
            raise Unread(problem)
        at, left = at + start + size, left - len(images)
        if left <= 0:
            break
    if at < section.size:
        raise Unread(_TOO_MUCH)
    if others:
        raise Unread(f"it has CUDA code of kind {', '.join(map(str, others))}, which is not known")


def _container(section: Content, at: int) -> tuple[int, int]:
    """(size of its header, size of the entries)"""
    header = section.at(at, _CONTAINER.size)
    if len(header) < _CONTAINER.size:
        raise Unread("its last CUDA container is cut off")
    magic, version, start, size = _CONTAINER.unpack(header)
    if magic != CUDA_MAGIC or start < _CONTAINER.size:
        raise Unread("between its CUDA containers is something else")
    if version != _VERSION:
        raise Unread(f"it has a CUDA container of version {version}, which is not known")
    if size > section.size - at - start:
        raise Unread("a CUDA container of it is cut off")
    return start, size


def _images(entries: Content, most: int, others: dict[int, None]) -> tuple[list[Image], str | None]:
    """The images of one container, and why that is not all of them. Kinds that are not known go into `others`."""
    images: list[Image] = []
    at = 0
    for _ in range(most):
        if at >= entries.size:
            return images, None
        try:
            entry = _entry(entries, at)
            if entry.kind in (_PTX, _CODE):
                images.append(_image(entry))
            elif len(others) < _MOST_KINDS:
                others.setdefault(entry.kind)
        except Unread as unread:
            return images, str(unread)
        at += entry.header + entry.size
    return images, _TOO_MUCH if at < entries.size else None


def _entry(entries: Content, at: int) -> _Entry:
    header = entries.at(at, _ENTRY.size)
    if len(header) < _ENTRY.size:
        raise Unread("the header of a CUDA image in it is cut off")
    kind, _, start, size, _, _, minor, major, architecture, _, _, flags = _ENTRY.unpack(header)
    if start < _ENTRY.size or size > entries.size - at - start:
        raise Unread("a CUDA image in it is cut off")
    return _Entry(kind, start, size, (major, minor), architecture, flags)


def _image(entry: _Entry) -> Image:
    if entry.architecture not in _ARCHITECTURES or (entry.flags & _EXACT and entry.flags & _FAMILY):
        raise Unread("a CUDA image in it names no architecture that can be")
    suffix = "a" if entry.flags & _EXACT else "f" if entry.flags & _FAMILY else ""
    kind, prefix = (Kind.PORTABLE, "compute") if entry.kind == _PTX else (Kind.CODE, "sm")
    target = Target(Vendor.NVIDIA, f"{prefix}_{entry.architecture}{suffix}", kind, entry.architecture, suffix)
    compression = next((name for flag, name in _COMPRESSIONS.items() if entry.flags & flag), None)
    return Image(target, compression, entry.version if entry.kind == _PTX else None)
