"""What `env --for` adds to a selection: which of the candidates the program can use, and what is written for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.command.counting import Count, Selected
from gpuprobe.exits import Exit
from gpuprobe.judging.consumer_map import Fitting, Pick, built_for, fitting, name_of
from gpuprobe.judging.consumers import Consumer
from gpuprobe.judging.identity import is_slice
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Inventory

if TYPE_CHECKING:
    from gpuprobe.judging.visibility import Variables


class Use(NamedTuple):
    """`lines` and `words` are what is written in the place of variables; `notes` are said in any case."""

    consumer: Consumer
    fit: Fitting
    found: Selected
    notes: tuple[str, ...] = ()
    lines: str | None = None
    words: tuple[str, ...] | None = None


def use(
    consumer: Consumer, picks: Sequence[Pick], enough: Count, inventory: Inventory, *, named: bool, form: str | None
) -> Use:
    """`picks` are all candidates; what is counted are those that the program can use."""
    fit = fitting(consumer, picks, inventory) if consumer.takes_variables else _handed_over(consumer, picks, inventory, form)
    if picks and not fit.devices:
        return Use(consumer, fit, Selected((), "; ".join(fit.left_out), Exit.NOTHING_USABLE))
    found = enough.of(fit.devices, inventory, named=named)
    limits = (*consumer.limits, *(consumer.limits_of_slices if any(map(is_slice, found.devices)) else ()))
    notes = (*fit.left_out, *_doubts(consumer, picks, fit, inventory), *limits)
    answer = Use(consumer, fit, found, notes)
    return answer if consumer.takes_variables or not found.devices else _written(answer, inventory, form)


def _handed_over(consumer: Consumer, picks: Sequence[Pick], inventory: Inventory, form: str | None) -> Fitting:
    from gpuprobe.doctor.handed_over import handed
    from gpuprobe.render.carriers import CARRIERS

    carrier = CARRIERS[form or consumer.form or ""]
    every = handed([pick.device for pick in picks], inventory)
    missing = ", ".join(name_of(one.device) for one in every if not carrier.can(one))
    left_out = (f"{missing} cannot be given to {consumer.said}: there is {carrier.missing}",) if missing else ()
    return Fitting((), tuple(one.device for one in every if carrier.can(one)), left_out)


def _written(answer: Use, inventory: Inventory, form: str | None) -> Use:
    from gpuprobe.doctor.handed_over import handed
    from gpuprobe.render.carriers import CARRIERS, docker_words

    name = form or answer.consumer.form or ""
    devices = handed(answer.found.devices, inventory)
    told = ", ".join(name_of(device) for device in answer.found.devices)
    found = answer.found._replace(text=f"this gives {answer.consumer.said} {told}")
    return answer._replace(
        found=found, lines=CARRIERS[name].write(devices), words=docker_words(devices) if name == "docker" else None
    )


def _doubts(consumer: Consumer, picks: Sequence[Pick], fit: Fitting, inventory: Inventory) -> tuple[str, ...]:
    """Where no build of the program was found, its names for devices may be none that a build knows."""
    if consumer.device_list is None or built_for(consumer, inventory):
        return ()
    libraries = [name for name in fit.libraries if any(pick.device.library == name for pick in picks)]
    names = " and ".join(libraries)
    refused = " or ".join(f"{library_named(name).ggml_devices}…" for name in libraries)
    return (f"no {consumer.said} was found here: one that was built without {names} refuses {refused} and does not start",)


def variables_of(
    answer: Use, picks: Sequence[Pick], listed: Sequence[Device], inventory: Inventory, unasked: Sequence[str]
) -> Variables:
    from gpuprobe.judging.consumer_map import variables_for

    if not answer.consumer.takes_variables:
        return ()
    chosen = [pick for device in answer.found.devices for pick in picks if pick.device == device]
    return variables_for(answer.consumer, chosen, answer.fit, listed, inventory, unasked=unasked)
