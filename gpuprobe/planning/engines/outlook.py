"""Whether what was placed fits, and the sentence that says so: why not, or why fewer layers than one hoped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.planning.engines.records import Answer, HostMemory, Outlook, Wish
from gpuprobe.planning.records import Figure, Place, Placement, Settings, Source
from gpuprobe.strings import size_text


def judged(answer: Answer, host: HostMemory, wish: Wish, margins: Sequence[int]) -> Answer:
    """The answer with its outlook and its sentence; `margins` are what was to stay free on each device."""
    placement = answer.placement
    if placement is None:
        return answer
    outlook, because = _judged(placement, answer.settings or Settings(), host, wish, margins)
    tight = outlook.is_plan and any(_left(place) < margin for place, margin in zip(placement.devices, margins, strict=True))
    notes = (*answer.notes, *(["less stays free on a device than the engine wants to leave"] if tight else []))
    return answer._replace(outlook=outlook, because=because, notes=tuple(notes))


def _judged(
    placement: Placement, settings: Settings, host: HostMemory, wish: Wish, margins: Sequence[int]
) -> tuple[Outlook, str]:
    over = next((place for place in placement.devices if _certainly_over(place)), None)
    if over is not None:
        return Outlook.TOO_LARGE, _too_large(over)
    doubt = next(_doubts(placement), None)
    if doubt is not None:
        return Outlook.UNKNOWN, doubt
    if wish.gpu_only and uses_host(placement, settings):
        return Outlook.TOO_LARGE, f"not without the host's memory: {_partly(placement, margins)}"
    needed = _on_host(placement)
    if needed is not None and host.available is not None and needed > host.available:
        asked = f"the host's part needs {size_text(needed)}, and {size_text(host.available)} of its memory are available"
        return Outlook.TOO_LARGE, f"{_partly(placement, margins)}; {asked}"
    if uses_host(placement, settings):
        return Outlook.WITH_HOST, _partly(placement, margins)
    return Outlook.FITS, _wholly(placement)


def uses_host(placement: Placement, settings: Settings) -> bool:
    """Whether layers or experts stay on the host. The input's embeddings always do."""
    to_host = any(override.device is None for override in settings.overrides) or settings.cpu_moe_layers > 0
    return placement.layers < placement.layers_of_model or to_host


def _on_host(placement: Placement) -> int | None:
    """Bytes of the system's memory: the host's part, and that of devices which share it."""
    own = [placement.host.needed]
    return None if None in own else sum(size for size in own if size is not None)


def _left(place: Place) -> int:
    return (place.free or 0) - (place.needed or 0)


def _certainly_over(place: Place) -> bool:
    """With what is sure to be needed alone, upper bounds left out."""
    sure = (figure.bytes or 0 for figure in _figures(place) if figure.source in (Source.ENGINE, Source.EXACT))
    return place.free is not None and sum(sure) > place.free


def _figures(place: Place) -> tuple[Figure, ...]:
    return (place.model, place.context, place.compute)


def _doubts(placement: Placement) -> Iterator[str]:
    for place in placement.devices:
        if place.free is None:
            yield f"how much memory is free on {place.selector} is not known: `--what-if '{place.selector} free=20GiB'` says so"
        names = ("the weights", "the cache", "the compute buffer")
        for name, figure in zip(names, _figures(place), strict=True):
            if figure.bytes is None:
                yield f"how large {name} will be is not known for this model; the weights take {_weights(placement)}"
        if place.needed is not None and place.free is not None and place.needed > place.free:
            yield f"{place.selector} has {size_text(place.free)} free, and at most {size_text(place.needed)} are needed"


def _weights(placement: Placement) -> str:
    on_devices = sum(place.model.bytes or 0 for place in placement.devices)
    return f"{size_text(on_devices)} on devices and {size_text(placement.host.model.bytes or 0)} on the host"


def _too_large(place: Place) -> str:
    free, needed = size_text(place.free or 0), size_text(place.needed or place.model.bytes or 0)
    return f"{place.selector} has {free} free, and {needed} are needed on it"


def _wholly(placement: Placement) -> str:
    used = [place for place in placement.devices if place.layers]
    names = ", ".join(place.selector for place in used)
    left = size_text(min((_left(place) for place in used), default=0))
    stays = f"{left} stay free" if len(used) == 1 else f"at least {left} stay free on each"
    return f"all {placement.layers_of_model} layers on {names} with {placement.context_length} tokens of context; {stays}"


def _partly(placement: Placement, margins: Sequence[int]) -> str:
    free = sum(place.free or 0 for place in placement.devices)
    layers = f"{placement.layers} of {placement.layers_of_model} layers"
    names = ", ".join(place.selector for place in placement.devices)
    room = f"{size_text(free)} are free on {names}, and {size_text(sum(margins))} of it are left alone"
    experts = "" if placement.layers < placement.layers_of_model else ", some of their experts on the host"
    return f"{layers} on devices{experts} with {placement.context_length} tokens of context: {room}"
