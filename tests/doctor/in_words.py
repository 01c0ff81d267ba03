"""A finding as text: everything that it says, a part to a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.doctor.findings import Finding, Place, Step


def in_words(found: Iterable[Finding]) -> str:
    return "\n".join("".join(f"{line}\n" for line in _lines(each)) for each in found) or "nothing\n"


def _lines(finding: Finding) -> Iterator[str]:
    of = "".join(f", {each}" for each in (finding.library, finding.build) if each)
    kinds = (finding.rung, finding.severity, finding.certainty, finding.reason)
    yield f"{finding.id} ({', '.join(each.value for each in kinds)}{of}){' generic' if finding.generic else ''}"
    yield f"  because: {finding.because}"
    yield f"  brief: {finding.brief}"
    if finding.card is not None:
        yield f"  card: {finding.card.pci_id or finding.card.kind}"
    if finding.because_of is not None:
        yield f"  because of: {finding.because_of}"
    yield from (f"  seen: {each.where}: {each.what}" for each in finding.evidence)
    for step in finding.fix:
        yield from _step(step)
    if finding.settle is not None:
        yield f"  settle: {finding.settle}"


def _step(step: Step) -> Iterator[str]:
    root, place = " as root" if step.needs_root else "", f" ({step.where.value})" if step.where is not Place.HERE else ""
    yield f"  do{root}{place}: {step.text}"
    if step.command is not None:
        yield f"    $ {step.command}"
    if step.needs_reboot is not None:
        yield f"    reboot: {step.needs_reboot}"
