"""What `validate` asks and concludes: which views, and whether every card has one that passed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.backends.climbing import RUNGS
from gpuprobe.command.gathering import inventory_of, selected, wanted_of
from gpuprobe.command.remembering import remember
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.judging import speeds, standing, unviewed
from gpuprobe.judging.ladder import serves
from gpuprobe.judging.unviewed import Unviewed
from gpuprobe.judging.verdicts import describe
from gpuprobe.judging.views import View, by_card, has_failed, is_undecided, numbered, views
from gpuprobe.libraries import Library, library_named
from gpuprobe.model import SYSTEM, DeviceType, Inventory, Outcome, Purpose, Status, Verdict, Wanted

if TYPE_CHECKING:
    from gpuprobe.command.options import Asked


MOST_REPEATS, MOST_JOBS = 1000, 64


class Pace(NamedTuple):
    """How far and how often to ask, as the options say it."""

    step: str | None = None
    repeat: str | None = None
    jobs: str | None = None


def views_of(
    asked: Asked, devices: Sequence[str], builds: Sequence[str], pace: Pace
) -> tuple[Inventory, tuple[View, ...]]:
    """The inventory after validation and the views to show. With DEVICEs or builds the machine is listed first, to know
    what they mean; WrongUsage where one means nothing."""
    wanted = _wanted(asked, pace)
    known = None
    if devices or builds:
        listed = inventory_of(asked, wanted_of(asked, "none")._replace(builds=tuple(builds)))
        _check_builds(builds, listed)
        chosen = selected(devices, numbered(listed))
        keys = tuple(dict.fromkeys(device.key for device in chosen)) if devices else ()
        wanted = wanted._replace(chosen=keys, builds=tuple(builds))
        known = listed.evidence
        sources = {(device.library, device.build, device.manifest, device.key) for device in chosen}
    inventory = inventory_of(asked, wanted, known)
    remember(asked, inventory)
    shown = views(inventory)
    if devices:
        shown = tuple(view for view in shown if _source(view) in sources)
    return inventory, shown


def _wanted(asked: Asked, pace: Pace) -> Wanted:
    if pace.step is not None and pace.step not in RUNGS:
        raise WrongUsage(f"`--step {pace.step}`: {', '.join(RUNGS)} are accepted", "as in `gpuprobe validate --step copy`")
    repeat = _count("--repeat", pace.repeat, MOST_REPEATS)
    if asked.source is not None and repeat is not None:
        raise WrongUsage("`--repeat` asks a machine again, and a capture cannot be asked", "leave out `--repeat`")
    jobs = _count("--jobs", pace.jobs, MOST_JOBS)
    return wanted_of(asked, "proved")._replace(until=pace.step, repeat=repeat or 1, jobs=jobs)


def _count(option: str, text: str | None, most: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise WrongUsage(f"`{option} {text}`: a whole number from 1 to {most} is accepted", f"as in `{option} 3`")
    return int(text)


def _source(view: View) -> tuple[str, str, str | None, str]:
    return view.device.library, view.device.build, view.device.manifest, view.device.key


def _check_builds(builds: Sequence[str], inventory: Inventory) -> None:
    listed = (outcome.probe.build for outcome in inventory.evidence.outcomes)
    there = dict.fromkeys((SYSTEM, *(build.name for build in inventory.evidence.host.builds), *listed))
    unknown = [build for build in builds if build not in there]
    if unknown:
        accepted = ", ".join(f"`{build}`" for build in there)
        message = f"`--build {unknown[0]}`: there is no build of this name; there is {accepted}"
        raise WrongUsage(message, "as in `gpuprobe validate --build system`")


def notes(inventory: Inventory, shown: Sequence[View]) -> Iterator[str]:
    """What is to be said beside the verdicts: a capture that goes less far, and what is slower than it should be."""
    shallow = [view for view in shown if view.outcome is not None and view.outcome.probe.purpose is Purpose.VALIDATE]
    if shallow:
        views = "every view" if len(shallow) == len(shown) else f"{len(shallow)} of {_counted(len(shown), 'view')}"
        yield f"the capture holds no full validation of {views}: it went no further than a context"
    for view in shown:
        measured = speeds.speeds_of(view.device, view.outcome)
        for sentence in speeds.remarks(measured) if measured else ():
            yield f"{view.device.library}:{view.device.ordinal}: {sentence}"


_NOT_DECIDED = (Status.TIMED_OUT, Status.ABANDONED, Status.UNREADABLE, Status.NOT_STARTED)


def _lost_builds(inventory: Inventory) -> list[Outcome]:
    """Those named with `--build` that could not even list: there is no view of theirs to fail. A build that no card of this
    machine is for was rightly not asked."""
    return [
        outcome
        for outcome in inventory.evidence.outcomes
        if outcome.probe.build in inventory.wanted.builds and outcome.probe.build != SYSTEM
        if outcome.probe.purpose is Purpose.LIST and outcome.status not in (Status.OK, Status.NO_DEVICES)
        if outcome.status is not Status.SKIPPED or _has_a_card(library_named(outcome.probe.library), inventory)
    ]


def _has_a_card(library: Library, inventory: Inventory) -> bool:
    return any(serves(library, each.card) for each in standing.standings(inventory))


def conclusion(
    inventory: Inventory, shown: Sequence[View], others: Sequence[Unviewed], strict: bool
) -> tuple[str, Exit]:
    """The first line and the exit code. A card fails when none of its views that were looked at passed, and when it has
    none: `others` are the cards without a view."""
    cards = by_card(shown)
    failed = sum(map(has_failed, cards)) + unviewed.failed(others)
    undecided = sum(map(is_undecided, cards)) + unviewed.undecided(others)
    lost = _lost_builds(inventory)
    broken = [outcome for outcome in lost if outcome.status not in _NOT_DECIDED]
    fallen = failed or broken or (strict and any(view.verdict is Verdict.UNSUPPORTED for view in shown))
    doubt = undecided or standing.undecided(inventory) or len(lost) > len(broken)
    leave_with = weightiest(
        Exit.FAILED if fallen else Exit.ANSWERED,
        Exit.UNDECIDED if doubt else Exit.ANSWERED,
        Exit.ANSWERED if shown else Exit.NOTHING_USABLE,
    )
    if lost and not shown:
        return f"the build `{lost[0].probe.build}` lists nothing to validate: {describe(lost[0])}", leave_with
    empty = [build for build in inventory.wanted.builds if build != SYSTEM]
    if empty and not shown:
        return f"nothing to validate: the build `{empty[0]}` lists no device", leave_with
    if not shown:
        return f"nothing to validate: {standing.summary(inventory).text}", leave_with
    passed = sum(view.verdict is Verdict.SUPPORTED for view in shown)
    views_passed = f"{passed} of {_counted(len(shown), 'view')} passed"
    noun = _noun(shown)
    left_out = sum(each.verdict is None for each in others)
    looked_at = len(cards) + len(others) - left_out
    beside = f"; {_counted(left_out, 'card')} left out" if left_out else ""
    return f"{views_passed}; {_about_cards(looked_at, noun, failed, undecided)}{beside}", leave_with


def _noun(shown: Sequence[View]) -> str:
    if all(view.device.type is DeviceType.SOFTWARE for view in shown):
        return "software renderer"
    return "slice" if any(view.device.partition for view in shown) else "card"


def _about_cards(number: int, noun: str, failed: int, undecided: int) -> str:
    parts = [
        f"{failed} of {_counted(number, noun)} failed" if failed else "",
        f"{undecided} of {_counted(number, noun)} could not be decided" if undecided else "",
    ]
    works = {1: f"the {noun} works", 2: f"both {noun}s work"}.get(number, f"all {number} {noun}s work")
    return ", ".join(part for part in parts if part) or works


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
