"""How other processes stand: with which variables, account, groups, root and control group, and which GPU libraries they have.

What only the account itself or root may see of a process is "denied" where we are neither, and never taken for empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename

from gpuprobe import environment
from gpuprobe.facts import Reading
from gpuprobe.facts.system_facts import Standing
from gpuprobe.machine.control_groups import service_of
from gpuprobe.machine.known_programs import serves
from gpuprobe.survey.account_files import account_named
from gpuprobe.survey.command_lines import about_gpus
from gpuprobe.survey.process_status import numbers, status_of
from gpuprobe.survey.processes import FIRST_NAMESPACE
from gpuprobe.survey.tree import ABSENT, DENIED, Tree

_MOST_SERVERS = 32
_LARGEST = 4 * 1024 * 1024  # bytes
_COMMAND, _BEGINNING = 64 * 1024, 4096
_DAEMONS = (
    *("nv-fabricmanager", "nvidia-persistenced", "nvidia-gridd", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server"),
    *("supergfxd", "dockerd", "containerd", "nvlsm"),
)
_LONGEST_COMM = 15  # characters, of TASK_COMM_LEN
_MAPPED = re.compile(
    r"/[^\n]{0,400}/(?:lib(?:cuda|cudart|cublas|cublasLt|nvidia-ml|nvidia-ptxjitcompiler|ggml\S{0,40}|llama|amdhip64|hsa-runtime64"
    r"|rocblas|hipblas|vulkan\S{0,40}|ze_loader|ze_intel_gpu|torch_cuda|torch_hip|torch_xpu|GLX_nvidia|rocdxg|dxcore|nccl|cudnn)"
    r"[-\w.]{0,40}\.so[-\w.]{0,40})(?: \(deleted\))?$"
)
_NODE = re.compile(r"/dev/(?:nvidia|dri/|kfd|dxg|nvmap)[\w/-]{0,60}")
_LIMITS = ("Max locked memory", "Max open files", "Max address space", "Max processes")
_NAMESPACES = ("mnt", "user", "pid")


def servers(tree: Tree) -> tuple[Standing, ...]:
    """Servers of models that run, by process number."""
    found = (each for each in numbers(tree) if serves(_command(tree, each)))
    return tuple(process(tree, each) for each, _ in zip(found, range(_MOST_SERVERS), strict=False))


def _command(tree: Tree, number: int) -> list[str]:
    """Its beginning, which names the program; nothing of the kernel's own threads."""
    return (tree.read(f"/proc/{number}/cmdline", most=_BEGINNING).text or "").rstrip("\0").split("\0")


def daemons(tree: Tree) -> dict[str, int] | None:
    """Drivers' helpers that run, by name; None: the machine's processes are not all seen from here."""
    if _is_a_part(tree):
        return None
    short = {name[:_LONGEST_COMM]: name for name in _DAEMONS}
    called = {each: tree.read(f"/proc/{each}/comm") for each in numbers(tree)}
    if tree.why_unlisted("/proc") is not None or any(said.problem not in (None, ABSENT) for said in called.values()):
        return None  # the one that was not seen may be such a helper
    names = ((short.get((said.text or "").strip()), each) for each, said in called.items())
    return {name: each for name, each in names if name is not None}


def _is_a_part(tree: Tree) -> bool:
    """Whether only some of the machine's processes are seen: those of a container, or with `hidepid` one's own."""
    inside = tree.target("/proc/self/ns/pid") not in (None, FIRST_NAMESPACE)
    first = tree.read("/proc/1/comm", most=16).problem
    return inside or first == DENIED or (first == ABSENT and tree.is_this_machine)


def process(tree: Tree, number: int) -> Standing:
    """What may be seen of a process; where there is none, every field is None and `problems` has `process`: "absent"."""
    place, problems = f"/proc/{number}", dict[str, str]()

    def said(name: str, most: int = _COMMAND) -> str | None:
        reading: Reading = tree.read(f"{place}/{name}", most)
        if reading.text is None:
            problems[name.rpartition("/")[2]] = reading.problem or ABSENT
        return reading.text

    status = status_of(tree, number)
    if status.problem is not None:
        return Standing("process", str(number), problems={"process": status.problem})
    words = (said("cmdline") or "").rstrip("\0").split("\0")
    known = account_named(tree, status.uid) if status.uid is not None else None
    cgroup = _control_group(said("cgroup") or "")
    return Standing(
        kind="process",
        name=str(number),
        process=number,
        program=_link(tree, f"{place}/exe", "program", problems),
        command=(status.name or basename(words[0]))[:64] or None,
        arguments=None if "cmdline" in problems else about_gpus(words[1:]),
        account=known.name if known else None,
        uid=status.uid,
        gid=status.gid,
        groups=status.groups,
        environ=_environ(said("environ", 1024 * 1024)),
        capabilities=status.capabilities,
        no_new_privileges=status.no_new_privileges,
        seccomp=status.seccomp,
        root=_link(tree, f"{place}/root", "root", problems),
        cgroup=cgroup,
        label=(said("attr/current") or "").strip("\0\n ")[:200] or None,
        unit=service_of(f"0::{cgroup}") if cgroup else None,
        libraries=_libraries(said("maps", _LARGEST)),
        nodes=_nodes(tree, f"{place}/fd", problems),
        limits=_limits(said("limits")),
        namespaces=namespaces(tree, place),
        problems={_FIELDS.get(name, name): problem for name, problem in problems.items()},
    )


_FIELDS = {"maps": "libraries", "cmdline": "arguments", "current": "label"}


def _environ(text: str | None) -> dict[str, str] | None:
    """The variables that gpuprobe knows. The kernel gives an empty text of its own threads."""
    if text is None:
        return None
    return environment.known(dict(word.split("=", 1) for word in text.split("\0") if "=" in word))


def _link(tree: Tree, path: str, field: str, problems: dict[str, str]) -> str | None:
    reading = tree.link(path)
    if reading.text is None:
        problems[field] = ABSENT if reading.problem == ABSENT else DENIED
    return reading.text


def _control_group(text: str) -> str | None:
    """Of version 2, or else that of systemd's own hierarchy."""
    rows = [line.split(":", 2) for line in text.splitlines()[:64]]
    paths = {row[1]: row[2] for row in rows if len(row) == 3}
    return paths.get("") or paths.get("name=systemd") or next(iter(paths.values()), None)


def _libraries(maps: str | None) -> tuple[str, ...] | None:
    if maps is None:
        return None
    paths = (line[line.find("/") :] for line in maps.splitlines() if "/" in line and ".so" in line)
    return tuple(path for _, path in zip(range(64), dict.fromkeys(filter(_MAPPED.fullmatch, paths)), strict=False))


def _nodes(tree: Tree, place: str, problems: dict[str, str]) -> tuple[str, ...] | None:
    listed = tree.listed(place)
    if listed.problem is not None:
        problems["nodes"] = listed.problem
        return None
    targets = (tree.target(f"{place}/{name}") or "" for name in listed.names[:4096])
    return tuple(sorted({target for target in targets if _NODE.fullmatch(target)}))[:64]


def _limits(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    rows = ((name, line[len(name) :].split()) for line in text.splitlines()[:64] for name in _LIMITS if line.startswith(name))
    return {name: words[0] for name, words in rows if words}


def namespaces(tree: Tree, place: str) -> dict[str, str] | None:
    found: Iterator[tuple[str, str | None]] = ((name, tree.target(f"{place}/ns/{name}")) for name in _NAMESPACES)
    return {name: target for name, target in found if target is not None} or None
