"""What a person should know of the builds of Ollama and llama.cpp on this machine: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import machine
from gpuprobe.doctor.remedies import and_advice
from gpuprobe.facts import CPU_ONLY
from gpuprobe.judging.build_choice import chosen_by_name, fit_of, is_for_ollama, is_named
from gpuprobe.judging.identity import same_card
from gpuprobe.judging.verdicts import describe
from gpuprobe.libraries import ENGINES
from gpuprobe.model import SYSTEM, Device, Drop, Evidence, Inventory, Outcome, Purpose, Reason
from gpuprobe.strings import build_key

BY_THE_USER = ("--lib-dir", "OLLAMA_LIBRARY_PATH")
_DO_NOT_WORK = (Reason.NO_CODE, Reason.FAILED_VALIDATION, Reason.NOT_DECIDED)


def of_builds(inventory: Inventory) -> Iterator[str]:
    """In a fixed order: what was named and is not there, what is left out, what does not start, what only some builds can."""
    evidence = inventory.evidence
    yield from _empty_places(evidence)
    yield from _chosen(evidence)
    yield from _unfit(inventory)
    yield from _not_started(inventory)
    yield from _engines(evidence)
    yield from of_programs(inventory)
    for device in inventory.kept:
        yield from _passed_over(device, inventory)
        yield from _doubtful(device, inventory)


def _empty_places(evidence: Evidence) -> Iterator[str]:
    named = (place for place in evidence.host.empty_places if place.problem != CPU_ONLY)
    return (f"`{place.where}` names `{place.path}`, which {place.problem}" for place in named)


def of_programs(inventory: Inventory) -> Iterator[str]:
    """Programs that will compute on the CPU although a card is usable. Those whose builds have no code for it are told build
    by build."""
    if inventory.kept:
        from gpuprobe.judging.programs_without_build import lacks, sentence  # speaks of usable cards alone

        yield from (sentence(lack) for lack in lacks(inventory) if lack.brings_none)


def _engines(evidence: Evidence) -> Iterator[str]:
    """Backends of ggml that are not asked: where the user named their place, or a card of this machine is what they are for."""
    cards = {card.vendor_id for card in machine.cards(evidence.host)}
    known = {engine.name: engine for engine in ENGINES}
    for found in evidence.host.engines:
        engine = known.get(found.name)
        concerned = engine is not None and engine.is_gpu and (engine.vendor in cards or found.where in BY_THE_USER)
        if concerned:
            yield f"`{found.path}` is ggml's backend for {found.serves} ({found.name}): gpuprobe cannot ask it"


def _doubtful(device: Device, inventory: Inventory) -> Iterator[str]:
    """A row that speaks of the newest version of a build, where nothing tells which version this is."""
    if device.build != SYSTEM:
        fit = fit_of(device, inventory.evidence.host)
        if fit.doubtful:
            source = f" ({fit.source})" if fit.source else ""
            yield f"whether the build {device.build} computes on {_number(device)} is not certain: {fit.because}{source}"


def _chosen(evidence: Evidence) -> Iterator[str]:
    """A name that fits no build is an error of usage; where there are no builds at all it only has no effect here."""
    chosen = chosen_by_name(evidence.host)
    mine = [build for build in evidence.host.builds if is_for_ollama(build)]
    others = [build.name for build in mine if chosen is not None and not is_named(build, chosen)]
    if chosen is not None and not mine:
        yield f"`OLLAMA_LLM_LIBRARY={chosen}` chooses a build of Ollama, and none was found here"
    elif others:
        yield f"`OLLAMA_LLM_LIBRARY={chosen}` keeps Ollama from its other builds: {', '.join(others)}"


def _unfit(inventory: Inventory) -> Iterator[str]:
    for outcome in _build_listings(inventory):
        build = inventory.evidence.host.build_named(outcome.probe.build)
        if build is not None and build.problem is not None:
            yield f"{_named(outcome)} was not asked: {build.problem}"


def _not_started(inventory: Inventory) -> Iterator[str]:
    for outcome in _build_listings(inventory):
        if outcome.status.failed and outcome.seconds is not None:
            yield and_advice(f"{_named(outcome)} does not start: {describe(outcome)}", outcome)


def _passed_over(device: Device, inventory: Inventory) -> Iterator[str]:
    """The newer builds that cannot use this card, or, where the system's own library had to do, all of them."""
    for drop in inventory.drops:
        other = drop.device
        if drop.reason in _DO_NOT_WORK and _is_build_of(other, device) and same_card(other, device).same:
            if device.build == SYSTEM:
                fails = f"{_number(device)} does not work in the build {other.build} that is installed"
                yield f"{fails}: {_because(drop, inventory)}"
            elif build_key(other.build) > build_key(device.build):
                works = f"{_number(device)} works in the build {device.build} and not in the newer {other.build}"
                yield f"{works}: {_because(drop, inventory)}"


def _because(drop: Drop, inventory: Inventory) -> str:
    """Without the name of the build, where the drop says it."""
    host = inventory.evidence.host
    return fit_of(drop.device, host).because if drop.reason is Reason.NO_CODE else drop.because


def _is_build_of(view: Device, device: Device) -> bool:
    return view.library == device.library and view.build not in (SYSTEM, device.build)


def _number(device: Device) -> str:
    return f"{device.library}:{device.ordinal}"


def _named(outcome: Outcome) -> str:
    return f"{outcome.probe.library} ({outcome.probe.build})"


def _build_listings(inventory: Inventory) -> Iterator[Outcome]:
    for outcome in inventory.evidence.outcomes:
        if outcome.probe.build != SYSTEM and outcome.probe.purpose is Purpose.LIST:
            yield outcome
