"""Where an installed llama.cpp can say itself what a plan takes, that is the answer, and gpuprobe's own stands beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.model import Device, Inventory, MiB
from gpuprobe.planning.engine_log import HOST, Choice, Row
from gpuprobe.planning.engines import llama_cpp, ollama
from gpuprobe.planning.engines.engine_records import Answer, Outlook, Wish, selector_of
from gpuprobe.planning.engines.fit import Layout
from gpuprobe.planning.engines.outlook import Room, judged
from gpuprobe.planning.plan import Plan
from gpuprobe.planning.records import Figure, Place, Placement, Source
from gpuprobe.probing import engine_asking
from gpuprobe.survey.engine_programs import SERVER, EngineProgram, engine_programs

if TYPE_CHECKING:
    from gpuprobe.command.options import Options

_SAME_MEMORY = 0.05  # drivers take different reserves off one and the same memory


class _Said(NamedTuple):
    answer: Answer
    own: Placement | None
    problem: str | None = None


def with_measurement(plan: Plan, options: Options, inventory: Inventory, wish: Wish) -> Plan:
    """The plan with an engine's figures in the place of ours; as it is where none can be asked about these devices."""
    main = plan.main
    if main.engine not in (llama_cpp.NAME, ollama.NAME) or main.placement is None or main.settings is None:
        return plan
    used = _devices(plan, main.placement)
    host = inventory.evidence.host
    problem = None
    for program in engine_programs(host.builds, list(dict.fromkeys(device.library for device in used)), host.platform):
        if program.problem is not None:
            problem = program.problem
            continue
        with options.screen.progress(options.quiet) as watch:
            if watch is not None:
                watch(f"llama.cpp: how much memory the model takes ({program.name})")
            said = _ask(program, plan, used, wish)
        if said.problem is None:
            notes = plan.main.notes
            return plan._replace(main=said.answer._replace(notes=notes), own=said.own, measured_by=program.path)
        problem = f"{program.path}: {said.problem}"
    return plan._replace(not_measured=problem)


def _devices(plan: Plan, placement: Placement) -> list[Device]:
    by_selector = {selector_of(device): device for device in plan.machine.devices}
    return [by_selector[place.selector] for place in placement.devices]


def _ask(program: EngineProgram, plan: Plan, devices: Sequence[Device], wish: Wish) -> _Said:
    answer = plan.main
    path = os.path.abspath(plan.subject.path)  # noqa: PTH100 - a child has another working directory
    if answer.engine == llama_cpp.NAME and answer.chosen and program.name == SERVER:
        asked = engine_asking.chosen(program, llama_cpp.open_arguments(path, plan.subject, devices, wish))
        # Where its fit ends in an error, it may still say what our layout takes.
        layout = None if asked.problem or asked.choice.failed else _layout(asked.choice, plan, devices)
        answer = answer if layout is None else llama_cpp.plan(plan.subject, plan.machine, wish, layout)
    if answer.placement is None or answer.settings is None:
        return _Said(answer, None, answer.because)
    words = llama_cpp.arguments(path, devices, answer.placement, answer.settings, named=True)
    asked = engine_asking.measured(program, words)
    if asked.problem is not None:
        return _Said(answer, None, asked.problem)
    placement, problem = _replaced(answer.placement, asked.rows, devices)
    if placement is None:
        return _Said(answer, None, problem)
    margins = tuple(place.reserve for place in placement.devices)
    room = Room(plan.machine, tuple(devices), margins)
    return _Said(judged(answer._replace(placement=placement), room, wish), answer.placement)


def _layout(choice: Choice, plan: Plan, devices: Sequence[Device]) -> Layout | None:
    """What its fit has chosen, where that is not what ours has."""
    placement = plan.main.placement
    if placement is None:
        return None
    context = choice.context or placement.context_length
    if choice.shares is None:
        unchanged = placement.layers == placement.layers_of_model and context == placement.context_length
        return None if unchanged and plan.main.outlook is not Outlook.UNKNOWN else Layout(context)
    names = [llama_cpp.engine_name(device) for device in devices]
    by_name = dict(choice.shares)
    if set(by_name) != set(names):
        return None
    shares = tuple(by_name[name] for name in names)
    overflows = tuple(share.partial > 0 and number < len(shares) - 1 for number, share in enumerate(shares))
    return Layout(context, shares, overflows=overflows)


def _replaced(placement: Placement, rows: Sequence[Row], devices: Sequence[Device]) -> tuple[Placement | None, str | None]:
    by_name = {row.name: row for row in rows}
    places = []
    for place, device in zip(placement.devices, devices, strict=True):
        name = llama_cpp.engine_name(device)
        row = by_name.get(name)
        if row is None:
            return None, f"it shows no {name}"
        if row.total is not None and device.total_memory and not _is_same(row.total, device.total_memory):
            return None, f"its {name} has {row.total // MiB} MiB, so it is not {place.selector}"
        places.append(_with(place, row))
    host = by_name.get(HOST)
    return placement._replace(devices=tuple(places), host=_with(placement.host, host) if host else placement.host), None


def _is_same(told: int, known: int) -> bool:
    return abs(told - known) <= known * _SAME_MEMORY


def _with(place: Place, row: Row) -> Place:
    model, context, compute = (Figure(size, Source.ENGINE) for size in (row.model, row.context, row.compute))
    return place._replace(model=model, context=context, compute=compute)
