"""Which runs are worth saving, and when the saved discovery may answer in place of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpuprobe.facts import Host
from gpuprobe.model import Evidence, Inventory, Status, Wanted

if TYPE_CHECKING:
    from gpuprobe.command.options import Asked
    from gpuprobe.saved import Problem


def remember(asked: Asked, inventory: Inventory) -> str | None:
    """Saves what a complete run found. None where it did, or where there was nothing to save; else why it could not.

    An answer in doubt and an empty one are not saved, and what was saved before is forgotten: whoever gets such an answer
    mends something and asks again, and it need not be something that the key of a saved discovery knows.
    """
    if asked.source is not None or not _is_complete(inventory):
        return None
    from gpuprobe import saved
    from gpuprobe.judging import standing

    if not inventory.kept or standing.undecided(inventory):
        saved.forget()
        return None
    from gpuprobe.survey.host import read_host

    problem = saved.save(inventory.evidence, read_host(software=False), devices=inventory.kept)
    if problem and asked.verbose:
        asked.screen.complain(f"note: the discovery was not saved: {problem}")
    return problem


def recalled(asked: Asked, wanted: Wanted, host: Host) -> Evidence | None:
    """The saved discovery, where it answers this question on this machine; else None, and what is wrong with it is said."""
    if asked.source is not None or not asks_for_everything(wanted):
        return None
    from gpuprobe import saved

    found = saved.load(host)
    if found.problem is None:
        return found.evidence
    if asked.verbose or (found.problem.slug not in saved.ORDINARY and not asked.quiet):
        _tell(asked, found.problem)
    return None


def _tell(asked: Asked, problem: Problem) -> None:
    from gpuprobe.strings import printable

    asked.screen.complain(printable(f"note: {problem.because}; the machine is asked anew"))


def asks_for_everything(wanted: Wanted) -> bool:
    """Whatever narrows the question, also by an option that is added later, makes it another one."""
    return wanted._replace(validate="needed", seconds=None, deadline=None) == Wanted() and wanted.validate != "none"


def _is_complete(inventory: Inventory) -> bool:
    return asks_for_everything(inventory.wanted) and not _was_cut_short(inventory)


def _was_cut_short(inventory: Inventory) -> bool:
    """Whether a limit of the user's own kept something from being answered."""
    wanted, evidence = inventory.wanted, inventory.evidence
    if wanted.seconds is None and wanted.deadline is None:
        return False
    from gpuprobe.probing.questions import not_asked

    on_purpose = not_asked(evidence.host, wanted)
    return any(
        outcome.status in (Status.TIMED_OUT, Status.ABANDONED)
        or (outcome.status is Status.SKIPPED and outcome not in on_purpose)
        for outcome in evidence.outcomes
    )
