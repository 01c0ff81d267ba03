"""Whether what was placed fits, and the sentence that says so: why not, or why fewer layers than one hoped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.model import Device
from gpuprobe.planning.engines import device_choice
from gpuprobe.planning.engines.engine_records import Answer, Machine, Outlook, Wish, selector_of
from gpuprobe.planning.records import Figure, Place, Placement, Settings, Source
from gpuprobe.strings import size_text


class Room(NamedTuple):
    """What there was: the machine, the devices of the placement, what was to stay free on each, and what all would take."""

    machine: Machine
    devices: tuple[Device, ...]
    margins: tuple[int, ...]
    hoped: int | None = None  # bytes on devices, were every layer there with this context


def judged(answer: Answer, room: Room, wish: Wish) -> Answer:
    """The answer with its outlook and its sentence."""
    placement = answer.placement
    if placement is None:
        return answer
    outlook, because = _judged(placement, answer.settings or Settings(), room, wish)
    pairs = zip(placement.devices, room.margins, strict=True)
    tight = [place.selector for place, margin in pairs if place.needed is not None and _left(place) < margin]
    more = (f"less stays free on {', '.join(tight)} than is to be kept free",) if tight and outlook.is_plan else ()
    return answer._replace(outlook=outlook, because=because, notes=(*answer.notes, *more))


def _judged(placement: Placement, settings: Settings, room: Room, wish: Wish) -> tuple[Outlook, str]:
    over = next((place for place in placement.devices if _is_certainly_over(place)), None)
    if over is not None:
        return Outlook.TOO_LARGE, _too_large(over)
    doubt = next(_doubts(placement), None)
    if doubt is not None:
        return Outlook.UNKNOWN, f"cannot be decided: {doubt}"
    partly = uses_host(placement, settings)
    if wish.gpu_only and partly:
        return Outlook.TOO_LARGE, f"does not fit without the host's memory: {_partly(placement, room, wish)}"
    short = _short_on_host(placement, room)
    if short is not None:
        return (
            Outlook.TOO_LARGE,
            f"does not fit: {short}; {_partly(placement, room, wish)}" if partly else f"does not fit: {short}",
        )
    return (Outlook.WITH_HOST, _partly(placement, room, wish)) if partly else (Outlook.FITS, _wholly(placement))


def uses_host(placement: Placement, settings: Settings) -> bool:
    """Whether layers or experts stay on the host. The input's embeddings always do."""
    to_host = any(override.device is None for override in settings.overrides) or settings.cpu_moe_layers > 0
    return placement.layers < placement.layers_of_model or to_host


def _short_on_host(placement: Placement, room: Room) -> str | None:
    """The system's memory holds the host's part and that of every device that shares it: once, not twice."""
    needed = placement.host.needed
    available = room.machine.host.available
    if needed is None or available is None:
        return None
    sharing = {selector_of(device) for device in room.devices if device_choice.is_integrated(device)}
    shared = sum(place.needed or 0 for place in placement.devices if place.selector in sharing)
    if needed + shared <= available:
        return None
    parts = f"the host's part and {', '.join(sorted(sharing))} need" if shared else "the host's part needs"
    return f"{parts} {size_text(needed + shared)} of the system's memory, and {size_text(available)} are available"


def _left(place: Place) -> int:
    return (place.free or 0) - (place.needed or 0)


def _is_certainly_over(place: Place) -> bool:
    """With what is sure to be needed alone, upper bounds left out."""
    sure = (figure.bytes or 0 for figure in _figures(place) if figure.source in (Source.ENGINE, Source.EXACT))
    return place.free is not None and sum(sure) > place.free


def _figures(place: Place) -> tuple[Figure, ...]:
    return (place.model, place.context, place.compute)


def _doubts(placement: Placement) -> Iterator[str]:
    for place in placement.devices:
        if place.free is None:
            yield f"how much memory is free on {place.selector} is not known; `--what-if '{place.selector} free=20GiB'` says it"
        for name, figure in zip(("the cache", "the compute buffer"), (place.context, place.compute), strict=True):
            if figure.bytes is None:
                yield f"the size of {name} is not known for this model; the weights take {_weights(placement)}"
        if place.needed is not None and place.free is not None and place.needed > place.free:
            yield f"{place.selector} has {size_text(place.free)} free, and at most {size_text(place.needed)} are needed on it"


def _weights(placement: Placement) -> str:
    on_devices = sum(place.model.bytes or 0 for place in placement.devices)
    return f"{size_text(on_devices)} on devices and {size_text(placement.host.model.bytes or 0)} on the host"


def _too_large(place: Place) -> str:
    free, needed = size_text(place.free or 0), size_text(place.needed or place.model.bytes or 0)
    layers = f"{place.layers} layer{'' if place.layers == 1 else 's'}"
    return f"does not fit: {place.selector} has {free} free, and {layers} need {needed} on it"


def _wholly(placement: Placement) -> str:
    used = [place for place in placement.devices if place.layers]
    left = size_text(min((_left(place) for place in used), default=0))
    stays = f"{left} stay free" if len(used) == 1 else f"{left} or more stay free on each"
    names = ", ".join(place.selector for place in used)
    return f"all {placement.layers_of_model} layers fit on {names} with {placement.context_length} tokens of context; {stays}"


def _partly(placement: Placement, room: Room, wish: Wish) -> str:
    free, kept = sum(place.free or 0 for place in placement.devices), sum(room.margins)
    names = ", ".join(place.selector for place in placement.devices)
    layers = (
        f"{placement.layers} of {placement.layers_of_model} layers on {names} with {placement.context_length} tokens of context"
    )
    if wish.layers is not None:
        return f"{layers}, as `--layers` says"
    rest = "the rest stays on the host" if placement.layers < placement.layers_of_model else "some experts stay on the host"
    if wish.cpu_moe:
        return f"{layers}; {rest}, as `--cpu-moe` says"
    needs = "" if room.hoped is None else f"all need {size_text(room.hoped)} on devices, and "
    return f"{layers}, {rest}: {needs}{size_text(max(0, free - kept))} of the {size_text(free)} that are free may be used"
