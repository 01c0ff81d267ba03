"""The diagnosis as Markdown, to be pasted into a forum or an issue: nothing in it can break out of its quotes."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import __version__, machine
from gpuprobe.doctor.examination import CardReport, Examination, Told
from gpuprobe.doctor.findings import Certainty
from gpuprobe.facts import Host
from gpuprobe.strings import printable


def markdown(examination: Examination, text: str, host: Host) -> str:
    return "\n".join(_lines(examination, text, host)) + "\n"


def _lines(examination: Examination, text: str, host: Host) -> Iterator[str]:
    yield f"**{_plain(text)}**"
    yield ""
    inside = machine.container(host)
    where = f", in a {_plain(inside)} container" if inside not in (None, machine.NONE) else ""
    system = _plain(machine.operating_system(host) or host.platform)
    yield f"gpuprobe {__version__}, {system}, kernel {_plain(host.kernel)}{where}"
    for report in examination.cards:
        yield ""
        yield from _card(report)
    for told in examination.told:
        yield ""
        yield from _finding(told)
    for note in examination.notes:
        yield ""
        yield f"Note: {_plain(note)}"


def _card(report: CardReport) -> Iterator[str]:
    card = report.status.card
    yield f"**{_plain(' '.join(each for each in (card.pci_id, card.name) if each) or 'a GPU')}**"
    yield ""
    yield "| rung | | seen |"
    yield "| --- | --- | --- |"
    for state in report.ladder:
        yield f"| {state.rung.value} | {state.mark.value.replace('_', ' ')} | {_plain(state.seen or '')} |"


def _finding(told: Told) -> Iterator[str]:
    finding = told.finding
    likely = "likely, " if finding.certainty is Certainty.LIKELY else ""
    explained = f", explained by `{finding.because_of}`" if finding.because_of else ""
    yield f"- `{finding.id}` ({likely}{finding.severity.value}{explained}): {_plain(finding.because)}"
    for each in finding.evidence:
        yield f"  - seen: {_plain(each.where)}: {_plain(each.what)}"
    for step in finding.fix:
        yield f"  - do: {_plain(step.text)}"


_SPECIAL = str.maketrans({each: f"\\{each}" for each in "\\*_[]<>#|"})


def _plain(text: str) -> str:
    """Text outside code: what Markdown or HTML would read is escaped; pairs of backquotes stay, one without its other is
    escaped, too."""
    parts = printable(text).split("`")
    alone = [] if len(parts) % 2 else [parts.pop().translate(_SPECIAL)]
    paired = "`".join(part if place % 2 else part.translate(_SPECIAL) for place, part in enumerate(parts))
    return "\\`".join((paired, *alone))
