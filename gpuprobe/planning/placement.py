"""Where a model goes on given devices under given settings: every figure with its source."""

from __future__ import annotations

from gpuprobe.planning.compute import Subject, compute_bytes, flash_attention
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import cells, layer_caches
from gpuprobe.planning.records import Device, Figure, FlashAttention, Model, Place, Placement, Settings, Source
from gpuprobe.planning.weights import homes, weight_bytes
from gpuprobe.planning.windows import windows


def place(model: Model, devices: tuple[Device, ...], settings: Settings) -> Placement:
    """The memory of every device and the host, as llama.cpp would allocate it.

    Raises `gpuprobe.planning.records.Unplannable` where the settings cannot be had.
    """
    numbers = Hyperparameters(model)
    where = homes(model, numbers, devices, settings)
    window = windows(numbers)
    room = cells(numbers, window, settings)
    caches = layer_caches(numbers, window, room, settings)
    subject = Subject(model=model, numbers=numbers, homes=where, windows=window, caches=caches, room=room)
    flash = flash_attention(subject, settings)
    settings = settings._replace(flash_attention=FlashAttention.ON if flash else FlashAttention.OFF)
    subject = subject._replace(caches=layer_caches(numbers, window, room, settings))
    weights = weight_bytes(model, where)
    context = [0] * (where.host + 1)
    for layer, cache in enumerate(subject.caches):
        context[where.layers[layer] if settings.offload_cache else where.host] += cache.size
    compute = compute_bytes(subject, devices, settings)
    places = tuple(
        Place(
            selector=devices[index].selector if index < len(devices) else "host",
            layers=sum(layer == index for layer in where.layers),
            model=Figure(weights[index], Source.EXACT),
            context=Figure(context[index], Source.EXACT),
            compute=Figure(compute[index], Source.EXACT) if compute else Figure(None, Source.UNKNOWN),
            reserve=devices[index].reserve if index < len(devices) else 0,
            free=devices[index].free if index < len(devices) else None,
        )
        for index in range(where.host + 1)
    )
    return Placement(
        devices=places[:-1],
        host=places[-1],
        context_length=room.context,
        layers=where.offloaded,
        layers_of_model=numbers.layers_in_all + 1,
    )
