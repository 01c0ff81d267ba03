"""Who holds the memory that a plan cannot have, in one sentence per device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gpuprobe.judging.figures import User
from gpuprobe.model import Device, MiB
from gpuprobe.planning.engines.engine_records import selector_of
from gpuprobe.strings import printable, size_text

MATTERS = 512 * MiB  # less is a desktop's, or a library's own
_MOST = 3


def held(device: Device) -> bool:
    """Whether so much is held that it is worth asking by whom."""
    return (device.used_memory or 0) >= MATTERS


def sentences(devices: Iterable[tuple[Device, Sequence[User]]]) -> Iterator[str]:
    for device, users in devices:
        if not held(device):
            continue
        known = sorted(users, key=lambda user: (-(user.used_memory or 0), user.process))
        by = f" by {', '.join(map(_named, known[:_MOST]))}" if known else " by others"
        more = f" and {len(known) - _MOST} more" if len(known) > _MOST else ""
        yield f"{size_text(device.used_memory or 0)} of {selector_of(device)} are held{by}{more}"


def _named(user: User) -> str:
    name = f"{printable(user.name)} ({user.process})" if user.name else f"process {user.process}"
    return name if user.used_memory is None else f"{name}: {size_text(user.used_memory)}"
