"""The text of `doctor`: how far each card gets, then what is wrong, what shows it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gpuprobe.doctor.examination import CardReport, Examination, Told
from gpuprobe.doctor.findings import Certainty, Place, Rung, Severity, Step
from gpuprobe.doctor.identities import Name
from gpuprobe.doctor.ladder import Mark
from gpuprobe.model import Json
from gpuprobe.render.ink import Table, Text
from gpuprobe.render.tables import BLOCKS_BELOW, GAP, card_text, indented, notes
from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {
    Mark.PASSED: ("ok", "green"),
    Mark.BROKEN: ("BROKEN", "bold red"),
    Mark.NOT_REACHED: ("not reached", "dim"),
    Mark.UNKNOWN: ("unknown", "yellow"),
}
_STYLES = {Severity.BLOCKER: "bold red", Severity.DEGRADED: "bold yellow", Severity.INFO: "bold"}
_WORDS = {Severity.BLOCKER: "WHY", Severity.DEGRADED: "SLOWER OR LESS", Severity.INFO: "GOOD TO KNOW"}
_ELSEWHERE = {Place.HOST: "on the host: ", Place.SERVICE: "for the service: "}
_EVIDENCE = 8  # lines under a finding, unless all are wanted


def doctor_text(
    examination: Examination, text: str, width: int, *, verbose: bool, verdicts: Sequence[Json] = ()
) -> Iterator[RenderableType]:
    yield Text(printable(text), style="bold")
    for verdict in verdicts:
        yield from _verdict(verdict)
    for report in examination.cards:
        yield Text("")
        yield from _card(report, width, verbose=verbose)
    for told in examination.told:
        if told.finding.because_of is None or verbose:
            yield Text("")
            yield from _finding(told, verbose=verbose)
    yield from _also(examination.told, verbose=verbose)
    if examination.notes:
        yield Text("")
        yield from notes(examination.notes)


def _verdict(verdict: Json) -> Iterator[RenderableType]:
    yield Text(printable(verdict["sentence"]), style="bold green" if verdict["computes"] else "bold red")
    for because in verdict["because"]:
        yield indented(printable(because))


def _card(report: CardReport, width: int, *, verbose: bool) -> Iterator[RenderableType]:
    yield Text(card_text(report.status.card), style="bold")
    yield from (_ladder_lines(report) if width < BLOCKS_BELOW else (_ladder_table(report),))
    if verbose:
        yield from (indented(line) for line in _names(report.names))


def _ladder_table(report: CardReport) -> Table:
    table = Table(GAP, header=False)
    for _ in range(3):
        table.add_column()
    for state in report.ladder:
        word, style = _MARKS[state.mark]
        seen = "" if state.mark is Mark.NOT_REACHED else printable(state.seen or "")
        table.add_row(Text(f"  {state.rung.value}"), Text(word, style=style), Text(seen))
    return table


def _ladder_lines(report: CardReport) -> Iterator[RenderableType]:
    for state in report.ladder:
        word, style = _MARKS[state.mark]
        yield Text.assemble(f"  {state.rung.value}: ", (word, style))


def _names(names: Sequence[Name]) -> Iterator[str]:
    for name in names:
        number = "" if name.number is None else f" {name.number}"
        rest = ", ".join(printable(each) for each in (name.name, name.uuid) if each)
        yield f"{name.by}{number}: {rest}" if rest else f"{name.by}{number}"


def _finding(told: Told, *, verbose: bool) -> Iterator[RenderableType]:
    finding = told.finding
    likely = " (likely)" if finding.certainty is Certainty.LIKELY else ""
    likely += f" (explained by {finding.because_of})" if finding.because_of else ""
    about = f"{_cards(told)}: " if told.cards else ""
    yield Text.assemble(
        (f"{_WORDS[finding.severity]}{likely}", _STYLES[finding.severity]), f"  {about}{printable(finding.because)}"
    )
    shown = finding.evidence if verbose else finding.evidence[:_EVIDENCE]
    for each in shown:
        yield indented(f"seen: {printable(each.where)}: {printable(each.what)}")
    for step in finding.fix:
        yield indented(f"do: {_step(step)}", "bold")
    if finding.settle:
        yield indented(f"to be sure: `{printable(finding.settle)}`")
    if not finding.generic:
        yield indented(f"more: `gpuprobe doctor --explain {finding.id}`", "dim")


def _step(step: Step) -> str:
    said = " on the host" in f" {step.text}" or step.text.startswith(("for a service", "for the service"))
    place = "" if said else _ELSEWHERE.get(step.where, "")
    text = printable(step.text)
    if step.needs_reboot:
        text += f": {step.needs_reboot}" if text.endswith("reboot") else f", then reboot: {step.needs_reboot}"
    return place + text


def _cards(told: Told) -> str:
    if len(told.cards) == 1:
        return card_text(told.cards[0])
    return f"{len(told.cards)} cards ({', '.join(printable(card.pci_id) for card in told.cards if card.pci_id)})"


def _also(told: Sequence[Told], *, verbose: bool) -> Iterator[RenderableType]:
    """What the headlines explain, in a line each; what only repeats one in the words of a symptom is left out."""
    rungs = {each.finding.id: each.finding.rung for each in told if each.finding.because_of is None}
    explained = [each for each in told if each.finding.because_of is not None and not _repeats(each, rungs)]
    if explained and not verbose:
        yield Text("")
        yield Text("Also seen, and explained by that:")
        for each in explained:
            yield indented(f"{printable(each.finding.brief or each.finding.because)} (by {each.finding.because_of})")


def _repeats(told: Told, rungs: Mapping[str, Rung]) -> bool:
    """A symptom at the rung of its cause; and the cause itself, seen once more."""
    finding = told.finding
    return finding.because_of == finding.id or (finding.generic and rungs.get(finding.because_of or "") is finding.rung)


def explanations(rows: Sequence[Json]) -> Iterator[RenderableType]:
    """Causes of the catalogue; see examining.explain."""
    for row in rows:
        yield Text.assemble((row["id"], "bold"), f"  {printable(row['about'])}")
        if len(rows) == 1:
            yield indented(f"source: {printable(row['source'])}, looked at on {row['checked']}")
            known = "is looked for on every machine" if row["looked_for"] else "is not looked for by itself in this version"
            yield indented(f"layer {row['layer']}; it {known}")
