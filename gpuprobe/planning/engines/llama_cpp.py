"""llama.cpp: its fit chooses what the user has not, and `llama-server` is told so (b10434 to b11434)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gpuprobe.libraries import library_named
from gpuprobe.model import Device, MiB
from gpuprobe.planning.engines import device_choice
from gpuprobe.planning.engines.engine_records import Answer, Machine, Outlook, Subject, Wish, selector_of
from gpuprobe.planning.engines.fit import Chosen, Layout
from gpuprobe.planning.engines.layouts import Sizes, UnknownSizes
from gpuprobe.planning.engines.model_facts import facts_of
from gpuprobe.planning.engines.outlook import Room, judged
from gpuprobe.planning.records import FlashAttention, Override, Placement, Settings, Unplannable

NAME = "llama.cpp"
TARGET = 1024 * MiB  # `--fit-target`: what fit leaves free on each device
_FORMAT = "GGUF"
_OF_A_LAYER = re.compile(r"blk\\\.(?P<layer>[0-9]+)\\\.(?P<rest>.+)")


def plan(subject: Subject, machine: Machine, wish: Wish, told: Layout | None = None) -> Answer:
    """`told`: a layout to take instead of what fit would choose."""
    if not subject.model.format.startswith(_FORMAT):
        return Answer(NAME, Outlook.NOT_PLANNED, f"llama.cpp loads GGUF, and this is {subject.model.format}")
    devices = usable(machine, wish)
    if not devices:
        return Answer(NAME, Outlook.NOT_PLANNED, "llama.cpp has no backend for any of these devices")
    settings = _settings(wish)
    margins = margins_of(subject, devices, wish)
    facts = facts_of(subject.model)
    try:
        sizes = Sizes(subject.planner, tuple(map(device_choice.for_engine, devices, margins)), settings)
        chosen = (
            Chosen(told) if told else sizes.fitted(margins, experts=facts.experts > 0, trained_context=facts.trained_context)
        )
        settings, placement = sizes.settings_of(chosen.layout), sizes.place(chosen.layout)
    except Unplannable as problem:
        return Answer(NAME, Outlook.NOT_PLANNED, str(problem))
    except UnknownSizes as unknown:
        chosen, placement = Chosen(Layout(unknown.placement.context_length)), unknown.placement
    answer = Answer(
        engine=NAME,
        outlook=Outlook.FITS,
        because="",
        placement=placement,
        settings=settings,
        command=command(subject, devices, placement, settings, wish),
        notes=(*chosen.because, *_gave_up(chosen.gave_up), *_mixed(devices), *placement.notes),
        chosen=wish.layers is None and not wish.split and not wish.cpu_moe,
    )
    hoped = sizes.hoped(chosen.layout.context, placement)
    return judged(answer, Room(machine, devices, margins, hoped), wish)


def margins_of(subject: Subject, devices: Sequence[Device], wish: Wish) -> tuple[int, ...]:
    """A projector goes to the first device, and fit leaves its room free beside what is to stay free in any case."""
    first, *others = (margin_of(device, wish) for device in devices)
    return (first + subject.projector_size, *others)


def usable(machine: Machine, wish: Wish) -> tuple[Device, ...]:
    """All that are named; else one library's, integrated ones only where there is nothing else."""
    shown = [device for device in machine.devices if device_choice.is_of_a_build(device)]
    if wish.devices_are_named:
        return tuple(shown)
    best = device_choice.best_group(shown, machine.host)
    discrete = tuple(device for device in best if not device_choice.is_integrated(device))
    return discrete or best[:1]


def margin_of(device: Device, wish: Wish) -> int:
    """`--reserve` is for others: what the library takes for itself comes on top of it."""
    return TARGET if wish.reserve is None else wish.reserve + device_choice.taken_by_library(device)


def _settings(wish: Wish) -> Settings:
    """As `llama-server` takes them: sequences that are asked for have a cache of their own each."""
    parallel, ubatch = wish.parallel or 1, wish.ubatch or 512
    return Settings(
        context=wish.context,
        parallel=parallel,
        unified=parallel == 1,
        cache_type_k=wish.cache_type_k or "F16",
        cache_type_v=wish.cache_type_v or "F16",
        flash_attention=wish.flash_attention or FlashAttention.AUTO,
        ubatch=ubatch,
        batch=max(2048, ubatch),
        layers=wish.layers,
        tensor_split=wish.split,
        cpu_moe_layers=wish.cpu_moe,
    )


def command(
    subject: Subject, devices: Sequence[Device], placement: Placement, settings: Settings, wish: Wish
) -> tuple[str, ...]:
    """The words that load just this placement, whatever fit would choose on the day."""
    words = arguments(subject.path, devices, placement, settings, named=wish.devices_are_named)
    return ("llama-server", *words, *(("--mmproj", subject.projector) if subject.projector else ()))


def arguments(
    path: str, devices: Sequence[Device], placement: Placement, settings: Settings, *, named: bool
) -> tuple[str, ...]:
    """`named`: with the devices by their names, where they are not all that there are."""
    words = ["-m", path, "-c", str(placement.context_length), "-np", str(settings.parallel)]
    if named:
        words += ["-dev", ",".join(engine_name(device) for device in devices)]
    words += ["-ngl", str(placement.layers)]
    if len(devices) > 1 and placement.layers:
        split = settings.tensor_split or tuple(place.layers for place in placement.devices)
        words += ["-ts", ",".join(f"{share:g}" for share in split)]
    words += _about_tensors(settings, {selector_of(device): engine_name(device) for device in devices})
    return (*words, *_about_memory(settings))


def open_arguments(path: str, subject: Subject, devices: Sequence[Device], wish: Wish) -> tuple[str, ...]:
    """What leaves to fit all that the user has not said."""
    settings = _settings(wish)
    words = ["-m", path, "-np", str(settings.parallel), "-dev", ",".join(map(engine_name, devices))]
    words += ["-c", str(wish.context)] if wish.context else []
    margins = margins_of(subject, devices, wish)
    if any(margin != TARGET for margin in margins):
        words += ["--fit-target", ",".join(str(-(-margin // MiB)) for margin in margins)]
    return (*words, *_about_memory(settings))


def _about_tensors(settings: Settings, names: Mapping[str, str]) -> list[str]:
    if settings.overrides:
        return ["-ot", ",".join(_joined(settings.overrides, names))]
    return ["-ncmoe", str(settings.cpu_moe_layers)] if settings.cpu_moe_layers else []


def _joined(overrides: Sequence[Override], names: Mapping[str, str]) -> Iterator[str]:
    """One pattern for all layers that leave the same: two dozen patterns are nothing that one pastes."""
    layers: dict[tuple[str, str], list[str]] = {}
    for override in overrides:
        found = _OF_A_LAYER.fullmatch(override.pattern)
        numbers, rest = (found["layer"], found["rest"]) if found else ("", override.pattern)
        buffer = names[override.device] if override.device else "CPU"
        layers.setdefault((rest, buffer), []).append(numbers)
    for (rest, buffer), numbers in layers.items():
        them = numbers[0] if len(numbers) == 1 else f"({'|'.join(numbers)})"
        yield f"blk\\.{them}\\.{rest}={buffer}" if numbers[0] else f"{rest}={buffer}"


def _about_memory(settings: Settings) -> list[str]:
    words = []
    for option, value, default in (
        ("-ctk", settings.cache_type_k.lower(), "f16"),
        ("-ctv", settings.cache_type_v.lower(), "f16"),
        ("-fa", settings.flash_attention.value, "auto"),
        ("-b", str(settings.batch), "2048"),
        ("-ub", str(settings.ubatch), "512"),
    ):
        if value != default:
            words += [option, value]
    return words


def engine_name(device: Device) -> str:
    """`CUDA0`: as `llama-server --list-devices` calls it, where it sees the devices that gpuprobe lists."""
    number = device.number if device.ordinal is None else device.ordinal
    return f"{library_named(device.library).ggml_devices}{number}"


def _gave_up(because: str | None) -> tuple[str, ...]:
    return () if because is None else (because,)


def _mixed(devices: Sequence[Device]) -> tuple[str, ...]:
    libraries = list(dict.fromkeys(device.library for device in devices))
    if len(libraries) < 2:
        return ()
    return (f"devices of {' and '.join(libraries)} together need a build of llama.cpp that holds a backend for each",)
