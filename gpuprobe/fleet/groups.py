"""What machines have in common: rows that fold, and those that differ from the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from gpuprobe.fleet.node_sets import folded, natural
from gpuprobe.fleet.rows import Machine

_MOST_REASONS = 5
_LEAST_SHARE = 2 / 3  # of its peers that have the same, for another to be the odd one


class Group(NamedTuple):
    machines: tuple[Machine, ...]

    @property
    def names(self) -> str:
        return folded(machine.name for machine in self.machines)

    def common(self, of: Callable[[Machine], str | None]) -> str:
        """What all of them have; where they differ, each value once."""
        return " / ".join(sorted({of(machine) or "" for machine in self.machines} - {""}, key=natural))

    @property
    def reason(self) -> str:
        """Why they have no answer or a card less; where they differ, the names with each, the most frequent first."""
        alike: dict[str, list[str]] = {}
        for machine in self.machines:
            if reason := reason_of(machine):
                alike.setdefault(reason, []).append(machine.name)
        if len(alike) == 1 and len(next(iter(alike.values()))) == len(self.machines):
            return next(iter(alike))
        most = sorted(alike.items(), key=lambda each: -len(each[1]))
        said = [f"{folded(names)}: {reason}" for reason, names in most[:_MOST_REASONS]]
        return "; ".join((*said, *([f"{len(most) - len(said)} more reasons"] if len(most) > len(said) else [])))


def models_of(machine: Machine) -> str | None:
    return ", ".join(name for name, _ in machine.standing.models) or None


def reason_of(machine: Machine) -> str | None:
    """Why a machine has no answer, or why a card of it is not usable."""
    standing = machine.standing
    if standing.problem is not None:
        return standing.problem.because
    more = f"; {len(standing.reasons) - 1} more" if len(standing.reasons) > 1 else ""
    return f"{standing.reasons[0]}{more}" if standing.reasons else None


def _everything(machine: Machine) -> Hashable:
    standing = machine.standing
    verdict = standing.verdict and standing.verdict.answer
    return (standing.cards, standing.usable, standing.models, standing.driver, standing.reasons, standing.problem, verdict)


GROUPS: dict[str, Callable[[Machine], Hashable]] = {
    "all": _everything,
    "machine": lambda machine: machine.name,
    "gpu": models_of,
    "driver": lambda machine: machine.standing.driver,
    "why": reason_of,
}
SORTS: dict[str, Callable[[Group], tuple[object, ...]]] = {
    "machine": lambda group: (),
    "usable": lambda group: (_share(group),),
    "driver": lambda group: (natural(group.common(lambda machine: machine.standing.driver)),),
    "why": lambda group: (not group.reason, group.reason),
}


def _share(group: Group) -> float:
    """Machines without an answer before those without a usable card."""
    if not any(machine.standing.answered for machine in group.machines):
        return -1.0
    cards = sum(machine.standing.cards for machine in group.machines)
    return sum(machine.standing.usable for machine in group.machines) / cards if cards else 0.0


def grouped(machines: Iterable[Machine], by: str, sort: str) -> list[Group]:
    """`machines` in the order of their names, which is that of equal groups."""
    alike: dict[Hashable, list[Machine]] = {}
    for machine in machines:
        alike.setdefault(GROUPS[by](machine), []).append(machine)
    return sorted((Group(tuple(each)) for each in alike.values()), key=SORTS[sort])


class Odd(NamedTuple):
    """Machines that differ from their peers in one thing."""

    machines: tuple[str, ...]
    trait: str
    value: str
    others: int
    usual: str

    @property
    def sentence(self) -> str:
        """ "driver 580.95, the other 15 have 595.45"."""
        return f"{self.trait} {self.value}, the other {self.others} have {self.usual}"


def odd_ones(machines: Sequence[Machine]) -> list[Odd]:
    """Each thing in which few machines differ from peers that are alike: of the same cards, and for these of the same name."""
    answered = [machine for machine in machines if machine.standing.answered]
    by_name: dict[Hashable, list[Machine]] = {}
    by_model: dict[Hashable, list[Machine]] = {}
    for machine in answered:
        by_name.setdefault("".join(character for character in machine.name if not character.isdigit()), []).append(machine)
        by_model.setdefault(models_of(machine), []).append(machine)
    odd = [each for peers in by_name.values() for each in _odd(peers, {"cards"})]
    for peers in by_model.values():
        traits = {name for machine in peers for name, _ in machine.standing.traits} - {"cards"}
        odd += _odd(peers, traits)
    return odd


def _odd(peers: Sequence[Machine], traits: Iterable[str]) -> list[Odd]:
    found: list[Odd] = []
    for trait in sorted(traits):
        have: dict[str, list[str]] = {}
        for machine in peers:
            if value := machine.standing.trait(trait):
                have.setdefault(value, []).append(machine.name)
        counts = Counter({value: len(names) for value, names in have.items()})
        if len(counts) < 2:
            continue
        usual, count = counts.most_common(1)[0]
        if count >= sum(counts.values()) * _LEAST_SHARE and count > 1:
            found += [Odd(tuple(names), trait, value, count, usual) for value, names in have.items() if value != usual]
    return found


class Differs(NamedTuple):
    """All in which the same machines differ."""

    machines: tuple[str, ...]
    ways: tuple[Odd, ...]

    @property
    def sentence(self) -> str:
        return f"{folded(self.machines)}: {'; '.join(each.sentence for each in self.ways)}"


def by_machines(odd: Iterable[Odd]) -> list[Differs]:
    alike: dict[tuple[str, ...], list[Odd]] = {}
    for each in odd:
        alike.setdefault(each.machines, []).append(each)
    return [Differs(names, tuple(ways)) for names, ways in sorted(alike.items(), key=lambda each: natural(each[0][0]))]
