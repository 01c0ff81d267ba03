"""What the control groups of this process let it take of the machine's memory, in versions 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.facts import Reading
from gpuprobe.survey.tree import ABSENT, Tree

CGROUPS = "/sys/fs/cgroup"

_V2 = (CGROUPS, "memory.max", "memory.current")
_V1 = (f"{CGROUPS}/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
_UNLIMITED = 2**60  # bytes; version 1 says 2**63 less a page where there is no limit


def memory_limits(tree: Tree, cgroup: str) -> Iterator[tuple[str, Reading]]:
    """The memory files of this process's control groups, from its own up to the root; only those that set a limit.

    Groups that cannot be seen from here are passed over (inside a container the path is the host's); the root is
    always asked.
    """
    for mount, limit, usage, path in _memory_groups(cgroup):
        for place in _upwards(mount, path):
            reading = tree.read(f"{place}/{limit}")
            if _limits(reading):
                yield f"{place}/{limit}", reading
                yield f"{place}/{usage}", tree.read(f"{place}/{usage}")
                yield f"{place}/memory.stat", tree.read(f"{place}/memory.stat")


def _memory_groups(cgroup: str) -> Iterator[tuple[str, str, str, str]]:
    """(mount, name of the limit, name of the usage, path) for the lines of /proc/self/cgroup that can limit memory."""
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield (*_V2, path)
        elif "memory" in controllers.split(","):
            yield (*_V1, path)


def _limits(reading: Reading) -> bool:
    """Whether a limit may be in force: also where it could not be read, which is then evidence."""
    text = (reading.text or "").strip()
    unlimited = text == "max" or (text.isdecimal() and len(text) < 30 and int(text) >= _UNLIMITED)
    return reading.problem != ABSENT and not unlimited


def _upwards(mount: str, path: str) -> Iterator[str]:
    """/a/b, /a and / below the mount; of a path with `..`, which is outside this namespace, only the root."""
    parts = [part for part in path.split("/") if part]
    for length in range(0 if ".." in parts else min(len(parts), 32), -1, -1):
        yield "/".join([mount, *parts[:length]])
