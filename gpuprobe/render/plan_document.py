"""The document of `plan`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gpuprobe.exits import Exit
from gpuprobe.model import Inventory, Json
from gpuprobe.planning.engines.engine_records import Answer, selector_of
from gpuprobe.planning.engines.model_facts import facts_of
from gpuprobe.planning.plan import Difference, Plan, headline
from gpuprobe.planning.records import Figure, Place, Placement
from gpuprobe.render.document import envelope
from gpuprobe.strings import printable


def plan_document(inventory: Inventory, plans: Sequence[Plan], leave_with: Exit, *, compare: bool) -> Json:
    """One plan's fields beside the summary; with `compare` a list of such plans."""
    if compare:
        text = f"{len(plans)} plans compared"
        return {**envelope(inventory, text, leave_with), "plans": [_plan(plan) for plan in plans]}
    (plan,) = plans
    return {**envelope(inventory, headline(plan), leave_with), **_plan(plan)}


def nothing_document(inventory: Inventory, text: str, leave_with: Exit) -> Json:
    return {**envelope(inventory, text, leave_with), "plans": []}


def _plan(plan: Plan) -> Json:
    placement = plan.main.placement
    return {
        "model": _model(plan),
        "engine": plan.main.engine,
        "outlook": plan.main.outlook.value,
        "because": printable(plan.main.because),
        "context_length": None if placement is None else placement.context_length,
        "layers": None if placement is None else placement.layers,
        "layers_of_model": None if placement is None else placement.layers_of_model,
        "devices": [] if placement is None else [_device(place, plan) for place in placement.devices],
        "host": None if placement is None else _host(placement, plan),
        "command": _commands(plan),
        "engines": [_engine(answer) for answer in (plan.main, *plan.others)],
        "measured_by": None if plan.measured_by is None else printable(plan.measured_by),
        "not_measured": None if plan.not_measured is None else printable(plan.not_measured),
        "differences": [_difference(each) for each in plan.differences],
        "notes": [printable(note) for note in plan.main.notes],
    }


def _model(plan: Plan) -> Json:
    model, facts = plan.subject.model, facts_of(plan.subject.model)
    return {
        "argument": printable(plan.subject.argument),
        "paths": [printable(path) for path in model.paths],
        "name": plan.subject.name,
        "format": model.format,
        "architecture": printable(model.architecture),
        "file_bytes": model.file_size,
        "tensors": len(model.tensors),
        "trained_context": facts.trained_context,
        "experts": facts.experts,
        "projector_bytes": plan.subject.projector_size,
    }


def _device(place: Place, plan: Plan) -> Json:
    device = next((each for each in plan.machine.devices if selector_of(each) == place.selector), None)
    needed = place.needed
    return {
        "selector": place.selector,
        "name": None if device is None or device.name is None else printable(device.name),
        "layers": place.layers,
        **_sizes(place),
        "reserve_bytes": place.reserve,
        "total_bytes": None if device is None else device.total_memory,
        "free_bytes": place.free,
        "left_bytes": None if needed is None or place.free is None else place.free - needed,
    }


def _host(placement: Placement, plan: Plan) -> Json:
    return {
        "layers": placement.layers_of_model - placement.layers,
        **_sizes(placement.host),
        "total_bytes": plan.machine.host.total,
        "free_bytes": plan.machine.host.available,
    }


def _sizes(place: Place) -> Json:
    figures = {"model": place.model, "context": place.context, "compute": place.compute}
    return {key: value for name, figure in figures.items() for key, value in _figure(name, figure).items()}


def _figure(name: str, figure: Figure) -> Json:
    return {f"{name}_bytes": figure.bytes, f"{name}_source": figure.source.value}


def _commands(plan: Plan) -> Json:
    return {answer.engine: shlex.join(answer.command) for answer in (plan.main, *plan.others) if answer.command}


def _engine(answer: Answer) -> Json:
    placement = answer.placement
    return {
        "engine": answer.engine,
        "outlook": answer.outlook.value,
        "because": printable(answer.because),
        "context_length": None if placement is None else placement.context_length,
        "layers": None if placement is None else placement.layers,
        "arguments": [printable(word) for word in answer.command],
        "variables": dict(answer.variables),
        "notes": [printable(note) for note in answer.notes],
    }


def _difference(each: Difference) -> Json:
    return {
        "selector": each.selector,
        "model_bytes": each.model,
        "context_bytes": each.context,
        "compute_bytes": each.compute,
    }
