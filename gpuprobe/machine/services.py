"""Services and servers: what their units set, and how those that run stand. None: nobody could look."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from posixpath import basename

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import Standing, UnitFiles
from gpuprobe.record_classes import NamedTuple


class Setting(NamedTuple):
    """A line of a unit's file or of a drop-in of it."""

    path: str
    section: str  # "Service"
    name: str
    value: str


def units(host: Host) -> tuple[UnitFiles, ...]:
    return (host.system.units if host.system else None) or ()


def servers(host: Host, command: str | None = None) -> tuple[Standing, ...] | None:
    """Servers of models that run, all or those of one program ("ollama", "llama-server", "vllm"); None: not asked."""
    known = host.system.servers if host.system else None
    return None if known is None else tuple(each for each in known if command is None or command in _called(each))


def _called(server: Standing) -> tuple[str, ...]:
    return tuple(name for name in (server.command, basename(server.program or "")) if name)


def runs(host: Host, daemon: str) -> bool | None:
    """Whether a driver's helper runs: "nv-fabricmanager", "nvidia-persistenced", "nvidia-gridd"; None: not asked."""
    known = host.system.daemons if host.system else None
    return None if known is None else daemon in known


def settings(found: UnitFiles, section: str | None = None) -> tuple[Setting, ...]:
    """All of a unit's lines in the order in which systemd reads them; continued lines are joined."""
    lines = (line for path, reading in found.files.items() for line in _settings(path, reading.text or ""))
    return tuple(line for line in lines if section is None or line.section == section)


def _settings(path: str, written: str) -> Iterator[Setting]:
    section = ""
    for line in map(str.strip, written.replace("\\\n", " ").splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield Setting(path, section, name.strip(), value.strip())


def value_in(found: UnitFiles, name: str) -> Setting | None:
    """The line that counts for a setting of one value: the last one that sets it to something."""
    lines = [line for line in settings(found, "Service") if line.name == name]
    return lines[-1] if lines and lines[-1].value else None


def values_in(found: UnitFiles, name: str) -> tuple[Setting, ...]:
    """The lines that count for a setting of many values: an empty one takes all before it back."""
    kept: list[Setting] = []
    for line in settings(found, "Service"):
        if line.name == name:
            kept = [*kept, line] if line.value else []
    return tuple(kept)


def environment_in(found: UnitFiles) -> dict[str, str]:
    """The variables that a unit sets, those of its `EnvironmentFile=` above those of its `Environment=`."""
    words = [word for line in values_in(found, "Environment") for word in _words(line.value)]
    words += [line for reading in found.environment_files.values() for line in (reading.text or "").splitlines()]
    return {name: value for name, equals, value in (word.partition("=") for word in words) if equals}


def shares_files(mine: Mapping[str, str] | None, other: Standing) -> bool | None:
    """Whether that process sees the same files as one in these namespaces: not, where it is in a container; None: nobody
    could look."""
    mine, theirs = mine or {}, other.namespaces or {}
    if "mnt" not in mine or "mnt" not in theirs:
        return None
    return mine["mnt"] == theirs["mnt"] and other.root in ("/", None)


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # an open quote: systemd takes nothing of such a line
        return []
