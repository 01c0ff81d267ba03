"""llama.cpp's own fit: how it chooses context and layers per device where the user has chosen neither (b10434 to b11434).

It measures whole layouts and moves between them; so does this, with a function that measures in the place of its allocator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gpuprobe.enumerations import Enum

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
    """What the user has set, which fit does not touch. `split` and `overrides`: whether they are set."""

    context: int | None = None
    minimum_context: int = MINIMUM_CONTEXT
    layers: int | None = None
    split: bool = False
    overrides: bool = False


class _Context(NamedTuple):
    tokens: int
    said: tuple[str, ...] = ()
    is_enough: bool = False  # the layers need no looking at


def fit(subject: Subject, machine: Machine, measure: Measure, given: Given) -> Chosen:
    """The layout that llama.cpp would load. `measure` gives a row per device, in the order of `machine`."""
    full = subject.trained_context * subject.streams if given.context is None else given.context
    whole = measure(Layout(full))
    if all(used.total <= target for used, target in zip(whole, machine.targets, strict=True)):
        return Chosen(Layout(full))
    context = _Context(full)
    if given.context is None:
        context = _reduced(subject, machine, measure, Layout(full), given)
    if context.is_enough:
        return Chosen(Layout(context.tokens), context.said)
    gave_up = _why_layers_stay(given, len(machine.free))
    if gave_up is not None:
        return Chosen(Layout(context.tokens), context.said, gave_up)
    return Chosen(_Filling(subject, machine, measure, context.tokens).run(), context.said)


def _reduced(subject: Subject, machine: Machine, measure: Measure, full: Layout, given: Given) -> _Context:
    """Between the full context and the least one by linear interpolation, where all devices together are too small."""
    goal, whole, least = sum(machine.targets), measure(full), given.minimum_context * subject.streams
    used = sum(each.total for each in whole)
    if used <= goal or full.context <= least:
        return _Context(full.context)
    devices = len(machine.free)
    if devices > 1:
        # Only whole layers, or tensors, can be moved: half of one is lost on each device, and on one more to be safe.
        placed = subject.layers if given.layers is None else min(given.layers, subject.layers)
        per_layer = sum(each.model for each in whole) // max(placed, 1)
        goal -= (devices + 1) * per_layer // (6 if subject.experts else 2)
    at_least = sum(each.total for each in measure(Layout(least)))
    if goal <= at_least:
        return _Context(least, _said(full.context, least))
    tokens = least + (full.context - least) * (goal - at_least) // (used - at_least)
    tokens = max(tokens - tokens % (_CONTEXT_STEP * subject.streams), least)
    return _Context(tokens, _said(full.context, tokens), is_enough=devices == 1)


def _said(full: int, context: int) -> tuple[str, ...]:
    return (f"the context is reduced from {full} to {context} tokens",)


def _why_layers_stay(given: Given, devices: int) -> str | None:
    if given.layers is not None:
        return "the number of layers is set, so llama.cpp does not choose it"
    if given.split and devices > 1:
        return "the split is set, so llama.cpp does not choose the layers"
    if given.overrides:
        return "the user places tensors, so llama.cpp does not choose the layers"
    return None


class _State(NamedTuple):
    """One layout under trial. `dense_from`: the first device that still has layers without their experts."""

    shares: tuple[Share, ...]
    overflows: tuple[bool, ...]
    dense_from: int = 0

    def with_share(self, device: int, share: Share) -> _State:
        return self._replace(shares=(*self.shares[:device], share, *self.shares[device + 1 :]))


class _Filling:
    """Layers from the back to the front, then, for experts, whole layers from the front to the back.

    Where llama.cpp counts without regard for a sign, so does this: it loads what it has chosen, odd or not.
    """

    def __init__(self, subject: Subject, machine: Machine, measure: Measure, context: int) -> None:
        self._subject, self._targets, self._measure_layout, self._context = subject, machine.targets, measure, context
        self._count = len(machine.free)
        self._last = self._count - 1
        self._state = _State((Share(),) * self._count, (False,) * self._count)
        self._used = self._measure(self._state)

    def run(self) -> Layout:
        for device in reversed(range(self._count)):
            self._fill(device)
        if self._subject.experts and self._is_room_for_experts():
            self._state = self._state._replace(dense_from=self._first_of_the_back())
            device = 0
            while device <= self._state.dense_from < self._count:
                self._convert(device)
                self._add_a_part(device)
                device += 1
        return Layout(self._context, self._state.shares, overflows=self._state.overflows)

    def _measure(self, state: _State) -> list[int]:
        layout = Layout(self._context, state.shares, overflows=state.overflows)
        return [used.total for used in self._measure_layout(layout)]

    def _is_room_for_experts(self) -> bool:
        dense = self._measure_layout(Layout(self._context, experts_on_host=True))
        return sum(self._targets) > sum(used.total for used in dense)

    def _first_of_the_back(self) -> int:
        """The first of the last devices that all have layers."""
        first = self._count
        while first > 0 and self._state.shares[first - 1].layers > 0:
            first -= 1
        return first

    def _fill(self, device: int) -> None:
        """By false position: between no layers and all that are left, until one more layer would be too many."""
        left = self._subject.layers + 1 - sum(share.layers for share in self._state.shares[device + 1 :])
        if left <= 0:
            return
        whole = left if not self._subject.experts else 1 if device == self._last else 0
        high = self._state.with_share(device, Share(left, left - whole))
        self._between(device, high, self._with_more_layers, lambda state: state.shares[device].layers)

    def _with_more_layers(self, device: int, step: int) -> _State:
        """The output layer, the first of the last device, is always whole; of further ones of a model with experts only what
        is dense."""
        share = self._state.shares[device]
        is_output = device == self._last and share.partial == 0
        partial = share.partial + (step - 1 if is_output else step) if self._subject.experts else 0
        return self._state.with_share(device, share._replace(layers=share.layers + step, partial=partial))

    def _convert(self, device: int) -> None:
        """As many dense layers from the back as fit become whole layers of this device."""
        high = self._with_all_moved(device)
        self._between(device, high, self._with_moved, lambda state: state.shares[device].whole)

    def _between(
        self, device: int, high: _State, stepped: Callable[[int, int], _State], count: Callable[[_State], int]
    ) -> None:
        """The most that fits on the device, between the state as it is and `high`."""
        used, target = self._measure(high), self._targets[device]
        if used[device] <= target:
            self._state, self._used = high, used
            return
        above = used[device]
        while (delta := count(high) - count(self._state)) > 1:
            test = stepped(device, _step(delta, target - self._used[device], above - self._used[device]))
            used = self._measure(test)
            if used[device] <= target:
                self._state, self._used = test, used
            else:
                high, above = test, used[device]

    def _with_all_moved(self, device: int) -> _State:
        shares = list(self._state.shares)
        for other in range(self._state.dense_from, self._count):
            moved = shares[other].layers - (1 if other == self._last else 0)
            shares[device] = shares[device]._replace(layers=shares[device].layers + moved)
            shares[other] = shares[other]._replace(layers=shares[other].layers - moved, partial=0)
        return self._state._replace(shares=tuple(shares), dense_from=self._last)

    def _with_moved(self, device: int, step: int) -> _State:
        shares, giver, left = list(self._state.shares), self._state.dense_from, step
        while giver < self._count:
            moved = min(left, shares[giver].partial)
            shares[giver] = shares[giver]._replace(layers=shares[giver].layers - moved, partial=shares[giver].partial - moved)
            shares[device] = shares[device]._replace(layers=shares[device].layers + moved)
            left -= moved
            if shares[giver].partial > 0:
                break
            giver += 1
        return self._state._replace(shares=tuple(shares), dense_from=giver)

    def _add_a_part(self, device: int) -> None:
        """Of one layer more at least the attention, where that fits, and up and gate where they do."""
        giver = self._state.dense_from
        if giver >= self._count or self._state.shares[giver].layers <= (0 if device < self._last else 1):
            return
        more = self._with_a_part(device)
        if self._takes(device, more, Part.UP):
            self._takes(device, more, Part.GATE)
        else:
            self._takes(device, more, Part.ATTENTION)

    def _with_a_part(self, device: int) -> _State:
        giver = self._state.dense_from
        gives = self._state.shares[giver]
        state = self._state.with_share(giver, gives._replace(layers=gives.layers - 1, partial=gives.partial - 1))
        takes = state.shares[device]
        state = state.with_share(device, takes._replace(layers=takes.layers + 1, partial=takes.partial + 1))
        return state._replace(dense_from=giver + 1) if state.shares[giver].partial == 0 else state

    def _takes(self, device: int, state: _State, part: Part) -> bool:
        state = state.with_share(device, state.shares[device]._replace(first=part))
        overflows = tuple(flag or (place == device < self._last) for place, flag in enumerate(state.overflows))
        state = state._replace(overflows=overflows)
        used = self._measure(state)
        concerned = range(device, min(device + 2, self._count))
        if all(used[each] < self._targets[each] for each in concerned):
            self._state, self._used = state, used
            return True
        return False


def _step(delta: int, room: int, span: int) -> int:
    """Layers to try next. A device that is too small already for none takes the longest step, by an overflow of a sign."""
    if room < 0 and delta * -room >= span:
        return delta - 1
    return min(max(delta * room // span if room > 0 else 0, 1), delta - 1)
