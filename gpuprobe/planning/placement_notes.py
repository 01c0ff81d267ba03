"""What a reader should know about a placement besides its figures."""

from __future__ import annotations

from gpuprobe.planning.compute import KNOWN
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import ORDINARY_NAMES, Cells
from gpuprobe.planning.records import FlashAttention, Model, Settings, SplitMode


def notes(
    model: Model, numbers: Hyperparameters, settings: Settings, room: Cells, *, flash: bool, device_count: int
) -> tuple[str, ...]:
    """Short sentences, the most important one first."""
    return tuple(
        text
        for text in (
            _incomplete(model),
            _architecture(numbers),
            _rounded(settings, room),
            _flash(numbers, settings, flash=flash),
            _rows(settings, device_count),
            _next_tokens(numbers),
        )
        if text
    )


def _incomplete(model: Model) -> str:
    return f"the file is incomplete: {model.missing} bytes of its tensors are missing" if model.missing else ""


def _architecture(numbers: Hyperparameters) -> str:
    name = numbers.architecture
    if name in KNOWN:
        return ""
    if name in ORDINARY_NAMES:
        return f"cache and compute buffer of {name} are upper bounds"
    return f"the architecture {name} is unknown: weights are exact, cache and compute buffer are not known"


def _rounded(settings: Settings, room: Cells) -> str:
    if settings.context is None or settings.context == room.context:
        return ""
    return f"the context is rounded from {settings.context} to {room.context} tokens"


def _flash(numbers: Hyperparameters, settings: Settings, *, flash: bool) -> str:
    if settings.flash_attention is not FlashAttention.AUTO or flash:
        return ""
    return "llama.cpp switches flash attention off for this split; `-fa on` keeps it and saves memory"


def _rows(settings: Settings, device_count: int) -> str:
    return "weights split by rows are not planned" if settings.split_mode is SplitMode.ROW and device_count > 1 else ""


def _next_tokens(numbers: Hyperparameters) -> str:
    count = numbers.next_token_layers
    if not count:
        return ""
    what = "1 block predicts" if count == 1 else f"{count} blocks predict"
    return f"{what} further tokens: counted among the layers, not loaded; newer llama.cpp keeps no cache for it"
