"""The ladder of a full validation: its rungs in their order, and how a child says on which of them it stands.

A rung is begun before anything of it is done, so that a crash or a hang names it; beginning the next one passes it. What a
machine does not have (a compiler, a BLAS library) makes a rung "not possible here", which is no failure: the ladder goes on.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gpuprobe.backends.calling import Facts, Step

    Json = dict[str, Any]
    Tell = Callable[[Json], None]

RUNGS = ("load", "init", "list", "context", "allocate", "copy", "kernel", "blas", "product", "bandwidth")

# Copies of two cards at once share the memory of the machine and often a bridge: timed copies wait for their turn.
TAKES_TURNS = "bandwidth"


class Ladder:
    """One climb. `turn` waits until no other child is at work; None: there is no other."""

    def __init__(
        self,
        tell: Tell,
        now: Callable[[], float],
        until: str | None = None,
        toolkits: Sequence[str] = (),
        turn: Callable[[], object] | None = None,
    ) -> None:
        self.toolkits = tuple(toolkits)
        self.depth: str | None = None  # the deepest rung that was passed
        self._tell, self._now, self._turn = tell, now, turn
        self._deepest = RUNGS.index(until) if until else len(RUNGS)
        self._stands_on: str | None = None
        self._possible = True

    def rung(self, name: str) -> bool:
        """Begins a rung; the one before is thereby passed. False: it lies beyond what is wanted, and the climb ends here."""
        self.leave()
        if RUNGS.index(name) > self._deepest:
            return False
        if name == TAKES_TURNS and self._turn is not None:
            self._tell({"waiting": name, "at": self._now()})
            self._turn()
        self._stands_on, self._possible = name, True
        self._tell({"rung": name, "at": self._now()})
        return True

    def leave(self) -> None:
        """What was begun last is passed, if it was possible."""
        if self._stands_on is not None and self._possible:
            self.depth = self._stands_on
        self._stands_on = None

    def step(self, name: str) -> None:
        """Announces a call of the library, as a listing does."""
        self._tell({"step": name, "at": self._now()})

    def facts(self, known: Json) -> None:
        """What the library says of itself or of the card, whatever the rung."""
        self._tell({"facts": known})

    def figures(self, measured: Json) -> None:
        """What was measured in this rung: plain numbers and texts, the unit in the key (*_bytes, *_seconds,
        *_bytes_per_second)."""
        self._tell({"figures": measured})

    def not_possible(self, because: str, code: int | None = None, name: str | None = None) -> None:
        """This rung cannot be taken here, for the reason that the sentence gives; the ladder goes on."""
        self._possible = False
        self._tell({"not_possible": {"because": because, "code": code, "name": name}})


def to_a_context(backend: Any, library: Any, ladder: Ladder, device: Json) -> None:
    """The climb on a library that has no ladder of its own: as far as its validation for a listing goes."""
    step: Step = ladder.step
    facts: Facts = ladder.facts
    if ladder.rung("context"):
        backend.validate(library, step, facts, device)
