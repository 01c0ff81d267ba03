"""What a container was given of NVIDIA's cards and driver: nothing, a part of it, or another release."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor import container_advice
from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import cause
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Step
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine.nvidia import module_version
from gpuprobe.model import Status
from gpuprobe.strings import printable

_NONE_ASKED = ("", "void", "none")
_SANDBOXES = ("snap", "flatpak")


def not_given(situation: Situation) -> Iterator[Finding]:
    """No node of the driver is in here, and the host's kernel has the card."""
    host, kind = situation.host, situation.container
    if kind is None or kind in _SANDBOXES or not signs.is_bound(situation) or not signs.nodes_are_known(host):
        return
    if situation.node(signs.CONTROL) is not None or any(re.search("[0-9]$", node.path) for node in signs.nodes(host)):
        return
    asked = signs.value(situation, signs.VISIBLE)
    which = "k8s-no-gpu-request" if kind == "kubernetes" else "ctr-no-gpu-flag"
    because = f"this {kind} container was started without it (`{signs.CONTROL}` does not exist)"
    advice = container_advice.for_nodes(kind, situation.card)
    if asked in _NONE_ASKED and kind != "kubernetes":
        which = "ctr-visible-devices-void"
        because = f"this {kind} container was started with `{signs.VISIBLE}={printable(asked)}`, which gives it none"
        advice = f"start it with `-e {signs.VISIBLE}=all`"
    yield cause(
        which,
        Rung.DEVICE_NODE,
        because,
        f"{kind} container started without it",
        Observed(signs.CONTROL, "absent"),
        Observed("the host's kernel module", version) if (version := module_version(host)) else None,
        Observed(signs.VISIBLE, printable(asked)) if asked is not None else None,
        fix=(Step(advice, where=Place.HOST),),
        reason=CardReason.NO_DEVICE_NODE,
        library=None,
    )


def computes_not(situation: Situation) -> Iterator[Finding]:
    """The nodes are here, and the library of CUDA is not: the container was given another part of the driver."""
    host, kind = situation.host, situation.container
    if kind is None or kind in _SANDBOXES or not signs.has_no_cuda(situation) or not _has_nodes(situation):
        return
    asked = signs.value(situation, signs.CAPABILITIES)
    given = {part.strip() for part in (asked or "").split(",")}
    if asked and not given & {"all", "compute"}:
        because = f"this {kind} container was given `{printable(asked)}` of the driver and not `compute`"
        fix = f"start it with `-e {signs.CAPABILITIES}=compute,utility`"
    elif kind in ("lxc", "systemd-nspawn"):
        version = module_version(host)
        because = f"this {kind} container has no library of the driver for CUDA (`{signs.CUDA_FILE}`)"
        fix = f"install the host's version {version or ''} in it, without its kernel module".replace("  ", " ")
    else:
        because = f"this {kind} container has the card's nodes and no library of the driver for CUDA (`{signs.CUDA_FILE}`)"
        fix = container_advice.for_nodes(kind, situation.card)
    yield cause(
        "ctr-driver-capabilities-missing" if asked and not given & {"all", "compute"} else "nv-libcuda-missing",
        Rung.LIBRARY,
        because,
        "the container has no part for CUDA",
        Observed(signs.CAPABILITIES, printable(asked)) if asked is not None else None,
        Observed(signs.CUDA_FILE, "in none of the loader's directories"),
        Observed("NVML", "lists the card") if signs.whole_view(situation) else None,
        fix=(Step(fix, where=Place.HOST),),
        reason=Status.NOT_LOADABLE,
    )


def _has_nodes(situation: Situation) -> bool:
    return signs.is_bound(situation) and situation.node(signs.CONTROL) is not None


def snap_without_the_driver(situation: Situation) -> Iterator[Finding]:
    """A snap finds the driver's libraries where it is connected to the host's, or to the snap that brings them."""
    if situation.container != "snap" or not signs.has_no_cuda(situation) or not signs.is_bound(situation):
        return
    name = signs.value(situation, "SNAP_NAME") or "NAME"
    yield cause(
        "snap-confinement",
        Rung.LIBRARY,
        f"the snap `{printable(name)}` is not connected to the driver's libraries",
        "the snap is not connected",
        Observed(signs.CUDA_FILE, "in none of the snap's directories"),
        Observed("SNAP_NAME", printable(name)),
        fix=(
            Step(f"connect it: `sudo snap connect {printable(name)}:opengl`", needs_root=True, where=Place.HOST),
            Step("or install the program without snap", where=Place.HOST),
        ),
        reason=Status.NOT_LOADABLE,
        settle=f"snap connections {printable(name)}",
    )


CHECKS = (not_given, computes_not, snap_without_the_driver)
