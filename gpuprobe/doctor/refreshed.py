"""The answer of `refresh`: figures, where the devices are known from, and what is not as it was."""

from __future__ import annotations

from gpuprobe.doctor import card_status, notes
from gpuprobe.judging.changes import Change, ChangeKind
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.judging.figures import Figure, ServerAnswer
    from gpuprobe.model import Evidence, Inventory


class Refreshment(NamedTuple):
    """`inventory` is the discovery that the devices are known by; its evidence has the time of this answer."""

    inventory: Inventory
    figures: tuple[Figure, ...]
    evidence: Evidence  # what was asked for this answer
    discovered_at: str
    anew: str | None  # why the machine was discovered anew; None: the saved discovery fits
    compared_with: str | None = None  # time of the discovery that `changes` speaks of; None: there is none to compare with
    changes: tuple[Change, ...] = ()
    servers: tuple[ServerAnswer, ...] = ()  # that were asked for what was left
    remarks: tuple[str, ...] = ()  # about this reading alone


def headline(answer: Refreshment) -> str:
    """The first line of `refresh`."""
    if not answer.figures:
        return card_status.summary(answer.inventory).text
    unknown = sum(figure.unknown for figure in answer.figures)
    stale = sum(figure.stale and not figure.unknown for figure in answer.figures)
    devices = f"{len(answer.figures)} device{'s' if len(answer.figures) > 1 else ''}"
    fresh = len(answer.figures) - stale - unknown
    if not (stale or unknown):
        return f"{devices}, read just now"
    if not fresh:
        return f"{devices}, no new reading"
    counts = ((fresh, "read just now"), (stale, "with an old reading"), (unknown, "without any"))
    return f"{devices}: {', '.join(f'{number} {word}' for number, word in counts if number)}"


def is_in_doubt(answer: Refreshment) -> bool:
    """Whether somebody failed to tell who may tell the next time."""
    silent = any(figure.silence is not None and figure.silence.in_doubt for figure in answer.figures)
    return silent or (answer.anew is not None and card_status.undecided(answer.inventory))


def notes_of(answer: Refreshment) -> list[str]:
    """Why everything was asked anew; else what only a discovery takes in, and what the user's variables hid from it."""
    if answer.anew is not None:
        return [f"devices were detected again: {answer.anew}", *answer.remarks]
    news = [each.text for each in answer.changes if each.kind not in (ChangeKind.LIBRARY, ChangeKind.MEMORY)]
    return [
        *answer.remarks,
        *(f"{text}; run `gpuprobe list` to look again" for text in news),
        *notes.hidden(answer.inventory),
    ]


def measured(answer: Refreshment) -> Inventory:
    """The devices with figures of now, and what was asked for them: what remarks are made on."""
    kept = tuple(figure.device for figure in answer.figures if not figure.stale)
    return answer.inventory._replace(kept=kept, drops=(), evidence=answer.evidence)
