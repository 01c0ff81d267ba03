"""What `validate` asks and concludes: which views, and whether every card has one that passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpuprobe.command.gathering import inventory_of, selected, wanted_of
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.judging import standing
from gpuprobe.judging.views import View, by_card, has_failed, is_undecided, numbered, views
from gpuprobe.model import Inventory, Verdict

if TYPE_CHECKING:
    from gpuprobe.command.options import Asked


def views_of(asked: Asked, devices: Sequence[str], builds: Sequence[str]) -> tuple[Inventory, tuple[View, ...]]:
    """The inventory after validation and the views to show. With DEVICEs the machine is listed first, to know which
    devices they mean; WrongUsage where one means nothing."""
    wanted = wanted_of(asked, "all")
    known = None
    if devices:
        listed = inventory_of(asked, wanted_of(asked, "none"))
        chosen = selected(devices, numbered(listed))
        wanted = wanted._replace(chosen=tuple(dict.fromkeys(device.key for device in chosen)))
        known = listed.evidence
        sources = {(device.library, device.build, device.manifest, device.key) for device in chosen}
    inventory = inventory_of(asked, wanted, known)
    shown = views(inventory)
    if devices:
        shown = tuple(view for view in shown if _source(view) in sources)
    return inventory, _in_builds(shown, builds)


def _source(view: View) -> tuple[str, str, str | None, str]:
    return view.device.library, view.device.build, view.device.manifest, view.device.key


def _in_builds(shown: Sequence[View], builds: Sequence[str]) -> tuple[View, ...]:
    there = list(dict.fromkeys(view.device.build for view in shown))
    unknown = [build for build in builds if build not in there]
    if unknown:
        accepted = ", ".join(f"`{build}`" for build in there) or "none"
        message = f"`--build {unknown[0]}`: no view is in a build of this name; there is {accepted}"
        raise WrongUsage(message, "as in `gpuprobe validate --build system`")
    return tuple(view for view in shown if not builds or view.device.build in builds)


def conclusion(inventory: Inventory, shown: Sequence[View], strict: bool) -> tuple[str, Exit]:
    """The first line and the exit code. A card fails when none of its views that were looked at passed."""
    cards = by_card(shown)
    failed = [card for card in cards if has_failed(card)]
    fallen = failed or (strict and any(view.verdict is Verdict.UNSUPPORTED for view in shown))
    doubt = any(is_undecided(card) for card in cards) or standing.undecided(inventory)
    leave_with = weightiest(
        Exit.FAILED if fallen else Exit.ANSWERED,
        Exit.UNDECIDED if doubt else Exit.ANSWERED,
        Exit.ANSWERED if shown else Exit.NOTHING_USABLE,
    )
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
