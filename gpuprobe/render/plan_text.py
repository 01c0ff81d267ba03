"""The text of `plan`: a bar per device, a table of the figures behind it, why it is so, and what to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gpuprobe.model import MiB
from gpuprobe.planning.engines.device_choice import is_integrated
from gpuprobe.planning.engines.engine_records import Answer, Outlook, selector_of
from gpuprobe.planning.plan import Plan, described, headline
from gpuprobe.planning.records import Figure, Place, Placement, Source
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented, notes, shortened
from gpuprobe.render.wording import UNKNOWN
from gpuprobe.strings import printable, size_text

_WIDEST_BAR = 76
_SHORTEST_BAR = 10


class Segment(NamedTuple):
    """A part of a device's memory: its letter in the bar, its colour where colours are welcome, what it is, its bytes."""

    letter: str
    style: str
    name: str
    size: int


def segments(place: Place, total: int | None) -> list[Segment]:
    """In the order of the bar. What is needed beyond the device's memory follows it, marked."""
    held = 0 if place.free is None else max(0, (total or place.free) - place.free)
    needed = [
        ("W", "green", "weights", place.model),
        ("C", "cyan", "cache", place.context),
        ("B", "magenta", "buffer", place.compute),
    ]
    found = [Segment("#", "bright_black", "held by others", held)]
    found += [Segment(letter, style, name, figure.bytes or 0) for letter, style, name, figure in needed]
    needs = sum(segment.size for segment in found[1:])
    if place.free is None:
        # Others may hold any of it: what the plan does not take is neither free nor kept.
        return [*found, Segment("?", "", "not known", max(0, (total or 0) - needs))]
    left = place.free - needs
    kept = max(0, min(place.reserve, left))
    found += [Segment("k", "yellow", "kept free", kept), Segment(".", "", "free", max(0, left - kept))]
    return found + ([Segment("!", "bold red", "too much", -left)] if left < 0 else [])


def bar(parts: Sequence[Segment], cells: int) -> Text:
    """Each part that is there has a cell at least; what rounding leaves over goes to the largest."""
    there = [part for part in parts if part.size > 0]
    whole = sum(part.size for part in there)
    counts = [max(1, part.size * cells // whole) for part in there] if whole else []
    while counts and sum(counts) != cells:
        place = max(
            range(len(there)), key=lambda at: counts[at] if sum(counts) > cells else there[at].size - counts[at] * whole / cells
        )
        counts[place] += 1 if sum(counts) < cells else -1
    return Text.assemble(*((part.letter * count, part.style) for part, count in zip(there, counts, strict=True)))


def plan_text(plan: Plan, width: int, *, quiet: bool = False, verbose: bool = False) -> Iterator[RenderableType]:
    answer = plan.main
    style = {Outlook.FITS: "bold green", Outlook.WITH_HOST: "bold yellow", Outlook.UNKNOWN: "bold yellow"}
    yield Text(described(plan.subject), style="bold")
    yield Text(printable(headline(plan)), style=style.get(answer.outlook, "bold red"))
    if answer.placement is not None:
        yield from _bars(plan, answer.placement, width)
        yield from _figures(answer.placement, _left_by_devices(plan, answer.placement), width)
    if answer.command:
        yield from _paste(answer, width)
    yield from _others(plan, width)
    yield from _beside(plan)
    if not quiet:
        yield from notes(answer.notes)


def _bars(plan: Plan, placement: Placement, width: int) -> Iterator[RenderableType]:
    by_selector = {selector_of(device): device for device in plan.machine.devices}
    cells = max(_SHORTEST_BAR, min(width - 2, _WIDEST_BAR))
    met: dict[str, Segment] = {}
    for place in placement.devices:
        device = by_selector.get(place.selector)
        total = device.total_memory if device else None
        parts = segments(place, total)
        met |= {part.letter: part for part in parts if part.size > 0}
        yield Text.assemble((place.selector, "bold green"), f"  {_about(device.name if device else None, place, total)}")
        yield indented_text(bar(parts, cells))
    yield _legend(met)


def indented_text(text: Text) -> RenderableType:
    return Text.assemble("  ", text, no_wrap=True, overflow="crop")


def _about(name: str | None, place: Place, total: int | None) -> str:
    free = UNKNOWN if place.free is None else size_text(place.free)
    of = "" if total is None else f" of {size_text(total)}"
    return f"{printable(name)}, {free}{of} free" if name else f"{free}{of} free"


def _legend(met: dict[str, Segment]) -> Text:
    order = [letter for letter in "#WCBk.?!" if letter in met]
    words = [(f"{letter} {met[letter].name}", met[letter].style) for letter in order]
    text = Text("  ")
    for number, (word, style) in enumerate(words):
        text.append("  " if number else "")
        text.append(word, style)
    return text


_HEADER = ("DEVICE", "LAYERS", "WEIGHTS", "CACHE", "BUFFER", "LEFT")


def _left_by_devices(plan: Plan, placement: Placement) -> int | None:
    """What the host has for its own part: integrated devices take theirs from the same memory."""
    available = plan.machine.host.available
    sharing = {selector_of(device) for device in plan.machine.devices if is_integrated(device)}
    taken = [place.needed for place in placement.devices if place.selector in sharing]
    if available is None or None in taken:
        return None
    return available - sum(size or 0 for size in taken)


def _figures(placement: Placement, available: int | None, width: int) -> Iterator[RenderableType]:
    rows = [_row(place, str(place.layers)) for place in placement.devices]
    host = placement.host._replace(free=available)
    rows.append(_row(host, str(placement.layers_of_model - placement.layers)))
    if width < BLOCKS_BELOW:
        for device, layers, weights, cache, buffer, left in rows:
            yield Text.assemble((device, "bold green"), f"  {layers} layers")
            yield indented(f"weights {weights}, cache {cache}, buffer {buffer}")
            if left:
                yield indented(f"{left} left")
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0), expand=False)
    for place, name in enumerate(_HEADER):
        table.add_column(name, no_wrap=True, justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*row)
    yield table


def _row(place: Place, layers: str) -> tuple[str, ...]:
    sizes = (figure_text(figure) for figure in (place.model, place.context, place.compute))
    needed = place.needed
    left = "" if place.free is None else UNKNOWN if needed is None else _signed(place.free - needed)
    return (place.selector, layers, *sizes, left)


def _signed(size: int) -> str:
    return size_text(size) if size >= 0 else f"-{size_text(-size)}"


def figure_text(figure: Figure) -> str:
    """`≤ 1.2 GiB` for an upper bound, `?` for what is not known."""
    if figure.bytes is None:
        return UNKNOWN
    size = "0" if figure.bytes == 0 else size_text(figure.bytes)
    return f"≤ {size}" if figure.source is Source.BOUND and figure.bytes else size


def _paste(answer: Answer, width: int) -> Iterator[RenderableType]:
    if answer.variables:
        yield Text("the server's variables:")
        yield from (f"  {name}={shlex.quote(value)}" for name, value in answer.variables)
    yield from command_lines(answer.command, width)


def command_lines(words: Sequence[str], width: int) -> Iterator[str]:
    """What to paste, broken only where a shell takes it as one line. A word that is longer than the terminal stays whole."""
    line = ""
    for word in (shlex.quote(printable(word)) for word in words):
        if line and len(line) + len(word) + 5 > width:
            yield f"  {line} \\"
            line = "  "
        line += f" {word}" if line.strip() else word
    if line:
        yield f"  {line}"


def _others(plan: Plan, width: int) -> Iterator[RenderableType]:
    for answer in plan.others:
        yield Text.assemble((answer.engine, "bold"), f": {printable(answer.because)}")
        if answer.command and answer.outlook.is_plan:
            yield from command_lines((*(f"{name}={value}" for name, value in answer.variables), *answer.command), width)


def _beside(plan: Plan) -> Iterator[RenderableType]:
    if plan.not_measured:
        yield Text(f"no installed llama.cpp has measured this: {printable(plan.not_measured)}")
    if plan.measured_by is None:
        return
    off = [text for each in plan.differences for text in _off(each.selector, each.model, each.context, each.compute)]
    said = f"gpuprobe's own figures differ: {', '.join(off)}" if off else "gpuprobe's own figures are the same to 1 MiB"
    yield Text(f"measured by {printable(plan.measured_by)}, nothing loaded; {said}")


def _off(selector: str, *differences: int | None) -> Iterator[str]:
    for name, size in zip(("weights", "cache", "buffer"), differences, strict=True):
        if size is not None and abs(size) > MiB:
            yield f"{selector} {name} {'+' if size > 0 else '-'}{size_text(abs(size))}"


_COMPARED = ("MODEL", "CONTEXT", "LAYERS", "ON DEVICES", "HOST", "LEFT", "", "ENGINE")
_VERDICTS = {
    Outlook.FITS: ("fits", "green"),
    Outlook.WITH_HOST: ("with host", "yellow"),
    Outlook.TOO_LARGE: ("too large", "red"),
    Outlook.UNKNOWN: ("unknown", "yellow"),
    Outlook.NOT_PLANNED: ("no plan", "red"),
}


def comparison(plans: Sequence[Plan], width: int) -> Iterator[RenderableType]:
    """A line for each; the engine is named where they are not all of one."""
    engines = {plan.main.engine for plan in plans}
    rows = [_compared(plan) for plan in plans]
    columns = range(len(_COMPARED) if len(engines) > 1 else len(_COMPARED) - 1)
    taken = sum(max(len(row[place]) for row in (_COMPARED, *rows)) + GAP for place in columns[1:])
    if len(engines) == 1:
        yield Text(f"by the rules of {engines.pop()}, on {_devices_of(plans[0])}", style="bold")
    if width < BLOCKS_BELOW or width - taken < _SHORTEST_BAR:
        for row in rows:
            yield from _compared_block(row)
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0), expand=False)
    for place in columns:
        table.add_column(_COMPARED[place], no_wrap=True, justify="right" if place in range(1, 6) else "left")
    for row, plan in zip(rows, plans, strict=True):
        verdict = Text(row[6], _VERDICTS[plan.main.outlook][1])
        table.add_row(shortened(row[0], width - taken), *row[1:6], verdict, *row[7 : len(columns)])
    yield table


def _compared_block(row: Sequence[str]) -> Iterator[RenderableType]:
    model, context, layers, on_devices, host, left, verdict, engine = row
    yield Text.assemble((model, "bold"), f"  {verdict}, by {engine}")
    yield indented(f"{context} tokens, {layers} layers")
    yield indented(f"{on_devices} on devices, {host} on the host")
    yield indented(f"{left} left")


def _devices_of(plan: Plan) -> str:
    sizes = (UNKNOWN if device.free_memory is None else size_text(device.free_memory) for device in plan.machine.devices)
    return ", ".join(f"{selector_of(device)} ({size} free)" for device, size in zip(plan.machine.devices, sizes, strict=True))


def _compared(plan: Plan) -> tuple[str, ...]:
    answer, placement = plan.main, plan.main.placement
    name = printable(plan.subject.name or plan.subject.argument.rstrip("/").rpartition("/")[2])
    verdict = _VERDICTS[answer.outlook][0]
    if placement is None:
        return (name, *(UNKNOWN,) * 5, verdict, answer.engine)
    needed = [place.needed for place in placement.devices]
    pairs = ((place.free, place.needed) for place in placement.devices)
    left = [free - size for free, size in pairs if free is not None and size is not None]
    return (
        name,
        str(placement.context_length),
        f"{placement.layers}/{placement.layers_of_model}",
        UNKNOWN if None in needed else size_text(sum(size or 0 for size in needed)),
        UNKNOWN if placement.host.needed is None else size_text(placement.host.needed),
        _signed(min(left)) if left else UNKNOWN,
        verdict,
        answer.engine,
    )
