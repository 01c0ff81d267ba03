"""The text of `validate`: views by stages, then for each that did not pass its step, number and last words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gpuprobe.judging.views import View
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import Verdict
from gpuprobe.render import wording
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, indented, shortened
from gpuprobe.render.wording import seconds_of
from gpuprobe.strings import printable

LAST_LINES = 5

# The steps of all libraries in four stages, by how their names begin; what begins otherwise looks for the device.
STAGES = ("load", "init", "find", "context")
_BEGINNINGS = {
    "context": tuple(name for library in LIBRARIES for name in library.context_steps),
    "init": tuple(name for library in LIBRARIES for name in library.init_steps),
    "load": ("load ",),  # last: a library may load another one to use a device
}
_WORDS = {
    Verdict.SUPPORTED: "passed",
    Verdict.UNSUPPORTED: "FAILED",
    Verdict.INCONCLUSIVE: "unclear",
    None: "not asked",
}
_STYLES = {"passed": "green", "ok": "green", "FAILED": "bold red", "unclear": "yellow"}


def stage_of(step: str) -> str:
    return next((stage for stage, names in _BEGINNINGS.items() if step.startswith(names)), "find")


def cells(view: View) -> list[str]:
    """One word per stage: `ok`, `-` where it was not reached, and what became of the view in the last one that was."""
    reached = [stage_of(step.name) for step in view.outcome.steps] if view.outcome else []
    furthest = max((STAGES.index(stage) for stage in reached), default=-1)
    passed = view.verdict is Verdict.SUPPORTED
    return [
        "ok" if passed or place < furthest else _WORDS[view.verdict] if place == furthest else "-"
        for place in range(len(STAGES))
    ]


def matrix(shown: Sequence[View], width: int) -> Iterator[RenderableType]:
    if width < BLOCKS_BELOW:
        for view in shown:
            yield Text.assemble((_label(view), "bold"), ": ", _styled(_WORDS[view.verdict]))
            pairs = zip(STAGES, cells(view), strict=True)
            yield indented(", ".join(f"{stage} {word}" for stage, word in pairs) + f", {_seconds(view)}")
        return
    header = ("VIEW", *(stage.upper() for stage in STAGES), "VERDICT", "TIME")
    rows = [(_label(view), *cells(view), _WORDS[view.verdict], _seconds(view)) for view in shown]
    taken = sum(max(map(cell_len, column)) + GAP for column in zip(header, *rows, strict=True))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for column in (*header, "NAME"):
        table.add_column(Text(column), no_wrap=True, overflow="ellipsis")
    for view, row in zip(shown, rows, strict=True):
        name = shortened(wording.name_of(view.device), max(width - taken, len("NAME")))
        table.add_row(*(_styled(word) for word in row), Text(name))
    yield table


def _label(view: View) -> str:
    build = "" if view.device.build == "system" else f" ({printable(view.device.build)})"
    return f"{wording.numbered(view.device)}{build}"


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def _seconds(view: View) -> str:
    return "-" if view.outcome is None or view.outcome.seconds is None else seconds_of(view.outcome.seconds)


def details(shown: Sequence[View]) -> Iterator[RenderableType]:
    """For each view that did not pass: which device it is, in which step it ended, and what the library said last."""
    for view in shown:
        if view.verdict is Verdict.SUPPORTED:
            continue
        yield Text.assemble((_label(view), "bold"), f" {wording.name_of(view.device)}, {wording.place_of(view.device)}")
        if view.device.validation is None or view.outcome is None:
            yield indented("not asked", by=4)
            continue
        yield indented(printable(view.device.validation.because), by=4)
        numbered = [printable(str(part)) for part in (view.outcome.code, view.outcome.code_name) if part is not None]
        if view.outcome.last_step:
            said = f" with {' '.join(numbered)}" if numbered else ""
            yield indented(f"ended in `{printable(view.outcome.last_step)}`{said}", by=4)
        for line in view.outcome.stderr.splitlines()[-LAST_LINES:]:
            yield indented(f"last words: {printable(line)}", by=4)
