"""What keeps NVIDIA's cards from being used, a module per part of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gpuprobe.doctor.findings import Finding, Severity
from gpuprobe.doctor.nvidia import (
    builds_of_ollama,
    card_modes,
    cuda_variables,
    driver_fit,
    driver_install,
    driver_parts,
    fabric,
    libraries_of_the_driver,
    lost_cards,
    nvidia_containers,
    nvidia_nodes,
    reported_faults,
    tegra,
    unstarted_cards,
)
from gpuprobe.doctor.situation import Situation
from gpuprobe.libraries import CUDA
from gpuprobe.vendors import NVIDIA

VENDOR = NVIDIA

# At one rung the first counts.
_PARTS = (
    lost_cards,
    unstarted_cards,
    reported_faults,
    driver_fit,
    driver_parts,
    driver_install,
    fabric,
    nvidia_containers,
    tegra,
    nvidia_nodes,
    libraries_of_the_driver,
    cuda_variables,
    card_modes,
    builds_of_ollama,
)


def _as_seen(check: Callable[[Situation], Iterator[Finding]]) -> Callable[[Situation], Iterator[Finding]]:
    """On a card that works nothing is a blocker: what keeps CUDA from it is a better way that fell away, and where CUDA works,
    nothing keeps it."""

    def seen(situation: Situation) -> Iterator[Finding]:
        computes = any(device.library == CUDA.name for device in situation.kept)
        for finding in check(situation):
            is_blocker = finding.severity is Severity.BLOCKER
            if is_blocker and situation.kept:
                if not computes:
                    yield finding._replace(severity=Severity.DEGRADED)
            else:
                yield finding

    return seen


CHECKS: tuple[Callable[[Situation], Iterator[Finding]], ...] = tuple(
    _as_seen(check) for part in _PARTS for check in part.CHECKS
)
