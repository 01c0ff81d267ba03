"""Every machine once: what it is called, and which of its documents counts where it left several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from gpuprobe.fleet.machine_standing import standing_of, without_answer
from gpuprobe.fleet.node_sets import folded, natural
from gpuprobe.fleet.rows import LONGEST_NAME, Found, Machine, Origin, Problem, Reading, Standing, Trouble
from gpuprobe.fleet.shape import Json, record, text
from gpuprobe.strings import printable

_NAMES_NOBODY = frozenset({"localhost", "localhost.localdomain", "(none)", "unknown", "none"})
_ABSENT = Problem(Trouble.SILENT, "it left nothing")


class RollCall:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._machines: dict[str, Machine] = {}
        self._known: dict[object, object] = {}
        self._clashes: set[str] = set()
        self.repeated: dict[str, int] = {}  # machine → how many documents it left
        self.read = 0

    def take(self, found: Found, origin: Origin) -> None:
        self.read += 1
        machine = self._machine(found, origin)
        there = self._machines.get(machine.name)
        if there is None:
            self._machines[machine.name] = machine
        elif there.by_itself and machine.by_itself and there.origin.file != machine.origin.file:
            self._clash(machine)
        elif found.name is None and not machine.by_itself:
            self._number(machine)
        else:
            self._again(there, machine)

    def _machine(self, found: Found, origin: Origin) -> Machine:
        content = found.content
        standing = without_answer(content) if isinstance(content, Problem) else standing_of(cast(Json, content), self._reading)
        own = None if found.name else _own_name(content)
        return Machine(
            name=printable((found.name or own or origin.name)[:LONGEST_NAME]),
            standing=self._shared(standing),
            origin=origin,
            timestamp=text(content, "timestamp", 40) or "",
            by_itself=own is not None,
        )

    def _shared(self, standing: Standing) -> Standing:
        """What was said before is kept once: of ten thousand machines most have most in common."""
        known = self._known.get(standing)
        if isinstance(known, Standing):
            return known
        traits = tuple(cast(tuple[str, str], self._known.setdefault(pair, pair)) for pair in standing.traits)
        models = cast(tuple[tuple[str, int], ...], self._known.setdefault(standing.models, standing.models))
        shared = standing._replace(traits=traits, models=models)
        self._known[shared] = shared
        return shared

    def _clash(self, machine: Machine) -> None:
        """Forty machines made from one image may all call themselves the same: their files tell them apart."""
        self._clashes.add(machine.name)
        self._take_by_file(machine)

    def _take_by_file(self, machine: Machine) -> None:
        machine = machine._replace(name=printable(machine.origin.name[:LONGEST_NAME]), by_itself=False)
        there = self._machines.get(machine.name)
        if there is None:
            self._machines[machine.name] = machine
        elif there.origin.file != machine.origin.file:
            self._number(machine)
        else:
            self._again(there, machine)

    def _number(self, machine: Machine) -> None:
        """Nobody says that they are one machine."""
        number = self.repeated[machine.name] = self.repeated.get(machine.name, 1) + 1
        self._machines[f"{machine.name} ({number})"] = machine._replace(name=f"{machine.name} ({number})")

    def _again(self, there: Machine, machine: Machine) -> None:
        """An answer counts more than none, and a later answer more than an earlier one."""
        if there.standing.answered and machine.standing.answered:
            self.repeated[machine.name] = self.repeated.get(machine.name, 1) + 1
            if machine.timestamp >= there.timestamp:
                self._machines[machine.name] = machine
        elif machine.standing.answered:
            self._machines[machine.name] = machine

    def machines(self, expected: Iterable[str] = ()) -> list[Machine]:
        """In the order of their names. `expected`: machines that are rows in any case."""
        for name in sorted(self._clashes):
            if self._machines[name].by_itself:
                self._take_by_file(self._machines.pop(name))
        short = {name.partition(".")[0] for name in self._machines}
        standing = without_answer(_ABSENT)
        for name in expected:
            if name not in self._machines and name not in short:
                self._machines[name] = Machine(name, standing, Origin("", name))
        return sorted(self._machines.values(), key=lambda machine: natural(machine.name))

    def notes(self) -> list[str]:
        """What was decided about names and documents, where that was not plain."""
        several = [name for name, count in self.repeated.items() if name in self._machines and count > 1]
        again = [name for name in several if f"{name} (2)" not in self._machines]
        apart = [name for name in several if name not in again]
        return [
            *(f"several files call their machine `{name}`, so their files name them" for name in sorted(self._clashes)),
            *([f"{folded(again)} left several documents; the newest counts"] if again else []),
            *(f"several documents of `{name}` name no machine, so they are numbered" for name in apart),
        ]


def _own_name(document: object) -> str | None:
    name = text(record(document, "host"), "name", LONGEST_NAME)
    return None if name is None or name.lower() in _NAMES_NOBODY else name
