"""What every engine is asked, and what it answers. Sizes are bytes; unknown is None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gpuprobe.enumerations import Enum
from gpuprobe.model import Device
from gpuprobe.planning.placement import Planner
from gpuprobe.planning.records import FlashAttention, Model, Placement, Settings


class Outlook(str, Enum):
    """Whether the engine would run the model there."""

    FITS = "fits"
    WITH_HOST = "fits_with_host"  # a part of it computes on the processor, or lies in its memory
    TOO_LARGE = "too_large"
    UNKNOWN = "unknown"
    NOT_PLANNED = "not_planned"  # this engine does not load such a model

    @property
    def is_plan(self) -> bool:
        return self in (Outlook.FITS, Outlook.WITH_HOST)


class Subject(NamedTuple):
    """The model, how the user called it, and what Ollama's store says of it."""

    model: Model
    argument: str
    path: str  # what to name on another engine's command line
    name: str | None = None  # in Ollama's store
    projector: str | None = None  # path of the file that reads pictures or sound
    projector_size: int = 0
    options: Mapping[str, int] = {}  # of its Modelfile
    prepared: Planner | None = None  # for the placements of several engines

    @property
    def planner(self) -> Planner:
        """Raises Unplannable of planning/records.py."""
        return self.prepared or Planner(self.model)


class HostMemory(NamedTuple):
    total: int | None = None
    available: int | None = None


class Machine(NamedTuple):
    """The devices that may be used, in the fixed order, the host's memory and the variables that engines read."""

    devices: tuple[Device, ...]
    host: HostMemory
    environ: Mapping[str, str] = {}


class Wish(NamedTuple):
    """The options of `plan`, read. None: the engine chooses."""

    context: int | None = None
    parallel: int | None = None
    cache_type_k: str | None = None
    cache_type_v: str | None = None
    flash_attention: FlashAttention | None = None
    ubatch: int | None = None
    layers: int | None = None
    split: tuple[float, ...] = ()
    cpu_moe: int = 0  # experts of so many layers on the host
    reserve: int | None = None
    gpu_only: bool = False
    devices_are_named: bool = False


class Answer(NamedTuple):
    """`because`: why it fits so, or not at all. `placement` None: nothing can be said of sizes."""

    engine: str
    outlook: Outlook
    because: str
    placement: Placement | None = None
    settings: Settings | None = None  # that were placed
    command: tuple[str, ...] = ()  # words, not yet quoted
    variables: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    chosen: bool = False  # layers or context are the engine's own choice, not the user's


def selector_of(device: Device) -> str:
    """`CUDA:0`, as `list` shows it."""
    return f"{device.library}:{device.number if device.ordinal is None else device.ordinal}"
