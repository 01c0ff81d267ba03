"""Cards of which `validate` has no view at all: such a card fails, unless it is left out on purpose or nothing serves it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpuprobe import machine
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.judging.belonging import is_of, serves
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, Inventory, Purpose, Reason, Status, Verdict
from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.judging.views import View
    from gpuprobe.machine import Card


class Unviewed(NamedTuple):
    """A card without a view, and why."""

    card: Card
    why: Why
    verdict: Verdict | None  # None: left out on purpose; inconclusive: nobody got to know whether it has views


_ON_PURPOSE = (Reason.HIDDEN_BY_VARIABLE, CardReason.RESERVED_FOR_A_VM, CardReason.NOT_GIVEN, CardReason.NOT_SERVED)
_NOT_GIVEN = (CardReason.NO_DEVICE_NODE, CardReason.NOT_LISTED)
# Whatever a library would say.
_CERTAIN = (
    CardReason.NO_KERNEL_DRIVER,
    CardReason.NO_DEVICE_NODE,
    CardReason.NO_PERMISSION,
    CardReason.MIG_WITHOUT_SLICES,
)


def unviewed(inventory: Inventory, shown: Sequence[View]) -> tuple[Unviewed, ...]:
    """In the order of addresses. Where devices or builds were chosen the others are nobody's question: none."""
    if inventory.request.chosen or inventory.request.builds:
        return ()
    cards = [(each.card, each.why, any(is_of(view.device, each.card) for view in shown)) for each in card_statuses(inventory)]
    seen = [card for card, _, has_view in cards if has_view]
    return tuple(_judged(card, why, seen, inventory) for card, why, has_view in cards if why is not None and not has_view)


def failed(cards: Iterable[Unviewed]) -> int:
    return sum(card.verdict is Verdict.UNSUPPORTED for card in cards)


def undecided(cards: Iterable[Unviewed]) -> int:
    return sum(card.verdict is Verdict.INCONCLUSIVE for card in cards)


def _judged(card: Card, why: Why, seen: Sequence[Card], inventory: Inventory) -> Unviewed:
    if why.reason in _ON_PURPOSE:
        return Unviewed(card, why, None)
    named = [library_named(name) for name in inventory.request.libraries]
    if named and not any(serves(library, card) for library in named):
        return Unviewed(card, Why(why.reason, "no library that `--library` names is for this card", None), None)
    if _given_others(card, why, seen, inventory):
        return Unviewed(card, Why(why.reason, f"{why.because}; the container was started with others", None), None)
    return Unviewed(card, why, Verdict.INCONCLUSIVE if _is_doubtful(card, why, inventory) else Verdict.UNSUPPORTED)


def _given_others(card: Card, why: Why, seen: Sequence[Card], inventory: Inventory) -> bool:
    """A container shows every card of the bus, and was started with some of them."""
    contained = machine.container(inventory.evidence.host) not in (None, "none")
    return contained and why.reason in _NOT_GIVEN and any(other.vendor_id == card.vendor_id for other in seen)


def _is_doubtful(card: Card, why: Why, inventory: Inventory) -> bool:
    """Whether a library that might show the card was not asked, or could not answer."""
    listings = [outcome for outcome in inventory.evidence.outcomes if outcome.probe.purpose is Purpose.LIST]
    lost = [outcome for outcome in listings if _is_unknown(outcome.status) and outcome.probe.build == SYSTEM]
    libraries = [library_named(outcome.probe.library) for outcome in lost]
    may_show = any(serves(library, card) for library in libraries if not library.witness)
    return why.reason not in _CERTAIN and (may_show or (isinstance(why.reason, Status) and _is_unknown(why.reason)))


def _is_unknown(status: Status) -> bool:
    """What the library would have said, nobody got to know; that it was left out is no different."""
    return status.undecided or status in (Status.SKIPPED, Status.REFUSED)
