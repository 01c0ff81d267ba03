"""The compute buffer of every device: the graph of the largest batch, scheduled and allocated as ggml would."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.planning import compressed, recurrent, transformers
from gpuprobe.planning.allocator import peaks
from gpuprobe.planning.blocks import Builder, Missing, Work, is_quantized
from gpuprobe.planning.graph import Graph
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import Cells, LayerCache
from gpuprobe.planning.records import Device, FlashAttention, Model, Settings, SplitMode
from gpuprobe.planning.schedule import COPIES, schedule
from gpuprobe.planning.weights import Homes
from gpuprobe.planning.windows import Windows


def work(room: Cells, settings: Settings) -> Work:
    """The batch that llama.cpp reserves for: as many tokens as are computed at once, one result for each sequence."""
    tokens = min(room.context, settings.ubatch)
    sequences = room.sequences
    tokens = -(-tokens // sequences) * sequences
    return Work(
        tokens=tokens,
        sequences=sequences,
        outputs=min(tokens, sequences),
        flash=settings.flash_attention is not FlashAttention.OFF,
        key_quantized=is_quantized(settings.cache_type_k),
        value_quantized=is_quantized(settings.cache_type_v),
    )


def pipelined(numbers: Hyperparameters, homes: Homes, devices: Sequence[Device], settings: Settings) -> bool:
    """Whether several devices work on several batches at once, which keeps copies of every input."""
    return (
        len(devices) > 1
        and homes.offloaded > numbers.layers_in_all
        and settings.split_mode is SplitMode.LAYER
        and settings.offload_cache
        and not homes.overridden
        and all(device.pipeline for device in devices)
    )


KNOWN = frozenset((*transformers.TRAITS, *recurrent.HYBRIDS, "mamba", "mamba2", "deepseek2"))


def _build(builder: Builder) -> None:
    name = builder.numbers.architecture
    if name == "deepseek2":
        compressed.build(builder)
    elif name in {"mamba", "mamba2"}:
        recurrent.build_states_alone(builder)
    elif name in recurrent.HYBRIDS:
        recurrent.build_hybrid(builder, recurrent.HYBRIDS[name])
    else:
        transformers.build(builder, transformers.TRAITS[name])


def graph(
    model: Model,
    numbers: Hyperparameters,
    homes: Homes,
    windows: Windows,
    caches: list[LayerCache],
    room: Cells,
    work_: Work,
) -> Graph | None:
    """None for an architecture whose graph is not known, or a file that lacks tensors of it."""
    if numbers.architecture not in KNOWN:
        return None
    builder = Builder(model=model, numbers=numbers, homes=homes, windows=windows, caches=caches, room=room, work=work_)
    try:
        _build(builder)
    except Missing:
        return None
    return builder.graph


def compute_bytes(
    model: Model,
    numbers: Hyperparameters,
    homes: Homes,
    windows: Windows,
    caches: list[LayerCache],
    room: Cells,
    devices: Sequence[Device],
    settings: Settings,
) -> list[int] | None:
    """Bytes for each device and, last, the host; None where the graph is not known."""
    built = graph(model, numbers, homes, windows, caches, room, work(room, settings))
    if built is None:
        return None
    copies = COPIES if pipelined(numbers, homes, devices, settings) else 1
    return peaks(schedule(built, homes.host, copies=copies, offload=settings.operation_offload), homes.host + 1)
