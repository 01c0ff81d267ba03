"""Packages that are installed, by whichever manager. None: no list of packages could be read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import Package


def are_known(host: Host) -> bool:
    """Whether some list was read: only then a package is known not to be there."""
    lists = host.system.package_lists if host.system else None
    return any(problem is None for problem in (lists or {}).values())


def package(host: Host, name: str) -> Package | None:
    """This package, where it is installed."""
    return next((each for each in _installed(host) if each.name == name), None)


def packages(host: Host, pattern: str | re.Pattern[str]) -> tuple[Package, ...]:
    """Those whose whole name fits, by name."""
    found = (each for each in _installed(host) if re.fullmatch(pattern, each.name))
    return tuple(sorted(found))


def _installed(host: Host) -> Iterable[Package]:
    known = (host.system.packages if host.system else None) or ()
    return (each for each in known if each.state != "config-files")
