"""How this machine hands its cards to containers: the descriptions of CDI, the toolkit. None: nobody looked."""

from __future__ import annotations

import re

from gpuprobe.facts import Host
from gpuprobe.machine.asked import has_program
from gpuprobe.record_classes import NamedTuple

_CDI = re.compile(r"/(?:etc|var/run|run)/cdi/[^/]{1,200}\.(?:ya?ml|json)")
_NODE = re.compile(r"/dev/[\w./-]{1,120}")
_LIBRARY = re.compile(r"/lib(?:cuda|nvidia-ml)\.so\.([0-9]{1,4}(?:\.[0-9]{1,4}){1,3})")
_KIND = re.compile(r"\"?kind\"?\s{0,4}:\s{0,4}\"?([\w.-]{1,80}/[\w.-]{1,80})")


class Description(NamedTuple):
    """One file of CDI."""

    path: str
    kind: str | None = None  # "nvidia.com/gpu"
    nodes: tuple[str, ...] = ()  # device nodes that a container gets
    versions: tuple[str, ...] = ()  # of the driver's libraries that it names
    problem: str | None = None  # why it could not be read


def descriptions(host: Host) -> tuple[Description, ...] | None:
    """By path. A file below /var/run is not told twice where that is /run."""
    files = host.system.files if host.system else None
    if files is None:
        return None
    paths = (path for path in files if _CDI.fullmatch(path))
    once = {path.replace("/var/run/", "/run/"): path for path in sorted(paths, reverse=True)}
    return tuple(_description(path, files[path].text, files[path].problem) for path in sorted(once.values()))


def _description(path: str, written: str | None, problem: str | None) -> Description:
    said = written or ""
    kind = _KIND.search(said)
    return Description(
        path=path,
        kind=kind[1] if kind else None,
        nodes=tuple(dict.fromkeys(_NODE.findall(said))),
        versions=tuple(dict.fromkeys(_LIBRARY.findall(said))),
        problem=problem,
    )


def has_toolkit(host: Host) -> bool | None:
    """Whether the container toolkit is installed here, by its programs."""
    found = [has_program(host, name) for name in ("nvidia-ctk", "nvidia-container-runtime", "nvidia-container-cli")]
    return None if None in found else True in found
