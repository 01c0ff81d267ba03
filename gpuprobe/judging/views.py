"""Every view of every card, as `validate` looks at them: which are asked, whose card each shows, what it proves."""

from collections.abc import Sequence

from gpuprobe.judging import identity
from gpuprobe.judging.pairing import pair_by_name
from gpuprobe.judging.rules import numbers_of, order
from gpuprobe.judging.verdicts import outcomes_of, telling
from gpuprobe.model import Device, DeviceType, Inventory, Outcome, Verdict
from gpuprobe.record_classes import NamedTuple


class View(NamedTuple):
    """One device as one library in one build lists it, and the outcome of the child that validated it."""

    device: Device  # with an ordinal, also where it is not kept
    outcome: Outcome | None  # None: it was not validated

    @property
    def verdict(self) -> Verdict | None:
        return self.device.validation.verdict if self.device.validation else None


def numbered(inventory: Inventory) -> tuple[Device, ...]:
    """Every view in the fixed order, with its card's number in `list`; those that have none there count on behind."""
    numbers = numbers_of(inventory.kept, inventory.drops)
    counts: dict[str, int] = {}
    for device in (*inventory.kept, *(drop.device for drop in inventory.drops)):
        if id(device) in numbers:
            counts[device.library] = max(counts.get(device.library, 0), numbers[id(device)] + 1)
    dropped = []
    for device in (drop.device for drop in inventory.drops):
        number = numbers.get(id(device))
        if number is None:
            number = counts.get(device.library, 0)
            counts[device.library] = number + 1
        dropped.append(device._replace(ordinal=number))
    return tuple(sorted((*inventory.kept, *dropped), key=order))


def views(inventory: Inventory) -> tuple[View, ...]:
    """The views that were to be validated: software renderers only where they were asked for."""
    asked = inventory.request
    return tuple(
        View(device, _outcome(device, inventory))
        for device in numbered(inventory)
        if asked.allow_software or device.type is not DeviceType.SOFTWARE
        if not asked.chosen or device.key in asked.chosen
        if not asked.builds or device.build in asked.builds
    )


def _outcome(device: Device, inventory: Inventory) -> Outcome | None:
    spoken = outcomes_of(device, inventory.evidence.outcomes)
    return telling(spoken) if spoken else None


def by_card(shown: Sequence[View]) -> list[list[View]]:
    """The views of each card, in the order of the first of each."""
    paired = pair_by_name([view.device for view in shown])
    cards: list[list[View]] = []
    for view in shown:
        card = next((card for card in cards if any(_same(view.device, other.device, paired) for other in card)), None)
        if card is None:
            cards.append([view])
        else:
            card.append(view)
    return cards


def _same(one: Device, other: Device, paired: Sequence[tuple[Device, Device]]) -> bool:
    return identity.same_card(one, other).same or (one, other) in paired or (other, one) in paired


def has_failed(card: Sequence[View]) -> bool:
    """No view passed, and none is left undecided."""
    return all(view.verdict is Verdict.UNSUPPORTED for view in card)


def is_undecided(card: Sequence[View]) -> bool:
    verdicts = {view.verdict for view in card}
    return Verdict.SUPPORTED not in verdicts and verdicts != {Verdict.UNSUPPORTED}
