"""What the kernel has said of GPUs since this start of the machine. `None` is everywhere: nobody could look."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import KernelLog, LogLine
from gpuprobe.record_classes import NamedTuple

# "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})[^)]{0,8}\): ([0-9]{1,4})\b")
_RESUMED = re.compile(r"PM: (?:suspend exit|hibernation: hibernation exit|hibernation exit)")


class Xid(NamedTuple):
    """A fault that NVIDIA's driver reported, by its number."""

    number: int
    address: str  # "0000:01:00", without the function
    line: LogLine


def log(host: Host) -> KernelLog | None:
    """The log itself; None: it was not asked for."""
    return host.system.log if host.system else None


def lines(host: Host, pattern: str | re.Pattern[str]) -> tuple[LogLine, ...]:
    """Those in which the pattern is found, the first first. A text is taken as it stands, whatever its letters' case."""
    found = log(host)
    if found is None:
        return ()
    if isinstance(pattern, str):
        wanted = pattern.casefold()
        return tuple(line for line in found.lines if wanted in line.message.casefold())
    return tuple(line for line in found.lines if pattern.search(line.message))


def first(host: Host, pattern: str | re.Pattern[str]) -> LogLine | None:
    return next(iter(lines(host, pattern)), None)


def says(host: Host, pattern: str | re.Pattern[str]) -> bool | None:
    """True: it stands there. False: the log reaches back to the start of the machine, and it does not. None: cannot be told."""
    found = log(host)
    if found is None or found.source is None:
        return None
    return True if lines(host, pattern) else False if found.is_whole else None


def lines_of(host: Host, address: str) -> tuple[LogLine, ...]:
    """Those that name the card at this PCI address, in whichever of the kernel's spellings, as in "(PCI:0000:01:00.0)"."""
    short = address.lower().rpartition(".")[0]
    named = re.compile(rf"(?i)(?<![0-9a-f])(?<![0-9a-f]:){re.escape(short)}(?![0-9a-f])")
    return lines(host, named)


def xids(host: Host, address: str | None = None) -> tuple[Xid, ...]:
    """NVIDIA's faults, of one card or of all, the first first."""
    return tuple(xid for xid in _xids(host) if address is None or address.lower().startswith(xid.address))


def _xids(host: Host) -> Iterator[Xid]:
    for line in lines(host, _XID):
        found = _XID.search(line.message)
        if found is not None:
            yield Xid(int(found[2]), found[1].lower(), line)


def resumed_at(host: Host) -> float | None:
    """Seconds after the start at which the machine last woke from a sleep; None: never, or nobody could look."""
    times = [line.at if line.last is None else line.last for line in lines(host, _RESUMED)]
    return max((at for at in times if at is not None), default=None)
