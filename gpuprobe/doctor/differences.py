"""What differs between this shell and the process, service or account that `--as` names: often that is the cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import DeviceNode, Host
from gpuprobe.facts.system_facts import Standing
from gpuprobe.machine.mode_bits import may_open
from gpuprobe.model import Reason
from gpuprobe.strings import printable


def differences(
    standing: Standing,
    shell: Mapping[str, str],
    host: Host,
    withheld: Sequence[str] = (),
    nodes: Sequence[DeviceNode] | None = None,
) -> tuple[Finding, ...]:
    """`shell`: the variables of this process; `host`: the machine as this process sees it; `withheld`: variables that no
    library was asked with; `nodes`: the device files below the other's root, where that is another; None: it is not."""
    return (
        *_variables(standing, shell, withheld),
        *_not_below_its_root(standing, host, nodes),
        *_denied(standing, host),
        *_unread(standing),
    )


def _not_below_its_root(standing: Standing, host: Host, nodes: Sequence[DeviceNode] | None) -> Iterator[Finding]:
    """A container that was started without the files that this shell has, or a unit that hides them."""
    there = {node.path for node in nodes or ()}
    lacking = [node.path for node in host.nodes if node.accessible and node.path not in there] if nodes is not None else []
    if not lacking:
        return
    names = ", ".join(f"`{path}`" for path in lacking[:_NAMED]) + (", …" if len(lacking) > _NAMED else "")
    hides, verb = standing.unit is not None, "is" if len(lacking) == 1 else "are"
    yield cause(
        "systemd-device-sandbox" if hides else "ctr-no-gpu-flag",
        rung=Rung.DEVICE_NODE,
        severity=Severity.BLOCKER,
        because=f"{standing.name} sees other files than this shell, and {names} {verb} not there",
        brief="its unit hides the GPU" if hides else "its container was started without the GPU",
        reason=CardReason.NO_DEVICE_NODE,
        evidence=tuple(Observed(f"{standing.root or f'/proc/{standing.process}/root'}{path}", "absent") for path in lacking),
        fix=(_given(standing),),
    )


_NAMED = 3  # files that a sentence names


def _given(standing: Standing) -> Step:
    if standing.unit is None:
        return Step("give the container the GPU; `gpuprobe doctor` inside it says how for its kind")
    command = f"sudo systemctl edit {standing.unit}"
    text = f"let the unit see them (`{command}`: `[Service]`, `PrivateDevices=no`), then restart it"
    return Step(text, command, needs_root=True, where=Place.SERVICE)


def _variables(standing: Standing, shell: Mapping[str, str], withheld: Sequence[str]) -> Iterator[Finding]:
    theirs = standing.environ
    if theirs is None:
        return
    differing = sorted(name for name in {*theirs, *shell} if theirs.get(name) != shell.get(name))
    if not differing:
        return
    told = ", ".join(f"`{name}` is {_value(theirs, name)} there and {_value(shell, name)} here" for name in differing)
    yield cause(
        "ollama-env-not-in-service",
        rung=Rung.BUILD,
        severity=Severity.INFO,
        because=f"{standing.name} has other variables than this shell: {told}{_left(differing, withheld)}",
        brief="its variables differ from this shell's",
        reason=Reason.HIDDEN_BY_VARIABLE,
        evidence=tuple(Observed(f"{name} of {standing.name}", _value(theirs, name)) for name in differing),
        fix=(_settings(standing),),
    )


def _left(differing: Sequence[str], withheld: Sequence[str]) -> str:
    """A library of another account's, loaded here, could do whatever this account may."""
    names = ", ".join(f"`{name}`" for name in differing if name in withheld)
    return (
        f"; the GPUs were looked at without its {names}: another account could change what is loaded from there"
        if names
        else ""
    )


def _value(variables: Mapping[str, str], name: str) -> str:
    return f"`{printable(variables[name])}`" if name in variables else "not set"


def _settings(standing: Standing) -> Step:
    """A variable of a shell reaches no service."""
    unit = standing.unit or (standing.name if standing.kind == "unit" else None)
    if unit is None:
        return Step("set it where that program is started, and start it again", where=Place.SERVICE)
    command = f"sudo systemctl edit {unit}"
    text = f'set it in the service (`{command}`: `[Service]`, `Environment="NAME=value"`), then restart it'
    return Step(text, command, needs_root=True, where=Place.SERVICE)


def _denied(standing: Standing, host: Host) -> Iterator[Finding]:
    """Device files that this shell may open and the other may not, by their permission bits."""
    uid, groups = standing.uid, standing.groups
    if groups is None or uid is None:
        return
    mine = [node for node in host.nodes if node.accessible and not may_open(node.mode, node.uid, node.gid, uid, groups)]
    if not mine:
        return
    lacking = list(dict.fromkeys(node.group or str(node.gid) for node in mine))
    account = standing.account or str(uid)
    command = f"sudo usermod -aG {','.join(lacking)} {account}"
    again = f" && sudo systemctl restart {standing.unit}" if standing.unit else ""
    yield cause(
        "service-user-not-in-groups",
        rung=Rung.DEVICE_NODE,
        severity=Severity.BLOCKER,
        because=f"{standing.name} runs as `{account}`, which may not open `{mine[0].path}` (group {lacking[0]})",
        brief=f"`{account}` has no permission",
        reason=CardReason.NO_PERMISSION,
        evidence=tuple(Observed(node.path, f"mode {node.mode:o}, group {node.group or node.gid}") for node in mine),
        fix=(Step(f"run `{command}{again}`", f"{command}{again}", needs_root=True, where=Place.SERVICE),),
    )


def is_closed(standing: Standing) -> bool:
    """Whether what decides about GPUs may not be read of it: its variables, and below which root it looks for files."""
    return all(standing.problems.get(field) == "denied" for field in ("environ", "root"))


def _unread(standing: Standing) -> Iterator[Finding]:
    denied = sorted(field for field, problem in standing.problems.items() if problem == "denied")
    if denied:
        yield cause(
            "sysfs-hidden",
            rung=Rung.BUILD,
            severity=Severity.INFO,
            because=f"this account may not read {', '.join(denied)} of {standing.name}, so that part is as this shell has it",
            brief=f"{standing.name} cannot be read",
            reason=CardReason.NO_PERMISSION,
            fix=(Step("run it as root: `sudo gpuprobe doctor --as …`", None, needs_root=True),),
        )
