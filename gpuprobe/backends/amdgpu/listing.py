"""AMDGPU: ask the kernel driver `amdgpu`, through the module `pyamdgpuinfo`, which AMD cards are there and what they hold.

It only witnesses. It opens the DRM node of every card in the machine, whoever made it, and raises what it meets.
"""

from __future__ import annotations

import os

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

    Json = dict[str, Any]

AMD = 0x1002
NODES, DRM, PCI = "/dev/dri", "/sys/class/drm", "/sys/bus/pci/devices"


def load(candidates: Sequence[str], paths: Sequence[str]) -> Any:
    """The module; Failed("not_loadable") where it is missing or damaged. It brings its own libdrm."""
    try:
        import pyamdgpuinfo
    except Exception as problem:  # a damaged or foreign module of that name may raise anything
        where = ", ".join(paths) or "no directory"
        words = f"`pyamdgpuinfo` was looked for in {where} and not imported: {_words(problem)}"
        raise calling.Failed("not_loadable", f"{words}; install the distribution `pyamdgpuinfo`") from None
    return pyamdgpuinfo


def loaded_path(library: Any) -> str | None:
    return getattr(library, "__file__", None)


def devices(library: Any, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every card that `amdgpu` drives and this user may open, in the order of the DRM nodes' paths."""
    return _listed(library, announce)


def readings(library: Any, announce: Announce, facts: Facts, kept: Json) -> Iterator[Json]:
    """The same with what each card is doing."""
    from gpuprobe.backends.amdgpu.activity import activity

    for device in _listed(library, announce):
        address = device.get("pci_id")
        if address is not None:
            announce("sensors")
            device["capabilities"]["activity"] = activity(f"{PCI}/{address}")
        yield device


def _listed(library: Any, announce: Announce) -> Iterator[Json]:
    announce("detect_gpus")
    count = _counted(library)
    if count == 0:
        words = f"`detect_gpus` finds no card of `amdgpu` that this user may open below `{NODES}`"
        raise calling.Failed("no_devices", f"{words}; look at its permissions (groups `render` and `video`)")
    for number in range(count):
        announce("get_gpu")
        yield _described(library, number)


def _counted(library: Any) -> int:
    try:
        return int(library.detect_gpus())
    except FileNotFoundError:
        words = f"`{NODES}` does not exist: no kernel driver has made a DRM node"
        raise calling.Failed("no_devices", f"{words}; in a container, start it with `--device /dev/dri`") from None
    except Exception as problem:
        raise calling.Failed("call_failed", f"`detect_gpus` raised {_words(problem)}") from None


def _words(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"


def _described(library: Any, number: int) -> Json:
    """One line of the protocol. A card that cannot be asked keeps its number: the others are asked all the same."""
    problems: dict[str, str] = {}
    card = _told(problems, "card", lambda: library.get_gpu(number))
    known: Json = {"number": number, "vendor_id": AMD}
    if card is not None:
        known |= {"name": card.name, "pci_id": _address(card), **_memory(card, problems)}
    return {**known, "problems": problems} if problems else known


def _told(problems: dict[str, str], field: str, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as problem:
        problems[field] = _words(problem)
        return None


def _address(card: Any) -> str | None:
    """The module knows an address only where udev made `/dev/dri/by-path`, which containers lack; sysfs knows the node's."""
    node = os.path.realpath(os.path.join(DRM, os.path.basename(card.path), "device"))  # noqa: PTH118, PTH119
    return calling.pci_id(card.pci_slot or os.path.basename(node))  # noqa: PTH119


def _memory(card: Any, problems: dict[str, str]) -> Json:
    """Bytes. Of an integrated card this is only the part of the system's memory that the firmware has set aside."""
    total, shared = card.memory_info.get("vram_size"), card.memory_info.get("gtt_size")
    used = _told(problems, "used_memory", card.query_vram_usage)
    return {
        "total_memory": total,
        "used_memory": used,
        "free_memory": None if total is None or used is None else max(0, total - used),
        "capabilities": {"gtt_total_bytes": shared, "gtt_used_bytes": _told(problems, "gtt_used", card.query_gtt_usage)},
    }
