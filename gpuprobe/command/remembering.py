"""Which runs are worth saving, and when the saved discovery may answer in place of the machine."""

from __future__ import annotations

from gpuprobe.model import Evidence, Inventory, Request, Status, ValidationScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.facts import Host
    from gpuprobe.saved import Problem


def remember(options: Options, inventory: Inventory) -> str | None:
    """Saves what a complete run found. None where it did, or where there was nothing to save; else why it could not.

    An answer in doubt and an empty one are not saved, and what was saved before is forgotten: whoever gets such an answer
    mends something and asks again, and it need not be something that the key of a saved discovery knows.
    """
    if options.source is not None or not _is_complete(inventory):
        return None
    from gpuprobe import saved
    from gpuprobe.doctor import card_status

    if not inventory.kept or card_status.undecided(inventory):
        saved.forget()
        return None
    from gpuprobe.survey.host import read_host

    # What only a diagnosis reads is of the moment, and private: other processes, logs, packages.
    evidence = inventory.evidence._replace(host=inventory.evidence.host._replace(system=None))
    problem = saved.save(evidence, read_host(software=False), devices=inventory.kept)
    if problem and not options.quiet:
        options.screen.complain(
            f"note: the results were not saved, so each `env` and `refresh` detects the devices again: {problem}"
        )
    return problem


def recalled(options: Options, request: Request, host: Host) -> Evidence | None:
    """The saved discovery, where it answers this question on this machine; else None, and what is wrong with it is said."""
    if options.source is not None or not asks_for_everything(request):
        return None
    from gpuprobe import saved

    found = saved.load(host)
    if found.problem is None:
        return found.evidence
    if options.verbose or (found.problem.slug not in saved.ORDINARY and not options.quiet):
        _tell(options, found.problem)
    return None


def _tell(options: Options, problem: Problem) -> None:
    from gpuprobe.strings import printable

    options.screen.complain(printable(f"note: {problem.because}; the devices are detected again"))


def asks_for_everything(request: Request) -> bool:
    """Whatever narrows the question, also by an option that is added later, makes it another one."""
    return (
        request._replace(validate=ValidationScope.NEEDED, seconds=None, deadline=None) == Request()
        and request.validate is not ValidationScope.NONE
    )


def _is_complete(inventory: Inventory) -> bool:
    return asks_for_everything(inventory.request) and not _was_cut_short(inventory)


def _was_cut_short(inventory: Inventory) -> bool:
    """Whether a limit of the user's own kept something from being answered."""
    request, evidence = inventory.request, inventory.evidence
    if request.seconds is None and request.deadline is None:
        return False
    from gpuprobe.probing.questions import not_asked

    on_purpose = not_asked(evidence.host, request)
    return any(
        outcome.status.overdue or (outcome.status is Status.SKIPPED and outcome not in on_purpose)
        for outcome in evidence.outcomes
    )
