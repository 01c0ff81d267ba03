"""The text of `list`: a table where it fits the width, else a block per device. Draws, and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gpuprobe import patterns as re
from gpuprobe.model import SYSTEM, Device, Verdict
from gpuprobe.record_classes import NamedTuple
from gpuprobe.render import wording
from gpuprobe.render.ink import Indented, Table, Text, cell_len
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.doctor.card_status import CardStatus
    from gpuprobe.doctor.unviewed import Unviewed
    from gpuprobe.machine import Card

BLOCKS_BELOW = 60  # columns
GAP = 2
SHORTEST_NAME = 20
SHORTEST_FOLDED_NAME = 24  # "integrated, 0000:01:00.0" stands under it
SHORTEST_DRIVER = 12
LONGEST_BUILD = 24


class Row(NamedTuple):
    """The cells of one device, as texts."""

    device: str
    build: str  # empty: the table names none
    name: str
    compute: str
    driver: str
    memory: str
    bar: str
    type: str
    pci: str


HEADER = Row("DEVICE", "BUILD", "NAME", "COMPUTE", "DRIVER", "USED", "", "TYPE", "PCI")


def rows_of(devices: Sequence[Device]) -> list[Row]:
    """Builds are named where any is in use: without Ollama and llama.cpp nobody knows of them."""
    named = any(device.build != SYSTEM for device in devices)
    return [
        Row(
            device=wording.numbered(device),
            build=shortened(printable(device.build), LONGEST_BUILD) if named else "",
            name=wording.name_of(device),
            compute=wording.compute_of(device),
            driver=wording.driver_of(device),
            memory=wording.memory_of(device),
            bar=wording.bar_of(device),
            type=wording.type_of(device),
            pci=wording.place_of(device),
        )
        for device in devices
    ]


def shortened(text: str, cells: int) -> str:
    if cell_len(text) <= cells:
        return text
    while cell_len(text) > cells - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def device_table(devices: Sequence[Device], width: int) -> Iterator[RenderableType]:
    """One line per device where that fits, two where it does not, a block below 60 columns or where neither fits."""
    rows = rows_of(devices)
    if not rows:
        return
    longest = max(SHORTEST_DRIVER, width // 5)
    rows = [row._replace(driver=shortened(row.driver, longest)) for row in rows]
    line = ("device", *(("build",) if rows[0].build else ()), "name", "compute", "driver", "memory", "bar", "type", "pci")
    folded = ("device", "name", "compute", "driver", "memory")
    if width >= BLOCKS_BELOW and (room := _room_for_name(rows, line, width)) >= SHORTEST_NAME:
        yield _table(rows, line, room)
    elif width >= BLOCKS_BELOW and (room := _room_for_name(rows, folded, width)) >= _second_line(rows):
        yield _table(rows, folded, room, second_line=True)
    else:
        for row in rows:
            yield from _block(row)


def _second_line(rows: Sequence[Row]) -> int:
    """Cells that the name's column needs where type, place and build stand below the name."""
    return max(SHORTEST_FOLDED_NAME, *(cell_len(part) for row in rows for part in _below(row)))


def _below(row: Row) -> list[str]:
    """What stands below the name, a line each."""
    return [f"{row.type}, {row.pci}", *([f"build {row.build}"] if row.build else [])]


def _room_for_name(rows: Sequence[Row], columns: Sequence[str], width: int) -> int:
    others = [column for column in columns if column != "name"]
    taken = sum(max(cell_len(getattr(row, column)) for row in (HEADER, *rows)) for column in others)
    return width - taken - GAP * (len(columns) - 1)


def _table(rows: Sequence[Row], columns: Sequence[str], room: int, second_line: bool = False) -> Table:
    table = Table(GAP)
    for column in columns:
        table.add_column(Text(getattr(HEADER, column)), no_wrap=True, overflow="ellipsis")
    for row in rows:
        shown = row._replace(name=shortened(row.name, room))
        table.add_row(*(_cell(column, getattr(shown, column)) for column in columns))
        if second_line:
            below = {"name": "\n".join(_below(row)), "memory": row.bar}
            table.add_row(*(_cell("", below.get(column, "")) for column in columns))
    return table


def _cell(column: str, text: str) -> Text:
    return Text(text, style="bold green" if column == "device" else "")


def _block(row: Row) -> Iterator[RenderableType]:
    yield Text.assemble((row.device, "bold green"), "  ", row.name)
    for line in _below(row):
        yield indented(line)
    yield indented(f"compute {row.compute}, driver {row.driver}")
    yield indented(f"memory used {row.memory} {row.bar}".rstrip())


def indented(text: str, style: str = "", by: int = 2) -> RenderableType:
    return Indented(Text(text, style=style), by)


def unusable_cards(card_statuses: Iterable[CardStatus]) -> Iterator[RenderableType]:
    """A paragraph per reason: the cards that are not usable, why, and what to do under it."""
    alike: dict[tuple[str, str, str | None], list[CardStatus]] = {}
    for status in card_statuses:
        if status.why is not None:
            same = (status.card.name or "", _without_number(status.why.because), status.why.advice)
            alike.setdefault(same, []).append(status)
    for (_, because, advice), group in alike.items():
        own = group[0].why.because if len(group) == 1 and group[0].why else because
        unasked = not group[0].asked
        verb = ("was" if unasked else "is") if len(group) == 1 else ("were" if unasked else "are")
        said = f" {verb} not {'asked' if unasked else 'usable'}: "
        yield Text.assemble((_cards_text([each.card for each in group]), "bold"), said, printable(own))
        if advice:
            yield indented(printable(advice), by=4)


def _without_number(because: str) -> str:
    return re.sub(r"renderD[0-9]{1,6}", "renderD*", because) if "renderD" in because else because


def _cards_text(cards: Sequence[Card]) -> str:
    """ "8 x NVIDIA H100 (0000:19:00.0, 0000:3b:00.0, …)": cards of one name; one of them as ever."""
    if len(cards) == 1:
        return card_text(cards[0])
    places = ", ".join(printable(card.pci_id) for card in cards if card.pci_id)
    name = printable(cards[0].name) if cards[0].name else "GPUs without a name"
    return f"{len(cards)} x {name}{f' ({places})' if places else ''}"


_WITHOUT_VIEW = {
    Verdict.UNSUPPORTED: ("FAILED", "bold red"),
    Verdict.INCONCLUSIVE: ("unclear", "yellow"),
    None: ("left out", ""),
}


def cards_without_view(cards: Iterable[Unviewed]) -> Iterator[RenderableType]:
    """One line per card that `validate` could ask nothing about, with what that means, the reason and what to do."""
    for card in cards:
        because = printable(card.why.because)
        yield Text.assemble((card_text(card.card), "bold"), ": ", _WITHOUT_VIEW[card.verdict], f": {because}")
        if card.why.advice:
            yield indented(printable(card.why.advice), by=4)


def card_text(card: Card) -> str:
    """`0000:03:00.0 Radeon RX 580`: address and name, or what is known of them."""
    known = [printable(text) for text in (card.pci_id, card.name) if text]
    return " ".join(known) or "a GPU without name and address"


def notes(sentences: Iterable[str]) -> Iterator[RenderableType]:
    for sentence in sentences:
        yield Text.assemble(("note:", "bold yellow"), f" {printable(sentence)}")
