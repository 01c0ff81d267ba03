"""Machines to survey: trees of files below a temporary root, as `read_host(root)` takes them."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

MAGIC = b"glibc-ld.so.cache1.1"
LIBC6_X86_64, LIBC6_I386, LIBC6_AARCH64 = 0x0303, 0x0003, 0x0A03
ELF_X86_64 = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62)
ELF_I386 = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HH", 3, 3)

Content = str | bytes
Function = Mapping[str, str]

# sysfs files of two cards as their kernel drivers show them; tests change what they are about.
RTX_4090 = {
    "vendor": "0x10de\n",
    "device": "0x2684\n",
    "class": "0x030000\n",
    "driver": "nvidia",
    "driver_override": "(null)\n",
    "power/runtime_status": "active\n",
    "numa_node": "0\n",
    "current_link_speed": "16.0 GT/s PCIe\n",
    "current_link_width": "16\n",
    "max_link_speed": "16.0 GT/s PCIe\n",
    "max_link_width": "16\n",
    "drm": "card0 renderD128",
}
RX_7900 = {
    **RTX_4090,
    "vendor": "0x1002\n",
    "device": "0x744c\n",
    "driver": "amdgpu",
    "numa_node": "-1\n",
    "drm": "card1 renderD129",
}


def machine(
    root: Path,
    files: Mapping[str, Content] | None = None,
    pci: Mapping[str, Function] | None = None,
    nodes: Mapping[str, int] | None = None,
    links: Mapping[str, str] | None = None,
    off_the_bus: Mapping[str, Function] | None = None,
) -> str:
    """A root with these files (path → content), PCI functions (address → sysfs files), nodes (path → mode) and links.

    Of a function, `driver` is the name of the bound driver and `drm` the names of its DRM devices; all else are files.
    `off_the_bus`: devices with DRM nodes that are no PCI functions, likewise (name → `driver`, `drm`, and files).
    Nodes are ordinary files, because only root can make real ones.
    """
    for name, device in (off_the_bus or {}).items():
        _add_drm_device(root, name, device)
    for address, function in (pci or {}).items():
        _add_function(root, address, function)
    for path, content in (files or {}).items():
        _write(root / path.lstrip("/"), content)
    for path, mode in (nodes or {}).items():
        _write(root / path.lstrip("/"), "")
        (root / path.lstrip("/")).chmod(mode)
    for path, target in (links or {}).items():
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).symlink_to(target)
    return str(root)


def linker_cache(
    entries: Sequence[tuple[int, str, str]], old_format_before: bool = False, hwcap: Mapping[str, int] | None = None
) -> bytes:
    """The content of /etc/ld.so.cache with entries of (flags, soname, path); `hwcap` by path."""
    header_size, entry_size = 48, 24
    strings = b""
    rows = []
    for flags, name, path in entries:
        at = header_size + entry_size * len(entries) + len(strings)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
        rows.append(struct.pack("<iIIIQ", flags, at, at + len(name) + 1, 0, (hwcap or {}).get(path, 0)))
    header = MAGIC + struct.pack("<IIB3xI12x", len(entries), len(strings), 2, 0)
    old = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + struct.pack("<iII", 3, 0, 0) + bytes(4)
    return (old if old_format_before else b"") + header + b"".join(rows) + strings


def shared_library(constants: bytes, section: bytes = b".rodata") -> bytes:
    """An ELF file of a header, its constants, the names of its sections and their table."""
    names = b"\0" + section + b"\0.shstrtab\0"
    at, names_at = 64, 64 + len(constants)
    table_at = names_at + len(names)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, table_at, 0, 64, 0, 0, 64, 3, 2)
    sections = [
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, at, len(constants), 0, 0, 1, 0),
        struct.pack("<IIQQQQIIQQ", len(section) + 2, 3, 0, 0, names_at, len(names), 0, 0, 1, 0),
    ]
    return header + constants + names + b"".join(sections)


def _add_function(root: Path, address: str, function: Function) -> None:
    place = root / f"sys/devices/pci0000:00/{address}"
    for name, text in function.items():
        if name == "driver":
            place.mkdir(parents=True, exist_ok=True)
            (place / "driver").symlink_to(f"../../../bus/pci/drivers/{text}")
        elif name == "drm":
            for child in text.split():
                (place / "drm" / child).mkdir(parents=True)
        else:
            _write(place / name, text)
    listed = root / "sys/bus/pci/devices"
    listed.mkdir(parents=True, exist_ok=True)
    (listed / address).symlink_to(os.path.relpath(place, listed))


def _add_drm_device(root: Path, name: str, device: Function) -> None:
    place, listed = root / f"sys/devices/platform/{name}", root / "sys/class/drm"
    listed.mkdir(parents=True, exist_ok=True)
    for file, text in device.items():
        if file == "driver":
            place.mkdir(parents=True, exist_ok=True)
            (place / "driver").symlink_to(f"../../../bus/platform/drivers/{text}")
        elif file == "drm":
            for node in text.split():
                (place / "drm" / node).mkdir(parents=True)
                (place / "drm" / node / "device").symlink_to(f"../../../{name}")
                (listed / node).symlink_to(os.path.relpath(place / "drm" / node, listed))
        else:
            _write(place / file, text)


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def failing_once(monkeypatch: pytest.MonkeyPatch, name: str, path: str) -> None:
    """Lets this function of `os` refuse this path the first time, as where all files that a process may open are open."""
    real, left = getattr(os, name), [path]

    def refuse(asked: object, *more: object, **options: object) -> object:
        if left and str(asked) == path:
            left.clear()
            raise OSError(errno.EMFILE, "Too many open files")
        return real(asked, *more, **options)

    monkeypatch.setattr(os, name, refuse)
