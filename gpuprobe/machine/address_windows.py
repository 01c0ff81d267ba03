"""How much of a card's memory the processor sees at once, and whether its windows have a place. None: not read."""

from __future__ import annotations

from gpuprobe.facts import Bar, Host, PciFunction

MiB = 1024 * 1024
_SMALL = 256 * MiB  # what a card has without Resizable BAR


def function_at(host: Host, address: str) -> PciFunction | None:
    return next((each for each in host.pci if each.address == address), None)


def bars(host: Host, address: str) -> tuple[Bar, ...] | None:
    found = function_at(host, address)
    return found.bars if found else None


def largest_bar(host: Host, address: str) -> int | None:
    """Bytes of the largest window: the one onto the card's memory."""
    return max((bar.size for bar in bars(host, address) or ()), default=None)


def unassigned(host: Host, address: str) -> tuple[Bar, ...] | None:
    """Windows that the card has and nobody found a place for."""
    known = bars(host, address)
    return None if known is None else tuple(bar for bar in known if bar.start == 0)


def is_small(host: Host, address: str) -> bool | None:
    """Whether the largest window is one of 256 MiB or less: Resizable BAR is off, or the card is an old one."""
    size = largest_bar(host, address)
    return None if size is None else size <= _SMALL
