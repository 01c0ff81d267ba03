"""Jetsons: the nodes of the chip's own driver, and what its system release asks of programs."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import cause
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Step, run
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.facts import DeviceNode
from gpuprobe.machine import permissions

_MEMORY = "/dev/nvmap"
_OWN = ("/dev/nvmap", "/dev/nvhost", "/dev/nvgpu/", "/dev/dri/renderD")


def memory_denied(situation: Situation) -> Iterator[Finding]:
    """CUDA takes memory through `/dev/nvmap`, which belongs to the group of the video nodes."""
    if situation.card.kind != "board" or situation.kept:
        return
    denied = [node for node in situation.host.nodes if node.path.startswith(_OWN) and not node.accessible]
    first = next((node for node in denied if node.path == _MEMORY), None)
    if first is None:
        return
    groups: dict[int, DeviceNode] = {}
    for node in (first, *denied):
        groups.setdefault(node.gid, node)
    named = " and ".join(f"`{node.path}` (group {node.group or node.gid})" for node in groups.values())
    yield cause(
        "jetson-nvmap-permission",
        Rung.DEVICE_NODE,
        f"your account has no access to {named}",
        "no permission",
        *(Observed(node.path, f"mode {node.mode:04o}, group {node.group or node.gid}") for node in groups.values()),
        fix=tuple(_let_in(situation, list(groups.values()))),
        reason=CardReason.NO_PERMISSION,
    )


def _let_in(situation: Situation, nodes: list[DeviceNode]) -> Iterator[Step]:
    if situation.container:
        options = " ".join(f"--group-add {node.gid}" for node in nodes)
        yield Step(f"start the container with `{options}`", where=Place.HOST)
        return
    if all(permissions.group_is_pending(situation.host, node.gid) for node in nodes):
        yield Step("log out and in again: your account joins these groups at its next login")
        return
    names = ",".join(str(node.group or node.gid) for node in nodes)
    yield run("join the groups with", f'sudo usermod -aG {names} "$USER"', root=True)
    yield Step("then log out and in again; of a service, restart it")


def nothing_given(situation: Situation) -> Iterator[Finding]:
    """A container on a Jetson without the chip's nodes: the option for other machines does not work there."""
    if situation.card.kind != "board" or not situation.container or situation.kept or not signs.nodes_are_known(situation.host):
        return
    if situation.node(_MEMORY) is not None or situation.node(signs.CONTROL) is not None:
        return
    command = f"--runtime nvidia -e {signs.VISIBLE}=all"
    yield cause(
        "ctr-no-gpu-flag",
        Rung.DEVICE_NODE,
        f"this {situation.container} container was started without the GPU (`{_MEMORY}` does not exist)",
        f"{situation.container} container started without it",
        Observed(_MEMORY, "absent"),
        fix=(Step(f"start the container with `{command}`: on a Jetson `--gpus` is not enough", where=Place.HOST),),
        reason=CardReason.NO_DEVICE_NODE,
    )


CHECKS = (memory_denied, nothing_given)
