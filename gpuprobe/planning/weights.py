"""Which tensor of a model goes to which device, by llama.cpp's rules.

The input stays on the host. Layers fill the devices from the back of the model, in order and by share of layers, not of
bytes; the output counts as one more layer. A word embedding that is the output too is held twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.records import Device, Model, Settings, SplitMode, Tensor, Unplannable

_LAYER = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"\.ffn_(?:up|down|gate_up|gate)_(?:ch|)exps")

# Looked up by token, on the host.
INPUTS = frozenset(("token_embd.weight", "position_embd.weight", "token_types.weight", "per_layer_token_embd.weight"))
INPUT_NORMS = frozenset(("token_embd_norm.weight", "token_embd_norm.bias"))
# Here the embedding's norm is the one after the last layer.
NORMED_AT_THE_END = frozenset(("lfm2", "lfm2moe"))
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"


class Homes(NamedTuple):
    """The place of every tensor: a device's index, or the number of devices for the host."""

    of: dict[str, int]
    layers: tuple[int, ...]  # of each layer; the output is the last
    host: int
    offloaded: int  # layers on devices, the output counted
    tied: bool  # the word embedding is the output too
    overridden: bool


def homes(model: Model, numbers: Hyperparameters, devices: Sequence[Device], settings: Settings) -> Homes:
    """Raises `Unplannable` where the settings name a device that there is not."""
    host = len(devices)
    layers = layer_places(numbers.layers_in_all, devices, settings)
    names = {tensor.name for tensor in model.tensors}
    overrides = _overrides(devices, settings)
    last_norm = model.architecture in NORMED_AT_THE_END
    of = {tensor.name: _home(tensor, layers, host, settings, overrides, last_norm) for tensor in model.tensors}
    return Homes(
        of=of,
        layers=layers,
        host=host,
        offloaded=sum(place != host for place in layers),
        tied=OUTPUT not in names and EMBEDDING in names,
        overridden=bool(overrides) or settings.cpu_moe_layers > 0,
    )


def layer_places(count: int, devices: Sequence[Device], settings: Settings) -> tuple[int, ...]:
    """The place of each of `count` layers and of the output, which is one more."""
    host = len(devices)
    wished = count + 1 if settings.layers is None else max(0, min(settings.layers, count + 1))
    first = count + 1 - wished
    if not devices or not wished:
        return (host,) * (count + 1)
    if settings.split_mode is SplitMode.NONE:
        if not 0 <= settings.main_device < host:
            raise Unplannable(f"there is no device {settings.main_device}; there are {host}")
        return tuple(settings.main_device if layer >= first else host for layer in range(count + 1))
    limits = _limits(devices, settings)
    return tuple(_device((layer - first) / wished, limits) if layer >= first else host for layer in range(count + 1))


def _device(share: float, limits: Sequence[float]) -> int:
    """The first device whose shares, added up, exceed a layer's."""
    return next((index for index, limit in enumerate(limits) if limit > share), len(limits) - 1)


def _limits(devices: Sequence[Device], settings: Settings) -> list[float]:
    """Shares added up, from `-ts` or else from free memory; 1 at the end."""
    shares = list(settings.tensor_split[: len(devices)]) or [float(device.free or 0) for device in devices]
    shares += [0.0] * (len(devices) - len(shares))
    whole = sum(shares)
    if not whole:
        shares, whole = [1.0] * len(devices), float(len(devices))
    sums, reached = [], 0.0
    for share in shares:
        reached += share
        sums.append(reached / whole)
    return sums


def _overrides(devices: Sequence[Device], settings: Settings) -> list[tuple[re.Pattern[str], int]]:
    """Patterns with the place they send a tensor to. Raises `Unplannable` for what is no pattern and no device."""
    places = {device.selector: index for index, device in enumerate(devices)}
    result = []
    for override in settings.overrides:
        if override.device is not None and override.device not in places:
            raise Unplannable(f"tensors are sent to {override.device}, which is not among the devices")
        try:
            pattern = re.compile(override.pattern)
        except (re.error, RecursionError, OverflowError):
            raise Unplannable(f"{override.pattern!r} is no pattern for names of tensors") from None
        result.append((pattern, len(devices) if override.device is None else places[override.device]))
    return result


def _home(
    tensor: Tensor,
    layers: tuple[int, ...],
    host: int,
    settings: Settings,
    overrides: list[tuple[re.Pattern[str], int]],
    last_norm: bool,
) -> int:
    name = tensor.name
    for pattern, place in overrides:
        if pattern.search(name):
            return place
    found = _LAYER.match(name)
    layer = min(int(found[1]), len(layers) - 1) if found else None
    if layer is not None and layer < settings.cpu_moe_layers and _EXPERTS.search(name):
        return host
    if name in INPUTS or (name in INPUT_NORMS and not last_norm):
        return host
    if layer is not None:
        return layers[layer]
    if name.startswith("rope_"):
        return layers[0]
    return layers[-1]


def weight_bytes(model: Model, homes_: Homes, skipped: frozenset[str] = frozenset()) -> list[int]:
    """Bytes of weights at each place, the host last. `skipped` are tensors that are not loaded."""
    sizes = [0] * (homes_.host + 1)
    for tensor in model.tensors:
        if tensor.name in skipped:
            continue
        sizes[homes_.of[tensor.name]] += tensor.size
        if homes_.tied and tensor.name == EMBEDDING and homes_.layers[-1] != homes_.of[tensor.name]:
            sizes[homes_.layers[-1]] += tensor.size
    return sizes
