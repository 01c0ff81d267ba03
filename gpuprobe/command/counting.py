"""Whether there are as many devices as `env` is to select, with as much free memory as each must have, and which."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.command.commands import nothing, nothing_usable
from gpuprobe.doctor import card_status
from gpuprobe.exits import Exit, WrongUsage
from gpuprobe.model import Device, Inventory
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import size_text


class Selected(NamedTuple):
    """`exit` says why there is nothing in `devices`; `text` is the sentence in either case."""

    devices: tuple[Device, ...]
    text: str
    exit: Exit
    not_decided: tuple[str, ...] = ()  # what the variables hide for that reason: a clause each
    may_grow: bool = False  # the same question could be answered with more devices

    def with_doubts(self, inventory: Inventory, *, counted: bool) -> Selected:
        """What was not decided; no more than `--count` are chosen, however many there are."""
        if not self.devices:
            return self
        doubts = card_status.doubts(inventory)
        views = [card_status.told_of(drop) for drop in card_status.undecided_drops(inventory)]
        return self._replace(not_decided=tuple(dict.fromkeys((*doubts, *views))), may_grow=bool(doubts) and not counted)


class Count(NamedTuple):
    """How many devices are to be selected, and how much memory each must have free, in bytes."""

    number: int | None
    min_free: int | None

    @classmethod
    def read(cls, number: str | None, min_free: str | None) -> Count:
        """From `--count` and `--min-free`; WrongUsage for what is no number and no size."""
        return cls(_number(number), _size(min_free))

    def of(self, candidates: Sequence[Device], inventory: Inventory, *, named: bool) -> Selected:
        fitting = [device for device in candidates if self._fits(device)]
        if len(fitting) >= (self.number or 1):
            chosen = card_status.scheduling_order(fitting)[: self.number] if self.number else tuple(fitting)
            return Selected(chosen, _selects(chosen), Exit.ANSWERED)
        if not inventory.kept:
            return Selected((), nothing(inventory), nothing_usable(inventory))
        unknown = [device for device in candidates if self.min_free is not None and device.free_memory is None]
        possible = len(fitting) + len(unknown) >= (self.number or 1) or (not named and card_status.undecided(inventory))
        leave_with = Exit.UNDECIDED if possible else Exit.NOTHING_USABLE
        return Selected((), self._too_few(fitting, candidates, unknown), leave_with)

    def _fits(self, device: Device) -> bool:
        return self.min_free is None or (device.free_memory is not None and device.free_memory >= self.min_free)

    def _too_few(self, fitting: Sequence[Device], candidates: Sequence[Device], unknown: Sequence[Device]) -> str:
        of_them = f"{len(candidates)} usable device{'s' if len(candidates) != 1 else ''}"
        found = (
            of_them if self.min_free is None else f"{len(fitting) or 'none'} of {of_them} with {size_text(self.min_free)} free"
        )
        doubt = f"; how much is free on {len(unknown)} of them is unknown" if unknown else ""
        return f"not enough devices: {self.number or 1} needed, {found}{doubt}"


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:6]) > 0 and len(text) <= 6):
        raise WrongUsage(f"`--count {text}`: --count takes a whole number above 0", "for example `gpuprobe env --count 2`")
    return int(text)


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    from gpuprobe.judging.requirement import size_of

    size = size_of(text.strip())
    if size is None:
        raise WrongUsage(
            f"`--min-free {text}`: --min-free takes a size with its unit (GiB, GB, MiB, MB, bytes)",
            "for example `gpuprobe env --min-free 8GiB`",
        )
    return size


def _selects(chosen: Sequence[Device]) -> str:
    names = ", ".join(f"{device.library}:{device.ordinal}" for device in chosen)
    return f"these variables select {names} and hide every other device"
