"""What `running` answers: where each process that runs a model computes, with the evidence and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.command import running_options
from gpuprobe.command.gathering import inventory_of, request_of
from gpuprobe.command.reply import Reply
from gpuprobe.command.running_options import Wanted
from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.doctor.process_summary import Absent
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.model import Inventory, Json
from gpuprobe.running_now import RunningNow, Snapshot

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.command.options import Options
    from gpuprobe.render.screen import Screen


class Answer(NamedTuple):
    """`shown` are the processes of the answer; `absent` was asked for and is not there."""

    snapshot: Snapshot
    shown: tuple[Judged, ...]
    named: bool
    absent: Absent = Absent()


def running(options: Options, targets: Sequence[str]) -> Reply:
    wanted = running_options.read(targets)
    inventory = machine_of(options)
    now = RunningNow(inventory, request_of(options))
    try:
        answer = answer_of(now, wanted)
        return reply_of(answer._replace(shown=tuple(_explained(each, answer.snapshot) for each in answer.shown)), options)
    finally:
        now.close()


def _explained(each: Judged, snapshot: Snapshot) -> Judged:
    if each.where is not Where.PARTLY:
        return each
    from gpuprobe.command.running_plan import with_what_did_not_fit

    return with_what_did_not_fit(each, snapshot)


def machine_of(options: Options) -> Inventory:
    """The saved discovery answers as well: which devices are usable, and not how much of them is free."""
    from gpuprobe.command.remembering import remember

    if sys.platform != "linux":
        raise WrongUsage("`running` reads processes from /proc, which only Linux has", "`gpuprobe list` says which GPUs work")
    if options.source is not None:
        raise WrongUsage("a capture holds no processes, so `--from` has no meaning with `running`", "run it on that machine")
    inventory = inventory_of(options, request_of(options), may_be_saved=True)
    remember(options, inventory)
    return inventory


def answer_of(now: RunningNow, wanted: Wanted) -> Answer:
    snapshot = now.read(wanted.numbers)
    if wanted.is_all:
        return Answer(snapshot, snapshot.processes, named=False)
    numbers = running_options.chosen(wanted, snapshot.table)
    shown = tuple(each for each in snapshot.processes if each.process.number in numbers)
    there = {each.process.number for each in shown}
    return Answer(snapshot, shown, named=True, absent=Absent(tuple(number for number in numbers if number not in there)))


def exit_of(answer: Answer) -> Exit:
    """Without a name nothing is asked of a process, and the answer is the list, if one could be made."""
    if not answer.named:
        return Exit.ANSWERED if answer.snapshot.table.looked_at else Exit.UNDECIDED
    codes = [_EXITS.get(each.where, Exit.NO) for each in answer.shown]
    return weightiest(*codes, *(Exit.UNDECIDED for _ in chain(*answer.absent)))


_EXITS = {Where.ON_THE_GPU: Exit.ANSWERED, Where.PARTLY: Exit.ANSWERED, Where.CANNOT_TELL: Exit.UNDECIDED}


def reply_of(answer: Answer, options: Options) -> Reply:
    leave_with = exit_of(answer)

    def document() -> Json:
        from gpuprobe.render.running_document import running_document

        return running_document(answer.snapshot, answer.shown, answer.absent, leave_with)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render.running_text import running_text

        return running_text(
            answer.snapshot,
            answer.shown,
            answer.absent,
            screen.width,
            named=answer.named,
            quiet=options.quiet,
            verbose=options.verbose,
        )

    return Reply(leave_with, document, drawn)
