"""The stages of a full validation in their order, and the one walk through those of a library.

A stage is begun before anything of it is done, so that a crash or a hang names it; beginning the next one passes it. What a
machine does not have (a compiler, a BLAS library) makes a stage "not possible here", which is no failure: the walk goes on.
"""

from __future__ import annotations

from gpuprobe.backends.calling import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Json = dict[str, Any]
    Tell = Callable[[Json], None]

STAGE_NAMES = ("load", "init", "list", "context", "allocate", "copy", "kernel", "blas", "product", "bandwidth")

# Copies of two cards at once share the memory of the machine and often a bridge: timed copies wait for their turn.
TAKES_TURNS = "bandwidth"


class Validation:
    """One full validation, and what it says on the way. `turn` waits until no other child is at work; None: there is none."""

    def __init__(
        self,
        tell: Tell,
        now: Callable[[], float],
        until: str | None = None,
        toolkits: Sequence[str] = (),
        turn: Callable[[], object] | None = None,
    ) -> None:
        self.toolkits = tuple(toolkits)
        self.depth: str | None = None  # the deepest stage that was passed
        self._tell, self._now, self._turn = tell, now, turn
        self._deepest = STAGE_NAMES.index(until) if until else len(STAGE_NAMES)
        self._begun: str | None = None
        self._possible, self._ends_here = True, False

    def begin(self, stage: str) -> bool:
        """Begins a stage; the one before is thereby passed. False: it lies beyond what is wanted, and the validation ends."""
        self.leave()
        if self._ends_here or STAGE_NAMES.index(stage) > self._deepest:
            return False
        if stage == TAKES_TURNS and self._turn is not None:
            self._tell({"waiting": stage, "at": self._now()})
            self._turn()
        self._begun, self._possible = stage, True
        self._tell({"stage": stage, "at": self._now()})
        return True

    def leave(self) -> None:
        """What was begun last is passed, if it was possible."""
        if self._begun is not None and self._possible:
            self.depth = self._begun
        self._begun = None

    def announce(self, call: str) -> None:
        """Says which call of the library comes next, as a listing does."""
        self._tell({"call": call, "at": self._now()})

    def facts(self, known: Json) -> None:
        """What the library says of itself or of the card, whatever the stage."""
        self._tell({"facts": known})

    def figures(self, measured: Json) -> None:
        """What was measured in this stage: plain numbers and texts, the unit in the key (*_bytes, *_seconds,
        *_bytes_per_second)."""
        self._tell({"figures": measured})

    def not_possible(self, because: str, code: int | None = None, name: str | None = None, *, ends: bool = False) -> None:
        """This stage cannot be taken here, for the reason that the sentence gives. `ends`: nor can any that follows."""
        self._possible, self._ends_here = False, ends
        self._tell({"not_possible": {"because": because, "code": code, "name": name}})


class Work:
    """What the stages of one validation hand on to each other; a library's own keeps what it makes on the way."""

    def __init__(self, library: Any, validation: Validation, device: Json) -> None:
        self.library, self.validation, self.device = library, validation, device

    def give_back(self) -> None:
        """Called behind the last stage that was wanted, where none has failed."""

    def explained(self, failed: Failed) -> Failed:
        """The failure that ends the validation, with what else is known of its cause."""
        return failed


def walk(library_stages: Any, library: Any, validation: Validation, device: Json) -> None:
    """Takes a library's STAGES one after the other, as far as is wanted; raises Failed where the library or the card ends it.
    `library_stages`: its module `stages`."""
    work = library_stages.Work(library, validation, device)
    try:
        for stage, take in library_stages.STAGES:
            if not validation.begin(stage):
                break
            take(work)
        work.give_back()
    except Failed as failed:
        raise work.explained(failed) from None
