"""What would change the answer of a discovery: read in a few milliseconds, without loading a library.

A saved discovery fits as long as all of it is the same. What is measured anew in every run (memory) is no part of it.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Mapping

from gpuprobe import __version__
from gpuprobe import json_texts as json
from gpuprobe.facts import Host, Manifest
from gpuprobe.model import Json
from gpuprobe.record_classes import NamedTuple
from gpuprobe.survey.nvidia import VERSION as NVIDIA_VERSION
from gpuprobe.survey.nvidia import mig_instances
from gpuprobe.survey.pci import DEVICES
from gpuprobe.survey.search import default_directories
from gpuprobe.survey.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BOOT_ID = "/proc/sys/kernel/random/boot_id"
SUSPENDS = "/sys/power/suspend_stats/success"
LINKER_CACHE = "/etc/ld.so.cache"
MOUNTS = "/proc/self/mountinfo"
_NAMESPACES = ("/proc/self/ns/mnt", "/proc/self/ns/user")
_DRIVER_TEXTS = ("/sys/module/", NVIDIA_VERSION)
_BOOT_ROUNDED_TO = 600  # seconds; where only clocks tell when the machine was started, they drift


class Difference(NamedTuple):
    """One thing that is not as it was: the section of the key, and a clause for a person."""

    section: str
    because: str
    verb: str = "changed"  # or "is new", "is gone"


def key_of(host: Host, root: str = "/") -> Json:
    """Sections by name, as JSON. What this process is (account, container) is always this process's own."""
    tree = Tree(root)
    return {
        "gpuprobe": __version__,
        "boot": _boot(tree, host.platform),
        "suspends": _suspends(tree, host.platform),
        "kernel": host.kernel,
        "account": [host.uid, list(host.gids)],
        "container": _container(tree),
        "drivers": {path: _checksum(reading.text) for path, reading in _driver_texts(host)},
        "cards": dict(_cards(host)),
        "slices": dict(_slices(tree, host)),
        "nodes": {node.path: [node.major, node.minor, node.accessible] for node in host.nodes},
        "libraries": dict(_libraries(tree, host)),
        "builds": dict(_builds(tree, host)),
        "manifests": {each.path: _manifest(tree, each, host) for each in host.manifests},
        "variables": host.environ,
    }


def _boot(tree: Tree, platform: str) -> str | int | None:
    """On macOS the monotonic clock stands still while the machine sleeps, so sleeping counts as a start."""
    if platform == "linux":
        return tree.line(BOOT_ID)
    return round((time.time() - time.monotonic()) / _BOOT_ROUNDED_TO)


def _suspends(tree: Tree, platform: str) -> list[str | int | None]:
    """How often the machine slept, where the kernel counts it, and for how many seconds: hibernation is not counted."""
    slept = None
    if platform == "linux" and hasattr(time, "CLOCK_BOOTTIME"):
        slept = round(time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC))
    return [tree.line(SUSPENDS), slept]


def _container(tree: Tree) -> list[str | None]:
    """Namespaces and what the root directory is made of: two containers of one image differ in their upper layer."""
    mounted = root_mount(tree)
    return [*(tree.target(path) for path in _NAMESPACES), mounted.split(" ", 3)[-1] if mounted else None]


def root_mount(tree: Tree) -> str | None:
    """The kernel's line about what is mounted at `/`: of several the last one, which lies above the others."""
    lines = (tree.read(MOUNTS).text or "").split("\n")
    return next((line for line in reversed(lines) if line.split(" ", 5)[4:5] == ["/"]), None)


def _driver_texts(host: Host) -> Iterator[tuple[str, Any]]:
    return ((path, reading) for path, reading in host.texts.items() if path.startswith(_DRIVER_TEXTS) and reading.text)


def _cards(host: Host) -> Iterator[tuple[str, Any]]:
    for function in host.pci:
        yield function.address, [function.vendor, function.device, function.class_code, function.driver]
    for device in host.off_the_bus:
        yield device.name, [device.driver, *device.drm]


def _slices(tree: Tree, host: Host) -> Iterator[tuple[str, Any]]:
    """How cards are cut: MIG's instances, and the partitioning mode of AMD's cards."""
    yield from mig_instances(tree)
    for each in host.pci:
        modes = [tree.line(f"{DEVICES}/{each.address}/current_{what}_partition") for what in ("compute", "memory")]
        yield from [(each.address, modes)] if any(modes) else []


def _libraries(tree: Tree, host: Host) -> Iterator[tuple[str, Any]]:
    """The files behind the libraries; the linker cache stands for all that they load in their turn."""
    for library in host.libraries:
        yield library.name, [library.path, library.real_path, *_state(tree, library.real_path)]
    yield LINKER_CACHE, _state(tree, LINKER_CACHE)


def _builds(tree: Tree, host: Host) -> Iterator[tuple[str, Any]]:
    """Its files, and the directories that the loader searches for what they need."""
    for build in host.builds:
        places = (build.path, *build.before, *build.directories)
        yield build.name, [build.path, build.problem, *(_state(tree, place) for place in dict.fromkeys(places))]


def _manifest(tree: Tree, manifest: Manifest, host: Host) -> list[Any]:
    """The manifest and the driver that it names: an update of Mesa changes the second alone."""
    text = manifest.reading.text
    driver = _driver_of(manifest.path, text or "")
    found = next((state for path in _candidates(driver, manifest.path, host) if (state := _state(tree, path))), [])
    return [_checksum(text) if text is not None else manifest.reading.problem, *found]


def _driver_of(path: str, text: str) -> str:
    try:
        driver = json.loads(text)["ICD"]["library_path"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""  # the loader will say what is wrong with it; its text is compared
    return driver if isinstance(driver, str) else ""


def _candidates(driver: str, manifest: str, host: Host) -> Iterator[str]:
    """Where the loader finds a driver: by its path, beside its manifest, or, by its mere name, where libraries are."""
    if "/" in driver or "\\" in driver:
        yield os.path.join(os.path.dirname(manifest), driver)  # noqa: PTH118, PTH120 - texts already
    elif driver:
        beside = (os.path.dirname(library.real_path) for library in host.libraries)  # noqa: PTH120
        yield from (f"{directory}/{driver}" for directory in (*beside, *default_directories(host.machine)))


def _state(tree: Tree, path: str) -> list[int]:
    status = tree.status(path)
    return [] if status is None else [status.st_size, status.st_mtime_ns]


def _checksum(text: str | None) -> int:
    return zlib.crc32((text or "").encode("utf-8", "surrogateescape"))


def differences(old: object, new: Json) -> tuple[Difference, ...]:
    """What is not as it was, in the order of the key. An `old` that is no key differs in everything."""
    was = old if isinstance(old, dict) else {}
    return tuple(
        difference
        for section, now in new.items()
        if was.get(section, _MISSING) != now
        for difference in _of_section(section, was.get(section, _MISSING), now)
    )


def only_cards_came_or_went(found: tuple[Difference, ...]) -> bool:
    """Whether the devices that were known are as they were, those excepted that are gone; new cards bring new nodes."""
    cards = [each for each in found if each.section == "cards"]
    return (
        bool(cards) and all(each.verb != "changed" for each in cards) and {each.section for each in found} <= {"cards", "nodes"}
    )


def is_of_this_account(found: tuple[Difference, ...]) -> bool:
    """Whether the older answer was given to the same account in the same container, so that it can be compared."""
    return not any(each.section in ("account", "container") for each in found)


_WHOLE = {
    "gpuprobe": "another version of gpuprobe wrote it",
    "boot": "the machine was restarted",
    "suspends": "the machine slept since",
    "kernel": "the kernel has changed",
    "account": "the account or its groups have changed",
    "container": "it was made in another container or namespace",
}
_UNREAD = {
    "boot": "whether the machine was restarted since cannot be told here",
    "suspends": "whether the machine slept since cannot be told here",
    "container": "in which container or namespace it was made cannot be told here",
}
_MISSING = object()
_PARTS = {
    "drivers": "the kernel driver",
    "cards": "the card at",
    "slices": "the partitioning of",
    "nodes": "the device node",
    "libraries": "the library",
    "builds": "the build",
    "manifests": "the driver manifest",
    "variables": "the variable",
}


def _is_unread(old: object, new: object) -> bool:
    """Whether what could be read of both is the same, and something could be read of one alone."""
    was, now = (value if isinstance(value, list) else [value] for value in (old, new))
    return len(was) == len(now) and all(one == other for one, other in zip(was, now, strict=True) if None not in (one, other))


def _of_section(section: str, old: object, new: object) -> Iterator[Difference]:
    if section in _WHOLE:
        because = _UNREAD[section] if section in _UNREAD and _is_unread(old, new) else _WHOLE[section]
        yield Difference(section, because)
        return
    was: Mapping[str, Any] = old if isinstance(old, dict) else {}
    now: Mapping[str, Any] = new if isinstance(new, dict) else {}
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            verb = "is new" if name not in was else "is gone" if name not in now else "changed"
            yield Difference(section, f"{_PARTS[section]} `{name}` {verb}", verb)
