"""What stands before a document in a line: the machine that a cluster tool, Ray or the system's log says it is from."""

from __future__ import annotations

import re
from typing import NamedTuple

from gpuprobe.fleet.node_sets import expanded

TOOLS = ("clush: ", "pdsh: ", "pdsh@", "srun: ", "dsh: ", "mpirun: ")  # what their own words begin with
_DOCUMENT = '{"schema_version"'
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,254}): ?(.*)", re.DOTALL)
_TOOLS = re.compile(r"(?:clush|pdsh|pdsh@[^\s:]{1,255}|srun: error|dsh|mpirun): ([^\s:]{1,4096}): (.{1,2000})")
_RAY = re.compile(
    r"(?:\x1b\[[0-9;]{0,8}m)?\(([^()]{0,200}?)pid=[0-9]{1,10}(?:, ip=([^\s,()]{1,64}))?\)(?:\x1b\[0m)? ?(.*)", re.DOTALL
)
_KUBERNETES = re.compile(r"\[(?:pod/)?([A-Za-z0-9.-]{1,253})/[A-Za-z0-9.-]{1,253}\] (.*)", re.DOTALL)
_SYSLOG = re.compile(
    r"(?:<[0-9]{1,3}>)?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+Z-]{8,24}) "
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,254}) [^\s:]{1,255}: (.*)",
    re.DOTALL,
)
_ANSIBLE = re.compile(
    r"([^\s|]{1,255}) \| [A-Z]{2,20}!?(?: \| rc=(-?[0-9]{1,10}))?(?: \| \((?:stdout|stderr)\))?(?::| =>| >>)? ?(.*)",
    re.DOTALL,
)

# Words before a colon that name no machine: programs that say what went wrong, and what they call it.
_NO_MACHINES = frozenset(
    (
        *("bash", "sh", "dash", "zsh", "ssh", "env", "sudo", "python", "python3", "gpuprobe", "timeout"),
        *("error", "warning", "note", "info", "debug", "fatal", "hint", "usage", "traceback", "exception", "line", "file"),
        *("slurmstepd", "srun", "sbatch", "clush", "pdsh", "dsh", "ray", "mpirun", "ansible-playbook", "http", "https"),
    )
)


class Split(NamedTuple):
    """`name` None: nobody is named. `only_text`: the tool's own word about these machines, and nothing that they wrote."""

    names: tuple[str, ...] | None
    rest: str
    only_text: bool = False


class Heading(NamedTuple):
    """The line of Ansible before what one host wrote."""

    name: str
    code: str | None
    rest: str


def split(line: str) -> Split:
    """Takes the longest line in one step: the patterns are tried at its beginning alone."""
    if line.startswith("{"):
        return Split(None, line)
    if found := _TOOLS.match(line):
        names = expanded(found[1])
        if names:
            return Split(names, found[2], only_text=True)
    if (found := _RAY.match(line)) or (found := _KUBERNETES.match(line)):
        groups = found.groups()
        return Split((groups[-2],) if groups[-2] else None, groups[-1])
    if (found := _SYSLOG.match(line)) and found[2].startswith("{"):
        return Split((found[1],), found[2])
    if (found := _NAMED.match(line)) and found[1].lower() not in _NO_MACHINES:
        # `srun --label` counts tasks: a number is no machine.
        return Split(None if found[1].isdigit() else (found[1],), found[2])
    return Split(None, line[max(0, line.find(_DOCUMENT)) :])


def heading(line: str) -> Heading | None:
    found = _ANSIBLE.match(line) if " | " in line[:300] else None
    if found is None:
        return None
    return Heading(found[1], found[2], found[3])
