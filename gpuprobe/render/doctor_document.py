"""The document of `doctor`: findings, each card with its ladder, and what the libraries call it."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe import __version__, knowledge, vendors
from gpuprobe.doctor.examination import CardReport, Examination, Told
from gpuprobe.doctor.findings import Finding, Step
from gpuprobe.doctor.identities import Name
from gpuprobe.exits import Exit
from gpuprobe.model import Inventory, Json
from gpuprobe.render.document import SCHEMA_VERSION, envelope, warnings_of
from gpuprobe.render.machine_document import why_record
from gpuprobe.strings import printable


def doctor_document(
    inventory: Inventory, examination: Examination, text: str, leave_with: Exit, *, verdicts: Sequence[Json] = ()
) -> Json:
    """`verdicts`: of the program that `--for` names, first."""
    return {
        **envelope(inventory, text, leave_with),
        **({"programs": list(verdicts)} if verdicts else {}),
        "findings": [finding_record(told) for told in examination.told],
        "cards": [_card(report) for report in examination.cards],
        "identities": [_identity(report) for report in examination.cards],
        "warnings": warnings_of(inventory),
    }


def explanation_document(causes: Sequence[Json]) -> Json:
    """What the catalogue says, for --explain."""
    return {"schema_version": SCHEMA_VERSION, "gpuprobe": __version__, "causes": list(causes)}


def finding_record(told: Told) -> Json:
    finding = told.finding
    row = row_of(finding)
    return {
        "id": finding.id,
        "layer": row.layer if row else None,
        "rung": finding.rung.value,
        "severity": finding.severity.value,
        "certainty": finding.certainty.value,
        "cards": [card.pci_id for card in told.cards if card.pci_id],
        "library": finding.library,
        "build": finding.build,
        "sentence": printable(finding.because),
        "evidence": [{"where": printable(each.where), "what": printable(each.what)} for each in finding.evidence],
        "fix": [_step(step) for step in finding.fix],
        "settle": finding.settle,
        "because_of": finding.because_of,
        "source": row.source if row else None,
    }


def row_of(finding: Finding) -> knowledge.Cause | None:
    """What the catalogue says of it; None: a symptom, of which the catalogue has none."""
    return next((row for row in knowledge.causes() if row.id == finding.id), None)


def _step(step: Step) -> Json:
    return {
        "text": printable(step.text),
        "command": step.command,
        "needs_root": step.needs_root,
        "needs_reboot": step.needs_reboot,
        "where": step.where.value,
    }


def _card(report: CardReport) -> Json:
    card = report.status.card
    return {
        "pci_id": card.pci_id,
        "vendor": vendors.name_of(card.vendor_id),
        "name": card.name,
        "device_ids": [device.id for device in report.status.devices],
        "why": why_record(report.status.why),
        "ladder": [
            {"rung": each.rung.value, "mark": each.mark.value, "seen": printable(each.seen) if each.seen else None}
            for each in report.ladder
        ],
        "findings": [finding.id for finding in report.findings],
    }


def _identity(report: CardReport) -> Json:
    return {"pci_id": report.status.card.pci_id, "names": [_name(each) for each in report.names]}


def _name(name: Name) -> Json:
    return {"by": name.by, "number": name.number, "name": name.name, "uuid": name.uuid}
