"""The records of a plan: the model as its file describes it, the settings, the devices, and what goes where.

Sizes are bytes unless a name says otherwise. `None` is unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gpuprobe.enumerations import Enum

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar | tuple[int | float | bool, ...]]

CONTEXT_STEP = 256  # llama.cpp rounds a context up to a multiple of this


class Unplannable(ValueError):
    """The model or the settings cannot be placed; the text says why, for people."""


class Source(str, Enum):
    """Where a figure comes from, from the most trusted to none."""

    ENGINE = "engine"  # an installed llama.cpp measured it
    EXACT = "exact"  # our arithmetic, proved beside the engine
    BOUND = "bound"  # at most this much
    UNKNOWN = "unknown"


class SplitMode(str, Enum):
    """How several devices share a model (`-sm`)."""

    LAYER = "layer"
    NONE = "none"
    ROW = "row"


class FlashAttention(str, Enum):
    ON = "on"
    OFF = "off"
    AUTO = "auto"


class Tensor(NamedTuple):
    """One tensor of a model file. `dimensions` start with the fastest one; `type` is ggml's name in capitals (`Q4_K`)."""

    name: str
    dimensions: tuple[int, ...]
    type: str
    size: int


class Model(NamedTuple):
    """What a model's file or files say. Arrays of strings in the metadata are represented by their length alone."""

    paths: tuple[str, ...]
    format: str  # "GGUF v3", "safetensors"
    architecture: str
    metadata: Metadata
    lengths: Mapping[str, int]  # of the arrays that `metadata` does not hold: strings, and numbers beyond a bound
    tensors: tuple[Tensor, ...]
    file_size: int  # of all files together
    missing: int = 0  # bytes that the tensors need and the files do not have: an incomplete download


class Override(NamedTuple):
    """One `-ot PATTERN=BUFFER`: tensors whose name holds the pattern go to a device (its selector) or to the host (None)."""

    pattern: str
    device: str | None


class Settings(NamedTuple):
    """What llama-server is started with; the defaults are llama.cpp's own except for `parallel`, where it takes four."""

    context: int | None = None  # tokens; None is what the model was trained for
    parallel: int = 1  # sequences (`-np`)
    unified: bool = True  # the sequences share one cache (`-kvu`)
    cache_type_k: str = "F16"
    cache_type_v: str = "F16"
    flash_attention: FlashAttention = FlashAttention.AUTO
    batch: int = 2048
    ubatch: int = 512
    layers: int | None = None  # `-ngl`; None is all of them
    tensor_split: tuple[float, ...] = ()  # `-ts`; empty is by free memory
    split_mode: SplitMode = SplitMode.LAYER
    main_device: int = 0  # index into the devices; for `-sm none`
    cpu_moe_layers: int = 0  # experts of so many first layers stay on the host (`-ncmoe`); a huge number is `-cmoe`
    overrides: tuple[Override, ...] = ()  # the first that matches counts
    swa_full: bool = False  # sliding windows hold the whole context
    offload_cache: bool = True  # False is `-nkvo`
    operation_offload: bool = True  # single operations with host weights run on the device


class Device(NamedTuple):
    """One device to plan for, as the engine will see it, in the engine's order."""

    selector: str
    name: str | None = None
    total: int | None = None
    free: int | None = None  # what the engine will be told
    reserve: int = 0  # to be left alone on it
    unified: bool = False  # its memory is the host's
    pipeline: bool = True  # asynchronous copies with events: CUDA, HIP, Vulkan


class Figure(NamedTuple):
    """A size and how far it can be trusted; `bytes` is None when it is unknown."""

    bytes: int | None
    source: Source


class Place(NamedTuple):
    """What one device, or the host, holds."""

    selector: str
    layers: int  # repeating layers, and the output layer as one of them
    model: Figure
    context: Figure
    compute: Figure
    reserve: int = 0
    free: int | None = None

    @property
    def needed(self) -> int | None:
        """All three together, without the reserve; None where one of them is unknown."""
        sizes = [figure.bytes for figure in (self.model, self.context, self.compute)]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


class Placement(NamedTuple):
    """Where a model goes: every device in the given order, the host, the context used, and what a reader should know."""

    devices: tuple[Place, ...]
    host: Place
    context_length: int
    layers: int  # on devices, the output layer counted
    layers_of_model: int  # the most that could be
    notes: Sequence[str] = ()
