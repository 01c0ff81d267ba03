"""vLLM (0.33): a share of each device's memory for weights, what a trial run takes, and the rest for blocks of the cache.

What the trial run takes is measured by vLLM when it starts, and by nobody before: tokens are therefore an upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gpuprobe.libraries import CUDA, ROCM
from gpuprobe.model import Device
from gpuprobe.planning.engines import device_choice
from gpuprobe.planning.engines.engine_records import Answer, Machine, Outlook, Subject, Wish, selector_of
from gpuprobe.planning.records import Figure, Metadata, Model, Place, Placement, Source
from gpuprobe.strings import size_text

NAME = "vllm"
UTILIZATION = 0.92  # `--gpu-memory-utilization`
BLOCK = 16  # tokens
_LIBRARIES = (CUDA.name, ROCM.name)
_BYTES = {"fp8": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "float16": 2, "bfloat16": 2, "float32": 4, "f16": 2, "bf16": 2}


class Shape(NamedTuple):
    """What of the configuration decides; `key_value_heads` counts those that are cached."""

    layers: int
    heads: int
    key_value_heads: int
    head_size: int
    trained_context: int | None
    value_size: int  # of an element of the cache, in bytes
    windowed_layers: int = 0
    window: int | None = None
    latent: int | None = None  # elements per token and layer of a compressed cache (MLA)


def plan(subject: Subject, machine: Machine, wish: Wish) -> Answer:
    if subject.model.format != "safetensors":
        because = f"gpuprobe plans vLLM for a directory of safetensors only, and this is {subject.model.format}"
        return Answer(NAME, Outlook.NOT_PLANNED, because)
    devices = [device for device in machine.devices if device.library in _LIBRARIES]
    devices = list(devices if wish.devices_are_named else device_choice.best_group(devices, machine.host))
    if not devices:
        return Answer(NAME, Outlook.NOT_PLANNED, "vLLM needs CUDA or ROCm, and no device here has either")
    shape = shape_of(subject.model.metadata, wish)
    if shape is None:
        return _unknown(subject.model, devices)
    sizes = list(parallel_sizes(shape, len(devices)))
    trials = [_trial(subject, shape, _largest(devices, size), wish) for size in sizes]
    best = next((trial for trial in trials if trial.outlook.is_plan), trials[-1])
    return best._replace(notes=(*best.notes, *_not_used(devices, best)))


def shape_of(metadata: Metadata, wish: Wish) -> Shape | None:
    """From `config.json`, that of the text part where there are several; None: it does not say enough."""
    find = _Configuration(metadata)
    layers, heads, hidden = find.number("num_hidden_layers"), find.number("num_attention_heads"), find.number("hidden_size")
    if not layers or not heads or not hidden:
        return None
    latent_rank, rope = find.number("kv_lora_rank"), find.number("qk_rope_head_dim")
    window = find.number("sliding_window")
    return Shape(
        layers=layers,
        heads=heads,
        key_value_heads=find.number("num_key_value_heads") or heads,
        head_size=find.number("head_dim") or hidden // heads,
        trained_context=find.number("max_position_embeddings"),
        value_size=_BYTES.get((wish.cache_type_k or find.text("torch_dtype") or find.text("dtype") or "bfloat16").lower(), 2),
        windowed_layers=find.number("layer_types.sliding_attention") or 0,
        window=window,
        latent=latent_rank + (rope or 0) if latent_rank else None,
    )


class _Configuration:
    """The keys of the model itself, or of its part that makes text."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def number(self, key: str) -> int | None:
        value = next((each for each in self._values(key) if type(each) is int), None)
        return value if isinstance(value, int) else None

    def text(self, key: str) -> str | None:
        return next((each for each in self._values(key) if isinstance(each, str)), None)

    def _values(self, key: str) -> Iterator[object]:
        return (self._metadata.get(f"{part}{key}") for part in ("", "text_config.", "llm_config.", "language_config."))


def parallel_sizes(shape: Shape, devices: int) -> Iterator[int]:
    """How many devices can share the model: the heads must divide evenly, and heads of the cache too, or be repeated."""
    for size in range(1, devices + 1):
        evenly = shape.key_value_heads % size == 0 or size % shape.key_value_heads == 0
        if shape.heads % size == 0 and evenly:
            yield size


def cache_per_token(shape: Shape, size: int) -> int:
    """Bytes on each device per token of one sequence that is longer than any window."""
    if shape.latent is not None:
        return shape.layers * shape.latent * shape.value_size  # every device holds the whole
    heads = max(1, shape.key_value_heads // size)
    return (shape.layers - shape.windowed_layers) * 2 * heads * shape.head_size * shape.value_size


def window_cache(shape: Shape, size: int, context: int) -> int:
    """Bytes on each device of the layers that look back a window only, for one sequence."""
    if not shape.windowed_layers or shape.window is None:
        return 0
    heads = max(1, shape.key_value_heads // size)
    return shape.windowed_layers * 2 * heads * shape.head_size * shape.value_size * min(context, shape.window)


def weights_per_device(model: Model, shape: Shape, size: int) -> int:
    """Matrices are divided; what has one dimension is repeated, and so are heads of the cache where there are too few."""
    repeated = max(1, size // shape.key_value_heads) if size > shape.key_value_heads else 1
    total = 0
    for tensor in model.tensors:
        if len(tensor.dimensions) < 2:
            total += tensor.size
        elif any(name in tensor.name for name in ("k_proj", "v_proj")) and repeated > 1:
            total += -(-tensor.size * repeated // size)
        else:
            total += -(-tensor.size // size)
    return total


def _largest(devices: Sequence[Device], count: int) -> list[Device]:
    """The ones with most memory free, in their own order: all get an equal part, and the smallest decides."""
    chosen = sorted(devices, key=lambda device: -(device.free_memory or 0))[:count]
    return [device for device in devices if device in chosen]


def _trial(subject: Subject, shape: Shape, devices: Sequence[Device], wish: Wish) -> Answer:
    size = len(devices)
    context = wish.context or shape.trained_context or 4096
    totals = [device.total_memory for device in devices]
    frees = [device.free_memory for device in devices]
    if None in totals or None in frees:
        return Answer(NAME, Outlook.UNKNOWN, "how much memory the devices have, and have free, is not known")
    total, free = min(each or 0 for each in totals), min(each or 0 for each in frees)
    utilization = _utilization(total, free, wish)
    weights = weights_per_device(subject.model, shape, size)
    room = math.floor(total * utilization) - weights
    needed = cache_per_token(shape, size) * _blocks(context) * BLOCK + window_cache(shape, size, context)
    tokens = max(0, room - window_cache(shape, size, context)) // max(1, cache_per_token(shape, size)) // BLOCK * BLOCK
    placement = _placement(devices, shape, weights, min(needed, max(room, 0)), context)
    answer = Answer(NAME, Outlook.FITS, "", placement, notes=tuple(_notes(shape, room, needed)), command=())
    share = f"{size_text(weights)} of weights in {size_text(math.floor(total * utilization))}"
    where = f"on each of {size} devices" if size > 1 else f"on {selector_of(devices[0])}"
    if room < needed:
        short = (
            f"a sequence of {context} tokens needs {size_text(needed)} more" if room > 0 else "a cache has no room beside them"
        )
        fits = f"; at most {tokens} tokens fit: `--context {tokens}`" if tokens >= BLOCK else ""
        return answer._replace(outlook=Outlook.TOO_LARGE, because=f"does not fit: {share} {where}, and {short}{fits}")
    because = f"fits {where} with {context} tokens of context: {share}, and at most {tokens} tokens of cache"
    return answer._replace(because=because, command=_command(subject, size, context, utilization, wish))


def _blocks(tokens: int) -> int:
    return -(-tokens // BLOCK)


def _utilization(total: int, free: int, wish: Wish) -> float:
    """The default where that much is free: vLLM refuses to start where it is not."""
    usable = free - (wish.reserve or 0)
    return min(UTILIZATION, math.floor(usable / total * 100) / 100) if total else 0.0


def _placement(devices: Sequence[Device], shape: Shape, weights: int, cache: int, context: int) -> Placement:
    unknown = Figure(None, Source.UNKNOWN)
    places = tuple(
        Place(
            selector=selector_of(device),
            layers=shape.layers,
            model=Figure(weights, Source.EXACT if len(devices) == 1 else Source.BOUND),
            context=Figure(cache, Source.EXACT),
            compute=unknown,
            reserve=0,
            free=device.free_memory,
        )
        for device in devices
    )
    nothing = Figure(0, Source.EXACT)
    host = Place("host", 0, nothing, nothing, unknown)
    return Placement(places, host, context, layers=shape.layers, layers_of_model=shape.layers)


def _notes(shape: Shape, room: int, needed: int) -> Iterator[str]:
    if room >= needed:
        left = size_text(room - needed)
        yield f"beside one full sequence {left} are left on each device for the trial run and further sequences"
    if shape.windowed_layers:
        yield f"{shape.windowed_layers} of {shape.layers} layers look back {shape.window} tokens only"
    if shape.latent is not None:
        yield "the compressed cache is held whole by every device"


def _not_used(devices: Sequence[Device], answer: Answer) -> Iterator[str]:
    used = {place.selector for place in answer.placement.devices} if answer.placement else set()
    left = [selector_of(device) for device in devices if selector_of(device) not in used]
    if left and used:
        are = "is" if len(left) == 1 else "are"
        yield f"{', '.join(left)} {are} not used: fewer devices are enough, or the heads cannot be divided among more"


def _unknown(model: Model, devices: Sequence[Device]) -> Answer:
    weights = sum(tensor.size for tensor in model.tensors)
    free = sum(device.free_memory or 0 for device in devices)
    because = f"`config.json` names no layers and heads; the weights take {size_text(weights)}, {size_text(free)} are free"
    return Answer(NAME, Outlook.TOO_LARGE if weights > free else Outlook.UNKNOWN, because)


def _command(subject: Subject, size: int, context: int, utilization: float, wish: Wish) -> tuple[str, ...]:
    words = ["vllm", "serve", subject.path, "--max-model-len", str(context)]
    words += ["--tensor-parallel-size", str(size)] if size > 1 else []
    words += ["--gpu-memory-utilization", f"{utilization:.2f}"] if utilization != UTILIZATION else []
    words += ["--max-num-seqs", str(wish.parallel)] if wish.parallel else []
    words += ["--kv-cache-dtype", wish.cache_type_k.lower()] if wish.cache_type_k else []
    return tuple(words)
