"""Servers of models that run, and what their account or their processor keeps from them."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.doctor.card_status import CardStatus, card_statuses
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import DeviceNode, Host
from gpuprobe.facts.system_facts import Standing
from gpuprobe.machine import NONE, virtualization
from gpuprobe.machine.permissions import group_of
from gpuprobe.machine.services import servers
from gpuprobe.machine.surroundings import fields_of, text_of
from gpuprobe.model import DeviceType, Inventory
from gpuprobe.vendors import vendor_of

_KFD = "/dev/kfd"
_OPEN_TO_ALL = 0o006


def not_in_the_groups(inventory: Inventory) -> Iterator[Finding]:
    """A service's account that may not open the nodes, whatever this shell may."""
    host = inventory.evidence.host
    nodes = [node for node in host.nodes if node.path == _KFD or node.path in _render_nodes(inventory)]
    for server in servers(host) or ():
        closed = [node for node in nodes if _is_closed(node, server)]
        if closed and server.uid not in (None, 0) and server.groups is not None:
            yield _not_in(host, server, closed)


def _render_nodes(inventory: Inventory) -> set[str | None]:
    """Of the cards that a server came for: integrated graphics beside a discrete card are none, and nor is one whose vendor's
    libraries open a node of their own."""
    cards = card_statuses(inventory)
    better = any(_is(status, DeviceType.DISCRETE) for status in cards)
    mine = (status for status in cards if not (better and _is(status, DeviceType.INTEGRATED)))
    return {status.card.render_node for status in mine if not _opens_another(status)}


def _opens_another(status: CardStatus) -> bool:
    maker = vendor_of(status.card.vendor_id)
    return maker is not None and status.card.driver in maker.node_of


def _is_closed(node: DeviceNode, server: Standing) -> bool:
    groups = server.groups or ()
    return node.mode & _OPEN_TO_ALL != _OPEN_TO_ALL and node.gid not in groups and node.uid != server.uid


def _not_in(host: Host, server: Standing, closed: list[DeviceNode]) -> Finding:
    name, account = server.command or server.name, server.account or f"uid {server.uid}"
    group = group_of(host, closed[0].gid)
    owner = closed[0].group or closed[0].gid
    again = _started_again(server)
    evidence = (
        Observed(closed[0].path, f"mode {closed[0].mode & 0o777:04o}, group {owner}"),
        Observed(f"/proc/{server.process}/status", f"Groups: {' '.join(map(str, server.groups or ()))}"),
    )
    if group is not None and account in group.services:
        because = f"{name} runs since before its account {account} came into the group `{owner}`, which owns `{closed[0].path}`"
        return _of_server("group-membership-not-active", because, evidence, (again,))
    because = f"{name} runs as {account}, which is not in the group `{owner}` and may not open `{closed[0].path}`"
    groups = list(dict.fromkeys(str(node.group or node.gid) for node in closed))
    return _of_server("service-user-not-in-groups", because, evidence, (_joined(server, groups), again))


def _joined(server: Standing, groups: list[str]) -> Step:
    """An account that is only a number, as of systemd's `DynamicUser=`, is in no file that `usermod` changes."""
    if server.account is None:
        return Step(f"put `SupplementaryGroups={' '.join(groups)}` into its unit", where=Place.SERVICE)
    return run("add its account to the group:", f"sudo usermod -aG {','.join(groups)} {server.account}", where=Place.SERVICE)


def _started_again(server: Standing) -> Step:
    if server.unit is None:
        return Step("start it again", where=Place.SERVICE)
    return run("restart it:", f"sudo systemctl restart {server.unit}", where=Place.SERVICE)


def _of_server(slug: str, because: str, evidence: tuple[Observed, ...], fix: tuple[Step, ...]) -> Finding:
    return cause(
        slug,
        rung=Rung.DEVICE_NODE,
        severity=Severity.DEGRADED,
        because=because,
        brief="a service may not open the GPU",
        reason=CardReason.NO_PERMISSION,
        evidence=evidence,
        fix=fix,
    )


def on_the_lesser_card(inventory: Inventory) -> Iterator[Finding]:
    """A server that has the integrated GPU open, and none of the discrete ones that are usable."""
    cards = [status for status in card_statuses(inventory) if status.why is None and status.card.render_node]
    lesser = [each.card.render_node for each in cards if _is(each, DeviceType.INTEGRATED)]
    better = [each for each in cards if _is(each, DeviceType.DISCRETE)]
    for server in servers(inventory.evidence.host) or ():
        nodes = server.nodes or ()
        mine = [path for path in lesser if path in nodes]
        if mine and better and not any(each.card.render_node in nodes for each in better) and not _has_cuda(nodes):
            yield _wrong_card(server, str(mine[0]), better[0])


def _is(status: CardStatus, kind: DeviceType) -> bool:
    return any(device.type is kind for device in status.devices)


def _has_cuda(nodes: tuple[str, ...]) -> bool:
    return any(path.startswith("/dev/nvidia") for path in nodes)


def _wrong_card(server: Standing, node: str, better: CardStatus) -> Finding:
    name = server.command or server.name
    device = better.devices[0]
    return cause(
        "wrong-gpu-selected",
        rung=Rung.BUILD,
        severity=Severity.DEGRADED,
        because=f"{name} (process {server.process}) uses the integrated GPU, and not {device.name or better.card.pci_id}",
        brief=f"{name} uses the integrated GPU",
        reason=CardReason.NOT_LISTED,
        evidence=(Observed(f"/proc/{server.process}/fd", node),),
        fix=(run("start it with the variables of the better card:", f"gpuprobe env {device.library}:{device.ordinal}"),),
    )


def without_avx(inventory: Inventory) -> Iterator[Finding]:
    """Virtual processors that hide their vector instructions: programs crash with SIGILL, old Ollamas turn the GPU off."""
    host = inventory.evidence.host
    flags = fields_of(text_of(host, "/proc/cpuinfo")).get("flags")
    inside = virtualization(host)
    if flags is None or "avx" in flags.split() or inside in (None, NONE) or host.machine not in ("x86_64", "AMD64"):
        return
    yield cause(
        "cpu-no-avx",
        rung=Rung.HARDWARE,
        severity=Severity.INFO,
        because="the virtual processor hides AVX: Ollama before 0.5.8 then leaves GPUs alone, and other programs may crash",
        brief="the virtual processor hides AVX",
        reason=CardReason.NOT_LISTED,
        evidence=(Observed("/proc/cpuinfo", "flags without avx"),),
        fix=(Step(f"give the virtual machine the processor of its host ({inside}: CPU type `host`)", where=Place.HOST),),
    )


CHECKS = (not_in_the_groups, on_the_lesser_card, without_avx)
