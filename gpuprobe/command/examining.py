"""What `doctor` answers: the machine is asked, what a diagnosis needs besides is read, and every check looks at it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from gpuprobe import deepening
from gpuprobe.command.gathering import inventory_of, request_of
from gpuprobe.command.reply import Reply
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.model import Inventory, Json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rich.console import RenderableType

    from gpuprobe.command.log_file import Log
    from gpuprobe.command.options import DoctorOptions, Options
    from gpuprobe.doctor.card_status import CardStatus
    from gpuprobe.doctor.examination import Examination, Wanted
    from gpuprobe.doctor.findings import Finding, Severity
    from gpuprobe.facts.system_facts import Standing
    from gpuprobe.render.screen import Screen


def doctor(options: Options, devices: Sequence[str], given: DoctorOptions) -> Reply:
    if given.explain is not None:
        return explain(given.explain)
    wanted, fail_from = _wanted(given), _fail_from(given.fail_on)
    log = None if given.log is None else _log(given.log, options)
    inventory, extra, doubt = _looked_at(options, given, log)
    chosen = _cards(devices, inventory)
    from gpuprobe.doctor.examination import examine, with_findings

    examination = with_findings(examine(inventory, wanted, chosen), filter(wanted, extra))
    if chosen is None and not (given.only or given.skip):
        examination = examination._replace(notes=_notes(inventory, examination))
    verdicts = _verdicts(given.programs, inventory, None if given.who is not None else options)
    leave_with, text = _exit(examination, fail_from), examination.text
    if doubt is not None:
        leave_with, text = weightiest(leave_with, Exit.UNDECIDED), f"{doubt}; {text}"

    def document() -> Json:
        from gpuprobe.render.doctor_document import doctor_document

        return doctor_document(inventory, examination, text, leave_with, verdicts=verdicts)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.doctor_text import doctor_text

        return doctor_text(examination, text, screen.width, verbose=options.verbose, verdicts=verdicts)

    return Reply(leave_with, document, drawn, lines=_markdown(examination, text, inventory) if given.markdown else None)


def _log(file: str, options: Options) -> Log:
    """Before the machine is asked: a file that is not there is said at once."""
    from gpuprobe.command.log_file import read

    log = read(file)
    if log.remark is not None and not options.quiet:
        options.screen.complain(f"note: {log.remark}")
    return log


def _looked_at(options: Options, given: DoctorOptions, log: Log | None) -> tuple[Inventory, tuple[Finding, ...], str | None]:
    """The machine, what `--as` and `--log` find beside what its cards say, and why it is not decided for whom `--as` names."""
    extra: tuple[Finding, ...] = ()
    doubt: str | None = None
    if given.who is not None:
        inventory, extra, doubt = _as_seen_by(given.who, options)
    else:
        inventory = inventory_of(options, request_of(options))
        if options.source is None:
            inventory = deepening.deepened(inventory)
    if log is not None:
        from gpuprobe.doctor.log_reading import explained

        extra = (*extra, *explained(log.lines(), inventory))
    return inventory, extra, doubt


def _as_seen_by(who: str, options: Options) -> tuple[Inventory, tuple[Finding, ...], str | None]:
    """Every library is asked with the variables of that process, and device files are judged by its account and groups."""
    from gpuprobe.discovery import gather
    from gpuprobe.doctor.differences import differences, is_closed
    from gpuprobe.judging.rules import judge
    from gpuprobe.survey.device_nodes import device_nodes
    from gpuprobe.survey.host import read_host
    from gpuprobe.survey.seen_as import root_of, seen_as
    from gpuprobe.survey.tree import Tree
    from gpuprobe.survey.trust import untrusted

    if options.source is not None:
        raise WrongUsage("`--as` with `--from`: a capture holds no other process", "run it on that machine")
    standing = seen_as(who)
    if standing is None:
        raise WrongUsage(f"`--as {who}`: no process, service or account has this name", "for example `--as ollama.service`")
    request = request_of(options)
    shell = read_host(lib_dirs=request.lib_dirs, software_dirs=request.software_dirs)
    withheld = untrusted(Tree(), standing.environ or {})
    environ = _with_variables_of(standing, shell.environ, withheld)
    host = read_host(environ=environ, lib_dirs=request.lib_dirs, software_dirs=request.software_dirs)
    with options.screen.progress(options.quiet) as watch:
        evidence = deepening.with_system(gather(host, request, watch, environ=environ))
    if evidence.host.system is not None:
        system = evidence.host.system._replace(seen_as=standing)
        evidence = evidence._replace(host=evidence.host._replace(system=system))
    below = root_of(standing)
    nodes = device_nodes(below) if below not in (None, "/") else None
    closed = f"{who} cannot be judged: this account may not read its variables and files" if is_closed(standing) else None
    return judge(evidence, request), differences(standing, shell.environ, shell, withheld, nodes), closed


def _with_variables_of(standing: Standing, known: Mapping[str, str], withheld: Collection[str]) -> dict[str, str]:
    """This process's environment, in which the variables that matter are those of the other, but for `withheld`."""
    if standing.environ is None:
        return dict(os.environ)
    kept = {name: value for name, value in os.environ.items() if name not in known or name in withheld}
    return kept | {name: value for name, value in standing.environ.items() if name not in withheld}


def _cards(devices: Sequence[str], inventory: Inventory) -> tuple[CardStatus, ...] | None:
    """The cards that the DEVICEs mean, usable or not; None: all."""
    from gpuprobe.command.listing import part_of

    if not devices:
        return None
    found = [status for device in devices for status in part_of(inventory, device).card_statuses]
    return tuple(dict.fromkeys(found))


def _notes(inventory: Inventory, examination: Examination) -> tuple[str, ...]:
    from gpuprobe.doctor.examination import untold
    from gpuprobe.doctor.notes import of_inventory

    return untold(of_inventory(inventory), examination)


def _verdicts(texts: Sequence[str], inventory: Inventory, here: Options | None) -> tuple[Json, ...]:
    """`here`: this is the machine as it is, on which programs may be running now."""
    from gpuprobe.doctor.program_verdicts import verdict_for
    from gpuprobe.strings import printable

    programs = [program for text in texts for program in text.split(",") if program.strip()]
    found = [verdict_for(program, inventory) for program in programs]
    running = _running_now(programs, inventory, here) if here is not None and programs else {}
    return tuple(
        {
            "program": each.program,
            "computes": each.computes,
            "sentence": printable(each.sentence),
            "because": [printable(because) for because in (*each.because, *running.get(program, ()))],
        }
        for program, each in zip(programs, found, strict=True)
    )


def _running_now(programs: Sequence[str], inventory: Inventory, options: Options) -> dict[str, tuple[str, ...]]:
    """A line for each of these programs that runs now."""
    from gpuprobe.doctor.process_summary import line_for
    from gpuprobe.running_now import RunningNow

    if options.source is not None or inventory.evidence.host.platform != "linux":
        return {}
    now = RunningNow(inventory, request_of(options))
    try:
        processes = now.read().processes
    finally:
        now.close()
    lines = ((program, line_for(program, processes)) for program in programs)
    return {program: (line,) for program, line in lines if line is not None}


def _markdown(examination: Examination, text: str, inventory: Inventory) -> str:
    from gpuprobe.render.doctor_markdown import markdown

    return markdown(examination, text, inventory.evidence.host)


def _exit(examination: Examination, fail_from: Severity) -> Exit:
    """A finding that only says that no answer came decides nothing: 6."""
    from gpuprobe.doctor.examination import is_undecided
    from gpuprobe.doctor.findings import Severity

    severe = tuple(Severity).index(fail_from)
    heavy = [told.finding for told in examination.told if tuple(Severity).index(told.finding.severity) <= severe]
    return weightiest(*(Exit.UNDECIDED if is_undecided(each) else Exit.FAILED for each in heavy), Exit.ANSWERED)


def _fail_from(text: str | None) -> Severity:
    from gpuprobe.doctor.findings import Severity

    if text in (None, Severity.BLOCKER.value):
        return Severity.BLOCKER
    if text == Severity.DEGRADED.value:
        return Severity.DEGRADED
    raise WrongUsage(f"`--fail-on {text}`: it takes `blocker` or `degraded`", "for example `--fail-on degraded`")


def _wanted(given: DoctorOptions) -> Wanted:
    only, skip = _chosen("--only", given.only), _chosen("--skip", given.skip)
    return lambda finding: (not given.only or finding.id in only) and finding.id not in skip


def _chosen(option: str, texts: Sequence[str]) -> frozenset[str]:
    """The ids that names of causes and letters of layers mean."""
    from gpuprobe.knowledge import causes

    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    found: set[str] = set()
    for name in names:
        meant = {row.id for row in causes() if name in (row.id, row.layer, row.layer.lower())}
        if not meant:
            raise _no_such_cause(f"`{option} {name}`", name)
        found |= meant
    return frozenset(found)


def _no_such_cause(given: str, name: str) -> WrongUsage:
    from difflib import get_close_matches

    from gpuprobe.knowledge import causes

    near = get_close_matches(name, [row.id for row in causes()], n=3, cutoff=0.5)
    hint = f"near it: {', '.join(near)}" if near else "`gpuprobe doctor --explain all` lists them"
    return WrongUsage(f"{given}: no cause has this id", hint)


def explain(name: str) -> Reply:
    """What the catalogue says of one cause, or with `all` of each."""
    from gpuprobe.knowledge import causes

    rows = [row for row in causes() if name in (row.id, "all")]
    if not rows:
        raise _no_such_cause(f"`--explain {name}`", name)
    records: list[dict[str, Any]] = [
        {
            "id": row.id,
            "layer": row.layer,
            "about": row.about,
            "source": row.source,
            "checked": row.checked.isoformat(),
            "looked_for": row.looked_for,
        }
        for row in rows
    ]

    def document() -> Json:
        from gpuprobe.render.doctor_document import explanation_document

        return explanation_document(records)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.doctor_text import explanations

        return explanations(records)

    return Reply(Exit.ANSWERED, document, drawn)
