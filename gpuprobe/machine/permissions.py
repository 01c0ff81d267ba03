"""Who may open which device node, and what of this process decides it. None: nobody could look."""

from __future__ import annotations

from gpuprobe.facts import DeviceNode, Host
from gpuprobe.facts.system_facts import Opened, SystemGroup
from gpuprobe.machine.asked import text

UID_MAP = "/proc/self/uid_map"
_WHOLE = 4294967295  # numbers of accounts: all that there are


def node(host: Host, path: str) -> DeviceNode | None:
    """The node of the survey; None: there is none."""
    return next((each for each in host.nodes if each.path == path), None)


def opened(host: Host, path: str) -> Opened | None:
    """What came of opening it; None: not asked. `Opened.number` None: not tried, as of a card that sleeps."""
    tried = host.system.opened if host.system else None
    return next((each for each in tried or () if each.path == path), None)


def error_of(host: Host, path: str) -> str | None:
    """The name of the error that opening it gave: "EACCES"; None: it opened, or nobody tried."""
    found = opened(host, path)
    return found.name if found else None


def opens(host: Host, path: str) -> bool | None:
    """Whether it opened, or would by its permission bits where nobody tried to open it; None: there is no such node."""
    found, there = opened(host, path), node(host, path)
    if found is not None and found.number is not None:
        return found.number == 0
    return there.accessible if there is not None else None


def group_of(host: Host, gid: int) -> SystemGroup | None:
    known = host.system.groups if host.system else None
    return next((each for each in known or () if each.gid == gid), None)


def group_is_pending(host: Host, gid: int) -> bool | None:
    """Whether the system's files give this account the group and this process has it not: added, and not logged in anew."""
    login = host.system.login_groups if host.system else None
    return None if login is None else gid in login and gid not in host.gids


def in_user_namespace(host: Host) -> bool | None:
    """Whether the numbers of accounts are not the machine's own, as in a rootless or unprivileged container."""
    rows = _rows(host, UID_MAP)
    return None if rows is None else rows != ((0, 0, _WHOLE),)


def _rows(host: Host, path: str) -> tuple[tuple[int, int, int], ...] | None:
    said = text(host, path)
    if not said:
        return None
    rows = (line.split() for line in said.splitlines())
    return tuple((int(a), int(b), int(c)) for a, b, c in (row for row in rows if len(row) == 3 and _are_numbers(row)))


def _are_numbers(row: list[str]) -> bool:
    return all(each.isascii() and each.isdigit() and len(each) <= 10 for each in row)
