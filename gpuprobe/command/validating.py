"""What `validate` asks and concludes: which views, and whether every card has one that passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpuprobe.command.gathering import inventory_of, selected, wanted_of
from gpuprobe.command.remembering import remember
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.judging import standing
from gpuprobe.judging.verdicts import describe
from gpuprobe.judging.views import View, by_card, has_failed, is_undecided, numbered, views
from gpuprobe.model import SYSTEM, Inventory, Outcome, Purpose, Status, Verdict

if TYPE_CHECKING:
    from gpuprobe.command.options import Asked


def views_of(asked: Asked, devices: Sequence[str], builds: Sequence[str]) -> tuple[Inventory, tuple[View, ...]]:
    """The inventory after validation and the views to show. With DEVICEs the machine is listed first, to know which
    devices they mean; WrongUsage where one means nothing."""
    wanted = wanted_of(asked, "all")._replace(builds=tuple(builds))
    known = None
    if devices:
        listed = inventory_of(asked, wanted._replace(validate="none"))
        chosen = selected(devices, numbered(listed))
        wanted = wanted._replace(chosen=tuple(dict.fromkeys(device.key for device in chosen)))
        known = listed.evidence
        sources = {(device.library, device.build, device.manifest, device.key) for device in chosen}
    inventory = inventory_of(asked, wanted, known)
    remember(asked, inventory)
    shown = views(inventory)
    if devices:
        shown = tuple(view for view in shown if _source(view) in sources)
    return inventory, _in_builds(inventory, shown, builds)


def _source(view: View) -> tuple[str, str, str | None, str]:
    return view.device.library, view.device.build, view.device.manifest, view.device.key


def _in_builds(inventory: Inventory, shown: Sequence[View], builds: Sequence[str]) -> tuple[View, ...]:
    listed = (outcome.probe.build for outcome in inventory.evidence.outcomes)
    there = dict.fromkeys((SYSTEM, *(build.name for build in inventory.evidence.host.builds), *listed))
    unknown = [build for build in builds if build not in there]
    if unknown:
        accepted = ", ".join(f"`{build}`" for build in there)
        message = f"`--build {unknown[0]}`: there is no build of this name; there is {accepted}"
        raise WrongUsage(message, "as in `gpuprobe validate --build system`")
    return tuple(view for view in shown if not builds or view.device.build in builds)


def _lost_builds(inventory: Inventory) -> list[Outcome]:
    """Those named with `--build` that could not even list: there is no view of theirs to fail."""
    return [
        outcome
        for outcome in inventory.evidence.outcomes
        if outcome.probe.build in inventory.wanted.builds and outcome.probe.build != SYSTEM
        if outcome.probe.purpose is Purpose.LIST and outcome.status not in (Status.OK, Status.NO_DEVICES)
    ]


def conclusion(inventory: Inventory, shown: Sequence[View], strict: bool) -> tuple[str, Exit]:
    """The first line and the exit code. A card fails when none of its views that were looked at passed."""
    cards = by_card(shown)
    failed = [card for card in cards if has_failed(card)]
    lost = _lost_builds(inventory)
    fallen = failed or lost or (strict and any(view.verdict is Verdict.UNSUPPORTED for view in shown))
    doubt = any(is_undecided(card) for card in cards) or standing.undecided(inventory)
    leave_with = weightiest(
        Exit.FAILED if fallen else Exit.ANSWERED,
        Exit.UNDECIDED if doubt else Exit.ANSWERED,
        Exit.ANSWERED if shown else Exit.NOTHING_USABLE,
    )
    if lost and not shown:
        return f"the build `{lost[0].probe.build}` lists nothing to validate: {describe(lost[0])}", leave_with
    if not shown:
        return f"nothing to validate: {standing.summary(inventory).text}", leave_with
    passed = sum(view.verdict is Verdict.SUPPORTED for view in shown)
    views_passed = f"{passed} of {_counted(len(shown), 'view')} passed"
    return f"{views_passed}; {_about_cards(cards)}", leave_with


def _about_cards(cards: Sequence[Sequence[View]]) -> str:
    failed, undecided = sum(map(has_failed, cards)), sum(map(is_undecided, cards))
    parts = [
        f"{failed} of {_counted(len(cards), 'card')} failed" if failed else "",
        f"{undecided} of {_counted(len(cards), 'card')} could not be decided" if undecided else "",
    ]
    works = {1: "the card works", 2: "both cards work"}.get(len(cards), f"all {len(cards)} cards work")
    return ", ".join(part for part in parts if part) or works


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
