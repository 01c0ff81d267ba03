"""What `plan` answers: the model is read, the devices are found, and every engine's rules are applied to them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gpuprobe.command import plan_options
from gpuprobe.command.commands import nothing, nothing_usable
from gpuprobe.command.gathering import inventory_of, request_of, selected
from gpuprobe.command.plan_options import PlanOptions, PlanRequest
from gpuprobe.command.reply import Reply
from gpuprobe.exits import Exit, WrongUsage, weightiest
from gpuprobe.model import Inventory, Json
from gpuprobe.planning.engines.engine_records import HostMemory, Machine, Outlook, Subject, selector_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.command.options import Options
    from gpuprobe.planning.plan import Plan
    from gpuprobe.render.screen import Screen

_EXITS = {
    Outlook.FITS: Exit.ANSWERED,
    Outlook.WITH_HOST: Exit.ANSWERED,
    Outlook.TOO_LARGE: Exit.NO,
    Outlook.NOT_PLANNED: Exit.NO,
    Outlook.UNKNOWN: Exit.UNDECIDED,
}


def plan(options: Options, models: Sequence[str], given: PlanOptions) -> Reply:
    request = plan_options.read(given, models)
    subjects = [_subject(model) for model in models]
    inventory = inventory_of(options, request_of(options))
    machine = _machine(inventory, request)
    if not machine.devices:
        return _no_device(inventory, compare=given.compare)
    asks_engines = not given.own and options.source is None and all(each.is_host for each in request.what_ifs)
    plans = [
        _planned(subject, machine, request, context, (options, inventory) if asks_engines else None)
        for subject in subjects
        for context in request.contexts
    ]
    plans = _with_holders(plans, inventory, request, live=options.source is None)
    plans = [_with_builds_apart(each, inventory) for each in plans]
    leave_with = _exit(plans)

    def document() -> Json:
        from gpuprobe.render.plan_document import plan_document

        return plan_document(inventory, plans, leave_with, compare=given.compare)

    def drawn(screen: Screen) -> Iterable[RenderableType]:
        from gpuprobe.render import plan_text

        if given.compare:
            return plan_text.comparison(plans, screen.width)
        return plan_text.plan_text(plans[0], screen.width, quiet=options.quiet, verbose=options.verbose)

    return Reply(leave_with, document, drawn)


def _with_holders(plans: list[Plan], inventory: Inventory, request: PlanRequest, *, live: bool) -> list[Plan]:
    """Said where what others hold could have been used; of a device that `--what-if` has changed nobody holds anything."""
    from gpuprobe.command.holders import who_holds

    changed = any(not each.is_host for each in request.what_ifs)
    if changed or all(plan.main.outlook is Outlook.FITS for plan in plans):
        return plans
    told = who_holds(plans[0].machine.devices, inventory, live=live)
    return [plan._replace(main=plan.main._replace(notes=(*told, *plan.main.notes))) for plan in plans]


def _with_builds_apart(plan: Plan, inventory: Inventory) -> Plan:
    """Said where devices are planned together that no one build serves; an engine that measured them has them together."""
    from gpuprobe.judging.flash_attention import apart

    placement = plan.main.placement
    if placement is None or plan.measured_by is not None:
        return plan
    used = {place.selector for place in placement.devices if place.layers}
    because = apart([device for device in plan.machine.devices if selector_of(device) in used], inventory.evidence.host)
    notes = (because, *plan.main.notes) if because else plan.main.notes
    return plan._replace(main=plan.main._replace(notes=notes))


def _exit(plans: Sequence[Plan]) -> Exit:
    codes = [_EXITS[each.main.outlook] for each in plans]
    return Exit.ANSWERED if Exit.ANSWERED in codes else weightiest(*codes)


def _subject(argument: str) -> Subject:
    from gpuprobe.modelfile import read
    from gpuprobe.modelfile.gguf import Unreadable

    try:
        found = read(argument, os.environ)
    except Unreadable as problem:
        raise WrongUsage(str(problem), problem.hint) from problem
    return Subject(
        model=found.model,
        argument=argument,
        path=found.stored.file if found.stored else argument,
        name=found.argument if found.stored else None,
        projector=found.stored.projectors[0] if found.stored and found.stored.projectors else None,
        projector_size=found.projector_size,
        options=found.stored.options if found.stored else {},
    )


def _machine(inventory: Inventory, request: PlanRequest) -> Machine:
    from gpuprobe import machine
    from gpuprobe.planning.devices import host_with_what_ifs, with_what_ifs
    from gpuprobe.planning.what_if import EXAMPLE, WhatIfError

    try:
        devices = with_what_ifs(inventory.kept, request.what_ifs)
    except WhatIfError as problem:
        raise WrongUsage(f"--what-if: {problem}", f"for example `--what-if '{EXAMPLE}'`") from problem
    if request.devices:
        devices = selected(request.devices, devices)
    memory = machine.memory(inventory.evidence.host)
    host = host_with_what_ifs(HostMemory(memory.total, memory.available), request.what_ifs)
    return Machine(devices, host, inventory.evidence.host.environ)


def _planned(
    subject: Subject,
    machine: Machine,
    request: PlanRequest,
    context: int | None,
    live: tuple[Options, Inventory] | None,
) -> Plan:
    """`live`: the machine can be asked, as it is."""
    from gpuprobe.planning.plan import planned

    wish = request.wish._replace(context=context)
    if wish.split and len(wish.split) != len(machine.devices) and request.devices:
        count = len(machine.devices)
        raise WrongUsage(f"`--split` has {len(wish.split)} shares, and there are {count} devices", "one share for each device")
    found = planned(subject, machine, wish, request.engine)
    if live is None:
        return found
    from gpuprobe.command.measuring import with_measurement

    return with_measurement(found, *live, wish)


def _no_device(inventory: Inventory, *, compare: bool) -> Reply:
    text, leave_with = nothing(inventory), nothing_usable(inventory)

    def document() -> Json:
        from gpuprobe.render.plan_document import nothing_document

        return nothing_document(inventory, text, leave_with)

    return Reply(
        leave_with, document, lambda screen: (), complaint=f"Error: {text}; `--what-if` plans for a device that is not there"
    )
