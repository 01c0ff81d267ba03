"""Machines for tests of causes: a card, what was asked, what only a diagnosis reads; and the findings that come of them."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.diagnosis import findings_of
from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.doctor.machine_findings import findings_of_the_machine
from gpuprobe.facts import DeviceNode, Host, PciFunction, Reading
from gpuprobe.facts.system_facts import KernelLog, LogLine, Opened, SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.model import Call, Depth, Device, Inventory, Outcome, Probe, Purpose, Request, Status
from tests.doctor.told_diagnoses import noted
from tests.records import AMD, INTEL, a_card, a_host, an_outcome, evidence_of

ADDRESS = "0000:03:00.0"
RENDER, KFD = "/dev/dri/renderD128", "/dev/kfd"
_NODES = "/sys/class/kfd/kfd/topology/nodes"
UBUNTU = {"/etc/os-release": Reading("ID=ubuntu\nVERSION_ID=24.04\n")}
FEDORA = {"/etc/os-release": Reading("ID=fedora\nVERSION_ID=43\n")}
ARCH = {"/etc/os-release": Reading("ID=arch\n")}


def a_radeon(address: str = ADDRESS, **fields: Any) -> PciFunction:
    """An RX 7900 XTX that `amdgpu` drives."""
    found = {"vendor": AMD, "device": 0x744C, "driver": "amdgpu", "drm": ("card0", "renderD128")}
    return a_card(address, **{**found, **fields})


def an_arc(address: str = ADDRESS, **fields: Any) -> PciFunction:
    """An Arc B580 that `xe` drives."""
    found = {"vendor": INTEL, "device": 0xE20B, "driver": "xe", "drm": ("card0", "renderD128")}
    return a_card(address, **{**found, **fields})


def a_node(path: str = RENDER, *, accessible: bool = True, **fields: Any) -> DeviceNode:
    """As Debian makes it: for root and the group `render`."""
    usual = {"mode": 0o660, "uid": 0, "gid": 992, "major": 226, "minor": 128, "group": "render"}
    return DeviceNode(**{"path": path, "accessible": accessible, **usual, **fields})


def kfd_nodes(gfx: int = 110000, bus: int = 3, number: int = 1) -> dict[str, Reading]:
    """KFD's topology: the processor, and one card."""
    card = f"gfx_target_version {gfx}\nlocation_id {bus << 8}\ndomain 0\ndrm_render_minor 128\n"
    return {f"{_NODES}/0/properties": Reading("gfx_target_version 0\n"), f"{_NODES}/{number}/properties": Reading(card)}


def with_radeon(**fields: Any) -> Host:
    """Everything is as it should be, unless a field says otherwise."""
    texts = {**UBUNTU, **kfd_nodes(), **fields.pop("texts", {})}
    usual: dict[str, Any] = {"pci": (a_radeon(),), "nodes": (a_node(), a_node(KFD)), "gids": (992, 1000)}
    return a_host(**{**usual, "texts": texts, **fields})


def without_kfd(**fields: Any) -> Host:
    host = with_radeon(**fields)
    nodes = tuple(node for node in host.nodes if node.path != KFD)
    return host._replace(nodes=nodes, texts={path: text for path, text in host.texts.items() if not path.startswith(_NODES)})


def with_arc(**fields: Any) -> Host:
    texts = {**UBUNTU, **fields.pop("texts", {})}
    usual: dict[str, Any] = {"pci": (an_arc(),), "nodes": (a_node(),), "gids": (992, 1000)}
    return a_host(**{**usual, "texts": texts, **fields})


def said(*messages: str) -> KernelLog:
    """The whole kernel log, as far as it concerns GPUs."""
    return KernelLog(source="/dev/kmsg", lines=tuple(LogLine(message) for message in messages), is_whole=True)


def knowing(host: Host, **fields: Any) -> Host:
    """With what only a diagnosis reads."""
    return host._replace(system=SystemFacts(**fields))


def opened(path: str, name: str, number: int) -> tuple[Opened, ...]:
    return (Opened(path, number, name),)


def rocm_finds_nothing(code: int = 100) -> Outcome:
    probe = Probe("ROCm", Purpose.LIST)
    words = f"`hipInit` failed with hipErrorNoDevice ({code}): the runtime found no card it can use"
    return Outcome(
        probe, Status.NO_DEVICES, code=code, code_name="hipErrorNoDevice", message=words, calls=(Call("hipInit", 0.1),)
    )


def level_zero_finds_nothing(stderr: str = "") -> Outcome:
    words = "`zeInit` failed with ZE_RESULT_ERROR_UNINITIALIZED (0x78000001): the Level Zero loader found no driver that works"
    probe = Probe("Level Zero", Purpose.LIST)
    return Outcome(probe, Status.NO_DEVICES, code=0x78000001, message=words, stderr=stderr, calls=(Call("zeInit", 0.1),))


def vulkan_fails(code: int = -9, stderr: str = "") -> Outcome:
    words = "`vkCreateInstance` failed with VK_ERROR_INCOMPATIBLE_DRIVER: the Vulkan loader found no driver that works"
    calls = (Call("vkCreateInstance", 0.1),)
    return Outcome(Probe("Vulkan", Purpose.LIST), Status.INIT_FAILED, code=code, message=words, stderr=stderr, calls=calls)


def not_installed(library: str) -> Outcome:
    return an_outcome(library=library, status=Status.ABSENT, message="not installed", seconds=None)


def passed(device: Device) -> Outcome:
    """Its context came up."""
    probe = Probe(device.library, Purpose.VALIDATE, build=device.build, device=device.key)
    return Outcome(probe, Status.OK, seconds=0.1, depth=Depth.CONTEXT)


def inventory_of(host: Host, *outcomes: Outcome, devices: tuple[Device, ...] = ()) -> Inventory:
    return judge(evidence_of(*devices, host=host, outcomes=outcomes), Request())


def findings(host: Host, *outcomes: Outcome, devices: tuple[Device, ...] = (), at: str | None = None) -> tuple[Finding, ...]:
    """Of the first card, or of the one at this address."""
    inventory = inventory_of(host, *outcomes, devices=devices)
    cards = [status.card for status in card_statuses(inventory) if at in (None, status.card.pci_id)]
    return noted(findings_of(cards[0], inventory))


def of_the_machine(host: Host, *outcomes: Outcome, devices: tuple[Device, ...] = ()) -> tuple[Finding, ...]:
    return findings_of_the_machine(inventory_of(host, *outcomes, devices=devices))


def headline(found: tuple[Finding, ...]) -> Finding:
    """The cause that is told first; a symptom is none."""
    causes = [each for each in found if not each.generic]
    assert causes, f"no cause among {[each.id for each in found]}"
    return causes[0]


def causes(found: tuple[Finding, ...]) -> list[str]:
    return [each.id for each in found if not each.generic]


def blockers(found: tuple[Finding, ...]) -> list[str]:
    return [each.id for each in found if each.severity is Severity.BLOCKER]


def commands(finding: Finding) -> str:
    """What is to be copied, in order."""
    return "; ".join(step.command for step in finding.fix if step.command)
