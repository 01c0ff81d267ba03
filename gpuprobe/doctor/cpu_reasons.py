"""Why a process computes on the CPU although a GPU is usable: the first of the causes that what was read proves."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gpuprobe.doctor.process_surroundings import Surroundings, hidden_by
from gpuprobe.enumerations import Enum
from gpuprobe.judging.engine_words import Complaint, Said, Words
from gpuprobe.judging.held_memory import selector
from gpuprobe.judging.mapped_libraries import Mapped, gpu_parts
from gpuprobe.libraries import library_named
from gpuprobe.machine.control_groups import container_of, service_of
from gpuprobe.machine.known_programs import Asked, Family, Program
from gpuprobe.machine.mode_bits import may_open
from gpuprobe.machine.process_records import Process
from gpuprobe.model import Device
from gpuprobe.strings import printable

_LONGEST_QUOTE = 160


class Cause(str, Enum):
    ASKED = "asked_for_the_cpu"
    HIDDEN = "hidden_by_its_environment"
    NO_NODE = "no_device_node"
    NO_PERMISSION = "no_permission"
    NO_BUILD = "no_build"
    OTHER_BUILD = "build_for_another_gpu"
    NOT_MAPPED = "library_not_mapped"
    BEFORE_THE_DRIVER = "started_before_the_driver"
    REPLACED = "library_replaced"
    NO_MEMORY = "not_enough_memory"
    SAID_SO = "its_log_says_so"
    NOT_BEGUN = "not_begun"
    UNKNOWN = "not_known"


class CpuReason(NamedTuple):
    cause: Cause
    because: str  # a clause
    advice: str | None = None


class Case(NamedTuple):
    """`usable`: the devices that this program could compute on; at least one."""

    process: Process
    program: Program | None
    asked: Asked
    mapped: Mapped
    said: Said
    usable: Sequence[Device]
    around: Surroundings


def cpu_reason(case: Case) -> CpuReason:
    return next((found for rule in _RULES if (found := rule(case)) is not None), _unknown(case))


def _asked(case: Case) -> CpuReason | None:
    if case.asked.cpu_by is None:
        return None
    quoted = f"`{printable(case.asked.cpu_by)}`"
    return CpuReason(Cause.ASKED, f"it was asked to, by {quoted}", f"start it without {quoted}")


def _hidden(case: Case) -> CpuReason | None:
    if case.process.environ is None:
        return None
    hidden = [hidden_by(device, case.process.environ, case.around) for device in case.usable]
    if not all(hidden) or hidden[0] is None:
        return None
    setting = hidden[0].split("`")[1]
    name = setting.partition("=")[0]
    where = _where_set(case)
    return CpuReason(
        Cause.HIDDEN, f"`{setting}` in its environment hides the GPU", f"take `{name}` out of {where}, and restart it"
    )


def _where_set(case: Case) -> str:
    unit = service_of(case.process.control_group)
    if container_of(case.process.control_group):
        return "its container's variables"
    return f"the service's (`sudo systemctl edit {printable(unit)}`)" if unit else "its environment"


def _no_node(case: Case) -> CpuReason | None:
    """Only a container has device files of its own; and where none of those that are needed is there."""
    container = container_of(case.process.control_group)
    if container is None or case.process.root_nodes is None:
        return None
    needed = {path for device in case.usable for path in case.around.node_of.get(selector(device), ())}
    if not needed or needed.intersection(case.process.root_nodes):
        return None
    vendor = next((vendor for device in case.usable for vendor in library_named(device.library).vendors), None)
    advice = vendor.container_advice.get(container.kind) if vendor else None
    nodes = " ".join(f"--device {path}" for path in vendor.container_nodes) if vendor else "--device /dev/dri"
    return CpuReason(
        Cause.NO_NODE,
        f"its container ({printable(container.text)}) has no device file of a GPU",
        advice or f"start the container with `{nodes}`",
    )


def _no_permission(case: Case) -> CpuReason | None:
    nodes = {node.path: node for node in case.around.nodes}
    needed = [nodes[path] for each in case.usable for path in case.around.node_of.get(selector(each), ()) if path in nodes]
    user, groups = case.process.user, case.process.groups
    if user is None:
        return None
    closed = [node for node in needed if not may_open(node.mode, node.uid, node.gid, user, groups)]
    if not closed or len(closed) < len(needed) or container_of(case.process.control_group):
        return None
    account = printable(case.process.account or str(user))
    group = closed[0].group
    advice = f"run `sudo usermod -aG {group} {account}`, and restart it" if group else "give its account the right to open it"
    return CpuReason(Cause.NO_PERMISSION, f"its account `{account}` may not open `{closed[0].path}`", advice)


def _before_the_driver(case: Case) -> CpuReason | None:
    """A program looks for GPUs when it starts."""
    paths = [path for each in case.usable for path in case.around.node_of.get(selector(each), ())]
    made = [case.around.made_at[path] for path in paths if path in case.around.made_at]
    if not made or case.process.started_at is None or case.process.started_at >= min(made):
        return None
    return CpuReason(
        Cause.BEFORE_THE_DRIVER, f"it was started before the driver came up (`{paths[0]}` is newer than it)", "restart it"
    )


def _no_build(case: Case) -> CpuReason | None:
    """By files: nothing of what it has mapped computes on a GPU, and nothing that does lies beside it."""
    if case.mapped.backends or case.process.mapped is None or not _is_an_engine(case):
        return None
    beside = [part for part in gpu_parts(case.process.beside) if part.engine in case.mapped.engines or not case.mapped.engines]
    if not beside:
        name = case.mapped.engine or (case.program.name if case.program else "program")
        return CpuReason(Cause.NO_BUILD, f"its build of {name} has nothing for a GPU", _better_build(case))
    fitting = [part for part in beside if any(part.library == device.library for device in case.usable)]
    if not fitting:
        return _for_another([part.library for part in beside], case)
    path = printable(fitting[0].path)
    # Not `ldd`, which may run the library that it is asked about (ldd(1), Security), and that may be another account's.
    return CpuReason(
        Cause.NOT_MAPPED,
        f"`{path}` is there and was not loaded",
        f"see what it needs: `readelf -d {shlex.quote(path)}`; and `gpuprobe list --all` says whether this build works",
    )


def _is_an_engine(case: Case) -> bool:
    return bool(case.mapped.engines) or (
        case.program is not None and case.program.family in (Family.GGML, Family.OLLAMA_RUNNER)
    )


def _other_build(case: Case) -> CpuReason | None:
    libraries = [part.library for part in case.mapped.backends]
    if not libraries or any(device.library in libraries for device in case.usable):
        return None
    return _for_another(libraries, case)


def _for_another(libraries: Sequence[str], case: Case) -> CpuReason:
    usable = " and ".join(dict.fromkeys(device.library for device in case.usable))
    return CpuReason(
        Cause.OTHER_BUILD,
        f"its build computes through {', '.join(dict.fromkeys(libraries))}, and what is usable here is {usable}",
        _better_build(case),
    )


def _better_build(case: Case) -> str:
    library = case.usable[0].library
    name = case.mapped.engine or (case.program.name if case.program else "it")
    where = f"; `gpuprobe doctor --for {case.program.doctor}` says which" if case.program and case.program.doctor else ""
    return f"install a build of {name} for {library}{where}"


def _no_memory(case: Case) -> CpuReason | None:
    return _complaint(case, (Words.NO_MEMORY,), Cause.NO_MEMORY, "memory of the GPU did not suffice when it was loaded")


def _said_so(case: Case) -> CpuReason | None:
    words = (Words.NO_DEVICE, Words.DRIVER, Words.TIMED_OUT, Words.NO_BACKEND, Words.ON_THE_CPU)
    return _complaint(case, words, Cause.SAID_SO, "its log says why")


def _complaint(case: Case, words: Sequence[Words], cause: Cause, clause: str) -> CpuReason | None:
    found = next((each for each in reversed(case.said.complaints) if each.words in words), None)
    if found is None:
        return None
    advice = {
        Cause.NO_MEMORY: "free some (`gpuprobe refresh --watch` shows who holds it), then load the model again",
        Cause.SAID_SO: "restart it; if that changes nothing, `gpuprobe doctor` looks for the cause",
    }
    return CpuReason(cause, f'{clause}: "{quoted(found)}"', advice[cause])


def quoted(found: Complaint) -> str:
    line = printable(found.line)
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}…"


def _replaced(case: Case) -> CpuReason | None:
    """A driver that was updated under a running program answers with errors until it is started again."""
    drivers = {part.path for part in case.mapped.drivers}
    gone = next((path for path in case.process.replaced if path in drivers), None)
    if gone is None:
        return None
    return CpuReason(Cause.REPLACED, f"`{printable(gone)}` was replaced since it was started", "restart it")


def _not_begun(case: Case) -> CpuReason | None:
    """What could compute is loaded, and no device was opened: a framework opens none before it is told to."""
    fits = any(
        part.library == device.library for part in (*case.mapped.backends, *case.mapped.drivers) for device in case.usable
    )
    if not fits or case.program is None or case.program.family is not Family.PYTHON or case.mapped.engine is None:
        return None
    return CpuReason(
        Cause.NOT_BEGUN,
        f"it has loaded {case.mapped.engine} and opened no GPU: it has not begun, or was told to use the CPU",
        "put the model on the GPU (torch: `.to('cuda')`), or look again while it computes",
    )


def _unknown(case: Case) -> CpuReason:
    doctor = f"`gpuprobe doctor --for {case.program.doctor}`" if case.program and case.program.doctor else "`gpuprobe doctor`"
    return CpuReason(Cause.UNKNOWN, "nothing that could be read says why", f"its log may; {doctor} looks for the cause")


_RULES: tuple[Callable[[Case], CpuReason | None], ...] = (
    _asked,
    _hidden,
    _no_node,
    _no_permission,
    _no_build,
    _other_build,
    _no_memory,
    _before_the_driver,
    _replaced,
    _said_so,
    _not_begun,
)
