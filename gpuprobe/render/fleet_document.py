"""The document of `fleet`, and its rows as comma-separated values."""

from __future__ import annotations

from gpuprobe import __version__
from gpuprobe.fleet.groups import grouped
from gpuprobe.fleet.outcome import Outcome
from gpuprobe.fleet.rows import Machine
from gpuprobe.model import Json
from gpuprobe.render import comma_separated
from gpuprobe.render.document import SCHEMA_VERSION
from gpuprobe.strings import printable


def fleet_document(outcome: Outcome) -> Json:
    """`machines` and `groups` are iterators: ten thousand records would take more memory than all that was read."""
    return {
        "schema_version": SCHEMA_VERSION,
        "gpuprobe": __version__,
        "summary": {
            "machines": len(outcome.machines),
            "answered": len(outcome.answered),
            "cards": outcome.cards,
            "usable": outcome.usable,
            "text": printable(outcome.text),
            "exit_code": int(outcome.exit),
        },
        **({} if outcome.required is None else {"requirement": _requirement(outcome)}),
        "machines": (_machine(machine) for machine in outcome.machines),
        "groups": (
            {"names": group.names, "machines": len(group.machines), "first": group.machines[0].name}
            for group in grouped(outcome.machines, "all", "machine")
        ),
        "odd": [
            {
                "machines": list(each.machines),
                "trait": way.trait,
                "value": way.value,
                "usual": way.usual,
                "others": way.others,
            }
            for each in outcome.differs
            for way in each.ways
        ],
        "notes": [printable(note) for note in outcome.notes],
    }


def _requirement(outcome: Outcome) -> Json:
    verdicts = {"met": True, "not_met": False, "undecided": None}
    named = {key: [machine.name for machine in outcome.with_verdict(answer)] for key, answer in verdicts.items()}
    return {"text": printable(outcome.required or ""), **named, "no_answer": [machine.name for machine in outcome.silent]}


def _machine(machine: Machine) -> Json:
    standing = machine.standing
    head = {"name": machine.name, "file": printable(machine.origin.file) or None, "answered": standing.answered}
    if standing.problem is not None:
        return {**head, "problem": {"reason": standing.problem.trouble.value, "because": standing.problem.because}}
    verdict = standing.verdict
    return {
        **head,
        "document": standing.kind,
        "timestamp": machine.timestamp or None,
        "cards": standing.cards,
        "usable": standing.usable,
        "models": [{"name": name, "count": count} for name, count in standing.models],
        "driver": standing.driver,
        "reasons": list(standing.reasons),
        "traits": dict(standing.traits),
        **({} if verdict is None else {"requirement": {"met": verdict.answer, "because": verdict.because}}),
    }


_HEADING = ("machine", "answered", "cards", "usable", "models", "driver", "why_not", "requirement_met", "file")


def fleet_csv(outcome: Outcome) -> str:
    return comma_separated.written(_HEADING, (_cells(machine) for machine in outcome.machines))


def _cells(machine: Machine) -> tuple[comma_separated.Cell, ...]:
    standing = machine.standing
    known = standing.answered
    because = standing.problem.because if standing.problem else "; ".join(standing.reasons)
    return (
        machine.name,
        known,
        standing.cards if known else None,
        standing.usable if known else None,
        "; ".join(f"{count} x {name}" for name, count in standing.models),
        standing.driver,
        because,
        standing.verdict.answer if standing.verdict else None,
        machine.origin.file,
    )
