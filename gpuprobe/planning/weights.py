"""Which tensor of a model goes to which device, by llama.cpp's rules.

The input stays on the host. Layers fill the devices from the back of the model, in order and by share of layers, not of
bytes; the output counts as one more layer. A word embedding that is the output too is held twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.records import Device, Model, Settings, SplitMode, Unplannable

_LAYER = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"\.ffn_(?:up|down|gate_up|gate)_(?:ch|)exps")

# Looked up by token, on the host.
INPUTS = frozenset(("token_embd.weight", "position_embd.weight", "token_types.weight", "per_layer_token_embd.weight"))
INPUT_NORMS = frozenset(("token_embd_norm.weight", "token_embd_norm.bias"))
# Here the embedding's norm is the one after the last layer.
NORMED_AT_THE_END = frozenset(("lfm2", "lfm2moe"))
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"


class Group(NamedTuple):
    """Tensors that go to the same place unless an override names one of them."""

    layer: int | None  # None is the input
    expert: bool
    names: tuple[str, ...]
    size: int


class Homes(NamedTuple):
    """The place of every tensor: a device's index, or the number of devices for the host."""

    groups: tuple[int, ...]  # of each group
    single: Mapping[str, int]  # of tensors that an override moves
    layers: tuple[int, ...]  # of each layer; the output is the last
    host: int
    offloaded: int  # layers on devices, the output counted
    overridden: bool


class Weights:
    """A model's tensors by where they belong; made once, then asked for one placement after another."""

    def __init__(self, model: Model, numbers: Hyperparameters) -> None:
        self.sizes = {tensor.name: tensor.size for tensor in model.tensors}
        self.tied = OUTPUT not in self.sizes and EMBEDDING in self.sizes
        self.layer_count = numbers.layers_in_all
        self.loaded = numbers.layers  # blocks that predict further tokens come after these
        found: dict[tuple[int | None, bool], list[str]] = {}
        last_norm = model.architecture in NORMED_AT_THE_END
        for tensor in model.tensors:
            found.setdefault(_group(tensor.name, self.layer_count, last_norm), []).append(tensor.name)
        self.groups = tuple(
            Group(layer=layer, expert=expert, names=tuple(names), size=sum(self.sizes[name] for name in names))
            for (layer, expert), names in found.items()
        )
        self.group_of = {name: index for index, group in enumerate(self.groups) for name in group.names}

    def homes(self, devices: Sequence[Device], settings: Settings) -> Homes:
        """Raises `Unplannable` where the settings name a device that there is not."""
        host = len(devices)
        layers = layer_places(self.layer_count, devices, settings)
        overrides = _overrides(devices, settings)
        single = {name: place for name in self.sizes if (place := _overridden(name, overrides)) is not None}
        return Homes(
            groups=tuple(_group_home(group, layers, host, settings) for group in self.groups),
            single=single,
            layers=layers,
            host=host,
            offloaded=sum(place != host for place in layers),
            overridden=bool(overrides) or settings.cpu_moe_layers > 0,
        )

    def home(self, name: str, homes: Homes) -> int:
        place = homes.single.get(name)
        return homes.groups[self.group_of[name]] if place is None else place

    def _is_left_out(self, group: Group) -> bool:
        """Whether tensors are not loaded: those of blocks that predict further tokens, which still count as layers."""
        return group.layer is not None and self.loaded <= group.layer < self.layer_count

    def bytes_at(self, homes: Homes) -> list[int]:
        """Bytes of weights at each place, the host last."""
        sizes = [0] * (homes.host + 1)
        for group, place in zip(self.groups, homes.groups, strict=True):
            sizes[place] += 0 if self._is_left_out(group) else group.size
        for name, place in homes.single.items():
            if self._is_left_out(self.groups[self.group_of[name]]):
                continue
            sizes[homes.groups[self.group_of[name]]] -= self.sizes[name]
            sizes[place] += self.sizes[name]
        if self.tied and homes.layers[-1] != self.home(EMBEDDING, homes):
            sizes[homes.layers[-1]] += self.sizes[EMBEDDING]
        return sizes


def _group(name: str, layer_count: int, last_norm: bool) -> tuple[int | None, bool]:
    """The layer a tensor belongs to, the output being one more, or None for the input; and whether it is an expert."""
    found = _LAYER.match(name)
    if found:
        return min(int(found[1]), layer_count), bool(_EXPERTS.search(name))
    if name in INPUTS or (name in INPUT_NORMS and not last_norm):
        return None, False
    return (0 if name.startswith("rope_") else layer_count), False


def _group_home(group: Group, layers: tuple[int, ...], host: int, settings: Settings) -> int:
    if group.layer is None or (group.expert and group.layer < settings.cpu_moe_layers):
        return host
    return layers[group.layer]


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
    if len(settings.tensor_split) > len(devices):
        raise Unplannable(f"there are {len(settings.tensor_split)} shares for {len(devices)} devices")
    shares = list(settings.tensor_split) or [float(device.free or 0) for device in devices]
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
            raise Unplannable(f"{override.pattern!r} is not a pattern for names of tensors") from None
        result.append((pattern, len(devices) if override.device is None else places[override.device]))
    return result


def _overridden(name: str, overrides: list[tuple[re.Pattern[str], int]]) -> int | None:
    return next((place for pattern, place in overrides if pattern.search(name)), None)
