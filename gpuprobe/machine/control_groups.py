"""Which container and which unit a process belongs to, by the path of its control group."""

from __future__ import annotations

import re
from typing import NamedTuple

_ID = r"(?P<id>[0-9a-f]{12,64})"
# What an element of the path looks like for each kind of container.
_KINDS = (
    ("docker", re.compile(rf"docker-{_ID}\.scope")),
    ("podman", re.compile(rf"libpod-(?:conmon-)?{_ID}(?:\.scope)?")),
    ("kubernetes", re.compile(rf"(?:cri-containerd|crio|cri-o)-{_ID}\.scope")),
    ("lxc", re.compile(r"lxc\.payload\.(?P<id>[\w.-]{1,64})")),
    ("systemd-nspawn", re.compile(r"machine-(?P<id>[\w.-]{1,64})\.scope")),
)
_FOLLOWED = {"docker": "docker", "lxc": "lxc"}  # the element before the name
# What systemd calls a unit (systemd.unit(5)), and no option. Whoever may make control groups gives them any name, and units are
# named in commands that a person is told to run as root.
_UNIT = re.compile(r"(?!-)[A-Za-z0-9:_.\\@-]{1,255}\.(?:service|scope)")
_SHORT = 12
_MOST = 4096


class Container(NamedTuple):
    kind: str
    name: str

    @property
    def text(self) -> str:
        return f"{self.kind} {self.name}"


def container_of(text: str | None) -> Container | None:
    """`text`: a file like /proc/PID/cgroup. None: in none, or nobody can tell."""
    elements = _elements(text)
    for place, element in enumerate(elements):
        for kind, shape in _KINDS:
            if found := shape.fullmatch(element):
                return Container(kind, _short(found["id"]))
        before = elements[place - 1] if place else ""
        if before in _FOLLOWED and re.fullmatch(r"[\w.-]{1,64}", element):
            return Container(_FOLLOWED[before], _short(element))
        if any(each.startswith("kubepods") for each in elements[:place]) and re.fullmatch(r"[0-9a-f]{64}", element):
            return Container("kubernetes", element[:_SHORT])
    return None


def units_of(text: str | None) -> tuple[str, ...]:
    """The units of systemd that the process is in, the innermost last."""
    return tuple(each for each in _elements(text) if _UNIT.fullmatch(each))


def service_of(text: str | None) -> str | None:
    """The innermost service; None: it is in none."""
    return next((each for each in reversed(units_of(text)) if each.endswith(".service")), None)


def _elements(text: str | None) -> list[str]:
    """Those of the unified hierarchy, or of the first line that names any."""
    lines = (text or "")[:_MOST].splitlines()
    ordered = sorted(lines, key=lambda line: not line.startswith("0::"))
    paths = (line.split(":", 2)[2] for line in ordered if line.count(":") >= 2)
    return next(([part for part in path.split("/") if part] for path in paths if path.strip("/")), [])


def _short(name: str) -> str:
    return name[:_SHORT] if re.fullmatch(r"[0-9a-f]{13,64}", name) else name
