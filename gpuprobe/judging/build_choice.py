"""Which build of a library serves which card when several builds list the same cards, and what `OLLAMA_LLM_LIBRARY` chooses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from gpuprobe import environment
from gpuprobe.facts import FoundBuild, Host
from gpuprobe.judging.matching import matches
from gpuprobe.model import SYSTEM, Device
from gpuprobe.strings import build_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.judging.architecture import Fit

UNSUPPORTED = "unsupported"  # as in architecture.Answer, which only a machine with builds pays for

Groups = list[list[Device]]  # one list of views per card


def superseded(views: Sequence[Device]) -> Iterator[tuple[Device, Device]]:
    """The views that another build serves, each with the view kept instead.

    `views` are all of one library. The system's own library ranks behind every build: a build is what a program will really
    load. It completes the facts, and is kept only where no build can use the card.
    """
    cards = grouped(views)
    chosen = _chosen_builds([{view.build for view in card} for card in cards])
    for card, build in zip(cards, chosen, strict=True):
        kept = next(view for view in card if view.build == build)
        yield from ((view, kept) for view in card if view is not kept)


def grouped(views: Iterable[Device]) -> Groups:
    """One list of views per card, in the order of the first of each; no two of them are of one build."""
    by_build: dict[str, list[Device]] = {}
    for view in views:
        by_build.setdefault(view.build, []).append(view)
    cards: Groups = []
    card_of: dict[int, list[Device]] = {}  # by its first view
    for mine in by_build.values():
        first_of = {id(view): first for first, view in matches([card[0] for card in cards], mine)}
        for view in mine:
            first = first_of.get(id(view))
            if first is None:
                cards.append([view])
                card_of[id(view)] = cards[-1]
            else:
                card_of[id(first)].append(view)
    return cards


def _chosen_builds(offers: Sequence[set[str]]) -> list[str]:
    """For each card, given the builds that offer it: the newest build that covers all, else the fewest, newest first."""
    named = [builds - {SYSTEM} for builds in offers]
    cover = _smallest_cover([builds for builds in named if builds])
    return [next((build for build in cover if build in builds), SYSTEM) for builds in named]


def _smallest_cover(offers: Sequence[set[str]]) -> tuple[str, ...]:
    newest_first = sorted(set().union(*offers), key=build_key, reverse=True)
    # combinations keeps the order it is given, so the first hit of a size is also the newest.
    covers = (cover for size in range(len(newest_first) + 1) for cover in combinations(newest_first, size))
    return next(cover for cover in covers if all(builds.intersection(cover) for builds in offers))


def fit_of(device: Device, host: Host) -> Fit:
    """Whether a view's build computes on it."""
    from gpuprobe.judging import build_fit

    said = device.capabilities.get("architectures")
    told = [each for each in said if isinstance(each, str)] if isinstance(said, list) else []
    return build_fit.of_build(device, device.build, told, host)


def chosen_by_name(host: Host) -> str | None:
    """The one build that Ollama is told to use; None: it may use each. Names with `mlx_` choose among other things."""
    name = environment.cleaned(host.environ.get("OLLAMA_LLM_LIBRARY", ""))
    return name if name and not name.startswith("mlx_") else None


def is_for_ollama(build: FoundBuild) -> bool:
    """Whether Ollama's variables speak of it. What is found for llama.cpp is not, and what the user names may be anybody's."""
    return build.where != "llama.cpp"


def is_ollamas(build: FoundBuild) -> bool:
    """Whether it is a build that Ollama loads: found where it installs or is told to look, or laid out as its installs are."""
    return build.where in ("Ollama", "OLLAMA_LIBRARY_PATH") or build.product == "ollama"


def is_named(build: FoundBuild, name: str) -> bool:
    return name in (build.name, build.folder)


def unmatched_choice(host: Host) -> str | None:
    """The build that Ollama is told to use where there are builds and none has this name."""
    chosen = chosen_by_name(host)
    mine = [build for build in host.builds if is_for_ollama(build)]
    return chosen if chosen and mine and not any(is_named(build, chosen) for build in mine) else None
