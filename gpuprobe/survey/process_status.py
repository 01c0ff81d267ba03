"""Which processes there are, and /proc/PID/status: who a process is, what it may do, how much memory it holds."""

from __future__ import annotations

from gpuprobe import patterns as re
from gpuprobe.record_classes import NamedTuple
from gpuprobe.survey.tree import ABSENT, Tree

_MOST_PROCESSES = 100_000
_MOST_GROUPS = 65536  # NGROUPS_MAX
_FIELD = r"(?m)^(\w+):[ \t]*(.*)$"


class ProcessStatus(NamedTuple):
    """None: it does not say. Account and group are the effective ones: what the process may do, not who started it."""

    name: str | None = None
    has_ended: bool = False  # and waits for its parent to take note
    parent: int | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None  # with that of `gid`, which need not be among the others
    capabilities: str | None = None
    no_new_privileges: bool | None = None
    seccomp: int | None = None
    resident: int | None = None  # bytes
    problem: str | None = None  # why nothing could be read


def numbers(tree: Tree) -> list[int]:
    return sorted(each for name in tree.names("/proc") if (each := number_of(name)) is not None)[:_MOST_PROCESSES]


def number_of(text: str) -> int | None:
    """A process number, of a folder of /proc or as a user gives it."""
    return int(text) if re.is_digits(text, 10) and text[0] != "0" else None


def status_of(tree: Tree, number: int) -> ProcessStatus:
    reading = tree.read(f"/proc/{number}/status")
    if not reading.text:
        return ProcessStatus(problem=reading.problem or ABSENT)
    said = dict(re.findall(_FIELD, reading.text))
    gid = _effective(said.get("Gid", ""))
    return ProcessStatus(
        name=said.get("Name"),
        has_ended=said.get("State", "").startswith(("Z", "X")),
        parent=_whole(said.get("PPid", "")),
        uid=_effective(said.get("Uid", "")),
        gid=gid,
        groups=_groups(said.get("Groups"), gid),
        capabilities=said["CapEff"] if re.fullmatch("[0-9a-f]{1,16}", said.get("CapEff", "")) else None,
        no_new_privileges={"0": False, "1": True}.get(said.get("NoNewPrivs", "")),
        seccomp={"0": 0, "1": 1, "2": 2}.get(said.get("Seccomp", "")),
        resident=_kibibytes(said.get("VmRSS", "")),
    )


def _effective(row: str) -> int | None:
    """The second of "real effective saved file"."""
    words = row.split()[:4]
    return _whole(words[1]) if len(words) == 4 else None


def _groups(row: str | None, gid: int | None) -> tuple[int, ...] | None:
    if row is None:
        return None
    named = {group for word in row.split()[:_MOST_GROUPS] if (group := _whole(word)) is not None}
    return tuple(sorted(named | ({gid} if gid is not None else set())))


def _whole(text: str) -> int | None:
    """`isdigit` is true of `²`, which is no number."""
    return int(text) if re.is_digits(text.strip(), 10) else None


def _kibibytes(text: str) -> int | None:
    found = re.match("[0-9]{1,16}(?= kB)", text, re.ASCII)
    return int(found[0]) * 1024 if found else None
