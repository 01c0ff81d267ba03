"""llama.cpp's own fit: how it chooses context and layers per device where the user has chosen neither (b10434 to b11434).

It measures whole layouts and moves between them; so does this, with a function that measures in the place of its allocator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

MINIMUM_CONTEXT = 4096  # `--fit-ctx`
_CONTEXT_STEP = 256


class Part(str, Enum):
    """How much of a layer stays on its device; the rest overflows to the next device or to the host."""

    ATTENTION = "attention"
    UP = "attention and up"
    GATE = "attention, up and gate"
    DENSE = "all but the experts"


class Share(NamedTuple):
    """Layers of one device, the output layer counted; `partial` of them, its first ones, leave something elsewhere."""

    layers: int = 0
    partial: int = 0
    first: Part = Part.DENSE  # what the first partial layer keeps; all further ones keep what is dense

    @property
    def whole(self) -> int:
        return self.layers - self.partial


class Layout(NamedTuple):
    """`shares` None: every layer on devices, split by their free memory, as llama.cpp does without being told."""

    context: int
    shares: tuple[Share, ...] | None = None
    experts_on_host: bool = False
    overflows: tuple[bool, ...] = ()  # by device: whether its first partial layer overflows to the next device


class Machine(NamedTuple):
    """What fit knows of the devices, in bytes: what is free, and what it must leave free on each."""

    free: tuple[int, ...]
    margins: tuple[int, ...]

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(free - margin for free, margin in zip(self.free, self.margins, strict=True))


class Subject(NamedTuple):
    """What fit knows of the model."""

    layers: int  # without the output layer
    trained_context: int
    experts: bool
    streams: int = 1  # caches that are kept apart: sequences, where they do not share one


class Used(NamedTuple):
    """Bytes of one device in one layout."""

    model: int
    total: int


Measure = Callable[[Layout], Sequence[Used]]


class Chosen(NamedTuple):
    """`because`: what fit did, in order. `gave_up`: why it changed no layers although they do not fit."""

    layout: Layout
    because: tuple[str, ...] = ()
    gave_up: str | None = None


class Given(NamedTuple):
    """What the user has set, which fit does not touch. `layers`, `split` and `overrides`: whether they are set."""

    context: int | None = None
    minimum_context: int = MINIMUM_CONTEXT
    layers: bool = False
    split: bool = False
    overrides: bool = False


def fit(subject: Subject, machine: Machine, measure: Measure, given: Given) -> Chosen:
    """The layout that llama.cpp would load. `measure` gives a row per device, in the order of `machine`."""
    full = subject.trained_context * subject.streams if given.context is None else given.context
    whole = measure(Layout(full))
    if all(used.total <= target for used, target in zip(whole, machine.targets, strict=True)):
        return Chosen(Layout(full))
    context, said, done = _context(subject, machine, measure, given, full, whole)
    if done:
        return Chosen(Layout(context), said)
    gave_up = _why_layers_stay(given, len(machine.free))
    if gave_up is not None:
        return Chosen(Layout(context), said, gave_up)
    filling = _Filling(subject, machine, measure, context)
    layout = filling.run()
    return Chosen(layout, said)


def _context(
    subject: Subject, machine: Machine, measure: Measure, given: Given, full: int, whole: Sequence[Used]
) -> tuple[int, tuple[str, ...], bool]:
    """The context to go on with, what was done to it, and whether that was enough."""
    goal = sum(machine.targets)
    used = sum(each.total for each in whole)
    if used <= goal or given.context is not None:
        return full, (), False
    least = given.minimum_context * subject.streams
    if full <= least:
        return full, (), False
    devices = len(machine.free)
    if devices > 1:
        # Only whole layers, or tensors, can be moved: half of one is lost on each device, and on one more to be safe.
        per_layer = sum(each.model for each in whole) // max(subject.layers, 1)
        goal -= (devices + 1) * per_layer // (6 if subject.experts else 2)
    at_least = sum(each.total for each in measure(Layout(least)))
    if goal <= at_least:
        return least, (_reduced(full, least),), False
    step = _CONTEXT_STEP * subject.streams
    context = least + (full - least) * (goal - at_least) // max(used - at_least, 1)
    context = max(context - context % step, least)
    return context, (_reduced(full, context),), devices == 1


def _reduced(full: int, context: int) -> str:
    return f"the context is reduced from {full} to {context} tokens"


def _why_layers_stay(given: Given, devices: int) -> str | None:
    if given.layers:
        return "the number of layers is set, and llama.cpp then fits no layers"
    if given.split and devices > 1:
        return "the split is set, and llama.cpp then fits no layers"
    if given.overrides:
        return "tensors are placed by the user, and llama.cpp then fits no layers"
    return None


class _Filling:
    """Layers from the back to the front, then, for experts, whole layers from the front to the back."""

    def __init__(self, subject: Subject, machine: Machine, measure: Measure, context: int) -> None:
        self._subject, self._machine, self._measure_layout, self._context = subject, machine, measure, context
        self._count = len(machine.free)
        self._last = self._count - 1
        self._shares = [Share()] * self._count
        self._overflows = [False] * self._count
        self._used = self._measure(self._shares, self._overflows)
        self._dense_from = self._count

    def run(self) -> Layout:
        for device in reversed(range(self._count)):
            self._fill(device)
        if self._subject.experts and self._experts_have_room():
            self._dense_from = next(
                (device for device in range(self._count) if any(share.layers for share in self._shares[: device + 1])), self._count
            )
            # Devices before the first with layers are left to it; fit stops at the first gap seen from the back.
            self._dense_from = self._first_of_the_back()
            device = 0
            while device < self._count and device <= self._dense_from < self._count:
                self._convert(device)
                self._add_a_part(device)
                device += 1
        return Layout(self._context, tuple(self._shares), overflows=tuple(self._overflows))

    def _first_of_the_back(self) -> int:
        first = self._count
        for device in reversed(range(self._count)):
            if self._shares[device].layers == 0:
                break
            first = device
        return first

    def _measure(self, shares: Sequence[Share], overflows: Sequence[bool]) -> list[int]:
        layout = Layout(self._context, tuple(shares), overflows=tuple(overflows))
        return [used.total for used in self._measure_layout(layout)]

    def _experts_have_room(self) -> bool:
        dense = self._measure_layout(Layout(self._context, experts_on_host=True))
        return sum(self._machine.targets) - sum(used.total for used in dense) > 0

    def _fill(self, device: int) -> None:
        """By false position: between no layers and all that are left, until one more layer would be too many."""
        left = self._subject.layers + 1 - sum(share.layers for share in self._shares[device + 1 :])
        if left <= 0:
            return
        high = self._with(device, self._dense(left, device))
        used = self._measure(high, self._overflows)
        target = self._machine.targets[device]
        if used[device] <= target:
            self._shares, self._used = high, used
            return
        most, delta = left, left - self._shares[device].layers
        above = used[device]
        while delta > 1:
            step = _step(delta, target - self._used[device], above - self._used[device])
            test = self._with(device, self._dense(self._shares[device].layers + step, device))
            used = self._measure(test, self._overflows)
            if used[device] <= target:
                self._shares, self._used = test, used
            else:
                most, above = test[device].layers, used[device]
            delta = most - self._shares[device].layers

    def _dense(self, layers: int, device: int) -> Share:
        """Of a model with experts only what is dense; the output layer, which the last device has, is always whole."""
        if not self._subject.experts:
            return Share(layers)
        return Share(layers, layers - 1 if device == self._last and layers else layers)

    def _with(self, device: int, share: Share) -> list[Share]:
        return [*self._shares[:device], share, *self._shares[device + 1 :]]

    def _convert(self, device: int) -> None:
        """As many dense layers from the back as fit become whole layers of this device."""
        target = self._machine.targets[device]
        high = self._all_moved_to(device)
        used = self._measure(high, self._overflows)
        if used[device] <= target:
            self._shares, self._used, self._dense_from = high, used, self._last
            return
        above, most = used[device], high[device].whole
        delta = most - self._shares[device].whole
        while delta > 1:
            step = _step(delta, target - self._used[device], above - self._used[device])
            test, dense_from = self._moved_to(device, step)
            used = self._measure(test, self._overflows)
            if used[device] <= target:
                self._shares, self._used, self._dense_from = test, used, dense_from
            else:
                above, most = used[device], test[device].whole
            delta = most - self._shares[device].whole

    def _all_moved_to(self, device: int) -> list[Share]:
        shares = list(self._shares)
        for other in range(self._dense_from, self._count):
            moved = shares[other].layers - (1 if other == self._last else 0)
            shares[device] = shares[device]._replace(layers=shares[device].layers + moved)
            shares[other] = shares[other]._replace(layers=shares[other].layers - moved, partial=0)
        return shares

    def _moved_to(self, device: int, step: int) -> tuple[list[Share], int]:
        shares, dense_from, moved = list(self._shares), self._dense_from, 0
        while dense_from < self._count:
            now = min(step - moved, shares[dense_from].partial)
            giver = shares[dense_from]
            shares[dense_from] = giver._replace(layers=giver.layers - now, partial=giver.partial - now)
            shares[device] = shares[device]._replace(layers=shares[device].layers + now)
            moved += now
            if shares[dense_from].partial > 0:
                break
            dense_from += 1
        return shares, dense_from

    def _add_a_part(self, device: int) -> None:
        """Of one layer more at least the attention, where that fits, and up and gate where they do."""
        giver = self._dense_from
        if giver >= self._count or self._shares[giver].layers <= (0 if device < self._last else 1):
            return
        if self._try_part(device, Part.UP, fresh=True):
            self._try_part(device, Part.GATE, fresh=False)
        else:
            self._try_part(device, Part.ATTENTION, fresh=True)

    def _try_part(self, device: int, part: Part, *, fresh: bool) -> bool:
        shares, overflows, dense_from = list(self._shares), list(self._overflows), self._dense_from
        if fresh:
            giver = shares[dense_from]
            shares[dense_from] = giver._replace(layers=giver.layers - 1, partial=giver.partial - 1)
            taker = shares[device]
            shares[device] = taker._replace(layers=taker.layers + 1, partial=taker.partial + 1)
            dense_from += 1 if shares[dense_from].partial == 0 else 0
        shares[device] = shares[device]._replace(first=part)
        overflows[device] = device < self._last
        used, targets = self._measure(shares, overflows), self._machine.targets
        if used[device] < targets[device] and (device == self._last or used[device + 1] < targets[device + 1]):
            self._shares, self._overflows, self._used, self._dense_from = shares, overflows, used, dense_from
            return True
        return False


def _step(delta: int, room: int, span: int) -> int:
    return min(max(int(delta * room / span) if span else 1, 1), delta - 1)
