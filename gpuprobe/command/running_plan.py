"""What kept the rest of a model off the GPU: the planner's arithmetic for a process that has some of its layers there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.judging.held_memory import selector
from gpuprobe.running_now import Snapshot
from gpuprobe.strings import size_text

if TYPE_CHECKING:
    from gpuprobe.model import Device

_ROOM = 1 << 45  # bytes: more than any model needs


def with_what_did_not_fit(each: Judged, snapshot: Snapshot) -> Judged:
    """The process as it is where its model cannot be read, or is none that is planned."""
    if each.where is not Where.PARTLY or each.container is not None or each.through is not None:
        return each
    devices = _devices_of(each, snapshot)
    needed = _needed(each, devices) if devices else None
    free = [device.free_memory for device in devices]
    if needed is None or None in free:
        return each
    own = each.holding.size
    room = sum(size or 0 for size in free) + own
    names = " and ".join(selector(device) for device in devices)
    total = "all layers" if each.layers is None or each.layers.total is None else f"all {each.layers.total} layers"
    if needed <= room:
        said = f"{total} would fit now: they need {size_text(needed)} on {names}, and {size_text(room)} are free or its own"
        return each._replace(advice=f"{said}; load the model again" + _without(each))
    said = f"{total} need {size_text(needed)} on {names}, and {size_text(room)} are free or its own"
    return each._replace(advice=f"{said}; a smaller context, fewer parallel requests or a smaller model take less")


def _without(each: Judged) -> str:
    return f", without `{each.asked.layers_by}`" if each.asked.layers_by and each.asked.layers is not None else ""


def _devices_of(each: Judged, snapshot: Snapshot) -> list[Device]:
    held = {held.device for held in each.holding.held}
    return [figure.device for figure in snapshot.figures if selector(figure.device) in held]


def _needed(each: Judged, devices: list[Device]) -> int | None:
    """Bytes on these devices together for all layers, by llama.cpp's rules; None: not known."""
    from gpuprobe.modelfile import read
    from gpuprobe.modelfile.gguf import Unreadable
    from gpuprobe.planning.engines.engine_records import HostMemory, Machine, Subject, Wish
    from gpuprobe.planning.plan import planned

    path = os.path.join(each.process.directory or "/", each.model_file or "")  # noqa: PTH118
    if each.model_file is None or not os.path.isfile(path):  # noqa: PTH113
        return None
    try:
        found = read(path, {})
    except Unreadable:
        return None
    roomy = tuple(device._replace(total_memory=_ROOM, free_memory=_ROOM) for device in devices)
    wish = Wish(context=each.asked.context, parallel=each.asked.parallel)
    plan = planned(Subject(found.model, path, path), Machine(roomy, HostMemory(_ROOM, _ROOM)), wish, "llama.cpp")
    placement = plan.main.placement
    if placement is None or placement.layers != placement.layers_of_model:
        return None
    sizes = [place.needed for place in placement.devices]
    return None if None in sizes else sum(size or 0 for size in sizes)
