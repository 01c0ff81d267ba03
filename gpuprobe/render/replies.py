"""The documents of `validate`, `refresh`, `flash-attn`, `env` and `capture`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuprobe import __version__
from gpuprobe.doctor.notes import of_inventory
from gpuprobe.doctor.refreshed import Refreshment, measured, notes_of
from gpuprobe.doctor.remedies import remedy
from gpuprobe.exits import Exit
from gpuprobe.judging.measured_bandwidth import speeds_of
from gpuprobe.model import Device, Inventory, Json, Stage, Verdict
from gpuprobe.render.device import calls_of, flash_attention_of, identity, rounded
from gpuprobe.render.document import SCHEMA_VERSION, envelope, last_words, probe_record, warnings_of
from gpuprobe.render.machine_document import why_record
from gpuprobe.strings import age_between, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.doctor.unviewed import Unviewed
    from gpuprobe.facts import Host
    from gpuprobe.judging.changes import Change
    from gpuprobe.judging.figures import Activity, Figure, ServerAnswer, User
    from gpuprobe.judging.flash_attention import Effective, FlashAnswer
    from gpuprobe.judging.under_map import Check
    from gpuprobe.judging.views import View
    from gpuprobe.judging.visibility import Variables


def validate_document(
    inventory: Inventory,
    shown: Sequence[View],
    others: Sequence[Unviewed],
    text: str,
    leave_with: Exit,
    *,
    notes: Iterable[str] = (),
    seconds: float | None = None,
) -> Json:
    """`others`: the cards without a view; `notes` stand before the warnings; `seconds`: how long everything took, None where
    a capture was judged."""
    return {
        **envelope(inventory, text, leave_with),
        "seconds": rounded(seconds),
        "devices": [identity(device) for device in inventory.kept],
        "views": [_view(view, inventory.evidence.host) for view in shown],
        "cards_without_views": [_without_view(card) for card in others],
        "warnings": [*(printable(note) for note in notes), *warnings_of(inventory)],
    }


def _without_view(card: Unviewed) -> Json:
    return {
        "pci_id": card.card.pci_id,
        "name": printable(card.card.name) if card.card.name else None,
        "verdict": card.verdict.value if card.verdict else None,
        "why": why_record(card.why),
    }


def _view(view: View, host: Host) -> Json:
    validation, outcome = view.device.validation, view.outcome
    failed = outcome is not None and view.verdict is not Verdict.SUPPORTED
    return {
        **identity(view.device),
        "number": view.device.number,
        "manifest": view.device.manifest,
        "verdict": validation.verdict.value if validation else None,
        "depth": validation.depth.value if validation and validation.depth else None,
        "because": printable(validation.because) if validation else None,
        "advice": remedy(outcome) if outcome is not None and failed else None,
        "status": outcome.status.value if outcome else None,
        "rungs": [_stage(stage) for stage in outcome.stages] if outcome else [],
        "wrong": (outcome.wrong or None) if outcome else None,
        "attempts": [verdict.value for verdict in validation.attempts] if validation else [],
        "link": _link(view),
        "steps": calls_of(outcome.calls) if outcome else [],
        "seconds": rounded(outcome.seconds) if outcome else None,
        "failed_step": failed_step(view),
        "code": outcome.code if outcome else None,
        "code_name": outcome.code_name if outcome else None,
        "message": outcome.message if outcome else None,
        "exit_code": outcome.exit_code if outcome else None,
        "signal": outcome.signal if outcome else None,
        **(last_words(outcome) if outcome else {}),
    }


def _stage(stage: Stage) -> Json:
    return {
        "name": stage.name.value,
        "result": stage.result.value,
        "seconds": rounded(stage.seconds),
        "because": printable(stage.because) if stage.because else None,
        "figures": stage.figures,
    }


def _link(view: View) -> Json | None:
    """The link as it was while copies ran, and what it and the memory carry in theory; None: no copies were timed."""
    found = speeds_of(view.device, view.outcome)
    if found is None:
        return None
    return {
        "generation": found.generation,
        "width": found.width,
        "generation_at_most": found.generation_at_most,
        "width_at_most": found.width_at_most,
        "bytes_per_second": found.link,
        "memory_bytes_per_second": found.memory,
        "slowed_by": found.slowed_by,
    }


def failed_step(view: View) -> str | None:
    """The step in which a validation ended before its time; None: it passed, or was not taken."""
    passed = view.verdict is not None and view.verdict.value == "supported"
    return view.outcome.last_call if view.outcome is not None and not passed else None


def refresh_document(
    answer: Refreshment, text: str, leave_with: Exit, diff: bool, machine_notes: Sequence[str] | None = None
) -> Json:
    """`machine_notes`: on the devices that were measured, where they have been made."""
    if machine_notes is None:
        machine_notes = of_inventory(measured(answer))
    compared = {"compared_with": answer.compared_with, "changes": [_change(each) for each in answer.changes]}
    return {
        **envelope(answer.inventory, text, leave_with),
        "discovery": {"discovered_at": answer.discovered_at, "anew": answer.anew is not None, "because": answer.anew},
        "devices": [_figure(figure, answer.evidence.gathered_at) for figure in answer.figures],
        "probes": [probe_record(outcome) for outcome in answer.evidence.outcomes],
        "servers": [_server(each) for each in answer.servers],
        **(compared if diff else {}),
        "warnings": [printable(note) for note in (*notes_of(answer), *machine_notes)],
    }


def _figure(figure: Figure, now: str) -> Json:
    device = figure.device
    return {
        **identity(device),
        "total_memory_bytes": device.total_memory,
        "free_memory_bytes": device.free_memory,
        "used_memory_bytes": device.used_memory,
        "memory_source": figure.source,
        "measured_at": figure.measured_at,
        "age_seconds": age_between(figure.measured_at, now),
        "stale": figure.stale,
        "because": printable(figure.silence.because) if figure.silence else None,
        **({"activity": _activity(figure.activity)} if figure.activity is not None else {}),
    }


def _activity(activity: Activity) -> Json:
    reasons, users = activity.throttle_reasons, activity.users
    return {
        "utilization_percent": activity.utilization,
        "memory_utilization_percent": activity.memory_utilization,
        "temperature_celsius": activity.temperature,
        "power_watts": activity.power,
        "power_limit_watts": activity.power_limit,
        "clock_mhz": activity.clock,
        "memory_clock_mhz": activity.memory_clock,
        "throttle_reasons": None if reasons is None else [printable(each) for each in reasons],
        "processes": None if users is None else [_user(each) for each in users],
    }


def _user(user: User) -> Json:
    name = None if user.name is None else printable(user.name)
    return {"pid": user.process, "name": name, "used_memory_bytes": user.used_memory}


def _server(answer: ServerAnswer) -> Json:
    because = None if answer.problem is None else printable(answer.problem)
    return {"name": "Ollama", "pid": answer.process, "port": answer.port, "answered": because is None, "because": because}


def _change(change: Change) -> Json:
    return {
        "kind": change.kind,
        "subject": change.subject,
        "text": printable(change.text),
        "before": change.before,
        "after": change.after,
    }


def flash_attn_document(
    inventory: Inventory, chosen: Sequence[Device], answer: FlashAnswer, effective: Effective, leave_with: Exit
) -> Json:
    return {
        **envelope(inventory, answer.because, leave_with),
        "supported": answer.supported,
        "rule": answer.rule,
        "because": printable(answer.because),
        "decided_by": answer.device.id if answer.device else None,
        "effective": {
            "flash_attention": effective.flash_attention,
            "cache_type": effective.cache_type,
            "because": list(effective.because),
        },
        "devices": [{**identity(device), "flash_attention": flash_attention_of(device)} for device in chosen],
        "warnings": warnings_of(inventory),
    }


def env_document(
    inventory: Inventory,
    chosen: Sequence[Device],
    variables: Variables,
    *,
    text: str,
    leave_with: Exit,
    checks: Sequence[Check] | None,
) -> Json:
    """`check` is there where it was asked for."""
    return {
        **envelope(inventory, text, leave_with),
        "devices": [identity(device) for device in chosen],
        "variables": _actions(variables),
        **({} if checks is None else {"check": [_check(check) for check in checks]}),
        "warnings": warnings_of(inventory),
    }


def with_consumer(document: Json, consumer: str, notes: Sequence[str], lines: str | None, words: Sequence[str] | None) -> Json:
    """`lines`: what is written for a program that takes no variables; `words`: the same as arguments of its command."""
    handed = {} if lines is None else {"text": lines}
    arguments = {} if words is None else {"arguments": list(words)}
    return {**document, "for": {"program": consumer, "notes": [printable(note) for note in notes], **handed, **arguments}}


def undo_document(variables: Variables, timestamp: str, text: str) -> Json:
    """Nothing was asked for it, so its summary counts nothing."""
    summary = {"text": text, "exit_code": int(Exit.ANSWERED)}
    head = {"schema_version": SCHEMA_VERSION, "gpuprobe": __version__, "timestamp": timestamp, "summary": summary}
    return {**head, "devices": [], "variables": _actions(variables), "warnings": []}


def _actions(variables: Variables) -> list[Json]:
    return [{"name": name, "value": value, "action": "unset" if value is None else "set"} for name, value in variables]


def _check(check: Check) -> Json:
    return {
        "library": check.library,
        "build": check.build,
        "answer": check.answer,
        "expected": [device.id for device in check.expected],
        "seen": [device.id for device in check.seen],
        "because": [printable(sentence) for sentence in check.because],
    }


def captured_document(inventory: Inventory, path: str, text: str) -> Json:
    return {**envelope(inventory, text, Exit.ANSWERED), "file": path}
