"""Where a model goes on given devices under given settings: every figure with its source."""

from __future__ import annotations

from collections.abc import Hashable

from gpuprobe.planning.blocks import is_quantized
from gpuprobe.planning.bound import compute_bound
from gpuprobe.planning.compute import KNOWN, LayerKinds, Subject, compute_bytes, flash_attention, measured_otherwise
from gpuprobe.planning.hybrids import HYBRIDS
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import ORDINARY_NAMES, cells, layer_caches
from gpuprobe.planning.placement_notes import notes
from gpuprobe.planning.records import (
    Device,
    Figure,
    Model,
    Place,
    Placement,
    Settings,
    Source,
    SplitMode,
    Unplannable,
)
from gpuprobe.planning.weights import Weights
from gpuprobe.planning.windows import windows


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
        """The memory of every device and the host, as llama.cpp would allocate it.

        Raises `gpuprobe.planning.records.Unplannable` where the settings cannot be had.
        """
        subject = self._subject(devices, settings)
        flash = flash_attention(subject, settings)
        if not flash and is_quantized(settings.cache_type_v):
            raise Unplannable(f"a cache of type {settings.cache_type_v} for values needs flash attention")
        where = subject.homes
        figures = zip(
            self._weights(subject, settings),
            self._context(subject, settings),
            self._compute(subject, devices, settings, flash=flash),
            strict=True,
        )
        places = tuple(
            Place(
                selector=devices[index].selector if index < where.host else "host",
                layers=sum(layer == index for layer in where.layers),
                model=weights,
                context=context,
                compute=compute,
                reserve=devices[index].reserve if index < where.host else 0,
                free=devices[index].free if index < where.host else None,
            )
            for index, (weights, context, compute) in enumerate(figures)
        )
        return Placement(
            devices=places[:-1],
            host=places[-1],
            context_length=subject.room.context,
            layers=where.offloaded,
            layers_of_model=self.numbers.layers_in_all + 1,
            notes=notes(self.model, self.numbers, settings, subject.room, flash=flash, device_count=len(devices)),
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

    def _weights(self, subject: Subject, settings: Settings) -> list[Figure]:
        """Rows of one weight on several devices are not placed: how they are rounded is the engine's own affair."""
        if settings.split_mode is SplitMode.ROW and subject.homes.host > 1 and subject.homes.offloaded:
            return [Figure(None, Source.UNKNOWN)] * (subject.homes.host + 1)
        return [Figure(size, Source.EXACT) for size in self.weights.bytes_at(subject.homes)]

    def _context(self, subject: Subject, settings: Settings) -> list[Figure]:
        where, name = subject.homes, self.numbers.architecture
        if name not in KNOWN and name not in ORDINARY_NAMES:
            return [Figure(None, Source.UNKNOWN)] * (where.host + 1)
        sizes = [0] * (where.host + 1)
        for layer, cache in enumerate(subject.caches):
            sizes[where.layers[layer] if settings.offload_cache else where.host] += cache.size
        source = Source.EXACT if name in KNOWN else Source.BOUND
        return [Figure(size, source) for size in sizes]

    def _compute(self, subject: Subject, devices: tuple[Device, ...], settings: Settings, *, flash: bool) -> list[Figure]:
        by_rows = settings.split_mode is SplitMode.ROW and len(devices) > 1
        sizes = None if by_rows else compute_bytes(subject, devices, settings, flash=flash)
        if sizes is not None:
            loose = _at_a_border(subject) or measured_otherwise(settings, flash=flash)
            source = Source.BOUND if loose else Source.EXACT
            return [Figure(size, source) for size in sizes]
        if self.numbers.architecture in KNOWN or self.numbers.architecture in ORDINARY_NAMES:
            return [Figure(size, Source.BOUND) for size in compute_bound(subject, settings, flash=flash)]
        return [Figure(None, Source.UNKNOWN)] * (subject.homes.host + 1)


def _at_a_border(subject: Subject) -> bool:
    """A hybrid partly on the host: of 297 figures beside b10434 none was too low, and one small hole decides many."""
    on_host = subject.homes.layers.count(subject.homes.host)
    return subject.numbers.architecture in HYBRIDS and 0 < on_host < len(subject.homes.layers)


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
    type_kinds = [pairs.setdefault((shape, tuple(types[layer])), len(pairs)) for layer, shape in enumerate(shape_kinds)]
    return LayerKinds(shapes=shape_kinds, types=type_kinds)
