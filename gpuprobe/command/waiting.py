"""What `refresh --require` answers, and `--wait`: readings of the devices that are known, until they are what is required."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.command.gathering import request_of, requirement_of
from gpuprobe.command.refreshing import answer_of, reply_of
from gpuprobe.command.reply import Reply
from gpuprobe.command.watching import readings
from gpuprobe.doctor.refreshed import Refreshment, is_in_doubt
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.judging.requirement import Requirement, meets

if TYPE_CHECKING:
    from gpuprobe.command.options import Options

EVERY_SECONDS = 2.0
_LONGEST = 30 * 86400
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Wish(NamedTuple):
    """The options, as they were given."""

    require: str | None
    wait: str | None
    watch: str | None = None


def refresh(options: Options, devices: Sequence[str], wish: Wish, *, diff: bool) -> Reply:
    if wish.require is None:
        raise WrongUsage("`--wait` needs `--require`", "as in `gpuprobe refresh --require 'free>=20GiB' --wait 10m`")
    if wish.watch is not None:
        raise WrongUsage("`--watch` and `--require` exclude each other: it never ends", "`--wait` ends where it is met")
    requirement = requirement_of(wish.require)
    request_of(options)
    if wish.wait is None:
        answer = answer_of(options, devices)
    else:
        answer = _awaited(options, devices, requirement, seconds_of(wish.wait))
    return reply_of(answer, options, diff, verdict_of(requirement, answer))


def seconds_of(text: str) -> float:
    """ "90", "90s", "10m", "2h"; WrongUsage for anything else, and for more than thirty days."""
    found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?) ?([smhd]?)", text.strip().lower(), re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST:
        raise WrongUsage(f"`--wait {text}`: it takes a time of up to 30 days", "for example `--wait 90s`, `10m` or `2h`")
    return seconds


def verdict_of(requirement: Requirement, answer: Refreshment) -> tuple[str, Exit]:
    """The first line and the exit code. An old figure is none: who waits for memory wants to know of now."""
    devices = [
        figure.device._replace(free_memory=None) if figure.stale or figure.unknown else figure.device
        for figure in answer.figures
    ]
    met = meets(requirement, devices)
    doubt = met.undecided or (not met.answer and is_in_doubt(answer))
    leave_with = weightiest(Exit.ANSWERED if met.answer else Exit.NO, Exit.UNDECIDED if doubt else Exit.ANSWERED)
    verdict = {Exit.ANSWERED: "met", Exit.NO: "not met", Exit.UNDECIDED: "cannot be decided"}[leave_with]
    return f"requirement {verdict}: {met.because}", leave_with


def _awaited(options: Options, devices: Sequence[str], requirement: Requirement, seconds: float) -> Refreshment:
    """The reading that met it, or the last one. The processes that read stay, so that nothing is initialised again."""
    if options.source is not None:
        raise WrongUsage("a capture does not change, so `--from` has no meaning with `--wait`", "leave one of them out")
    gc.freeze()  # what was loaded so far stays
    gc.enable()  # it was switched off for commands that end at once
    end = time.monotonic() + seconds
    with closing(readings(options, devices)) as found:
        answer = next(found)  # a discovery shows what it asks itself
        with options.screen.progress(options.quiet) as tell:
            while not _is_over(requirement, answer, end, tell):
                time.sleep(max(0.0, min(EVERY_SECONDS, end - time.monotonic())))
                answer = next(found)
    return answer


def _is_over(requirement: Requirement, answer: Refreshment, end: float, tell: Callable[[str], None] | None) -> bool:
    text, leave_with = verdict_of(requirement, answer)
    if tell is not None:
        tell(f"waiting, {text}")
    return leave_with is Exit.ANSWERED or time.monotonic() >= end
