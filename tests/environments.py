"""Environments of packages as a survey meets them: small files with fat binaries, metadata and names of libraries they need."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tests.machinecode.writers import CODE, EXACT, FAMILY, PTX, container, elf, hip, image

SITE = "/home/ada/venv/lib/python3.12/site-packages"
VENV = {"VIRTUAL_ENV": "/home/ada/venv"}
_NEEDED, _RUNPATH = 1, 29


def cuda(*names: str) -> bytes:
    """A fat binary with code for these: "sm_90a" is machine code and "compute_90" PTX."""
    return container(*(_image(name) for name in names))


def _image(name: str) -> bytes:
    kind, _, number = name.partition("_")
    flags = {"a": EXACT, "f": FAMILY}.get(number[-1], 0)
    return image(int(number.rstrip("af")), PTX if kind == "compute" else CODE, flags)


def library(*architectures: str, needs: tuple[str, ...] = (), runpath: str | None = None, texts: tuple[str, ...] = ()) -> bytes:
    """A shared library with code for these architectures, of NVIDIA or of AMD, and what it names for the loader."""
    sections: list[tuple[bytes, bytes]] = []
    if architectures and architectures[0].startswith("gfx"):
        sections.append((b".hip_fatbin", hip(*architectures)))
    elif architectures:
        sections.append((b".nv_fatbin", cuda(*architectures)))
    if texts:
        sections.append((b".rodata", b"\0" + b"\0".join(text.encode() for text in texts) + b"\0"))
    return elf([*sections, *_links(needs, runpath)])


def _links(needs: tuple[str, ...], runpath: str | None) -> list[tuple[bytes, bytes]]:
    names, entries = b"\0", b""
    for tag, text in (*((_NEEDED, name) for name in needs), *([(_RUNPATH, runpath)] if runpath else [])):
        entries += struct.pack("<qQ", tag, len(names))
        names += text.encode() + b"\0"
    return [(b".dynamic", entries + bytes(16)), (b".dynstr", names)] if entries else []


def installed(*distributions: str, files: Mapping[str, bytes | str] | None = None, site: str = SITE) -> dict[str, bytes | str]:
    """A directory of packages with the metadata of these ("onnxruntime_gpu-1.31.1") and these files below it."""
    metadata = {f"{site}/{each}.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {each}\n" for each in distributions}
    return {**metadata, **{f"{site}/{path}": content for path, content in (files or {}).items()}}
