"""What differs between this shell and the process, service or account that `--as` names: often that is the cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gpuprobe.doctor.findings import Certainty, Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import Standing
from gpuprobe.model import Reason
from gpuprobe.strings import printable


def differences(standing: Standing, shell: Mapping[str, str], host: Host) -> tuple[Finding, ...]:
    """`shell`: the variables of this process; `host`: the machine as this process sees it."""
    return (*_variables(standing, shell), *_denied(standing, host), *_unread(standing))


def _variables(standing: Standing, shell: Mapping[str, str]) -> Iterator[Finding]:
    theirs = standing.environ
    if theirs is None:
        return
    differing = sorted(name for name in {*theirs, *shell} if theirs.get(name) != shell.get(name))
    if not differing:
        return
    told = ", ".join(f"`{name}` is {_value(theirs, name)} there and {_value(shell, name)} here" for name in differing)
    yield Finding(
        id="ollama-env-not-in-service",
        rung=Rung.BUILD,
        severity=Severity.INFO,
        certainty=Certainty.CERTAIN,
        because=f"{standing.name} has other variables than this shell: {told}",
        brief="its variables differ from this shell's",
        reason=Reason.HIDDEN_BY_VARIABLE,
        evidence=tuple(Observed(f"{name} of {standing.name}", _value(theirs, name)) for name in differing),
        fix=(_settings(standing),),
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
    if standing.groups is None or standing.uid is None:
        return
    mine = [node for node in host.nodes if node.accessible and not may_use(node.mode, node.uid, node.gid, standing)]
    if not mine:
        return
    groups = list(dict.fromkeys(node.group or str(node.gid) for node in mine))
    account = standing.account or str(standing.uid)
    command = f"sudo usermod -aG {','.join(groups)} {account}"
    again = f" && sudo systemctl restart {standing.unit}" if standing.unit else ""
    yield Finding(
        id="service-user-not-in-groups",
        rung=Rung.DEVICE_NODE,
        severity=Severity.BLOCKER,
        certainty=Certainty.CERTAIN,
        because=f"{standing.name} runs as `{account}`, which may not open `{mine[0].path}` (group {groups[0]})",
        brief=f"`{account}` has no permission",
        reason=CardReason.NO_PERMISSION,
        evidence=tuple(Observed(node.path, f"mode {node.mode:o}, group {node.group or node.gid}") for node in mine),
        fix=(Step(f"run `{command}{again}`", f"{command}{again}", needs_root=True, where=Place.SERVICE),),
    )


def may_use(mode: int, owner: int, group: int, standing: Standing) -> bool:
    """Whether the permission bits let it read and write; the first class that fits decides, and root may always."""
    shift = 6 if standing.uid == owner else 3 if group in (standing.groups or ()) else 0
    return standing.uid == 0 or (mode >> shift) & 0o6 == 0o6


def _unread(standing: Standing) -> Iterator[Finding]:
    denied = sorted(field for field, problem in standing.problems.items() if problem == "denied")
    if denied:
        yield Finding(
            id="sysfs-hidden",
            rung=Rung.BUILD,
            severity=Severity.INFO,
            certainty=Certainty.CERTAIN,
            because=f"this account may not read {', '.join(denied)} of {standing.name}, so that part is as this shell has it",
            brief=f"{standing.name} cannot be read",
            reason=CardReason.NO_PERMISSION,
            fix=(Step("run it as root: `sudo gpuprobe doctor --as …`", None, needs_root=True),),
        )
