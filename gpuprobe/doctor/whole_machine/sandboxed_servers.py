"""Services whose unit hides device nodes from them, while a shell on the same machine uses the card."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gpuprobe import machine
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import UnitFiles
from gpuprobe.machine.services import Setting, units, value_in, values_in
from gpuprobe.model import Inventory
from gpuprobe.strings import printable
from gpuprobe.vendors import vendor_of

# Units of programs that compute. Those of drivers and of containers need no card, or have each their own way to it.
_COMPUTES = re.compile(r"(?:ollama|llama|vllm|localai|comfyui|tabby|sglang|tgi|jan|gpustack|koboldcpp)[\w.@:+-]{0,60}\.service")
_YES = ("yes", "true", "on", "1")
_CLOSED = ("closed", "strict")


def device_nodes_hidden(inventory: Inventory) -> Iterator[Finding]:
    host = inventory.evidence.host
    wanted = _nodes(inventory)
    if not wanted or machine.container(host) != machine.NONE:
        return
    for unit in _computing(host):
        line = _hiding(unit, wanted)
        if line is not None:
            yield _told(unit, line, wanted)


def _computing(host: Host) -> Iterator[UnitFiles]:
    return (unit for unit in units(host) if _COMPUTES.fullmatch(unit.name))


def _nodes(inventory: Inventory) -> tuple[str, ...]:
    """What the cards that work here are reached through: their vendors' nodes."""
    makers = (vendor_of(device.vendor_id) for device in inventory.kept)
    names = (name for maker in makers if maker is not None for name in maker.container_nodes)
    return tuple(dict.fromkeys(names))


def _hiding(unit: UnitFiles, wanted: Sequence[str]) -> Setting | None:
    """The line that leaves the service without them; None: none does."""
    private, policy = value_in(unit, "PrivateDevices"), value_in(unit, "DevicePolicy")
    allowed = [line.value for line in values_in(unit, "DeviceAllow")]
    if private is not None and private.value.casefold() in _YES:
        return private
    is_closed = policy is not None and policy.value.casefold() in _CLOSED
    listed = values_in(unit, "DeviceAllow")
    if not (is_closed or allowed) or any(_lets_in(value, wanted) for value in allowed):
        return None
    return policy if is_closed else listed[-1]


def _lets_in(value: str, wanted: Sequence[str]) -> bool:
    """`/dev/nvidia0 rw`, `char-nvidia-uvm rw`, `char-drm`, `/dev/dri/renderD128`."""
    word = next(iter(value.split()), "").removeprefix("char-").removeprefix("/dev/").rstrip("*")
    stems = [re.sub("[^a-z].*", "", node.removeprefix("/dev/")) for node in wanted]
    return any(word.startswith(stem) or (word == "drm" and stem == "dri") for stem in stems if stem)


def _told(unit: UnitFiles, line: Setting, wanted: Sequence[str]) -> Finding:
    allow = " ".join(f"`DeviceAllow={node} rw`" for node in wanted[:3])
    open_it = "`PrivateDevices=no`" if line.name == "PrivateDevices" else allow
    command = f"sudo systemctl edit {unit.name}"
    again = f"sudo systemctl daemon-reload && sudo systemctl restart {unit.name}"
    return cause(
        "systemd-device-sandbox",
        rung=Rung.BUILD,
        severity=Severity.BLOCKER,
        because=f"`{line.name}={printable(line.value)}` hides the cards' device nodes from {unit.name}",
        brief=f"the unit hides the card from {unit.name}",
        reason=CardReason.NO_PERMISSION,
        evidence=(Observed(line.path, f"{line.name}={printable(line.value)}"),),
        fix=(
            Step(f"set {open_it} below `[Service]` with `{command}`", command, needs_root=True, where=Place.SERVICE),
            Step(f"then `{again}`", again, needs_root=True, where=Place.SERVICE),
        ),
    )


CHECKS = (device_nodes_hidden,)
