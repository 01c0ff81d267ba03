"""What `list` says as labels of a Kubernetes node, a line each: what node-feature-discovery reads from `features.d`, what
`kubectl label` takes, and what makes a feature of a Slurm node. Nothing in them changes while the machine stays as it is.

A key is a prefix and a name, a value a name or nothing: at most 63 letters, digits, `-`, `_` and `.`, of which the first and
the last are letters or digits (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/, read 2026-11-28).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from gpuprobe.doctor.card_status import CardStatus
from gpuprobe.model import Device, DeviceType, MiB

PREFIX = "gpuprobe"
_LONGEST = 63
_OTHERS = re.compile(r"[^A-Za-z0-9_.]+")
_EDGES = "-_."


def node_labels(card_statuses: Sequence[CardStatus], devices: Sequence[Device]) -> str:
    return "".join(f"{PREFIX}/{name}={value}\n" for name, value in _labels(card_statuses, devices))


def _labels(card_statuses: Sequence[CardStatus], devices: Sequence[Device]) -> Iterator[tuple[str, str]]:
    usable = sum(status.why is None for status in card_statuses)
    yield "cards", str(len(card_statuses))
    yield "usable", str(usable)
    yield "all-usable", "true" if card_statuses and usable == len(card_statuses) else "false"
    reasons = sorted({status.why.reason.value for status in card_statuses if status.why})
    if reasons:
        yield "reason", value_of(reasons[0])
    for what, names in (
        ("library", [device.library for device in devices]),
        ("product", [device.name for device in devices if device.name]),
        ("build", [device.build for device in devices]),
    ):
        # Names that are one as a label are counted together.
        for name, count in sorted(Counter(name_of(what, name) for name in names).items()):
            yield name, str(count)
    drivers = {device.kernel_version or device.runtime_version for device in devices} - {None}
    if len(drivers) == 1:
        yield "driver", value_of(str(drivers.pop()))
    # A graphics unit beside the processor is no place for what a card of the same node is wanted for.
    counted = [device for device in devices if device.type is DeviceType.DISCRETE] or devices
    sizes = [device.total_memory for device in counted if device.total_memory is not None]
    if sizes and len(sizes) == len(counted):
        yield "least-memory-mib", str(min(sizes) // MiB)


def value_of(text: str) -> str:
    """The nearest value that Kubernetes takes; nothing where nothing is left."""
    return _OTHERS.sub("-", text).strip(_EDGES)[:_LONGEST].rstrip(_EDGES)


def name_of(what: str, text: str) -> str:
    """`product.NVIDIA-H100-80GB-HBM3`."""
    return f"{what}.{_OTHERS.sub('-', text).strip(_EDGES) or 'unnamed'}"[:_LONGEST].rstrip(_EDGES)
