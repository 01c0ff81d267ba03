"""What `validate` asks: which views, how far and how often, and what is to be said beside their verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.command.concluding import Named, counted
from gpuprobe.command.gathering import inventory_of, request_of, selected
from gpuprobe.command.guesses import did_you_mean
from gpuprobe.command.remembering import remember
from gpuprobe.exits import WrongUsage
from gpuprobe.judging import measured_bandwidth, programs_without_build
from gpuprobe.judging.views import View, numbered, views
from gpuprobe.model import SYSTEM, Device, Inventory, Purpose, Request, StageName, ValidationScope

if TYPE_CHECKING:
    from gpuprobe.command.options import Options


MOST_REPEATS, MOST_JOBS = 1000, 64


class Pace(NamedTuple):
    """How far and how often to ask, as the options say it."""

    step: str | None = None
    repeat: str | None = None
    jobs: str | None = None


def views_of(
    options: Options, devices: Sequence[str], builds: Sequence[str], pace: Pace
) -> tuple[Inventory, tuple[View, ...], tuple[Named, ...]]:
    """The inventory after validation, the views to show, and which of them were named. With DEVICEs or builds the machine is
    listed first, to know what they mean; WrongUsage where one means nothing."""
    request = _request(options, pace)
    known = None
    meant: dict[str, set[tuple[str, str, str | None, str]]] = {}
    if devices or builds:
        listed = inventory_of(options, request_of(options, ValidationScope.NONE)._replace(builds=tuple(builds)))
        _check_builds(builds, listed)
        offered = numbered(listed)
        chosen = selected(devices, offered)
        meant = {text: {_source(device) for device in selected([text], offered)} for text in devices}
        keys = tuple(dict.fromkeys(device.key for device in chosen)) if devices else ()
        request = request._replace(chosen=keys, builds=tuple(builds))
        known = listed.evidence
    inventory = inventory_of(options, request, known)
    remember(options, inventory)
    shown = views(inventory)
    if devices:
        shown = tuple(view for view in shown if any(_source(view.device) in sources for sources in meant.values()))
    named = [Named(text, tuple(view for view in shown if _source(view.device) in meant[text])) for text in meant]
    named += [Named(build, tuple(view for view in shown if view.device.build == build)) for build in builds]
    return inventory, shown, tuple(named)


def _stage(step: str | None) -> StageName | None:
    try:
        return None if step is None else _BY_HEAD.get(step.lower()) or StageName(step.lower())
    except ValueError:
        stages = ", ".join(stage.value for stage in StageName)
        meant = did_you_mean(str(step), [*_BY_HEAD, *(stage.value for stage in StageName)])
        message = f"`--step {step}`: {meant}The steps are {stages}" if meant else f"`--step {step}`: the steps are {stages}"
        raise WrongUsage(message, "for example `gpuprobe validate --step copy`") from None


# As the matrix heads them.
_BY_HEAD = {
    "ctx": StageName.CONTEXT,
    "alloc": StageName.ALLOCATE,
    "prod": StageName.PRODUCT,
    "speed": StageName.BANDWIDTH,
}


def _request(options: Options, pace: Pace) -> Request:
    until = _stage(pace.step)
    repeat = _count("--repeat", pace.repeat, MOST_REPEATS)
    if options.source is not None and repeat is not None:
        raise WrongUsage("`--repeat` runs the tests again, which a capture cannot do", "leave out `--repeat`")
    jobs = _count("--jobs", pace.jobs, MOST_JOBS)
    return request_of(options, ValidationScope.PROVED)._replace(until=until, repeat=repeat or 1, jobs=jobs)


def _count(option: str, text: str | None, most: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise WrongUsage(f"`{option} {text}`: {option} takes a whole number from 1 to {most}", f"for example `{option} 3`")
    return int(text)


def _source(device: Device) -> tuple[str, str, str | None, str]:
    return device.library, device.build, device.manifest, device.key


def _check_builds(builds: Sequence[str], inventory: Inventory) -> None:
    listed = (outcome.probe.build for outcome in inventory.evidence.outcomes)
    there = dict.fromkeys((SYSTEM, *(build.name for build in inventory.evidence.host.builds), *listed))
    unknown = [build for build in builds if build not in there]
    if unknown:
        accepted = ", ".join(f"`{build}`" for build in there)
        message = f"`--build {unknown[0]}`: no build of this name; the builds are {accepted}"
        raise WrongUsage(message, "for example `gpuprobe validate --build system`")


def notes(inventory: Inventory, shown: Sequence[View]) -> Iterator[str]:
    """What is to be said beside the verdicts: a capture that goes less far, and what is slower than it should be."""
    shallow = [view for view in shown if view.outcome is not None and view.outcome.probe.purpose is Purpose.VALIDATE]
    if shallow:
        views = "every view" if len(shallow) == len(shown) else f"{len(shallow)} of {counted(len(shown), 'view')}"
        yield f"this capture has no full validation of {views}; only context creation was tested"
    # Those that have no build at all for a card are among the notes of every command.
    lacks = [lack for lack in programs_without_build.lacks(inventory) if not lack.brings_none]
    yield from map(programs_without_build.sentence, lacks)
    for view in shown:
        measured = measured_bandwidth.speeds_of(view.device, view.outcome)
        for sentence in measured_bandwidth.remarks(measured) if measured else ():
            yield f"{view.device.library}:{view.device.ordinal}: {sentence}"
