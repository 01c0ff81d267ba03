"""Variables of the user's that hide a card from a library: a child without them proves it, and only then is it a cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import weight
from gpuprobe.judging.belonging import is_of
from gpuprobe.judging.device_lists import ggml_list
from gpuprobe.libraries import LEVEL_ZERO, ROCM, VULKAN, Library, library_named
from gpuprobe.model import Device, Outcome, Purpose, Reason

# By the library that is filtered. CUDA's are told apart by more than that they hide: doctor/nvidia.
_SLUGS = {ROCM.name: "env-hip-visible-hides-all", LEVEL_ZERO.name: "env-intel-selectors", VULKAN.name: "vk-icd-env-override"}
_ROCR = ROCM.selections["linux"].variable
_GGML = VULKAN.selections["linux"].variable
_SYCL = ("ONEAPI_DEVICE_SELECTOR", "SYCL_DEVICE_FILTER")
_GPUS_OF_SYCL = ("gpu", "level_zero", "*")


def hidden(situation: Situation) -> Iterator[Finding]:
    for outcome in situation.outcomes:
        library = library_named(outcome.probe.library)
        severity = weight(situation, library) if _shows_it(outcome, situation) and library.name in _SLUGS else None
        if severity is not None and not _is_listed(situation, library):
            yield _hidden(situation, outcome, library, severity)
            return


def _shows_it(outcome: Outcome, situation: Situation) -> bool:
    unfiltered = outcome.probe.purpose is Purpose.UNFILTERED and outcome.probe.variables
    return bool(unfiltered) and any(is_of(device, situation.card) for device in outcome.devices)


def _is_listed(situation: Situation, library: Library) -> bool:
    """As the user has it."""
    mine = (each for each in situation.outcomes if each.probe.library == library.name)
    filtered = (each for each in mine if each.probe.purpose is not Purpose.UNFILTERED)
    return any(is_of(device, situation.card) for each in filtered for device in each.devices)


def _hidden(situation: Situation, outcome: Outcome, library: Library, severity: Severity) -> Finding:
    environ = situation.host.environ
    names = [name for name, _ in outcome.probe.variables if name in environ]
    shown = ", ".join(f"`{name}={environ[name]}`" for name in names)
    first = names[0] if names else ""
    return cause(
        _slug(library, names, environ.get(_ROCR, "")),
        rung=Rung.LIBRARY,
        severity=severity,
        because=f"{shown} {'hide' if len(names) > 1 else 'hides'} it; without that, {library.name} lists it",
        brief=f"hidden by `{first}`",
        reason=Reason.HIDDEN_BY_VARIABLE,
        evidence=tuple(Observed(name, environ[name] or "empty") for name in names),
        fix=(run("unset it to use this card:", f"unset {' '.join(names)}"), *_in_the_service(situation, first)),
        library=library,
    )


def _slug(library: Library, names: Sequence[str], rocr: str) -> str:
    """Two filters of ROCm's count one after the other: HIP numbers what the runtime below it has left."""
    stacked = library == ROCM and _ROCR in names and len(names) > 1 and rocr not in ("", "-1")
    return "env-double-filter" if stacked else _SLUGS[library.name]


def _in_the_service(situation: Situation, name: str) -> tuple[Step, ...]:
    """What a unit sets, no shell can unset."""
    servers = (situation.host.system.servers if situation.host.system else None) or ()
    units = [each.unit for each in servers if each.unit and name in (each.environ or {})]
    if not units:
        return ()
    return (run(f"and take `{name}` out of the service:", f"sudo systemctl edit {units[0]}", where=Place.SERVICE),)


def hidden_from_ggml(situation: Situation) -> Iterator[Finding]:
    """The loader lists the card, and Ollama and llama.cpp are told to leave it out."""
    value = situation.host.environ.get(_GGML)
    drops = [drop.device for drop in situation.drops if drop.reason is Reason.HIDDEN_BY_VARIABLE]
    mine = next((device for device in drops if device.library == VULKAN.name), None)
    severity = weight(situation, VULKAN)
    if value is None or mine is None or severity is None:
        return
    yield cause(
        "env-vk-visible",
        rung=Rung.LIBRARY,
        severity=severity,
        because=f"`{_GGML}={value}` hides it from Ollama and llama.cpp: {_left(value, situation, mine)}",
        brief=f"hidden by `{_GGML}`",
        reason=Reason.HIDDEN_BY_VARIABLE,
        evidence=(Observed(_GGML, value or "empty"), Observed("its number in Vulkan's list", str(mine.number))),
        fix=(run("unset it to use this card:", f"unset {_GGML}"), *_in_the_service(situation, _GGML)),
        library=VULKAN,
    )


def _left(value: str, situation: Situation, mine: Device) -> str:
    count = sum(len(each.devices) for each in situation.of_library(VULKAN.name) if each.probe.purpose is Purpose.LIST)
    shown = ggml_list(value, count)
    return f"its number is {mine.number}" if shown else "it names no device that is there"


def hidden_from_sycl(situation: Situation) -> Iterator[Finding]:
    """gpuprobe asks Level Zero itself; programs that compute through SYCL see what these leave."""
    environ = situation.host.environ
    name = next((each for each in _SYCL if each in environ), None)
    if name is None or LEVEL_ZERO not in situation.own_libraries:
        return
    value = environ[name]
    if any(word in value.casefold() for word in _GPUS_OF_SYCL) and "!" not in value:
        return
    yield cause(
        "env-intel-selectors",
        rung=Rung.BUILD,
        severity=Severity.INFO,
        because=f"`{name}={value}` leaves programs that compute through SYCL (torch on Intel GPUs) no GPU",
        brief=f"hidden from SYCL by `{name}`",
        reason=Reason.HIDDEN_BY_VARIABLE,
        evidence=(Observed(name, value or "empty"),),
        fix=(run("unset it for those programs:", f"unset {name}"),),
        library=LEVEL_ZERO,
    )


CHECKS = (hidden, hidden_from_ggml, hidden_from_sycl)
