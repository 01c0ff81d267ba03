"""What Python programs get: records whose fields are those of `gpuprobe list --json`, by the same names.

They are made from the document itself, so that one description of it, the schema, holds for both. Unknown is None, sizes are
bytes, and a record is equal to another with the same content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Why:
    """Why a card cannot be used: a stable word, a few words, a sentence, and what to do; `advice` None: nothing helps."""

    reason: str
    brief: str
    because: str
    advice: str | None
    finding: str | None  # the id under which `gpuprobe doctor` explains it; None: what happened is known, and not why


@dataclass(frozen=True, slots=True)
class Card:
    """One physical GPU, usable or not. `why` None: it is usable, through the devices with the ids in `device_ids`."""

    pci_id: str | None
    vendor: str | None
    vendor_id: str | None
    device_id: str | None
    name: str | None
    kernel_driver: str | None
    render_node: str | None
    numa_node: int | None
    link: Json
    was_asleep: bool | None
    device_ids: tuple[str, ...]
    why: Why | None
    video_memory_bytes: int | None

    @property
    def usable(self) -> bool:
        return self.why is None


@dataclass(frozen=True, slots=True, repr=False)
class Device:
    """A GPU, or a slice of one, that inference can use, through the library that shows it best."""

    id: str
    selector: str | None
    filter_id: str | None
    library: str
    index: int | None
    visible_index: int | None
    build: str
    name: str | None
    description: str | None
    type: str
    pci_id: str | None
    uuid: str | None
    partition: Json | None
    numbers: Json
    compute: str | None
    compute_major: int | None
    compute_minor: int | None
    gfx_target: str | None
    driver: Json
    total_memory_bytes: int | None
    free_memory_bytes: int | None
    used_memory_bytes: int | None
    memory_source: str | None
    measured_at: str
    stale: bool
    minimum_memory_bytes: int
    library_path: str | None
    manifest: str | None
    validation: Json | None
    flash_attention: Json
    visible: Json
    capabilities: Json
    compatibility: Any
    sources: Json

    def __repr__(self) -> str:
        return f"<gpuprobe.Device {self.selector or self.id}: {self.name}>"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A view of a GPU that is not used: what one library showed, why it was given up, and what stands in its place."""

    view: Json
    reason: str
    because: str
    instead: Json | None


@dataclass(frozen=True, slots=True, repr=False)
class Inventory:
    """The answer of `gpuprobe list`: `text` is its first line, `document` all of it, as `report()` gives it."""

    text: str
    cards: tuple[Card, ...]
    devices: tuple[Device, ...]
    dropped: tuple[Dropped, ...]
    scheduling_order: tuple[str, ...]
    warnings: tuple[str, ...]
    document: Json

    def __repr__(self) -> str:
        return f"<gpuprobe.Inventory: {self.text}>"


def inventory_of(document: Json) -> Inventory:
    """The records of a document of `list`."""
    return Inventory(
        text=document["summary"]["text"],
        cards=tuple(_card(each) for each in document["cards"]),
        devices=tuple(_made(Device, each) for each in document["devices"]),
        dropped=tuple(_made(Dropped, each) for each in document["dropped"]),
        scheduling_order=tuple(document["scheduling_order"]),
        warnings=tuple(document["warnings"]),
        document=document,
    )


def _card(found: Mapping[str, Any]) -> Card:
    why = found["why"]
    return _made(Card, {**found, "device_ids": tuple(found["device_ids"]), "why": None if why is None else _made(Why, why)})


_Record = TypeVar("_Record")


def _made(kind: type[_Record], found: Mapping[str, Any]) -> _Record:
    """What a document leaves out was not asked, or does not exist there: None."""
    return kind(**{each.name: found.get(each.name) for each in fields(kind)})  # type: ignore[arg-type]
