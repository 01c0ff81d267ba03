"""The beginning of compressed bytes, or all of few: as much as a header needs, in bounded memory.

zstd is in the standard library since Python 3.14, and its own backport is for those before. The system's libzstd is not
loaded: a library found by the loader's search path runs in a child or not at all.
"""

from __future__ import annotations

import sys
import zlib
from importlib import import_module
from typing import Any

from gpuprobe.machinecode.content import Content, Unread, of_bytes

_AT_ONCE = 16 * 1024  # bytes of input
_MOST_INPUT = 512 * 1024  # bytes for a beginning; a block of zstd has 128 KiB at most, and the table lies in the first
_MOST_WHOLE = 4 * 1024 * 1024  # bytes unpacked; bitsandbytes' images for Intel have 0.7 MB
_ZSTD = b"\x28\xb5\x2f\xfd"
_WINDOW = 1 << 20
# A frame without checksum, dictionary or size, and with a window of 1 MiB.
_OWN_HEADER = _ZSTD + b"\x00" + bytes([(20 - 10) << 3])


def beginning_of_zlib(packed: Content, size: int) -> bytes:
    """The first `size` bytes, or fewer where it ends. Unread where it is damaged."""
    unpacker, packed = zlib.decompressobj(), packed.part(0, _MOST_INPUT)
    unpacked, at = b"", 0
    try:
        while len(unpacked) < size and not unpacker.eof and (some := packed.at(at, _AT_ONCE)):
            unpacked += unpacker.decompress(some, size - len(unpacked))
            at += len(some)
    except zlib.error as error:
        raise Unread("its compressed code is damaged") from error
    return unpacked


def beginning_of_zstd(packed: Content, size: int) -> bytes:
    """The first `size` bytes, at most 1 MiB, or fewer where it ends. Unread where it is damaged or nothing here unpacks it."""
    zstd = _library()
    # HIP's frames want a window as large as all of the code, 150 MB and more: a decompressor would take that much, or refuse.
    # What lies in the first MiB reaches back no further, so the frame gets a header that says so.
    at = _after_header(packed)
    unpacker, packed = zstd.ZstdDecompressor(), packed.part(0, _MOST_INPUT)
    size = min(size, _WINDOW)
    try:
        unpacked = unpacker.decompress(_OWN_HEADER, size)
        while len(unpacked) < size and not unpacker.eof and (some := packed.at(at, _AT_ONCE)):
            unpacked += unpacker.decompress(some, size - len(unpacked))
            at += len(some)
    except zstd.ZstdError as error:
        raise Unread("its compressed code is damaged") from error
    return bytes(unpacked)


def whole_zstd(packed: Content) -> tuple[Content, int]:
    """All of a frame that has at most 4 MiB when unpacked, and the size of the frame itself. Unread as `beginning_of_zstd`, and
    where it is larger."""
    zstd = _library()
    unpacker = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _MOST_WHOLE.bit_length() - 1})
    unpacked, at = b"", 0
    try:
        while not unpacker.eof and len(unpacked) <= _MOST_WHOLE and (some := packed.at(at, _AT_ONCE)):
            unpacked += unpacker.decompress(some, _MOST_WHOLE + 1 - len(unpacked))
            at += len(some)
    except zstd.ZstdError as error:
        raise Unread("its compressed code is damaged, or larger than is unpacked here") from error
    if not unpacker.eof or len(unpacked) > _MOST_WHOLE:
        raise Unread("its compressed code is cut off, or larger than is unpacked here")
    return of_bytes(unpacked), at - len(unpacker.unused_data)


def _library() -> Any:
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise Unread("its code is compressed by zstd, which this Python cannot unpack without `backports.zstd`") from None


def _after_header(packed: Content) -> int:
    """Where the first block of a zstd frame begins; RFC 8878, section 3.1.1.1."""
    beginning = packed.at(0, 5)
    if len(beginning) < 5 or not beginning.startswith(_ZSTD):
        raise Unread("its compressed code is damaged")
    said = beginning[4]
    if said & 3:
        raise Unread("its compressed code needs a dictionary")
    single = said >> 5 & 1
    length = (single, 2, 4, 8)[said >> 6]
    return 5 + (1 - single) + length
