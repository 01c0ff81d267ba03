"""Chosen cards as Docker, Compose, Kubernetes and Slurm are given them.

Every id and path is checked before it is written: what a driver calls a device is never text of a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gpuprobe.doctor.handed_over import Handed

_ID = re.compile(r"(GPU|MIG)-[0-9A-Za-z/-]{1,128}")
_NODE = re.compile(r"/dev/[0-9A-Za-z/_-]{1,64}")


class Carrier(NamedTuple):
    """`can` says whether a device can be given in this way; `write` gives the lines for those that can."""

    can: Callable[[Handed], bool]
    write: Callable[[Sequence[Handed]], str]
    missing: str  # a clause: what is not known of a device that cannot


def _for_docker(one: Handed) -> bool:
    return _by_id(one) or (bool(one.nodes) and all(map(_NODE.fullmatch, one.nodes)))


def _by_id(one: Handed) -> bool:
    return one.driver is not None and one.id is not None and _ID.fullmatch(one.id) is not None


def docker_words(devices: Sequence[Handed]) -> tuple[str, ...]:
    """The words for `docker run`, as the program gets them."""
    ids = [one.id for one in devices if _by_id(one) and one.id]
    words = ["--gpus", f'"device={",".join(ids)}"'] if ids else []
    words += [word for node in _nodes(devices) for word in ("--device", node)]
    words += [word for group in _groups(devices) for word in ("--group-add", str(group))]
    return tuple(words)


def _docker_line(devices: Sequence[Handed]) -> str:
    return " ".join(f"'{word}'" if '"' in word else word for word in docker_words(devices)) + "\n"


def _compose(devices: Sequence[Handed]) -> str:
    lines: list[str] = []
    drivers = dict.fromkeys(one.driver for one in devices if _by_id(one))
    if drivers:
        lines += ["deploy:", "  resources:", "    reservations:", "      devices:"]
    for driver in drivers:
        ids = ", ".join(f'"{one.id}"' for one in devices if _by_id(one) and one.driver == driver)
        lines += [f"        - driver: {driver}", f"          device_ids: [{ids}]", "          capabilities: [gpu]"]
    if nodes := _nodes(devices):
        lines.append(f"devices: [{', '.join(nodes)}]")
    if groups := _groups(devices):
        lines.append("group_add: [" + ", ".join(f'"{group}"' for group in groups) + "]")
    return "".join(f"{line}\n" for line in lines)


def _nodes(devices: Sequence[Handed]) -> list[str]:
    return list(dict.fromkeys(node for one in devices if not _by_id(one) for node in one.nodes))


def _groups(devices: Sequence[Handed]) -> list[int]:
    return list(dict.fromkeys(group for one in devices if not _by_id(one) for group in one.groups))


def _pod(devices: Sequence[Handed]) -> str:
    names = dict.fromkeys(one.resource for one in devices)
    limits = [f"    {name}: {sum(one.resource == name for one in devices)}" for name in names]
    return "".join(f"{line}\n" for line in ("resources:", "  limits:", *limits))


def _gres(devices: Sequence[Handed]) -> str:
    return "".join(f"Name=gpu File={one.file}{f' Flags={one.flag}' if one.flag else ''}\n" for one in devices)


def _for_slurm(one: Handed) -> bool:
    """Slices have no file of their own; Slurm finds them by itself where it was built with the vendor's library."""
    return one.device.partition is None and one.file is not None and _NODE.fullmatch(one.file) is not None


_DOCKER = Carrier(_for_docker, _docker_line, "neither a UUID that Docker takes nor a device file")
CARRIERS = {
    "docker": _DOCKER,
    "compose": _DOCKER._replace(write=_compose),
    "kubernetes": Carrier(lambda one: one.resource is not None, _pod, "no device plugin that is known"),
    "slurm": Carrier(_for_slurm, _gres, "no device file of its own that is known"),
}
