"""The compute buffer of every device: the graph of the largest batch, scheduled and allocated as ggml would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gpuprobe.planning import compressed, hybrids, transformers
from gpuprobe.planning.allocator import peaks
from gpuprobe.planning.blocks import Builder, Missing, Work, is_quantized
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import Cells, LayerCache
from gpuprobe.planning.records import Device, FlashAttention, Settings, SplitMode, Tensor
from gpuprobe.planning.repeats import shortened
from gpuprobe.planning.schedule import COPIES, assign, schedule
from gpuprobe.planning.weights import Homes, Weights
from gpuprobe.planning.windows import Windows

KNOWN = frozenset((*transformers.TRAITS, *hybrids.HYBRIDS, "mamba", "mamba2", "deepseek2"))

TRIED = 16  # tokens of each sequence in the graph with which the engine tries its one step for a gated delta rule


class LayerKinds(NamedTuple):
    """A number for each layer, equal for layers with the same tensors; types matter only where weights are copied."""

    shapes: list[int]
    types: list[int]


class Subject(NamedTuple):
    """What a graph is built of."""

    tensors: Mapping[str, Tensor]
    layer_kinds: LayerKinds
    numbers: Hyperparameters
    weights: Weights
    homes: Homes
    windows: Windows
    caches: list[LayerCache]
    room: Cells


def flash_attention(subject: Subject, settings: Settings) -> bool:
    """Whether the engine uses flash attention, and with it one step instead of all scores at once.

    Left to itself it tries a graph of one token, and does without where a layer's attention would not run on the layer's
    own device. That happens between layers with a state and layers with a cache, at the border between two places.
    """
    if settings.flash_attention is not FlashAttention.AUTO:
        return settings.flash_attention is FlashAttention.ON
    return _on_own_device("FLASH_ATTN_EXT", subject, settings, _work(subject.room, settings, tokens=1, flash=True))


def _on_own_device(op: str, subject: Subject, settings: Settings, work: Work) -> bool:
    """Whether all operations of a kind would run where their layer is: it is then that the engine uses them."""
    homes = subject.homes
    in_one_place = len(set(homes.layers)) == 1 and settings.offload_cache
    if subject.numbers.architecture not in hybrids.HYBRIDS or in_one_place:
        return True
    builder = _builder(subject, work)
    if builder is None:
        return True
    assign(builder.graph, homes.host, offload=settings.operation_offload)
    return all(node.backend == homes.layers[layer] for layer, node in builder.fused if node.op == op)


def compute_bytes(subject: Subject, devices: Sequence[Device], settings: Settings, *, flash: bool) -> list[int] | None:
    """Bytes for each device and, last, the host; None where the graph is not known.

    With the cache on the host and without flash attention it is the larger of two: when the engine loads a model it keeps
    attention on the host, and when it measures one it forgets that (b10434: 14 MiB of the host measured, 48 taken).
    """
    tokens = min(subject.room.context, settings.ubatch)
    work = _work(subject.room, settings, tokens=tokens, flash=flash)
    if subject.numbers.architecture in hybrids.DELTA_RULE:
        tried = _work(subject.room, settings, tokens=TRIED * subject.room.sequences, flash=flash)
        work = work._replace(delta_fused=_on_own_device("GATED_DELTA_NET", subject, settings, tried))
    both = [work, work._replace(attention_on_host=True)] if measured_otherwise(settings, flash=flash) else [work]
    copies = COPIES if _pipelined(subject, devices, settings) else 1
    sizes = [_peaks(subject, settings, each, copies) for each in both]
    known = [each for each in sizes if each is not None]
    return [max(each) for each in zip(*known, strict=True)] if known else None


def measured_otherwise(settings: Settings, *, flash: bool) -> bool:
    """Whether the engine measures a graph that is not the one it loads."""
    return not settings.offload_cache and not flash


def _peaks(subject: Subject, settings: Settings, work: Work, copies: int) -> list[int] | None:
    builder = _builder(subject, work)
    if builder is None:
        return None
    host = subject.homes.host
    return peaks(schedule(builder.graph, host, copies=copies, offload=settings.operation_offload), host + 1)


def _work(room: Cells, settings: Settings, *, tokens: int, flash: bool) -> Work:
    """The batch that llama.cpp reserves for: whole sequences, one result for each."""
    sequences = room.sequences
    tokens = -(-tokens // sequences) * sequences
    return Work(
        tokens=tokens,
        sequences=sequences,
        outputs=min(tokens, sequences),
        flash=flash,
        # The cache is made first: where the engine then finds that it has to do without, the values lie the other way.
        delta_fused=True,
        values_transposed=settings.flash_attention is FlashAttention.OFF,
        key_quantized=is_quantized(settings.cache_type_k),
        value_quantized=is_quantized(settings.cache_type_v),
        cache_on_devices=settings.offload_cache,
    )


def _pipelined(subject: Subject, devices: Sequence[Device], settings: Settings) -> bool:
    """Whether several devices work on several batches at once, which keeps copies of every input."""
    return (
        len(devices) > 1
        and subject.homes.offloaded > subject.numbers.layers_in_all
        and settings.split_mode is SplitMode.LAYER
        and settings.offload_cache
        and not subject.homes.overridden
        and all(device.pipeline for device in devices)
    )


def _builder(subject: Subject, work: Work) -> Builder | None:
    """The graph, built; None for an architecture whose graph is not known, or a file that lacks tensors of it."""
    if subject.numbers.architecture not in KNOWN:
        return None
    builder = Builder(
        model_tensors=subject.tensors,
        numbers=subject.numbers,
        weights=subject.weights,
        homes=subject.homes,
        layers=_layers(subject),
        windows=subject.windows,
        caches=subject.caches,
        room=subject.room,
        work=work,
    )
    try:
        _build(builder)
    except (Missing, ArithmeticError, LookupError):
        return None  # dimensions that contradict the tensors: the engine would not load such a model
    return None if any(node.size < 0 for node in builder.graph.nodes) else builder


def _layers(subject: Subject) -> list[int]:
    """The layers to build. A layer whose weights an override moves is like no other."""
    homes, weights = subject.homes, subject.weights
    moved: dict[int, list[tuple[str, int]]] = {}
    for name, place in homes.single.items():
        layer = weights.groups[weights.group_of[name]].layer
        if layer is not None:
            moved.setdefault(layer, []).append((name.partition(".")[2].partition(".")[2], place))
    places: dict[int, list[int]] = {}
    for group, place in zip(weights.groups, homes.groups, strict=True):
        if group.layer is not None:
            places.setdefault(group.layer, []).append(place)

    def settled(layer: int) -> bool:
        return layer not in moved and set(places.get(layer, ())) <= {homes.layers[layer]} - {homes.host}

    traits = transformers.TRAITS.get(subject.numbers.architecture, transformers.Traits())
    kinds = [
        (
            subject.layer_kinds.shapes[layer] if settled(layer) else ("types", subject.layer_kinds.types[layer]),
            homes.layers[layer],
            tuple(places.get(layer, ())),
            tuple(moved.get(layer, ())),
            subject.windows.windowed[layer],
            transformers.knows_positions(traits, layer),
            subject.caches[layer],
        )
        for layer in range(subject.numbers.layers)
    ]
    return shortened(kinds)


def _build(builder: Builder) -> None:
    name = builder.numbers.architecture
    if name == "deepseek2":
        compressed.build(builder)
    elif name in {"mamba", "mamba2"}:
        hybrids.build_states_alone(builder)
    elif name in hybrids.HYBRIDS:
        hybrids.build_hybrid(builder, hybrids.HYBRIDS[name])
    else:
        transformers.build(builder, transformers.TRAITS[name])
