"""The JSON documents: what every one begins with, errors, and the whole answer of `list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpuprobe import __version__
from gpuprobe.doctor import card_status, notes
from gpuprobe.model import Device, Drop, Inventory, Json, Outcome, Status
from gpuprobe.render import machine_document
from gpuprobe.render.device import calls_of, record, rounded, view
from gpuprobe.render.software_text import engine_records, software_records, with_loads
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.exits import Exit
    from gpuprobe.probing.runtime_loading import Loads

SCHEMA_VERSION = 1
LAST_WORDS = 2000  # characters of a child's stderr that a document carries


def error_document(code: str, message: str, hint: str, leave_with: Exit) -> Json:
    error = {"code": code, "message": message, "hint": hint, "exit_code": int(leave_with)}
    return {"schema_version": SCHEMA_VERSION, "error": error}


def completion_document(shell: str, script: str) -> Json:
    return {"schema_version": SCHEMA_VERSION, "gpuprobe": __version__, "shell": shell, "script": script}


def envelope(inventory: Inventory, text: str, leave_with: Exit) -> Json:
    """What every answer begins with; `text` is the first line of the command's text."""
    found = card_status.summary(inventory)
    return {
        "schema_version": SCHEMA_VERSION,
        "gpuprobe": __version__,
        "timestamp": inventory.evidence.gathered_at,
        "summary": {
            "cards": found.cards,
            "usable": found.usable,
            "text": printable(text),
            "exit_code": int(leave_with),
        },
    }


def list_document(
    inventory: Inventory,
    text: str,
    leave_with: Exit,
    *,
    kept: Sequence[Device],
    drops: Sequence[Drop],
    card_statuses: Sequence[card_status.CardStatus],
    loads: Mapping[str, Loads] = {},
) -> Json:
    """The answer of `list`. `kept` (in the order to show), `drops` and `standings` are all, or those of one DEVICE, for
    which `loads` says which runtime libraries load."""
    host = inventory.evidence.host
    return {
        **envelope(inventory, text, leave_with),
        "host": machine_document.host_record(host),
        "system": machine_document.system_record(host),
        "cards": [machine_document.card_record(each, host) for each in card_statuses],
        "bystanders": machine_document.bystander_records(card_status.bystanders(inventory)),
        "devices": [with_loads(record(device, inventory), loads) for device in kept],
        "dropped": [_drop(drop) for drop in drops],
        "probes": [probe_record(outcome) for outcome in inventory.evidence.outcomes],
        **software_records(host.software),
        **engine_records(host.engines),
        "scheduling_order": [device.id for device in card_status.scheduling_order(kept)],
        "variables": machine_document.variable_records(host),
        "warnings": warnings_of(inventory),
    }


def warnings_of(inventory: Inventory) -> list[str]:
    """Sentences are for people, who see them through `jq -r`: what a driver said is quoted safely in them."""
    return [printable(sentence) for sentence in notes.of_inventory(inventory)]


def _drop(drop: Drop) -> Json:
    instead = None if drop.instead is None else {"library": drop.instead.library, "id": drop.instead.id}
    return {
        "view": view(drop.device),
        "reason": drop.reason.value,
        "because": printable(drop.because),
        "instead": instead,
    }


def probe_record(outcome: Outcome) -> Json:
    probe = outcome.probe
    return {
        "library": probe.library,
        "build": probe.build,
        "purpose": probe.purpose.value,
        "device": probe.device,
        "manifest": probe.manifest,
        "status": outcome.status.value,
        "library_path": outcome.library_path,
        "seconds": rounded(outcome.seconds),
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "last_step": outcome.last_call,
        "steps": calls_of(outcome.calls),
        "code": outcome.code,
        "code_name": outcome.code_name,
        "message": outcome.message,
        **last_words(outcome),
    }


def last_words(outcome: Outcome) -> Json:
    """What the library printed, where it failed or had something to say: a loader names the driver that it passes over."""
    if outcome.seconds is None or (outcome.status is Status.OK and not outcome.stderr):
        return {}
    lines = (printable(line) for line in outcome.stderr[-LAST_WORDS:].splitlines())
    return {"stderr": "\n".join(lines)[-LAST_WORDS:]}
