"""The whole fleet in one answer: how many cards are usable, who gave no answer, and who does not meet the requirement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gpuprobe.exits import Exit, weightiest
from gpuprobe.fleet.groups import Differs, by_machines, odd_ones
from gpuprobe.fleet.rows import Machine


class Outcome(NamedTuple):
    machines: tuple[Machine, ...]
    differs: tuple[Differs, ...]
    notes: tuple[str, ...]
    required: str | None  # as it was written; None: nothing was required

    @property
    def answered(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.standing.answered]

    @property
    def silent(self) -> list[Machine]:
        return [machine for machine in self.machines if not machine.standing.answered]

    def with_verdict(self, answer: bool | None) -> list[Machine]:
        """Those that gave an answer, and of which `--require` is answered so."""
        verdicts = ((machine, machine.standing.verdict) for machine in self.answered)
        return [machine for machine, verdict in verdicts if verdict is not None and verdict.answer is answer]

    @property
    def cards(self) -> int:
        return sum(machine.standing.cards for machine in self.answered)

    @property
    def usable(self) -> int:
        return sum(machine.standing.usable for machine in self.answered)

    @property
    def exit(self) -> Exit:
        """Only `--require` is answered with no or with unknown."""
        if self.required is None:
            return Exit.ANSWERED
        doubt = self.silent or self.with_verdict(None) or not self.machines
        return weightiest(Exit.NO if self.with_verdict(False) else Exit.ANSWERED, Exit.UNDECIDED if doubt else Exit.ANSWERED)

    @property
    def text(self) -> str:
        """The first line."""
        if self.required is None:
            return self._counts
        met, failing, unknown = (len(self.with_verdict(answer)) for answer in (True, False, None))
        others = ((failing, "does not meet it"), (unknown, "cannot be decided"), (len(self.silent), "gave no answer"))
        said = "".join(f", {number} {_plural(words, number)}" for number, words in others if number)
        return f"requirement met by {met} of {_counted(len(self.machines), 'machine')}{said}"

    @property
    def _counts(self) -> str:
        if not self.machines:
            return "no machine: nothing was read"
        answered = len(self.answered)
        where = f"on {_counted(answered, 'machine')}"
        silent = len(self.silent)
        gone = f"; {silent} of {len(self.machines)} gave no answer" if silent else ""
        return f"{self.usable} of {_counted(self.cards, 'GPU')} usable {where}{gone}"


def _plural(words: str, number: int) -> str:
    return words if number == 1 else words.replace("does ", "do ")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def outcome_of(machines: Sequence[Machine], notes: Sequence[str], required: str | None) -> Outcome:
    return Outcome(tuple(machines), tuple(by_machines(odd_ones(machines))), tuple(notes), required)
