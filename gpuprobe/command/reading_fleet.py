"""What `fleet` answers: documents of many machines are read, one at a time, and their rows shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gpuprobe.command import fleet_files
from gpuprobe.command.fleet_options import FORMATS, FleetOptions, one_of
from gpuprobe.command.gathering import requirement_of
from gpuprobe.command.reply import Reply
from gpuprobe.exits import WrongUsage
from gpuprobe.fleet.groups import GROUPS, SORTS
from gpuprobe.fleet.node_sets import expanded
from gpuprobe.fleet.outcome import Outcome, outcome_of
from gpuprobe.fleet.roll_call import RollCall
from gpuprobe.fleet.rows import Reading
from gpuprobe.model import Json
from gpuprobe.render.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.command.options import Options
    from gpuprobe.render.screen import Screen

_TOLD_EVERY = 100  # documents


def fleet(options: Options, paths: Sequence[str], given: FleetOptions) -> Reply:
    """Plain `fleet` leaves with 0 whatever it reads; only `--require` is answered with no or with unknown."""
    by = one_of("--group", given.group, tuple(GROUPS), "all")
    sort = one_of("--sort", given.sort, tuple(SORTS), "machine")
    form = one_of("--format", given.format, FORMATS, "")
    if form and options.json:
        raise WrongUsage("`--json` and `--format` exclude each other: one form is written", "leave one of them out")
    expected = [name for text in given.expect for name in _expected(text)]
    requirement = None if given.require is None else requirement_of(given.require)
    outcome = _read(options, paths, Reading(SCHEMA_VERSION, requirement), expected, given.require)

    def document() -> Json:
        from gpuprobe.render.fleet_document import fleet_document

        return fleet_document(outcome)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.fleet_text import fleet_text

        return fleet_text(outcome, by, sort, screen.width, quiet=options.quiet)

    return Reply(outcome.exit, document, drawn, lines=_lines(outcome, form) if form else None)


def _lines(outcome: Outcome, form: str) -> str:
    from gpuprobe.render.fleet_document import fleet_csv
    from gpuprobe.render.fleet_metrics import fleet_metrics

    return {"csv": fleet_csv, "prometheus": fleet_metrics}[form](outcome)


def _expected(text: str) -> tuple[str, ...]:
    names = expanded(text)
    if names is None:
        raise WrongUsage(f"`--expect {text[:80]}`: these are not names of machines", "for example `--expect 'n[01-40],login1'`")
    return names


def _read(options: Options, paths: Sequence[str], reading: Reading, expected: Sequence[str], required: str | None) -> Outcome:
    calls = RollCall(reading)
    with options.screen.progress(options.quiet) as watch:
        for found, origin in fleet_files.found_in(paths):
            calls.take(found, origin)
            if watch is not None and calls.read % _TOLD_EVERY == 1:
                watch(f"reading, {calls.read} so far: {origin.file}")
    machines = calls.machines(expected)
    return outcome_of(machines, calls.notes(), required)
