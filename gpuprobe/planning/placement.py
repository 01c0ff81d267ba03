"""Where a model goes on given devices under given settings: every figure with its source."""

from __future__ import annotations

from collections.abc import Hashable

from gpuprobe.planning.compute import LayerKinds, Subject, compute_bytes, flash_attention
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import cells, layer_caches
from gpuprobe.planning.records import Device, Figure, FlashAttention, Model, Place, Placement, Settings, Source
from gpuprobe.planning.weights import Weights
from gpuprobe.planning.windows import windows


def place(model: Model, devices: tuple[Device, ...], settings: Settings) -> Placement:
    """The memory of every device and the host, as llama.cpp would allocate it.

    Raises `gpuprobe.planning.records.Unplannable` where the settings cannot be had.
    """
    return Planner(model).place(devices, settings)


class Planner:
    """One model, made ready for many placements: a search asks for hundreds. Raises `Unplannable`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.numbers = Hyperparameters(model)
        self.windows = windows(self.numbers)
        self.weights = Weights(model, self.numbers)
        self.tensors = {tensor.name: tensor for tensor in model.tensors}
        self.kinds = _kinds(model, self.numbers.layers_in_all)

    def place(self, devices: tuple[Device, ...], settings: Settings) -> Placement:
        """As the function of the same name."""
        subject = self._subject(devices, settings)
        flash = flash_attention(subject, settings)
        settings = settings._replace(flash_attention=FlashAttention.ON if flash else FlashAttention.OFF)
        subject = subject._replace(caches=layer_caches(self.numbers, self.windows, subject.room, settings))
        where = subject.homes
        weights = self.weights.bytes_at(where)
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
            context_length=subject.room.context,
            layers=where.offloaded,
            layers_of_model=self.numbers.layers_in_all + 1,
        )

    def _subject(self, devices: tuple[Device, ...], settings: Settings) -> Subject:
        room = cells(self.numbers, self.windows, settings)
        return Subject(
            tensors=self.tensors,
            layer_kinds=self.kinds,
            numbers=self.numbers,
            weights=self.weights,
            homes=self.weights.homes(devices, settings),
            windows=self.windows,
            caches=layer_caches(self.numbers, self.windows, room, settings),
            room=room,
        )


def _kinds(model: Model, count: int) -> LayerKinds:
    """For each layer its tensors without its number: layers with equal ones are alike."""
    shapes: list[list[tuple[str, tuple[int, ...]]]] = [[] for _ in range(count)]
    types: list[list[str]] = [[] for _ in range(count)]
    for tensor in model.tensors:
        start, _, rest = tensor.name.partition(".")
        number, _, name = rest.partition(".")
        if start == "blk" and number.isdecimal() and len(number) < 6 and int(number) < count:
            shapes[int(number)].append((name, tensor.dimensions))
            types[int(number)].append(tensor.type)
    known: dict[Hashable, int] = {}
    shape_kinds = [known.setdefault(tuple(tensors), len(known)) for tensors in shapes]
    pairs: dict[Hashable, int] = {}
    type_kinds = [pairs.setdefault((shape, tuple(names)), len(pairs)) for shape, names in zip(shape_kinds, types, strict=True)]
    return LayerKinds(shapes=shape_kinds, types=type_kinds)
