"""The devices to plan for: those that are usable, as `--what-if` changes or makes them, and those that are named."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.judging.selectors import SelectionError, select
from gpuprobe.model import Device, DeviceType
from gpuprobe.planning.engines.engine_records import HostMemory
from gpuprobe.planning.what_if import WhatIf, WhatIfError
from gpuprobe.strings import printable


def with_what_ifs(devices: Sequence[Device], what_ifs: Sequence[WhatIf]) -> tuple[Device, ...]:
    """In the order of the devices; those that are made come behind. Raises WhatIfError."""
    found = list(devices)
    for what_if in what_ifs:
        if what_if.is_host:
            continue
        places = _meant(found, what_if)
        for place in places:
            found[place] = _changed(found[place], what_if)
        if not places:
            found.append(_made(what_if))
    return tuple(found)


def host_with_what_ifs(host: HostMemory, what_ifs: Sequence[WhatIf]) -> HostMemory:
    for what_if in what_ifs:
        if what_if.is_host:
            total = what_if.total if what_if.total is not None else host.total
            free = what_if.free if what_if.free is not None else what_if.total
            host = HostMemory(total=total if free is None or total is None else max(total, free), available=free)
    return host


def _meant(devices: Sequence[Device], what_if: WhatIf) -> list[int]:
    try:
        meant = select(what_if.selector, devices)
    except SelectionError as problem:
        if what_if.library is not None:
            return []
        raise WhatIfError(f"`{printable(what_if.selector)}`: {problem}; `CUDA:0 total=24GiB` makes one up") from problem
    return [place for place, device in enumerate(devices) if device in meant]


def _changed(device: Device, what_if: WhatIf) -> Device:
    """A new total leaves what is used as it was; then free memory follows, unless that is said, too."""
    total = device.total_memory if what_if.total is None else what_if.total
    free = what_if.free
    if free is None and what_if.total is not None and total is not None:
        free = max(0, total - (device.used_memory or 0))
    free = device.free_memory if free is None else free
    if total is not None and free is not None and free > total:
        total = free if what_if.total is None else total
    used = total - free if total is not None and free is not None else None
    return _described(device._replace(total_memory=total, free_memory=free, used_memory=used), what_if)


def _made(what_if: WhatIf) -> Device:
    total = what_if.free if what_if.total is None else what_if.total
    free = what_if.total if what_if.free is None else what_if.free
    if total is None or free is None or what_if.library is None or what_if.number is None:
        raise WhatIfError(f"there is no {printable(what_if.selector)} here; a device that is made up needs `total=`")
    made = Device(
        what_if.library,
        what_if.number,
        ordinal=what_if.number,
        total_memory=total,
        free_memory=free,
        used_memory=total - free,
        type=DeviceType.DISCRETE,
    )
    return _described(made, what_if)


def _described(device: Device, what_if: WhatIf) -> Device:
    device = device._replace(type=what_if.type or device.type, name=what_if.name or device.name)
    if what_if.compute is None:
        return device
    return device._replace(compute_major=what_if.compute[0], compute_minor=what_if.compute[1])
