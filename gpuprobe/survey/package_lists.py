"""Which packages that concern GPUs are installed, read from the package managers' own lists; none of them is run."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice

from gpuprobe.facts.system_facts import Package
from gpuprobe.survey.tree import ABSENT, Tree, problem_of

_DPKG, _PACMAN, _APK = "/var/lib/dpkg/status", "/var/lib/pacman/local", "/lib/apk/db/installed"
_DPKG_IMAGES = "/var/lib/dpkg/status.d"  # of distroless images
_RPM = ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite")
_SNAPS = "/snap"
_LARGEST = 64 * 1024 * 1024  # bytes; a desktop's dpkg status has 5 MB
_MOST = 1000

OF_INTEREST = re.compile(
    r"(?:lib|lib64|xserver-xorg-video-|xorg-x11-drv-|kmod-|akmod-|lib32-|golang-github-)?nvidia[\w.+-]{0,80}|(?:lib)?cuda[\w.+-]{0,60}"
    r"|rocm[\w.+-]{0,60}|(?:lib)?hip(?:blas|sparse|solver|rand|fft|cc|-)[\w.+-]{0,60}|(?:lib)?hsa[\w.+-]{0,60}|amdgpu[\w.+-]{0,60}"
    r"|(?:lib)?rocblas[\w.+-]{0,40}|libdrm[\w.+-]{0,40}|(?:lib)?mesa[\w.+-]{0,60}|(?:lib)?vulkan[\w.+-]{0,60}|lib32-vulkan[\w.-]{0,40}"
    r"|intel-(?:opencl|compute|level-zero|media|igc|gpu|graphics)[\w.+-]{0,60}|(?:lib)?ze1?|libze-[\w.+-]{0,60}|libigc[\w.+-]{0,40}"
    r"|(?:oneapi-)?level-zero[\w.+-]{0,40}|linux-(?:firmware|headers|modules|image|generic|hwe|aws|azure|gcp|zen|lts|tkg)[\w.+-]{0,80}"
    r"|linux|(?:amd|intel|nvidia)-gpu-firmware|firmware-[\w.+-]{1,40}|kernel(?:-[\w.+-]{1,60})?|ollama[\w.+-]{0,40}|llama[\w.+-]{0,40}"
    r"|docker[\w.+-]{0,40}|podman|containerd[\w.+-]{0,20}|moby-engine|lxc[\w.+-]{0,20}|incus[\w.+-]{0,20}|dkms|akmods|libglvnd[\w.-]{0,20}"
    r"|vgpu[\w.+-]{0,40}|nvlsm|datacenter-gpu-manager[\w.+-]{0,20}|librocdxg[\w.+-]{0,20}|switcheroo-control|bbswitch[\w.+-]{0,20}"
    r"|envycontrol|supergfxctl|nouveau[\w.+-]{0,20}|system76-[\w.+-]{1,40}|shim-signed|mokutil|pciutils|python3?-torch[\w.+-]{0,40}"
    r"|python3?-pytorch[\w.+-]{0,40}|opencl[\w.+-]{0,40}|ocl-icd[\w.+-]{0,20}|clinfo"
)


class _Unreadable(Exception):
    """Why a list could not be read, in the words of `Reading`."""


def package_lists(tree: Tree) -> tuple[tuple[Package, ...], dict[str, str | None]]:
    """The packages of every manager, and of each manager why its list could not be read; None: it was."""
    readers: dict[str, Callable[[Tree], Iterator[Package]]] = {
        "dpkg": _dpkg,
        "rpm": _rpm,
        "pacman": _pacman,
        "apk": _apk,
        "snap": _snaps,
    }
    found: list[Package] = []
    problems: dict[str, str | None] = {}
    for source, read in readers.items():
        try:
            found += islice((each for each in read(tree) if OF_INTEREST.fullmatch(each.name[:120])), _MOST)
            problems[source] = None
        except _Unreadable as why:
            problems[source] = str(why)
    return tuple(found), problems


def _content(tree: Tree, path: str) -> str:
    reading = tree.read(path, _LARGEST)
    if reading.text is None:
        raise _Unreadable(reading.problem or ABSENT)
    return reading.text


def _names(tree: Tree, path: str) -> tuple[str, ...]:
    listed = tree.listed(path)
    if listed.problem is not None:
        raise _Unreadable(listed.problem)
    return listed.names


def _dpkg(tree: Tree) -> Iterator[Package]:
    """Stanzas of `Name: value`; a package that was removed keeps one with its settings."""
    if tree.status(_DPKG) is None and tree.names(_DPKG_IMAGES):
        texts = [tree.read(f"{_DPKG_IMAGES}/{name}").text or "" for name in tree.names(_DPKG_IMAGES)[:_MOST]]
    else:
        texts = _content(tree, _DPKG).split("\n\n")
    for stanza in texts:
        name = stanza.partition("\n")[0].removeprefix("Package: ").strip()
        if OF_INTEREST.fullmatch(name[:120]):
            status = (_field(stanza, "Status") or "installed").split(" ")[-1]
            yield Package(name, _field(stanza, "Version"), "dpkg", None if status == "installed" else status)


def _field(stanza: str, name: str) -> str | None:
    start = stanza.find(f"\n{name}: ")
    return stanza[start + len(name) + 3 :].partition("\n")[0].strip()[:120] or None if start >= 0 else None


def _pacman(tree: Tree) -> Iterator[Package]:
    """Directories `name-version-release`."""
    for entry in _names(tree, _PACMAN):
        found = re.fullmatch(r"([\w@.+-]{1,120})-([^-\s]{1,60}-[^-\s]{1,20})", entry)
        if found:
            yield Package(found[1], found[2], "pacman")


def _apk(tree: Tree) -> Iterator[Package]:
    for stanza in _content(tree, _APK).split("\n\n"):
        fields = dict(line.split(":", 1) for line in stanza.splitlines() if line[1:2] == ":")
        if fields.get("P"):
            yield Package(fields["P"][:120], fields.get("V", "")[:60] or None, "apk")


def _snaps(tree: Tree) -> Iterator[Package]:
    for name in _names(tree, _SNAPS):
        meta = tree.read(f"{_SNAPS}/{name}/current/meta/snap.yaml").text if OF_INTEREST.fullmatch(name[:120]) else None
        if meta is not None:
            found = re.search(r"(?m)^version:\s{0,9}['\"]?([\w.+~-]{1,60})", meta)
            yield Package(name, found[1] if found else None, "snap")


def _rpm(tree: Tree) -> Iterator[Package]:
    """From the database of rpm 4.16 and newer, which is SQLite; the older forms are not read."""
    path = next((path for path in _RPM if tree.is_file(path)), None)
    if path is None:
        older = any(tree.status(f"{place}/Packages{end}") for place in ("/var/lib/rpm",) for end in ("", ".db"))
        raise _Unreadable("error: an older form of database" if older else ABSENT)
    import sqlite3

    try:
        open_file = f"file:{tree.at(path)}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(open_file, uri=True, timeout=1)) as database:
            database.text_factory = bytes
            for key, number in database.execute("SELECT key, hnum FROM Name LIMIT 50000").fetchall():
                name = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else ""
                if OF_INTEREST.fullmatch(name[:120]):
                    row = database.execute("SELECT blob FROM Packages WHERE hnum = ?", (number,)).fetchone()
                    yield Package(name, _version_in(row[0] if row and isinstance(row[0], bytes) else b""), "rpm")
    except sqlite3.Error as problem:
        raise _Unreadable(f"error: {problem}") from problem
    except OSError as problem:
        raise _Unreadable(problem_of(problem)) from problem


def _version_in(header: bytes) -> str | None:
    """`version-release` of a header: counts of entries and of bytes, entries of (tag, type, offset, count), then the texts."""
    if len(header) < 8:
        return None
    entries, _ = struct.unpack_from(">II", header)
    texts = 8 + 16 * entries
    if entries > 4096 or len(header) < texts:
        return None
    found: dict[int, str] = {}
    for number in range(entries):
        tag, _, offset, _ = struct.unpack_from(">IIII", header, 8 + 16 * number)
        if tag in (1001, 1002):
            found[tag] = header[texts + offset :].partition(b"\0")[0][:60].decode("ascii", "backslashreplace")
    return "-".join(found[tag] for tag in sorted(found)) or None
