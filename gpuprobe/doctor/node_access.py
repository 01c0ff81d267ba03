"""Why a device node that is there may not be opened: who owns it, and what stands between it and this account."""

from __future__ import annotations

from gpuprobe.doctor import container_advice
from gpuprobe.doctor.findings import Certainty, Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import joined, logged_in_anew
from gpuprobe.facts import DeviceNode, Host
from gpuprobe.machine.asked import text
from gpuprobe.machine.permissions import error_of, group_is_pending, opens
from gpuprobe.record_classes import NamedTuple

_NOBODY = 65534  # the group that stands for all that a user namespace has no number for
_LOADED_POLICY, _LABEL = "/sys/fs/selinux/enforce", "/proc/self/attr/current"
_SANDBOXES = ("snap", "flatpak")


class Cause(NamedTuple):
    id: str
    because: str
    fix: tuple[Step, ...]
    certainty: Certainty = Certainty.CERTAIN
    settle: str | None = None


def denied(situation: Situation, node: DeviceNode, usual: str, severity: Severity, library: str | None) -> Finding | None:
    """Why this node may not be opened; None: it may, or nobody knows. `usual`: the id where only the group is missing."""
    if opens(situation.host, node.path) is not False:
        return None
    cause = _cause(situation, node, usual)
    if cause is None:
        return None
    return Finding(
        id=cause.id,
        rung=Rung.DEVICE_NODE,
        severity=severity,
        certainty=cause.certainty,
        because=cause.because,
        brief=f"no permission for `{node.path}`",
        reason=CardReason.NO_PERMISSION,
        evidence=_evidence(situation.host, node),
        fix=cause.fix,
        settle=cause.settle,
        library=library,
    )


def _cause(situation: Situation, node: DeviceNode, usual: str) -> Cause | None:
    error = error_of(situation.host, node.path)
    if error not in (None, "EACCES", "EPERM"):
        return None  # the node opens for this account, and what is behind it refuses
    if node.accessible:
        return _beyond_bits(situation, node, error)
    return _in_container(situation, node) if situation.container else _on_host(situation.host, node, usual)


def _evidence(host: Host, node: DeviceNode) -> tuple[Observed, ...]:
    owner = f"mode {node.mode & 0o777:04o}, owner {node.uid}, group {node.group or node.gid}"
    error = error_of(host, node.path)
    answer = (Observed(f'open("{node.path}")', error),) if error else ()
    groups = Observed("groups of this process", " ".join(map(str, host.gids)) or "none")
    return (Observed(node.path, owner), *answer, groups)


def _on_host(host: Host, node: DeviceNode, usual: str) -> Cause:
    owner = node.group or node.gid
    if node.group is not None and group_is_pending(host, node.gid):
        because = f"your account is in the group `{owner}`, which owns `{node.path}`, but this session began before that"
        return Cause("group-membership-not-active", because, (logged_in_anew(node.group),))
    return Cause(usual, f"your account has no access to `{node.path}` (group {owner})", joined(node))


def _in_container(situation: Situation, node: DeviceNode) -> Cause:
    kind = situation.container or ""
    step = Step(container_advice.for_group(kind, node), where=Place.HOST)
    if kind in _SANDBOXES:
        return _sandboxed(kind, node)
    if _NOBODY in (node.gid, node.uid):
        because = f"this {kind} container runs without root's numbers, so the group that owns `{node.path}` is lost in it"
        return Cause("ctr-rootless-groups", because, (step,))
    because = f"your account has no access to `{node.path}` (group {node.group or node.gid})"
    return Cause("container-gid-mismatch", because, (step,))


def _sandboxed(kind: str, node: DeviceNode) -> Cause:
    step = Step(container_advice.for_group(kind, node), where=Place.HOST)
    slug = "snap-confinement" if kind == "snap" else "flatpak-no-devices"
    return Cause(slug, f"the {kind} that this runs in may not open `{node.path}`", (step,))


def _beyond_bits(situation: Situation, node: DeviceNode, error: str | None) -> Cause | None:
    """The permission bits let this account in, and the kernel does not: a device control group, or a security module."""
    kind = situation.container or ""
    if kind in _SANDBOXES:
        return _sandboxed(kind, node)
    if error == "EPERM":
        return _no_rule(situation, node)
    if text(situation.host, _LOADED_POLICY) == "1":
        return _by_selinux(situation, node)
    return None


def _no_rule(situation: Situation, node: DeviceNode) -> Cause:
    kind = situation.container or ""
    because = f"the device rules of this {f'{kind} container' if kind else 'control group'} forbid `{node.path}` (EPERM)"
    if kind == "lxc":
        allow = f"lxc.cgroup2.devices.allow: c {node.major}:* rwm"
        text = f"add `{allow}` to the container's configuration on the host (Proxmox: `dev0: {node.path}`), and restart it"
        return Cause("lxc-device-not-allowed", because, (Step(text, where=Place.HOST),))
    if kind:
        text = f"start the container again with `--device {node.path}`: a node that is only mounted has no rule"
        return Cause("dev-cgroup-eperm", because, (Step(text, where=Place.HOST),))
    allow = f"`DeviceAllow={node.path} rw` and `PrivateDevices=no`"
    return Cause("dev-cgroup-eperm", because, (Step(f"in the unit of the service: {allow}", where=Place.SERVICE),))


def _by_selinux(situation: Situation, node: DeviceNode) -> Cause:
    label = text(situation.host, _LABEL)
    inside = f", and this process runs as `{label}`" if label else ""
    because = f"SELinux denies `{node.path}`, which the permission bits allow{inside}"
    allow = run("let containers use devices:", "sudo setsebool -P container_use_devices=1", where=Place.HOST)
    settle = "sudo ausearch -m avc -ts boot"
    return Cause("selinux-denied", because, (allow,), Certainty.LIKELY, settle)
