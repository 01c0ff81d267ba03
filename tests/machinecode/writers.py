"""Files with code for GPUs as compilers write them, with nothing in the place of the code."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

PTX, CODE = 1, 2
EXACT, FAMILY, LZ4, ZSTD = 0x100000, 0x200000, 0x2000, 0x8000

zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def image(
    architecture: int,
    kind: int = CODE,
    flags: int = 0,
    code: bytes = b"code" * 8,
    header: int = 64,
    version: tuple[int, int] = (9, 2),
) -> bytes:
    """An entry of a CUDA container. Headers of family-specific code are longer than 64 bytes."""
    fixed = struct.pack(
        "<HHIQIIHHIIIQQQ", kind, 0x101, header, len(code), 0, 0, *version[::-1], architecture, 0, 0, flags, 0, 0
    )
    return fixed.ljust(header, b"\0") + code


def container(*images: bytes, version: int = 1) -> bytes:
    entries = b"".join(images)
    return struct.pack("<IHHQ", 0xBA55ED50, version, 16, len(entries)) + entries


def bundle(names: Sequence[str], code: bytes = b"code" * 8, alignment: int = 4096) -> bytes:
    """A plain HIP bundle: the table, then the code of each, aligned; the host's entry, which is first, has none."""
    names = ["host-x86_64-unknown-linux-gnu-", *names]
    table = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(names))
    at, codes = alignment, b""
    for name in names:
        size = 0 if name.startswith("host") else len(code)
        table += struct.pack("<QQQ", at + len(codes), size, len(name)) + name.encode()
        codes += code.ljust(-(-size // 64) * 64, b"\0") if size else b""
    return table.ljust(alignment, b"\0") + codes


def hip(*gfx: str, **options: Any) -> bytes:
    return bundle([f"hipv4-amdgcn-amd-amdhsa--{each}" for each in gfx], **options)


def compressed(plain: bytes, version: int = 3, method: str = "zstd") -> bytes:
    packed = zlib.compress(plain) if method == "zlib" else zstd.compress(plain)
    number, unpacked, check = int(method == "zstd"), len(plain), 0x1234
    if version == 1:
        return struct.pack("<4sHHIQ", b"CCOB", 1, number, unpacked, check) + packed
    sizes = struct.pack("<4sHHIIQ" if version == 2 else "<4sHHQQQ", b"CCOB", version, number, 0, unpacked, check)
    whole = struct.pack("<I" if version == 2 else "<Q", len(sizes) + len(packed))
    return sizes[:8] + whole + sizes[8 + len(whole) :] + packed


def aligned(parts: Iterable[bytes], alignment: int = 4096) -> bytes:
    """One behind the other, each where a page begins; nothing behind the last."""
    whole = b""
    for part in parts:
        whole += b"\0" * (-len(whole) % alignment) + part
    return whole


def archive(*members: str, code: bytes = b"code" * 9) -> bytes:
    """What Intel's compiler writes for several devices: an archive with a member for each."""
    whole = b"!<arch>\n"
    for member in members:
        whole += f"{member}/".ljust(16).encode() + b"0           0     0     644     " + f"{len(code)}".ljust(10).encode()
        whole += b"`\n" + code + b"\n" * (len(code) % 2)
    return whole


def elf(sections: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A shared library of nothing but these sections and their names."""
    names = b"\0" + b"".join(name + b"\0" for name, _ in sections) + b".shstrtab\0"
    contents = [*(content for _, content in sections), names]
    table, body, at = [struct.pack("<IIQQQQIIQQ", *[0] * 10)], b"", 64
    for (name, _), content in zip([*sections, (b".shstrtab", b"")], contents, strict=True):
        place = names.index(b"\0" + name + b"\0") + 1
        table.append(struct.pack("<IIQQQQIIQQ", place, 1, 2, 0, at + len(body), len(content), 0, 0, 1, 0))
        body += content
    start, count = at + len(body), len(table)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    return (
        header
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, count, count - 1)
        + body
        + b"".join(table)
    )


def pe(sections: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A DLL of nothing but these sections, each filled up to 512 bytes in the file; names are cut after 8 bytes."""
    at = 1024
    table, body = b"", b""
    for name, content in sections:
        room = -(-len(content) // 512) * 512
        table += struct.pack("<8sIIIIIIHHI", name[:8], len(content), 0x1000, room, at + len(body), 0, 0, 0, 0, 0)
        body += content.ljust(room, b"\0")
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    return (dos + struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, 0, 0) + table).ljust(at, b"\0") + body
