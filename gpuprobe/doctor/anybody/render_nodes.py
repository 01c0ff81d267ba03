"""The card's render node, through which Vulkan, Level Zero and ROCm reach it: missing in a container, or not to be opened."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import machine
from gpuprobe.doctor import container_advice
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.node_access import denied
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.vendors import vendor_of


def render_node_denied(situation: Situation) -> Iterator[Finding]:
    node = situation.node(situation.card.render_node or "")
    if situation.kept or node is None or _opens_another(situation):
        return
    found = denied(situation, node, "dri-render-permission", Severity.BLOCKER, None)
    if found is not None:
        yield found


def _opens_another(situation: Situation) -> bool:
    """Whether its vendor's libraries open a node of their own instead, as NVIDIA's do."""
    maker = vendor_of(situation.card.vendor_id)
    return maker is not None and (situation.card.driver or "") in maker.node_of


def render_node_not_given(situation: Situation) -> Iterator[Finding]:
    """A container whose `/dev` lacks the node, while `/sys` shows the card with its kernel driver."""
    path, kind = situation.card.render_node, situation.container
    if situation.kept or path is None or kind is None or _opens_another(situation):
        return
    if situation.node(path) is not None or machine.why_no_node(situation.host, path) is not None:
        return
    yield cause(
        "k8s-no-gpu-request" if kind == "kubernetes" else not_given_id(situation),
        rung=Rung.DEVICE_NODE,
        severity=Severity.BLOCKER,
        because=f"this {kind} container was started without it (`{path}` does not exist)",
        brief=f"{kind} container started without it",
        reason=CardReason.NO_DEVICE_NODE,
        evidence=(Observed(path, "absent"), Observed("/sys/class/drm", f"the card is there with `{situation.card.driver}`")),
        fix=(Step(container_advice.for_nodes(kind, situation.card), where=Place.HOST),),
    )


def not_given_id(situation: Situation) -> str:
    maker = vendor_of(situation.card.vendor_id)
    own = maker is not None and any(node != "/dev/dri" for node in maker.container_nodes)
    return "ctr-amd-devices-missing" if own else "ctr-render-node-missing"


CHECKS = (render_node_not_given, render_node_denied)
