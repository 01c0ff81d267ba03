"""The documents of `validate`, `flash-attn`, `env` and `capture`."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe import __version__
from gpuprobe.exits import Exit
from gpuprobe.judging.flash_attention import Effective, FlashAnswer
from gpuprobe.judging.under_map import Check
from gpuprobe.judging.views import View
from gpuprobe.judging.visibility import Variables
from gpuprobe.model import Device, Inventory, Json
from gpuprobe.render.device import flash_attention_of, identity, rounded, steps_of
from gpuprobe.render.document import SCHEMA_VERSION, envelope, last_words, warnings_of
from gpuprobe.strings import printable


def validate_document(inventory: Inventory, shown: Sequence[View], text: str, leave_with: Exit) -> Json:
    return {
        **envelope(inventory, text, leave_with),
        "devices": [identity(device) for device in inventory.kept],
        "views": [_view(view) for view in shown],
        "warnings": warnings_of(inventory),
    }


def _view(view: View) -> Json:
    validation, outcome = view.device.validation, view.outcome
    return {
        **identity(view.device),
        "number": view.device.number,
        "manifest": view.device.manifest,
        "verdict": validation.verdict.value if validation else None,
        "depth": validation.depth if validation else None,
        "because": printable(validation.because) if validation else None,
        "status": outcome.status.value if outcome else None,
        "steps": steps_of(outcome.steps) if outcome else [],
        "seconds": rounded(outcome.seconds) if outcome else None,
        "failed_step": failed_step(view),
        "code": outcome.code if outcome else None,
        "code_name": outcome.code_name if outcome else None,
        "message": outcome.message if outcome else None,
        "exit_code": outcome.exit_code if outcome else None,
        "signal": outcome.signal if outcome else None,
        **(last_words(outcome) if outcome else {}),
    }


def failed_step(view: View) -> str | None:
    """The step in which a validation ended before its time; None: it passed, or was not taken."""
    passed = view.verdict is not None and view.verdict.value == "supported"
    return view.outcome.last_step if view.outcome is not None and not passed else None


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
        "answer": check.answer,
        "expected": [device.id for device in check.expected],
        "seen": [device.id for device in check.seen],
        "because": [printable(sentence) for sentence in check.because],
    }


def captured_document(inventory: Inventory, path: str, text: str) -> Json:
    return {**envelope(inventory, text, Exit.ANSWERED), "file": path}
