"""Units of systemd's that hide device files from a server of models: hardening that came with a package or a drop-in."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts.system_facts import UnitFiles
from gpuprobe.machine import Card
from gpuprobe.machine.services import Setting, units, value_in, values_in
from gpuprobe.model import Inventory
from gpuprobe.vendors import vendor_of

_YES = ("yes", "true", "1", "on")
_CLOSED = ("closed", "strict")
_DRM = ("/dev/dri/", "char-drm")  # what begins so is of this class of devices


def hides_devices(inventory: Inventory) -> Iterator[Finding]:
    nodes = [node for status in card_statuses(inventory) for node in _nodes_of(status.card)]
    there = {node.path for node in inventory.evidence.host.nodes}
    wanted = tuple(dict.fromkeys(node for node in nodes if node in there))
    for unit in units(inventory.evidence.host):
        setting = _hiding(unit, wanted) if wanted else None
        if setting is not None:
            yield _sandboxed(unit, setting, wanted)


def _nodes_of(card: Card) -> Iterator[str]:
    """What its libraries open, as far as it lies directly under /dev or is the card's own render node."""
    maker = vendor_of(card.vendor_id)
    named = maker.container_nodes if maker else ()
    yield from (node for node in named if not node.endswith("/dri"))
    if card.render_node is not None and (maker is None or any(node.endswith("/dri") for node in named)):
        yield card.render_node


def _hiding(unit: UnitFiles, wanted: tuple[str, ...]) -> Setting | None:
    """The line that hides one of the nodes; None: none does."""
    private, policy = value_in(unit, "PrivateDevices"), value_in(unit, "DevicePolicy")
    if private is not None and private.value.casefold() in _YES:
        return private
    allowed = values_in(unit, "DeviceAllow")
    is_closed = policy is not None and policy.value.casefold() in _CLOSED
    if not allowed and not is_closed:
        return None
    rules = [line.value.split()[0] for line in allowed if line.value.split()]
    closed = [node for node in wanted if not any(_fits(node, rule) for rule in rules)]
    return (policy if is_closed else allowed[-1]) if closed else None


def _fits(node: str, rule: str) -> bool:
    """A rule is a path, or a class of devices as /proc/devices has it: `char-drm`, `char-nvidia-*`."""
    if not rule.startswith("char-"):
        return rule == node
    beginning, drm = _DRM
    kind = drm if node.startswith(beginning) else f"char-{node.rpartition('/')[2].rstrip('0123456789')}"
    return fnmatchcase(kind, rule) or kind.startswith(rule) or rule.startswith(kind)


def _sandboxed(unit: UnitFiles, setting: Setting, wanted: tuple[str, ...]) -> Finding:
    line = f"{setting.name}={setting.value}"
    allow = ", ".join(f"`DeviceAllow={node} rw`" for node in wanted[:4])
    text = f"run `sudo systemctl edit {unit.name}`, add `PrivateDevices=no` and {allow} below `[Service]`, and restart it"
    return cause(
        "systemd-device-sandbox",
        rung=Rung.DEVICE_NODE,
        severity=Severity.DEGRADED,
        because=f"`{line}` in `{setting.path}` hides the GPU's device files from {unit.name}",
        brief=f"{unit.name} is kept from the GPU",
        reason=CardReason.NO_PERMISSION,
        evidence=(Observed(setting.path, line),),
        fix=(Step(text, f"sudo systemctl edit {unit.name}", needs_root=True, where=Place.SERVICE),),
    )


CHECKS = (hides_devices,)
