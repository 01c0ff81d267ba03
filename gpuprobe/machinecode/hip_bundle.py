"""What is in a HIP fat binary: bundles one behind the other, each with an image per architecture, plain or compressed.

A plain bundle begins with a table of what is in it. A compressed one says its sizes and has the table inside, which alone is
unpacked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.machinecode.content import Content, Unread, of_bytes, without_padding
from gpuprobe.machinecode.targets import Image, Kind, Target, Vendor
from gpuprobe.machinecode.unpacking import beginning_of_zlib, beginning_of_zstd

HIP_PLAIN, HIP_COMPRESSED = b"__CLANG_OFFLOAD_BUNDLE__", b"CCOB"
_COUNT = struct.Struct("<Q")
_ENTRY = struct.Struct("<QQQ")  # offset in the bundle, size, length of the name behind it
_BEGINNING = struct.Struct("<4sHH")  # magic, version, method
# After that by version: whole size (since 2), unpacked size, hash; 64 bits for both sizes since 3.
_SIZES = {1: struct.Struct("<IQ"), 2: struct.Struct("<IIQ"), 3: struct.Struct("<QQQ")}
_METHODS = {0: ("zlib", beginning_of_zlib), 1: ("zstd", beginning_of_zstd)}

_MOST_BUNDLES = 1 << 14  # libggml-hip has 140
_MOST_IMAGES = 1 << 18
_MOST_ENTRIES = 256  # JAX's wheels have 27
_MOST_NAME = 256  # bytes
_FURTHEST_END = 64 * 1024 * 1024  # bytes
_TABLE = len(HIP_PLAIN) + _COUNT.size + _MOST_ENTRIES * (_ENTRY.size + 64)  # bytes that hold the table of every real bundle

_NAME = re.compile(
    r"(?:hip|hipv4)-(?:amdgcn-amd-amdhsa-[a-z]*-?(?P<gfx>gfx[0-9a-f]{3,5}|gfx[0-9]{1,2}(?:-[0-9])?-generic)"
    r"(?P<features>(?::[a-z0-9_]+[+-]){0,8})|spirv64-amd-amdhsa-[a-z]*-?(?P<portable>amdgcnspirv))"
)


class _Packed(NamedTuple):
    """One compressed bundle; the sizes are in bytes."""

    method: int
    header: int
    whole: int | None  # None: version 1 does not say it
    unpacked: int


def hip_modules(section: Content) -> Iterator[tuple[Image, ...]]:
    """The images of each bundle. Unread, behind what could be read, where the rest could not."""
    at, left = 0, _MOST_IMAGES
    for _ in range(_MOST_BUNDLES):
        at = without_padding(section, at)
        if at >= section.size:
            return
        beginning = section.at(at, len(HIP_PLAIN))
        if beginning.startswith(HIP_COMPRESSED):
            size, images, problem = _compressed(section.part(at, section.size))
        elif beginning == HIP_PLAIN:
            size, images, problem = _plain(section.part(at, section.size), None)
        else:
            raise Unread("between its HIP bundles is something else")
        if images:
            yield tuple(images)
        if problem:
            raise Unread(problem)
        at, left = at + size, left - len(images)
        if left <= 0:
            break
    raise Unread("it has more HIP bundles than are read")


def _plain(bundle: Content, compression: str | None) -> tuple[int, list[Image], str | None]:
    """(size of the bundle, its images, why that is not all of them)"""
    images: list[Image] = []
    size = at = len(HIP_PLAIN) + _COUNT.size
    try:
        for _ in range(_entries(bundle)):
            name, offset, length = _entry(bundle, at)
            at += _ENTRY.size + len(name)
            size = max(size, at, offset + length)
            if not name.startswith("host-"):
                images.append(Image(_target(name), compression))
    except Unread as unread:
        return size, images, str(unread)
    return size, images, None


def _entries(bundle: Content) -> int:
    found = bundle.at(len(HIP_PLAIN), _COUNT.size)
    if len(found) < _COUNT.size:
        raise Unread("a HIP bundle in it is cut off")
    (count,) = _COUNT.unpack(found)
    if count > _MOST_ENTRIES:
        raise Unread("a HIP bundle in it is damaged")
    return int(count)


def _entry(bundle: Content, at: int) -> tuple[str, int, int]:
    """(name, offset, size)"""
    found = bundle.at(at, _ENTRY.size)
    if len(found) < _ENTRY.size:
        raise Unread("a HIP bundle in it is cut off")
    offset, size, length = _ENTRY.unpack(found)
    name = bundle.at(at + _ENTRY.size, min(length, _MOST_NAME))
    if length > _MOST_NAME or len(name) < length or offset + size > bundle.size:
        raise Unread("a HIP bundle in it is cut off")
    return name.decode("ascii", "backslashreplace"), offset, size


def _target(name: str) -> Target:
    found = _NAME.fullmatch(name)
    if found is None:
        raise Unread("a HIP bundle in it is for something whose name is not known")
    if found["portable"]:
        return Target(Vendor.AMD, found["portable"], Kind.PORTABLE)
    features = tuple(found["features"].split(":")[1:])
    return Target(Vendor.AMD, found["gfx"] + found["features"], Kind.CODE, None, "", features, "generic" in found["gfx"])


def _compressed(rest: Content) -> tuple[int, list[Image], str | None]:
    """As `_plain`, for a bundle that begins where `rest` does."""
    try:
        packed = _packed(rest)
        name, unpack = _METHODS[packed.method]
        whole = _end(rest, packed) if packed.whole is None else packed.whole
        table = unpack(rest.part(packed.header, whole - packed.header), min(_TABLE, packed.unpacked))
        if not table.startswith(HIP_PLAIN):
            raise Unread("its compressed code is no HIP bundle")
    except Unread as unread:
        return 0, [], str(unread)
    # What the entries point to was not unpacked: `part` of the sizes that are said, with the bytes that are there.
    _, images, problem = _plain(Content(packed.unpacked, of_bytes(table).at), name)
    return whole, images, problem


def _packed(rest: Content) -> _Packed:
    beginning = rest.at(0, _BEGINNING.size)
    if len(beginning) < _BEGINNING.size:
        raise Unread("a HIP bundle in it is cut off")
    _, version, method = _BEGINNING.unpack(beginning)
    layout = _SIZES.get(version)
    if layout is None or method not in _METHODS:
        raise Unread(f"it has a compressed HIP bundle of version {version} and method {method}, which are not known")
    sizes = rest.at(_BEGINNING.size, layout.size)
    if len(sizes) < layout.size:
        raise Unread("a HIP bundle in it is cut off")
    *whole, unpacked, _ = layout.unpack(sizes)
    header = _BEGINNING.size + layout.size
    if whole and not header < whole[0] <= rest.size:
        raise Unread("a HIP bundle in it is cut off")
    return _Packed(method, header, whole[0] if whole else None, unpacked)


def _end(rest: Content, packed: _Packed) -> int:
    """Version 1 does not say where it ends: where the next bundle begins, or with the section."""
    at = packed.header
    while at < _FURTHEST_END:
        some = rest.at(at, 1 << 20)
        found = some.find(HIP_COMPRESSED)
        if found >= 0:
            return at + found
        if at + len(some) >= rest.size or len(some) <= len(HIP_COMPRESSED):
            return rest.size
        at += len(some) - len(HIP_COMPRESSED)  # its beginning may be the end of these
    raise Unread("where a compressed HIP bundle of version 1 ends was not found")
