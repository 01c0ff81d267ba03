"""The text of `validate`: views by stages, copies in figures, then for each view that did not pass its call,
number and last words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.doctor.remedies import remedy
from gpuprobe.judging.measured_bandwidth import Speeds, rate_text, speeds_of
from gpuprobe.libraries import BUILD_CONTEXT_CALLS, BUILD_INIT_CALLS, LIBRARIES
from gpuprobe.model import SYSTEM, Json, Stage, StageName, StageResult, Verdict
from gpuprobe.render import wording
from gpuprobe.render.ink import Table, Text, cell_len
from gpuprobe.render.tables import BLOCKS_BELOW, indented, shortened
from gpuprobe.render.wording import seconds_of
from gpuprobe.strings import printable, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.facts import Host
    from gpuprobe.judging.views import View

LAST_LINES = 5
_SHORTEST_NAME = 10

_STAGES = tuple(stage.value for stage in StageName)
_HEADERS = {"context": "CTX", "allocate": "ALLOC", "product": "PROD", "bandwidth": "SPEED"}

# A listing's validation has no stages: its calls tell how far it came, by how their names begin.
_BEGINNINGS = {
    "context": (*BUILD_CONTEXT_CALLS, *(name for library in LIBRARIES for name in library.context_calls)),
    "init": (*BUILD_INIT_CALLS, *(name for library in LIBRARIES for name in library.init_calls)),
    "load": ("load ",),  # last: a library may load another one to use a device
}
_WORDS = {
    Verdict.SUPPORTED: "passed",
    Verdict.UNSUPPORTED: "FAILED",
    Verdict.INCONCLUSIVE: "unclear",
    None: "not asked",
}
_ENDS = {Verdict.UNSUPPORTED: "FAIL", Verdict.INCONCLUSIVE: "?", None: "?"}
_STYLES = dict.fromkeys(("passed", "ok"), "green") | dict.fromkeys(("FAILED", "FAIL", "WRONG"), "bold red")
_STYLES |= dict.fromkeys(("unclear", "?"), "yellow")


def stage_of(call: str) -> str:
    return next((stage for stage, names in _BEGINNINGS.items() if call.startswith(names)), "list")


def results(view: View) -> dict[str, str]:
    """Stage → what became of it, in a word: only of those that were begun."""
    if view.outcome is None:
        return {}
    if not view.outcome.stages:
        return _results_of_calls(view)
    return {stage.name.value: _result(stage, view) for stage in view.outcome.stages}


def _result(stage: Stage, view: View) -> str:
    if stage.result is StageResult.FAILED:
        return "WRONG" if view.outcome and view.outcome.wrong else _ENDS.get(view.verdict, "?")
    return "ok" if stage.result is StageResult.PASSED else "n/a"


def _results_of_calls(view: View) -> dict[str, str]:
    reached = [stage_of(call.name) for call in view.outcome.calls] if view.outcome else []
    passed = view.verdict is Verdict.SUPPORTED
    furthest = _STAGES.index("context") if passed else max((_STAGES.index(name) for name in reached), default=-1)
    ends = "ok" if passed else _ENDS.get(view.verdict, "?")
    return {name: "ok" if place < furthest else ends for place, name in enumerate(_STAGES[: furthest + 1])}


def matrix(shown: Sequence[View], width: int) -> Iterator[RenderableType]:
    """One line per view where the window has room for it, else a block each; names and times go first."""
    begun = [results(view) for view in shown]
    stages = [name for name in _STAGES if any(name in each for each in begun)]
    rows = [
        [_label(view), *(each.get(name, "-") for name in stages), _WORDS[view.verdict], _seconds(view)]
        for view, each in zip(shown, begun, strict=True)
    ]
    header = ["VIEW", *(_HEADERS.get(name, name.upper()) for name in stages), "VERDICT", "TIME"]
    for gap, columns in ((2, len(header)), (1, len(header)), (1, len(header) - 1)):
        taken = sum(max(map(cell_len, column)) + gap for column in list(zip(header, *rows, strict=True))[:columns])
        if width >= BLOCKS_BELOW and taken - gap <= width:
            cut = [row[:columns] for row in (header, *rows)]
            yield _table(cut, [wording.name_of(view.device) for view in shown], gap, width - taken)
            return
    for view, row in zip(shown, rows, strict=True):
        yield Text.assemble((_label(view), "bold"), ": ", _styled(_WORDS[view.verdict]))
        pairs = zip(stages, row[1:], strict=False)
        yield indented(", ".join(f"{stage} {word}" for stage, word in pairs) + f", {_seconds(view)}")


def _table(rows: Sequence[Sequence[str]], names: Sequence[str], gap: int, room: int) -> Table:
    named = room >= _SHORTEST_NAME
    table = Table(gap)
    for column in (*rows[0], *(["NAME"] if named else [])):
        table.add_column(Text(column), no_wrap=True, overflow="ellipsis")
    for row, name in zip(rows[1:], names, strict=True):
        table.add_row(*(_styled(word) for word in row), *([Text(shortened(name, room))] if named else []))
    return table


def impossible(shown: Sequence[View]) -> Iterator[RenderableType]:
    """What could not be tried on views that passed all the same, each reason once."""
    views: dict[str, list[str]] = {}
    for view in shown:
        for stage in view.outcome.stages if view.outcome and view.verdict is Verdict.SUPPORTED else ():
            if stage.result is StageResult.NOT_POSSIBLE:
                views.setdefault(f"{stage.name.value} was not tested: {printable(stage.because or '')}", []).append(
                    _label(view)
                )
    for sentence, labels in views.items():
        yield indented(f"{', '.join(labels)}: {sentence}. The result rests on the other steps")


def copies(shown: Sequence[View]) -> Iterator[RenderableType]:
    """What timed copies reached, beside what the link and the memory carry in theory."""
    measured = [(view, speeds) for view in shown if (speeds := speeds_of(view.device, view.outcome))]
    if measured:
        yield Text("Copies", style="bold")
    for view, speeds in measured:
        ways = (("to GPU", speeds.to_device), ("from GPU", speeds.from_device), ("on GPU", speeds.on_device))
        said = ", ".join(f"{way} {rate_text(rate)}" for way, rate in ways)
        yield indented(f"{_label(view)}: {said}{_theory(speeds)}")


def _theory(speeds: Speeds) -> str:
    link_name = f"PCIe {speeds.generation}.0 x{speeds.width or '?'}"
    link = "" if speeds.generation is None else f"{link_name} {rate_text(speeds.link)}"
    memory = "" if speeds.memory is None else f"memory {rate_text(speeds.memory)}"
    return f" (limits: {known})" if (known := ", ".join(part for part in (link, memory) if part)) else ""


def stage_times(shown: Sequence[View]) -> Iterator[RenderableType]:
    """With -v: the time of each stage and what was measured in it."""
    for view in shown:
        if view.outcome is not None and view.outcome.stages:
            yield Text(_label(view), style="bold")
            for stage in view.outcome.stages:
                yield indented(f"{seconds_of(stage.seconds):>10}  {stage.name.value}{_because(stage)}{_figures(stage.figures)}")


def _because(stage: Stage) -> str:
    return f": {printable(stage.because)}" if stage.because else ""


def _figures(figures: Json) -> str:
    plain = {name: value for name, value in figures.items() if not isinstance(value, list)}
    known = [f"{_called(name)} {_shown(name, value)}" for name, value in plain.items()]
    tried = [item for value in figures.values() if isinstance(value, list) for item in value]
    known += [printable(f"{item.get('path')} {item.get('version') or ''} {item.get('result')}") for item in tried]
    return f" ({', '.join(known)})" if known else ""


def _called(name: str) -> str:
    """The unit stands behind the value."""
    return name.removesuffix("_per_second").removesuffix("_bytes").replace("_", " ")


def _shown(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith("_bytes"):
        return size_text(value)
    if isinstance(value, int) and name.endswith("_per_second"):
        return rate_text(value)
    return printable(str(value)) or "none"


def _label(view: View) -> str:
    build = "" if view.device.build == SYSTEM else f" ({printable(view.device.build)})"
    return f"{wording.numbered(view.device)}{build}"


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def _seconds(view: View) -> str:
    return "-" if view.outcome is None or view.outcome.seconds is None else seconds_of(view.outcome.seconds)


def details(shown: Sequence[View], host: Host) -> Iterator[RenderableType]:
    """For each view that did not pass: which device it is, where it ended, what to do, and what the library said last."""
    for view in shown:
        if view.verdict is Verdict.SUPPORTED:
            continue
        yield Text.assemble((_label(view), "bold"), f" {wording.name_of(view.device)}, {wording.place_of(view.device)}")
        if view.device.validation is None or view.outcome is None:
            yield indented("not asked", by=4)
            continue
        yield indented(printable(view.device.validation.because), by=4)
        if view.outcome.wrong:  # no call failed: which one came last says nothing
            yield from _wrong(view.outcome.wrong)
            continue
        numbered = [printable(str(part)) for part in (view.outcome.code, view.outcome.code_name) if part is not None]
        told = f"`{view.outcome.last_call}`" in view.device.validation.because
        if view.outcome.last_call and (numbered or not told):
            said = f" with {' '.join(numbered)}" if numbered else ""
            yield indented(f"ended in `{printable(view.outcome.last_call)}`{said}", by=4)
        if advice := remedy(view.outcome):
            yield indented(printable(advice), by=4)
        for line in [line for line in view.outcome.stderr.splitlines() if line.strip()][-LAST_LINES:]:
            yield indented(f"last output: {printable(line)}", by=4)


def _wrong(wrong: Json) -> Iterator[RenderableType]:
    """The wrong elements behind the first, which the sentence names."""
    for item in wrong.get("first", [])[1:]:
        places = (f"{name} {printable(str(item.get(key)))}" for name, key in _PLACES)
        yield indented(", ".join(places), by=6)


_PLACES = (("element", "index"), ("expected", "expected"), ("found", "found"))
