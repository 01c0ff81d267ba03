"""The text of `list --all` and of `list DEVICE`: how far each library got, and what became of each view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gpuprobe.model import SYSTEM, Call, Device, Drop, Inventory, Json, Outcome
from gpuprobe.render import wording
from gpuprobe.render.ink import Table, Text
from gpuprobe.render.tables import indented
from gpuprobe.strings import printable, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType


def heading(text: str) -> Iterator[RenderableType]:
    yield Text("")
    yield Text(text, style="bold")


def libraries(outcomes: Sequence[Outcome], verbose: bool) -> Iterator[RenderableType]:
    yield from heading("Libraries, and how far each got")
    for outcome in outcomes:
        yield from _outcome(outcome, verbose)


def _outcome(outcome: Outcome, verbose: bool) -> Iterator[RenderableType]:
    yield indented(f"{wording.asked_of(outcome)}: {wording.outcome_of(outcome)}")
    if outcome.message:
        yield indented(printable(outcome.message), by=6)
    if not verbose:
        return
    yield from _calls(outcome.calls)
    for line in outcome.stderr.splitlines()[-20:]:
        yield indented(f"stderr: {printable(line)}", by=6)


def _calls(calls: Sequence[Call]) -> Iterator[RenderableType]:
    """Each step once, where it was first taken, with the time of all its times: a timed copy submits the same work fifty times.
    One that never came back stands last, on a line of its own."""
    lost = [call for call in calls if call.seconds is None]
    taken: dict[str, list[float]] = {}
    for call in calls:
        if call.seconds is not None:
            taken.setdefault(call.name, []).append(call.seconds)
    for name, times in taken.items():
        often = f" ({len(times)} times)" if len(times) > 1 else ""
        yield indented(f"{wording.seconds_of(sum(times)):>10}  {printable(name)}{often}", by=6)
    for call in lost:
        yield indented(f"{wording.seconds_of(None):>10}  {printable(call.name)}", by=6)


def verbose_outcomes(outcomes: Iterable[Outcome]) -> Iterator[RenderableType]:
    """With -v and without --all: the children that were really started."""
    started = [outcome for outcome in outcomes if not outcome.status.not_asked]
    if started:
        yield from heading("Checks")
    for outcome in started:
        yield from _outcome(outcome, verbose=True)


def all_views(inventory: Inventory) -> Iterator[RenderableType]:
    yield from heading("Every view of a GPU, by its number in its library (`CUDA:0` is gpuprobe's own number)")
    if not inventory.kept and not inventory.drops:
        yield indented("no library lists a device")
    for device in inventory.kept:
        yield indented(f"{_raw(device)}: kept as {wording.numbered(device)}, {_proved(device)}")
    for drop in inventory.drops:
        yield from dropped(drop)


def dropped(drop: Drop) -> Iterator[RenderableType]:
    instead = f"; kept instead: {wording.numbered(drop.instead)}" if drop.instead else ""
    yield indented(f"{_raw(drop.device)}: dropped, {drop.reason.value}")
    yield indented(f"{printable(drop.because)}{instead}", by=6)


def _raw(device: Device) -> str:
    """As its library numbers it, with the exact figures: `Vulkan number 1 …, 25769803776 bytes`."""
    build = f" ({printable(device.build)})" if device.build != SYSTEM else ""
    known = [
        device.pci_id and printable(device.pci_id),
        device.uuid and printable(device.uuid),
        None if device.total_memory is None else f"{device.total_memory} bytes",
        None if device.free_memory is None else f"{device.free_memory} free",
    ]
    parts = [
        f"{device.library}{build}'s number {device.number}",
        wording.name_of(device),
        *(part for part in known if part),
    ]
    return ", ".join(parts)


def _proved(device: Device) -> str:
    if device.validation is None:
        return "not tested"
    depth = f", {device.validation.depth.value}" if device.validation.depth else ""
    return f"{device.validation.verdict.value}{depth} in {wording.seconds_of(device.validation.seconds)}"


def one_device(record: Mapping[str, object]) -> Iterator[RenderableType]:
    """Everything about one device, key by key as in the document."""
    table = Table(gap=2, header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in _flat(record):
        if value is None and key in _WHERE_THERE:
            continue
        table.add_row(Text(key, style="bold"), Text(_shown(key, value)))
    yield table


# What an ordinary card has not, rather than what is unknown of it.
_WHERE_THERE = ("partition", "gfx_target", "manifest", "driver.name", "description")


def _flat(record: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(key: str, value: object) -> str:
    if value is None:
        return "unset" if key.startswith("visible.") else wording.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_bytes") and isinstance(value, int):
        return f"{size_text(value)} ({value} bytes)"
    if key.endswith("_bytes_per_second") and isinstance(value, int):
        return f"{value / 1e9:.1f} GB/s"
    if isinstance(value, list):
        return ", ".join(_item(item) for item in value) or "none"
    return printable(str(value)) if value != {} else "none"


def _item(item: Json | object) -> str:
    if isinstance(item, dict) and item.keys() == {"name", "seconds"}:
        return f"{printable(str(item['name']))} {wording.seconds_of(item['seconds'])}"
    if isinstance(item, dict):
        return " ".join(f"{key.removesuffix('_bytes').replace('_', ' ')} {_shown(key, value)}" for key, value in item.items())
    return printable(str(item))
