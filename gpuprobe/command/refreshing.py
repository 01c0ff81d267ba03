"""What `refresh` answers: the memory of the devices of the saved discovery now, or of a new discovery, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuprobe.command.gathering import inventory_of, refuse_an_unmatched_choice, request_of, selected
from gpuprobe.command.remembering import asks_for_everything, remember
from gpuprobe.command.reply import Reply
from gpuprobe.doctor.refreshed import Refreshment, headline, is_in_doubt
from gpuprobe.exits import Exit
from gpuprobe.judging import changes, figures
from gpuprobe.judging.figures import Figure
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Evidence, Inventory, Json, Request
from gpuprobe.once import lately
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.command.options import Options
    from gpuprobe.facts import Host
    from gpuprobe.judging.changes import Change
    from gpuprobe.memory_refresh import Refreshed
    from gpuprobe.render.screen import Screen
    from gpuprobe.saved import Saved


def refresh(options: Options, devices: Sequence[str] = (), *, diff: bool = False) -> Reply:
    return reply_of(answer_of(options, devices), options, diff)


def reply_of(
    answer: Refreshment,
    options: Options,
    diff: bool,
    verdict: tuple[str, Exit] | None = None,
    machine_notes: Sequence[str] | None = None,
) -> Reply:
    """`verdict`: the first line and the exit code, where something was required. `machine_notes`: where they have been made."""
    text, leave_with = verdict or (headline(answer), Exit.UNDECIDED if is_in_doubt(answer) else Exit.ANSWERED)

    def document() -> Json:
        from gpuprobe.render.replies import refresh_document

        return refresh_document(answer, text, leave_with, diff, machine_notes)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.texts import refresh_text

        return refresh_text(answer, text, options, screen.width, diff)

    return Reply(leave_with, document, drawn)


class Start(NamedTuple):
    """The discovery whose devices are asked about. `anew`: why it was made just now; None: it was saved, and fits."""

    inventory: Inventory
    anew: str | None = None
    old: Evidence | None = None  # an earlier one to compare a new one with
    host: Host | None = None  # as it was surveyed to see that the saved one fits


def answer_of(options: Options, devices: Sequence[str] = ()) -> Refreshment:
    start, request = start_of(options, devices), request_of(options)
    if start.anew is not None or start.host is None:
        return discovered(start)
    from gpuprobe import memory_refresh

    with options.screen.progress(options.quiet) as watch:
        known = start.inventory
        return refreshed(known, memory_refresh.refresh(known.kept, known.evidence, start.host, request, watch=watch))


def start_of(options: Options, devices: Sequence[str] = ()) -> Start:
    """With DEVICEs only these are asked about, and an earlier discovery is not compared with: it is of all."""
    start = _start_of(options)
    if not devices:
        return start
    chosen = start.inventory._replace(kept=selected(devices, start.inventory.kept))
    return start._replace(inventory=chosen, old=None)


def _start_of(options: Options) -> Start:
    request = request_of(options)
    if options.source is not None:
        return Start(inventory_of(options, request), "this is a capture, whose machine cannot be read now")
    from gpuprobe import saved
    from gpuprobe.survey.host import read_host

    host = read_host(software=False)
    refuse_an_unmatched_choice(host)
    found = saved.load(host)
    why = _why_anew(found, request)
    if why is None and found.evidence is not None:
        return Start(judge(found.evidence, Request()), host=host)
    inventory = inventory_of(options, request)
    remember(options, inventory)
    return Start(inventory, why or "nothing is saved", _comparable(found))


def _why_anew(found: Saved, request: Request) -> str | None:
    from gpuprobe.saved.key import only_cards_came_or_went

    if not asks_for_everything(request._replace(wake=True)):
        return "the saved results were made with other options"
    if found.problem is None or only_cards_came_or_went(found.differences):
        return None
    return found.problem.because


def _comparable(found: Saved) -> Evidence | None:
    from gpuprobe.saved.key import is_of_this_account

    return found.evidence if is_of_this_account(found.differences) else None


def refreshed(known: Inventory, found: Refreshed, remarks: Sequence[str] = ()) -> Refreshment:
    """The answer to one reading of the devices of a discovery; `remarks` are about this reading alone."""
    discovered_at, now = known.evidence.gathered_at, found.evidence.gathered_at
    return Refreshment(
        inventory=known._replace(evidence=known.evidence._replace(gathered_at=now)),
        figures=found.figures,
        evidence=found.evidence,
        discovered_at=discovered_at,
        anew=None,
        compared_with=discovered_at,
        changes=tuple(_since(known, found.figures, found.evidence)),
        servers=found.servers,
        remarks=tuple(remarks),
    )


def _since(inventory: Inventory, found: Sequence[Figure], now: Evidence) -> Iterable[Change]:
    there = tuple([figure.device for figure in found if figure.silence is None or not figure.silence.is_gone])
    yield from changes.card_changes(inventory.evidence, now)
    yield from changes.unknown_devices(inventory.evidence, now)
    yield from _device_changes(inventory.kept, there)
    yield from changes.library_changes(inventory.evidence, now)


@lately
def _device_changes(before: Sequence[Device], after: Sequence[Device]) -> Sequence[Change]:
    return tuple(changes.device_changes(before, after))


def discovered(start: Start) -> Refreshment:
    """The answer of a discovery that was made just now."""
    inventory, old = start.inventory, start.old
    evidence = inventory.evidence
    measured = evidence.gathered_at
    found = tuple(Figure(device, figures.old_source(device), measured) for device in inventory.kept)
    answer = Refreshment(inventory, found, evidence, measured, start.anew)
    if old is None:
        return answer
    compared = (
        *changes.card_changes(old, evidence),
        *changes.device_changes(judge(old, Request()).kept, inventory.kept),
        *changes.library_changes(old, evidence),
    )
    return answer._replace(compared_with=old.gathered_at, changes=compared)
