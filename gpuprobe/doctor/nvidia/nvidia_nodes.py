"""The nodes of NVIDIA's driver under /dev: missing on a machine of its own, or not open to this account."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor import container_advice
from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.saying import FRESH, cause, kernel_step, outside
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Step, run
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.facts import DeviceNode
from gpuprobe.machine import permissions
from gpuprobe.machine.surroundings import wsl

_EVERYBODY = "438"  # 0666, as the module prints it
_ENFORCE = "/sys/fs/selinux/enforce"
_LABEL = "/proc/self/attr/current"


def nodes_missing(situation: Situation) -> Iterator[Finding]:
    """The driver has the card, and neither its helper nor udev made the nodes. In a container they were not given to it."""
    if situation.container or wsl(situation.host) or not signs.is_bound(situation) or not signs.nodes_are_known(situation.host):
        return
    there = {node.path for node in signs.nodes(situation.host)}
    numbered = "Device Minor" in signs.told_of_card(situation) and not signs.nvml_views(situation)  # NVML opened what it lists
    own = signs.card_node(situation) if numbered else None
    missing = [path for path in (signs.CONTROL, own) if path is not None and path not in there]
    if not missing:
        return
    helper = recipes.node_helper(situation)
    yield cause(
        "nv-dev-nodes-missing",
        Rung.DEVICE_NODE,
        f"`{missing[0]}` does not exist, though the driver has the card",
        f"`{missing[0]}` is missing",
        *(Observed(path, "absent") for path in missing),
        Observed(f"/sys/bus/pci/devices/{situation.card.pci_id}/driver", situation.card.driver or ""),
        fix=(run("make it with", "sudo nvidia-modprobe -c=0 -u"), *([helper] if helper else [])),
        reason=CardReason.NO_DEVICE_NODE,
    )


def node_denied(situation: Situation) -> Iterator[Finding]:
    """By its owner, group and mode the node is not for this account."""
    denied = _denied(situation)
    if denied is None:
        return
    host, owner = situation.host, denied.group or denied.gid
    mode = signs.parameter(host, "DeviceFileMode")
    pending = permissions.group_is_pending(host, denied.gid)
    yield cause(
        _id_of_denial(situation, pending),
        Rung.DEVICE_NODE,
        f"your account has no access to `{denied.path}` (group {owner})"
        + (", which it joins at its next login" if pending else ""),
        "no permission",
        Observed(denied.path, f"mode {denied.mode:04o}, group {owner}"),
        Observed(signs.PARAMETERS, f"DeviceFileMode {mode}") if mode else None,
        fix=tuple(_let_in(situation, denied, bool(pending))),
        reason=CardReason.NO_PERMISSION,
        library=None,
    )


def _denied(situation: Situation) -> DeviceNode | None:
    if not signs.is_bound(situation) or wsl(situation.host):
        return None
    wanted = (signs.CONTROL, signs.card_node(situation), signs.MEMORY)
    nodes = (node for path in wanted if path is not None and (node := situation.node(path)) is not None)
    return next((node for node in nodes if not node.accessible), None)


def _id_of_denial(situation: Situation, pending: bool | None) -> str:
    if situation.container:
        rootless = permissions.in_user_namespace(situation.host)
        return "ctr-rootless-groups" if rootless else "container-gid-mismatch"
    return "group-membership-not-active" if pending else "nv-dev-permission"


def _let_in(situation: Situation, node: DeviceNode, pending: bool) -> Iterator[Step]:
    if situation.container:
        yield Step(container_advice.for_group(situation.container, node), where=Place.HOST)
    elif pending:
        yield Step("log out and in again; of a service, restart it (`sudo systemctl restart ollama`)")
    elif node.gid:
        yield run("join it with", f'sudo usermod -aG {node.group or node.gid} "$USER"', root=True)
        yield Step("then log out and in again")
    mode = signs.parameter(situation.host, "DeviceFileMode")
    if mode not in (None, _EVERYBODY) and not pending:
        option, text = "nvidia NVreg_DeviceFileMode=0666", "or open it to everybody with"
        yield recipes.module_option(situation, text, option, "nvidia-nodes", reboot=FRESH)


def refused_by_policy(situation: Situation) -> Iterator[Finding]:
    """The mode lets it in, and opening says EACCES: SELinux in a container."""
    host = situation.host
    refused = _refused(situation, "EACCES")
    if refused is None or signs.says(host, _ENFORCE) != "1":
        return
    yield cause(
        "selinux-denied",
        Rung.DEVICE_NODE,
        f"SELinux keeps this process from `{refused.path}`",
        "SELinux forbids the device",
        Observed(f"open {refused.path}", "EACCES, though its mode allows it"),
        Observed(_ENFORCE, "1"),
        Observed(_LABEL, label) if (label := signs.says(host, _LABEL)) else None,
        fix=(kernel_step(situation, "let containers use devices with", "sudo setsebool -P container_use_devices=1"),),
        reason=CardReason.NO_PERMISSION,
        settle="sudo ausearch -m avc -ts recent",
        library=None,
    )


def refused_by_the_control_group(situation: Situation) -> Iterator[Finding]:
    """The mode lets it in, and opening says EPERM: the devices of this control group are others."""
    refused = _refused(situation, "EPERM")
    if refused is None or situation.container in ("docker", "lxc"):
        return  # those have causes of their own
    inside = f"this {situation.container} container" if situation.container else "this process's unit"
    yield cause(
        "dev-cgroup-eperm",
        Rung.DEVICE_NODE,
        f"the control group of {inside} forbids `{refused.path}`, though its mode allows it",
        "the control group forbids the device",
        Observed(f"open {refused.path}", f"EPERM at mode {refused.mode:04o}"),
        fix=(_grant(situation, refused),),
        reason=CardReason.NO_PERMISSION,
        library=None,
    )


def _grant(situation: Situation, node: DeviceNode) -> Step:
    if situation.container:
        return Step(container_advice.for_nodes(situation.container, situation.card), where=outside(situation))
    allow = f"allow it in the unit, below `[Service]`: `DeviceAllow={node.path} rw` (`sudo systemctl edit NAME`)"
    return Step(allow, needs_root=True, where=Place.SERVICE)


def lost_in_a_container(situation: Situation) -> Iterator[Finding]:
    """systemd wrote the control group of a running container anew, and left out what had been put into it at its start."""
    host = situation.host
    if situation.container != "docker" or not signs.is_bound(situation) or situation.kept:
        return
    refused = _refused(situation, "EPERM")
    forgotten = signs.cuda_code(situation) == 800 or signs.nvml_code(situation) == 999
    looks_so = forgotten and _all_there(situation) and signs.error_of(host, signs.CONTROL) != ""
    if refused is None and not looks_so:
        return
    manager = '`{"exec-opts": ["native.cgroupdriver=cgroupfs"]}` in `/etc/docker/daemon.json`, or hand the cards over by CDI'
    yield cause(
        "ctr-lost-gpu-daemon-reload",
        Rung.DEVICE_NODE,
        "this docker container has lost its devices: its control group was rewritten while it ran",
        "the container lost its devices",
        Observed(f"open {refused.path}", f"EPERM at mode {refused.mode:04o}") if refused else None,
        Observed("CUDA", f"error {signs.cuda_code(situation)}") if signs.cuda_code(situation) is not None else None,
        Observed("NVML", f"error {signs.nvml_code(situation)}") if signs.nvml_code(situation) is not None else None,
        fix=(
            Step("restart the container", where=Place.HOST),
            Step(f"keep it from coming back: {manager}", needs_root=True, where=Place.HOST),
        ),
        reason=CardReason.NO_PERMISSION,
        settle=None if refused else "cat /dev/nvidiactl",
        library=None,
    )


def _all_there(situation: Situation) -> bool:
    needed = (signs.CONTROL, signs.card_node(situation))
    return all((node := situation.node(path)) is not None and node.accessible for path in needed if path is not None)


def not_allowed_in_lxc(situation: Situation) -> Iterator[Finding]:
    refused = _refused(situation, "EPERM")
    if refused is None or situation.container != "lxc":
        return
    entry = f"`lxc.cgroup2.devices.allow: c {refused.major}:* rwm`, or an entry `dev0: {refused.path}`"
    yield cause(
        "lxc-device-not-allowed",
        Rung.DEVICE_NODE,
        f"the configuration of this lxc container does not allow `{refused.path}` (major number {refused.major})",
        "lxc does not allow the device",
        Observed(f"open {refused.path}", f"EPERM at mode {refused.mode:04o}"),
        fix=(Step(f"on the host add {entry}, and restart the container", needs_root=True, where=Place.HOST),),
        reason=CardReason.NO_PERMISSION,
        library=None,
    )


def _refused(situation: Situation, error: str) -> DeviceNode | None:
    """The first node that its mode opens to this account, and that gave this error all the same."""
    if wsl(situation.host):
        return None
    wanted = (signs.CONTROL, signs.card_node(situation), signs.MEMORY)
    nodes = (node for path in wanted if path is not None and (node := situation.node(path)) is not None)
    return next((node for node in nodes if node.accessible and signs.error_of(situation.host, node.path) == error), None)


CHECKS = (
    nodes_missing,
    node_denied,
    not_allowed_in_lxc,
    lost_in_a_container,
    refused_by_policy,
    refused_by_the_control_group,
)
