"""One answer of `plan`: the main engine's, what it is compared with, and what the other engines would do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gpuprobe.planning.engines import llama_cpp, ollama, vllm
from gpuprobe.planning.engines.engine_records import Answer, Machine, Outlook, Subject, Wish
from gpuprobe.planning.engines.model_facts import facts_of
from gpuprobe.planning.records import Place, Placement, Unplannable
from gpuprobe.strings import printable, size_text

ENGINES: dict[str, Callable[[Subject, Machine, Wish], Answer]] = {
    llama_cpp.NAME: llama_cpp.plan,
    ollama.NAME: ollama.plan,
    vllm.NAME: vllm.plan,
}


class Difference(NamedTuple):
    """Between gpuprobe's own arithmetic and what an engine measured, of one device: own less measured, in bytes."""

    selector: str
    model: int | None
    context: int | None
    compute: int | None


class Plan(NamedTuple):
    """`own`: gpuprobe's own placement, where an installed engine has measured and `main` holds its figures."""

    subject: Subject
    machine: Machine
    main: Answer
    others: tuple[Answer, ...] = ()
    own: Placement | None = None
    measured_by: str | None = None  # the program
    not_measured: str | None = None  # why no engine measured, where one could have

    @property
    def differences(self) -> tuple[Difference, ...]:
        if self.own is None or self.main.placement is None:
            return ()
        measured = (*self.main.placement.devices, self.main.placement.host)
        own = (*self.own.devices, self.own.host)
        return tuple(_difference(*pair) for pair in zip(own, measured, strict=False))


def _difference(own: Place, measured: Place) -> Difference:
    def less(one: int | None, other: int | None) -> int | None:
        return None if one is None or other is None else one - other

    return Difference(
        measured.selector,
        less(own.model.bytes, measured.model.bytes),
        less(own.context.bytes, measured.context.bytes),
        less(own.compute.bytes, measured.compute.bytes),
    )


def planned(subject: Subject, machine: Machine, wish: Wish, engine: str | None) -> Plan:
    """By the named engine's rules, else by those of the engine that the model is for."""
    subject = _prepared(subject)
    order = [engine] if engine else _order(subject)
    answers = {name: ENGINES[name](subject, machine, wish) for name in dict.fromkeys((*order, *ENGINES))}
    main = next((answers[name] for name in order if answers[name].outlook is not Outlook.NOT_PLANNED), answers[order[0]])
    others = (each for each in answers.values() if each is not main and each.outlook is not Outlook.NOT_PLANNED)
    return Plan(subject, machine, main._replace(notes=(*_of_the_model(subject, main, wish), *main.notes)), tuple(others))


def _prepared(subject: Subject) -> Subject:
    """What is worked out of a model once serves every engine; each says for itself where that cannot be done."""
    if not subject.model.format.startswith("GGUF"):
        return subject
    try:
        return subject._replace(prepared=subject.planner)
    except Unplannable:
        return subject


def _order(subject: Subject) -> list[str]:
    if subject.model.format == "safetensors":
        return [vllm.NAME, llama_cpp.NAME]
    return [ollama.NAME, llama_cpp.NAME] if subject.name else [llama_cpp.NAME]


def _of_the_model(subject: Subject, answer: Answer, wish: Wish) -> Sequence[str]:
    notes = []
    placement, trained = answer.placement, facts_of(subject.model).trained_context
    if placement is not None and trained and placement.context_length > trained * (wish.parallel or 1):
        notes.append(f"{placement.context_length} tokens are more than the {trained} that the model was trained for")
    if placement is not None and wish.layers is not None and wish.layers > placement.layers_of_model:
        given = f"`--layers {wish.layers}` means all of them"
        notes.append(f"the model has {placement.layers_of_model} layers with the output layer: {given}")
    if subject.projector_size:
        size = size_text(subject.projector_size)
        notes.append(f"its projector takes {size} of the first device, which is kept free here, and some memory to compute")
    return notes


def described(subject: Subject) -> str:
    """`model.gguf: llama, 4.6 GiB, GGUF v3, trained for 131072 tokens`"""
    model, facts = subject.model, facts_of(subject.model)
    known = [printable(model.architecture), size_text(model.file_size), model.format]
    known += [f"{facts.blocks} blocks"] if facts.blocks else []
    known += [f"{facts.experts} experts"] if facts.experts else []
    known += [f"trained for {facts.trained_context} tokens"] if facts.trained_context else []
    return f"{printable(subject.name or subject.argument.rstrip('/').rpartition('/')[2])}: {', '.join(known)}"


def headline(plan: Plan) -> str:
    """The first line of the answer."""
    return f"{plan.main.engine}: {plan.main.because}"
