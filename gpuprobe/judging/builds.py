"""Which build of a library serves which card when several builds list the same cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from gpuprobe.judging import identity
from gpuprobe.model import Device
from gpuprobe.strings import build_key

SYSTEM = "system"

Groups = list[list[Device]]  # one list of views per card


def superseded(views: Sequence[Device]) -> Iterator[tuple[Device, Device]]:
    """The views that another build serves, each with the view kept instead.

    `views` are all of one library. The system's own library ranks behind every build: a build is what a program will really
    load (`design.md`: it completes the facts and is kept only where no build can use the card).
    """
    cards = _grouped(views)
    chosen = _chosen_builds([{view.build for view in card} for card in cards])
    for card, build in zip(cards, chosen, strict=True):
        kept = next(view for view in card if view.build == build)
        yield from ((view, kept) for view in card if view is not kept)


def _grouped(views: Iterable[Device]) -> Groups:
    cards: Groups = []
    for view in views:
        for card in cards:
            if any(_same(view, other) for other in card):
                card.append(view)
                break
        else:
            cards.append([view])
    return cards


def _same(view: Device, other: Device) -> bool:
    return view.build != other.build and identity.same_card(view, other).answer == "same"


def _chosen_builds(offers: Sequence[set[str]]) -> list[str]:
    """For each card, given the builds that offer it: the newest build that covers all, else the fewest, newest first."""
    named = [builds - {SYSTEM} for builds in offers]
    cover = _smallest_cover([builds for builds in named if builds])
    return [next((build for build in cover if build in builds), SYSTEM) for builds in named]


def _smallest_cover(offers: Sequence[set[str]]) -> tuple[str, ...]:
    newest_first = sorted(set().union(*offers), key=build_key, reverse=True)
    for size in range(len(newest_first) + 1):
        # combinations keeps the order it is given, so the first hit of a size is also the newest.
        for cover in combinations(newest_first, size):
            if all(builds.intersection(cover) for builds in offers):
                return cover
    return tuple(newest_first)
