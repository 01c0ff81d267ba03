"""One row per machine: what its document says of it, or why it has none."""

from __future__ import annotations

from typing import NamedTuple

from gpuprobe.enumerations import Enum
from gpuprobe.judging.requirement import Requirement

LONGEST_NAME = 255
LONGEST_REASON = 400


class Trouble(str, Enum):
    """Why a machine has no answer."""

    SILENT = "silent"  # nothing came from it
    NO_DOCUMENT = "no_document"  # something else came: what its engine said of it, or rubbish
    UNREADABLE = "unreadable"  # a document that is cut off, or is not what it says it is
    ERROR = "error"  # gpuprobe itself said why it has no answer
    OTHER_SCHEMA = "other_schema"


class Problem(NamedTuple):
    trouble: Trouble
    because: str


class Verdict(NamedTuple):
    """What `--require` makes of a machine; `answer` None: it could not be decided."""

    answer: bool | None
    because: str


class Standing(NamedTuple):
    """What a document says of a machine. Equal machines share one, so that ten thousand of them take little memory."""

    kind: str  # `list`, `validate`, `doctor`; "" where there is no document
    cards: int = 0
    usable: int = 0
    models: tuple[tuple[str, int], ...] = ()  # (name of a card, how many of it)
    driver: str | None = None
    reasons: tuple[str, ...] = ()  # one for each card that is not usable
    traits: tuple[tuple[str, str], ...] = ()  # what should be equal on equal machines
    problem: Problem | None = None
    verdict: Verdict | None = None

    @property
    def answered(self) -> bool:
        return self.problem is None

    @property
    def whole(self) -> bool:
        """Whether there is a card, and each of them is usable."""
        return self.answered and 0 < self.cards == self.usable

    def trait(self, name: str) -> str | None:
        return next((value for each, value in self.traits if each == name), None)


class Origin(NamedTuple):
    """Where something was read, and what a machine is called that nothing else names."""

    file: str
    name: str


class Machine(NamedTuple):
    name: str
    standing: Standing
    origin: Origin
    timestamp: str = ""  # of its document; "" where it has none
    by_itself: bool = False  # its name is what the document calls its host: no engine named it


class Reading(NamedTuple):
    """How documents are to be read."""

    schema_version: int
    requirement: Requirement | None = None


class Found(NamedTuple):
    """Something that stands for a machine. `name`: what the engine calls it; None: the engine named none."""

    name: str | None
    content: object  # a document as JSON, or a Problem
