"""`/dev/kfd`, through which ROCm computes: absent, denied, or refused by the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.situation import Situation

CHECKS: tuple[Callable[[Situation], Iterator[Finding]], ...] = ()
