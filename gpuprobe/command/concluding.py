"""What `validate` concludes: the first line and the exit code, counted over cards, what was named, and lost builds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gpuprobe.doctor import card_status, unviewed
from gpuprobe.doctor.unviewed import Unviewed
from gpuprobe.exits import Exit, weightiest
from gpuprobe.judging.belonging import serves
from gpuprobe.judging.programs_without_build import served_by_nothing
from gpuprobe.judging.verdicts import describe
from gpuprobe.judging.views import View, by_card, has_failed, is_undecided
from gpuprobe.libraries import Library, library_named
from gpuprobe.model import SYSTEM, DeviceType, Inventory, Outcome, Purpose, Status, Verdict
from gpuprobe.strings import printable


class Named(NamedTuple):
    """What a DEVICE or a `--build` stands for: where the text alone means several cards, each is to pass."""

    text: str
    views: tuple[View, ...]


class _Count(NamedTuple):
    """Cards, those without a view included."""

    looked_at: int
    failed: int
    undecided: int
    left_out: int


def conclusion(
    inventory: Inventory,
    shown: Sequence[View],
    others: Sequence[Unviewed],
    strict: bool,
    named: Sequence[Named] = (),
) -> tuple[str, Exit]:
    """The first line and the exit code. A card fails when none of its views that were looked at passed, and when it has
    none: `others` are the cards without a view. What was named fails also where another view of its card passed."""
    count = _counted_cards(shown, others)
    lost = _lost_builds(inventory)
    broken = [outcome for outcome in lost if outcome.status not in _NOT_DECIDED]
    groups = [(each.text, card) for each in named for card in by_card(each.views)]
    names = list(dict.fromkeys(text for text, card in groups if has_failed(card)))
    fallen = count.failed or broken or names or (strict and any(view.verdict is Verdict.UNSUPPORTED for view in shown))
    doubt = count.undecided or any(is_undecided(card) for _, card in groups) or len(lost) > len(broken)
    doubt = doubt or (strict and any(view.verdict is Verdict.INCONCLUSIVE for view in shown))
    unknown = card_status.doubts(inventory)
    leave_with = weightiest(
        Exit.FAILED if fallen else Exit.ANSWERED,
        Exit.UNDECIDED if doubt or unknown else Exit.ANSWERED,
        Exit.ANSWERED if shown else Exit.NOTHING_USABLE,
    )
    if not shown:
        return _nothing(inventory, lost), leave_with
    more = f"; more may be usable: {unknown[0]}" if unknown and leave_with is Exit.UNDECIDED and not count.undecided else ""
    return _said(shown, count, names, inventory) + more, leave_with


def _counted_cards(shown: Sequence[View], others: Sequence[Unviewed]) -> _Count:
    cards = by_card(shown)
    left_out = sum(each.verdict is None for each in others)
    return _Count(
        looked_at=len(cards) + len(others) - left_out,
        failed=sum(map(has_failed, cards)) + unviewed.failed(others),
        undecided=sum(map(is_undecided, cards)) + unviewed.undecided(others),
        left_out=left_out,
    )


_NOT_DECIDED = (Status.TIMED_OUT, Status.ABANDONED, Status.UNREADABLE, Status.NOT_STARTED)


def _lost_builds(inventory: Inventory) -> list[Outcome]:
    """Those named with `--build` that could not even list: there is no view of theirs to fail. A build that no card of this
    machine is for was rightly not asked."""
    return [
        outcome
        for outcome in inventory.evidence.outcomes
        if outcome.probe.build in inventory.request.builds and outcome.probe.build != SYSTEM
        if outcome.probe.purpose is Purpose.LIST and not outcome.status.answered
        if outcome.status is not Status.SKIPPED or _has_a_card(library_named(outcome.probe.library), inventory)
    ]


def _has_a_card(library: Library, inventory: Inventory) -> bool:
    return any(serves(library, each.card) for each in card_status.card_statuses(inventory))


def _nothing(inventory: Inventory, lost: Sequence[Outcome]) -> str:
    if lost:
        return f"the build `{lost[0].probe.build}` lists nothing to validate: {describe(lost[0])}"
    empty = [build for build in inventory.request.builds if build != SYSTEM]
    if empty:
        return f"nothing to validate: the build `{empty[0]}` lists no device"
    return f"nothing to validate: {card_status.summary(inventory).text}"


def _said(shown: Sequence[View], count: _Count, names: Sequence[str], inventory: Inventory) -> str:
    passed = sum(view.verdict is Verdict.SUPPORTED for view in shown)
    quoted = ", ".join(f"`{printable(text)}`" for text in names)
    also = f", but {quoted} failed" if quoted and not count.failed else ""
    passing = [view.device for view in shown if view.verdict is Verdict.SUPPORTED]
    served = not passing or not all(served_by_nothing(device, inventory) for device in passing)
    beside = f"; {counted(count.left_out, 'card')} left out" if count.left_out else ""
    return f"{passed} of {counted(len(shown), 'view')} passed; {_about_cards(count, _noun(shown), served)}{also}{beside}"


def _noun(shown: Sequence[View]) -> str:
    if all(view.device.type is DeviceType.SOFTWARE for view in shown):
        return "software renderer"
    return "slice" if any(view.device.partition for view in shown) else "card"


def _about_cards(count: _Count, noun: str, served: bool) -> str:
    all_of_them = counted(count.looked_at, noun)
    parts = [
        f"{count.failed} of {all_of_them} failed" if count.failed else "",
        f"{count.undecided} of {all_of_them} could not be decided" if count.undecided else "",
    ]
    each = {1: f"the {noun}", 2: f"both {noun}s"}.get(count.looked_at, f"all {count.looked_at} {noun}s")
    pronoun = "it" if count.looked_at == 1 else "them"
    if not served and not any(parts):
        return f"the driver computes on {each}, and no program that is installed has code for {pronoun}"
    works = {1: f"the {noun} works", 2: f"both {noun}s work"}.get(count.looked_at, f"all {count.looked_at} {noun}s work")
    return ", ".join(part for part in parts if part) or works


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
